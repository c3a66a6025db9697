//! Whose the entries of a tree are: back through compositions and steps to the inputs of a package.

use std::collections::BTreeSet;

use stxl_model::{Derivation, DerivationId, Kind, Node, Plan, RootPath, TreeOp};
use stxl_store::{Store, StoreError};

use super::Schedule;
use crate::context::BuildContext;
use crate::trail::{Trail, input_at};

/// Which inputs were met.
pub(super) struct Origins<'a> {
    store: &'a Store,
    plan: &'a Plan,
    needs: &'a BTreeSet<DerivationId>,
    pub(super) held: BTreeSet<DerivationId>,
    pub(super) read: BTreeSet<DerivationId>,
    trail: Trail<'a>,
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
            needs,
            held: BTreeSet::new(),
            read: BTreeSet::new(),
            trail: Trail::new(context.store, context.plan, schedule),
        }
    }

    /// Whether all trees on the way were known.
    pub(super) fn is_complete(&self) -> bool {
        self.trail.is_complete
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
            let Some(before) = self.trail.step_back(node, &path)? else {
                if let Ok(Derivation::Archive(archive)) =
                    self.plan.nodes()[node].derivation.decode()
                {
                    // All of it is in the one file.
                    self.pass_on(&archive.tree);
                }
                return Ok(());
            };
            (node, path) = before;
        }
    }

    /// Finds whose everything is that a derivation gives.
    pub(super) fn trace_all(&mut self, id: &DerivationId) -> Result<(), StoreError> {
        let (Some(node), Some(tree)) = (self.plan.position(id), self.trail.tree_of(id)) else {
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
