//! Takes the indentation of the definition out of texts that span lines.

use std::borrow::Cow;

/// A text without the definition's indentation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dedented {
    /// The text; lines end in line feeds.
    pub(crate) text: String,
    /// How many lines before its first one were dropped: 0 or 1.
    pub(crate) dropped_lines: u32,
}

/// Two lines are indented by different characters, so that nothing says what they have in common.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MixedIndentation {
    /// The line of the text, from 0.
    pub(crate) line: u32,
}

/// Whether a text is of one line: such a text is taken as it is.
pub(crate) fn is_one_line(text: &str) -> bool {
    !text.contains('\n')
}

/// Drops the first line if it is blank, the blanks of the last line if it is blank, and the common
/// indentation of all others; turns CRLF into LF.
pub(crate) fn dedent(text: &str) -> Result<Dedented, MixedIndentation> {
    let text = if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    };
    let mut lines: Vec<&str> = text.split('\n').collect();
    let mut dropped_lines = 0;
    if lines.len() > 1 && lines.first().is_some_and(|line| is_blank(line)) {
        lines.remove(0);
        dropped_lines = 1;
    }
    let common = common_indentation(&lines).map_err(|line| MixedIndentation {
        line: line + dropped_lines,
    })?;
    let mut dedented = String::with_capacity(text.len());
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            dedented.push('\n');
        }
        if !is_blank(line) {
            dedented.push_str(line.get(common..).unwrap_or_default());
        }
    }
    Ok(Dedented {
        text: dedented,
        dropped_lines,
    })
}

fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| byte == b' ' || byte == b'\t')
}

fn indentation(line: &str) -> &str {
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len())
        .unwrap_or_default()
}

/// Length of the indentation that all lines have, or the first line that has another kind of it.
fn common_indentation(lines: &[&str]) -> Result<usize, u32> {
    let mut indented = lines.iter().enumerate().filter(|(_, line)| !is_blank(line));
    let Some((_, first)) = indented.next() else {
        return Ok(0);
    };
    let shortest = lines
        .iter()
        .filter(|line| !is_blank(line))
        .map(|line| indentation(line).len())
        .min()
        .unwrap_or(0);
    let common = indentation(first).get(..shortest).unwrap_or_default();
    for (index, line) in indented {
        if !line.starts_with(common) {
            return Err(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }
    Ok(shortest)
}

#[cfg(test)]
mod tests {
    use super::{MixedIndentation, dedent};

    fn check(text: &str, expected: &str, dropped_lines: u32) {
        let dedented = dedent(text).unwrap();
        assert_eq!(dedented.text, expected);
        assert_eq!(dedented.dropped_lines, dropped_lines);
    }

    #[test]
    fn drops_the_blank_ends_and_the_common_indentation() {
        check("\n    make\n      install\n    ", "make\n  install\n", 1);
        check("\n\tmake\n\t\tinstall\n", "make\n\tinstall\n", 1);
        check("make\ninstall", "make\ninstall", 0);
        check("\n    a\n\n    b\n", "a\n\nb\n", 1);
        check(" make ", "make ", 0);
        check("", "", 0);
    }

    #[test]
    fn turns_crlf_into_lf() {
        check("\r\n  a\r\n  b\r\n", "a\nb\n", 1);
    }

    #[test]
    fn refuses_tabs_beside_spaces_in_the_common_part() {
        assert_eq!(dedent("\n    a\n\tb\n"), Err(MixedIndentation { line: 2 }));
        check("\na\n\tb\n    c\n", "a\n\tb\n    c\n", 1);
    }
}
