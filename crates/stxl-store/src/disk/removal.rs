//! Removing directories with all that is below them.

use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Disk, Result, absent_is_none};
use crate::error::StoreError;
use crate::failpoints::Operation;
use crate::store::random_u64;

/// How deep a directory is emptied at once.
const DOOMED_DEPTH_MAX: usize = 64;

/// What lies at the path of something that is to be removed.
enum Doomed {
    Directory(OwnedFd),
    Gone,
    /// No directory.
    Other,
}

/// What became of a directory that is to be emptied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Emptied {
    /// It is.
    Whole,
    /// Something of it moved up.
    MovedUp,
}

impl Disk {
    /// Removes a directory with all below it, or a file. A build may have left directories of any
    /// depth without any permission in it.
    pub(crate) fn remove_tree(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
        let dir = match self.open_doomed(at, path)? {
            Doomed::Directory(dir) => dir,
            Doomed::Gone => return Ok(()),
            Doomed::Other => return self.remove(at, path).map(|_| ()),
        };
        while self.empty_doomed(dir.as_fd(), (dir.as_fd(), path), 0)? == Emptied::MovedUp {}
        self.remove_directory(at, path)
    }

    /// Empties a directory. Descriptors and the stack last for so many levels; what lies deeper
    /// moves to `top`, which has to be emptied again.
    fn empty_doomed(
        &self,
        top: BorrowedFd<'_>,
        (dir, path): (BorrowedFd<'_>, &[u8]),
        depth: usize,
    ) -> Result<Emptied> {
        let listed = match self.list(dir, path) {
            // Another process that tidies up removed it since it was opened.
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(Emptied::Whole);
            }
            listed => listed?,
        };
        let mut emptied = Emptied::Whole;
        for entry in listed {
            if entry.kind != FileType::Directory {
                self.remove(dir, &entry.name)?;
                continue;
            }
            let Doomed::Directory(below) = self.open_doomed(dir, &entry.name)? else {
                continue;
            };
            if depth == DOOMED_DEPTH_MAX {
                // By lot, since what is removed may have any name itself.
                let name = format!("deep-{:016x}", random_u64()?).into_bytes();
                self.pass(Operation::Rename, &name)?;
                rustix::fs::renameat(dir, entry.name.as_slice(), top, name.as_slice())
                    .map_err(|errno| StoreError::io("rename to", &name, errno))?;
                emptied = Emptied::MovedUp;
                continue;
            }
            if self.empty_doomed(top, (below.as_fd(), &entry.name), depth + 1)? == Emptied::MovedUp
            {
                emptied = Emptied::MovedUp;
            }
            drop(below);
            self.remove_directory(dir, &entry.name)?;
        }
        Ok(emptied)
    }

    /// Opens a directory that is to be removed, with the permissions that takes.
    fn open_doomed(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<Doomed> {
        let open = || self.try_open(at, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        let opened = match open() {
            Err(Errno::ACCESS) => {
                let _opened_up = rustix::fs::chmodat(at, path, Mode::RWXU, AtFlags::empty());
                open()
            }
            opened => opened,
        };
        let dir = match opened {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok(Doomed::Gone),
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Doomed::Other),
            Err(errno) => return Err(StoreError::io("open", path, errno)),
        };
        let mode = Mode::from_raw_mode(self.stat(&dir, path)?.st_mode);
        if !mode.contains(Mode::RWXU) {
            rustix::fs::fchmod(&dir, Mode::RWXU)
                .map_err(|errno| StoreError::io("open up", path, errno))?;
        }
        Ok(Doomed::Directory(dir))
    }

    fn remove_directory(&self, at: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
        self.pass(Operation::Remove, path)?;
        let removed = rustix::fs::unlinkat(at, path, AtFlags::REMOVEDIR);
        absent_is_none(removed, "remove directory", path).map(|_| ())
    }
}
