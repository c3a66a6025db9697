//! What workers tell the thread that conducts the build.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use stxl_fetch::Progress;
use stxl_model::{ActionId, BlobId, TreeId};
use stxl_sandbox::KillHandle;
use stxl_store::StoreError;

use crate::failure::{BuildError, FailureCause};
use crate::perturbation::Perturbation;

/// One message of a worker. For every job there is exactly one `Ended`, the last of the job.
#[derive(Debug)]
pub(crate) enum Report {
    /// Another process does the same action.
    Waiting { node: usize },
    /// Trees are being checked out.
    Materialising { node: usize },
    /// A source is on its way.
    Fetching { node: usize, progress: Progress },
    /// A sandbox runs; its log grows.
    Running {
        node: usize,
        kill: KillHandle,
        log: Arc<File>,
    },
    /// The job is over.
    Ended {
        node: usize,
        action: ActionId,
        end: Box<JobEnd>,
    },
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum JobEnd {
    /// With a tree, complete in the store and on record.
    Built(Built),
    /// With a failure that is the step's own.
    Failed {
        cause: FailureCause,
        log: Option<JobLog>,
    },
    /// Objects that the records promise are gone.
    Missing(StoreError),
    /// The build was cancelled.
    Cancelled,
    /// Something that ends the whole build.
    Broken(BuildError),
}

/// The result of a job.
#[derive(Debug)]
pub(crate) struct Built {
    /// The tree.
    pub tree: TreeId,
    /// Whether it was made by this job, or found on record after waiting for another process.
    pub made: Made,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
    /// Processor time of its processes, in milliseconds; none if it had none.
    pub cpu_ms: Option<u64>,
    /// What should be known about it.
    pub warnings: Vec<String>,
    /// What was another in its world.
    pub perturbed: BTreeSet<Perturbation>,
}

/// Who made a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// This job.
    Here,
    /// Another process.
    Elsewhere,
}

/// The whole log of a process that failed.
#[derive(Debug)]
pub(crate) struct JobLog {
    /// In the store.
    pub blob: BlobId,
    /// How long it is.
    pub size_bytes: u64,
    /// Its last bytes.
    pub tail: Vec<u8>,
    /// The root as the process left it, or why it cannot be kept; nothing if nobody asked.
    pub left: Option<Result<TreeId, String>>,
}
