//! What a child may use, and how it binds itself before it reads text.
//!
//! Memory is bounded twice: the kernel refuses data segments above the limit (`RLIMIT_DATA`), and a
//! watching thread ends the process when its resident memory passes it, which also holds for an
//! allocator that reserved its memory before. Time is bounded three times: operations by the
//! language, CPU time of one file by the watching thread, CPU time of all by `RLIMIT_CPU`.

use std::io::stderr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError,
};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal};

use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use super::progress::{ImportWatch, TURNS, forget_idle};
use crate::evaluator::STACK_BYTES;

/// What a child may use. The defaults are for workspaces of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildLimits {
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Stack of each thread.
    pub stack_bytes: usize,
    /// Resident memory apart from what the number of packages allows. Less than the 256 MiB that
    /// are promised: what is allocated between two looks of the watching thread comes on top.
    pub memory_bytes: u64,
    /// CPU time of the whole evaluation.
    pub cpu_seconds: u64,
    /// CPU time of the whole process while one thread stays with one file; not more than the time
    /// that passes meanwhile, since other threads have their share of it.
    pub file_cpu_ms: u64,
}

impl Default for ChildLimits {
    fn default() -> Self {
        Self {
            threads: 0,
            stack_bytes: STACK_BYTES,
            memory_bytes: 240 << 20,
            cpu_seconds: 600,
            file_cpu_ms: 800,
        }
    }
}

/// Memory that one more package allows: its text, tree, module, values and derivations.
const PACKAGE_MEMORY_BYTES: u64 = 48 << 10;

/// The most memory that packages can allow, whatever their number.
const MEMORY_BYTES_MAX: u64 = 16 << 30;

/// How often the watching thread looks.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// Exit codes of a child that the watching thread ended.
pub(super) const EXIT_MEMORY: i32 = 120;
pub(super) const EXIT_TIME: i32 = 121;

/// Bytes a child may write to a file: it has none to write but its messages and slots.
const WRITTEN_BYTES_MAX: u64 = 4 << 30;

/// System calls an evaluation has no use for: they reach other processes, the network, or parts of
/// the kernel with a history. Each with its number on `x86_64`: to look them up in a table of all
/// calls would take longer than all else that binds the process.
const REFUSED_CALLS: [(&str, i64); 24] = [
    ("accept4", 288),
    ("add_key", 248),
    ("bind", 49),
    ("bpf", 321),
    ("connect", 42),
    ("execve", 59),
    ("execveat", 322),
    ("io_uring_setup", 425),
    ("keyctl", 250),
    ("kill", 62),
    ("listen", 50),
    ("mount", 165),
    ("open_by_handle_at", 304),
    ("perf_event_open", 298),
    ("pidfd_getfd", 438),
    ("process_vm_readv", 310),
    ("process_vm_writev", 311),
    ("ptrace", 101),
    ("request_key", 249),
    ("setns", 308),
    ("socket", 41),
    ("socketpair", 53),
    ("unshare", 272),
    ("userfaultfd", 323),
];

/// Why a child could not bind itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum LimitError {
    #[error("resource limits: {0}")]
    Resource(#[from] Errno),
    #[error("system calls: {0}")]
    Calls(#[from] seccompiler::Error),
    #[error("system calls: {0}")]
    CallFilter(#[from] BackendError),
    #[error("files: {0}")]
    Files(#[from] RulesetError),
    #[error("files: `{}` cannot be opened: {reason}", folder.display())]
    Folder { folder: PathBuf, reason: String },
}

fn stacks_bytes(limits: &ChildLimits) -> u64 {
    // One more for the main thread and the one that watches, and a little for each thread's own
    // data.
    (limits.threads as u64 + 1) * (limits.stack_bytes as u64 + (1 << 20))
}

/// Binds resources and system calls. Before any thread is started: they inherit it.
pub(super) fn bind_resources(limits: &ChildLimits) -> Result<(), LimitError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let both = |limit: u64| Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    rustix::process::setrlimit(Resource::Core, both(0))?;
    rustix::process::setrlimit(Resource::Fsize, both(WRITTEN_BYTES_MAX))?;
    let cpu = Rlimit {
        current: Some(limits.cpu_seconds),
        maximum: Some(limits.cpu_seconds + 1),
    };
    rustix::process::setrlimit(Resource::Cpu, cpu)?;
    allow_packages(limits, 0)?;
    bind_calls()
}

/// Refuses the system calls that evaluations have no use for, to the calling thread and those it
/// starts.
fn bind_calls() -> Result<(), LimitError> {
    Ok(seccompiler::apply_filter(&call_filter()?)?)
}

fn call_filter() -> Result<BpfProgram, BackendError> {
    let refused = REFUSED_CALLS.iter().map(|(_, call)| (*call, Vec::new()));
    let errno = u32::try_from(Errno::PERM.raw_os_error()).unwrap_or(1);
    SeccompFilter::new(
        refused.collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno),
        TargetArch::x86_64,
    )?
    .try_into()
}

/// Allows the memory that a number of packages needs.
pub(super) fn allow_packages(limits: &ChildLimits, count: usize) -> Result<(), LimitError> {
    let data = memory_bytes(limits, count) + stacks_bytes(limits);
    let hard = MEMORY_BYTES_MAX + limits.memory_bytes + stacks_bytes(limits);
    let limit = Rlimit {
        current: Some(data),
        maximum: Some(hard),
    };
    Ok(rustix::process::setrlimit(Resource::Data, limit)?)
}

/// What a number of packages may use apart from stacks.
pub(super) fn memory_bytes(limits: &ChildLimits, count: usize) -> u64 {
    let packages = (count as u64)
        .saturating_mul(PACKAGE_MEMORY_BYTES)
        .min(MEMORY_BYTES_MAX);
    limits.memory_bytes + packages
}

/// Leaves nothing of the file system but reading below the folders. Folders that do not exist are
/// left out; a kernel without Landlock leaves the other limits.
pub(super) fn bind_files(folders: &[PathBuf]) -> Result<(), LimitError> {
    let abi = ABI::V5;
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?;
    for folder in folders.iter().filter(|folder| exists(folder)) {
        let opened = PathFd::new(folder).map_err(|error| LimitError::Folder {
            folder: folder.clone(),
            reason: error.to_string(),
        })?;
        ruleset = ruleset.add_rule(PathBeneath::new(opened, AccessFs::from_read(abi)))?;
    }
    ruleset.restrict_self()?;
    Ok(())
}

fn exists(folder: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty()).is_ok()
}

/// What the watching thread looks at. Opened before files are bound.
pub(super) struct Watch {
    statm: Option<OwnedFd>,
    limits: ChildLimits,
}

impl Watch {
    pub(super) fn new(limits: ChildLimits) -> Self {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let statm = rustix::fs::open("/proc/self/statm", flags, Mode::empty()).ok();
        Self { statm, limits }
    }

    /// Looks until a limit is passed, then ends the process. `packages` tells how many there are.
    pub(super) fn run(&self, packages: &AtomicUsize) {
        let file_cpu_max = Duration::from_millis(self.limits.file_cpu_ms);
        let mut turns: Vec<(u64, Clock)> = TURNS.iter().map(|_| (0, Clock::default())).collect();
        let mut imports = ImportWatch::default();
        let begin = Instant::now();
        let (mut before, mut now) = (Clock::default(), Clock::default());
        loop {
            std::thread::sleep(WATCH_INTERVAL);
            let memory_max = memory_bytes(&self.limits, packages.load(Ordering::Relaxed));
            if self.resident_bytes() > memory_max {
                end(EXIT_MEMORY);
            }
            // The clock of the process cannot tell threads that hash from those that evaluate:
            // while there are some, it stands still.
            let clock = Clock {
                cpu: cpu_time(),
                wall: begin.elapsed(),
            };
            if !imports.has_seen_one() {
                now.advance(before, clock);
            }
            before = clock;
            for (turn, (known, since)) in TURNS.iter().zip(&mut turns) {
                let turn = turn.load(Ordering::Relaxed);
                if turn != *known {
                    (*known, *since) = (turn, now);
                } else if turn % 2 == 1 && now.at_most_since(*since) > file_cpu_max {
                    end(EXIT_TIME);
                }
            }
        }
    }

    fn resident_bytes(&self) -> u64 {
        let Some(statm) = &self.statm else { return 0 };
        let mut text = [0; 128];
        let read = rustix::io::pread(statm, &mut text, 0).unwrap_or(0);
        let text = std::str::from_utf8(text.get(..read).unwrap_or_default()).unwrap_or_default();
        let pages: u64 = text
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|it| it.parse().ok())
            .unwrap_or(0);
        pages * rustix::param::page_size() as u64
    }
}

/// Two clocks, neither of which tells the CPU time of one thread. It is no more than the lesser:
/// one is of all threads, the other runs on while a thread has to wait for a processor.
#[derive(Clone, Copy, Default)]
struct Clock {
    cpu: Duration,
    wall: Duration,
}

impl Clock {
    fn advance(&mut self, before: Self, after: Self) {
        self.cpu += after.cpu.saturating_sub(before.cpu);
        self.wall += after.wall.saturating_sub(before.wall);
    }

    fn at_most_since(self, since: Self) -> Duration {
        let cpu = self.cpu.saturating_sub(since.cpu);
        cpu.min(self.wall.saturating_sub(since.wall))
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Ends the process at once: its other threads cannot be asked to stop.
#[expect(
    clippy::exit,
    reason = "the limit of a process that evaluates hostile text"
)]
fn end(code: i32) -> ! {
    forget_idle(stderr());
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files and calls are bound for one thread here, so that each guard can be seen to act beside
    /// a thread that is free.
    fn on_own_thread(test: impl FnOnce() + Send) {
        std::thread::scope(|scope| {
            let ended = scope.spawn(test).join();
            assert!(ended.is_ok(), "the test on its own thread failed");
        });
    }

    fn own_folder() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn the_calls_have_the_numbers_of_their_names() {
        let names = REFUSED_CALLS.map(|(name, _)| serde_json::json!({ "syscall": name }));
        let filter = serde_json::json!({ "filter": {
            "mismatch_action": "allow",
            "match_action": { "errno": Errno::PERM.raw_os_error() },
            "filter": names.as_slice(),
        }});
        let text = filter.to_string();
        let filters = seccompiler::compile_from_json(text.as_bytes(), TargetArch::x86_64).unwrap();
        assert!(filters["filter"] == call_filter().unwrap());
    }

    #[test]
    fn files_outside_of_the_folders_cannot_be_opened_and_none_be_written() {
        let open = |path: &Path, flags: OFlags| {
            rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o600))
        };
        let outside = own_folder().join("../stxl-model/Cargo.toml");
        assert!(open(&outside, OFlags::RDONLY).is_ok());
        on_own_thread(|| {
            bind_files(&[own_folder()]).expect("this kernel has Landlock");
            assert!(open(&own_folder().join("Cargo.toml"), OFlags::RDONLY).is_ok());
            assert!(open(&own_folder().join("Cargo.toml"), OFlags::RDWR).is_err());
            assert!(open(&own_folder().join("new"), OFlags::CREATE | OFlags::RDWR).is_err());
            assert!(open(&outside, OFlags::RDONLY).is_err());
            assert!(open(Path::new("/proc/self/mem"), OFlags::RDONLY).is_err());
        });
    }

    #[test]
    fn neither_the_network_nor_programs_can_be_reached() {
        let socket = || std::net::UdpSocket::bind(("127.0.0.1", 0));
        let program = || std::process::Command::new("/bin/true").status();
        assert!(socket().is_ok());
        assert!(program().is_ok());
        on_own_thread(|| {
            bind_calls().expect("this kernel has system call filters");
            let refused = socket().map(drop).map_err(|error| error.kind());
            assert_eq!(refused, Err(std::io::ErrorKind::PermissionDenied));
            assert!(program().is_err());
        });
    }
}
