//! Directories on the store's disk for what a process writes until it is sealed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::failpoints::Faults;
use crate::lease::Session;
use crate::store::Store;

/// An empty directory of this session. What is in it goes when this is dropped, or, if the process
/// ends before, at the next opening of the store.
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
}
