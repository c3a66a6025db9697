//! From records to a plan: ids are computed in the order in which outputs need each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use stxl_lang::Diagnostic;
use stxl_model::{DerivationId, OutputName, PackageLabel, Plan, PlanError, PlanRoot};

use crate::evaluator::Target;
use crate::record::{NodeRecord, PackageRecord, Records};
use crate::settings::is_local;

/// What a plan is made of is not there: records are missing, or need each other in a circle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// A node without a record.
    #[error("`{node}` was not evaluated")]
    Missing { node: String },
    /// A node that needs itself.
    #[error("`{node}` needs itself")]
    Cycle { node: String },
    /// Nobody wants it any more.
    #[error("it is not wanted any more")]
    Unwanted,
    /// A fragment is damaged.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// A plan, and what is to be said about the packages in it.
pub(crate) struct Linked {
    pub(crate) plan: Plan,
    /// The options that packages in it declare.
    pub(crate) options: BTreeSet<String>,
    /// Warnings, in no order and with duplicates.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Joins records to a plan, inputs first: the roots in order, each after what it needs.
pub(crate) fn link(records: &Records, targets: &[Target]) -> Result<Linked, LinkError> {
    link_while(records, targets, &AtomicBool::new(true))
}

/// Like [`link`], while it is wanted.
pub(crate) fn link_while(
    records: &Records,
    targets: &[Target],
    is_wanted: &AtomicBool,
) -> Result<Linked, LinkError> {
    let mut linker = Linker {
        records,
        by_node: records.by_node(),
        ids: vec![None; records.nodes.len()],
        is_done: vec![false; records.nodes.len()],
        is_begun: vec![false; records.nodes.len()],
        plan: Plan::default(),
    };
    // Mostly one derivation that makes a root, and one that runs in it.
    linker.plan.reserve(2 * records.nodes.len());
    for target in targets {
        if !is_wanted.load(Ordering::Relaxed) {
            return Err(LinkError::Unwanted);
        }
        let mut outputs: BTreeMap<OutputName, DerivationId> = BTreeMap::new();
        for key in &target.nodes {
            let position = records.nodes.get_index_of(key);
            let missing = || LinkError::Missing {
                node: key.to_string(),
            };
            let id = linker.link_from(position.ok_or_else(missing)?)?;
            outputs.insert(key.output.clone(), id);
        }
        linker.plan.add_root(PlanRoot {
            label: target.label.clone(),
            outputs,
        })?;
    }
    let reached = linker.check_brought(targets)?;
    let mut diagnostics = Vec::new();
    let mut plan = linker.plan;
    let is_reached = |package: &PackageRecord| {
        let mut nodes = package.nodes.iter();
        nodes.any(|(position, _)| reached.get(*position as usize) == Some(&true))
    };
    // Not by the labels of nodes: comparing these takes longer than linking.
    let packages = records.packages.iter();
    let reached: Vec<_> = packages.filter(|(_, it)| is_reached(it)).collect();
    let options = reached
        .iter()
        .flat_map(|(_, package)| package.facts.options.iter().cloned())
        .collect();
    for package in seen(records, &reached, targets) {
        diagnostics.extend(package.diagnostics.iter().cloned());
        if package.layers.last().is_some_and(is_local) {
            plan.mark_local();
        }
    }
    Ok(Linked {
        plan,
        options,
        diagnostics,
    })
}

/// The packages of the nodes that were reached, those that were asked for, and all whose values
/// these read. Those that were reached are sorted by label.
fn seen<'r>(
    records: &'r Records,
    reached: &[(&'r PackageLabel, &'r PackageRecord)],
    targets: &'r [Target],
) -> Vec<&'r PackageRecord> {
    let mut seen: Vec<&PackageRecord> = reached.iter().map(|(_, package)| *package).collect();
    let without_nodes = targets.iter().filter(|target| target.nodes.is_empty());
    let mut frontier: Vec<&PackageLabel> = without_nodes.map(|target| &target.label).collect();
    frontier.extend(seen.iter().flat_map(|package| &package.values_of));
    let mut others = BTreeSet::new();
    while let Some(label) = frontier.pop() {
        let is_reached = reached.binary_search_by_key(&label, |(reached, _)| *reached);
        if is_reached.is_err()
            && others.insert(label)
            && let Some(package) = records.packages.get(label)
        {
            frontier.extend(&package.values_of);
            seen.push(package);
        }
    }
    seen
}

struct Linker<'r> {
    records: &'r Records,
    by_node: Vec<Option<&'r NodeRecord>>,
    /// By position of the node.
    ids: Vec<Option<DerivationId>>,
    is_done: Vec<bool>,
    is_begun: Vec<bool>,
    plan: Plan,
}

/// What becomes of a node after all it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It goes into the plan.
    Plan,
    /// It is only found out that there is an order.
    Order,
}

impl Linker<'_> {
    /// Links a node after all it needs.
    fn link_from(&mut self, root: usize) -> Result<DerivationId, LinkError> {
        self.walk_from(root, Purpose::Plan)?;
        self.id(root)
    }

    /// Which nodes the targets need or are brought, over any number of steps, by position. What is
    /// only brought is in no plan, and has to be as right as if it was.
    fn check_brought(&mut self, targets: &[Target]) -> Result<Vec<bool>, LinkError> {
        let keys = targets.iter().flat_map(|target| &target.nodes);
        let positions = keys.filter_map(|key| self.records.nodes.get_index_of(key));
        let mut stack: Vec<usize> = positions.collect();
        let mut reached = vec![false; self.ids.len()];
        while let Some(position) = stack.pop() {
            let is_seen = reached.get_mut(position);
            if is_seen.is_none_or(|is_seen| std::mem::replace(is_seen, true)) {
                continue;
            }
            self.walk_from(position, Purpose::Order)?;
            let record = self.record(position)?;
            stack.extend(record.references().map(|it| it as usize));
        }
        Ok(reached)
    }

    /// Visits a node after all it needs, each once.
    fn walk_from(&mut self, root: usize, purpose: Purpose) -> Result<(), LinkError> {
        let mut needs = Vec::new();
        let mut stack = vec![(root, 0)];
        while let Some((position, next)) = stack.pop() {
            if self.is_done.get(position) == Some(&true) {
                continue;
            }
            let record = self.record(position)?;
            // A node is begun once, unless what it needs leads back to it.
            if let Some(is_begun) = self.is_begun.get_mut(position).filter(|_| next == 0)
                && std::mem::replace(is_begun, true)
            {
                let node = self.shown(position);
                return Err(LinkError::Cycle { node });
            }
            if let Some(need) = record.needs.get(next) {
                stack.push((position, next + 1));
                stack.push((*need as usize, 0));
                continue;
            }
            if purpose == Purpose::Plan {
                needs.clear();
                for need in &record.needs {
                    needs.push(self.id(*need as usize)?);
                }
                let id = self.plan.link(&record.fragment, &needs)?;
                if let Some(known) = self.ids.get_mut(position) {
                    *known = Some(id);
                }
            }
            if let Some(is_done) = self.is_done.get_mut(position) {
                *is_done = true;
            }
        }
        Ok(())
    }

    fn id(&self, position: usize) -> Result<DerivationId, LinkError> {
        let id = self.ids.get(position).copied().flatten();
        id.ok_or_else(|| LinkError::Missing {
            node: self.shown(position),
        })
    }

    fn shown(&self, position: usize) -> String {
        let key = self.records.nodes.get_index(position);
        key.map_or_else(|| position.to_string(), ToString::to_string)
    }
}

impl<'r> Linker<'r> {
    fn record(&self, position: usize) -> Result<&'r NodeRecord, LinkError> {
        let record = self.by_node.get(position).copied().flatten();
        record.ok_or_else(|| LinkError::Missing {
            node: self.shown(position),
        })
    }
}
