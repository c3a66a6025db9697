//! The runs of a package: their order, and how much of its root each has to keep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use stxl_lang::{Expanded, Operand, OutputExpression, OutputFilter, RootExpression, RootOperation};
use stxl_model::{Keep, RootPath};

use super::address;

/// A run among those of its package.
#[derive(Clone, Debug)]
pub(super) struct Run {
    position: usize,
    total: usize,
    /// What is kept of its root.
    pub(super) keep: Keep,
}

/// The runs of all outputs and tests of a package, whether or not they are asked for, so that a
/// derivation is the same whichever output is.
pub(super) struct RunTable {
    order: Vec<usize>,
    positions: BTreeMap<usize, usize>,
    uses: BTreeMap<usize, Use>,
}

/// The table of a package, made for the first of its outputs that is lowered: it visits them all.
///
/// It goes with the expressions that it names by address, and says nothing that they do not: any
/// two are equal.
#[derive(Default)]
pub(crate) struct LazyRunTable(OnceLock<RunTable>);

impl LazyRunTable {
    pub(super) fn of(&self, expanded: &Expanded) -> &RunTable {
        self.0.get_or_init(|| RunTable::of(expanded))
    }
}

impl PartialEq for LazyRunTable {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for LazyRunTable {}

impl std::fmt::Debug for LazyRunTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LazyRunTable")
    }
}

/// How the root after a run is used.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Use {
    /// As one subtree, always the same.
    Subtree(RootPath),
    /// As a whole, or as several subtrees.
    Whole,
}

impl Run {
    /// `run 2 of 3`, or `run` when there is one.
    pub(super) fn name(&self) -> String {
        match self.total {
            1 => "run".to_owned(),
            total => format!("run {} of {total}", self.position + 1),
        }
    }
}

impl RunTable {
    pub(super) fn of(expanded: &Expanded) -> Self {
        let mut table = Self {
            order: Vec::new(),
            positions: BTreeMap::new(),
            uses: BTreeMap::new(),
        };
        let mut seen = BTreeSet::new();
        for output in expanded.outputs.values().chain(expanded.tests.values()) {
            table.visit_output(output, &mut seen);
        }
        table.positions = table
            .order
            .iter()
            .enumerate()
            .map(|(at, run)| (*run, at))
            .collect();
        table
    }

    pub(super) fn into_order(self) -> Vec<usize> {
        self.order
    }

    pub(super) fn run(&self, step: usize) -> Run {
        let keep = match self.uses.get(&step) {
            Some(Use::Subtree(path)) => Keep::Subtree(path.clone()),
            Some(Use::Whole) | None => Keep::Root,
        };
        let position = self.positions.get(&step).copied().unwrap_or_default();
        Run {
            position,
            total: self.order.len(),
            keep,
        }
    }

    fn visit_output(&mut self, output: &OutputExpression, seen: &mut BTreeSet<usize>) {
        let asserts = output
            .filters
            .iter()
            .any(|it| matches!(it, OutputFilter::AssertEqual(..)));
        let used = if asserts || output.path.is_root() {
            Use::Whole
        } else {
            Use::Subtree(output.path.clone())
        };
        self.visit_root(&output.root, &used, seen);
    }

    fn visit_root(&mut self, root: &RootExpression, used: &Use, seen: &mut BTreeSet<usize>) {
        self.record_use(root, used);
        let mut steps = Vec::new();
        let mut next = Some(root);
        while let Some(RootExpression(step)) = next {
            if !seen.insert(address(step)) {
                break;
            }
            if let Some(before) = &step.before {
                self.record_use(before, &Use::Whole);
            }
            steps.push(Arc::clone(step));
            next = step.before.as_ref();
        }
        for step in steps.into_iter().rev() {
            for operand in step.operation.operands() {
                match operand {
                    Operand::Root(root) => self.visit_root(root, &Use::Whole, seen),
                    Operand::Output(output) => self.visit_output(output, seen),
                    Operand::Package(_)
                    | Operand::File(_)
                    | Operand::Directory(_)
                    | Operand::Seed(_)
                    | Operand::Fetch(_) => {}
                }
            }
            if matches!(step.operation, RootOperation::Run(_)) {
                self.order.push(address(&step));
            }
        }
    }

    fn record_use(&mut self, RootExpression(step): &RootExpression, used: &Use) {
        if matches!(step.operation, RootOperation::Run(_)) {
            let known = self
                .uses
                .entry(address(step))
                .or_insert_with(|| used.clone());
            if known != used {
                *known = Use::Whole;
            }
        }
    }
}
