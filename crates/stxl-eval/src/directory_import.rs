//! The tree of a directory of the workspace, by content: the walk over a source tree that knows its
//! files by name only.

use stxl_lang::{SourceError, SourcePath};
use stxl_model::{Directory, Entry, LeftOut, Node, PatternError, TreeError, TreeId};

use crate::source_tree::{EntryKind, FileDigest, WorkspaceTree};

/// Deepest directory that is imported.
pub(crate) const DEPTH_MAX: u32 = 256;

/// Why a directory cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryImportError {
    /// A path cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A name or link cannot stand in a tree.
    #[error("`{path}`: {error}")]
    Tree {
        /// The directory.
        path: SourcePath,
        /// What is wrong.
        error: TreeError,
    },
    /// Directories are nested too deeply.
    #[error("`{path}` lies more than {DEPTH_MAX} directories deep")]
    TooDeep {
        /// The directory.
        path: SourcePath,
    },
    /// A pattern of what is left out is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Reads a directory with all below it, name by name.
pub(crate) fn import_by_names(
    tree: &dyn WorkspaceTree,
    path: &SourcePath,
    left_out: &LeftOut,
) -> Result<TreeId, DirectoryImportError> {
    let import = ImportByNames { tree, left_out };
    import.read(path, "", 0).map(|directory| directory.id())
}

struct ImportByNames<'t> {
    tree: &'t dyn WorkspaceTree,
    left_out: &'t LeftOut,
}

impl ImportByNames<'_> {
    fn read(
        &self,
        path: &SourcePath,
        below: &str,
        depth: u32,
    ) -> Result<Directory, DirectoryImportError> {
        if depth > DEPTH_MAX {
            return Err(DirectoryImportError::TooDeep { path: path.clone() });
        }
        let mut entries = Vec::new();
        for listed in self.tree.list(path)? {
            let name = listed.trim_end_matches('/');
            let relative = if below.is_empty() {
                name.to_owned()
            } else {
                format!("{below}/{name}")
            };
            let entry_path = SourcePath::new(&format!("{path}/{name}"));
            let kind = self.tree.kind(&entry_path);
            let is_left_out = if matches!(kind, Ok(EntryKind::Directory)) {
                self.left_out.is_directory_left_out(relative.as_bytes())
            } else {
                self.left_out.is_file_left_out(relative.as_bytes())
            };
            if is_left_out {
                continue;
            }
            let node = match kind? {
                EntryKind::File { executable, .. } => {
                    let FileDigest { blob, size_bytes } = self.tree.digest(&entry_path)?;
                    Node::File {
                        blob,
                        size_bytes,
                        executable,
                    }
                }
                EntryKind::Directory => {
                    let directory = self.read(&entry_path, &relative, depth + 1)?;
                    Node::Directory {
                        tree: directory.id(),
                    }
                }
                EntryKind::Symlink { target } => Node::Symlink { target },
            };
            entries.push(Entry {
                name: name.as_bytes().to_vec(),
                node,
            });
        }
        let wrong = |error| DirectoryImportError::Tree {
            path: path.clone(),
            error,
        };
        Directory::new(entries).map_err(wrong)
    }
}
