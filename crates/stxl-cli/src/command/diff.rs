//! `stxl diff`.

use std::path::Path;

use serde::Serialize;
use stxl_build::{Forecast, NodeStatus, Work};
use stxl_model::{PackageChange, PackageLabel, Plan, PlanDifference};

use crate::arguments::{Arguments, DiffArguments, Selection};
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure, of_store};
use crate::interrupt;
use crate::news::{OutputRecord, PackageRecord};
use crate::place;
use crate::progress::plural;
use crate::revision::Revision;
use crate::session;
use crate::terminal::{Terminal, Tone, duration, print_data, print_record};

/// What it prints for programs.
#[derive(Serialize)]
struct DiffRecord<'r> {
    version: u32,
    event: &'static str,
    before: SideRecord<'r>,
    after: SideRecord<'r>,
    packages: Vec<WorkedRecord<'r>>,
    outputs: Vec<OutputRecord<'r>>,
    totals: TotalsRecord,
}

#[derive(Serialize)]
struct SideRecord<'r> {
    /// `revision`, `plan` or `workspace`.
    kind: &'static str,
    name: Option<&'r str>,
    commit: Option<&'r str>,
}

#[derive(Serialize)]
struct WorkedRecord<'r> {
    #[serde(flatten)]
    package: PackageRecord<'r>,
    to_run: WorkRecord,
}

/// Steps of the newer plan alone that have no result.
#[derive(Serialize)]
struct WorkRecord {
    steps: usize,
    never_ran: usize,
    expected_ms: u64,
}

#[derive(Serialize)]
struct TotalsRecord {
    added: usize,
    removed: usize,
    changed: usize,
    cascade: usize,
    to_run: WorkRecord,
    longest_ms: u64,
}

/// A plan, and what it is of.
struct Side<'s> {
    plan: Plan,
    kind: SideKind<'s>,
}

enum SideKind<'s> {
    Revision { name: &'s str, commit: String },
    Saved(&'s str),
    Workspace,
}

pub(crate) fn run(
    arguments: &Arguments,
    diff: &DiffArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let audience = if diff.json {
        Audience::Program
    } else {
        Audience::Person
    };
    // A folder that a revision was written to goes away whatever ends the command.
    let cancel = interrupt::cancel_on_signals()?;
    let reading = Reading {
        workspace: &workspace,
        selection: Selection {
            labels: diff.of.clone(),
            variant: diff.variant.clone(),
        },
        audience,
        terminal,
    };
    let sides = reading.side(Some(&diff.before)).and_then(|before| {
        let after = reading.side(diff.after.as_deref())?;
        Ok((before, after))
    });
    if cancel.is_cancelled() {
        return Err(Failure::shown(Exit::Interrupted));
    }
    let (before, after) = sides?;
    let difference = PlanDifference::between(&before.plan, &after.plan);
    let forecast = forecast(arguments, &before.plan, &after.plan)?;
    match audience {
        Audience::Program => print_record(&record(&before, &after, &difference, &forecast)),
        Audience::Person => {
            print_data(lines(&difference, &forecast, terminal).as_bytes())?;
            terminal.note(&totals(&difference, &forecast));
            Ok(())
        }
    }
}

/// What the steps take that only the newer plan has and that have no result.
fn forecast(arguments: &Arguments, before: &Plan, after: &Plan) -> Result<Forecast, Failure> {
    let store = session::open_store_only(arguments)?;
    let statuses = stxl_build::status(&store, after).map_err(|error| of_store(&error))?;
    let is_wanted = |position: usize| {
        let node = &after.nodes()[position];
        before.position(&node.id).is_none() && statuses[position] != NodeStatus::Cached
    };
    stxl_build::forecast(&store, after, is_wanted).map_err(|error| of_store(&error))
}

/// How plans are come by.
struct Reading<'r> {
    workspace: &'r Path,
    selection: Selection,
    audience: Audience,
    terminal: Terminal,
}

impl Reading<'_> {
    /// The plan of a revision, of a file, or of the workspace as it is.
    fn side<'s>(&self, name: Option<&'s str>) -> Result<Side<'s>, Failure> {
        let Some(name) = name else {
            let (audience, terminal) = (self.audience, self.terminal);
            return Ok(Side {
                plan: evaluation::plan(self.workspace, &self.selection, audience, terminal)?,
                kind: SideKind::Workspace,
            });
        };
        if let Some(plan) = saved_plan(name)? {
            let kind = SideKind::Saved(name);
            return Ok(Side { plan, kind });
        }
        let revision = Revision::check_out(self.workspace, name)?;
        for path in &revision.left_out {
            let note = format!("`{path}` is a submodule in `{name}`, and left out");
            self.terminal.note(&note);
        }
        let (folder, audience) = (&revision.workspace, self.audience);
        let plan = evaluation::forgotten_plan(folder, &self.selection, audience, self.terminal);
        if plan.is_err() {
            self.terminal.note(&format!("there is no plan of `{name}`"));
        }
        Ok(Side {
            plan: plan?,
            kind: SideKind::Revision {
                name,
                commit: revision.commit.clone(),
            },
        })
    }
}

/// The plan in a file; none if there is no such file, or it holds something else.
fn saved_plan(name: &str) -> Result<Option<Plan>, Failure> {
    let path = place::absolute(Path::new(name))?;
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path)
        .map_err(|error| Failure::environment(format!("`{name}` cannot be read: {error}")))?;
    if !Plan::is_begun_by(&bytes) {
        return Ok(None);
    }
    let plan = Plan::from_bytes(&bytes);
    plan.map(Some).map_err(|error| {
        Failure::usage(format!("`{name}`: {error}"))
            .hint("save it again: `stxl eval --save-plan FILE`")
    })
}

fn lines(difference: &PlanDifference, forecast: &Forecast, terminal: Terminal) -> String {
    let labels = difference.packages.keys().map(|it| it.as_str().len());
    let width = labels.max().unwrap_or(0);
    let mut text = String::new();
    for (label, package) in &difference.packages {
        let tone = match package.change {
            PackageChange::Added => Tone::Good,
            PackageChange::Removed => Tone::Bad,
            PackageChange::Changed => Tone::Careful,
            PackageChange::Cascade => Tone::Faint,
        };
        let change = format!("{:<8}", package.change.name());
        text += &format!(
            "{:<width$}  {}",
            label.as_str(),
            terminal.paint_data(tone, &change)
        );
        let own = |name: &String| own_name(label, name).to_owned();
        let recipes: Vec<String> = package.recipes.iter().map(own).collect();
        let mut notes = Vec::new();
        if package.change == PackageChange::Changed {
            notes.push(match recipes.as_slice() {
                [] => "what its outputs are".to_owned(),
                recipes => recipes.join(", "),
            });
        }
        notes.extend(work_text(forecast.packages.get(label)));
        text = format!("{text}  {}", notes.join("; "));
        text = text.trim_end().to_owned() + "\n";
    }
    text
}

/// The name of a derivation within its package.
fn own_name<'n>(label: &PackageLabel, name: &'n str) -> &'n str {
    match name.strip_prefix(label.as_str()) {
        Some("") => "main",
        Some(rest) => rest.trim_start_matches([':', ' ']),
        None => name,
    }
}

/// Nothing for no work.
fn work_text(work: Option<&Work>) -> Option<String> {
    let Work { steps, unknown, ms } = work.copied()?;
    let text = plural(steps, "step");
    Some(match steps - unknown {
        0 => format!("{text}, never ran"),
        _ if unknown == 0 => format!("{text}, {}", about(ms)),
        _ => format!("{text}, {} and {unknown} that never ran", about(ms)),
    })
}

fn about(ms: u64) -> String {
    match ms {
        ..1000 => "less than a second".to_owned(),
        ms => format!("about {}", duration(ms)),
    }
}

fn totals(difference: &PlanDifference, forecast: &Forecast) -> String {
    if difference.is_empty() {
        return "the plans are the same".to_owned();
    }
    let changes = [
        PackageChange::Added,
        PackageChange::Removed,
        PackageChange::Changed,
        PackageChange::Cascade,
    ];
    let counts = changes.map(|change| (difference.count_of(change), change.name()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let mut text = counts.join(", ");
    if let Some(work) = work_text(Some(&forecast.work)).filter(|_| forecast.work.steps > 0) {
        text += &format!("; to run at most {work}");
        if forecast.longest_ms >= 1000 {
            text += &format!(
                ", of which {} one after the other",
                duration(forecast.longest_ms)
            );
        }
    }
    text
}

fn record<'r>(
    before: &'r Side<'_>,
    after: &'r Side<'_>,
    difference: &'r PlanDifference,
    forecast: &Forecast,
) -> DiffRecord<'r> {
    let packages = difference.packages.iter();
    let packages = packages.map(|(label, package)| WorkedRecord {
        package: PackageRecord::of(label, package),
        to_run: work_record(forecast.packages.get(label).copied().unwrap_or_default()),
    });
    let outputs = difference.outputs.iter().map(OutputRecord::of);
    DiffRecord {
        version: 1,
        event: "diff",
        before: side_record(before),
        after: side_record(after),
        packages: packages.collect(),
        outputs: outputs.collect(),
        totals: TotalsRecord {
            added: difference.count_of(PackageChange::Added),
            removed: difference.count_of(PackageChange::Removed),
            changed: difference.count_of(PackageChange::Changed),
            cascade: difference.count_of(PackageChange::Cascade),
            to_run: work_record(forecast.work),
            longest_ms: forecast.longest_ms,
        },
    }
}

fn work_record(work: Work) -> WorkRecord {
    WorkRecord {
        steps: work.steps,
        never_ran: work.unknown,
        expected_ms: work.ms,
    }
}

fn side_record<'r>(side: &'r Side<'_>) -> SideRecord<'r> {
    let (kind, name, commit) = match &side.kind {
        SideKind::Revision { name, commit } => ("revision", Some(*name), Some(commit.as_str())),
        SideKind::Saved(name) => ("plan", Some(*name), None),
        SideKind::Workspace => ("workspace", None, None),
    };
    SideRecord { kind, name, commit }
}
