//! Collecting garbage: what no root and no lease reaches is removed, and the space given back.
//!
//! Marking takes no lock. Before anything is removed the sweep lock is taken, the leases are read
//! again and what they reach is marked too; the removal is counted, so that others whose work lay
//! in between look again. Whatever frees space without needing any comes first.

mod compaction;
mod mark;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::Stat;
use stxl_model::{BlobId, Digest};

use crate::checkout::Layer;
use crate::disk::Lock;
use crate::error::StoreError;
use crate::failpoints::Phase;
use crate::index::{self, Medium, digest_at, u64_at};
use crate::lease::{Leased, SWEEP_LOCK};
use crate::record::Record;
use crate::store::{Store, now};

use compaction::Worth;
pub(crate) use mark::Marked;

type Result<T> = std::result::Result<T, StoreError>;

/// How many files are removed under one hold of the lock.
const BATCH_FILES: usize = 128;

/// What a collection may remove. By default everything that is not reachable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcPolicy {
    /// Objects made within this time stay, reachable or not; trees with all that is below them.
    pub keep_newer_than: Option<Duration>,
    /// Nothing more is removed once the store is down to this many bytes, the oldest go first.
    /// Where that takes it, packs are written again of which only a little is dead.
    pub bytes_max: Option<u64>,
    /// Requests made longer ago than this no longer keep their outputs.
    pub forget_requests_after: Option<Duration>,
}

impl GcPolicy {
    /// The moment from which on objects stay.
    fn newest_dead(&self) -> u64 {
        self.keep_newer_than
            .map_or(u64::MAX, |age| now().saturating_sub(age.as_secs()))
    }
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Checkouts that were removed.
    pub checkouts: u64,
    /// Blobs and directories that were removed.
    pub objects: u64,
    /// Packs that were removed or written again without what was removed.
    pub packs: u64,
    /// Bytes of files that were given back, checkouts not counted.
    pub bytes_freed: u64,
    /// Bytes of blobs and packs that are left.
    pub bytes_left: u64,
}

/// An object that nothing reaches.
struct Candidate {
    id: Digest,
    created: u64,
    bytes: u64,
}

/// A collection under way.
pub(crate) struct Sweeping<'a> {
    policy: &'a GcPolicy,
    /// What the policy gives up, as long as it is not marked meanwhile.
    dead: BTreeSet<Digest>,
    marked: Marked,
}

impl Store {
    /// Removes what is neither reachable nor leased, as far as the policy allows.
    pub fn gc(&self, policy: &GcPolicy) -> Result<GcReport> {
        let _phase = self.disk.phase(Phase::Gc);
        self.release_ballast()?;
        let collected = self.collect(policy);
        let restored = self.restore_ballast();
        collected.and_then(|report| restored.map(|()| report))
    }

    fn collect(&self, policy: &GcPolicy) -> Result<GcReport> {
        let mut report = GcReport::default();
        let mut marked = Marked::default();
        self.mark(policy, &mut marked)?;
        self.remove_quarantine()?;
        self.remove_partial_files(0, 0)?;
        self.evict_checkouts(&mut report)?;
        self.remove_kept_scratch()?;
        let dead = self.choose_dead(policy, &marked)?;
        let mut sweep = Sweeping {
            policy,
            dead,
            marked,
        };
        self.remove_large_blobs(&mut sweep, &mut report)?;
        self.invalidate_index_sum()?;
        match self.collect_packs(&mut sweep, Worth::MostlyDead, &mut report) {
            // What is on the disk of an index that is in memory can be made again: its room is
            // better used for moving what stays in packs that are mostly dead.
            Err(error) if error.is_disk_full() && self.index()?.medium() == Medium::Memory => {
                self.remove_index()?;
                self.collect_packs(&mut sweep, Worth::MostlyDead, &mut report)?;
            }
            collected => collected?,
        }
        if let Some(bytes_max) = policy.bytes_max
            && self.object_bytes()? > bytes_max
        {
            self.collect_packs(&mut sweep, Worth::AnyDead, &mut report)?;
        }
        self.forget_requests(policy)?;
        self.compact_journal()?;
        report.bytes_left = self.object_bytes()?;
        Ok(report)
    }

    /// Runs a removal under the sweep lock, with all leases and roots of the moment marked.
    fn sweep_marked<T>(
        &self,
        sweep: &mut Sweeping<'_>,
        work: impl FnOnce(&Marked) -> Result<T>,
    ) -> Result<T> {
        self.sweep_locked(|| {
            self.mark(sweep.policy, &mut sweep.marked)?;
            work(&sweep.marked)
        })
    }

    /// Runs a removal under the sweep lock.
    pub(crate) fn sweep_locked<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        // A descriptor of its own: the lock of the session's is shared by its threads.
        let file = self.disk.open_or_create(self.root(), SWEEP_LOCK)?;
        self.disk.lock(&file, SWEEP_LOCK, Lock::Exclusive)?;
        self.session.begin_sweep(&self.disk)?;
        let value = work()?;
        self.session.end_sweep(&self.disk)?;
        Ok(value)
    }

    /// Removes checkouts that nobody uses: those of earlier boots too, apart from those that links
    /// lead to.
    fn evict_checkouts(&self, report: &mut GcReport) -> Result<()> {
        let checkouts = self.disk.open_dir(self.root(), b"checkouts")?;
        for boot in self.disk.list(checkouts.as_fd(), b"checkouts")? {
            let directory = self.disk.open_dir(checkouts.as_fd(), &boot.name)?;
            let mut left = 0;
            for entry in self.disk.list(directory.as_fd(), &boot.name)? {
                let layer = Layer::parse(&entry.name);
                let path = [b"checkouts/", boot.name.as_slice(), b"/", &entry.name].concat();
                if let Some(layer) = layer
                    && self.evict_checkout(&path, &layer)?
                {
                    report.checkouts += 1;
                } else {
                    left += 1;
                }
            }
            if left == 0 && boot.name != self.boot.as_bytes() {
                self.disk.remove_tree(checkouts.as_fd(), &boot.name)?;
            }
        }
        Ok(())
    }

    /// Removes a checkout unless its tree is leased or a link leads to it, and says whether it did.
    fn evict_checkout(&self, path: &[u8], layer: &Layer) -> Result<bool> {
        self.remove_checkout(path, layer, || {
            let linked = self.linked_checkouts()?;
            Ok(linked.contains(Path::new(OsStr::from_bytes(path))))
        })
    }

    /// Removes a checkout unless its tree is leased or it is spared, and says whether it did.
    pub(crate) fn remove_checkout(
        &self,
        path: &[u8],
        layer: &Layer,
        is_spared: impl FnOnce() -> Result<bool>,
    ) -> Result<bool> {
        // It leaves its name in one step, so that nobody finds half of it there.
        let doomed = format!("tmp/gc-{}-{}", self.session.name(), layer.name()).into_bytes();
        let is_removed = self.sweep_locked(|| {
            // Leases first: whoever makes a link gives its lease back afterwards.
            if self.live_leases()?.contains(&Leased::Tree(*layer.tree())) || is_spared()? {
                return Ok(false);
            }
            self.disk.rename_if_there(self.root(), path, &doomed)
        })?;
        if is_removed {
            self.disk.remove_tree(self.root(), &doomed)?;
        }
        Ok(is_removed)
    }

    /// The objects that the policy gives up: unreachable ones, the oldest first.
    fn choose_dead(&self, policy: &GcPolicy, marked: &Marked) -> Result<BTreeSet<Digest>> {
        let mut candidates = self.index()?.read("list objects", |connection| {
            connection
                .prepare("SELECT id, created, bytes FROM objects")?
                .query_map([], |row| {
                    Ok(Candidate {
                        id: digest_at(row, 0)?,
                        created: u64_at(row, 1)?,
                        bytes: u64_at(row, 2)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        for (_, id, stat) in self.large_blob_files()? {
            candidates.push(Candidate {
                id: *id.digest(),
                created: stat.st_mtime.cast_unsigned(),
                bytes: stat.st_size.cast_unsigned(),
            });
        }
        candidates.retain(|candidate| !marked.has(&candidate.id));
        candidates.sort_by_key(|candidate| (candidate.created, candidate.id));
        let newest = policy.newest_dead();
        let mut left = self.object_bytes()?;
        let mut dead = BTreeSet::new();
        for candidate in candidates {
            let is_enough = policy.bytes_max.is_some_and(|bytes_max| left <= bytes_max);
            // What claims to come from the future counts as new.
            if is_enough || candidate.created >= newest {
                continue;
            }
            left = left.saturating_sub(candidate.bytes);
            dead.insert(candidate.id);
        }
        Ok(dead)
    }

    /// All files of large blobs with their paths.
    pub(crate) fn large_blob_files(&self) -> Result<Vec<(Vec<u8>, BlobId, Stat)>> {
        let mut files = Vec::new();
        for parent in [b"blobs".as_slice(), b"staging"] {
            let parent_fd = self.disk.open_dir(self.root(), parent)?;
            for directory in self.disk.list(parent_fd.as_fd(), parent)? {
                let fd = self.disk.open_dir(parent_fd.as_fd(), &directory.name)?;
                for file in self.disk.list(fd.as_fd(), &directory.name)? {
                    let id = std::str::from_utf8(&file.name).ok().map(BlobId::parse);
                    let stat = self.disk.stat_at(fd.as_fd(), &file.name)?;
                    if let (Some(Ok(id)), Some(stat)) = (id, stat) {
                        let path = [parent, b"/", &directory.name, b"/", &file.name].concat();
                        files.push((path, id, stat));
                    }
                }
            }
        }
        Ok(files)
    }

    fn remove_large_blobs(&self, sweep: &mut Sweeping<'_>, report: &mut GcReport) -> Result<()> {
        let mut doomed = self.large_blob_files()?;
        doomed.retain(|(_, id, _)| sweep.dead.contains(id.digest()));
        for batch in doomed.chunks(BATCH_FILES) {
            self.sweep_marked(sweep, |marked| {
                for (path, id, stat) in batch {
                    if !marked.has(id.digest()) && self.disk.remove(self.root(), path)? {
                        report.objects += 1;
                        report.bytes_freed += stat.st_size.cast_unsigned();
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn forget_requests(&self, policy: &GcPolicy) -> Result<()> {
        let Some(age) = policy.forget_requests_after else {
            return Ok(());
        };
        let oldest = now().saturating_sub(age.as_secs());
        let old = self.old_requests(oldest)?;
        for entry in self.roots()?.history {
            let key = (entry.workspace.clone(), entry.request.clone());
            if old.contains(&key) && !entry.outputs.is_empty() {
                self.remember(Record::History(crate::HistoryEntry {
                    outputs: Vec::new(),
                    ..entry
                }));
            }
        }
        self.publish()
    }

    /// The requests made before a moment.
    fn old_requests(&self, oldest: u64) -> Result<BTreeSet<(String, String)>> {
        self.index()?.read("list requests", |connection| {
            connection
                .prepare("SELECT workspace, request FROM history WHERE created < ?1")?
                .query_map([oldest.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Bytes of all packs and large blobs.
    fn object_bytes(&self) -> Result<u64> {
        let files = self.index()?.read("list the files", index::all_files)?;
        let packs: u64 = files
            .iter()
            .filter(|(number, _)| *number != index::JOURNAL)
            .map(|(_, state)| state.indexed)
            .sum();
        let blobs: u64 = self
            .large_blob_files()?
            .iter()
            .map(|(_, _, stat)| stat.st_size.cast_unsigned())
            .sum();
        Ok(packs + blobs)
    }
}
