//! The check from inside: a real sandbox, entered without a program, says what it sees.
//!
//! Reading our own code proves little about what a kernel did; builds are refused unless this
//! has looked. The observations are made by [`report_to_stdout`] in the very process that would
//! execute a program, and judged on the client's side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Seek as _;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::fs::MemfdFlags;

use crate::client::{Launcher, SpawnError, WaitError};
use crate::guard::{Guard, GuardSet};
use crate::kernel;
use crate::outcome::{ExitStatus, Outcome};
use crate::spec::{Limits, SandboxSpec};
use crate::wire::{self, Ground};

/// One guard on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardReport {
    /// The guard.
    pub guard: Guard,
    /// Whether it holds here.
    pub state: GuardState,
}

/// Whether a guard holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardState {
    /// It was observed from inside.
    Observed,
    /// It was set up without an error, and has no trace to observe before a program runs.
    SetUp,
    /// It does not hold, for this reason.
    Missing(String),
    /// Unknown, because an earlier guard is missing.
    Unknown,
}

/// Why builds are refused.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// No sandbox could be started.
    #[error("no sandbox can be started: {0}")]
    Spawn(#[source] Arc<SpawnError>),
    /// The sandbox ended without an answer.
    #[error("the check from inside a sandbox did not finish: {0}")]
    Wait(#[source] WaitError),
    /// The sandbox ended badly.
    #[error("the check from inside a sandbox ended with {0:?}")]
    Ended(ExitStatus),
    /// The report could not be exchanged.
    #[error("the report of the check from inside a sandbox is lost: {0}")]
    Report(#[source] std::io::Error),
    /// Guards do not hold.
    #[error("the check from inside a sandbox found guards that do not hold: {}", list(.0))]
    Missing(Vec<GuardReport>),
}

fn list(reports: &[GuardReport]) -> String {
    let mut text = String::new();
    for report in reports {
        if let GuardState::Missing(reason) = &report.state {
            let separator = if text.is_empty() { "" } else { "; " };
            write!(text, "{separator}`{}` ({reason})", report.guard).ok();
        }
    }
    text
}

/// Enters a sandbox and looks at every guard; an error means that builds must not run.
pub fn canary(launcher: &Launcher) -> Result<Vec<GuardReport>, CanaryError> {
    let reports = judge(&observe(launcher)?);
    if reports
        .iter()
        .any(|report| matches!(report.state, GuardState::Missing(_)))
    {
        Err(CanaryError::Missing(reports))
    } else {
        Ok(reports)
    }
}

/// Tells for every guard whether this machine gives it; for people, never fails.
pub fn self_test(launcher: &Launcher) -> Vec<GuardReport> {
    let all = |state: fn(Guard, &str) -> GuardState, reason: &str| {
        Guard::ALL
            .iter()
            .map(|guard| GuardReport {
                guard: *guard,
                state: state(*guard, reason),
            })
            .collect()
    };
    match canary(launcher) {
        Ok(reports) | Err(CanaryError::Missing(reports)) => reports,
        Err(CanaryError::Spawn(error)) => match &*error {
            SpawnError::Guard(failure) => Guard::ALL
                .iter()
                .map(|guard| GuardReport {
                    guard: *guard,
                    state: if *guard == failure.guard {
                        GuardState::Missing(failure.to_string())
                    } else {
                        GuardState::Unknown
                    },
                })
                .collect(),
            SpawnError::Spec(_)
            | SpawnError::Request(_)
            | SpawnError::LauncherGone
            | SpawnError::Canary(_) => all(
                |_, reason| GuardState::Missing(reason.to_owned()),
                &error.to_string(),
            ),
        },
        Err(error @ (CanaryError::Wait(_) | CanaryError::Ended(_) | CanaryError::Report(_))) => {
            all(
                |_, reason| GuardState::Missing(reason.to_owned()),
                &error.to_string(),
            )
        }
    }
}

fn observe(launcher: &Launcher) -> Result<BTreeMap<String, String>, CanaryError> {
    let lost = |error: std::io::Error| CanaryError::Report(error);
    let log = rustix::fs::memfd_create(c"canary", MemfdFlags::CLOEXEC)
        .map_err(|errno| lost(errno.into()))?;
    let mut report = File::from(log.try_clone().map_err(lost)?);
    let spec = SandboxSpec {
        limits: Limits {
            wall_ms: 10_000,
            scratch_bytes: 1 << 20,
            ..Limits::default()
        },
        ..SandboxSpec::plain(Vec::new(), Vec::new(), log)
    };
    let request = wire::encode_request(&spec, true, GuardSet::EMPTY);
    let running = launcher
        .request(
            &request,
            Ground::of(&spec, GuardSet::EMPTY),
            spec.log.as_fd(),
        )
        .map_err(|error| CanaryError::Spawn(Arc::new(error)))?;
    let Outcome { status, .. } = running.wait().map_err(CanaryError::Wait)?;
    if status != ExitStatus::Exited(0) {
        return Err(CanaryError::Ended(status));
    }
    report.rewind().map_err(lost)?;
    let text = std::io::read_to_string(report).map_err(lost)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect())
}

/// What must be seen, by the name of the observation; namespaces are compared instead.
const EXPECTED: &[(Guard, &str, &str)] = &[
    (Guard::OneIdMap, "ids", "0 0 0 0"),
    (Guard::OneIdMap, "uid-map-lines", "1"),
    (Guard::OneIdMap, "groups", "0"),
    (Guard::NeverHostRoot, "outside-is-root", "false"),
    (Guard::PidNamespace, "pid", "2"),
    (Guard::PrivateRoot, "foreign-mounts", "0"),
    (Guard::OverlayRoot, "root-type", "overlay"),
    (Guard::MountFlags, "root-flags", "nosuid,nodev"),
    (Guard::DeviceBinds, "null-is-mount", "true"),
    (Guard::ReadOnlyDevices, "dev-read-only", "true"),
    (Guard::PrivateTmp, "tmp-is-mount", "true"),
    (Guard::ProcSubset, "proc-sys", "2"),
    (Guard::CapabilitiesDropped, "capabilities", "0 0 0 0 0"),
    (Guard::NoNewPrivileges, "no-new-privileges", "1"),
    (Guard::SyscallCeiling, "seccomp", "2"),
    (Guard::SyscallCeiling, "call-above-ceiling", "38"),
    (Guard::NoMounting, "call-mount", "1"),
    (Guard::NoNamespaces, "call-unshare", "1"),
    (Guard::NoSetid, "call-chmod", "1"),
    (Guard::NoXattrs, "call-setxattr", "95"),
    (Guard::NoWideInterfaces, "call-io-uring", "38"),
    (Guard::SocketFamilies, "call-vsock", "97"),
    (Guard::NoTerminalInjection, "call-tiocsti", "1"),
    (Guard::FixedAnswers, "release", "6.6.0"),
    (Guard::HiddenSupervisor, "supervisor-owner", "65534"),
    (Guard::OwnSession, "session", "2"),
];

const NAMESPACES: &[(Guard, &str)] = &[
    (Guard::OneIdMap, "user"),
    (Guard::PrivateRoot, "mnt"),
    (Guard::PidNamespace, "pid"),
    (Guard::NetNamespace, "net"),
    (Guard::IpcNamespace, "ipc"),
    (Guard::UtsNamespace, "uts"),
    (Guard::CgroupNamespace, "cgroup"),
];

fn judge(seen: &BTreeMap<String, String>) -> Vec<GuardReport> {
    let mut states: BTreeMap<Guard, GuardState> = BTreeMap::new();
    let mut note = |guard: Guard, problem: Option<String>| {
        let state = states.entry(guard).or_insert(GuardState::Observed);
        if let Some(problem) = problem {
            *state = GuardState::Missing(problem);
        }
    };
    for (guard, key, expected) in EXPECTED {
        let found = seen.get(*key).map_or("nothing", String::as_str);
        let problem = (found != *expected)
            .then(|| format!("{key} is `{found}` where `{expected}` is expected"));
        note(*guard, problem);
    }
    for (guard, name) in NAMESPACES {
        let ours = namespace(name);
        let problem = match seen.get(&format!("namespace-{name}")) {
            Some(theirs) if *theirs != ours && !theirs.is_empty() => None,
            Some(_) | None => Some(format!("the {name} namespace is the host's")),
        };
        note(*guard, problem);
    }
    Guard::ALL
        .iter()
        .map(|guard| GuardReport {
            guard: *guard,
            state: states.get(guard).cloned().unwrap_or(GuardState::SetUp),
        })
        .collect()
}

fn namespace(name: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{name}"))
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Writes what this process sees to standard output, one `key=value` a line.
pub(crate) fn report_to_stdout() {
    let mut report = String::new();
    let mut say = |key: &str, value: &dyn std::fmt::Display| {
        writeln!(report, "{key}={value}").ok();
    };
    say_processes(&mut say);
    say_mounts(&mut say);
    say_calls(&mut say);
    for (_, name) in NAMESPACES {
        say(&format!("namespace-{name}"), &namespace(name));
    }
    let mut rest = report.as_bytes();
    while let Ok(count @ 1..) = rustix::io::write(rustix::stdio::stdout(), rest) {
        rest = rest.get(count..).unwrap_or_default();
    }
}

type Say<'a> = &'a mut dyn FnMut(&str, &dyn std::fmt::Display);

fn say_processes(say: Say<'_>) {
    use rustix::process::{getegid, geteuid, getgid, getpid, getsid, getuid};
    let ids = [
        getuid().as_raw(),
        geteuid().as_raw(),
        getgid().as_raw(),
        getegid().as_raw(),
    ];
    say("ids", &ids.map(|id| id.to_string()).join(" "));
    say("pid", &getpid().as_raw_nonzero());
    say(
        "session",
        &getsid(None).map_or(0, |pid| pid.as_raw_nonzero().get()),
    );
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    say("uid-map-lines", &map.lines().count());
    let outside = map.split_ascii_whitespace().nth(1);
    say("outside-is-root", &outside.is_none_or(|id| id == "0"));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map_or("missing", str::trim).to_owned()
    };
    let sets = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"];
    let sets = sets.map(|name| {
        u64::from_str_radix(&field(name), 16).map_or("missing".to_owned(), |set| set.to_string())
    });
    say("capabilities", &sets.join(" "));
    say("no-new-privileges", &field("NoNewPrivs:"));
    say("seccomp", &field("Seccomp:"));
    // The overflow group stands for groups of the host that are not mapped.
    say(
        "groups",
        &field("Groups:")
            .split_ascii_whitespace()
            .filter(|id| *id != "65534")
            .count(),
    );
}

fn say_mounts(say: Say<'_>) {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut foreign = 0;
    let mut at: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in table.lines() {
        let mut fields = line.split(' ').skip(4);
        let (place, flags) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        let kind = fields
            .skip_while(|field| *field != "-")
            .nth(1)
            .unwrap_or("");
        let ours = matches!(place, "/" | "/proc" | "/tmp" | "/dev")
            || place.starts_with("/dev/") && !place.contains("..");
        foreign += usize::from(!ours);
        at.insert(place, (flags, kind));
    }
    let has_flag = |place: &str, flag: &str| {
        at.get(place)
            .is_some_and(|(flags, _)| flags.split(',').any(|one| one == flag))
    };
    say("foreign-mounts", &foreign);
    say(
        "root-type",
        &at.get("/").map_or("nothing", |(_, kind)| *kind),
    );
    let flags = ["nosuid", "nodev"]
        .into_iter()
        .filter(|flag| has_flag("/", flag));
    say("root-flags", &flags.collect::<Vec<_>>().join(","));
    say("null-is-mount", &at.contains_key("/dev/null"));
    say(
        "dev-read-only",
        &(has_flag("/dev", "ro") && has_flag("/dev/null", "ro")),
    );
    say("tmp-is-mount", &at.contains_key("/tmp"));
}

fn say_calls(say: Say<'_>) {
    use std::os::unix::fs::MetadataExt as _;

    use kernel::try_call;
    let path = c"/tmp".as_ptr().expose_provenance() as u64;
    let name = c"user.x".as_ptr().expose_provenance() as u64;
    say("call-above-ceiling", &try_call(463, [u64::MAX, 0, 0, 0]));
    say("call-mount", &try_call(libc::SYS_mount, [path, path, 0, 0]));
    say(
        "call-unshare",
        &try_call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0]),
    );
    say(
        "call-chmod",
        &try_call(libc::SYS_chmod, [path, 0o4755, 0, 0]),
    );
    say(
        "call-setxattr",
        &try_call(libc::SYS_setxattr, [path, name, name, 1]),
    );
    say(
        "call-io-uring",
        &try_call(libc::SYS_io_uring_setup, [1, 0, 0, 0]),
    );
    say("call-vsock", &try_call(libc::SYS_socket, [40, 1, 0, 0]));
    say(
        "call-tiocsti",
        &try_call(libc::SYS_ioctl, [0, 0x5412, path, 0]),
    );
    say(
        "release",
        &rustix::system::uname().release().to_string_lossy(),
    );
    let errno = |path: &str| {
        std::fs::metadata(path)
            .err()
            .and_then(|error| error.raw_os_error())
            .unwrap_or(0)
    };
    say("proc-sys", &errno("/proc/sys"));
    // What a process hides belongs to the host's root, who is nobody here.
    say(
        "supervisor-owner",
        &std::fs::metadata("/proc/1/environ").map_or(0, |status| status.uid()),
    );
}
