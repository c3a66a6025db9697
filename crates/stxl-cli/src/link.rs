//! Out-links: symlinks that the user wants to a result, which keep it in the store.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use stxl_model::TreeId;
use stxl_store::{OutLink, Store};

use crate::failure::{self, Failure};
use crate::place;

/// Where a link is to be made.
pub(crate) struct LinkPlace {
    /// The absolute path, its directory resolved: one link has one name on the list.
    pub(crate) path: PathBuf,
    /// The directory, held open: whoever may rename it does not choose where the link goes, which
    /// matters to a process that was started by root.
    directory: OwnedFd,
    name: OsString,
}

/// The place of a link that is to be made; there must be a directory for it.
pub(crate) fn place(given: &Path) -> Result<LinkPlace, Failure> {
    let path = place::absolute(given)?;
    let no_directory = || Failure::usage(format!("`{}` has no directory above it", path.display()));
    let (parent, name) = path
        .parent()
        .zip(path.file_name())
        .ok_or_else(no_directory)?;
    let parent = place::resolved(parent).map_err(|_| no_directory())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, &parent, flags, Mode::empty());
    Ok(LinkPlace {
        path: parent.join(name),
        directory: directory.map_err(|_| no_directory())?,
        name: name.to_owned(),
    })
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
pub(crate) fn make(store: &Store, link: &LinkPlace, tree: &TreeId) -> Result<(), Failure> {
    let checkout = store
        .checkout(tree)
        .map_err(|error| failure::of_store(&error))?;
    check(store, &link.path)?;
    link_to(link, checkout.path()).map_err(|errno| {
        let shown = link.path.display();
        Failure::environment(format!("the link `{shown}` cannot be made: {errno}"))
    })?;
    store
        .keep_by_link(&link.path, &checkout)
        .map_err(|error| failure::of_store(&error))
}

fn link_to(link: &LinkPlace, target: &Path) -> Result<(), Errno> {
    let mut lot = [0; 8];
    getrandom(&mut lot, GetRandomFlags::empty())?;
    let mut partial = link.name.clone();
    partial.push(format!(".stxl-{:016x}", u64::from_le_bytes(lot)));
    rustix::fs::symlinkat(target, &link.directory, &partial)?;
    let renamed = rustix::fs::renameat(&link.directory, &partial, &link.directory, &link.name);
    if renamed.is_err() {
        // Of no use; that it cannot be removed changes nothing about the failure.
        rustix::fs::unlinkat(&link.directory, &partial, AtFlags::empty()).ok();
    }
    renamed
}
