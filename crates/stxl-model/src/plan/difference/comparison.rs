//! Two plans while they are compared. Nodes are named by their positions and packages by numbers
//! that both plans have for them, so that next to nothing has to be looked up.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::derivation::Kind;
use crate::label::{OutputName, PackageLabel};
use crate::plan::parallel::in_two;
use crate::plan::shape::{Shape, number};
use crate::plan::{Plan, PlanNode, PlanRoot};

/// No node, where a list of positions has nothing.
const NONE: u32 = u32::MAX;

/// Two plans while they are compared.
pub(super) struct Comparison<'p> {
    /// The packages of both plans, sorted, each once: their positions are their numbers.
    labels: Vec<&'p PackageLabel>,
    pub(super) old: Side<'p>,
    pub(super) new: Side<'p>,
    /// By a node of the older plan, the one of the newer plan that has its recipe and, below that,
    /// what follows from others.
    successors: Vec<u32>,
    /// The same the other way round.
    predecessors: Vec<u32>,
}

/// A package that was asked for, as the older and the newer plan have it, by position.
pub(super) type RootPair = (Option<u32>, Option<u32>);

/// One of the plans, as seen from the other.
pub(super) struct Side<'p> {
    pub(super) plan: &'p Plan,
    shape: &'p Shape,
    /// The numbers of its packages, in the order of its shape.
    numbers: Vec<u32>,
    /// By number of a package, whether the plan has it.
    has: Vec<bool>,
    /// By position of a node, whether the other plan has not got it.
    is_own: Vec<bool>,
    own: OwnNodes,
}

/// The nodes that the other plan has not got, by package, in the order of the plan: of each package
/// the first, and after each node the next one, or [`NONE`].
#[derive(Clone)]
struct OwnNodes {
    first: Vec<u32>,
    next: Vec<u32>,
}

impl OwnNodes {
    fn of(&self, package: u32) -> impl Iterator<Item = u32> {
        let some = |node: u32| (node != NONE).then_some(node);
        let first = some(self.first[package as usize]);
        std::iter::successors(first, move |node| some(self.next[*node as usize]))
    }

    /// Takes out the first node of a package that is what is looked for.
    fn take(&mut self, package: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut before = None;
        let found = self.of(package).find(|node| {
            let is_it = is_it(*node);
            if !is_it {
                before = Some(*node);
            }
            is_it
        })?;
        let next = self.next[found as usize];
        match before {
            None => self.first[package as usize] = next,
            Some(before) => self.next[before as usize] = next,
        }
        Some(found)
    }
}

impl<'p> Side<'p> {
    fn of(plan: &'p Plan, other: &Plan, numbers: Vec<u32>, count: usize) -> Self {
        let shape = plan.shape();
        let mut has = vec![false; count];
        for package in &numbers {
            has[*package as usize] = true;
        }
        // Most stand where they stood: that is seen at once.
        let is_own = plan.nodes().iter().enumerate().map(|(position, node)| {
            let there = other.nodes().get(position);
            there.is_none_or(|it| it.id != node.id) && other.position(&node.id).is_none()
        });
        let is_own: Vec<bool> = is_own.collect();
        let mut own = OwnNodes {
            first: vec![NONE; count],
            next: vec![NONE; is_own.len()],
        };
        for position in (0..is_own.len()).rev().filter(|it| is_own[*it]) {
            let package = numbers[shape.packages[position] as usize] as usize;
            own.next[position] = std::mem::replace(&mut own.first[package], number(position));
        }
        Self {
            plan,
            shape,
            numbers,
            has,
            is_own,
            own,
        }
    }

    /// Whether the plan has anything of a package.
    pub(super) fn has(&self, package: u32) -> bool {
        self.has[package as usize]
    }

    /// How many steps of a package the other plan has not got.
    pub(super) fn steps_of(&self, package: u32) -> usize {
        let own = self.own.of(package);
        own.filter(|node| self.node(*node).derivation.kind() == Kind::Exec)
            .count()
    }

    pub(super) fn own_of(&self, package: u32) -> impl Iterator<Item = u32> {
        self.own.of(package)
    }

    pub(super) fn node(&self, position: u32) -> &'p PlanNode {
        &self.plan.nodes()[position as usize]
    }

    pub(super) fn root(&self, position: u32) -> &'p PlanRoot {
        &self.plan.roots()[position as usize]
    }

    fn package_of(&self, node: u32) -> u32 {
        self.numbers[self.shape.packages[node as usize] as usize]
    }

    /// The names that outputs asked for have which a node gives.
    fn names_of(&self, node: u32) -> impl Iterator<Item = (&'p PackageLabel, &'p OutputName)> {
        let id = self.node(node).id;
        let roots = self.shape.roots_given(node);
        roots.flat_map(move |root| {
            let root = self.root(root);
            let given = root.outputs.iter().filter(move |(_, giver)| **giver == id);
            given.map(|(output, _)| (&root.label, output))
        })
    }

    /// The roots with the numbers of their packages, sorted by these.
    fn roots(&self) -> impl Iterator<Item = (u32, u32)> {
        let roots = self.shape.roots.iter();
        roots.map(|(package, root)| (self.numbers[*package as usize], *root))
    }
}

impl<'p> Comparison<'p> {
    pub(super) fn of(before: &'p Plan, after: &'p Plan) -> Self {
        let (labels, numbers) = numbered(before.shape(), after.shape());
        let count = labels.len();
        let (old, new) = in_two(
            before.nodes().len() + after.nodes().len(),
            || Side::of(before, after, numbers.0, count),
            || Side::of(after, before, numbers.1, count),
        );
        Self {
            labels,
            successors: vec![NONE; before.nodes().len()],
            predecessors: vec![NONE; after.nodes().len()],
            old,
            new,
        }
    }

    pub(super) fn label(&self, package: u32) -> &'p PackageLabel {
        self.labels[package as usize]
    }

    /// The nodes of the newer plan that follow none of the older plan, by package. Inputs come
    /// first, so what a derivation became is known before others name it.
    pub(super) fn recipes(&mut self) -> BTreeMap<u32, Vec<u32>> {
        let mut left = self.old.own.clone();
        let mut recipes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for node in (0..self.new.is_own.len()).filter(|it| self.new.is_own[*it]) {
            let (node, package) = (number(node), self.new.package_of(number(node)));
            match left.take(package, |candidate| self.is_successor(candidate, node)) {
                Some(followed) => {
                    self.successors[followed as usize] = node;
                    self.predecessors[node as usize] = followed;
                }
                None => recipes.entry(package).or_default().push(node),
            }
        }
        recipes
    }

    /// The node of the newer plan that follows one of the older plan, after [`Self::recipes`].
    pub(super) fn successor(&self, old: u32) -> Option<u32> {
        let successor = self.successors[old as usize];
        (successor != NONE).then_some(successor)
    }

    /// The node of the older plan that one of the newer plan follows, after [`Self::recipes`].
    pub(super) fn predecessor(&self, new: u32) -> Option<u32> {
        let predecessor = self.predecessors[new as usize];
        (predecessor != NONE).then_some(predecessor)
    }

    /// Whether a derivation is what an older one became because of others below it.
    fn is_successor(&self, old: u32, new: u32) -> bool {
        let inputs = self.old.shape.inputs.of(old as usize);
        let others = self.new.shape.inputs.of(new as usize);
        let (former, node) = (self.old.node(old), self.new.node(new));
        inputs.len() == others.len()
            && former.derivation.has_recipe_of(&node.derivation)
            && inputs
                .iter()
                .zip(others)
                .all(|(input, other)| self.has_become(self.old.package_of(old), *input, *other))
    }

    /// Whether what a package uses is what it was, or what that became.
    fn has_become(&self, user: u32, old: u32, new: u32) -> bool {
        if self.successors[old as usize] == new {
            return true;
        }
        if !self.old.is_own[old as usize] || !self.new.is_own[new as usize] {
            return self.old.node(old).id == self.new.node(new).id;
        }
        // Of a package that was changed itself, a derivation that went and one that came stand for
        // each other unless they are known to be something else.
        let package = self.old.package_of(old);
        let are_both_without = self.successor(old).is_none() && self.predecessor(new).is_none();
        if package != self.new.package_of(new) {
            false
        } else if package == user {
            are_both_without
        } else {
            let mut before = self.old.names_of(old).peekable();
            let after: Vec<_> = self.new.names_of(new).collect();
            match (before.peek(), after.is_empty()) {
                (Some(_), false) => before.any(|name| after.contains(&name)),
                (None, true) => are_both_without,
                (Some(_), true) | (None, false) => false,
            }
        }
    }

    /// By package, what was asked for of it and of which not all outputs are what they were.
    pub(super) fn different_roots(&self) -> Vec<RootPair> {
        let mut different = vec![(None, None); self.labels.len()];
        let (mut old, mut new) = (self.old.roots().peekable(), self.new.roots().peekable());
        // Side by side, by package.
        while let Some(package) = [old.peek(), new.peek()]
            .into_iter()
            .flatten()
            .map(|(package, _)| *package)
            .min()
        {
            let before = old.next_if(|(it, _)| *it == package).map(|(_, root)| root);
            let after = new.next_if(|(it, _)| *it == package).map(|(_, root)| root);
            if self.are_outputs_different(before, after) {
                different[package as usize] = (before, after);
            }
        }
        different
    }

    /// Whether the outputs of a package that was asked for are not what they were.
    fn are_outputs_different(&self, old: Option<u32>, new: Option<u32>) -> bool {
        if std::ptr::eq(self.old.shape, self.new.shape) && old == new {
            // Their names are the same, and what gives them stands in the same places.
            let givers = old.map(|root| self.old.shape.outputs.of(root as usize));
            let mut givers = givers.unwrap_or_default().iter();
            return givers.any(|it| self.old.node(*it).id != self.new.node(*it).id);
        }
        let old = old.map(|root| &self.old.root(root).outputs);
        old != new.map(|root| &self.new.root(root).outputs)
    }

    /// Whether either plan has nodes of a package that the other one has not got.
    pub(super) fn has_own(&self, package: u32) -> bool {
        self.old.own_of(package).next().is_some() || self.new.own_of(package).next().is_some()
    }

    /// Whether all nodes of a package that went are followed, and its outputs have their names, and
    /// are what they were or became because of others.
    pub(super) fn is_followed(&self, package: u32, (old, new): RootPair) -> bool {
        let mut gone = self.old.own_of(package);
        if !gone.all(|node| self.successor(node).is_some()) {
            return false;
        }
        let (Some(old), Some(new)) = (old, new) else {
            return old.is_none() && new.is_none();
        };
        let givers = self.old.shape.outputs.of(old as usize);
        let others = self.new.shape.outputs.of(new as usize);
        let (old, new) = (self.old.root(old), self.new.root(new));
        let mut pairs = givers.iter().zip(others);
        (std::ptr::eq(self.old.shape, self.new.shape) || old.outputs.names() == new.outputs.names())
            && pairs.all(|(before, after)| self.has_become(package, *before, *after))
    }
}

/// The packages of two plans, sorted, each once, and the positions in that list of those of each.
fn numbered<'p>(
    old: &'p Arc<Shape>,
    new: &'p Arc<Shape>,
) -> (Vec<&'p PackageLabel>, (Vec<u32>, Vec<u32>)) {
    if Arc::ptr_eq(old, new) {
        let numbers: Vec<u32> = (0..number(old.labels.len())).collect();
        return (old.labels.iter().collect(), (numbers.clone(), numbers));
    }
    let (mut labels, mut numbers) = (Vec::new(), (Vec::new(), Vec::new()));
    let (mut before, mut after) = (old.labels.iter().peekable(), new.labels.iter().peekable());
    while let Some(label) = [before.peek(), after.peek()]
        .into_iter()
        .flatten()
        .copied()
        .min()
    {
        if before.next_if_eq(&label).is_some() {
            numbers.0.push(number(labels.len()));
        }
        if after.next_if_eq(&label).is_some() {
            numbers.1.push(number(labels.len()));
        }
        labels.push(label);
    }
    (labels, numbers)
}
