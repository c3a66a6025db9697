//! A workspace in memory, for tests and tools that generate text.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use stxl_lang::{SourceError, SourcePath, SourceTree};
use stxl_model::{LeftOut, TreeId};

use super::{EntryKind, FileDigest, WorkspaceTree};
use crate::directory_import::{DirectoryImportError, import_by_names};

/// Files by path. Can be changed between two evaluations, not during one.
#[derive(Default)]
pub struct MemoryTree {
    files: RwLock<BTreeMap<String, Arc<[u8]>>>,
}

impl MemoryTree {
    /// An empty workspace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(path.to_owned(), content.as_ref().into());
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.remove(path);
    }

    fn find(&self, path: &SourcePath) -> Option<Arc<[u8]>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(path.as_str()).cloned()
    }
}

impl SourceTree for MemoryTree {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        self.find(path)
            .ok_or_else(|| SourceError::NotFound { path: path.clone() })
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        let prefix = match path.as_str() {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = Vec::new();
        for file in files.range(prefix.clone()..).map(|(file, _)| file) {
            let Some(rest) = file.strip_prefix(&prefix) else {
                break;
            };
            let name = match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            };
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }
}

impl WorkspaceTree for MemoryTree {
    fn kind(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        if let Some(content) = self.find(path) {
            return Ok(EntryKind::File {
                size_bytes: content.len() as u64,
                executable: false,
            });
        }
        let prefix = format!("{path}/");
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        match files.range(prefix.clone()..).next() {
            Some((file, _)) if file.starts_with(&prefix) => Ok(EntryKind::Directory),
            _ => Err(SourceError::NotFound { path: path.clone() }),
        }
    }

    /// There are no links.
    fn kind_behind_links(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        self.kind(path)
    }

    fn digest(&self, path: &SourcePath) -> Result<FileDigest, SourceError> {
        self.read(path).map(|bytes| FileDigest::of(&bytes))
    }

    fn directory(
        &self,
        path: &SourcePath,
        left_out: &LeftOut,
    ) -> Result<TreeId, DirectoryImportError> {
        import_by_names(self, path, left_out)
    }

    /// Nothing to do: all files are in memory, whatever their names.
    fn allow_folder(&self, _name: &str) {}
}
