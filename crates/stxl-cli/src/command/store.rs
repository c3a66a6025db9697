//! `stxl store gc|verify|path|rebuild-db`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use stxl_build::{BuildOptions, OutputPaths};
use stxl_model::{Digest, Label, Plan, TreeId};
use stxl_store::{GcPolicy, GcReport, Store, VerifyReport};

use crate::arguments::{
    Arguments, GcArguments, PathArguments, Selection, Variant, VerifyArguments,
};
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure, of_store};
use crate::progress::{Progress, plural};
use crate::session::{self, Session};
use crate::terminal::{Terminal, Tone, print_data, print_record, size};
use crate::{interrupt, place};

/// The record of `stxl store gc --json`.
#[derive(Serialize)]
struct WireGc {
    version: u32,
    checkouts: u64,
    objects: u64,
    packs: u64,
    bytes_freed: u64,
    bytes_left: u64,
}

/// The record of `stxl store verify --json`.
#[derive(Serialize)]
struct WireVerify {
    version: u32,
    bytes_checked: u64,
    damages: Vec<WireDamage>,
    objects: Vec<String>,
    repaired: bool,
}

#[derive(Serialize)]
struct WireDamage {
    path: String,
    offset: u64,
    what: String,
}

pub(crate) fn gc(
    arguments: &Arguments,
    gc: &GcArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let days = |days: u32| Duration::from_secs(u64::from(days) * 86_400);
    let policy = GcPolicy {
        keep_newer_than: gc.keep_days.map(days),
        bytes_max: gc.max_size.as_deref().map(parse_size).transpose()?,
        ..GcPolicy::default()
    };
    let store = session::open_store_to_collect(arguments)?;
    let report = store.gc(&policy).map_err(|error| of_store(&error))?;
    let GcReport {
        checkouts,
        objects,
        packs,
        bytes_freed,
        bytes_left,
    } = report;
    if gc.json {
        let record = WireGc {
            version: 1,
            checkouts,
            objects,
            packs,
            bytes_freed,
            bytes_left,
        };
        return print_record(&record);
    }
    terminal.note(&format!(
        "removed {objects} objects and {checkouts} checkouts: {} freed, {} left",
        size(bytes_freed),
        size(bytes_left)
    ));
    Ok(())
}

pub(crate) fn verify(
    arguments: &Arguments,
    verify: &VerifyArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    // A repair needs the plan of the workspace, which is read while root still may.
    let plan = if verify.repair {
        let workspace = place::workspace(arguments)?;
        let everything = Selection::default();
        Some((
            evaluation::plan(&workspace, &everything, Audience::Person, terminal)?,
            workspace,
        ))
    } else {
        None
    };
    let session = session::open_checking_index(arguments)?;
    let report = session.store.verify().map_err(|error| of_store(&error))?;
    for damage in &report.damages {
        let word = terminal.paint(Tone::Bad, "damaged");
        terminal.note(&format!(
            "{word} {} at byte {}: {}",
            damage.path, damage.offset, damage.what
        ));
    }
    let is_repaired = match &plan {
        Some((plan, workspace)) if !report.damages.is_empty() => {
            let options = BuildOptions {
                cancel: interrupt::cancel_on_signals()?,
                outputs: OutputPaths::Omit,
                ..session::options(workspace.clone(), "repair".to_owned())
            };
            repair(&session, &report, plan, &options, terminal)?
        }
        _ => false,
    };
    if verify.json {
        print_record(&wire(&report, is_repaired))?;
    }
    let checked = size(report.bytes_checked);
    if report.damages.is_empty() {
        terminal.note(&format!(
            "{checked} checked: every byte is as it was written"
        ));
        return Ok(());
    }
    let damages = plural(report.damages.len(), "damaged place");
    terminal.note(&format!("{checked} checked: {damages}"));
    if is_repaired {
        terminal.note("repaired");
        return Ok(());
    }
    Err(Failure::shown(Exit::CheckFailed))
}

/// Takes damaged objects out and builds them again. Whether nothing damaged is left.
fn repair(
    session: &Session,
    report: &VerifyReport,
    plan: &Plan,
    options: &BuildOptions,
    terminal: Terminal,
) -> Result<bool, Failure> {
    let damaged: BTreeSet<Digest> = report.objects.iter().map(|object| object.id).collect();
    session
        .store
        .quarantine(report)
        .map_err(|error| of_store(&error))?;
    let mut progress = Progress::new(terminal);
    let repaired = stxl_build::repair(session.context(plan, options), &damaged, &mut |event| {
        progress.show(event);
    })
    .map_err(Failure::environment)?;
    let after = session.store.verify().map_err(|error| of_store(&error))?;
    let is_whole = repaired.differing.is_empty() && repaired.failed.is_empty();
    Ok(is_whole && after.damages.is_empty())
}

fn wire(report: &VerifyReport, repaired: bool) -> WireVerify {
    let damages = report.damages.iter().map(|damage| WireDamage {
        path: damage.path.clone(),
        offset: damage.offset,
        what: damage.what.clone(),
    });
    WireVerify {
        version: 1,
        bytes_checked: report.bytes_checked,
        damages: damages.collect(),
        objects: report
            .objects
            .iter()
            .map(|object| object.id.to_string())
            .collect(),
        repaired,
    }
}

pub(crate) fn path(
    arguments: &Arguments,
    path: &PathArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let (store, tree) = built(arguments, (&path.label, &path.variant), terminal)?;
    let checkout = store.checkout(&tree).map_err(|error| of_store(&error))?;
    print_data(format!("{}\n", checkout.path().display()).as_bytes())
}

/// The store and the tree of an output that is built.
pub(crate) fn built(
    arguments: &Arguments,
    (label, variant): (&str, &Variant),
    terminal: Terminal,
) -> Result<(Store, TreeId), Failure> {
    let selection = Selection::of(label, variant);
    let label = Label::parse(label).map_err(Failure::usage)?;
    let workspace = place::workspace(arguments)?;
    let plan = evaluation::plan(&workspace, &selection, Audience::Person, terminal)?;
    let store = session::open_store_only(arguments)?;
    let id = plan
        .roots()
        .iter()
        .find_map(|root| root.outputs.get(&label.output));
    let not_built = || {
        let request = evaluation::request_text(&selection);
        Failure::usage(format!("`{label}` is not built")).hint(format!("stxl build {request}"))
    };
    let id = id.ok_or_else(not_built)?;
    let resolved = store
        .resolve(std::slice::from_ref(id))
        .map_err(|error| of_store(&error))?;
    let resolved = resolved
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(not_built)?;
    let is_here = store
        .has_tree_complete(&resolved.tree)
        .map_err(|error| of_store(&error))?;
    if is_here {
        Ok((store, resolved.tree))
    } else {
        Err(not_built())
    }
}

pub(crate) fn rebuild_db(arguments: &Arguments, terminal: Terminal) -> Result<(), Failure> {
    let store = session::open_store_only(arguments)?;
    store.rebuild_db().map_err(|error| of_store(&error))?;
    terminal.note("the database is made again from the objects");
    Ok(())
}

/// A size such as `500M` or `20G`, in powers of 1024; without a letter, bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, Failure> {
    let digits = text.trim_end_matches(|char: char| !char.is_ascii_digit());
    let factor: Option<u64> = match text.get(digits.len()..).unwrap_or_default() {
        "" => Some(1),
        "K" => Some(1 << 10),
        "M" => Some(1 << 20),
        "G" => Some(1 << 30),
        "T" => Some(1 << 40),
        _ => None,
    };
    let value = digits.parse::<u64>().ok();
    value
        .zip(factor)
        .and_then(|(value, factor)| value.checked_mul(factor))
        .ok_or_else(|| {
            Failure::usage(format!("`{text}` is not a size"))
                .hint("a number and one of K, M, G, T: 500M, 20G")
        })
}
