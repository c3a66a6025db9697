//! Where values come from: each case is a small workspace, questions, and what is answered.
//!
//! A case is one file in `cases/origin/`: a sentence, the files of the workspace, each after a line
//! `--- path`, questions after `--- ask`, and after `--- origin` the answers. A new file is a new
//! case; `STXL_BLESS=1` writes the answers. `stxl.toml` may be left out.

use std::path::Path;

use stxl_eval::{Explained, explain_in_child};
use stxl_model::Selector;

use crate::hostile::{child_request, program, workspace};
use crate::world::shown;

/// What separates the sections of a case.
const MARK: &str = "--- ";

/// The sections of a case by name, and where the answers begin.
fn read_case(text: &str) -> (Vec<(&str, &str)>, usize) {
    let mut sections = Vec::new();
    let mut begin = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.trim_end().strip_prefix(MARK) {
            if let Some((name, begin)) = begin {
                sections.push((name, &text[begin..offset]));
            }
            begin = Some((name, offset + line.len()));
        }
        offset += line.len();
    }
    let Some(("origin", begin)) = begin else {
        panic!("a case ends in a section `{MARK}origin`");
    };
    (sections, begin)
}

fn answer(folder: &Path, question: &str) -> String {
    let (label, field) = question.split_once(' ').expect("a label and a field");
    let mut request = child_request(folder);
    request.evaluation.selectors = vec![Selector::parse(label).unwrap()];
    let Explained { evaluation, origin } = explain_in_child(&program(), &request, field).unwrap();
    match origin {
        Some(Ok(provenance)) => provenance.to_string(),
        Some(Err(refused)) => format!("{field} of {label}: {refused}\n"),
        None => panic!("{}", shown(&evaluation.diagnostics)),
    }
}

fn check(path: &Path) -> Result<(), String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).unwrap();
    let (sections, answers_at) = read_case(&text);
    let files: Vec<(&str, &str)> = sections
        .iter()
        .copied()
        .filter(|(name, _)| *name != "ask")
        .collect();
    let folder = workspace(&files);
    let asked = sections.iter().find(|(name, _)| *name == "ask");
    let (_, questions) = asked.unwrap_or_else(|| panic!("{name} asks nothing"));
    let answers: Vec<String> = questions
        .lines()
        .map(|question| answer(folder.path(), question))
        .collect();
    let found = answers.join("\n");
    let (head, expected) = text.split_at(answers_at);
    if expected == found {
        return Ok(());
    }
    if stxl_tests::is_blessing() {
        std::fs::write(path, format!("{head}{found}")).unwrap();
        return Ok(());
    }
    Err(format!(
        "{name}\n--- expected\n{expected}\n--- found\n{found}\n"
    ))
}

#[test]
fn values_are_followed_to_their_text() {
    let folder = stxl_tests::package_folder().join("cases/origin");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 7, "{cases:?}");
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
