//! Extended headers as POSIX pax defines them.
//!
//! A record is used, known to change nothing in a tree, or refused: what one program skips, another
//! may obey.

use super::super::error::UnpackError;

/// What extended headers say about the entry behind them.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size_bytes: Option<u64>,
}

/// Whether the records are for one entry, or for all that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Entry,
    Global,
}

/// Keys without a meaning for a tree: times, owners, labels.
const HARMLESS: [&str; 10] = [
    "atime",
    "charset",
    "comment",
    "ctime",
    "gid",
    "gname",
    "mtime",
    "uid",
    "uname",
    "RHT.security.selinux",
];

/// Beginnings of such keys: attributes, access lists, and notes of programs to themselves.
const HARMLESS_PREFIXES: [&str; 16] = [
    "LIBARCHIVE.creationtime",
    "LIBARCHIVE.symlinktype",
    "LIBARCHIVE.xattr.",
    "MSWINDOWS.",
    "NODETAR.",
    "SCHILY.acl.",
    "SCHILY.archtype",
    "SCHILY.dev",
    "SCHILY.fflags",
    "SCHILY.ino",
    "SCHILY.nlink",
    "SCHILY.offset",
    "SCHILY.release",
    "SCHILY.tarfiletype",
    "SCHILY.volhdr.",
    "SCHILY.xattr.",
];

impl Records {
    /// Reads the content of an extended header.
    pub(super) fn parse(bytes: &[u8], scope: Scope) -> Result<Self, UnpackError> {
        let mut records = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (record, after) = split_record(rest).ok_or_else(|| {
                UnpackError::malformed("an extended header has a record of a wrong length or form")
            })?;
            records.take(record, scope)?;
            rest = after;
        }
        Ok(records)
    }

    fn take(&mut self, (key, value): (&[u8], &[u8]), scope: Scope) -> Result<(), UnpackError> {
        let refused = |what: &str| {
            let key = key.escape_ascii();
            Err(UnpackError::malformed(format!(
                "the record `{key}` of an extended header {what}"
            )))
        };
        let is_used = matches!(key, b"path" | b"linkpath" | b"size");
        if is_used && scope == Scope::Global {
            return refused("would hold for all entries");
        }
        if is_used && (value.is_empty() || value.contains(&0)) {
            return refused("is empty or has a NUL");
        }
        let is_first = match key {
            b"path" => self.path.replace(value.to_vec()).is_none(),
            b"linkpath" => self.link_path.replace(value.to_vec()).is_none(),
            b"size" => match decimal(value) {
                Some(size) => self.size_bytes.replace(size).is_none(),
                None => return refused("is not a number"),
            },
            b"hdrcharset" if matches!(value, b"BINARY" | b"ISO-IR 10646 2000 UTF-8") => true,
            key if is_sparse(key) => {
                return refused("makes a sparse file, which is not read: unpack it in a step");
            }
            key if is_harmless(key) => true,
            _ => return refused("is not known, so programs may read the archive differently"),
        };
        if !is_first {
            return refused("stands there twice");
        }
        Ok(())
    }
}

fn is_sparse(key: &[u8]) -> bool {
    key.starts_with(b"GNU.sparse.") || matches!(key, b"SCHILY.realsize" | b"SUN.holesdata")
}

fn is_harmless(key: &[u8]) -> bool {
    let is_one = HARMLESS.iter().any(|harmless| key == harmless.as_bytes());
    is_one
        || HARMLESS_PREFIXES
            .iter()
            .any(|prefix| key.starts_with(prefix.as_bytes()))
}

/// A key and its value, and what follows them.
type Split<'a> = ((&'a [u8], &'a [u8]), &'a [u8]);

/// Splits the first record off: its length in decimal, a blank, key, `=`, value and a line feed.
fn split_record(bytes: &[u8]) -> Option<Split<'_>> {
    let blank = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..blank])?).ok()?;
    let record = bytes.get(blank + 1..length)?;
    let (end, record) = record.split_last()?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    (*end == b'\n' && !key.is_empty() && !key.contains(&0))
        .then_some(((key, value), &bytes[length..]))
}

/// A number without sign, blanks or leading zeros.
fn decimal(digits: &[u8]) -> Option<u64> {
    let is_canonical = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
    if !is_canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
