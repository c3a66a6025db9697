//! A tree that is put together path by path, as an archive is read.

use std::collections::BTreeMap;

use stxl_model::{Directory, Entry, Node, RootPath, TreeError, TreeId};
use stxl_store::{Store, StoreError};

/// A tree in the making.
///
/// One flat map instead of a map for each directory: it takes little memory for the many
/// directories that a hostile archive has, and nothing of it is recursive.
#[derive(Debug)]
pub(crate) struct Draft {
    /// By the number of the directory an entry is in, and its name.
    ///
    /// Invariant: a directory has a higher number than the one it is in.
    entries: BTreeMap<(u32, Box<[u8]>), DraftNode>,
    directories: u32,
    name_bytes: usize,
    limits: DraftLimits,
}

/// How large a draft may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DraftLimits {
    /// Files, symlinks and directories.
    pub(crate) nodes_max: usize,
    /// Bytes of names and targets.
    pub(crate) name_bytes_max: usize,
}

#[derive(Debug)]
enum DraftNode {
    Directory(u32),
    Leaf(Node),
}

/// The number of the directory at `/`.
const ROOT: u32 = 0;

/// What a path that is added meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// Nothing.
    Fresh,
    /// What it is itself.
    Same,
    /// A file or symlink, as itself, which it replaces.
    Replaced,
}

/// Why a path cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DraftError {
    /// Something of another kind is there already.
    Taken,
    /// A part above the path is not a directory.
    NotADirectory,
    /// There are too many.
    TooManyNodes,
    /// Their names are too long together.
    TooManyNameBytes,
}

impl Draft {
    /// An empty tree.
    pub(crate) fn new(limits: DraftLimits) -> Self {
        Self {
            entries: BTreeMap::new(),
            directories: 1,
            name_bytes: 0,
            limits,
        }
    }

    /// Makes a directory and those above it; one that is there stays.
    pub(crate) fn make_directory(&mut self, path: &RootPath) -> Result<(), DraftError> {
        self.directory(path.parts()).map(|_| ())
    }

    /// Adds a file or symlink and the directories above it. One of the same kind gives way.
    pub(crate) fn add(&mut self, path: &RootPath, node: Node) -> Result<Added, DraftError> {
        let mut parts = path.parts();
        let Some(name) = parts.next_back() else {
            return Err(DraftError::Taken);
        };
        let key = (self.directory(parts)?, Box::from(name));
        match self.entries.get_mut(&key) {
            None => {
                let target = match &node {
                    Node::Symlink { target } => target.len(),
                    Node::File { .. } | Node::Directory { .. } => 0,
                };
                self.insert(key, DraftNode::Leaf(node), target)?;
                Ok(Added::Fresh)
            }
            Some(DraftNode::Leaf(there)) if *there == node => Ok(Added::Same),
            Some(DraftNode::Leaf(there))
                if std::mem::discriminant(there) == std::mem::discriminant(&node) =>
            {
                *there = node;
                Ok(Added::Replaced)
            }
            Some(_) => Err(DraftError::Taken),
        }
    }

    /// The file or symlink at a path.
    pub(crate) fn leaf(&self, path: &RootPath) -> Option<&Node> {
        let mut here = ROOT;
        let mut parts = path.parts().peekable();
        while let Some(part) = parts.next() {
            match self.entries.get(&(here, Box::from(part)))? {
                DraftNode::Directory(directory) => here = *directory,
                DraftNode::Leaf(node) if parts.peek().is_none() => return Some(node),
                DraftNode::Leaf(_) => return None,
            }
        }
        None
    }

    /// Puts the tree into the store.
    pub(crate) fn save(mut self, store: &Store) -> Result<TreeId, StoreError> {
        let empty = store.put_directory(&Directory::default())?;
        let mut trees = vec![empty; self.directories as usize];
        // The directories with the highest numbers come first, and so before those they are in.
        while let Some(((directory, name), node)) = self.entries.pop_last() {
            let mut entries = vec![saved(name, node, &trees)];
            while let Some(entry) = self.entries.last_entry()
                && entry.key().0 == directory
            {
                let ((_, name), node) = entry.remove_entry();
                entries.push(saved(name, node, &trees));
            }
            let made = Directory::new(entries).map_err(|error: TreeError| error)?;
            trees[directory as usize] = store.put_directory(&made)?;
        }
        Ok(trees[ROOT as usize])
    }

    /// The number of a directory, which is made if it is not there, as those above it.
    fn directory<'p>(&mut self, parts: impl Iterator<Item = &'p [u8]>) -> Result<u32, DraftError> {
        let mut here = ROOT;
        for part in parts {
            let key = (here, Box::from(part));
            here = match self.entries.get(&key) {
                Some(DraftNode::Directory(directory)) => *directory,
                Some(DraftNode::Leaf(_)) => return Err(DraftError::NotADirectory),
                None => {
                    let number = self.directories;
                    self.insert(key, DraftNode::Directory(number), 0)?;
                    self.directories += 1;
                    number
                }
            };
        }
        Ok(here)
    }

    fn insert(
        &mut self,
        key: (u32, Box<[u8]>),
        node: DraftNode,
        target_bytes: usize,
    ) -> Result<(), DraftError> {
        if self.entries.len() >= self.limits.nodes_max {
            return Err(DraftError::TooManyNodes);
        }
        self.name_bytes += key.1.len() + target_bytes;
        if self.name_bytes > self.limits.name_bytes_max {
            return Err(DraftError::TooManyNameBytes);
        }
        self.entries.insert(key, node);
        Ok(())
    }
}

fn saved(name: Box<[u8]>, node: DraftNode, trees: &[TreeId]) -> Entry {
    let node = match node {
        DraftNode::Leaf(node) => node,
        DraftNode::Directory(number) => Node::Directory {
            tree: trees[number as usize],
        },
    };
    Entry {
        name: name.into(),
        node,
    }
}
