//! Which lines of a text are others than they were.

use diffy::{DiffOptions, Line};

/// Lines that went, and those that came in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineChange {
    /// The first line that came, from 1; where none came, the one in front of which others went.
    pub(crate) line: u32,
    /// Those that went.
    pub(crate) removed: Vec<String>,
    /// Those that came.
    pub(crate) added: Vec<String>,
}

/// How two texts differ, line by line.
pub(crate) fn line_changes(before: &str, after: &str) -> Vec<LineChange> {
    let mut options = DiffOptions::new();
    options.set_context_len(0);
    let patch = options.create_patch(before, after);
    let hunks = patch.hunks().iter();
    let changes = hunks.map(|hunk| {
        let mut change = LineChange {
            line: first_line(hunk.new_range().start(), hunk.new_range().is_empty()),
            removed: Vec::new(),
            added: Vec::new(),
        };
        for line in hunk.lines() {
            match line {
                Line::Context(_) => {}
                Line::Delete(text) => change.removed.push(bare(text)),
                Line::Insert(text) => change.added.push(bare(text)),
            }
        }
        change
    });
    changes.collect()
}

/// The number that a line has in the text before; none if it is not there.
pub(crate) fn line_before(before: &str, after: &str, line: u32) -> Option<u32> {
    let mut shifted = i64::from(line);
    for change in line_changes(before, after) {
        let (removed, added) = (change.removed.len(), change.added.len());
        let (removed, added) = (i64::try_from(removed).ok()?, i64::try_from(added).ok()?);
        let begin = i64::from(change.line);
        if i64::from(line) < begin {
            break;
        }
        if i64::from(line) < begin + added {
            return None;
        }
        shifted += removed - added;
    }
    u32::try_from(shifted).ok()
}

/// A hunk without lines is told by the line before it.
fn first_line(start: usize, is_empty: bool) -> u32 {
    let line = start + usize::from(is_empty);
    u32::try_from(line.max(1)).unwrap_or(u32::MAX)
}

fn bare(line: &str) -> String {
    line.trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{line_before, line_changes};

    const BEFORE: &str = "a\nb\nc\nd\n";
    const AFTER: &str = "a\nB\nC\nc\nnew\n";

    #[test]
    fn lines_that_went_and_came_are_told() {
        let told: Vec<_> = line_changes(BEFORE, AFTER)
            .into_iter()
            .map(|change| {
                (
                    change.line,
                    change.removed.join(","),
                    change.added.join(","),
                )
            })
            .collect();
        let expected = [
            (2, "b".to_owned(), "B,C".to_owned()),
            (5, "d".to_owned(), "new".to_owned()),
        ];
        assert_eq!(told, expected);
        let gone = line_changes("a\nb\nc\n", "a\nc\n");
        assert_eq!((gone[0].line, gone[0].removed.len()), (2, 1));
        let all = line_changes("a\n", "");
        assert_eq!((all[0].line, all[0].removed.len()), (1, 1));
    }

    #[test]
    fn lines_are_found_in_the_text_before() {
        let found: Vec<_> = (1..=5)
            .map(|line| line_before(BEFORE, AFTER, line))
            .collect();
        assert_eq!(found, [Some(1), None, None, Some(3), None]);
        let found: Vec<_> = (1..=2)
            .map(|line| line_before("a\nb\nc\n", "a\nc\n", line))
            .collect();
        assert_eq!(found, [Some(1), Some(3)]);
    }
}
