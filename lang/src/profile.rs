//! Where the time of evaluations goes: activities inside one another, summed into a tree.
//!
//! Nothing here runs unless a [`Profiler`] is made: a language of [`crate::Language::profiled`]
//! tells of the functions that texts define, whoever evaluates tells of the rest.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use stxl_model::PackageLabel;

use crate::source::SourcePath;

/// Something that takes time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// The packages of the workspace are listed.
    List,
    /// A file is compiled.
    Compile(SourcePath),
    /// The definition of a package is made of one of its files.
    Define(PackageLabel),
    /// The build of a package is evaluated.
    Expand(PackageLabel),
    /// An output of a package becomes derivations.
    Lower(PackageLabel),
    /// Ids are computed.
    Link,
    /// A function runs that a text defines.
    Function {
        /// The file.
        path: SourcePath,
        /// The name.
        name: Arc<str>,
    },
    /// A builder, or `change`, reads the fields it is given.
    Builder(Arc<str>),
    /// The profiler's own work, which an evaluation without one does not do.
    Profiling,
}

/// How often an activity took place inside of the one above it, and what it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How often.
    pub calls: u64,
    /// What it took without what took place inside of it, in nanoseconds.
    pub self_ns: u64,
    /// What took place inside of it.
    pub inside: BTreeMap<Activity, Self>,
}

impl Spent {
    /// What it took with everything inside of it, in nanoseconds.
    pub fn total_ns(&self) -> u64 {
        self.self_ns + self.inside.values().map(Self::total_ns).sum::<u64>()
    }

    /// Adds what another one took.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.self_ns += other.self_ns;
        for (activity, spent) in other.inside {
            self.inside.entry(activity).or_default().add(spent);
        }
    }
}

/// Sums up what activities take, on any number of threads.
pub struct Profiler {
    clock: fn() -> u64,
    spent: Mutex<Spent>,
}

/// An activity under way on this thread.
struct Open {
    profiler: Arc<Profiler>,
    activity: Activity,
    begun_ns: u64,
    inside_ns: u64,
    spent: Spent,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// Ends an activity, and everything that began inside of it, when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Underway {
    depth: usize,
}

impl Profiler {
    /// A profiler with a clock: nanoseconds, of which only differences on one thread count.
    pub fn new(clock: fn() -> u64) -> Arc<Self> {
        Arc::new(Self {
            clock,
            spent: Mutex::default(),
        })
    }

    /// An activity begins on this thread.
    pub fn begin(self: &Arc<Self>, activity: Activity) -> Underway {
        OPEN.with_borrow_mut(|open| {
            open.push(Open {
                profiler: Arc::clone(self),
                activity,
                begun_ns: (self.clock)(),
                inside_ns: 0,
                spent: Spent::default(),
            });
            Underway {
                depth: open.len() - 1,
            }
        })
    }

    /// What was summed up since this was asked last.
    pub fn take(&self) -> Spent {
        std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An activity begins inside of the one that is under way on this thread; nothing if none is.
pub(crate) fn begin_inside(activity: impl FnOnce() -> Activity) -> Option<Underway> {
    let profiler = OPEN.with_borrow(|open| open.last().map(|open| Arc::clone(&open.profiler)))?;
    Some(profiler.begin(activity()))
}

impl Drop for Underway {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| {
            while open.len() > self.depth {
                end_last(open);
            }
        });
    }
}

fn end_last(open: &mut Vec<Open>) {
    let Some(ended) = open.pop() else { return };
    let took_ns = (ended.profiler.clock)().saturating_sub(ended.begun_ns);
    let mut spent = ended.spent;
    spent.calls = 1;
    spent.self_ns = took_ns.saturating_sub(ended.inside_ns);
    if let Some(around) = open.last_mut() {
        around.inside_ns += took_ns;
        let inside = &mut around.spent.inside;
        inside.entry(ended.activity).or_default().add(spent);
    } else {
        let sum = ended.profiler.spent.lock();
        let mut sum = sum.unwrap_or_else(PoisonError::into_inner);
        sum.inside.entry(ended.activity).or_default().add(spent);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::{Activity, Profiler, begin_inside};

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    fn pass(nanoseconds: u64) {
        NOW.set(NOW.get() + nanoseconds);
    }

    fn builder(name: &str) -> Activity {
        Activity::Builder(Arc::from(name))
    }

    #[test]
    fn what_is_inside_is_taken_from_what_is_around() {
        let profiler = Profiler::new(|| NOW.get());
        for _ in 0..2 {
            let outer = profiler.begin(Activity::List);
            pass(10);
            let inner = begin_inside(|| builder("make"));
            pass(5);
            drop(inner);
            pass(1);
            drop(outer);
        }
        let spent = profiler.take();
        let list = &spent.inside[&Activity::List];
        assert_eq!((list.calls, list.self_ns, list.total_ns()), (2, 22, 32));
        let make = &list.inside[&builder("make")];
        assert_eq!((make.calls, make.self_ns), (2, 10));
        assert!(profiler.take().inside.is_empty());
    }

    #[test]
    fn what_was_left_open_inside_ends_with_what_is_around() {
        let profiler = Profiler::new(|| NOW.get());
        let outer = profiler.begin(Activity::List);
        let inner = begin_inside(|| builder("make"));
        pass(3);
        drop(outer);
        pass(100);
        drop(inner);
        let spent = profiler.take();
        assert_eq!(spent.total_ns(), 3);
        assert!(begin_inside(|| builder("make")).is_none());
    }
}
