//! A file from one place: attempts, going on where one ended, and the hash of the whole.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use stxl_model::{Sha256, Sha256Hasher};

use crate::address::WebAddress;
use crate::problem::{Attempt, Problem};
use crate::transfer::{self, Head, Message, Stop};
use crate::web::{Question, Resume, Web};

/// How often a transfer is looked at.
const TICK: Duration = Duration::from_millis(50);

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that are there.
    pub bytes: u64,
    /// How many it has, if the server says so.
    pub total: Option<u64>,
}

/// A file that was had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Where from, without what is secret.
    pub place: String,
    /// Its hash.
    pub sha256: Sha256,
    /// How large it is.
    pub bytes: u64,
}

/// Why a file was not had.
#[derive(Debug)]
pub(crate) enum DownloadError {
    /// The place did not give it.
    Attempt(Attempt),
    /// This machine could not keep it.
    Disk(io::Error),
    /// Nobody wants it any more.
    Stopped,
}

/// What a download needs to act.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) web: &'a Arc<Web>,
    /// Set when nobody wants anything any more.
    pub(crate) stopped: &'a AtomicBool,
}

/// What is to be had, and where it goes.
pub(crate) struct Wanted<'a> {
    pub(crate) address: &'a WebAddress,
    /// The hash it has to have, if that is known.
    pub(crate) sha256: Option<Sha256>,
    pub(crate) accept: Option<&'static str>,
    /// The most that is taken.
    pub(crate) bytes_max: u64,
    /// Where it is written to. What is there counts as its beginning if the hash is known.
    pub(crate) file: &'a File,
}

/// Has a file from one place.
pub(crate) fn download(
    context: Context<'_>,
    wanted: &Wanted<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Downloaded, DownloadError> {
    let limits = &context.web.options().limits;
    let mut state = State::new(wanted)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let ended = attempt(context, wanted, &mut state, progress);
        if context.stopped.load(Ordering::Acquire) {
            return Err(DownloadError::Stopped);
        }
        let problem = match ended {
            Ok(downloaded) => return Ok(downloaded),
            Err(Failed::Problem(problem)) => problem,
            // What was there was the beginning of another file; this place was not to blame yet.
            Err(Failed::Anew) => {
                state.begin_anew(wanted)?;
                tries -= 1;
                continue;
            }
            Err(Failed::Error(error)) => return Err(error),
        };
        if !problem.is_passing() || tries >= limits.attempts.max(1) {
            return Err(DownloadError::Attempt(Attempt {
                place: wanted.address.to_string(),
                problem,
                tries,
            }));
        }
        let wait = limits.back_off.saturating_mul(1 << (tries - 1).min(16));
        let wait = wait.max(problem.wait().unwrap_or_default());
        wait_for(context, wait.min(limits.back_off_max))?;
    }
}

/// What is known of a file between attempts.
struct State {
    beginning: Beginning,
    /// What the server said that the file is known by.
    validator: Option<String>,
    encoding: Option<String>,
    /// Whether it was begun anew because of what was there.
    was_begun_anew: bool,
}

/// Where the bytes that are there of a file came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// From elsewhere or an earlier time, and they may be the whole file.
    Unseen,
    /// From elsewhere or an earlier time.
    Foreign,
    /// From the place that is asked.
    Own,
}

enum Failed {
    Problem(Problem),
    Anew,
    Error(DownloadError),
}

impl State {
    fn new(wanted: &Wanted<'_>) -> Result<Self, DownloadError> {
        let length = length_of(wanted.file)?;
        if length > 0 && wanted.sha256.is_none() {
            wanted.file.set_len(0).map_err(DownloadError::Disk)?;
        }
        Ok(Self {
            beginning: match wanted.sha256 {
                Some(_) if length > 0 => Beginning::Unseen,
                Some(_) | None => Beginning::Own,
            },
            validator: None,
            encoding: None,
            was_begun_anew: false,
        })
    }

    fn begin_anew(&mut self, wanted: &Wanted<'_>) -> Result<(), DownloadError> {
        wanted.file.set_len(0).map_err(DownloadError::Disk)?;
        self.beginning = Beginning::Own;
        self.validator = None;
        self.was_begun_anew = true;
        Ok(())
    }

    /// Whether what is there may be another file's beginning, which is found out once.
    fn is_suspect(&self, offset: u64) -> bool {
        offset > 0 && !self.was_begun_anew
    }
}

fn attempt(
    context: Context<'_>,
    wanted: &Wanted<'_>,
    state: &mut State,
    progress: &mut dyn FnMut(Progress),
) -> Result<Downloaded, Failed> {
    let length = length_of(wanted.file).map_err(Failed::Error)?;
    if state.beginning == Beginning::Unseen {
        state.beginning = Beginning::Foreign;
        let found = hash_of(context, wanted.file).map_err(Failed::Error)?;
        if wanted.sha256 == Some(found) {
            return Ok(downloaded(wanted, found, length));
        }
    }
    // Without a hash to check the whole by, only what the server vouches for is gone on with.
    let may_resume = length > 0 && (wanted.sha256.is_some() || state.validator.is_some());
    let validator = state.validator.clone();
    let resume = may_resume.then_some(Resume {
        offset: length,
        validator: validator.filter(|_| state.beginning == Beginning::Own),
    });
    let question = Question {
        address: wanted.address.clone(),
        accept: wanted.accept,
        bytes_max: wanted.bytes_max,
        resume,
    };
    let head = match transferred(context, wanted, question, state, progress) {
        Ok(head) => head,
        Err(Stop::Problem(problem)) => return Err(Failed::Problem(problem)),
        Err(Stop::Disk(error)) => return Err(Failed::Error(DownloadError::Disk(error))),
        Err(Stop::OtherFile) if state.is_suspect(length) => return Err(Failed::Anew),
        Err(Stop::OtherFile) => {
            return Err(Failed::Problem(Problem::Protocol {
                reason: "another part came than was asked for".to_owned(),
            }));
        }
    };
    let found = hash_of(context, wanted.file).map_err(Failed::Error)?;
    let bytes = length_of(wanted.file).map_err(Failed::Error)?;
    if wanted.sha256.is_none_or(|expected| expected == found) {
        return Ok(downloaded(wanted, found, bytes));
    }
    if state.is_suspect(head.offset) {
        return Err(Failed::Anew);
    }
    // The next place begins at the beginning.
    wanted
        .file
        .set_len(0)
        .map_err(|error| Failed::Error(DownloadError::Disk(error)))?;
    Err(Failed::Problem(Problem::WrongBytes {
        found,
        bytes,
        encoding: state.encoding.clone(),
    }))
}

fn downloaded(wanted: &Wanted<'_>, sha256: Sha256, bytes: u64) -> Downloaded {
    Downloaded {
        place: wanted.address.to_string(),
        sha256,
        bytes,
    }
}

/// Waits for a transfer and passes on how far it is.
fn transferred(
    context: Context<'_>,
    wanted: &Wanted<'_>,
    question: Question,
    state: &mut State,
    progress: &mut dyn FnMut(Progress),
) -> Result<Head, Stop> {
    let messages = transfer::start(context.web, question, wanted.file).map_err(Stop::Disk)?;
    let called_off = || {
        Stop::Problem(Problem::Connection {
            reason: "called off".to_owned(),
        })
    };
    let mut head = Head::default();
    let (mut told, mut untold) = (Instant::now(), None);
    loop {
        let total = head.total;
        if let Some(bytes) = untold.take_if(|it| told.elapsed() >= TICK || Some(*it) == total) {
            told = Instant::now();
            progress(Progress { bytes, total });
        }
        if context.stopped.load(Ordering::Acquire) {
            return Err(called_off());
        }
        match messages.recv_timeout(TICK) {
            Ok(Message::Begun(begun)) => {
                state.validator.clone_from(&begun.validator);
                state.encoding.clone_from(&begun.encoding);
                if begun.offset == 0 {
                    state.beginning = Beginning::Own;
                }
                progress(Progress {
                    bytes: begun.offset,
                    total: begun.total,
                });
                head = begun;
            }
            Ok(Message::Written(bytes)) => untold = Some(bytes),
            Ok(Message::Ended(ended)) => return ended.map(|()| head),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(called_off()),
        }
    }
}

fn length_of(file: &File) -> Result<u64, DownloadError> {
    let metadata = file.metadata().map_err(DownloadError::Disk)?;
    Ok(metadata.len())
}

/// Copies a file of this machine, as if it had come from elsewhere.
pub(crate) fn copy_file(
    context: Context<'_>,
    path: &Path,
    wanted: Option<Sha256>,
    file: &File,
) -> Result<Downloaded, DownloadError> {
    let place = path.display().to_string();
    let attempt = |problem| {
        DownloadError::Attempt(Attempt {
            place: place.clone(),
            problem,
            tries: 1,
        })
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map(File::from);
    let unreadable = |reason: String| attempt(Problem::Unresolved { reason });
    let mut from = opened.map_err(|errno| unreadable(errno.to_string()))?;
    let metadata = from.metadata().map_err(DownloadError::Disk)?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    file.set_len(0).map_err(DownloadError::Disk)?;
    let mut to = file;
    to.seek(SeekFrom::Start(0)).map_err(DownloadError::Disk)?;
    let bytes = io::copy(&mut from, &mut to).map_err(DownloadError::Disk)?;
    let found = hash_of(context, file)?;
    if wanted.is_some_and(|wanted| wanted != found) {
        file.set_len(0).map_err(DownloadError::Disk)?;
        let encoding = None;
        return Err(attempt(Problem::WrongBytes {
            found,
            bytes,
            encoding,
        }));
    }
    Ok(Downloaded {
        place,
        sha256: found,
        bytes,
    })
}

fn hash_of(context: Context<'_>, mut file: &File) -> Result<Sha256, DownloadError> {
    let disk = DownloadError::Disk;
    let mut hasher = Sha256Hasher::default();
    let mut piece = vec![0; 256 * 1024];
    file.seek(SeekFrom::Start(0)).map_err(disk)?;
    loop {
        if context.stopped.load(Ordering::Acquire) {
            return Err(DownloadError::Stopped);
        }
        match io::Read::read(&mut file, &mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(disk(error)),
        }
    }
}

/// Waits, unless everything is called off meanwhile.
fn wait_for(context: Context<'_>, wait: Duration) -> Result<(), DownloadError> {
    let begin = Instant::now();
    while begin.elapsed() < wait {
        if context.stopped.load(Ordering::Acquire) {
            return Err(DownloadError::Stopped);
        }
        std::thread::sleep(TICK.min(wait));
    }
    Ok(())
}
