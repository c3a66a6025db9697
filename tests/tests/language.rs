//! The language at its border: files in memory in, definitions, root expressions and diagnostics out.

#[path = "language/examples.rs"]
mod examples;
#[path = "language/steps.rs"]
mod steps;
#[path = "language/world.rs"]
mod world;
