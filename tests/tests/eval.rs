//! The evaluator at its border: the files of a workspace in, plans, diagnostics and the list of
//! queries that ran out.

#[path = "eval/edits.rs"]
mod edits;
#[path = "eval/faulty.rs"]
mod faulty;
#[path = "eval/hostile.rs"]
mod hostile;
#[path = "eval/hostile_texts.rs"]
mod hostile_texts;
#[path = "eval/imports.rs"]
mod imports;
#[path = "eval/incremental.rs"]
mod incremental;
#[path = "eval/mistakes.rs"]
mod mistakes;
#[path = "eval/origin.rs"]
mod origin;
#[path = "eval/plans.rs"]
mod plans;
#[path = "eval/profile.rs"]
mod profile;
#[path = "eval/same_results.rs"]
mod same_results;
#[path = "eval/scale.rs"]
mod scale;
#[path = "eval/traces.rs"]
mod traces;
#[path = "eval/watched.rs"]
mod watched;
#[path = "eval/world.rs"]
mod world;
