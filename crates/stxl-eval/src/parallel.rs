//! Work over many items by several threads.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::database::Database;

/// Below this many items a thread more costs more than it does.
const ITEMS_PER_THREAD_MIN: usize = 8;

/// The same for calls of the system and a thread that has to be started.
const CALLS_PER_THREAD_MIN: usize = 256;

/// Applies a function to all items by the threads of the pool, each with its own handle to the
/// database; the results in the order of the items, whatever the threads do.
pub(crate) fn map<T: Sync, R: Send>(
    db: &Database,
    items: &[T],
    apply: impl Fn(&Database, &T) -> R + Sync,
) -> Vec<R> {
    let threads = rayon::current_num_threads().min(items.len() / ITEMS_PER_THREAD_MIN);
    if threads < 2 {
        return items.iter().map(|item| apply(db, item)).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let handles: Vec<Database> = (0..threads).map(|_| db.clone()).collect();
    rayon::scope(|scope| {
        for db in handles {
            let (next, done, apply) = (&next, &done, &apply);
            scope.spawn(move |_| {
                let mut own = Vec::new();
                loop {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(position) else {
                        break;
                    };
                    own.push((position, apply(&db, item)));
                }
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(own);
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Asks the system for many things by threads of their own; the results in the order of the things.
pub(crate) fn in_threads<T: Sync, R: Send>(things: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = things.len().div_ceil(threads).max(CALLS_PER_THREAD_MIN);
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
