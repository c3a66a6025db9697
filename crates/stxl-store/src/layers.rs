//! Finding layers whose overlay shows exactly a wanted tree.
//!
//! All of it happens on trees: what an overlay of given layers shows is compared, name by name,
//! with the wanted tree. What is missing, different or to be hidden goes into one more layer.
//! Answers are remembered in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use stxl_model::{Directory, Entry, Node, TreeId};

use crate::checkout::{Layer, LayerRef};
use crate::error::StoreError;
use crate::record::{Record, layers_of, split_trees};
use crate::store::{Store, lock};

/// Most layers that [`Store::layers_for`] returns.
pub const LAYERS_MAX: usize = 16;

/// How many of the topmost layers are made one when there are too many.
const SQUASHED_MIN: usize = 8;
/// Up to how many bytes layers are copied into the one without further thought.
const SQUASHED_BYTES_FREE: u64 = 64 * 1024 * 1024;

/// How many bytes can be written in the time that making a file takes.
const NODE_BYTES: u64 = 64 * 1024;

/// The directories that the tree of a layer that hides consists of.
const HIDDEN: &[u8] = b"hidden";
const SHOWN: &[u8] = b"shown";

type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Checkouts, the lowest first, whose overlay shows exactly `tree`; at most [`LAYERS_MAX`].
    /// `hints` are trees, the lowest first, over which `tree` may be little more than an overlay:
    /// the inputs of the merge that made it, or the root that a step started from.
    /// `never_hidden` are paths without a leading `/` that no layer may hide, since something
    /// below all layers stands there; it is the same in every call.
    pub fn layers_for(
        &self,
        tree: &TreeId,
        hints: &[TreeId],
        never_hidden: &[&str],
    ) -> Result<Vec<LayerRef>> {
        let layers = self.layers(tree, hints, never_hidden)?;
        let checkouts = layers.iter().map(|layer| self.checkout_layer(layer));
        checkouts.collect()
    }

    /// Finds the layers of a tree without writing them: for what a step left of its root, which a
    /// later root may be little more than an overlay over. Takes what [`Self::layers_for`] takes.
    pub fn find_layers(
        &self,
        tree: &TreeId,
        hints: &[TreeId],
        never_hidden: &[&str],
    ) -> Result<()> {
        self.layers(tree, hints, never_hidden).map(drop)
    }

    fn layers(&self, tree: &TreeId, hints: &[TreeId], never_hidden: &[&str]) -> Result<Vec<Layer>> {
        let whole = vec![Layer::Tree(*tree)];
        if self.is_checked_out(&whole[0])? {
            return Ok(whole);
        }
        if let Some(layers) = self.remembered_layers(tree)? {
            return Ok(layers);
        }
        let mut layers = Vec::new();
        for hint in hints {
            let layer = Layer::Tree(*hint);
            if let Some(below) = self.remembered_layers(hint)? {
                layers.extend(below);
            } else if self.is_checked_out(&layer)? || self.has_tree_complete(hint)? {
                layers.push(layer);
            } else {
                return Ok(whole);
            }
        }
        layers.dedup();
        if layers.is_empty() {
            return Ok(whole);
        }
        let search = Search {
            store: self,
            never_hidden,
        };
        let found = search.complete(tree, layers.clone())?;
        let found = match found {
            Some(found) if found.len() > LAYERS_MAX => {
                layers.truncate(self.kept_below(&found)?);
                search.complete(tree, layers)?
            }
            found => found,
        };
        let layers = match found {
            Some(layers) if self.is_worth_it(&layers, tree)? => layers,
            Some(_) | None => return Ok(whole),
        };
        self.remember(Record::Layers {
            tree: *tree,
            layers: layers.clone(),
        });
        Ok(layers)
    }

    /// The layers found earlier, if all of them can still be checked out.
    fn remembered_layers(&self, tree: &TreeId) -> Result<Option<Vec<Layer>>> {
        let pending = lock(&self.pending).layers.get(tree).cloned();
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
                .map(|bytes| layers_of(&split_trees(&bytes))),
        };
        let Some(layers) = layers else {
            return Ok(None);
        };
        for layer in &layers {
            if !self.is_checked_out(layer)? && !self.has_tree_complete(layer.tree())? {
                return Ok(None);
            }
        }
        Ok(Some(layers))
    }

    /// Whether layers cost less to write than the whole tree. Those that hide nothing do: what they
    /// hold is in the tree.
    fn is_worth_it(&self, layers: &[Layer], tree: &TreeId) -> Result<bool> {
        if !matches!(layers.last(), Some(Layer::Hiding(_))) {
            return Ok(true);
        }
        let mut known = BTreeMap::new();
        let mut cost = 0_u64;
        for layer in layers {
            if !self.is_checked_out(layer)? {
                let layer = self.weight(layer.tree(), NODE_BYTES, &mut known)?;
                cost = cost.saturating_add(layer);
            }
        }
        Ok(cost < self.weight(tree, NODE_BYTES, &mut known)?)
    }

    /// How many of the lowest layers stay when those above them are made one.
    fn kept_below(&self, layers: &[Layer]) -> Result<usize> {
        let sizes = layers
            .iter()
            .map(|layer| self.tree_bytes(layer.tree()))
            .collect::<Result<Vec<_>>>()?;
        let mut first = (layers.len() - SQUASHED_MIN).min(LAYERS_MAX - 1);
        let mut bytes: u64 = sizes[first..].iter().sum();
        // Taking more in while that is cheap keeps long chains from copying again and again.
        while first > 1 && sizes[first - 1] <= bytes.max(SQUASHED_BYTES_FREE) {
            first -= 1;
            bytes = bytes.saturating_add(sizes[first]);
        }
        Ok(first)
    }

    /// How many bytes the files of a tree have, each path counted.
    pub(crate) fn tree_bytes(&self, tree: &TreeId) -> Result<u64> {
        self.weight(tree, 0, &mut BTreeMap::new())
    }

    /// As [`Self::tree_bytes`], with so many bytes more for everything that has a name.
    fn weight(
        &self,
        tree: &TreeId,
        node_bytes: u64,
        known: &mut BTreeMap<TreeId, u64>,
    ) -> Result<u64> {
        if let Some(bytes) = known.get(tree) {
            return Ok(*bytes);
        }
        let mut bytes = 0_u64;
        for entry in self.directory(tree)?.entries() {
            bytes = bytes.saturating_add(node_bytes);
            bytes = bytes.saturating_add(match &entry.node {
                Node::File { size_bytes, .. } => *size_bytes,
                Node::Symlink { .. } => 0,
                Node::Directory { tree } => self.weight(tree, node_bytes, known)?,
            });
        }
        known.insert(*tree, bytes);
        Ok(bytes)
    }

    /// The two parts of a layer at its root: what it shows, and what it hides of those below.
    pub(crate) fn parts(&self, layer: &Layer) -> Result<Level> {
        let tree = match layer {
            Layer::Tree(tree) | Layer::Copy(tree) => {
                return Ok(Level::plain(*tree));
            }
            Layer::Hiding(tree) => tree,
        };
        let directory = self.directory(tree)?;
        match (directory.find(SHOWN), directory.find(HIDDEN)) {
            (Some(Node::Directory { tree: shown }), Some(Node::Directory { tree: hidden })) => {
                Ok(Level {
                    shown: *shown,
                    hidden: Some(*hidden),
                })
            }
            _ => Err(StoreError::MissingTree { tree: *tree }),
        }
    }
}

/// One directory of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// What lies in it, directories included that only hide something.
    pub(crate) shown: TreeId,
    /// What of the layers below shows no longer: a symlink for each name, and directories down to
    /// it.
    pub(crate) hidden: Option<TreeId>,
}

impl Level {
    /// A level that hides nothing.
    pub(crate) fn plain(shown: TreeId) -> Self {
        Self {
            shown,
            hidden: None,
        }
    }

    /// The directory that a layer that hides is known by.
    pub(crate) fn directory(shown: TreeId, hidden: TreeId) -> Result<Directory> {
        let part = |name, tree| entry(name, Node::Directory { tree });
        Ok(Directory::new(vec![
            part(HIDDEN, hidden),
            part(SHOWN, shown),
        ])?)
    }
}

/// What a symlink that hides points to; its name alone has a meaning.
pub(crate) fn mark() -> Node {
    Node::Symlink {
        target: HIDDEN.to_vec(),
    }
}

/// The entries of a level.
struct Contents {
    shown: Arc<Directory>,
    hidden: Option<Arc<Directory>>,
}

/// What an overlay shows under a name.
enum Seen<'a> {
    Nothing,
    /// A file or a symlink.
    Other(&'a Node),
    /// Directories that merge, the topmost first.
    Directories(Vec<Level>),
}

/// What has to lie over layers.
#[derive(Clone, Copy)]
enum Delta {
    Nothing,
    Some(Level),
    /// Something would have to be hidden that must not be.
    Inexpressible,
}

struct Search<'a> {
    store: &'a Store,
    never_hidden: &'a [&'a str],
}

impl Search<'_> {
    /// Adds the layer that is missing for a tree; nothing if there is no such layer.
    fn complete(&self, tree: &TreeId, mut layers: Vec<Layer>) -> Result<Option<Vec<Layer>>> {
        let levels = layers
            .iter()
            .rev()
            .map(|layer| self.store.parts(layer))
            .collect::<Result<Vec<_>>>()?;
        match self.delta(tree, &levels, &[])? {
            Delta::Inexpressible => return Ok(None),
            Delta::Nothing => {}
            Delta::Some(Level {
                shown,
                hidden: None,
            }) => layers.push(Layer::Tree(shown)),
            Delta::Some(Level {
                shown,
                hidden: Some(hidden),
            }) => {
                let parts = Level::directory(shown, hidden)?;
                let tree = self.store.put_directory_unprotected(&parts)?;
                layers.push(Layer::Hiding(tree));
            }
        }
        Ok(Some(layers))
    }

    /// What has to lie over directories, the topmost first, so that the overlay shows `tree`; all
    /// of them are at `path`.
    fn delta(&self, tree: &TreeId, levels: &[Level], path: &[u8]) -> Result<Delta> {
        if let [only] = levels
            && *only == Level::plain(*tree)
        {
            return Ok(Delta::Nothing);
        }
        let wanted = self.store.directory(tree)?;
        self.delta_of(&wanted, levels, path)
    }

    fn delta_of(&self, wanted: &Directory, levels: &[Level], path: &[u8]) -> Result<Delta> {
        let contents = levels
            .iter()
            .map(|level| self.contents(level))
            .collect::<Result<Vec<_>>>()?;
        let mut over = Over::default();
        for name in names_beside(wanted, &contents) {
            let seen = seen(&contents, name);
            let path = join(path, name);
            let below = match seen {
                Seen::Nothing => continue,
                _ if !self.is_never_hidden(&path) => {
                    over.hidden.push(entry(name, mark()));
                    continue;
                }
                Seen::Other(_) => return Ok(Delta::Inexpressible),
                Seen::Directories(below) => below,
            };
            // The directory is there anyway: what lies in it goes.
            let empty = self.delta_of(&Directory::default(), &below, &path)?;
            if !over.merge(name, empty) {
                return Ok(Delta::Inexpressible);
            }
        }
        for Entry { name, node } in wanted.entries() {
            match (node, seen(&contents, name)) {
                (Node::Directory { tree }, Seen::Directories(below)) => {
                    let delta = self.delta(tree, &below, &join(path, name))?;
                    if !over.merge(name, delta) {
                        return Ok(Delta::Inexpressible);
                    }
                }
                (_, Seen::Other(other)) if other == node => {}
                _ => over.shown.push(entry(name, node.clone())),
            }
        }
        if over.shown.is_empty() && over.hidden.is_empty() {
            return Ok(Delta::Nothing);
        }
        Ok(Delta::Some(Level {
            hidden: if over.hidden.is_empty() {
                None
            } else {
                Some(self.put(over.hidden)?)
            },
            shown: self.put(over.shown)?,
        }))
    }

    fn contents(&self, level: &Level) -> Result<Contents> {
        let hidden = level.hidden.as_ref();
        Ok(Contents {
            shown: self.store.directory(&level.shown)?,
            hidden: hidden.map(|tree| self.store.directory(tree)).transpose()?,
        })
    }

    /// Whether something that stands at a path, or below it, must not be hidden.
    fn is_never_hidden(&self, path: &[u8]) -> bool {
        self.never_hidden.iter().any(|place| {
            let rest = place.as_bytes().strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }

    fn put(&self, mut entries: Vec<Entry>) -> Result<TreeId> {
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        self.store
            .put_directory_unprotected(&Directory::new(entries)?)
    }
}

/// What is put together of a level.
#[derive(Default)]
struct Over {
    shown: Vec<Entry>,
    hidden: Vec<Entry>,
}

impl Over {
    /// Adds what lies over a directory; says no if nothing can.
    fn merge(&mut self, name: &[u8], delta: Delta) -> bool {
        match delta {
            Delta::Inexpressible => return false,
            Delta::Nothing => {}
            Delta::Some(Level { shown, hidden }) => {
                let node = |tree| Node::Directory { tree };
                self.shown.push(entry(name, node(shown)));
                self.hidden
                    .extend(hidden.map(|hidden| entry(name, node(hidden))));
            }
        }
        true
    }
}

fn entry(name: &[u8], node: Node) -> Entry {
    Entry {
        name: name.to_vec(),
        node,
    }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        name.to_vec()
    } else {
        [path, b"/", name].concat()
    }
}

/// The names in layers that a directory does not have.
fn names_beside<'a>(wanted: &Directory, contents: &'a [Contents]) -> BTreeSet<&'a [u8]> {
    contents
        .iter()
        .flat_map(|contents| contents.shown.entries())
        .map(|entry| entry.name.as_slice())
        .filter(|name| wanted.find(name).is_none())
        .collect()
}

/// What an overlay shows under a name: the topmost node, and if that is a directory, those below
/// that merge with it, down to the first that is none or the first layer that hides the name.
fn seen<'a>(contents: &'a [Contents], name: &[u8]) -> Seen<'a> {
    let mut levels: Vec<Level> = Vec::new();
    for Contents { shown, hidden } in contents {
        let hidden = hidden.as_ref().and_then(|hidden| hidden.find(name));
        match shown.find(name) {
            None => {}
            Some(Node::Directory { tree }) => {
                let level = Level {
                    shown: *tree,
                    hidden: match hidden {
                        Some(Node::Directory { tree }) => Some(*tree),
                        Some(Node::File { .. } | Node::Symlink { .. }) | None => None,
                    },
                };
                if levels.last() != Some(&level) {
                    levels.push(level);
                }
            }
            Some(other) if levels.is_empty() => return Seen::Other(other),
            Some(_) => break,
        }
        if let Some(Node::Symlink { .. }) = hidden {
            break;
        }
    }
    if levels.is_empty() {
        Seen::Nothing
    } else {
        Seen::Directories(levels)
    }
}
