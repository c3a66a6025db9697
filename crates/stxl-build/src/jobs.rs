//! Jobs that steps share: a *token* each, of which there are as many as the build may have jobs.
//!
//! A running step has one token by running. What it may do besides it takes out of a FIFO of its
//! own, and puts back, as GNU make does since 4.4 (the manual's "POSIX Jobserver Interaction");
//! make hands it on to compilers and to cargo. A broker spreads what nobody uses over the FIFOs of
//! all steps, again and again. It believes nothing that it reads: what counts is how many tokens it
//! gave, so a step that puts back what it never had takes nothing from others.
//!
//! Programs that do not know this are told a number of jobs, as before. Which ones a root has is
//! seen in its `make`; none of it is in any key.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stxl_model::{BlobId, Node, RootPath, TreeId};
use stxl_store::{Store, StoreError};

/// How often unused tokens are spread anew.
const INTERVAL: Duration = Duration::from_millis(10);

/// What stands for a token; nobody looks at it.
const TOKEN: u8 = b'+';

/// How much is read or written at once; a FIFO holds more than there are ever tokens.
const CHUNK: usize = 256;

/// Where the make of a root is.
const MAKE: &str = "/usr/bin/make";

/// An option that make has since it knows FIFOs.
const MARK: &[u8] = b"jobserver-style";

/// A make that is larger is none.
const MAKE_BYTES_MAX: u64 = 16 << 20;

/// The tokens of a build.
#[derive(Debug)]
pub(crate) struct JobPool {
    state: Mutex<State>,
    changed: Condvar,
    /// By the program, whether a make knows FIFOs.
    makes: Mutex<BTreeMap<BlobId, bool>>,
}

#[derive(Debug)]
struct State {
    total: usize,
    running: usize,
    /// By number of the step.
    fifos: BTreeMap<u64, Fifo>,
    next: u64,
    is_over: bool,
}

/// One step's FIFO.
#[derive(Debug)]
struct Fifo {
    file: OwnedFd,
    /// How many tokens are in it, or were taken out of it by the step.
    given: usize,
}

/// A step that runs; its tokens are free when this is dropped.
#[derive(Debug)]
pub(crate) struct RunningStep<'p> {
    pool: &'p JobPool,
    fifo: Option<u64>,
}

impl JobPool {
    /// As many tokens as there may be jobs.
    pub(crate) fn new(total: usize) -> Self {
        Self {
            state: Mutex::new(State {
                total,
                running: 0,
                fifos: BTreeMap::new(),
                next: 0,
                is_over: false,
            }),
            changed: Condvar::new(),
            makes: Mutex::default(),
        }
    }

    /// Whether the make of a root takes tokens out of a FIFO.
    pub(crate) fn is_known_in(&self, store: &Store, root: &TreeId) -> Result<bool, StoreError> {
        let Ok(path) = RootPath::parse(MAKE.as_bytes()) else {
            return Ok(false);
        };
        let Some(Node::File {
            blob, size_bytes, ..
        }) = store.find(root, &path)?
        else {
            return Ok(false);
        };
        let makes = || self.makes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = makes().get(&blob) {
            return Ok(*known);
        }
        let knows = size_bytes <= MAKE_BYTES_MAX && {
            let bytes = store.read_blob(&blob)?;
            bytes.windows(MARK.len()).any(|part| part == MARK)
        };
        makes().insert(blob, knows);
        Ok(knows)
    }

    /// Takes a step's token and spreads tokens into its FIFO, if it has one, until it ends.
    pub(crate) fn run(&self, fifo: Option<OwnedFd>) -> RunningStep<'_> {
        let mut state = self.state();
        state.running += 1;
        let number = state.next;
        let fifo = fifo.map(|file| {
            state.next += 1;
            state.fifos.insert(number, Fifo { file, given: 0 });
            number
        });
        self.changed.notify_all();
        RunningStep { pool: self, fifo }
    }

    /// Spreads tokens until what [`Self::until_dropped`] gave is dropped.
    pub(crate) fn broker(&self) {
        let mut state = self.state();
        let mut round = 0;
        while !state.is_over {
            state = if state.fifos.is_empty() {
                let waited = self.changed.wait(state);
                waited.unwrap_or_else(PoisonError::into_inner)
            } else {
                state.spread(round);
                round += 1;
                let waited = self.changed.wait_timeout(state, INTERVAL);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Lets the broker end once this is dropped.
    pub(crate) fn until_dropped(&self) -> UntilDropped<'_> {
        UntilDropped(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as this is there, tokens are spread.
#[derive(Debug)]
pub(crate) struct UntilDropped<'p>(&'p JobPool);

impl Drop for UntilDropped<'_> {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Drop for RunningStep<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.running -= 1;
        if let Some(number) = self.fifo {
            state.fifos.remove(&number);
        }
        self.pool.changed.notify_all();
    }
}

impl State {
    /// Spreads the tokens that nobody uses evenly. What cannot be divided goes to another step each
    /// round.
    fn spread(&mut self, round: usize) {
        let count = self.fifos.len();
        let unused: Vec<usize> = self.fifos.values_mut().map(Fifo::unused).collect();
        let given = self.fifos.values().map(|fifo| fifo.given);
        let used: usize = given
            .zip(&unused)
            .map(|(given, unused)| given - unused)
            .sum();
        let free = self.total.saturating_sub(self.running + used);
        for (position, (fifo, unused)) in self.fifos.values_mut().zip(unused).enumerate() {
            let is_favoured = (position + round) % count < free % count;
            fifo.fill(unused, free / count + usize::from(is_favoured));
        }
    }
}

impl Fifo {
    /// How many tokens wait in it. Those that were never given are taken away.
    fn unused(&mut self) -> usize {
        let waiting = rustix::io::ioctl_fionread(&self.file).unwrap_or(0);
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        self.read(waiting.saturating_sub(self.given));
        waiting.min(self.given)
    }

    /// Makes so many tokens wait in it where there were others, unless the step is faster.
    fn fill(&mut self, unused: usize, wanted: usize) {
        if unused > wanted {
            // What is not there any more was taken meanwhile.
            let taken_away = self.read(unused - wanted);
            self.given = self.given.saturating_sub(taken_away);
        } else {
            self.given += self.write(wanted - unused);
        }
    }

    fn read(&self, count: usize) -> usize {
        let mut left = count;
        let mut buffer = [0; CHUNK];
        while left > 0 {
            let length = left.min(CHUNK);
            match rustix::io::read(&self.file, buffer.get_mut(..length).unwrap_or_default()) {
                Ok(read @ 1..) => left -= read,
                Ok(0) | Err(_) => break,
            }
        }
        count - left
    }

    fn write(&self, count: usize) -> usize {
        let mut left = count;
        while left > 0 {
            let tokens = [TOKEN; CHUNK];
            match rustix::io::write(
                &self.file,
                tokens.get(..left.min(CHUNK)).unwrap_or_default(),
            ) {
                Ok(written @ 1..) => left -= written,
                Ok(0) | Err(_) => break,
            }
        }
        count - left
    }
}
