//! The entries of a tar, one after the other.

use std::io::Read;

use super::super::error::{Stop, UnpackError, shown};
use super::super::input::{is_rest_zero, read_full};
use super::super::limits::EXTENDED_BYTES_MAX;
use super::super::sink::{FileEntry, Sink};
use super::header::{BLOCK_BYTES, Header, is_end};
use super::pax::{Records, Scope};

/// The largest size that a header can say in octal.
const OCTAL_SIZE_MAX: u64 = 0o777_7777_7777;

/// What stands in front of an entry and belongs to it.
#[derive(Default)]
struct Pending {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    records: Option<Records>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.long_name.is_none() && self.long_link.is_none() && self.records.is_none()
    }
}

/// What stands where a header is expected.
enum Next {
    Header,
    /// Blocks of zeros, behind which there is nothing else.
    Zeros,
    /// The end of the bytes.
    Nothing,
}

/// Reads a whole tar.
pub(in super::super) fn read(mut reader: impl Read, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut pending = Pending::default();
    let mut last: Option<Vec<u8>> = None;
    let mut block = [0; BLOCK_BYTES];
    loop {
        let at = |error: UnpackError| match &last {
            Some(last) => error.at(last),
            None => error,
        };
        match next(&mut reader, &mut block).map_err(at)? {
            Next::Header => {}
            Next::Nothing if last.is_none() => {
                return Err(UnpackError::malformed("it has no bytes").into());
            }
            Next::Nothing | Next::Zeros => break,
        }
        let header = Header::parse(&block).map_err(at)?;
        let name = header.name();
        sink.refuse_cancelled()?;
        last = Some(match header.kind() {
            b'x' | b'g' | b'L' | b'K' => {
                extension(&mut reader, &header, &mut pending).map_err(at)?;
                name
            }
            // The label of a volume.
            b'V' if pending.is_empty() => {
                refuse_content(&header, &name)?;
                name
            }
            _ => entry(&mut reader, &header, std::mem::take(&mut pending), sink)?,
        });
    }
    if !pending.is_empty() {
        return Err(UnpackError::malformed("it ends after an extended header").into());
    }
    Ok(())
}

/// Reads what stands where a header is expected.
fn next(reader: &mut impl Read, block: &mut [u8; BLOCK_BYTES]) -> Result<Next, UnpackError> {
    match read_full(reader, block)? {
        0 => return Ok(Next::Nothing),
        BLOCK_BYTES => {}
        _ => return Err(UnpackError::malformed("it ends within a header")),
    }
    if !is_end(block) {
        return Ok(Next::Header);
    }
    if is_rest_zero(reader)? {
        return Ok(Next::Zeros);
    }
    Err(UnpackError::malformed(
        "bytes follow the end of the tar, such as another tar",
    ))
}

/// Reads what says more about the entry behind it.
fn extension(
    reader: &mut impl Read,
    header: &Header<'_>,
    pending: &mut Pending,
) -> Result<(), UnpackError> {
    let size_bytes = header.size_bytes();
    let Some(size_bytes) = size_bytes.filter(|size| *size <= EXTENDED_BYTES_MAX) else {
        return Err(UnpackError::malformed(format!(
            "an extended header has no size, or one of more than {} MiB",
            EXTENDED_BYTES_MAX >> 20
        )));
    };
    let mut bytes = Vec::new();
    reader.by_ref().take(size_bytes).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size_bytes {
        return Err(UnpackError::malformed("it ends within an extended header"));
    }
    skip_padding(reader, size_bytes)?;
    let is_first = match header.kind() {
        b'x' => {
            let records = Records::parse(&bytes, Scope::Entry)?;
            pending.records.replace(records).is_none()
        }
        b'L' => pending.long_name.replace(long_name(bytes)?).is_none(),
        b'K' => pending.long_link.replace(long_name(bytes)?).is_none(),
        _ => {
            Records::parse(&bytes, Scope::Global)?;
            pending.is_empty()
        }
    };
    if !is_first {
        return Err(UnpackError::malformed(
            "two extended headers of one kind stand in front of one entry",
        ));
    }
    Ok(())
}

/// The text of a long name, which ends with a NUL.
fn long_name(mut bytes: Vec<u8>) -> Result<Vec<u8>, UnpackError> {
    let end = bytes.iter().position(|byte| *byte == 0);
    let end = end.unwrap_or(bytes.len());
    if end == 0 || bytes[end..].iter().any(|byte| *byte != 0) {
        return Err(UnpackError::malformed(
            "a long name is empty or has a NUL within",
        ));
    }
    bytes.truncate(end);
    Ok(bytes)
}

/// Reads a file, link or directory; returns its path.
fn entry(
    reader: &mut impl Read,
    header: &Header<'_>,
    pending: Pending,
    sink: &mut Sink<'_>,
) -> Result<Vec<u8>, Stop> {
    let records = pending.records.unwrap_or_default();
    let path = one_of(pending.long_name, records.path)?.unwrap_or_else(|| header.name());
    let link = one_of(pending.long_link, records.link_path)?;
    let bad = |reason: &str| Stop::Archive(UnpackError::bad_entry(&path, reason));
    let written = header.size_bytes();
    let written = written.ok_or_else(|| bad("has a size that is not a number"))?;
    let size_bytes = records.size_bytes.unwrap_or(written);
    if size_bytes != written && size_bytes <= OCTAL_SIZE_MAX {
        return Err(bad("has two sizes that are not the same"));
    }
    let kind = header.kind();
    let is_link = matches!(kind, b'1' | b'2');
    if link.is_some() && !is_link {
        return Err(bad("has the target of a link and is none"));
    }
    let target = link.unwrap_or_else(|| header.link_name().to_vec());
    let ends_with_slash = path.ends_with(b"/");
    match kind {
        // Before there were entries for directories, their names ended with a slash.
        0 | b'0' if ends_with_slash && size_bytes == 0 => sink.directory(&path)?,
        0 | b'0' | b'7' if !ends_with_slash => {
            let file = FileEntry {
                path: &path,
                size_bytes,
                mode: header.mode(),
            };
            sink.file(file, reader)?;
            skip_padding(reader, size_bytes)?;
        }
        0 | b'0' | b'7' => return Err(bad("is a file and ends with a slash")),
        _ if size_bytes != 0 => return Err(bad("is no file and has content")),
        b'1' | b'2' if ends_with_slash => return Err(bad("is a link and ends with a slash")),
        b'1' => sink.hard_link(&path, &target)?,
        b'2' => sink.symlink(&path, &target)?,
        b'5' => sink.directory(&path)?,
        kind => {
            let path = shown(&path);
            let what = kind_name(kind);
            return Err(UnpackError::BadKind { path, what }.into());
        }
    }
    Ok(path)
}

/// One of two ways to write a long name.
fn one_of(gnu: Option<Vec<u8>>, pax: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, UnpackError> {
    if gnu.is_some() && pax.is_some() {
        return Err(UnpackError::malformed(
            "an entry has long names of GNU tar and of pax",
        ));
    }
    Ok(gnu.or(pax))
}

fn refuse_content(header: &Header<'_>, path: &[u8]) -> Result<(), UnpackError> {
    if header.size_bytes() == Some(0) {
        return Ok(());
    }
    Err(UnpackError::bad_entry(path, "is no file and has content"))
}

/// Contents end at the end of a block. What stands there is not looked at, as by no program.
fn skip_padding(reader: &mut impl Read, size_bytes: u64) -> Result<(), UnpackError> {
    let block = BLOCK_BYTES as u64;
    let count = usize::try_from((block - size_bytes % block) % block).unwrap_or(BLOCK_BYTES);
    if read_full(reader, &mut [0; BLOCK_BYTES][..count])? != count {
        return Err(UnpackError::malformed(
            "it ends within the padding of an entry",
        ));
    }
    Ok(())
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        b'3' => "a character device",
        b'4' => "a block device",
        b'6' => "a FIFO",
        b'S' => "a sparse file of GNU tar",
        b'M' => "the continuation of a file from another volume",
        b'D' => "a directory of an incremental backup",
        b'N' => "a long name of an early GNU tar",
        _ => "an entry of an unknown kind",
    }
}
