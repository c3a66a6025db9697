//! What is to be run, and what it may use: [`SandboxSpec`].

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::console::Console;
use crate::world::World;

/// What the upper layer is called in a scratch on disk.
pub const UPPER: &CStr = c"u";

/// What the FIFO is called among the supplied files.
pub(crate) const JOB_FIFO_NAME: &str = "jobs";

/// The user a process believes to be.
///
/// Both are the launcher's own unprivileged user outside; neither has a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildUid {
    /// uid and gid 0, for builds: `install -o root` works, nothing else does.
    Root,
    /// uid and gid 1000, for test suites that refuse to run as root.
    Tester,
    /// uid and gid 65534, for rebuild checks.
    Nobody,
}

impl BuildUid {
    /// Returns the number a process sees as its uid and its gid.
    pub fn number(self) -> u32 {
        match self {
            Self::Root => 0,
            Self::Tester => 1000,
            Self::Nobody => 65534,
        }
    }
}

/// The machine a process believes to run on (`uname -m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Personality {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86; the process may still execute 64-bit files.
    I686,
}

/// Where what a process writes is kept until it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scratch {
    /// In memory: a tmpfs with a size and an inode limit, which the kernel enforces.
    Memory,
    /// On disk: a directory below the store directory, owned by the launcher's user, and empty but
    /// for the beginning of the upper layer, [`UPPER`], if there is to be one.
    ///
    /// The size is watched, not enforced by the kernel; see README.md. The caller removes it, and
    /// has to make directories of mode 0 accessible for that, which overlayfs leaves in `w`.
    Disk(PathBuf),
}

/// How much a sandbox may use before it is ended with a typed status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall time, in milliseconds; `u64::MAX` for no limit.
    pub wall_ms: u64,
    /// Time without any output to the log, in milliseconds.
    pub silent_ms: u64,
    /// Resident memory of all processes together; scratch memory is counted apart.
    pub memory_bytes: u64,
    /// Processes and threads alive at once.
    pub processes_max: u64,
    /// Bytes in the upper layer, `/tmp` and `/dev/shm` together.
    pub scratch_bytes: u64,
    /// Files in the same places; enforced for [`Scratch::Memory`] only.
    pub scratch_files_max: u64,
    /// Bytes of log kept; a process that writes more is ended.
    pub log_bytes_max: u64,
    /// Soft limit of open files of one process; the hard limit is 4096.
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_ms: 12 * 3_600_000,
            silent_ms: 2 * 3_600_000,
            memory_bytes: 8 << 30,
            processes_max: 4096,
            scratch_bytes: 8 << 30,
            scratch_files_max: 4 << 20,
            log_bytes_max: 256 << 20,
            open_files: 1024,
        }
    }
}

/// One process to run in isolation.
///
/// All paths named "below the store" are relative to the directory the launcher was started
/// with, have no `..` and are reached without following symlinks.
#[derive(Debug)]
pub struct SandboxSpec {
    /// Read-only input trees below the store, bottom first, at most [`SandboxSpec::LAYERS_MAX`].
    pub layers: Vec<PathBuf>,
    /// The commands, run one after the other in the same sandbox until one fails; each a program
    /// (a path inside, not searched in `PATH`) and its arguments.
    pub commands: Vec<Vec<OsString>>,
    /// The whole environment; nothing is inherited.
    pub env: BTreeMap<OsString, OsString>,
    /// Absolute path inside; must exist in the root or in `empty_directories`.
    pub cwd: PathBuf,
    /// The user inside.
    pub uid: BuildUid,
    /// The machine inside.
    pub platform: Personality,
    /// What else is around it.
    pub world: World,
    /// What it may use.
    pub limits: Limits,
    /// Where its writes go.
    pub scratch: Scratch,
    /// Absolute paths of directories made before the start, with parents, in the upper layer.
    pub empty_directories: Vec<PathBuf>,
    /// Files shown read-only and executable below [`crate::SUPPLIED_DIRECTORY`], by plain name.
    ///
    /// They are never part of the upper layer.
    pub supplied_files: BTreeMap<OsString, Vec<u8>>,
    /// Whether there is a FIFO at [`crate::JOB_FIFO`], which processes read and write, and whose
    /// other end is [`crate::Running::take_job_fifo`].
    pub has_job_fifo: bool,
    /// Whether it is remembered what processes look at, which makes every such call slower; see
    /// [`crate::Outcome::observation`].
    pub is_observed: bool,
    /// What the commands' standard streams are.
    pub console: Console,
    /// A regular file that takes what [`Console::Log`] gives, from its current offset.
    pub log: OwnedFd,
}

/// Why a [`SandboxSpec`] cannot be run as it is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SpecError {
    /// There is no command, or one without a program.
    #[error("a command is missing or empty")]
    NoProgram,
    /// A console that only one command can have, and not exactly one command.
    #[error("{0} commands cannot have a terminal or pipes, only one can")]
    OneCommandOnly(usize),
    /// More layers than one overlay takes; compose them first.
    #[error("{count} layers are more than {max}")]
    TooManyLayers {
        /// How many were given.
        count: usize,
        /// How many are possible.
        max: usize,
    },
    /// A path below the store is absolute, empty or has `..`.
    #[error("`{0}` is not a plain path below the store")]
    NotBelowStore(PathBuf),
    /// A path inside is not absolute or has `..`.
    #[error("`{0}` is not an absolute path without `..`")]
    NotAbsolute(PathBuf),
    /// A string that is handed to the process holds a NUL byte, or a variable name is unusable.
    #[error("`{0:?}` cannot be an argument, a variable or a file name")]
    Unusable(OsString),
}

impl SandboxSpec {
    /// The most layers one root can have.
    pub const LAYERS_MAX: usize = 16;

    /// Returns the plainest sandbox: root in `/` of an `x86_64` machine, an empty environment, the
    /// default limits, scratch in memory, a log.
    pub fn plain(layers: Vec<PathBuf>, commands: Vec<Vec<OsString>>, log: OwnedFd) -> Self {
        Self {
            layers,
            commands,
            env: BTreeMap::new(),
            cwd: PathBuf::from("/"),
            uid: BuildUid::Root,
            platform: Personality::X86_64,
            world: World::default(),
            limits: Limits::default(),
            scratch: Scratch::Memory,
            empty_directories: Vec::new(),
            supplied_files: BTreeMap::new(),
            has_job_fifo: false,
            is_observed: false,
            console: Console::Log,
            log,
        }
    }

    /// Checks everything that can be checked without the kernel.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.commands.is_empty() || self.commands.iter().any(Vec::is_empty) {
            return Err(SpecError::NoProgram);
        }
        if self.console != Console::Log && self.commands.len() != 1 {
            return Err(SpecError::OneCommandOnly(self.commands.len()));
        }
        if self.layers.len() > Self::LAYERS_MAX {
            return Err(SpecError::TooManyLayers {
                count: self.layers.len(),
                max: Self::LAYERS_MAX,
            });
        }
        self.layers
            .iter()
            .try_for_each(|layer| check_below_store(layer))?;
        if let Scratch::Disk(directory) = &self.scratch {
            check_below_store(directory)?;
        }
        check_absolute(&self.cwd)?;
        self.empty_directories
            .iter()
            .try_for_each(|path| check_absolute(path))?;
        for text in self.commands.iter().flatten() {
            check_text(text, b"\0")?;
        }
        for (name, value) in &self.env {
            if name.is_empty() {
                return Err(SpecError::Unusable(name.clone()));
            }
            check_text(name, b"\0=")?;
            check_text(value, b"\0")?;
        }
        let moved = self.world.second_name.iter();
        let moved = moved.flat_map(|names| [&names.first, &names.second]);
        for name in self.supplied_files.keys().chain(moved) {
            if name.is_empty() || name == "." || name == ".." {
                return Err(SpecError::Unusable(name.clone()));
            }
            check_text(name, b"\0/")?;
        }
        if self.has_job_fifo && self.supplied_files.contains_key(OsStr::new(JOB_FIFO_NAME)) {
            return Err(SpecError::Unusable(JOB_FIFO_NAME.into()));
        }
        Ok(())
    }
}

fn check_text(text: &OsString, forbidden: &[u8]) -> Result<(), SpecError> {
    if text.as_bytes().iter().any(|byte| forbidden.contains(byte)) {
        return Err(SpecError::Unusable(text.clone()));
    }
    Ok(())
}

fn check_below_store(path: &Path) -> Result<(), SpecError> {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if plain && path.components().next().is_some() && !path.as_os_str().as_bytes().contains(&0) {
        Ok(())
    } else {
        Err(SpecError::NotBelowStore(path.to_owned()))
    }
}

fn check_absolute(path: &Path) -> Result<(), SpecError> {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::RootDir));
    if plain && path.is_absolute() && !path.as_os_str().as_bytes().contains(&0) {
        Ok(())
    } else {
        Err(SpecError::NotAbsolute(path.to_owned()))
    }
}
