//! What people are told about mistakes: every case is a small workspace and the rendered diagnostics.
//!
//! A case is one file in `cases/diagnostics/`: a sentence, the files of the workspace, each after a
//! line `--- path`, and after `--- diagnostics` what is said about them. A new file is a new case;
//! `STXL_BLESS=1` writes what is said. `stxl.toml` may be left out when it would only name stages.
#![cfg(feature = "eval")]

#[path = "diagnostics/render.rs"]
mod render;
#[path = "diagnostics/workspace.rs"]
mod workspace;

use std::path::{Path, PathBuf};

use stxl_lang::render::{Style, render};
use workspace::Workspace;

/// What separates the files of a case.
const MARK: &str = "--- ";
/// The name of the section with the expectation.
const EXPECTED: &str = "diagnostics";

/// The files of a case and where its expectation begins.
fn read_case(text: &str) -> (Workspace, usize) {
    let mut workspace = Workspace::default();
    let mut name: Option<&str> = None;
    let mut content = String::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        offset += line.len();
        let section = line.trim_end().strip_prefix(MARK);
        if section.is_none() {
            content.push_str(line);
            continue;
        }
        let content = std::mem::take(&mut content);
        if let Some(name) = name {
            workspace.add(name, &content);
        }
        if section == Some(EXPECTED) {
            return (workspace, offset);
        }
        name = section;
    }
    panic!("a case has a section `{MARK}{EXPECTED}`");
}

/// Whether a case says what it has to, or how it differs.
fn check(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).unwrap();
    let (workspace, expected_at) = read_case(&text);
    let found = render(&workspace.diagnostics(), &workspace, Style::Plain);
    let (head, expected) = text.split_at(expected_at);
    let found = found.trim_end();
    if expected.trim_end() == found {
        return Ok(());
    }
    if stxl_tests::is_blessing() {
        std::fs::write(path, format!("{head}{found}\n")).unwrap();
        return Ok(());
    }
    let name = path.display();
    Err(format!("{name}\n--- expected\n{expected}\n--- found\n{found}\n"))
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/diagnostics");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_case_is_said_as_expected() {
    let cases = cases();
    assert!(cases.len() >= 50, "only {} cases are left", cases.len());
    let is_case = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "case");
    let stray: Vec<_> = cases.iter().filter(|path| !is_case(path)).collect();
    assert!(stray.is_empty(), "no test reads {stray:?}");
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_says_something_and_what_to_do() {
    for case in cases() {
        let text = std::fs::read_to_string(&case).unwrap();
        let (workspace, _) = read_case(&text);
        let name = case.display();
        let diagnostics = workspace.diagnostics();
        assert!(!diagnostics.is_empty(), "{name} says nothing");
        for diagnostic in diagnostics {
            let message = &diagnostic.message;
            let first = message.chars().next().unwrap_or(' ');
            assert!(!first.is_lowercase(), "{name}: `{message}` begins with a capital");
            assert!(!message.ends_with('.'), "{name}: `{message}` has no final stop");
            assert!(
                !(diagnostic.hints.is_empty() && diagnostic.notes.is_empty()),
                "{name}: `{message}` does not say what to do"
            );
        }
    }
}
