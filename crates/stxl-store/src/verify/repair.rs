//! Taking damaged objects out of use, so that whatever made them makes them again.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Result, VerifyReport};
use crate::ballast::BALLAST_FILE;
use crate::checkout::Layer;
use crate::disk::Access;
use crate::error::StoreError;
use crate::journal::JOURNAL_FILE;
use crate::lease::SWEEPS_FILE;
use crate::ledger::LEDGER_FILE;
use crate::pack;
use crate::store::{INDEX_FILE, Store, lock};

const QUARANTINE: &[u8] = b"quarantine";

impl Store {
    /// Takes everything that a report names out of use: damaged files move to `quarantine/`, whole
    /// entries of damaged packs and journals are kept, the index is made again. Returns what could
    /// not be taken out because another process is writing to it.
    pub fn quarantine(&self, report: &VerifyReport) -> Result<Vec<String>> {
        let paths: BTreeSet<&str> = report
            .damages
            .iter()
            .map(|damage| damage.path.as_str())
            .collect();
        let mut left = Vec::new();
        self.invalidate_index_sum()?;
        lock(&self.directories).clear();
        for path in paths {
            let bytes = path.as_bytes();
            if let Some(name) = bytes.strip_prefix(b"packs/") {
                if let Some(number) = pack::number_of(name)
                    && !self.rescue_pack(number)?
                {
                    left.push(path.to_owned());
                }
            } else if bytes == JOURNAL_FILE {
                self.rescue_journal()?;
            } else if let Some(rest) = bytes.strip_prefix(b"checkouts/") {
                if !self.discard_checkout(rest)? {
                    left.push(path.to_owned());
                }
            } else if bytes.starts_with(b"blobs/") || bytes.starts_with(b"staging/") {
                self.move_to_quarantine(bytes)?;
                // Others look again at what they believed to be there.
                self.session.begin_sweep(&self.disk)?;
                self.session.end_sweep(&self.disk)?;
            } else if bytes == BALLAST_FILE || bytes == SWEEPS_FILE {
                self.remake_small_file(bytes)?;
            } else if bytes == LEDGER_FILE {
                self.repair_ledger()?;
            }
        }
        self.rebuild_db()?;
        if report
            .damages
            .iter()
            .any(|damage| damage.path.as_bytes() == INDEX_FILE)
        {
            // Rows alone do not reach pages that no row lies on.
            self.index()?.read("write itself again", |connection| {
                connection.execute_batch("VACUUM")
            })?;
        }
        lock(&self.found_at_opening).clear();
        Ok(left)
    }

    fn remake_small_file(&self, path: &[u8]) -> Result<()> {
        if path == SWEEPS_FILE {
            return self.session.begin_sweep(&self.disk);
        }
        self.disk.remove(self.root(), path)?;
        self.restore_ballast()
    }

    fn move_to_quarantine(&self, path: &[u8]) -> Result<()> {
        self.disk.make_dir_if_missing(self.root(), QUARANTINE)?;
        let name: Vec<u8> = path
            .iter()
            .map(|byte| if *byte == b'/' { b'-' } else { *byte })
            .collect();
        let to = [QUARANTINE, b"/", &name].concat();
        self.disk.rename(self.root(), path, &to)
    }

    /// Empties the quarantine; part of a collection.
    pub(crate) fn remove_quarantine(&self) -> Result<()> {
        self.disk.remove_tree(self.root(), QUARANTINE)
    }

    /// Moves the whole entries of a pack to a new one, and the old one to the quarantine.
    fn rescue_pack(&self, number: u64) -> Result<bool> {
        let path = pack::path_of(number);
        let Some(file) = self.disk.open_if_there(self.root(), &path, Access::Write)? else {
            return Ok(true);
        };
        if !self.disk.try_lock(&file, &path)? {
            return Ok(false);
        }
        let objects = self.pack_objects(number)?;
        let whole: Vec<_> = objects
            .iter()
            .filter(|(id, location)| pack::read(self, file.as_fd(), id, location).is_ok())
            .copied()
            .collect();
        self.rewrite_pack((number, &file), &whole, |replace| {
            self.sweep_locked(replace)
        })?;
        lock(&self.complete).trees.clear();
        Ok(true)
    }

    fn rescue_journal(&self) -> Result<()> {
        let journal = self.lock_journal()?;
        let bytes = self.disk.read_to_end(&journal.file, JOURNAL_FILE, 0)?;
        drop(journal);
        self.move_copy_to_quarantine(&bytes)?;
        self.rewrite_journal()
    }

    fn move_copy_to_quarantine(&self, bytes: &[u8]) -> Result<()> {
        self.disk.make_dir_if_missing(self.root(), QUARANTINE)?;
        let path = [QUARANTINE, b"/", JOURNAL_FILE].concat();
        self.disk.remove(self.root(), &path)?;
        let file = self.disk.create(self.root(), &path, 0o600)?;
        self.disk.write_all_at(&file, &path, bytes, 0)
    }

    /// Removes the checkout that a path lies in; one that is leased stays. One that a link leads to
    /// is written again, if its objects are good.
    fn discard_checkout(&self, path: &[u8]) -> Result<bool> {
        let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let [boot, name, ..] = parts.as_slice() else {
            return Ok(true);
        };
        let path = [b"checkouts/", *boot, b"/", name].concat();
        let Some(layer) = Layer::parse(name) else {
            return Ok(true);
        };
        if self.disk.stat_at(self.root(), &path)?.is_none() {
            return Ok(true);
        }
        let is_removed = self.remove_checkout(&path, &layer, || Ok(false))?;
        let linked = self.linked_checkouts()?;
        if is_removed && linked.contains(Path::new(OsStr::from_bytes(&path))) {
            match self.write_checkout(&layer, &path) {
                // What is missing is built again, and whoever wants the link makes it again.
                Ok(_)
                | Err(
                    StoreError::MissingTree { .. }
                    | StoreError::MissingBlob { .. }
                    | StoreError::Damaged { .. },
                ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(is_removed)
    }
}
