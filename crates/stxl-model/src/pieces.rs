//! Hashing a large blob by several threads at once: [`BlobId::of_pieces`].
//!
//! BLAKE3 is a tree. Pieces of a power of two are subtrees of it and can be hashed in any order;
//! merging them gives the digest that hashing from beginning to end gives.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Builder;

use blake3::hazmat::{
    ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use crate::digest::{BlobId, Digest};

/// Bytes of every piece but the last: a power of two, small enough for a processor's cache, so that
/// what was just read is hashed there.
const PIECE_BYTES: usize = 1 << 20;

/// The stack of a hashing thread.
const STACK_BYTES: usize = 512 << 10;

impl BlobId {
    /// The id of a blob of which `read` gives any part, and its length. At most `threads` read and
    /// hash at once, the calling one among them; each keeps 1 MiB in memory.
    ///
    /// `read` fills a buffer from an offset and returns how much there was. Less than the buffer
    /// holds is the end of the blob, wherever `size_bytes` put it; what lies behind `size_bytes` is
    /// never asked for. The first bytes may be asked for twice; then the second answer counts.
    pub fn of_pieces<E: Send>(
        size_bytes: u64,
        threads: usize,
        read: impl Fn(u64, &mut [u8]) -> Result<usize, E> + Sync,
    ) -> Result<(Self, u64), E> {
        let work = PieceWork {
            size_bytes,
            read,
            next: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        };
        let mut pieces = work.run(threads)?;
        pieces.sort_unstable_by_key(|piece| piece.index);
        let short = pieces
            .iter()
            .position(|piece| piece.bytes < work.wanted(piece.index));
        if let Some(short) = short {
            pieces.truncate(short + 1);
        }
        if pieces.last().is_some_and(|piece| piece.bytes == 0) {
            pieces.pop();
        }
        if pieces.len() < 2 {
            return work.whole();
        }
        let length = pieces.iter().map(|piece| piece.bytes as u64).sum();
        let values: Vec<ChainingValue> = pieces.iter().map(|piece| piece.value).collect();
        let (left, right) = halves(&values);
        let root = merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash);
        Ok((Self::from_digest(Digest::from_bytes(root.into())), length))
    }
}

struct PieceWork<R> {
    size_bytes: u64,
    read: R,
    next: AtomicU64,
    /// Set by the first thread that fails or finds the end.
    is_over: AtomicBool,
}

struct Piece {
    index: u64,
    bytes: usize,
    value: ChainingValue,
}

impl<E: Send, R: Fn(u64, &mut [u8]) -> Result<usize, E> + Sync> PieceWork<R> {
    fn run(&self, threads: usize) -> Result<Vec<Piece>, E> {
        let pieces = self.size_bytes.div_ceil(PIECE_BYTES as u64);
        let helpers = threads.min(usize::try_from(pieces).unwrap_or(usize::MAX));
        std::thread::scope(|scope| {
            let start = || {
                let thread = Builder::new()
                    .name("hash".to_owned())
                    .stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, || self.hash_pieces()).ok()
            };
            // A thread that does not start is one fewer.
            let helpers: Vec<_> = (1..helpers).filter_map(|_| start()).collect();
            let mut hashed = self.hash_pieces();
            for helper in helpers {
                let more = helper.join().unwrap_or_else(|panic| resume_unwind(panic));
                hashed = match (hashed, more) {
                    (Ok(mut hashed), Ok(more)) => {
                        hashed.extend(more);
                        Ok(hashed)
                    }
                    (Err(error), _) | (_, Err(error)) => Err(error),
                };
            }
            hashed
        })
    }

    fn hash_pieces(&self) -> Result<Vec<Piece>, E> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut hashed = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let wanted = self.wanted(index);
            if wanted == 0 {
                break;
            }
            let offset = index * PIECE_BYTES as u64;
            let read = (self.read)(offset, &mut buffer[..wanted]);
            if !matches!(&read, Ok(bytes) if *bytes == wanted) {
                self.is_over.store(true, Ordering::Relaxed);
            }
            let bytes = read?;
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(offset).update(&buffer[..bytes]);
            // Nothing is the last piece of no blob, and has no place in the tree.
            let value = match bytes {
                0 => ChainingValue::default(),
                _ => hasher.finalize_non_root(),
            };
            hashed.push(Piece {
                index,
                bytes,
                value,
            });
        }
        Ok(hashed)
    }

    /// How many bytes a piece should have; none behind the end.
    fn wanted(&self, index: u64) -> usize {
        let begin = index.saturating_mul(PIECE_BYTES as u64);
        let left = self.size_bytes.saturating_sub(begin);
        usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES)
    }

    /// A blob of a single piece, which is no subtree but the root.
    fn whole(&self) -> Result<(BlobId, u64), E> {
        let mut buffer = vec![0; self.wanted(0)];
        let bytes = (self.read)(0, &mut buffer)?;
        Ok((BlobId::of(&buffer[..bytes]), bytes as u64))
    }
}

/// Splits two or more subtrees where BLAKE3 does: the left part is the largest power of two that
/// leaves something to the right.
fn halves(values: &[ChainingValue]) -> (&[ChainingValue], &[ChainingValue]) {
    values.split_at(values.len().next_power_of_two() / 2)
}

fn subtree(values: &[ChainingValue]) -> ChainingValue {
    if let [value] = values {
        return *value;
    }
    let (left, right) = halves(values);
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}
