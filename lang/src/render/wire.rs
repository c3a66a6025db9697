//! Diagnostics as JSON. The shape is fixed: every field is always there, `null` for nothing, and a
//! field is only ever added.

use serde::Serialize;

use super::excerpt::{Texts, shown};
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::source::SourceTree;

/// A diagnostic as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiagnosticRecord {
    /// The kind of mistake.
    pub id: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What is wrong.
    pub message: String,
    /// The file.
    pub file: Option<String>,
    /// First line, from 1.
    pub line: Option<usize>,
    /// First column, from 1, in characters.
    pub column: Option<usize>,
    /// Line of the end.
    pub end_line: Option<usize>,
    /// Column behind the last character.
    pub end_column: Option<usize>,
    /// What is printed below the place.
    pub label: Option<String>,
    /// Other places.
    pub labels: Vec<PlaceRecord>,
    /// Facts.
    pub notes: Vec<TextRecord>,
    /// What to do.
    pub hints: Vec<TextRecord>,
    /// How the evaluation came there, outermost first.
    pub trace: Vec<PlaceRecord>,
}

/// A place and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceRecord {
    /// What is said.
    pub message: String,
    /// The file.
    pub file: String,
    /// First line, from 1; none when the file cannot be read.
    pub line: Option<usize>,
    /// First column.
    pub column: Option<usize>,
    /// Line of the end.
    pub end_line: Option<usize>,
    /// Column behind the last character.
    pub end_column: Option<usize>,
}

/// A sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextRecord {
    /// The sentence.
    pub text: String,
}

/// The records of diagnostics, in the order given.
pub fn records(diagnostics: &[Diagnostic], tree: &dyn SourceTree) -> Vec<DiagnosticRecord> {
    let texts = Texts::new(tree);
    diagnostics
        .iter()
        .map(|diagnostic| record(diagnostic, &texts))
        .collect()
}

fn record(diagnostic: &Diagnostic, texts: &Texts<'_>) -> DiagnosticRecord {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = diagnostic
        .primary
        .as_ref()
        .map(|(span, label)| place(span, label, texts));
    DiagnosticRecord {
        id: diagnostic.id.to_owned(),
        severity: severity.to_owned(),
        message: shown(&diagnostic.message),
        file: place.as_ref().map(|place| place.file.clone()),
        line: place.as_ref().and_then(|place| place.line),
        column: place.as_ref().and_then(|place| place.column),
        end_line: place.as_ref().and_then(|place| place.end_line),
        end_column: place.as_ref().and_then(|place| place.end_column),
        label: place.map(|place| place.message),
        labels: diagnostic
            .secondary
            .iter()
            .map(|(span, label)| self::place(span, label, texts))
            .collect(),
        notes: sentences(&diagnostic.notes),
        hints: sentences(&diagnostic.hints),
        trace: diagnostic
            .trace
            .iter()
            .map(|step| self::place(&step.span, &step.what, texts))
            .collect(),
    }
}

fn sentences(texts: &[String]) -> Vec<TextRecord> {
    texts
        .iter()
        .map(|text| TextRecord { text: shown(text) })
        .collect()
}

fn place(span: &Span, message: &str, texts: &Texts<'_>) -> PlaceRecord {
    let start = texts.line_column(span.start, &span.path);
    let end = texts.line_column(span.end, &span.path);
    PlaceRecord {
        message: shown(message),
        file: span.path.to_string(),
        line: start.map(|(line, _)| line),
        column: start.map(|(_, column)| column),
        end_line: end.map(|(line, _)| line),
        end_column: end.map(|(_, column)| column),
    }
}
