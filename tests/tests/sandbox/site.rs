//! A store with a layer that holds the probe, and the launcher that works on it.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use stxl_sandbox::{
    ExitStatus, GuardSet, Identity, LAUNCHER_ARGUMENT, Launcher, LauncherProgram, Limits, Outcome,
    SandboxSpec,
};

/// The probe's exit status for an attempt that was refused.
pub const REFUSED: u8 = 10;

pub struct Site {
    pub store: PathBuf,
    pub launcher: Launcher,
}

/// What a finished run left.
pub struct Run {
    pub status: ExitStatus,
    pub outcome: Outcome,
    pub log: String,
}

/// The site all tests share; its launcher is used from several threads at once.
pub static SITE: LazyLock<Site> = LazyLock::new(Site::new);

impl Site {
    fn new() -> Self {
        let store = make_store();
        let launcher = launcher(&store, GuardSet::EMPTY);
        Self { store, launcher }
    }
}

/// Returns a launcher for a store.
pub fn launcher(store: &Path, disabled: GuardSet) -> Launcher {
    let program = LauncherProgram::new(
        env!("CARGO_BIN_EXE_sandbox-client"),
        [LAUNCHER_ARGUMENT],
        File::open(store).expect("the store opens").into(),
    );
    Launcher::start(program.without(disabled)).expect("the launcher starts")
}

/// Makes a store below a directory that the launcher's user cannot read, with the layers
/// `probe`, `files` and `secret`.
pub fn make_store() -> PathBuf {
    sweep();
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let top = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir()
        .expect("a directory");
    // The static that owns the store is never dropped; a later run sweeps it away.
    let store = top.keep().join("store");
    make_directory(&store);
    let layer = store.join("probe");
    make_directory(&layer.join("bin"));
    compile(&["-static", "-no-pie"], "probe.c", &layer.join("bin/probe"));
    compile(
        &[
            "-m32",
            "-nostdlib",
            "-static",
            "-no-pie",
            "-fno-pic",
            "-fno-stack-protector",
        ],
        "probe32.c",
        &layer.join("bin/probe32"),
    );
    let files = store.join("files");
    make_directory(&files.join("sub"));
    std::fs::write(files.join("input"), "original\n").expect("a file");
    for place in ["dev", "proc", "tmp", "bin"] {
        make_directory(&files.join(place));
    }
    std::fs::copy(layer.join("bin/probe"), files.join("bin/probe")).expect("a copy");
    make_directory(&store.join("secret"));
    std::fs::write(store.join("secret/file"), "secret\n").expect("a file");
    give_to_launcher(&store);
    store
}

const PREFIX: &str = "stxl-sandbox-";

/// Removes the stores of test processes that are gone.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir())
        .expect("a directory")
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'));
        if let Some((pid, _)) = pid
            && pid.bytes().all(|byte| byte.is_ascii_digit())
            && !Path::new("/proc").join(pid).exists()
        {
            // Another user's are not ours to remove.
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn make_directory(path: &Path) {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .expect("a directory");
}

/// Gives a tree to the user the launcher becomes if root starts it.
pub fn give_to_launcher(path: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Identity { uid, gid } = Identity::fallback();
    chown(path, Some(uid), Some(gid)).expect("chown");
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a directory") {
            give_to_launcher(&entry.expect("an entry").path());
        }
    }
}

fn compile(flags: &[&str], source: &str, target: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("probe")
        .join(source);
    let output = Command::new("gcc")
        .args(["-O1", "-Wall", "-Wextra"])
        .args(flags)
        .arg("-o")
        .args([target, &source])
        .output()
        .expect("gcc is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Returns a specification that runs the probe with these arguments.
pub fn probe(arguments: &[&str]) -> SandboxSpec {
    let mut command = vec![OsString::from("/bin/probe")];
    command.extend(arguments.iter().map(OsString::from));
    SandboxSpec {
        limits: Limits {
            wall_ms: 20_000,
            scratch_bytes: 64 << 20,
            ..Limits::default()
        },
        ..SandboxSpec::plain(vec!["probe".into()], vec![command], memory_file())
    }
}

pub fn memory_file() -> OwnedFd {
    rustix::fs::memfd_create(c"log", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd")
}

/// Runs a specification on the shared site without some guards.
pub fn run(spec: &SandboxSpec, disabled: GuardSet) -> Run {
    run_with(&SITE.launcher, spec, disabled)
}

pub fn run_with(launcher: &Launcher, spec: &SandboxSpec, disabled: GuardSet) -> Run {
    let running = launcher
        .spawn_without(spec, disabled)
        .expect("the sandbox starts");
    let outcome = running.wait().expect("the sandbox ends");
    Run {
        status: outcome.status,
        outcome,
        log: read_log(&spec.log),
    }
}

pub fn read_log(log: &OwnedFd) -> String {
    rustix::fs::seek(log, rustix::fs::SeekFrom::Start(0)).expect("the log is a file");
    let file = File::from(log.try_clone().expect("a descriptor"));
    std::io::read_to_string(file).expect("the log is text")
}

/// Lists what is in a directory of the upper layer, sorted.
pub fn list(directory: &OwnedFd) -> Vec<String> {
    let entries = rustix::fs::Dir::read_from(directory).expect("the upper is readable");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "." && name != "..")
        .collect();
    names.sort();
    names
}
