//! The canonical encoding: integers little-endian, lengths before contents, nothing implicit.
//!
//! One writer and one reader for everything that is hashed or written by the model. Every length
//! is checked against what is left before anything is allocated.

/// Version of all encodings of this crate. It enters every digest by way of the contexts and every
/// serialised plan; a change of meaning raises it.
pub const ENCODING_VERSION: u32 = 1;

/// Writes the canonical encoding.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    holes: Vec<usize>,
}

/// Reads the canonical encoding.
pub struct Decoder<'a> {
    rest: &'a [u8],
    total_bytes: usize,
}

/// Why bytes are not a canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged encoding at byte {offset}: {what}")]
pub struct DecodeError {
    /// Where in the bytes the reader stood.
    pub offset: usize,
    /// What was expected there.
    pub what: &'static str,
}

impl Encoder {
    /// Makes room for bytes that follow.
    pub fn reserve(&mut self, count: usize) {
        self.bytes.reserve_exact(count);
    }

    /// How many bytes were appended.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends one byte.
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends four bytes, least significant first.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends eight bytes, least significant first.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends the number of items that follow, as eight bytes.
    pub fn count(&mut self, count: usize) {
        self.u64(count as u64);
    }

    /// Appends a length and that many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a text as its UTF-8 bytes.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Appends bytes whose length both sides know.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Leaves room for bytes that are not known yet, as zeros.
    pub(crate) fn hole(&mut self, count: usize) {
        self.holes.push(self.bytes.len());
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    /// The encoding.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// The encoding and where its holes begin, in order.
    pub(crate) fn finish_with_holes(self) -> (Vec<u8>, Vec<usize>) {
        (self.bytes, self.holes)
    }
}

impl<'a> Decoder<'a> {
    /// A reader at the beginning of the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total_bytes: bytes.len(),
        }
    }

    /// How many bytes were taken.
    pub fn offset(&self) -> usize {
        self.total_bytes - self.rest.len()
    }

    /// An error at the place where the reader stands.
    pub fn error(&self, what: &'static str) -> DecodeError {
        DecodeError {
            offset: self.offset(),
            what,
        }
    }

    /// Takes as many bytes as asked for.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.error("more bytes"));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Takes bytes into an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let error = self.error("more bytes");
        self.raw(N)?.try_into().map_err(|_| error)
    }

    /// Takes one byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a number of items, each of which takes at least one byte of what is left.
    pub fn count(&mut self) -> Result<usize, DecodeError> {
        let error = self.error("a count that fits what follows");
        let count = usize::try_from(self.u64()?).map_err(|_| error.clone())?;
        if count > self.rest.len() {
            Err(error)
        } else {
            Ok(count)
        }
    }

    /// Takes a length and that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let count = self.count()?;
        self.raw(count)
    }

    /// Takes a text.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let error = self.error("text in UTF-8");
        std::str::from_utf8(self.bytes()?).map_err(|_| error)
    }

    /// Ends the reading: nothing may be left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error("the end"))
        }
    }
}
