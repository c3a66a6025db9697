//! The climb: the program under test builds the stage, and every file of every rung is compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use stxl_model::{Node, Sha256, TreeId};
use stxl_store::{Store, StoreError};

/// The files of each rung's main output, by path from the root of the output.
pub(crate) type Digests = BTreeMap<String, BTreeMap<String, String>>;

/// Reads `digests.toml`.
pub(crate) fn read_digests(stage: &Path) -> Digests {
    let text = std::fs::read_to_string(stage.join("digests.toml")).expect("digests.toml is there");
    let digests: Digests = toml::from_str(&text).expect("digests.toml has tables of digests");
    assert!(!digests.is_empty(), "digests.toml names no rung");
    digests
}

/// Builds the whole stage into a new store and returns the main output of each rung.
pub(crate) fn climb(workspace: &Path, store: &Path) -> Result<BTreeMap<String, TreeId>, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stxl-under-test"));
    command
        .args(["build", "stage0", "--json", "--store"])
        .arg(store)
        .arg("-C")
        .arg(workspace);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("the program under test does not start: {error}"))?;
    let events = String::from_utf8_lossy(&output.stdout);
    let broken = |what: &str| format!("`build stage0` {what}; it said:\n{events}");
    if !output.status.success() {
        return Err(broken(&format!("ended with {}", output.status)));
    }
    let summary: Value = events
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| broken("has no summary"))?;
    if summary["event"] != "summary" || summary["outcome"] != "ok" {
        return Err(broken("did not end well"));
    }
    if summary["ran"] != summary["total"] || summary["ran"].as_u64().is_none_or(|ran| ran == 0) {
        return Err(broken("did not run every step in an empty store"));
    }
    main_outputs(&summary).ok_or_else(|| broken("has outputs of another form"))
}

fn main_outputs(summary: &Value) -> Option<BTreeMap<String, TreeId>> {
    let mut trees = BTreeMap::new();
    for output in summary["outputs"].as_array()? {
        if output["output"].as_str()? == "main" {
            let rung = output["label"].as_str()?.strip_prefix("stage0/")?;
            let tree = TreeId::parse(output["tree"].as_str()?).ok()?;
            trees.insert(rung.to_owned(), tree);
        }
    }
    Some(trees)
}

/// Compares every file of every rung, and returns what is wrong.
pub(crate) fn compare(
    store: &Store,
    trees: &BTreeMap<String, TreeId>,
    expected: &Digests,
) -> Vec<String> {
    let mut problems = Vec::new();
    for rung in expected.keys().filter(|rung| !trees.contains_key(*rung)) {
        problems.push(format!(
            "digests.toml names {rung}, which `build stage0` does not make"
        ));
    }
    for (rung, tree) in trees {
        let mut found = BTreeMap::new();
        if let Err(error) = add_files(store, tree, "", &mut found) {
            problems.push(format!("{rung}: its tree cannot be read: {error}"));
            continue;
        }
        let nothing = BTreeMap::new();
        let expected = expected.get(rung).unwrap_or(&nothing);
        for (path, digest) in &found {
            match expected.get(path) {
                Some(expected) if *digest == format!("sha256:{expected}") => {}
                Some(expected) => problems.push(format!(
                    "{rung}: `{path}` is {digest}, digests.toml has sha256:{expected}"
                )),
                None => problems.push(format!("{rung}: `{path}` is not in digests.toml: {digest}")),
            }
        }
        for path in expected.keys().filter(|path| !found.contains_key(*path)) {
            problems.push(format!("{rung}: `{path}` of digests.toml was not made"));
        }
    }
    problems
}

/// Adds what is in a tree: files with their digests, symlinks with their targets.
fn add_files(
    store: &Store,
    tree: &TreeId,
    above: &str,
    found: &mut BTreeMap<String, String>,
) -> Result<(), StoreError> {
    for entry in store.directory(tree)?.entries() {
        let path = format!("{above}{}", String::from_utf8_lossy(&entry.name));
        match &entry.node {
            Node::Directory { tree } => add_files(store, tree, &format!("{path}/"), found)?,
            Node::File { blob, .. } => {
                found.insert(path, Sha256::of(&store.read_blob(blob)?).to_string());
            }
            Node::Symlink { target } => {
                found.insert(
                    path,
                    format!("a symlink to {}", String::from_utf8_lossy(target)),
                );
            }
        }
    }
    Ok(())
}
