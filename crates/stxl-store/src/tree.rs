//! The algebra of trees: merging, editing, comparing, walking. Costs what the touched directories
//! cost; everything else is carried over by id.

mod diff;
mod editor;
mod globs;
mod merge;

pub use diff::{Difference, DifferenceKind};
pub use editor::{EditError, FileMode, TreeEditor};
pub use merge::{Hidden, MergeError, Merged};
