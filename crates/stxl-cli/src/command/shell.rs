//! `stxl shell`.

use std::ffi::OsString;
use std::io::{self, Read as _, Seek as _};

use stxl_build::{BuildOptions, OutputPaths, StepEntry};
use stxl_model::PlanNode;
use stxl_sandbox::ExitStatus;
use stxl_store::Store;

use crate::arguments::{Arguments, Selection, ShellArguments};
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure, of_store};
use crate::progress::Progress;
use crate::session;
use crate::steps;
use crate::terminal::{Terminal, print_data};
use crate::{interrupt, place};

pub(crate) fn run(
    arguments: &Arguments,
    shell: &ShellArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let selection = Selection {
        labels: vec![shell.label.clone()],
    };
    let plan = evaluation::evaluate(&workspace, &selection, Audience::Person, terminal)?;
    let session = session::open(arguments)?;
    let steps = steps::of_label(&plan, &shell.label)?;
    let step = match shell.step {
        Some(number) => steps::numbered(&steps, number)?,
        None => default_step(&session.store, &steps)?,
    };
    let options = BuildOptions {
        cancel: interrupt::cancel_on_signals()?,
        outputs: OutputPaths::Omit,
        ..BuildOptions::new(workspace, format!("shell {}", shell.label))
    };
    let mut progress = Progress::new(terminal);
    let entry = stxl_build::prepare_step(
        (&session.store, &session.launcher),
        &plan,
        &step.id,
        &options,
        &mut |event| progress.show(event),
    )
    .map_err(Failure::environment)?;
    let StepEntry::Ready(mut prepared) = entry else {
        return Err(Failure::shown(Exit::BuildFailed));
    };
    terminal.note(&format!(
        "before {}; nothing that is changed here is kept",
        step.origin.name
    ));
    let words = if shell.command.is_empty() {
        vec!["/bin/sh".to_owned()]
    } else {
        shell.command.clone()
    };
    prepared.spec.commands = vec![words.into_iter().map(OsString::from).collect()];
    let running = session
        .launcher
        .spawn(&prepared.spec)
        .map_err(Failure::environment)?;
    let outcome = running.wait().map_err(Failure::environment)?;
    let mut log = prepared.log.as_ref();
    let mut said = Vec::new();
    log.rewind()
        .and_then(|()| log.read_to_end(&mut said))
        .map_err(|error: io::Error| {
            Failure::environment(format!("the output cannot be read: {error}"))
        })?;
    print_data(&said)?;
    match outcome.status {
        ExitStatus::Exited(0) => Ok(()),
        status => Err(Failure {
            exit: Exit::BuildFailed,
            message: ended(status),
            hint: None,
        }),
    }
}

/// The first step without a result, which is the one that failed; else the last.
fn default_step<'p>(store: &Store, steps: &[&'p PlanNode]) -> Result<&'p PlanNode, Failure> {
    for step in steps {
        if store
            .memo(&step.id)
            .map_err(|error| of_store(&error))?
            .is_none()
        {
            return Ok(step);
        }
    }
    steps
        .last()
        .copied()
        .ok_or_else(|| Failure::usage("the package runs no step"))
}

fn ended(status: ExitStatus) -> String {
    match status {
        ExitStatus::Exited(code) => format!("it exited with status {code}"),
        ExitStatus::Signaled(signal) => format!("signal {signal} ended it"),
        ExitStatus::NotStarted(errno) => {
            format!(
                "it cannot be started: {}",
                io::Error::from_raw_os_error(errno)
            )
        }
        ExitStatus::TimedOut { limit_ms, .. } => {
            format!("it was ended after {}", crate::terminal::duration(limit_ms))
        }
        ExitStatus::ResourceExceeded(kind) => format!("it used more than it may: {kind:?}"),
        ExitStatus::Cancelled => "it was interrupted".to_owned(),
    }
}
