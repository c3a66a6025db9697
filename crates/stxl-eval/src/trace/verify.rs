//! Which of the things that were read are what they were.
//!
//! A file whose stamp is the one on record is not opened. A stamp is put on record only if the file
//! had rested for a while when the evaluation began: a change after that has a later time of
//! change, which only the kernel sets. If the clock was set while the evaluation ran, no stamp is
//! relied on.

use rustc_hash::FxHashMap;
use rustix::time::{ClockId, clock_gettime};
use stxl_lang::{SourceError, SourcePath};

use super::Trace;
use super::suspects::Suspects;
use crate::parallel::in_threads;
use crate::read::{Found, Look, Read};
use crate::source_tree::{DiskSourceTree, ListedFolder, Stamp};

/// How long a file has to rest before its stamp counts: more than the resolution of the clocks of
/// file systems.
const REST_NS: i64 = 100_000_000;

/// Rest for a file system that counts whole seconds, as far as can be seen.
const WHOLE_SECOND_REST_NS: i64 = 2_500_000_000;

/// How far the two clocks may drift apart during an evaluation.
const DRIFT_NS_MAX: i64 = 20_000_000;

/// How long looking at both clocks may take, and how often it is tried.
const LOOK_NS_MAX: i64 = 1_000_000;
const ATTEMPTS_MAX: usize = 64;

/// So many folders stay open while what lies in them is looked at: files in others take a few calls
/// of the system more. A process may mostly have 1024 files open.
const FOLDERS_OPEN_MAX: usize = 256;

/// The time at which an evaluation began, by a clock that can be set and by one that cannot.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    time_ns: i64,
    steady_ns: i64,
}

fn now_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec)
}

impl Beginning {
    pub(super) fn now() -> Self {
        let mut beginning = Self::look();
        // A process that has to wait between the clocks would see them drift apart.
        for _ in 0..ATTEMPTS_MAX {
            if now_ns(ClockId::Boottime).saturating_sub(beginning.steady_ns) <= LOOK_NS_MAX {
                break;
            }
            beginning = Self::look();
        }
        beginning
    }

    fn look() -> Self {
        let steady_ns = now_ns(ClockId::Boottime);
        Self {
            time_ns: now_ns(ClockId::Realtime),
            steady_ns,
        }
    }

    /// Whether nobody set the clock since.
    pub(super) fn is_steady(&self) -> bool {
        let now = Self::now();
        let passed = now.time_ns.saturating_sub(self.time_ns);
        let steady = now.steady_ns.saturating_sub(self.steady_ns);
        passed.saturating_sub(steady).abs() <= DRIFT_NS_MAX
    }

    /// What was found, with the stamp only if what has it rested before the beginning.
    pub(super) fn rely_on(&self, look: Look) -> Look {
        let stamp = look.stamp.filter(|stamp| self.has_rested(stamp));
        Look { stamp, ..look }
    }

    fn has_rested(&self, stamp: &Stamp) -> bool {
        let is_coarse = stamp.changed_ns % 1_000_000_000 == 0;
        let rest_ns = if is_coarse {
            WHOLE_SECOND_REST_NS
        } else {
            REST_NS
        };
        stamp.changed_ns.saturating_add(rest_ns) < self.time_ns
    }
}

/// Looks at everything that a trace says was read and that is suspected, in its order. None stands
/// for what cannot be read.
pub(super) fn verify(
    tree: &DiskSourceTree,
    trace: &Trace,
    beginning: Beginning,
    suspects: &Suspects,
) -> Vec<Option<Look>> {
    let reads = trace.records.reads.iter();
    match suspects {
        Suspects::All => {
            let folders = Folders::list(tree, trace.records.reads.keys());
            in_threads(&reads.collect::<Vec<_>>(), |(read, known)| {
                folders.look_again(tree, read, **known, beginning)
            })
        }
        Suspects::Paths(_) => {
            // They are few, so that listing folders for them would take longer.
            let none = Folders::default();
            reads
                .map(|(read, known)| {
                    if suspects.include(read) {
                        none.look_again(tree, read, *known, beginning)
                    } else {
                        Some(*known)
                    }
                })
                .collect()
        }
    }
}

/// The folders whose names were read, listed again: whether files in folders of theirs are what
/// they were takes one call of the system each, and three for any other path.
#[derive(Default)]
struct Folders<'t>(FxHashMap<&'t str, ListedFolder>);

impl<'t> Folders<'t> {
    fn list(tree: &DiskSourceTree, reads: impl Iterator<Item = &'t Read>) -> Self {
        let folders = reads.filter_map(|read| match read {
            Read::Folder(path) => Some((path.as_str(), tree.list_folder(path).ok()?)),
            Read::File(_)
            | Read::Import(_)
            | Read::Presence(_)
            | Read::PackageFile(_)
            | Read::Layer(_)
            | Read::Directory(_) => None,
        });
        Self(folders.take(FOLDERS_OPEN_MAX).collect())
    }

    fn look_again(
        &self,
        tree: &DiskSourceTree,
        read: &Read,
        known: Look,
        beginning: Beginning,
    ) -> Option<Look> {
        match read {
            Read::File(path) | Read::Import(path)
                if known.stamp.is_some() && self.stamp_of(tree, path) == known.stamp =>
            {
                Some(known)
            }
            Read::Folder(path) if let Some(folder) = self.0.get(path.as_str()) => {
                Some(Look::without_stamp(Found::of_names(&folder.names)))
            }
            // Whether something is there needs no reading of it.
            Read::Presence(path) => {
                let is_there = !matches!(tree.stamp(path), Err(SourceError::NotFound { .. }));
                Some(Look::without_stamp(Found::is_there(is_there)))
            }
            // Of a file that changes while it is read, the stamp is the older one.
            Read::File(_)
            | Read::Import(_)
            | Read::PackageFile(_)
            | Read::Folder(_)
            | Read::Layer(_)
            | Read::Directory(_) => read.look(tree).map(|look| beginning.rely_on(look)),
        }
    }

    fn stamp_of(&self, tree: &DiskSourceTree, path: &SourcePath) -> Option<Stamp> {
        self.stamp(path).or_else(|| tree.stamp(path).ok())
    }

    /// The stamp of a file in a folder of one that was listed.
    fn stamp(&self, path: &SourcePath) -> Option<Stamp> {
        let (folder, _) = path.as_str().rsplit_once('/')?;
        let (outer, entry) = folder.rsplit_once('/')?;
        let inside = path.as_str().get(outer.len() + 1..)?;
        self.0.get(outer)?.stamp_inside(entry, inside)
    }
}
