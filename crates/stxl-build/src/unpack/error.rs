//! Why an archive is not taken apart.

use std::io;

use stxl_model::RootPath;
use stxl_store::StoreError;

use super::limits::{
    LZMA_MEMORY_BYTES_MAX, NAME_BYTES_MAX, NODES_MAX, RATIO_BYTES_MIN, RATIO_MAX,
    UNPACKED_BYTES_MAX, ZSTD_WINDOW_LOG_MAX,
};

/// Why an archive could not be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The input is not the tree of a single file.
    #[error("the input of an unpack is not a single file")]
    NotAFile,
    /// The format, or its compression, is not read.
    #[error("{what} is not read: unpack it in a step with a program that can")]
    Unsupported {
        /// The format.
        what: String,
    },
    /// The bytes are not an archive, or end too early.
    #[error("the archive is malformed: {reason}")]
    Malformed {
        /// What the reader found.
        reason: String,
    },
    /// An entry is written in a way that programs read differently, or not at all.
    #[error("`{path}` in the archive {reason}")]
    BadEntry {
        /// The path as written.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An entry leads out of the archive or has no usable name.
    #[error("the archive names `{path}`: {reason}")]
    BadPath {
        /// The path as written.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An entry is of a kind that a tree cannot hold.
    #[error("`{path}` in the archive is {what}; a tree holds files, symlinks and directories only")]
    BadKind {
        /// The path as written.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Two entries are in each other's way.
    #[error("`{path}` in the archive {what}")]
    Clash {
        /// The path.
        path: RootPath,
        /// How.
        what: &'static str,
    },
    /// A hard link names no file before it.
    #[error("`{path}` in the archive is a hard link to `{target}`, which is no file before it")]
    BadHardLink {
        /// The link.
        path: RootPath,
        /// What it names.
        target: String,
    },
    /// Every entry lies above what is kept.
    #[error(
        "nothing is left of the archive without the first {strip_components} parts of its paths: give fewer, such as 0"
    )]
    NothingLeft {
        /// How many parts are dropped.
        strip_components: u32,
    },
    /// The archive asks for more than it may.
    #[error("the archive {limit}{}", at_entry(.path.as_deref()))]
    Limit {
        /// Which limit.
        limit: Limit,
        /// The entry at which it was exceeded, where it is known.
        path: Option<String>,
    },
}

/// What an archive may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Bytes of all files.
    #[error("unpacks to more than {} GiB", UNPACKED_BYTES_MAX >> 30)]
    Bytes,
    /// Bytes for one byte of the archive.
    #[error(
        "unpacks to more than {} MiB and more than {RATIO_MAX} times its size",
        RATIO_BYTES_MIN >> 20
    )]
    Ratio,
    /// Files, symlinks and directories.
    #[error("has more than {NODES_MAX} files, symlinks and directories")]
    Nodes,
    /// Bytes of all names.
    #[error("has names of more than {} MiB", NAME_BYTES_MAX >> 20)]
    Names,
    /// Memory of the decoder of xz or lzip.
    #[error(
        "needs more than {} MiB of memory to be decompressed",
        LZMA_MEMORY_BYTES_MAX >> 20
    )]
    LzmaMemory,
    /// The window of a zstd frame.
    #[error(
        "has a zstd window of more than {} MiB",
        1 << (ZSTD_WINDOW_LOG_MAX - 20)
    )]
    ZstdWindow,
}

fn at_entry(path: Option<&str>) -> String {
    path.map_or_else(String::new, |path| format!("; it got to `{path}`"))
}

impl From<Limit> for UnpackError {
    fn from(limit: Limit) -> Self {
        Self::Limit { limit, path: None }
    }
}

impl UnpackError {
    /// Bytes that are not what they have to be.
    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }

    /// An entry that is not what it has to be.
    pub(super) fn bad_entry(path: &[u8], reason: impl Into<String>) -> Self {
        Self::BadEntry {
            path: shown(path),
            reason: reason.into(),
        }
    }

    /// Names the entry that was being read, if the error names none.
    pub(super) fn at(self, path: &[u8]) -> Self {
        match self {
            Self::Limit { limit, path: None } => Self::Limit {
                limit,
                path: Some(shown(path)),
            },
            Self::Malformed { reason } => Self::Malformed {
                reason: format!("{reason}; it got to `{}`", shown(path)),
            },
            other => other,
        }
    }
}

/// A reader of ours fails with an error of ours; any other is of the bytes it was given.
impl From<io::Error> for UnpackError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::malformed(error.to_string()),
        }
    }
}

/// Readers in between pass it on.
impl From<UnpackError> for io::Error {
    fn from(error: UnpackError) -> Self {
        Self::other(error)
    }
}

/// A path of an archive as it is shown.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// What ends the reading of an archive.
#[derive(Debug)]
pub(super) enum Stop {
    Archive(UnpackError),
    Store(StoreError),
}

impl From<UnpackError> for Stop {
    fn from(error: UnpackError) -> Self {
        Self::Archive(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Archive(error.into())
    }
}
