//! Faults on purpose: the n-th operation on the disk fails, or the process ends there.
//!
//! Without the cargo feature `failpoints` nothing of this is left but empty functions.

use rustix::io::Errno;

/// What the store was doing when an operation came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Opening, recovering, or anything without a name of its own.
    Open,
    /// Taking files in.
    Import,
    /// Sealing the result of a build.
    Seal,
    /// Writing out a tree.
    Checkout,
    /// Making results visible to others.
    Publish,
    /// Making results durable.
    Commit,
    /// Collecting garbage.
    Gc,
}

/// A kind of operation that can change or reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Opening or creating a file.
    Open,
    /// Making a directory.
    MakeDir,
    /// Making a symlink.
    Symlink,
    /// Making a whiteout.
    Whiteout,
    /// Writing bytes.
    Write,
    /// Waiting until bytes or names are on the disk.
    Sync,
    /// Cutting a file.
    Truncate,
    /// Renaming.
    Rename,
    /// Removing a file or directory.
    Remove,
    /// Beginning a transaction of the index.
    IndexBegin,
    /// Ending a transaction of the index.
    IndexCommit,
}

impl Operation {
    /// The operation as error messages name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::MakeDir => "make directory",
            Self::Symlink => "make symlink",
            Self::Whiteout => "make whiteout",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Truncate => "truncate",
            Self::Rename => "rename to",
            Self::Remove => "remove",
            Self::IndexBegin => "begin a transaction in",
            Self::IndexCommit => "commit to",
        }
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};

    use rustix::io::Errno;

    use super::{Operation, Phase};

    /// What happens at the chosen operation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// It fails once with EIO.
        IoError,
        /// It and every later write, creation or sync fails with ENOSPC.
        DiskFull,
        /// The process is killed before it.
        Kill,
        /// Nothing: operations are only counted.
        None,
    }

    /// Counts operations and makes one of them fail.
    #[derive(Debug)]
    pub struct Failpoints {
        passed: AtomicU64,
        at: u64,
        fault: Fault,
        log: Mutex<Vec<(Phase, Operation)>>,
        phase: Mutex<Vec<Phase>>,
    }

    impl Failpoints {
        /// Arms a fault at the n-th operation, counted from 1.
        pub fn new(at: u64, fault: Fault) -> Arc<Self> {
            Arc::new(Self {
                passed: AtomicU64::new(0),
                at,
                fault,
                log: Mutex::default(),
                phase: Mutex::default(),
            })
        }

        /// Every operation that came by, in order.
        pub fn log(&self) -> Vec<(Phase, Operation)> {
            self.log
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }

        pub(super) fn enter(&self, phase: Phase) {
            self.phases().push(phase);
        }

        pub(super) fn leave(&self) {
            self.phases().pop();
        }

        fn phases(&self) -> std::sync::MutexGuard<'_, Vec<Phase>> {
            self.phase.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn pass(&self, operation: Operation) -> Result<(), Errno> {
            let phase = self.phases().last().copied().unwrap_or(Phase::Open);
            self.log
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((phase, operation));
            let number = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
            match self.fault {
                Fault::IoError if number == self.at => Err(Errno::IO),
                Fault::DiskFull if number >= self.at && needs_space(operation) => Err(Errno::NOSPC),
                Fault::Kill if number == self.at => {
                    let own = rustix::process::getpid();
                    let _killed = rustix::process::kill_process(own, rustix::process::Signal::KILL);
                    std::process::abort();
                }
                Fault::IoError | Fault::DiskFull | Fault::Kill | Fault::None => Ok(()),
            }
        }
    }

    fn needs_space(operation: Operation) -> bool {
        match operation {
            Operation::MakeDir
            | Operation::Symlink
            | Operation::Whiteout
            | Operation::Write
            | Operation::Sync
            | Operation::IndexBegin
            | Operation::IndexCommit => true,
            Operation::Open | Operation::Truncate | Operation::Rename | Operation::Remove => false,
        }
    }
}

#[cfg(feature = "failpoints")]
pub use armed::{Failpoints, Fault};

/// The faults of one store: armed in tests, nothing otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    #[cfg(feature = "failpoints")]
    pub(crate) failpoints: Option<std::sync::Arc<Failpoints>>,
}

/// Ends a phase.
pub(crate) struct PhaseGuard<'a> {
    faults: &'a Faults,
}

impl Faults {
    pub(crate) fn phase(&self, phase: Phase) -> PhaseGuard<'_> {
        self.enter(phase);
        PhaseGuard { faults: self }
    }

    #[cfg(feature = "failpoints")]
    fn enter(&self, phase: Phase) {
        if let Some(failpoints) = &self.failpoints {
            failpoints.enter(phase);
        }
    }

    #[cfg(feature = "failpoints")]
    fn leave(&self) {
        if let Some(failpoints) = &self.failpoints {
            failpoints.leave();
        }
    }

    #[cfg(feature = "failpoints")]
    pub(crate) fn pass(&self, operation: Operation) -> Result<(), Errno> {
        match &self.failpoints {
            Some(failpoints) => failpoints.pass(operation),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "failpoints"))]
    #[expect(clippy::unused_self, reason = "the armed form needs it")]
    fn enter(&self, _phase: Phase) {}

    #[cfg(not(feature = "failpoints"))]
    #[expect(clippy::unused_self, reason = "the armed form needs it")]
    fn leave(&self) {}

    #[cfg(not(feature = "failpoints"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the armed form needs it"
    )]
    pub(crate) fn pass(&self, _operation: Operation) -> Result<(), Errno> {
        Ok(())
    }
}

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        self.faults.leave();
    }
}
