//! A reader that works ahead on a thread of its own, so that decompressing and storing overlap.

use std::io::{self, Read};
use std::thread::Scope;

use crossbeam_channel::{Receiver, bounded};

use super::input::read_full;

const PIECE_BYTES: usize = 256 * 1024;
/// How many pieces wait at most.
const PIECES_MAX: usize = 8;

/// The reading end; dropping it ends the thread at its next piece.
pub(super) struct Pipe {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    position: usize,
    has_ended: bool,
}

/// Reads ahead of whoever reads the pipe. An error comes instead of the piece it was met in.
pub(super) fn read_ahead<'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut reader: impl Read + Send + 'scope,
) -> io::Result<Pipe> {
    let (sender, pieces) = bounded(PIECES_MAX);
    let work = move || loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = read_full(&mut reader, &mut piece);
        let is_last = !matches!(read, Ok(PIECE_BYTES));
        let piece = read.map(|count| {
            piece.truncate(count);
            piece
        });
        if sender.send(piece).is_err() || is_last {
            return;
        }
    };
    std::thread::Builder::new()
        .name("decompress".to_owned())
        .spawn_scoped(scope, work)?;
    Ok(Pipe {
        pieces,
        piece: Vec::new(),
        position: 0,
        has_ended: false,
    })
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.position == self.piece.len() && !self.has_ended {
            match self.pieces.recv() {
                Ok(piece) => (self.piece, self.position) = (piece?, 0),
                Err(_) => self.has_ended = true,
            }
        }
        let rest = &self.piece[self.position..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.position += count;
        Ok(count)
    }
}
