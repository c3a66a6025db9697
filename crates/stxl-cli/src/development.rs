//! Local development: packages whose source is a directory on this machine.
//!
//! `--override` and `stxl dev` say the same: the first for one command, the second by an overlay in
//! `local/`. Either way evaluation reads one text, of [`overlay`].

pub(crate) mod folders;
pub(crate) mod overlay;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use stxl_eval::{LOCAL_OVERLAY, OVERRIDE_LAYER};
use stxl_model::{Derivation, ImportKind, PackageLabel, Plan, PlanNode};

use crate::arguments::{Arguments, Override, Variant};
use crate::failure::Failure;
use crate::place;
use crate::terminal::Terminal;
use overlay::{Manner, Patches};

/// What a file of every store begins with.
const STORE_MARK: &[u8] = b"stxl store  ";
const STORE_MARK_FILE: &str = "format";

/// Finds the directories that overrides name; from here on they are absolute.
pub(crate) fn locate_overrides(arguments: &mut Arguments) -> Result<(), Failure> {
    let is_any = |variant: &mut Variant| all_of(variant).next().is_some();
    if !arguments.variant_mut().is_some_and(is_any) {
        return Ok(());
    }
    let store = place::store(arguments)?;
    let Some(variant) = arguments.variant_mut() else {
        return Ok(());
    };
    let mut labels = Vec::new();
    for one in all_of(variant) {
        one.directory = source_directory(&one.directory, &store)?;
        if labels.contains(&one.label) {
            let message = format!("`{}` is overridden twice", one.label);
            return Err(Failure::usage(message).hint("name one directory for it"));
        }
        labels.push(one.label.clone());
    }
    Ok(())
}

fn all_of(variant: &mut Variant) -> impl Iterator<Item = &mut Override> {
    let overrides = variant.overrides.iter_mut();
    overrides.chain(&mut variant.patched_overrides)
}

/// The texts of overlays that overrides stand for, and the directories they name.
pub(crate) fn overrides(
    variant: &Variant,
    workspace: &Path,
) -> Result<(BTreeMap<PackageLabel, String>, Vec<String>), Failure> {
    let applied = variant.overrides.iter().map(|it| (it, Patches::Applied));
    let left = variant.patched_overrides.iter();
    let left = left.map(|it| (it, Patches::Left));
    let mut texts = BTreeMap::new();
    let mut directories = Vec::new();
    for (Override { label, directory }, patches) in applied.chain(left) {
        let written = written(directory, workspace)?;
        // Whether it is incremental is the package's own to say.
        let manner = Manner {
            patches,
            is_incremental: false,
        };
        texts.insert(label.clone(), overlay::text(&written, manner));
        directories.push(written);
    }
    Ok((texts, directories))
}

/// A directory as definitions write it: what lies beside the workspace from there, everything else
/// from the root.
pub(crate) fn written(directory: &Path, workspace: &Path) -> Result<String, Failure> {
    let failed =
        |error: io::Error| Failure::environment(format!("`{}`: {error}", workspace.display()));
    let workspace = place::resolved(workspace).map_err(failed)?;
    let beside = workspace
        .parent()
        .and_then(|above| directory.strip_prefix(above).ok())
        .filter(|beside| !beside.as_os_str().is_empty());
    let written = match beside {
        Some(beside) => Path::new("..").join(beside),
        None => directory.to_owned(),
    };
    let text = written
        .to_str()
        .filter(|text| !text.contains(char::is_control));
    text.map(str::to_owned).ok_or_else(|| {
        let message = format!(
            "the path of `{}` cannot be written in a text",
            directory.display()
        );
        Failure::usage(message).hint("rename the directory: letters, digits and signs")
    })
}

/// Whether a directory, as it is written, lies beside the workspace, where definitions in `local/`
/// may import it without further ado.
pub(crate) fn is_beside(written: &str) -> bool {
    written.starts_with("../")
}

/// The absolute path, without symlinks, of a directory that a source can be taken from.
pub(crate) fn source_directory(directory: &Path, store: &Path) -> Result<PathBuf, Failure> {
    let path = place::absolute(directory)?;
    let shown = directory.display();
    let found = path.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if directory.starts_with("~") => {
            Failure::usage(format!("there is no directory `{shown}`"))
                .hint("`~` stands for nothing here: write `$HOME`")
        }
        io::ErrorKind::NotFound => Failure::usage(format!("there is no directory `{shown}`"))
            .hint("name the directory that holds the source, such as a checkout"),
        _ => Failure::environment(format!("`{shown}` cannot be looked at: {error}")),
    })?;
    if !found.is_dir() {
        return Err(Failure::usage(format!("`{shown}` is no directory"))
            .hint("name the directory that holds the source; take an archive apart first"));
    }
    let refused =
        |error: io::Error| Failure::environment(format!("`{shown}` cannot be opened: {error}"));
    let path = place::resolved(&path).map_err(refused)?;
    if path.ancestors().any(is_store) {
        return Err(Failure::usage(format!("`{shown}` lies in a store"))
            .hint("what is there is never edited: copy it, with `stxl build LABEL --out DIR`"));
    }
    if place::resolved(store).is_ok_and(|store| store.starts_with(&path)) {
        return Err(Failure::usage(format!("`{shown}` holds the store"))
            .hint("keep the store elsewhere: --store DIR"));
    }
    Ok(path)
}

fn is_store(directory: &Path) -> bool {
    let mark = directory.join(STORE_MARK_FILE);
    std::fs::read(mark).is_ok_and(|bytes| bytes.starts_with(STORE_MARK))
}

/// The packages of a plan that `local/` or an override has built from a directory, and which.
fn developed(plan: &Plan) -> BTreeMap<&PackageLabel, &str> {
    let is_of = |file: &str, layer: &str| {
        let rest = file.strip_prefix(layer);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let imports = plan.nodes().iter().filter_map(|node| {
        let source = node.origin.import.as_ref()?;
        let file = &node.origin.file;
        if !is_of(file, LOCAL_OVERLAY) && !is_of(file, OVERRIDE_LAYER) {
            return None;
        }
        let is_directory = matches!(
            node.derivation.decode(),
            Ok(Derivation::Import(import)) if import.kind == ImportKind::Directory
        );
        is_directory.then_some((&node.origin.label, source.path.as_str()))
    });
    imports.collect()
}

/// Whether a node is an incremental step.
pub(crate) fn is_incremental(node: &PlanNode) -> bool {
    matches!(node.derivation.decode(), Ok(Derivation::Exec(step)) if step.is_incremental())
}

/// Those of some packages that have incremental steps.
fn going_on<'p>(plan: &'p Plan, of: &BTreeMap<&PackageLabel, &str>) -> BTreeSet<&'p PackageLabel> {
    let nodes = plan.nodes().iter();
    let nodes = nodes.filter(|node| of.contains_key(&node.origin.label));
    nodes
        .filter(|node| is_incremental(node))
        .map(|node| &node.origin.label)
        .collect()
}

/// Says what is built from directories, since that is easily forgotten, and which overrides have
/// no effect.
pub(crate) fn tell(plan: &Plan, variant: &Variant, terminal: Terminal) {
    if !plan.is_local() && variant.overrides.is_empty() && variant.patched_overrides.is_empty() {
        return;
    }
    let developed = developed(plan);
    for (label, path) in &developed {
        terminal.note(&format!("{label} is built from {path}"));
    }
    for label in going_on(plan, &developed) {
        terminal.note(&format!(
            "{label} goes on from what its last build left; `--check` builds it anew and compares"
        ));
    }
    for one in variant.overrides.iter().chain(&variant.patched_overrides) {
        let label = &one.label;
        if !plan.nodes().iter().any(|node| node.origin.label == *label) {
            terminal.note(&format!(
                "nothing that is asked for needs {label}, which is overridden"
            ));
        }
    }
}
