//! The envelope of everything that is appended to packs and to the journal.
//!
//! An entry is a header of 64 bytes and a payload. The header has its own checksum and holds the
//! digest of the payload, so every byte of a file is covered and the index can be made again by
//! reading the files from front to back. The table of bytes is in the README.

use stxl_model::{BlobId, Digest, Directory};

/// Version of packs, journal and leases; a store with a higher one is refused.
pub(crate) const FORMAT_VERSION: u32 = 1;

pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const FILE_HEADER_BYTES: usize = 32;
pub(crate) const CHECK_BYTES: usize = 8;

const ENTRY_MAGIC: &[u8; 4] = b"sxe1";
const FILE_MAGIC: &[u8; 8] = b"stxlfile";

/// What an entry holds. Codes are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryKind {
    Blob = 1,
    Directory = 2,
    Realisation = 16,
    Memo = 17,
    Duration = 18,
    History = 19,
    Root = 20,
    OutLink = 21,
    Layers = 22,
    Release = 23,
}

/// Which kind of file a file header begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Pack = 1,
    Journal = 2,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) kind: EntryKind,
    pub(crate) payload_bytes: u64,
    /// Seconds since 1970; for ages only, in no digest.
    pub(crate) created: u64,
    pub(crate) id: Digest,
}

/// One finding of a scan.
pub(crate) enum Scanned {
    /// A whole entry whose payload is what its digest says.
    Entry { offset: usize, header: Header },
    /// A whole entry whose payload is something else.
    BadPayload { offset: usize, header: Header },
    /// Bytes that are no entry.
    Garbage { offset: usize },
}

impl EntryKind {
    const ALL: [Self; 10] = [
        Self::Blob,
        Self::Directory,
        Self::Realisation,
        Self::Memo,
        Self::Duration,
        Self::History,
        Self::Root,
        Self::OutLink,
        Self::Layers,
        Self::Release,
    ];

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The digest under which a payload of this kind goes.
    pub(crate) fn digest_of(self, payload: &[u8]) -> Digest {
        if self == Self::Directory {
            *Directory::id_of_encoding(payload).digest()
        } else {
            *BlobId::of(payload).digest()
        }
    }
}

/// The first bytes of a digest, as a checksum of what a digest of its own would be too long for.
pub(crate) fn check_of(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&BlobId::of(bytes).digest().as_bytes()[..CHECK_BYTES]);
    check
}

/// Appends an entry to bytes that are about to be written.
pub(crate) fn append(bytes: &mut Vec<u8>, header: Header, payload: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(ENTRY_MAGIC);
    bytes.extend_from_slice(&[header.kind as u8, 0, 0, 0]);
    bytes.extend_from_slice(&header.payload_bytes.to_le_bytes());
    bytes.extend_from_slice(&header.created.to_le_bytes());
    bytes.extend_from_slice(header.id.as_bytes());
    let check = check_of(&bytes[start..]);
    bytes.extend_from_slice(&check);
    bytes.extend_from_slice(payload);
}

/// Reads a header whose checksum holds.
pub(crate) fn read_header(bytes: &[u8]) -> Option<Header> {
    let (covered, check) = bytes
        .get(..HEADER_BYTES)?
        .split_at_checked(HEADER_BYTES - CHECK_BYTES)?;
    if !covered.starts_with(ENTRY_MAGIC) || check_of(covered) != check {
        return None;
    }
    Some(Header {
        kind: EntryKind::from_code(covered[4])?,
        payload_bytes: u64_at(covered, 8)?,
        created: u64_at(covered, 16)?,
        id: Digest::from_bytes(covered.get(24..56)?.try_into().ok()?),
    })
}

/// The bytes at the beginning of a pack (with its number) or of the journal (with 0).
pub(crate) fn file_header(kind: FileKind, number: u64) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(FILE_MAGIC);
    header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(kind as u32).to_le_bytes());
    header[16..24].copy_from_slice(&number.to_le_bytes());
    let check = check_of(&header[..24]);
    header[24..].copy_from_slice(&check);
    header
}

/// Reads the entries of a file from an offset on; damage is stepped over by looking for the next
/// header that holds.
pub(crate) fn scan(bytes: &[u8], start: usize) -> Vec<Scanned> {
    let mut found = Vec::new();
    let mut offset = start;
    while offset < bytes.len() {
        if let Some((header, end)) = entry_at(bytes, offset) {
            let payload = &bytes[offset + HEADER_BYTES..end];
            found.push(if header.kind.digest_of(payload) == header.id {
                Scanned::Entry { offset, header }
            } else {
                Scanned::BadPayload { offset, header }
            });
            offset = end;
        } else {
            found.push(Scanned::Garbage { offset });
            offset = (offset + 1..bytes.len())
                .find(|next| {
                    bytes[*next..].starts_with(ENTRY_MAGIC) && entry_at(bytes, *next).is_some()
                })
                .unwrap_or(bytes.len());
        }
    }
    found
}

fn entry_at(bytes: &[u8], offset: usize) -> Option<(Header, usize)> {
    let header = read_header(bytes.get(offset..)?)?;
    let end = offset
        .checked_add(HEADER_BYTES)?
        .checked_add(usize::try_from(header.payload_bytes).ok()?)?;
    (end <= bytes.len()).then_some((header, end))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}
