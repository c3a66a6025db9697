//! What became of a sandboxed process: [`Outcome`].

use std::os::fd::OwnedFd;

use crate::observation::Observation;

/// Which clock ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutKind {
    /// The whole run took too long.
    Wall,
    /// There was no output for too long.
    Silent,
}

/// Which allowance was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// Resident memory of all processes.
    Memory,
    /// Processes and threads.
    Processes,
    /// Bytes of the scratch.
    ScratchBytes,
    /// Files of the scratch.
    ScratchFiles,
    /// Bytes of output.
    Log,
}

/// How a sandboxed process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Exited(u8),
    /// A signal ended it.
    Signaled(i32),
    /// It could not be started: `execve` gave this errno (a missing program, a bad format).
    NotStarted(i32),
    /// It was ended because a clock ran out.
    TimedOut {
        /// Which clock.
        kind: TimeoutKind,
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// It was ended because an allowance was used up.
    ResourceExceeded(ResourceKind),
    /// It was ended by a [`crate::KillHandle`].
    Cancelled,
}

/// A finished run; no process of it is alive.
#[derive(Debug)]
pub struct Outcome {
    /// How the last command that ran ended.
    pub status: ExitStatus,
    /// The upper layer of the overlay: what was written, with whiteouts as 0/0 devices and
    /// opaque directories as the extended attribute `user.overlay.opaque`.
    ///
    /// It stays readable as long as it is open, wherever it lies.
    pub upper: OwnedFd,
    /// How many commands exited with code 0; the next one, if any, has the status.
    pub commands_ended: usize,
    /// Wall time, in milliseconds.
    pub wall_ms: u64,
    /// Processor time of all processes, in milliseconds.
    pub cpu_ms: u64,
    /// Bytes written to the log.
    pub log_bytes: u64,
    /// What was looked at; none of a run that is not observed, or without memory to tell it.
    pub observation: Option<Observation>,
}
