//! What standard input, output and error of a command are: [`Console`].
//!
//! Everything a console consists of is made inside, by the supervisor, and the client gets the
//! other ends: no descriptor of the client ever enters a sandbox.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// What standard input, output and error of the commands are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// `/dev/null`, and twice [`crate::SandboxSpec::log`]; no terminal. The choice of every build.
    Log,
    /// A pseudo-terminal of the sandbox's own that controls the session of the command.
    ///
    /// For one command only. Nothing is logged, and the time without output is not limited.
    Terminal(TerminalSize),
    /// Three pipes. For one command only; nothing is logged and silence is not limited here
    /// either.
    Pipes,
}

/// How large the window of a terminal is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// The client's ends of a console; see [`crate::Running::take_console`].
#[derive(Debug)]
pub enum ConsoleEnds {
    /// The master of the pseudo-terminal. Reading gives `EIO` once nobody inside has it open.
    Terminal(OwnedFd),
    /// One end of each pipe.
    Pipes {
        /// What is written here is standard input; closing it is its end.
        input: OwnedFd,
        /// Standard output.
        output: OwnedFd,
        /// Standard error.
        errors: OwnedFd,
    },
}

impl ConsoleEnds {
    /// Takes what [`ConsoleEnds::descriptors`] gave; a log has no descriptors.
    pub(crate) fn from_descriptors(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        let first = descriptors.next()?;
        Some(match (descriptors.next(), descriptors.next()) {
            (Some(output), Some(errors)) => Self::Pipes {
                input: first,
                output,
                errors,
            },
            (_, None) | (None, Some(_)) => Self::Terminal(first),
        })
    }

    /// Returns the descriptors in the order they travel to the client.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::Terminal(master) => vec![master.as_fd()],
            Self::Pipes {
                input,
                output,
                errors,
            } => vec![input.as_fd(), output.as_fd(), errors.as_fd()],
        }
    }
}

/// The ends that commands get.
pub(crate) enum CommandEnds {
    /// The pipe that the supervisor copies to the log.
    Log(OwnedFd),
    /// The slave of the pseudo-terminal.
    Terminal(OwnedFd),
    /// One end of each pipe.
    Pipes {
        input: OwnedFd,
        output: OwnedFd,
        errors: OwnedFd,
    },
}

/// A console as the supervisor makes it.
pub(crate) struct NewConsole {
    pub(crate) command: CommandEnds,
    /// What is copied to the log.
    pub(crate) log_pipe: Option<OwnedFd>,
    pub(crate) client: Option<ConsoleEnds>,
}

/// Makes a console; for a terminal the root must have been entered.
pub(crate) fn open(console: Console) -> Result<NewConsole, Errno> {
    let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
    Ok(match console {
        Console::Log => {
            let (log_pipe, log_end) = pipe()?;
            rustix::io::ioctl_fionbio(&log_pipe, true)?;
            NewConsole {
                command: CommandEnds::Log(log_end),
                log_pipe: Some(log_pipe),
                client: None,
            }
        }
        Console::Terminal(size) => {
            let (master, slave) = open_terminal(size)?;
            NewConsole {
                command: CommandEnds::Terminal(slave),
                log_pipe: None,
                client: Some(ConsoleEnds::Terminal(master)),
            }
        }
        Console::Pipes => {
            let (input, write_input) = pipe()?;
            let (read_output, output) = pipe()?;
            let (read_errors, errors) = pipe()?;
            NewConsole {
                command: CommandEnds::Pipes {
                    input,
                    output,
                    errors,
                },
                log_pipe: None,
                client: Some(ConsoleEnds::Pipes {
                    input: write_input,
                    output: read_output,
                    errors: read_errors,
                }),
            }
        }
    })
}

/// Returns master and slave of a pseudo-terminal that has a name below the sandbox's `/dev/pts`.
fn open_terminal(size: TerminalSize) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = rustix::fs::open(c"/dev/pts/ptmx", flags, Mode::empty())?;
    rustix::pty::unlockpt(&master)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&master, size)?;
    Ok((master, slave))
}

impl CommandEnds {
    /// Makes these the standard streams of this process, which leads its session.
    pub(crate) fn become_streams(&self) -> Result<(), Errno> {
        let [input, output, errors] = match self {
            Self::Log(log) => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                let null = rustix::fs::open(c"/dev/null", flags, Mode::empty())?;
                rustix::stdio::dup2_stdin(&null)?;
                rustix::stdio::dup2_stdout(log)?;
                return rustix::stdio::dup2_stderr(log);
            }
            Self::Terminal(slave) => {
                rustix::process::ioctl_tiocsctty(slave)?;
                [slave; 3]
            }
            Self::Pipes {
                input,
                output,
                errors,
            } => [input, output, errors],
        };
        rustix::stdio::dup2_stdin(input)?;
        rustix::stdio::dup2_stdout(output)?;
        rustix::stdio::dup2_stderr(errors)
    }
}
