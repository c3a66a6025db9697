//! Diagnostics: what is wrong with the user's text, where, and what to do about it.

use std::collections::BTreeSet;
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
/// Wording: capital first, no final stop, names in backticks; what is wrong in `message`, what to
/// do about it in `hints`.
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

impl Span {
    /// A range of bytes in a file.
    pub fn new(path: &SourcePath, start: u32, end: u32) -> Self {
        Self {
            path: path.clone(),
            start,
            end: end.max(start),
        }
    }
}

impl Diagnostic {
    /// An error without a place; [`Diagnostic::at`] adds it.
    pub fn error(id: &'static str, message: impl Into<String>) -> Self {
        Self {
            id,
            severity: Severity::Error,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
            trace: Vec::new(),
        }
    }

    /// A warning without a place; [`Diagnostic::at`] adds it.
    pub fn warning(id: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(id, message)
        }
    }

    /// Sets the token that is wrong and what stands below it.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.primary = Some((span, label.into()));
        self
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }

    /// Adds a fact that helps to understand.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a step of the way the evaluation took; outermost first.
    #[must_use]
    pub fn via(mut self, what: &str, span: Span) -> Self {
        self.trace.push(Trace {
            what: what.into(),
            span,
        });
        self
    }

    /// Cuts texts and lists that are longer than anybody reads: names and cycles in the user's text
    /// have any length.
    pub fn shorten(&mut self) {
        let labels = self.primary.iter_mut().chain(&mut self.secondary);
        labels.for_each(|(_, label)| shorten(label));
        let texts = [&mut self.message].into_iter();
        texts
            .chain(&mut self.notes)
            .chain(&mut self.hints)
            .for_each(shorten);
        let more = self.notes.len().saturating_sub(LIST_MAX);
        self.notes.truncate(LIST_MAX);
        if more > 0 {
            self.notes.push(format!("and {more} more"));
        }
        self.hints.truncate(LIST_MAX);
        self.secondary.truncate(LIST_MAX);
        self.trace.truncate(LIST_MAX);
    }

    /// Whether no plan comes of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Bytes of one text of a diagnostic.
const TEXT_MAX: usize = 1000;
/// What is kept of the end of a text that is longer: after a name comes what is wrong with it.
const TEXT_END: usize = 300;
/// Notes, hints, places and steps of one diagnostic.
const LIST_MAX: usize = 20;

fn shorten(text: &mut String) {
    if text.len() <= TEXT_MAX {
        return;
    }
    let begin = text.floor_char_boundary(TEXT_MAX - TEXT_END);
    let end = text.ceil_char_boundary(text.len() - TEXT_END);
    text.replace_range(begin..end, " … ");
}

/// Puts diagnostics into the order in which they are shown (file, place, id; those without a place
/// last) and drops repetitions: the same id at the same place is said once.
pub fn in_order(diagnostics: impl IntoIterator<Item = Diagnostic>) -> Vec<Diagnostic> {
    let mut sorted: Vec<Diagnostic> = diagnostics.into_iter().collect();
    sorted.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    let mut seen = BTreeSet::new();
    sorted.retain(|diagnostic| match &diagnostic.primary {
        Some((span, _)) => seen.insert((diagnostic.id, Some(span.clone()), String::new())),
        None => seen.insert((diagnostic.id, None, diagnostic.message.clone())),
    });
    sorted
}

/// Sort key: diagnostics with a place first.
fn place(diagnostic: &Diagnostic) -> (bool, Option<&Span>, &'static str) {
    let span = diagnostic.primary.as_ref().map(|(span, _)| span);
    (span.is_none(), span, diagnostic.id)
}
