//! Which of the things that were read are what they were.
//!
//! A file whose stamp is the one on record is not opened. A stamp is put on record only if the file
//! had rested for a while when the evaluation began: a change after that has a later time of
//! change, which only the kernel sets. If the clock was set while the evaluation ran, no stamp is
//! relied on.

use std::num::NonZero;

use rustix::time::{ClockId, clock_gettime};
use stxl_lang::SourceError;
use stxl_model::BlobId;

use super::Trace;
use super::suspects::Suspects;
use crate::read::{Found, Read};
use crate::source_tree::{DiskSourceTree, Stamp};

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

/// Below this many reads a second thread costs more than it does.
const READS_PER_THREAD_MIN: usize = 256;

/// The time at which an evaluation began, by a clock that can be set and by one that cannot.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    time_ns: i64,
    steady_ns: i64,
}

/// What was found at a second look.
pub(super) struct Look {
    /// What is there; none when it cannot be read.
    pub(super) found: Option<Found>,
    /// Its stamp, if that can be relied on.
    pub(super) stamp: Option<Stamp>,
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

    /// A stamp, if what has it rested before the beginning.
    fn rested(&self, stamp: Stamp) -> Option<Stamp> {
        let is_coarse = stamp.changed_ns % 1_000_000_000 == 0;
        let rest_ns = if is_coarse {
            WHOLE_SECOND_REST_NS
        } else {
            REST_NS
        };
        (stamp.changed_ns.saturating_add(rest_ns) < self.time_ns).then_some(stamp)
    }
}

/// Looks at everything that a trace says was read and that is suspected, in its order.
pub(super) fn verify(
    tree: &DiskSourceTree,
    trace: &Trace,
    beginning: Beginning,
    suspects: &Suspects,
) -> Vec<Look> {
    let reads = trace.records.reads.iter().zip(&trace.stamps);
    let reads = reads.map(|((read, found), stamp)| (read, *found, stamp.as_ref()));
    let look = |(read, found, stamp): &(&Read, Found, Option<&Stamp>)| {
        look_again(tree, read, *found, *stamp, beginning)
    };
    match suspects {
        Suspects::All => in_threads(&reads.collect::<Vec<_>>(), look),
        Suspects::Paths(_) => reads
            .map(|known| match known {
                (read, ..) if suspects.include(read) => look(&known),
                (_, found, stamp) => Look {
                    found: Some(found),
                    stamp: stamp.copied(),
                },
            })
            .collect(),
    }
}

/// The stamps of things that were found just now, as far as they can be relied on: of what is still
/// what was found. A stamp alone would not tell, for a folder on the way may have been renamed.
/// Files that are imported may be large, and get their stamps when they are looked at again.
pub(super) fn stamps_of(
    tree: &DiskSourceTree,
    reads: &[(&Read, Found)],
    beginning: Beginning,
) -> Vec<Option<Stamp>> {
    in_threads(reads, |(read, known)| {
        let (Read::File(path), Found::Bytes(_)) = (read, known) else {
            return None;
        };
        // One that has not rested need not be read.
        beginning.rested(tree.stamp(path).ok()?)?;
        let (bytes, stamp) = tree.read_stamped(path).ok()?;
        let is_same = Found::Bytes(BlobId::of(&bytes)) == *known;
        beginning.rested(stamp).filter(|_| is_same)
    })
}

/// Does the same for many things, in their order.
fn in_threads<T: Sync, R: Send>(things: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = things.len().div_ceil(threads).max(READS_PER_THREAD_MIN);
    if things.len() <= share {
        return things.iter().map(act).collect();
    }
    let act = &act;
    // Threads that end here: the process may have to become another user later, alone.
    std::thread::scope(|scope| {
        let parts: Vec<_> = things
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(act).collect::<Vec<R>>()))
            .collect();
        let results = parts.into_iter().flat_map(|part| match part.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.collect()
    })
}

fn look_again(
    tree: &DiskSourceTree,
    read: &Read,
    known: Found,
    stamp: Option<&Stamp>,
    beginning: Beginning,
) -> Look {
    let without_stamp = |found| Look { found, stamp: None };
    match read {
        Read::File(path) | Read::Import(path) => {
            let current = tree.stamp(path).ok();
            if current.as_ref() == stamp && stamp.is_some() {
                return Look {
                    found: Some(known),
                    stamp: current,
                };
            }
            // Of a file that changes while it is read, the stamp is the older one.
            let looked = if matches!(read, Read::Import(_)) {
                let looked = tree.digest_stamped(path);
                looked.map(|(digest, stamp)| (digest.blob, stamp))
            } else {
                let looked = tree.read_stamped(path);
                looked.map(|(bytes, stamp)| (BlobId::of(&bytes), stamp))
            };
            match looked {
                Ok((blob, stamp)) => Look {
                    found: Some(Found::Bytes(blob)),
                    stamp: beginning.rested(stamp),
                },
                Err(_) => without_stamp(read.look(tree)),
            }
        }
        // Whether something is there needs no reading of it.
        Read::Presence(path) => without_stamp(Some(match tree.stamp(path) {
            Err(SourceError::NotFound { .. }) => Found::Nothing,
            Ok(_) | Err(SourceError::Unreadable { .. }) => Found::Something,
        })),
        Read::PackageFile(_) | Read::Folder(_) | Read::Directory(_) => {
            without_stamp(read.look(tree))
        }
    }
}
