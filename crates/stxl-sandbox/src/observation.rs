//! What the processes of an observed run looked at: [`Observation`], and how it travels from the
//! supervisor to the client.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use rustix::fs::MemfdFlags;

/// What the processes of an observed run looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Files, directories and symlinks that were there when a call named them, absolute and
    /// without symlinks above the last part; every symlink that was followed is one of them.
    /// Nothing below `/dev`, `/proc` and `/tmp`.
    pub paths: BTreeSet<PathBuf>,
    /// Whether these are all: there were not too many, and no process hid its memory.
    pub is_complete: bool,
}

/// Stands in front of the paths that are all.
const COMPLETE: u8 = b'c';
/// Stands in front of those that are not.
const INCOMPLETE: u8 = b'i';

/// Writes paths to a file in memory, each with a NUL behind it.
pub(crate) fn write(paths: &BTreeSet<Vec<u8>>, is_complete: bool) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create(c"observation", MemfdFlags::CLOEXEC)?;
    let mut out = BufWriter::new(File::from(memory));
    out.write_all(&[if is_complete { COMPLETE } else { INCOMPLETE }])?;
    for path in paths {
        out.write_all(path)?;
        out.write_all(b"\0")?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(file.into())
}

/// Reads what [`write`] wrote.
pub(crate) fn read(memory: OwnedFd) -> io::Result<Observation> {
    let file = File::from(memory);
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    let (first, rest) = bytes.split_first().unwrap_or((&INCOMPLETE, &[]));
    let paths = rest
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty());
    Ok(Observation {
        paths: paths
            .map(|path| PathBuf::from(OsString::from_vec(path.to_vec())))
            .collect(),
        is_complete: *first == COMPLETE,
    })
}
