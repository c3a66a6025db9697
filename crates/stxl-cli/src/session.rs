//! What commands that touch the store need: who the process is, the launcher, the store.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use stxl_build::{BuildContext, BuildOptions};
use stxl_model::Plan;
use stxl_sandbox::{
    Identity, KeptCapability, LAUNCHER_ARGUMENT, Launcher, LauncherProgram, become_unprivileged,
};
use stxl_store::{OpenOptions, Store};

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::{network, place};

/// This program, however it was started.
pub(crate) const THIS_PROGRAM: &str = "/proc/self/exe";

/// An open store and a launcher that works on it.
pub(crate) struct Session {
    /// Starts sandboxes.
    pub(crate) launcher: Launcher,
    /// Holds objects and records.
    pub(crate) store: Store,
}

/// The choices of a build that most commands leave alone: the defaults, and the network as the
/// user's environment says it.
pub(crate) fn options(workspace: PathBuf, request: String) -> BuildOptions {
    BuildOptions {
        network: network::options(),
        ..BuildOptions::new(workspace, request)
    }
}

impl Session {
    /// What a build of a plan here acts on.
    pub(crate) fn context<'a>(
        &'a self,
        plan: &'a Plan,
        options: &'a BuildOptions,
    ) -> BuildContext<'a> {
        BuildContext {
            store: &self.store,
            launcher: &self.launcher,
            plan,
            options,
        }
    }
}

/// Opens the store and starts the launcher. A process started by root becomes the unprivileged
/// user that owns the store, so nothing of this may come after the first thread.
pub(crate) fn open(arguments: &Arguments) -> Result<Session, Failure> {
    open_with(arguments, OpenOptions::default())
}

/// As [`open`], with the database of the store looked at byte by byte before it is used.
pub(crate) fn open_checking_index(arguments: &Arguments) -> Result<Session, Failure> {
    open_with(arguments, OpenOptions::default().check_index())
}

fn open_with(arguments: &Arguments, options: OpenOptions) -> Result<Session, Failure> {
    let path = place::store(arguments)?;
    let directory = become_owner(&path)?;
    let launcher = Launcher::start(program(directory)).map_err(Failure::environment)?;
    let store = open_store(&path, options)?;
    Ok(Session { launcher, store })
}

/// Opens the store alone, for commands that run nothing.
pub(crate) fn open_store_only(arguments: &Arguments) -> Result<Store, Failure> {
    open_store_at(&place::store(arguments)?)
}

/// As [`open_store_only`], of the store at a path.
pub(crate) fn open_store_at(path: &Path) -> Result<Store, Failure> {
    become_owner(path)?;
    open_store(path, OpenOptions::default())
}

/// Opens the store alone, to free space in it: also where the disk has none left.
pub(crate) fn open_store_to_collect(arguments: &Arguments) -> Result<Store, Failure> {
    let path = place::store(arguments)?;
    become_owner(&path)?;
    open_store(&path, OpenOptions::default().without_room())
}

fn program(store: OwnedFd) -> LauncherProgram {
    LauncherProgram::new(THIS_PROGRAM, [LAUNCHER_ARGUMENT], store)
}

fn open_store(path: &Path, options: OpenOptions) -> Result<Store, Failure> {
    Store::open(path, options).map_err(|error| crate::failure::of_store(&error))
}

/// Becomes the unprivileged owner of the store, which is made if missing, and opens its directory.
fn become_owner(path: &Path) -> Result<OwnedFd, Failure> {
    let refused = |what: &str, error: &io::Error| {
        Failure::environment(format!(
            "the store `{}` cannot be {what}: {error}",
            path.display()
        ))
        .hint("choose another place: --store DIR")
    };
    let identity = match File::open(path) {
        Ok(directory) => {
            Identity::for_directory(&directory).map_err(|error| refused("looked at", &error))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Identity::fallback(),
        Err(error) => return Err(refused("opened", &error)),
    };
    become_unprivileged(identity, KeptCapability::DacOverride).map_err(Failure::environment)?;
    let mut builder = DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| refused("made", &error))?;
    Ok(File::open(path)
        .map_err(|error| refused("opened", &error))?
        .into())
}

/// Where outputs are copied to: must not exist, and its parent must.
pub(crate) fn check_free(path: &Path) -> Result<PathBuf, Failure> {
    let path = place::absolute(path)?;
    if path.symlink_metadata().is_ok() {
        return Err(
            Failure::usage(format!("`{}` is there already", path.display()))
                .hint("name a directory that does not exist yet; nothing is overwritten"),
        );
    }
    match path.parent() {
        Some(parent) if parent.is_dir() => Ok(path),
        _ => Err(Failure::usage(format!(
            "`{}` has no directory above it",
            path.display()
        ))),
    }
}
