//! Digests of files and directories on the disk, without their bytes being kept.
//!
//! A directory is opened once and its files are opened by name in it. Directories are read by
//! several threads, the one found last first, so that few are unfinished at a time.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::Errno;
use stxl_lang::{SourceError, SourcePath};
use stxl_model::{BlobHasher, BlobId, Directory, Entry, LeftOut, Node, TreeId};

use crate::directory_import::{DEPTH_MAX, DirectoryImportError};
use crate::source_tree::FileDigest;

/// Size from which one file is hashed by several threads.
const PARALLEL_BYTES_MIN: u64 = 8 << 20;

/// Bytes that are read at once of a file that is hashed by one thread.
const CHUNK_BYTES: usize = 128 << 10;

/// How many directories have to wait before more threads are started.
const WAITING_MIN: usize = 4;

/// More threads than these do not read a disk faster.
const THREADS_MAX: usize = 16;

const STACK_BYTES: usize = 512 << 10;

/// One large file is hashed at a time: it has all threads, and their memory is bounded.
static LARGE_FILE: Mutex<()> = Mutex::new(());

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX))
}

/// Fills the buffer from an offset unless the file ends before.
fn read_at(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::pread(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// The digest of an open regular file.
pub(super) fn digest_of_file(file: &OwnedFd, stat: &Stat) -> Result<FileDigest, Errno> {
    digest_with(file, stat, &mut vec![0; CHUNK_BYTES])
}

fn digest_with(file: &OwnedFd, stat: &Stat, chunk: &mut [u8]) -> Result<FileDigest, Errno> {
    let size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
    if size_bytes >= PARALLEL_BYTES_MIN {
        let _only = LARGE_FILE.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |offset, piece: &mut [u8]| read_at(file, piece, offset);
        let (blob, size_bytes) = BlobId::of_pieces(size_bytes, threads(), read)?;
        return Ok(FileDigest { blob, size_bytes });
    }
    // One byte more than there should be shows the end without another call.
    let expected = usize::try_from(size_bytes).unwrap_or(usize::MAX);
    let first = chunk.len().min(expected.saturating_add(1));
    let count = read_at(file, &mut chunk[..first], 0)?;
    if count < first {
        return Ok(FileDigest {
            blob: BlobId::of(&chunk[..count]),
            size_bytes: count as u64,
        });
    }
    let mut hasher = BlobHasher::default();
    hasher.update(&chunk[..count]);
    let mut offset = count as u64;
    loop {
        let count = read_at(file, chunk, offset)?;
        hasher.update(&chunk[..count]);
        offset += count as u64;
        if count < chunk.len() {
            return Ok(FileDigest {
                blob: hasher.finish(),
                size_bytes: offset,
            });
        }
    }
}

/// The tree of an open directory with all below it; `shown` is its path in messages.
pub(super) fn tree_of_directory(
    root: &OwnedFd,
    shown: &SourcePath,
    left_out: &LeftOut,
) -> Result<TreeId, DirectoryImportError> {
    let walk = Walk {
        root,
        shown,
        left_out,
        state: Mutex::new(State {
            waiting: vec![Job {
                parent: None,
                path: Vec::new(),
                depth: 0,
            }],
            ..State::default()
        }),
        changed: Condvar::new(),
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    // Most directories are done before another thread would have begun.
    while walk.has_few_waiting() {
        if !walk.step(&mut chunk) {
            return walk.into_outcome();
        }
    }
    std::thread::scope(|scope| {
        for _ in 1..threads() {
            let thread = std::thread::Builder::new()
                .name("import".to_owned())
                .stack_size(STACK_BYTES);
            // A thread that does not start is one fewer.
            let _started = thread.spawn_scoped(scope, || {
                let mut chunk = vec![0; CHUNK_BYTES];
                while walk.step(&mut chunk) {}
            });
        }
        while walk.step(&mut chunk) {}
    });
    walk.into_outcome()
}

struct Walk<'a> {
    root: &'a OwnedFd,
    shown: &'a SourcePath,
    left_out: &'a LeftOut,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Directories that are to be read, the one found last at the end.
    waiting: Vec<Job>,
    /// Directories that are read, with some below them that are not finished.
    unfinished: BTreeMap<usize, Unfinished>,
    next_number: usize,
    outcome: Option<Result<TreeId, DirectoryImportError>>,
}

/// Where the tree of a directory belongs: the number of the one above, and its name there.
type Place = Option<(usize, Vec<u8>)>;

struct Job {
    parent: Place,
    path: Vec<u8>,
    depth: u32,
}

struct Unfinished {
    parent: Place,
    path: Vec<u8>,
    entries: Vec<Entry>,
    below: usize,
}

/// A directory whose files are read.
struct Read {
    entries: Vec<Entry>,
    /// The names of directories in it.
    below: Vec<Vec<u8>>,
}

impl Walk<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_few_waiting(&self) -> bool {
        self.lock().waiting.len() < WAITING_MIN
    }

    fn into_outcome(self) -> Result<TreeId, DirectoryImportError> {
        let state = self.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state
            .outcome
            .expect("the walk goes on until there is an outcome")
    }

    /// Reads one directory, waiting for one to be found; false when there are no more.
    fn step(&self, chunk: &mut [u8]) -> bool {
        let job = {
            let mut state = self.lock();
            loop {
                if state.outcome.is_some() {
                    return false;
                }
                if let Some(job) = state.waiting.pop() {
                    break job;
                }
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
        };
        let done = self.read(&job, chunk).and_then(|read| {
            if read.below.is_empty() {
                let tree = self.tree_of(&job.path, read.entries)?;
                self.finish(&mut self.lock(), job.parent, tree)
            } else {
                self.put(job, read);
                Ok(())
            }
        });
        if let Err(error) = done {
            self.lock().outcome.get_or_insert(Err(error));
        }
        self.changed.notify_all();
        true
    }

    fn put(&self, job: Job, read: Read) {
        let mut state = self.lock();
        let number = state.next_number;
        state.next_number += 1;
        let below = read.below.len();
        for name in read.below {
            state.waiting.push(Job {
                path: joined(&job.path, &name),
                parent: Some((number, name)),
                depth: job.depth + 1,
            });
        }
        let unfinished = Unfinished {
            parent: job.parent,
            path: job.path,
            entries: read.entries,
            below,
        };
        state.unfinished.insert(number, unfinished);
    }

    /// Puts a finished tree into the directory above it, and so on upwards.
    fn finish(
        &self,
        state: &mut State,
        mut place: Place,
        mut tree: TreeId,
    ) -> Result<(), DirectoryImportError> {
        while let Some((number, name)) = place {
            let Some(above) = state.unfinished.get_mut(&number) else {
                return Ok(());
            };
            let node = Node::Directory { tree };
            above.entries.push(Entry { name, node });
            above.below -= 1;
            if above.below > 0 {
                return Ok(());
            }
            let Some(above) = state.unfinished.remove(&number) else {
                return Ok(());
            };
            tree = self.tree_of(&above.path, above.entries)?;
            place = above.parent;
        }
        state.outcome.get_or_insert(Ok(tree));
        Ok(())
    }

    fn tree_of(&self, path: &[u8], entries: Vec<Entry>) -> Result<TreeId, DirectoryImportError> {
        let wrong = |error| DirectoryImportError::Tree {
            path: self.shown(path),
            error,
        };
        Ok(Directory::new(entries).map_err(wrong)?.id())
    }

    fn shown(&self, path: &[u8]) -> SourcePath {
        if path.is_empty() {
            return self.shown.clone();
        }
        let text = format!("{}/{}", self.shown, String::from_utf8_lossy(path));
        SourcePath::new(&text)
    }

    fn unreadable(&self, path: &[u8], errno: Errno) -> DirectoryImportError {
        let reason = match errno {
            Errno::INVAL => "a tree holds files, symlinks and directories only".to_owned(),
            other => other.to_string(),
        };
        let path = self.shown(path);
        SourceError::Unreadable { path, reason }.into()
    }

    fn read(&self, job: &Job, chunk: &mut [u8]) -> Result<Read, DirectoryImportError> {
        if job.depth > DEPTH_MAX {
            let path = self.shown(&job.path);
            return Err(DirectoryImportError::TooDeep { path });
        }
        let failed = |errno| self.unreadable(&job.path, errno);
        let directory = open_directory(self.root, &job.path).map_err(failed)?;
        let mut read = Read {
            entries: Vec::new(),
            below: Vec::new(),
        };
        for (name, kind) in list(directory.as_fd()).map_err(failed)? {
            let path = joined(&job.path, &name);
            let is_left_out = if kind == FileType::Directory {
                self.left_out.is_directory_left_out(&path)
            } else {
                self.left_out.is_file_left_out(&path)
            };
            if is_left_out {
                continue;
            }
            let node = match kind {
                FileType::Directory => {
                    read.below.push(name);
                    continue;
                }
                FileType::Symlink => {
                    rustix::fs::readlinkat(&directory, &name, Vec::new()).map(|target| {
                        Node::Symlink {
                            target: target.into_bytes(),
                        }
                    })
                }
                FileType::RegularFile => file_node(directory.as_fd(), &name, chunk),
                _ => Err(Errno::INVAL),
            };
            let node = node.map_err(|errno| self.unreadable(&path, errno))?;
            read.entries.push(Entry { name, node });
        }
        Ok(read)
    }
}

fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return name.to_vec();
    }
    [path, b"/", name].concat()
}

fn open_directory(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

fn list(directory: BorrowedFd<'_>) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut reader = RawDir::new(directory, &mut buffer);
    let mut listed = Vec::new();
    while let Some(entry) = reader.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            kind = FileType::from_raw_mode(stat.st_mode);
        }
        listed.push((name.to_vec(), kind));
    }
    Ok(listed)
}

fn file_node(directory: BorrowedFd<'_>, name: &[u8], chunk: &mut [u8]) -> Result<Node, Errno> {
    // A name in an open directory cannot lead elsewhere. NONBLOCK: a FIFO must not hang us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let FileDigest { blob, size_bytes } = digest_with(&file, &stat, chunk)?;
    Ok(Node::File {
        blob,
        size_bytes,
        executable: stat.st_mode & 0o100 != 0,
    })
}
