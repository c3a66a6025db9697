//! What a worker does with a job: takes the action's lock, does the work, records the result.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use stxl_fetch::Fetcher;
use stxl_model::{Action, ActionId, Plan, PlanNode, RealisationScope, TreeId};
use stxl_sandbox::Launcher;
use stxl_store::{ActionLock, Recorded, Store, StoreError};

use crate::conduct::Job;
use crate::failure::{BuildError, FailureCause};
use crate::jobs::JobPool;
use crate::options::BuildOptions;
use crate::perturbation::Perturbation;
use crate::records::Execution;
use crate::report::{Built, JobEnd, Made, Report};
use crate::{archive, compose, exec, fetch, import, unpack};

/// How often a worker looks whether another process gave an action free.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// How much finished work a loss of power can cost.
const COMMIT_INTERVAL: Duration = Duration::from_mins(1);

/// What workers need to act.
#[derive(Clone, Copy)]
pub(crate) struct JobContext<'a> {
    pub(crate) store: &'a Store,
    pub(crate) launcher: &'a Launcher,
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a BuildOptions,
    pub(crate) fetcher: &'a Fetcher,
    /// When finished results were last made to survive a loss of power.
    pub(crate) last_commit: &'a Mutex<Instant>,
    /// The jobs that steps share.
    pub(crate) pool: &'a JobPool,
}

/// Whether a result on record ends a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordUse {
    /// It does.
    Trust,
    /// It is made again and recorded beside.
    Repeat,
}

/// A job's way out that is not a tree; made of every error on the way.
pub(crate) type Ended<T> = Result<T, Box<JobEnd>>;

/// Works on jobs until there are no more.
pub(crate) fn work(context: JobContext<'_>, jobs: &Receiver<Job>, reports: &Sender<Report>) {
    for job in jobs {
        let node = job.node;
        let action = job.id;
        // Without this a mistake of ours would leave the conductor waiting for ever.
        let performed = catch_unwind(AssertUnwindSafe(|| perform(context, &job, reports)));
        let end = match performed {
            Ok(Ok(built)) => Box::new(JobEnd::Built(built)),
            Ok(Err(end)) => end,
            Err(_) => {
                let label = context.plan.nodes()[node].origin.label.clone();
                Box::new(JobEnd::Broken(BuildError::WorkerPanicked { label }))
            }
        };
        if reports.send(Report::Ended { node, action, end }).is_err() {
            return;
        }
    }
}

fn perform(context: JobContext<'_>, job: &Job, reports: &Sender<Report>) -> Ended<Built> {
    let node = &context.plan.nodes()[job.node];
    if context.options.cancel.is_cancelled() {
        return Err(Box::new(JobEnd::Cancelled));
    }
    // An import's result is in its key, and compositions are cheaper than a lock.
    let _lock = match &job.action {
        Action::Exec(_) | Action::Fetch(_) => Some(take_lock(context, job, reports)?),
        Action::Import(_)
        | Action::Unpack(_)
        | Action::Compose(_)
        | Action::Archive(_)
        | Action::Image(_) => None,
    };
    if job.records == RecordUse::Trust
        && let Some(tree) = found_on_record(context.store, &job.id, node)?
    {
        return Ok(Built {
            tree,
            made: Made::Elsewhere,
            duration_ms: 0,
            cpu_ms: None,
            warnings: Vec::new(),
            perturbed: BTreeSet::new(),
        });
    }
    let begin = Instant::now();
    let made = make(context, job, node, reports)?;
    let duration_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    // What comes of another world than the ABI's is no result.
    if !made.perturbed.iter().any(|it| it.is_fixed_by_abi()) {
        record(context, job, node, &made, duration_ms).map_err(|source| store_end(node, source))?;
    }
    Ok(Built {
        tree: made.tree,
        made: Made::Here,
        duration_ms,
        cpu_ms: made.cpu_ms,
        warnings: made.warnings,
        perturbed: made.perturbed,
    })
}

/// A tree and what belongs to its record.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) tree: TreeId,
    pub(crate) log: Option<stxl_model::BlobId>,
    /// Processor time of its processes, in milliseconds; none if it had none.
    pub(crate) cpu_ms: Option<u64>,
    pub(crate) warnings: Vec<String>,
    /// What was another in its world.
    pub(crate) perturbed: BTreeSet<Perturbation>,
}

impl Product {
    /// A product of no process.
    pub(crate) fn of_tree(tree: TreeId) -> Self {
        Self {
            tree,
            log: None,
            cpu_ms: None,
            warnings: Vec::new(),
            perturbed: BTreeSet::new(),
        }
    }
}

fn make(
    context: JobContext<'_>,
    job: &Job,
    node: &PlanNode,
    reports: &Sender<Report>,
) -> Ended<Product> {
    match &job.action {
        Action::Exec(step) => exec::run(context, job, step, reports),
        Action::Compose(recipe) => compose::compose(
            context.store,
            recipe,
            &compose::input_names(context.plan, node),
        )
        .map(Product::of_tree)
        .map_err(|error| match error {
            compose::ComposeStop::Failed(error) => failed(FailureCause::Compose(*error)),
            compose::ComposeStop::Store(source) => store_end(node, source),
        }),
        Action::Import(recipe) => import::import(context.store, context.options, recipe, node)
            .map(Product::of_tree)
            .map_err(|error| match error {
                BuildError::Records(StoreError::Cancelled) => Box::new(JobEnd::Cancelled),
                error => Box::new(JobEnd::Broken(error)),
            }),
        Action::Fetch(recipe) => fetch::fetch(context, recipe, job.node, reports),
        Action::Unpack(recipe) => {
            unpack::unpack(context.store, &context.options.cancel, recipe, node)
        }
        Action::Archive(recipe) => archive::archive(context.store, recipe, node),
        Action::Image(_) => Err(failed(FailureCause::Unsupported {
            what: "this version does not write OCI images: ask for the tree below the image"
                .to_owned(),
        })),
    }
}

fn take_lock(context: JobContext<'_>, job: &Job, reports: &Sender<Report>) -> Ended<ActionLock> {
    let node = &context.plan.nodes()[job.node];
    let mut has_told = false;
    loop {
        let lock = context.store.try_lock_action(&job.id);
        if let Some(lock) = lock.map_err(|source| store_end(node, source))? {
            return Ok(lock);
        }
        let options = context.options;
        // Who waits for a step has not begun with it.
        if options.cancel.is_cancelled() || options.superseded.is_superseded() {
            return Err(Box::new(JobEnd::Cancelled));
        }
        if !has_told {
            has_told = true;
            // A conductor that is gone needs no news.
            reports.send(Report::Waiting { node: job.node }).ok();
        }
        std::thread::sleep(LOCK_POLL);
    }
}

/// The tree another process put on record since this one asked, if all of it is there.
fn found_on_record(store: &Store, action: &ActionId, node: &PlanNode) -> Ended<Option<TreeId>> {
    let find = || {
        let Some(realisation) = store.chosen(action)? else {
            return Ok(None);
        };
        let is_complete = store.has_tree_complete(&realisation.tree)?;
        Ok(is_complete.then_some(realisation.tree))
    };
    find().map_err(|source| store_end(node, source))
}

fn record(
    context: JobContext<'_>,
    job: &Job,
    node: &PlanNode,
    made: &Product,
    duration_ms: u64,
) -> Result<(), StoreError> {
    if matches!(job.action, Action::Import(_)) {
        return Ok(());
    }
    let scope = if context.plan.is_local() {
        RealisationScope::Local
    } else {
        RealisationScope::Shareable
    };
    let execution = Execution {
        action: job.id,
        tree: made.tree,
        duration_ms,
        log: made.log,
        scope,
    };
    let realisation = execution.into_realisation();
    if let Recorded::Differs { chosen } = context.store.record(realisation.clone())?
        && job.records == RecordUse::Trust
        && !context.store.has_tree_complete(&chosen.tree)?
    {
        // The tree that counts is gone and cannot be made again: it gives way to this one. Both
        // records stay.
        context.store.release_choice(&job.id)?;
        context.store.record(realisation)?;
    }
    if matches!(job.action, Action::Exec(_)) {
        let origin = &node.origin;
        // On fewer processors it says nothing about the next time.
        if made.perturbed.is_empty() {
            let label = origin.label.as_str();
            context.store.set_duration(label, &origin.name, duration_ms);
        }
        // Whoever waits for the lock has to find the result when it is given free.
        context.store.publish()?;
        if is_commit_due(context.last_commit) {
            context.store.commit()?;
        }
    }
    Ok(())
}

/// Whether finished results have waited long enough; whoever is told so commits them.
fn is_commit_due(last_commit: &Mutex<Instant>) -> bool {
    let mut last = last_commit.lock().unwrap_or_else(PoisonError::into_inner);
    let is_due = last.elapsed() >= COMMIT_INTERVAL;
    if is_due {
        *last = Instant::now();
    }
    is_due
}

/// What an error of the store means for a job: missing objects are made again, what was called
/// off is no failure, all else ends the build.
pub(crate) fn store_end(node: &PlanNode, source: StoreError) -> Box<JobEnd> {
    Box::new(match source {
        StoreError::MissingBlob { .. } | StoreError::MissingTree { .. } => JobEnd::Missing(source),
        StoreError::Cancelled => JobEnd::Cancelled,
        source => {
            let label = node.origin.label.clone();
            JobEnd::Broken(BuildError::Store { label, source })
        }
    })
}

/// A failure without a log.
pub(crate) fn failed(cause: FailureCause) -> Box<JobEnd> {
    Box::new(JobEnd::Failed { cause, log: None })
}
