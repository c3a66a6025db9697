//! Plans with other nodes in the places of some, and what follows from that.

mod following;

use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::parallel::in_two;
use super::shape::{KnownShape, Shape, number};
use super::{Plan, PlanNode, PlanRoot};
use crate::digest::DerivationId;
use following::Following;

impl Plan {
    /// The plan with other nodes in the places of some, by position, in order. What they need are
    /// nodes of this plan, or that were replaced before them; what needs something in whose place
    /// another one stands, or asked for it, has that instead. None when that is no plan: a place
    /// stands twice, in no order or nowhere, a derivation would stand twice, or one would need what
    /// does not stand before it; and when one that is to stand in a place stands in another one.
    pub fn with_replaced(&self, replaced: &[(usize, PlanNode)]) -> Option<Self> {
        let shape = self.shape();
        let replaced = Replaced::of(self, replaced)?;
        let became = Following::of(self, &replaced).became();
        let nodes = self.nodes.iter().zip(became);
        let nodes: Vec<PlanNode> = nodes
            .map(|(node, became)| became.unwrap_or_else(|| node.clone()))
            .collect();
        let (roots, positions) = in_two(
            nodes.len(),
            || self.roots_with(shape, &nodes),
            || positions_of(&nodes),
        );
        let is_as_before = replaced.is_as_before;
        let plan = Self {
            nodes,
            roots,
            is_local: self.is_local,
            positions,
            shape: if is_as_before {
                self.shape.clone()
            } else {
                KnownShape::default()
            },
        };
        (plan.positions.len() == plan.nodes.len()).then_some(plan)
    }

    /// The packages that were asked for, over the nodes that stand where those of this plan do.
    fn roots_with(&self, shape: &Shape, nodes: &[PlanNode]) -> Vec<PlanRoot> {
        let roots = self.roots.iter().enumerate().map(|(position, root)| {
            let givers = shape.outputs.of(position).iter();
            let ids = givers.map(|giver| nodes[*giver as usize].id);
            PlanRoot {
                label: root.label.clone(),
                outputs: root.outputs.given_by(ids),
            }
        });
        roots.collect()
    }
}

fn positions_of(nodes: &[PlanNode]) -> IndexSet<DerivationId, FxBuildHasher> {
    let mut positions = IndexSet::default();
    positions.reserve(nodes.len());
    positions.extend(nodes.iter().map(|node| node.id));
    positions
}

/// What stands in the places of some nodes of a plan.
struct Replaced<'p> {
    shape: &'p Shape,
    /// By position in the plan.
    nodes: Vec<Option<&'p PlanNode>>,
    /// By position, what a node needs, if it is not what the former one did.
    inputs: FxHashMap<usize, Vec<u32>>,
    /// Whether each needs what the former one did, and is of the same package.
    is_as_before: bool,
}

impl<'p> Replaced<'p> {
    fn of(plan: &'p Plan, replaced: &'p [(usize, PlanNode)]) -> Option<Self> {
        let shape = plan.shape();
        let mut all = Self {
            shape,
            nodes: vec![None; plan.nodes.len()],
            inputs: FxHashMap::default(),
            is_as_before: true,
        };
        let mut known: FxHashMap<DerivationId, usize> = FxHashMap::default();
        let mut next = 0;
        for (position, node) in replaced {
            let former = plan.nodes.get(*position).filter(|_| *position >= next)?;
            next = position + 1;
            // Else it was not clear which of the two is meant by its id.
            if plan.position(&node.id).is_some_and(|it| it != *position) {
                return None;
            }
            let mut inputs = Vec::new();
            for input in node.derivation.inputs() {
                let input = known.get(input).copied().or_else(|| plan.position(input));
                inputs.push(number(input.filter(|input| input < position)?));
            }
            all.is_as_before &= former.origin.label == node.origin.label;
            if inputs != shape.inputs.of(*position) {
                all.is_as_before = false;
                all.inputs.insert(*position, inputs);
            }
            all.nodes[*position] = Some(node);
            known.insert(node.id, *position);
        }
        Some(all)
    }

    /// What stands in a place needs what stands in these.
    fn inputs_of(&self, position: usize) -> &[u32] {
        let other = self.inputs.get(&position);
        other.map_or_else(|| self.shape.inputs.of(position), Vec::as_slice)
    }
}
