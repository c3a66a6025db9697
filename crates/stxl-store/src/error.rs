//! What every operation of the store can fail with: the disk, the index, damage, absence.

use std::io;
use std::path::Path;

use rustix::io::Errno;
use stxl_model::{BlobId, TreeId};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused an operation.
    #[error("cannot {operation} `{path}`: {source}")]
    Io {
        /// What was attempted, such as `write`.
        operation: &'static str,
        /// The path, inside the store unless it is absolute.
        path: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The store's directory cannot be written, and even reading takes locks in it.
    #[error(
        "the store `{path}` cannot be written, and even reading it takes locks in it: {source}"
    )]
    NotWritable {
        /// The directory of the store.
        path: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The index answered with an error.
    #[error("the index `index.db` failed to {operation}: {source}")]
    Index {
        /// What was attempted.
        operation: &'static str,
        /// What the database answered.
        source: rusqlite::Error,
    },
    /// The directory is no store, and not empty.
    #[error("`{path}` is no store: it holds `{found}`")]
    NotAStore {
        /// The directory.
        path: String,
        /// What lies in it.
        found: String,
    },
    /// The store was written by a later version.
    #[error(
        "the store has format {found}, this version reads up to {supported}: use a newer version"
    )]
    Newer {
        /// The format found.
        found: u32,
        /// The newest format that is understood.
        supported: u32,
    },
    /// A file or object is not what its checksum says.
    #[error("`{path}` is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file, inside the store.
        path: String,
        /// Where.
        offset: u64,
        /// What was expected.
        what: &'static str,
    },
    /// A blob is not in the store.
    #[error("the blob {blob} is not in the store")]
    MissingBlob {
        /// The blob.
        blob: BlobId,
    },
    /// A directory is not in the store.
    #[error("the directory {tree} is not in the store")]
    MissingTree {
        /// The tree whose root it is.
        tree: TreeId,
    },
    /// Entries do not form a directory.
    #[error(transparent)]
    Tree(#[from] stxl_model::TreeError),
    /// Whoever asked for the operation called it off.
    #[error("the operation was called off")]
    Cancelled,
    /// Collections came between the parts of an operation again and again.
    #[error("collections of garbage kept removing what was being stored")]
    Contended,
}

impl StoreError {
    pub(crate) fn io(operation: &'static str, path: &[u8], errno: Errno) -> Self {
        Self::Io {
            operation,
            path: String::from_utf8_lossy(path).into_owned(),
            source: errno.into(),
        }
    }

    pub(crate) fn index(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Index { operation, source }
    }

    /// Says which store it is that cannot be written, if this is what is wrong.
    pub(crate) fn naming_store(self, store: &Path) -> Self {
        match self {
            Self::Io { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
                ) =>
            {
                Self::NotWritable {
                    path: store.display().to_string(),
                    source,
                }
            }
            Self::NotAStore { found, .. } => Self::NotAStore {
                path: store.display().to_string(),
                found,
            },
            other => other,
        }
    }

    /// Whether the disk, or the quota on it, is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                let code = source.raw_os_error();
                code == Some(Errno::NOSPC.raw_os_error())
                    || code == Some(Errno::DQUOT.raw_os_error())
            }
            Self::Index { source, .. } => {
                let shared_memory_could_not_grow = source.sqlite_error().is_some_and(|error| {
                    error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
                });
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
                    || shared_memory_could_not_grow
            }
            _ => false,
        }
    }

    /// Whether more room on the disk may help. The database tells a file that could not be made or
    /// grow from other errors of the disk only in part.
    pub(crate) fn may_want_room(&self) -> bool {
        let code = match self {
            Self::Index { source, .. } => source.sqlite_error_code(),
            _ => None,
        };
        self.is_disk_full()
            || matches!(
                code,
                Some(rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::CannotOpen)
            )
    }
}
