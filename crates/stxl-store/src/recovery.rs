//! Opening the index, bringing it up to date with the files, and making it again from them.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::Ordering;

use rusqlite::Transaction;
use stxl_model::{BlobId, Digest};

use crate::ballast::BALLAST_BYTES;
use crate::disk::{Access, Lock};
use crate::entry::{CHECK_BYTES, FILE_HEADER_BYTES, Header, Scanned, check_of, scan};
use crate::error::StoreError;
use crate::failpoints::Operation;
use crate::index::{self, FileState, Freshness, Index, JOURNAL, Location, Medium};
use crate::journal::{self, JOURNAL_FILE, entry_bytes};
use crate::pack;
use crate::store::{
    INDEX_FILE, INDEX_SUM_FILE, IndexCheck, OPEN_LOCK, Room, Store, USE_LOCK, blob_path,
};

type Result<T> = std::result::Result<T, StoreError>;

const INDEX_LOG_FILES: [&[u8]; 2] = [b"index.db-wal", b"index.db-shm"];

impl Store {
    /// Opens the index; one that is damaged and used by nobody else is made again.
    pub(crate) fn open_index(&mut self) -> Result<()> {
        if self.room == Room::MayBeNone
            && let Some(index) = self.index_without_room()?
        {
            self.index = Some(index);
            return Ok(());
        }
        // Waits for a collection that has the store for itself.
        self.disk.lock(&self.use_lock, USE_LOCK, Lock::Shared)?;
        if !self.is_index_as_left()? {
            self.remove_index()?;
        }
        let path = self.path.join("index.db");
        let mut opened = Index::open(&path);
        let wants_room = opened.as_ref().is_err_and(StoreError::may_want_room);
        if wants_room {
            // The index needs a little room even for reading; this is what the ballast is for.
            self.release_ballast()?;
            opened = Index::open(&path);
        }
        if opened.as_ref().is_err_and(is_corrupt) {
            self.remove_index()?;
            opened = Index::open(&path);
        }
        let (index, freshness) = opened?;
        // Whoever removed an index had the store for itself until here.
        self.disk.lock(&self.use_lock, USE_LOCK, Lock::Shared)?;
        self.index = Some(index);
        if wants_room {
            self.restore_ballast()?;
        }
        if freshness == Freshness::Fresh {
            self.invalidate_index_sum()?;
        }
        Ok(())
    }

    /// An index in memory, made from the files, where neither the disk nor the ballast has room for
    /// one and nobody else has the store open: a collection was ended early when it had given the
    /// ballast up, say. Until the store is closed nobody else opens it. The index on the disk is
    /// left as it is; the next opening brings it up to date.
    fn index_without_room(&self) -> Result<Option<Index>> {
        let room = self.disk.free_bytes(self.root(), b".")? + self.ballast_bytes()?;
        if room < BALLAST_BYTES as u64 && self.disk.try_lock(&self.use_lock, USE_LOCK)? {
            self.index_of_files().map(Some)
        } else {
            Ok(None)
        }
    }

    /// After a loss of power the index can be older or newer than its checksum; then it is made
    /// again. Within one boot a difference is damage, which `verify` is to name.
    fn is_index_as_left(&self) -> Result<bool> {
        let (boot, expected) = match self.index_sum()? {
            IndexSum::None => return Ok(true),
            IndexSum::Unreadable => {
                self.note_damaged_index(INDEX_SUM_FILE, "not a digest with its checksum");
                self.disk.remove(self.root(), INDEX_SUM_FILE)?;
                return Ok(true);
            }
            IndexSum::Of { boot, digest } => (boot, digest),
        };
        let is_same_boot = boot == self.boot;
        if is_same_boot && self.index_check == IndexCheck::AfterBoot {
            return Ok(true);
        }
        let is_as_left = self.index_digest()? == Some(expected);
        if !is_as_left && is_same_boot {
            self.note_damaged_index(INDEX_FILE, "unlike the checksum its last user left");
        }
        Ok(is_as_left)
    }

    /// Removes the index from the disk; nobody else may have it open.
    pub(crate) fn remove_index(&self) -> Result<()> {
        if !self.disk.try_lock(&self.use_lock, USE_LOCK)? {
            return Err(StoreError::Damaged {
                path: String::from_utf8_lossy(INDEX_FILE).into_owned(),
                offset: 0,
                what: "an index that can be read; end the other processes that use the store",
            });
        }
        self.disk.remove(self.root(), INDEX_SUM_FILE)?;
        for file in INDEX_LOG_FILES {
            self.disk.remove(self.root(), file)?;
        }
        self.disk.remove(self.root(), INDEX_FILE)?;
        Ok(())
    }

    /// The digest of the index as its last user left it, and the boot in which that was.
    fn index_sum(&self) -> Result<IndexSum> {
        let Some(file) = self
            .disk
            .open_if_there(self.root(), INDEX_SUM_FILE, Access::Read)?
        else {
            return Ok(IndexSum::None);
        };
        let bytes = self.disk.read_to_end(&file, INDEX_SUM_FILE, 0)?;
        let covered_bytes = bytes.len().saturating_sub(CHECK_BYTES);
        let (covered, check) = bytes.split_at(covered_bytes);
        let Some((digest, boot)) = covered.split_first_chunk::<32>() else {
            return Ok(IndexSum::Unreadable);
        };
        if check_of(covered) != check {
            return Ok(IndexSum::Unreadable);
        }
        Ok(IndexSum::Of {
            boot: String::from_utf8_lossy(boot).into_owned(),
            digest: BlobId::from_digest(Digest::from_bytes(*digest)),
        })
    }

    pub(crate) fn index_digest(&self) -> Result<Option<BlobId>> {
        let Some(file) = self
            .disk
            .open_if_there(self.root(), INDEX_FILE, Access::Read)?
        else {
            return Ok(None);
        };
        let bytes = self.disk.read_to_end(&file, INDEX_FILE, 0)?;
        Ok(Some(BlobId::of(&bytes)))
    }

    /// Says before the first write of a session that the checksum of the index no longer holds.
    pub(crate) fn invalidate_index_sum(&self) -> Result<()> {
        if !self.is_sum_invalid.load(Ordering::Acquire) {
            self.disk.remove(self.root(), INDEX_SUM_FILE)?;
            self.is_sum_invalid.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Closes the index; the last user leaves a checksum of it, so that damage can be told.
    pub(crate) fn close_index(&mut self) {
        // What fails here is made up for at the next opening.
        let _closed = self.session.close(&self.disk);
        let _summed = self.try_close_index();
    }

    fn try_close_index(&mut self) -> Result<()> {
        let index = self.index.take();
        if index.is_some_and(|index| index.medium() == Medium::Memory) {
            // Others wait for it with the lock of opening in their hands.
            self.disk.unlock(&self.use_lock, USE_LOCK)?;
        }
        let open_lock = self.disk.open_or_create(self.root(), OPEN_LOCK)?;
        self.disk.lock(&open_lock, OPEN_LOCK, Lock::Exclusive)?;
        let is_last = self.disk.try_lock(&self.use_lock, USE_LOCK)?;
        if !is_last {
            return Ok(());
        }
        let summed = self.leave_index_sum();
        // The room that the index gave back is set aside before anybody else takes it.
        self.restore_ballast()?;
        summed
    }

    fn leave_index_sum(&self) -> Result<()> {
        if !matches!(self.index_sum()?, IndexSum::None) {
            return Ok(());
        }
        for file in INDEX_LOG_FILES {
            // The database left its own log behind: its file alone is not the whole index.
            if self.disk.stat_at(self.root(), file)?.is_some() {
                return Ok(());
            }
        }
        let Some(digest) = self.index_digest()? else {
            return Ok(());
        };
        let mut bytes = digest.digest().as_bytes().to_vec();
        bytes.extend_from_slice(self.boot.as_bytes());
        let check = check_of(&bytes);
        bytes.extend_from_slice(&check);
        let temporary: &[u8] = b"tmp/format-index";
        self.disk.remove(self.root(), temporary)?;
        let file = self.disk.create(self.root(), temporary, 0o600)?;
        self.disk.write_all_at(&file, INDEX_SUM_FILE, &bytes, 0)?;
        self.disk.rename(self.root(), temporary, INDEX_SUM_FILE)
    }

    /// As [`Self::recover`], with the room of the ballast if there is no other.
    pub(crate) fn recover_with_room(&self) -> Result<()> {
        match self.recover() {
            Err(error) if error.is_disk_full() => {
                self.release_ballast()?;
                self.recover()?;
                self.restore_ballast()
            }
            recovered => {
                recovered?;
                self.restore_ballast_if_ample()
            }
        }
    }

    /// Tidies up after sessions that ended early and indexes what they left. The caller holds the
    /// lock of opening.
    pub(crate) fn recover(&self) -> Result<()> {
        self.remove_dead_sessions()?;
        self.adopt_staging_of_earlier_boots()?;
        self.recover_packs()?;
        self.recover_journal()
    }

    fn remove_dead_sessions(&self) -> Result<()> {
        let unfinished = self.disk.open_dir(self.root(), b"tmp")?;
        let unfinished = self.disk.list(unfinished.as_fd(), b"tmp")?;
        let leases = self.disk.open_dir(self.root(), b"leases")?;
        for lease in self.disk.list(leases.as_fd(), b"leases")? {
            let Some(file) = self
                .disk
                .open_if_there(leases.as_fd(), &lease.name, Access::Write)?
            else {
                continue;
            };
            if self.disk.try_lock(&file, &lease.name)? {
                let temporary = [b"tmp/", lease.name.as_slice()].concat();
                self.disk.remove_tree(self.root(), &temporary)?;
                self.disk.remove(leases.as_fd(), &lease.name)?;
            }
        }
        for entry in unfinished {
            // A session makes its lease first, so a directory without one has no owner.
            let is_owned = entry.name.starts_with(b"format-")
                || self.disk.stat_at(leases.as_fd(), &entry.name)?.is_some();
            if !is_owned {
                let temporary = [b"tmp/", entry.name.as_slice()].concat();
                self.disk.remove_tree(self.root(), &temporary)?;
            }
        }
        Ok(())
    }

    /// Large blobs that were never synced before the machine went down are checked byte by byte.
    fn adopt_staging_of_earlier_boots(&self) -> Result<()> {
        let staging = self.disk.open_dir(self.root(), b"staging")?;
        for boot in self.disk.list(staging.as_fd(), b"staging")? {
            if boot.name == self.boot.as_bytes() {
                continue;
            }
            let directory = self.disk.open_dir(staging.as_fd(), &boot.name)?;
            for blob in self.disk.list(directory.as_fd(), &boot.name)? {
                let id = std::str::from_utf8(&blob.name).ok().map(BlobId::parse);
                let from = [b"staging/", boot.name.as_slice(), b"/", &blob.name].concat();
                match id {
                    Some(Ok(id)) if self.hash_file(directory.as_fd(), &blob.name)? == id => {
                        let file = self.disk.open_read(directory.as_fd(), &blob.name)?;
                        self.disk.sync(&file, &from)?;
                        self.place_blob(&from, &id)?;
                    }
                    _ => {
                        self.disk.remove(self.root(), &from)?;
                    }
                }
            }
            self.disk.remove_tree(staging.as_fd(), &boot.name)?;
        }
        Ok(())
    }

    /// Renames a large blob to its final name.
    pub(crate) fn place_blob(&self, from: &[u8], id: &BlobId) -> Result<()> {
        let path = blob_path(id.digest());
        let (directory, _) = path.split_at(b"blobs/00".len());
        if self.disk.stat_at(self.root(), directory)?.is_none() {
            self.disk.make_dir_if_missing(self.root(), directory)?;
            let blobs = self.disk.open_dir(self.root(), b"blobs")?;
            self.disk.sync(&blobs, b"blobs")?;
        }
        self.disk.rename(self.root(), from, &path)?;
        let directory_fd = self.disk.open_dir(self.root(), directory)?;
        self.disk.sync(&directory_fd, directory)
    }

    /// The numbers of the packs that lie in the store, in rising order.
    pub(crate) fn packs_on_disk(&self) -> Result<Vec<u64>> {
        let packs = self.disk.open_dir(self.root(), b"packs")?;
        let listed = self.disk.list(packs.as_fd(), b"packs")?;
        Ok(listed
            .iter()
            .filter_map(|entry| pack::number_of(&entry.name))
            .collect())
    }

    fn recover_packs(&self) -> Result<()> {
        let known = self.index()?.read("list the files", index::all_files)?;
        let on_disk = self.packs_on_disk()?;
        for (number, _) in &known {
            if *number != JOURNAL && !on_disk.contains(number) {
                self.forget_pack(*number)?;
            }
        }
        for number in on_disk {
            let state = known
                .iter()
                .find(|(known, _)| *known == number)
                .map(|(_, state)| state);
            self.recover_pack(number, state)?;
        }
        Ok(())
    }

    pub(crate) fn forget_pack(&self, number: u64) -> Result<()> {
        self.invalidate_index_sum()?;
        self.index()?.write("forget a pack", |transaction| {
            index::remove_pack(transaction, number)
        })
    }

    fn recover_pack(&self, number: u64, state: Option<&FileState>) -> Result<()> {
        let path = pack::path_of(number);
        let Some(stat) = self.disk.stat_at(self.root(), &path)? else {
            return Ok(());
        };
        let size = stat.st_size.cast_unsigned();
        let (indexed, synced) = state.map_or((0, 0), |state| (state.indexed, state.synced));
        let survived = state.is_none_or(|state| state.boot == self.boot) || synced >= indexed;
        if survived && size == indexed {
            return Ok(());
        }
        let Some(file) = self.disk.open_if_there(self.root(), &path, Access::Write)? else {
            return Ok(());
        };
        // A pack that somebody locks is being written; its writer indexes it. One that was
        // removed while it was opened here has no rows to be added.
        if !self.disk.try_lock(&file, &path)? || self.disk.stat(&file, &path)?.st_nlink == 0 {
            return Ok(());
        }
        let start = if survived && size >= indexed {
            indexed
        } else {
            synced.min(size)
        };
        self.index_pack_from(number, &file, start, state.is_some())
    }

    /// Indexes a pack from an offset on and cuts off what is no entry.
    fn index_pack_from(
        &self,
        number: u64,
        file: &OwnedFd,
        start: u64,
        is_known: bool,
    ) -> Result<()> {
        let path = pack::path_of(number);
        let bytes = self.disk.read_to_end(file, &path, 0)?;
        let start = usize::try_from(start)
            .unwrap_or(usize::MAX)
            .max(FILE_HEADER_BYTES)
            .min(bytes.len());
        // Of what was not acknowledged, everything from the first damage on is dropped.
        let (objects, end) = if is_known {
            whole_entries(number, &bytes, start)
        } else {
            readable_entries(number, &bytes, start)
        };
        if end < bytes.len() {
            self.disk.truncate(file, &path, end as u64)?;
        }
        self.invalidate_index_sum()?;
        self.index()?.write("index a pack", |transaction| {
            transaction.execute(
                "DELETE FROM objects WHERE pack = ?1 AND start >= ?2",
                [number.cast_signed(), (start as u64).cast_signed()],
            )?;
            self.add_pack_rows(transaction, number, &objects, end as u64)
        })
    }

    fn add_pack_rows(
        &self,
        transaction: &Transaction<'_>,
        number: u64,
        objects: &[(Digest, Location)],
        end: u64,
    ) -> rusqlite::Result<()> {
        for (id, location) in objects {
            index::add_object(transaction, id, location)?;
        }
        let synced = index::file_state(transaction, number)?.map_or(0, |state| state.synced);
        let state = FileState {
            indexed: end,
            synced: synced.min(end),
            boot: self.boot.clone(),
        };
        index::set_file_state(transaction, number, &state)
    }

    fn recover_journal(&self) -> Result<()> {
        let mut journal = self.lock_journal()?;
        let state = self
            .index()?
            .read("read the state of the journal", |connection| {
                index::file_state(connection, JOURNAL)
            })?;
        let indexed = state.as_ref().map_or(0, |state| state.indexed);
        let survived =
            state.is_none_or(|state| state.boot == self.boot || state.synced >= state.indexed);
        if survived && indexed == journal.size {
            return Ok(());
        }
        self.invalidate_index_sum()?;
        if survived {
            self.catch_up(&mut journal)
        } else {
            self.index_journal_again(&mut journal)
        }
    }

    /// Makes every row of the index again from the files.
    pub fn rebuild_db(&self) -> Result<()> {
        self.publish()?;
        self.invalidate_index_sum()?;
        let journal = self.lock_journal()?;
        let records = self.disk.read_to_end(&journal.file, JOURNAL_FILE, 0)?;
        let packs = self.read_packs()?;
        self.disk.pass_index(Operation::IndexBegin)?;
        self.index()?.write("make the index again", |transaction| {
            index::reset(transaction)?;
            for (number, objects, end) in &packs {
                self.add_pack_rows(transaction, *number, objects, *end)?;
            }
            self.add_journal_rows(transaction, &records)
        })?;
        self.disk.pass_index(Operation::IndexCommit)
    }

    fn add_journal_rows(
        &self,
        transaction: &Transaction<'_>,
        bytes: &[u8],
    ) -> rusqlite::Result<()> {
        let (records, end) = journal::readable(bytes, 0);
        for (position, created, record) in &records {
            index::apply(transaction, *position, *created, record)?;
        }
        let state = FileState {
            indexed: end as u64,
            synced: 0,
            boot: self.boot.clone(),
        };
        index::set_file_state(transaction, JOURNAL, &state)
    }

    /// The objects that can be read from each pack, and where its last whole entry ends.
    #[expect(
        clippy::type_complexity,
        reason = "rows of two tables, used twice in this file"
    )]
    fn read_packs(&self) -> Result<Vec<(u64, Vec<(Digest, Location)>, u64)>> {
        let mut packs = Vec::new();
        for number in self.packs_on_disk()? {
            let path = pack::path_of(number);
            if let Some(file) = self.disk.open_if_there(self.root(), &path, Access::Read)? {
                let bytes = self.disk.read_to_end(&file, &path, 0)?;
                let (objects, end) = readable_entries(number, &bytes, FILE_HEADER_BYTES);
                packs.push((number, objects, end as u64));
            }
        }
        Ok(packs)
    }

    /// An index made from the files, in memory, for comparing with the one on the disk.
    pub(crate) fn index_of_files(&self) -> Result<Index> {
        let other = Index::in_memory()?;
        let packs = self.read_packs()?;
        let records = match self
            .disk
            .open_if_there(self.root(), JOURNAL_FILE, Access::Read)?
        {
            Some(file) => self.disk.read_to_end(&file, JOURNAL_FILE, 0)?,
            None => Vec::new(),
        };
        other.write("fill an index", |transaction| {
            for (number, objects, end) in &packs {
                self.add_pack_rows(transaction, *number, objects, *end)?;
            }
            self.add_journal_rows(transaction, &records)
        })?;
        Ok(other)
    }
}

/// What is known of the index as its last user left it.
enum IndexSum {
    None,
    Unreadable,
    Of { boot: String, digest: BlobId },
}

/// All entries that can be read, and the end of the last one.
fn readable_entries(number: u64, bytes: &[u8], start: usize) -> (Vec<(Digest, Location)>, usize) {
    let mut objects = Vec::new();
    let mut end = start.min(bytes.len());
    for scanned in scan(bytes, start) {
        match scanned {
            Scanned::Entry { offset, header } => {
                objects.push((header.id, location_of(number, offset, &header)));
                end = offset + entry_bytes(&header);
            }
            Scanned::BadPayload { offset, header } => end = offset + entry_bytes(&header),
            Scanned::Garbage { .. } => {}
        }
    }
    (objects, end)
}

/// The entries up to the first damage, and where that is.
fn whole_entries(number: u64, bytes: &[u8], start: usize) -> (Vec<(Digest, Location)>, usize) {
    let mut objects = Vec::new();
    let mut end = start;
    for scanned in scan(bytes, start) {
        let Scanned::Entry { offset, header } = scanned else {
            break;
        };
        objects.push((header.id, location_of(number, offset, &header)));
        end = offset + entry_bytes(&header);
    }
    (objects, end)
}

fn location_of(number: u64, offset: usize, header: &Header) -> Location {
    Location {
        kind: header.kind,
        pack: number,
        start: offset as u64,
        bytes: header.payload_bytes,
        created: header.created,
    }
}

fn is_corrupt(error: &StoreError) -> bool {
    let StoreError::Index { source, .. } = error else {
        return false;
    };
    matches!(
        source.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
    )
}
