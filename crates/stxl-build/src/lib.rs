//! The local executor: a plan becomes trees in the store. Start at [`build`](fn@build).
//!
//! The README.md of this crate has the states of a node, the events, and what counts as what.

mod archive;
mod build;
mod check;
mod compose;
mod conduct;
mod context;
mod draft;
mod event;
mod exec;
mod failure;
mod fetch;
mod forecast;
mod graph;
mod history;
mod import;
mod incremental;
mod jobs;
mod kept_plan;
mod ledger;
mod lineage;
mod observe;
mod options;
mod perturbation;
mod records;
mod regular_file;
mod repair;
mod report;
mod repository;
mod schedule;
mod scratch;
mod status;
mod step;
mod trail;
mod unpack;
mod why;
mod worker;

pub use build::build;
pub use compose::{ComposeError, OpError, PatchError};
pub use context::BuildContext;
pub use event::wire::WireEvent;
pub use event::{
    BuildEvent, BuildOutcome, BuiltOutput, CheckMismatch, CheckReport, EventSink, PathDifference,
    Provoked, StepFailure, Summary,
};
pub use exec::PreparedStep;
pub use failure::{BuildError, CommandPosition, FailureCause};
pub use fetch::{FetchError, Tried};
pub use forecast::{Forecast, Work, forecast};
pub use history::{BuiltPlan, last_plan_with};
pub use lineage::{Lineage, LineageError, Opaque, ShippedFile, ShippedFiles, Subject, lineage};
pub use observe::{Observed, ObservedPackage, execs_of, observe};
pub use options::{
    BuildOptions, CancelHandle, Check, FailedRoots, OnFailure, OutputPaths, SILENT_MS_DEFAULT,
    ScratchChoice, ScratchMedium, SupersedeHandle, WALL_MS_DEFAULT,
};
pub use perturbation::{CHECK_GAP, CheckWorld, Perturbation};
pub use records::{failed_log, failed_root};
pub use repair::{Repaired, repair};
pub use repository::{CommitError, tree_of_commit};
pub use status::{NodeStatus, status};
pub use step::{StepEntry, prepare_failed_step, prepare_step};
pub use unpack::UnpackError;
pub use why::{Cause, CauseKind, ChangedFile, Why, WhyError, changed_files, why};
