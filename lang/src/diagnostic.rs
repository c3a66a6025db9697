//! Diagnostics: what is wrong with the user's text, where, and what to do about it.

use std::sync::Arc;

use crate::source::SourcePath;

/// A range of bytes in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub path: SourcePath,
    /// First byte.
    pub start: u32,
    /// One past the last byte; equal to `start` for a place between two bytes.
    pub end: u32,
}

/// A line and a column in a file, both from 1; columns count characters, as Rhai does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// No plan comes of it.
    Error,
    /// Worth a look; the plan is made.
    Warning,
}

/// One thing that is wrong with the user's text.
///
/// Wording: capital first, no final stop, names in backticks; what is wrong in `message`, what to do
/// about it in `hints`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Diagnostic {
    /// Stable name of the kind of mistake, such as `unknown-field`.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One short sentence.
    pub message: String,
    /// The token that is wrong, and what to print below it (may be empty).
    pub primary: Option<(Span, String)>,
    /// Other places that matter.
    pub secondary: Vec<(Span, String)>,
    /// Facts that help to understand.
    pub notes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// How the evaluation came there: outermost call first (the package's line, then the stdlib's).
    pub trace: Vec<Trace>,
}

/// One step on the way to a mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trace {
    /// What happens there, such as ``in `autotools` ``.
    pub what: Arc<str>,
    /// Where.
    pub span: Span,
}
