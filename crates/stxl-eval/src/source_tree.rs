//! Where the workspace's files come from: disk, memory, or buffers over either.
//!
//! [`WorkspaceTree`] adds to the language's door what planning needs beside text: kinds, executable
//! bits and symlinks. `std::fs` and path resolution appear in `disk` only.

mod buffers;
mod disk;
mod memory;

use stxl_lang::{SourceError, SourcePath, SourceTree};

pub use buffers::BufferedTree;
pub(crate) use disk::Stamp;
pub use disk::{DiskSourceTree, OpenWorkspaceError};
pub use memory::MemoryTree;

/// Longest text of a definition, in bytes; longer ones are a diagnostic, not read.
pub const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Whether a file is a definition or a library of them, by its name.
pub(crate) fn is_definition(path: &SourcePath) -> bool {
    path.as_str()
        .rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "rhai")
}

/// Longest file that is imported, in bytes.
pub const IMPORT_BYTES_MAX: u64 = 256 << 20;

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// How many bytes.
        size_bytes: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// What it points to.
        target: Vec<u8>,
    },
}

/// A source tree that also tells what its entries are.
///
/// Implemented by the disk, by a map in memory, and by buffers over another one. All of them refuse
/// paths that lead out of the workspace and the folders it was opened with.
pub trait WorkspaceTree: SourceTree {
    /// What a path stands for; a link on the way is followed inside the workspace, one at the end
    /// is answered as itself.
    fn kind(&self, path: &SourcePath) -> Result<EntryKind, SourceError>;

    /// Also answers for a folder outside of the workspace (an overlay), under the name it is
    /// written with. A folder that is not there stays without files.
    fn allow_folder(&self, name: &str);
}
