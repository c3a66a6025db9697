//! Tells code, comments and literals of a Rust source apart: [`RustText`].
//!
//! It knows only what is needed to find where literals and comments end; it never fails, an
//! unclosed literal reaches to the end of the file.

/// What a character belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// A source file with every character classified.
#[derive(Debug)]
pub(crate) struct RustText {
    characters: Vec<char>,
    // Invariant: as long as `characters`.
    parts: Vec<Part>,
}

impl RustText {
    /// Classifies a source file.
    pub(crate) fn new(source: &str) -> Self {
        let characters: Vec<char> = source.chars().collect();
        let mut parts = vec![Part::Code; characters.len()];
        let mut at = 0;
        while at < characters.len() {
            let (part, end) = token(&characters, at);
            parts[at..end].fill(part);
            at = end;
        }
        Self { characters, parts }
    }

    /// Returns the source with comments and literals replaced by blanks, line by line the same.
    pub(crate) fn code(&self) -> String {
        self.select(|part| part == Part::Code)
    }

    /// Returns the source with literals replaced by blanks.
    pub(crate) fn code_and_comments(&self) -> String {
        self.select(|part| part != Part::Literal)
    }

    /// Returns for each line its number of characters outside literals.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0];
        for (character, part) in self.characters.iter().zip(&self.parts) {
            if *character == '\n' {
                widths.push(0);
            } else if *part != Part::Literal
                && let Some(width) = widths.last_mut()
            {
                *width += 1;
            }
        }
        widths
    }

    fn select(&self, keep: impl Fn(Part) -> bool) -> String {
        self.characters
            .iter()
            .zip(&self.parts)
            .map(|(character, part)| {
                if *character == '\n' || keep(*part) {
                    *character
                } else {
                    ' '
                }
            })
            .collect()
    }
}

/// Returns what starts at `at` and where it ends.
fn token(characters: &[char], at: usize) -> (Part, usize) {
    let rest = &characters[at..];
    match rest {
        ['/', '/', ..] => (
            Part::Comment,
            at + position(rest, '\n').unwrap_or(rest.len()),
        ),
        ['/', '*', ..] => (Part::Comment, at + block_comment(rest)),
        ['"', ..] => (Part::Literal, at + quoted(rest, '"')),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => (Part::Literal, at + quoted(rest, '\'')),
        ['r', '"' | '#', ..] if !continues_word(characters, at) => match raw_string(rest) {
            Some(length) => (Part::Literal, at + length),
            None => (Part::Code, at + 1),
        },
        _ => (Part::Code, at + 1),
    }
}

/// Returns whether the character before `at` makes `r` a part of a longer word.
///
/// `br` and `cr` are prefixes of raw strings too.
fn continues_word(characters: &[char], at: usize) -> bool {
    let is_word = |index: Option<usize>| {
        index
            .and_then(|index| characters.get(index))
            .is_some_and(|character| character.is_alphanumeric() || *character == '_')
    };
    match at.checked_sub(1).and_then(|before| characters.get(before)) {
        Some('b' | 'c') => is_word(at.checked_sub(2)),
        _ => is_word(at.checked_sub(1)),
    }
}

fn position(characters: &[char], wanted: char) -> Option<usize> {
    characters.iter().position(|character| *character == wanted)
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        if rest[at] == '\\' {
            at += 2;
        } else if rest[at] == quote {
            return at + 1;
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..]
        .iter()
        .take_while(|character| **character == '#')
        .count();
    let body = 1 + hashes;
    if rest.get(body) != Some(&'"') {
        return None;
    }
    let mut at = body + 1;
    while at < rest.len() {
        let closing = &rest[at + 1..];
        if rest[at] == '"'
            && closing.len() >= hashes
            && closing[..hashes].iter().all(|character| *character == '#')
        {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::RustText;

    #[test]
    fn literals_and_comments_are_not_code() {
        let source = "a(\"b // \\\" c\"); // d\n/* e /* f */ g */ h('i', '\\'', r#\"j\"k\"#, br\"l\");\nlet m: &'n o;\n";
        assert_eq!(
            RustText::new(source)
                .code()
                .split_whitespace()
                .collect::<String>(),
            "a();h(,,,b);letm:&'no;"
        );
    }

    #[test]
    fn a_line_is_as_wide_as_what_is_outside_its_literals() {
        assert_eq!(
            RustText::new("ab(\"0123456789\")\nc // dé\n").widths(),
            [4, 7, 0]
        );
    }

    #[test]
    fn a_word_that_ends_in_r_does_not_start_a_raw_string() {
        assert_eq!(RustText::new("for\"x\" y r#type").code(), "for    y r#type");
    }
}
