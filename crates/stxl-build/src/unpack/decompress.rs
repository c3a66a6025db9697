//! Compressed bytes, of which every one has to belong to the compression.
//!
//! | compression | several in a row | may follow |
//! |---|---|---|
//! | gzip | members, as GNU gzip and `bgzip` write | zeros |
//! | bzip2 | streams, as `pbzip2` writes | nothing |
//! | xz | streams | zeros, a multiple of four |
//! | zstd | frames, skippable ones too, as `pzstd` writes | nothing |
//! | lzip | members, as `plzip` writes | nothing |
//!
//! All checksums are checked by the decoders.

use std::io::{self, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Error as LzmaError, Stream, TELL_UNSUPPORTED_CHECK};
use zstd::stream::read::Decoder as ZstdDecoder;

use super::error::{Limit, UnpackError};
use super::input::{Input, is_rest_zero};
use super::limits::{
    LZMA_MEMORY_BYTES_MAX, RATIO_BYTES_MIN, RATIO_MAX, UNPACKED_BYTES_MAX, ZSTD_WINDOW_LOG_MAX,
};

/// How many bytes tell a compression.
const MAGIC_BYTES_MAX: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Lzip,
}

impl Compression {
    /// The compression that bytes begin with.
    fn of(first: &[u8]) -> Result<Option<Self>, UnpackError> {
        const UNREAD: [(&[u8], &str); 3] = [
            (b"\x1f\x9d", "an archive compressed with `compress`"),
            (b"\x5d\0\0", "an archive compressed with `lzma`"),
            (b"\x04\x22\x4d\x18", "an archive compressed with lz4"),
        ];
        const READ: [(&[u8], Compression); 5] = [
            (b"\x1f\x8b", Compression::Gzip),
            (b"BZh", Compression::Bzip2),
            (b"\xfd7zXZ\0", Compression::Xz),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"LZIP", Compression::Lzip),
        ];
        if let Some((_, what)) = UNREAD.iter().find(|(magic, _)| first.starts_with(magic)) {
            let what = (*what).to_owned();
            return Err(UnpackError::Unsupported { what });
        }
        if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = first {
            // A frame to be skipped, which only zstd has in front of others.
            return Ok(Some(Self::Zstd));
        }
        let found = READ.iter().find(|(magic, _)| first.starts_with(magic));
        Ok(found.map(|(_, compression)| *compression))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Lzip => "lzip",
        }
    }
}

/// The bytes of an input, decompressed if they are compressed.
pub(super) struct Decompressed<R> {
    /// Taken while one part is exchanged for the next.
    state: Option<State<R>>,
    compression: Option<Compression>,
    compressed_bytes: u64,
    produced_bytes: u64,
}

enum State<R> {
    Plain(Input<R>),
    Gzip(GzDecoder<Input<R>>),
    Bzip2(BzDecoder<Input<R>>),
    /// Of xz or lzip.
    Lzma(XzDecoder<Input<R>>),
    Zstd(ZstdDecoder<'static, Input<R>>),
    End(Input<R>),
}

impl<R: Read> Decompressed<R> {
    /// Looks at the first bytes; `compressed_bytes` is how many there are.
    pub(super) fn new(mut input: Input<R>, compressed_bytes: u64) -> Result<Self, UnpackError> {
        let compression = Compression::of(input.peek(MAGIC_BYTES_MAX)?)?;
        let state = match compression {
            None => State::Plain(input),
            Some(compression) => open(input, compression)?,
        };
        Ok(Self {
            state: Some(state),
            compression,
            compressed_bytes,
            produced_bytes: 0,
        })
    }

    /// The input, after its end was read.
    pub(super) fn into_input(self) -> Option<R> {
        match self.state {
            Some(State::Plain(input) | State::End(input)) => Some(input.into_inner()),
            _ => None,
        }
    }

    /// What follows a part that was read to its end.
    fn next_state(&mut self, mut input: Input<R>) -> Result<State<R>, UnpackError> {
        let Some(compression) = self.compression else {
            return Ok(State::End(input));
        };
        let next = input.peek(MAGIC_BYTES_MAX)?;
        if next.is_empty() {
            return Ok(State::End(input));
        }
        let is_padding = match compression {
            Compression::Gzip => next[0] == 0,
            Compression::Xz => next.starts_with(&[0; 4]),
            Compression::Bzip2 | Compression::Zstd | Compression::Lzip => false,
        };
        if is_padding && skip_padding(&mut input, compression)? {
            return Ok(State::End(input));
        }
        if Compression::of(input.peek(MAGIC_BYTES_MAX)?)? == Some(compression) {
            return open(input, compression);
        }
        let name = compression.name();
        Err(UnpackError::malformed(format!(
            "bytes follow the {name} data that are none of it"
        )))
    }

    fn read_state(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let state = self.state.as_mut();
        match state.ok_or_else(|| io::Error::other("the reader failed before"))? {
            State::Plain(input) => input.read(into),
            State::Gzip(decoder) => decoder.read(into),
            State::Bzip2(decoder) => decoder.read(into),
            State::Lzma(decoder) => decoder.read(into),
            State::Zstd(decoder) => decoder.read(into),
            State::End(_) => Ok(0),
        }
    }

    /// Counts what came out, and ends a bomb.
    fn count(&mut self, count: usize) -> Result<(), Limit> {
        self.produced_bytes += count as u64;
        if self.produced_bytes > UNPACKED_BYTES_MAX {
            return Err(Limit::Bytes);
        }
        let allowed = self.compressed_bytes.saturating_mul(RATIO_MAX);
        if self.produced_bytes > RATIO_BYTES_MIN.max(allowed) {
            return Err(Limit::Ratio);
        }
        Ok(())
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let count = match self.read_state(into) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(explained(error, self.compression).into()),
            };
            if count > 0 {
                self.count(count).map_err(UnpackError::from)?;
                return Ok(count);
            }
            let input = match self.state.take() {
                Some(State::Gzip(decoder)) => decoder.into_inner(),
                Some(State::Bzip2(decoder)) => decoder.into_inner(),
                Some(State::Lzma(decoder)) => decoder.into_inner(),
                Some(State::Zstd(decoder)) => decoder.into_inner(),
                Some(end @ (State::Plain(_) | State::End(_))) => {
                    self.state = Some(end);
                    return Ok(0);
                }
                None => return Ok(0),
            };
            self.state = Some(self.next_state(input)?);
        }
    }
}

fn open<R: Read>(input: Input<R>, compression: Compression) -> Result<State<R>, UnpackError> {
    let lzma = |stream: Result<Stream, LzmaError>| {
        stream.map_err(|error| explained(error.into(), Some(compression)))
    };
    Ok(match compression {
        Compression::Gzip => State::Gzip(GzDecoder::new(input)),
        Compression::Bzip2 => State::Bzip2(BzDecoder::new(input)),
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(LZMA_MEMORY_BYTES_MAX, TELL_UNSUPPORTED_CHECK);
            State::Lzma(XzDecoder::new_stream(input, lzma(stream)?))
        }
        Compression::Lzip => {
            let stream = Stream::new_lzip_decoder(LZMA_MEMORY_BYTES_MAX, 0);
            State::Lzma(XzDecoder::new_stream(input, lzma(stream)?))
        }
        Compression::Zstd => {
            let mut decoder = ZstdDecoder::with_buffer(input)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            State::Zstd(decoder)
        }
    })
}

/// Skips zeros behind a part; returns whether the input ends with them.
fn skip_padding<R: Read>(
    input: &mut Input<R>,
    compression: Compression,
) -> Result<bool, UnpackError> {
    if compression == Compression::Gzip {
        return if is_rest_zero(input)? {
            Ok(true)
        } else {
            Err(UnpackError::malformed(
                "bytes follow the padding of the gzip data",
            ))
        };
    }
    while input.peek(4)? == [0; 4] {
        input.read_full(&mut [0; 4])?;
    }
    Ok(input.peek(1)?.is_empty())
}

/// Says of which compression an error is, and tells limits apart.
fn explained(error: io::Error, compression: Option<Compression>) -> UnpackError {
    let lzma = error.get_ref().and_then(|inner| inner.downcast_ref());
    if lzma == Some(&LzmaError::MemLimit) {
        return Limit::LzmaMemory.into();
    }
    let text = error.to_string();
    if compression == Some(Compression::Zstd) && text.contains("too much memory") {
        return Limit::ZstdWindow.into();
    }
    match (UnpackError::from(error), compression) {
        (UnpackError::Malformed { reason }, Some(compression)) => {
            UnpackError::malformed(format!("{} data: {reason}", compression.name()))
        }
        (error, _) => error,
    }
}
