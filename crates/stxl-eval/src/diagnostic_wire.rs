//! Diagnostics as they cross between processes and are kept in records: JSON.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use stxl_lang::{Diagnostic, Severity, SourcePath, Span, Trace};

/// Most kinds of mistake that are remembered from what was read, and the longest name of one.
const IDS_MAX: usize = 1000;
const ID_BYTES_MAX: usize = 64;

/// Writes diagnostics; none are no bytes.
pub(crate) fn to_json(diagnostics: &[Diagnostic]) -> Result<Vec<u8>, serde_json::Error> {
    if diagnostics.is_empty() {
        return Ok(Vec::new());
    }
    let wire: Vec<DiagnosticWire> = diagnostics.iter().map(DiagnosticWire::from).collect();
    serde_json::to_vec(&wire)
}

/// Reads diagnostics.
pub(crate) fn from_json(json: &[u8]) -> Result<Vec<Diagnostic>, serde_json::Error> {
    if json.is_empty() {
        return Ok(Vec::new());
    }
    let wire: Vec<DiagnosticWire> = serde_json::from_slice(json)?;
    Ok(wire
        .into_iter()
        .map(DiagnosticWire::into_diagnostic)
        .collect())
}

#[derive(Serialize, Deserialize)]
struct DiagnosticWire {
    id: String,
    is_error: bool,
    message: String,
    primary: Option<(SpanWire, String)>,
    secondary: Vec<(SpanWire, String)>,
    notes: Vec<String>,
    hints: Vec<String>,
    trace: Vec<(String, SpanWire)>,
}

#[derive(Serialize, Deserialize)]
struct SpanWire(String, u32, u32);

impl From<&Span> for SpanWire {
    fn from(span: &Span) -> Self {
        Self(span.path.as_str().to_owned(), span.start, span.end)
    }
}

impl SpanWire {
    fn into_span(self) -> Span {
        Span {
            path: SourcePath::new(&self.0),
            start: self.1,
            end: self.2,
        }
    }
}

impl From<&Diagnostic> for DiagnosticWire {
    fn from(diagnostic: &Diagnostic) -> Self {
        let Diagnostic {
            id,
            severity,
            message,
            primary,
            secondary,
            notes,
            hints,
            trace,
        } = diagnostic;
        let place = |(span, text): &(Span, String)| (SpanWire::from(span), text.clone());
        Self {
            id: (*id).to_owned(),
            is_error: *severity == Severity::Error,
            message: message.clone(),
            primary: primary.as_ref().map(place),
            secondary: secondary.iter().map(place).collect(),
            notes: notes.clone(),
            hints: hints.clone(),
            trace: trace
                .iter()
                .map(|it| (it.what.to_string(), (&it.span).into()))
                .collect(),
        }
    }
}

impl DiagnosticWire {
    fn into_diagnostic(self) -> Diagnostic {
        let place = |(span, text): (SpanWire, String)| (span.into_span(), text);
        Diagnostic {
            id: known_id(&self.id),
            severity: if self.is_error {
                Severity::Error
            } else {
                Severity::Warning
            },
            message: self.message,
            primary: self.primary.map(place),
            secondary: self.secondary.into_iter().map(place).collect(),
            notes: self.notes,
            hints: self.hints,
            trace: self
                .trace
                .into_iter()
                .map(|(what, span)| Trace {
                    what: what.into(),
                    span: span.into_span(),
                })
                .collect(),
        }
    }
}

/// The one copy of a kind's name. Names are few and live as long as the program; their number is
/// bounded, for the child may be lying.
fn known_id(id: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(id) {
        return known;
    }
    if known.len() >= IDS_MAX || id.len() > ID_BYTES_MAX {
        return "other";
    }
    let id: &'static str = Box::leak(id.to_owned().into_boxed_str());
    known.insert(id);
    id
}
