//! Where the workspace's files come from: disk, memory, or buffers over either.
//!
//! [`WorkspaceTree`] adds to the language's door what planning needs beside text: kinds, executable
//! bits and symlinks. `std::fs` and path resolution appear in `disk` only.

mod buffers;
mod disk;
mod memory;
mod overrides;

use std::sync::Arc;

use stxl_lang::{SourceError, SourcePath, SourceTree};
use stxl_model::{BlobId, LeftOut, PackageLabel, TreeId};

use crate::directory_import::DirectoryImportError;

pub use buffers::BufferedTree;
pub(crate) use disk::ListedFolder;
pub use disk::{DiskSourceTree, OpenWorkspaceError, Stamp};
pub use memory::MemoryTree;
pub use overrides::OVERRIDE_LAYER;
pub(crate) use overrides::{is_overriding, override_path};

/// Longest text that is read, in bytes: of a definition, a script, a seed. Longer ones are a
/// diagnostic. Files that are imported are of any size: their bytes are hashed and not kept.
pub const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Whether a file is a definition or a library of them, by its name.
pub(crate) fn is_definition(path: &SourcePath) -> bool {
    path.as_str()
        .rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "rhai")
}

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

/// The bytes of a file, by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// The digest.
    pub blob: BlobId,
    /// How many bytes.
    pub size_bytes: u64,
}

impl FileDigest {
    /// The digest of bytes in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            blob: BlobId::of(bytes),
            size_bytes: bytes.len() as u64,
        }
    }
}

/// A source tree that also tells what its entries are.
///
/// Implemented by the disk, by a map in memory, and by buffers over another one. All of them refuse
/// paths that lead out of the workspace and the folders it was opened with.
pub trait WorkspaceTree: SourceTree {
    /// What a path stands for; a link on the way is followed inside the workspace, one at the end
    /// is answered as itself.
    fn kind(&self, path: &SourcePath) -> Result<EntryKind, SourceError>;

    /// As [`Self::kind`], but a link at the end is followed inside the workspace too.
    fn kind_behind_links(&self, path: &SourcePath) -> Result<EntryKind, SourceError>;

    /// The digest of a file of any size; its bytes are not kept.
    fn digest(&self, path: &SourcePath) -> Result<FileDigest, SourceError>;

    /// The bytes of a file and the stamp it had just before; none if it is not read from a disk.
    fn read_stamped(&self, path: &SourcePath) -> Result<(Arc<[u8]>, Option<Stamp>), SourceError> {
        self.read(path).map(|bytes| (bytes, None))
    }

    /// As [`Self::digest`], with the stamp the file had just before.
    fn digest_stamped(
        &self,
        path: &SourcePath,
    ) -> Result<(FileDigest, Option<Stamp>), SourceError> {
        self.digest(path).map(|digest| (digest, None))
    }

    /// What each of these entries of a folder holds under a name, as [`Self::kind`] tells it.
    fn kinds_inside(
        &self,
        folder: &SourcePath,
        entries: &[&str],
        name: &str,
    ) -> Vec<Result<EntryKind, SourceError>> {
        let path = |entry: &&str| SourcePath::new(&format!("{folder}/{entry}/{name}"));
        entries
            .iter()
            .map(|entry| self.kind(&path(entry)))
            .collect()
    }

    /// The tree of a directory with all below it but what is left out. Links in it are not
    /// followed.
    fn directory(
        &self,
        path: &SourcePath,
        left_out: &LeftOut,
    ) -> Result<TreeId, DirectoryImportError>;

    /// The packages over which a text of the request lies. What is made of memory has none.
    fn overridden(&self) -> Vec<PackageLabel> {
        Vec::new()
    }

    /// Also answers for a folder outside of the workspace (an overlay), under the name it is
    /// written with. A folder that is not there stays without files.
    fn allow_folder(&self, name: &str);
}
