//! Choices of a build that have a sensible default, and the handles that end one.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use stxl_fetch::FetchOptions;
use stxl_model::DerivationId;
use stxl_sandbox::Limits;
use stxl_store::TreeSize;

use crate::perturbation::CheckWorld;

/// Wall time after which an execution is ended unless its step says otherwise: 4 hours.
pub const WALL_MS_DEFAULT: u64 = 4 * 3_600_000;

/// Time without output after which an execution is ended unless its step says otherwise: 30
/// minutes.
pub const SILENT_MS_DEFAULT: u64 = 30 * 60_000;

/// How a plan is built.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The directory that paths of imports are relative to, and the name of the history.
    pub workspace: PathBuf,
    /// What was asked for, as a person wrote it: under this the plan is kept in the history.
    pub request: String,
    /// For what packages are built, as words that follow a label, such as `--platform i686`; may be
    /// empty. Packages are told apart by it in the history.
    pub variant: String,
    /// A directory searched for sources by their sha256 before anything else.
    pub source_dir: Option<PathBuf>,
    /// How the network is reached, for sources.
    pub network: FetchOptions,
    /// How many steps run at once; at least 1.
    pub jobs: usize,
    /// What a step is told as `JOBS` and in `MAKEFLAGS`; in no key.
    pub jobs_per_step: usize,
    /// What happens to independent steps when one fails.
    pub on_failure: OnFailure,
    /// What becomes of what a step left that failed.
    pub failed_roots: FailedRoots,
    /// Whether results are built again and compared.
    pub check: Check,
    /// In which world they are built again.
    pub check_world: CheckWorld,
    /// Which requested outputs are checked out as directories, so that their path can be told.
    pub outputs: OutputPaths,
    /// Wall time limit of a step that names none, in milliseconds.
    pub wall_ms_max: u64,
    /// Silence limit of a step that names none, in milliseconds.
    pub silent_ms_max: u64,
    /// What else a step may use; its clocks are the two above.
    pub limits: Limits,
    /// Where what a step writes is kept until it is sealed; in no key.
    pub scratch: ScratchChoice,
    /// Cancels the build from another thread or a signal handler.
    pub cancel: CancelHandle,
    /// Tells that another plan takes its place.
    pub superseded: SupersedeHandle,
}

/// What happens to independent steps when one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Steps that run are finished, no further one is started.
    Stop,
    /// Everything that does not depend on the failed step is built.
    KeepGoing,
}

/// What becomes of what a step left that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedRoots {
    /// It goes with its sandbox.
    Dropped,
    /// The root as the step left it is kept until the step succeeds, or fails again.
    Kept,
}

/// Whether results are built again and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// They are not.
    Off,
    /// Every exec that was made for a requested package is run again.
    RequestedPackages,
    /// Every exec of the plan is run again.
    WholeClosure,
}

/// Which requested outputs are checked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputPaths {
    /// None; no path is told.
    Omit,
    /// All of them if they are not more than this together, else none.
    CheckOutUpTo(TreeSize),
}

/// Where what a step writes is kept until it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScratchChoice {
    /// On disk where the limit is more than half of the machine's memory and the file system of the
    /// store is known to take it, else in memory.
    Auto,
    /// In memory.
    Memory,
    /// On the disk of the store.
    Disk,
}

/// The medium that a choice leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScratchMedium {
    /// A file system in memory; the kernel enforces the limit.
    Memory,
    /// A directory of the store; it is looked at how much there is in it.
    Disk,
}

/// Asks a running build to stop; cheap to clone, safe to use in a signal handler.
#[derive(Clone, Debug, Default)]
pub struct CancelHandle(Arc<AtomicBool>);

/// Tells a running build that another plan takes its place; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SupersedeHandle(Arc<OnceLock<BTreeSet<DerivationId>>>);

impl BuildOptions {
    /// The defaults for a workspace: one job, stop at the first failure, no check.
    pub fn new(workspace: PathBuf, request: String) -> Self {
        Self {
            workspace,
            request,
            variant: String::new(),
            source_dir: None,
            network: FetchOptions::default(),
            jobs: 1,
            jobs_per_step: 1,
            on_failure: OnFailure::Stop,
            failed_roots: FailedRoots::Dropped,
            check: Check::Off,
            check_world: CheckWorld::default(),
            outputs: OutputPaths::Omit,
            wall_ms_max: WALL_MS_DEFAULT,
            silent_ms_max: SILENT_MS_DEFAULT,
            limits: Limits::default(),
            scratch: ScratchChoice::Auto,
            cancel: CancelHandle::default(),
            superseded: SupersedeHandle::default(),
        }
    }
}

impl BuildOptions {
    /// What names a package or an output so that the same comes of it: its label and the variant.
    pub(crate) fn request_for(&self, label: &impl Display) -> String {
        format!("{label} {}", self.variant).trim_end().to_owned()
    }
}

/// File systems on which an overlay can have its upper layer, by their magic numbers: ext4, XFS,
/// Btrfs, tmpfs, F2FS and bcachefs. Among others, overlays themselves cannot.
const UPPER_LAYER_MAGICS: [u64; 6] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0xf2f5_2010,
    0xca45_1a4e,
];

impl ScratchChoice {
    /// The medium for a scratch of at most so many bytes, on disk in a store.
    pub fn medium(self, bytes_max: u64, store: &Path) -> ScratchMedium {
        let is_in_memory = match self {
            Self::Memory => true,
            Self::Disk => false,
            Self::Auto => {
                ScratchMedium::Memory.is_there_for(bytes_max, store)
                    || !ScratchMedium::Disk.is_there_for(bytes_max, store)
            }
        };
        if is_in_memory {
            ScratchMedium::Memory
        } else {
            ScratchMedium::Disk
        }
    }
}

impl ScratchMedium {
    /// Whether the machine is known to have room for a scratch of at most so many bytes there.
    pub(crate) fn is_there_for(self, bytes_max: u64, store: &Path) -> bool {
        match self {
            Self::Memory => bytes_max <= memory_bytes() / 2,
            Self::Disk => takes_upper_layers(store),
        }
    }
}

fn memory_bytes() -> u64 {
    let machine = rustix::system::sysinfo();
    machine.totalram.saturating_mul(u64::from(machine.mem_unit))
}

/// Whether a directory is known to be where an overlay can write.
fn takes_upper_layers(directory: &Path) -> bool {
    let system = rustix::fs::statfs(directory).map(|system| system.f_type.cast_unsigned());
    system.is_ok_and(|magic| UPPER_LAYER_MAGICS.contains(&magic))
}

impl SupersedeHandle {
    /// Ends the build: running steps that the other plan has as well are finished, others are
    /// killed, and nothing is started. What is finished is kept. Once a plan took its place, a
    /// second one does not.
    pub fn supersede(&self, other: BTreeSet<DerivationId>) {
        // The first one counts.
        drop(self.0.set(other));
    }

    /// Whether another plan took its place.
    pub fn is_superseded(&self) -> bool {
        self.0.get().is_some()
    }

    /// Whether a step is of no use any more.
    pub(crate) fn drops(&self, id: &DerivationId) -> bool {
        self.0.get().is_some_and(|other| !other.contains(id))
    }
}

impl CancelHandle {
    /// Asks the build to stop: running sandboxes are killed, finished results are kept.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The flag itself, for code that registers flags with signals.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
