//! What a build of a plan would do, as far as records tell: nothing is run or read from disk.

use stxl_model::{ActionId, Plan, TreeId};
use stxl_store::{Store, StoreError};

use crate::graph::Graph;
use crate::records::Memos;
use crate::schedule::{Demand, Question, Schedule};

/// What would become of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStatus {
    /// Its tree is known.
    Cached,
    /// It would run.
    Run,
    /// Something below it would run; after that it may run or be cut off.
    Pending,
}

impl NodeStatus {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Run => "run",
            Self::Pending => "pending",
        }
    }
}

/// The status of every node, in the order of the plan.
pub fn status(store: &Store, plan: &Plan) -> Result<Vec<NodeStatus>, StoreError> {
    let graph = Graph::new(plan);
    let schedule = resolve(store, plan, &graph)?;
    Ok(statuses(plan, &schedule))
}

/// The status of every node of a schedule that was resolved.
pub(crate) fn statuses(plan: &Plan, schedule: &Schedule<'_>) -> Vec<NodeStatus> {
    let of_node = |node| {
        if schedule.tree(node).is_some() {
            NodeStatus::Cached
        } else if schedule.has_all_input_ids(node) {
            NodeStatus::Run
        } else {
            NodeStatus::Pending
        }
    };
    (0..plan.nodes().len()).map(of_node).collect()
}

/// A schedule in which every node is known that records tell about.
pub(crate) fn resolve<'p>(
    store: &Store,
    plan: &'p Plan,
    graph: &'p Graph,
) -> Result<Schedule<'p>, StoreError> {
    let memos = Memos::read(store, plan)?;
    let mut schedule = Schedule::new(plan, graph);
    (0..plan.nodes().len()).for_each(|node| schedule.demand(node, Demand::Id));
    while let Some(question) = schedule.settle() {
        match question {
            Question::LookUp(batch) => look_up(store, &memos, &mut schedule, &batch)?,
            Question::Probe(batch) => probe(store, &mut schedule, &batch)?,
        }
    }
    Ok(schedule)
}

fn look_up(
    store: &Store,
    memos: &Memos,
    schedule: &mut Schedule<'_>,
    batch: &[(usize, ActionId)],
) -> Result<(), StoreError> {
    for (node, action) in batch {
        let tree = memos.chosen(store, *node, action)?;
        schedule.looked_up(*node, tree);
    }
    Ok(())
}

fn probe(
    store: &Store,
    schedule: &mut Schedule<'_>,
    batch: &[(usize, TreeId)],
) -> Result<(), StoreError> {
    for (node, tree) in batch {
        let is_present = store.has_tree_complete(tree)?;
        schedule.probed(*node, is_present);
    }
    Ok(())
}
