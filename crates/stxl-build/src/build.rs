//! A build from plan to summary: [`build`].

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

use crossbeam_channel::unbounded;
use stxl_fetch::Fetcher;
use stxl_model::{
    BlobHasher, Derivation, DerivationId, Digest, Kind, Label, Plan, PlanRoot, TreeId,
};
use stxl_store::{ScratchDirectory, Store, StoreError};

use crate::conduct::{Channels, Conducted, Conductor, Pools};
use crate::context::BuildContext;
use crate::event::{
    BuildEvent, BuildOutcome, BuiltOutput, CheckMismatch, EventSink, StepFailure, Summary,
};
use crate::failure::BuildError;
use crate::graph::{Graph, critical_paths};
use crate::history::{Remembered, remember_request, set_unfinished};
use crate::jobs::JobPool;
use crate::ledger;
use crate::options::{BuildOptions, Check, OutputPaths};
use crate::records::{self, Memos};
use crate::schedule::{Demand, End, Schedule};
use crate::status::resolve;
use crate::worker::{JobContext, work};

/// How many operations without a process run at once.
const OPERATIONS: usize = 2;

/// How many sources are fetched at once. They take no place of a step.
const FETCHES_MAX: usize = 4;

/// Builds the requested outputs of a plan; what succeeded is committed before this returns.
///
/// A failed step is part of the summary, not an error. An error means that the build could not go
/// on; finished results are on record nevertheless.
pub fn build(context: BuildContext<'_>, events: EventSink<'_>) -> Result<Summary, BuildError> {
    let summary = match nothing_to_do(context, events)? {
        Some(summary) => summary,
        None => build_missing(context, events)?,
    };
    events(BuildEvent::Summary(&summary));
    Ok(summary)
}

/// The summary of a build that was built before, when nothing was given up or removed since.
fn nothing_to_do(
    context: BuildContext<'_>,
    events: EventSink<'_>,
) -> Result<Option<Summary>, StoreError> {
    let BuildContext {
        store,
        launcher: _,
        plan,
        options,
    } = context;
    if options.check != Check::Off || options.cancel.is_cancelled() {
        return Ok(None);
    }
    let wanted = requested(plan);
    let trees = match store.answer(&request_key(&wanted))? {
        Some(trees) if trees.len() == wanted.len() => trees,
        Some(_) | None => return Ok(None),
    };
    let total = plan.count_of(Kind::Exec);
    events(BuildEvent::Started {
        total,
        pending: 0,
        jobs: options.jobs,
    });
    tell_doubts(store, plan, events)?;
    for node in plan.nodes() {
        if node.derivation.kind() == Kind::Exec {
            events(BuildEvent::Cached { node });
        }
    }
    let labels = wanted.into_iter().map(|(label, _)| label);
    let outputs = built_outputs(store, options, labels.zip(trees).collect())?;
    if remember_request(store, plan, options, &outputs)? == Remembered::Written {
        store.commit()?;
    }
    Ok(Some(Summary {
        outcome: BuildOutcome::Ok,
        ran: 0,
        cached: total,
        cut_off: 0,
        skipped: 0,
        total,
        failed: Vec::new(),
        mismatches: Vec::new(),
        check: None,
        outputs,
    }))
}

/// The key under which the answer to a request is kept: which derivations it asks for.
///
/// A derivation id stands for everything below it, so labels and nodes are not needed.
fn request_key(wanted: &[(Label, DerivationId)]) -> Digest {
    let mut hasher = BlobHasher::default();
    wanted
        .iter()
        .for_each(|(_, id)| hasher.update(id.digest().as_bytes()));
    *hasher.finish().digest()
}

fn build_missing(context: BuildContext<'_>, events: EventSink<'_>) -> Result<Summary, BuildError> {
    let (store, plan) = (context.store, context.plan);
    let since = store.moment()?;
    let graph = Graph::new(plan);
    let schedule = Schedule::new(plan, &graph);
    conduct(context, schedule, events, |conductor| {
        for (_, id) in requested(plan) {
            let node = plan
                .position(&id)
                .expect("the roots of a plan are its nodes");
            conductor.schedule.demand(node, Demand::Bytes);
        }
        conductor.read_failed()?;
        conductor.settle()?;
        conductor.weigh(&graph)?;
        tell_doubts(store, plan, conductor.events)?;
        let built = conductor.run().and_then(|()| check(conductor, &graph));
        // Whatever ended the build, what is finished stays.
        let committed = store.commit();
        built?;
        committed?;
        let summary = conclude(conductor, &graph)?;
        let wanted = requested(plan);
        if summary.outcome == BuildOutcome::Ok && summary.outputs.len() == wanted.len() {
            let trees: Vec<TreeId> = summary.outputs.iter().map(|output| output.tree).collect();
            store.set_answer(&request_key(&wanted), &trees, since)?;
        }
        Ok(summary)
    })
}

/// Tells what the ledger makes one doubt about the sources of the plan.
fn tell_doubts(store: &Store, plan: &Plan, events: EventSink<'_>) -> Result<(), StoreError> {
    if plan.count_of(Kind::Fetch) == 0 {
        return Ok(());
    }
    let ledger = store.ledger()?;
    for node in plan.nodes() {
        if node.derivation.kind() == Kind::Fetch
            && let Ok(Derivation::Fetch(recipe)) = node.derivation.decode()
        {
            for text in ledger::doubts(&ledger, &recipe, node) {
                let text = &text;
                events(BuildEvent::Warning { node, text });
            }
        }
    }
    Ok(())
}

/// What came of running steps again.
pub(crate) struct Again {
    pub(crate) compared: BTreeSet<DerivationId>,
    pub(crate) mismatches: Vec<CheckMismatch>,
    pub(crate) failures: Vec<StepFailure>,
}

/// Runs some nodes again whose trees are known, whatever they need being made as well.
pub(crate) fn conduct_again(
    context: BuildContext<'_>,
    graph: &Graph,
    nodes: &[usize],
    events: EventSink<'_>,
) -> Result<Again, BuildError> {
    let schedule = resolve(context.store, context.plan, graph)?;
    conduct(context, schedule, events, |conductor| {
        conductor.check_again(nodes);
        conductor.settle()?;
        conductor.weigh(graph)?;
        let ended = conductor.run();
        conductor.take_unexplained();
        let committed = context.store.commit();
        ended?;
        committed?;
        Ok(Again {
            compared: std::mem::take(&mut conductor.compared),
            mismatches: std::mem::take(&mut conductor.mismatches),
            failures: std::mem::take(&mut conductor.failures),
        })
    })
}

/// Starts the workers of a schedule and lets `lead` say what its conductor does.
fn conduct<T>(
    context: BuildContext<'_>,
    schedule: Schedule<'_>,
    events: EventSink<'_>,
    lead: impl FnOnce(&mut Conductor<'_, '_>) -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    let BuildContext {
        store,
        launcher,
        plan,
        options,
    } = context;
    let memos = Memos::read(store, plan)?;
    let pools = Pools {
        processes: options.jobs.max(1),
        fetches: plan.count_of(Kind::Fetch).min(FETCHES_MAX),
        operations: OPERATIONS,
    };
    let folder = clients_folder(store, plan)?;
    let path = folder.as_ref().map(|it| store.path().join(it.path()));
    let fetcher = Fetcher::new(options.network.clone(), path.unwrap_or_default());
    let last_commit = Mutex::new(Instant::now());
    let pool = JobPool::new(options.jobs_per_step);
    std::thread::scope(|scope| {
        let job = JobContext {
            store,
            launcher,
            plan,
            options,
            fetcher: &fetcher,
            last_commit: &last_commit,
            pool: &pool,
        };
        let _spreading = pool.until_dropped();
        scope.spawn(|| pool.broker());
        let channels = start_workers(scope, job, pools);
        let mut conductor = Conductor::new(Conducted {
            store,
            plan,
            options,
            schedule,
            memos,
            events,
            channels,
            pools,
            fetcher: &fetcher,
        });
        lead(&mut conductor)
    })
}

/// Where the clients of ecosystems and git may write, if the plan has a source for them.
fn clients_folder(store: &Store, plan: &Plan) -> Result<Option<ScratchDirectory>, StoreError> {
    let addresses = plan.nodes().iter().flat_map(|node| &node.origin.urls);
    let mut packages =
        addresses.filter(|address| address.starts_with("pkg:") || address.starts_with("git+"));
    packages.next().map(|_| store.scratch()).transpose()
}

/// Starts the workers; they end when the conductor and its channels are gone.
fn start_workers<'scope>(
    scope: &'scope Scope<'scope, '_>,
    context: JobContext<'scope>,
    pools: Pools,
) -> Channels {
    let (processes, process_jobs) = unbounded();
    let (fetches, fetch_jobs) = unbounded();
    let (operations, operation_jobs) = unbounded();
    let (tell, reports) = unbounded();
    let start = |jobs: &crossbeam_channel::Receiver<_>| -> ScopedJoinHandle<'scope, ()> {
        let (jobs, tell) = (jobs.clone(), tell.clone());
        scope.spawn(move || work(context, &jobs, &tell))
    };
    for _ in 0..pools.processes {
        drop(start(&process_jobs));
    }
    for _ in 0..pools.fetches {
        drop(start(&fetch_jobs));
    }
    for _ in 0..pools.operations {
        drop(start(&operation_jobs));
    }
    Channels {
        processes,
        fetches,
        operations,
        reports,
    }
}

/// Runs what is to be checked again, if everything was built.
fn check(conductor: &mut Conductor<'_, '_>, graph: &Graph) -> Result<(), BuildError> {
    let plan = conductor.plan;
    let packages: BTreeSet<_> = plan.roots().iter().map(|root| &root.label).collect();
    let is_checked = |position: usize| {
        let node = &plan.nodes()[position];
        node.derivation.kind() == Kind::Exec
            && match conductor.options.check {
                Check::Off => false,
                Check::RequestedPackages => packages.contains(&node.origin.label),
                Check::WholeClosure => true,
            }
    };
    let checked: Vec<usize> = (0..plan.nodes().len())
        .filter(|node| is_checked(*node))
        .collect();
    if checked.is_empty() || !conductor.failures.is_empty() || conductor.is_cancelled() {
        return Ok(());
    }
    conductor.check_elsewhere(&checked)?;
    conductor.settle()?;
    conductor.weigh(graph)?;
    conductor.run()
}

fn conclude(conductor: &mut Conductor<'_, '_>, graph: &Graph) -> Result<Summary, BuildError> {
    conductor.take_unexplained();
    let (plan, options) = (conductor.plan, conductor.options);
    let reachable = reachable(plan, graph);
    let mut above = vec![false; plan.nodes().len()];
    let (mut ran, mut cached, mut cut_off, mut skipped, mut failed) = (0, 0, 0, 0, 0);
    for (position, node) in plan.nodes().iter().enumerate() {
        above[position] = conductor.schedule.stands_above_a_run(position, &above);
        if node.derivation.kind() != Kind::Exec || !reachable[position] {
            continue;
        }
        match conductor.schedule.end(position) {
            End::Ran => ran += 1,
            End::Known if above[position] => cut_off += 1,
            End::Known => cached += 1,
            End::Failed => failed += 1,
            End::Skipped => {
                skipped += 1;
                (conductor.events)(BuildEvent::Skipped { node });
            }
        }
    }
    let mut outputs = Vec::new();
    for (label, id) in requested(plan) {
        let node = plan
            .position(&id)
            .expect("the roots of a plan are its nodes");
        if let (true, Some(tree)) = (
            conductor.schedule.is_present(node),
            conductor.schedule.tree(node),
        ) {
            outputs.push((label, tree));
        }
    }
    let outputs = built_outputs(conductor.store, options, outputs)?;
    let outcome = if conductor.is_cancelled() {
        BuildOutcome::Interrupted
    } else if !conductor.failures.is_empty() {
        BuildOutcome::Failed
    } else if !conductor.mismatches.is_empty() {
        BuildOutcome::CheckFailed
    } else {
        BuildOutcome::Ok
    };
    match outcome {
        BuildOutcome::Ok | BuildOutcome::CheckFailed => {
            remember_request(conductor.store, plan, options, &outputs)?;
            set_unfinished(conductor.store, plan, options, BTreeSet::new())?;
        }
        BuildOutcome::Failed | BuildOutcome::Interrupted => {
            let trees = trees_to_go_on_with(plan, &conductor.schedule);
            set_unfinished(conductor.store, plan, options, trees)?;
        }
    }
    conductor.store.commit()?;
    Ok(Summary {
        outcome,
        ran,
        cached,
        cut_off,
        skipped,
        total: ran + cached + cut_off + skipped + failed,
        failed: std::mem::take(&mut conductor.failures),
        mismatches: std::mem::take(&mut conductor.mismatches),
        check: (options.check != Check::Off).then(|| std::mem::take(&mut conductor.checks.report)),
        outputs,
    })
}

/// The requested outputs in the order of the request.
fn requested(plan: &Plan) -> Vec<(Label, DerivationId)> {
    fn of_root(root: &PlanRoot) -> impl Iterator<Item = (Label, DerivationId)> {
        root.outputs.iter().map(move |(output, id)| {
            let label = Label {
                package: root.label.clone(),
                output: output.clone(),
            };
            (label, *id)
        })
    }
    plan.roots().iter().flat_map(of_root).collect()
}

fn reachable(plan: &Plan, graph: &Graph) -> Vec<bool> {
    let mut reachable = vec![false; plan.nodes().len()];
    let mut stack: Vec<usize> = requested(plan)
        .iter()
        .filter_map(|(_, id)| plan.position(id))
        .collect();
    while let Some(node) = stack.pop() {
        if !std::mem::replace(&mut reachable[node], true) {
            stack.extend_from_slice(graph.inputs(node));
        }
    }
    reachable
}

/// The outputs with their paths, if such are wanted. A build that was called off tells none: it has
/// nothing to write any more.
fn built_outputs(
    store: &Store,
    options: &BuildOptions,
    outputs: Vec<(Label, TreeId)>,
) -> Result<Vec<BuiltOutput>, StoreError> {
    let is_checked_out = match options.outputs {
        OutputPaths::Omit => false,
        OutputPaths::CheckOutUpTo(_) if options.cancel.is_cancelled() => false,
        OutputPaths::CheckOutUpTo(most) => {
            let trees: Vec<TreeId> = outputs.iter().map(|(_, tree)| *tree).collect();
            store.size_of_trees(&trees, most)?.is_some()
        }
    };
    let built = outputs.into_iter().map(|(label, tree)| {
        let path = if is_checked_out {
            Some(store.checkout(&tree)?.path().to_owned())
        } else {
            None
        };
        Ok(BuiltOutput { label, tree, path })
    });
    built.collect()
}

/// What a build that did not finish has made and the next one goes on with: known inputs of what is
/// not, and what was asked for.
fn trees_to_go_on_with(plan: &Plan, schedule: &Schedule<'_>) -> BTreeSet<TreeId> {
    let here = |node: usize| {
        let tree = schedule.tree(node)?;
        schedule.is_present(node).then_some(tree)
    };
    let mut kept: BTreeSet<TreeId> = BTreeSet::new();
    for (position, node) in plan.nodes().iter().enumerate() {
        if here(position).is_none() {
            let inputs = node.derivation.inputs().iter();
            kept.extend(inputs.filter_map(|input| here(plan.position(input)?)));
        }
    }
    let asked = requested(plan);
    kept.extend(asked.iter().filter_map(|(_, id)| here(plan.position(id)?)));
    kept
}

impl Conductor<'_, '_> {
    /// Weighs the steps that are not known yet by what they took when they ran last, and says how
    /// many there are.
    fn weigh(&mut self, graph: &Graph) -> Result<(), StoreError> {
        let is_pending = |position: usize| {
            self.schedule.is_pending(position) || self.checks.is_waiting(position)
        };
        let durations = records::durations(self.store, self.plan, is_pending)?;
        let total = self.plan.count_of(Kind::Exec);
        let execs = self.plan.nodes().iter().enumerate();
        let pending = execs
            .filter(|(position, node)| {
                node.derivation.kind() == Kind::Exec && is_pending(*position)
            })
            .count();
        self.schedule
            .set_urgency(critical_paths(self.plan, graph, &durations));
        self.durations = durations;
        (self.events)(BuildEvent::Started {
            total,
            pending,
            jobs: self.pools.processes,
        });
        self.tell_early();
        Ok(())
    }
}
