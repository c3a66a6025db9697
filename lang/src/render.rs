//! Diagnostics for people, and the same for programs ([`wire`]).

mod excerpt;
pub mod wire;

use codespan_reporting::diagnostic::{Diagnostic as Report, Label, LabelStyle, Severity as Level};
use codespan_reporting::files::Error;
use codespan_reporting::term::termcolor::Ansi;
use codespan_reporting::term::{
    Chars, Config, Styles, StylesWriter, emit_to_io_write, emit_to_write_style,
};

use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::source::SourceTree;
use excerpt::{Excerpts, Texts, shown};

/// Whether colours are added. They never say anything that the text does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With escape sequences for a terminal.
    Colored,
}

/// More steps of a trace than this are listed and not shown.
const SHOWN_STEPS_MAX: usize = 8;

/// Renders diagnostics in the order given, each with the lines of the text it speaks of.
///
/// Nothing in the texts can do harm: long lines are cut around the place, control characters and
/// bytes that are no UTF-8 are replaced, a file that is gone is only named.
pub fn render(diagnostics: &[Diagnostic], tree: &dyn SourceTree, style: Style) -> String {
    let texts = Texts::new(tree);
    let mut written = Vec::new();
    for diagnostic in diagnostics {
        let before = written.len();
        if write_one(diagnostic, &texts, style, &mut written).is_err() {
            // Without its excerpts it can still be said.
            written.truncate(before);
            let line = format!("{}\n\n", header(diagnostic));
            written.extend_from_slice(line.as_bytes());
        }
    }
    String::from_utf8_lossy(&written).into_owned()
}

/// One line for places where an excerpt has no room, such as a log.
pub fn header(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!(
        "{severity}[{}]: {}",
        diagnostic.id,
        shown(&diagnostic.message)
    )
}

/// A place that is shown or, failing that, named.
struct Mark<'a> {
    span: &'a Span,
    text: &'a str,
    style: LabelStyle,
}

fn write_one(
    diagnostic: &Diagnostic,
    texts: &Texts<'_>,
    style: Style,
    into: &mut Vec<u8>,
) -> Result<(), Error> {
    let marks = marks_of(diagnostic);
    let mut notes = Vec::new();
    let mut visible = Vec::new();
    for mark in marks {
        if texts.has(&mark.span.path) {
            visible.push(mark);
        } else if mark.text.is_empty() {
            notes.push(format!("in `{}`", mark.span.path));
        } else {
            notes.push(format!("{} (in `{}`)", mark.text, mark.span.path));
        }
    }
    if diagnostic.trace.len() > SHOWN_STEPS_MAX {
        notes.extend(diagnostic.trace.iter().map(|step| {
            let place = texts.place(&step.span);
            format!("{} ({place})", step.what)
        }));
    }
    notes.extend(diagnostic.notes.iter().cloned());
    notes.extend(diagnostic.hints.iter().map(|hint| format!("hint: {hint}")));

    let spans: Vec<&Span> = visible.iter().map(|mark| mark.span).collect();
    let excerpts = Excerpts::cut(texts, &spans);
    let labels = visible
        .iter()
        .map(|mark| {
            let (file, range) = excerpts.range(mark.span);
            Label::new(mark.style, file, range).with_message(shown(mark.text))
        })
        .collect();
    let level = match diagnostic.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
    };
    let report = Report::new(level)
        .with_code(diagnostic.id)
        .with_message(shown(&diagnostic.message))
        .with_labels(labels)
        .with_notes(notes.iter().map(|note| shown(note)).collect());
    let config = Config {
        chars: Chars::box_drawing(),
        ..Config::default()
    };
    match style {
        Style::Plain => emit_to_io_write(into, &config, &excerpts, &report),
        Style::Colored => {
            let styles = Styles::default();
            let mut writer = StylesWriter::new(Ansi::new(into), &styles);
            emit_to_write_style(&mut writer, &config, &excerpts, &report)
        }
    }
}

/// The places of a diagnostic: its own, those of its trace (outermost first), the others.
fn marks_of(diagnostic: &Diagnostic) -> Vec<Mark<'_>> {
    let mut marks: Vec<Mark<'_>> = Vec::new();
    if let Some((span, text)) = &diagnostic.primary {
        marks.push(Mark {
            span,
            text,
            style: LabelStyle::Primary,
        });
    }
    if diagnostic.trace.len() <= SHOWN_STEPS_MAX {
        marks.extend(diagnostic.trace.iter().map(|step| Mark {
            span: &step.span,
            text: &step.what,
            style: LabelStyle::Secondary,
        }));
    }
    marks.extend(diagnostic.secondary.iter().map(|(span, text)| Mark {
        span,
        text,
        style: LabelStyle::Secondary,
    }));
    marks
}
