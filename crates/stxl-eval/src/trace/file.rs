//! A trace on disk: one file for a workspace, written whole, with a checksum, and beside it what
//! changed since ([`super::changes`]).
//!
//! | bytes | meaning |
//! |---|---|
//! | 0–7 | `stxltrce` |
//! | 8–11 | version |
//! | 12– | identity of the program and of the request's surroundings as text; records; labels of stale ones; list of packages |
//! | last 32 | BLAKE3 digest of all before |
//!
//! A file that is cut, damaged, of another version or of another program is as good as none: the
//! evaluation is done from the text and the file made again. It is never synced, for that reason.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use stxl_model::{BlobId, DecodeError, Decoder};

use super::changes::{self, Changes, LostChanges};
use super::{Base, Listed, Trace};
use crate::child::ChildRequest;
use crate::record::{Hashed, Pieces, Records, decode_label, decode_list};

const MAGIC: &[u8; 8] = b"stxltrce";

/// Raised when the form of the file changes.
pub(super) const VERSION: u32 = 3;

pub(super) const CHECKSUM_BYTES: usize = 32;

/// A partial file that is older is no longer being written.
const PARTIAL_SECONDS: i64 = 3600;

/// Traces of so many workspaces are kept.
const TRACES_MAX: usize = 64;

/// Longest trace that is read.
const TRACE_BYTES_MAX: u64 = 2 << 30;

/// Where traces are kept, and whose they are.
///
/// Whoever can write a trace decides what is built by who reads it. So the folder has to be the
/// user's own, whom the process acts for: a folder of somebody else's, or one that others may write
/// to, is neither read nor written.
#[derive(Clone, Debug)]
pub struct TraceFolder {
    /// The folder. It is made when the first trace is saved, with all that is missing above it, if
    /// what is there is the user's own.
    pub path: PathBuf,
    /// What tells this program from every other one that would evaluate differently.
    pub program: String,
}

/// Why there is no trace to begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TraceError {
    #[error("nothing is remembered of this workspace")]
    Missing,
    #[error("what is remembered cannot be read: {reason}")]
    Unreadable { reason: String },
    #[error("what is remembered is damaged")]
    Damaged,
    #[error("what is remembered is another program's")]
    OtherProgram,
}

/// A trace that was not written yet. Whoever evaluates says when: the plan can be told before.
#[must_use]
pub struct UnsavedTrace {
    folder: PathBuf,
    identity: Identity,
    trace: Trace,
}

impl UnsavedTrace {
    pub(super) const fn new(folder: PathBuf, identity: Identity, trace: Trace) -> Self {
        Self {
            folder,
            identity,
            trace,
        }
    }

    /// Writes the trace in the place of an older one, or what changed beside it: all of it or
    /// nothing.
    pub fn save(self) -> std::io::Result<()> {
        let folder = make_own_folder(&self.folder).map_err(|errno| {
            let shown = self.folder.display();
            let reason = match errno {
                Errno::PERM if self.folder.exists() => format!(
                    "it is not the user's own alone: chmod go-w {shown}, or set XDG_CACHE_HOME"
                ),
                Errno::PERM => format!(
                    "what it lies in is not the user's own alone: make it first, \
                     mkdir -p -m 700 {shown}"
                ),
                other => other.to_string(),
            };
            std::io::Error::other(format!("`{shown}`: {reason}"))
        })?;
        let mut lot = [0; 8];
        rustix::rand::getrandom(&mut lot, rustix::rand::GetRandomFlags::empty())?;
        let (trace, identity) = (&self.trace, &self.identity);
        let base = trace.base.as_ref();
        let base = base.filter(|base| base.is_close_to(&trace.records));
        let name = match base {
            Some(_) => identity.changes_name(),
            None => identity.file_name(),
        };
        let partial = format!("{name}.{:016x}.part", u64::from_le_bytes(lot));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &partial, flags, Mode::from_raw_mode(0o600))?;
        let mut pieces = Pieces::new(Hashed::new(File::from(file)));
        let encoded = match base {
            Some(base) => changes::encode(trace, base, &mut pieces),
            None => encode(trace, identity, &mut pieces),
        };
        let written = encoded.and_then(|()| pieces.finish()?.seal());
        let renamed =
            written.and_then(|()| Ok(rustix::fs::renameat(&folder, &partial, &folder, &name)?));
        if renamed.is_err() {
            // The room it takes is given back; that it cannot be is no news after the error.
            rustix::fs::unlinkat(&folder, &partial, AtFlags::empty()).ok();
        }
        renamed?;
        if base.is_none() {
            // They were of the trace that is replaced; nobody uses them, should they stay.
            remove(&folder, &identity.changes_name()).ok();
        }
        // Too much that is kept is no reason to fail.
        prune(&folder, &identity.name()).ok();
        Ok(())
    }
}

/// What a trace has to agree with to be used at all.
pub(crate) struct Identity {
    workspace: String,
    text: String,
}

impl Identity {
    /// The identity of a workspace's trace: the program's, and whatever is in every derivation.
    /// With texts that lie over packages it is another workspace's.
    pub(crate) fn new(folder: &TraceFolder, request: &ChildRequest) -> Self {
        let mut workspace = request.folder.to_string_lossy().into_owned();
        for (label, text) in &request.overrides {
            workspace += &format!("\n{label} {}", BlobId::of(text.as_bytes()));
        }
        let sandbox_abi = request.evaluation.sandbox_abi;
        let text = format!("{}\nsandbox {sandbox_abi}\n{workspace}", folder.program);
        Self { workspace, text }
    }

    fn file_name(&self) -> String {
        format!("{}.trace", self.name())
    }

    fn changes_name(&self) -> String {
        format!("{}.changes.trace", self.name())
    }

    fn name(&self) -> String {
        let digest = BlobId::of(self.workspace.as_bytes()).to_string();
        digest.get(..32).unwrap_or(&digest).to_owned()
    }
}

/// Removes what nobody will read: partial files whose writer was ended, and traces of workspaces
/// that were evaluated longest ago, with the changes beside them, when there are too many. Those of
/// the one just written stay, whatever their times say.
fn prune(folder: &OwnedFd, own: &str) -> Result<(), Errno> {
    let now = clock_gettime(ClockId::Realtime).tv_sec;
    // By workspace: when it was written last, and the files.
    let mut kept: BTreeMap<String, ((i64, u64), Vec<String>)> = BTreeMap::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if !matches!(extension, Some("part" | "trace")) {
            continue;
        }
        // What another process has just renamed or removed is no longer of interest.
        let Ok(stat) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        if extension == Some("trace") {
            let workspace = name.split('.').next().unwrap_or_default();
            let (written, files) = kept.entry(workspace.to_owned()).or_default();
            *written = (*written).max((stat.st_mtime, stat.st_mtime_nsec));
            files.push(name.to_owned());
        } else if stat.st_mtime.saturating_add(PARTIAL_SECONDS) < now {
            remove(folder, name)?;
        }
    }
    kept.remove(own);
    let mut kept: Vec<_> = kept.into_values().collect();
    kept.sort();
    let surplus = (kept.len() + 1).saturating_sub(TRACES_MAX);
    for name in kept.iter().take(surplus).flat_map(|(_, files)| files) {
        remove(folder, name)?;
    }
    Ok(())
}

fn remove(folder: &OwnedFd, name: &str) -> Result<(), Errno> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        // Another process prunes too.
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Opens a folder that is the user's own; `EPERM` if it is not.
fn open_own_folder(at: BorrowedFd<'_>, folder: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(at, folder, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&opened)?;
    let is_own = stat.st_uid == rustix::process::geteuid().as_raw();
    let is_open_to_others = stat.st_mode & 0o022 != 0;
    if is_own && !is_open_to_others {
        Ok(opened)
    } else {
        Err(Errno::PERM)
    }
}

/// Opens a folder, and makes what is missing of its path below one that is the user's own.
fn make_own_folder(folder: &Path) -> Result<OwnedFd, Errno> {
    let is_missing = |path: &&Path| !path.exists();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    let mut opened = match missing.last().and_then(|path| path.parent()) {
        None => return open_own_folder(CWD, folder),
        Some(there) => open_own_folder(CWD, there)?,
    };
    for path in missing.into_iter().rev() {
        let name = Path::new(path.file_name().ok_or(Errno::INVAL)?);
        match rustix::fs::mkdirat(&opened, name, Mode::from_raw_mode(0o700)) {
            // Another process was faster, or somebody else, whom the owner gives away.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        opened = open_own_folder(opened.as_fd(), name)?;
    }
    Ok(opened)
}

/// A trace as it was read.
pub(crate) struct Loaded {
    pub(crate) trace: Trace,
    /// Whether changes beside it were damaged, and so left out: what they tell is looked at again.
    pub(crate) has_lost_changes: bool,
}

/// Reads the trace that serves a request best: with texts that lie over packages that of the
/// workspace without them will do, in which few packages are others.
pub(crate) fn load_for(
    folder: &TraceFolder,
    identity: &Identity,
    request: &ChildRequest,
) -> Result<Loaded, TraceError> {
    let loaded = load(folder, identity);
    if loaded.is_ok() || request.overrides.is_empty() {
        return loaded;
    }
    let without = ChildRequest {
        overrides: BTreeMap::new(),
        ..request.clone()
    };
    let mut loaded = load(folder, &Identity::new(folder, &without))?;
    // It is written under another name, whole.
    loaded.trace.base = None;
    Ok(loaded)
}

/// Reads the trace of a workspace.
pub(crate) fn load(folder: &TraceFolder, identity: &Identity) -> Result<Loaded, TraceError> {
    let unreadable = |errno: Errno| match errno {
        Errno::NOENT => TraceError::Missing,
        Errno::PERM => TraceError::Unreadable {
            reason: format!("`{}` is not the user's own", folder.path.display()),
        },
        other => TraceError::Unreadable {
            reason: other.to_string(),
        },
    };
    let opened = open_own_folder(CWD, &folder.path).map_err(unreadable)?;
    let bytes = read(&opened, &identity.file_name()).map_err(unreadable)?;
    let trace = decode(&bytes, identity)?;
    let changes = match read(&opened, &identity.changes_name()) {
        Ok(bytes) => Changes::decode(&bytes, &trace),
        Err(Errno::NOENT) => Ok(None),
        Err(_) => Err(LostChanges),
    };
    let has_lost_changes = changes.is_err();
    let trace = match changes {
        Ok(Some(changes)) => changes.put_on(trace),
        Ok(None) | Err(LostChanges) => trace,
    };
    Ok(Loaded {
        trace,
        has_lost_changes,
    })
}

fn read(folder: &OwnedFd, name: &str) -> Result<Arc<Vec<u8>>, Errno> {
    let file = rustix::fs::openat2(
        folder,
        name,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    );
    let file = File::from(file?);
    let size_bytes = file.metadata().map_or(0, |it| it.len());
    let mut bytes =
        Vec::with_capacity(usize::try_from(size_bytes.min(TRACE_BYTES_MAX)).unwrap_or(0) + 1);
    let read = file.take(TRACE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(Arc::new(bytes))
}

fn encode(
    trace: &Trace,
    identity: &Identity,
    pieces: &mut Pieces<impl Write>,
) -> std::io::Result<()> {
    let Trace {
        records,
        stale,
        listed,
        base: _,
    } = trace;
    let head = pieces.encoder();
    head.raw(MAGIC);
    head.u32(VERSION);
    head.text(&identity.text);
    records.encode(pieces)?;
    let rest = pieces.encoder();
    rest.count(stale.len());
    stale.iter().for_each(|label| rest.text(label.as_str()));
    listed.encode(records, &listed.reads, rest);
    Ok(())
}

/// What stands before the checksum, and the checksum, if it is right.
pub(super) fn unseal(bytes: &[u8]) -> Option<(&[u8], [u8; CHECKSUM_BYTES])> {
    let (body, checksum) = bytes.split_last_chunk()?;
    (BlobId::of(body).digest().as_bytes() == checksum).then_some((body, *checksum))
}

fn decode(bytes: &Arc<Vec<u8>>, identity: &Identity) -> Result<Trace, TraceError> {
    let damaged = |_: DecodeError| TraceError::Damaged;
    let (body, checksum) = unseal(bytes).ok_or(TraceError::Damaged)?;
    let mut decoder = Decoder::new(body);
    if decoder.array().map_err(damaged)? != *MAGIC || decoder.u32().map_err(damaged)? != VERSION {
        return Err(TraceError::OtherProgram);
    }
    if decoder.text().map_err(damaged)? != identity.text {
        return Err(TraceError::OtherProgram);
    }
    let mut trace = decode_trace(decoder, bytes).map_err(damaged)?;
    trace.base = Some(Base::new(checksum));
    Ok(trace)
}

fn decode_trace(mut decoder: Decoder<'_>, bytes: &Arc<Vec<u8>>) -> Result<Trace, DecodeError> {
    let records = Records::decode(&mut decoder, bytes)?;
    let stale = decode_list(&mut decoder, decode_label)?;
    let listed = Listed::decode(&mut decoder, &records)?;
    decoder.finish()?;
    Ok(Trace {
        records,
        stale: stale.into_iter().collect(),
        listed,
        base: None,
    })
}
