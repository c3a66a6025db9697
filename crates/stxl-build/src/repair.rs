//! Damaged objects made again by the steps that made them.

use std::collections::{BTreeMap, BTreeSet};

use stxl_model::{DerivationId, Digest, Node, TreeId};
use stxl_store::{Store, StoreError};

use crate::build::conduct_again;
use crate::context::BuildContext;
use crate::event::{CheckMismatch, EventSink, StepFailure};
use crate::failure::BuildError;
use crate::graph::Graph;
use crate::status::resolve;

/// What came of a repair.
#[derive(Debug)]
pub struct Repaired {
    /// Derivations that ran again and gave the tree they gave before.
    pub same: Vec<DerivationId>,
    /// Those that gave another tree; it is recorded beside the first, which stays chosen.
    pub differing: Vec<CheckMismatch>,
    /// Those that failed.
    pub failed: Vec<StepFailure>,
}

/// Runs the producers of damaged objects again and checks that the same trees come out.
///
/// `damaged` are the ids of blobs and directories that were taken out of the store, as a
/// verification named them. Objects that no step of the plan gives are not made again.
pub fn repair(
    context: BuildContext<'_>,
    damaged: &BTreeSet<Digest>,
    events: EventSink<'_>,
) -> Result<Repaired, BuildError> {
    let (store, plan) = (context.store, context.plan);
    let graph = Graph::new(plan);
    let schedule = resolve(store, plan, &graph)?;
    let mut search = Search {
        store,
        damaged,
        known: BTreeMap::new(),
    };
    let mut producers = Vec::new();
    for node in 0..plan.nodes().len() {
        if let Some(tree) = schedule.tree(node)
            && search.is_damaged(&tree)?
        {
            producers.push(node);
        }
    }
    let again = conduct_again(context, &graph, &producers, events)?;
    let lost = |id: &DerivationId| {
        again
            .mismatches
            .iter()
            .any(|mismatch| mismatch.node.id == *id)
            || !again.compared.contains(id)
    };
    let ids = producers.iter().map(|node| plan.nodes()[*node].id);
    Ok(Repaired {
        same: ids.filter(|id| !lost(id)).collect(),
        differing: again.mismatches,
        failed: again.failures,
    })
}

/// Which trees have damaged objects in them.
struct Search<'a> {
    store: &'a Store,
    damaged: &'a BTreeSet<Digest>,
    known: BTreeMap<TreeId, bool>,
}

impl Search<'_> {
    fn is_damaged(&mut self, tree: &TreeId) -> Result<bool, StoreError> {
        if self.damaged.contains(tree.digest()) {
            return Ok(true);
        }
        if let Some(known) = self.known.get(tree) {
            return Ok(*known);
        }
        let answer = match self.store.directory(tree) {
            // Collected: nobody claims to have it.
            Err(StoreError::MissingTree { .. }) => false,
            Err(error) => return Err(error),
            Ok(directory) => {
                let mut answer = false;
                for entry in directory.entries() {
                    answer |= match &entry.node {
                        Node::File { blob, .. } => self.damaged.contains(blob.digest()),
                        Node::Symlink { .. } => false,
                        Node::Directory { tree } => self.is_damaged(tree)?,
                    };
                }
                answer
            }
        };
        self.known.insert(*tree, answer);
        Ok(answer)
    }
}
