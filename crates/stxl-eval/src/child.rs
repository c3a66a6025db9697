//! Evaluation in a process of its own, with limits, so that hostile text ends as a diagnostic.
//!
//! The parent starts the same program again with a hidden argument, two pipes and a memory file:
//! standard input takes the request, standard output the answer; standard error, the file, holds a
//! slot per thread in which the child keeps the file it is evaluating, and after these what the
//! runtime says when it dies. The child limits itself before it reads any text of the workspace.
//! Whatever way it ends, the parent makes a plan or a diagnostic of it. The table of limits is in
//! README.md.

mod limits;
mod local_folders;
mod parent;
mod process;
mod progress;
mod waiting;
mod wire;

pub use limits::ChildLimits;
pub(crate) use local_folders::named_folders;
pub use local_folders::quoted_text;
pub use parent::{ChildError, EvaluatorProgram, evaluate_in_child};
pub(crate) use parent::{ask_about, ask_child, record_in_child};
pub use process::child_main;
pub(crate) use waiting::WaitingChild;
pub use wire::ChildRequest;
pub(crate) use wire::{Inquiry, NodeWire};
