//! What people are told about mistakes: each case is a small workspace and its diagnostics.
//!
//! A case is one file in `cases/diagnostics/`: a sentence, the files of the workspace, each after a
//! line `--- path`, and after `--- diagnostics` what is said about them. A new file is a new case;
//! `STXL_BLESS=1` writes what is said. `stxl.toml` may be left out when it would only name stages.

#[path = "diagnostics/render.rs"]
mod render;
#[path = "diagnostics/workspace.rs"]
mod workspace;

use std::path::{Path, PathBuf};

use stxl_lang::Diagnostic;
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

/// Whether a case says what it has to, and says it well, or what is wrong.
fn check(path: &Path) -> Result<(), String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).unwrap();
    let (workspace, expected_at) = read_case(&text);
    let diagnostics = workspace.diagnostics();
    for diagnostic in &diagnostics {
        reads_well(diagnostic).map_err(|fault| format!("{name}: {fault}"))?;
    }
    let found = render(&diagnostics, &workspace, Style::Plain);
    let found = found.trim_end();
    if found.is_empty() {
        return Err(format!("{name} says nothing"));
    }
    let (head, expected) = text.split_at(expected_at);
    if expected.trim_end() == found {
        return Ok(());
    }
    if stxl_tests::is_blessing() {
        std::fs::write(path, format!("{head}{found}\n")).unwrap();
        return Ok(());
    }
    Err(format!(
        "{name}\n--- expected\n{expected}\n--- found\n{found}\n"
    ))
}

/// What is wrong comes first, as a sentence, then what to do.
fn reads_well(diagnostic: &Diagnostic) -> Result<(), String> {
    let message = &diagnostic.message;
    if message.starts_with(char::is_lowercase) || message.ends_with('.') {
        return Err(format!(
            "`{message}` begins with a capital and has no final stop"
        ));
    }
    if diagnostic.primary.is_none() {
        return Err(format!("`{message}` says no place"));
    }
    if diagnostic.hints.is_empty() {
        return Err(format!("`{message}` does not say what to do"));
    }
    Ok(())
}

fn cases() -> Vec<PathBuf> {
    let folder = stxl_tests::package_folder().join("cases/diagnostics");
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
    let is_case = |path: &&PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "case")
    };
    let stray: Vec<_> = cases.iter().filter(|path| !is_case(path)).collect();
    assert!(stray.is_empty(), "no test reads {stray:?}");
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_that_a_case_shows_is_documented() {
    let document = stxl_tests::package_folder().join("../lang/DIAGNOSTICS.md");
    let document = std::fs::read_to_string(document).unwrap();
    for case in cases() {
        let text = std::fs::read_to_string(&case).unwrap();
        for line in text.lines() {
            let head = line
                .strip_prefix("error[")
                .or(line.strip_prefix("warning["));
            let Some((id, _)) = head.and_then(|head| head.split_once("]: ")) else {
                continue;
            };
            let row = format!("| `{id}` |");
            assert!(document.contains(&row), "{}: no row {row}", case.display());
        }
    }
}
