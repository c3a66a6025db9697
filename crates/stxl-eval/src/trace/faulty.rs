//! What an evaluation tells when packages are faulty, without evaluating the others.
//!
//! Of a package whose definition or build is an error there is no output, and those that refer to
//! it say nothing about that. So what is told is what the faulty packages say, and the warnings of
//! the others that are still reached, which are on record.

use std::collections::BTreeSet;

use stxl_lang::Diagnostic;
use stxl_model::PackageLabel;

use super::recall::{Asked, Recall, Wish};
use crate::evaluator::{FaultyPackage, Target};
use crate::graph::ordered;
use crate::link::Said;
use crate::read::Read;
use crate::record::{NodeRecord, Records};
use crate::selection::configured_for;

/// Packages without any output, and what an evaluation of them told.
#[derive(Default)]
pub(super) struct Faulty {
    pub(super) packages: Vec<FaultyPackage>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) looked_at: Vec<Read>,
}

impl Faulty {
    /// Adds what another evaluation told.
    pub(super) fn add(&mut self, other: Self) {
        self.packages.extend(other.packages);
        self.diagnostics.extend(other.diagnostics);
        self.looked_at.extend(other.looked_at);
    }

    /// Whether a package is among them.
    pub(super) fn has(&self, label: &PackageLabel) -> bool {
        self.packages.iter().any(|it| it.label == *label)
    }
}

/// How far what needs a faulty package is followed: what the package would bring is not known, so
/// what is reached lies between the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reaching {
    /// Not beyond it.
    Least,
    /// To all that it needed when nothing was faulty.
    Most,
}

impl Recall {
    /// What an evaluation of everything tells besides what the faulty packages say; none if that
    /// cannot be told from the records.
    pub(super) fn told_beside(&self, wish: &Wish) -> Option<Vec<Diagnostic>> {
        let faulty = &self.faulty;
        if faulty.packages.iter().any(|it| self.has_other_facts(it)) {
            return None;
        }
        let Asked { targets, unknown } = Asked::of(&self.records, wish)?;
        if !unknown.iter().all(|(label, _)| faulty.has(label)) {
            return None;
        }
        let asked: BTreeSet<&PackageLabel> = unknown.iter().map(|(label, _)| label).collect();
        let by_node = self.records.by_node();
        let reach = Reach {
            records: &self.records,
            by_node: &by_node,
            faulty,
            wish,
        };
        let least = reach.from(&targets, Reaching::Least)?;
        let most = reach.from(&targets, Reaching::Most)?;
        let needed = reach.faulty_for_sure(&least);
        let mut labels = faulty.packages.iter().map(|it| &it.label);
        let is_sure = labels.all(|label| asked.contains(label) || needed.contains(label));
        if !is_sure || reach.has_cycle(&most) {
            return None;
        }
        let told = |is_reached: &[bool]| {
            let mut told = Said::of(&self.records, &targets, is_reached).diagnostics;
            told.sort();
            told.dedup();
            told
        };
        let most = told(&most);
        (most.is_empty() || told(&least) == most).then_some(most)
    }

    /// Whether references to a faulty package may be wrong that were right.
    fn has_other_facts(&self, package: &FaultyPackage) -> bool {
        let former = self.former.get(&package.label);
        let pair = package.facts.as_ref().zip(former);
        pair.is_some_and(|(facts, former)| *facts != former.facts)
    }
}

struct Reach<'r> {
    records: &'r Records,
    by_node: &'r [Option<&'r NodeRecord>],
    faulty: &'r Faulty,
    wish: &'r Wish,
}

impl Reach<'_> {
    /// Which nodes are reached from targets, by position; none if something that is reached is
    /// neither on record nor of a faulty package that was evaluated as it is reached.
    fn from(&self, targets: &[Target], reaching: Reaching) -> Option<Vec<bool>> {
        let mut is_reached = vec![false; self.by_node.len()];
        let mut stack = Vec::new();
        for key in targets.iter().flat_map(|target| &target.nodes) {
            stack.push(self.records.nodes.get_index_of(key)?);
        }
        while let Some(position) = stack.pop() {
            if std::mem::replace(is_reached.get_mut(position)?, true) {
                continue;
            }
            let record = self.record(position)?;
            let references = || record.references().map(|it| it as usize);
            let mut needs_faulty = false;
            for missing in references().filter(|it| self.record(*it).is_none()) {
                if !self.is_explained(missing) {
                    return None;
                }
                needs_faulty = true;
            }
            if !needs_faulty || reaching == Reaching::Most {
                stack.extend(references().filter(|it| self.record(*it).is_some()));
            }
        }
        Some(is_reached)
    }

    /// The faulty packages that nodes among these need for sure: where one needs several of them,
    /// it may need one only because another brought it.
    fn faulty_for_sure(&self, is_reached: &[bool]) -> BTreeSet<&PackageLabel> {
        let mut sure = BTreeSet::new();
        let reached = (0..is_reached.len()).filter(|it| is_reached.get(*it) == Some(&true));
        for record in reached.filter_map(|position| self.record(position)) {
            let missing = record.references().map(|it| it as usize);
            let missing = missing.filter(|it| self.record(*it).is_none());
            let missing = missing.filter_map(|it| self.records.nodes.get_index(it));
            let labels: BTreeSet<&PackageLabel> = missing.map(|key| &key.label).collect();
            if labels.len() == 1 {
                sure.extend(labels);
            }
        }
        sure
    }

    /// Whether nodes among these need each other in a circle.
    fn has_cycle(&self, is_reached: &[bool]) -> bool {
        let is_there = |position: &usize| is_reached.get(*position) == Some(&true);
        let needs = |position: usize| {
            let record = Some(position)
                .filter(is_there)
                .and_then(|it| self.record(it));
            let needs = record.into_iter().flat_map(|it| &it.needs);
            needs.map(|need| *need as usize).filter(is_there)
        };
        ordered(is_reached.len(), needs).contains(&false)
    }

    fn record(&self, position: usize) -> Option<&NodeRecord> {
        self.by_node.get(position).copied().flatten()
    }

    /// Whether a node that is not on record is of a faulty package of which everything is told.
    fn is_explained(&self, position: usize) -> bool {
        let Some(key) = self.records.nodes.get_index(position) else {
            return false;
        };
        let package = self.faulty.packages.iter().find(|it| it.label == key.label);
        package.is_some_and(|package| match &package.facts {
            // Its definition is wrong, whatever it is built for.
            None => true,
            Some(facts) => configured_for(&self.wish.configured, facts) == key.configured,
        })
    }
}
