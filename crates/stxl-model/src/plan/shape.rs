//! The graph of a plan by numbers: which node needs which by their positions, and which package
//! each was made for. Ids and labels are long, and comparing plans asks for them again and again.
//!
//! All numbers are positions in lists of the same plan, of which a shape is made as a whole.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::Plan;
use crate::label::PackageLabel;

/// What plans have in common of which one has other derivations where those of the other stand.
#[derive(Debug)]
pub(super) struct Shape {
    /// The packages that nodes were made for or that were asked for, sorted, each once.
    pub(super) labels: Vec<PackageLabel>,
    /// By position of a node, the position of its package in [`Self::labels`].
    pub(super) packages: Vec<u32>,
    /// By position of a node, the positions of its inputs.
    pub(super) inputs: Lists,
    /// The positions of the nodes by level: how many steps lead from each at most to one that needs
    /// nothing.
    pub(super) by_level: Vec<u32>,
    /// By position of a root, the positions of what gives its outputs, in the order of their names.
    pub(super) outputs: Lists,
    /// The positions of the roots with those of their packages, sorted by package.
    pub(super) roots: Vec<(u32, u32)>,
    /// The positions of nodes that give outputs, each with that of the root, sorted.
    pub(super) givers: Vec<(u32, u32)>,
}

/// The shape of a plan, once somebody asked for it. It follows from the plan, so plans that are
/// equal are so whether theirs are known or not.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownShape(pub(super) OnceLock<Arc<Shape>>);

/// Lists of numbers, one after the other.
#[derive(Debug, Default)]
pub(super) struct Lists {
    items: Vec<u32>,
    /// Where each list ends.
    ends: Vec<u32>,
}

impl PartialEq for KnownShape {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KnownShape {}

impl Lists {
    fn push(&mut self, items: impl Iterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(number(self.items.len()));
    }

    /// The list at a position.
    pub(super) fn of(&self, position: usize) -> &[u32] {
        let begin = match position {
            0 => 0,
            _ => self.ends[position - 1],
        };
        &self.items[begin as usize..self.ends[position] as usize]
    }
}

impl Shape {
    fn of(plan: &Plan) -> Self {
        let (labels, packages, roots) = numbered_packages(plan);
        let mut roots: Vec<(u32, u32)> = roots.into_iter().zip(0..).collect();
        roots.sort_unstable();
        // Invariant of plans: inputs and what gives outputs are nodes.
        let position = |id| plan.position(id).map(number);
        let mut inputs = Lists::default();
        for node in plan.nodes() {
            inputs.push(node.derivation.inputs().iter().filter_map(position));
        }
        let by_level = by_level(&inputs, plan.nodes().len());
        let mut outputs = Lists::default();
        for root in plan.roots() {
            outputs.push(root.outputs.ids().iter().filter_map(position));
        }
        let givers = (0..).zip(plan.roots()).flat_map(|(root, _)| {
            let givers = outputs.of(root as usize).iter();
            givers.map(move |giver| (*giver, root))
        });
        let mut givers: Vec<(u32, u32)> = givers.collect();
        givers.sort_unstable();
        givers.dedup();
        Self {
            labels,
            packages,
            inputs,
            by_level,
            outputs,
            roots,
            givers,
        }
    }

    /// The positions of the roots that a node gives outputs of.
    pub(super) fn roots_given(&self, node: u32) -> impl Iterator<Item = u32> {
        let begin = self.givers.partition_point(|(giver, _)| *giver < node);
        let givers = self.givers.iter().skip(begin);
        givers
            .take_while(move |(giver, _)| *giver == node)
            .map(|(_, root)| *root)
    }
}

/// The positions of nodes, by how many steps lead from each at most to one that needs nothing.
fn by_level(inputs: &Lists, count: usize) -> Vec<u32> {
    let mut levels: Vec<u32> = Vec::with_capacity(count);
    for position in 0..count {
        let below = inputs.of(position).iter();
        let below = below.map(|input| levels[*input as usize]).max();
        levels.push(below.map_or(0, |below| below + 1));
    }
    let mut by_level: Vec<u32> = (0..number(count)).collect();
    by_level.sort_by_key(|position| levels[*position as usize]);
    by_level
}

/// The packages of a plan, sorted, and their positions in that list by node and by root.
fn numbered_packages(plan: &Plan) -> (Vec<PackageLabel>, Vec<u32>, Vec<u32>) {
    let mut known: FxHashMap<&PackageLabel, u32> = FxHashMap::default();
    let mut found: Vec<&PackageLabel> = Vec::new();
    let mut number_of = |label| {
        *known.entry(label).or_insert_with(|| {
            found.push(label);
            number(found.len() - 1)
        })
    };
    let nodes = plan.nodes().iter().map(|node| &node.origin.label);
    let mut nodes: Vec<u32> = nodes.map(&mut number_of).collect();
    let roots = plan.roots().iter().map(|root| &root.label);
    let mut roots: Vec<u32> = roots.map(&mut number_of).collect();
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_unstable_by_key(|position| found[*position]);
    let mut ranks = vec![0; found.len()];
    for (rank, position) in (0..).zip(&order) {
        ranks[*position] = rank;
    }
    for package in nodes.iter_mut().chain(&mut roots) {
        *package = ranks[*package as usize];
    }
    let labels = order.into_iter().map(|position| found[position].clone());
    (labels.collect(), nodes, roots)
}

impl Plan {
    pub(super) fn shape(&self) -> &Arc<Shape> {
        self.shape.0.get_or_init(|| Arc::new(Shape::of(self)))
    }
}

/// A position as it is kept.
pub(super) fn number(position: usize) -> u32 {
    u32::try_from(position).expect("memory has no room for so many nodes")
}
