//! Whose the entries of a tree are: back through compositions and steps to the inputs of a package.

use std::collections::BTreeSet;

use stxl_model::{Compose, Derivation, DerivationId, Kind, Node, Plan, RootPath, TreeId, TreeOp};
use stxl_store::{Store, StoreError};

use super::Schedule;
use crate::compose::path_below;
use crate::context::BuildContext;

/// What a composition has at a path: what an input has at another.
type Provided = (DerivationId, RootPath);

/// Which inputs were met.
pub(super) struct Origins<'a> {
    store: &'a Store,
    plan: &'a Plan,
    schedule: &'a Schedule<'a>,
    needs: &'a BTreeSet<DerivationId>,
    pub(super) held: BTreeSet<DerivationId>,
    pub(super) read: BTreeSet<DerivationId>,
    /// Whether all trees on the way were known.
    pub(super) is_complete: bool,
}

impl<'a> Origins<'a> {
    pub(super) fn new(
        context: BuildContext<'a>,
        schedule: &'a Schedule<'a>,
        needs: &'a BTreeSet<DerivationId>,
    ) -> Self {
        Self {
            store: context.store,
            plan: context.plan,
            schedule,
            needs,
            held: BTreeSet::new(),
            read: BTreeSet::new(),
            is_complete: true,
        }
    }

    /// The root of a step.
    pub(super) fn root_of(&self, step: &DerivationId) -> Option<usize> {
        let inputs = self.plan.node(step)?.derivation.inputs();
        inputs.first().and_then(|root| self.plan.position(root))
    }

    /// Notes all inputs that a derivation is made of. A diff counts as read: it is applied before
    /// anything runs.
    pub(super) fn hold(&mut self, node: usize) {
        let mut stack = vec![node];
        let mut seen = BTreeSet::new();
        while let Some(node) = stack.pop() {
            let node = &self.plan.nodes()[node];
            if !seen.insert(node.id) {
                continue;
            }
            if self.is_input(&node.id) {
                self.held.insert(node.id);
                continue;
            }
            let inputs = node.derivation.inputs();
            stack.extend(inputs.iter().filter_map(|input| self.plan.position(input)));
            if let Ok(Derivation::Compose(recipe)) = node.derivation.decode() {
                for op in &recipe.ops {
                    if let TreeOp::Patch { input, .. } = op
                        && let Some(input) = input_at(&recipe, *input)
                    {
                        self.read.insert(input);
                    }
                }
            }
        }
    }

    /// Whether a derivation is an input of the package, and nothing that it makes.
    fn is_input(&self, id: &DerivationId) -> bool {
        let kind = self.plan.node(id).map(|node| node.derivation.kind());
        let is_source = match kind {
            Some(Kind::Fetch | Kind::Import | Kind::Unpack) => true,
            Some(Kind::Exec | Kind::Compose | Kind::Archive | Kind::Image) | None => false,
        };
        is_source || self.needs.contains(id)
    }

    /// Finds whose it is what a derivation has at a path, which is no directory.
    pub(super) fn trace(&mut self, node: usize, path: RootPath) -> Result<(), StoreError> {
        let (mut node, mut path) = (node, path);
        loop {
            let id = self.plan.nodes()[node].id;
            if self.is_input(&id) {
                self.read.insert(id);
                return Ok(());
            }
            let Some((before, there)) = self.step_back(node, &path)? else {
                return Ok(());
            };
            let Some(position) = self.plan.position(&before) else {
                return Ok(());
            };
            (node, path) = (position, there);
        }
    }

    /// Where a derivation has it from what it has at a path; none if it made it itself.
    fn step_back(&mut self, node: usize, path: &RootPath) -> Result<Option<Provided>, StoreError> {
        let Ok(derivation) = self.plan.nodes()[node].derivation.decode() else {
            return Ok(None);
        };
        match derivation {
            Derivation::Compose(recipe) => self.provider(&recipe, path),
            Derivation::Exec(step) => {
                let before = match &step.keep {
                    stxl_model::Keep::Root => Some(path.clone()),
                    stxl_model::Keep::Subtree(kept) => joined(kept, path),
                };
                let Some(before) = before else {
                    return Ok(None);
                };
                let own = self.entry(&self.plan.nodes()[node].id.clone(), path)?;
                let was = self.entry(&step.root, &before)?;
                let is_kept = own.is_some() && own == was;
                Ok(is_kept.then_some((step.root, before)))
            }
            Derivation::Archive(archive) => {
                // All of it is in the one file.
                self.pass_on(&archive.tree);
                Ok(None)
            }
            Derivation::Image(_)
            | Derivation::Fetch(_)
            | Derivation::Import(_)
            | Derivation::Unpack(_) => Ok(None),
        }
    }

    /// Goes back through the operations of a composition to the last one that has the path from an
    /// input.
    fn provider(
        &mut self,
        recipe: &Compose<DerivationId>,
        path: &RootPath,
    ) -> Result<Option<Provided>, StoreError> {
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

    /// What a derivation has at a path, if that is no directory.
    fn entry(&mut self, id: &DerivationId, path: &RootPath) -> Result<Option<Node>, StoreError> {
        let Some(tree) = self.tree_of(id) else {
            return Ok(None);
        };
        Ok(match self.store.find(&tree, path)? {
            Some(Node::Directory { .. }) | None => None,
            Some(found) => Some(found),
        })
    }

    fn tree_of(&mut self, id: &DerivationId) -> Option<TreeId> {
        let position = self.plan.position(id);
        let tree = position.and_then(|position| self.schedule.tree(position));
        self.is_complete &= tree.is_some();
        tree
    }

    /// Finds whose everything is that a derivation gives.
    pub(super) fn trace_all(&mut self, id: &DerivationId) -> Result<(), StoreError> {
        let (Some(node), Some(tree)) = (self.plan.position(id), self.tree_of(id)) else {
            return Ok(());
        };
        let mut folders = vec![(RootPath::root(), tree)];
        while let Some((folder, tree)) = folders.pop() {
            let directory = self.store.directory(&tree)?;
            for entry in directory.entries() {
                let Ok(path) = folder.child(&entry.name) else {
                    continue;
                };
                match &entry.node {
                    Node::Directory { tree } => folders.push((path, *tree)),
                    Node::File { .. } | Node::Symlink { .. } => self.trace(node, path)?,
                }
            }
        }
        Ok(())
    }

    /// Counts all that a derivation is made of as read.
    fn pass_on(&mut self, id: &DerivationId) {
        let Some(node) = self.plan.position(id) else {
            return;
        };
        let held = std::mem::take(&mut self.held);
        self.hold(node);
        self.read.extend(self.held.iter().copied());
        self.held.extend(held);
    }
}

fn input_at<I: Copy>(recipe: &Compose<I>, input: u32) -> Option<I> {
    let position = usize::try_from(input).ok()?;
    recipe.inputs.get(position).copied()
}

/// A path below a directory; none if it would be longer than a path can be.
fn joined(directory: &RootPath, path: &RootPath) -> Option<RootPath> {
    let mut parts = path.parts();
    parts.try_fold(directory.clone(), |joined, part| joined.child(part).ok())
}
