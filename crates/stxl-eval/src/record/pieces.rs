//! Encodings that are written as they are made: what is large is never in memory as a whole.

use std::io::Write;

use stxl_model::{BlobHasher, Encoder};

/// Bytes of a piece: so many are gathered before they are written.
const PIECE_BYTES: usize = 256 << 10;

/// Writes an encoding piece by piece.
pub(crate) struct Pieces<W: Write> {
    encoder: Encoder,
    output: W,
}

impl<W: Write> Pieces<W> {
    pub(crate) fn new(output: W) -> Self {
        let encoder = Encoder::default();
        Self { encoder, output }
    }

    /// What to write with; followed by [`Self::settle`] now and then.
    pub(crate) fn encoder(&mut self) -> &mut Encoder {
        &mut self.encoder
    }

    /// Writes what was gathered, if it is enough for a piece.
    pub(crate) fn settle(&mut self) -> std::io::Result<()> {
        if self.encoder.len() < PIECE_BYTES {
            return Ok(());
        }
        self.write_out()?;
        // Room for the next piece, with what passes its end.
        self.encoder.reserve(PIECE_BYTES + PIECE_BYTES / 8);
        Ok(())
    }

    /// Writes the rest.
    pub(crate) fn finish(mut self) -> std::io::Result<W> {
        self.write_out()?;
        Ok(self.output)
    }

    fn write_out(&mut self) -> std::io::Result<()> {
        let piece = std::mem::take(&mut self.encoder).finish();
        self.output.write_all(&piece)
    }
}

/// Hashes what is written to another writer.
pub(crate) struct Hashed<W> {
    hasher: BlobHasher,
    output: W,
}

impl<W: Write> Hashed<W> {
    pub(crate) fn new(output: W) -> Self {
        let hasher = BlobHasher::default();
        Self { hasher, output }
    }

    /// Writes the digest of everything before it.
    pub(crate) fn seal(mut self) -> std::io::Result<()> {
        let digest = self.hasher.finish();
        self.output.write_all(digest.digest().as_bytes())
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}
