//! `stxl doctor`.

use serde::Serialize;
use stxl_sandbox::{GuardState, self_test};

use crate::arguments::{Arguments, DoctorArguments};
use crate::failure::{Exit, Failure};
use crate::session;
use crate::terminal::{Terminal, Tone, print_data, print_record};

/// One line of `stxl doctor --json`.
#[derive(Serialize)]
struct WireGuard<'a> {
    guard: &'a str,
    stops: &'a str,
    state: &'a str,
    reason: Option<&'a str>,
}

/// The record of `stxl doctor --json`.
#[derive(Serialize)]
struct WireReport<'a> {
    version: u32,
    healthy: bool,
    guards: Vec<WireGuard<'a>>,
}

pub(crate) fn run(
    arguments: &Arguments,
    doctor: &DoctorArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let session = session::open(arguments)?;
    let reports = self_test(&session.launcher);
    let guards: Vec<WireGuard<'_>> = reports
        .iter()
        .map(|report| {
            let (state, reason) = match &report.state {
                GuardState::Observed => ("observed", None),
                GuardState::SetUp => ("set-up", None),
                GuardState::Unknown => ("unknown", None),
                GuardState::Missing(reason) => ("missing", Some(reason.as_str())),
            };
            WireGuard {
                guard: report.guard.name(),
                stops: report.guard.stops(),
                state,
                reason,
            }
        })
        .collect();
    let missing = guards
        .iter()
        .filter(|guard| guard.state == "missing" || guard.state == "unknown")
        .count();
    if doctor.json {
        let report = WireReport {
            version: 1,
            healthy: missing == 0,
            guards,
        };
        print_record(&report)?;
    } else {
        print_data(table(&guards, terminal).as_bytes())?;
    }
    if missing == 0 {
        terminal.note(&format!("all {} guards hold here", reports.len()));
        Ok(())
    } else {
        terminal.note(&format!(
            "{missing} of {} guards are missing: builds refuse to run",
            reports.len()
        ));
        Err(Failure::shown(Exit::Environment))
    }
}

fn table(guards: &[WireGuard<'_>], terminal: Terminal) -> String {
    let mut table = String::new();
    for guard in guards {
        let (tone, word) = match guard.reason {
            None if guard.state == "unknown" => (Tone::Careful, guard.state),
            None => (Tone::Good, guard.state),
            Some(_) => (Tone::Bad, guard.state),
        };
        let word = terminal.paint_data(tone, &format!("{word:>8}"));
        let text = guard.reason.unwrap_or(guard.stops);
        table += &format!("{word}  {:<22} {text}\n", guard.guard);
    }
    table
}
