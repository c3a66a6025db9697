//! One isolated process: [`Launcher::spawn`] turns a [`SandboxSpec`] into an [`Outcome`].
//!
//! Linux only, rootless, no daemon. The sole owner of unsafe code, libc and namespaces.
//! What a process inside sees (the sandbox ABI), the guards, the leak list and how disk is
//! bounded are tables in this crate's README.md. Start reading at [`Launcher`].

mod accounting;
mod answers;
mod builder;
mod canary;
mod client;
mod console;
mod devices;
mod guard;
mod identity;
mod kernel;
mod launcher;
mod looks;
mod observation;
mod observer;
mod outcome;
mod root;
mod seccomp;
mod spec;
mod supervisor;
mod wire;
mod world;

pub use canary::{CanaryError, GuardReport, GuardState, canary, self_test};
pub use client::{
    KillHandle, Launcher, LauncherError, LauncherProgram, Running, SpawnError, WaitError,
};
pub use console::{Console, ConsoleEnds, TerminalSize};
pub use guard::{Guard, GuardSet, SetupFailure};
pub use identity::{Identity, IdentityError, KeptCapability, become_unprivileged};
pub use launcher::launcher_main;
pub use observation::Observation;
pub use outcome::{ExitStatus, Outcome, ResourceKind, TimeoutKind};
pub use spec::{BuildUid, Limits, Personality, SandboxSpec, Scratch, SpecError, UPPER};
pub use world::{Change, ChangeSet, Processors, SecondName, World};

/// The number of the sandbox ABI; it enters derivation keys and changes only with meaning.
pub const ABI: u32 = 1;

/// The argument by which a binary is asked to become the launcher.
pub const LAUNCHER_ARGUMENT: &str = "__launcher";

/// What every root has of the sandbox itself where the layers have nothing of the name, as paths
/// without a leading `/`. It lies below the layers, so none of them may hide it.
pub const BELOW_LAYERS: [&str; 7] = [
    "dev",
    "proc",
    "tmp",
    "etc",
    "etc/passwd",
    "etc/group",
    "etc/hosts",
];

/// Where supplied files appear inside a sandbox, read-only.
pub const SUPPLIED_DIRECTORY: &str = "/dev/stxl";

/// Where the FIFO for jobs is inside a sandbox that has one.
pub const JOB_FIFO: &str = "/dev/stxl/jobs";
