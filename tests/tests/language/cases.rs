//! Files in `cases/`: a small workspace and what the language says to it.
//!
//! A case is a list of files, each below a line `--- path`, then a line `=== label` and all that is
//! said: the diagnostics, or the steps of the outputs. `STXL_BLESS=1` writes what is said.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use stxl_model::Platform;

use crate::steps::shown;
use crate::world::World;

/// A hash that no case looks at.
const HASH: &str = "sha256:9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23";

struct Case {
    files: Vec<(String, String)>,
    label: String,
    expected: String,
}

#[test]
fn every_case_is_answered_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language/cases");
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(
        paths.len() >= 60,
        "cases are missing: {} in {}",
        paths.len(),
        folder.display()
    );
    let mut wrong = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let case = parse(&text).unwrap_or_else(|| panic!("{} is not a case", path.display()));
        let said = answer(&case);
        if said.trim() == case.expected.trim() {
            continue;
        }
        if std::env::var_os("STXL_BLESS").is_some() {
            let (files, _) = text.split_once("\n=== ").unwrap();
            fs::write(
                &path,
                format!("{files}\n=== {}\n{}\n", case.label, said.trim()),
            )
            .unwrap();
        }
        writeln!(
            wrong,
            "{}\nexpected\n{}\nfound\n{said}\n",
            path.display(),
            case.expected
        )
        .unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn parse(text: &str) -> Option<Case> {
    let (files, expectation) = text.split_once("\n=== ")?;
    let (label, expected) = expectation.split_once('\n')?;
    let files = files.strip_prefix("--- ")?.split("\n--- ");
    let file = |file: &str| {
        let (path, text) = file.split_once('\n').unwrap_or((file, ""));
        let text = text
            .replace("HASH", HASH)
            .replace("\\r\n", "\r\n")
            .replace("\\t", "\t");
        (path.to_owned(), text)
    };
    Some(Case {
        files: files.map(file).collect(),
        label: label.to_owned(),
        expected: expected.to_owned(),
    })
}

fn answer(case: &Case) -> String {
    let files: Vec<_> = case
        .files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let world = World::new(&files);
    let (label, target) = match case.label.strip_suffix(" on i686") {
        Some(label) => (label, Platform::I686),
        None => (case.label.as_str(), Platform::X86_64),
    };
    let expanded = match world.expand_for(label, target, &[]) {
        Ok(expanded) => expanded,
        Err(wrong) => return world.shown(&wrong),
    };
    let mut said = String::new();
    for (name, output) in &expanded.outputs {
        writeln!(said, "{}\n  {}", name.as_str(), shown(output).join("\n  ")).unwrap();
    }
    for (name, output) in &expanded.tests {
        writeln!(said, "test {name}\n  {}", shown(output).join("\n  ")).unwrap();
    }
    if !expanded.used_target {
        said.push_str("for all platforms\n");
    }
    said
}
