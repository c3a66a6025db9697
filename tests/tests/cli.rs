//! The program as scripts and people meet it: exit codes, JSON contracts, the main job.
//!
//! Each test has a store and a workspace of its own and starts the real program.

#[path = "cli/place.rs"]
mod place;
#[path = "cli/step.rs"]
mod step;
#[path = "cli/watching.rs"]
mod watching;

#[path = "cli/affected.rs"]
mod affected;
#[path = "cli/brought.rs"]
mod brought;
#[path = "cli/build_watch.rs"]
mod build_watch;
#[path = "cli/collection.rs"]
mod collection;
#[path = "cli/contract.rs"]
mod contract;
#[path = "cli/depends.rs"]
mod depends;
#[path = "cli/development.rs"]
mod development;
#[path = "cli/diff.rs"]
mod diff;
#[path = "cli/exit.rs"]
mod exit;
#[path = "cli/graph.rs"]
mod graph;
#[path = "cli/layered.rs"]
mod layered;
#[path = "cli/lint.rs"]
mod lint;
#[path = "cli/local.rs"]
mod local;
#[path = "cli/main_job.rs"]
mod main_job;
#[path = "cli/observe.rs"]
mod observe;
#[path = "cli/opaque.rs"]
mod opaque;
#[path = "cli/readme.rs"]
mod readme;
#[path = "cli/roots.rs"]
mod roots;
#[path = "cli/sources.rs"]
mod sources;
#[path = "cli/trace.rs"]
mod trace;
#[path = "cli/variants.rs"]
mod variants;
#[path = "cli/watch.rs"]
mod watch;
#[path = "cli/why.rs"]
mod why;
