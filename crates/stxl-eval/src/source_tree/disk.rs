//! The workspace on disk.
//!
//! Every path is resolved by the kernel below one open directory (`openat2` with
//! `RESOLVE_BENEATH`), so that neither `..` nor a symlink leads out of the workspace or of the
//! folders it was opened with: a link that tries is an error, not a door.

mod import;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use stxl_lang::{SourceError, SourcePath, SourceTree};
use stxl_model::{LeftOut, PackageLabel, TreeId};

use super::overrides::Overrides;
use super::{EntryKind, FileDigest, TEXT_BYTES_MAX, WorkspaceTree};
use crate::directory_import::DirectoryImportError;
use crate::parallel::in_threads;

/// The files below a workspace's folder, and below folders outside of it that were opened by name.
pub struct DiskSourceTree {
    folder: PathBuf,
    workspace: OwnedFd,
    /// The folders that were asked for by name; those that are not there as well, so that they are
    /// missing and not forbidden.
    outside: RwLock<BTreeMap<String, Result<OwnedFd, Errno>>>,
    /// Texts of a request in the place of files.
    overrides: Overrides,
}

/// Why a workspace's folder cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be opened: {reason}", folder.display())]
pub struct OpenWorkspaceError {
    /// The folder.
    pub folder: PathBuf,
    /// What the system said.
    pub reason: String,
}

/// What the file system tells about a file without its bytes. While two are equal the bytes are,
/// unless they were changed within the resolution of the file system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size_bytes: u64,
    /// Kind and permissions.
    pub(crate) mode: u32,
    /// When the bytes were changed, as anybody may set it: nanoseconds since 1970.
    pub(crate) modified_ns: i64,
    /// When anything was changed, as only the kernel sets it.
    pub(crate) changed_ns: i64,
}

/// An open folder and the names in it.
pub(crate) struct ListedFolder {
    opened: OwnedFd,
    /// Sorted; those of folders end with `/`.
    pub(crate) names: Vec<String>,
    /// What may be a link.
    maybe_links: BTreeSet<String>,
}

impl ListedFolder {
    /// The stamp of `ENTRY/FILE`, by one call of the system; none if that cannot be told without
    /// following a link, or at all.
    pub(crate) fn stamp_inside(&self, entry: &str, path: &str) -> Option<Stamp> {
        if self.maybe_links.contains(entry) {
            return None;
        }
        let stat = rustix::fs::statat(&self.opened, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        is_file.then(|| stamp_of(&stat))
    }
}

fn open_folder(folder: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(folder, flags, Mode::empty())
}

impl DiskSourceTree {
    /// Opens a workspace.
    pub fn open(folder: &Path) -> Result<Self, OpenWorkspaceError> {
        let failed = |errno: Errno| OpenWorkspaceError {
            folder: folder.to_owned(),
            reason: errno.to_string(),
        };
        let workspace = open_folder(folder).map_err(failed)?;
        Ok(Self {
            folder: folder.to_owned(),
            workspace,
            outside: RwLock::default(),
            overrides: Overrides::default(),
        })
    }

    /// The same workspace with texts that lie over packages, as the last layer of each.
    #[must_use]
    pub fn with_overrides(self, texts: &BTreeMap<PackageLabel, String>) -> Self {
        let overrides = Overrides::new(texts);
        Self { overrides, ..self }
    }

    /// The stamp of what a path leads to.
    pub(crate) fn stamp(&self, path: &SourcePath) -> Result<Stamp, SourceError> {
        self.with_entry(path, |folder, rest| {
            let entry = open_beneath(folder, rest, OFlags::PATH)?;
            Ok(stamp_of(&rustix::fs::fstat(&entry)?))
        })
    }

    /// Lists a folder, which stays open.
    pub(crate) fn list_folder(&self, path: &SourcePath) -> Result<ListedFolder, SourceError> {
        self.with_entry(path, |folder, rest| {
            let opened = open_beneath(folder, rest, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let mut names = Vec::new();
            let mut maybe_links = BTreeSet::new();
            for entry in Dir::read_from(&opened)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().to_str() else {
                    continue;
                };
                if name == "." || name == ".." {
                    continue;
                }
                let is_directory = match entry.file_type() {
                    FileType::Directory => true,
                    FileType::Symlink | FileType::Unknown => {
                        maybe_links.insert(name.to_owned());
                        let below = format!("{rest}/{name}");
                        open_beneath(folder, &below, OFlags::PATH | OFlags::DIRECTORY).is_ok()
                    }
                    _ => false,
                };
                names.push(if is_directory {
                    format!("{name}/")
                } else {
                    name.to_owned()
                });
            }
            names.sort();
            Ok(ListedFolder {
                opened,
                names,
                maybe_links,
            })
        })
    }

    fn with_entry<T>(
        &self,
        path: &SourcePath,
        act: impl FnOnce(&OwnedFd, &str) -> Result<T, Errno>,
    ) -> Result<T, SourceError> {
        let text = path.as_str();
        let outside = self.outside.read().unwrap_or_else(PoisonError::into_inner);
        let beneath = |name: &str| -> Option<usize> {
            let rest = text.strip_prefix(name)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(name.len())
        };
        let longest = outside
            .iter()
            .filter_map(|(name, folder)| Some((beneath(name)?, folder)));
        let (length, folder) = match longest.max_by_key(|(length, _)| *length) {
            Some((length, folder)) => (length, folder.as_ref().map_err(|errno| *errno)),
            None => (0, Ok(&self.workspace)),
        };
        let rest = text
            .get(length..)
            .unwrap_or_default()
            .trim_start_matches('/');
        let rest = if rest.is_empty() { "." } else { rest };
        let acted = folder.and_then(|folder| act(folder, rest));
        acted.map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => SourceError::NotFound { path: path.clone() },
            Errno::XDEV => SourceError::Unreadable {
                path: path.clone(),
                reason: "it leads out of the workspace".to_owned(),
            },
            Errno::INVAL => SourceError::Unreadable {
                path: path.clone(),
                reason: "it is neither a file nor a directory".to_owned(),
            },
            Errno::LOOP => SourceError::Unreadable {
                path: path.clone(),
                reason: "its links lead in a circle or out of the workspace".to_owned(),
            },
            Errno::FBIG => SourceError::Unreadable {
                path: path.clone(),
                reason: format!(
                    "it is longer than {} KiB, the most of a text",
                    TEXT_BYTES_MAX / 1024
                ),
            },
            other => SourceError::Unreadable {
                path: path.clone(),
                reason: other.to_string(),
            },
        })
    }
}

fn stamp_of(stat: &Stat) -> Stamp {
    let nanoseconds = |seconds: i64, rest: u64| {
        let rest = i64::try_from(rest).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    };
    Stamp {
        device: stat.st_dev,
        inode: stat.st_ino,
        size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
        mode: stat.st_mode,
        modified_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        changed_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    }
}

fn open_beneath(folder: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC;
    loop {
        match rustix::fs::openat2(folder, path, flags, Mode::empty(), resolve) {
            // A rename elsewhere in the tree made the kernel give up on `..`: ask again.
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
}

/// Opens a regular file to be read.
fn open_file(folder: &OwnedFd, path: &str) -> Result<(OwnedFd, Stat), Errno> {
    // NONBLOCK: a FIFO in the workspace must not hang the evaluation.
    let file = open_beneath(folder, path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let stat = rustix::fs::fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok((file, stat)),
        FileType::Directory => Err(Errno::ISDIR),
        _ => Err(Errno::INVAL),
    }
}

/// Reads a text, by as few calls as there can be: one reads all of it, and less than was asked for.
fn read_text(file: &OwnedFd, size_bytes: u64) -> Result<Arc<[u8]>, Errno> {
    if size_bytes > TEXT_BYTES_MAX {
        return Err(Errno::FBIG);
    }
    let size = usize::try_from(size_bytes).unwrap_or(0);
    let mut bytes = vec![0; size + 1];
    let mut length = 0;
    while let Some(room) = bytes.get_mut(length..) {
        let room_bytes = room.len();
        let count = match rustix::io::read(file, room) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let is_short = count < room_bytes;
        length += count;
        if count == 0 || (is_short && length == size) {
            break;
        }
        if length > size {
            // It grows meanwhile.
            if length as u64 > TEXT_BYTES_MAX {
                return Err(Errno::FBIG);
            }
            bytes.resize(length * 2, 0);
        }
    }
    bytes.truncate(length);
    Ok(bytes.into())
}

impl SourceTree for DiskSourceTree {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        self.read_stamped(path).map(|(bytes, _)| bytes)
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        match self.list_folder(path) {
            Ok(listed) => Ok(listed.names),
            Err(SourceError::NotFound { .. }) => Ok(Vec::new()),
            Err(other) => Err(other),
        }
    }
}

impl WorkspaceTree for DiskSourceTree {
    fn kind(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        if let Some(found) = self.overrides.at(path) {
            return found.map(|text| EntryKind::File {
                size_bytes: text.len() as u64,
                executable: false,
            });
        }
        self.with_entry(path, |folder, rest| {
            kind_of(&open_beneath(
                folder,
                rest,
                OFlags::PATH | OFlags::NOFOLLOW,
            )?)
        })
    }

    fn kind_behind_links(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        self.with_entry(path, |folder, rest| {
            kind_of(&open_beneath(folder, rest, OFlags::PATH)?)
        })
    }

    fn digest(&self, path: &SourcePath) -> Result<FileDigest, SourceError> {
        self.digest_stamped(path).map(|(digest, _)| digest)
    }

    /// Both are of one open file, whatever is renamed meanwhile.
    fn read_stamped(&self, path: &SourcePath) -> Result<(Arc<[u8]>, Option<Stamp>), SourceError> {
        if let Some(found) = self.overrides.at(path) {
            return found.map(|text| (Arc::clone(text), None));
        }
        self.with_entry(path, |folder, rest| {
            let (file, stat) = open_file(folder, rest)?;
            let size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
            Ok((read_text(&file, size_bytes)?, Some(stamp_of(&stat))))
        })
    }

    fn digest_stamped(
        &self,
        path: &SourcePath,
    ) -> Result<(FileDigest, Option<Stamp>), SourceError> {
        self.with_entry(path, |folder, rest| {
            let (file, stat) = open_file(folder, rest)?;
            let digest = import::digest_of_file(&file, &stat)?;
            Ok((digest, Some(stamp_of(&stat))))
        })
    }

    fn kinds_inside(
        &self,
        folder: &SourcePath,
        entries: &[&str],
        name: &str,
    ) -> Vec<Result<EntryKind, SourceError>> {
        let opened = self.with_entry(folder, |outer, rest| {
            open_beneath(outer, rest, OFlags::PATH | OFlags::DIRECTORY)
        });
        let kind = |entry: &&str| {
            // Nothing but whether there is a file is taken from a look that could be led outside by
            // a link: it is opened beneath the workspace when it is read.
            if let Ok(opened) = &opened
                && let Ok(stat) = statat(opened, entry, name)
                && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            {
                return Ok(file_kind(&stat));
            }
            self.kind(&SourcePath::new(&format!("{folder}/{entry}/{name}")))
        };
        in_threads(entries, kind)
    }

    fn directory(
        &self,
        path: &SourcePath,
        left_out: &LeftOut,
    ) -> Result<TreeId, DirectoryImportError> {
        let directory = self.with_entry(path, |folder, rest| {
            open_beneath(folder, rest, OFlags::RDONLY | OFlags::DIRECTORY)
        })?;
        import::tree_of_directory(&directory, path, left_out)
    }

    fn overridden(&self) -> Vec<PackageLabel> {
        self.overrides.labels().cloned().collect()
    }

    fn allow_folder(&self, name: &str) {
        let folder = open_folder(&self.folder.join(name));
        // What is a file stays one: `stxl.toml` may be named in the place of an overlay.
        if matches!(folder, Err(Errno::NOTDIR)) {
            return;
        }
        let mut outside = self.outside.write().unwrap_or_else(PoisonError::into_inner);
        outside.insert(name.trim_end_matches('/').to_owned(), folder);
    }
}

fn statat(folder: &OwnedFd, entry: &str, name: &str) -> Result<Stat, Errno> {
    rustix::fs::statat(folder, format!("{entry}/{name}"), AtFlags::SYMLINK_NOFOLLOW)
}

fn file_kind(stat: &Stat) -> EntryKind {
    EntryKind::File {
        size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
        executable: stat.st_mode & 0o100 != 0,
    }
}

fn kind_of(entry: &OwnedFd) -> Result<EntryKind, Errno> {
    let stat = rustix::fs::fstat(entry)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(file_kind(&stat)),
        FileType::Directory => Ok(EntryKind::Directory),
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(entry, "", Vec::new())?;
            Ok(EntryKind::Symlink {
                target: target.into_bytes(),
            })
        }
        _ => Err(Errno::INVAL),
    }
}
