//! Clients of ecosystems: programs of this machine that know how it reaches their registries.
//!
//! They are asked, and change nothing: they write below one directory only, gain no privilege by
//! what they execute, reach the network only if the question needs it, and have a time limit.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};
use rustix::process::{Pid, Signal};
use rustix::thread::CapabilitySet;

use crate::address::without_userinfo;
use crate::options::ClientEnvironment;

/// The longest answer.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// How much of what a client complains is kept.
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;

/// How often it is looked whether a client has ended, at first and after a while.
const TICK: Duration = Duration::from_millis(2);
const TICK_MAX: Duration = Duration::from_millis(100);

/// The calls of the kernel that limits are known for.
const KNOWN_ABI: ABI = ABI::V4;

/// What is asked of a client.
pub(crate) struct Inquiry<'a> {
    /// The name of the program.
    pub(crate) program: &'a str,
    /// Its arguments.
    pub(crate) arguments: &'a [&'a OsStr],
    /// Variables beside those that the user configured it by.
    pub(crate) variables: &'a [(&'a str, &'a OsStr)],
    /// Whether the network is needed for an answer.
    pub(crate) reach: Reach,
}

/// Whether a client may make connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It may not.
    Machine,
    /// It may.
    Network,
}

/// Why a client gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// There is no such program.
    #[error("`{program}` is not installed")]
    Missing {
        /// Its name.
        program: String,
    },
    /// It said no.
    #[error("`{program}` ended with {status}{}", said_text(.said))]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it complained.
        said: String,
    },
    /// It took too long.
    #[error("`{program}` gave no answer within {} s", .limit.as_secs_f32())]
    Late {
        /// Its name.
        program: String,
        /// How long it may take.
        limit: Duration,
    },
    /// It said too much, or what it said is no text.
    #[error("`{program}` gave an answer that cannot be read")]
    Unreadable {
        /// Its name.
        program: String,
    },
    /// It could not be started as it has to be.
    #[error("`{program}` could not be started: {reason}")]
    NotStarted {
        /// Its name.
        program: String,
        /// What the kernel said.
        reason: String,
    },
}

fn said_text(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

/// Where clients find themselves.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) environment: &'a ClientEnvironment,
    /// The one directory they may write in; they are started there.
    pub(crate) folder: &'a Path,
    /// How long they may take.
    pub(crate) limit: Duration,
    /// Set when nobody wants to know any more.
    pub(crate) stopped: &'a AtomicBool,
}

/// Asks a client, and returns what it says.
pub(crate) fn ask(
    surroundings: Surroundings<'_>,
    inquiry: &Inquiry<'_>,
) -> Result<String, ClientError> {
    let bytes = ask_bytes(surroundings, inquiry, &mut || ())?;
    String::from_utf8(bytes).map_err(|_| ClientError::Unreadable {
        program: inquiry.program.to_owned(),
    })
}

/// Asks a client, and returns what it says, text or not. While it works, `tick` is called.
pub(crate) fn ask_bytes(
    surroundings: Surroundings<'_>,
    inquiry: &Inquiry<'_>,
    tick: &mut dyn FnMut(),
) -> Result<Vec<u8>, ClientError> {
    let mut running = Running::start(surroundings, inquiry, Stdio::null())?;
    let answer = read(running.child.stdout.take(), ANSWER_BYTES_MAX);
    let ended = running.end(tick);
    let answer = joined(answer);
    ended?;
    if answer.len() as u64 >= ANSWER_BYTES_MAX {
        let program = inquiry.program.to_owned();
        return Err(ClientError::Unreadable { program });
    }
    Ok(answer)
}

/// A client that works.
pub(crate) struct Running<'a> {
    surroundings: Surroundings<'a>,
    program: String,
    child: Child,
    complaint: Option<JoinHandle<Vec<u8>>>,
}

impl<'a> Running<'a> {
    /// Starts a client.
    pub(crate) fn start(
        surroundings: Surroundings<'a>,
        inquiry: &Inquiry<'_>,
        input: Stdio,
    ) -> Result<Self, ClientError> {
        let program = inquiry.program.to_owned();
        let Some(path) = surroundings.environment.find(inquiry.program) else {
            return Err(ClientError::Missing { program });
        };
        match start(surroundings, inquiry, &path, input) {
            Ok(mut child) => Ok(Self {
                surroundings,
                program,
                complaint: read(child.stderr.take(), COMPLAINT_BYTES_MAX),
                child,
            }),
            Err(reason) => Err(ClientError::NotStarted { program, reason }),
        }
    }

    /// What it says, to be read while it works.
    pub(crate) fn answer(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end, which is an error unless it ends well and in time.
    pub(crate) fn end(mut self, tick: &mut dyn FnMut()) -> Result<(), ClientError> {
        let ended = wait_for(&mut self.child, self.surroundings, tick);
        // What it started and left behind would keep the pipes open.
        end_group(&self.child);
        let Some(status) = ended else {
            let _reaped = self.child.wait();
            return Err(ClientError::Late {
                program: self.program,
                limit: self.surroundings.limit,
            });
        };
        let complaint = joined(self.complaint);
        if status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&complaint);
        Err(ClientError::Failed {
            program: self.program,
            status,
            said: last_lines(&complaint),
        })
    }
}

impl ClientEnvironment {
    /// The path of a program.
    pub(crate) fn find(&self, program: &str) -> Option<PathBuf> {
        let folders = self.path.iter().filter(|folder| folder.is_absolute());
        let mut paths = folders.map(|folder| folder.join(program));
        paths.find(|path| path.is_file())
    }
}

/// Starts a client from a thread that gives up for good what the client must not have.
fn start(
    surroundings: Surroundings<'_>,
    inquiry: &Inquiry<'_>,
    path: &Path,
    input: Stdio,
) -> Result<Child, String> {
    let mut command = Command::new(path);
    let folders = surroundings.environment.path.iter();
    let folders = std::env::join_paths(folders.filter(|folder| folder.is_absolute()));
    command
        .args(inquiry.arguments)
        .current_dir(surroundings.folder)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("TMPDIR", surroundings.folder)
        .env("PATH", folders.unwrap_or_default())
        .envs(surroundings.environment.variables.iter().cloned())
        .envs(inquiry.variables.iter().copied())
        .process_group(0)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let confined = || {
        confine(surroundings.folder, inquiry.reach)?;
        command.spawn().map_err(|error| error.to_string())
    };
    std::thread::scope(|scope| {
        let started = scope.spawn(confined).join();
        started.unwrap_or_else(|_| Err("a mistake of stxl's".to_owned()))
    })
}

/// Limits this thread, and so what it starts.
fn confine(folder: &Path, reach: Reach) -> Result<(), String> {
    rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string())?;
    pass_on_reading().map_err(|error| error.to_string())?;
    let restricted = restrict(folder, reach).map_err(|error| error.to_string())?;
    match restricted {
        RulesetStatus::NotEnforced => {
            Err("this kernel has no Landlock, which keeps clients from writing".to_owned())
        }
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

fn restrict(folder: &Path, reach: Reach) -> Result<RulesetStatus, RulesetError> {
    let write = AccessFs::from_write(KNOWN_ABI);
    let mut ruleset = Ruleset::default().handle_access(write)?;
    if reach == Reach::Machine {
        ruleset = ruleset.handle_access(AccessNet::from_all(KNOWN_ABI))?;
    }
    let open = |path: &Path| PathFd::new(path).ok();
    let mut created = ruleset.create()?;
    if let Some(folder) = open(folder) {
        created = created.add_rule(PathBeneath::new(folder, write))?;
    }
    if let Some(null) = open(Path::new("/dev/null")) {
        created = created.add_rule(PathBeneath::new(null, AccessFs::WriteFile))?;
    }
    created.restrict_self().map(|status| status.ruleset)
}

/// A process that was root and became another user still reaches the files of the user who started
/// it. Its clients, who look for that user's configuration, get the right to read them and no
/// other.
fn pass_on_reading() -> rustix::io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    if !sets.permitted.contains(CapabilitySet::DAC_READ_SEARCH) {
        return Ok(());
    }
    sets.inheritable = CapabilitySet::DAC_READ_SEARCH;
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::configure_capability_in_ambient_set(CapabilitySet::DAC_READ_SEARCH, true)
}

/// Reads a stream on a thread of its own, so that none fills up while another is waited for.
fn read(stream: Option<impl Read + Send + 'static>, limit: u64) -> Option<JoinHandle<Vec<u8>>> {
    let stream = stream?;
    let reading = move || {
        let mut bytes = Vec::new();
        // What could not be read is missing, and the status says more about it.
        stream.take(limit).read_to_end(&mut bytes).ok();
        bytes
    };
    std::thread::Builder::new().spawn(reading).ok()
}

fn joined(reading: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    let bytes = reading.and_then(|reading| reading.join().ok());
    bytes.unwrap_or_default()
}

/// How a client ended, if it did in time and before everything was called off.
fn wait_for(
    child: &mut Child,
    surroundings: Surroundings<'_>,
    tick: &mut dyn FnMut(),
) -> Option<ExitStatus> {
    let begin = Instant::now();
    let mut pause = TICK;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => {}
            Err(_) => return None,
        }
        let is_called_off = surroundings.stopped.load(Ordering::Acquire);
        if is_called_off || begin.elapsed() >= surroundings.limit {
            return None;
        }
        tick();
        std::thread::sleep(pause);
        pause = (pause * 2).min(TICK_MAX);
    }
}

fn end_group(child: &Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // A group without processes is gone already.
        rustix::process::kill_process_group(group, Signal::KILL).ok();
    }
}

/// The last lines that say something, without passwords.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines.iter().skip(lines.len().saturating_sub(2));
    let shown: Vec<String> = last.map(|line| without_userinfo(line)).collect();
    shown.join("; ")
}

/// Words as arguments.
pub(crate) fn words<const N: usize>(words: [&str; N]) -> [&OsStr; N] {
    words.map(OsStr::new)
}
