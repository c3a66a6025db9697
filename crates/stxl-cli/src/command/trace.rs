//! `stxl trace`.

mod climb;
mod page;
mod telling;

use std::path::Path;

use stxl_build::LineageError;
use stxl_model::{DerivationId, OutputName, Plan, RootPath, Selector};

use crate::arguments::{Arguments, Selection, TraceArguments};
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure, of_store};
use crate::progress::plural;
use crate::terminal::{Terminal, Tone, print_data, print_record};
use crate::{place, session};

use climb::Climb;
use telling::Telling;

pub(crate) fn run(
    arguments: &Arguments,
    trace: &TraceArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let out = trace.told.out.as_deref().map(place::absolute).transpose()?;
    let audience = if trace.told.json {
        Audience::Program
    } else {
        Audience::Person
    };
    if let Some(out) = &out {
        check_ending(out)?;
    }
    let (label, path) = label_and_path(&trace.subject)?;
    let selection = Selection::of(label, &trace.variant);
    let surveyed = evaluation::survey(&workspace, &selection, audience, terminal)?;
    let sayings = match out {
        Some(_) => surveyed.sayings()?,
        None => Vec::new(),
    };
    let plan = &surveyed.plan;
    let output = output_of(plan, label)?;
    // The store comes last: who opens it may not read the text any more.
    let store = session::open_store_only(arguments)?;
    let lineage = stxl_build::lineage(&store, plan, output, &path)
        .map_err(|error| failure_of(&error, label, &selection))?;
    let telling = Telling {
        subject: &trace.subject,
        path: &path,
        plan,
        lineage: &lineage,
        climb: Climb::of(&store, plan, &lineage).map_err(|error| of_store(&error))?,
    };
    match (&out, audience) {
        (Some(out), _) => write_page(out, &page::text(&telling, &sayings), terminal)?,
        (None, Audience::Program) => print_record(&telling.record())?,
        (None, Audience::Person) => print_data(telling.text(trace.told.files).as_bytes())?,
    }
    if trace.no_opaque {
        refuse_opaque(&telling, terminal)
    } else {
        Ok(())
    }
}

/// The label and the path behind it; the whole output without one.
fn label_and_path(subject: &str) -> Result<(&str, RootPath), Failure> {
    let Some((label, path)) = subject.split_once(":/") else {
        return Ok((subject, RootPath::root()));
    };
    let path = RootPath::parse(format!("/{path}").as_bytes()).map_err(Failure::usage)?;
    Ok((label, path))
}

/// The derivation of the output that a label names; `main` when it names none.
fn output_of<'p>(plan: &'p Plan, label: &str) -> Result<&'p DerivationId, Failure> {
    let selector = Selector::parse(label).map_err(Failure::usage)?;
    let (package, output) = match &selector {
        Selector::Output(label) => (&label.package, label.output.clone()),
        Selector::Package(package) => (package, OutputName::main()),
        Selector::All | Selector::Stage(_) => {
            return Err(
                Failure::usage(format!("`{label}` is no package, but a stage"))
                    .hint("ask about one package: `stxl trace core/zlib`"),
            );
        }
    };
    let root = plan.roots().iter().find(|root| root.label == *package);
    let found = root.and_then(|root| root.outputs.iter().find(|(name, _)| **name == output));
    let found = found.map(|(_, id)| id);
    found.ok_or_else(|| Failure::usage(format!("`{package}` has no output `{output}`")))
}

fn failure_of(error: &LineageError, label: &str, selection: &Selection) -> Failure {
    match error {
        LineageError::Store(error) => of_store(error),
        LineageError::NotBuilt { .. } => Failure::usage(error).hint(format!(
            "stxl build {}",
            evaluation::request_text(selection)
        )),
        LineageError::NothingThere { .. } => {
            Failure::usage(format!("{error} in `{label}`")).hint(format!(
                "look: ls $(stxl store path {})",
                evaluation::request_text(selection)
            ))
        }
        LineageError::LeadsElsewhere { .. } | LineageError::Circle { .. } => Failure::usage(error),
    }
}

/// A page is all that can be written.
fn check_ending(out: &Path) -> Result<(), Failure> {
    let ending = out.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("html" | "htm") => Ok(()),
        Some(_) | None => Err(Failure::usage(format!(
            "`{}` would be a page, and its name does not say so",
            out.display()
        ))
        .hint("end it in `.html`")),
    }
}

fn write_page(out: &Path, text: &str, terminal: Terminal) -> Result<(), Failure> {
    let shown = out.display();
    std::fs::write(out, text)
        .map_err(|error| Failure::environment(format!("`{shown}` cannot be written: {error}")))?;
    terminal.note(&format!("wrote {shown}"));
    Ok(())
}

/// Says no to what nothing of the plan made.
fn refuse_opaque(telling: &Telling<'_>, terminal: Terminal) -> Result<(), Failure> {
    let found = telling.opaque_lines();
    if found.is_empty() {
        return Ok(());
    }
    let error = terminal.paint(Tone::Bad, "error");
    terminal.note(&format!(
        "{error}: `{}` was made with what nothing of the plan made:",
        telling.subject
    ));
    for line in &found {
        terminal.note(&format!("  {line}"));
    }
    terminal.note(&plural(found.len(), "input"));
    Err(Failure::shown(Exit::CheckFailed))
}
