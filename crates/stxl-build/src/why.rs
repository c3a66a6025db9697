//! Why a build of a plan would run anything: what is another than in the plan built before.
//!
//! From what is missing it goes down along inputs that are others than they were. Where a recipe is
//! another is a cause; where it is the same, over others, is cascade. A derivation whose tree is
//! known and is the one it had before stops the search: it changed, and came out equal.

mod changed_files;

use std::collections::{BTreeMap, BTreeSet};

use stxl_model::{
    DecodeError, DerivationId, Kind, Label, PackageLabel, PartDifference, Plan, Standing,
    Succession, TreeId,
};
use stxl_store::{Store, StoreError};

use crate::graph::Graph;
use crate::schedule::Schedule;
use crate::status::{NodeStatus, resolve, statuses};

pub use changed_files::{ChangedFile, changed_files};

/// Why a build would run anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The status of every derivation, in the order of the plan.
    pub statuses: Vec<NodeStatus>,
    /// What is another of itself, inputs first.
    pub causes: Vec<Cause>,
    /// The steps that do what they did over inputs that became others, and have no result; by
    /// package.
    pub cascade: BTreeMap<PackageLabel, usize>,
    /// The outputs whose trees are known and not in the store any more.
    pub lost: Vec<Label>,
}

/// A derivation that is another of itself, and not by what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Its position in the plan.
    pub node: usize,
    /// How it is another.
    pub kind: CauseKind,
}

/// How a derivation is another of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CauseKind {
    /// The plan before had nothing that it stands for.
    New,
    /// It does something else than the one that it stands for.
    Changed {
        /// The derivation of the plan before.
        before: DerivationId,
        /// The parts in which they differ; never empty.
        parts: Vec<PartDifference>,
    },
    /// It is what it was, and has no result that counts.
    Unfinished,
}

/// Why a cause cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A derivation is not what plans of this version hold.
    #[error("the plan is unreadable: {0}")]
    Plan(#[from] DecodeError),
}

/// Tells why a build of a plan would run anything, compared with the plan that was built before;
/// without one there are no causes.
pub fn why(store: &Store, plan: &Plan, before: Option<&Plan>) -> Result<Why, WhyError> {
    let graph = Graph::new(plan);
    let schedule = resolve(store, plan, &graph)?;
    let statuses = statuses(plan, &schedule);
    let mut lost = Vec::new();
    let mut wanted = Vec::new();
    for root in plan.roots() {
        for (output, id) in root.outputs.iter() {
            let node = plan
                .position(id)
                .expect("the roots of a plan are its nodes");
            wanted.push(node);
            if let Some(tree) = schedule.tree(node)
                && !store.has_tree_complete(&tree)?
            {
                lost.push(Label {
                    package: root.label.clone(),
                    output: output.clone(),
                });
            }
        }
    }
    let mut why = Why {
        statuses,
        causes: Vec::new(),
        cascade: BTreeMap::new(),
        lost,
    };
    if let Some(before) = before {
        let succession = Succession::between(before, plan);
        let search = Search {
            plan,
            before,
            graph: &graph,
            equal: came_out_equal(store, plan, before, &schedule, &succession)?,
            standings: standings(plan, before, &succession),
        };
        search.run(&wanted, &mut why)?;
    }
    Ok(why)
}

fn standings(plan: &Plan, before: &Plan, succession: &Succession) -> Vec<Standing> {
    let nodes = plan.nodes().iter();
    let standings = nodes.map(|node| succession.standing(before, &node.id));
    standings.collect()
}

/// The derivations whose trees are those that what they stand for gave, by position.
fn came_out_equal(
    store: &Store,
    plan: &Plan,
    before: &Plan,
    schedule: &Schedule<'_>,
    succession: &Succession,
) -> Result<BTreeSet<usize>, StoreError> {
    let mut pairs: Vec<(usize, TreeId, DerivationId)> = Vec::new();
    for (position, node) in plan.nodes().iter().enumerate() {
        let former = match succession.standing(before, &node.id) {
            Standing::Follows(former) | Standing::Replaces(former) => former,
            Standing::Same | Standing::New => continue,
        };
        if let Some(tree) = schedule.tree(position) {
            pairs.push((position, tree, former));
        }
    }
    let former: Vec<DerivationId> = pairs.iter().map(|(_, _, former)| *former).collect();
    let resolved = store.resolve(&former)?;
    let equal = pairs.iter().zip(resolved).filter(|((_, tree, _), former)| {
        former.as_ref().is_some_and(|former| former.tree == *tree)
    });
    Ok(equal.map(|((position, _, _), _)| *position).collect())
}

/// The search from what is missing down to what is another.
struct Search<'s> {
    plan: &'s Plan,
    before: &'s Plan,
    graph: &'s Graph,
    /// By position.
    standings: Vec<Standing>,
    equal: BTreeSet<usize>,
}

impl Search<'_> {
    fn run(&self, wanted: &[usize], why: &mut Why) -> Result<(), WhyError> {
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let is_missing = |node: &usize| why.statuses[*node] != NodeStatus::Cached;
        let mut stack: Vec<usize> = wanted.iter().copied().filter(is_missing).collect();
        let known: BTreeSet<&PackageLabel> = self.labels_before();
        while let Some(position) = stack.pop() {
            if !seen.insert(position) {
                continue;
            }
            let node = &self.plan.nodes()[position];
            let is_cached = why.statuses[position] == NodeStatus::Cached;
            let kind = match self.standings[position] {
                Standing::Same if is_cached => continue,
                Standing::Same => {
                    (why.statuses[position] == NodeStatus::Run).then_some(CauseKind::Unfinished)
                }
                Standing::Follows(_) => None,
                Standing::Replaces(before) => self.changed(position, before)?,
                Standing::New => Some(CauseKind::New),
            };
            if kind.is_none() && !is_cached && node.derivation.kind() == Kind::Exec {
                *why.cascade.entry(node.origin.label.clone()).or_default() += 1;
            }
            // Of a package that is new as a whole, one derivation is told.
            let is_of_new_package =
                kind == Some(CauseKind::New) && !known.contains(&node.origin.label);
            why.causes.extend(kind.map(|kind| Cause {
                node: position,
                kind,
            }));
            if !is_of_new_package {
                let inputs = self.graph.inputs(position).iter();
                stack.extend(inputs.filter(|input| !self.is_no_reason(**input, why)));
            }
        }
        why.causes.sort_by_key(|cause| cause.node);
        Ok(())
    }

    /// Whether what stands above an input does not run because of it.
    fn is_no_reason(&self, input: usize, why: &Why) -> bool {
        why.statuses[input] == NodeStatus::Cached
            && (self.standings[input] == Standing::Same || self.equal.contains(&input))
    }

    /// In which parts a derivation differs from the one that it stands for, if in any.
    fn changed(
        &self,
        position: usize,
        before: DerivationId,
    ) -> Result<Option<CauseKind>, DecodeError> {
        let Some(former) = self.before.node(&before) else {
            return Ok(Some(CauseKind::New));
        };
        let node = &self.plan.nodes()[position];
        let parts = PartDifference::between((self.before, former), (self.plan, node))?;
        Ok((!parts.is_empty()).then_some(CauseKind::Changed { before, parts }))
    }

    fn labels_before(&self) -> BTreeSet<&PackageLabel> {
        let nodes = self.before.nodes().iter();
        nodes.map(|node| &node.origin.label).collect()
    }
}
