//! The way back of a file: through compositions and steps that left it as it was.

use stxl_model::{Compose, Derivation, DerivationId, Keep, Node, Plan, RootPath, TreeId, TreeOp};
use stxl_store::{Store, StoreError};

use crate::compose::path_below;
use crate::schedule::Schedule;

/// A derivation of the plan by its position, and a path of its tree.
pub(crate) type Spot = (usize, RootPath);

/// Goes back from what derivations have to those they have it from.
pub(crate) struct Trail<'a> {
    store: &'a Store,
    plan: &'a Plan,
    schedule: &'a Schedule<'a>,
    /// Whether all trees on the way were known.
    pub(crate) is_complete: bool,
}

impl<'a> Trail<'a> {
    /// Over the trees that a resolved schedule knows.
    pub(crate) fn new(store: &'a Store, plan: &'a Plan, schedule: &'a Schedule<'a>) -> Self {
        Self {
            store,
            plan,
            schedule,
            is_complete: true,
        }
    }

    /// Where a derivation has it from what it has at a path; none if it made it itself.
    pub(crate) fn step_back(
        &mut self,
        node: usize,
        path: &RootPath,
    ) -> Result<Option<Spot>, StoreError> {
        let Ok(derivation) = self.plan.nodes()[node].derivation.decode() else {
            return Ok(None);
        };
        let provided = match derivation {
            Derivation::Compose(recipe) => self.provider(&recipe, path)?,
            Derivation::Exec(step) => {
                let before = match &step.keep {
                    Keep::Root => Some(path.clone()),
                    Keep::Subtree(kept) => joined(kept, path),
                };
                let Some(before) = before else {
                    return Ok(None);
                };
                let own = self.entry(&self.plan.nodes()[node].id, path)?;
                let was = self.entry(&step.root, &before)?;
                let is_kept =
                    own.is_some_and(|own| was.is_some_and(|was| same_content(&own, &was)));
                is_kept.then_some((step.root, before))
            }
            Derivation::Archive(_)
            | Derivation::Image(_)
            | Derivation::Fetch(_)
            | Derivation::Import(_)
            | Derivation::Unpack(_) => None,
        };
        Ok(provided.and_then(|(id, there)| Some((self.plan.position(&id)?, there))))
    }

    /// Goes back through the operations of a composition to the last one that has the path from an
    /// input.
    fn provider(
        &mut self,
        recipe: &Compose<DerivationId>,
        path: &RootPath,
    ) -> Result<Option<(DerivationId, RootPath)>, StoreError> {
        let mut path = path.clone();
        for op in recipe.ops.iter().rev() {
            let (input, there) = match op {
                TreeOp::Merge { input } | TreeOp::MergeStrict { input } => {
                    (*input, Some(path.clone()))
                }
                TreeOp::PutTree { input, at } => (*input, path_below(&path, at)),
                TreeOp::PutFile { input, at, mode: _ } if *at == path => {
                    let file = RootPath::root().child(stxl_model::FILE_ENTRY).ok();
                    let input = input_at(recipe, *input);
                    return Ok(input.zip(file));
                }
                TreeOp::Select { path: selected } => {
                    let Some(before) = joined(selected, &path) else {
                        return Ok(None);
                    };
                    path = before;
                    continue;
                }
                TreeOp::Move { from, to } | TreeOp::Copy { from, to } => {
                    let rest = path_below(&path, to);
                    if let Some(before) = rest.and_then(|rest| joined(from, &rest)) {
                        path = before;
                    }
                    continue;
                }
                TreeOp::Write { path: made, .. } | TreeOp::Symlink { path: made, .. }
                    if *made == path =>
                {
                    return Ok(None);
                }
                TreeOp::PutFile { .. }
                | TreeOp::Write { .. }
                | TreeOp::Symlink { .. }
                | TreeOp::KeepGlobs { .. }
                | TreeOp::DropGlobs { .. }
                | TreeOp::Remove { .. }
                | TreeOp::Mkdir { .. }
                | TreeOp::SetExecutable { .. }
                | TreeOp::Substitute { .. }
                | TreeOp::Patch { .. }
                | TreeOp::AssertEqual { .. } => continue,
            };
            if let (Some(input), Some(there)) = (input_at(recipe, input), there)
                && self.entry(&input, &there)?.is_some()
            {
                return Ok(Some((input, there)));
            }
        }
        Ok(None)
    }

    /// What a derivation has at a path, if that is known and no directory.
    pub(crate) fn entry(
        &mut self,
        id: &DerivationId,
        path: &RootPath,
    ) -> Result<Option<Node>, StoreError> {
        let Some(tree) = self.tree_of(id) else {
            return Ok(None);
        };
        Ok(match self.store.find(&tree, path)? {
            Some(Node::Directory { .. }) | None => None,
            Some(found) => Some(found),
        })
    }

    pub(crate) fn tree_of(&mut self, id: &DerivationId) -> Option<TreeId> {
        let position = self.plan.position(id);
        let tree = position.and_then(|position| self.schedule.tree(position));
        self.is_complete &= tree.is_some();
        tree
    }
}

/// An input of a composition.
pub(crate) fn input_at<I: Copy>(recipe: &Compose<I>, input: u32) -> Option<I> {
    let position = usize::try_from(input).ok()?;
    recipe.inputs.get(position).copied()
}

/// A path below a directory; none if it would be longer than a path can be.
fn joined(directory: &RootPath, path: &RootPath) -> Option<RootPath> {
    let mut parts = path.parts();
    parts.try_fold(directory.clone(), |joined, part| joined.child(part).ok())
}

/// Whether two entries have the same bytes, or lead to the same; a step may have changed the mode.
pub(crate) fn same_content(one: &Node, other: &Node) -> bool {
    match (one, other) {
        (Node::File { blob: one, .. }, Node::File { blob: other, .. }) => one == other,
        (Node::Symlink { target: one }, Node::Symlink { target: other }) => one == other,
        (Node::File { .. } | Node::Symlink { .. } | Node::Directory { .. }, _) => false,
    }
}
