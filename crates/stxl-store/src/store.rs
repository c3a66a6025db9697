//! The store as a whole: opening it, publishing what was put, making it durable.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use stxl_model::{Digest, Directory, TreeId};

use crate::ballast::{BALLAST_BYTES, BALLAST_FILE};
use crate::disk::{Access, Disk, Lock};
use crate::entry::{CHECK_BYTES, FORMAT_VERSION, check_of};
use crate::error::StoreError;
use crate::failpoints::{Faults, Operation, Phase};
use crate::fsck::KNOWN_NAMES;
use crate::index::{self, FileState, Index};
use crate::journal::Pending;
use crate::lease::{SWEEPS_FILE, Session, Sweep, sweeps_bytes};
use crate::pack::Writer;
use crate::partial::PARTIAL_DIRECTORY;
use crate::scratch::KEPT_DIRECTORY;
use crate::verify::Damage;

pub(crate) const FORMAT_FILE: &[u8] = b"format";
pub(crate) const INDEX_FILE: &[u8] = b"index.db";
pub(crate) const INDEX_SUM_FILE: &[u8] = b"index.sum";
pub(crate) const OPEN_LOCK: &[u8] = b"locks/open";
pub(crate) const USE_LOCK: &[u8] = b"locks/use";

const DIRECTORIES: [&[u8]; 9] = [
    b"packs",
    b"blobs",
    b"staging",
    b"checkouts",
    KEPT_DIRECTORY.as_bytes(),
    PARTIAL_DIRECTORY,
    b"leases",
    b"locks",
    b"tmp",
];
const DIRECTORY_CACHE_ENTRIES: usize = 65_536;

type Result<T> = std::result::Result<T, StoreError>;

/// A directory of objects, realisations and checkouts. Safe to share between threads; several
/// processes may have it open. What a session puts is protected from collection until it ends.
pub struct Store {
    pub(crate) disk: Disk,
    pub(crate) root: OwnedFd,
    pub(crate) path: PathBuf,
    pub(crate) boot: String,
    pub(crate) index: Option<Index>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) pending: Mutex<Pending>,
    pub(crate) session: Arc<Session>,
    pub(crate) readers: Mutex<BTreeMap<u64, Arc<OwnedFd>>>,
    pub(crate) directories: Mutex<BTreeMap<TreeId, Arc<Directory>>>,
    pub(crate) complete: Mutex<Complete>,
    /// Held shared for as long as the store is open, so that the last to leave is known.
    pub(crate) use_lock: OwnedFd,
    publishing: Mutex<()>,
    /// Whether this session has said that the checksum of the index no longer holds.
    pub(crate) is_sum_invalid: AtomicBool,
    /// Damage that opening the store came upon and made good.
    pub(crate) found_at_opening: Mutex<Vec<Damage>>,
    pub(crate) index_check: IndexCheck,
    pub(crate) room: Room,
}

/// Trees known to be complete as of a sweep of the garbage collector.
#[derive(Default)]
pub(crate) struct Complete {
    pub(crate) sweep: Sweep,
    pub(crate) trees: std::collections::BTreeSet<TreeId>,
}

/// How a store is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    faults: Faults,
    index_check: IndexCheck,
    room: Room,
}

/// Whether the store is opened where there is no room for its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Room {
    #[default]
    Needed,
    MayBeNone,
}

/// Whether the whole index is compared with its checksum at opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IndexCheck {
    #[default]
    AfterBoot,
    Always,
}

impl OpenOptions {
    /// Compares the whole index with the checksum its last user left; a difference is made good
    /// and named by [`Store::verify`].
    #[must_use]
    pub fn check_index(mut self) -> Self {
        self.index_check = IndexCheck::Always;
        self
    }

    /// Opens the store even where the disk has no room at all, for a collection: then the index is
    /// made in memory, which reads every pack, and nobody else opens the store meanwhile.
    #[must_use]
    pub fn without_room(mut self) -> Self {
        self.room = Room::MayBeNone;
        self
    }

    /// Arms failpoints for everything the opened store does.
    #[cfg(feature = "failpoints")]
    #[must_use]
    pub fn failpoints(mut self, failpoints: Arc<crate::Failpoints>) -> Self {
        self.faults.failpoints = Some(failpoints);
        self
    }
}

impl Store {
    /// Opens a store, making it if there is none, and recovers what an unclean end left behind.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self> {
        let disk = Disk::new(options.faults);
        let root = disk.open_root(path)?;
        let boot = disk.boot_id()?;
        prepare_layout(&disk, root.as_fd()).map_err(|error| error.naming_store(path))?;
        let open_lock = disk.open_or_create(root.as_fd(), OPEN_LOCK);
        let open_lock = open_lock.map_err(|error| error.naming_store(path))?;
        disk.lock(&open_lock, OPEN_LOCK, Lock::Exclusive)?;
        let use_lock = disk.open_or_create(root.as_fd(), USE_LOCK)?;
        let session = Session::new(&disk, root.as_fd(), &boot)?;
        let mut store = Self {
            disk,
            root,
            path: path.to_owned(),
            boot,
            index: None,
            writer: Mutex::default(),
            pending: Mutex::default(),
            session: Arc::new(session),
            readers: Mutex::default(),
            directories: Mutex::default(),
            complete: Mutex::default(),
            use_lock,
            publishing: Mutex::default(),
            is_sum_invalid: AtomicBool::new(false),
            found_at_opening: Mutex::default(),
            index_check: options.index_check,
            room: options.room,
        };
        let recovered = store.open_index().and_then(|()| store.recover_with_room());
        // A store that is given up takes the lock itself to close the index.
        drop(open_lock);
        recovered.map(|()| store)
    }

    /// The directory of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(crate) fn index(&self) -> Result<&Index> {
        self.index.as_ref().ok_or(StoreError::Contended)
    }

    /// Makes what was put and recorded so far visible to other processes. It survives the end of
    /// this process, but not yet a loss of power.
    pub fn publish(&self) -> Result<()> {
        let _phase = self.disk.phase(Phase::Publish);
        let _publishing = lock(&self.publishing);
        let batch = lock(&self.writer).batch(self)?;
        let records = lock(&self.pending).records.clone();
        if batch.is_empty() && records.is_empty() {
            return Ok(());
        }
        self.invalidate_index_sum()?;
        self.append_records(&records, |transaction| batch.apply(transaction))?;
        lock(&self.writer).published(&batch);
        lock(&self.pending).published(records.len());
        Ok(())
    }

    /// Publishes and waits until everything published is on the disk. What a command reported as
    /// success after this survives a loss of power.
    pub fn commit(&self) -> Result<()> {
        self.publish()?;
        let _phase = self.disk.phase(Phase::Commit);
        let _publishing = lock(&self.publishing);
        self.sync_staged_blobs()?;
        let files = self
            .index()?
            .read("list the files", index::all_files)?
            .into_iter()
            .filter(|(_, state)| state.synced < state.indexed)
            .collect::<Vec<_>>();
        if files.is_empty() {
            return Ok(());
        }
        // The journal names objects, so it follows them: its number is the lowest.
        for (number, _) in files.iter().rev() {
            self.sync_file(*number)?;
        }
        self.disk.sync(self.root(), b".")?;
        self.invalidate_index_sum()?;
        self.disk.pass_index(Operation::IndexBegin)?;
        self.index()?.write("mark files as synced", |transaction| {
            for (number, synced) in &files {
                let Some(state) = index::file_state(transaction, *number)? else {
                    continue;
                };
                let state = FileState {
                    synced: state.synced.max(synced.indexed).min(state.indexed),
                    boot: self.boot.clone(),
                    ..state
                };
                index::set_file_state(transaction, *number, &state)?;
            }
            Ok(())
        })?;
        self.disk.pass_index(Operation::IndexCommit)
    }

    fn sync_file(&self, number: u64) -> Result<()> {
        let path = if number == index::JOURNAL {
            crate::journal::JOURNAL_FILE.to_vec()
        } else {
            crate::pack::path_of(number)
        };
        // A pack that was collected since it was listed needs no sync.
        if let Some(file) = self.disk.open_if_there(self.root(), &path, Access::Read)? {
            self.disk.sync(&file, &path)?;
        }
        if number != index::JOURNAL {
            let packs = self.disk.open_dir(self.root(), b"packs")?;
            self.disk.sync(&packs, b"packs")?;
        }
        Ok(())
    }

    pub(crate) fn cache_directory(&self, tree: TreeId, directory: &Arc<Directory>) {
        let mut directories = lock(&self.directories);
        if directories.len() >= DIRECTORY_CACHE_ENTRIES {
            directories.clear();
        }
        directories.insert(tree, directory.clone());
    }

    /// A name in `tmp/` that no other session uses.
    pub(crate) fn temporary_name(&self) -> Result<Vec<u8>> {
        self.session.temporary_name(&self.disk, self.root())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close_index();
    }
}

/// Locks; a panic elsewhere leaves only values that are whole after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since 1970, for ages only.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |duration| duration.as_secs())
}

/// A number that nobody else has.
pub(crate) fn random_u64() -> Result<u64> {
    let mut random = [0_u8; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| StoreError::io("read randomness for", b"a name", errno))?;
    Ok(u64::from_le_bytes(random))
}

/// The two-level path of a large blob.
pub(crate) fn blob_path(id: &Digest) -> Vec<u8> {
    let hex = id.to_hex();
    format!("blobs/{}/{hex}", &hex[..2]).into_bytes()
}

fn prepare_layout(disk: &Disk, root: BorrowedFd<'_>) -> Result<()> {
    if let Some(file) = disk.open_if_there(root, FORMAT_FILE, Access::Read)? {
        check_format(&disk.read_to_end(&file, FORMAT_FILE, 0)?)?;
        // A copy of a store may lack directories that were empty.
        for name in DIRECTORIES {
            disk.make_dir_if_missing(root, name)?;
        }
        return Ok(());
    }
    check_vacant(disk, root)?;
    for name in DIRECTORIES {
        disk.make_dir_if_missing(root, name)?;
    }
    let ballast = disk.open_or_create(root, BALLAST_FILE)?;
    disk.write_all_at(&ballast, BALLAST_FILE, &vec![0; BALLAST_BYTES], 0)?;
    // Room for the count of removals is taken now: there may be none when something is removed.
    let sweeps = disk.open_or_create(root, SWEEPS_FILE)?;
    disk.write_all_at(&sweeps, SWEEPS_FILE, &sweeps_bytes(0), 0)?;
    // The format comes last and by a rename: with it the layout is complete.
    let temporary = format!("tmp/format-{}", rustix::process::getpid().as_raw_nonzero());
    disk.remove(root, temporary.as_bytes())?;
    let file = disk.create(root, temporary.as_bytes(), 0o600)?;
    disk.write_all_at(&file, FORMAT_FILE, &format_bytes(), 0)?;
    disk.sync(&file, FORMAT_FILE)?;
    disk.rename(root, temporary.as_bytes(), FORMAT_FILE)?;
    disk.sync(root, b".")
}

/// Refuses a directory that holds anything but what is left of making a store, or of a store whose
/// format was lost: what lies where leftovers do would be removed.
fn check_vacant(disk: &Disk, root: BorrowedFd<'_>) -> Result<()> {
    let entries = disk.list(root, b".")?;
    let had_store = entries.iter().any(|entry| entry.name == BALLAST_FILE);
    for entry in entries {
        let name = entry.name.as_slice();
        // A file system of its own comes with this directory.
        if name == b"lost+found" {
            continue;
        }
        let is_strange = || {
            let directory = disk.open_dir(root, name).ok()?;
            let below = disk.list(directory.as_fd(), name).ok()?;
            Some(!below.is_empty())
        };
        if !KNOWN_NAMES.contains(&name) || (!had_store && is_strange().unwrap_or(true)) {
            return Err(StoreError::NotAStore {
                path: String::new(),
                found: String::from_utf8_lossy(name).into_owned(),
            });
        }
    }
    Ok(())
}

pub(crate) fn format_bytes() -> Vec<u8> {
    let mut bytes = b"stxl store  ".to_vec();
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    let check = check_of(&bytes);
    bytes.extend_from_slice(&check);
    bytes
}

fn check_format(bytes: &[u8]) -> Result<()> {
    let damaged = StoreError::Damaged {
        path: String::from_utf8_lossy(FORMAT_FILE).into_owned(),
        offset: 0,
        what: "the mark of a store, its format and a checksum",
    };
    let expected = format_bytes();
    if bytes.len() != expected.len() {
        return Err(damaged);
    }
    let (covered, check) = bytes.split_at(bytes.len() - CHECK_BYTES);
    if check_of(covered) != check || covered[..12] != expected[..12] {
        return Err(damaged);
    }
    let found = u32::from_le_bytes([covered[12], covered[13], covered[14], covered[15]]);
    if found > FORMAT_VERSION {
        return Err(StoreError::Newer {
            found,
            supported: FORMAT_VERSION,
        });
    }
    Ok(())
}
