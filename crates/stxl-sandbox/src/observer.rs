//! Remembers what the processes of an observed run look at: the supervisor's side of
//! [`crate::Observation`].
//!
//! Paths are resolved when they are looked at, by the supervisor, which has the same root: later
//! a symlink may lead elsewhere. What a process shows while it waits for its answer is believed;
//! another of its threads may change it, so nothing is decided by it, and the kernel does what the
//! call says whatever was read.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::kernel::{self, Call};
use crate::looks::{Last, Look, look_of};
use crate::observation;

/// How many paths are remembered, and how many bytes they are together.
const PATHS_MAX: usize = 1 << 20;
const BYTES_MAX: usize = 64 << 20;

/// As the kernel has it.
const SYMLINKS_MAX: usize = 40;
/// How deep interpreters of interpreters are looked at, as by the kernel.
const INTERPRETERS_MAX: usize = 5;
/// How much of the beginning of a file names its interpreter.
const HEAD_BYTES: usize = 4096;

/// Where every sandbox has something of its own, and no layer has anything.
const OWN_PLACES: [&[u8]; 3] = [b"/dev/", b"/proc/", b"/tmp/"];

/// What was looked at so far.
pub(crate) struct Observer {
    paths: BTreeSet<Vec<u8>>,
    bytes: usize,
    is_complete: bool,
}

impl Observer {
    pub(crate) fn new() -> Self {
        Self {
            paths: BTreeSet::new(),
            bytes: 0,
            is_complete: true,
        }
    }

    /// Remembers what a call looks at and lets it go on; false for a call of another kind.
    pub(crate) fn take(&mut self, listener: &OwnedFd, call: &Call) -> bool {
        let Some(look) = look_of(call) else {
            return false;
        };
        let named = named_by(call, look);
        // A process that was killed meanwhile may have given its id to another.
        if kernel::is_waiting(listener, call) {
            match named {
                Ok(Some(path)) => {
                    let found = self.walk(call.pid, &path, follows_last(call, look));
                    if look.executes {
                        self.look_at_interpreter(call.pid, found, INTERPRETERS_MAX);
                    }
                }
                Ok(None) => {}
                Err(_) => self.is_complete = false,
            }
        }
        // This fails only where the process is gone.
        drop(kernel::let_call_go_on(listener, call));
        true
    }

    /// Remembers what the start of a program looks at, which the supervisor knows by itself.
    pub(crate) fn take_start(&mut self, program: &[u8], directory: &[u8]) {
        let path = below(directory, program);
        let found = self.walk(1, &path, true);
        self.look_at_interpreter(1, found, INTERPRETERS_MAX);
    }

    /// Returns everything, in a file in memory.
    pub(crate) fn write(&self) -> io::Result<OwnedFd> {
        observation::write(&self.paths, self.is_complete)
    }

    /// Goes along a path as the kernel would for a process, and returns what it leads to.
    fn walk(&mut self, pid: u32, path: &[u8], follows_last: bool) -> Option<Vec<u8>> {
        let mut at: Vec<u8> = Vec::new();
        let mut ahead: Vec<Vec<u8>> = parts_backwards(path);
        let mut symlinks = 0;
        while let Some(part) = ahead.pop() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    at.truncate(above(&at));
                    continue;
                }
                name => {
                    at.push(b'/');
                    at.extend_from_slice(name);
                }
            }
            let is_last = ahead.is_empty();
            let target = match target_of(&at, pid) {
                Ok(target) => target,
                // It is there, and no symlink.
                Err(Errno::INVAL) => continue,
                // Nothing is there, or nothing that the process could look at.
                Err(_) => return None,
            };
            self.remember(&at);
            symlinks += 1;
            if is_last && !follows_last || symlinks > SYMLINKS_MAX {
                return None;
            }
            let kept = if target.starts_with(b"/") {
                0
            } else {
                above(&at)
            };
            at.truncate(kept);
            ahead.extend(parts_backwards(&target));
        }
        self.remember(&at);
        Some(at)
    }

    fn remember(&mut self, path: &[u8]) {
        let is_own = OWN_PLACES.iter().any(|place| path.starts_with(place));
        if path.is_empty() || is_own || self.paths.contains(path) {
            return;
        }
        if self.paths.len() >= PATHS_MAX || self.bytes + path.len() > BYTES_MAX {
            self.is_complete = false;
            return;
        }
        self.bytes += path.len();
        self.paths.insert(path.to_vec());
    }

    /// The kernel opens what `#!` or an ELF header names without a call of the process.
    fn look_at_interpreter(&mut self, pid: u32, file: Option<Vec<u8>>, depth: usize) {
        let Some(file) = file.filter(|_| depth > 0) else {
            return;
        };
        match interpreter_of(&file) {
            Ok(Some(interpreter)) => {
                let found = self.walk(pid, &interpreter, true);
                self.look_at_interpreter(pid, found, depth - 1);
            }
            // It can be executed and not be read.
            Err(Errno::ACCESS) => self.is_complete = false,
            // It has none, or is gone, or nothing that can be executed.
            Ok(None) | Err(_) => {}
        }
    }
}

/// The absolute path that a call names; none where it names nothing.
fn named_by(call: &Call, look: &Look) -> io::Result<Option<Vec<u8>>> {
    let argument = |index: usize| call.data.args.get(index).copied().unwrap_or_default();
    let path = match kernel::read_text(call.pid, argument(look.path)) {
        Ok(path) => path,
        // The call itself finds out.
        Err(error) if is_of_the_call(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if path.starts_with(b"/") {
        return Ok(Some(path));
    }
    let directory = look.directory.map(argument).map(low_half);
    let begin = match directory {
        None | Some(libc::AT_FDCWD) => format!("/proc/{}/cwd", call.pid),
        Some(descriptor) => format!("/proc/{}/fd/{descriptor}", call.pid),
    };
    match rustix::fs::readlink(begin, Vec::new()) {
        Ok(begin) => Ok(Some(below(begin.as_bytes(), &path))),
        // A descriptor that is not open; a directory that lies deeper than any input can.
        Err(Errno::NOENT | Errno::NAMETOOLONG | Errno::SRCH) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether reading a path failed because the call gives none, or because nobody calls any more.
fn is_of_the_call(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [libc::EFAULT, libc::ENAMETOOLONG, libc::ESRCH]
        .iter()
        .any(|known| errno == Some(*known))
}

fn follows_last(call: &Call, look: &Look) -> bool {
    match look.last {
        Last::Followed => true,
        Last::Kept => false,
        Last::KeptBy { argument, bits } => {
            let flags = call.data.args.get(argument).copied().unwrap_or_default();
            low_half(flags).cast_unsigned() & bits == 0
        }
    }
}

/// An argument that has 32 bits.
fn low_half(argument: u64) -> i32 {
    let [a, b, c, d, ..] = argument.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// What a symlink says; what is the caller's own below `/proc` is not the supervisor's.
fn target_of(path: &[u8], pid: u32) -> Result<Vec<u8>, Errno> {
    if path == b"/proc/self" || path == b"/proc/thread-self" {
        return Ok(pid.to_string().into_bytes());
    }
    Ok(rustix::fs::readlink(path, Vec::new())?.into_bytes())
}

fn below(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    [directory, path].join(&b'/')
}

/// How long the path of the directory is that something is in.
fn above(path: &[u8]) -> usize {
    path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)
}

fn parts_backwards(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .rev()
        .map(<[u8]>::to_vec)
        .collect()
}

/// What a file that is executed says executes it.
fn interpreter_of(path: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
    // A FIFO would make the supervisor wait.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let status = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mut head = vec![0; HEAD_BYTES];
    let length = rustix::io::pread(&file, &mut head, 0)?;
    head.truncate(length);
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next();
        let mut words = line
            .unwrap_or_default()
            .split(|byte| b" \t\r".contains(byte));
        return Ok(words.find(|word| !word.is_empty()).map(<[u8]>::to_vec));
    }
    let Some((offset, length)) = elf_interpreter(&head) else {
        return Ok(None);
    };
    let mut name = vec![0; length.min(HEAD_BYTES)];
    let length = rustix::io::pread(&file, &mut name, offset)?;
    let end = name.iter().take(length).position(|byte| *byte == 0);
    name.truncate(end.unwrap_or(length));
    Ok(Some(name).filter(|name| name.starts_with(b"/")))
}

/// Where in an ELF file of x86 the name of its interpreter is, and how long.
fn elf_interpreter(head: &[u8]) -> Option<(u64, usize)> {
    const INTERPRETER: u64 = 3;
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = head.get(at..at.checked_add(length)?)?;
        let shifted = bytes.iter().rev();
        Some(shifted.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let position = |at: usize, length: usize| usize::try_from(number(at, length)?).ok();
    let is_wide = match head.get(..5)? {
        [0x7f, b'E', b'L', b'F', 1] => false,
        [0x7f, b'E', b'L', b'F', 2] => true,
        _ => return None,
    };
    let (table, size, count) = if is_wide {
        (position(32, 8)?, position(54, 2)?, position(56, 2)?)
    } else {
        (position(28, 4)?, position(42, 2)?, position(44, 2)?)
    };
    for index in 0..count {
        let entry = table.checked_add(index.checked_mul(size)?)?;
        if number(entry, 4)? == INTERPRETER {
            return if is_wide {
                Some((number(entry + 8, 8)?, position(entry + 32, 8)?))
            } else {
                Some((number(entry + 4, 4)?, position(entry + 16, 4)?))
            };
        }
    }
    None
}
