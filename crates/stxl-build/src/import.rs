//! Imports: bytes of the workspace, read again when they are needed, and compared with the plan.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use stxl_model::{
    Directory, HEX_TEXT_BYTES_MAX, Import, ImportDecode, ImportSource, PlanNode, TreeId,
    decode_hex_text,
};
use stxl_store::{ImportBounds, ImportError, Store};

use crate::failure::BuildError;
use crate::options::BuildOptions;
use crate::regular_file;

/// Takes an import in; anything but the plan's tree means that the workspace changed meanwhile.
pub(crate) fn import(
    store: &Store,
    options: &BuildOptions,
    recipe: &Import,
    node: &PlanNode,
) -> Result<TreeId, BuildError> {
    let Some(source) = &node.origin.import else {
        return Err(BuildError::NoImportSource { id: node.id });
    };
    let workspace = &options.workspace;
    let found = match source.decode {
        ImportDecode::Plain => import_plain(store, workspace, source, &options.cancel.flag())?,
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
    cancelled: &AtomicBool,
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
    let bounds = ImportBounds {
        ignore: &source.ignore,
        cancelled: Some(cancelled),
    };
    store
        .import_path(directory.as_fd(), relative, bounds)
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
    let text = read_text(&path).map_err(|source| BuildError::Workspace { path, source })?;
    let bytes = decode_hex_text(&text).map_err(|error| BuildError::HexText {
        path: source.path.clone(),
        source: error,
    })?;
    let blob = store.put_blob(&bytes)?;
    Ok(store.put_directory(&Directory::of_file(blob, bytes.len() as u64))?)
}

/// Reads a text; what is longer than a text of machine code may be is an error.
fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut file = regular_file::open(path)?.take(HEX_TEXT_BYTES_MAX + 1);
    file.read_to_end(&mut text)?;
    if text.len() as u64 > HEX_TEXT_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}
