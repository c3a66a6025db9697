//! The language at its border: files in memory in; definitions, roots and diagnostics out.

#[path = "language/cases.rs"]
mod cases;
#[path = "language/examples.rs"]
mod examples;
#[path = "language/rules.rs"]
mod rules;
#[path = "language/stdlib.rs"]
mod stdlib;
#[path = "language/steps.rs"]
mod steps;
#[path = "language/world.rs"]
mod world;
