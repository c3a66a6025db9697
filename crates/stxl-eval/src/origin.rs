//! Where a value comes from: a field of a definition, or a part of a step.
//!
//! What can be read from the text is read there: which call sets a field, what its expression is
//! made of, which calls lead to a root operation. Whether a value depends on another one is tried:
//! the other one is changed, the file evaluated again, and the value looked at.

mod changed;
mod field;
mod path;
mod record;
mod step;

use std::fmt;

use stxl_lang::{FieldStep, SourcePath, Span};
use stxl_model::PackageLabel;

pub use record::{ORIGIN_RECORD_VERSION, OriginRecord};

use crate::child::{ChildError, ChildRequest, EvaluatorProgram, Inquiry, ask_child};
use crate::database::{Configured, Database, Db as _, FileState};
use crate::evaluator::{Evaluation, Parts, Scope};
use path::{Path, Step};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The package.
    pub label: String,
    /// What was asked for, as it was written.
    pub field: String,
    /// The value, as text; none when no text says it.
    pub value: Option<String>,
    /// From the text that says it first to what is made of it.
    pub chain: Vec<Waypoint>,
    /// What cannot be told, a sentence each.
    pub unknown: Vec<String>,
}

impl fmt::Display for Provenance {
    /// The value, each place with the line it is on, and what cannot be told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {}", self.field, self.label)?;
        for line in self.value.iter().flat_map(|value| value.lines()) {
            writeln!(f, "  = {line}")?;
        }
        for place in &self.chain {
            let (file, line, column) = (&place.file, place.line, place.column);
            writeln!(f, "{file}:{line}:{column}: {}", place.what)?;
            writeln!(f, "  | {}", place.text)?;
        }
        for unknown in &self.unknown {
            writeln!(f, "cannot be told: {unknown}")?;
        }
        Ok(())
    }
}

/// A place that a value came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waypoint {
    /// What happens there.
    pub what: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The line as it is written, without its indentation.
    pub text: String,
}

/// An evaluation, and where a value of it comes from.
#[derive(Debug)]
pub struct Explained {
    /// What it gave.
    pub evaluation: Evaluation,
    /// Where the value comes from, or why nothing is found of that name; none when the text is
    /// wrong.
    pub origin: Option<Result<Provenance, String>>,
}

/// Evaluates in a child process, and has it tell where a value of the package that the request
/// selects comes from: `version`, `env.CFLAGS`, `needs[2]`, and of the package's second step
/// `step.2.command`, `step.2.env.CFLAGS` and `step.2.inputs[0]`.
pub fn explain_in_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    field: &str,
) -> Result<Explained, ChildError> {
    let inquiry = Inquiry::Origin(field.to_owned());
    let answer = ask_child(program, request, &Scope::Everything, &inquiry)?;
    Ok(Explained {
        evaluation: answer.recorded.into_evaluation(),
        origin: found_of(&answer.findings)?,
    })
}

/// As [`explain_in_child`], of a package whose text is known to be right: nothing that it needs is
/// evaluated. None when the text is wrong after all.
pub fn explain_alone_in_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    field: &str,
) -> Result<Option<Result<Provenance, String>>, ChildError> {
    let inquiry = Inquiry::Origin(field.to_owned());
    let scope = Scope::Only(Parts::default());
    let answer = ask_child(program, request, &scope, &inquiry)?;
    found_of(&answer.findings)
}

fn found_of(findings: &[u8]) -> Result<Option<Result<Provenance, String>>, ChildError> {
    if findings.is_empty() {
        return Ok(None);
    }
    let damaged = |error: serde_json::Error| ChildError::Answer {
        reason: error.to_string(),
    };
    record::decode(findings).map(Some).map_err(damaged)
}

/// Where a value of a package comes from, on its way to the parent process.
pub(crate) fn find_encoded(
    db: &Database,
    label: &PackageLabel,
    configured: &Configured,
    field: &str,
) -> Vec<u8> {
    record::encode(&find(db, label, configured, field))
}

fn find(
    db: &Database,
    label: &PackageLabel,
    configured: &Configured,
    text: &str,
) -> Result<Provenance, String> {
    let asked = Path::parse(text).ok_or_else(|| {
        format!(
            "`{text}` names no value; as in `version`, `env.CFLAGS`, `needs[0]`, `step.1.command`"
        )
    })?;
    let search = Search { db, label };
    let (value, found) = match &asked {
        Path::Field(steps) => {
            let (value, found) = field::find(search, steps)?;
            (Some(value), found)
        }
        Path::PartOfStep(number, part) => step::find(search, configured, *number, part)?,
    };
    let Found { chain, mut unknown } = found;
    unknown.sort();
    unknown.dedup();
    Ok(Provenance {
        label: label.to_string(),
        field: text.to_owned(),
        value,
        chain,
        unknown,
    })
}

/// What is looked at.
#[derive(Clone, Copy)]
struct Search<'s> {
    db: &'s Database,
    label: &'s PackageLabel,
}

/// A chain of places, and what cannot be told.
#[derive(Clone, Default)]
struct Found {
    chain: Vec<Waypoint>,
    unknown: Vec<String>,
}

impl Found {
    /// Adds what another one found, but for places that are known.
    fn add(&mut self, other: Self) {
        for waypoint in other.chain {
            if !self.chain.contains(&waypoint) {
                self.chain.push(waypoint);
            }
        }
        self.unknown.extend(other.unknown);
    }
}

fn borrowed(steps: &[Step]) -> Vec<FieldStep<'_>> {
    steps.iter().map(Step::borrowed).collect()
}

impl Search<'_> {
    /// A place as it is shown.
    fn waypoint(&self, what: impl Into<String>, span: &Span) -> Waypoint {
        let text = self.text(&span.path);
        let before = text.get(..span.start as usize).unwrap_or_default();
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let line = text.get(begin..).unwrap_or_default();
        Waypoint {
            what: what.into(),
            file: span.path.to_string(),
            line: count(before.matches('\n').count()),
            column: count(before.get(begin..).unwrap_or_default().chars().count()),
            text: line.lines().next().unwrap_or_default().trim().to_owned(),
        }
    }

    /// Evaluates a file once, with a clock of its own.
    fn evaluating<T>(&self, path: &SourcePath, evaluate: impl FnOnce() -> T) -> T {
        self.db.shared().evaluating(Some(path));
        let evaluated = evaluate();
        self.db.shared().evaluating(None);
        evaluated
    }

    fn text(&self, path: &SourcePath) -> String {
        if let Some(text) = self.db.shared().language.stdlib_text(path) {
            return text.to_string();
        }
        match self.db.file(path).state(self.db) {
            FileState::File(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            FileState::Directory | FileState::Missing | FileState::Unreadable(_) => String::new(),
        }
    }
}

/// A number from 1 of one from 0.
fn count(before: usize) -> u32 {
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}
