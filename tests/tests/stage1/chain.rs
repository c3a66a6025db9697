//! Builds of this repository, and of a copy of it that starts from another tcc0, in one store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use stxl_model::Sha256;
use stxl_tests::{copy, repository};
use tempfile::TempDir;

/// The files of each rung's main output, by path.
pub(crate) type Digests = BTreeMap<String, BTreeMap<String, String>>;

/// The definition of tcc0 in a copy of this repository.
const TCC0: &str = "stages/stage1/tcc0";

/// How a definition goes on behind its head when its result is the source that is compiled.
const SOURCE_ONLY: &str = r#"fn build(p) {
    let prepared = root()
        .unpack(p.source, "/tcc", 0)
        .cd("/tcc")
        .patch(p.patches)
        .put(file("config.h"), "/tcc/config.h")
        .put(file("unit.c"), "/tcc/unit.c");
    #{ main: prepared.out("/tcc") }
}
"#;

/// The same when its result is a program that lies next to it.
const GIVEN_PROGRAM: &str = r#"fn build(p) {
    #{ main: root().put(file("tcc"), "/out/bin/tcc", "exec").out("/out") }
}
"#;

/// A store in which the chain is built, and its results as files.
pub(crate) struct Chain {
    directory: TempDir,
    built: Built,
}

/// What a build made.
pub(crate) struct Built {
    summary: Value,
}

/// Reads `digests.toml` of the stage.
pub(crate) fn read_digests() -> Digests {
    let file = repository().join("stages/stage1/digests.toml");
    let text = fs::read_to_string(file).expect("digests.toml is there");
    toml::from_str(&text).expect("digests.toml has tables of digests")
}

impl Chain {
    /// Builds the rungs from the seed to busybox; every step runs, as the store is empty.
    pub(crate) fn climb() -> Result<Self, String> {
        let directory = tempfile::Builder::new()
            .prefix("stage1-")
            .tempdir()
            .expect("a directory");
        let labels = ["stage1/tcc0", "stage1/tcc", "stage1/busybox"];
        let results = directory.path().join("results");
        let built = build(directory.path(), &repository(), &labels, &results)?;
        let (ran, total) = (&built.summary["ran"], &built.summary["total"]);
        if ran != total || ran.as_u64().is_none_or(|ran| ran == 0) {
            return Err(format!("{ran} of {total} steps ran in an empty store"));
        }
        Ok(Self { directory, built })
    }

    /// A file of a rung's main output.
    pub(crate) fn file(&self, rung: &str, path: &str) -> Vec<u8> {
        let results = self.directory.path().join("results/stage1");
        let file = results.join(rung).join(path);
        fs::read(&file).unwrap_or_else(|error| panic!("`{path}` of {rung}: {error}"))
    }

    /// The digest of such a file.
    pub(crate) fn digest(&self, rung: &str, path: &str) -> String {
        Sha256::of(&self.file(rung, path)).to_string()
    }

    /// The tree of an output.
    pub(crate) fn tree(&self, label: &str, output: &str) -> String {
        self.built.tree(label, output)
    }

    /// The source of tcc0 as the chain compiles it, in a directory.
    pub(crate) fn source_of_tcc0(&self) -> Result<PathBuf, String> {
        let workspace = self.copy("source", SOURCE_ONLY);
        let source = self.directory.path().join("source-of-tcc0");
        build(self.directory.path(), &workspace, &["stage1/tcc0"], &source)?;
        Ok(source)
    }

    /// Builds `stage1/tcc` with another tcc0 than the chain's.
    pub(crate) fn with_tcc0(&self, program: &[u8]) -> Result<Built, String> {
        let workspace = self.copy("foreign", GIVEN_PROGRAM);
        fs::write(workspace.join(TCC0).join("tcc"), program).expect("the copy is ours");
        let results = self.directory.path().join("foreign-results");
        let built = build(self.directory.path(), &workspace, &["stage1/tcc"], &results)?;
        match built.summary["ran"].as_u64() {
            Some(ran) if ran > 0 => Ok(built),
            _ => Err("the other tcc0 was not used: no step ran".to_owned()),
        }
    }

    /// A copy of both stages in which tcc0 is built otherwise.
    fn copy(&self, name: &str, build: &str) -> PathBuf {
        let (from, to) = (repository(), self.directory.path().join(name));
        for part in ["stxl.toml", "stages/stage0", "stages/stage1"] {
            copy(&from.join(part), &to.join(part));
        }
        let definition = to.join(TCC0).join("package.rhai");
        let text = fs::read_to_string(&definition).expect("tcc0 has a definition");
        let (head, _) = text
            .split_once("fn build(p) {")
            .expect("the definition of tcc0 has a head and a function");
        fs::write(definition, format!("{head}{build}")).expect("the copy is ours");
        to
    }
}

impl Built {
    /// The tree of an output that was asked for.
    pub(crate) fn tree(&self, label: &str, output: &str) -> String {
        let outputs = self.summary["outputs"].as_array().expect("a list");
        let found = outputs
            .iter()
            .find(|entry| entry["label"] == label && entry["output"] == output)
            .unwrap_or_else(|| panic!("{label} has no output {output}: {outputs:?}"));
        found["tree"].as_str().expect("a tree has an id").to_owned()
    }
}

/// Builds packages of a workspace in the store of a directory; the results become files.
fn build(
    directory: &Path,
    workspace: &Path,
    labels: &[&str],
    results: &Path,
) -> Result<Built, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stxl-under-test"));
    command
        .args(["build", "--json", "-C"])
        .arg(workspace)
        .arg("--out")
        .arg(results)
        .args(labels)
        .env("STXL_STORE", directory.join("store"))
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .env("XDG_STATE_HOME", directory.join("state"));
    if let Some(sources) = std::env::var_os("STXL_SOURCE_DIR") {
        command.arg("--source-dir").arg(sources);
    }
    let output = command.output().expect("the program under test starts");
    let events = String::from_utf8_lossy(&output.stdout);
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    let summary: Value = events
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| format!("`build {}` has no summary: {}", labels.join(" "), said()))?;
    if let Some(failed) = summary["failed"].get(0) {
        let text = |key: &str| failed[key].as_str().unwrap_or_default();
        let reason = match text("reason") {
            "fetch" => {
                "a source cannot be had: this needs the network, a mirror or STXL_SOURCE_DIR; "
            }
            _ => "",
        };
        return Err(format!("{reason}{}: {}", text("name"), text("message")));
    }
    if !output.status.success() || summary["outcome"] != "ok" {
        return Err(format!("`build {}` failed: {}", labels.join(" "), said()));
    }
    Ok(Built { summary })
}
