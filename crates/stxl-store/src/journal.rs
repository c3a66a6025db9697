//! The journal: the one append-only file of records that all processes share.
//!
//! Appending happens under its lock together with the rows, so the order in the file is the order
//! in which choices were made, and making the index again gives the same choices.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rusqlite::Transaction;
use stxl_model::{ActionId, DerivationId, Realisation, TreeId};

use crate::checkout::Layer;
use crate::disk::Lock;
use crate::entry::{self, FileKind, Header, Scanned};
use crate::error::StoreError;
use crate::failpoints::Operation;
use crate::index::{self, FileState, JOURNAL};
use crate::record::Record;
use crate::store::{Store, now};

pub(crate) const JOURNAL_FILE: &[u8] = b"journal";

type Result<T> = std::result::Result<T, StoreError>;

/// Records that wait for publication, and what of them has to be found at once.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) records: Vec<Record>,
    pub(crate) chosen: BTreeMap<ActionId, Realisation>,
    pub(crate) memos: BTreeMap<DerivationId, (ActionId, u64)>,
    pub(crate) layers: BTreeMap<TreeId, Vec<Layer>>,
}

impl Pending {
    pub(crate) fn add(&mut self, record: Record) {
        match &record {
            Record::Realisation(realisation) => {
                self.chosen
                    .entry(realisation.action)
                    .or_insert_with(|| realisation.clone());
            }
            Record::Memo {
                derivation,
                action,
                generation,
            } => {
                self.memos.insert(*derivation, (*action, *generation));
            }
            Record::Release { action } => {
                self.chosen.remove(action);
            }
            Record::Layers { tree, layers } => {
                self.layers.insert(*tree, layers.clone());
            }
            Record::Duration { .. }
            | Record::History(_)
            | Record::Root { .. }
            | Record::OutLink { .. } => {}
        }
        self.records.push(record);
    }

    /// Drops the first records, which are published.
    pub(crate) fn published(&mut self, count: usize) {
        let rest = self.records.split_off(count.min(self.records.len()));
        *self = Self::default();
        for record in rest {
            self.add(record);
        }
    }
}

/// The journal, open and locked against other writers until this is dropped.
pub(crate) struct LockedJournal {
    pub(crate) file: OwnedFd,
    pub(crate) size: u64,
}

impl Store {
    /// Opens the journal and waits for its lock.
    pub(crate) fn lock_journal(&self) -> Result<LockedJournal> {
        loop {
            let file = self.disk.open_or_create(self.root(), JOURNAL_FILE)?;
            self.disk.lock(&file, JOURNAL_FILE, Lock::Exclusive)?;
            let stat = self.disk.stat(&file, JOURNAL_FILE)?;
            let named = self.disk.stat_at(self.root(), JOURNAL_FILE)?;
            // A compaction may have put another file in its place while we waited.
            if named.is_some_and(|named| named.st_ino == stat.st_ino) {
                let size = stat.st_size.cast_unsigned();
                return Ok(LockedJournal { file, size });
            }
        }
    }

    /// Appends records and gives them their rows, together with those of `more`.
    pub(crate) fn append_records(
        &self,
        records: &[Record],
        more: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        if records.is_empty() {
            self.disk.pass_index(Operation::IndexBegin)?;
            self.index()?.write("publish objects", more)?;
            return self.disk.pass_index(Operation::IndexCommit);
        }
        let mut journal = self.lock_journal()?;
        self.catch_up(&mut journal)?;
        let created = now();
        let mut bytes = Vec::new();
        if journal.size == 0 {
            bytes.extend_from_slice(&entry::file_header(FileKind::Journal, JOURNAL));
        }
        let mut positions = Vec::with_capacity(records.len());
        for record in records {
            positions.push(journal.size + bytes.len() as u64);
            append_record(&mut bytes, record, created);
        }
        let written = self
            .disk
            .write_all_at(&journal.file, JOURNAL_FILE, &bytes, journal.size);
        if let Err(error) = written {
            // What was written of them is cut off here or by whoever comes next.
            let _cut = self
                .disk
                .truncate(&journal.file, JOURNAL_FILE, journal.size);
            return Err(error);
        }
        let end = journal.size + bytes.len() as u64;
        self.disk.pass_index(Operation::IndexBegin)?;
        self.index()?.write("publish records", |transaction| {
            more(transaction)?;
            for (record, position) in records.iter().zip(&positions) {
                index::apply(transaction, *position, created, record)?;
            }
            self.set_journal_indexed(transaction, end)
        })?;
        self.disk.pass_index(Operation::IndexCommit)
    }

    fn set_journal_indexed(&self, transaction: &Transaction<'_>, end: u64) -> rusqlite::Result<()> {
        let synced = index::file_state(transaction, JOURNAL)?.map_or(0, |state| state.synced);
        let state = FileState {
            indexed: end,
            synced: synced.min(end),
            boot: self.boot.clone(),
        };
        index::set_file_state(transaction, JOURNAL, &state)
    }

    /// Gives rows to what a process that ended early wrote but did not index, and cuts off what
    /// it did not finish writing.
    pub(crate) fn catch_up(&self, journal: &mut LockedJournal) -> Result<()> {
        let state = self
            .index()?
            .read("read the state of the journal", |connection| {
                index::file_state(connection, JOURNAL)
            })?;
        let indexed = state.map_or(0, |state| state.indexed);
        if indexed == journal.size {
            return Ok(());
        }
        if indexed > journal.size {
            // Its end was lost with the power: the rows are made again from what is there.
            return self.index_journal_again(journal);
        }
        let bytes = self.disk.read_to_end(&journal.file, JOURNAL_FILE, 0)?;
        let start = usize::try_from(indexed).unwrap_or(usize::MAX);
        let (records, end) = readable(&bytes, start);
        if end < bytes.len() {
            self.disk
                .truncate(&journal.file, JOURNAL_FILE, end as u64)?;
        }
        journal.size = end as u64;
        self.index()?
            .write("index the end of the journal", |transaction| {
                for (position, created, record) in &records {
                    index::apply(transaction, *position, *created, record)?;
                }
                self.set_journal_indexed(transaction, end as u64)
            })
    }

    /// Makes all rows of the journal again.
    pub(crate) fn index_journal_again(&self, journal: &mut LockedJournal) -> Result<()> {
        let bytes = self.disk.read_to_end(&journal.file, JOURNAL_FILE, 0)?;
        let (records, end) = readable(&bytes, 0);
        if end < bytes.len() {
            self.disk
                .truncate(&journal.file, JOURNAL_FILE, end as u64)?;
        }
        journal.size = end as u64;
        self.index()?.write("index the journal", |transaction| {
            clear(transaction)?;
            for (position, created, record) in &records {
                index::apply(transaction, *position, *created, record)?;
            }
            self.set_journal_indexed(transaction, end as u64)
        })
    }
}

/// Removes all rows that come from the journal.
pub(crate) fn clear(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    for table in index::JOURNAL_TABLES {
        transaction.execute(&format!("DELETE FROM {table}"), [])?;
    }
    transaction.execute("DELETE FROM meta", [])?;
    Ok(())
}

/// The records of the journal from an offset on with their positions and times, and where the
/// last whole one ends. Damage in the middle is stepped over; `verify` names it.
pub(crate) fn readable(bytes: &[u8], start: usize) -> (Vec<(u64, u64, Record)>, usize) {
    let start = if start == 0 {
        entry::FILE_HEADER_BYTES.min(bytes.len())
    } else {
        start
    };
    let mut records = Vec::new();
    let mut end = start;
    if bytes.len() < entry::FILE_HEADER_BYTES {
        return (records, 0);
    }
    for scanned in entry::scan(bytes, start) {
        match scanned {
            Scanned::Entry { offset, header } => {
                end = offset + entry_bytes(&header);
                let payload = &bytes[offset + entry::HEADER_BYTES..end];
                if let Ok(Some(record)) = Record::decode(header.kind, payload) {
                    records.push((offset as u64, header.created, record));
                }
            }
            Scanned::BadPayload { offset, header } => end = offset + entry_bytes(&header),
            Scanned::Garbage { .. } => {}
        }
    }
    (records, end)
}

/// Appends the entry of a record to bytes that are about to be written.
pub(crate) fn append_record(bytes: &mut Vec<u8>, record: &Record, created: u64) {
    let payload = record.encode();
    let header = Header {
        kind: record.kind(),
        payload_bytes: payload.len() as u64,
        created,
        id: record.kind().digest_of(&payload),
    };
    entry::append(bytes, header, &payload);
}

pub(crate) fn entry_bytes(header: &Header) -> usize {
    // The scan has checked that the entry fits into the bytes read.
    entry::HEADER_BYTES + usize::try_from(header.payload_bytes).unwrap_or(usize::MAX)
}
