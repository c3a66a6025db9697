//! Files that are being downloaded, kept between processes so that they can be gone on with.
//!
//! They are no objects: whoever goes on with one makes sure of the hash of the whole. One is locked
//! while it is worked on; the others go with the next collection, or when there are too many.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};

use stxl_model::Sha256;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::store::Store;

pub(crate) const PARTIAL_DIRECTORY: &[u8] = b"downloads";

/// What unfinished files of earlier downloads may use together.
const PARTIAL_BYTES_MAX: u64 = 4 << 30;

/// How many of them there may be.
const PARTIAL_FILES_MAX: usize = 256;

type Result<T> = std::result::Result<T, StoreError>;

/// An unfinished file, locked.
pub struct PartialFile {
    file: File,
    path: Vec<u8>,
}

impl PartialFile {
    /// The file, open for reading and writing; what is in it is what an earlier download left.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Store {
    /// Opens the unfinished file for a hash, or begins one. Nothing when somebody else works on it.
    pub fn partial_file(&self, sha256: &Sha256) -> Result<Option<PartialFile>> {
        let name = sha256.to_string().replace(':', "-");
        let path = [PARTIAL_DIRECTORY, b"/", name.as_bytes()].concat();
        loop {
            let file = self.disk.open_or_create(self.root(), &path)?;
            if !self.disk.try_lock(&file, &path)? {
                return Ok(None);
            }
            // Whoever had the lock may have removed the file.
            if is_at(&self.disk, &file, self, &path)? {
                self.remove_partial_files(PARTIAL_BYTES_MAX, PARTIAL_FILES_MAX)?;
                let file = File::from(file);
                return Ok(Some(PartialFile { file, path }));
            }
        }
    }

    /// Removes an unfinished file.
    pub fn remove_partial_file(&self, partial: PartialFile) -> Result<()> {
        self.disk.remove(self.root(), &partial.path)?;
        drop(partial);
        Ok(())
    }

    /// Removes unfinished files that nobody works on, the oldest first, until those that are left
    /// are not more than this.
    pub(crate) fn remove_partial_files(&self, bytes_max: u64, files_max: usize) -> Result<()> {
        let directory = self.disk.open_dir(self.root(), PARTIAL_DIRECTORY)?;
        let mut known = Vec::new();
        for entry in self.disk.list(directory.as_fd(), PARTIAL_DIRECTORY)? {
            let path = [PARTIAL_DIRECTORY, b"/", entry.name.as_slice()].concat();
            if let Some(stat) = self.disk.stat_at(self.root(), &path)? {
                known.push((stat.st_mtime, stat.st_size.cast_unsigned(), path));
            }
        }
        known.sort_unstable();
        let mut bytes: u64 = known.iter().map(|(_, size, _)| size).sum();
        let mut files = known.len();
        for (_, size, path) in known {
            if bytes <= bytes_max && files <= files_max {
                break;
            }
            let access = crate::disk::Access::Read;
            let Some(file) = self.disk.open_if_there(self.root(), &path, access)? else {
                continue;
            };
            if self.disk.try_lock(&file, &path)? {
                self.disk.remove(self.root(), &path)?;
                bytes -= size;
                files -= 1;
            }
        }
        Ok(())
    }
}

/// Whether an open file is the one at a path.
fn is_at(disk: &Disk, file: &OwnedFd, store: &Store, path: &[u8]) -> Result<bool> {
    let open = disk.stat(file, path)?;
    let named = disk.stat_at(store.root(), path)?;
    Ok(named.is_some_and(|named| (named.st_dev, named.st_ino) == (open.st_dev, open.st_ino)))
}
