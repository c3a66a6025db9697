//! Everything a person reads: standard error, with colors only where they are wanted.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use crate::arguments::ColorChoice;
use crate::failure::Failure;
use crate::place;

/// Where messages go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    is_colored: bool,
    is_interactive: bool,
}

/// The meaning of a word, shown as a color where there are colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Something failed.
    Bad,
    /// Something is as wished.
    Good,
    /// Something to look at.
    Careful,
    /// Less important than what stands beside it.
    Faint,
}

impl Terminal {
    /// Looks at standard error and the user's choice. `NO_COLOR` with any text means none.
    pub(crate) fn new(choice: ColorChoice) -> Self {
        let is_interactive = io::stderr().is_terminal();
        let is_refused = place::is_color_refused();
        let is_colored = match choice {
            ColorChoice::Auto => is_interactive && !is_refused,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        Self {
            is_colored,
            is_interactive,
        }
    }

    /// Whether there are colors.
    pub(crate) const fn is_colored(self) -> bool {
        self.is_colored
    }

    /// Whether lines can be drawn over.
    pub(crate) const fn is_interactive(self) -> bool {
        self.is_interactive
    }

    /// A word in a tone.
    pub(crate) fn paint(self, tone: Tone, text: impl fmt::Display) -> String {
        if !self.is_colored {
            return text.to_string();
        }
        let code = match tone {
            Tone::Bad => "1;31",
            Tone::Good => "32",
            Tone::Careful => "33",
            Tone::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A word of data in a tone: plain unless standard output is a terminal too.
    pub(crate) fn paint_data(self, tone: Tone, text: &str) -> String {
        if io::stdout().is_terminal() {
            self.paint(tone, text)
        } else {
            text.to_owned()
        }
    }

    /// Prints a line. A standard error that is gone is no reason to stop.
    #[expect(
        clippy::unused_self,
        reason = "only who has looked at the terminal writes to it"
    )]
    pub(crate) fn note(self, line: &str) {
        drop(writeln!(io::stderr().lock(), "{line}"));
    }

    /// Prints text that ends in a line feed already.
    #[expect(
        clippy::unused_self,
        reason = "only who has looked at the terminal writes to it"
    )]
    pub(crate) fn text(self, text: &str) {
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// Prints why a command failed.
    pub(crate) fn failure(self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        self.note(&format!(
            "{}: {}",
            self.paint(Tone::Bad, "error"),
            failure.message
        ));
        if let Some(hint) = &failure.hint {
            self.note(&format!("{}: {hint}", self.paint(Tone::Good, "hint")));
        }
    }
}

/// Writes data to standard output. A reader that went away has seen what it wanted: no failure.
pub(crate) fn print_data(data: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    printed(out.write_all(data).and_then(|()| out.flush()))
}

/// Writes a record to standard output as one line of JSON, as it is made.
pub(crate) fn print_record(record: &impl serde::Serialize) -> Result<(), Failure> {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
    printed(
        serde_json::to_writer(&mut out, record)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.flush()),
    )
}

fn printed(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::environment(
            format!("standard output cannot be written: {error}"),
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A duration as people say it: `0.4 s`, `12 s`, `3 min 20 s`.
pub(crate) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{seconds}.{} s", ms % 1000 / 100),
        10..120 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// A size as people say it, in powers of 1024.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 10_240 && unit + 1 < units.len() {
        value /= 1024;
        unit += 1;
    }
    format!("{value} {}", units[unit])
}
