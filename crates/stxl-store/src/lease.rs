//! Leases: what keeps objects from being collected while a process needs them.
//!
//! A session is one open store. It has a file in `leases/`, locked for as long as it lives, to
//! which it appends what it needs and what it needs no more. The collector reads the files whose
//! locks are held and looks again before each removal; a file without a holder is a leftover.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use stxl_model::{ActionId, BlobId, Digest, Node, TreeId};

use crate::disk::{Disk, Lock};
use crate::entry::{CHECK_BYTES, check_of};
use crate::error::StoreError;
use crate::store::{Store, lock, random_u64};

pub(crate) const SWEEP_LOCK: &[u8] = b"locks/sweep";
pub(crate) const SWEEPS_FILE: &[u8] = b"sweeps";
const SWEEPS_BYTES: usize = 8 + CHECK_BYTES;
const LEASE_BYTES: usize = 48;

type Result<T> = std::result::Result<T, StoreError>;

/// An object that can be leased: a tree with all below it, or a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leased {
    Tree(TreeId),
    Blob(BlobId),
}

/// The count of removals at a moment. Two that are equal and settled mean that nothing was removed
/// in between: an operation that begins in the middle of a removal must not rely on what it sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sweep(u64);

impl Sweep {
    /// Equal to no settled count.
    pub(crate) const UNKNOWN: Self = Self(u64::MAX);

    pub(crate) fn count(self) -> u64 {
        self.0
    }

    pub(crate) fn is_settled(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// Keeps a tree with all below it, or a blob, from being collected until it is dropped.
pub struct ObjectRef {
    session: Arc<Session>,
    leased: Leased,
}

/// The right to execute an action; other processes wait until it is dropped.
#[derive(Debug)]
pub struct ActionLock {
    // The lock is the open file's and ends with it.
    _file: OwnedFd,
}

/// One open store among all that are open at the time.
pub(crate) struct Session {
    name: String,
    root: OwnedFd,
    sweeps: OwnedFd,
    sweep_lock: OwnedFd,
    state: Mutex<State>,
    names_given: AtomicU64,
}

#[derive(Default)]
struct State {
    file: Option<OwnedFd>,
    size: u64,
    counts: BTreeMap<Leased, u64>,
    has_temporary_directory: bool,
}

impl Session {
    pub(crate) fn new(disk: &Disk, root: BorrowedFd<'_>, boot: &str) -> Result<Self> {
        let own = rustix::process::getpid().as_raw_nonzero();
        let name = format!("{boot}-{own}-{:016x}", random_u64()?);
        Ok(Self {
            name,
            root: disk.open_dir(root, b".")?,
            sweeps: disk.open_or_create(root, SWEEPS_FILE)?,
            sweep_lock: disk.open_or_create(root, SWEEP_LOCK)?,
            state: Mutex::default(),
            names_given: AtomicU64::new(0),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The count of removals; odd while one is going on, or was when its process ended.
    pub(crate) fn sweep(&self, disk: &Disk) -> Result<Sweep> {
        let mut bytes = [0; SWEEPS_BYTES];
        let count = disk.read_at(&self.sweeps, SWEEPS_FILE, &mut bytes, 0)?;
        Ok(match (count, read_sweep(&bytes)) {
            (0, _) => Sweep(0),
            (_, Some(sweep)) => Sweep(sweep),
            // It was read while it was being written.
            (_, None) => Sweep::UNKNOWN,
        })
    }

    /// Says that removals begin; the caller holds the lock exclusively.
    pub(crate) fn begin_sweep(&self, disk: &Disk) -> Result<()> {
        let Sweep(count) = self.sweep(disk)?;
        self.set_sweep(
            disk,
            (count | 1).wrapping_add(count & 1).wrapping_add(count & 1),
        )
    }

    /// Says that removals are over; the caller still holds the lock.
    pub(crate) fn end_sweep(&self, disk: &Disk) -> Result<()> {
        let Sweep(count) = self.sweep(disk)?;
        self.set_sweep(disk, count.wrapping_add(count & 1))
    }

    fn set_sweep(&self, disk: &Disk, count: u64) -> Result<()> {
        disk.write_all_at(&self.sweeps, SWEEPS_FILE, &sweeps_bytes(count), 0)
    }

    /// A name in this session's own directory for unfinished files.
    pub(crate) fn temporary_name(&self, disk: &Disk, root: BorrowedFd<'_>) -> Result<Vec<u8>> {
        let mut state = lock(&self.state);
        if !state.has_temporary_directory {
            self.lease_file(disk, &mut state)?;
            let directory = format!("tmp/{}", self.name);
            disk.make_dir_if_missing(root, directory.as_bytes())?;
            state.has_temporary_directory = true;
        }
        let number = self.names_given.fetch_add(1, Ordering::Relaxed);
        Ok(format!("tmp/{}/{number}", self.name).into_bytes())
    }

    /// The lease file, made and locked at first use.
    fn lease_file<'a>(&self, disk: &Disk, state: &'a mut State) -> Result<&'a OwnedFd> {
        if state.file.is_none() {
            let path = format!("leases/{}", self.name).into_bytes();
            loop {
                let file = disk.open_or_create(self.root.as_fd(), &path)?;
                disk.lock(&file, &path, Lock::Exclusive)?;
                // Whoever tidies up may have taken it for a leftover before it was locked.
                if disk.stat(&file, &path)?.st_nlink > 0 {
                    state.file = Some(file);
                    state.size = 0;
                    break;
                }
            }
        }
        state.file.as_ref().ok_or(StoreError::Contended)
    }

    /// Adds a lease to the file, unless the session has it. The caller holds the sweep lock.
    fn add(&self, disk: &Disk, state: &mut State, leased: Leased) -> Result<()> {
        if let Some(count) = state.counts.get_mut(&leased) {
            *count += 1;
            return Ok(());
        }
        self.append(disk, state, leased, Change::Added)?;
        state.counts.insert(leased, 1);
        Ok(())
    }

    fn append(&self, disk: &Disk, state: &mut State, leased: Leased, change: Change) -> Result<()> {
        let path = format!("leases/{}", self.name).into_bytes();
        let size = state.size;
        let file = self.lease_file(disk, state)?;
        disk.write_all_at(file, &path, &encode_lease(leased, change), size)?;
        state.size = size + LEASE_BYTES as u64;
        Ok(())
    }

    fn release(&self, leased: Leased) {
        let mut state = lock(&self.state);
        let Some(count) = state.counts.get_mut(&leased) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            state.counts.remove(&leased);
            // A lease that stays in the file by a failure only keeps garbage a little longer.
            let disk = Disk::new(crate::failpoints::Faults::default());
            let _appended = self.append(&disk, &mut state, leased, Change::Removed);
        }
    }

    /// Removes the session's own files; called when the store is closed.
    pub(crate) fn close(&self, disk: &Disk) -> Result<()> {
        let mut state = lock(&self.state);
        if state.file.is_some() {
            let temporary = format!("tmp/{}", self.name);
            disk.remove_tree(self.root.as_fd(), temporary.as_bytes())?;
            let path = format!("leases/{}", self.name);
            disk.remove(self.root.as_fd(), path.as_bytes())?;
            state.file = None;
        }
        Ok(())
    }
}

impl Drop for ObjectRef {
    fn drop(&mut self) {
        self.session.release(self.leased);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Removed,
}

fn encode_lease(leased: Leased, change: Change) -> Vec<u8> {
    let (kind, digest) = match leased {
        Leased::Tree(tree) => (1, *tree.digest()),
        Leased::Blob(blob) => (2, *blob.digest()),
    };
    let removed = u8::from(change == Change::Removed);
    let mut bytes = vec![kind, removed, 0, 0, 0, 0, 0, 0];
    bytes.extend_from_slice(digest.as_bytes());
    let check = check_of(&bytes);
    bytes.extend_from_slice(&check);
    bytes
}

/// What the file with the count of removals holds.
pub(crate) fn sweeps_bytes(count: u64) -> Vec<u8> {
    let mut bytes = count.to_le_bytes().to_vec();
    let check = check_of(&bytes);
    bytes.extend_from_slice(&check);
    bytes
}

fn read_sweep(bytes: &[u8]) -> Option<u64> {
    let (covered, check) = bytes.split_at_checked(8)?;
    (check_of(covered) == check).then_some(u64::from_le_bytes(covered.try_into().ok()?))
}

/// Whether the count of sweeps is readable; an empty file counts as none.
pub(crate) fn is_sweeps_file_whole(bytes: &[u8]) -> bool {
    bytes.is_empty() || (bytes.len() == SWEEPS_BYTES && read_sweep(bytes).is_some())
}

/// The leases that a lease file leaves standing, and where the first damage in it is.
pub(crate) fn read_leases(bytes: &[u8]) -> (Vec<Leased>, Option<usize>) {
    let mut leases = Vec::new();
    let mut damage = None;
    for (position, chunk) in bytes.chunks(LEASE_BYTES).enumerate() {
        let Some(covered) = chunk.get(..LEASE_BYTES - CHECK_BYTES) else {
            // The holder is still writing the last one.
            break;
        };
        if check_of(covered) != chunk[LEASE_BYTES - CHECK_BYTES..] {
            damage = damage.or(Some(position * LEASE_BYTES));
            continue;
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&covered[8..40]);
        let digest = Digest::from_bytes(digest);
        let leased = if covered[0] == 1 {
            Leased::Tree(TreeId::from_digest(digest))
        } else {
            Leased::Blob(BlobId::from_digest(digest))
        };
        if covered[1] == 0 {
            leases.push(leased);
        } else if let Some(position) = leases.iter().position(|other| *other == leased) {
            leases.swap_remove(position);
        }
    }
    (leases, damage)
}

impl Store {
    /// Leases objects under the sweep lock. If something was removed since `sweep`, `is_there`
    /// decides whether they are all still there; nothing is leased and `false` returned if not.
    pub(crate) fn protect(
        &self,
        leased: &[Leased],
        sweep: Sweep,
        is_there: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        let session = &self.session;
        let frontier = self.frontier(leased)?;
        let mut state = lock(&session.state);
        self.disk
            .lock(&session.sweep_lock, SWEEP_LOCK, Lock::Shared)?;
        let protected = leased
            .iter()
            .chain(&frontier)
            .try_for_each(|leased| session.add(&self.disk, &mut state, *leased))
            .and_then(|()| {
                let is_untouched = sweep.is_settled() && session.sweep(&self.disk)? == sweep;
                Ok(is_untouched || is_there()?)
            });
        self.disk.unlock(&session.sweep_lock, SWEEP_LOCK)?;
        drop(state);
        // After an error it is not known which were added; one too many keeps garbage only.
        if matches!(protected, Ok(false)) {
            let added = leased.iter().chain(&frontier);
            added.for_each(|leased| session.release(*leased));
        }
        protected
    }

    /// What leased trees reach first of the objects that others can find. A collector in another
    /// process cannot look into directories that are not published, so a lease of such a tree says
    /// nothing to it about what lies below; the unpublished objects themselves are in a pack that
    /// this session has locked.
    fn frontier(&self, leased: &[Leased]) -> Result<BTreeSet<Leased>> {
        let mut frontier = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for leased in leased {
            if let Leased::Tree(tree) = leased
                && lock(&self.writer).is_unpublished(tree.digest())
            {
                self.add_frontier(tree, &mut seen, &mut frontier)?;
            }
        }
        Ok(frontier)
    }

    fn add_frontier(
        &self,
        tree: &TreeId,
        seen: &mut BTreeSet<TreeId>,
        frontier: &mut BTreeSet<Leased>,
    ) -> Result<()> {
        if !seen.insert(*tree) {
            return Ok(());
        }
        if !lock(&self.writer).is_unpublished(tree.digest()) {
            frontier.insert(Leased::Tree(*tree));
            return Ok(());
        }
        for entry in self.directory(tree)?.entries() {
            match &entry.node {
                Node::File { blob, .. } => {
                    if !lock(&self.writer).is_unpublished(blob.digest()) {
                        frontier.insert(Leased::Blob(*blob));
                    }
                }
                Node::Symlink { .. } => {}
                Node::Directory { tree } => self.add_frontier(tree, seen, frontier)?,
            }
        }
        Ok(())
    }

    /// A lease that was just taken, as a value that gives it back.
    pub(crate) fn object_ref(&self, leased: Leased) -> ObjectRef {
        ObjectRef {
            session: self.session.clone(),
            leased,
        }
    }

    /// Keeps a complete tree from being collected.
    pub fn lease_tree(&self, tree: &TreeId) -> Result<ObjectRef> {
        let leased = Leased::Tree(*tree);
        // A sweep that cannot be the present one: the tree is always looked for.
        if self.protect(&[leased], Sweep::UNKNOWN, || {
            self.is_tree_complete_now(tree)
        })? {
            Ok(self.object_ref(leased))
        } else {
            Err(StoreError::MissingTree { tree: *tree })
        }
    }

    /// Keeps others from executing an action, unless one already does.
    pub fn try_lock_action(&self, action: &ActionId) -> Result<Option<ActionLock>> {
        let (path, file) = self.action_file(action)?;
        let is_locked = self.disk.try_lock(&file, &path)?;
        Ok(is_locked.then_some(ActionLock { _file: file }))
    }

    /// Actions share 4,096 lock files, which stay: so no lock file is ever removed under a waiter.
    /// Two actions that share one only wait for each other; nobody holds two.
    fn action_file(&self, action: &ActionId) -> Result<(Vec<u8>, OwnedFd)> {
        let hex = action.digest().to_hex();
        let path = format!("locks/action-{}", &hex[..3]).into_bytes();
        let file = self.disk.open_or_create(self.root(), &path)?;
        Ok((path, file))
    }
}
