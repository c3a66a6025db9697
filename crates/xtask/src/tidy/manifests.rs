//! Refuses members without lints, and versions outside the root manifest.

use toml::{Table, Value};

use super::finding::Finding;
use super::tracked::TrackedFile;

/// Packages with a lint table of their own: tests may unwrap, print and panic.
const OWN_LINTS: [&str; 2] = ["tests/Cargo.toml", "benches/Cargo.toml"];

/// Tables of dependencies in a member's manifest.
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks the manifest of every member.
pub(crate) fn check(files: &[TrackedFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let is_member = file.path.ends_with("/Cargo.toml") && !file.is_case_data();
        let Some(text) = file.text.as_deref().filter(|_| is_member) else {
            continue;
        };
        match toml::from_str::<Table>(text) {
            Ok(manifest) => check_one(&file.path, text, &manifest, &mut findings),
            Err(error) => findings.push(Finding::error(&file.path, 1, error.message())),
        }
    }
    findings
}

fn check_one(path: &str, text: &str, manifest: &Table, findings: &mut Vec<Finding>) {
    let lints = manifest.get("lints").and_then(Value::as_table);
    let inherits = lints.and_then(|lints| lints.get("workspace")) == Some(&Value::Boolean(true));
    let has_own = OWN_LINTS.contains(&path) && lints.is_some();
    if !inherits && !has_own {
        findings.push(Finding::error(
            path,
            1,
            "add `[lints]` with `workspace = true`",
        ));
    }
    for dependencies in dependency_tables(manifest) {
        for (name, value) in dependencies {
            let is_inherited = value
                .get("workspace")
                .and_then(Value::as_bool)
                .unwrap_or_default();
            if !is_inherited {
                let message = format!(
                    "`{name}`: versions and paths stand in the root manifest; write \
                     `{name}.workspace = true`"
                );
                findings.push(Finding::error(path, line_of(text, name), message));
            }
        }
    }
}

fn dependency_tables(manifest: &Table) -> Vec<&Table> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let for_targets = targets
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(for_targets)
        .flat_map(|table| {
            DEPENDENCIES
                .iter()
                .filter_map(|name| table.get(*name)?.as_table())
        })
        .collect()
}

fn line_of(text: &str, name: &str) -> usize {
    text.lines()
        .position(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '.', '=']))
        })
        .map_or(1, |index| index + 1)
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
    fn a_member_without_the_lints_is_found() {
        assert_eq!(
            lines("lang/Cargo.toml", "[lints]\nworkspace = true\n"),
            NONE
        );
        assert_eq!(lines("lang/Cargo.toml", "[package]\n"), [1]);
        assert_eq!(
            lines("lang/Cargo.toml", "[lints.rust]\nunsafe_code = \"deny\"\n"),
            [1]
        );
        assert_eq!(
            lines("tests/Cargo.toml", "[lints.rust]\nunsafe_code = \"deny\"\n"),
            NONE
        );
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let text = "[lints]\nworkspace = true\n[dependencies]\na.workspace = true\nb = \"1\"\n\
            [dev-dependencies]\nc = { path = \"../c\" }\n\
            [target.'cfg(unix)'.dependencies]\nd = \"1\"\n";
        assert_eq!(lines("lang/Cargo.toml", text), [5, 7, 9]);
    }
}
