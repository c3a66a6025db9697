//! Steps run once more, observed: which of the inputs of a package they look at.
//!
//! What comes of it is compared with the tree that counts and never recorded.

mod origin;

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use stxl_model::{DerivationId, Exec, Kind, Node, PlanNode, RootPath, TreeId};
use stxl_sandbox::{Observation, Outcome, Running, WaitError};
use stxl_store::{SealError, StoreError};

use crate::check::mismatch;
use crate::context::BuildContext;
use crate::event::{CheckMismatch, EventSink, StepFailure};
use crate::exec::{self, PreparedStep, Verdict};
use crate::failure::{BuildError, FailureCause};
use crate::graph::Graph;
use crate::options::CancelHandle;
use crate::records;
use crate::report::JobLog;
use crate::schedule::Schedule;
use crate::status::resolve;
use crate::step::{PreparedExec, prepare_exec};

use origin::Origins;

/// How often somebody looks whether a run is to be called off.
const TICK: Duration = Duration::from_millis(50);

/// A package, as far as it matters what its steps look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedPackage {
    /// The derivations of its outputs.
    pub outputs: BTreeSet<DerivationId>,
    /// The execs it is made of.
    pub steps: BTreeSet<DerivationId>,
    /// The derivations of what it needs.
    pub needs: BTreeSet<DerivationId>,
}

/// What came of observing a package.
#[derive(Debug, Default)]
pub struct Observed {
    /// The inputs that are in the root of a step: of what is needed, and sources and files.
    pub held: BTreeSet<DerivationId>,
    /// Those of which something was looked at, or is in an output as it is.
    pub read: BTreeSet<DerivationId>,
    /// The steps of which not everything is known that was looked at.
    pub incomplete: Vec<PlanNode>,
    /// Steps that gave another tree than the one on record.
    pub mismatches: Vec<CheckMismatch>,
    /// Steps that failed.
    pub failed: Vec<StepFailure>,
    /// Whether it was called off.
    pub is_interrupted: bool,
}

/// Runs the steps of a package once more, one after the other, and finds out which of its inputs
/// they look at. The plan has to be built.
pub fn observe(
    context: BuildContext<'_>,
    package: &ObservedPackage,
    events: EventSink<'_>,
) -> Result<Observed, BuildError> {
    let mut observed = Observed::default();
    let mut looks = Vec::new();
    for id in &package.steps {
        if context.options.cancel.is_cancelled() {
            observed.is_interrupted = true;
            return Ok(observed);
        }
        match prepare_exec(context, id, events)? {
            PreparedExec::Ready(step, prepared) => {
                let paths = run(context, id, (&step, *prepared), &mut observed)?;
                looks.push((id, step.root, paths));
            }
            PreparedExec::NotBuilt(summary) => observed.failed.extend(summary.failed),
        }
    }
    // Asked for once all roots are there, since records of them may have been made just now.
    let graph = Graph::new(context.plan);
    let schedule = resolve(context.store, context.plan, &graph)?;
    let mut origins = Origins::new(context, &schedule, &package.needs);
    let mut find = || -> Result<(), StoreError> {
        for (id, root, paths) in &looks {
            let Some(position) = origins.root_of(id) else {
                continue;
            };
            origins.hold(position);
            for path in paths {
                if is_entry(context, root, path)? {
                    origins.trace(position, path.clone())?;
                }
            }
        }
        package
            .outputs
            .iter()
            .try_for_each(|output| origins.trace_all(output))
    };
    let is_there = match find() {
        Ok(()) => true,
        // What an input was is not in the store any more: nothing can be told of it.
        Err(StoreError::MissingTree { .. } | StoreError::MissingBlob { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    if !(is_there && origins.is_complete()) {
        let steps = package.steps.iter();
        let nodes = steps.filter_map(|id| context.plan.node(id));
        observed.incomplete.extend(nodes.cloned());
    }
    observed.held = origins.held;
    observed.read = origins.read;
    Ok(observed)
}

/// Whether something that is no directory is at a path of a root.
fn is_entry(context: BuildContext<'_>, root: &TreeId, path: &RootPath) -> Result<bool, StoreError> {
    Ok(match context.store.find(root, path)? {
        Some(Node::File { .. } | Node::Symlink { .. }) => true,
        Some(Node::Directory { .. }) | None => false,
    })
}

/// Runs a step observed, and returns what it looked at; what else is to be said is noted.
fn run(
    context: BuildContext<'_>,
    id: &DerivationId,
    (step, mut prepared): (&Exec<TreeId>, PreparedStep),
    observed: &mut Observed,
) -> Result<Vec<RootPath>, BuildError> {
    let Some(node) = context.plan.node(id) else {
        return Ok(Vec::new());
    };
    let label = || node.origin.label.clone();
    prepared.spec.is_observed = true;
    let running = context.launcher.spawn(&prepared.spec);
    let running = running.map_err(|source| BuildError::Sandbox {
        label: label(),
        source,
    })?;
    let outcome = wait(running, &context.options.cancel);
    let outcome = outcome.map_err(|source| BuildError::SandboxLost {
        label: label(),
        source,
    })?;
    match exec::judge(&outcome, step, &prepared.spec) {
        None => compare(context, node, (step, &prepared, &outcome), observed)?,
        Some(Verdict::Cancelled) => observed.is_interrupted = true,
        Some(Verdict::Failed(cause)) => {
            let failure = failure(context, node, &prepared, cause)?;
            observed.failed.push(failure);
        }
    }
    let Observation { paths, is_complete } = outcome.observation.unwrap_or_default();
    if !is_complete {
        observed.incomplete.push(node.clone());
    }
    // What is no path of a root is in none.
    let paths = paths.iter();
    Ok(paths
        .filter_map(|path| RootPath::parse(path.as_os_str().as_bytes()).ok())
        .collect())
}

/// Waits for the end of a run, which is killed if it is called off.
fn wait(running: Running, cancel: &CancelHandle) -> Result<Outcome, WaitError> {
    let kill = running.kill_handle();
    let (ended, end) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                if cancel.is_cancelled() {
                    kill.kill();
                }
            }
        });
        let outcome = running.wait();
        drop(ended);
        outcome
    })
}

/// Compares what a step left with the tree that counts.
fn compare(
    context: BuildContext<'_>,
    node: &PlanNode,
    (step, prepared, outcome): (&Exec<TreeId>, &PreparedStep, &Outcome),
    observed: &mut Observed,
) -> Result<(), BuildError> {
    let store = context.store;
    let cancelled = context.options.cancel.flag();
    let bounds = exec::seal_bounds(&prepared.spec, &cancelled);
    let sealed = store.seal(outcome.upper.as_fd(), &step.root, &step.keep, bounds);
    let second = match sealed {
        Ok(sealed) => sealed.tree,
        Err(SealError::Store(StoreError::Cancelled)) => {
            observed.is_interrupted = true;
            return Ok(());
        }
        Err(SealError::Store(error)) => return Err(error.into()),
        Err(error) => {
            let message = error.to_string();
            let cause = FailureCause::NotKept { message };
            observed
                .failed
                .push(failure(context, node, prepared, cause)?);
            return Ok(());
        }
    };
    let action = node.derivation.action_id(&[step.root]);
    let first = action.map(|action| store.chosen(&action)).transpose()?;
    // Without a record there is nothing to be like.
    let first = first.flatten().map_or(second, |chosen| chosen.tree);
    if first != second {
        let mismatch = mismatch(store, node, (first, second), &BTreeSet::new())?;
        observed.mismatches.push(mismatch);
    }
    Ok(())
}

fn failure(
    context: BuildContext<'_>,
    node: &PlanNode,
    prepared: &PreparedStep,
    cause: FailureCause,
) -> Result<StepFailure, StoreError> {
    let (blob, size_bytes) = context.store.put_blob_from(&*prepared.log)?;
    let log = JobLog {
        blob,
        size_bytes,
        tail: exec::read_tail(&prepared.log, size_bytes).unwrap_or_default(),
        left: None,
    };
    Ok(records::failure_elsewhere(
        context.store,
        node,
        cause,
        Some(log),
    ))
}

/// The execs among derivations.
pub fn execs_of<'a>(
    plan: &stxl_model::Plan,
    ids: impl IntoIterator<Item = &'a DerivationId>,
) -> BTreeSet<DerivationId> {
    let is_exec = |id: &&DerivationId| {
        let node = plan.node(id);
        node.is_some_and(|node| node.derivation.kind() == Kind::Exec)
    };
    ids.into_iter().filter(is_exec).copied().collect()
}
