//! Directories on the store's disk for what a process writes until it is sealed, and for what a
//! later one is to find of it.

use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use stxl_model::Digest;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::failpoints::Faults;
use crate::lease::Session;
use crate::store::Store;

/// Where directories are kept, by boot.
pub(crate) const KEPT_DIRECTORY: &str = "kept";

/// How many are kept at most: each may be as large as a build.
const KEPT_MAX: usize = 16;

/// A directory of this session, empty unless it was kept. What is in it goes when this is dropped,
/// or, if the process ends before, at the next opening of the store.
pub struct ScratchDirectory {
    session: Arc<Session>,
    path: Vec<u8>,
}

impl ScratchDirectory {
    /// Its path below the directory of the store.
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        // What cannot be removed yet is removed with the session's other unfinished files.
        let disk = Disk::new(Faults::default());
        let _removed = disk.remove_tree(self.session.root(), &self.path);
    }
}

impl Store {
    /// Makes an empty directory for what a process writes.
    pub fn scratch(&self) -> Result<ScratchDirectory, StoreError> {
        let path = self.temporary_name()?;
        self.disk.make_dir(self.root(), &path, 0o755)?;
        Ok(ScratchDirectory {
            session: Arc::clone(&self.session),
            path,
        })
    }

    /// Keeps a scratch directory under a name until somebody takes it, in the place of the one of
    /// that name, and gives up the oldest of many. It is in no key and nothing needs it: nobody
    /// finds it after the end of the boot, since it may never have reached the disk, and a
    /// collection removes it.
    pub fn keep_scratch(&self, name: &Digest, scratch: ScratchDirectory) -> Result<(), StoreError> {
        drop(self.take_scratch(name)?);
        let boot = format!("{KEPT_DIRECTORY}/{}", self.boot).into_bytes();
        self.disk.make_dir_if_missing(self.root(), &boot)?;
        let kept = self.kept_path(name);
        self.disk
            .rename_if_free(self.root(), &scratch.path, &kept)?;
        // What another process kept meanwhile is as good; then this one goes.
        drop(scratch);
        let directory = self.disk.open_dir(self.root(), &boot)?;
        let mut ages = Vec::new();
        for entry in self.disk.list(directory.as_fd(), &boot)? {
            if let Some(stat) = self.disk.stat_at(directory.as_fd(), &entry.name)? {
                ages.push(((stat.st_mtime, stat.st_mtime_nsec), entry.name));
            }
        }
        ages.sort();
        for (_, name) in ages.iter().rev().skip(KEPT_MAX) {
            self.remove_kept(&[&boot, b"/".as_slice(), name].concat())?;
        }
        Ok(())
    }

    /// Takes the scratch directory that is kept under a name, if there is one.
    pub fn take_scratch(&self, name: &Digest) -> Result<Option<ScratchDirectory>, StoreError> {
        self.take_kept(&self.kept_path(name))
    }

    /// Removes every kept scratch directory, of this boot and of earlier ones.
    pub(crate) fn remove_kept_scratch(&self) -> Result<(), StoreError> {
        let kept = self.disk.open_dir(self.root(), KEPT_DIRECTORY.as_bytes())?;
        for boot in self.disk.list(kept.as_fd(), KEPT_DIRECTORY.as_bytes())? {
            let directory = self.disk.open_dir(kept.as_fd(), &boot.name)?;
            for entry in self.disk.list(directory.as_fd(), &boot.name)? {
                let path = [KEPT_DIRECTORY.as_bytes(), &boot.name, &entry.name].join(&b'/');
                self.remove_kept(&path)?;
            }
            if boot.name != self.boot.as_bytes() {
                self.disk.remove_tree(kept.as_fd(), &boot.name)?;
            }
        }
        Ok(())
    }

    /// Removes what is kept at a path, where nobody finds half of it.
    fn remove_kept(&self, path: &[u8]) -> Result<(), StoreError> {
        self.take_kept(path).map(drop)
    }

    fn take_kept(&self, kept: &[u8]) -> Result<Option<ScratchDirectory>, StoreError> {
        let path = self.temporary_name()?;
        let is_there = self.disk.rename_if_there(self.root(), kept, &path)?;
        Ok(is_there.then(|| ScratchDirectory {
            session: Arc::clone(&self.session),
            path,
        }))
    }

    fn kept_path(&self, name: &Digest) -> Vec<u8> {
        format!("{KEPT_DIRECTORY}/{}/{}", self.boot, name.to_hex()).into_bytes()
    }
}
