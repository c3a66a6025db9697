//! Merging trees.
//!
//! | below | above | result |
//! |---|---|---|
//! | directory | directory | they merge |
//! | file or symlink | file or symlink | the one above |
//! | symlink to a directory inside the root | directory | the directory merges where the link leads |
//! | anything else | | an error |
//!
//! A strict merge refuses a file or symlink over a different one.
//!
//! Within one input, directories that merge through a link come after everything else of it, so
//! that the place the link leads to may come from the same input.

use stxl_model::{Node, RootPath, TreeId};

use crate::error::StoreError;
use crate::store::Store;

use super::editor::{EditError, OpenDirectory, Place, Slot, Standing, TreeEditor, path_of};

/// What merging trees came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The merged tree.
    pub tree: TreeId,
    /// Files and symlinks that another input replaced by something different.
    pub hidden: Vec<Hidden>,
}

/// A file or symlink of one input that another one replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Where.
    pub path: RootPath,
    /// The input whose entry counts.
    pub upper: usize,
    /// The last input before it that has an entry there.
    pub lower: usize,
}

/// Why trees could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two inputs have things at a path that do not merge.
    #[error("`{path}` is {lower_kind} in input {lower} and {upper_kind} in input {upper}")]
    Clash {
        /// Where.
        path: RootPath,
        /// The position of the earlier input.
        lower: usize,
        /// What it has there.
        lower_kind: &'static str,
        /// The position of the later input.
        upper: usize,
        /// What it has there.
        upper_kind: &'static str,
    },
}

/// A directory that comes over a symlink.
struct Deferred {
    link: Place,
    tree: TreeId,
}

impl Store {
    /// Merges trees, later ones over earlier ones.
    pub fn merge(&self, inputs: &[TreeId]) -> Result<Merged, MergeError> {
        let failed = |error| match error {
            EditError::Store(error) => MergeError::Store(error),
            // The editor was made here and merging reports nothing else than clashes.
            _ => MergeError::Store(StoreError::Contended),
        };
        let mut editor = TreeEditor::new(self).map_err(failed)?;
        let mut hidden = Vec::new();
        for (upper, input) in inputs.iter().enumerate() {
            let replaced = match editor.merge_at(&Place::new(), input, Replacing::Allowed) {
                Ok(replaced) => replaced,
                Err(EditError::Clash {
                    path,
                    lower,
                    upper: upper_kind,
                }) => {
                    return Err(MergeError::Clash {
                        lower: self.last_with(&inputs[..upper], &path)?,
                        path,
                        lower_kind: lower,
                        upper,
                        upper_kind,
                    });
                }
                Err(error) => return Err(failed(error)),
            };
            for place in replaced {
                let path = path_of(&place);
                let lower = self.last_with(&inputs[..upper], &path)?;
                hidden.push(Hidden { path, upper, lower });
            }
        }
        let tree = editor.finish().map_err(failed)?;
        Ok(Merged { tree, hidden })
    }

    /// The last of some inputs that has an entry at a path, symlinks followed.
    fn last_with(&self, inputs: &[TreeId], path: &RootPath) -> Result<usize, StoreError> {
        for (position, input) in inputs.iter().enumerate().rev() {
            let found = TreeEditor::from_tree(self, input).and_then(|mut editor| editor.find(path));
            match found {
                Ok(Some(_)) => return Ok(position),
                Err(EditError::Store(error)) => return Err(error),
                Ok(None) | Err(_) => {}
            }
        }
        // Only reached through links that another input made.
        Ok(inputs.len().saturating_sub(1))
    }
}

impl TreeEditor<'_> {
    /// Merges a tree over this one.
    pub fn merge(&mut self, tree: &TreeId) -> Result<(), EditError> {
        self.merge_at(&Place::new(), tree, Replacing::Allowed)
            .map(|_| ())
    }

    /// Merges a tree over this one, and refuses to replace a file or symlink by a different one.
    pub fn merge_strict(&mut self, tree: &TreeId) -> Result<(), EditError> {
        self.merge_at(&Place::new(), tree, Replacing::Refused)
            .map(|_| ())
    }

    /// Merges a tree over a directory, which is made if it is missing.
    pub fn put_tree(&mut self, tree: &TreeId, at: &RootPath) -> Result<(), EditError> {
        let place = self.make_directories(at)?;
        self.merge_at(&place, tree, Replacing::Allowed).map(|_| ())
    }

    /// Merges a tree over the directory at a place, and returns what was replaced by something
    /// different.
    fn merge_at(
        &mut self,
        place: &[Vec<u8>],
        tree: &TreeId,
        replacing: Replacing,
    ) -> Result<Vec<Place>, EditError> {
        let mut merging = Merging {
            store: self.store,
            replacing,
            replaced: Vec::new(),
            deferred: Vec::new(),
        };
        let mut at = place.to_vec();
        merging.directory(self.open_at(place)?, tree, &mut at)?;
        while !merging.deferred.is_empty() {
            for Deferred { link, tree } in std::mem::take(&mut merging.deferred) {
                let Some(mut target) = self.follow(&link)? else {
                    return Err(EditError::Clash {
                        path: path_of(&link),
                        lower: "a symlink that leads to no directory",
                        upper: Standing::Directory.name(),
                    });
                };
                let directory = self.open_at(&target.clone())?;
                merging.directory(directory, &tree, &mut target)?;
            }
        }
        Ok(merging.replaced)
    }
}

/// What becomes of a file or symlink that a different one comes over.
#[derive(Clone, Copy)]
enum Replacing {
    Allowed,
    Refused,
}

struct Merging<'a> {
    store: &'a Store,
    replacing: Replacing,
    replaced: Vec<Place>,
    deferred: Vec<Deferred>,
}

impl Merging<'_> {
    fn directory(
        &mut self,
        lower: &mut OpenDirectory,
        upper: &TreeId,
        place: &mut Place,
    ) -> Result<(), EditError> {
        for entry in self.store.directory(upper)?.entries() {
            place.push(entry.name.clone());
            match lower.entries.get_mut(&entry.name) {
                None => {
                    let slot = Slot::Kept(entry.node.clone());
                    lower.entries.insert(entry.name.clone(), slot);
                }
                Some(slot) => self.slot(slot, &entry.node, place)?,
            }
            place.pop();
        }
        Ok(())
    }

    fn slot(&mut self, lower: &mut Slot, upper: &Node, place: &mut Place) -> Result<(), EditError> {
        let clash = |lower: Standing, upper: Standing| EditError::Clash {
            path: path_of(place),
            lower: lower.name(),
            upper: upper.name(),
        };
        if matches!(&*lower, Slot::Kept(node) if node == upper) {
            return Ok(());
        }
        match (&mut *lower, upper) {
            (Slot::Kept(Node::File { .. }), Node::Directory { .. }) => {
                Err(clash(Standing::File, Standing::Directory))
            }
            (Slot::Kept(Node::Symlink { .. }), Node::Directory { tree }) => {
                self.deferred.push(Deferred {
                    link: place.clone(),
                    tree: *tree,
                });
                Ok(())
            }
            (Slot::Kept(Node::Directory { .. }) | Slot::Open(_), Node::Directory { tree }) => {
                match lower.open(self.store)? {
                    Some(directory) => self.directory(directory, tree, place),
                    None => Ok(()),
                }
            }
            (Slot::Kept(Node::Directory { .. }) | Slot::Open(_), Node::File { .. }) => {
                Err(clash(Standing::Directory, Standing::File))
            }
            (Slot::Kept(Node::Directory { .. }) | Slot::Open(_), Node::Symlink { .. }) => {
                Err(clash(Standing::Directory, Standing::Symlink(Vec::new())))
            }
            (
                Slot::Kept(Node::File { .. } | Node::Symlink { .. }),
                Node::File { .. } | Node::Symlink { .. },
            ) => match self.replacing {
                Replacing::Allowed => {
                    *lower = Slot::Kept(upper.clone());
                    self.replaced.push(place.clone());
                    Ok(())
                }
                Replacing::Refused => Err(EditError::Replaced {
                    path: path_of(place),
                }),
            },
        }
    }
}
