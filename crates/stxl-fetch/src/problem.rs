//! What can be wrong with a place that a source is looked for in.

use std::fmt;
use std::time::Duration;

use stxl_model::Sha256;

/// Why a file was not had from one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The server says that the file is not there.
    #[error("it is not there (status {status})")]
    Gone {
        /// The status.
        status: u16,
    },
    /// The registry has other versions only.
    #[error("the registry lists no such version")]
    NotListed,
    /// The server wants to know who asks, or knows and says no.
    #[error("the server refuses (status {status}); a user's passwords belong in a netrc file")]
    Refused {
        /// The status.
        status: u16,
    },
    /// The server answered something else.
    #[error("the server answered with status {status}")]
    Status {
        /// The status.
        status: u16,
        /// How long it wants us to wait.
        wait: Option<Duration>,
    },
    /// There is no such host.
    #[error("there is no such host: {reason}")]
    NoHost {
        /// What the system said.
        reason: String,
    },
    /// No connection came about, or it broke.
    #[error("no connection: {reason}")]
    Connection {
        /// What the system said.
        reason: String,
    },
    /// The server is not known to be who it says.
    #[error("the server is not trusted: {reason}")]
    Untrusted {
        /// What is wrong with its certificate or with ours.
        reason: String,
    },
    /// Nothing came, or next to nothing.
    #[error("{what} for {} s", .limit.as_secs_f32())]
    Stalled {
        /// What did not come.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The connection ended too early.
    #[error("it ended after {received} bytes{}", of_text(*.expected))]
    Truncated {
        /// How many came, with those of earlier attempts.
        received: u64,
        /// How many there are.
        expected: Option<u64>,
    },
    /// More came than is allowed.
    #[error("it is larger than {limit} bytes, the limit of a source")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It leads elsewhere, to where we do not go.
    #[error("it leads to {to}: {reason}")]
    Redirect {
        /// Where to, without what may be secret.
        to: String,
        /// Why we do not go.
        reason: &'static str,
    },
    /// The file is another one.
    #[error("{bytes} bytes came, and they have {found}{}", encoding_text(.encoding.as_deref()))]
    WrongBytes {
        /// What came.
        found: Sha256,
        /// How much of it.
        bytes: u64,
        /// An encoding that the server said it used, unasked.
        encoding: Option<String>,
    },
    /// What came is no HTTP, or of a kind that was not asked for.
    #[error("the server does not speak as it should: {reason}")]
    Protocol {
        /// How.
        reason: String,
    },
    /// The address is none.
    #[error("{reason}")]
    Address {
        /// What is wrong.
        reason: &'static str,
    },
    /// Whoever knows where the file is could not tell.
    #[error("{reason}")]
    Unresolved {
        /// Why.
        reason: String,
    },
}

/// One place and what was wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The place, without what is secret.
    pub place: String,
    /// What was wrong at last.
    pub problem: Problem,
    /// How often it was tried.
    pub tries: u32,
}

impl Problem {
    /// Whether another attempt may go better.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Connection { .. } | Self::Stalled { .. } | Self::Truncated { .. } => true,
            Self::Status { status, wait: _ } => {
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
            }
            Self::Gone { .. }
            | Self::NotListed
            | Self::NoHost { .. }
            | Self::Refused { .. }
            | Self::Untrusted { .. }
            | Self::TooLarge { .. }
            | Self::Redirect { .. }
            | Self::WrongBytes { .. }
            | Self::Protocol { .. }
            | Self::Address { .. }
            | Self::Unresolved { .. } => false,
        }
    }

    /// How long the server wants us to wait before the next attempt.
    pub(crate) const fn wait(&self) -> Option<Duration> {
        if let Self::Status { wait, .. } = self {
            *wait
        } else {
            None
        }
    }

    /// Whether the place says that the file does not exist; nothing else means that.
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::NotListed)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            problem,
            tries,
        } = self;
        write!(f, "{place}: {problem}")?;
        match tries {
            0 | 1 => Ok(()),
            _ => write!(f, " ({tries} attempts)"),
        }
    }
}

fn of_text(expected: Option<u64>) -> String {
    expected.map_or_else(String::new, |expected| format!(" of {expected}"))
}

fn encoding_text(encoding: Option<&str>) -> String {
    match encoding {
        Some(encoding) => format!(" (sent with Content-Encoding {encoding}, unasked)"),
        None => String::new(),
    }
}
