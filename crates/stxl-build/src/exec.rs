//! One execution: a root of trees, a sandbox over it, and the tree that is kept of what it left.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::Sender;
use rustix::fs::AtFlags;
use stxl_model::{BuildUid, Exec, Keep, PlanNode, Platform, RootPath, TreeId};
use stxl_sandbox::{
    BELOW_LAYERS, Console, ExitStatus, JOB_FIFO, Limits, Outcome, Personality, SandboxSpec,
    Scratch, World,
};
use stxl_store::{
    Dropped, DroppedWhat, LayerRef, ScratchDirectory, SealBounds, SealError, Store, StoreError,
};

use crate::conduct::Job;
use crate::failure::{BuildError, CommandPosition, FailureCause};
use crate::incremental::{Incremental, Left};
use crate::options::{BuildOptions, FailedRoots, ScratchMedium};
use crate::perturbation::{Perturbation, Rerun, perturb};
use crate::report::{JobEnd, JobLog, Report};
use crate::scratch::{file_error, nameless_file};
use crate::worker::{Ended, JobContext, Product, store_end};

/// How much of the end of a failed step's log is looked at for its last lines.
const TAIL_BYTES: u64 = 64 * 1024;

/// A sandbox that can be started, and what has to stay while it runs.
pub struct PreparedStep {
    /// What to start.
    pub spec: SandboxSpec,
    /// The checked-out layers of its root; they are collectable once these are dropped.
    pub layers: Vec<LayerRef>,
    /// Where its writes go on disk, if they do; removed once this is dropped.
    pub scratch: Option<ScratchDirectory>,
    /// The log that the sandbox writes to.
    pub log: Arc<File>,
}

/// Runs an exec and seals what it keeps.
pub(crate) fn run(
    context: JobContext<'_>,
    job: &Job,
    step: &Exec<TreeId>,
    reports: &Sender<Report>,
) -> Ended<Product> {
    let node = &context.plan.nodes()[job.node];
    reports.send(Report::Materialising { node: job.node }).ok();
    let incremental = Incremental::of(context, job, step);
    let set_up = set_up(context, job, step, incremental.as_ref());
    let (prepared, perturbed) = set_up.map_err(|source| store_end(node, source))?;
    let mut running = context.launcher.spawn(&prepared.spec).map_err(|source| {
        let label = node.origin.label.clone();
        Box::new(JobEnd::Broken(BuildError::Sandbox { label, source }))
    })?;
    let jobs = context.pool.run(running.take_job_fifo());
    let (kill, log) = (running.kill_handle(), Arc::clone(&prepared.log));
    reports
        .send(Report::Running {
            node: job.node,
            kill,
            log,
        })
        .ok();
    let outcome = running.wait().map_err(|source| {
        let label = node.origin.label.clone();
        Box::new(JobEnd::Broken(BuildError::SandboxLost { label, source }))
    })?;
    drop(jobs);
    let (blob, size_bytes) = context
        .store
        .put_blob_from(&*prepared.log)
        .map_err(|source| store_end(node, source))?;
    let failed = |cause, left| {
        // The last lines are a courtesy; the whole log is in the store already.
        let tail = read_tail(&prepared.log, size_bytes).unwrap_or_default();
        let log = Some(JobLog {
            blob,
            size_bytes,
            tail,
            left,
        });
        Box::new(JobEnd::Failed { cause, log })
    };
    if let Some(end) = judge(&outcome, step, &prepared.spec) {
        return Err(match end {
            Verdict::Cancelled => Box::new(JobEnd::Cancelled),
            Verdict::Failed(cause) => {
                let left = keep_failed(context, job, (step, &prepared.spec), &outcome);
                // Of one that was ended from outside, half of a file may be left.
                if matches!(cause, FailureCause::Exited { .. }) {
                    incremental.inspect(|it| it.keep(&prepared, Left::Failed));
                }
                failed(cause, left)
            }
        });
    }
    if let Some(names) = &prepared.spec.world.second_name {
        // The mount that was on it is gone with the sandbox.
        rustix::fs::unlinkat(&outcome.upper, &names.second, AtFlags::REMOVEDIR)
            .map_err(|errno| store_end(node, file_error(context.store, errno.into())))?;
    }
    let cancelled = context.options.cancel.flag();
    let bounds = seal_bounds(&prepared.spec, &cancelled);
    let upper = outcome.upper.as_fd();
    let sealed = context.store.seal(upper, &step.root, &step.keep, bounds);
    let sealed = sealed.map_err(|error| match error {
        SealError::Store(source) => store_end(node, source),
        other => {
            let message = other.to_string();
            let left = keep_failed(context, job, (step, &prepared.spec), &outcome);
            failed(FailureCause::NotKept { message }, left)
        }
    })?;
    if step.keep == Keep::Root {
        // Nobody mounts this tree, but what is composed of it is mounted over the same layers.
        context
            .store
            .find_layers(&sealed.tree, &[step.root], &BELOW_LAYERS)
            .map_err(|source| store_end(node, source))?;
    }
    incremental.inspect(|it| it.keep(&prepared, Left::Whole));
    let warnings = sealed.dropped.iter().map(warning_of).collect();
    Ok(Product {
        tree: sealed.tree,
        log: Some(blob),
        cpu_ms: Some(outcome.cpu_ms),
        warnings,
        perturbed,
    })
}

/// Prepares a step with a share in the jobs, and in the world that its job wants.
fn set_up(
    context: JobContext<'_>,
    job: &Job,
    step: &Exec<TreeId>,
    incremental: Option<&Incremental<'_>>,
) -> Result<(PreparedStep, BTreeSet<Perturbation>), StoreError> {
    let JobContext { store, options, .. } = context;
    let node = &context.plan.nodes()[job.node];
    let mut prepared = prepare(store, options, step, (node, &job.hints))?;
    if context.pool.is_known_in(store, &step.root)? {
        share_jobs(&mut prepared.spec, options);
    }
    let rerun = Rerun {
        store,
        options,
        step,
        number: job.node,
    };
    if let Some(incremental) = incremental {
        incremental.begin(&mut prepared)?;
    }
    let perturbed = perturb(&mut prepared, &job.perturbed, &rerun)?;
    Ok((prepared, perturbed))
}

/// Keeps the root of a step that failed as it left it, if that is wanted.
fn keep_failed(
    context: JobContext<'_>,
    job: &Job,
    (step, spec): (&Exec<TreeId>, &SandboxSpec),
    outcome: &Outcome,
) -> Option<Result<TreeId, String>> {
    if context.options.failed_roots == FailedRoots::Dropped || !job.perturbed.is_empty() {
        return None;
    }
    let cancelled = context.options.cancel.flag();
    let bounds = seal_bounds(spec, &cancelled);
    let upper = outcome.upper.as_fd();
    let sealed = context.store.seal(upper, &step.root, &Keep::Root, bounds);
    Some(
        sealed
            .map(|sealed| sealed.tree)
            .map_err(|error| error.to_string()),
    )
}

/// How much of what a step left is sealed at most, and until when.
pub(crate) fn seal_bounds<'c>(spec: &SandboxSpec, cancelled: &'c AtomicBool) -> SealBounds<'c> {
    SealBounds {
        bytes_max: Some(spec.limits.scratch_bytes),
        cancelled: Some(cancelled),
    }
}

/// Checks the root of a step out and writes down how its sandbox is to be.
pub(crate) fn prepare(
    store: &Store,
    options: &BuildOptions,
    step: &Exec<TreeId>,
    (node, hints): (&PlanNode, &[TreeId]),
) -> Result<PreparedStep, StoreError> {
    let layers = store.layers_for(&step.root, hints, &BELOW_LAYERS)?;
    let below_store = |layer: &LayerRef| {
        let path = layer.path();
        path.strip_prefix(store.path()).unwrap_or(path).to_owned()
    };
    let log = nameless_file(store)?;
    let limits = limits(node, options);
    let scratch = match options.scratch.medium(limits.scratch_bytes, store.path()) {
        ScratchMedium::Memory => None,
        ScratchMedium::Disk => Some(store.scratch()?),
    };
    let spec = SandboxSpec {
        layers: layers.iter().map(below_store).collect(),
        commands: step
            .commands
            .iter()
            .map(|argv| argv.iter().map(os_string).collect())
            .collect(),
        env: environment(step, options),
        cwd: absolute(&step.cwd),
        uid: match step.uid {
            BuildUid::Root => stxl_sandbox::BuildUid::Root,
            BuildUid::Tester => stxl_sandbox::BuildUid::Tester,
        },
        platform: match step.runs_on {
            Platform::I686 => Personality::I686,
            Platform::X86_64 => Personality::X86_64,
        },
        world: World::default(),
        limits,
        scratch: scratch.as_ref().map_or(Scratch::Memory, |scratch| {
            Scratch::Disk(scratch.path().to_owned())
        }),
        empty_directories: Vec::new(),
        supplied_files: BTreeMap::new(),
        has_job_fifo: false,
        is_observed: false,
        console: Console::Log,
        log: OwnedFd::from(
            log.try_clone()
                .map_err(|source| file_error(store, source))?,
        ),
    };
    Ok(PreparedStep {
        spec,
        layers,
        scratch,
        log: Arc::new(log),
    })
}

/// How a run ended that is no success.
pub(crate) enum Verdict {
    Cancelled,
    Failed(FailureCause),
}

/// Why an outcome is no success; nothing if it is one.
pub(crate) fn judge(outcome: &Outcome, step: &Exec<TreeId>, spec: &SandboxSpec) -> Option<Verdict> {
    let count = step.commands.len();
    let command = CommandPosition {
        index: (outcome.commands_ended + 1).min(count),
        count,
    };
    let cause = match outcome.status {
        ExitStatus::Exited(0) => return None,
        ExitStatus::Cancelled => return Some(Verdict::Cancelled),
        ExitStatus::Exited(code) => FailureCause::Exited { command, code },
        ExitStatus::Signaled(signal) => FailureCause::Signaled { command, signal },
        ExitStatus::NotStarted(errno) => FailureCause::NotStarted {
            command,
            program: program_of(step, command),
            reason: std::io::Error::from_raw_os_error(errno).to_string(),
        },
        ExitStatus::TimedOut { kind, limit_ms } => FailureCause::TimedOut { kind, limit_ms },
        ExitStatus::ResourceExceeded(resource) => FailureCause::ResourceExceeded {
            resource,
            scratch: match spec.scratch {
                Scratch::Memory => ScratchMedium::Memory,
                Scratch::Disk(_) => ScratchMedium::Disk,
            },
            scratch_bytes_max: spec.limits.scratch_bytes,
        },
    };
    Some(Verdict::Failed(cause))
}

fn warning_of(dropped: &Dropped) -> String {
    let what = match dropped.what {
        DroppedWhat::SetIdBits => "the setuid or setgid bit",
        DroppedWhat::Capabilities => "the file capabilities",
    };
    format!(
        "trees do not hold {what} of `{}`: declare it in a mode table",
        dropped.path
    )
}

fn program_of(step: &Exec<TreeId>, command: CommandPosition) -> String {
    let argv = step.commands.get(command.index.saturating_sub(1));
    let program = argv.and_then(|argv| argv.first());
    program
        .map(|program| String::from_utf8_lossy(program).into_owned())
        .unwrap_or_default()
}

/// The environment of the recipe, and what is outside of every key.
fn environment(step: &Exec<TreeId>, options: &BuildOptions) -> BTreeMap<OsString, OsString> {
    let jobs = options.jobs_per_step.max(1);
    let mut env: BTreeMap<OsString, OsString> = step
        .env
        .iter()
        .map(|(name, value)| (os_string(name), os_string(value)))
        .collect();
    env.insert("JOBS".into(), jobs.to_string().into());
    env.insert("MAKEFLAGS".into(), format!("-j{jobs}").into());
    env
}

/// Has a step take its jobs out of a FIFO.
fn share_jobs(spec: &mut SandboxSpec, options: &BuildOptions) {
    spec.has_job_fifo = true;
    let jobs = options.jobs_per_step.max(1);
    let flags = format!("-j{jobs} --jobserver-auth=fifo:{JOB_FIFO}");
    spec.env.insert("MAKEFLAGS".into(), flags.into());
}

fn limits(node: &PlanNode, options: &BuildOptions) -> Limits {
    let or_default = |own: u64, default: u64| if own == 0 { default } else { own };
    Limits {
        wall_ms: or_default(node.origin.wall_ms_max, options.wall_ms_max),
        silent_ms: or_default(node.origin.silent_ms_max, options.silent_ms_max),
        ..options.limits.clone()
    }
}

pub(crate) fn read_tail(log: &File, size_bytes: u64) -> std::io::Result<Vec<u8>> {
    let start = size_bytes.saturating_sub(TAIL_BYTES);
    let mut tail = vec![0; usize::try_from(size_bytes - start).unwrap_or(0)];
    log.read_exact_at(&mut tail, start)?;
    Ok(tail)
}

fn os_string(bytes: impl AsRef<[u8]>) -> OsString {
    OsString::from_vec(bytes.as_ref().to_owned())
}

fn absolute(path: &RootPath) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(&path.to_absolute_bytes()))
}
