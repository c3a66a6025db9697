//! Break-out attempts, as a table.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;
use std::sync::LazyLock;

use stxl_sandbox::{ExitStatus, Guard, GuardSet};

use crate::site::{REFUSED, SITE, launcher, list, probe, run, run_with};

use Guard::{
    CapabilitiesDropped, CgroupNamespace, DeviceBinds, FixedAnswers, FreshDescriptors,
    HiddenSupervisor, IpcNamespace, LandlockScope, MountFlags, NetNamespace, NoMounting,
    NoNamespaces, NoNewPrivileges, NoSetid, NoTerminalInjection, NoWideInterfaces, NoXattrs,
    OneIdMap, OwnSession, PidNamespace, PrivateRoot, ProcSubset, ReadOnlyDevices, SocketFamilies,
    SyscallCeiling, UtsNamespace,
};

/// One attempt: what the probe is asked to do, the guard that refuses it, and guards that would
/// refuse it too and are left out both times.
type Attempt = (&'static [&'static str], Guard, &'static [Guard]);

/// `{port}`, `{socket}`, `{pid}`, `{key}` and `{namespace:…}` are the host's, filled in.
const ATTEMPTS: &[Attempt] = &[
    (&["loopback", "{port}"], NetNamespace, &[]),
    (&["interfaces"], NetNamespace, &[]),
    (
        &["abstract_socket", "{socket}"],
        NetNamespace,
        &[LandlockScope],
    ),
    (
        &["abstract_socket", "{socket}"],
        LandlockScope,
        &[NetNamespace],
    ),
    (&["signal_host", "{pid}"], PidNamespace, &[]),
    (&["see_processes"], PidNamespace, &[]),
    (&["kill_supervisor"], PidNamespace, &[LandlockScope]),
    (&["ipc_find", "{key}"], IpcNamespace, &[]),
    (
        &["same_namespace", "uts", "{namespace:uts}"],
        UtsNamespace,
        &[],
    ),
    (
        &["same_namespace", "cgroup", "{namespace:cgroup}"],
        CgroupNamespace,
        &[],
    ),
    (&["read_file", "/tmp/store/secret/file"], PrivateRoot, &[]),
    (&["setuid_honoured"], MountFlags, &[]),
    (&["replace_null"], DeviceBinds, &[]),
    (&["add_device_file"], ReadOnlyDevices, &[]),
    (
        &["read_file", "/proc/sys/kernel/random/boot_id"],
        ProcSubset,
        &[],
    ),
    (&["read_file", "/proc/cpuinfo"], ProcSubset, &[]),
    (
        &["read_file", "/proc/sys/kernel/core_pattern"],
        ProcSubset,
        &[],
    ),
    (&["override_permissions"], CapabilitiesDropped, &[]),
    (&["new_privileges"], NoNewPrivileges, &[]),
    (&["other_ids"], OneIdMap, &[]),
    (&["mount_tmpfs"], NoMounting, &[CapabilitiesDropped]),
    (&["mount_tmpfs"], CapabilitiesDropped, &[NoMounting]),
    (&["unmount_tmp"], NoMounting, &[CapabilitiesDropped]),
    (&["clone_mount"], NoMounting, &[CapabilitiesDropped]),
    (&["remount_dev"], CapabilitiesDropped, &[NoMounting]),
    (&["unshare_user"], NoNamespaces, &[]),
    (&["unshare_mount"], NoNamespaces, &[]),
    (&["clone_user"], NoNamespaces, &[]),
    (&["clone3_user"], NoNamespaces, &[]),
    (&["enter_namespace"], NoNamespaces, &[CapabilitiesDropped]),
    (&["setid", "open"], NoSetid, &[]),
    (&["setid", "openat"], NoSetid, &[]),
    (&["setid", "creat"], NoSetid, &[]),
    (&["setid", "openat2"], NoSetid, &[]),
    (&["setid", "tmpfile"], NoSetid, &[]),
    (&["setid", "mknod"], NoSetid, &[]),
    (&["setid", "mknodat"], NoSetid, &[]),
    (&["setid", "chmod"], NoSetid, &[]),
    (&["setid", "fchmod"], NoSetid, &[]),
    (&["setid", "fchmodat"], NoSetid, &[]),
    (&["setid", "fchmodat2"], NoSetid, &[]),
    (&["setid", "directory"], NoSetid, &[]),
    (&["setid", "int80-chmod"], NoSetid, &[]),
    (&["32", "open"], NoSetid, &[]),
    (&["32", "openat"], NoSetid, &[]),
    (&["32", "creat"], NoSetid, &[]),
    (&["32", "mknod"], NoSetid, &[]),
    (&["32", "chmod"], NoSetid, &[]),
    (&["32", "setxattr"], NoXattrs, &[]),
    (&["32", "unshare"], NoNamespaces, &[]),
    (&["32", "socketcall"], NoWideInterfaces, &[]),
    (&["32", "io_uring"], NoWideInterfaces, &[]),
    (&["32", "uname"], FixedAnswers, &[]),
    (&["32", "sysinfo"], FixedAnswers, &[]),
    (&["xattr", "setxattr"], NoXattrs, &[]),
    (&["xattr", "lsetxattr"], NoXattrs, &[]),
    (&["xattr", "fsetxattr"], NoXattrs, &[]),
    (&["xattr", "capability"], NoXattrs, &[CapabilitiesDropped]),
    (&["xattr", "setxattrat"], SyscallCeiling, &[]),
    (&["interface", "io_uring"], NoWideInterfaces, &[]),
    (&["interface", "add_key"], NoWideInterfaces, &[]),
    (&["interface", "keyctl"], NoWideInterfaces, &[]),
    (&["interface", "landlock"], NoWideInterfaces, &[]),
    (&["interface", "name_to_handle_at"], NoWideInterfaces, &[]),
    (&["interface", "vsock"], SocketFamilies, &[]),
    (&["type_into_terminal"], NoTerminalInjection, &[]),
    (&["host_answers"], FixedAnswers, &[]),
    (&["leaked_descriptors"], FreshDescriptors, &[]),
    (&["supervisor_memory"], HiddenSupervisor, &[LandlockScope]),
    (&["supervisor_files"], HiddenSupervisor, &[]),
    (&["supervisor_binary"], HiddenSupervisor, &[LandlockScope]),
    (&["foreign_session"], OwnSession, &[]),
];

/// Attempts that several layers refuse, kernel included: no single guard lets them through.
const HOPELESS: &[&[&str]] = &[
    &["setid", "x32-chmod"],
    &["xattr", "acl"],
    &["make_device"],
    &["controlling_terminal"],
    &["open_for_writing", "/proc/sys/kernel/core_pattern"],
    &["open_for_writing", "/proc/self/exe"],
    &["read_file", "/etc/shadow"],
    &["read_file", "/sys/kernel/version"],
    &["read_file", "/store/secret/file"],
    &["interface", "alg"],
    &["interface", "userfaultfd"],
    &["outside_root"],
];

/// What is outside, for attempts to reach.
static HOST: LazyLock<Host> = LazyLock::new(Host::new);

struct Host {
    _listener: TcpListener,
    _abstract_listener: UnixListener,
    words: Vec<(String, String)>,
}

impl Host {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let pid = std::process::id();
        let name = format!("stxl-sandbox-{pid}");
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let abstract_listener = UnixListener::bind_addr(&address).expect("a socket");
        let mut words = vec![
            ("{port}".to_owned(), port.to_string()),
            ("{socket}".to_owned(), name),
            ("{pid}".to_owned(), pid.to_string()),
            ("{key}".to_owned(), pid.to_string()),
        ];
        for kind in ["uts", "cgroup"] {
            let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).expect("a link");
            words.push((format!("{{namespace:{kind}}}"), link.display().to_string()));
        }
        Self {
            _listener: listener,
            _abstract_listener: abstract_listener,
            words,
        }
    }

    fn fill(&self, word: &str) -> String {
        let known = self.words.iter().find(|(name, _)| name == word);
        known.map_or_else(|| word.to_owned(), |(_, value)| value.clone())
    }
}

fn host_probe(arguments: &[&str]) {
    let status = Command::new(SITE.store.join("probe/bin/probe"))
        .args(arguments)
        .status()
        .expect("the probe runs on the host");
    assert!(status.success(), "{arguments:?}: {status}");
}

fn attempt(words: &[&str], disabled: GuardSet) -> (ExitStatus, String) {
    let words: Vec<String> = words.iter().map(|word| HOST.fill(word)).collect();
    let spec = match words.as_slice() {
        [first, rest @ ..] if first == "32" => {
            let mut spec = probe(&[]);
            spec.platform = stxl_sandbox::Personality::I686;
            spec.commands = vec![vec!["/bin/probe32".into()]];
            spec.commands[0].extend(rest.iter().map(Into::into));
            spec
        }
        words => probe(&words.iter().map(String::as_str).collect::<Vec<_>>()),
    };
    let run = run(&spec, disabled);
    (run.status, run.log)
}

#[test]
fn attempts_are_refused_and_succeed_without_their_guard() {
    let key = std::process::id().to_string();
    host_probe(&["ipc_make", &key]);
    let mut wrong = Vec::new();
    for (words, guard, others) in ATTEMPTS {
        let (status, log) = attempt(words, GuardSet::of(others));
        if status != ExitStatus::Exited(REFUSED) {
            wrong.push(format!("{words:?} under {guard}: {status:?} {log}"));
        }
        let without: Vec<Guard> = others.iter().copied().chain([*guard]).collect();
        let (status, log) = attempt(words, GuardSet::of(&without));
        if status != ExitStatus::Exited(0) {
            wrong.push(format!("{words:?} without {guard}: {status:?} {log}"));
        }
    }
    host_probe(&["ipc_remove", &key]);
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        ATTEMPTS.len(),
        wrong.join("\n")
    );
}

#[test]
fn hopeless_attempts_are_refused() {
    for words in HOPELESS {
        let (status, log) = attempt(words, GuardSet::EMPTY);
        assert_eq!(status, ExitStatus::Exited(REFUSED), "{words:?} {log}");
    }
}

#[test]
fn a_launcher_of_root_gives_root_up() {
    if !rustix::process::geteuid().is_root() {
        println!("only root can start a launcher as root");
        return;
    }
    let weak = launcher(&SITE.store, GuardSet::of(&[Guard::NeverHostRoot]));
    let spec = probe(&["outside_root"]);
    let status = run_with(&weak, &spec, GuardSet::EMPTY).status;
    assert_eq!(status, ExitStatus::Exited(0), "without the guard");
    let status = run(&probe(&["outside_root"]), GuardSet::EMPTY).status;
    assert_eq!(status, ExitStatus::Exited(REFUSED), "with the guard");
}

#[test]
fn an_input_layer_cannot_be_written() {
    let input = SITE.store.join("files/input");
    let write = |disabled| {
        let mut spec = probe(&["write_file", "/input"]);
        spec.layers = vec!["files".into()];
        let run = run(&spec, disabled);
        assert_eq!(run.status, ExitStatus::Exited(0), "{}", run.log);
        let content = std::fs::read_to_string(&input).expect("the layer is readable");
        std::fs::write(&input, "original\n").expect("the layer can be mended");
        content
    };
    assert_eq!(write(GuardSet::EMPTY), "original\n", "with the guard");
    assert_eq!(
        write(GuardSet::of(&[Guard::OverlayRoot])),
        "changed\n",
        "without the guard"
    );
}

#[test]
fn temporary_files_never_reach_the_upper() {
    let upper = |disabled| {
        let run = run(&probe(&["write_file", "/tmp/file"]), disabled);
        assert_eq!(run.status, ExitStatus::Exited(0), "{}", run.log);
        list(&run.outcome.upper)
    };
    assert!(upper(GuardSet::EMPTY).is_empty(), "with the guard");
    assert_eq!(
        upper(GuardSet::of(&[Guard::PrivateTmp])),
        ["tmp"],
        "without the guard"
    );
}

#[test]
fn every_guard_has_a_test() {
    let elsewhere = [
        Guard::NeverHostRoot,
        Guard::OverlayRoot,
        Guard::PrivateTmp,
        Guard::DiesWithClient,
        Guard::WallTimeout,
        Guard::SilentTimeout,
        Guard::MemoryLimit,
        Guard::ProcessLimit,
        Guard::ScratchLimit,
        Guard::LogLimit,
    ];
    for guard in Guard::ALL {
        let listed = ATTEMPTS.iter().any(|(_, tested, _)| tested == guard);
        assert!(
            listed != elsewhere.contains(guard),
            "`{guard}` is tested once or not at all"
        );
    }
}
