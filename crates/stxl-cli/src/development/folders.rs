//! The directories that `stxl dev` named and that do not lie beside their workspace.
//!
//! A definition in `local/` reads such a directory only if it is on this list, which is the user's
//! own and no part of the workspace: one that comes with a `local/` of its own reaches nothing by
//! it. One file for each workspace:
//!
//! ```json
//! {"version":1,"workspace":"/…/distribution","folders":{"core/zlib":"/…/zlib"}}
//! ```

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stxl_model::{BlobId, PackageLabel};

use crate::failure::Failure;
use crate::place;

const VERSION: u32 = 1;

/// Longest list that is read.
const LIST_BYTES_MAX: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct List {
    version: u32,
    workspace: String,
    folders: BTreeMap<String, String>,
}

/// The directories on the list of a workspace, by package.
pub(crate) fn of_workspace(workspace: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let workspace = &resolved(workspace);
    let Some(file) = list_of(workspace) else {
        return Ok(BTreeMap::new());
    };
    read(&file, workspace).map_err(|error| {
        Failure::environment(format!("`{}` cannot be read: {error}", file.display()))
            .hint("it lists directories that `stxl dev` named; remove it and name them again")
    })
}

/// Puts a directory on the list.
pub(crate) fn add(workspace: &Path, label: &PackageLabel, directory: &str) -> Result<(), Failure> {
    let mut folders = of_workspace(workspace)?;
    folders.insert(label.to_string(), directory.to_owned());
    write(workspace, folders)
}

/// Takes the directory of a package off the list.
pub(crate) fn remove(workspace: &Path, label: &PackageLabel) -> Result<(), Failure> {
    let mut folders = of_workspace(workspace)?;
    match folders.remove(label.as_str()) {
        Some(_) => write(workspace, folders),
        None => Ok(()),
    }
}

/// A workspace has one list, by whatever way it is reached.
fn resolved(workspace: &Path) -> PathBuf {
    place::resolved(workspace).unwrap_or_else(|_| workspace.to_owned())
}

fn list_of(workspace: &Path) -> Option<PathBuf> {
    let digest = BlobId::of(workspace.as_os_str().as_encoded_bytes()).to_string();
    let name = format!("{}.json", digest.get(..32).unwrap_or(&digest));
    Some(place::state()?.join("folders").join(name))
}

fn read(file: &Path, workspace: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut options = File::options();
    let opened = options.read(true).custom_flags(
        (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK)
            .bits()
            .cast_signed(),
    );
    let opened = match opened.open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let found = opened.metadata()?;
    // Whoever can write it decides what of the user's is read.
    if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(io::Error::other("it is not the user's own alone"));
    }
    let mut text = Vec::new();
    opened.take(LIST_BYTES_MAX).read_to_end(&mut text)?;
    let list: List = serde_json::from_slice(&text)?;
    if list.version != VERSION {
        return Err(io::Error::other("it is of another version"));
    }
    // Of another workspace with the same digest nothing is taken.
    let is_own = Path::new(&list.workspace) == workspace;
    Ok(if is_own {
        list.folders
    } else {
        BTreeMap::new()
    })
}

fn write(workspace: &Path, folders: BTreeMap<String, String>) -> Result<(), Failure> {
    let workspace = &resolved(workspace);
    let Some(file) = list_of(workspace) else {
        return Err(Failure::environment(
            "neither XDG_STATE_HOME nor HOME says where the directory can be noted",
        )
        .hint("name a directory beside the workspace, or set HOME"));
    };
    let list = List {
        version: VERSION,
        workspace: workspace.to_string_lossy().into_owned(),
        folders,
    };
    written(&file, &list).map_err(|error| {
        Failure::environment(format!("`{}` cannot be written: {error}", file.display()))
    })
}

/// All of it or nothing.
fn written(file: &Path, list: &List) -> io::Result<()> {
    if list.folders.is_empty() {
        return match std::fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let partial = file.with_extension(format!("{}.part", std::process::id()));
    let mut options = File::options();
    let mut opened = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    serde_json::to_writer(&mut opened, list)?;
    opened.write_all(b"\n")?;
    std::fs::rename(partial, file)
}
