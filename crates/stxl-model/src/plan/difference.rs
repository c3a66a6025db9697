//! The difference of two plans, package by package.
//!
//! Most edits of a package change the ids of everything above it. A person wants to know the few
//! recipes that are others, and only the number of those that follow, so a derivation of the newer
//! plan is compared with one of the older plan that it may stand in the place of.

mod succession;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use super::{Plan, PlanNode, PlanRoot};
use crate::derivation::Kind;
use crate::digest::DerivationId;
use crate::label::{OutputName, PackageLabel};

pub use succession::{Standing, Succession};

/// What is different between an older plan and a newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanDifference {
    /// The packages that are different, by label.
    pub packages: BTreeMap<PackageLabel, PackageDifference>,
    /// The outputs that were asked for and give something else, by label and name.
    pub outputs: Vec<OutputDifference>,
}

/// What is different about a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageDifference {
    /// How it is different.
    pub change: PackageChange,
    /// The names of the newer plan's derivations that are by another recipe, in its order.
    pub recipes: Vec<String>,
    /// How many steps the newer plan has that the older one has not.
    pub steps_added: usize,
    /// How many steps the older plan has that the newer one has not.
    pub steps_removed: usize,
}

/// How a package is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackageChange {
    /// The older plan has nothing of it.
    Added,
    /// The newer plan has nothing of it.
    Removed,
    /// A recipe of its own, or what its outputs are, is another.
    Changed,
    /// Its recipes are what they were; the ids below them are others.
    Cascade,
}

/// An output that was asked for and is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputDifference {
    /// The package.
    pub label: PackageLabel,
    /// The output.
    pub output: OutputName,
    /// What gave it in the older plan, if it was there.
    pub before: Option<DerivationId>,
    /// What gives it in the newer plan, if it is there.
    pub after: Option<DerivationId>,
}

impl PackageChange {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Cascade => "cascade",
        }
    }
}

impl PlanDifference {
    /// Compares two plans. What is in no id, such as lines and limits of time, makes no difference.
    pub fn between(before: &Plan, after: &Plan) -> Self {
        let (old, new) = (Side::of(before, after), Side::of(after, before));
        let mut comparison = Comparison {
            old: &old,
            new: &new,
            successors: FxHashMap::default(),
            predecessors: FxHashMap::default(),
        };
        let mut recipes = comparison.recipes();
        let roots = different_roots(before, after);
        let own = old.own.keys().chain(new.own.keys()).copied();
        let mut labels: Vec<&PackageLabel> = roots.keys().copied().chain(own).collect();
        labels.sort_unstable();
        labels.dedup();
        let is_there = (old.present(&labels), new.present(&labels));
        let mut difference = Self::default();
        for label in &labels {
            let of_root = roots.get(label).copied().unwrap_or_default();
            difference.add_outputs(label, of_root);
            let package = match (is_there.0.contains(label), is_there.1.contains(label)) {
                (false, _) => PackageChange::Added,
                (true, false) => PackageChange::Removed,
                (true, true) => comparison.change(label, of_root, recipes.contains_key(label)),
            };
            let package = PackageDifference {
                change: package,
                recipes: recipes.remove(label).unwrap_or_default(),
                steps_added: new.steps_of(label),
                steps_removed: old.steps_of(label),
            };
            difference.packages.insert((*label).clone(), package);
        }
        difference
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.outputs.is_empty()
    }

    /// How many packages are different in a way.
    pub fn count_of(&self, change: PackageChange) -> usize {
        let packages = self.packages.values();
        packages.filter(|package| package.change == change).count()
    }

    fn add_outputs(&mut self, label: &PackageLabel, (old, new): RootPair<'_>) {
        let names = old.into_iter().chain(new);
        let names: BTreeSet<&OutputName> = names.flat_map(|root| root.outputs.keys()).collect();
        for output in names {
            let of = |root: Option<&PlanRoot>| root.and_then(|it| it.outputs.get(output)).copied();
            let (before, after) = (of(old), of(new));
            if before != after {
                self.outputs.push(OutputDifference {
                    label: label.clone(),
                    output: output.clone(),
                    before,
                    after,
                });
            }
        }
    }
}

/// A package that was asked for, as the older and the newer plan have it.
type RootPair<'p> = (Option<&'p PlanRoot>, Option<&'p PlanRoot>);

/// The packages that were asked for and of which not all outputs are what they were.
fn different_roots<'p>(
    before: &'p Plan,
    after: &'p Plan,
) -> BTreeMap<&'p PackageLabel, RootPair<'p>> {
    let sorted = |plan: &'p Plan| {
        let mut roots: Vec<&PlanRoot> = plan.roots().iter().collect();
        roots.sort_by_key(|root| &root.label);
        roots.into_iter().peekable()
    };
    // Side by side: nearly all are equal, and looking them up takes longer than all else.
    let (mut old, mut new) = (sorted(before), sorted(after));
    let mut different = BTreeMap::new();
    loop {
        let pair = match (old.peek(), new.peek()) {
            (None, None) => return different,
            (Some(_), None) => (old.next(), None),
            (None, Some(_)) => (None, new.next()),
            (Some(first), Some(second)) => match first.label.cmp(&second.label) {
                Ordering::Less => (old.next(), None),
                Ordering::Greater => (None, new.next()),
                Ordering::Equal => (old.next(), new.next()),
            },
        };
        if let (Some(root), _) | (None, Some(root)) = pair
            && pair.0 != pair.1
        {
            different.insert(&root.label, pair);
        }
    }
}

/// One of the plans, as seen from the other.
struct Side<'p> {
    plan: &'p Plan,
    /// The derivations that the other plan has not, by package, in the order of the plan.
    own: IndexMap<&'p PackageLabel, Vec<&'p PlanNode>, FxBuildHasher>,
    /// The same, in the order of the plan.
    own_nodes: Vec<&'p PlanNode>,
    /// The names that outputs asked for have, by what gives them.
    outputs: FxHashMap<DerivationId, Vec<(&'p PackageLabel, &'p OutputName)>>,
}

impl<'p> Side<'p> {
    fn of(plan: &'p Plan, other: &Plan) -> Self {
        let mut side = Self {
            plan,
            own: IndexMap::default(),
            own_nodes: Vec::new(),
            outputs: FxHashMap::default(),
        };
        for (position, node) in plan.nodes().iter().enumerate() {
            let label = &node.origin.label;
            // Most stand where they stood: that is seen at once.
            let is_in_place = other
                .nodes()
                .get(position)
                .is_some_and(|it| it.id == node.id);
            if !is_in_place && other.position(&node.id).is_none() {
                side.own.entry(label).or_default().push(node);
                side.own_nodes.push(node);
            }
        }
        let own: FxHashSet<&DerivationId> = side.own_nodes.iter().map(|node| &node.id).collect();
        for root in plan.roots() {
            // Only those of what is different are asked for.
            for (output, id) in &root.outputs {
                if own.contains(id) {
                    let names = side.outputs.entry(*id).or_default();
                    names.push((&root.label, output));
                }
            }
        }
        side
    }

    /// The packages among these that the plan has anything of.
    fn present(&self, labels: &[&PackageLabel]) -> FxHashSet<&'p PackageLabel> {
        let mut present: FxHashSet<&PackageLabel> = self.own.keys().copied().collect();
        if labels.iter().all(|label| present.contains(label)) {
            return present;
        }
        let labels: FxHashSet<&PackageLabel> = labels.iter().copied().collect();
        let nodes = self.plan.nodes().iter().map(|node| &node.origin.label);
        let roots = self.plan.roots().iter().map(|root| &root.label);
        let named = nodes.chain(roots);
        present.extend(named.filter(|label| labels.contains(label)));
        present
    }

    fn steps_of(&self, label: &PackageLabel) -> usize {
        let own = self.own.get(label).into_iter().flatten();
        own.filter(|node| node.derivation.kind() == Kind::Exec)
            .count()
    }

    fn has_own(&self, id: &DerivationId) -> Option<&'p PlanNode> {
        let node = self.plan.node(id)?;
        let of_package = self.own.get(&node.origin.label)?;
        of_package.iter().find(|own| own.id == *id).copied()
    }
}

/// Two plans while they are compared.
struct Comparison<'s, 'p> {
    old: &'s Side<'p>,
    new: &'s Side<'p>,
    /// By a derivation of the older plan, the one of the newer plan that has its recipe and, below
    /// that, what follows from others.
    successors: FxHashMap<DerivationId, DerivationId>,
    /// The same the other way round.
    predecessors: FxHashMap<DerivationId, DerivationId>,
}

impl<'p> Comparison<'_, 'p> {
    /// The names of the newer plan's derivations that follow none of the older plan. Inputs come
    /// first, so what a derivation became is known before others name it.
    fn recipes(&mut self) -> FxHashMap<&'p PackageLabel, Vec<String>> {
        let mut left = self.old.own.clone();
        let mut recipes: FxHashMap<&PackageLabel, Vec<String>> = FxHashMap::default();
        for &node in &self.new.own_nodes {
            let label = &node.origin.label;
            let candidates = left.entry(label).or_default();
            let found = candidates
                .iter()
                .position(|candidate| self.is_successor(candidate, node));
            if let Some(position) = found {
                let followed = candidates.remove(position);
                self.successors.insert(followed.id, node.id);
                self.predecessors.insert(node.id, followed.id);
            } else {
                let name = node.origin.name.clone();
                recipes.entry(label).or_default().push(name);
            }
        }
        recipes
    }

    /// Whether a derivation is what an older one became because of others below it.
    fn is_successor(&self, old: &PlanNode, new: &PlanNode) -> bool {
        let (inputs, others) = (old.derivation.inputs(), new.derivation.inputs());
        inputs.len() == others.len()
            && old.derivation.has_recipe_of(&new.derivation)
            && inputs
                .iter()
                .zip(others)
                .all(|(input, other)| self.has_become(&old.origin.label, input, other))
    }

    /// Whether what a package uses is what it was, or what that became.
    fn has_become(&self, user: &PackageLabel, old: &DerivationId, new: &DerivationId) -> bool {
        if old == new || self.successors.get(old) == Some(new) {
            return true;
        }
        // Of a package that was changed itself, a derivation that went and one that came stand for
        // each other unless they are known to be something else.
        let (Some(gone), Some(come)) = (self.old.has_own(old), self.new.has_own(new)) else {
            return false;
        };
        let label = &gone.origin.label;
        let are_both_without =
            !self.successors.contains_key(old) && !self.predecessors.contains_key(new);
        if *label != come.origin.label {
            false
        } else if label == user {
            are_both_without
        } else {
            match (self.old.outputs.get(old), self.new.outputs.get(new)) {
                (Some(before), Some(after)) => before.iter().any(|name| after.contains(name)),
                (None, None) => are_both_without,
                (Some(_), None) | (None, Some(_)) => false,
            }
        }
    }

    /// How a package of both plans is different.
    fn change(
        &self,
        label: &PackageLabel,
        (old_root, new_root): RootPair<'_>,
        has_recipes: bool,
    ) -> PackageChange {
        let mut gone = self.old.own.get(label).into_iter().flatten();
        if !has_recipes
            && gone.all(|node| self.successors.contains_key(&node.id))
            && self.are_outputs_followed(old_root, new_root)
        {
            PackageChange::Cascade
        } else {
            PackageChange::Changed
        }
    }

    /// Whether the outputs of a package have their names, and are what they were or became because
    /// of others.
    fn are_outputs_followed(&self, old: Option<&PlanRoot>, new: Option<&PlanRoot>) -> bool {
        let (Some(old), Some(new)) = (old, new) else {
            return old.is_none() && new.is_none();
        };
        let mut pairs = old.outputs.values().zip(new.outputs.values());
        old.outputs.keys().eq(new.outputs.keys())
            && pairs.all(|(before, after)| self.has_become(&old.label, before, after))
    }
}
