//! `stxl store root add|list|remove`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use serde::Serialize;
use stxl_store::OutLink;

use crate::arguments::{AddRootArguments, Arguments, ListRootsArguments, RemoveRootArguments};
use crate::command::store;
use crate::failure::{Failure, of_store};
use crate::progress::plural;
use crate::session;
use crate::terminal::{Terminal, print_data, print_record};

/// The most bytes of a name.
const NAME_BYTES_MAX: usize = 100;

/// The record of `stxl store root list --json`.
#[derive(Serialize)]
struct WireRoots {
    version: u32,
    roots: Vec<WireRoot>,
}

/// One root: a name, or the path of an out-link.
#[derive(Serialize)]
struct WireRoot {
    kind: &'static str,
    name: String,
    tree: String,
}

pub(crate) fn add(
    arguments: &Arguments,
    add: &AddRootArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    if !is_name(&add.name) {
        return Err(Failure::usage(format!("`{}` is not a name", add.name))
            .hint("letters, digits, `-`, `.`, `_`, `+`, `/` and `:`, at most 100"));
    }
    let (store, tree) = store::built(arguments, (&add.label, &add.variant), terminal)?;
    let keep = || {
        // Kept until the root is on record.
        let _lease = store.lease_tree(&tree)?;
        store.set_root(&add.name, Some(tree));
        store.commit()
    };
    keep().map_err(|error| of_store(&error))?;
    terminal.note(&format!("`{}` keeps {tree}", add.name));
    Ok(())
}

pub(crate) fn list(
    arguments: &Arguments,
    list: &ListRootsArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let store = session::open_store_only(arguments)?;
    let roots = store.roots().map_err(|error| of_store(&error))?;
    let named = roots.named.into_iter().map(|(name, tree)| WireRoot {
        // Names that nobody can give are of what is kept of failed steps.
        kind: match is_name(&name) {
            true => "name",
            false if name.starts_with("failed root ") => "root",
            false => "log",
        },
        name,
        tree: tree.to_string(),
    });
    let links = roots.out_links.into_iter().filter_map(|(path, tree)| {
        let path = PathBuf::from(OsString::from_vec(path));
        // One that is gone is no root any more, which the next collection writes down.
        match store.out_link(&path) {
            OutLink::IntoStore(_) | OutLink::Unknown(_) => Some(WireRoot {
                kind: "link",
                name: path.display().to_string(),
                tree: tree.to_string(),
            }),
            OutLink::Missing | OutLink::Other => None,
        }
    });
    let roots: Vec<WireRoot> = named.chain(links).collect();
    if list.json {
        return print_record(&WireRoots { version: 1, roots });
    }
    let line = |root: &WireRoot| format!("{:<4}  {}  {}\n", root.kind, root.tree, root.name);
    print_data(roots.iter().map(line).collect::<String>().as_bytes())?;
    terminal.note(&format!(
        "{}, beside what was built last in every workspace",
        plural(roots.len(), "root")
    ));
    Ok(())
}

pub(crate) fn remove(
    arguments: &Arguments,
    remove: &RemoveRootArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let name = &remove.name;
    let store = session::open_store_only(arguments)?;
    let roots = store.roots().map_err(|error| of_store(&error))?;
    if !roots.named.contains_key(name) {
        return Err(Failure::usage(format!("there is no root `{name}`"))
            .hint("stxl store root list; a link is removed as a file is"));
    }
    store.set_root(name, None);
    store.commit().map_err(|error| of_store(&error))?;
    terminal.note(&format!("`{name}` keeps nothing any more"));
    Ok(())
}

/// Whether a user can give this name. It has no blanks, which names of the build's own have.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+/:".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain)
}
