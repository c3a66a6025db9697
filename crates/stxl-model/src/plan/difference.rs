//! The difference of two plans, package by package.
//!
//! Most edits of a package change the ids of everything above it. A person wants to know the few
//! recipes that are others, and only the number of those that follow, so a derivation of the newer
//! plan is compared with one of the older plan that it may stand in the place of.

mod comparison;
mod succession;

use std::collections::{BTreeMap, BTreeSet};

use super::parallel::in_two;
use super::{Plan, RootOutputs};
use crate::digest::DerivationId;
use crate::label::{OutputName, PackageLabel};
use comparison::{Comparison, RootPair};

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
        let mut comparison = Comparison::of(before, after);
        let recipes = comparison.recipes();
        let roots = comparison.different_roots();
        let (packages, outputs) = in_two(
            before.nodes().len() + after.nodes().len(),
            || different_packages(&comparison, recipes, &roots),
            || different_outputs(&comparison, &roots),
        );
        Self { packages, outputs }
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
}

/// The packages that are different, where these nodes are by other recipes.
fn different_packages(
    comparison: &Comparison<'_>,
    mut recipes: BTreeMap<u32, Vec<u32>>,
    roots: &[RootPair],
) -> BTreeMap<PackageLabel, PackageDifference> {
    let (old, new) = (&comparison.old, &comparison.new);
    let different = (0..).zip(roots).filter_map(|(package, roots)| {
        if !comparison.has_own(package) && *roots == (None, None) {
            return None;
        }
        let others = recipes.remove(&package).unwrap_or_default();
        let change = match (old.has(package), new.has(package)) {
            (false, _) => PackageChange::Added,
            (true, false) => PackageChange::Removed,
            (true, true) if others.is_empty() && comparison.is_followed(package, *roots) => {
                PackageChange::Cascade
            }
            (true, true) => PackageChange::Changed,
        };
        let names = others.into_iter().map(|node| &new.node(node).origin.name);
        let different = PackageDifference {
            change,
            recipes: names.cloned().collect(),
            steps_added: new.steps_of(package),
            steps_removed: old.steps_of(package),
        };
        Some((comparison.label(package).clone(), different))
    });
    different.collect()
}

/// The outputs that are others of what was asked for, by package and name.
fn different_outputs(comparison: &Comparison<'_>, roots: &[RootPair]) -> Vec<OutputDifference> {
    let mut different = Vec::new();
    for (package, (old, new)) in (0..).zip(roots) {
        let label = comparison.label(package);
        let mut add = |output: &OutputName, before, after| {
            if before != after {
                different.push(OutputDifference {
                    label: label.clone(),
                    output: output.clone(),
                    before,
                    after,
                });
            }
        };
        let old = old.map(|root| &comparison.old.root(root).outputs);
        let new = new.map(|root| &comparison.new.root(root).outputs);
        if let (Some(old), Some(new)) = (old, new)
            && old.names() == new.names()
        {
            for ((output, before), after) in old.iter().zip(new.ids()) {
                add(output, Some(*before), Some(*after));
            }
            continue;
        }
        let names = old.into_iter().chain(new);
        let names: BTreeSet<&OutputName> = names.flat_map(RootOutputs::names).collect();
        for output in names {
            let of = |outputs: Option<&RootOutputs>| outputs?.get(output).copied();
            add(output, of(old), of(new));
        }
    }
    different
}
