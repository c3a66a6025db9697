//! Random edits of small workspaces: what an evaluation with a memory gives has to be what one
//! without gives, after every edit and whatever became of the memory.
//!
//! | what | where |
//! |---|---|
//! | a workspace as data, and as text | `model` |
//! | one edit of the data or of the files behind its back | `edit` |
//! | one evaluation with and one without a memory | `check` |
//! | a sequence of edits from one seed | `sequence` |
//! | kills and corruptions | `harm` |
//!
//! Everything is drawn from one seed, which every failure names.

pub mod check;
pub mod edit;
pub mod harm;
pub mod model;
pub mod random;
pub mod sequence;
