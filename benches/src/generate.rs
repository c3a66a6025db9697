//! Writes workspaces: the same options and seed give the same bytes.

mod graph;
mod make;
mod nix;
mod write;

pub use graph::{Graph, Shape, Size};
pub use make::{write_makefile, write_ninja};
pub use nix::write_nix;
pub use write::{Arguments, Kind, name, run, write, write_workspace};
