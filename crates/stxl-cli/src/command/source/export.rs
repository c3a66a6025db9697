//! `stxl source export`: every source of a closure, by hash, for a machine without network.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use stxl_model::{FetchLock, RootPath, TreeId};
use stxl_store::{ImportBounds, ImportError};

use super::{Sources, fetches, hash_of, hex_of};
use crate::arguments::{Arguments, ExportSourcesArguments};
use crate::evaluation::{self, Audience};
use crate::export::export as export_tree;
use crate::failure::{Failure, of_store};
use crate::place;
use crate::progress::plural;
use crate::terminal::Terminal;

/// The name of the list that `sha256sum -c` reads.
const LIST: &str = "SHA256SUMS";

pub(crate) fn run(
    arguments: &Arguments,
    export: &ExportSourcesArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let folder = place::absolute(&export.folder)?;
    let source_dir = export.source_dir.as_deref();
    let source_dir = source_dir.map(place::absolute).transpose()?;
    let plan = evaluation::plan(&workspace, &export.selection, Audience::Person, terminal)?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        Failure::environment(format!("`{}` cannot be made: {error}", folder.display()))
    })?;
    let sources = Sources::open(arguments, workspace)?;
    let mut part = stxl_model::Plan::default();
    let (mut ids, mut locks) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (node, lock) in fetches(&plan)? {
        if seen.insert(lock) {
            part.add_node(node).map_err(Failure::environment)?;
            ids.push(node.id);
            locks.push(lock);
        }
    }
    if ids.is_empty() {
        terminal.note("nothing in the plan comes from outside");
        return Ok(());
    }
    let trees = sources.build(part, &ids, Some(source_dir.as_ref().unwrap_or(&folder)))?;
    let mut list = String::new();
    let mut written = 0;
    for (tree, lock) in trees.iter().zip(&locks) {
        let hex = hex_of(lock);
        let path = folder.join(&hex);
        if let FetchLock::Tree(_) = lock {
            // The files of a commit are a directory, as `--source-dir` finds them.
            if !is_tree(&sources, &path, tree)? {
                if path.is_dir() {
                    std::fs::remove_dir_all(&path).map_err(Failure::environment)?;
                }
                let store = &sources.session.store;
                export_tree(store, &[(RootPath::root(), *tree)], &path)?;
                written += 1;
            }
            continue;
        }
        writeln!(list, "{hex}  {hex}").map_err(Failure::environment)?;
        if path.is_file() && hash_of(&path)?.lock == *lock {
            continue;
        }
        let partial = folder.join(format!("{hex}.partial"));
        let mut file = File::create(&partial).map_err(Failure::environment)?;
        sources.copy_file(tree, &mut file)?;
        file.sync_all().map_err(Failure::environment)?;
        std::fs::rename(&partial, &path).map_err(Failure::environment)?;
        written += 1;
    }
    std::fs::write(folder.join(LIST), list).map_err(Failure::environment)?;
    terminal.note(&format!(
        "wrote {} of {} to {}; elsewhere: stxl build --source-dir DIR",
        written,
        plural(locks.len(), "source"),
        folder.display()
    ));
    Ok(())
}

/// Whether a directory is there and is this tree.
fn is_tree(sources: &Sources, path: &Path, tree: &TreeId) -> Result<bool, Failure> {
    if !path.is_dir() {
        return Ok(false);
    }
    let directory = File::open(path).map_err(Failure::environment)?;
    let bounds = ImportBounds {
        ignore: &[],
        cancelled: None,
    };
    let store = &sources.session.store;
    match store.import_path(directory.as_fd(), b".", bounds) {
        Ok(found) => Ok(found == *tree),
        Err(ImportError::Store(error)) => Err(of_store(&error)),
        // What is no tree is not this one.
        Err(_) => Ok(false),
    }
}
