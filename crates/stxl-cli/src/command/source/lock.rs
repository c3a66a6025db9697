//! `stxl source lock`: the lock file that a source holds, beside the definition that reads it.

use std::path::Path;

use stxl_model::{Kind, PackageLabel, Plan, RootPath};

use super::Sources;
use crate::arguments::{Arguments, LockSourceArguments, Selection};
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure};
use crate::place;
use crate::terminal::Terminal;

/// What lock files are called that the language reads.
const LOCK_FILE: &str = "Cargo.lock";

/// A lock file that names nothing: enough to evaluate a definition whose own is not there yet.
const EMPTY: &str = "version = 3\n";

pub(crate) fn run(
    arguments: &Arguments,
    lock: &LockSourceArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let label = PackageLabel::parse(&lock.label).map_err(Failure::usage)?;
    let folder = workspace.join("stages").join(label.as_str());
    if !folder.is_dir() {
        return Err(Failure::usage(format!("there is no package `{label}`")));
    }
    let path = folder.join(LOCK_FILE);
    let before = std::fs::read(&path).ok();
    if before.is_none() {
        std::fs::write(&path, EMPTY).map_err(|error| unwritable(&path, &error))?;
    }
    let found = lock_in_source(arguments, &label, &workspace, terminal);
    match (found, before) {
        (Ok(text), Some(before)) if text == before => {
            terminal.note(&format!(
                "`{}` is that of the source",
                shown(&path, &workspace)
            ));
            Ok(())
        }
        (Ok(_), Some(_)) if lock.check => Err(Failure {
            exit: Exit::CheckFailed,
            message: format!("`{}` is not that of the source", shown(&path, &workspace)),
            hint: Some(format!("stxl source lock {label}")),
        }),
        (Ok(text), _) => {
            std::fs::write(&path, text).map_err(|error| unwritable(&path, &error))?;
            terminal.note(&format!("wrote {}", shown(&path, &workspace)));
            Ok(())
        }
        (Err(failure), None) => {
            std::fs::remove_file(&path).map_err(|error| unwritable(&path, &error))?;
            Err(failure)
        }
        (Err(failure), Some(_)) => Err(failure),
    }
}

/// The lock file in the first source of a package.
fn lock_in_source(
    arguments: &Arguments,
    label: &PackageLabel,
    workspace: &Path,
    terminal: Terminal,
) -> Result<Vec<u8>, Failure> {
    let selection = Selection {
        labels: vec![label.to_string()],
        ..Selection::default()
    };
    let plan = evaluation::plan(workspace, &selection, Audience::Person, terminal)?;
    // A build takes its source apart before it looks at what that locks.
    let unpack = plan
        .nodes()
        .iter()
        .find(|node| node.derivation.kind() == Kind::Unpack && node.origin.label == *label);
    let unpack = unpack
        .ok_or_else(|| Failure::usage(format!("`{label}` has no source that is an archive")))?;
    let sources = Sources::open(arguments, workspace.to_path_buf())?;
    let mut part = Plan::default();
    for id in unpack.derivation.inputs() {
        if let Some(input) = plan.node(id) {
            part.add_node(input).map_err(Failure::environment)?;
        }
    }
    part.add_node(unpack).map_err(Failure::environment)?;
    let trees = sources.build(part, &[unpack.id], None)?;
    let inside =
        RootPath::parse(format!("/{LOCK_FILE}").as_bytes()).map_err(Failure::environment)?;
    let copy = sources.folder.path().join(LOCK_FILE);
    let mut file = std::fs::File::create(&copy).map_err(Failure::environment)?;
    for tree in &trees {
        sources
            .copy_out(tree, &inside, &mut file)
            .map_err(|failure| {
                failure.hint(
                    "a library has none: make one with cargo, and put it beside the definition",
                )
            })?;
    }
    std::fs::read(&copy).map_err(Failure::environment)
}

fn shown(path: &Path, workspace: &Path) -> String {
    path.strip_prefix(workspace)
        .unwrap_or(path)
        .display()
        .to_string()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::environment(format!("`{}` cannot be written: {error}", path.display()))
}
