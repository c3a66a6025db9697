//! What stands in the place of what: every derivation of a newer plan and one of an older plan.

use rustc_hash::FxHashMap;

use super::comparison::Comparison;
use crate::derivation::Kind;
use crate::digest::DerivationId;
use crate::plan::{Plan, PlanNode};

/// What became of the derivations of an older plan in a newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Succession {
    follows: FxHashMap<DerivationId, DerivationId>,
    replaces: FxHashMap<DerivationId, DerivationId>,
}

/// How a derivation of a newer plan stands to an older plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The older plan has it.
    Same,
    /// It is by the recipe of one there, over inputs that became others.
    Follows(DerivationId),
    /// It is by another recipe than the one there that it most likely stands for: of the same
    /// package and kind, by name if there is one of that name.
    Replaces(DerivationId),
    /// Nothing there can be what it stands for.
    New,
}

/// By what a derivation is found that another one stands for.
#[derive(Clone, Copy)]
enum Likeness {
    /// By its kind and its name.
    Name,
    /// By its kind.
    Kind,
}

impl Likeness {
    fn of(self, node: &PlanNode) -> (Kind, &str) {
        let name = match self {
            Self::Name => node.origin.name.as_str(),
            Self::Kind => "",
        };
        (node.derivation.kind(), name)
    }
}

impl Succession {
    /// Compares two plans.
    pub fn between(before: &Plan, after: &Plan) -> Self {
        let mut comparison = Comparison::of(before, after);
        let without = comparison.recipes();
        let (old, new) = (&comparison.old, &comparison.new);
        let mut succession = Self::default();
        for (position, node) in (0..).zip(after.nodes()) {
            if let Some(followed) = comparison.predecessor(position) {
                succession.follows.insert(node.id, old.node(followed).id);
            }
        }
        for (package, without) in without {
            let gone = old.own_of(package);
            let gone = gone.filter(|node| comparison.successor(*node).is_none());
            let gone = gone.map(|node| old.node(node)).collect();
            let left = without.into_iter().map(|node| new.node(node)).collect();
            succession.replace(left, gone);
        }
        succession
    }

    /// Finds for the derivations of a package that follow none what each stands for.
    fn replace(&mut self, mut left: Vec<&PlanNode>, mut gone: Vec<&PlanNode>) {
        for likeness in [Likeness::Name, Likeness::Kind] {
            left.retain(|node| {
                let key = |other: &PlanNode| likeness.of(other) == likeness.of(node);
                let found = gone.iter().position(|other| key(other));
                if let Some(position) = found {
                    self.replaces.insert(node.id, gone.remove(position).id);
                }
                found.is_none()
            });
        }
    }

    /// How a derivation of the newer plan stands to the older plan.
    pub fn standing(&self, before: &Plan, id: &DerivationId) -> Standing {
        if before.position(id).is_some() {
            Standing::Same
        } else if let Some(followed) = self.follows.get(id) {
            Standing::Follows(*followed)
        } else {
            let replaced = self.replaces.get(id);
            replaced.map_or(Standing::New, |replaced| Standing::Replaces(*replaced))
        }
    }
}
