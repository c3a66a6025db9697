//! Files without a name on the store's disk: whatever happens, nothing of them is left.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use stxl_model::BlobId;
use stxl_store::{Store, StoreError};

/// Up to this size a blob is put together in memory.
const MEMORY_BYTES_MAX: u64 = 8 << 20;

/// A new file, open for reading and writing, that vanishes with its last descriptor.
pub(crate) fn nameless_file(store: &Store) -> Result<File, StoreError> {
    let flags = (OFlags::TMPFILE | OFlags::CLOEXEC).bits().cast_signed();
    File::options()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(store.path())
        .map_err(|source| file_error(store, source))
}

/// An error of such a file.
pub(crate) fn file_error(store: &Store, source: io::Error) -> StoreError {
    StoreError::Io {
        operation: "make a file in",
        path: store.path().display().to_string(),
        source,
    }
}

/// Why the bytes of a reader did not become a blob.
#[derive(Debug)]
pub(crate) enum BlobStop {
    /// The reader failed.
    Read(io::Error),
    /// The store failed.
    Store(StoreError),
}

/// Puts all bytes of a reader, of which at most `size_bytes` come, into the store; ends with
/// [`StoreError::Cancelled`] once `cancelled` is set.
pub(crate) fn put_reader(
    store: &Store,
    reader: &mut dyn Read,
    size_bytes: u64,
    cancelled: &AtomicBool,
) -> Result<(BlobId, u64), BlobStop> {
    if size_bytes <= MEMORY_BYTES_MAX {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(BlobStop::Read)?;
        let blob = store.put_blob(&bytes).map_err(BlobStop::Store)?;
        return Ok((blob, bytes.len() as u64));
    }
    let mut file = nameless_file(store).map_err(BlobStop::Store)?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        if cancelled.load(Ordering::Acquire) {
            return Err(BlobStop::Store(StoreError::Cancelled));
        }
        let count = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BlobStop::Read(error)),
        };
        io::Write::write_all(&mut file, &piece[..count])
            .map_err(|source| BlobStop::Store(file_error(store, source)))?;
    }
    store
        .put_blob_from_unless(&file, cancelled)
        .map_err(BlobStop::Store)
}
