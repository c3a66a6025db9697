//! Answers to the calls that would tell about the host: `uname` and `sysinfo`; and to `getdents64`
//! where directories list backwards; and, where a run is observed, to what looks at paths.
//!
//! The filter stops the calling process, the supervisor writes the answer into its memory.

use std::os::fd::OwnedFd;

use crate::kernel::{self, Call};
use crate::observer::Observer;
use crate::seccomp::{
    AUDIT_ARCH_I386, I386_GETDENTS64, I386_SYSINFO, X86_64_GETDENTS64, X86_64_SYSINFO,
};
use crate::spec::Personality;
use crate::wire::Request;
use crate::world::{Change, World};

const FIELD: usize = 65;

/// What is told of the kernel and the machine.
struct Machine {
    release: &'static str,
    version: &'static str,
    memory_bytes: u64,
    uptime_seconds: u32,
}

const USUAL: Machine = Machine {
    release: "6.6.0",
    version: "#1 SMP PREEMPT_DYNAMIC",
    memory_bytes: 8 << 30,
    uptime_seconds: 0,
};

/// As told where [`Change::Kernel`] is made.
const OTHER: Machine = Machine {
    release: "6.18.99-other",
    version: "#2 SMP",
    memory_bytes: 3 << 30,
    uptime_seconds: 86_461,
};

/// The name of the host, and of its domain.
pub(crate) fn names(world: &World) -> [&'static str; 2] {
    if world.changes.contains(Change::HostName) {
        ["localhost", "elsewhere"]
    } else {
        ["stxl", "(none)"]
    }
}

fn machine(world: &World) -> &'static Machine {
    if world.changes.contains(Change::Kernel) {
        &OTHER
    } else {
        &USUAL
    }
}

/// Answers one call; fails once no process is left that could make one.
pub(crate) fn answer(
    listener: &OwnedFd,
    request: &Request,
    observer: Option<&mut Observer>,
) -> std::io::Result<()> {
    let call = match kernel::receive_call(listener) {
        Ok(call) => call,
        // The process was killed while it waited.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
            return if has_callers(listener) {
                Ok(())
            } else {
                Err(error)
            };
        }
        Err(error) => return Err(error),
    };
    if observer.is_some_and(|observer| observer.take(listener, &call)) {
        return Ok(());
    }
    let compat = call.data.arch == AUDIT_ARCH_I386;
    let number = call.data.nr.cast_unsigned();
    let is_asked = |native: u32, foreign: u32| number == if compat { foreign } else { native };
    let machine = machine(&request.world);
    // All these fail only where the process is gone.
    if is_asked(X86_64_GETDENTS64, I386_GETDENTS64) {
        match listing(&call, compat) {
            Some(entries) => {
                let result = i64::try_from(entries.len()).unwrap_or(i64::MAX);
                drop(kernel::answer_call(listener, &call, (1, &entries), result));
            }
            None => drop(kernel::let_call_go_on(listener, &call)),
        }
        return Ok(());
    }
    let content = if is_asked(X86_64_SYSINFO, I386_SYSINFO) {
        if compat {
            system_information_32(machine)
        } else {
            system_information_64(machine)
        }
    } else {
        system_name(request, machine)
    };
    drop(kernel::answer_call(listener, &call, (0, &content), 0));
    Ok(())
}

fn has_callers(listener: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().contains(PollFlags::HUP)
}

/// Returns a `struct new_utsname`; all machines of x86 share it.
fn system_name(request: &Request, machine: &Machine) -> Vec<u8> {
    let platform = match request.platform {
        Personality::X86_64 => "x86_64",
        Personality::I686 => "i686",
    };
    let mut content = Vec::with_capacity(6 * FIELD);
    let [host, domain] = names(&request.world);
    let (release, version) = (machine.release, machine.version);
    for text in ["Linux", host, release, version, platform, domain] {
        let end = content.len() + FIELD;
        content.extend_from_slice(text.as_bytes());
        content.resize(end, 0);
    }
    content
}

/// Returns a `struct sysinfo` of a machine whose memory is all free.
fn system_information_64(machine: &Machine) -> Vec<u8> {
    let mut content = Vec::with_capacity(112);
    // Uptime, three loads, total, free, shared, buffers, swap, free swap.
    let (uptime, memory) = (u64::from(machine.uptime_seconds), machine.memory_bytes);
    for number in [uptime, 0, 0, 0, memory, memory, 0, 0, 0, 0] {
        content.extend_from_slice(&number.to_le_bytes());
    }
    // Processes with padding, then high memory, free high memory, the unit with padding.
    for number in [1_u64, 0, 0, 1] {
        content.extend_from_slice(&number.to_le_bytes());
    }
    content
}

fn system_information_32(machine: &Machine) -> Vec<u8> {
    const UNIT: u32 = 4096;
    let memory = u32::try_from(machine.memory_bytes / u64::from(UNIT)).unwrap_or(u32::MAX);
    let uptime = machine.uptime_seconds;
    let mut content = Vec::with_capacity(64);
    for number in [
        uptime, 0, 0, 0, memory, memory, 0, 0, 0, 0, 1, 0, 0, UNIT, 0, 0,
    ] {
        content.extend_from_slice(&number.to_le_bytes());
    }
    content
}

/// What `getdents64` gives, backwards; nothing if the kernel has to answer itself.
///
/// Positions stay in their order, so that a program may stop between two calls and go on later.
fn listing(call: &Call, compat: bool) -> Option<Vec<u8>> {
    let entries = kernel::list_for(call, compat)?;
    let mut records: Vec<&[u8]> = Vec::new();
    let mut rest = entries.as_slice();
    while !rest.is_empty() {
        let length = rest.get(RECORD_LENGTH..)?.first_chunk::<2>()?;
        let (record, tail) = rest.split_at_checked(u16::from_ne_bytes(*length).into())?;
        records.push(record);
        rest = tail;
    }
    let mut backwards = Vec::with_capacity(entries.len());
    for (record, place) in records.iter().rev().zip(&records) {
        backwards.extend_from_slice(record.get(..RECORD_POSITION)?);
        backwards.extend_from_slice(place.get(RECORD_POSITION..RECORD_LENGTH)?);
        backwards.extend_from_slice(record.get(RECORD_LENGTH..)?);
    }
    Some(backwards)
}

/// Where a `struct linux_dirent64`, behind the number of its inode, has the position behind it.
const RECORD_POSITION: usize = 8;
/// Where it has its own length.
const RECORD_LENGTH: usize = 16;
