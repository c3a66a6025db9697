//! From words to an exit code: which command runs, and what is said when it stops.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::arguments::{Arguments, BuildArguments, Command, RootCommand, StoreCommand};
use crate::command::build::PLANNED_ARGUMENT;
use crate::failure::{Exit, Failure, WireFailure};
use crate::terminal::{Terminal, print_record};
use crate::{command, development, evaluation};

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    match std::env::args_os().nth(1) {
        Some(first) if first == stxl_sandbox::LAUNCHER_ARGUMENT => stxl_sandbox::launcher_main(),
        Some(first) if first == evaluation::EVALUATOR_ARGUMENT => evaluation::child_main(),
        Some(first) if first == PLANNED_ARGUMENT => {
            // All but that argument is the command line of who started this process.
            let words = std::env::args_os()
                .take(1)
                .chain(std::env::args_os().skip(2));
            ExitCode::from(run(words, command::build::run_planned).code())
        }
        Some(first) if first == command::why::KNOWN_ARGUMENT => command::why::child_main(),
        _ => ExitCode::from(run(std::env::args_os(), command::build::run).code()),
    }
}

/// What `stxl build` does.
type Build = fn(&Arguments, &BuildArguments, Terminal) -> Result<(), Failure>;

fn run(words: impl Iterator<Item = OsString>, build: Build) -> Exit {
    let words: Vec<OsString> = words.collect();
    let mut arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => return misread(&error, &words),
    };
    let terminal = Terminal::new(arguments.color);
    let located = development::locate_overrides(&mut arguments);
    match located.and_then(|()| dispatch(&arguments, build, terminal)) {
        Ok(()) => Exit::Fine,
        Err(failure) => {
            if arguments.command.is_for_programs() && !failure.message.is_empty() {
                // That nobody reads it changes nothing about the failure.
                drop(print_record(&WireFailure::of(&failure)));
            }
            terminal.failure(&failure);
            failure.exit
        }
    }
}

/// What becomes of words that are no command: help and version are answers, everything else is a
/// mistake on the command line, for programs a record.
fn misread(error: &clap::Error, words: &[OsString]) -> Exit {
    let printed = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if printed.is_ok() => Exit::Fine,
        _ => {
            if words.iter().any(|word| word == "--json") {
                let said = error.to_string();
                let message = said.lines().next().unwrap_or_default();
                let failure = Failure::usage(message.trim_start_matches("error: "));
                // That nobody reads it changes nothing about the failure.
                drop(print_record(&WireFailure::of(&failure)));
            }
            Exit::Usage
        }
    }
}

fn dispatch(arguments: &Arguments, run_build: Build, terminal: Terminal) -> Result<(), Failure> {
    match &arguments.command {
        Command::Init(init) => command::init::run(arguments, init, terminal),
        Command::Eval(eval) => command::eval::run(arguments, eval, terminal),
        Command::Build(build) => run_build(arguments, build, terminal),
        Command::Log(log) => command::log::run(arguments, log, terminal),
        Command::Shell(shell) => command::shell::run(arguments, shell, terminal),
        Command::Why(why) => command::why::run(arguments, why, terminal),
        Command::Trace(trace) => command::trace::run(arguments, trace, terminal),
        Command::Diff(diff) => command::diff::run(arguments, diff, terminal),
        Command::Lint(lint) => command::lint::run(arguments, lint, terminal),
        Command::Graph(graph) => command::graph::run(arguments, graph, terminal),
        Command::Depends(depends) => command::depends::run(arguments, depends, terminal),
        Command::Affected(affected) => command::affected::run(arguments, affected, terminal),
        Command::Source(source) => command::source::run(arguments, source, terminal),
        Command::Dev(dev) => command::dev::run(arguments, dev, terminal),
        Command::Store(store) => dispatch_store(arguments, store, terminal),
        Command::Doc(doc) => command::doc::run(doc, terminal),
        Command::Doctor(doctor) => command::doctor::run(arguments, doctor, terminal),
        Command::Completions(completions) => {
            command::completions::run(completions);
            Ok(())
        }
    }
}

fn dispatch_store(
    arguments: &Arguments,
    store: &StoreCommand,
    terminal: Terminal,
) -> Result<(), Failure> {
    match store {
        StoreCommand::Gc(gc) => command::store::gc(arguments, gc, terminal),
        StoreCommand::Verify(verify) => command::store::verify(arguments, verify, terminal),
        StoreCommand::Path(path) => command::store::path(arguments, path, terminal),
        StoreCommand::Root(RootCommand::Add(add)) => command::root::add(arguments, add, terminal),
        StoreCommand::Root(RootCommand::List(list)) => {
            command::root::list(arguments, list, terminal)
        }
        StoreCommand::Root(RootCommand::Remove(remove)) => {
            command::root::remove(arguments, remove, terminal)
        }
        StoreCommand::RebuildDb => command::store::rebuild_db(arguments, terminal),
    }
}
