//! Refuses names and words that the style page gives to nobody.

use super::finding::Finding;
use super::rust_text::RustText;
use super::tracked::TrackedFile;

/// File and folder names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] = [
    "common", "helper", "helpers", "manager", "misc", "types", "util", "utility", "utils",
];

/// Refused pieces of code, and what to do instead.
const CODE: [(&str, &str); 4] = [
    ("fn get_", "a value is named by a noun, without `get_`"),
    ("dbg!", "debugging output does not land"),
    ("todo!", "unfinished code does not land"),
    ("unimplemented!", "unfinished code does not land"),
];

/// Checks file names everywhere, words in Rust code and comments, open ends in every program text.
pub(crate) fn check(files: &[TrackedFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.is_case_data()) {
        check_path(&file.path, &mut findings);
        if let Some(source) = file.rust_source() {
            let text = RustText::new(source);
            check_code(&file.path, &text.code(), &mut findings);
            check_open_ends(&file.path, &text.code_and_comments(), &mut findings);
            if !file.is_test() && !file.path.starts_with("benches/") {
                check_booleans(&file.path, &text.code(), &mut findings);
            }
        } else if matches!(file.extension(), "rhai" | "toml" | "sh" | "c") {
            check_open_ends(
                &file.path,
                file.text.as_deref().unwrap_or(""),
                &mut findings,
            );
        }
    }
    findings
}

fn check_path(path: &str, findings: &mut Vec<Finding>) {
    // A package of a distribution has the name its makers gave it.
    if path.starts_with("stages/") {
        return;
    }
    for part in path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        if EMPTY_NAMES.contains(&stem) {
            let message = format!("`{stem}` names nothing; name the concept");
            findings.push(Finding::error(path, 1, message));
        }
    }
}

fn check_code(path: &str, code: &str, findings: &mut Vec<Finding>) {
    for (index, line) in code.lines().enumerate() {
        for (word, advice) in CODE {
            if line.contains(word) {
                findings.push(Finding::error(
                    path,
                    index + 1,
                    format!("`{word}`: {advice}"),
                ));
            }
        }
        if line.to_ascii_lowercase().contains("artifact") {
            let message = "the word is output, tree or derivation, never artifact";
            findings.push(Finding::error(path, index + 1, message));
        }
    }
}

fn check_open_ends(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (index, line) in text.lines().enumerate() {
        if contains_word(line, "FIXME") {
            findings.push(Finding::error(
                path,
                index + 1,
                "a known fault does not land: mend it",
            ));
        }
        if contains_word(line, "TODO") && !names_an_issue(line) {
            let message = "an open end names its issue: `#` and its number";
            findings.push(Finding::error(path, index + 1, message));
        }
    }
}

fn check_booleans(path: &str, code: &str, findings: &mut Vec<Finding>) {
    for (start, _) in code.match_indices("pub fn ") {
        let Some(open) = code[start..].find('(') else {
            continue;
        };
        let parameters = parenthesised(&code[start + open..]);
        let squeezed: String = parameters.chars().filter(|c| !c.is_whitespace()).collect();
        let has_boolean = [":bool,", ":bool)", ":Option<bool>"]
            .iter()
            .any(|pattern| squeezed.contains(pattern));
        if has_boolean {
            let line = code[..start].matches('\n').count() + 1;
            let message = "a boolean parameter of a public function; an enum names both cases";
            findings.push(Finding::error(path, line, message));
        }
    }
}

/// Returns the text up to the parenthesis that closes the first one.
fn parenthesised(text: &str) -> &str {
    let mut depth = 0_usize;
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 1 => return &text[..=index],
            ')' => depth -= 1,
            _ => {}
        }
    }
    text
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let is_part = |character: Option<char>| {
            character.is_some_and(|character| character.is_alphanumeric() || character == '_')
        };
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !is_part(before) && !is_part(after)
    })
}

fn names_an_issue(line: &str) -> bool {
    line.match_indices('#').any(|(start, _)| {
        line[start + 1..].starts_with(|character: char| character.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::finding::lines_of;
    use crate::tidy::tracked::TrackedFile;

    const NONE: [usize; 0] = [];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        lines_of(check(&[TrackedFile::plain(path, text)]))
    }

    #[test]
    fn empty_names_are_found_in_folders_and_files() {
        assert_eq!(lines("lang/src/utils.rs", ""), [1]);
        assert_eq!(lines("lang/src/helpers/a.rs", ""), [1]);
        assert_eq!(lines("lang/src/commonly.rs", ""), NONE);
        assert_eq!(lines("stages/user/misc/package.rhai", ""), NONE);
    }

    #[test]
    fn words_are_found_in_code_only() {
        assert_eq!(
            lines("a.rs", "fn get_x() {}\nlet artifact_a = 1;\ndbg!(x);\n"),
            [1, 2, 3]
        );
        assert_eq!(lines("a.rs", "// fn get_x\nlet a = \"artifact\";\n"), NONE);
    }

    #[test]
    fn open_ends_need_an_issue() {
        assert_eq!(
            lines("a.rs", "// TODO mend\n// TODO #12 mend\n// FIXME\n"),
            [1, 3]
        );
        assert_eq!(lines("a.rhai", "// TODO\n"), [1]);
        assert_eq!(lines("a.rs", "let a = \"TODO\"; // TODOS\n"), NONE);
    }

    #[test]
    fn booleans_of_public_functions_are_found() {
        assert_eq!(
            lines("a.rs", "\npub fn f(\n    a: u8,\n    b: bool,\n) {}\n"),
            [2]
        );
        assert_eq!(
            lines("a.rs", "pub fn f(a: impl Fn() -> bool) -> bool {}\n"),
            NONE
        );
        assert_eq!(lines("a.rs", "pub(crate) fn f(a: bool) {}\n"), NONE);
    }
}
