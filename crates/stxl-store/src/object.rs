//! Putting and reading blobs and directories.

use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use stxl_model::{BlobId, Digest, Directory, Node, RootPath, TreeId};

use crate::disk::Access;
use crate::entry::EntryKind;
use crate::error::StoreError;
use crate::lease::Leased;
use crate::pack::{self, PACKED_BLOB_BYTES_MAX, Unpublished};
use crate::store::{Store, blob_path, lock};

type Result<T> = std::result::Result<T, StoreError>;

/// How often an operation starts again because a collection came between its parts.
pub(crate) const ATTEMPTS_MAX: usize = 8;
const READERS_MAX: usize = 64;

/// Reads the bytes of a blob.
pub struct BlobReader {
    source: Source,
    offset: u64,
}

enum Source {
    Memory(Vec<u8>),
    File(OwnedFd),
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.source {
            Source::Memory(bytes) => {
                let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
                let rest = bytes.get(start..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                count
            }
            Source::File(file) => rustix::io::pread(file, buffer, self.offset)?,
        };
        self.offset += count as u64;
        Ok(count)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let size = || match &self.source {
            Source::Memory(bytes) => Ok(bytes.len() as u64),
            Source::File(file) => {
                Ok::<_, io::Error>(rustix::fs::fstat(file)?.st_size.cast_unsigned())
            }
        };
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
            SeekFrom::End(by) => size()?.checked_add_signed(by),
        };
        self.offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}

impl Store {
    /// Puts a blob that is in memory.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<BlobId> {
        let id = BlobId::of(bytes);
        self.put_protected(Leased::Blob(id), || {
            if bytes.len() as u64 > PACKED_BLOB_BYTES_MAX {
                self.put_large_bytes(&id, bytes)
            } else {
                self.put_packed(EntryKind::Blob, id.digest(), bytes)
            }
        })?;
        Ok(id)
    }

    /// Puts a directory whose entries are in the store, and returns the id of its tree.
    pub fn put_directory(&self, directory: &Directory) -> Result<TreeId> {
        let tree = directory.id();
        self.put_protected(Leased::Tree(tree), || {
            self.put_directory_unprotected(directory).map(|_| ())
        })?;
        Ok(tree)
    }

    /// Puts an object and leases it for the session, again if a collection came between.
    fn put_protected(&self, leased: Leased, put: impl Fn() -> Result<()>) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            let sweep = self.session.sweep(&self.disk)?;
            put()?;
            let is_there = || match leased {
                Leased::Blob(blob) => self.has_blob(&blob),
                Leased::Tree(tree) => self.is_tree_complete_now(&tree),
            };
            if self.protect(&[leased], sweep, is_there)? {
                return Ok(());
            }
        }
        Err(StoreError::Contended)
    }

    pub(crate) fn put_directory_unprotected(&self, directory: &Directory) -> Result<TreeId> {
        let encoding = directory.encode();
        let tree = Directory::id_of_encoding(&encoding);
        self.put_packed(EntryKind::Directory, tree.digest(), &encoding)?;
        self.cache_directory(tree, &Arc::new(directory.clone()));
        Ok(tree)
    }

    /// Appends to the pack unless the object is there already.
    pub(crate) fn put_packed(&self, kind: EntryKind, id: &Digest, payload: &[u8]) -> Result<()> {
        if self.has_packed(id)? {
            return Ok(());
        }
        lock(&self.writer).append(self, kind, *id, payload)
    }

    pub(crate) fn has_packed(&self, id: &Digest) -> Result<bool> {
        Ok(lock(&self.writer).is_unpublished(id) || self.index()?.object(id)?.is_some())
    }

    /// Whether a blob is in the store.
    pub fn has_blob(&self, blob: &BlobId) -> Result<bool> {
        Ok(self.has_packed(blob.digest())? || self.large_blob(blob)?.is_some())
    }

    /// Opens the file of a large blob, if there is one.
    pub(crate) fn large_blob(&self, blob: &BlobId) -> Result<Option<(Vec<u8>, OwnedFd)>> {
        // A commit moves blobs from the first to the second while we look.
        for path in [
            self.staging_path(blob),
            blob_path(blob.digest()),
            self.staging_path(blob),
        ] {
            if let Some(file) = self.disk.open_if_there(self.root(), &path, Access::Read)? {
                return Ok(Some((path, file)));
            }
        }
        Ok(None)
    }

    pub(crate) fn staging_path(&self, blob: &BlobId) -> Vec<u8> {
        format!("staging/{}/{blob}", self.boot).into_bytes()
    }

    /// All bytes of a blob, checked against its id.
    pub fn read_blob(&self, blob: &BlobId) -> Result<Vec<u8>> {
        if let Some(bytes) = self.read_packed(EntryKind::Blob, blob.digest())? {
            return Ok(bytes);
        }
        let (path, file) = self
            .large_blob(blob)?
            .ok_or(StoreError::MissingBlob { blob: *blob })?;
        let bytes = self.disk.read_to_end(&file, &path, 0)?;
        if BlobId::of(&bytes) == *blob {
            Ok(bytes)
        } else {
            Err(damaged_file(&path))
        }
    }

    /// Opens a blob for reading; one of many bytes is not checked against its id.
    pub fn open_blob(&self, blob: &BlobId) -> Result<BlobReader> {
        let source = if let Some(bytes) = self.read_packed(EntryKind::Blob, blob.digest())? {
            Source::Memory(bytes)
        } else {
            let large = self.large_blob(blob)?;
            Source::File(large.ok_or(StoreError::MissingBlob { blob: *blob })?.1)
        };
        Ok(BlobReader { source, offset: 0 })
    }

    /// The directory at the root of a tree.
    pub fn directory(&self, tree: &TreeId) -> Result<Arc<Directory>> {
        if let Some(directory) = lock(&self.directories).get(tree) {
            return Ok(directory.clone());
        }
        let encoding = self
            .read_packed(EntryKind::Directory, tree.digest())?
            .ok_or(StoreError::MissingTree { tree: *tree })?;
        let directory = Arc::new(Directory::decode(&encoding)?);
        self.cache_directory(*tree, &directory);
        Ok(directory)
    }

    /// What stands at a path of a tree; symlinks are not followed.
    pub fn find(&self, tree: &TreeId, path: &RootPath) -> Result<Option<Node>> {
        let mut node = Node::Directory { tree: *tree };
        for part in path.parts() {
            let Node::Directory { tree } = &node else {
                return Ok(None);
            };
            match self.directory(tree)?.find(part) {
                Some(found) => node = found.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// Reads an object of a pack; nothing when it is in none.
    pub(crate) fn read_packed(&self, kind: EntryKind, id: &Digest) -> Result<Option<Vec<u8>>> {
        for _ in 0..ATTEMPTS_MAX {
            let location = match lock(&self.writer).find(id) {
                Some(Unpublished::Buffered(found, bytes)) => {
                    return Ok((found == kind).then_some(bytes));
                }
                Some(Unpublished::Written(location)) => Some(location),
                None => None,
            };
            let location = match location {
                Some(location) => location,
                None => match self.index()?.object(id)? {
                    Some(location) => location,
                    None => return Ok(None),
                },
            };
            if location.kind != kind {
                return Ok(None);
            }
            // A collection may move an object to another pack between look-up and opening.
            if let Some(file) = self.reader(location.pack)? {
                return pack::read(self, &file, id, &location).map(Some);
            }
        }
        Err(StoreError::Contended)
    }

    fn reader(&self, number: u64) -> Result<Option<Arc<OwnedFd>>> {
        let mut readers = lock(&self.readers);
        if let Some(file) = readers.get(&number) {
            return Ok(Some(file.clone()));
        }
        let path = pack::path_of(number);
        let Some(file) = self.disk.open_if_there(self.root(), &path, Access::Read)? else {
            return Ok(None);
        };
        if readers.len() >= READERS_MAX {
            readers.clear();
        }
        let file = Arc::new(file);
        readers.insert(number, file.clone());
        Ok(Some(file))
    }

    /// Whether a tree and everything below it is in the store.
    pub fn has_tree_complete(&self, tree: &TreeId) -> Result<bool> {
        let sweep = self.session.sweep(&self.disk)?;
        let mut known = {
            let mut complete = lock(&self.complete);
            if complete.sweep != sweep || !sweep.is_settled() {
                complete.trees.clear();
                complete.sweep = sweep;
            }
            if complete.trees.contains(tree) {
                return Ok(true);
            }
            // Others that ask meanwhile find less, and nobody waits for a long walk.
            std::mem::take(&mut complete.trees)
        };
        let answer = self.is_complete(tree, &mut known);
        let mut complete = lock(&self.complete);
        if complete.sweep == sweep {
            known.append(&mut complete.trees);
            complete.trees = known;
        }
        answer
    }

    /// As [`Self::has_tree_complete`], without relying on earlier answers.
    pub(crate) fn is_tree_complete_now(&self, tree: &TreeId) -> Result<bool> {
        self.is_complete(tree, &mut std::collections::BTreeSet::new())
    }

    fn is_complete(
        &self,
        tree: &TreeId,
        known: &mut std::collections::BTreeSet<TreeId>,
    ) -> Result<bool> {
        if known.contains(tree) {
            return Ok(true);
        }
        if !self.has_packed(tree.digest())? {
            return Ok(false);
        }
        let directory = match self.directory(tree) {
            Ok(directory) => directory,
            Err(StoreError::MissingTree { .. } | StoreError::Damaged { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        for entry in directory.entries() {
            let is_there = match &entry.node {
                Node::File { blob, .. } => self.has_blob(blob)?,
                Node::Symlink { .. } => true,
                Node::Directory { tree } => self.is_complete(tree, known)?,
            };
            if !is_there {
                return Ok(false);
            }
        }
        known.insert(*tree);
        Ok(true)
    }

    /// The id of the bytes of a file.
    pub(crate) fn hash_file(&self, at: std::os::fd::BorrowedFd<'_>, path: &[u8]) -> Result<BlobId> {
        let file = self.disk.open_read(at, path)?;
        let mut hasher = stxl_model::BlobHasher::default();
        let mut buffer = vec![0; 1024 * 1024];
        let mut offset = 0;
        loop {
            let count = self.disk.read_at(&file, path, &mut buffer, offset)?;
            if count == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(&buffer[..count]);
            offset += count as u64;
        }
    }

    /// Syncs every large blob that is not at its final place yet and puts it there.
    pub(crate) fn sync_staged_blobs(&self) -> Result<()> {
        let path = format!("staging/{}", self.boot).into_bytes();
        if self.disk.stat_at(self.root(), &path)?.is_none() {
            return Ok(());
        }
        let directory = self.disk.open_dir(self.root(), &path)?;
        for entry in self.disk.list(directory.as_fd(), &path)? {
            let Some(Ok(id)) = std::str::from_utf8(&entry.name).ok().map(BlobId::parse) else {
                continue;
            };
            let from = self.staging_path(&id);
            // Another process that commits may have been faster.
            let Some(file) = self.disk.open_if_there(self.root(), &from, Access::Read)? else {
                continue;
            };
            self.disk.sync(&file, &from)?;
            match self.place_blob(&from, &id) {
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }
}

pub(crate) fn damaged_file(path: &[u8]) -> StoreError {
    StoreError::Damaged {
        path: String::from_utf8_lossy(path).into_owned(),
        offset: 0,
        what: "the bytes that belong to the digest in its name",
    }
}
