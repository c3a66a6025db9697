//! Buffered bytes that can be looked at before they are read.

use std::io::{self, BufRead, Read};

const BUFFER_BYTES: usize = 256 * 1024;

/// A buffered reader that shows a few bytes ahead, wherever its buffer ends.
#[derive(Debug)]
pub(super) struct Input<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
        }
    }

    /// The next `count` bytes without reading them; fewer at the end.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        debug_assert!(count <= BUFFER_BYTES, "only a few bytes are looked at");
        if self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            while self.end < count && self.fill()? > 0 {}
        }
        let end = self.end.min(self.start + count);
        Ok(&self.buffer[self.start..end])
    }

    /// Fills `into`, or less at the end; returns how much.
    pub(super) fn read_full(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_full(self, into)
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

/// Fills `into`, or less at the end; returns how much.
pub(super) fn read_full(reader: &mut (impl Read + ?Sized), into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match reader.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads to the end and returns whether all of it was zeros.
pub(super) fn is_rest_zero(reader: &mut (impl Read + ?Sized)) -> io::Result<bool> {
    let mut piece = vec![0; BUFFER_BYTES];
    loop {
        let count = read_full(reader, &mut piece)?;
        if piece[..count].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        if count < piece.len() {
            return Ok(true);
        }
    }
}
