//! Which records still hold, and what has to be evaluated for a request.
//!
//! A record holds while everything it was made from is what it was: what it read, the files of its
//! definition, the values of packages it read, the packages it needs. It does not depend on the
//! recipes of those, which are linked later, and of what they are to others only on their
//! *interface*: platforms, options, names of outputs, what these bring.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use stxl_lang::SourcePath;
use stxl_model::{Label, PackageLabel, Selector};

use super::Account;
use super::faulty::Faulty;
use crate::database::Configured;
use crate::evaluator::{EvaluationRequest, Parts, Target, Tests};
use crate::layout::{Layers, Layout};
use crate::link::Links;
use crate::node::NodeKey;
use crate::record::{PackageRecord, Records};
use crate::selection::{Wanted, configured_for, wanted_packages};
use crate::settings::Settings;

/// Why a package is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no record of it.
    Unknown,
    /// Its record did not hold before: nothing needed it then, or something was faulty.
    Stale,
    /// Something that it read is not what it was.
    Changed(SourcePath),
    /// Its definition has other files: an overlay came or went.
    OtherFiles,
    /// Something it needs is gone.
    Gone(PackageLabel),
    /// It read values of a package that is evaluated.
    Values(PackageLabel),
    /// A package it needs has other platforms, options or outputs, or brings something else.
    Interface(PackageLabel),
    /// An output of it was not asked for before.
    Output(Label),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("nothing is on record"),
            Self::Stale => f.write_str("what is on record did not hold before"),
            Self::Changed(path) => write!(f, "`{path}` changed"),
            Self::OtherFiles => f.write_str("its definition is made of other files"),
            Self::Gone(label) => write!(f, "`{label}` is gone"),
            Self::Values(label) => write!(f, "it reads values of `{label}`"),
            Self::Interface(label) => {
                write!(f, "`{label}` is something else to those that need it")
            }
            Self::Output(label) => write!(f, "`{label}` was not asked for before"),
        }
    }
}

/// Records of which those that do not hold were taken out.
pub(super) struct Recall {
    pub(super) records: Records,
    /// Those that were taken out, for what they were to others.
    pub(super) former: BTreeMap<PackageLabel, PackageRecord>,
    /// Why packages were or are to be evaluated.
    reasons: BTreeMap<PackageLabel, Reason>,
    /// The packages that were evaluated.
    evaluated: BTreeSet<PackageLabel>,
    /// Those that were evaluated in vain.
    pub(super) faulty: Faulty,
    /// Those of which nothing came when some of their outputs were asked for.
    unanswered: BTreeSet<PackageLabel>,
}

/// What is there of that which records were made from.
pub(super) struct Seen<'s> {
    /// Whether it is not what was read, by position.
    pub(super) is_changed: &'s [bool],
    /// The packages there are.
    pub(super) layout: &'s Layout,
    /// Whether they may be others than the records know.
    pub(super) is_listed_anew: bool,
}

/// What is missing for a plan.
#[derive(Clone)]
pub(super) struct Missing {
    pub(super) selectors: Vec<Selector>,
    pub(super) parts: Parts,
}

impl Missing {
    /// What is missing besides packages that are known to be faulty.
    fn without(mut self, faulty: &Faulty) -> Self {
        let is_other = |label: &PackageLabel| !faulty.has(label);
        self.selectors
            .retain(|it| it.package().is_none_or(is_other));
        self.parts.nodes.retain(|node| is_other(&node.label));
        self
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.selectors.is_empty() && self.parts.nodes.is_empty()
    }

    /// The packages of which something is missing, in no order and with duplicates.
    pub(super) fn labels(&self) -> impl Iterator<Item = &PackageLabel> {
        let nodes = self.parts.nodes.iter().map(|node| &node.label);
        nodes.chain(self.selectors.iter().filter_map(Selector::package))
    }

    /// Each package by itself.
    pub(super) fn one_by_one(self) -> Vec<Self> {
        let labels: BTreeSet<PackageLabel> = self.labels().cloned().collect();
        let Self { selectors, parts } = self;
        let of = |label: &PackageLabel| Self {
            selectors: {
                let mut own = selectors.clone();
                own.retain(|it| it.package() == Some(label));
                own
            },
            parts: Parts {
                nodes: {
                    let own = parts.nodes.iter();
                    own.filter(|node| node.label == *label).cloned().collect()
                },
                packages: BTreeSet::from([label.clone()]),
            },
        };
        labels.iter().map(of).collect()
    }
}

/// How a request stands to the records.
pub(super) enum Standing {
    /// All is there.
    Complete(Vec<Target>),
    /// Something has to be evaluated, or nothing but faulty packages is missing.
    Incomplete(Missing),
    /// The request is wrong, which only an evaluation of everything can explain well.
    Wrong,
}

/// What a request asks for, by the list of packages alone.
pub(super) struct Wish {
    wanted: BTreeMap<PackageLabel, Wanted>,
    pub(super) configured: Configured,
    tests: Tests,
}

impl Wish {
    /// Looks for what selectors name; none if the request is wrong.
    pub(super) fn of(
        request: &EvaluationRequest,
        settings: &Settings,
        layout: &Layout,
    ) -> Option<Self> {
        let (wanted, wrong) = wanted_packages(request, settings, layout);
        wrong.is_empty().then(|| Self {
            wanted,
            configured: Configured {
                platform: request.platform.unwrap_or(settings.platform),
                options: request.options.clone().into(),
            },
            tests: request.tests,
        })
    }
}

/// What a request asks for, compared with records.
pub(super) struct Asked {
    /// Packages on record, with what is asked of them.
    pub(super) targets: Vec<Target>,
    /// Packages of which nothing is on record.
    pub(super) unknown: Vec<(PackageLabel, Wanted)>,
}

impl Asked {
    /// Compares; none if the request is wrong.
    pub(super) fn of(records: &Records, wish: &Wish) -> Option<Self> {
        let Wish {
            wanted,
            configured,
            tests,
        } = wish;
        let (mut targets, mut unknown) = (Vec::with_capacity(wanted.len()), Vec::new());
        for (label, wanted) in wanted {
            let known = records.packages.get(label).and_then(|package| {
                package.configuration(&configured_for(configured, &package.facts))
            });
            let Some(known) = known else {
                unknown.push((label.clone(), wanted.clone()));
                continue;
            };
            let (names, missing) = wanted.among(&known.outputs, &known.tests, *tests);
            if !missing.is_empty() {
                return None;
            }
            let nodes = NodeKey::of_outputs(label, &known.configured, names);
            let label = label.clone();
            targets.push(Target { label, nodes });
        }
        Some(Self { targets, unknown })
    }
}

impl Recall {
    /// Takes out what does not hold: what was stale before, and what was made from something that
    /// changed since.
    pub(super) fn new(records: Records, stale: &BTreeSet<PackageLabel>, seen: &Seen<'_>) -> Self {
        let mut recall = Self {
            records,
            former: BTreeMap::new(),
            reasons: BTreeMap::new(),
            evaluated: BTreeSet::new(),
            faulty: Faulty::default(),
            unanswered: BTreeSet::new(),
        };
        let known = stale.iter().cloned();
        let mut stale: BTreeMap<_, _> = known.map(|label| (label, Reason::Stale)).collect();
        // Both are sorted by label.
        let mut listed = seen.layout.packages.iter().peekable();
        for (label, package) in &recall.records.packages {
            while listed.next_if(|(other, _)| *other < label).is_some() {}
            let layers = listed.next_if(|(other, _)| *other == label);
            if stale.contains_key(label) {
                continue;
            }
            let layers = layers.map(|(_, layers)| layers);
            if let Some(reason) = recall.reason(package, layers, seen) {
                stale.insert(label.clone(), reason);
            }
        }
        recall.take_out(stale);
        recall
    }

    fn reason(
        &self,
        package: &PackageRecord,
        layers: Option<&Layers>,
        seen: &Seen<'_>,
    ) -> Option<Reason> {
        let is_changed = seen.is_changed;
        let has_changed = |read: &&u32| is_changed.get(**read as usize).copied().unwrap_or(true);
        if let Some(read) = package.reads.iter().find(has_changed) {
            let path = self.records.reads.get_index(*read as usize)?.0.path();
            return Some(Reason::Changed(path.clone()));
        }
        if layers != Some(&package.layers) {
            return Some(Reason::OtherFiles);
        }
        // A package that goes takes along a file that was read, so the list is made anew.
        if !seen.is_listed_anew {
            return None;
        }
        let gone = gone(&self.records, package, seen.layout);
        gone.map(|label| Reason::Gone(label.clone()))
    }

    /// Takes records out, and those of packages that read their values.
    fn take_out(&mut self, mut stale: BTreeMap<PackageLabel, Reason>) {
        while !stale.is_empty() {
            for (label, reason) in std::mem::take(&mut stale) {
                if let Some(record) = self.records.packages.remove(&label) {
                    self.former.entry(label.clone()).or_insert(record);
                }
                self.reasons.entry(label).or_insert(reason);
            }
            for (label, package) in &self.records.packages {
                let mut read = package.values_of();
                if let Some(read) = read.find(|it| !self.records.packages.contains_key(*it)) {
                    stale.insert(label.clone(), Reason::Values(read.clone()));
                }
            }
        }
    }

    /// What a request needs, as far as it can be told from the records that are there.
    pub(super) fn standing(&mut self, wish: &Wish, layout: &Layout) -> Standing {
        let Some(asked) = Asked::of(&self.records, wish) else {
            return Standing::Wrong;
        };
        let Asked { targets, unknown } = asked;
        let mut selectors = Vec::new();
        for (label, wanted) in unknown {
            self.reasons.entry(label.clone()).or_insert(Reason::Unknown);
            selectors.extend(selectors_of(&label, wanted));
        }
        let nodes = self.missing_nodes(&targets);
        if selectors.is_empty() && nodes.is_empty() {
            return Standing::Complete(targets);
        }
        // Asked for itself, a package says why it has none of its outputs.
        let labels: BTreeSet<_> = nodes.iter().map(|node| &node.label).collect();
        let unanswered = labels
            .into_iter()
            .filter(|it| self.unanswered.contains(*it));
        selectors.extend(unanswered.cloned().map(Selector::Package));
        selectors.sort();
        selectors.dedup();
        let parts = self.parts(nodes, &selectors, layout);
        let missing = Missing { selectors, parts };
        Standing::Incomplete(missing.without(&self.faulty))
    }

    /// What to evaluate so that nodes are on record, and what else these packages were: what is
    /// evaluated again is evaluated as far as it was known, so that it can be told whether it is
    /// still the same to others.
    fn parts(&self, mut nodes: Vec<NodeKey>, selectors: &[Selector], layout: &Layout) -> Parts {
        let mut again: BTreeSet<&PackageLabel> = nodes.iter().map(|key| &key.label).collect();
        again.extend(selectors.iter().filter_map(Selector::package));
        let former = again.into_iter().filter_map(|label| self.former.get(label));
        let former = former.flat_map(|package| &package.nodes);
        let former = former.filter_map(|(position, _)| {
            let key = self.records.nodes.get_index(*position as usize);
            key.cloned()
        });
        let former: Vec<NodeKey> = former.collect();
        nodes.extend(former);
        nodes.sort();
        nodes.dedup();
        // Both are sorted by label.
        let mut known = self.records.packages.keys().peekable();
        let is_unknown = |label: &&PackageLabel| {
            while known.next_if(|other| other < label).is_some() {}
            known.next_if_eq(label).is_none()
        };
        let packages = layout.packages.keys().filter(is_unknown).cloned();
        let packages = packages.collect();
        Parts { nodes, packages }
    }

    /// What to evaluate again of a plan's packages, if the plan needs what it did. A package that
    /// is faulty by now has none of these parts; it says what is wrong if it is asked for itself,
    /// as by a request for everything.
    pub(super) fn missing_again(
        &self,
        links: &Links,
        layout: &Layout,
        request: &EvaluationRequest,
    ) -> Missing {
        let nodes = self.former.values().flat_map(|package| &package.nodes);
        let positions = nodes.map(|(position, _)| *position as usize);
        let reached = positions.filter(|position| links.is_reached(*position));
        let keys = reached.filter_map(|position| self.records.nodes.get_index(position));
        let parts = self.parts(keys.cloned().collect(), &[], layout);
        let selectors = if request.selectors.is_empty() {
            let labels: BTreeSet<_> = parts.nodes.iter().map(|node| &node.label).collect();
            labels.into_iter().cloned().map(Selector::Package).collect()
        } else {
            Vec::new()
        };
        Missing { selectors, parts }
    }

    /// The nodes whose fragments may be others than a plan was made of, by position, if the rest of
    /// what it was made of is what it was; none if packages are anything else to others, or need
    /// or bring anything else.
    pub(super) fn changed_in_place(&self, links: &Links) -> Option<BTreeSet<usize>> {
        let mut changed = BTreeSet::new();
        for (label, former) in &self.former {
            let mut positions = former.nodes.iter().map(|(position, _)| *position as usize);
            if !self.evaluated.contains(label) {
                if positions.any(|position| links.is_reached(position)) {
                    return None;
                }
                continue;
            }
            let current = self.records.packages.get(label)?;
            if current.nodes.len() != former.nodes.len() || self.has_other_interface(label) {
                return None;
            }
            for (position, node) in &current.nodes {
                let mut nodes = former.nodes.iter();
                let (_, former) = nodes.find(|(other, _)| other == position)?;
                if former.needs != node.needs || former.brings != node.brings {
                    return None;
                }
                changed.insert(*position as usize);
            }
        }
        let mut evaluated = self.evaluated.iter();
        evaluated
            .all(|label| self.former.contains_key(label))
            .then_some(changed)
    }

    /// The nodes that targets need and of which nothing is on record.
    fn missing_nodes(&mut self, targets: &[Target]) -> Vec<NodeKey> {
        let by_node = self.records.by_node();
        let mut is_seen = vec![false; by_node.len()];
        let mut missing = BTreeSet::new();
        let mut stack = Vec::new();
        for key in targets.iter().flat_map(|target| &target.nodes) {
            match self.records.nodes.get_index_of(key) {
                Some(position) => stack.push(position),
                None => {
                    missing.insert(key.clone());
                }
            }
        }
        while let Some(position) = stack.pop() {
            let Some(is_seen) = is_seen.get_mut(position) else {
                continue;
            };
            if std::mem::replace(is_seen, true) {
                continue;
            }
            match by_node.get(position).copied().flatten() {
                Some(node) => stack.extend(node.references().map(|it| it as usize)),
                None => missing.extend(self.records.nodes.get_index(position).cloned()),
            }
        }
        for key in &missing {
            let reason = match self.records.packages.get(&key.label) {
                Some(_) => Reason::Output(key.to_label()),
                None => Reason::Unknown,
            };
            self.reasons.entry(key.label.clone()).or_insert(reason);
        }
        missing.into_iter().collect()
    }

    /// Notes what was asked for in vain, without an error. Whether there is more to be asked: not
    /// if nothing came of a package although it was asked for itself.
    #[must_use]
    pub(super) fn note_unanswered(&mut self, asked: BTreeSet<PackageLabel>) -> bool {
        let is_unanswered = |label: &PackageLabel| {
            !self.records.packages.contains_key(label) && !self.faulty.has(label)
        };
        let mut unanswered: Vec<PackageLabel> = asked.into_iter().collect();
        unanswered.retain(is_unanswered);
        unanswered
            .into_iter()
            .all(|label| self.unanswered.insert(label))
    }

    /// Takes over what was evaluated, and takes out what it makes stale. Whether all that both know
    /// of the workspace agrees: if not, it changed meanwhile.
    #[must_use]
    pub(super) fn learn(&mut self, evaluated: &Records, layout: &Layout) -> bool {
        if !are_named_there(evaluated, layout) {
            return false;
        }
        for (read, look) in &evaluated.reads {
            let known = self.records.reads.get(read);
            if known.is_some_and(|known| known.found != look.found) {
                return false;
            }
        }
        let mut is_whole = BTreeSet::new();
        for label in evaluated.packages.keys() {
            if !self.records.packages.contains_key(label) {
                is_whole.insert(label);
                // What something that was missing led to.
                self.reasons.entry(label.clone()).or_insert(Reason::Unknown);
            }
            self.records.absorb(evaluated, label);
            self.evaluated.insert(label.clone());
        }
        let changed: BTreeSet<&PackageLabel> = evaluated
            .packages
            .keys()
            .filter(|label| self.has_other_interface(label))
            .collect();
        if changed.is_empty() {
            return true;
        }
        let mut stale = BTreeMap::new();
        for (label, package) in &self.records.packages {
            let mut labels = references_of(&self.records, package);
            // Of what was evaluated in part, the rest may be older than the change.
            if !is_whole.contains(label)
                && let Some(need) = labels.find(|need| changed.contains(need))
            {
                stale.insert(label.clone(), Reason::Interface(need.clone()));
            }
        }
        // What the interfaces were before has had its effect.
        for label in evaluated.packages.keys() {
            self.former.remove(label);
        }
        self.take_out(stale);
        true
    }

    /// Whether a package is something else to those that need it than it was when they were
    /// evaluated.
    fn has_other_interface(&self, label: &PackageLabel) -> bool {
        let (Some(former), Some(current)) =
            (self.former.get(label), self.records.packages.get(label))
        else {
            return false;
        };
        let has_other_node = || {
            former.nodes.iter().any(|(position, node)| {
                let mut nodes = current.nodes.iter();
                let current = nodes.find(|(other, _)| other == position);
                current.is_none_or(|(_, current)| current.brings != node.brings)
            })
        };
        let has_other_configuration = || {
            former.configurations.iter().any(|configuration| {
                current.configuration(&configuration.configured) != Some(configuration)
            })
        };
        former.facts != current.facts || has_other_configuration() || has_other_node()
    }
}

/// A package that a record names and that is not there.
fn gone<'r>(
    records: &'r Records,
    package: &'r PackageRecord,
    layout: &Layout,
) -> Option<&'r PackageLabel> {
    let named = references_of(records, package);
    let mut named = named.chain(package.values_of()).chain(&package.named);
    named.find(|label| !layout.packages.contains_key(*label))
}

/// Whether all packages that records name are there. If not, the records are of a workspace that
/// had more.
pub(super) fn are_named_there(records: &Records, layout: &Layout) -> bool {
    let mut packages = records.packages.values();
    packages.all(|package| gone(records, package, layout).is_none())
}

/// The packages whose outputs a package needs or brings.
fn references_of<'r>(
    records: &'r Records,
    package: &'r PackageRecord,
) -> impl Iterator<Item = &'r PackageLabel> {
    let nodes = package.nodes.iter();
    let positions = nodes.flat_map(|(_, node)| node.references());
    let keys = positions.filter_map(|it| records.nodes.get_index(it as usize));
    keys.map(|key| &key.label)
}

impl Recall {
    /// What was recalled, and what was evaluated and why, be it in vain.
    pub(super) fn account(&self) -> Account {
        let evaluated = self.reasons.iter();
        let is_evaluated = |label: &_| self.evaluated.contains(label) || self.faulty.has(label);
        let evaluated = evaluated.filter(|(label, _)| is_evaluated(*label));
        let evaluated: BTreeMap<_, _> = evaluated
            .map(|(label, reason)| (label.clone(), reason.clone()))
            .collect();
        let recalled = self.records.packages.keys();
        let recalled = recalled.filter(|label| !evaluated.contains_key(*label));
        Account {
            recalled: recalled.count(),
            evaluated,
            ..Account::default()
        }
    }

    /// The packages that were evaluated.
    pub(super) fn evaluated(&self) -> &BTreeSet<PackageLabel> {
        &self.evaluated
    }

    /// The packages whose records may be others than they were.
    pub(super) fn touched(&self) -> impl Iterator<Item = &PackageLabel> {
        self.evaluated.iter().chain(self.former.keys())
    }

    /// The records, those included that do not hold and were not evaluated again, and which these
    /// are: what they were to others is what others were evaluated with.
    pub(super) fn into_records(self, layout: &Layout) -> (Records, BTreeSet<PackageLabel>) {
        let Self {
            mut records,
            former,
            ..
        } = self;
        let mut stale = BTreeSet::new();
        for (label, record) in former {
            if layout.packages.contains_key(&label) && !records.packages.contains_key(&label) {
                records.packages.insert(label.clone(), record);
                stale.insert(label);
            }
        }
        (records, stale)
    }
}

fn selectors_of(label: &PackageLabel, wanted: Wanted) -> Vec<Selector> {
    match wanted {
        Wanted::All => vec![Selector::Package(label.clone())],
        Wanted::Some(outputs) => outputs
            .into_iter()
            .map(|output| {
                let package = label.clone();
                Selector::Output(Label { package, output })
            })
            .collect(),
    }
}
