//! Out-links: symlinks that the user wants to a result, which keep it in the store.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use stxl_model::TreeId;
use stxl_store::{OutLink, Store};

use crate::failure::{self, Failure};
use crate::place;

/// The absolute path of a link that is to be made; there must be a directory for it.
pub(crate) fn path(given: &Path) -> Result<PathBuf, Failure> {
    let path = place::absolute(given)?;
    let no_directory = || Failure::usage(format!("`{}` has no directory above it", path.display()));
    let (parent, name) = path
        .parent()
        .zip(path.file_name())
        .ok_or_else(no_directory)?;
    // One link has one name on the list, however its directory is spelled.
    let parent = place::resolved(parent).map_err(|_| no_directory())?;
    Ok(parent.join(name))
}

/// Refuses a path at which something lies that is no link into the store.
pub(crate) fn check(store: &Store, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match store.out_link(path) {
        OutLink::Missing | OutLink::IntoStore(_) => Ok(()),
        OutLink::Other => Err(Failure::usage(format!(
            "`{shown}` is there already, and is no link into the store"
        ))
        .hint("name another path, or remove it; only links into the store are replaced")),
        OutLink::Unknown(reason) => Err(Failure::environment(format!(
            "`{shown}` cannot be looked at: {reason}"
        ))),
    }
}

/// Makes a link to a tree, in one step also where it replaces one, and has the store keep the tree
/// for as long as the link is there.
pub(crate) fn make(store: &Store, path: &Path, tree: &TreeId) -> Result<(), Failure> {
    let checkout = store
        .checkout(tree)
        .map_err(|error| failure::of_store(&error))?;
    check(store, path)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".stxl-{}", std::process::id()));
    let partial = path.with_file_name(name);
    let made = symlink(checkout.path(), &partial).and_then(|()| fs::rename(&partial, path));
    made.map_err(|error| {
        // Of no use; that it cannot be removed changes nothing about the failure.
        drop(fs::remove_file(&partial));
        let shown = path.display();
        Failure::environment(format!("the link `{shown}` cannot be made: {error}"))
    })?;
    store
        .keep_by_link(path, &checkout)
        .map_err(|error| failure::of_store(&error))
}
