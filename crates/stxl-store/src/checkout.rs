//! Checkouts: trees written out as real directories, so that they can be layers of an overlay.
//!
//! They are caches, made again whenever they are missing, and belong to the boot in which they
//! were written: nothing syncs them. No two paths share an inode.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stxl_model::{BlobHasher, BlobId, Node, TreeId};

use crate::disk::Lock;
use crate::entry::EntryKind;
use crate::error::StoreError;
use crate::failpoints::Phase;
use crate::layers::Level;
use crate::lease::{Leased, ObjectRef, Sweep};
use crate::object::damaged_file;
use crate::store::Store;

type Result<T> = std::result::Result<T, StoreError>;

const CHUNK_BYTES: usize = 1024 * 1024;

/// How the name of a checkout ends that hides something of the layers below it.
const HIDING_SUFFIX: &str = ".hiding";

/// How the name of a checkout ends whose path was told.
const COPY_SUFFIX: &str = ".copy";

/// What a checkout is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// A tree, as it is.
    Tree(TreeId),
    /// A tree of two directories: what is shown, and what of the layers below is not.
    Hiding(TreeId),
    /// A tree, for whoever asked for its path: its user can write to it, so no step sees it.
    Copy(TreeId),
}

impl Layer {
    pub(crate) fn tree(&self) -> &TreeId {
        match self {
            Self::Tree(tree) | Self::Hiding(tree) | Self::Copy(tree) => tree,
        }
    }

    /// The name of its checkout.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tree(tree) => tree.to_string(),
            Self::Hiding(tree) => format!("{tree}{HIDING_SUFFIX}"),
            Self::Copy(tree) => format!("{tree}{COPY_SUFFIX}"),
        }
    }

    /// The reverse of [`Self::name`].
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let (tree, of): (_, fn(TreeId) -> Self) =
            if let Some(tree) = name.strip_suffix(HIDING_SUFFIX) {
                (tree, Self::Hiding)
            } else if let Some(tree) = name.strip_suffix(COPY_SUFFIX) {
                (tree, Self::Copy)
            } else {
                (name, Self::Tree)
            };
        TreeId::parse(tree).ok().map(of)
    }
}

/// A layer as a directory, kept for as long as this lives. Nobody may write to it.
pub struct LayerRef {
    tree: TreeId,
    directory: OwnedFd,
    path: PathBuf,
    _lease: ObjectRef,
}

impl LayerRef {
    /// The tree; of a layer that hides something, that of what it shows and what it hides.
    pub fn tree(&self) -> &TreeId {
        &self.tree
    }

    /// The absolute path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A whole tree as a directory, kept for as long as this lives. Nobody may write to it.
pub struct CheckoutRef {
    layer: LayerRef,
}

impl CheckoutRef {
    /// The tree.
    pub fn tree(&self) -> &TreeId {
        self.layer.tree()
    }

    /// The absolute path of the directory.
    pub fn path(&self) -> &Path {
        self.layer.path()
    }
}

impl AsFd for CheckoutRef {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.layer.directory.as_fd()
    }
}

/// How much a tree is as a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeSize {
    /// Files, symlinks and directories, the tree itself among them.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl TreeSize {
    /// Adds an entry of some bytes; nothing when that is more than the most there may be.
    fn plus(self, bytes: u64, most: Self) -> Option<Self> {
        let sum = Self {
            entries: self.entries + 1,
            bytes: self.bytes.saturating_add(bytes),
        };
        (sum.entries <= most.entries && sum.bytes <= most.bytes).then_some(sum)
    }
}

impl Store {
    /// What some trees together would be as directories, one for each; nothing when that is more
    /// than `most`. Directories are read, files are not, and no more than `most` has entries.
    pub fn size_of_trees(&self, trees: &[TreeId], most: TreeSize) -> Result<Option<TreeSize>> {
        if trees.len() as u64 > most.entries {
            return Ok(None);
        }
        let mut size = TreeSize::default();
        let mut left: Vec<TreeId> = trees.to_vec();
        while let Some(tree) = left.pop() {
            let Some(sum) = size.plus(0, most) else {
                return Ok(None);
            };
            size = sum;
            for entry in self.directory(&tree)?.entries() {
                let bytes = match &entry.node {
                    Node::Directory { tree } => {
                        left.push(*tree);
                        continue;
                    }
                    Node::File { size_bytes, .. } => *size_bytes,
                    Node::Symlink { .. } => 0,
                };
                let Some(sum) = size.plus(bytes, most) else {
                    return Ok(None);
                };
                size = sum;
            }
        }
        Ok(Some(size))
    }

    /// The tree as a directory: files 0644 or 0755 of the running user, every time 1980-01-01. It
    /// is written if it is missing, once however many ask for it. It is no layer of any step: what
    /// its user does to it changes no build.
    pub fn checkout(&self, tree: &TreeId) -> Result<CheckoutRef> {
        let layer = self.checkout_layer(&Layer::Copy(*tree))?;
        Ok(CheckoutRef { layer })
    }

    pub(crate) fn checkout_layer(&self, layer: &Layer) -> Result<LayerRef> {
        let path = self.checkout_path(layer);
        let lease = self.lease_checkout(layer.tree(), &path)?;
        let directory = match self.open_checkout(&path)? {
            Some(directory) => directory,
            None => self.write_checkout(layer, &path)?,
        };
        Ok(LayerRef {
            tree: *layer.tree(),
            directory,
            path: self.path.join(crate::import::as_path(&path)),
            _lease: lease,
        })
    }

    /// Whether a layer is checked out at present.
    pub(crate) fn is_checked_out(&self, layer: &Layer) -> Result<bool> {
        let path = self.checkout_path(layer);
        Ok(self.disk.stat_at(self.root(), &path)?.is_some())
    }

    pub(crate) fn checkout_path(&self, layer: &Layer) -> Vec<u8> {
        format!("checkouts/{}/{}", self.boot, layer.name()).into_bytes()
    }

    /// Leases the tree; a checkout stands for a tree whose objects are gone.
    fn lease_checkout(&self, tree: &TreeId, path: &[u8]) -> Result<ObjectRef> {
        let leased = Leased::Tree(*tree);
        let is_there =
            || Ok(self.disk.stat_at(self.root(), path)?.is_some() || self.has_tree_complete(tree)?);
        if self.protect(&[leased], Sweep::UNKNOWN, is_there)? {
            Ok(self.object_ref(leased))
        } else {
            Err(StoreError::MissingTree { tree: *tree })
        }
    }

    fn open_checkout(&self, path: &[u8]) -> Result<Option<OwnedFd>> {
        match self.disk.stat_at(self.root(), path)? {
            Some(_) => self.disk.open_dir(self.root(), path).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn write_checkout(&self, layer: &Layer, path: &[u8]) -> Result<OwnedFd> {
        let _phase = self.disk.phase(Phase::Checkout);
        let hex = layer.tree().digest().to_hex();
        let lock_path = format!("locks/checkout-{}", &hex[..2]).into_bytes();
        let lock_file = self.disk.open_or_create(self.root(), &lock_path)?;
        self.disk.lock(&lock_file, &lock_path, Lock::Exclusive)?;
        if let Some(directory) = self.open_checkout(path)? {
            return Ok(directory);
        }
        let parent = format!("checkouts/{}", self.boot);
        self.disk
            .make_dir_if_missing(self.root(), parent.as_bytes())?;
        let temporary = self.temporary_name()?;
        let written = self
            .parts(layer)
            .and_then(|level| self.write_level(self.root(), &temporary, &level));
        if written.is_err() {
            let _removed = self.disk.remove_tree(self.root(), &temporary);
        }
        let directory = written?;
        self.disk.rename(self.root(), &temporary, path)?;
        Ok(directory)
    }

    fn write_level(&self, at: BorrowedFd<'_>, name: &[u8], level: &Level) -> Result<OwnedFd> {
        self.disk.make_dir(at, name, 0o755)?;
        let dir = self.disk.open_dir(at, name)?;
        let hidden = match &level.hidden {
            Some(tree) => self.directory(tree)?,
            None => Arc::default(),
        };
        for entry in hidden.entries() {
            if let Node::Symlink { .. } = entry.node {
                self.disk.whiteout(dir.as_fd(), &entry.name)?;
            }
        }
        for entry in self.directory(&level.shown)?.entries() {
            match &entry.node {
                Node::File {
                    blob, executable, ..
                } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    let file = self.disk.create(dir.as_fd(), &entry.name, mode)?;
                    self.write_blob(&file, &entry.name, blob)?;
                    self.disk.set_mode(&file, &entry.name, mode)?;
                    self.disk.set_checkout_time(&file, &entry.name)?;
                }
                Node::Symlink { target } => {
                    self.disk.symlink(target, dir.as_fd(), &entry.name)?;
                    self.disk.set_link_time(dir.as_fd(), &entry.name)?;
                }
                Node::Directory { tree } => {
                    let below = Level {
                        shown: *tree,
                        hidden: match hidden.find(&entry.name) {
                            Some(Node::Directory { tree }) => Some(*tree),
                            Some(Node::File { .. } | Node::Symlink { .. }) | None => None,
                        },
                    };
                    self.write_level(dir.as_fd(), &entry.name, &below)?;
                }
            }
        }
        self.disk.set_mode(&dir, name, 0o755)?;
        self.disk.set_checkout_time(&dir, name)?;
        Ok(dir)
    }

    /// Writes the bytes of a blob, refusing those that do not belong to its id.
    fn write_blob(&self, file: &OwnedFd, name: &[u8], blob: &BlobId) -> Result<()> {
        if let Some(bytes) = self.read_packed(EntryKind::Blob, blob.digest())? {
            return self.disk.write_all_at(file, name, &bytes, 0);
        }
        let (path, from) = self
            .large_blob(blob)?
            .ok_or(StoreError::MissingBlob { blob: *blob })?;
        let mut hasher = BlobHasher::default();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut offset = 0;
        loop {
            let count = self.disk.read_at(&from, &path, &mut chunk, offset)?;
            if count == 0 {
                break;
            }
            hasher.update(&chunk[..count]);
            self.disk
                .write_all_at(file, name, &chunk[..count], offset)?;
            offset += count as u64;
        }
        if hasher.finish() == *blob {
            Ok(())
        } else {
            Err(damaged_file(&path))
        }
    }
}
