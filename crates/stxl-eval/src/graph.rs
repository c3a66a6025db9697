//! The graph of nodes a request reaches, and an order in which they can be lowered.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use stxl_lang::{Diagnostic, Span};
use stxl_model::PackageLabel;

use crate::database::{Database, Db as _};
use crate::node::{Needed, Node, NodeKey, brings, needed, site_of_need};
use crate::parallel;
use crate::queries::{self, error, span_of_site};

/// Nodes by position, and whom each needs.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<GraphNode>,
    positions: IndexMap<NodeKey, usize, FxBuildHasher>,
}

/// A node and the positions of what it needs, in the order in which it does.
pub(crate) struct GraphNode {
    pub(crate) key: NodeKey,
    /// Whether it was followed; one that was not is only named.
    pub(crate) is_followed: bool,
    pub(crate) needs: Vec<usize>,
    /// What it brings itself, one step far.
    pub(crate) brings: Vec<usize>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What it refers to that is itself wrong, and thus no node.
    pub(crate) faulty: Vec<NodeKey>,
}

/// How far references are followed.
#[derive(Clone, Copy)]
pub(crate) enum Follow<'f> {
    /// To everything that is reached.
    Everywhere,
    /// Into these packages; others are only named.
    Into(&'f BTreeSet<PackageLabel>),
}

impl Follow<'_> {
    fn leads_to(self, key: &NodeKey) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Into(packages) => packages.contains(&key.label),
        }
    }
}

/// What one node says about others.
struct Reached {
    needed: Arc<Needed>,
    brought: Vec<NodeKey>,
    diagnostics: Vec<Diagnostic>,
    faulty: Vec<NodeKey>,
}

impl Graph {
    /// Follows references from the roots, as far as it is said. Every round expands all nodes that
    /// the round before found, in parallel: no node is evaluated that is not reached.
    pub(crate) fn reach(db: &Database, roots: &[NodeKey], follow: Follow<'_>) -> Self {
        let mut graph = Self::default();
        let mut frontier: Vec<usize> = roots.iter().map(|root| graph.find_or_add(root)).collect();
        frontier.sort_unstable();
        frontier.dedup();
        while !frontier.is_empty() {
            let keys: Vec<NodeKey> = frontier
                .iter()
                .filter_map(|position| graph.key(*position).cloned())
                .collect();
            // Expanding apart from what references need of other packages keeps threads from
            // waiting for each other.
            parallel::map(db, &keys, |db, key| {
                queries::expanded(db, db.package(&key.label), &key.configured);
            });
            let reached = parallel::map(db, &keys, reach_from);
            let begin = graph.nodes.len();
            for (position, reached) in frontier.iter().zip(reached) {
                let needs = reached.needed.nodes.iter();
                let needs = needs.map(|key| graph.find_or_add(key)).collect();
                let brings = reached.brought.iter();
                let brings = brings.map(|key| graph.find_or_add(key)).collect();
                if let Some(node) = graph.nodes.get_mut(*position) {
                    node.is_followed = true;
                    node.needs = needs;
                    node.brings = brings;
                    node.diagnostics = reached.diagnostics;
                    node.faulty = reached.faulty;
                }
            }
            let found = graph.nodes.get(begin..).unwrap_or_default();
            frontier = (begin..)
                .zip(found)
                .filter(|(_, node)| follow.leads_to(&node.key))
                .map(|(position, _)| position)
                .collect();
        }
        graph
    }

    fn find_or_add(&mut self, key: &NodeKey) -> usize {
        if let Some(position) = self.positions.get(key) {
            return *position;
        }
        let position = self.nodes.len();
        self.positions.insert(key.clone(), position);
        self.nodes.push(GraphNode {
            key: key.clone(),
            is_followed: false,
            needs: Vec::new(),
            brings: Vec::new(),
            diagnostics: Vec::new(),
            faulty: Vec::new(),
        });
        position
    }

    /// One diagnostic for every cycle, each node in at most one.
    pub(crate) fn cycles(&self, db: &Database) -> Vec<Diagnostic> {
        let needs = |position| {
            let node = self.nodes.get(position).into_iter();
            node.flat_map(|node: &GraphNode| node.needs.iter().copied())
        };
        let mut is_done = ordered(self.nodes.len(), needs);
        if is_done.iter().all(|done| *done) {
            return Vec::new();
        }
        let mut starts: Vec<usize> = (0..self.nodes.len()).collect();
        starts.sort_by(|left, right| self.key(*left).cmp(&self.key(*right)));
        let mut diagnostics = Vec::new();
        for start in starts {
            if let Some(cycle) = self.cycle_from(start, &mut is_done) {
                diagnostics.push(self.explain(db, &cycle));
            }
        }
        diagnostics
    }

    fn key(&self, position: usize) -> Option<&NodeKey> {
        self.nodes.get(position).map(|node| &node.key)
    }

    /// Follows needs in order from a node until one stands on the path already.
    fn cycle_from(&self, start: usize, is_done: &mut [bool]) -> Option<Vec<usize>> {
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        if is_done.get(start).copied().unwrap_or(true) {
            return None;
        }
        while let Some((position, next)) = path.pop() {
            let need = self
                .nodes
                .get(position)
                .and_then(|node| node.needs.get(next))
                .copied();
            let Some(need) = need else {
                if let Some(done) = is_done.get_mut(position) {
                    *done = true;
                }
                continue;
            };
            path.push((position, next + 1));
            if let Some(begin) = path.iter().position(|(other, _)| *other == need) {
                for (position, _) in &path {
                    if let Some(done) = is_done.get_mut(*position) {
                        *done = true;
                    }
                }
                return Some(
                    path.split_off(begin)
                        .into_iter()
                        .map(|(it, _)| it)
                        .collect(),
                );
            }
            if !is_done.get(need).copied().unwrap_or(true) {
                path.push((need, 0));
            }
        }
        None
    }

    fn explain(&self, db: &Database, cycle: &[usize]) -> Diagnostic {
        let keys: Vec<&NodeKey> = cycle.iter().filter_map(|it| self.key(*it)).collect();
        // The smallest label first, so that the report does not depend on where the walk began.
        let smallest = (0..keys.len())
            .min_by_key(|it| keys.get(*it))
            .unwrap_or_default();
        let ring = keys.iter().cycle().skip(smallest).take(keys.len() + 1);
        let ring: Vec<&NodeKey> = ring.copied().collect();
        let mut steps: Vec<(Span, String)> = Vec::new();
        let mut notes = Vec::new();
        for pair in ring.windows(2) {
            let [user, need] = pair else { continue };
            let (user_name, need_name) = (shown(user), shown(need));
            match site_of_need(db, user, need) {
                Some((site, _)) => {
                    let at = format!("{}:{}", site.path, site.line);
                    notes.push(format!("`{user_name}` needs `{need_name}` at {at}"));
                    let span = span_of_site(db, &site);
                    steps.push((span, format!("`{user_name}` needs `{need_name}`")));
                }
                None => notes.push(format!("`{user_name}` needs `{need_name}`")),
            }
        }
        let first = ring.first().map_or_else(String::new, |key| shown(key));
        let message = match keys.len() {
            1 => format!("The build of `{first}` needs itself"),
            count => {
                format!("The builds of {count} packages need each other, `{first}` among them")
            }
        };
        let mut diagnostic = error("derivation-cycle", message, None);
        if !steps.is_empty() {
            diagnostic.primary = Some(steps.remove(0));
        }
        diagnostic.secondary = steps;
        diagnostic.notes = notes;
        let hint = "break the circle: a smaller package without the need, or an output of its own";
        diagnostic.hints = vec![hint.to_owned()];
        diagnostic
    }
}

/// Which nodes neither are in a circle of needs nor need one that is, by position.
pub(crate) fn ordered<N: Iterator<Item = usize>>(
    count: usize,
    needs: impl Fn(usize) -> N,
) -> Vec<bool> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut missing: Vec<usize> = vec![0; count];
    for (position, missing) in missing.iter_mut().enumerate() {
        for need in needs(position) {
            if let Some(users) = users.get_mut(need) {
                users.push(position);
                *missing += 1;
            }
        }
    }
    let mut ready: Vec<usize> = (0..count)
        .filter(|position| missing.get(*position) == Some(&0))
        .collect();
    while let Some(position) = ready.pop() {
        for user in users.get(position).into_iter().flatten() {
            if let Some(count) = missing.get_mut(*user) {
                *count -= 1;
                if *count == 0 {
                    ready.push(*user);
                }
            }
        }
    }
    missing.into_iter().map(|count| count == 0).collect()
}

fn shown(key: &NodeKey) -> String {
    key.to_label().to_string()
}

fn reach_from(db: &Database, key: &NodeKey) -> Reached {
    let node = Node::new(db, key.clone());
    let needed = needed(db, node);
    let brought = brings(db, node);
    let mut diagnostics = needed.diagnostics.clone();
    diagnostics.extend(brought.diagnostics.iter().cloned());
    let mut faulty = needed.faulty.clone();
    faulty.extend(brought.faulty.iter().cloned());
    Reached {
        needed,
        brought: brought.nodes.clone(),
        diagnostics,
        faulty,
    }
}
