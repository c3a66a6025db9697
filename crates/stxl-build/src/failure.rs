//! Why a step failed, and why a build could not go on.

use std::io;
use std::path::PathBuf;

use stxl_model::{DerivationId, HexTextError, PackageLabel, TreeId};
use stxl_sandbox::{ResourceKind, SpawnError, TimeoutKind, WaitError};
use stxl_store::StoreError;

use crate::compose::ComposeError;
use crate::fetch::FetchError;
use crate::options::ScratchMedium;
use crate::unpack::UnpackError;

/// Why a step failed. A value, not an accident: other steps go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FailureCause {
    /// A command exited with a code other than 0.
    #[error("{command} exited with status {code}")]
    Exited {
        /// Which command of how many.
        command: CommandPosition,
        /// The code.
        code: u8,
    },
    /// A signal ended a command.
    #[error("{command} was ended by signal {signal}")]
    Signaled {
        /// Which command of how many.
        command: CommandPosition,
        /// The signal.
        signal: i32,
    },
    /// A command could not be executed.
    #[error("{command} could not be started: {program}: {reason}")]
    NotStarted {
        /// Which command of how many.
        command: CommandPosition,
        /// The program as the step names it.
        program: String,
        /// What the kernel said.
        reason: String,
    },
    /// A clock ran out.
    #[error("{}", timeout_text(*kind, *limit_ms))]
    TimedOut {
        /// Which clock.
        kind: TimeoutKind,
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// An allowance was used up.
    #[error("{}", resource_text(*resource, *scratch, *scratch_bytes_max))]
    ResourceExceeded {
        /// Which one.
        resource: ResourceKind,
        /// Where what the step wrote was kept.
        scratch: ScratchMedium,
        /// How many bytes of it there may be.
        scratch_bytes_max: u64,
    },
    /// What the commands left cannot be kept.
    #[error("{message}")]
    NotKept {
        /// What is in the way, with its path.
        message: String,
    },
    /// An operation on trees failed.
    #[error(transparent)]
    Compose(ComposeError),
    /// A source could not be had.
    #[error(transparent)]
    Fetch(FetchError),
    /// An archive could not be taken apart.
    #[error(transparent)]
    Unpack(UnpackError),
    /// The step needs something that this version does not have.
    #[error("{what}")]
    Unsupported {
        /// What, and what to do instead.
        what: String,
    },
}

/// Which command of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandPosition {
    /// From 1.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

/// Why a build could not go on; nothing that was finished is lost.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store said no.
    #[error("while building `{label}`: {source}")]
    Store {
        /// For which package.
        label: PackageLabel,
        /// What it said.
        source: StoreError,
    },
    /// The store said no to something that belongs to no step.
    #[error(transparent)]
    Records(#[from] StoreError),
    /// No sandbox could be started.
    #[error("no sandbox for `{label}`: {source}")]
    Sandbox {
        /// For which package.
        label: PackageLabel,
        /// Why.
        source: SpawnError,
    },
    /// What became of a sandbox is unknown.
    #[error("lost the sandbox of `{label}`: {source}")]
    SandboxLost {
        /// For which package.
        label: PackageLabel,
        /// Why.
        source: WaitError,
    },
    /// A file of the workspace is not what the plan was made from; evaluating again helps.
    #[error("`{path}` changed while building")]
    ChangedWhileBuilding {
        /// The file or directory, relative to the workspace.
        path: String,
    },
    /// A file of the workspace cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Workspace {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the workspace cannot be taken in.
    #[error("`{path}`: {source}")]
    NotImportable {
        /// The file or directory, relative to the workspace.
        path: String,
        /// Why not.
        source: stxl_store::ImportError,
    },
    /// An annotated hexadecimal text is malformed.
    #[error("`{path}`: {source}")]
    HexText {
        /// The file.
        path: String,
        /// Where and why.
        source: HexTextError,
    },
    /// A worker ended by a mistake of ours.
    #[error("a mistake in stxl itself ended the work on `{label}`")]
    WorkerPanicked {
        /// For which package.
        label: PackageLabel,
    },
    /// An import does not say where its bytes are.
    #[error("the plan does not say where the import {id} comes from")]
    NoImportSource {
        /// The import.
        id: DerivationId,
    },
    /// A step was repeated because objects were missing, and they are missing again.
    #[error("objects of `{label}` are missing again after they were made again: {source}")]
    StillMissing {
        /// For which package.
        label: PackageLabel,
        /// What is missing.
        source: StoreError,
    },
    /// A damaged object was made again, and came out as another one.
    #[error("`{label}` was repaired but gave the tree {found} instead of {expected}")]
    RepairDiffers {
        /// The package.
        label: PackageLabel,
        /// What the records say.
        expected: TreeId,
        /// What it gave; recorded beside the first.
        found: TreeId,
    },
    /// The plan has no such derivation, or it is of a kind that has no sandbox.
    #[error("{id} is not an exec of this plan")]
    NotAnExec {
        /// What was asked for.
        id: DerivationId,
    },
}

impl FailureCause {
    /// A word for programs to tell causes apart.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Exited { .. } => "exited",
            Self::Signaled { .. } => "signaled",
            Self::NotStarted { .. } => "not-started",
            Self::TimedOut {
                kind: TimeoutKind::Wall,
                ..
            } => "timeout",
            Self::TimedOut {
                kind: TimeoutKind::Silent,
                ..
            } => "silent-timeout",
            Self::ResourceExceeded { .. } => "resource",
            Self::NotKept { .. } => "not-kept",
            Self::Compose(_) => "compose",
            Self::Fetch(_) => "fetch",
            Self::Unpack(_) => "unpack",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

impl std::fmt::Display for CommandPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.count == 1 {
            f.write_str("the command")
        } else {
            write!(f, "command {} of {}", self.index, self.count)
        }
    }
}

fn timeout_text(kind: TimeoutKind, limit_ms: u64) -> String {
    match kind {
        TimeoutKind::Wall => format!("it took longer than {}", duration_text(limit_ms)),
        TimeoutKind::Silent => format!("it printed nothing for {}", duration_text(limit_ms)),
    }
}

fn duration_text(ms: u64) -> String {
    match ms {
        ms if ms % 60_000 == 0 => format!("{} min", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        ms => format!("{ms} ms"),
    }
}

fn resource_text(resource: ResourceKind, scratch: ScratchMedium, bytes_max: u64) -> String {
    let text = match resource {
        ResourceKind::Memory => "it used more memory than it may",
        ResourceKind::Processes => "it started more processes than it may",
        ResourceKind::ScratchBytes => {
            let bytes = bytes_text(bytes_max);
            return match scratch {
                ScratchMedium::Memory => format!(
                    "it wrote more than {bytes}, the limit of its scratch in memory: `--scratch-size` sets another, `--scratch disk` keeps it on disk"
                ),
                ScratchMedium::Disk => format!(
                    "it wrote more than {bytes}, the limit of its scratch on disk: `--scratch-size` sets another"
                ),
            };
        }
        ResourceKind::ScratchFiles => {
            "it made more files than its scratch in memory may hold: `--scratch disk` has no such limit"
        }
        ResourceKind::Log => "it printed more than a log may hold",
    };
    text.to_owned()
}

fn bytes_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS
        .iter()
        .find(|(size, _)| bytes >= *size && bytes.is_multiple_of(*size));
    match unit {
        Some((size, name)) => format!("{} {name}", bytes / size),
        None => format!("{bytes} bytes"),
    }
}
