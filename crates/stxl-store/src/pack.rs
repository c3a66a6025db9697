//! Packs: append-only files of small blobs and directories.
//!
//! Every writing process has a pack of its own, locked while it may grow. A pack that nobody locks
//! and that is wholly indexed can be taken over by a later writer.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rusqlite::Transaction;
use stxl_model::Digest;

use crate::disk::Access;
use crate::entry::{self, EntryKind, FILE_HEADER_BYTES, FileKind, Header};
use crate::error::StoreError;
use crate::index::{self, FileState, Location};
use crate::store::{Store, now, random_u64};

/// Largest blob that goes into a pack; larger ones are files of their own.
pub(crate) const PACKED_BLOB_BYTES_MAX: u64 = 64 * 1024;

/// Size from which a pack is not appended to.
const PACK_BYTES_MAX: u64 = 64 * 1024 * 1024;
const BUFFER_BYTES: usize = 1024 * 1024;
/// How many packs a new writer asks for before it makes one.
const PACKS_TRIED_MAX: usize = 8;

type Result<T> = std::result::Result<T, StoreError>;

/// The pack this process appends to, and what of it others do not see yet.
#[derive(Default)]
pub(crate) struct Writer {
    current: Option<Current>,
    /// Packs that are full; their locks keep what this session put from collection.
    full: Vec<Arc<OwnedFd>>,
    /// Entries that are not in the index yet.
    unpublished: BTreeMap<Digest, Location>,
    /// How far packs that were filled since the last publication reach.
    full_ends: BTreeMap<u64, u64>,
    /// How far the current pack is published.
    published_end: u64,
}

struct Current {
    number: u64,
    file: Arc<OwnedFd>,
    /// Bytes of the file that are written; the buffer follows them.
    written: u64,
    buffer: Vec<u8>,
}

/// What a publication adds to the index for packs.
pub(crate) struct Batch {
    objects: BTreeMap<Digest, Location>,
    /// How far each pack is indexed with these objects.
    ends: BTreeMap<u64, u64>,
    boot: String,
}

/// Where an object that is not in the index yet can be read.
pub(crate) enum Unpublished {
    Buffered(EntryKind, Vec<u8>),
    Written(Location),
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn apply(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        for (id, location) in &self.objects {
            index::add_object(transaction, id, location)?;
        }
        for (number, end) in &self.ends {
            let synced = index::file_state(transaction, *number)?.map_or(0, |state| state.synced);
            let state = FileState {
                indexed: *end,
                synced,
                boot: self.boot.clone(),
            };
            index::set_file_state(transaction, *number, &state)?;
        }
        Ok(())
    }
}

impl Writer {
    /// Appends an entry unless the same is waiting for publication.
    pub(crate) fn append(
        &mut self,
        store: &Store,
        kind: EntryKind,
        id: Digest,
        payload: &[u8],
    ) -> Result<()> {
        if self.unpublished.contains_key(&id) {
            return Ok(());
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.next_pack(store)?,
        };
        let header = Header {
            kind,
            payload_bytes: payload.len() as u64,
            created: now(),
            id,
        };
        let location = Location {
            kind,
            pack: current.number,
            start: current.end(),
            bytes: header.payload_bytes,
            created: header.created,
        };
        entry::append(&mut current.buffer, header, payload);
        self.unpublished.insert(id, location);
        let flushed = if current.buffer.len() >= BUFFER_BYTES {
            current.flush(store)
        } else {
            Ok(())
        };
        if flushed.is_ok() && current.buffer.is_empty() && current.written >= PACK_BYTES_MAX {
            self.full_ends.insert(current.number, current.written);
            self.full.push(current.file);
        } else {
            self.current = Some(current);
        }
        flushed
    }

    pub(crate) fn is_unpublished(&self, id: &Digest) -> bool {
        self.unpublished.contains_key(id)
    }

    /// Finds an object that is not in the index yet.
    pub(crate) fn find(&self, id: &Digest) -> Option<Unpublished> {
        let location = self.unpublished.get(id)?;
        let buffered = self.current.as_ref().and_then(|current| {
            if current.number != location.pack {
                return None;
            }
            let start = usize::try_from(location.start.checked_sub(current.written)?).ok()?;
            let start = start + entry::HEADER_BYTES;
            let end = start + usize::try_from(location.bytes).ok()?;
            current.buffer.get(start..end)
        });
        Some(match buffered {
            Some(bytes) => Unpublished::Buffered(location.kind, bytes.to_vec()),
            None => Unpublished::Written(*location),
        })
    }

    /// Writes out what is buffered and returns what the index lacks.
    pub(crate) fn batch(&mut self, store: &Store) -> Result<Batch> {
        let mut ends = self.full_ends.clone();
        if let Some(current) = &mut self.current {
            current.flush(store)?;
            if current.written > self.published_end {
                ends.insert(current.number, current.written);
            }
        }
        Ok(Batch {
            objects: self.unpublished.clone(),
            ends,
            boot: store.boot.clone(),
        })
    }

    /// Forgets what the index has after a publication.
    pub(crate) fn published(&mut self, batch: &Batch) {
        for id in batch.objects.keys() {
            self.unpublished.remove(id);
        }
        for (number, end) in &batch.ends {
            self.full_ends.remove(number);
            if self
                .current
                .as_ref()
                .is_some_and(|current| current.number == *number)
            {
                self.published_end = *end;
            }
        }
    }

    /// Takes over a pack that nobody writes, or makes a new one.
    fn next_pack(&mut self, store: &Store) -> Result<Current> {
        let files = store.index()?.read("list the files", index::all_files)?;
        let candidates = files
            .iter()
            .filter(|(number, state)| *number != index::JOURNAL && state.indexed < PACK_BYTES_MAX)
            .take(PACKS_TRIED_MAX);
        for (number, _) in candidates {
            if let Some(current) = take_over(store, *number)? {
                self.published_end = current.written;
                return Ok(current);
            }
        }
        let current = create(store)?;
        self.published_end = 0;
        Ok(current)
    }
}

impl Current {
    fn end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn flush(&mut self, store: &Store) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        // After a failure the same bytes are written again to the same place.
        let path = path_of(self.number);
        store
            .disk
            .write_all_at(&self.file, &path, &self.buffer, self.written)?;
        self.written = self.end();
        self.buffer.clear();
        Ok(())
    }
}

/// The path of a pack.
pub(crate) fn path_of(number: u64) -> Vec<u8> {
    format!("packs/{number:016x}.pack").into_bytes()
}

/// The number in the name of a pack.
pub(crate) fn number_of(name: &[u8]) -> Option<u64> {
    let hex = std::str::from_utf8(name).ok()?.strip_suffix(".pack")?;
    let number = u64::from_str_radix(hex, 16).ok()?;
    (hex.len() == 16 && number != index::JOURNAL).then_some(number)
}

fn take_over(store: &Store, number: u64) -> Result<Option<Current>> {
    let path = path_of(number);
    let Some(file) = store
        .disk
        .open_if_there(store.root(), &path, Access::Write)?
    else {
        return Ok(None);
    };
    if !store.disk.try_lock(&file, &path)? {
        return Ok(None);
    }
    // Between the listing and the lock another process may have written or collected it.
    let state = store
        .index()?
        .read("read the state of a pack", |connection| {
            index::file_state(connection, number)
        })?;
    let stat = store.disk.stat(&file, &path)?;
    let written = stat.st_size.cast_unsigned();
    let is_whole = state.is_some_and(|state| state.indexed == written);
    if !is_whole || stat.st_nlink == 0 || written >= PACK_BYTES_MAX {
        return Ok(None);
    }
    Ok(Some(Current {
        number,
        file: Arc::new(file),
        written,
        buffer: Vec::new(),
    }))
}

/// Makes a pack. Its number is drawn by lot: one that was used before could be confused with a
/// removed pack that another process still has open.
pub(crate) fn create_file(store: &Store) -> Result<(u64, OwnedFd)> {
    // It is locked and has its header before anybody can see it under its name.
    let temporary = store.temporary_name()?;
    loop {
        // The index has signed integers, and 0 is the journal.
        let number = (random_u64()? >> 1).max(1);
        let file = store.disk.create(store.root(), &temporary, 0o600)?;
        store.disk.try_lock(&file, &temporary)?;
        let header = entry::file_header(FileKind::Pack, number);
        store.disk.write_all_at(&file, &temporary, &header, 0)?;
        let path = path_of(number);
        if store.disk.rename_if_free(store.root(), &temporary, &path)? {
            return Ok((number, file));
        }
        store.disk.remove(store.root(), &temporary)?;
    }
}

fn create(store: &Store) -> Result<Current> {
    let (number, file) = create_file(store)?;
    Ok(Current {
        number,
        file: Arc::new(file),
        written: FILE_HEADER_BYTES as u64,
        buffer: Vec::new(),
    })
}

/// Reads the payload of an entry of a pack, checked against its header and digest.
pub(crate) fn read(
    store: &Store,
    file: impl std::os::fd::AsFd,
    id: &Digest,
    location: &Location,
) -> Result<Vec<u8>> {
    let path = path_of(location.pack);
    let damaged = |what| StoreError::Damaged {
        path: String::from_utf8_lossy(&path).into_owned(),
        offset: location.start,
        what,
    };
    let total = usize::try_from(location.bytes)
        .ok()
        .and_then(|bytes| bytes.checked_add(entry::HEADER_BYTES))
        .ok_or_else(|| damaged("an entry that fits into memory"))?;
    let mut bytes = vec![0; total];
    let count = store
        .disk
        .read_at(file.as_fd(), &path, &mut bytes, location.start)?;
    let header = entry::read_header(&bytes).ok_or_else(|| damaged("the header of an entry"))?;
    let payload = bytes.split_off(entry::HEADER_BYTES);
    if count != total || header.id != *id || header.kind.digest_of(&payload) != *id {
        return Err(damaged("the payload that belongs to the digest"));
    }
    Ok(payload)
}
