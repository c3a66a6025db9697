//! The limits of every evaluation. Exceeding one is a diagnostic at the place where it happened.

/// Operations of one evaluation: one file's value, or one `build`.
pub(crate) const OPERATIONS_MAX: u64 = 1_000_000;
/// Calls inside one another.
pub(crate) const CALLS_MAX: usize = 32;
/// Expressions inside one another, in a file and in a function; every link of a chain counts as one.
pub(crate) const EXPRESSIONS_MAX: usize = 256;
/// Bytes of one text.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;
/// Items of one list, lists inside it included.
pub(crate) const LIST_ITEMS_MAX: usize = 10_000;
/// Keys of one map, maps inside it included.
pub(crate) const MAP_KEYS_MAX: usize = 10_000;
/// Variables in scope at a time.
pub(crate) const VARIABLES_MAX: usize = 128;
/// Functions of one file.
pub(crate) const FUNCTIONS_MAX: usize = 128;
/// Files imported by one evaluation.
pub(crate) const MODULES_MAX: usize = 32;
/// Bytes of one file.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;
/// Root operations of one build; a chain is taken apart recursively.
pub(crate) const ROOT_STEPS_MAX: usize = 5_000;
