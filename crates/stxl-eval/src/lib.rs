//! Incremental evaluation: from a workspace's text to a plan.
//!
//! Sole owner of `salsa`; no public signature names a type of it. Reads only what a
//! [`WorkspaceTree`] answers; never builds and never writes. Start at [`Evaluator`], or, for text
//! that is not trusted, at [`evaluate_in_child`].

mod child;
mod database;
mod diagnostic_wire;
mod directory_import;
mod evaluator;
mod graph;
mod host;
pub mod json;
mod layout;
mod link;
mod lowering;
mod node;
mod origin;
mod parallel;
mod policy;
mod profile;
mod queries;
mod read;
mod record;
mod review;
mod selection;
mod settings;
mod source_tree;
mod suggestion;
mod survey;
mod trace;
mod value_cycle;
mod without_sites;

pub use child::{
    ChildError, ChildLimits, ChildRequest, EvaluatorProgram, child_main, evaluate_in_child,
    quoted_text,
};
pub use database::Turn;
pub use directory_import::DirectoryImportError;
pub use evaluator::{
    Evaluation, EvaluationRequest, Evaluator, EvaluatorOptions, STACK_BYTES, StartError, Tests,
};
pub use layout::PACKAGE_FILE;
pub use origin::{
    Explained, ORIGIN_RECORD_VERSION, OriginRecord, Provenance, Waypoint, explain_alone_in_child,
    explain_in_child,
};
pub use policy::{RefusedBy, has_opaque, opaque_sources_of, refuse_opaque};
pub use profile::{
    FunctionCost, PROFILE_RECORD_VERSION, PackageCost, PhaseCost, Profile, ProfileRecord, Profiled,
    new_profiler, profile_in_child,
};
pub use review::{REVIEW_IDS, review_in_child};
pub use settings::{LOCAL_OVERLAY, OpaqueSources, Places, SETTINGS_FILE, SeedAllowList, Settings};
pub use source_tree::{
    BufferedTree, DiskSourceTree, EntryKind, FileDigest, MemoryTree, OVERRIDE_LAYER,
    OpenWorkspaceError, Stamp, TEXT_BYTES_MAX, WorkspaceTree,
};
pub use survey::{
    Affected, AffectedPackage, Because, Change, NeedPlace, Paths, ReadKind, Saying, Survey,
    SurveyedOutput, places_of_needs, sayings_of, survey_remembering,
};
pub use trace::{
    Account, Dependency, Memory, Reach, Reason, Remembered, Round, Suspects, TraceFolder,
    UnsavedTrace, WatchedWorkspace, evaluate_remembering,
};
