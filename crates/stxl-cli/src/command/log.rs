//! `stxl log`.

use stxl_model::PlanNode;
use stxl_store::{Store, StoreError};

use crate::arguments::{Arguments, LogArguments, Selection};
use crate::evaluation::{self, Audience};
use crate::failure::{Failure, of_store};
use crate::terminal::{Terminal, Tone, print_data};
use crate::{place, session, steps};

pub(crate) fn run(
    arguments: &Arguments,
    log: &LogArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let (label, number) = steps::named("log", &log.label, log.step)?;
    let selection = Selection::of(label, &log.variant);
    let plan = evaluation::plan(&workspace, &selection, Audience::Person, terminal)?;
    let store = session::open_store_only(arguments)?;
    let steps = steps::of_label(&plan, label)?;
    let chosen = match number {
        Some(number) => vec![steps::numbered(&steps, number, &workspace, &selection)?],
        None => steps,
    };
    let mut is_any = false;
    for node in chosen {
        let found = bytes_of(&store, node).map_err(|error| of_store(&error))?;
        let Some((bytes, state)) = found else {
            continue;
        };
        is_any = true;
        let name = terminal.paint(Tone::Faint, format!("--- {} ({state})", node.origin.name));
        terminal.note(&name);
        print_data(&bytes)?;
    }
    if is_any {
        Ok(())
    } else {
        Err(Failure::usage(format!(
            "`{label}` has no log: it was not built from this text"
        ))
        .hint(format!(
            "stxl build {}",
            evaluation::request_text(&selection)
        )))
    }
}

/// The log of a step's recorded execution, or of its last failed one.
fn bytes_of(store: &Store, node: &PlanNode) -> Result<Option<(Vec<u8>, &'static str)>, StoreError> {
    if let Some(action) = store.memo(&node.id)?
        && let Some(realisation) = store.chosen(&action)?
    {
        return match realisation.log {
            Some(log) => Ok(Some((store.read_blob(&log)?, "built"))),
            None => Ok(Some((Vec::new(), "built, no output"))),
        };
    }
    let failed = stxl_build::failed_log(store, node)?;
    failed
        .map(|log| Ok((store.read_blob(&log)?, "failed")))
        .transpose()
}
