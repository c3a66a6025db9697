//! The child's side: bind itself, evaluate, answer.

use std::fs::File;
use std::io::{Read as _, stderr, stdin, stdout};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stxl_lang::SourcePath;

use super::limits::{self, ChildLimits, LimitError, Watch};
use super::local_folders::named_folders;
use super::progress;
use super::wire::{ChildRequest, Inquiry, RequestWire, ScopedRequest, write_answer};
use crate::database::Turn;
use crate::evaluator::{Evaluator, EvaluatorOptions, Scope, StartError, read_settings};
use crate::profile::{Profile, new_profiler};
use crate::source_tree::{BufferedTree, DiskSourceTree, OpenWorkspaceError, WorkspaceTree};

/// Longest request that is read; buffers of an editor are in it.
const REQUEST_BYTES_MAX: u64 = 256 << 20;

/// How many packages the workspace has, once they are listed.
static PACKAGES: AtomicUsize = AtomicUsize::new(0);

/// Why a child has no answer.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("the request cannot be read: {0}")]
    Request(#[from] std::io::Error),
    #[error("the request cannot be read: {0}")]
    RequestText(serde_json::Error),
    #[error("the request is of another version")]
    RequestVersion,
    #[error("limits cannot be set: {0}")]
    Limits(#[from] LimitError),
    #[error(transparent)]
    Workspace(#[from] OpenWorkspaceError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the answer cannot be written: {0}")]
    Answer(std::io::Error),
}

/// What the program does when it is started as an evaluator (`stxl __evaluate`): reads a request
/// from standard input to its end, and answers on standard output; standard error has to be the
/// memory file that [`crate::evaluate_in_child`] makes. To be called before any thread is started.
pub fn child_main() -> ExitCode {
    match answer_request() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is a memory file of the parent's; there is nobody else to tell.
            rustix::io::write(stderr(), error.to_string().as_bytes()).ok();
            ExitCode::FAILURE
        }
    }
}

fn read_request() -> Result<ScopedRequest, ProcessError> {
    let mut text = Vec::new();
    let input = stdin().lock();
    input.take(REQUEST_BYTES_MAX).read_to_end(&mut text)?;
    let wire: RequestWire = serde_json::from_slice(&text).map_err(ProcessError::RequestText)?;
    let mut request = wire.into_request().ok_or(ProcessError::RequestVersion)?;
    let limits = &mut request.request.limits;
    if limits.threads == 0 {
        limits.threads = std::thread::available_parallelism().map_or(1, usize::from);
    }
    Ok(request)
}

fn answer_request() -> Result<(), ProcessError> {
    let ScopedRequest {
        request,
        scope,
        inquiry,
    } = read_request()?;
    let limits = request.limits;
    limits::bind_resources(&limits)?;
    let watch = Watch::new(limits);
    let tree = open_tree(&request)?;
    let mut folders = vec![request.folder.clone()];
    let settings = read_settings(tree.as_ref()).settings;
    let local = named_folders(tree.as_ref(), &request.folder);
    let readable = request.readable.iter().chain(&local);
    for name in settings.overlays.iter().chain(readable) {
        tree.allow_folder(name);
        folders.push(request.folder.join(name));
    }
    limits::bind_files(&folders)?;
    // Never joined: it ends with the process.
    drop(std::thread::spawn(move || watch.run(&PACKAGES)));
    let profiler = match inquiry {
        Inquiry::Nothing
        | Inquiry::Origin(_)
        | Inquiry::Needs(_)
        | Inquiry::Sayings(_)
        | Inquiry::Review(_) => None,
        Inquiry::Costs => Some(new_profiler()),
    };
    let options = EvaluatorOptions {
        threads: limits.threads,
        stack_bytes: limits.stack_bytes,
        progress: Some(Box::new(|turn: Turn<'_>| progress::note(stderr(), turn))),
        listed: Some(Box::new(move |count| allow_packages(&limits, count))),
        profiler: profiler.clone(),
    };
    // Neither is dropped: the process ends here, and freeing millions of small things takes time.
    let mut evaluator = ManuallyDrop::new(Evaluator::new(tree, options)?);
    let mut evaluation = ManuallyDrop::new(evaluator.record(&request.evaluation, &scope));
    if evaluation.outcome.is_none() && scope == Scope::Everything {
        evaluation.looked_at = evaluator.looked_at();
    }
    let findings = profiler.map(|profiler| {
        let profile = Profile {
            threads: limits.threads,
            wall_ns: 0,
            spent: profiler.take(),
        };
        profile.encode()
    });
    let findings = match inquiry {
        Inquiry::Origin(field) => evaluator.find_origin(&evaluation, &field),
        Inquiry::Needs(needs) => evaluator.find_places_of_needs(&evaluation, needs),
        Inquiry::Sayings(labels) => evaluator.find_sayings(&evaluation, &labels),
        Inquiry::Review(keys) => evaluator.find_remarks(&evaluation, keys),
        Inquiry::Costs | Inquiry::Nothing => findings,
    };
    let output = File::from(rustix::io::dup(stdout()).map_err(std::io::Error::from)?);
    let findings = findings.unwrap_or_default();
    write_answer(output, &evaluation, &findings).map_err(ProcessError::Answer)
}

fn allow_packages(limits: &ChildLimits, count: usize) {
    PACKAGES.store(count, Ordering::Relaxed);
    // A limit that cannot be raised stays: the evaluation may still fit below it.
    drop(limits::allow_packages(limits, count));
}

fn open_tree(request: &ChildRequest) -> Result<Arc<dyn WorkspaceTree>, OpenWorkspaceError> {
    let folder: PathBuf = request.folder.clone();
    let disk = DiskSourceTree::open(&folder)?.with_overrides(&request.overrides);
    let disk: Arc<dyn WorkspaceTree> = Arc::new(disk);
    if request.buffers.is_empty() {
        return Ok(disk);
    }
    let buffered = BufferedTree::new(disk);
    for (path, text) in &request.buffers {
        buffered.open(&SourcePath::new(path), text);
    }
    Ok(Arc::new(buffered))
}
