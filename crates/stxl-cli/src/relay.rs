//! Carries bytes between the person and a command inside a sandbox.
//!
//! Where the person sits at a terminal, that one is in raw mode meanwhile and the command has a
//! pseudo-terminal of its own: every key, Ctrl-C too, goes to the command. Otherwise the streams
//! are carried as they come.

use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use stxl_build::CancelHandle;
use stxl_sandbox::{Console, ConsoleEnds, KillHandle, TerminalSize};

use crate::failure::Failure;

/// What fits into a pipe that is ready, so that no write waits.
const CHUNK: usize = 4096;

/// The console for who started this process: a terminal if both ends of it are one.
pub(crate) fn console() -> Console {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        Console::Terminal(window_size())
    } else {
        Console::Pipes
    }
}

/// The size of the person's window; where none is told, the size of the oldest terminals.
fn window_size() -> TerminalSize {
    match rustix::termios::tcgetwinsize(io::stdin()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => TerminalSize {
            rows: size.ws_row,
            columns: size.ws_col,
        },
        Ok(_) | Err(_) => TerminalSize {
            rows: 24,
            columns: 80,
        },
    }
}

/// Carries until the command has closed its ends. An interrupt ends the sandbox.
pub(crate) fn carry(
    ends: ConsoleEnds,
    kill: &KillHandle,
    cancel: &CancelHandle,
) -> Result<(), Failure> {
    let failure =
        |error: io::Error| Failure::environment(format!("input or output stops: {error}"));
    let signals = signals().map_err(failure)?;
    let (mut routes, master, raw) = match ends {
        ConsoleEnds::Terminal(master) => {
            let routes = routes_of_terminal(&master).map_err(failure)?;
            let raw = RawTerminal::enter().map_err(failure)?;
            (routes, Some(master), Some(raw))
        }
        ConsoleEnds::Pipes {
            input,
            output,
            errors,
        } => {
            let routes = routes_of_pipes(input, output, errors).map_err(failure)?;
            (routes, None, None)
        }
    };
    let carried = carry_routes(&mut routes, &signals, || {
        if let Some(master) = &master {
            follow_window(master);
        }
        if cancel.is_cancelled() {
            kill.kill();
        }
    });
    if carried.is_err() {
        kill.kill();
    }
    drop(raw);
    carried.map_err(failure)
}

/// A descriptor that becomes readable at every signal that is of interest.
fn signals() -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    for signal in [SIGWINCH, SIGINT, SIGTERM, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, theirs.try_clone()?)?;
    }
    Ok(ours)
}

fn follow_window(master: &OwnedFd) {
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stdin()) {
        // A command that has ended has no window.
        rustix::termios::tcsetwinsize(master, size).ok();
    }
}

/// The person's terminal as it was; dropping it restores that.
struct RawTerminal(Termios);

impl RawTerminal {
    fn enter() -> io::Result<Self> {
        let saved = rustix::termios::tcgetattr(io::stdin())?;
        let mut raw = saved.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(saved))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0).ok();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// From the person; its end is told to the command.
    In,
    /// To the person; when all are at their end, so is the command.
    Out,
    /// From a terminal, whose end means that the person has gone.
    Keys,
}

struct Route {
    from: OwnedFd,
    to: OwnedFd,
    direction: Direction,
    pending: Vec<u8>,
}

/// Whether a route goes on.
#[derive(PartialEq, Eq)]
enum Step {
    On,
    Ended,
}

fn routes_of_terminal(master: &OwnedFd) -> io::Result<Vec<Route>> {
    rustix::io::ioctl_fionbio(master, true)?;
    let person = io::stdin().as_fd().try_clone_to_owned()?;
    let shown = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(vec![
        Route::new(person, master.try_clone()?, Direction::Keys),
        Route::new(master.try_clone()?, shown, Direction::Out),
    ])
}

fn routes_of_pipes(input: OwnedFd, output: OwnedFd, errors: OwnedFd) -> io::Result<Vec<Route>> {
    let mut routes = vec![
        Route::new(
            output,
            io::stdout().as_fd().try_clone_to_owned()?,
            Direction::Out,
        ),
        Route::new(
            errors,
            io::stderr().as_fd().try_clone_to_owned()?,
            Direction::Out,
        ),
    ];
    // A terminal as input alone belongs to whoever reads the output, a pager for example.
    if !io::stdin().is_terminal() {
        rustix::io::ioctl_fionbio(&input, true)?;
        let person = io::stdin().as_fd().try_clone_to_owned()?;
        routes.push(Route::new(person, input, Direction::In));
    }
    Ok(routes)
}

/// Carries until no output is left; `attend` is called at the begin and after every signal.
fn carry_routes(
    routes: &mut Vec<Route>,
    mut signals: &UnixStream,
    attend: impl Fn(),
) -> io::Result<()> {
    attend();
    while routes.iter().any(|route| route.direction == Direction::Out) {
        let mut fds: Vec<PollFd<'_>> = routes.iter().map(Route::waits_for).collect();
        fds.push(PollFd::new(signals, PollFlags::IN));
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready.last() == Some(&true) {
            while matches!(signals.read(&mut [0; 64]), Ok(1..)) {}
            attend();
        }
        let mut index = 0;
        let mut result = Ok(());
        routes.retain_mut(|route| {
            let is_ready = ready.get(index) == Some(&true);
            index += 1;
            if !is_ready || result.is_err() {
                return true;
            }
            match route.step() {
                Ok(step) => step == Step::On,
                Err(error) => {
                    result = Err(error);
                    true
                }
            }
        });
        result?;
    }
    Ok(())
}

impl Route {
    fn new(from: OwnedFd, to: OwnedFd, direction: Direction) -> Self {
        Self {
            from,
            to,
            direction,
            pending: Vec::new(),
        }
    }

    fn waits_for(&self) -> PollFd<'_> {
        if self.pending.is_empty() {
            PollFd::new(&self.from, PollFlags::IN)
        } else {
            PollFd::new(&self.to, PollFlags::OUT)
        }
    }

    /// Reads or writes once, after [`Route::waits_for`] became ready.
    fn step(&mut self) -> io::Result<Step> {
        if self.pending.is_empty() {
            self.read()
        } else {
            self.write()
        }
    }

    fn read(&mut self) -> io::Result<Step> {
        let mut buffer = [0; CHUNK];
        match rustix::io::read(&self.from, &mut buffer) {
            // A pseudo-terminal that nobody has open says `EIO`.
            Ok(0) | Err(Errno::IO) => match self.direction {
                Direction::In | Direction::Out => Ok(Step::Ended),
                Direction::Keys => Err(io::Error::other("the terminal is gone")),
            },
            Ok(count) => {
                self.pending
                    .extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(Step::On)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Step::On),
            Err(errno) => Err(errno.into()),
        }
    }

    fn write(&mut self) -> io::Result<Step> {
        match rustix::io::write(&self.to, &self.pending) {
            Ok(count) => {
                self.pending.drain(..count);
                Ok(Step::On)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Step::On),
            // The command reads no more, which is its right.
            Err(Errno::PIPE | Errno::IO) if self.direction != Direction::Out => Ok(Step::Ended),
            Err(errno) => Err(errno.into()),
        }
    }
}
