//! Comparing and dropping roots that share their beginnings.
//!
//! Chains are thousands of steps long, and a root may be used by many others: neither may recurse
//! along a chain, nor look at a shared root once for each of its uses.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Operand, OutputExpression, RootExpression, RootOperation, RootStep};
use stxl_model::RootPath;

impl PartialEq for RootExpression {
    fn eq(&self, other: &Self) -> bool {
        let mut comparison = Comparison::default();
        comparison.root(self, other);
        comparison.holds()
    }
}

impl Eq for RootExpression {}

impl PartialEq for RootStep {
    fn eq(&self, other: &Self) -> bool {
        let mut comparison = Comparison::default();
        comparison.step(self, other) && comparison.holds()
    }
}

impl Eq for RootStep {}

impl PartialEq for RootOperation {
    fn eq(&self, other: &Self) -> bool {
        let mut comparison = Comparison::default();
        comparison.operation(self, other) && comparison.holds()
    }
}

impl Eq for RootOperation {}

impl PartialEq for Operand {
    fn eq(&self, other: &Self) -> bool {
        let mut comparison = Comparison::default();
        comparison.operand(self, other) && comparison.holds()
    }
}

impl Eq for Operand {}

impl PartialEq for OutputExpression {
    fn eq(&self, other: &Self) -> bool {
        let mut comparison = Comparison::default();
        comparison.output(self, other) && comparison.holds()
    }
}

impl Eq for OutputExpression {}

/// A comparison under way: roots inside of what is compared wait in a list, each pair once.
#[derive(Default)]
struct Comparison<'a> {
    waiting: Vec<(&'a RootStep, &'a RootStep)>,
    seen: BTreeSet<(usize, usize)>,
}

impl<'a> Comparison<'a> {
    /// Whether all pairs of roots that wait are equal, and those that they lead to.
    fn holds(&mut self) -> bool {
        while let Some((left, right)) = self.waiting.pop() {
            if !self.step(left, right) {
                return false;
            }
        }
        true
    }

    /// Puts two roots on the list, unless they are one or are on it already.
    fn root(&mut self, RootExpression(left): &'a RootExpression, right: &'a RootExpression) {
        let RootExpression(right) = right;
        let pair = (Arc::as_ptr(left).addr(), Arc::as_ptr(right).addr());
        if pair.0 != pair.1 && self.seen.insert(pair) {
            self.waiting.push((left, right));
        }
    }

    fn step(&mut self, left: &'a RootStep, right: &'a RootStep) -> bool {
        let before = match (&left.before, &right.before) {
            (Some(left), Some(right)) => {
                self.root(left, right);
                true
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        before && left.site == right.site && self.operation(&left.operation, &right.operation)
    }

    fn operation(&mut self, left: &'a RootOperation, right: &'a RootOperation) -> bool {
        use RootOperation as Is;
        match (left, right) {
            (Is::Start(left), Is::Start(right)) | (Is::Add(left), Is::Add(right)) => {
                self.operands(left, right)
            }
            (
                Is::Put { what, at, mode },
                Is::Put {
                    what: other,
                    at: other_at,
                    mode: other_mode,
                },
            ) => (at, mode) == (other_at, other_mode) && self.operand(what, other),
            (
                Is::Unpack {
                    archive,
                    at,
                    strip_components,
                },
                Is::Unpack {
                    archive: other,
                    at: other_at,
                    strip_components: other_strip,
                },
            ) => (at, strip_components) == (other_at, other_strip) && self.operand(archive, other),
            (
                Is::Patch {
                    patches,
                    strip_components,
                },
                Is::Patch {
                    patches: others,
                    strip_components: other_strip,
                },
            ) => strip_components == other_strip && self.operands(patches, others),
            (Is::Tree(left), Is::Tree(right)) => left == right,
            (Is::Cd(left), Is::Cd(right)) => left == right,
            (Is::Env(left), Is::Env(right)) => left == right,
            (Is::User(left), Is::User(right)) => left == right,
            (
                Is::Timeout { wall_ms, silent_ms },
                Is::Timeout {
                    wall_ms: other_wall,
                    silent_ms: other_silent,
                },
            ) => (wall_ms, silent_ms) == (other_wall, other_silent),
            (Is::Run(left), Is::Run(right)) => left == right,
            (
                Is::Start(_)
                | Is::Add(_)
                | Is::Put { .. }
                | Is::Unpack { .. }
                | Is::Patch { .. }
                | Is::Tree(_)
                | Is::Cd(_)
                | Is::Env(_)
                | Is::User(_)
                | Is::Timeout { .. }
                | Is::Run(_),
                _,
            ) => false,
        }
    }

    fn operands(&mut self, left: &'a [Operand], right: &'a [Operand]) -> bool {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(left, right)| self.operand(left, right))
    }

    fn operand(&mut self, left: &'a Operand, right: &'a Operand) -> bool {
        match (left, right) {
            (Operand::Root(left), Operand::Root(right)) => {
                self.root(left, right);
                true
            }
            (Operand::Output(left), Operand::Output(right)) => {
                Arc::ptr_eq(left, right) || self.output(left, right)
            }
            (Operand::Package(left), Operand::Package(right)) => left == right,
            (Operand::File(left), Operand::File(right)) => left == right,
            (Operand::Directory(left), Operand::Directory(right)) => left == right,
            (Operand::Seed(left), Operand::Seed(right)) => left == right,
            (Operand::Fetch(left), Operand::Fetch(right)) => left == right,
            (
                Operand::Root(_)
                | Operand::Output(_)
                | Operand::Package(_)
                | Operand::File(_)
                | Operand::Directory(_)
                | Operand::Seed(_)
                | Operand::Fetch(_),
                _,
            ) => false,
        }
    }

    fn output(&mut self, left: &'a OutputExpression, right: &'a OutputExpression) -> bool {
        let OutputExpression {
            root,
            path,
            filters,
            site,
        } = left;
        self.root(root, &right.root);
        *path == right.path && *filters == right.filters && *site == right.site
    }
}

impl Drop for RootStep {
    fn drop(&mut self) {
        let mut waiting = Vec::new();
        take_roots(self, &mut waiting);
        while let Some(RootExpression(root)) = waiting.pop() {
            // The last owner goes on along the chain; for all others it is theirs.
            if let Some(mut step) = Arc::into_inner(root) {
                take_roots(&mut step, &mut waiting);
            }
        }
    }
}

/// Moves the roots out of a step that is dropped.
fn take_roots(step: &mut RootStep, into: &mut Vec<RootExpression>) {
    into.extend(step.before.take());
    let operation = std::mem::replace(&mut step.operation, RootOperation::Cd(RootPath::root()));
    match operation {
        RootOperation::Start(operands)
        | RootOperation::Add(operands)
        | RootOperation::Patch {
            patches: operands, ..
        } => operands
            .into_iter()
            .for_each(|operand| take_root(operand, into)),
        RootOperation::Put { what: operand, .. }
        | RootOperation::Unpack {
            archive: operand, ..
        } => take_root(operand, into),
        RootOperation::Tree(_)
        | RootOperation::Cd(_)
        | RootOperation::Env(_)
        | RootOperation::User(_)
        | RootOperation::Timeout { .. }
        | RootOperation::Run(_) => {}
    }
}

fn take_root(operand: Operand, into: &mut Vec<RootExpression>) {
    match operand {
        Operand::Root(root) => into.push(root),
        Operand::Output(output) => {
            into.extend(Arc::into_inner(output).map(|output| output.root));
        }
        Operand::Package(_)
        | Operand::File(_)
        | Operand::Directory(_)
        | Operand::Seed(_)
        | Operand::Fetch(_) => {}
    }
}
