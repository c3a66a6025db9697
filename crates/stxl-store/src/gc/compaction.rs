//! Giving the space in packs and in the journal back.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use stxl_model::Digest;

use crate::disk::Access;
use crate::entry::{self, FILE_HEADER_BYTES, FileKind, HEADER_BYTES, Header};
use crate::error::StoreError;
use crate::failpoints::Operation;
use crate::gc::{GcReport, Sweeping};
use crate::index::{self, FileState, JOURNAL, Location, read_location};
use crate::journal::{JOURNAL_FILE, append_record, readable};
use crate::pack;
use crate::record::Record;
use crate::store::{Store, lock};

type Result<T> = std::result::Result<T, StoreError>;

/// Size up to which a journal is left as it is.
const JOURNAL_BYTES_FREE: u64 = 1024 * 1024;

/// When a pack is written again without what is dead in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// When more of it is dead than stays: a collection does not move much to free little.
    MostlyDead,
    /// When anything of it is dead.
    AnyDead,
}

impl Store {
    /// Removes packs without anything that stays, and writes those again that are worth it.
    pub(super) fn collect_packs(
        &self,
        sweep: &mut Sweeping<'_>,
        worth: Worth,
        report: &mut GcReport,
    ) -> Result<()> {
        let mut first_error = None;
        for number in self.packs_on_disk()? {
            match self.collect_pack((number, worth), sweep, report) {
                Ok(()) => {}
                // Other packs may be removable as a whole, which makes room for this one.
                Err(error) if error.is_disk_full() => first_error = first_error.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    fn collect_pack(
        &self,
        (number, worth): (u64, Worth),
        sweep: &mut Sweeping<'_>,
        report: &mut GcReport,
    ) -> Result<()> {
        let objects = self.pack_objects(number)?;
        let dead_bytes: u64 = objects
            .iter()
            .filter(|(id, _)| sweep.dead.contains(id))
            .map(|(_, location)| location.bytes + HEADER_BYTES as u64)
            .sum();
        let path = pack::path_of(number);
        let Some(file) = self.disk.open_if_there(self.root(), &path, Access::Write)? else {
            return Ok(());
        };
        let size = self.disk.stat(&file, &path)?.st_size.cast_unsigned();
        // Entries that another pack holds too have no row here and are as good as dead.
        let live_bytes: u64 = objects
            .iter()
            .filter(|(id, _)| !sweep.dead.contains(id))
            .map(|(_, location)| location.bytes + HEADER_BYTES as u64)
            .sum();
        let is_mostly_dead = live_bytes.saturating_mul(2) < size || dead_bytes > live_bytes;
        let is_worth_it = is_mostly_dead || (worth == Worth::AnyDead && dead_bytes > 0);
        if !is_worth_it || !self.disk.try_lock(&file, &path)? {
            return Ok(());
        }
        // Since the lock is ours, the rows of the pack can only change by our own hand.
        let objects = self.pack_objects(number)?;
        let live: Vec<_> = objects
            .iter()
            .filter(|(id, _)| !sweep.dead.contains(id) || sweep.marked.has(id))
            .copied()
            .collect();
        let kept: BTreeSet<Digest> = live.iter().map(|(id, _)| *id).collect();
        let written = self.rewrite_pack((number, &file), &live, |replace| {
            self.sweep_marked(sweep, |marked| {
                let is_wanted = |id: &Digest| marked.has(id) && !kept.contains(id);
                if objects.iter().any(|(id, _)| is_wanted(id)) {
                    return Ok(false);
                }
                replace()
            })
        })?;
        if let Some(written) = written {
            report.packs += 1;
            report.objects += (objects.len() - live.len()) as u64;
            report.bytes_freed += size.saturating_sub(written);
        }
        Ok(())
    }

    /// Moves entries to a new pack and removes the old one. `under_lock` runs the last step with
    /// the sweep lock held, or declines. Returns the size of the new pack if it ran.
    pub(crate) fn rewrite_pack(
        &self,
        (number, file): (u64, &OwnedFd),
        live: &[(Digest, Location)],
        under_lock: impl FnOnce(&dyn Fn() -> Result<bool>) -> Result<bool>,
    ) -> Result<Option<u64>> {
        let moved = if live.is_empty() {
            None
        } else {
            Some(self.write_pack_of(file, live)?)
        };
        let is_replaced = under_lock(&|| {
            self.replace_pack_rows(number, moved.as_ref())?;
            self.disk.remove(self.root(), &pack::path_of(number))
        })?;
        if !is_replaced {
            if let Some(moved) = &moved {
                self.disk
                    .remove(self.root(), &pack::path_of(moved.number))?;
            }
            return Ok(None);
        }
        lock(&self.readers).remove(&number);
        Ok(Some(moved.map_or(0, |moved| moved.end)))
    }

    fn replace_pack_rows(&self, number: u64, moved: Option<&Moved>) -> Result<()> {
        self.disk.pass_index(Operation::IndexBegin)?;
        self.index()?.write("replace a pack", |transaction| {
            index::remove_pack(transaction, number)?;
            if let Some(moved) = moved {
                for (id, location) in &moved.objects {
                    index::add_object(transaction, id, location)?;
                }
                let state = FileState {
                    indexed: moved.end,
                    synced: moved.end,
                    boot: self.boot.clone(),
                };
                index::set_file_state(transaction, moved.number, &state)?;
            }
            Ok(())
        })?;
        self.disk.pass_index(Operation::IndexCommit)
    }

    /// Copies entries into a new pack that is on the disk when this returns.
    fn write_pack_of(&self, file: &OwnedFd, live: &[(Digest, Location)]) -> Result<Moved> {
        let (number, new) = pack::create_file(self)?;
        let mut moved = Moved {
            number,
            objects: Vec::with_capacity(live.len()),
            end: FILE_HEADER_BYTES as u64,
            file: new,
        };
        let path = pack::path_of(number);
        let written = self.fill_pack(file, live, &mut moved, &path);
        if let Err(error) = written {
            self.disk.remove(self.root(), &path)?;
            return Err(error);
        }
        Ok(moved)
    }

    fn fill_pack(
        &self,
        file: &OwnedFd,
        live: &[(Digest, Location)],
        moved: &mut Moved,
        path: &[u8],
    ) -> Result<()> {
        for (id, location) in live {
            let payload = pack::read(self, file, id, location)?;
            let header = Header {
                kind: location.kind,
                payload_bytes: location.bytes,
                created: location.created,
                id: *id,
            };
            let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
            entry::append(&mut bytes, header, &payload);
            self.disk
                .write_all_at(&moved.file, path, &bytes, moved.end)?;
            moved.objects.push((
                *id,
                Location {
                    pack: moved.number,
                    start: moved.end,
                    ..*location
                },
            ));
            moved.end += bytes.len() as u64;
        }
        self.disk.sync(&moved.file, path)?;
        let packs = self.disk.open_dir(self.root(), b"packs")?;
        self.disk.sync(&packs, b"packs")
    }

    pub(crate) fn pack_objects(&self, number: u64) -> Result<Vec<(Digest, Location)>> {
        self.index()?.read("list the objects of a pack", |connection| {
            connection
                .prepare(
                    "SELECT kind, pack, start, bytes, created, id FROM objects WHERE pack = ?1 ORDER BY start",
                )?
                .query_map([number.cast_signed()], |row| {
                    Ok((index::digest_at(row, 5)?, read_location(row)?))
                })?
                .collect()
        })
    }

    /// Writes the journal again without records that later ones replaced.
    pub(super) fn compact_journal(&self) -> Result<()> {
        self.publish()?;
        let size = self.disk.stat_at(self.root(), JOURNAL_FILE)?;
        if size.is_some_and(|stat| stat.st_size.cast_unsigned() > JOURNAL_BYTES_FREE) {
            self.rewrite_journal()?;
        }
        Ok(())
    }

    /// Writes the journal again: without what is replaced and without what cannot be read.
    pub(crate) fn rewrite_journal(&self) -> Result<()> {
        let mut journal = self.lock_journal()?;
        self.catch_up(&mut journal)?;
        let bytes = self.disk.read_to_end(&journal.file, JOURNAL_FILE, 0)?;
        let compacted = compact(&bytes);
        if compacted == bytes {
            return Ok(());
        }
        let temporary = self.temporary_name()?;
        let file = self.disk.create(self.root(), &temporary, 0o600)?;
        // Whoever waits for the old file's lock must not get at the new one before it is indexed.
        self.disk.try_lock(&file, &temporary)?;
        self.disk.write_all_at(&file, &temporary, &compacted, 0)?;
        self.disk.sync(&file, &temporary)?;
        self.disk.rename(self.root(), &temporary, JOURNAL_FILE)?;
        self.disk.sync(self.root(), b".")?;
        let size = compacted.len() as u64;
        let mut journal = crate::journal::LockedJournal { file, size };
        self.index_journal_again(&mut journal)
    }
}

struct Moved {
    number: u64,
    objects: Vec<(Digest, Location)>,
    end: u64,
    /// The new pack stays locked until its rows are there.
    file: OwnedFd,
}

/// The journal without records that later ones of the same key replace. Realisations and releases
/// stay, all of them and in order: they decide what is chosen.
fn compact(bytes: &[u8]) -> Vec<u8> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    let (records, _) = readable(bytes, 0);
    for (position, created, record) in records.into_iter().rev() {
        let is_last = match key_of(&record) {
            Some(key) => seen.insert((record.kind(), key)),
            None => true,
        };
        if is_last {
            kept.push((position, created, record));
        }
    }
    let mut compacted = entry::file_header(FileKind::Journal, JOURNAL).to_vec();
    for (_, created, record) in kept.into_iter().rev() {
        append_record(&mut compacted, &record, created);
    }
    compacted
}

/// What a record is replaced by; nothing for those that are not replaced.
fn key_of(record: &Record) -> Option<Vec<u8>> {
    match record {
        Record::Realisation(_) | Record::Release { .. } => None,
        Record::Memo { derivation, .. } => Some(derivation.digest().as_bytes().to_vec()),
        Record::Duration { label, step, .. } => Some(format!("{label}\0{step}").into_bytes()),
        Record::History(entry) => {
            Some(format!("{}\0{}", entry.workspace, entry.request).into_bytes())
        }
        Record::Root { name, .. } => Some(name.clone().into_bytes()),
        Record::OutLink { path, .. } => Some(path.clone()),
        Record::Layers { tree, .. } => Some(tree.digest().as_bytes().to_vec()),
    }
}
