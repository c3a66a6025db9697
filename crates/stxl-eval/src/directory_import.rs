//! The tree of a directory of the workspace, by content: what is left out, and the walk over a
//! source tree that knows its files by name only.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use stxl_lang::{SourceError, SourcePath};
use stxl_model::{Directory, Entry, Node, TreeError, TreeId};

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
    /// A pattern of what is left out is not a glob.
    #[error("`{glob}` is not a glob: {reason}")]
    BadGlob {
        /// The pattern.
        glob: String,
        /// What is wrong.
        reason: String,
    },
}

/// What is left out of a directory: paths below it that match a glob.
#[derive(Clone, Debug)]
pub struct LeftOut(GlobSet);

impl LeftOut {
    /// Compiles patterns: one without `/` is matched with every name at any depth, one with `/`
    /// with the path below the directory; `*` does not match `/`.
    pub fn new(patterns: &[String]) -> Result<Self, DirectoryImportError> {
        let bad = |glob: &str, error: &globset::Error| DirectoryImportError::BadGlob {
            glob: glob.to_owned(),
            reason: error.kind().to_string(),
        };
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = GlobBuilder::new(&anchored(pattern))
                .literal_separator(true)
                .build();
            globs.add(glob.map_err(|error| bad(pattern, &error))?);
        }
        let globs = globs.build().map_err(|error| bad("", &error))?;
        Ok(Self(globs))
    }

    /// Whether a path below the directory is left out.
    pub fn matches(&self, below: &[u8]) -> bool {
        use std::os::unix::ffi::OsStrExt as _;
        !self.0.is_empty()
            && self
                .0
                .is_match(Path::new(std::ffi::OsStr::from_bytes(below)))
    }
}

/// A pattern as a glob over the whole path below the directory, which is how plans have it.
pub(crate) fn anchored(pattern: &str) -> String {
    if pattern.contains('/') {
        pattern.to_owned()
    } else {
        format!("**/{pattern}")
    }
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
            if self.left_out.matches(relative.as_bytes()) {
                continue;
            }
            let entry_path = SourcePath::new(&format!("{path}/{name}"));
            let node = match self.tree.kind(&entry_path)? {
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
