//! Refuses edges between packages that the architecture does not have.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

use super::finding::Finding;
use crate::workspace;

/// What each package of the workspace may use of ours; `None` is everything.
const EDGES: [(&str, Option<&[&str]>); 11] = [
    ("stxl-model", Some(&[])),
    ("stxl-lang", Some(&["stxl-model"])),
    ("stxl-eval", Some(&["stxl-model", "stxl-lang"])),
    ("stxl-store", Some(&["stxl-model"])),
    ("stxl-sandbox", Some(&[])),
    ("stxl-fetch", Some(&["stxl-model"])),
    (
        "stxl-build",
        Some(&["stxl-model", "stxl-store", "stxl-sandbox", "stxl-fetch"]),
    ),
    ("stxl-cli", None),
    ("xtask", Some(&[])),
    ("stxl-tests", None),
    ("stxl-benches", None),
];

/// Heavy or dangerous dependencies and the only packages that may name them.
const OWNERS: [(&str, &[&str]); 14] = [
    ("rhai", &["stxl-lang"]),
    ("codespan-reporting", &["stxl-lang"]),
    ("salsa", &["stxl-eval"]),
    ("ignore", &["stxl-model"]),
    ("rusqlite", &["stxl-store"]),
    ("libc", &["stxl-sandbox"]),
    ("seccompiler", &["stxl-eval"]),
    ("landlock", &["stxl-eval", "stxl-fetch"]),
    ("ureq", &["stxl-fetch"]),
    ("rustls", &["stxl-fetch", "stxl-tests"]),
    ("url", &["stxl-fetch"]),
    ("clap", &["stxl-cli", "stxl-benches"]),
    ("clap_complete", &["stxl-cli"]),
    ("indicatif", &["stxl-cli", "stxl-benches"]),
];

/// A package as `cargo metadata` describes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Package {
    /// Returns the path of the manifest relative to the workspace.
    pub(crate) fn manifest(&self) -> String {
        let root = format!("{}/", workspace::root().display());
        self.manifest_path
            .strip_prefix(&root)
            .unwrap_or(&self.manifest_path)
            .to_owned()
    }
}

/// Asks cargo for the packages of the workspace.
pub(crate) fn packages() -> anyhow::Result<Vec<Package>> {
    let text = workspace::metadata()?;
    let metadata: Metadata = serde_json::from_slice(&text).context("`cargo metadata`")?;
    Ok(metadata.packages)
}

/// Checks all declared dependencies, those for tests and build scripts too.
pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    let edges: BTreeMap<_, _> = EDGES.into_iter().collect();
    let owners: BTreeMap<_, _> = OWNERS.into_iter().collect();
    let mut findings = Vec::new();
    for package in packages {
        let path = package.manifest();
        let name = package.name.as_str();
        let mut complain = |message: String| findings.push(Finding::error(&path, 1, message));
        let Some(allowed) = edges.get(name) else {
            complain(format!("`{name}` is not in the table of layers"));
            continue;
        };
        for dependency in &package.dependencies {
            let dependency = dependency.name.as_str();
            let is_ours = edges.contains_key(dependency);
            if is_ours && allowed.is_some_and(|allowed| !allowed.contains(&dependency)) {
                complain(format!("`{name}` may not use `{dependency}`"));
            }
            if let Some(owners) = owners.get(dependency)
                && !owners.contains(&name)
            {
                let owners = owners.join("`, `");
                complain(format!(
                    "`{dependency}` belongs to `{owners}`, not to `{name}`"
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Dependency, Package, check, packages};

    fn messages(name: &str, dependencies: &[&str]) -> Vec<String> {
        let package = Package {
            name: name.to_owned(),
            manifest_path: "Cargo.toml".to_owned(),
            dependencies: dependencies
                .iter()
                .map(|name| Dependency {
                    name: (*name).to_owned(),
                })
                .collect(),
        };
        check(&[package])
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn an_edge_against_the_direction_is_found() {
        assert_eq!(
            messages("stxl-lang", &["stxl-model", "rhai"]),
            Vec::<String>::new()
        );
        assert_eq!(
            messages("stxl-model", &["stxl-lang"]),
            ["`stxl-model` may not use `stxl-lang`"]
        );
        assert_eq!(
            messages("stxl-new", &[]),
            ["`stxl-new` is not in the table of layers"]
        );
    }

    #[test]
    fn a_dependency_outside_its_owner_is_found() {
        assert_eq!(
            messages("stxl-build", &["libc"]),
            ["`libc` belongs to `stxl-sandbox`, not to `stxl-build`"]
        );
    }

    #[test]
    fn cargo_tells_the_packages_of_this_workspace() {
        let packages = packages().unwrap();
        assert!(
            packages
                .iter()
                .any(|package| package.manifest() == "crates/xtask/Cargo.toml")
        );
    }
}
