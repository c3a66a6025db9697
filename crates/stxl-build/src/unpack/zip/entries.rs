//! The entries of a zip archive: local headers compared with the directory, contents checked.

use std::io::{BufRead as _, Read, Seek, SeekFrom};

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;

use super::super::error::{Stop, UnpackError, shown};
use super::super::input::Input;
use super::super::limits::PATH_BYTES_MAX;
use super::super::sink::{FileEntry, Sink};
use super::directory::{Record, Records, find, malformed, read_at};
use super::fields::{Fields, zip64_of};

const HEADER_MARK: &[u8] = b"PK\x03\x04";
const HEADER_BYTES: usize = 30;
const DESCRIPTOR_MARK: &[u8] = b"PK\x07\x08";

/// The version that brought zip64, times ten: the last before other compressions and encryption.
const VERSION_MAX: u8 = 45;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Sizes and checksum stand behind the content.
const HAS_DESCRIPTOR: u16 = 1 << 3;
const NAME_IS_UTF8: u16 = 1 << 11;
/// With those two, how well it was deflated.
const FLAGS_KNOWN: u16 = HAS_DESCRIPTOR | NAME_IS_UTF8 | 0b110;

/// The system whose permissions are in the attributes.
const UNIX: u8 = 3;
const DOS_DIRECTORY: u32 = 0x10;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryKind {
    Directory,
    File { mode: u32 },
    Symlink,
}

/// What a local header says.
struct LocalHeader {
    /// With name and extra fields.
    bytes: u64,
    /// Whether sizes behind the content have 64 bits.
    is_wide: bool,
}

/// Reads a whole zip archive; `open` gives a reader of it from the beginning.
pub(in super::super) fn read<R: Read + Seek>(
    open: impl Fn() -> Result<R, Stop>,
    size_bytes: u64,
    sink: &mut Sink<'_>,
) -> Result<(), Stop> {
    let mut reader = open()?;
    let place = find(&mut reader, size_bytes)?;
    let mut records = Records::new(open()?, place)?;
    let mut end = 0;
    let mut next = records.next()?;
    while let Some(record) = next {
        if record.offset != end {
            let reason = "does not begin where the entry before it ends";
            return Err(UnpackError::bad_entry(&record.name, reason).into());
        }
        next = records.next()?;
        end = next.as_ref().map_or(place.offset, |next| next.offset);
        entry(&mut reader, &record, end, sink)?;
    }
    if end != place.offset {
        return Err(malformed("something stands between its contents and its directory").into());
    }
    Ok(())
}

/// Reads one entry, which has to reach to `end`.
fn entry(
    reader: &mut (impl Read + Seek),
    record: &Record,
    end: u64,
    sink: &mut Sink<'_>,
) -> Result<(), Stop> {
    refuse_unread(record)?;
    refuse_name(record)?;
    let kind = kind_of(record)?;
    let header = local_header(reader, record)?;
    let start = record.offset.saturating_add(header.bytes);
    let rest = start
        .checked_add(record.compressed_bytes)
        .and_then(|content_end| end.checked_sub(content_end));
    let bad = |reason: &str| Stop::Archive(UnpackError::bad_entry(&record.name, reason));
    let rest = rest.ok_or_else(|| bad("overlaps what follows it"))?;
    reader.seek(SeekFrom::Start(start))?;
    content(reader.by_ref(), record, kind, sink)?;
    if record.flags & HAS_DESCRIPTOR == 0 {
        return if rest == 0 {
            Ok(())
        } else {
            Err(bad("has bytes behind its content"))
        };
    }
    let descriptor = usize::try_from(rest).ok().filter(|rest| *rest <= 24);
    let descriptor = descriptor.ok_or_else(|| bad("has bytes behind its content"))?;
    let descriptor = read_at(reader, end - rest, descriptor)?;
    if is_descriptor_of(&descriptor, record, header.is_wide) {
        Ok(())
    } else {
        Err(bad(
            "has other sizes behind its content than in the directory",
        ))
    }
}

/// Reads the content through to its checksum.
fn content(
    reader: impl Read,
    record: &Record,
    kind: EntryKind,
    sink: &mut Sink<'_>,
) -> Result<(), Stop> {
    let mut input = Input::new(reader.take(record.compressed_bytes));
    let bad = |reason: &str| Stop::Archive(UnpackError::bad_entry(&record.name, reason));
    let crc32 = if record.method == STORED {
        let mut checked = CrcReader::new(&mut input);
        add(&mut checked, record, kind, sink)?;
        checked.crc().sum()
    } else {
        let mut checked = CrcReader::new(DeflateDecoder::new(&mut input));
        add(&mut checked, record, kind, sink)?;
        if checked.read(&mut [0])? != 0 {
            return Err(bad("has more content than its size"));
        }
        checked.crc().sum()
    };
    if !input.fill_buf()?.is_empty() {
        return Err(bad("has bytes behind its compressed content"));
    }
    if crc32 != record.crc32 {
        return Err(bad("has another checksum than its content"));
    }
    Ok(())
}

fn add(
    content: &mut dyn Read,
    record: &Record,
    kind: EntryKind,
    sink: &mut Sink<'_>,
) -> Result<(), Stop> {
    let path = &record.name;
    match kind {
        EntryKind::Directory => sink.directory(path),
        EntryKind::File { mode } => {
            let size_bytes = record.size_bytes;
            let file = FileEntry {
                path,
                size_bytes,
                mode,
            };
            sink.file(file, content)
        }
        EntryKind::Symlink => {
            let mut target = Vec::new();
            content.take(record.size_bytes).read_to_end(&mut target)?;
            if target.len() as u64 != record.size_bytes {
                return Err(UnpackError::bad_entry(path, "is cut off").into());
            }
            sink.symlink(path, &target)
        }
    }
}

/// Refuses what is encrypted or compressed in a way that is not read.
fn refuse_unread(record: &Record) -> Result<(), UnpackError> {
    let bad = |reason: &str| Err(UnpackError::bad_entry(&record.name, reason));
    if record.flags & (1 | 1 << 6 | 1 << 13) != 0 {
        return bad("is encrypted");
    }
    if record.flags & !FLAGS_KNOWN != 0 {
        return bad("has flags that are not known");
    }
    if record.version_needed > VERSION_MAX {
        return bad("needs a later version of zip");
    }
    if !matches!(record.method, STORED | DEFLATED) {
        return bad(&format!(
            "is compressed with method {}: stored and deflated ones are read",
            record.method
        ));
    }
    if record.method == STORED && record.compressed_bytes != record.size_bytes {
        return bad("is stored and has two sizes that are not the same");
    }
    Ok(())
}

/// Refuses names that programs read as different ones.
fn refuse_name(record: &Record) -> Result<(), UnpackError> {
    let bad = |reason: &str| {
        Err(UnpackError::BadPath {
            path: shown(&record.name),
            reason: reason.to_owned(),
        })
    };
    let name = record.name.as_slice();
    if name
        .iter()
        .any(|byte| byte.is_ascii_control() || *byte == b'\\')
    {
        return bad("it has a backslash or a control character, which some programs replace");
    }
    let inner = name.strip_suffix(b"/").unwrap_or(name);
    let is_plain = |part: &[u8]| !part.is_empty() && part != b".";
    if !name.starts_with(b"/") && !inner.split(|byte| *byte == b'/').all(is_plain) {
        return bad("it has a part that is empty or `.`");
    }
    // Unix programs write UTF-8 without the mark; of other systems it would be a code page.
    let is_marked = record.flags & NAME_IS_UTF8 != 0 || record.system == UNIX;
    let is_text = name.is_ascii() || is_marked && std::str::from_utf8(name).is_ok();
    if !is_text {
        return bad("it is not UTF-8, or not marked as such, so programs read different names");
    }
    Ok(())
}

fn kind_of(record: &Record) -> Result<EntryKind, UnpackError> {
    let bad = |reason: &str| Err(UnpackError::bad_entry(&record.name, reason));
    let ends_with_slash = record.name.ends_with(b"/");
    let mode = record.attributes >> 16;
    let kind = match (record.system, mode & 0o170_000) {
        (UNIX, 0o040_000) => EntryKind::Directory,
        (UNIX, 0o120_000) => EntryKind::Symlink,
        (UNIX, 0o100_000) => EntryKind::File { mode },
        (UNIX, 0) if !ends_with_slash => EntryKind::File { mode },
        (UNIX, 1..) => {
            return Err(UnpackError::BadKind {
                path: shown(&record.name),
                what: "a device, a FIFO or of an unknown kind",
            });
        }
        (_, 0o120_000) => return bad("is a symlink for some programs only"),
        _ if ends_with_slash => EntryKind::Directory,
        _ if record.attributes & DOS_DIRECTORY != 0 => EntryKind::Directory,
        _ => EntryKind::File { mode: 0 },
    };
    if (kind == EntryKind::Directory) != ends_with_slash {
        return bad("is a directory by its name or by its attributes, not by both");
    }
    if kind == EntryKind::Directory && record.size_bytes != 0 {
        return bad("is a directory and has content");
    }
    if kind == EntryKind::Symlink && record.size_bytes > PATH_BYTES_MAX as u64 {
        return bad("is a symlink with a target that is too long");
    }
    Ok(kind)
}

/// Reads the header in front of the content, which has to say what the directory says.
fn local_header(
    reader: &mut (impl Read + Seek),
    record: &Record,
) -> Result<LocalHeader, UnpackError> {
    let fixed = read_at(reader, record.offset, HEADER_BYTES)?;
    let header = parse_fixed(&fixed);
    let bad = |reason: &str| UnpackError::bad_entry(&record.name, reason);
    let header = header.ok_or_else(|| bad("has no header where the directory says it"))?;
    let (name_bytes, extra_bytes) = (usize::from(header.name), usize::from(header.extra));
    let variable_offset = record.offset + HEADER_BYTES as u64;
    let variable = read_at(reader, variable_offset, name_bytes + extra_bytes)?;
    let (name, extra) = variable.split_at(name_bytes);
    if name != record.name {
        let reason = format!("is `{}` in front of its content", shown(name));
        return Err(bad(&reason));
    }
    if (header.flags, header.method) != (record.flags, record.method) {
        return Err(bad(
            "has other flags or another method in front of its content",
        ));
    }
    let zip64 = zip64_of(extra, name)?;
    let mut wide = Fields::new(zip64.unwrap_or_default());
    let mut widened = |size: u32| match size {
        u32::MAX if zip64.is_some() => wide.u64(),
        size => Some(u64::from(size)),
    };
    let written = [
        (Some(u64::from(header.crc32)), u64::from(record.crc32)),
        (widened(header.size), record.size_bytes),
        (widened(header.compressed), record.compressed_bytes),
    ];
    // Who could not know a number before the content was written left it out.
    let is_left_open = record.flags & HAS_DESCRIPTOR != 0;
    let is_same = |(written, expected): &(Option<u64>, u64)| {
        *written == Some(*expected) || is_left_open && *written == Some(0)
    };
    if !written.iter().all(is_same) {
        return Err(bad(
            "has other sizes or another checksum in front of its content than in the directory",
        ));
    }
    Ok(LocalHeader {
        bytes: (HEADER_BYTES + variable.len()) as u64,
        is_wide: zip64.is_some(),
    })
}

/// The numbers of a local header.
struct Fixed {
    flags: u16,
    method: u16,
    crc32: u32,
    compressed: u32,
    size: u32,
    name: u16,
    extra: u16,
}

fn parse_fixed(bytes: &[u8]) -> Option<Fixed> {
    let mut fields = Fields::new(bytes.strip_prefix(HEADER_MARK)?);
    let _version_needed = fields.u16()?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    let _time = fields.u32()?;
    Some(Fixed {
        flags,
        method,
        crc32: fields.u32()?,
        compressed: fields.u32()?,
        size: fields.u32()?,
        name: fields.u16()?,
        extra: fields.u16()?,
    })
}

/// Whether the bytes behind a content are its checksum and sizes, with or without a mark.
fn is_descriptor_of(bytes: &[u8], record: &Record, is_wide: bool) -> bool {
    let sizes = [record.compressed_bytes, record.size_bytes];
    let mut plain = record.crc32.to_le_bytes().to_vec();
    for size in sizes {
        if is_wide {
            plain.extend(size.to_le_bytes());
        } else if let Ok(size) = u32::try_from(size) {
            plain.extend(size.to_le_bytes());
        } else {
            return false;
        }
    }
    bytes == plain || bytes.strip_prefix(DESCRIPTOR_MARK) == Some(plain.as_slice())
}
