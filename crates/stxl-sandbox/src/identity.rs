//! Who the process is: a process started as root becomes an unprivileged user for good.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::kernel;

/// The user and group a root process becomes where no directory says otherwise.
///
/// Above every range that distributions and container engines hand out.
pub(crate) const FALLBACK_ID: u32 = 0x7374_786c;

/// The limit on priorities that lets a process take the nice value 0: 20 less it.
const NICE_OF_ZERO: u64 = 20;

/// How long threads that have ended are waited for.
const SETTLING_MAX: Duration = Duration::from_millis(500);

/// What a process keeps of its privilege when it becomes unprivileged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptCapability {
    /// Nothing.
    None,
    /// `CAP_DAC_OVERRIDE`, so that files of the root user stay reachable; not inherited by
    /// programs it executes. It may hand them the weaker `CAP_DAC_READ_SEARCH`, to read only.
    DacOverride,
}

/// The user a process runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// Why a process could not become unprivileged; it must not go on.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Other threads would keep their privilege.
    #[error("{count} threads run already; become unprivileged before the first is started")]
    Threads {
        /// How many threads there are.
        count: usize,
    },
    /// The kernel refused a step.
    #[error("{step}: {source}")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Identity {
    /// Returns who a root process should be to work in `directory`: its owner, or a fixed
    /// unprivileged user if root owns it.
    pub fn for_directory(directory: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(directory)?;
        Ok(if stat.st_uid == 0 {
            Self::fallback()
        } else if stat.st_gid == 0 {
            Self {
                uid: stat.st_uid,
                gid: stat.st_uid,
            }
        } else {
            Self {
                uid: stat.st_uid,
                gid: stat.st_gid,
            }
        })
    }

    /// Returns the fixed unprivileged user.
    pub fn fallback() -> Self {
        Self {
            uid: FALLBACK_ID,
            gid: FALLBACK_ID,
        }
    }

    /// Returns who this process is.
    pub fn current() -> Self {
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }
}

/// Sees to it that sandboxes can have the priority of the table, whatever that of this process is.
/// Root without `CAP_SYS_RESOURCE` may not raise the limit: then the whole process takes it.
fn let_sandboxes_choose_priority() {
    let ceiling = Rlimit {
        current: Some(NICE_OF_ZERO),
        maximum: Some(NICE_OF_ZERO),
    };
    if rustix::process::setrlimit(Resource::Nice, ceiling).is_err() {
        rustix::process::setpriority_process(None, 0).ok();
    }
}

/// Makes this process `identity` for good if it is root; says who it is afterwards.
///
/// Must be called before the first thread is started, or after all others were joined. A process
/// that is not root keeps who it is. With [`KeptCapability::DacOverride`] the process, and nothing
/// it executes, can still reach every file.
pub fn become_unprivileged(
    identity: Identity,
    keep: KeptCapability,
) -> Result<Identity, IdentityError> {
    let uids = kernel::res_uids();
    if uids.iter().all(|uid| *uid != 0) {
        return Ok(Identity::current());
    }
    let count = settled_thread_count().map_err(|source| refused("count threads", source))?;
    if count != 1 {
        return Err(IdentityError::Threads { count });
    }
    let keeps = keep == KeptCapability::DacOverride;
    let_sandboxes_choose_priority();
    kernel::become_user(identity, keeps).map_err(|(step, source)| refused(step, source))?;
    let (effective, permitted) = if keeps {
        let reading = CapabilitySet::DAC_READ_SEARCH;
        (
            CapabilitySet::DAC_OVERRIDE,
            CapabilitySet::DAC_OVERRIDE | reading,
        )
    } else {
        (CapabilitySet::empty(), CapabilitySet::empty())
    };
    let sets = CapabilitySets {
        effective,
        permitted,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets)
        .map_err(|errno| refused("drop capabilities", errno.into()))?;
    rustix::thread::clear_ambient_capability_set()
        .map_err(|errno| refused("clear ambient capabilities", errno.into()))?;
    // The kernel makes a process that changed its user undumpable, which would close its own
    // /proc entries to it. A process that kept a capability stays closed to its new user.
    if !keeps {
        set_dumpable_behavior(DumpableBehavior::Dumpable)
            .map_err(|errno| refused("become dumpable", errno.into()))?;
    }
    Ok(Identity::current())
}

fn refused(step: &'static str, source: io::Error) -> IdentityError {
    IdentityError::Refused { step, source }
}

/// How many threads there are once those that have ended are gone: the kernel lists one for a
/// moment after it was joined.
fn settled_thread_count() -> io::Result<usize> {
    let begin = Instant::now();
    loop {
        let count = thread_count()?;
        if count == 1 || begin.elapsed() > SETTLING_MAX {
            return Ok(count);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn thread_count() -> io::Result<usize> {
    let directory = File::open("/proc/self/task")?;
    let entries = rustix::fs::Dir::read_from(directory)?;
    let mut count = 0;
    for entry in entries {
        if !entry?.file_name().to_bytes().starts_with(b".") {
            count += 1;
        }
    }
    Ok(count)
}
