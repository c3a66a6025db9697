//! Imports: bytes of the workspace, read again when they are needed, and compared with the plan.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use stxl_model::{
    Directory, Import, ImportDecode, ImportSource, PlanNode, TreeId, decode_hex_text,
};
use stxl_store::{ImportError, Store};

use crate::failure::BuildError;

/// Takes an import in; anything but the plan's tree means that the workspace changed meanwhile.
pub(crate) fn import(
    store: &Store,
    workspace: &Path,
    recipe: &Import,
    node: &PlanNode,
) -> Result<TreeId, BuildError> {
    let Some(source) = &node.origin.import else {
        return Err(BuildError::NoImportSource { id: node.id });
    };
    let found = match source.decode {
        ImportDecode::Plain => import_plain(store, workspace, source)?,
        ImportDecode::Hex => import_hex(store, workspace, source)?,
    };
    if found == recipe.tree {
        Ok(found)
    } else {
        Err(BuildError::ChangedWhileBuilding {
            path: source.path.clone(),
        })
    }
}

fn import_plain(
    store: &Store,
    workspace: &Path,
    source: &ImportSource,
) -> Result<TreeId, BuildError> {
    let path = Path::new(&source.path);
    let (mut base, mut relative) = match path.strip_prefix("/") {
        Ok(relative) => (PathBuf::from("/"), relative),
        Err(_) => (workspace.to_path_buf(), path),
    };
    // Of a folder beside the workspace: an overlay's, or one that `local/` names.
    while let Ok(rest) = relative.strip_prefix("..") {
        base.push("..");
        relative = rest;
    }
    let unreadable = |source: io::Error| BuildError::Workspace {
        path: base.join(relative),
        source,
    };
    let directory = File::open(&base).map_err(unreadable)?;
    let relative = relative.as_os_str().as_encoded_bytes();
    store
        .import_path(directory.as_fd(), relative, &source.ignore)
        .map_err(|error| match error {
            ImportError::Store(error) => BuildError::Records(error),
            // What was a file or directory when the plan was made is something else or gone.
            other => BuildError::NotImportable {
                path: source.path.clone(),
                source: other,
            },
        })
}

fn import_hex(
    store: &Store,
    workspace: &Path,
    source: &ImportSource,
) -> Result<TreeId, BuildError> {
    let path = workspace.join(&source.path);
    let text = std::fs::read(&path).map_err(|source| BuildError::Workspace { path, source })?;
    let bytes = decode_hex_text(&text).map_err(|error| BuildError::HexText {
        path: source.path.clone(),
        source: error,
    })?;
    let blob = store.put_blob(&bytes)?;
    Ok(store.put_directory(&Directory::of_file(blob, bytes.len() as u64))?)
}
