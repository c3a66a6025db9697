//! Counts what a sandbox uses, where the kernel does not: memory and processes by looking at
//! every process a few times a second, disk by looking at every file less often.
//!
//! cgroups would do this without gaps, but an unprivileged user rarely has one delegated.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::guard::Guard;
use crate::outcome::{ExitStatus, ResourceKind};
use crate::spec::Scratch;
use crate::wire::Request;

const FIRST_LOOK: Duration = Duration::from_millis(50);
const NEAR_LIMIT: Duration = Duration::from_millis(20);
const FAR_FROM_LIMIT: Duration = Duration::from_millis(100);
const DISK_INTERVAL: Duration = Duration::from_millis(500);
/// A walk over the scratch may take this share of the time.
const DISK_SHARE: u32 = 20;

/// What is counted of one sandbox, and when next.
pub(crate) struct Accounting {
    memory_max: Option<u64>,
    tasks_max: Option<u64>,
    scratch_max: Option<u64>,
    on_disk: bool,
    next: Instant,
    next_walk: Instant,
}

#[derive(Default)]
struct Usage {
    memory_bytes: u64,
    tasks: u64,
}

impl Accounting {
    pub(crate) fn new(request: &Request, now: Instant) -> Self {
        let limits = &request.limits;
        let limit = |guard: Guard, value: u64| request.disabled.wants(guard).then_some(value);
        Self {
            memory_max: limit(Guard::MemoryLimit, limits.memory_bytes),
            tasks_max: limit(Guard::ProcessLimit, limits.processes_max),
            scratch_max: limit(Guard::ScratchLimit, limits.scratch_bytes),
            on_disk: matches!(request.scratch, Scratch::Disk(_)),
            next: now + FIRST_LOOK,
            next_walk: now + DISK_INTERVAL,
        }
    }

    /// Returns when the next look is due.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time to; returns how the sandbox is to end if a limit is reached.
    pub(crate) fn check(&mut self, scratch: &OwnedFd, now: Instant) -> Option<ExitStatus> {
        if now < self.next {
            return None;
        }
        let mut usage = look_at_processes();
        let memory_max = self.memory_max.unwrap_or(u64::MAX);
        let tasks_max = self.tasks_max.unwrap_or(u64::MAX);
        if usage.memory_bytes > memory_max {
            // Pages shared after a fork were counted in each process; share them out before
            // anything is ended for it.
            usage.memory_bytes = proportional_memory().unwrap_or(usage.memory_bytes);
        }
        let near = usage.memory_bytes > memory_max / 2 || usage.tasks > tasks_max / 2;
        self.next = now + if near { NEAR_LIMIT } else { FAR_FROM_LIMIT };
        let exceeded = if usage.memory_bytes > memory_max {
            Some(ResourceKind::Memory)
        } else if usage.tasks >= tasks_max {
            Some(ResourceKind::Processes)
        } else {
            None
        };
        exceeded
            .map(ExitStatus::ResourceExceeded)
            .or_else(|| self.check_scratch(scratch, now))
    }

    fn check_scratch(&mut self, scratch: &OwnedFd, now: Instant) -> Option<ExitStatus> {
        if !self.on_disk {
            return self.full_scratch(scratch);
        }
        if now < self.next_walk {
            return None;
        }
        let status = self.full_scratch(scratch);
        let end = Instant::now();
        let pause = end
            .saturating_duration_since(now)
            .saturating_mul(DISK_SHARE);
        self.next_walk = end + pause.max(DISK_INTERVAL);
        status
    }

    /// Tells whether there is more in the scratch than the limit, which the kernel rules out where
    /// it is in memory.
    pub(crate) fn exceeded_scratch(&self, scratch: &OwnedFd) -> Option<ExitStatus> {
        let limit = self.scratch_max?;
        let is_exceeded = self.on_disk && disk_usage(scratch) > limit;
        is_exceeded.then_some(ExitStatus::ResourceExceeded(ResourceKind::ScratchBytes))
    }

    /// Tells whether the scratch is full at this moment. On disk a file that has grown up to the
    /// limit, which the kernel enforces for each, fills it.
    pub(crate) fn full_scratch(&self, scratch: &OwnedFd) -> Option<ExitStatus> {
        let limit = self.scratch_max?;
        let kind = if self.on_disk {
            (disk_usage(scratch) >= limit).then_some(ResourceKind::ScratchBytes)
        } else {
            match rustix::fs::fstatvfs(scratch) {
                Ok(usage) if usage.f_bavail == 0 => Some(ResourceKind::ScratchBytes),
                Ok(usage) if usage.f_ffree == 0 => Some(ResourceKind::ScratchFiles),
                Ok(_) | Err(_) => None,
            }
        };
        kind.map(ExitStatus::ResourceExceeded)
    }
}

fn for_each_process(mut visit: impl FnMut(&str)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::open(c"/proc", flags, Mode::empty()) else {
        return;
    };
    let Ok(entries) = Dir::new(proc) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_str().unwrap_or_default();
        // Process 1 is the supervisor.
        if name.starts_with(|first: char| first.is_ascii_digit()) && name != "1" {
            visit(name);
        }
    }
}

fn look_at_processes() -> Usage {
    let page = rustix::param::page_size() as u64;
    let mut usage = Usage::default();
    for_each_process(|pid| {
        // A process that ended meanwhile uses nothing.
        let Some(text) = read_small(&format!("/proc/{pid}/stat")) else {
            return;
        };
        // The second field is the program's name in parentheses and may hold anything.
        let Some((_, fields)) = text.rsplit_once(')') else {
            return;
        };
        let field = |number: usize| -> u64 {
            let field = fields.split_ascii_whitespace().nth(number - 3);
            field.and_then(|value| value.parse().ok()).unwrap_or(0)
        };
        usage.tasks += field(20);
        usage.memory_bytes += field(24) * page;
    });
    usage
}

fn proportional_memory() -> Option<u64> {
    let mut sum = None;
    for_each_process(|pid| {
        let Some(text) = read_small(&format!("/proc/{pid}/smaps_rollup")) else {
            return;
        };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kilobytes = line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok());
        if let Some(kilobytes) = kilobytes.map(|value: u64| value * 1024) {
            sum = Some(sum.unwrap_or(0) + kilobytes);
        }
    });
    sum
}

fn read_small(path: &str) -> Option<String> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut bytes = vec![0; 4096];
    let length = rustix::io::read(&file, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the bytes of all blocks below a directory.
fn disk_usage(directory: &OwnedFd) -> u64 {
    let mut sum = 0;
    let mut open = vec![b".".to_vec()];
    // Depth first with one descriptor per level would let a deep tree exhaust them, so every
    // directory is opened by its path from the scratch; too long a path is not counted.
    while let Some(path) = open.pop() {
        // A directory that cannot be read, or vanished, is left out.
        walk_one(directory, &path, &mut open, &mut sum).unwrap_or(());
    }
    sum
}

fn walk_one(
    base: &OwnedFd,
    path: &[u8],
    open: &mut Vec<Vec<u8>>,
    sum: &mut u64,
) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(base, path, flags, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        *sum += blocks(&directory, name);
        if entry.file_type() == FileType::Directory {
            open.push([path, b"/", name.to_bytes()].concat());
        }
    }
    Ok(())
}

fn blocks(directory: impl AsFd, name: &CStr) -> u64 {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.map_or(0, |stat| stat.st_blocks.cast_unsigned() * 512)
}
