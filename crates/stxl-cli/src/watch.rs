//! Waiting for changes of a workspace.

mod folders;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use stxl_eval::{Dependency, Suspects, WatchedWorkspace};

use crate::failure::Failure;
use crate::place;
use folders::Folders;

/// How long nothing may happen before a save is over: editors write, rename and delete in turn.
const QUIET: Duration = Duration::from_millis(5);

/// How long the end of a file that is written is waited for.
const WRITING_MAX: Duration = Duration::from_millis(50);

/// After this a state is evaluated even if changes never end.
const CHANGING_MAX: Duration = Duration::from_millis(250);

/// Why waiting is over.
pub(crate) enum Woken {
    /// Something happened, and first at this time.
    Changed {
        /// What may be another than it was.
        suspects: Suspects,
        /// When.
        since: Instant,
    },
    /// Something else that was waited for has happened.
    Told,
    /// A signal came.
    Interrupted,
    /// Nobody reads standard output any more.
    Unread,
}

/// Watches what evaluations of a workspace depend on.
pub(crate) struct Watcher {
    workspace: PathBuf,
    /// The workspace's folder itself, by device and inode.
    identity: (u64, u64),
    folders: Folders,
    signals: UnixStream,
    /// What happened that nobody has been told.
    suspects: Suspects,
}

impl Watcher {
    /// Begins to watch a workspace's folder; `signals` has something to read after a signal.
    pub(crate) fn new(workspace: &Path, signals: UnixStream) -> Result<Self, Failure> {
        let gone = |_: io::Error| gone(workspace);
        let root = place::resolved(workspace).map_err(gone)?;
        Ok(Self {
            workspace: workspace.to_owned(),
            identity: identity_of(workspace).map_err(gone)?,
            folders: Folders::new(&root)?,
            signals,
            suspects: Suspects::none(),
        })
    }

    /// Watches what an evaluation depends on. What was not watched while it was looked at may have
    /// become another unnoticed, and is returned.
    pub(crate) fn watch(&mut self, dependencies: &[Dependency]) -> Result<Suspects, Failure> {
        Ok(self.folders.add(dependencies)?)
    }

    /// Waits until something happens, which the workspace is told at once, and until it is over; or
    /// until something else, if there is any, can be read from.
    pub(crate) fn wait(
        &mut self,
        watched: &mut WatchedWorkspace,
        other: Option<BorrowedFd<'_>>,
    ) -> Result<Woken, Failure> {
        loop {
            let stdout = io::stdout();
            let mut files = vec![self.folders.as_fd()];
            files.extend(other);
            let signals = files.len();
            files.push(self.signals.as_fd());
            match first_ready(&files, Some(stdout.as_fd()), None)? {
                Ready::Nothing => {}
                Ready::Unread => return Ok(Woken::Unread),
                Ready::At(0) => {
                    let since = Instant::now();
                    self.take_all(watched, since)?;
                    let suspects = std::mem::replace(&mut self.suspects, Suspects::none());
                    if !suspects.is_none() {
                        return Ok(Woken::Changed { suspects, since });
                    }
                }
                Ready::At(position) if position == signals => return Ok(Woken::Interrupted),
                Ready::At(_) => return Ok(Woken::Told),
            }
        }
    }

    /// Takes events until there are none for a while.
    fn take_all(&mut self, watched: &mut WatchedWorkspace, since: Instant) -> Result<(), Failure> {
        loop {
            self.folders.take_events(&mut self.suspects)?;
            if !self.suspects.is_none() {
                watched.expect_changes();
            }
            // From here: that may have taken longer than nothing may happen.
            let last = Instant::now();
            let quiet = if self.folders.is_anything_unfinished() {
                WRITING_MAX
            } else {
                QUIET
            };
            let end = (last + quiet).min(since + CHANGING_MAX);
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match first_ready(&[self.folders.as_fd()], None, Some(left))? {
                Ready::At(_) => {}
                Ready::Nothing | Ready::Unread => break,
            }
        }
        self.folders.leave_unfinished();
        self.check_workspace()
    }

    /// Whether the workspace's folder is the one that is watched. Another one in its place is
    /// watched instead.
    pub(crate) fn check_workspace(&mut self) -> Result<(), Failure> {
        let gone = |_: io::Error| gone(&self.workspace);
        let identity = identity_of(&self.workspace).map_err(gone)?;
        if identity != self.identity {
            let root = place::resolved(&self.workspace).map_err(gone)?;
            self.folders = Folders::new(&root)?;
            self.identity = identity;
            self.suspects = Suspects::All;
        }
        Ok(())
    }
}

fn identity_of(workspace: &Path) -> io::Result<(u64, u64)> {
    let found = std::fs::metadata(workspace)?;
    Ok((found.dev(), found.ino()))
}

fn gone(workspace: &Path) -> Failure {
    Failure::environment(format!("the workspace `{}` is gone", workspace.display()))
        .hint("start again where it is")
}

/// What can be read from.
enum Ready {
    Nothing,
    /// The file at a position.
    At(usize),
    /// Standard output has lost its reader.
    Unread,
}

fn first_ready(
    files: &[BorrowedFd<'_>],
    output: Option<BorrowedFd<'_>>,
    time: Option<Duration>,
) -> Result<Ready, Failure> {
    let mut polled: Vec<PollFd<'_>> = files
        .iter()
        .map(|file| PollFd::from_borrowed_fd(*file, PollFlags::IN))
        .collect();
    polled.extend(output.map(|output| PollFd::from_borrowed_fd(output, PollFlags::empty())));
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    match poll(&mut polled, time.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => {
            let error = io::Error::from(errno);
            return Err(Failure::environment(format!("waiting failed: {error}")));
        }
    }
    // The last ones first: signals and a reader that is gone are urgent.
    let ready = polled.iter().rposition(|one| !one.revents().is_empty());
    Ok(match ready {
        None => Ready::Nothing,
        Some(position) if position == files.len() => Ready::Unread,
        Some(position) => Ready::At(position),
    })
}
