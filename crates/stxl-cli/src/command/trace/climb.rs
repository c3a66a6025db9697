//! The packages of a lineage as the rungs of a climb: who was built by whom, how large, how long.

use std::collections::{BTreeMap, BTreeSet};

use stxl_build::{Lineage, forecast};
use stxl_model::{Node, PackageLabel, Plan, TreeId};
use stxl_store::{Store, StoreError};

/// The packages that something was made with, in an order in which they can be built.
pub(super) struct Climb {
    /// In the order in which they are finished.
    pub(super) rungs: Vec<Rung>,
}

/// One package of a climb.
pub(super) struct Rung {
    pub(super) label: PackageLabel,
    /// How many steps it runs.
    pub(super) steps: usize,
    /// How long they took when they ran last, in milliseconds.
    pub(super) ms: u64,
    /// How many of them have not run on this machine.
    pub(super) unknown: usize,
    /// What the last of its derivations gave that is below what was asked for.
    pub(super) tree: Option<TreeId>,
    /// How many bytes its files have; none if the store does not have all of it.
    pub(super) size_bytes: Option<u64>,
    /// Rungs it was built with, by position.
    pub(super) needs: BTreeSet<usize>,
}

impl Climb {
    pub(super) fn of(store: &Store, plan: &Plan, lineage: &Lineage) -> Result<Self, StoreError> {
        let within: BTreeSet<usize> = lineage.nodes.iter().copied().collect();
        let work = forecast(store, plan, |node| within.contains(&node))?.packages;
        let mut rungs: Vec<Rung> = Vec::new();
        let mut positions: BTreeMap<&PackageLabel, usize> = BTreeMap::new();
        let mut last: Vec<usize> = Vec::new();
        for node in &lineage.nodes {
            let plan_node = &plan.nodes()[*node];
            let label = &plan_node.origin.label;
            let rung = *positions.entry(label).or_insert_with(|| {
                let work = work.get(label).copied().unwrap_or_default();
                rungs.push(Rung {
                    label: label.clone(),
                    steps: work.steps,
                    ms: work.ms,
                    unknown: work.unknown,
                    tree: None,
                    size_bytes: None,
                    needs: BTreeSet::new(),
                });
                last.push(*node);
                rungs.len() - 1
            });
            last[rung] = *node;
            for input in plan_node.derivation.inputs() {
                let input = plan.node(input).map(|node| &node.origin.label);
                let input = input.and_then(|label| positions.get(label));
                rungs[rung]
                    .needs
                    .extend(input.filter(|input| **input != rung));
            }
        }
        for (rung, node) in rungs.iter_mut().zip(&last) {
            rung.tree = tree_of(store, plan, *node)?;
            if let Some(tree) = rung.tree {
                rung.size_bytes = size_of(store, &tree)?;
            }
        }
        Ok(Self {
            rungs: in_order(rungs, &last),
        })
    }

    /// How many steps all rungs run.
    pub(super) fn steps(&self) -> usize {
        self.rungs.iter().map(|rung| rung.steps).sum()
    }
}

/// Rungs in the order in which they are finished, and their needs by their new positions.
fn in_order(rungs: Vec<Rung>, last: &[usize]) -> Vec<Rung> {
    let mut order: Vec<usize> = (0..rungs.len()).collect();
    order.sort_by_key(|rung| last[*rung]);
    let mut position = vec![0; rungs.len()];
    for (new, old) in order.iter().enumerate() {
        position[*old] = new;
    }
    let moved = rungs.into_iter().map(|mut rung| {
        rung.needs = rung.needs.iter().map(|need| position[*need]).collect();
        rung
    });
    let mut sorted: Vec<(usize, Rung)> = position.iter().copied().zip(moved).collect();
    sorted.sort_by_key(|(position, _)| *position);
    sorted.into_iter().map(|(_, rung)| rung).collect()
}

fn tree_of(store: &Store, plan: &Plan, node: usize) -> Result<Option<TreeId>, StoreError> {
    let known = store.resolve(&[plan.nodes()[node].id])?;
    Ok(known.into_iter().flatten().next().map(|known| known.tree))
}

/// How many bytes the files of a tree have; none if not all of it is in the store.
fn size_of(store: &Store, tree: &TreeId) -> Result<Option<u64>, StoreError> {
    let mut bytes = 0;
    let walked = store.walk(tree, |_, node| {
        if let Node::File { size_bytes, .. } = node {
            bytes += size_bytes;
        }
    });
    match walked {
        Ok(()) => Ok(Some(bytes)),
        Err(StoreError::MissingTree { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
