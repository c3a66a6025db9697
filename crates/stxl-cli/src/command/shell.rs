//! `stxl shell`: enters the root of a step, at the terminal if there is one.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use stxl_build::{BuildOptions, OutputPaths, StepEntry};
use stxl_eval::OpaqueSources;
use stxl_model::PlanNode;
use stxl_sandbox::{Console, ExitStatus, SandboxSpec};
use stxl_store::Store;

use crate::arguments::{Arguments, Selection, ShellArguments};
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure, of_store};
use crate::interrupt::Interrupts;
use crate::progress::Progress;
use crate::session::{self, Session};
use crate::steps;
use crate::terminal::Terminal;
use crate::{development, place, relay};

pub(crate) fn run(
    arguments: &Arguments,
    shell: &ShellArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let (label, number) = steps::named("shell", &shell.label, shell.step)?;
    let selection = Selection::of(label, &shell.variant);
    let request = evaluation::request_text(&selection);
    let plan = evaluation::plan(&workspace, &selection, Audience::Person, terminal)?;
    // What is missing below the step is built.
    let asked = (workspace.as_path(), &selection);
    let audience = Audience::Person;
    evaluation::check_opaque(&plan, OpaqueSources::Allowed, asked, audience, terminal)?;
    development::tell(&plan, &shell.variant, terminal);
    let session = session::open(arguments)?;
    let steps = steps::of_label(&plan, label)?;
    let step = match number {
        Some(number) => steps::numbered(&steps, number, &workspace, &selection)?,
        None if shell.failed => failed_step(&session.store, &steps)?,
        None => default_step(&session.store, &steps)?,
    };
    let mut interrupts = Interrupts::catch()?;
    let source_dir = shell.source_dir.as_deref();
    let options = BuildOptions {
        cancel: interrupts.cancel.clone(),
        outputs: OutputPaths::Omit,
        source_dir: source_dir.map(place::absolute).transpose()?,
        ..session::options(workspace, format!("shell {request}"))
    };
    let mut progress = Progress::new(terminal);
    let context = session.context(&plan, &options);
    let (mut prepared, when) = if shell.failed {
        let kept = stxl_build::prepare_failed_step(context, &step.id);
        let kept = kept.map_err(Failure::environment)?;
        (kept.ok_or_else(|| nothing_kept(&request))?, "as it failed")
    } else {
        let entry = stxl_build::prepare_step(context, &step.id, &mut |event| progress.show(event));
        let StepEntry::Ready(prepared) = entry.map_err(Failure::environment)? else {
            return Err(Failure::shown(Exit::BuildFailed));
        };
        (prepared, "before it runs")
    };
    terminal.note(&format!(
        "{}, {when}; its commands are in {STEP_FILE}; nothing that is changed here is kept",
        step.origin.name
    ));
    enter(&mut prepared.spec, &shell.command);
    interrupts.only_cancel();
    let status = attend(&session, &prepared.spec, &interrupts)?;
    match status {
        ExitStatus::Exited(0) => Ok(()),
        ExitStatus::Cancelled => Err(Failure {
            exit: Exit::Interrupted,
            message: ended(status),
            hint: None,
        }),
        ExitStatus::NotStarted(NO_ENTRY) if shell.command.is_empty() => Err(Failure {
            exit: Exit::BuildFailed,
            message: format!("the root of this step has no `{SHELL}`"),
            hint: Some(format!(
                "name a program it has: stxl shell {request} -- COMMAND"
            )),
        }),
        status => Err(Failure {
            exit: Exit::BuildFailed,
            message: ended(status),
            hint: None,
        }),
    }
}

/// Where the commands of the step are shown.
const STEP_FILE: &str = "/dev/stxl/step";

/// What is entered unless something else is named.
const SHELL: &str = "/bin/sh";
/// `ENOENT`.
const NO_ENTRY: i32 = 2;

/// Makes a step's sandbox one that a person enters: their command, their terminal, their time.
fn enter(spec: &mut SandboxSpec, command: &[String]) {
    let script = script_of(&spec.commands);
    spec.supplied_files.insert("step".into(), script);
    let words = if command.is_empty() {
        vec![OsString::from(SHELL)]
    } else {
        command.iter().map(OsString::from).collect()
    };
    spec.commands = vec![words];
    spec.console = relay::console();
    spec.limits.wall_ms = u64::MAX;
    spec.limits.silent_ms = u64::MAX;
    if let (Console::Terminal(_), Some(kind)) = (spec.console, place::terminal_kind()) {
        spec.env.entry("TERM".into()).or_insert(kind);
    }
}

/// The commands of a step, as a script.
fn script_of(commands: &[Vec<OsString>]) -> Vec<u8> {
    let mut script = b"#!/bin/sh -e\n".to_vec();
    for words in commands {
        for (index, word) in words.iter().enumerate() {
            script.extend_from_slice(if index == 0 { b"'" } else { b" '" });
            let mut parts = word.as_bytes().split(|byte| *byte == b'\'');
            script.extend_from_slice(parts.next().unwrap_or_default());
            for part in parts {
                script.extend_from_slice(b"'\\''");
                script.extend_from_slice(part);
            }
            script.push(b'\'');
        }
        script.push(b'\n');
    }
    script
}

/// Runs the command at the person's terminal, or with their streams.
fn attend(
    session: &Session,
    spec: &SandboxSpec,
    interrupts: &Interrupts,
) -> Result<ExitStatus, Failure> {
    let mut running = session.launcher.spawn(spec).map_err(Failure::environment)?;
    let kill = running.kill_handle();
    let carried = running
        .take_console()
        .map_or(Ok(()), |ends| relay::carry(ends, &kill, &interrupts.cancel));
    let outcome = running.wait().map_err(Failure::environment)?;
    carried.map(|()| outcome.status)
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

/// The first step of which is kept what it left when it failed.
fn failed_step<'p>(store: &Store, steps: &[&'p PlanNode]) -> Result<&'p PlanNode, Failure> {
    for step in steps {
        let kept = stxl_build::failed_root(store, step).map_err(|error| of_store(&error))?;
        if kept.is_some() {
            return Ok(step);
        }
    }
    let first = steps.first().map(|step| step.origin.label.to_string());
    Err(nothing_kept(&first.unwrap_or_default()))
}

fn nothing_kept(request: &str) -> Failure {
    Failure::usage("nothing is kept of a step that failed")
        .hint(format!("stxl build --keep-failed {request}"))
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
