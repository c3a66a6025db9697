//! Trees copied out of the store, to where the user wants them.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::Path;

use stxl_model::{Node, RootPath, TreeId};
use stxl_store::{Store, StoreError};

use crate::failure::{self, Failure};

/// Why a tree could not be copied out.
enum ExportError {
    Store(StoreError),
    Disk(io::Error),
}

/// Copies trees below a directory that does not exist yet. It appears under its name when it is
/// complete; before that the copy lies beside it and is removed if anything fails.
pub(crate) fn export(
    store: &Store,
    parts: &[(RootPath, TreeId)],
    out: &Path,
) -> Result<(), Failure> {
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".stxl-{}", std::process::id()));
    let partial = out.with_file_name(name);
    let written = write_parts(store, parts, &partial)
        .and_then(|()| fs::rename(&partial, out).map_err(ExportError::Disk));
    written.map_err(|error| {
        // The copy is of no use; that it cannot be removed changes nothing about the failure.
        drop(fs::remove_dir_all(&partial));
        match error {
            ExportError::Store(error) => failure::of_store(&error),
            ExportError::Disk(error) => Failure::environment(format!(
                "the outputs cannot be written to `{}`: {error}",
                out.display()
            )),
        }
    })
}

fn write_parts(
    store: &Store,
    parts: &[(RootPath, TreeId)],
    partial: &Path,
) -> Result<(), ExportError> {
    for (path, tree) in parts {
        let at = partial.join(OsStr::from_bytes(path.as_relative_bytes()));
        make_directory(&at)?;
        write_tree(store, *tree, &at)?;
    }
    Ok(())
}

fn write_tree(store: &Store, tree: TreeId, at: &Path) -> Result<(), ExportError> {
    let mut open = vec![(tree, at.to_path_buf())];
    while let Some((tree, at)) = open.pop() {
        for entry in store
            .directory(&tree)
            .map_err(ExportError::Store)?
            .entries()
        {
            let path = at.join(OsStr::from_bytes(&entry.name));
            match &entry.node {
                Node::Directory { tree } => {
                    make_directory(&path)?;
                    open.push((*tree, path));
                }
                Node::Symlink { target } => {
                    let target = OsStr::from_bytes(target);
                    symlink(target, &path).map_err(ExportError::Disk)?;
                }
                Node::File {
                    blob, executable, ..
                } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    let mut options = OpenOptions::new();
                    let file = options.write(true).create_new(true).mode(mode).open(&path);
                    let mut file: File = file.map_err(ExportError::Disk)?;
                    let mut bytes = store.open_blob(blob).map_err(ExportError::Store)?;
                    io::copy(&mut bytes, &mut file).map_err(ExportError::Disk)?;
                    file.flush().map_err(ExportError::Disk)?;
                }
            }
        }
    }
    Ok(())
}

fn make_directory(path: &Path) -> Result<(), ExportError> {
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(ExportError::Disk)
}
