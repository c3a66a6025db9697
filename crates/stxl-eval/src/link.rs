//! From records to a plan: ids are computed in the order in which outputs need each other.

mod in_place;

pub(crate) use in_place::relink;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use stxl_lang::Diagnostic;
use stxl_model::{DerivationId, Fragment, OutputName, PackageLabel, Plan, PlanError, PlanRoot};

use crate::database::Configured;
use crate::evaluator::Target;
use crate::record::{NodeRecord, PackageRecord, Records, Remarks};
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
    pub(crate) links: Links,
    /// The options that packages in it declare.
    pub(crate) options: BTreeSet<String>,
    /// Warnings, in no order and with duplicates.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What came of every node when a plan was linked, by position: none where it was not needed. While
/// records are the same but for some packages, the next plan takes over what did not change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    nodes: Vec<Option<NodeLink>>,
    /// The derivations of all nodes, one node after the other.
    derivations: Vec<OwnDerivation>,
    reached: Arc<Reached>,
}

/// What was linked: the same as long as nobody needs or brings anything else.
#[derive(Debug, Default)]
struct Reached {
    targets: Vec<Target>,
    /// By position: whether targets need the node or are brought it, over any number of steps.
    is_reached: Vec<bool>,
}

impl Links {
    /// Whether a node is needed or brought, by position.
    pub(crate) fn is_reached(&self, position: usize) -> bool {
        self.reached.is_reached.get(position) == Some(&true)
    }

    /// The derivation that gives a node, and all derivations of the node, which others may have
    /// too; none for one that is not in the plan.
    pub(crate) fn of_node(
        &self,
        position: usize,
    ) -> Option<(DerivationId, impl Iterator<Item = DerivationId>)> {
        let link = self.nodes.get(position)?.as_ref()?;
        let own = self.derivations.get(link.derivations.clone());
        let own = own.unwrap_or_default().iter();
        Some((link.id, own.map(|derivation| derivation.id)))
    }
}

/// A derivation of a node.
#[derive(Clone, Copy, Debug)]
struct OwnDerivation {
    id: DerivationId,
    /// Where it stands in the plan.
    position: usize,
    /// Whether the node was the first to bring it into the plan, where it came from included.
    is_first: bool,
}

#[derive(Clone, Debug)]
struct NodeLink {
    /// What gives it.
    id: DerivationId,
    /// Where that stands in the plan.
    position: usize,
    fragment: Fragment,
    derivations: Range<usize>,
}

/// A plan that was made of the same records, but for some packages.
#[derive(Clone, Copy)]
pub(crate) struct Previous<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) links: &'p Links,
}

/// Joins records to a plan, inputs first: the roots in order, each after what it needs. What is the
/// same in a previous plan is taken from it.
pub(crate) fn link(
    records: &Records,
    targets: Vec<Target>,
    previous: Option<Previous<'_>>,
) -> Result<Linked, LinkError> {
    let mut linker = Linker {
        records,
        by_node: records.by_node(),
        ids: vec![None; records.nodes.len()],
        is_done: vec![false; records.nodes.len()],
        is_begun: vec![false; records.nodes.len()],
        plan: Plan::default(),
        links: Links {
            nodes: vec![None; records.nodes.len()],
            derivations: Vec::with_capacity(2 * records.nodes.len()),
            reached: Arc::default(),
        },
        previous,
    };
    // Mostly one derivation that makes a root, and one that runs in it.
    linker.plan.reserve(2 * records.nodes.len());
    for target in &targets {
        let mut outputs: Vec<(OutputName, DerivationId)> = Vec::new();
        for key in &target.nodes {
            let position = records.nodes.get_index_of(key);
            let missing = || LinkError::Missing {
                node: key.to_string(),
            };
            let id = linker.link_from(position.ok_or_else(missing)?)?;
            outputs.push((key.output.clone(), id));
        }
        linker.plan.add_root(PlanRoot {
            label: target.label.clone(),
            outputs: outputs.into_iter().collect(),
        })?;
    }
    let is_reached = linker.check_brought(&targets)?;
    let said = Said::of(records, &targets, &is_reached);
    let mut links = linker.links;
    links.reached = Arc::new(Reached {
        targets,
        is_reached,
    });
    Ok(said.of_plan(linker.plan, links))
}

/// What the packages in a plan say.
#[derive(Default)]
pub(crate) struct Said {
    options: BTreeSet<String>,
    /// Warnings, in no order and with duplicates.
    pub(crate) diagnostics: Vec<Diagnostic>,
    is_any_local: bool,
}

impl Said {
    /// Of the packages of nodes, by position, that are reached from targets.
    pub(crate) fn of(records: &Records, targets: &[Target], is_reached: &[bool]) -> Self {
        let mut all = Self::default();
        for seen in seen(records, targets, is_reached) {
            if seen.is_reached {
                all.options
                    .extend(seen.package.facts.options.iter().cloned());
            }
            let said = seen.remarks.iter().flat_map(|it| &it.diagnostics);
            all.diagnostics.extend(said.cloned());
            all.is_any_local |= seen.package.layers.last().is_some_and(is_local);
        }
        all
    }

    fn of_plan(self, mut plan: Plan, links: Links) -> Linked {
        if self.is_any_local {
            plan.mark_local();
        }
        Linked {
            plan,
            links,
            options: self.options,
            diagnostics: self.diagnostics,
        }
    }
}

/// A package that has to do with a plan.
struct Seen<'r> {
    label: &'r PackageLabel,
    package: &'r PackageRecord,
    /// Of its definition, and of its builds in the configurations that were reached.
    remarks: Vec<&'r Remarks>,
    /// Whether nodes of it were reached.
    is_reached: bool,
}

/// The packages of the nodes that were reached, those that were asked for, and all whose values
/// these read.
fn seen<'r>(records: &'r Records, targets: &'r [Target], is_reached: &[bool]) -> Vec<Seen<'r>> {
    let mut seen: Vec<Seen<'_>> = Vec::with_capacity(records.packages.len());
    // Not by the labels of nodes: comparing these takes longer than linking.
    for (label, package) in &records.packages {
        let positions = package.nodes.iter().map(|(position, _)| *position as usize);
        let reached = positions.filter(|it| is_reached.get(*it) == Some(&true));
        let mut reached: Vec<&Configured> = reached
            .filter_map(|it| Some(&records.nodes.get_index(it)?.configured))
            .collect();
        reached.dedup();
        if reached.is_empty() {
            continue;
        }
        let configurations = package.configurations.iter();
        let configurations = configurations.filter(|it| reached.contains(&&it.configured));
        seen.push(Seen {
            label,
            package,
            remarks: configurations
                .map(|it| &it.remarks)
                .chain([&package.remarks])
                .collect(),
            is_reached: true,
        });
    }
    let is_alone = |it: &Seen<'_>| {
        it.remarks
            .iter()
            .all(|remarks| remarks.values_of.is_empty())
    };
    if !seen.iter().all(is_alone) || targets.iter().any(|target| target.nodes.is_empty()) {
        add_unreached(records, targets, &mut seen);
    }
    seen
}

/// Adds what was asked for and has no nodes, and all whose values are read.
fn add_unreached<'r>(records: &'r Records, targets: &'r [Target], seen: &mut Vec<Seen<'r>>) {
    let mut known: BTreeSet<&PackageLabel> = seen.iter().map(|it| it.label).collect();
    for target in targets.iter().filter(|target| target.nodes.is_empty()) {
        if let Some((label, package)) = records.packages.get_key_value(&target.label)
            && known.insert(label)
        {
            // No node tells the configuration.
            let configurations = package.configurations.iter().map(|it| &it.remarks);
            seen.push(Seen {
                label,
                package,
                remarks: configurations.chain([&package.remarks]).collect(),
                is_reached: false,
            });
        }
    }
    let mut next = 0;
    while let Some(user) = seen.get(next) {
        let read: Vec<_> = user.remarks.iter().flat_map(|it| &it.values_of).collect();
        for label in read {
            if let Some((label, package)) = records.packages.get_key_value(label)
                && known.insert(label)
            {
                seen.push(Seen {
                    label,
                    package,
                    remarks: vec![&package.remarks],
                    is_reached: false,
                });
            }
        }
        next += 1;
    }
}

struct Linker<'r> {
    records: &'r Records,
    by_node: Vec<Option<&'r NodeRecord>>,
    /// By position of the node.
    ids: Vec<Option<DerivationId>>,
    is_done: Vec<bool>,
    is_begun: Vec<bool>,
    plan: Plan,
    links: Links,
    previous: Option<Previous<'r>>,
}

/// Room for lists that every node needs anew.
#[derive(Default)]
struct Scratch {
    /// The ids of what it needs.
    needs: Vec<DerivationId>,
    /// The ids of its derivations.
    own: Vec<DerivationId>,
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
        let mut scratch = Scratch::default();
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
                self.link_node(position, record, &mut scratch)?;
            }
            if let Some(is_done) = self.is_done.get_mut(position) {
                *is_done = true;
            }
        }
        Ok(())
    }

    /// Links a node whose needs are linked.
    fn link_node(
        &mut self,
        position: usize,
        record: &NodeRecord,
        scratch: &mut Scratch,
    ) -> Result<(), LinkError> {
        let Scratch { needs, own } = scratch;
        needs.clear();
        for need in &record.needs {
            needs.push(self.id(*need as usize)?);
        }
        let known = self.plan.nodes().len();
        let id = match self.take_over(position, record, own)? {
            Some(id) => id,
            None => self.plan.link_noting(&record.fragment, needs, own)?,
        };
        let begin = self.links.derivations.len();
        for id in own {
            let stands_at = self.stands_at(*id)?;
            self.links.derivations.push(OwnDerivation {
                id: *id,
                position: stands_at,
                is_first: stands_at >= known,
            });
        }
        let link = NodeLink {
            id,
            position: self.stands_at(id)?,
            fragment: record.fragment.clone(),
            derivations: begin..self.links.derivations.len(),
        };
        let known = self.ids.get_mut(position);
        if let Some((known, linked)) = known.zip(self.links.nodes.get_mut(position)) {
            *known = Some(id);
            *linked = Some(link);
        }
        Ok(())
    }

    /// Takes a node as it is in the previous plan, if it is the same and so is all that it needs. A
    /// derivation that came from another node there is this one's if that node has gone: then it
    /// has to be linked.
    fn take_over(
        &mut self,
        position: usize,
        record: &NodeRecord,
        own: &mut Vec<DerivationId>,
    ) -> Result<Option<DerivationId>, LinkError> {
        let Some(Previous { plan, links }) = self.previous else {
            return Ok(None);
        };
        let link_of = |position: usize| links.nodes.get(position).and_then(Option::as_ref);
        let Some(link) = link_of(position) else {
            return Ok(None);
        };
        let is_same = |need: &u32| {
            let need = *need as usize;
            link_of(need).map(|link| link.id) == self.ids.get(need).copied().flatten()
        };
        if !link.fragment.is_same_part(&record.fragment) || !record.needs.iter().all(is_same) {
            return Ok(None);
        }
        own.clear();
        let derivations = links.derivations.get(link.derivations.clone());
        for OwnDerivation { id, is_first, .. } in derivations.unwrap_or_default() {
            own.push(*id);
            if self.plan.position(id).is_some() {
                continue;
            }
            let node = plan.position(id).and_then(|it| plan.nodes().get(it));
            match node {
                Some(node) if *is_first => self.plan.add_node(node)?,
                Some(_) | None => return Ok(None),
            }
        }
        Ok(Some(link.id))
    }

    fn id(&self, position: usize) -> Result<DerivationId, LinkError> {
        let id = self.ids.get(position).copied().flatten();
        id.ok_or_else(|| LinkError::Missing {
            node: self.shown(position),
        })
    }

    fn stands_at(&self, id: DerivationId) -> Result<usize, LinkError> {
        let position = self.plan.position(&id);
        position.ok_or_else(|| LinkError::Missing {
            node: id.to_string(),
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
