//! Answers to the calls that would tell about the host: `uname` and `sysinfo`.
//!
//! The filter stops the calling process, the supervisor writes the answer into its memory.

use std::os::fd::OwnedFd;

use crate::kernel;
use crate::seccomp::{AUDIT_ARCH_I386, I386_SYSINFO, X86_64_SYSINFO};
use crate::spec::Personality;

const FIELD: usize = 65;
const RELEASE: &str = "6.6.0";
const VERSION: &str = "#1 SMP PREEMPT_DYNAMIC";
const MEMORY_BYTES: u64 = 8 << 30;

/// Answers one call; fails once no process is left that could make one.
pub(crate) fn answer(listener: &OwnedFd, platform: Personality) -> std::io::Result<()> {
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
    let compat = call.data.arch == AUDIT_ARCH_I386;
    let number = call.data.nr.cast_unsigned();
    let content = if compat && number == I386_SYSINFO {
        system_information_32()
    } else if !compat && number == X86_64_SYSINFO {
        system_information_64()
    } else {
        system_name(platform)
    };
    // The only failure is that the process is gone.
    drop(kernel::answer_call(listener, &call, &content));
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
fn system_name(platform: Personality) -> Vec<u8> {
    let machine = match platform {
        Personality::X86_64 => "x86_64",
        Personality::I686 => "i686",
    };
    let mut content = Vec::with_capacity(6 * FIELD);
    for text in ["Linux", "stxl", RELEASE, VERSION, machine, "(none)"] {
        let end = content.len() + FIELD;
        content.extend_from_slice(text.as_bytes());
        content.resize(end, 0);
    }
    content
}

/// Returns a `struct sysinfo` of a machine that has just started, with 8 GiB of free memory.
fn system_information_64() -> Vec<u8> {
    let mut content = Vec::with_capacity(112);
    // Uptime, three loads, total, free, shared, buffers, swap, free swap.
    for number in [0, 0, 0, 0, MEMORY_BYTES, MEMORY_BYTES, 0, 0, 0, 0] {
        content.extend_from_slice(&number.to_le_bytes());
    }
    // Processes with padding, then high memory, free high memory, the unit with padding.
    for number in [1_u64, 0, 0, 1] {
        content.extend_from_slice(&number.to_le_bytes());
    }
    content
}

fn system_information_32() -> Vec<u8> {
    const UNIT: u32 = 4096;
    let memory = u32::try_from(MEMORY_BYTES / u64::from(UNIT)).unwrap_or(u32::MAX);
    let mut content = Vec::with_capacity(64);
    for number in [0, 0, 0, 0, memory, memory, 0, 0, 0, 0, 1, 0, 0, UNIT, 0, 0] {
        content.extend_from_slice(&number.to_le_bytes());
    }
    content
}
