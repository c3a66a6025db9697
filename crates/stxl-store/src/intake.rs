//! Taking the bytes of files in: hashed while they are copied, so the id is that of the copy.

use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FileType;
use stxl_model::{BlobHasher, BlobId};

use crate::entry::EntryKind;
use crate::error::StoreError;
use crate::lease::Leased;
use crate::object::ATTEMPTS_MAX;
use crate::pack::PACKED_BLOB_BYTES_MAX;
use crate::store::{Store, blob_path};

/// Size from which several threads copy and hash.
const PARALLEL_BYTES_MIN: u64 = 8 * 1024 * 1024;
/// More threads wait for one another: the kernel writes one file for one of them at a time.
const COPYING_THREADS_MAX: usize = 4;
/// After how many bytes the disk is told to begin: a commit will wait for them, and copying and
/// writing out at once take about half of the time of one after the other.
const WRITE_OUT_BYTES: u64 = 32 * 1024 * 1024;
const CHUNK_BYTES: usize = 256 * 1024;

type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Puts the bytes of an open regular file, from its beginning, and returns their number too.
    pub fn put_blob_from(&self, file: impl AsFd) -> Result<(BlobId, u64)> {
        self.put_blob_from_unless(file, &AtomicBool::new(false))
    }

    /// As [`Self::put_blob_from`]; ends with [`StoreError::Cancelled`] once `cancelled` is set.
    pub fn put_blob_from_unless(
        &self,
        file: impl AsFd,
        cancelled: &AtomicBool,
    ) -> Result<(BlobId, u64)> {
        let (file, shown) = (file.as_fd(), b"(open file)");
        for _ in 0..ATTEMPTS_MAX {
            let sweep = self.session.sweep(&self.disk)?;
            let size = self.disk.stat(file, shown)?.st_size.cast_unsigned();
            let (blob, size_bytes) = self.take_in_sized(file, shown, size, Some(cancelled))?;
            if self.protect(&[Leased::Blob(blob)], sweep, || self.has_blob(&blob))? {
                return Ok((blob, size_bytes));
            }
        }
        Err(StoreError::Contended)
    }

    /// Copies the bytes of a file into the store without protecting them. `size` was read just
    /// before; if it is another by now, the bytes that are read count. Ends early once `cancelled`
    /// is set.
    pub(crate) fn take_in_sized(
        &self,
        file: BorrowedFd<'_>,
        shown: &[u8],
        size: u64,
        cancelled: Option<&AtomicBool>,
    ) -> Result<(BlobId, u64)> {
        refuse_cancelled(cancelled)?;
        if size > PACKED_BLOB_BYTES_MAX {
            return self.take_in_large(file, shown, size, cancelled);
        }
        let limit = usize::try_from(size).unwrap_or(usize::MAX) + 1;
        let mut bytes = vec![0; limit];
        let count = self.disk.read_at(file, shown, &mut bytes, 0)?;
        if count == limit {
            // It grew since its size was read.
            return self.take_in_large(file, shown, size, cancelled);
        }
        bytes.truncate(count);
        let blob = BlobId::of(&bytes);
        self.put_packed(EntryKind::Blob, blob.digest(), &bytes)?;
        Ok((blob, count as u64))
    }

    fn take_in_large(
        &self,
        from: BorrowedFd<'_>,
        shown: &[u8],
        size: u64,
        cancelled: Option<&AtomicBool>,
    ) -> Result<(BlobId, u64)> {
        let temporary = self.temporary_name()?;
        let to = self.disk.create(self.root(), &temporary, 0o600)?;
        let copied = if size >= PARALLEL_BYTES_MIN {
            if self.disk.share_bytes(&to, from) {
                self.hash_in_pieces((&to, &temporary), cancelled)
            } else {
                self.copy_in_pieces((from, shown), (&to, &temporary), size, cancelled)
            }
        } else {
            self.copy((from, shown), (&to, &temporary), cancelled)
        };
        match copied {
            Ok((blob, copied)) => {
                self.stage(&temporary, &blob)?;
                Ok((blob, copied))
            }
            Err(error) => {
                // The space is wanted back at once when the disk is full.
                let _removed = self.disk.remove(self.root(), &temporary);
                Err(error)
            }
        }
    }

    /// Copies until the end, hashing what was copied.
    fn copy(
        &self,
        (from, from_shown): (BorrowedFd<'_>, &[u8]),
        (to, to_shown): (&OwnedFd, &[u8]),
        cancelled: Option<&AtomicBool>,
    ) -> Result<(BlobId, u64)> {
        let mut hasher = BlobHasher::default();
        let mut offset = 0;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            refuse_cancelled(cancelled)?;
            let count = self.disk.read_at(from, from_shown, &mut chunk, offset)?;
            if count == 0 {
                return Ok((hasher.finish(), offset));
            }
            self.disk
                .write_all_at(to, to_shown, &chunk[..count], offset)?;
            hasher.update(&chunk[..count]);
            offset += count as u64;
        }
    }

    /// Hashes a file of the store piece by piece on several threads.
    fn hash_in_pieces(
        &self,
        (file, shown): (&OwnedFd, &[u8]),
        cancelled: Option<&AtomicBool>,
    ) -> Result<(BlobId, u64)> {
        let size = self.disk.stat(file, shown)?.st_size.cast_unsigned();
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        BlobId::of_pieces(size, threads, |offset, piece| {
            refuse_cancelled(cancelled)?;
            self.disk.read_at(file, shown, piece, offset)
        })
    }

    /// Copies piece by piece on several threads, each of which hashes what it copied.
    fn copy_in_pieces(
        &self,
        (from, from_shown): (BorrowedFd<'_>, &[u8]),
        (to, to_shown): (&OwnedFd, &[u8]),
        size: u64,
        cancelled: Option<&AtomicBool>,
    ) -> Result<(BlobId, u64)> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (blob, copied) =
            BlobId::of_pieces(size, threads.min(COPYING_THREADS_MAX), |offset, piece| {
                refuse_cancelled(cancelled)?;
                let count = self.disk.read_at(from, from_shown, piece, offset)?;
                self.disk
                    .write_all_at(to, to_shown, &piece[..count], offset)?;
                let end = offset + count as u64;
                if end.is_multiple_of(WRITE_OUT_BYTES) {
                    self.disk
                        .begin_write_out(to, end - WRITE_OUT_BYTES, WRITE_OUT_BYTES);
                }
                Ok::<_, StoreError>(count)
            })?;
        if copied < size {
            // It became shorter meanwhile; another thread may have been ahead.
            self.disk.truncate(to, to_shown, copied)?;
        }
        Ok((blob, copied))
    }

    pub(crate) fn put_large_bytes(&self, blob: &BlobId, bytes: &[u8]) -> Result<()> {
        if self.large_blob(blob)?.is_some() {
            return Ok(());
        }
        let temporary = self.temporary_name()?;
        let file = self.disk.create(self.root(), &temporary, 0o600)?;
        let written = self.disk.write_all_at(&file, &temporary, bytes, 0);
        if written.is_err() {
            let _removed = self.disk.remove(self.root(), &temporary);
        }
        written?;
        self.stage(&temporary, blob)
    }

    /// Shows a complete large blob to everybody of this boot; a commit makes it durable.
    fn stage(&self, temporary: &[u8], blob: &BlobId) -> Result<()> {
        if self
            .disk
            .stat_at(self.root(), &blob_path(blob.digest()))?
            .is_some()
        {
            self.disk.remove(self.root(), temporary)?;
            return Ok(());
        }
        let path = self.staging_path(blob);
        let directory = format!("staging/{}", self.boot);
        if self
            .disk
            .stat_at(self.root(), directory.as_bytes())?
            .is_none()
        {
            self.disk
                .make_dir_if_missing(self.root(), directory.as_bytes())?;
        }
        self.disk.rename(self.root(), temporary, &path)
    }
}

pub(crate) fn refuse_cancelled(cancelled: Option<&AtomicBool>) -> Result<()> {
    match cancelled {
        Some(flag) if flag.load(Ordering::Acquire) => Err(StoreError::Cancelled),
        _ => Ok(()),
    }
}

/// Whether a mode is that of a regular file.
pub(crate) fn is_regular(mode: u32) -> bool {
    FileType::from_raw_mode(mode) == FileType::RegularFile
}
