//! What each node of a plan is waiting for: the part of a build that does nothing itself.
//!
//! A node is wanted at one of two levels: its tree's *id*, to compute the action ids above it, or
//! its *bytes*, because a step that runs, or the user, reads them. Ids are asked for bottom-up and
//! come from records; bytes are asked for top-down and only where something runs. The states of a
//! node and their transitions are a table in this crate's README.md.
//!
//! The owner drives it: [`Schedule::settle`] until it gives nothing, answering each batch, then
//! [`Schedule::next_job`] for as many jobs as there is room for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use stxl_model::{Action, ActionId, Derivation, Kind, Plan, TreeId};

use crate::graph::Graph;
use crate::report::Made;

/// The state of every node.
#[derive(Debug)]
pub(crate) struct Schedule<'p> {
    plan: &'p Plan,
    graph: &'p Graph,
    urgency: Vec<u64>,
    nodes: Vec<NodeState>,
    agenda: Vec<usize>,
    to_look_up: Vec<usize>,
    to_probe: Vec<usize>,
    processes: BinaryHeap<(u64, Reverse<usize>)>,
    fetches: BinaryHeap<(u64, Reverse<usize>)>,
    operations: BinaryHeap<(u64, Reverse<usize>)>,
}

/// What the schedule has to be told before it can go on.
#[derive(Debug)]
pub(crate) enum Question {
    /// Which tree do these actions give, by record? Answer with [`Schedule::looked_up`].
    LookUp(Vec<(usize, ActionId)>),
    /// Are all objects of these trees there? Answer with [`Schedule::probed`].
    Probe(Vec<(usize, TreeId)>),
}

/// Which pool of workers a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobClass {
    /// Runs processes; limited by the number of jobs.
    Process,
    /// Has a source from outside; waits for others more than it works.
    Fetch,
    /// Pure operations and reading; never waits behind a long process.
    Operation,
}

/// How wanted a node is; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Demand {
    /// Not at all.
    None,
    /// The id of its tree.
    Id,
    /// Its tree, complete in the store.
    Bytes,
}

/// What a node ended as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was executed.
    Ran,
    /// Its tree was known.
    Known,
    /// It failed.
    Failed,
    /// It was not done.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for the ids of its inputs.
    Unresolved,
    /// Waits for the answer whether its action is on record.
    LookingUp,
    /// Its tree is known by record, or it ran.
    Known,
    /// Has to run; waits for the bytes of its inputs.
    MustRun,
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Failed.
    Failed,
    /// Something below it failed.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Unknown,
    Probing,
    Present,
    Absent,
}

#[derive(Debug)]
struct NodeState {
    stage: Stage,
    demand: Demand,
    presence: Presence,
    action: Option<ActionId>,
    tree: Option<TreeId>,
    inputs_without_id: usize,
    inputs_without_bytes: usize,
    has_run: bool,
    is_above_a_run: bool,
}

impl<'p> Schedule<'p> {
    /// A schedule in which nothing is known and nothing wanted.
    pub(crate) fn new(plan: &'p Plan, graph: &'p Graph) -> Self {
        let nodes = plan
            .nodes()
            .iter()
            .enumerate()
            .map(|(position, _)| NodeState {
                stage: Stage::Unresolved,
                demand: Demand::None,
                presence: Presence::Unknown,
                action: None,
                tree: None,
                inputs_without_id: graph.inputs(position).len(),
                inputs_without_bytes: graph.inputs(position).len(),
                has_run: false,
                is_above_a_run: false,
            });
        Self {
            plan,
            graph,
            urgency: vec![0; plan.nodes().len()],
            nodes: nodes.collect(),
            agenda: Vec::new(),
            to_look_up: Vec::new(),
            to_probe: Vec::new(),
            processes: BinaryHeap::new(),
            fetches: BinaryHeap::new(),
            operations: BinaryHeap::new(),
        }
    }

    /// Replaces how urgent each node is, those that wait for a worker included.
    pub(crate) fn set_urgency(&mut self, urgency: Vec<u64>) {
        for queue in [&mut self.processes, &mut self.fetches, &mut self.operations] {
            let waiting = std::mem::take(queue).into_iter();
            *queue = waiting
                .map(|(_, Reverse(node))| (urgency[node], Reverse(node)))
                .collect();
        }
        self.urgency = urgency;
    }

    /// Whether a node is wanted and its tree is not known, or has to be made again.
    pub(crate) fn is_pending(&self, node: usize) -> bool {
        let state = &self.nodes[node];
        state.demand > Demand::None && state.stage != Stage::Known
    }

    /// Wants a node.
    pub(crate) fn demand(&mut self, node: usize, demand: Demand) {
        if self.nodes[node].demand < demand {
            self.nodes[node].demand = demand;
            self.agenda.push(node);
        }
    }

    /// Runs a node although its tree is known: its result is to be compared.
    pub(crate) fn force(&mut self, node: usize) {
        if self.nodes[node].stage == Stage::Known {
            self.nodes[node].demand = Demand::Bytes;
            self.nodes[node].stage = Stage::MustRun;
            self.agenda.push(node);
        }
    }

    /// A job that was forced is to be done once more.
    pub(crate) fn force_again(&mut self, node: usize) {
        self.nodes[node].stage = Stage::MustRun;
        self.agenda.push(node);
    }

    /// A job that was forced ended: its node keeps the tree it had, which is there if the job gave
    /// the same.
    pub(crate) fn compared(&mut self, node: usize, given: TreeId) {
        self.nodes[node].has_run = true;
        self.nodes[node].stage = Stage::Known;
        if self.nodes[node].tree == Some(given) {
            self.set_presence(node, Presence::Present);
        }
    }

    /// Goes on as far as possible without an answer; gives the next question, if there is one.
    pub(crate) fn settle(&mut self) -> Option<Question> {
        while let Some(node) = self.agenda.pop() {
            self.visit(node);
        }
        if !self.to_look_up.is_empty() {
            let nodes = std::mem::take(&mut self.to_look_up);
            let batch = nodes.into_iter().filter_map(|node| {
                let state = &self.nodes[node];
                (state.stage == Stage::LookingUp).then_some((node, state.action?))
            });
            return Some(Question::LookUp(batch.collect()));
        }
        if !self.to_probe.is_empty() {
            let nodes = std::mem::take(&mut self.to_probe);
            let batch = nodes.into_iter().filter_map(|node| {
                let state = &self.nodes[node];
                (state.presence == Presence::Probing).then_some((node, state.tree?))
            });
            return Some(Question::Probe(batch.collect()));
        }
        None
    }

    /// Answers a look-up.
    pub(crate) fn looked_up(&mut self, node: usize, tree: Option<TreeId>) {
        if self.nodes[node].stage != Stage::LookingUp {
            return;
        }
        match tree {
            Some(tree) => self.become_known(node, tree, Presence::Unknown),
            None => self.nodes[node].stage = Stage::MustRun,
        }
        self.agenda.push(node);
    }

    /// Answers whether all objects of a node's tree are there.
    pub(crate) fn probed(&mut self, node: usize, is_present: bool) {
        if self.nodes[node].presence == Presence::Probing {
            let presence = if is_present {
                Presence::Present
            } else {
                Presence::Absent
            };
            self.set_presence(node, presence);
            self.agenda.push(node);
        }
    }

    /// Takes the most urgent job of a class.
    pub(crate) fn next_job(&mut self, class: JobClass) -> Option<usize> {
        let queue = match class {
            JobClass::Process => &mut self.processes,
            JobClass::Fetch => &mut self.fetches,
            JobClass::Operation => &mut self.operations,
        };
        while let Some((_, Reverse(node))) = queue.pop() {
            if self.nodes[node].stage == Stage::Queued {
                self.nodes[node].stage = Stage::Running;
                return Some(node);
            }
        }
        None
    }

    /// A job ended with a tree, complete in the store.
    pub(crate) fn finished(&mut self, node: usize, action: ActionId, tree: TreeId, made: Made) {
        self.nodes[node].has_run |= made == Made::Here;
        if self.nodes[node].stage != Stage::Running {
            return;
        }
        if self.current_action(node).map(|(_, id)| id) != Some(action) {
            // An input was replaced while the job ran: its result stands under its own action.
            self.nodes[node].stage = Stage::Unresolved;
            self.nodes[node].action = None;
            self.agenda.push(node);
            return;
        }
        if self.nodes[node].tree.is_some_and(|claimed| claimed != tree) {
            self.forget_above(node);
        }
        self.become_known(node, tree, Presence::Present);
    }

    /// A job failed.
    pub(crate) fn failed(&mut self, node: usize) {
        self.nodes[node].stage = Stage::Failed;
        self.revisit_dependents(node);
    }

    /// A job was not done because the build ends early.
    pub(crate) fn abandoned(&mut self, node: usize) {
        self.nodes[node].stage = Stage::Skipped;
    }

    /// A job found objects of its inputs gone: those inputs are probed again, then it is retried.
    pub(crate) fn retry(&mut self, node: usize) {
        for input in self.graph.inputs(node) {
            self.set_presence(*input, Presence::Unknown);
            self.agenda.push(*input);
        }
        self.nodes[node].stage = Stage::MustRun;
        self.agenda.push(node);
    }

    /// The action of a node over the trees its inputs have.
    pub(crate) fn current_action(&self, node: usize) -> Option<(Action, ActionId)> {
        let trees = self.trees_of_all_inputs(node)?;
        let derivation = &self.plan.nodes()[node].derivation;
        let action = derivation.action(&trees).ok()?;
        Some((action, derivation.action_id(&trees)?))
    }

    /// The action id of a node over the trees its inputs have.
    fn current_action_id(&self, node: usize) -> Option<ActionId> {
        let trees = self.trees_of_all_inputs(node)?;
        self.plan.nodes()[node].derivation.action_id(&trees)
    }

    fn trees_of_all_inputs(&self, node: usize) -> Option<Vec<TreeId>> {
        let inputs = self.graph.inputs(node).iter();
        inputs.map(|input| self.nodes[*input].tree).collect()
    }

    /// Whether the ids of all inputs of a node are known.
    pub(crate) fn has_all_input_ids(&self, node: usize) -> bool {
        self.nodes[node].inputs_without_id == 0
    }

    /// The known trees of a node's inputs.
    pub(crate) fn input_trees(&self, node: usize) -> Vec<TreeId> {
        self.graph
            .inputs(node)
            .iter()
            .filter_map(|input| self.nodes[*input].tree)
            .collect()
    }

    /// The known trees of the inputs of a node's inputs.
    pub(crate) fn trees_below_inputs(&self, node: usize) -> Vec<TreeId> {
        let inputs = self.graph.inputs(node).iter();
        let below = inputs.flat_map(|input| self.graph.inputs(*input));
        below.filter_map(|below| self.nodes[*below].tree).collect()
    }

    /// The tree of a node, as far as it is known.
    pub(crate) fn tree(&self, node: usize) -> Option<TreeId> {
        self.nodes[node].tree
    }

    /// Whether the tree of a node is known to be complete in the store.
    pub(crate) fn is_present(&self, node: usize) -> bool {
        self.nodes[node].stage == Stage::Known && self.nodes[node].presence == Presence::Present
    }

    /// Whether something a node depends on directly ran, or depends on something that did;
    /// `above` holds the answers for all positions before it.
    pub(crate) fn stands_above_a_run(&self, node: usize, above: &[bool]) -> bool {
        self.graph
            .inputs(node)
            .iter()
            .any(|input| self.nodes[*input].has_run || above[*input])
    }

    /// Whether something a node depends on had run when the node became known.
    pub(crate) fn became_known_above_a_run(&self, node: usize) -> bool {
        self.nodes[node].is_above_a_run
    }

    /// What a node ended as.
    pub(crate) fn end(&self, node: usize) -> End {
        match self.nodes[node].stage {
            Stage::Known if self.nodes[node].has_run => End::Ran,
            Stage::Known => End::Known,
            Stage::Failed => End::Failed,
            Stage::Unresolved
            | Stage::LookingUp
            | Stage::MustRun
            | Stage::Queued
            | Stage::Running
            | Stage::Skipped => End::Skipped,
        }
    }

    fn visit(&mut self, node: usize) {
        let state = &self.nodes[node];
        match (state.stage, state.demand, state.presence) {
            (_, Demand::None, _) => {}
            (Stage::Unresolved, Demand::Id | Demand::Bytes, _) => self.visit_unresolved(node),
            (Stage::MustRun, ..) => self.visit_must_run(node),
            (Stage::Known, Demand::Bytes, Presence::Unknown) => {
                self.nodes[node].presence = Presence::Probing;
                self.to_probe.push(node);
            }
            (Stage::Known, Demand::Bytes, Presence::Absent) => {
                self.nodes[node].stage = Stage::MustRun;
                self.visit_must_run(node);
            }
            (
                Stage::Known | Stage::LookingUp | Stage::Queued | Stage::Running,
                Demand::Id | Demand::Bytes,
                _,
            )
            | (Stage::Failed | Stage::Skipped, ..) => {}
        }
    }

    fn visit_unresolved(&mut self, node: usize) {
        let derivation = &self.plan.nodes()[node].derivation;
        if derivation.kind() == Kind::Import
            && let Ok(Derivation::Import(import)) = derivation.decode()
        {
            // The tree is in the recipe: there is nothing to look up.
            let tree = import.tree;
            self.become_known(node, tree, Presence::Unknown);
            self.agenda.push(node);
            return;
        }
        if self.has_lost_input(node) {
            self.skip(node);
        } else if self.nodes[node].inputs_without_id > 0 {
            self.demand_inputs(node, Demand::Id);
        } else {
            self.nodes[node].action = self.current_action_id(node);
            self.nodes[node].stage = Stage::LookingUp;
            self.to_look_up.push(node);
        }
    }

    fn visit_must_run(&mut self, node: usize) {
        if self.has_lost_input(node) {
            self.skip(node);
        } else if self.nodes[node].inputs_without_bytes > 0 {
            self.demand_inputs(node, Demand::Bytes);
        } else {
            self.nodes[node].stage = Stage::Queued;
            let job = (self.urgency[node], Reverse(node));
            match self.class(node) {
                JobClass::Process => self.processes.push(job),
                JobClass::Fetch => self.fetches.push(job),
                JobClass::Operation => self.operations.push(job),
            }
        }
    }

    /// Which pool a node's job is for.
    pub(crate) fn class(&self, node: usize) -> JobClass {
        match self.plan.nodes()[node].derivation.kind() {
            Kind::Exec => JobClass::Process,
            Kind::Fetch => JobClass::Fetch,
            Kind::Import | Kind::Unpack | Kind::Compose | Kind::Archive | Kind::Image => {
                JobClass::Operation
            }
        }
    }

    fn demand_inputs(&mut self, node: usize, demand: Demand) {
        let graph = self.graph;
        graph
            .inputs(node)
            .iter()
            .for_each(|input| self.demand(*input, demand));
    }

    fn has_lost_input(&self, node: usize) -> bool {
        let is_lost =
            |input: &usize| matches!(self.nodes[*input].stage, Stage::Failed | Stage::Skipped);
        self.graph.inputs(node).iter().any(is_lost)
    }

    fn skip(&mut self, node: usize) {
        self.nodes[node].stage = Stage::Skipped;
        self.revisit_dependents(node);
    }

    fn revisit_dependents(&mut self, node: usize) {
        self.agenda.extend_from_slice(self.graph.dependents(node));
    }

    fn become_known(&mut self, node: usize, tree: TreeId, presence: Presence) {
        let is_new = self.nodes[node].tree.is_none();
        let has_run_below =
            |input: &usize| self.nodes[*input].has_run || self.nodes[*input].is_above_a_run;
        self.nodes[node].is_above_a_run = self.graph.inputs(node).iter().any(has_run_below);
        self.nodes[node].tree = Some(tree);
        self.nodes[node].stage = Stage::Known;
        self.set_presence(node, presence);
        if is_new {
            for dependent in self.graph.dependents(node) {
                let state = &mut self.nodes[*dependent];
                state.inputs_without_id -= 1;
                if state.inputs_without_id == 0 {
                    self.agenda.push(*dependent);
                }
            }
        }
    }

    fn set_presence(&mut self, node: usize, presence: Presence) {
        let before = std::mem::replace(&mut self.nodes[node].presence, presence);
        let (was, is) = (before == Presence::Present, presence == Presence::Present);
        if was == is {
            return;
        }
        for dependent in self.graph.dependents(node) {
            let state = &mut self.nodes[*dependent];
            if is {
                state.inputs_without_bytes -= 1;
                if state.inputs_without_bytes == 0 {
                    self.agenda.push(*dependent);
                }
            } else {
                state.inputs_without_bytes += 1;
                if state.stage == Stage::Queued {
                    state.stage = Stage::MustRun;
                    self.agenda.push(*dependent);
                }
            }
        }
    }

    /// Forgets what was concluded from a node's tree, because it is another one.
    fn forget_above(&mut self, node: usize) {
        let mut stack = self.graph.dependents(node).to_vec();
        while let Some(above) = stack.pop() {
            match self.nodes[above].stage {
                Stage::Unresolved | Stage::Running | Stage::Failed | Stage::Skipped => {}
                Stage::LookingUp | Stage::Known | Stage::MustRun | Stage::Queued => {
                    self.set_presence(above, Presence::Unknown);
                    self.nodes[above].stage = Stage::Unresolved;
                    self.nodes[above].action = None;
                    if self.nodes[above].tree.take().is_some() {
                        for dependent in self.graph.dependents(above) {
                            self.nodes[*dependent].inputs_without_id += 1;
                        }
                        stack.extend_from_slice(self.graph.dependents(above));
                    }
                    self.agenda.push(above);
                }
            }
        }
    }
}
