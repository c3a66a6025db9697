//! The plan as numbers: who needs whom, and how urgent each step is.

use stxl_model::{Kind, Plan};

/// What a step that never ran is expected to take, in milliseconds.
const EXEC_MS_DEFAULT: u64 = 2_000;

/// What a step without a process is expected to take, in milliseconds.
const OTHER_MS_DEFAULT: u64 = 1;

/// The edges of a plan by position; inputs have lower positions than those that need them.
#[derive(Debug)]
pub(crate) struct Graph {
    inputs: Edges,
    dependents: Edges,
}

/// Lists of positions, one after the other.
#[derive(Debug)]
struct Edges {
    ends: Vec<usize>,
    targets: Vec<usize>,
}

impl Graph {
    /// Reads the edges of a plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut inputs = Edges::default();
        let mut counts = vec![0_usize; plan.nodes().len()];
        for node in plan.nodes() {
            for input in node.derivation.inputs() {
                let position = plan.position(input).expect("a plan's inputs are its nodes");
                inputs.targets.push(position);
                counts[position] += 1;
            }
            inputs.ends.push(inputs.targets.len());
        }
        let dependents = inputs.reversed(&counts);
        Self { inputs, dependents }
    }

    /// The inputs of a node, in the order of its recipe.
    pub(crate) fn inputs(&self, node: usize) -> &[usize] {
        self.inputs.of(node)
    }

    /// The nodes that need a node, by position.
    pub(crate) fn dependents(&self, node: usize) -> &[usize] {
        self.dependents.of(node)
    }
}

impl Default for Edges {
    fn default() -> Self {
        Self {
            ends: vec![0],
            targets: Vec::new(),
        }
    }
}

impl Edges {
    fn of(&self, node: usize) -> &[usize] {
        &self.targets[self.ends[node]..self.ends[node + 1]]
    }

    fn reversed(&self, counts: &[usize]) -> Self {
        let mut ends = vec![0];
        let mut total = 0;
        for count in counts {
            total += count;
            ends.push(total);
        }
        let mut next: Vec<usize> = ends.clone();
        let mut targets = vec![0; total];
        for from in 0..counts.len() {
            for to in self.of(from) {
                targets[next[*to]] = from;
                next[*to] += 1;
            }
        }
        Self { ends, targets }
    }
}

/// How long the longest chain of steps is that begins with each node, in milliseconds.
///
/// `durations` are what was remembered, by position. One pass, against the order of the plan.
pub(crate) fn critical_paths(plan: &Plan, graph: &Graph, durations: &[Option<u64>]) -> Vec<u64> {
    let mut paths = vec![0_u64; plan.nodes().len()];
    for (position, node) in plan.nodes().iter().enumerate().rev() {
        let own = durations[position].unwrap_or(match node.derivation.kind() {
            Kind::Exec => EXEC_MS_DEFAULT,
            Kind::Fetch
            | Kind::Import
            | Kind::Unpack
            | Kind::Compose
            | Kind::Archive
            | Kind::Image => OTHER_MS_DEFAULT,
        });
        let behind = graph
            .dependents(position)
            .iter()
            .map(|dependent| paths[*dependent])
            .max();
        paths[position] = own.saturating_add(behind.unwrap_or(0));
    }
    paths
}
