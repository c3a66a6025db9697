//! Unsaved buffers of an editor over another source tree.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use stxl_lang::{SourceError, SourcePath, SourceTree};
use stxl_model::{LeftOut, PackageLabel, TreeId};

use super::{EntryKind, FileDigest, Stamp, WorkspaceTree};
use crate::directory_import::{DirectoryImportError, import_by_names};

/// Buffers over another tree. A buffer hides the file below it; a buffer without a file below
/// appears in listings.
pub struct BufferedTree {
    below: Arc<dyn WorkspaceTree>,
    buffers: RwLock<BTreeMap<SourcePath, Arc<[u8]>>>,
}

impl BufferedTree {
    /// Buffers, none yet, over a tree.
    pub fn new(below: Arc<dyn WorkspaceTree>) -> Self {
        Self {
            below,
            buffers: RwLock::default(),
        }
    }

    /// Opens or changes a buffer.
    pub fn open(&self, path: &SourcePath, text: &str) {
        let mut buffers = self.buffers.write().unwrap_or_else(PoisonError::into_inner);
        buffers.insert(path.clone(), text.as_bytes().into());
    }

    /// Closes a buffer: the file below is seen again.
    pub fn close(&self, path: &SourcePath) {
        let mut buffers = self.buffers.write().unwrap_or_else(PoisonError::into_inner);
        buffers.remove(path);
    }

    fn buffer(&self, path: &SourcePath) -> Option<Arc<[u8]>> {
        let buffers = self.buffers.read().unwrap_or_else(PoisonError::into_inner);
        buffers.get(path).cloned()
    }

    fn has_buffers_below(&self, folder: &SourcePath) -> bool {
        let prefix = format!("{folder}/");
        let buffers = self.buffers.read().unwrap_or_else(PoisonError::into_inner);
        buffers
            .keys()
            .any(|buffer| buffer.as_str().starts_with(&prefix))
    }
}

impl SourceTree for BufferedTree {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        self.buffer(path).map_or_else(|| self.below.read(path), Ok)
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        let mut names = self.below.list(path)?;
        let prefix = format!("{path}/");
        let buffers = self.buffers.read().unwrap_or_else(PoisonError::into_inner);
        for buffer in buffers.keys() {
            if let Some(rest) = buffer.as_str().strip_prefix(&prefix) {
                names.push(match rest.split_once('/') {
                    Some((folder, _)) => format!("{folder}/"),
                    None => rest.to_owned(),
                });
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl WorkspaceTree for BufferedTree {
    fn kind(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        if let Some(buffer) = self.buffer(path) {
            return Ok(EntryKind::File {
                size_bytes: buffer.len() as u64,
                executable: false,
            });
        }
        if self.has_buffers_below(path) {
            return Ok(EntryKind::Directory);
        }
        self.below.kind(path)
    }

    fn kind_behind_links(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        if self.buffer(path).is_some() || self.has_buffers_below(path) {
            return self.kind(path);
        }
        self.below.kind_behind_links(path)
    }

    fn digest(&self, path: &SourcePath) -> Result<FileDigest, SourceError> {
        self.buffer(path).map_or_else(
            || self.below.digest(path),
            |buffer| Ok(FileDigest::of(&buffer)),
        )
    }

    /// Of a buffer there is no stamp.
    fn read_stamped(&self, path: &SourcePath) -> Result<(Arc<[u8]>, Option<Stamp>), SourceError> {
        let buffer = self.buffer(path).map(|bytes| (bytes, None));
        buffer.map_or_else(|| self.below.read_stamped(path), Ok)
    }

    fn directory(
        &self,
        path: &SourcePath,
        left_out: &LeftOut,
    ) -> Result<TreeId, DirectoryImportError> {
        if self.has_buffers_below(path) {
            return import_by_names(self, path, left_out);
        }
        self.below.directory(path, left_out)
    }

    fn overridden(&self) -> Vec<PackageLabel> {
        self.below.overridden()
    }

    fn allow_folder(&self, name: &str) {
        self.below.allow_folder(name);
    }
}
