//! Where it happens: a directory that vanishes, the store in it, and who works on them.

use std::fs::File;
use std::path::PathBuf;

use stxl_sandbox::{Identity, KeptCapability, Launcher, become_unprivileged};
use stxl_store::{OpenOptions, Store};
use stxl_tests::launcher::start_launcher;
use tempfile::TempDir;

/// A temporary directory for a store that does not exist yet.
pub(crate) struct Site {
    /// Where the store will be.
    pub(crate) store: PathBuf,
    _directory: TempDir,
}

/// An open store and a launcher that works on it.
pub(crate) struct Session {
    pub(crate) store: Store,
    pub(crate) launcher: Launcher,
}

/// Makes the directory. It belongs to the unprivileged user that root becomes, who removes it.
pub(crate) fn prepare() -> Site {
    let directory = tempfile::Builder::new()
        .prefix("stage0-")
        .tempdir()
        .expect("a directory");
    if rustix::process::geteuid().is_root() {
        let Identity { uid, gid } = Identity::fallback();
        std::os::unix::fs::chown(directory.path(), Some(uid), Some(gid))
            .expect("root gives a directory away");
    }
    Site {
        store: directory.path().join("store"),
        _directory: directory,
    }
}

/// Becomes the owner of the store that was made there, and opens it.
pub(crate) fn open(site: &Site) -> Session {
    let directory = File::open(&site.store).expect("the store is there");
    let owner = Identity::for_directory(&directory).expect("the store has an owner");
    become_unprivileged(owner, KeptCapability::DacOverride).expect("no thread runs yet");
    let launcher = start_launcher(directory.into());
    let store = Store::open(&site.store, OpenOptions::default()).expect("the store opens");
    Session { store, launcher }
}
