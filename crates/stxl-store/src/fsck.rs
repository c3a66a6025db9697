//! The invariants of a store, checked from the outside. Every test of the store ends with this.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;

use stxl_model::TreeId;

use crate::checkout::Layer;
use crate::error::StoreError;
use crate::index;
use crate::pack;
use crate::store::Store;

type Result<T> = std::result::Result<T, StoreError>;

/// What always holds, whatever ended how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Every object re-hashes to its digest; checkouts have fixed modes and times.
    ObjectsAreWhole,
    /// Rows of the index point to the entries they name.
    RowsAreTrue,
    /// Nothing that a root or lease reaches is missing.
    ReachableIsThere,
    /// Nothing partial has a final name.
    NamesAreFinal,
    /// What is known to be synced is indexed, and what is indexed is in the files.
    AcknowledgedIsThere,
    /// What nobody acknowledged is only garbage that a collection finds.
    NoStrays,
    /// The index can be made again from the files, equal in content.
    IndexIsACache,
}

/// A place where an invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The invariant.
    pub invariant: Invariant,
    /// Where and what.
    pub what: String,
}

/// What checking the invariants found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// Every breach.
    pub breaches: Vec<Breach>,
}

pub(crate) const KNOWN_NAMES: [&[u8]; 19] = [
    b"ballast",
    b"blobs",
    b"checkouts",
    b"downloads",
    b"format",
    b"index.db",
    b"index.db-shm",
    b"index.db-wal",
    b"index.sum",
    b"journal",
    b"kept",
    b"leases",
    b"ledger",
    b"locks",
    b"packs",
    b"quarantine",
    b"staging",
    b"sweeps",
    b"tmp",
];

impl FsckReport {
    fn add(&mut self, invariant: Invariant, what: String) {
        self.breaches.push(Breach { invariant, what });
    }
}

impl Store {
    /// Checks every invariant.
    pub fn fsck(&self) -> Result<FsckReport> {
        let mut report = FsckReport::default();
        for damage in self.verify()?.damages {
            let invariant = match damage.path.as_str() {
                "index.db" => Invariant::IndexIsACache,
                path if path.starts_with("blobs/") || path.starts_with("checkouts/") => {
                    Invariant::NamesAreFinal
                }
                _ => Invariant::ObjectsAreWhole,
            };
            report.add(invariant, format!("{}: {}", damage.path, damage.what));
        }
        self.check_reachable(&mut report)?;
        self.check_files(&mut report)?;
        self.check_strays(&mut report)?;
        Ok(report)
    }

    fn check_reachable(&self, report: &mut FsckReport) -> Result<()> {
        let roots = self.roots()?;
        let mut trees: BTreeSet<TreeId> = roots.named.values().copied().collect();
        trees.extend(roots.history.iter().flat_map(|entry| &entry.outputs));
        for leased in self.live_leases()? {
            if let crate::lease::Leased::Tree(tree) = leased {
                trees.insert(tree);
            }
        }
        for tree in trees {
            if !self.is_tree_complete_now(&tree)?
                && !self.is_checked_out(&Layer::Tree(tree))?
                && !self.is_checked_out(&Layer::Hiding(tree))?
                && !self.is_checked_out(&Layer::Copy(tree))?
            {
                let what = format!("the tree {tree} is wanted and not complete");
                report.add(Invariant::ReachableIsThere, what);
            }
        }
        Ok(())
    }

    fn check_files(&self, report: &mut FsckReport) -> Result<()> {
        let files = self.index()?.read("list the files", index::all_files)?;
        for (number, state) in files {
            let path = if number == index::JOURNAL {
                crate::journal::JOURNAL_FILE.to_vec()
            } else {
                pack::path_of(number)
            };
            let size = self
                .disk
                .stat_at(self.root(), &path)?
                .map_or(0, |stat| stat.st_size.cast_unsigned());
            if state.synced > state.indexed || state.indexed > size {
                let shown = String::from_utf8_lossy(&path);
                let (synced, indexed) = (state.synced, state.indexed);
                let what = format!("{shown}: {synced} synced, {indexed} indexed, {size} there");
                report.add(Invariant::AcknowledgedIsThere, what);
            }
        }
        Ok(())
    }

    fn check_strays(&self, report: &mut FsckReport) -> Result<()> {
        for entry in self.disk.list(self.root(), b".")? {
            if !KNOWN_NAMES.contains(&entry.name.as_slice()) {
                let shown = String::from_utf8_lossy(&entry.name).into_owned();
                report.add(Invariant::NoStrays, shown);
            }
        }
        let unfinished = self.disk.open_dir(self.root(), b"tmp")?;
        for entry in self.disk.list(unfinished.as_fd(), b"tmp")? {
            let lease = [b"leases/", entry.name.as_slice()].concat();
            let is_owned = entry.name.starts_with(b"format-")
                || entry.name.starts_with(b"gc-")
                || self.disk.stat_at(self.root(), &lease)?.is_some();
            if !is_owned {
                let shown = String::from_utf8_lossy(&entry.name);
                report.add(Invariant::NoStrays, format!("tmp/{shown}"));
            }
        }
        Ok(())
    }
}
