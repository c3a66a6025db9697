//! The limits of every evaluation. Exceeding one is a diagnostic at the place where it happened.

/// Operations of one evaluation: one file's value, or one `build`.
pub(crate) const OPERATIONS_MAX: u64 = 1_000_000;
/// Operations that are done again to find further mistakes.
pub(crate) const OPERATIONS_AGAIN_MAX: u64 = 100_000;
/// How often a file is evaluated again to find further mistakes.
pub(crate) const ROUNDS_MAX: usize = 100;
/// Calls inside one another.
pub(crate) const CALLS_MAX: usize = 32;
/// Expressions inside one another, in a file and in a function; every link of a chain counts as
/// one.
pub(crate) const EXPRESSIONS_MAX: usize = 256;
/// Bytes of one text.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;
/// Items of one list, lists inside it included.
pub(crate) const LIST_ITEMS_MAX: usize = 32_000;
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

#[cfg(test)]
mod tests {
    use crate::schema::BUILDERS;

    const README: &str = include_str!("../../README.md");

    #[test]
    fn the_readme_has_the_limits() {
        let rows = [
            ("operations", super::OPERATIONS_MAX.to_string()),
            ("calls inside one another", super::CALLS_MAX.to_string()),
            (
                "expressions inside one another; a link of a chain counts as one",
                super::EXPRESSIONS_MAX.to_string(),
            ),
            ("bytes of a text", super::TEXT_BYTES_MAX.to_string()),
            ("items of a list", super::LIST_ITEMS_MAX.to_string()),
            ("keys of a map", super::MAP_KEYS_MAX.to_string()),
            ("variables in scope", super::VARIABLES_MAX.to_string()),
            ("functions of a file", super::FUNCTIONS_MAX.to_string()),
            ("imported files", super::MODULES_MAX.to_string()),
            ("bytes of a file", super::FILE_BYTES_MAX.to_string()),
            ("root operations", super::ROOT_STEPS_MAX.to_string()),
        ];
        for (what, max) in rows {
            let row = format!("| {what} | {max} |");
            assert!(README.contains(&row), "{row}");
        }
    }

    #[test]
    fn the_readme_has_every_field() {
        for field in BUILDERS
            .iter()
            .flat_map(crate::schema::BuilderSchema::fields)
        {
            let row = format!("| `{}` | {} |", field.name, field.kind.expected());
            let described = README
                .lines()
                .any(|line| line.starts_with(&row) && line.contains(field.doc));
            assert!(described, "{row} {}", field.doc);
        }
    }
}
