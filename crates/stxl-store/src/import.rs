//! Importing files and directories of the machine as trees.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;

use rustix::fs::FileType;
use stxl_model::{Directory, Entry, LeftOut, Node, PatternError, TreeId};

use crate::disk::Listed;
use crate::error::StoreError;
use crate::failpoints::Phase;
use crate::intake::{is_regular, refuse_cancelled};
use crate::lease::Leased;
use crate::object::ATTEMPTS_MAX;
use crate::store::Store;

/// How deep directories may lie in one another; every level keeps a descriptor open.
pub(crate) const DEPTH_MAX: usize = 256;

const EXECUTABLE_BIT: u32 = 0o100;

/// What an import leaves out, and what calls it off.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportBounds<'a> {
    /// What is left out of a directory, as [`LeftOut`] reads it.
    pub ignore: &'a [String],
    /// Once it is set, the import ends with [`StoreError::Cancelled`].
    pub cancelled: Option<&'a AtomicBool>,
}

/// Why files could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store or the files failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree cannot hold this.
    #[error("`{path}` is {what}; a tree holds files, symlinks and directories only")]
    Unsupported {
        /// Where.
        path: String,
        /// What is there.
        what: &'static str,
    },
    /// Directories lie too deep in one another.
    #[error("`{path}` is more than {} directories deep", DEPTH_MAX)]
    TooDeep {
        /// Where.
        path: String,
    },
    /// A pattern of what is left out is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Store {
    /// Imports a directory as a tree, or a file as a tree with the one entry `file`. `path` is
    /// relative to `at` and may not leave it or pass through symlinks. Empty directories count.
    pub fn import_path(
        &self,
        at: BorrowedFd<'_>,
        path: &[u8],
        bounds: ImportBounds<'_>,
    ) -> Result<TreeId, ImportError> {
        let _phase = self.disk.phase(Phase::Import);
        let left_out = LeftOut::new(bounds.ignore)?;
        let cancelled = bounds.cancelled;
        self.import_again_if_swept(|| {
            let opened = self.disk.open_read(at, path)?;
            let stat = self.disk.stat(&opened, path)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Walk {
                    store: self,
                    left_out: &left_out,
                    cancelled,
                }
                .directory(&opened, &mut Vec::new(), 0),
                FileType::RegularFile => {
                    let size = stat.st_size.cast_unsigned();
                    let (blob, size_bytes) =
                        self.take_in_sized(opened.as_fd(), path, size, cancelled)?;
                    // Of a single file, whatever its mode on the disk.
                    let directory = Directory::of_file(blob, size_bytes);
                    Ok(self.put_directory_unprotected(&directory)?)
                }
                other => Err(unsupported(path, other)),
            }
        })
    }

    /// Runs something that gives a tree, and leases the tree for the session.
    pub(crate) fn import_again_if_swept<E: From<StoreError>>(
        &self,
        mut work: impl FnMut() -> Result<TreeId, E>,
    ) -> Result<TreeId, E> {
        for _ in 0..ATTEMPTS_MAX {
            let sweep = self.session.sweep(&self.disk)?;
            let tree = work()?;
            let is_there = || self.is_tree_complete_now(&tree);
            if self.protect(&[Leased::Tree(tree)], sweep, is_there)? {
                return Ok(tree);
            }
        }
        Err(StoreError::Contended.into())
    }
}

struct Walk<'a> {
    store: &'a Store,
    left_out: &'a LeftOut,
    cancelled: Option<&'a AtomicBool>,
}

impl Walk<'_> {
    fn directory(
        &self,
        dir: &OwnedFd,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<TreeId, ImportError> {
        if depth > DEPTH_MAX {
            return Err(ImportError::TooDeep { path: shown(path) });
        }
        refuse_cancelled(self.cancelled)?;
        let disk = &self.store.disk;
        let mut entries = Vec::new();
        for listed in disk.list(dir.as_fd(), path)? {
            let parent_bytes = path.len();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&listed.name);
            let is_left_out = if listed.kind == FileType::Directory {
                self.left_out.is_directory_left_out(path)
            } else {
                self.left_out.is_file_left_out(path)
            };
            if !is_left_out {
                let node = self.node(dir.as_fd(), &listed, path, depth)?;
                entries.push(Entry {
                    name: listed.name,
                    node,
                });
            }
            path.truncate(parent_bytes);
        }
        let directory = Directory::new(entries).map_err(StoreError::from)?;
        Ok(self.store.put_directory_unprotected(&directory)?)
    }

    fn node(
        &self,
        dir: BorrowedFd<'_>,
        listed: &Listed,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<Node, ImportError> {
        let disk = &self.store.disk;
        let Listed { name, kind } = listed;
        match kind {
            FileType::Directory => {
                let below = disk.open_dir(dir, name)?;
                let tree = self.directory(&below, path, depth + 1)?;
                Ok(Node::Directory { tree })
            }
            FileType::Symlink => Ok(Node::Symlink {
                target: disk.read_link(dir, name)?,
            }),
            FileType::RegularFile => {
                let file = disk.open_read(dir, name)?;
                let stat = disk.stat(&file, path)?;
                if !is_regular(stat.st_mode) {
                    // It was replaced since the directory was listed.
                    return Err(unsupported(path, FileType::from_raw_mode(stat.st_mode)));
                }
                let size = stat.st_size.cast_unsigned();
                let (blob, size_bytes) =
                    self.store
                        .take_in_sized(file.as_fd(), path, size, self.cancelled)?;
                Ok(Node::File {
                    blob,
                    size_bytes,
                    executable: stat.st_mode & EXECUTABLE_BIT != 0,
                })
            }
            other => Err(unsupported(path, *other)),
        }
    }
}

pub(crate) fn as_path(bytes: &[u8]) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt as _;
    std::path::Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// Names a kind of file that a tree cannot hold.
pub(crate) fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symlink",
        FileType::Unknown => "of an unknown kind",
    }
}

fn unsupported(path: &[u8], kind: FileType) -> ImportError {
    ImportError::Unsupported {
        path: shown(path),
        what: kind_name(kind),
    }
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
