//! `stxl lint`.

mod observe;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};

use serde::Serialize;
use stxl_eval::REVIEW_IDS;
use stxl_lang::Diagnostic;
use stxl_lang::render::Style;
use stxl_lang::render::wire::DiagnosticRecord;

use crate::arguments::{Arguments, LintArguments};
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure};
use crate::place;
use crate::progress::plural;
use crate::terminal::{Terminal, Tone, print_data, print_record};
use observe::{OBSERVED_IDS, Observation};

/// The kinds of warnings that an evaluation gives.
const WARNING_IDS: [&str; 4] = [
    "hash-not-literal",
    "late-import",
    "open-comment",
    "version-not-literal",
];

/// What it prints for programs.
#[derive(Serialize)]
struct LintRecord {
    version: u32,
    event: &'static str,
    diagnostics: Vec<DiagnosticRecord>,
    /// How many remarks were let pass.
    allowed: usize,
}

pub(crate) fn run(
    arguments: &Arguments,
    lint: &LintArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    check_ids(&lint.allow)?;
    let workspace = place::workspace(arguments)?;
    let audience = if lint.json {
        Audience::Program
    } else {
        Audience::Person
    };
    let surveyed = evaluation::survey_keeping(&workspace, &lint.selection, audience, terminal)?;
    let mut remarks = surveyed.remarks()?;
    if lint.observe {
        let observation = Observation::of(&surveyed)?;
        remarks.extend(observation.remarks(arguments, lint, (audience, terminal))?);
        evaluation::sort_by_place(&mut remarks);
    }
    let is_allowed = |remark: &Diagnostic| lint.allow.iter().any(|id| id == remark.id);
    let (allowed, remarks): (Vec<Diagnostic>, Vec<Diagnostic>) =
        remarks.into_iter().partition(is_allowed);
    let texts = surveyed.texts();
    match audience {
        Audience::Program => print_record(&LintRecord {
            version: 1,
            event: "lint",
            diagnostics: evaluation::diagnostic_records(&remarks, &texts)?,
            allowed: allowed.len(),
        })?,
        Audience::Person => {
            let style = if terminal.is_colored() && io::stdout().is_terminal() {
                Style::Colored
            } else {
                Style::Plain
            };
            print_data(evaluation::excerpts(&remarks, &texts, style)?.as_bytes())?;
            terminal.note(&totals(&remarks, allowed.len(), terminal));
        }
    }
    if remarks.is_empty() {
        Ok(())
    } else {
        Err(Failure::shown(Exit::CheckFailed))
    }
}

/// Refuses to let pass what there is not.
fn check_ids(allowed: &[String]) -> Result<(), Failure> {
    let known = || {
        let own = WARNING_IDS.into_iter().chain(OBSERVED_IDS);
        REVIEW_IDS.into_iter().chain(own)
    };
    let unknown = allowed
        .iter()
        .find(|id| known().all(|it| it != id.as_str()));
    let Some(unknown) = unknown else {
        return Ok(());
    };
    let mut known: Vec<String> = known().map(|id| format!("`{id}`")).collect();
    known.sort();
    let message = format!("there is no remark `{unknown}`");
    Err(Failure::usage(message).hint(format!("there are {}", known.join(", "))))
}

fn totals(remarks: &[Diagnostic], allowed: usize, terminal: Terminal) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for remark in remarks {
        *counts.entry(remark.id).or_default() += 1;
    }
    let counts = counts.iter().map(|(id, count)| format!("{count} {id}"));
    let counts: Vec<String> = counts.collect();
    let mut text = match remarks.len() {
        0 => terminal.paint(Tone::Good, "no remark"),
        count => format!("{}: {}", plural(count, "remark"), counts.join(", ")),
    };
    if allowed > 0 {
        text += &format!("; {allowed} let pass");
    }
    text
}
