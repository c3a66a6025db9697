//! The one door through which text of the workspace comes in.

use std::fmt;
use std::sync::Arc;

/// A path of a file that definitions can name, as shown to people and used as its identity:
/// `stages/core/zlib/package.rhai` and `lib/go_app.rhai` (relative to the workspace),
/// `<overlay>/core/zlib/package.rhai` (the overlay's path as written in `stxl.toml`),
/// `stdlib/script.rhai` (embedded). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePath(Arc<str>);

/// Why a file's bytes cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("`{path}` does not exist")]
    NotFound {
        /// The path as asked for.
        path: SourcePath,
    },
    /// It is there and cannot be read.
    #[error("`{path}` cannot be read: {reason}")]
    Unreadable {
        /// The path as asked for.
        path: SourcePath,
        /// What the system said.
        reason: String,
    },
}

/// Answers for every file the language may read. Implemented by the disk, by the disk under an
/// editor's unsaved buffers, and by a map in memory; all of them answer the same question the same
/// way for as long as one evaluation lasts.
pub trait SourceTree: Send + Sync {
    /// The bytes of a file.
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError>;

    /// The names in a directory, sorted; directories end in `/`. A missing directory is empty.
    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError>;
}

impl SourcePath {
    /// Wraps a path that is known to be normalised.
    pub fn new(path: &str) -> Self {
        Self(path.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder that holds the file; empty for a file at the top.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The name of the file in its folder.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl fmt::Display for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
