//! Keeps the number of suppressed lints and unsafe blocks from growing unnoticed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::rust_text::RustText;
use super::tracked::TrackedFile;

/// The committed counts, relative to the workspace.
const FILE: &str = "crates/xtask/suppressions.toml";

const HEAD: &str = "\
# Suppressed lints (`expect` attributes) and unsafe blocks of each package.
# A number that grows fails `cargo xtask tidy`; `STXL_BLESS=1 cargo xtask tidy` writes this file.
";

/// What is counted in one package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    expect: usize,
    #[serde(rename = "unsafe")]
    unsafe_blocks: usize,
}

type Ledger = BTreeMap<String, Counts>;

/// Compares the counts of all packages with the committed ones.
pub(crate) fn check(files: &[TrackedFile], root: &Path) -> anyhow::Result<Vec<Finding>> {
    let text = std::fs::read_to_string(root.join(FILE)).unwrap_or_default();
    let committed: Ledger = toml::from_str(&text).with_context(|| format!("in {FILE}"))?;
    Ok(compare(&committed, &count(files)))
}

/// Writes the present counts to the committed file.
pub(crate) fn bless(files: &[TrackedFile], root: &Path) -> anyhow::Result<()> {
    let body = toml::to_string(&count(files)).context("counts as TOML")?;
    std::fs::write(root.join(FILE), format!("{HEAD}\n{body}"))
        .with_context(|| format!("could not write {FILE}"))
}

fn count(files: &[TrackedFile]) -> Ledger {
    let mut ledger = Ledger::new();
    for file in files.iter().filter(|file| !file.is_case_data()) {
        let Some(source) = file.rust_source() else {
            continue;
        };
        let code = RustText::new(source).code();
        let counts = ledger.entry(package_of(&file.path)).or_default();
        counts.expect += code
            .match_indices("expect(")
            .filter(|(at, _)| starts_attribute(&code[..*at]))
            .count();
        counts.unsafe_blocks += code.matches("unsafe {").count();
    }
    ledger
}

/// Returns whether `expect(` after this text is an attribute rather than a method or function.
fn starts_attribute(before: &str) -> bool {
    let before = before.trim_end();
    before.ends_with("#[") || before.ends_with("#![") || {
        let line = before.rsplit('\n').next().unwrap_or(before).trim_start();
        line.starts_with("#[cfg_attr(") && before.ends_with(',')
    }
}

/// Returns the folder of the package that a file belongs to.
fn package_of(path: &str) -> String {
    let depth = if path.starts_with("crates/") { 2 } else { 1 };
    path.split('/').take(depth).collect::<Vec<_>>().join("/")
}

fn compare(committed: &Ledger, present: &Ledger) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, counts) in present {
        let limit = committed.get(package).copied().unwrap_or_default();
        for (what, now, limit) in [
            ("suppressed lints", counts.expect, limit.expect),
            ("unsafe blocks", counts.unsafe_blocks, limit.unsafe_blocks),
        ] {
            if now > limit {
                let message = format!("{package} has {now} {what}, {limit} are recorded");
                findings.push(Finding::error(FILE, 1, message));
            } else if now < limit {
                let message =
                    format!("{package} has only {now} {what}, {limit} are recorded: lower it");
                findings.push(Finding::warning(FILE, 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Counts, Ledger, compare, count};
    use crate::tidy::finding::Weight;
    use crate::tidy::tracked::TrackedFile;

    const NONE: [Weight; 0] = [];

    fn ledger(expect: usize) -> Ledger {
        Ledger::from([(
            "crates/a".to_owned(),
            Counts {
                expect,
                unsafe_blocks: 1,
            },
        )])
    }

    #[test]
    fn attributes_and_blocks_are_counted_and_methods_are_not() {
        let source = "//! #[expect(x)]\n#![expect(x)]\n#[expect(y, reason = \"expect(\")]\n\
            #[cfg_attr(test, expect(z))]\na.expect(\"b\"); unsafe { f() }\n";
        let files = [TrackedFile::plain("crates/a/src/lib.rs", source)];
        assert_eq!(
            count(&files),
            Ledger::from([(
                "crates/a".to_owned(),
                Counts {
                    expect: 3,
                    unsafe_blocks: 1
                },
            )])
        );
    }

    #[test]
    fn more_fails_and_less_warns() {
        let weights = |committed, present| {
            compare(&ledger(committed), &ledger(present))
                .into_iter()
                .map(|finding| finding.weight)
                .collect::<Vec<_>>()
        };
        assert_eq!(weights(2, 3), [Weight::Error]);
        assert_eq!(weights(2, 2), NONE);
        assert_eq!(weights(2, 1), [Weight::Warning]);
        assert_eq!(compare(&Ledger::new(), &ledger(1)).len(), 2);
    }
}
