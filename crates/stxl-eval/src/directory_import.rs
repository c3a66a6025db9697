//! The tree of a directory of the workspace, by content.

use globset::{Glob, GlobSet, GlobSetBuilder};
use stxl_lang::{SourceError, SourcePath};
use stxl_model::{BlobId, Directory, Entry, Node, TreeError, TreeId};

use crate::source_tree::{EntryKind, WorkspaceTree};

/// Deepest directory that is imported.
const DEPTH_MAX: u32 = 256;

/// Why a directory cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryImportError {
    /// A path cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A name or link cannot stand in a tree.
    #[error("`{path}`: {error}")]
    Tree { path: SourcePath, error: TreeError },
    /// Directories are nested too deeply.
    #[error("`{path}` lies more than {DEPTH_MAX} directories deep")]
    TooDeep { path: SourcePath },
    /// A pattern of what is left out is not a glob.
    #[error("`{glob}` is not a glob: {reason}")]
    BadGlob { glob: String, reason: String },
}

/// Reads a directory with all below it. What is left out is named by globs: one without `/` is
/// matched with every name at any depth, one with `/` with the path below the directory.
pub(crate) fn import_directory(
    tree: &dyn WorkspaceTree,
    path: &SourcePath,
    ignore: &[String],
) -> Result<TreeId, DirectoryImportError> {
    let mut globs = GlobSetBuilder::new();
    for pattern in ignore {
        let anchored = if pattern.contains('/') {
            pattern.trim_start_matches('/').to_owned()
        } else {
            format!("**/{pattern}")
        };
        globs.add(Glob::new(&anchored).map_err(|error| bad_glob(pattern, &error))?);
    }
    let ignored = globs.build().map_err(|error| bad_glob("", &error))?;
    let import = DirectoryImport { tree, ignored };
    import.read(path, "", 0).map(|directory| directory.id())
}

fn bad_glob(glob: &str, error: &globset::Error) -> DirectoryImportError {
    DirectoryImportError::BadGlob {
        glob: glob.to_owned(),
        reason: error.kind().to_string(),
    }
}

struct DirectoryImport<'t> {
    tree: &'t dyn WorkspaceTree,
    ignored: GlobSet,
}

impl DirectoryImport<'_> {
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
            if self.ignored.is_match(&relative) {
                continue;
            }
            let entry_path = SourcePath::new(&format!("{path}/{name}"));
            let node = match self.tree.kind(&entry_path)? {
                EntryKind::File { executable, .. } => {
                    let bytes = self.tree.read(&entry_path)?;
                    let size_bytes = bytes.len() as u64;
                    Node::File {
                        blob: BlobId::of(&bytes),
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
