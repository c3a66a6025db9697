//! Finding layers whose overlay shows exactly a wanted tree.
//!
//! All of it happens on trees: what an overlay of given layers shows is compared, name by name,
//! with the wanted tree. What is missing or different goes into one more layer; if something would
//! have to be hidden, the tree is checked out as a whole. Answers are remembered in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use stxl_model::{Directory, Entry, Node, TreeId};

use crate::checkout::CheckoutRef;
use crate::error::StoreError;
use crate::record::{Record, split_trees};
use crate::store::{Store, lock};

/// Most layers that [`Store::layers_for`] returns.
pub const LAYERS_MAX: usize = 16;

/// How many of the topmost layers are made one when there are too many.
const SQUASHED_MIN: usize = 8;
/// Up to how many bytes layers are copied into the one without further thought.
const SQUASHED_BYTES_FREE: u64 = 64 * 1024 * 1024;

type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Checkouts, the lowest first, whose overlay shows exactly `tree`; at most [`LAYERS_MAX`].
    /// `hints` are trees, the lowest first, over which `tree` may be little more than an overlay:
    /// the inputs of the merge that made it, or the root that a step started from.
    pub fn layers_for(&self, tree: &TreeId, hints: &[TreeId]) -> Result<Vec<CheckoutRef>> {
        let layers = self.layer_trees(tree, hints)?;
        layers.iter().map(|layer| self.checkout(layer)).collect()
    }

    fn layer_trees(&self, tree: &TreeId, hints: &[TreeId]) -> Result<Vec<TreeId>> {
        let whole = vec![*tree];
        if self.is_checked_out(tree)? {
            return Ok(whole);
        }
        if let Some(layers) = self.remembered_layers(tree)? {
            return Ok(layers);
        }
        let mut layers = Vec::new();
        for hint in hints {
            if !self.has_tree_complete(hint)? {
                return Ok(whole);
            }
            match self.remembered_layers(hint)? {
                Some(below) => layers.extend(below),
                None => layers.push(*hint),
            }
        }
        layers.dedup();
        if layers.is_empty() {
            return Ok(whole);
        }
        let bottom_up: Vec<Node> = layers
            .iter()
            .map(|layer| Node::Directory { tree: *layer })
            .collect();
        match self.delta(tree, &bottom_up.iter().rev().collect::<Vec<_>>())? {
            Delta::Inexpressible => return Ok(whole),
            Delta::Nothing => {}
            Delta::Some(delta) => layers.push(delta),
        }
        if layers.len() > LAYERS_MAX {
            layers = self.squash(&layers)?;
        }
        self.remember(Record::Layers {
            tree: *tree,
            layers: layers.clone(),
        });
        Ok(layers)
    }

    /// The layers found earlier, if all of them can still be checked out.
    fn remembered_layers(&self, tree: &TreeId) -> Result<Option<Vec<TreeId>>> {
        let pending = lock(&self.pending)
            .records
            .iter()
            .rev()
            .find_map(|record| match record {
                Record::Layers {
                    tree: other,
                    layers,
                } if other == tree => Some(layers.clone()),
                _ => None,
            });
        let layers = match pending {
            Some(layers) => Some(layers),
            None => self
                .index()?
                .read("find layers", |connection| {
                    connection
                        .prepare_cached("SELECT layers FROM layers WHERE tree = ?1")?
                        .query_row([tree.digest().as_bytes().as_slice()], |row| {
                            row.get::<_, Vec<u8>>(0)
                        })
                        .optional()
                })?
                .map(|bytes| split_trees(&bytes)),
        };
        let Some(layers) = layers else {
            return Ok(None);
        };
        for layer in &layers {
            if !self.is_checked_out(layer)? && !self.has_tree_complete(layer)? {
                return Ok(None);
            }
        }
        Ok(Some(layers))
    }

    /// What has to lie over directories, the topmost first, so that the overlay shows `tree`.
    fn delta(&self, tree: &TreeId, below: &[&Node]) -> Result<Delta> {
        if let [Node::Directory { tree: only }] = below
            && only == tree
        {
            return Ok(Delta::Nothing);
        }
        let wanted = self.directory(tree)?;
        let stack = below
            .iter()
            .map(|node| match node {
                Node::Directory { tree } => self.directory(tree),
                Node::File { .. } | Node::Symlink { .. } => Ok(Arc::default()),
            })
            .collect::<Result<Vec<_>>>()?;
        for directory in &stack {
            for entry in directory.entries() {
                if wanted.find(&entry.name).is_none() {
                    return Ok(Delta::Inexpressible);
                }
            }
        }
        let mut over = Vec::new();
        for entry in wanted.entries() {
            match self.entry_delta(entry, &shown(&stack, &entry.name))? {
                EntryDelta::Nothing => {}
                EntryDelta::Inexpressible => return Ok(Delta::Inexpressible),
                EntryDelta::Some(node) => over.push(Entry {
                    name: entry.name.clone(),
                    node,
                }),
            }
        }
        if over.is_empty() {
            return Ok(Delta::Nothing);
        }
        let delta = Directory::new(over)?;
        Ok(Delta::Some(self.put_directory_unprotected(&delta)?))
    }

    fn entry_delta(&self, wanted: &Entry, shown: &[&Node]) -> Result<EntryDelta> {
        let add = || EntryDelta::Some(wanted.node.clone());
        let Node::Directory { tree } = &wanted.node else {
            return Ok(if shown.first() == Some(&&wanted.node) {
                EntryDelta::Nothing
            } else {
                add()
            });
        };
        if !matches!(shown.first(), Some(Node::Directory { .. })) {
            return Ok(add());
        }
        Ok(match self.delta(tree, shown)? {
            Delta::Nothing => EntryDelta::Nothing,
            Delta::Inexpressible => EntryDelta::Inexpressible,
            Delta::Some(tree) => EntryDelta::Some(Node::Directory { tree }),
        })
    }

    /// Makes some of the topmost layers one.
    fn squash(&self, layers: &[TreeId]) -> Result<Vec<TreeId>> {
        let sizes = layers
            .iter()
            .map(|layer| self.tree_bytes(layer))
            .collect::<Result<Vec<_>>>()?;
        let mut first = (layers.len() - SQUASHED_MIN).min(LAYERS_MAX - 1);
        let mut bytes: u64 = sizes[first..].iter().sum();
        // Taking more in while that is cheap keeps long chains from copying again and again.
        while first > 1 && sizes[first - 1] <= bytes.max(SQUASHED_BYTES_FREE) {
            first -= 1;
            bytes = bytes.saturating_add(sizes[first]);
        }
        let (kept, squashed) = layers.split_at(first);
        let nodes: Vec<Node> = squashed
            .iter()
            .rev()
            .map(|layer| Node::Directory { tree: *layer })
            .collect();
        let one = self.overlaid(&nodes.iter().collect::<Vec<_>>())?;
        Ok(kept.iter().copied().chain([one]).collect())
    }

    /// The tree that an overlay of directories shows, the topmost first.
    fn overlaid(&self, stack: &[&Node]) -> Result<TreeId> {
        if let [Node::Directory { tree }] = stack {
            return Ok(*tree);
        }
        let mut directories = Vec::new();
        for node in stack {
            if let Node::Directory { tree } = node {
                directories.push(self.directory(tree)?);
            }
        }
        let names: BTreeSet<&Vec<u8>> = directories
            .iter()
            .flat_map(|directory| directory.entries())
            .map(|entry| &entry.name)
            .collect();
        let mut entries = Vec::new();
        for name in names {
            let shown = shown(&directories, name);
            let node = match shown.first() {
                Some(Node::Directory { .. }) => Node::Directory {
                    tree: self.overlaid(&shown)?,
                },
                Some(other) => (*other).clone(),
                None => continue,
            };
            entries.push(Entry {
                name: name.clone(),
                node,
            });
        }
        self.put_directory_unprotected(&Directory::new(entries)?)
    }

    /// How many bytes the files of a tree have, each path counted.
    pub(crate) fn tree_bytes(&self, tree: &TreeId) -> Result<u64> {
        self.tree_bytes_known(tree, &mut BTreeMap::new())
    }

    fn tree_bytes_known(&self, tree: &TreeId, known: &mut BTreeMap<TreeId, u64>) -> Result<u64> {
        if let Some(bytes) = known.get(tree) {
            return Ok(*bytes);
        }
        let mut bytes = 0_u64;
        for entry in self.directory(tree)?.entries() {
            bytes = bytes.saturating_add(match &entry.node {
                Node::File { size_bytes, .. } => *size_bytes,
                Node::Symlink { .. } => 0,
                Node::Directory { tree } => self.tree_bytes_known(tree, known)?,
            });
        }
        known.insert(*tree, bytes);
        Ok(bytes)
    }
}

enum Delta {
    Nothing,
    Some(TreeId),
    /// Something below would have to be hidden.
    Inexpressible,
}

enum EntryDelta {
    Nothing,
    Some(Node),
    Inexpressible,
}

/// What an overlay shows under a name: the topmost node, and if that is a directory, those below
/// that merge with it, down to the first that is none.
fn shown<'a>(stack: &'a [Arc<Directory>], name: &[u8]) -> Vec<&'a Node> {
    let mut nodes = Vec::new();
    for node in stack.iter().filter_map(|directory| directory.find(name)) {
        let is_directory = matches!(node, Node::Directory { .. });
        if is_directory {
            if nodes.last() != Some(&node) {
                nodes.push(node);
            }
            continue;
        }
        if nodes.is_empty() {
            nodes.push(node);
        }
        break;
    }
    nodes
}
