//! The border to the file system: every open, write, sync, rename and removal passes here.
//!
//! All paths are relative to an open directory and resolved beneath it without following any
//! symlink. Nothing else in this crate touches files. Each operation is numbered, so that a build
//! with the feature `failpoints` can make the n-th fail or end the process there.

mod removal;

use std::mem::MaybeUninit;
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{
    Advice, AtFlags, FileType, FlockOperation, Mode, OFlags, RawDir, RenameFlags, ResolveFlags,
    Stat, Timespec, Timestamps,
};
use rustix::io::Errno;

use crate::error::StoreError;
use crate::failpoints::{Faults, Operation, Phase};

/// Time of modification of every file and directory of a checkout: 1980-01-01.
pub(crate) const CHECKOUT_MTIME: i64 = 315_532_800;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

type Result<T> = std::result::Result<T, StoreError>;

/// The file system as this crate sees it.
pub(crate) struct Disk {
    faults: Faults,
}

/// A name in a directory and what kind of file it is.
pub(crate) struct Listed {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: FileType,
}

#[expect(
    clippy::unused_self,
    reason = "holding the border is the right to use the file system"
)]
impl Disk {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults }
    }

    /// Opens the directory of a store, which is made, with those above it, if it is missing.
    pub(crate) fn open_root(&self, path: &Path) -> Result<OwnedFd> {
        let shown = path.as_os_str().as_bytes();
        self.pass(Operation::Open, shown)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(root) => return Ok(root),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(StoreError::io("open", shown, errno)),
        }
        for part in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if part.as_os_str().is_empty() {
                continue;
            }
            match rustix::fs::mkdir(part, Mode::from(0o700)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(StoreError::io("make directory", shown, errno)),
            }
        }
        rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| StoreError::io("open", shown, errno))
    }

    /// The id of the kernel's present boot.
    pub(crate) fn boot_id(&self) -> Result<String> {
        const PATH: &[u8] = b"/proc/sys/kernel/random/boot_id";
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(PATH, flags, Mode::empty())
            .map_err(|errno| StoreError::io("open", PATH, errno))?;
        let mut buffer = [0; 36];
        let count = self.read_at(&fd, PATH, &mut buffer, 0)?;
        Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    /// Where a symlink anywhere on the machine points.
    pub(crate) fn foreign_link(&self, path: &[u8]) -> std::result::Result<Vec<u8>, Errno> {
        let target = rustix::fs::readlink(path, Vec::with_capacity(256))?;
        Ok(target.into_bytes())
    }

    /// Whether a path anywhere on the machine is another directory than an open one.
    pub(crate) fn is_foreign(
        &self,
        directory: BorrowedFd<'_>,
        path: &[u8],
    ) -> std::result::Result<bool, Errno> {
        let (own, other) = (rustix::fs::fstat(directory)?, rustix::fs::stat(path)?);
        Ok((own.st_dev, own.st_ino) != (other.st_dev, other.st_ino))
    }

    /// Names what the operations that follow belong to, until the guard is dropped.
    pub(crate) fn phase(&self, phase: Phase) -> crate::failpoints::PhaseGuard<'_> {
        self.faults.phase(phase)
    }

    /// Counts an operation that the index does itself.
    pub(crate) fn pass_index(&self, operation: Operation) -> Result<()> {
        self.pass(operation, b"index.db")
    }

    fn pass(&self, operation: Operation, path: &[u8]) -> Result<()> {
        self.faults
            .pass(operation)
            .map_err(|errno| StoreError::io(operation.name(), path, errno))
    }

    fn open(&self, at: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        self.try_open(at, path, flags, mode)
            .map_err(|errno| StoreError::io("open", path, errno))
    }

    fn try_open(
        &self,
        at: BorrowedFd<'_>,
        path: &[u8],
        flags: OFlags,
        mode: Mode,
    ) -> std::result::Result<OwnedFd, Errno> {
        self.faults.pass(Operation::Open)?;
        loop {
            match rustix::fs::openat2(at, path, flags | OFlags::CLOEXEC, mode, RESOLVE) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
    }

    pub(crate) fn open_dir(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
        self.open(at, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    pub(crate) fn open_read(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
        // Without O_NONBLOCK a FIFO put in a file's place would stop us for ever.
        self.open(at, path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())
    }

    /// Opens a file that may be missing; nothing when it is.
    pub(crate) fn open_if_there(
        &self,
        at: BorrowedFd<'_>,
        path: &[u8],
        access: Access,
    ) -> Result<Option<OwnedFd>> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        absent_is_none(
            self.try_open(at, path, flags | OFlags::NONBLOCK, Mode::empty()),
            "open",
            path,
        )
    }

    /// Opens for reading and writing, making an empty file when there is none.
    pub(crate) fn open_or_create(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
        self.open(at, path, OFlags::RDWR | OFlags::CREATE, Mode::from(0o600))
    }

    /// Makes a file that must not be there yet.
    pub(crate) fn create(&self, at: BorrowedFd<'_>, path: &[u8], mode: u32) -> Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        self.open(at, path, flags, Mode::from(mode))
    }

    pub(crate) fn make_dir(&self, at: BorrowedFd<'_>, path: &[u8], mode: u32) -> Result<()> {
        self.pass(Operation::MakeDir, path)?;
        rustix::fs::mkdirat(at, path, Mode::from(mode))
            .map_err(|errno| StoreError::io("make directory", path, errno))
    }

    pub(crate) fn make_dir_if_missing(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
        self.pass(Operation::MakeDir, path)?;
        match rustix::fs::mkdirat(at, path, Mode::from(0o700)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(StoreError::io("make directory", path, errno)),
        }
    }

    pub(crate) fn symlink(&self, target: &[u8], at: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
        self.pass(Operation::Symlink, path)?;
        rustix::fs::symlinkat(target, at, path)
            .map_err(|errno| StoreError::io("make symlink", path, errno))
    }

    /// Makes what an overlay takes for a sign that the layers below have nothing of this name. The
    /// kernel lets everybody make it, unlike all other devices.
    pub(crate) fn whiteout(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
        self.pass(Operation::Whiteout, path)?;
        rustix::fs::mknodat(at, path, FileType::CharacterDevice, Mode::empty(), 0)
            .map_err(|errno| StoreError::io("make whiteout", path, errno))
    }

    pub(crate) fn read_link(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<u8>> {
        rustix::fs::readlinkat(at, path, Vec::with_capacity(256))
            .map(std::ffi::CString::into_bytes)
            .map_err(|errno| StoreError::io("read symlink", path, errno))
    }

    /// Writes everything or fails; a short write is continued.
    pub(crate) fn write_all_at(
        &self,
        fd: &OwnedFd,
        path: &[u8],
        mut bytes: &[u8],
        mut offset: u64,
    ) -> Result<()> {
        self.pass(Operation::Write, path)?;
        while !bytes.is_empty() {
            let count = match rustix::io::pwrite(fd, bytes, offset) {
                Ok(0) => return Err(StoreError::io("write", path, Errno::NOSPC)),
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(StoreError::io("write", path, errno)),
            };
            bytes = bytes.get(count..).unwrap_or_default();
            offset += count as u64;
        }
        Ok(())
    }

    /// Reads until the buffer is full or the file ends, and returns how much was read.
    pub(crate) fn read_at(
        &self,
        fd: impl AsFd,
        path: &[u8],
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::io::pread(&fd, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(StoreError::io("read", path, errno)),
            }
        }
        Ok(filled)
    }

    /// Reads what is left of an open file from an offset.
    pub(crate) fn read_to_end(&self, fd: &OwnedFd, path: &[u8], offset: u64) -> Result<Vec<u8>> {
        let size = self.stat(fd, path)?.st_size.cast_unsigned();
        let expected = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; expected];
        let count = self.read_at(fd, path, &mut bytes, offset)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    pub(crate) fn sync(&self, fd: impl AsFd, path: &[u8]) -> Result<()> {
        self.pass(Operation::Sync, path)?;
        rustix::fs::fsync(fd).map_err(|errno| StoreError::io("sync", path, errno))
    }

    /// Makes an empty file share the bytes of another, where the file system can; later changes of
    /// either are not seen in the other.
    pub(crate) fn share_bytes(&self, to: &OwnedFd, from: impl AsFd) -> bool {
        // Any error is answered by a copy, which tells what is really wrong.
        rustix::fs::ioctl_ficlone(to, from).is_ok()
    }

    /// Asks the kernel to write a part of a file out without waiting for it. This is advice:
    /// nothing depends on whether it is taken.
    pub(crate) fn begin_write_out(&self, fd: &OwnedFd, offset: u64, bytes: u64) {
        // What is not written out yet stays in memory; asking to forget it makes it be written.
        let _advice = rustix::fs::fadvise(fd, offset, NonZero::new(bytes), Advice::DontNeed);
    }

    /// Syncs everything on the file system of an open file.
    pub(crate) fn sync_file_system(&self, fd: impl AsFd, path: &[u8]) -> Result<()> {
        self.pass(Operation::Sync, path)?;
        rustix::fs::syncfs(fd).map_err(|errno| StoreError::io("sync", path, errno))
    }

    pub(crate) fn truncate(&self, fd: &OwnedFd, path: &[u8], size: u64) -> Result<()> {
        self.pass(Operation::Truncate, path)?;
        rustix::fs::ftruncate(fd, size).map_err(|errno| StoreError::io("truncate", path, errno))
    }

    /// Renames, replacing what is at the new name.
    pub(crate) fn rename(&self, at: BorrowedFd<'_>, from: &[u8], to: &[u8]) -> Result<()> {
        self.pass(Operation::Rename, to)?;
        rustix::fs::renameat(at, from, at, to)
            .map_err(|errno| StoreError::io("rename to", to, errno))
    }

    /// Renames what is there and says whether it was.
    pub(crate) fn rename_if_there(
        &self,
        at: BorrowedFd<'_>,
        from: &[u8],
        to: &[u8],
    ) -> Result<bool> {
        self.pass(Operation::Rename, to)?;
        let renamed = rustix::fs::renameat(at, from, at, to);
        Ok(absent_is_none(renamed, "rename to", to)?.is_some())
    }

    /// Renames unless something is at the new name already, and says whether it did.
    pub(crate) fn rename_if_free(
        &self,
        at: BorrowedFd<'_>,
        from: &[u8],
        to: &[u8],
    ) -> Result<bool> {
        self.pass(Operation::Rename, to)?;
        match rustix::fs::renameat_with(at, from, at, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(StoreError::io("rename to", to, errno)),
        }
    }

    /// Removes a file and says whether it was there.
    pub(crate) fn remove(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<bool> {
        self.pass(Operation::Remove, path)?;
        let removed = rustix::fs::unlinkat(at, path, AtFlags::empty());
        Ok(absent_is_none(removed, "remove", path)?.is_some())
    }

    /// The names in a directory, sorted, without `.` and `..`.
    pub(crate) fn list(&self, dir: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<Listed>> {
        let failed = |errno| StoreError::io("list", path, errno);
        rustix::fs::seek(dir, rustix::fs::SeekFrom::Start(0)).map_err(failed)?;
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = RawDir::new(dir, &mut buffer);
        let mut listed = Vec::new();
        while let Some(entry) = reader.next() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                let stat = rustix::fs::statat(dir, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
                kind = FileType::from_raw_mode(stat.map_err(failed)?.st_mode);
            }
            listed.push(Listed {
                name: name.to_vec(),
                kind,
            });
        }
        listed.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(listed)
    }

    pub(crate) fn stat(&self, fd: impl AsFd, path: &[u8]) -> Result<Stat> {
        rustix::fs::fstat(fd).map_err(|errno| StoreError::io("stat", path, errno))
    }

    /// How many bytes can still be written on the disk that something open lies on.
    pub(crate) fn free_bytes(&self, fd: impl AsFd, path: &[u8]) -> Result<u64> {
        let usage =
            rustix::fs::fstatvfs(fd).map_err(|errno| StoreError::io("stat", path, errno))?;
        Ok(usage.f_bavail.saturating_mul(usage.f_frsize))
    }

    /// The status of a name, links not followed; nothing when it is missing.
    pub(crate) fn stat_at(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<Option<Stat>> {
        let stat = rustix::fs::statat(at, path, AtFlags::SYMLINK_NOFOLLOW);
        absent_is_none(stat, "stat", path)
    }

    pub(crate) fn set_mode(&self, fd: &OwnedFd, path: &[u8], mode: u32) -> Result<()> {
        rustix::fs::fchmod(fd, Mode::from(mode))
            .map_err(|errno| StoreError::io("set the mode of", path, errno))
    }

    /// Gives an open file or directory the time that everything in a checkout has.
    pub(crate) fn set_checkout_time(&self, fd: impl AsFd, path: &[u8]) -> Result<()> {
        rustix::fs::futimens(fd, &CHECKOUT_TIMES)
            .map_err(|errno| StoreError::io("set the time of", path, errno))
    }

    /// Gives a symlink the time that everything in a checkout has.
    pub(crate) fn set_link_time(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
        rustix::fs::utimensat(at, path, &CHECKOUT_TIMES, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| StoreError::io("set the time of", path, errno))
    }

    /// Waits for a lock of the open file; it ends with the last copy of the descriptor.
    pub(crate) fn lock(&self, fd: &OwnedFd, path: &[u8], lock: Lock) -> Result<()> {
        let operation = match lock {
            Lock::Shared => FlockOperation::LockShared,
            Lock::Exclusive => FlockOperation::LockExclusive,
        };
        loop {
            match rustix::fs::flock(fd, operation) {
                Err(Errno::INTR) => {}
                result => return result.map_err(|errno| StoreError::io("lock", path, errno)),
            }
        }
    }

    /// Takes the exclusive lock if nobody has one, and says whether it did.
    pub(crate) fn try_lock(&self, fd: &OwnedFd, path: &[u8]) -> Result<bool> {
        match rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(StoreError::io("lock", path, errno)),
        }
    }

    pub(crate) fn unlock(&self, fd: &OwnedFd, path: &[u8]) -> Result<()> {
        rustix::fs::flock(fd, FlockOperation::Unlock)
            .map_err(|errno| StoreError::io("unlock", path, errno))
    }

    /// The names of the extended attributes of an open file.
    pub(crate) fn attribute_names(&self, fd: &OwnedFd, path: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut buffer = vec![0_u8; 1024];
        loop {
            match rustix::fs::flistxattr(fd, buffer.as_mut_slice()) {
                Ok(count) => {
                    let names = buffer[..count].split(|byte| *byte == 0);
                    return Ok(names
                        .filter(|name| !name.is_empty())
                        .map(<[u8]>::to_vec)
                        .collect());
                }
                Err(Errno::NOTSUP) => return Ok(Vec::new()),
                Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 4, 0),
                Err(errno) => return Err(StoreError::io("list attributes of", path, errno)),
            }
        }
    }

    /// The value of an extended attribute, if there is one.
    pub(crate) fn attribute(
        &self,
        fd: &OwnedFd,
        path: &[u8],
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        let mut buffer = [0_u8; 256];
        match rustix::fs::fgetxattr(fd, name, &mut buffer) {
            Ok(count) => Ok(Some(buffer[..count].to_vec())),
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
            // A value longer than the buffer is there all the same.
            Err(Errno::RANGE) => Ok(Some(Vec::new())),
            Err(errno) => Err(StoreError::io("read attributes of", path, errno)),
        }
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Reading and writing.
    Write,
}

/// How an open file is locked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    Shared,
    Exclusive,
}

const CHECKOUT_TIMES: Timestamps = Timestamps {
    last_access: Timespec {
        tv_sec: CHECKOUT_MTIME,
        tv_nsec: 0,
    },
    last_modification: Timespec {
        tv_sec: CHECKOUT_MTIME,
        tv_nsec: 0,
    },
};

fn absent_is_none<T>(
    result: std::result::Result<T, Errno>,
    operation: &'static str,
    path: &[u8],
) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(StoreError::io(operation, path, errno)),
    }
}
