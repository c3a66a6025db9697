//! Refuses test data that no test reads.
//!
//! The convention of the runners: a folder directly below `tests/cases` or `tests/golden` belongs
//! to the test whose source names it as `"cases/NAME"` or `"golden/NAME"` (or as the argument
//! `"NAME"` or `"NAME/…"` of a function that adds the first part), and that test collects every
//! file in it. Inside such a folder an expectation lies beside its case, with the same stem.
//! A source below a test's own folder is a module of some test.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tracked::TrackedFile;

/// Endings of files that hold what is expected of the case beside them.
const EXPECTATIONS: [&str; 3] = ["expected", "stdout", "stderr"];

/// Checks every file below `tests/cases` and `tests/golden`, and the modules of tests.
pub(crate) fn check(files: &[TrackedFile]) -> Vec<Finding> {
    let sources: Vec<&str> = files
        .iter()
        .filter(|file| file.path.starts_with("tests/") && !file.is_case_data())
        .filter_map(TrackedFile::rust_source)
        .collect();
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut findings = forgotten_modules(&sources, &paths);
    for path in &paths {
        let Some(below) = path.strip_prefix("tests/") else {
            continue;
        };
        let mut parts = below.splitn(3, '/');
        let (Some(area @ ("cases" | "golden")), Some(name)) = (parts.next(), parts.next()) else {
            continue;
        };
        if !is_named(&sources, area, name) {
            findings.push(Finding::error(
                path,
                1,
                format!("no test reads tests/{area}/{name}"),
            ));
        } else if let Some(case) = missing_case(path, &paths) {
            findings.push(Finding::error(
                path,
                1,
                format!("expects something of no case: {case}"),
            ));
        }
    }
    findings
}

/// Finds sources that cargo does not see as tests and no test declares as a module.
fn forgotten_modules(sources: &[&str], paths: &BTreeSet<&str>) -> Vec<Finding> {
    let is_forgotten = |path: &&&str| {
        let stem = path
            .strip_prefix("tests/tests/")
            .and_then(|path| path.strip_suffix(".rs"));
        let Some((_, stem)) = stem.and_then(|stem| stem.rsplit_once('/')) else {
            return false;
        };
        let declaration = format!("mod {stem};");
        stem != "main" && !sources.iter().any(|source| source.contains(&declaration))
    };
    let message = "no test declares this module, so it never runs";
    paths
        .iter()
        .filter(is_forgotten)
        .map(|path| Finding::error(path, 1, message))
        .collect()
}

fn is_named(sources: &[&str], area: &str, name: &str) -> bool {
    let quoted = [
        format!("\"{area}/{name}"),
        format!("\"{name}\""),
        format!("\"{name}/"),
    ];
    sources
        .iter()
        .any(|source| quoted.iter().any(|text| source.contains(text.as_str())))
}

/// Returns the case that an expectation speaks of when it is not there.
fn missing_case<'a>(path: &'a str, paths: &BTreeSet<&str>) -> Option<&'a str> {
    let (stem, ending) = path.rsplit_once('.')?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if !EXPECTATIONS.contains(&ending) {
        return None;
    }
    let has_case = paths.iter().any(|other| {
        let is_beside = other
            .strip_prefix(stem)
            .is_some_and(|rest| rest.starts_with(['.', '/']));
        is_beside
            && !EXPECTATIONS
                .iter()
                .any(|ending| other.ends_with(&format!(".{ending}")))
    });
    // A case may be a folder that holds its expectations under fixed names.
    let is_folder_case = paths.iter().any(|other| {
        other
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
            && !EXPECTATIONS
                .iter()
                .any(|ending| other.ends_with(&format!(".{ending}")))
    });
    (!has_case && !is_folder_case).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tracked::TrackedFile;

    fn orphans(paths: &[&str]) -> Vec<String> {
        let mut files = vec![TrackedFile::plain(
            "tests/tests/a.rs",
            "run(\"cases/read\"); golden(\"g/v.txt\");",
        )];
        files.extend(paths.iter().map(|path| TrackedFile::plain(path, "")));
        check(&files)
            .into_iter()
            .map(|finding| finding.path)
            .collect()
    }

    #[test]
    fn a_folder_without_a_reader_is_found() {
        assert_eq!(
            orphans(&["tests/cases/read/a.rhai", "tests/golden/g/v.txt"]),
            Vec::<String>::new()
        );
        assert_eq!(
            orphans(&["tests/cases/lost/a.rhai"]),
            ["tests/cases/lost/a.rhai"]
        );
        assert_eq!(orphans(&["tests/cases/a.rhai"]), ["tests/cases/a.rhai"]);
    }

    #[test]
    fn a_module_of_no_test_is_found() {
        let declared = TrackedFile::plain("tests/tests/a.rs", "mod kept;\n");
        let paths = ["tests/tests/a/kept.rs", "tests/tests/a/lost.rs"];
        let mut files = vec![declared];
        files.extend(paths.map(|path| TrackedFile::plain(path, "")));
        let found: Vec<String> = check(&files)
            .into_iter()
            .map(|finding| finding.path)
            .collect();
        assert_eq!(found, ["tests/tests/a/lost.rs"]);
    }

    #[test]
    fn an_expectation_without_its_case_is_found() {
        let gone = "tests/cases/read/b.expected";
        assert_eq!(orphans(&[gone]), [gone]);
        assert_eq!(
            orphans(&[gone, "tests/cases/read/b.rhai"]),
            Vec::<String>::new()
        );
    }
}
