//! The scenarios, each a subcommand that prints a table.

pub mod chain;
pub mod eval;
pub mod floor;
pub mod import;
pub mod noop;
pub mod trivial;
