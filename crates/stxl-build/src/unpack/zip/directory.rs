//! The directory of a zip archive, at its end.

use std::io::{Read, Seek, SeekFrom};

use super::super::error::{Limit, UnpackError};
use super::super::input::{Input, read_full};
use super::super::limits::NODES_MAX;
use super::fields::{Fields, zip64_of};

const END_MARK: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 0xffff;
const LOCATOR_MARK: &[u8] = b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
const END64_MARK: &[u8] = b"PK\x06\x06";
const END64_BYTES: usize = 56;
const RECORD_MARK: &[u8] = b"PK\x01\x02";
const RECORD_BYTES: usize = 46;

/// Where the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) entries: u64,
    pub(super) size_bytes: u64,
    pub(super) offset: u64,
}

/// What the directory says about one entry.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    pub(super) compressed_bytes: u64,
    pub(super) size_bytes: u64,
    /// Where its local header begins.
    pub(super) offset: u64,
    /// The system it was made on.
    pub(super) system: u8,
    /// The version of the format that a reader has to know, times ten.
    pub(super) version_needed: u8,
    pub(super) attributes: u32,
}

/// Finds the directory. It has to end where what tells its place begins, and that where the archive
/// ends.
pub(super) fn find(reader: &mut (impl Read + Seek), size_bytes: u64) -> Result<Place, UnpackError> {
    let tail_max = END_BYTES + COMMENT_BYTES_MAX + LOCATOR_BYTES;
    let tail_bytes = usize::try_from(size_bytes).map_or(tail_max, |size| size.min(tail_max));
    let tail_offset = size_bytes - tail_bytes as u64;
    let tail = read_at(reader, tail_offset, tail_bytes)?;
    let at = tail
        .windows(END_MARK.len())
        .rposition(|mark| mark == END_MARK);
    let at = at.ok_or_else(|| malformed("it has no end of a zip directory"))?;
    let (place, comment_bytes) = parse_end(&tail[at..]).ok_or_else(damaged_end)?;
    if at + END_BYTES + usize::from(comment_bytes) != tail.len() {
        return Err(malformed(
            "its comment does not end where the archive ends, or looks like the end of another directory",
        ));
    }
    let end_offset = tail_offset + at as u64;
    let locator = at
        .checked_sub(LOCATOR_BYTES)
        .map(|start| &tail[start..at])
        .filter(|locator| locator.starts_with(LOCATOR_MARK));
    let is_full =
        place.entries == 0xffff || place.size_bytes == 0xffff_ffff || place.offset == 0xffff_ffff;
    let (place, end_offset) = match locator {
        Some(locator) => find_64(reader, locator, place, end_offset - LOCATOR_BYTES as u64)?,
        None if is_full => return Err(malformed("its zip64 directory is missing")),
        None => (place, end_offset),
    };
    if place.offset.checked_add(place.size_bytes) != Some(end_offset) {
        return Err(malformed(
            "its directory is not where it has to be: something stands in front of the archive or within it",
        ));
    }
    if place.entries > NODES_MAX as u64 {
        return Err(Limit::Nodes.into());
    }
    Ok(place)
}

/// The place in the end record, and the length of the comment behind it.
fn parse_end(record: &[u8]) -> Option<(Place, u16)> {
    let mut fields = Fields::new(record.get(END_MARK.len()..)?);
    let disks = (fields.u16()?, fields.u16()?);
    let (here, entries) = (fields.u16()?, fields.u16()?);
    let place = Place {
        entries: u64::from(entries),
        size_bytes: u64::from(fields.u32()?),
        offset: u64::from(fields.u32()?),
    };
    let comment_bytes = fields.u16()?;
    (disks == (0, 0) && here == entries).then_some((place, comment_bytes))
}

/// The place as zip64 tells it, which has to agree with the other where that can hold it; and where
/// the directory ends.
fn find_64(
    reader: &mut (impl Read + Seek),
    locator: &[u8],
    short: Place,
    locator_offset: u64,
) -> Result<(Place, u64), UnpackError> {
    let parse_locator = || {
        let mut fields = Fields::new(locator.get(LOCATOR_MARK.len()..)?);
        let (disk, offset, disks) = (fields.u32()?, fields.u64()?, fields.u32()?);
        (disk == 0 && disks <= 1).then_some(offset)
    };
    let offset = parse_locator().ok_or_else(damaged_end)?;
    if offset.checked_add(END64_BYTES as u64) != Some(locator_offset) {
        return Err(damaged_end());
    }
    let record = read_at(reader, offset, END64_BYTES)?;
    let place = parse_end_64(&record).ok_or_else(damaged_end)?;
    let agrees = |short: u64, full: u64, long: u64| short == full || short == long;
    if !agrees(short.entries, 0xffff, place.entries)
        || !agrees(short.size_bytes, 0xffff_ffff, place.size_bytes)
        || !agrees(short.offset, 0xffff_ffff, place.offset)
    {
        return Err(malformed("its two ends of the directory differ"));
    }
    Ok((place, offset))
}

fn parse_end_64(record: &[u8]) -> Option<Place> {
    let mut fields = Fields::new(record.strip_prefix(END64_MARK)?);
    let size = fields.u64()?;
    let _versions = (fields.u16()?, fields.u16()?);
    let disks = (fields.u32()?, fields.u32()?);
    let here = fields.u64()?;
    let place = Place {
        entries: fields.u64()?,
        size_bytes: fields.u64()?,
        offset: fields.u64()?,
    };
    let is_whole = size == END64_BYTES as u64 - 12 && disks == (0, 0) && here == place.entries;
    is_whole.then_some(place)
}

/// The records of a directory, read one by one.
pub(super) struct Records<R> {
    input: Input<std::io::Take<R>>,
    left: u64,
}

impl<R: Read + Seek> Records<R> {
    pub(super) fn new(mut reader: R, place: Place) -> Result<Self, UnpackError> {
        reader.seek(SeekFrom::Start(place.offset))?;
        Ok(Self {
            input: Input::new(reader.take(place.size_bytes)),
            left: place.entries,
        })
    }

    /// The next record; nothing at the end, which has to be that of the directory too.
    pub(super) fn next(&mut self) -> Result<Option<Record>, UnpackError> {
        if self.left == 0 {
            return if self.input.peek(1)?.is_empty() {
                Ok(None)
            } else {
                Err(malformed("its directory has more than it says"))
            };
        }
        self.left -= 1;
        let cut_off = || malformed("its directory has less than it says");
        let mut fixed = [0; RECORD_BYTES];
        if self.input.read_full(&mut fixed)? != RECORD_BYTES {
            return Err(cut_off());
        }
        let (mut record, lengths) =
            parse_fixed(&fixed).ok_or_else(|| malformed("a record of its directory is damaged"))?;
        let mut rest = vec![0; lengths.iter().copied().map(usize::from).sum()];
        if self.input.read_full(&mut rest)? != rest.len() {
            return Err(cut_off());
        }
        let (name, rest) = rest.split_at(usize::from(lengths[0]));
        record.name = name.to_vec();
        let zip64 = zip64_of(&rest[..usize::from(lengths[1])], name)?;
        record.widen(zip64)?;
        Ok(Some(record))
    }
}

/// A record without its name, and the lengths of name, extra fields and comment.
fn parse_fixed(bytes: &[u8]) -> Option<(Record, [u16; 3])> {
    let mut fields = Fields::new(bytes.strip_prefix(RECORD_MARK)?);
    let [_version, system] = fields.u16()?.to_le_bytes();
    let [version_needed, _] = fields.u16()?.to_le_bytes();
    let (flags, method) = (fields.u16()?, fields.u16()?);
    let _time = fields.u32()?;
    let crc32 = fields.u32()?;
    let compressed_bytes = u64::from(fields.u32()?);
    let size_bytes = u64::from(fields.u32()?);
    let lengths = [fields.u16()?, fields.u16()?, fields.u16()?];
    let (disk, _internal) = (fields.u16()?, fields.u16()?);
    let attributes = fields.u32()?;
    let offset = u64::from(fields.u32()?);
    let record = Record {
        name: Vec::new(),
        flags,
        method,
        crc32,
        compressed_bytes,
        size_bytes,
        offset,
        system,
        version_needed,
        attributes,
    };
    (disk == 0).then_some((record, lengths))
}

impl Record {
    /// Takes numbers that are too large for their fields from the zip64 field, which has no other.
    fn widen(&mut self, zip64: Option<&[u8]>) -> Result<(), UnpackError> {
        let mut fields = Fields::new(zip64.unwrap_or_default());
        let mut is_whole = true;
        for number in [
            &mut self.size_bytes,
            &mut self.compressed_bytes,
            &mut self.offset,
        ] {
            if *number == 0xffff_ffff {
                match fields.u64() {
                    Some(wide) => *number = wide,
                    None => is_whole = false,
                }
            }
        }
        if is_whole && fields.is_empty() {
            return Ok(());
        }
        let reason = "has a zip64 field that does not go with its sizes";
        Err(UnpackError::bad_entry(&self.name, reason))
    }
}

/// Exactly `count` bytes.
pub(super) fn read_at(
    reader: &mut (impl Read + Seek),
    offset: u64,
    count: usize,
) -> Result<Vec<u8>, UnpackError> {
    reader.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; count];
    if read_full(reader, &mut bytes)? == count {
        return Ok(bytes);
    }
    Err(malformed("it is cut off"))
}

pub(super) fn malformed(reason: &str) -> UnpackError {
    UnpackError::malformed(format!("as a zip, {reason}"))
}

fn damaged_end() -> UnpackError {
    malformed("the end of its directory is damaged, or it is a part of several")
}
