//! Sealing: the upper layer of an overlay over a known root becomes a tree.
//!
//! Only what the upper layer holds is read. Whiteouts and opaque directories are resolved against
//! the merged tree below; copies that came out equal vanish by having the same id.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;

use rustix::fs::{FileType, Stat};
use stxl_model::{BlobId, Keep, Node, RootPath, TreeId};

use crate::disk::Listed;
use crate::error::StoreError;
use crate::failpoints::Phase;
use crate::import::{DEPTH_MAX, kind_name};
use crate::store::Store;

const OPAQUE: &str = "user.overlay.opaque";
const ALTERED: [&str; 2] = ["user.overlay.redirect", "user.overlay.metacopy"];
const SPECIAL_BITS: u32 = 0o6000;
const EXECUTABLE_BIT: u32 = 0o100;

/// How much sealing may take in, and what calls it off.
#[derive(Clone, Copy, Debug, Default)]
pub struct SealBounds<'a> {
    /// What the sizes of the files taken in may add up to. The store writes holes out, so they
    /// count; a file of several names counts once.
    pub bytes_max: Option<u64>,
    /// Once it is set, sealing ends with [`StoreError::Cancelled`].
    pub cancelled: Option<&'a AtomicBool>,
}

/// What an upper layer became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What is kept.
    pub tree: TreeId,
    /// What of the kept files a tree cannot hold.
    pub dropped: Vec<Dropped>,
}

/// Something of a file that was lost by sealing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The file, from the root of the build.
    pub path: RootPath,
    /// What was lost.
    pub what: DroppedWhat,
}

/// What a tree cannot hold of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DroppedWhat {
    /// A setuid or setgid bit.
    SetIdBits,
    /// File capabilities.
    Capabilities,
}

/// Why an upper layer could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store or the files failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tree cannot hold this.
    #[error("the build left {what} at `{path}`; outputs hold files, symlinks and directories only")]
    Unsupported {
        /// Where.
        path: RootPath,
        /// What is there.
        what: &'static str,
    },
    /// The overlay was mounted with features that hide where bytes are.
    #[error(
        "`{path}` has the attribute `{attribute}`: the overlay may not redirect or copy metadata only"
    )]
    Altered {
        /// Where.
        path: RootPath,
        /// The attribute.
        attribute: &'static str,
    },
    /// The directory that is to be kept does not exist.
    #[error("the build left no directory `{path}`")]
    MissingKept {
        /// The directory.
        path: RootPath,
    },
    /// The files are larger than they may be; found before the bytes of this one are read.
    #[error(
        "`{path}` has a size of {size_bytes} bytes, and all files that a build leaves may have {bytes_max} together, holes in them included"
    )]
    TooLarge {
        /// The file that is too much.
        path: RootPath,
        /// Its size, holes included.
        size_bytes: u64,
        /// What all files may have together.
        bytes_max: u64,
    },
    /// Directories lie too deep in one another.
    #[error("`{path}` is more than {} directories deep", DEPTH_MAX)]
    TooDeep {
        /// Where.
        path: RootPath,
    },
}

type Result<T> = std::result::Result<T, SealError>;

impl Store {
    /// Seals the upper layer of an overlay whose lower layers showed the tree `parent`.
    pub fn seal(
        &self,
        upper: BorrowedFd<'_>,
        parent: &TreeId,
        keep: &Keep,
        bounds: SealBounds<'_>,
    ) -> Result<Sealed> {
        let _phase = self.disk.phase(Phase::Seal);
        let mut dropped = Vec::new();
        let tree = self.import_again_if_swept(|| {
            let mut sealing = Sealing {
                store: self,
                bounds,
                taken_bytes: 0,
                linked: BTreeMap::new(),
                dropped: Vec::new(),
            };
            let upper = self.disk.open_dir(upper, b".")?;
            let tree = match keep {
                Keep::Root => {
                    let base = Some(Node::Directory { tree: *parent });
                    sealing.directory(&upper, base.as_ref(), &RootPath::root(), 0)
                }
                Keep::Subtree(path) => sealing.subtree(upper, parent, path),
            }?;
            dropped = std::mem::take(&mut sealing.dropped);
            Ok::<_, SealError>(tree)
        })?;
        Ok(Sealed { tree, dropped })
    }
}

struct Sealing<'a> {
    store: &'a Store,
    bounds: SealBounds<'a>,
    /// The sizes of the files taken in so far.
    taken_bytes: u64,
    /// What files of several names became, by device and inode.
    linked: BTreeMap<(u64, u64), (BlobId, u64)>,
    dropped: Vec<Dropped>,
}

/// What an upper layer says about a name.
enum Upper {
    /// Nothing: what is below counts.
    Absent,
    /// What is below is gone.
    Whiteout,
    Directory(OwnedFd),
    Other,
}

impl Sealing<'_> {
    /// Walks down to one directory without reading anything beside it.
    fn subtree(&mut self, upper: OwnedFd, parent: &TreeId, kept: &RootPath) -> Result<TreeId> {
        let missing = || SealError::MissingKept { path: kept.clone() };
        let mut upper = Some(upper);
        let mut base = Some(Node::Directory { tree: *parent });
        let mut path = RootPath::root();
        for part in kept.parts() {
            path = child(&path, part)?;
            base = self.below(base.as_ref(), part)?;
            let Some(dir) = &upper else {
                continue;
            };
            match self.look_up(dir.as_fd(), part, &path)? {
                Upper::Absent => upper = None,
                Upper::Whiteout | Upper::Other => return Err(missing()),
                Upper::Directory(dir) => {
                    if self.is_opaque(&dir, &path)? {
                        base = None;
                    }
                    upper = Some(dir);
                }
            }
        }
        match (upper, base) {
            (Some(dir), base) => self.directory(&dir, base.as_ref(), kept, 0),
            (None, Some(Node::Directory { tree })) => Ok(tree),
            (None, _) => Err(missing()),
        }
    }

    fn look_up(&self, dir: BorrowedFd<'_>, name: &[u8], path: &RootPath) -> Result<Upper> {
        let disk = &self.store.disk;
        let Some(stat) = disk.stat_at(dir, name)? else {
            return Ok(Upper::Absent);
        };
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let below = disk.open_dir(dir, name)?;
                self.refuse_altered(&below, path)?;
                Upper::Directory(below)
            }
            _ if is_whiteout(&stat) => Upper::Whiteout,
            _ => Upper::Other,
        })
    }

    fn directory(
        &mut self,
        dir: &OwnedFd,
        base: Option<&Node>,
        path: &RootPath,
        depth: usize,
    ) -> Result<TreeId> {
        if depth > DEPTH_MAX {
            return Err(SealError::TooDeep { path: path.clone() });
        }
        let below = match base {
            Some(Node::Directory { tree }) if !self.is_opaque(dir, path)? => Some(*tree),
            _ => None,
        };
        let listed = self
            .store
            .disk
            .list(dir.as_fd(), path.as_relative_bytes())?;
        if let (Some(tree), true) = (below, listed.is_empty()) {
            return Ok(tree);
        }
        let base_directory = below.map(|tree| self.store.directory(&tree)).transpose()?;
        let mut directory = base_directory.as_deref().cloned().unwrap_or_default();
        for entry in listed {
            let path = child(path, &entry.name)?;
            let base = base_directory
                .as_ref()
                .and_then(|directory| directory.find(&entry.name));
            match self.node(dir.as_fd(), &entry, (base, &path), depth)? {
                Some(node) => directory
                    .insert(&entry.name, node)
                    .map_err(StoreError::from)?,
                None => {
                    directory.remove(&entry.name);
                }
            }
        }
        if base_directory.as_deref() == Some(&directory)
            && let Some(tree) = below
        {
            return Ok(tree);
        }
        Ok(self.store.put_directory_unprotected(&directory)?)
    }

    /// What a name of the upper layer stands for; nothing for a whiteout.
    fn node(
        &mut self,
        dir: BorrowedFd<'_>,
        Listed { name, kind }: &Listed,
        (base, path): (Option<&Node>, &RootPath),
        depth: usize,
    ) -> Result<Option<Node>> {
        let disk = &self.store.disk;
        match kind {
            FileType::Directory => {
                let below = disk.open_dir(dir, name)?;
                self.refuse_altered(&below, path)?;
                let tree = self.directory(&below, base, path, depth + 1)?;
                Ok(Some(Node::Directory { tree }))
            }
            FileType::Symlink => Ok(Some(Node::Symlink {
                target: disk.read_link(dir, name)?,
            })),
            FileType::RegularFile => {
                let file = disk.open_read(dir, name)?;
                self.file(&file, path).map(Some)
            }
            FileType::CharacterDevice => match disk.stat_at(dir, name)? {
                Some(stat) if is_whiteout(&stat) => Ok(None),
                _ => Err(unsupported(path, *kind)),
            },
            FileType::Fifo | FileType::Socket | FileType::BlockDevice | FileType::Unknown => {
                Err(unsupported(path, *kind))
            }
        }
    }

    fn file(&mut self, file: &OwnedFd, path: &RootPath) -> Result<Node> {
        let shown = path.as_relative_bytes();
        let stat = self.store.disk.stat(file, shown)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::RegularFile {
            return Err(unsupported(path, kind));
        }
        let names = self.store.disk.attribute_names(file, shown)?;
        for attribute in ALTERED {
            if names.iter().any(|name| name == attribute.as_bytes()) {
                return Err(SealError::Altered {
                    path: path.clone(),
                    attribute,
                });
            }
        }
        if stat.st_mode & SPECIAL_BITS != 0 {
            self.report(path, DroppedWhat::SetIdBits);
        }
        if names.iter().any(|name| name == b"security.capability") {
            self.report(path, DroppedWhat::Capabilities);
        }
        let (blob, size_bytes) = self.content(file, path, &stat)?;
        Ok(Node::File {
            blob,
            size_bytes,
            executable: stat.st_mode & EXECUTABLE_BIT != 0,
        })
    }

    /// Takes the bytes of a file in, once for all its names.
    fn content(&mut self, file: &OwnedFd, path: &RootPath, stat: &Stat) -> Result<(BlobId, u64)> {
        let inode = (stat.st_dev, stat.st_ino);
        if let Some(known) = self.linked.get(&inode) {
            return Ok(*known);
        }
        let size_bytes = stat.st_size.cast_unsigned();
        self.taken_bytes = self.taken_bytes.saturating_add(size_bytes);
        if let Some(bytes_max) = self.bounds.bytes_max
            && self.taken_bytes > bytes_max
        {
            return Err(SealError::TooLarge {
                path: path.clone(),
                size_bytes,
                bytes_max,
            });
        }
        let shown = path.as_relative_bytes();
        let cancelled = self.bounds.cancelled;
        let taken = self
            .store
            .take_in_sized(file.as_fd(), shown, size_bytes, cancelled)?;
        if stat.st_nlink > 1 {
            self.linked.insert(inode, taken);
        }
        Ok(taken)
    }

    fn report(&mut self, path: &RootPath, what: DroppedWhat) {
        self.dropped.push(Dropped {
            path: path.clone(),
            what,
        });
    }

    fn below(&self, base: Option<&Node>, name: &[u8]) -> Result<Option<Node>> {
        let Some(Node::Directory { tree }) = base else {
            return Ok(None);
        };
        Ok(self.store.directory(tree)?.find(name).cloned())
    }

    fn is_opaque(&self, dir: &OwnedFd, path: &RootPath) -> Result<bool> {
        let shown = path.as_relative_bytes();
        let value = self.store.disk.attribute(dir, shown, OPAQUE)?;
        Ok(value.is_some_and(|value| value == b"y"))
    }

    fn refuse_altered(&self, dir: &OwnedFd, path: &RootPath) -> Result<()> {
        for attribute in ALTERED {
            let shown = path.as_relative_bytes();
            if self.store.disk.attribute(dir, shown, attribute)?.is_some() {
                return Err(SealError::Altered {
                    path: path.clone(),
                    attribute,
                });
            }
        }
        Ok(())
    }
}

/// An overlay marks what was removed by a character device with the number 0:0.
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn child(path: &RootPath, name: &[u8]) -> Result<RootPath> {
    path.child(name).map_err(|_| {
        StoreError::from(stxl_model::TreeError::BadName {
            name: name.to_vec(),
        })
        .into()
    })
}

fn unsupported(path: &RootPath, kind: FileType) -> SealError {
    SealError::Unsupported {
        path: path.clone(),
        what: kind_name(kind),
    }
}
