//! The files of a commit as a tree of the store.

use stxl_fetch::{Fetcher, GitAddress, GitEntry, GitError, Problem, Progress};
use stxl_model::{Node, RootPath, TreeId};
use stxl_store::{Store, StoreError};

use crate::draft::{Draft, DraftError, DraftLimits};
use crate::options::CancelHandle;
use crate::scratch::{BlobStop, put_reader};

/// Files, symlinks and directories of a commit.
const NODES_MAX: usize = 2_000_000;

/// Bytes of their names.
const NAME_BYTES_MAX: usize = 256 << 20;

/// Why the files of a commit did not become a tree.
#[derive(Debug)]
pub enum CommitError {
    /// The repository did not give them, or what it gave is no tree.
    Repository(Problem),
    /// The store said no.
    Store(StoreError),
    /// Nobody wants it any more.
    Cancelled,
}

/// Where a tree goes, and who can call it off.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) store: &'a Store,
    pub(crate) cancel: &'a CancelHandle,
}

/// Puts the files of a commit into the store, and tells the digest of their tree: for a definition
/// that has none yet.
pub fn tree_of_commit(
    store: &Store,
    fetcher: &Fetcher,
    address: &GitAddress,
    cancel: &CancelHandle,
) -> Result<TreeId, CommitError> {
    take_in(Target { store, cancel }, fetcher, address, &mut |_| ())
}

/// Puts the files of a commit into the store.
pub(crate) fn take_in(
    target: Target<'_>,
    fetcher: &Fetcher,
    address: &GitAddress,
    progress: &mut dyn FnMut(Progress),
) -> Result<TreeId, CommitError> {
    let mut draft = Draft::new(DraftLimits {
        nodes_max: NODES_MAX,
        name_bytes_max: NAME_BYTES_MAX,
    });
    let had = fetcher.files_of_commit(address, progress, &mut |entry| {
        add(target, &mut draft, entry)
    });
    had.map_err(|error| match error {
        GitError::Problem(problem) => CommitError::Repository(problem),
        GitError::Disk(source) => CommitError::Store(StoreError::Io {
            operation: "keep a repository for",
            path: address.to_string(),
            source,
        }),
        GitError::Sink(stop) => stop,
        GitError::Stopped => CommitError::Cancelled,
    })?;
    draft.save(target.store).map_err(CommitError::Store)
}

fn add(target: Target<'_>, draft: &mut Draft, entry: GitEntry<'_>) -> Result<(), CommitError> {
    if target.cancel.is_cancelled() {
        return Err(CommitError::Cancelled);
    }
    match entry {
        GitEntry::File {
            path,
            is_executable,
            size_bytes,
            content,
        } => {
            let flag = target.cancel.flag();
            let put = put_reader(target.store, content, size_bytes, &flag);
            let (blob, read) = put.map_err(|stop| match stop {
                BlobStop::Read(error) => refused(path, &error.to_string()),
                BlobStop::Store(error) => CommitError::Store(error),
            })?;
            if read != size_bytes {
                return Err(refused(path, "its bytes end too early"));
            }
            let node = Node::File {
                blob,
                size_bytes,
                executable: is_executable,
            };
            leaf(draft, path, node)
        }
        GitEntry::Symlink { path, target } if target.contains(&0) => {
            Err(refused(path, "a symlink's target has a NUL"))
        }
        GitEntry::Symlink { path, target } => {
            let target = target.to_vec();
            leaf(draft, path, Node::Symlink { target })
        }
        GitEntry::Submodule { path } => {
            let made = draft.make_directory(&place(path)?);
            made.map_err(|error| clash(path, error))
        }
    }
}

fn leaf(draft: &mut Draft, path: &[u8], node: Node) -> Result<(), CommitError> {
    let at = place(path)?;
    if draft.leaf(&at).is_some() {
        return Err(refused(path, "it is there twice"));
    }
    let added = draft.add(&at, node);
    added.map(drop).map_err(|error| clash(path, error))
}

fn place(path: &[u8]) -> Result<RootPath, CommitError> {
    let absolute = [b"/", path].concat();
    RootPath::parse(&absolute).map_err(|error| refused(path, &error.to_string()))
}

fn clash(path: &[u8], error: DraftError) -> CommitError {
    let reason = match error {
        DraftError::Taken => "something of another kind is there too",
        DraftError::NotADirectory => "a part above it is no directory",
        DraftError::TooManyNodes => "there are more files than a source may have",
        DraftError::TooManyNameBytes => "the names are longer than those of a source may be",
    };
    refused(path, reason)
}

fn refused(path: &[u8], reason: &str) -> CommitError {
    let path = String::from_utf8_lossy(path);
    CommitError::Repository(Problem::Protocol {
        reason: format!("the commit has {path:?}: {reason}"),
    })
}
