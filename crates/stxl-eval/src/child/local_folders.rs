//! The folders beside the workspace that definitions in `local/` import: `dir("../zlib")`.
//!
//! They have to be known before files are bound, so the text is searched, not evaluated: a name in
//! a comment counts too. Only folders that lie directly beside the workspace, or below such a one,
//! are taken, and none that a symlink leads to: a workspace that comes with a `local/` of its own
//! reaches nothing else by it.

use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use stxl_lang::SourcePath;

use crate::layout::PACKAGE_FILE;
use crate::settings::LOCAL_OVERLAY;
use crate::source_tree::WorkspaceTree;

/// Most folders that are opened, and most that are missing.
const FOLDERS_MAX: usize = 64;

/// The folders that texts of `local/` name and that can be opened safely, as they write them; also
/// those that are not there, which is what is said of them.
pub(crate) fn named_folders(tree: &dyn WorkspaceTree, workspace: &Path) -> Vec<String> {
    let mut named = Vec::new();
    for stage in folders_of(tree, LOCAL_OVERLAY) {
        let stage = format!("{LOCAL_OVERLAY}/{stage}");
        for package in folders_of(tree, &stage) {
            let file = SourcePath::new(&format!("{stage}/{package}/{PACKAGE_FILE}"));
            if let Ok(bytes) = tree.read(&file) {
                named.extend(names_in(&String::from_utf8_lossy(&bytes)));
            }
        }
    }
    named.sort();
    named.dedup();
    let found = |name: &String| find(workspace, name);
    let is_missing = |name: &String| found(name) == Some(Place::Missing);
    let missing: Vec<String> = named
        .iter()
        .filter(|name| is_missing(name))
        .cloned()
        .collect();
    named.retain(|name| found(name) == Some(Place::Folder));
    named.truncate(FOLDERS_MAX);
    // Each list has a limit of its own: what is only written in comments takes no folder's place.
    named.extend(missing.into_iter().take(FOLDERS_MAX));
    named
}

/// What a name beside the workspace stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Folder,
    Missing,
}

fn folders_of(tree: &dyn WorkspaceTree, folder: &str) -> Vec<String> {
    let names = tree.list(&SourcePath::new(folder)).unwrap_or_default();
    let folders = names.iter().filter_map(|name| name.strip_suffix('/'));
    folders.map(str::to_owned).collect()
}

/// Texts between quotes that begin with `../`.
fn names_in(text: &str) -> Vec<String> {
    let candidates = text.match_indices("\"../");
    let names = candidates.filter_map(|(at, _)| quoted_text(text.get(at + 1..)?));
    let names = names.filter(|name| !name.contains('\n'));
    names
        .map(|name| name.trim_end_matches('/').to_owned())
        .collect()
}

/// The text before the quote that ends it, of which a backslash takes the meaning, as it does of
/// another backslash; none if it does not end.
pub fn quoted_text(rest: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
}

/// What stands beside the workspace under a name, or below that, without detours; none for all that
/// is not to be opened.
fn find(workspace: &Path, name: &str) -> Option<Place> {
    let beside = name.strip_prefix("../")?;
    let is_plain = !beside.is_empty()
        && Path::new(beside)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let opened = rustix::fs::open(workspace.join(".."), flags, Mode::empty())
        .and_then(|parent| rustix::fs::openat2(parent, beside, flags, Mode::empty(), resolve));
    match opened {
        _ if !is_plain => None,
        Ok(_) => Some(Place::Folder),
        Err(Errno::NOENT) => Some(Place::Missing),
        Err(_) => None,
    }
}
