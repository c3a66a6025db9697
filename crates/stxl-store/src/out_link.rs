//! Out-links: symlinks outside of the store that lead into it and keep what they lead to.
//!
//! They belong to the user, who may move or remove them at any time. What is on record is where one
//! was made; whether it still is one is looked at when it matters.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::io::Errno;
use stxl_model::TreeId;

use crate::checkout::{CheckoutRef, Layer};
use crate::error::StoreError;
use crate::failpoints::Phase;
use crate::import::as_path;
use crate::index::digest_at;
use crate::store::Store;

type Result<T> = std::result::Result<T, StoreError>;

/// What lies at a path that may be an out-link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutLink {
    /// Nothing does.
    Missing,
    /// A symlink into this store, to a path below its directory.
    IntoStore(PathBuf),
    /// Something else, which is none of the store's business.
    Other,
    /// It cannot be told, for this reason: another user's directory, say.
    Unknown(String),
}

impl Store {
    /// What lies at a path outside of the store.
    pub fn out_link(&self, path: &Path) -> OutLink {
        let target = match self.disk.foreign_link(path.as_os_str().as_bytes()) {
            Ok(target) => target,
            Err(Errno::NOENT | Errno::NOTDIR) => return OutLink::Missing,
            Err(Errno::INVAL | Errno::LOOP) => return OutLink::Other,
            Err(errno) => return OutLink::Unknown(errno.to_string()),
        };
        let target = path
            .parent()
            .unwrap_or(Path::new("/"))
            .join(OsStr::from_bytes(&target));
        // The store by what it is, not by its name: another spelling leads to the same directory.
        for folder in target.ancestors() {
            match self
                .disk
                .is_foreign(self.root(), folder.as_os_str().as_bytes())
            {
                Ok(false) => {
                    let inside = target.strip_prefix(folder).unwrap_or(Path::new(""));
                    return OutLink::IntoStore(inside.to_owned());
                }
                Ok(true) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return OutLink::Unknown(errno.to_string()),
            }
        }
        OutLink::Other
    }

    /// Makes a checkout durable and has the symlink at an absolute path keep it from here on. The
    /// symlink is there already: one that is not keeps nothing.
    pub fn keep_by_link(&self, path: &Path, checkout: &CheckoutRef) -> Result<()> {
        let phase = self.disk.phase(Phase::Checkout);
        // Nothing else syncs checkouts, and one that is linked outlives the boot.
        self.disk.sync_file_system(checkout, b"checkouts")?;
        drop(phase);
        self.set_out_link(path.as_os_str().as_bytes(), Some(*checkout.tree()));
        self.commit()
    }

    /// The checkouts of whole trees that out-links lead to, by their paths in the store. A layer
    /// that hides means nothing by itself, so no link keeps one.
    pub(crate) fn linked_checkouts(&self) -> Result<BTreeSet<PathBuf>> {
        let links = self.index()?.read("list out-links", out_links)?;
        let inside = |(path, tree): (&Vec<u8>, &TreeId)| {
            let inside = match self.out_link(Path::new(OsStr::from_bytes(path))) {
                OutLink::IntoStore(inside) => inside.components().take(3).collect(),
                OutLink::Unknown(_) => as_path(&self.checkout_path(&Layer::Copy(*tree))).to_owned(),
                OutLink::Missing | OutLink::Other => return None,
            };
            match Layer::parse(inside.file_name()?.as_bytes())? {
                Layer::Tree(_) | Layer::Copy(_) => Some(inside),
                Layer::Hiding(_) => None,
            }
        };
        Ok(links.iter().filter_map(inside).collect())
    }
}

/// Where out-links were made, and the trees they keep.
pub(crate) fn out_links(connection: &Connection) -> rusqlite::Result<BTreeMap<Vec<u8>, TreeId>> {
    connection
        .prepare_cached("SELECT path, tree FROM out_links")?
        .query_map([], |row| {
            Ok((row.get(0)?, TreeId::from_digest(digest_at(row, 1)?)))
        })?
        .collect()
}
