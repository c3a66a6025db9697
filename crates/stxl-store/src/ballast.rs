//! The ballast: room set aside on the disk, since making room takes some itself.
//!
//! A full disk has none for the log of the index, without which nothing can be collected. Whoever
//! opens the store on such a disk gives the ballast up for the index, takes what is left of it back
//! at once, and the rest when done with the index: only a collection uses it up.

use crate::error::StoreError;
use crate::store::Store;

pub(crate) const BALLAST_FILE: &[u8] = b"ballast";
pub(crate) const BALLAST_BYTES: usize = 256 * 1024;

/// Room from which on a ballast that is short is made whole by whoever comes by. Where there is
/// less, a collection may have given it up to work with.
const AMPLE_BYTES: u64 = 4 * BALLAST_BYTES as u64;

type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Gives the room up.
    pub(crate) fn release_ballast(&self) -> Result<()> {
        self.disk.remove(self.root(), BALLAST_FILE)?;
        Ok(())
    }

    /// Sets the room aside again, or as much of it as there is.
    pub(crate) fn restore_ballast(&self) -> Result<()> {
        if self.ballast_bytes()? == BALLAST_BYTES as u64 {
            return Ok(());
        }
        let ballast = self.disk.open_or_create(self.root(), BALLAST_FILE)?;
        let zeros = vec![0; BALLAST_BYTES];
        match self.disk.write_all_at(&ballast, BALLAST_FILE, &zeros, 0) {
            // The next opening or collection that finds more room sets the rest aside.
            Err(error) if error.is_disk_full() => Ok(()),
            result => result,
        }
    }

    /// As [`Self::restore_ballast`], where there is room for it many times over.
    pub(crate) fn restore_ballast_if_ample(&self) -> Result<()> {
        if self.ballast_bytes()? == BALLAST_BYTES as u64
            || self.disk.free_bytes(self.root(), b".")? < AMPLE_BYTES
        {
            return Ok(());
        }
        self.restore_ballast()
    }

    pub(crate) fn ballast_bytes(&self) -> Result<u64> {
        let stat = self.disk.stat_at(self.root(), BALLAST_FILE)?;
        Ok(stat.map_or(0, |stat| stat.st_size.cast_unsigned()))
    }
}
