//! From records to a plan: ids are computed in the order in which outputs need each other.

use std::collections::{BTreeMap, BTreeSet};

use stxl_lang::Diagnostic;
use stxl_model::{DerivationId, OutputName, PackageLabel, Plan, PlanError, PlanRoot};

use crate::evaluator::Target;
use crate::record::{NodeRecord, Records};
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
    let mut linker = Linker {
        records,
        by_node: records.by_node(),
        ids: vec![None; records.nodes.len()],
        is_begun: vec![false; records.nodes.len()],
        plan: Plan::default(),
    };
    for target in targets {
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
    let mut diagnostics = Vec::new();
    let Linker { ids, mut plan, .. } = linker;
    let linked = records.nodes.iter().zip(&ids);
    let linked: BTreeSet<&PackageLabel> = linked
        .filter_map(|(key, id)| id.map(|_| &key.label))
        .collect();
    let packages = linked
        .iter()
        .filter_map(|label| records.packages.get(*label));
    let options = packages.flat_map(|package| package.facts.options.iter().cloned());
    let options = options.collect();
    for label in seen(records, linked, targets) {
        if let Some(package) = records.packages.get(label) {
            diagnostics.extend(package.diagnostics.iter().cloned());
            if package.layers.last().is_some_and(is_local) {
                plan.mark_local();
            }
        }
    }
    Ok(Linked {
        plan,
        options,
        diagnostics,
    })
}

/// The packages of a plan, those that were asked for, and all whose values these read.
fn seen<'r>(
    records: &'r Records,
    linked: BTreeSet<&'r PackageLabel>,
    targets: &'r [Target],
) -> BTreeSet<&'r PackageLabel> {
    let mut seen = linked;
    seen.extend(targets.iter().map(|target| &target.label));
    let mut frontier: Vec<&PackageLabel> = seen.iter().copied().collect();
    while let Some(label) = frontier.pop() {
        let package = records.packages.get(label);
        for read in package.into_iter().flat_map(|package| &package.values_of) {
            if seen.insert(read) {
                frontier.push(read);
            }
        }
    }
    seen
}

struct Linker<'r> {
    records: &'r Records,
    by_node: Vec<Option<&'r NodeRecord>>,
    /// By position of the node.
    ids: Vec<Option<DerivationId>>,
    is_begun: Vec<bool>,
    plan: Plan,
}

impl Linker<'_> {
    /// Links a node after all it needs.
    fn link_from(&mut self, root: usize) -> Result<DerivationId, LinkError> {
        let mut needs = Vec::new();
        let mut stack = vec![(root, 0)];
        while let Some((position, next)) = stack.pop() {
            if self.id(position).is_some() {
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
            needs.clear();
            for need in &record.needs {
                let missing = || LinkError::Missing {
                    node: self.shown(*need as usize),
                };
                needs.push(self.id(*need as usize).ok_or_else(missing)?);
            }
            let id = self.plan.link(&record.fragment, &needs)?;
            if let Some(known) = self.ids.get_mut(position) {
                *known = Some(id);
            }
        }
        self.id(root).ok_or_else(|| LinkError::Missing {
            node: self.shown(root),
        })
    }

    fn id(&self, position: usize) -> Option<DerivationId> {
        self.ids.get(position).copied().flatten()
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
