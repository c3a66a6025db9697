//! Why a command failed, how that is said, and which exit code it has. The only place that decides.

use std::fmt;

use serde::Serialize;
use stxl_store::StoreError;

/// What the process returns. Where several hold, the user's text comes before the environment,
/// that before a failed build, that before a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Fine,
    /// A build failed.
    BuildFailed,
    /// The user's text or command line is wrong.
    Usage,
    /// The environment said no: disk, permissions, a missing feature of the kernel.
    Environment,
    /// A check answered no.
    CheckFailed,
    /// Ctrl-C.
    Interrupted,
    /// A plan that was handed over is not of what is there any more. Only `stxl build --watch`
    /// learns of it, which evaluates again.
    Outdated,
}

/// A reason to stop, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code to leave with.
    pub(crate) exit: Exit,
    /// What went wrong; empty when it is shown already.
    pub(crate) message: String,
    /// What can be done about it.
    pub(crate) hint: Option<String>,
}

impl Exit {
    /// The number the process leaves with.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::BuildFailed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::CheckFailed => 4,
            Self::Interrupted => 130,
            Self::Outdated => 75,
        }
    }
}

impl Exit {
    /// Reads the number that another process of this program left or told.
    pub(crate) const fn of_code(code: u8) -> Self {
        match code {
            0 => Self::Fine,
            1 => Self::BuildFailed,
            2 => Self::Usage,
            4 => Self::CheckFailed,
            130 => Self::Interrupted,
            _ => Self::Environment,
        }
    }
}

impl Failure {
    /// The user's text or command line is wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.to_string(),
            hint: None,
        }
    }

    /// The environment said no.
    pub(crate) fn environment(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Environment,
            message: message.to_string(),
            hint: None,
        }
    }

    /// Everything is shown already; only the code is left.
    pub(crate) const fn shown(exit: Exit) -> Self {
        Self {
            exit,
            message: String::new(),
            hint: None,
        }
    }

    /// Adds what can be done about it.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

/// The record that `--json` prints when a command stops for another reason than its text.
#[derive(Serialize)]
pub(crate) struct WireFailure<'a> {
    version: u32,
    event: &'static str,
    exit: u8,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> WireFailure<'a> {
    /// The record of a failure that has a message.
    pub(crate) fn of(failure: &'a Failure) -> Self {
        let Failure {
            exit,
            message,
            hint,
        } = failure;
        Self {
            version: 1,
            event: "error",
            exit: exit.code(),
            message,
            hint: hint.as_deref(),
        }
    }
}

/// A store that said no.
pub(crate) fn of_store(error: &StoreError) -> Failure {
    let failure = Failure::environment(error);
    if error.is_disk_full() {
        failure.hint("make room with `stxl store gc`, which works on a full disk")
    } else if let StoreError::NotAStore { .. } = error {
        failure.hint("name a directory that is empty or does not exist yet: --store DIR")
    } else {
        failure
    }
}
