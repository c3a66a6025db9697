//! How much an archive may ask for. All are in no key: what is within them unpacks the same.

/// How deep directories may lie in one another.
pub(super) const DEPTH_MAX: usize = 250;

/// How many bytes a path may have, as in Linux.
pub(super) const PATH_BYTES_MAX: usize = 4095;

/// How many files, symlinks and directories may come out of an archive.
pub(super) const NODES_MAX: usize = 1_000_000;

/// How many bytes all their names and targets may have together.
pub(super) const NAME_BYTES_MAX: usize = 128 << 20;

/// How many bytes may come out of an archive.
pub(super) const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// From how many unpacked bytes on the ratio counts. A source with a few large files of zeros is
/// below it, and a bomb is told before it costs a second.
pub(super) const RATIO_BYTES_MIN: u64 = 256 << 20;

/// How many bytes may come out of one byte of the archive.
pub(super) const RATIO_MAX: u64 = 250;

/// How far back a zstd frame may refer, as a power of two: what `zstd --long` writes.
pub(super) const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How much memory the decoder of xz and lzip may take; `xz -9` needs a quarter of it.
pub(super) const LZMA_MEMORY_BYTES_MAX: u64 = 256 << 20;

/// How many bytes the extended header of one tar entry may have.
pub(super) const EXTENDED_BYTES_MAX: u64 = 1 << 20;
