//! A tree that is put together path by path, as an archive is read.

use std::collections::BTreeMap;

use stxl_model::{Directory, Entry, Node, RootPath, TreeError, TreeId};
use stxl_store::{Store, StoreError};

/// A directory in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    entries: BTreeMap<Vec<u8>, DraftNode>,
}

#[derive(Debug)]
enum DraftNode {
    Directory(Draft),
    Leaf(Node),
}

/// Why a path cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DraftError {
    /// Something is there already.
    Taken,
    /// A part above the path is not a directory.
    NotADirectory,
}

impl Draft {
    /// Makes a directory and those above it; one that is there stays.
    pub(crate) fn make_directory(&mut self, path: &RootPath) -> Result<&mut Self, DraftError> {
        let mut here = self;
        for part in path.parts() {
            let next = here.entries.entry(part.to_vec());
            match next.or_insert_with(|| DraftNode::Directory(Self::default())) {
                DraftNode::Directory(directory) => here = directory,
                DraftNode::Leaf(_) => return Err(DraftError::NotADirectory),
            }
        }
        Ok(here)
    }

    /// Adds a file or symlink and the directories above it; nothing may be there.
    pub(crate) fn add(&mut self, path: &RootPath, node: Node) -> Result<(), DraftError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(DraftError::Taken);
        };
        let directory = self.make_directory(&parent)?;
        if directory.entries.contains_key(name) {
            return Err(DraftError::Taken);
        }
        directory
            .entries
            .insert(name.to_vec(), DraftNode::Leaf(node));
        Ok(())
    }

    /// The file or symlink at a path.
    pub(crate) fn leaf(&self, path: &RootPath) -> Option<&Node> {
        let mut here = self;
        let mut parts = path.parts().peekable();
        while let Some(part) = parts.next() {
            match here.entries.get(part)? {
                DraftNode::Directory(directory) => here = directory,
                DraftNode::Leaf(node) if parts.peek().is_none() => return Some(node),
                DraftNode::Leaf(_) => return None,
            }
        }
        None
    }

    /// Puts the tree into the store.
    pub(crate) fn save(self, store: &Store) -> Result<TreeId, StoreError> {
        let save_entry = |(name, node)| {
            let node = match node {
                DraftNode::Leaf(node) => node,
                DraftNode::Directory(draft) => Node::Directory {
                    tree: Self::save(draft, store)?,
                },
            };
            Ok(Entry { name, node })
        };
        let entries: Result<Vec<Entry>, StoreError> =
            self.entries.into_iter().map(save_entry).collect();
        let directory = Directory::new(entries?).map_err(|error: TreeError| error)?;
        store.put_directory(&directory)
    }
}
