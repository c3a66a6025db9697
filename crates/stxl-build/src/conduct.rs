//! The thread that conducts a build: it owns the schedule, hands jobs to workers, asks the records
//! and tells what happens. It never waits for a disk on behalf of one step while another could go
//! on, except for look-ups in the index.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use stxl_fetch::Fetcher;
use stxl_model::{Action, ActionId, DerivationId, Kind, Plan, PlanNode, TreeId};
use stxl_sandbox::KillHandle;
use stxl_store::{Store, StoreError};

use crate::check::Checks;
use crate::event::{BuildEvent, CheckMismatch, EventSink, StepFailure};
use crate::failure::{BuildError, FailureCause};
use crate::options::{BuildOptions, OnFailure};
use crate::perturbation::Perturbation;
use crate::records::{self, Memos};
use crate::report::{Built, JobEnd, JobLog, Made, Report};
use crate::schedule::{JobClass, Question, Schedule};
use crate::worker::RecordUse;

/// How often logs that grow are read and the cancel flag is looked at.
const TICK: Duration = Duration::from_millis(50);

/// How often a step is repeated because objects it needs are gone.
const RETRIES_MAX: u32 = 3;

/// How much of a log is read at a time.
const LOG_PIECE_BYTES: usize = 64 * 1024;

/// A job as a worker gets it.
#[derive(Debug)]
pub(crate) struct Job {
    /// The position of its node.
    pub node: usize,
    /// Its recipe over trees.
    pub action: Action,
    /// The key of the result.
    pub id: ActionId,
    /// For an exec, trees that its root was merged of: they may be checked out already.
    pub hints: Vec<TreeId>,
    /// Whether a result on record ends the job.
    pub records: RecordUse,
    /// For an exec, what is to be another in its world.
    pub perturbed: BTreeSet<Perturbation>,
}

/// The channels between the conductor and its workers.
#[derive(Debug)]
pub(crate) struct Channels {
    /// Jobs that run processes.
    pub processes: Sender<Job>,
    /// Jobs that have sources from outside.
    pub fetches: Sender<Job>,
    /// Jobs that do not.
    pub operations: Sender<Job>,
    /// What workers tell.
    pub reports: Receiver<Report>,
}

/// How many jobs of each class run at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pools {
    /// Jobs that run processes.
    pub processes: usize,
    /// Jobs that have sources from outside.
    pub fetches: usize,
    /// Jobs that do not.
    pub operations: usize,
}

/// The state of a build that runs.
pub(crate) struct Conductor<'a, 'e> {
    pub(crate) store: &'a Store,
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a BuildOptions,
    pub(crate) schedule: Schedule<'a>,
    pub(crate) durations: Vec<Option<u64>>,
    pub(crate) memos: Memos,
    pub(crate) events: EventSink<'e>,
    pub(crate) failures: Vec<StepFailure>,
    pub(crate) mismatches: Vec<CheckMismatch>,
    pub(crate) channels: Channels,
    pub(crate) pools: Pools,
    fetcher: &'a Fetcher,
    in_flight: Pools,
    running: BTreeMap<usize, RunningStep>,
    retries: BTreeMap<usize, u32>,
    pub(crate) compared: BTreeSet<DerivationId>,
    pub(crate) checks: Checks,
    /// When steps ended that were executed since this began.
    pub(crate) ended: BTreeMap<usize, Instant>,
    phase: Phase,
    broken: Option<BuildError>,
    /// Nodes that were known before the beginning was told.
    early: Option<Vec<usize>>,
    /// The names of the roots of the store that keep something of failures.
    failed: BTreeSet<String>,
}

/// What a conductor is made of.
pub(crate) struct Conducted<'a, 'e> {
    pub(crate) store: &'a Store,
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a BuildOptions,
    pub(crate) schedule: Schedule<'a>,
    pub(crate) memos: Memos,
    pub(crate) events: EventSink<'e>,
    pub(crate) channels: Channels,
    pub(crate) pools: Pools,
    pub(crate) fetcher: &'a Fetcher,
}

/// Whether jobs are still started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// They are.
    Building,
    /// What runs is finished, nothing is started.
    Stopping,
    /// What the plan in its place has as well is finished, all else is killed.
    Superseded,
    /// What runs is killed.
    Cancelling,
}

struct RunningStep {
    kill: KillHandle,
    log: Arc<File>,
    told: u64,
}

impl<'a, 'e> Conductor<'a, 'e> {
    pub(crate) fn new(parts: Conducted<'a, 'e>) -> Self {
        let Conducted {
            store,
            plan,
            options,
            schedule,
            memos,
            events,
            channels,
            pools,
            fetcher,
        } = parts;
        Self {
            store,
            plan,
            options,
            schedule,
            durations: Vec::new(),
            memos,
            events,
            failures: Vec::new(),
            mismatches: Vec::new(),
            compared: BTreeSet::new(),
            checks: Checks::default(),
            ended: BTreeMap::new(),
            channels,
            pools,
            fetcher,
            in_flight: Pools {
                processes: 0,
                fetches: 0,
                operations: 0,
            },
            running: BTreeMap::new(),
            retries: BTreeMap::new(),
            phase: Phase::Building,
            broken: None,
            early: Some(Vec::new()),
            failed: BTreeSet::new(),
        }
    }

    /// Whether somebody ended the build.
    pub(crate) fn is_cancelled(&self) -> bool {
        match self.phase {
            Phase::Building | Phase::Stopping => false,
            Phase::Superseded | Phase::Cancelling => true,
        }
    }

    /// Finds out of which steps something of earlier failures is kept.
    pub(crate) fn read_failed(&mut self) -> Result<(), StoreError> {
        let names = self.store.roots()?.named.into_keys();
        self.failed = names.filter(|name| name.starts_with("failed ")).collect();
        Ok(())
    }

    /// Conducts until nothing runs and nothing can be started.
    pub(crate) fn run(&mut self) -> Result<(), BuildError> {
        loop {
            self.look_for_cancel();
            if self.phase == Phase::Building {
                self.release_due();
            } else {
                self.checks.stop_waiting();
            }
            if let Err(error) = self.settle() {
                self.break_off(error.into());
            }
            self.start_jobs();
            let Pools {
                processes,
                fetches,
                operations,
            } = self.in_flight;
            if processes + fetches + operations == 0 {
                if !self.checks.are_waiting() {
                    break;
                }
                self.tell_wait();
            }
            match self.channels.reports.recv_timeout(TICK) {
                Ok(report) => {
                    self.take(report);
                    // What is there already is taken before the records are asked again, so that
                    // look-ups come in batches.
                    while let Ok(report) = self.channels.reports.try_recv() {
                        self.take(report);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.tell_logs(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match self.broken.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Answers the schedule's questions until it has none.
    pub(crate) fn settle(&mut self) -> Result<(), StoreError> {
        while let Some(question) = self.schedule.settle() {
            match question {
                Question::LookUp(batch) => self.answer_look_up(&batch)?,
                Question::Probe(batch) => self.answer_probe(&batch)?,
            }
        }
        Ok(())
    }

    fn answer_look_up(&mut self, batch: &[(usize, ActionId)]) -> Result<(), StoreError> {
        for (node, action) in batch {
            let tree = self.memos.chosen(self.store, *node, action)?;
            self.schedule.looked_up(*node, tree);
            if let Some(tree) = tree {
                let id = &self.plan.nodes()[*node].id;
                self.memos
                    .remember(self.store, (*node, id), (*action, tree))?;
                self.tell_known(*node);
            }
        }
        Ok(())
    }

    fn answer_probe(&mut self, batch: &[(usize, TreeId)]) -> Result<(), StoreError> {
        for (node, tree) in batch {
            let is_present = self.store.has_tree_complete(tree)?;
            self.schedule.probed(*node, is_present);
            let node = self.node(*node);
            if !is_present && node.derivation.kind() != Kind::Import {
                (self.events)(BuildEvent::Lost { node, tree: *tree });
            }
        }
        Ok(())
    }

    /// Tells what was known before the beginning was told.
    pub(crate) fn tell_early(&mut self) {
        let early = self.early.take().unwrap_or_default();
        early.into_iter().for_each(|node| self.tell_known(node));
    }

    fn tell_known(&mut self, node: usize) {
        if let Some(early) = &mut self.early {
            early.push(node);
            return;
        }
        let is_above_a_run = self.schedule.became_known_above_a_run(node);
        let node = self.node(node);
        if node.derivation.kind() != Kind::Exec {
            return;
        }
        (self.events)(if is_above_a_run {
            BuildEvent::CutOff { node }
        } else {
            BuildEvent::Cached { node }
        });
    }

    fn start_jobs(&mut self) {
        if self.phase != Phase::Building {
            return;
        }
        while self.in_flight.operations < self.pools.operations {
            let Some(node) = self.schedule.next_job(JobClass::Operation) else {
                break;
            };
            self.in_flight.operations += 1;
            self.start(node, JobClass::Operation);
        }
        while self.in_flight.fetches < self.pools.fetches {
            let Some(node) = self.schedule.next_job(JobClass::Fetch) else {
                break;
            };
            self.in_flight.fetches += 1;
            self.start(node, JobClass::Fetch);
        }
        while self.in_flight.processes < self.pools.processes {
            let Some(node) = self.schedule.next_job(JobClass::Process) else {
                break;
            };
            self.in_flight.processes += 1;
            self.start(node, JobClass::Process);
        }
    }

    fn start(&mut self, node: usize, class: JobClass) {
        let (action, id) = self
            .schedule
            .current_action(node)
            .expect("a job's inputs are all known");
        let expected_ms = self.durations.get(node).copied().flatten();
        let started = BuildEvent::StepStarted {
            node: self.node(node),
            expected_ms,
        };
        (self.events)(started);
        let hints = match class {
            JobClass::Process => self.schedule.trees_below_inputs(node),
            JobClass::Fetch | JobClass::Operation => Vec::new(),
        };
        let (records, perturbed) = match self.checks.of_step(node) {
            Some(perturbed) => (RecordUse::Repeat, perturbed.clone()),
            None => (RecordUse::Trust, BTreeSet::new()),
        };
        let job = Job {
            node,
            action,
            id,
            hints,
            records,
            perturbed,
        };
        let sender = match class {
            JobClass::Process => &self.channels.processes,
            JobClass::Fetch => &self.channels.fetches,
            JobClass::Operation => &self.channels.operations,
        };
        sender
            .send(job)
            .expect("workers live as long as the conductor");
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Waiting { node } => {
                let node = self.node(node);
                (self.events)(BuildEvent::Waiting { node });
            }
            Report::Materialising { node } => {
                let node = self.node(node);
                (self.events)(BuildEvent::Materialising { node });
            }
            Report::Fetching { node, progress } => {
                let node = self.node(node);
                (self.events)(BuildEvent::Fetching {
                    node,
                    bytes: progress.bytes,
                    total: progress.total,
                });
            }
            Report::Running { node, kill, log } => {
                let is_of_use = match self.phase {
                    Phase::Building | Phase::Stopping => true,
                    Phase::Superseded => !self.options.superseded.drops(&self.node(node).id),
                    Phase::Cancelling => false,
                };
                if !is_of_use {
                    kill.kill();
                }
                self.running
                    .insert(node, RunningStep { kill, log, told: 0 });
            }
            Report::Ended { node, action, end } => self.take_end(node, action, *end),
        }
    }

    fn take_end(&mut self, node: usize, action: ActionId, end: JobEnd) {
        match self.schedule.class(node) {
            JobClass::Process => self.in_flight.processes -= 1,
            JobClass::Fetch => self.in_flight.fetches -= 1,
            JobClass::Operation => self.in_flight.operations -= 1,
        }
        self.tell_log(node);
        self.running.remove(&node);
        match end {
            JobEnd::Built(built) => self.take_built(node, action, &built),
            JobEnd::Failed { cause, log } => self.take_failure(node, cause, log),
            JobEnd::Missing(source) => {
                let retries = self.retries.entry(node).or_default();
                *retries += 1;
                if *retries > RETRIES_MAX {
                    let label = self.node(node).origin.label.clone();
                    self.schedule.failed(node);
                    self.break_off(BuildError::StillMissing { label, source });
                } else {
                    self.schedule.retry(node);
                }
            }
            JobEnd::Cancelled => self.schedule.abandoned(node),
            // The plan in its place is of what is there now.
            JobEnd::Broken(BuildError::ChangedWhileBuilding { .. })
                if self.options.superseded.is_superseded() =>
            {
                self.schedule.abandoned(node);
            }
            JobEnd::Broken(error) => {
                self.schedule.failed(node);
                self.break_off(error);
            }
        }
    }

    fn take_built(&mut self, node: usize, action: ActionId, built: &Built) {
        let Built {
            tree,
            made,
            duration_ms,
            cpu_ms,
            warnings,
            perturbed,
        } = built;
        if self.checks.of_step(node).is_some() {
            self.take_checked(node, *tree, perturbed);
            return;
        }
        self.ended.insert(node, Instant::now());
        self.schedule.finished(node, action, *tree, *made);
        let step = self.node(node);
        if let Err(error) = self
            .memos
            .remember(self.store, (node, &step.id), (action, *tree))
        {
            self.break_off(error.into());
        }
        for text in warnings {
            (self.events)(BuildEvent::Warning { node: step, text });
        }
        match made {
            Made::Here => {
                // What is kept of an earlier failure of the step has served its purpose.
                let log = records::failed_log_root(step);
                let served = self.failed.iter();
                let served =
                    served.filter(|name| **name == log || records::is_failed_root(name, step));
                for name in served {
                    self.store.set_root(name, None);
                }
                (self.events)(BuildEvent::StepFinished {
                    node: step,
                    tree: *tree,
                    duration_ms: *duration_ms,
                    cpu_ms: *cpu_ms,
                });
            }
            Made::Elsewhere => self.tell_known(node),
        }
    }

    fn take_failure(&mut self, node: usize, cause: FailureCause, log: Option<JobLog>) {
        let Some((cause, log)) = self.take_failure_elsewhere(node, (cause, log)) else {
            return;
        };
        self.schedule.failed(node);
        let step = self.node(node);
        let failure = records::failure(self.store, step, cause, log, (self.plan, self.options));
        (self.events)(BuildEvent::StepFailed { failure: &failure });
        self.failures.push(failure);
        if self.options.on_failure == OnFailure::Stop && self.phase == Phase::Building {
            self.phase = Phase::Stopping;
        }
    }

    /// Remembers the first error that ends the build, and kills what runs.
    pub(crate) fn break_off(&mut self, error: BuildError) {
        self.broken.get_or_insert(error);
        self.end_running();
    }

    fn end_running(&mut self) {
        self.phase = Phase::Cancelling;
        self.fetcher.stop();
        self.running.values().for_each(|step| step.kill.kill());
    }

    fn look_for_cancel(&mut self) {
        if self.options.cancel.is_cancelled() && self.phase != Phase::Cancelling {
            (self.events)(BuildEvent::Cancelling);
            self.end_running();
        }
        let superseded = &self.options.superseded;
        if superseded.is_superseded() && !self.is_cancelled() {
            self.phase = Phase::Superseded;
            (self.events)(BuildEvent::Superseded);
            for (node, step) in &self.running {
                if superseded.drops(&self.plan.nodes()[*node].id) {
                    step.kill.kill();
                }
            }
        }
    }

    fn tell_logs(&mut self) {
        let nodes: Vec<usize> = self.running.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.tell_log(node));
    }

    /// Hands over what a running step wrote since it was looked at last.
    fn tell_log(&mut self, node: usize) {
        let step = self.node(node);
        let Some(running) = self.running.get_mut(&node) else {
            return;
        };
        let mut piece = vec![0; LOG_PIECE_BYTES];
        // A log that cannot be read is missing on the screen only; the worker keeps the whole.
        while let Ok(size @ 1..) = running.log.read_at(&mut piece, running.told) {
            running.told += size as u64;
            (self.events)(BuildEvent::Log {
                node: step,
                bytes: &piece[..size],
            });
        }
    }

    pub(crate) fn node(&self, node: usize) -> &'a PlanNode {
        &self.plan.nodes()[node]
    }
}
