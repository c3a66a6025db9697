//! What a rebuild check makes another around a step: [`Perturbation`].
//!
//! Some of it the sandbox's ABI fixes, so every build has the same; the check finds out what relies
//! on that. The rest the ABI leaves open, and there every build may have another.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use stxl_model::{Exec, Node, TreeId};
use stxl_sandbox::{BuildUid, Change, Processors, SandboxSpec, Scratch, SecondName};
use stxl_store::{Store, StoreError};

use crate::exec::PreparedStep;
use crate::options::{BuildOptions, ScratchMedium};

/// One thing that is another when a step runs again to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Perturbation {
    /// The name of the host and its domain.
    HostName,
    /// The user: another number and name, with as few rights.
    User,
    /// The path of the working directory.
    Directory,
    /// Variables that nobody asked for, and another home.
    Environment,
    /// `LANG` and `LC_ALL`, where the step sets neither.
    Locale,
    /// `TZ`, where the step does not set it.
    TimeZone,
    /// The umask.
    Umask,
    /// What the kernel is called, how long it runs and how much memory there is.
    Kernel,
    /// Addresses in memory, which are random.
    Addresses,
    /// The numbers of processes.
    ProcessIds,
    /// The order in which directories list their entries.
    FileOrder,
    /// Whether what is written lies in memory or on disk.
    Scratch,
    /// How many processors there are, and how many jobs a step is told to run at once.
    Processors,
    /// The time: so much later as [`CheckWorld::gap`] says.
    Time,
    /// What the kernel gives as random numbers, which never is the same.
    Randomness,
}

/// In which world steps run again to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckWorld {
    /// What is another.
    pub perturbed: BTreeSet<Perturbation>,
    /// How long after it ended first a step runs again.
    pub gap: Duration,
}

/// More than a minute, so that every field of a time but the largest is another.
pub const CHECK_GAP: Duration = Duration::from_secs(61);

impl Default for CheckWorld {
    fn default() -> Self {
        Self {
            perturbed: Perturbation::ALL.into_iter().collect(),
            gap: CHECK_GAP,
        }
    }
}

impl Perturbation {
    /// Every one, in the order in which they are told.
    pub const ALL: [Self; 15] = [
        Self::HostName,
        Self::User,
        Self::Directory,
        Self::Environment,
        Self::Locale,
        Self::TimeZone,
        Self::Umask,
        Self::Kernel,
        Self::Addresses,
        Self::ProcessIds,
        Self::FileOrder,
        Self::Scratch,
        Self::Processors,
        Self::Time,
        Self::Randomness,
    ];

    /// The name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostName => "host-name",
            Self::User => "user",
            Self::Directory => "directory",
            Self::Environment => "environment",
            Self::Locale => "locale",
            Self::TimeZone => "time-zone",
            Self::Umask => "umask",
            Self::Kernel => "kernel",
            Self::Addresses => "addresses",
            Self::ProcessIds => "process-ids",
            Self::FileOrder => "file-order",
            Self::Scratch => "scratch",
            Self::Processors => "processors",
            Self::Time => "time",
            Self::Randomness => "randomness",
        }
    }

    /// What the sandbox itself makes another for it.
    const fn change(self) -> Option<Change> {
        match self {
            Self::HostName => Some(Change::HostName),
            Self::Kernel => Some(Change::Kernel),
            Self::Umask => Some(Change::Umask),
            Self::Addresses => Some(Change::Addresses),
            Self::ProcessIds => Some(Change::ProcessIds),
            Self::FileOrder => Some(Change::FileOrder),
            Self::User
            | Self::Directory
            | Self::Environment
            | Self::Locale
            | Self::TimeZone
            | Self::Scratch
            | Self::Processors
            | Self::Time
            | Self::Randomness => None,
        }
    }

    /// Whether the sandbox's ABI fixes it, so that what comes of another one is no result.
    pub const fn is_fixed_by_abi(self) -> bool {
        match self {
            Self::HostName
            | Self::User
            | Self::Directory
            | Self::Environment
            | Self::Locale
            | Self::TimeZone
            | Self::Umask
            | Self::Kernel
            | Self::Addresses
            | Self::ProcessIds => true,
            Self::FileOrder | Self::Scratch | Self::Processors | Self::Time | Self::Randomness => {
                false
            }
        }
    }
}

/// A step that is about to run again.
pub(crate) struct Rerun<'a> {
    pub(crate) store: &'a Store,
    pub(crate) options: &'a BuildOptions,
    pub(crate) step: &'a Exec<TreeId>,
    /// Steps with odd and even ones run on other halves of the processors.
    pub(crate) number: usize,
}

/// The home of every step that does not say otherwise, and another directory that can be written
/// and is not kept.
const HOMES: [&str; 2] = ["/tmp", "/dev/shm"];

/// The longest name of a file.
const NAME_BYTES_MAX: usize = 255;

/// What stands behind the first part of a second path.
const SECOND_NAME: &str = "-elsewhere";

/// Makes the world of a prepared step another, and tells what of the wanted could be made so.
pub(crate) fn perturb(
    prepared: &mut PreparedStep,
    wanted: &BTreeSet<Perturbation>,
    rerun: &Rerun<'_>,
) -> Result<BTreeSet<Perturbation>, StoreError> {
    let mut perturbed = BTreeSet::new();
    for perturbation in wanted {
        let spec = &mut prepared.spec;
        let is_another = match perturbation {
            Perturbation::HostName
            | Perturbation::Kernel
            | Perturbation::Umask
            | Perturbation::Addresses
            | Perturbation::ProcessIds
            | Perturbation::FileOrder
            | Perturbation::Randomness => true,
            Perturbation::User => {
                spec.uid = BuildUid::Nobody;
                true
            }
            Perturbation::Directory => move_directory(spec, rerun)?,
            Perturbation::Environment => {
                set_if_unset(spec, "UNRELATED", "of no meaning");
                let home = spec.env.get_mut(OsStr::new("HOME"));
                if let Some(home) = home.filter(|home| *home == HOMES[0]) {
                    *home = HOMES[1].into();
                }
                true
            }
            Perturbation::Locale => {
                let names = ["LANG", "LC_ALL"];
                names.map(|name| set_if_unset(spec, name, "tr_TR.UTF-8")) != [false; 2]
            }
            Perturbation::TimeZone => set_if_unset(spec, "TZ", "OTHER-13:45"),
            Perturbation::Scratch => change_scratch(prepared, rerun)?,
            Perturbation::Processors => {
                let jobs = other_jobs(rerun.options.jobs_per_step.max(1));
                spec.env.insert("JOBS".into(), jobs.to_string().into());
                spec.env
                    .insert("MAKEFLAGS".into(), format!("-j{jobs}").into());
                // It takes so much longer.
                spec.limits.wall_ms = spec.limits.wall_ms.saturating_mul(2);
                spec.limits.silent_ms = spec.limits.silent_ms.saturating_mul(2);
                spec.world.processors = if rerun.number.is_multiple_of(2) {
                    Processors::FirstHalf
                } else {
                    Processors::LastHalf
                };
                true
            }
            Perturbation::Time => !rerun.options.check_world.gap.is_zero(),
        };
        if is_another {
            perturbed.insert(*perturbation);
        }
    }
    let changes = perturbed.iter().copied().filter_map(Perturbation::change);
    prepared.spec.world.changes = changes.collect();
    Ok(perturbed)
}

fn set_if_unset(spec: &mut SandboxSpec, name: &str, value: &str) -> bool {
    let is_unset = !spec.env.contains_key(OsStr::new(name));
    if is_unset {
        spec.env.insert(name.into(), value.into());
    }
    is_unset
}

/// Another number of jobs of which still several run at once.
fn other_jobs(jobs: usize) -> usize {
    if jobs > 2 { jobs - 1 } else { jobs + 1 }
}

/// Has the step start in a second path of its working directory, which stays where it is.
///
/// Only its first part has a second name, beside the first, so that what lies in it or near it is
/// found by relative paths as before.
fn move_directory(spec: &mut SandboxSpec, rerun: &Rerun<'_>) -> Result<bool, StoreError> {
    let mut parts = rerun.step.cwd.parts();
    let Some(first) = parts.next() else {
        return Ok(false);
    };
    // These are mounted over.
    if [&b"dev"[..], b"proc", b"tmp"].contains(&first) {
        return Ok(false);
    }
    let second = [first, SECOND_NAME.as_bytes()].concat();
    let root = rerun.store.directory(&rerun.step.root)?;
    let is_directory = matches!(root.find(first), Some(Node::Directory { .. }));
    if !is_directory || root.find(&second).is_some() || second.len() > NAME_BYTES_MAX {
        return Ok(false);
    }
    let os_string = |bytes: &[u8]| OsString::from(OsStr::from_bytes(bytes));
    let mut cwd = PathBuf::from("/").join(os_string(&second));
    cwd.extend(parts.map(os_string));
    spec.cwd = cwd;
    spec.world.second_name = Some(SecondName {
        first: os_string(first),
        second: os_string(&second),
    });
    Ok(true)
}

/// Has the step write to the other medium, if the machine has it.
fn change_scratch(prepared: &mut PreparedStep, rerun: &Rerun<'_>) -> Result<bool, StoreError> {
    let bytes_max = prepared.spec.limits.scratch_bytes;
    let is_there = |medium: ScratchMedium| medium.is_there_for(bytes_max, rerun.store.path());
    match prepared.spec.scratch {
        Scratch::Memory if is_there(ScratchMedium::Disk) => {
            let scratch = rerun.store.scratch()?;
            prepared.spec.scratch = Scratch::Disk(scratch.path().to_owned());
            prepared.scratch = Some(scratch);
            Ok(true)
        }
        Scratch::Disk(_) if is_there(ScratchMedium::Memory) => {
            prepared.spec.scratch = Scratch::Memory;
            prepared.scratch = None;
            Ok(true)
        }
        Scratch::Memory | Scratch::Disk(_) => Ok(false),
    }
}
