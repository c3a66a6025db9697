//! The command line of stxl: arguments, rendering, exit codes, and the wiring of all parts.
//!
//! As a library so that the tests run the same program with failpoints and switchable guards.

mod arguments;
mod command;
mod development;
mod diagram;
mod evaluation;
mod export;
mod failure;
mod git;
mod interrupt;
mod line_changes;
mod link;
mod network;
mod news;
mod place;
mod program;
mod progress;
mod relay;
mod revision;
mod session;
mod steps;
mod terminal;
mod watch;

pub use program::main;
