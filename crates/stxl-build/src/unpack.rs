//! Archives taken apart: tar, plain or compressed with gzip, read strictly.
//!
//! Nothing is written to a file system: entries become blobs and a tree in memory, so there is no
//! path that a hostile archive could follow. What a tree cannot hold is refused, not left out.

use std::io::{self, BufRead as _, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use stxl_model::{ArchiveFormat, FILE_ENTRY, Node, PlanNode, RootPath, TreeId, Unpack};
use stxl_store::{Store, StoreError};
use tar::EntryType;

use crate::draft::{Draft, DraftError};
use crate::failure::FailureCause;
use crate::scratch::{BlobStop, put_reader};
use crate::worker::{Ended, Product, failed, store_end};

/// How deep directories of an archive may lie in one another.
const DEPTH_MAX: usize = 250;

/// How many bytes an archive may unpack to.
const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// Why an archive could not be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The input is not the tree of a single file.
    #[error("the input of an unpack is not a single file")]
    NotAFile,
    /// The format, or its compression, is not read by this version.
    #[error("{what} is not read by this version: unpack it in a step with a program that can")]
    Unsupported {
        /// The format.
        what: &'static str,
    },
    /// The bytes are not an archive, or end too early.
    #[error("the archive is malformed: {reason}")]
    Malformed {
        /// What the reader found.
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
        /// The path.
        path: RootPath,
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
        target: RootPath,
    },
    /// The archive unpacks to more than is allowed.
    #[error("the archive unpacks to more than {} GiB", UNPACKED_BYTES_MAX >> 30)]
    TooLarge,
}

/// What ends the reading of an archive.
enum Stop {
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

/// Takes an archive apart.
pub(crate) fn unpack(store: &Store, recipe: &Unpack<TreeId>, node: &PlanNode) -> Ended<Product> {
    let mut warnings = Vec::new();
    match unpack_tree(store, recipe, &mut warnings) {
        Ok(tree) => Ok(Product {
            tree,
            log: None,
            warnings,
        }),
        Err(Stop::Archive(error)) => Err(failed(FailureCause::Unpack(error))),
        Err(Stop::Store(source)) => Err(store_end(node, source)),
    }
}

fn unpack_tree(
    store: &Store,
    recipe: &Unpack<TreeId>,
    warnings: &mut Vec<String>,
) -> Result<TreeId, Stop> {
    match recipe.format {
        ArchiveFormat::Tar => {}
        ArchiveFormat::Cpio => return Err(UnpackError::Unsupported { what: "cpio" }.into()),
        ArchiveFormat::Zip => return Err(UnpackError::Unsupported { what: "zip" }.into()),
    }
    let directory = store.directory(&recipe.archive)?;
    let Some(Node::File { blob, .. }) = directory.find(FILE_ENTRY) else {
        return Err(UnpackError::NotAFile.into());
    };
    let mut reader = BufReader::with_capacity(256 * 1024, store.open_blob(blob)?);
    let first = reader.fill_buf().map_err(malformed)?;
    match compression_of(first) {
        Compression::None => read_tar(store, reader, recipe.strip_components, warnings),
        Compression::Gzip => {
            let reader = MultiGzDecoder::new(reader);
            read_tar(store, reader, recipe.strip_components, warnings)
        }
        Compression::Other(what) => Err(UnpackError::Unsupported { what }.into()),
    }
}

enum Compression {
    None,
    Gzip,
    Other(&'static str),
}

fn compression_of(first: &[u8]) -> Compression {
    const MARKS: [(&[u8], &str); 5] = [
        (b"\xfd7zXZ\0", "tar compressed with xz"),
        (b"BZh", "tar compressed with bzip2"),
        (b"\x28\xb5\x2f\xfd", "tar compressed with zstd"),
        (b"LZIP", "tar compressed with lzip"),
        (b"\x1f\x9d", "tar compressed with compress"),
    ];
    if first.starts_with(b"\x1f\x8b") {
        return Compression::Gzip;
    }
    let other = MARKS.iter().find(|(mark, _)| first.starts_with(mark));
    other.map_or(Compression::None, |(_, what)| Compression::Other(what))
}

fn read_tar(
    store: &Store,
    reader: impl Read,
    strip_components: u32,
    warnings: &mut Vec<String>,
) -> Result<TreeId, Stop> {
    let mut archive = tar::Archive::new(reader);
    let mut draft = Draft::default();
    let mut unpacked_bytes = 0_u64;
    for entry in archive.entries().map_err(malformed)? {
        let mut entry = entry.map_err(malformed)?;
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            continue;
        }
        let Some(path) = path_of(&entry.path_bytes(), strip_components)? else {
            continue;
        };
        let mode = entry.header().mode().map_err(malformed)?;
        let added = match kind {
            EntryType::Directory => draft.make_directory(&path).map(drop),
            EntryType::Regular | EntryType::Continuous => {
                let size_bytes = entry.size();
                unpacked_bytes = unpacked_bytes.saturating_add(size_bytes);
                if unpacked_bytes > UNPACKED_BYTES_MAX {
                    return Err(UnpackError::TooLarge.into());
                }
                if mode & 0o6000 != 0 {
                    warnings.push(format!("the setuid or setgid bit of `{path}` is not kept"));
                }
                draft.add(&path, read_file(store, &mut entry, size_bytes, mode)?)
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                draft.add(&path, Node::Symlink { target })
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = path_of(&target, strip_components)?.unwrap_or_else(RootPath::root);
                let Some(node @ Node::File { .. }) = draft.leaf(&target).cloned() else {
                    return Err(UnpackError::BadHardLink { path, target }.into());
                };
                draft.add(&path, node)
            }
            other => {
                return Err(UnpackError::BadKind {
                    path,
                    what: kind_name(other),
                }
                .into());
            }
        };
        added.map_err(|error| clash(path, error))?;
    }
    Ok(draft.save(store)?)
}

fn read_file(
    store: &Store,
    entry: &mut dyn Read,
    size_bytes: u64,
    mode: u32,
) -> Result<Node, Stop> {
    let (blob, found_bytes) = put_reader(store, entry, size_bytes).map_err(|stop| match stop {
        BlobStop::Read(error) => malformed(error),
        BlobStop::Store(error) => Stop::Store(error),
    })?;
    if found_bytes != size_bytes {
        let reason = "a file ends before its size".to_owned();
        return Err(UnpackError::Malformed { reason }.into());
    }
    Ok(Node::File {
        blob,
        size_bytes,
        executable: mode & 0o100 != 0,
    })
}

/// The path of an entry without its leading parts; nothing if nothing of it is left.
fn path_of(bytes: &[u8], strip_components: u32) -> Result<Option<RootPath>, UnpackError> {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    if bytes.starts_with(b"/") {
        return Err(UnpackError::BadPath {
            path: shown(),
            reason: "it is absolute".to_owned(),
        });
    }
    let parts: Vec<&[u8]> = bytes
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .collect();
    let whole = [b"/", parts.join(&b'/').as_slice()].concat();
    let whole = RootPath::parse(&whole).map_err(|error| UnpackError::BadPath {
        path: shown(),
        reason: error.to_string(),
    })?;
    if parts.len() > DEPTH_MAX {
        let reason = format!("it is more than {DEPTH_MAX} directories deep");
        return Err(UnpackError::BadPath {
            path: shown(),
            reason,
        });
    }
    let dropped = usize::try_from(strip_components).unwrap_or(usize::MAX);
    let kept: Vec<&[u8]> = whole.parts().skip(dropped).collect();
    if kept.is_empty() {
        return Ok(None);
    }
    let kept = [b"/", kept.join(&b'/').as_slice()].concat();
    RootPath::parse(&kept)
        .map(Some)
        .map_err(|error| UnpackError::BadPath {
            path: shown(),
            reason: error.to_string(),
        })
}

fn clash(path: RootPath, error: DraftError) -> UnpackError {
    let what = match error {
        DraftError::Taken => "stands there twice",
        DraftError::NotADirectory => "lies below something that is not a directory",
    };
    UnpackError::Clash { path, what }
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Char => "a character device",
        EntryType::Block => "a block device",
        EntryType::Fifo => "a FIFO",
        EntryType::GNUSparse => "a sparse file",
        _ => "an entry of an unknown kind",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn malformed(error: io::Error) -> Stop {
    UnpackError::Malformed {
        reason: error.to_string(),
    }
    .into()
}
