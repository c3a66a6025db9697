//! `stxl build`.

mod planned;
mod watch;

use std::num::NonZero;
use std::path::{Path, PathBuf};

use stxl_build::{
    BuildError, BuildEvent, BuildOptions, BuildOutcome, BuiltOutput, CancelHandle, Check,
    FailedRoots, OnFailure, OutputPaths, ScratchChoice, Summary, WireEvent,
};
use stxl_model::{Label, PathError, Plan, RootPath, TreeId};
use stxl_sandbox::Limits;
use stxl_store::TreeSize;

use crate::arguments::{Arguments, BuildArguments, ScratchArgument, Selection};
use crate::command::store::parse_size;
use crate::evaluation::{self, Audience, Recall};
use crate::export;
use crate::failure::{self, Exit, Failure};
use crate::link::{self, LinkPlace};
use crate::progress::{Progress, plural};
use crate::session::{self, Session};
use crate::terminal::{Terminal, print_data};
use crate::{development, interrupt, place};
use planned::Handed;

pub(crate) use planned::PLANNED_ARGUMENT;

/// What requested outputs may be together for each to be written out as files, so that its path can
/// be told: as much as takes less time than a person notices.
const CHECKED_OUT_MAX: TreeSize = TreeSize {
    entries: 2048,
    bytes: 64 << 20,
};

pub(crate) fn run(
    arguments: &Arguments,
    build: &BuildArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let asked = Asked::of(arguments, build, terminal)?;
    if build.watch {
        return watch::run(&asked);
    }
    let Asked {
        workspace,
        audience,
        ..
    } = &asked;
    // Evaluated before this process gives up what root may read.
    let plan = evaluation::plan(workspace, &build.selection, *audience, terminal)?;
    asked.check_opaque(&plan)?;
    if *audience == Audience::Person {
        development::tell(&plan, &build.selection.variant, terminal);
    }
    let session = asked.open(&plan)?;
    let options = asked.options()?;
    let nobody = &mut || {};
    let progress = Progress::new(terminal);
    let built = match asked.execute(&session, (&plan, &options), progress, nobody) {
        // The plan is older than a file it imports: once more, with a plan of what is there now.
        Err(Stopped::Build(BuildError::ChangedWhileBuilding { path })) => {
            terminal.note(&format!(
                "`{path}` changed while building; evaluating once more"
            ));
            // What is remembered of the file may be what is wrong.
            let evaluated = evaluation::evaluate(
                Recall::Nothing,
                workspace,
                &build.selection,
                *audience,
                terminal,
            )?;
            let plan = evaluated.remember(terminal);
            asked.check_opaque(&plan)?;
            let progress = Progress::new(terminal);
            asked.execute(&session, (&plan, &options), progress, nobody)
        }
        built => built,
    };
    let summary = built.map_err(Failure::from)?;
    let concluded = asked.conclude(&session, &summary);
    asked.print_summary(&summary)?;
    concluded?;
    finish(&summary, &options.cancel)
}

/// Builds a plan that whoever started this process hands over: what `stxl build --watch` does for
/// each plan.
pub(crate) fn run_planned(
    arguments: &Arguments,
    build: &BuildArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let asked = Asked::of(arguments, build, terminal)?;
    let mut handed = Handed::take()?;
    let plan = handed.plan()?;
    let session = asked.open(&plan)?;
    let options = asked.options()?;
    let progress = Progress::new(terminal);
    let silence = handed.listen(&options, progress.announcer())?;
    let tell = &mut || silence.tell();
    let built = asked.execute(&session, (&plan, &options), progress, tell);
    let summary = match built {
        // Whoever hands over plans evaluates again.
        Err(Stopped::Build(BuildError::ChangedWhileBuilding { .. })) => {
            return Err(Failure::shown(Exit::Outdated));
        }
        built => built.map_err(Failure::from)?,
    };
    let concluded = if options.superseded.is_superseded() {
        Ok(())
    } else {
        asked.conclude(&session, &summary)
    };
    asked.print_summary(&summary)?;
    concluded?;
    finish(&summary, &options.cancel)
}

/// What is to be done with what is built, checked before anything is.
struct Asked<'a> {
    arguments: &'a Arguments,
    build: &'a BuildArguments,
    terminal: Terminal,
    audience: Audience,
    workspace: PathBuf,
    out: Option<PathBuf>,
    link: Option<LinkPlace>,
    source_dir: Option<PathBuf>,
    limits: Limits,
}

impl<'a> Asked<'a> {
    fn of(
        arguments: &'a Arguments,
        build: &'a BuildArguments,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let source_dir = build.source_dir.as_deref();
        Ok(Self {
            arguments,
            build,
            terminal,
            audience: if build.json {
                Audience::Program
            } else {
                Audience::Person
            },
            workspace: place::workspace(arguments)?,
            out: build.out.as_deref().map(session::check_free).transpose()?,
            limits: limits(build)?,
            link: build.link.as_deref().map(link::place).transpose()?,
            source_dir: source_dir.map(place::absolute).transpose()?,
        })
    }

    /// Refuses a plan with anything opaque, if the request or the workspace says so.
    fn check_opaque(&self, plan: &Plan) -> Result<(), Failure> {
        let opaque = self.build.policy.opaque();
        let request = (self.workspace.as_path(), &self.build.selection);
        evaluation::check_opaque(plan, opaque, request, self.audience, self.terminal)
    }

    /// Opens the store, once it is known that a plan gives what is asked for.
    fn open(&self, plan: &Plan) -> Result<Session, Failure> {
        if self.link.is_some() {
            check_linkable(plan, &self.build.selection)?;
        }
        let session = session::open(self.arguments)?;
        if let Some(link) = &self.link {
            link::check(&session.store, &link.path)?;
        }
        Ok(session)
    }

    /// What the command line says about the build itself. From here on signals cancel it.
    fn options(&self) -> Result<BuildOptions, Failure> {
        let (build, workspace) = (self.build, &self.workspace);
        Ok(BuildOptions {
            variant: evaluation::variant_text(&build.selection.variant),
            source_dir: self.source_dir.clone(),
            jobs: jobs(build),
            jobs_per_step: jobs(build),
            on_failure: if build.keep_going {
                OnFailure::KeepGoing
            } else {
                OnFailure::Stop
            },
            failed_roots: if build.keep_failed {
                FailedRoots::Kept
            } else {
                FailedRoots::Dropped
            },
            check: check(build),
            check_world: build.check_world.world(),
            outputs: OutputPaths::CheckOutUpTo(CHECKED_OUT_MAX),
            wall_ms_max: seconds(build.timeout, stxl_build::WALL_MS_DEFAULT),
            silent_ms_max: seconds(build.silent_timeout, stxl_build::SILENT_MS_DEFAULT),
            limits: self.limits.clone(),
            scratch: match build.scratch {
                ScratchArgument::Auto => ScratchChoice::Auto,
                ScratchArgument::Memory => ScratchChoice::Memory,
                ScratchArgument::Disk => ScratchChoice::Disk,
            },
            cancel: interrupt::cancel_on_signals()?,
            ..session::options(
                workspace.clone(),
                evaluation::request_text(&build.selection),
            )
        })
    }

    /// Builds, and shows what happens until another plan takes its place, which `superseded` is
    /// told.
    fn execute(
        &self,
        session: &Session,
        (plan, options): (&Plan, &BuildOptions),
        mut progress: Progress,
        superseded: &mut dyn FnMut(),
    ) -> Result<Summary, Stopped> {
        let mut unwritable = None;
        let mut is_silent = false;
        let mut sink = |event: BuildEvent<'_>| {
            // A program that reads the summary finds everything done.
            let is_last = matches!(event, BuildEvent::Summary(_));
            match self.audience {
                Audience::Person if !is_silent => progress.show(event),
                Audience::Program if !is_silent && !is_last => {
                    let line = WireEvent::new(&event).to_line() + "\n";
                    if unwritable.is_none()
                        && let Err(failure) = print_data(line.as_bytes())
                    {
                        options.cancel.cancel();
                        unwritable = Some(failure);
                    }
                }
                Audience::Person | Audience::Program => {}
            }
            if matches!(event, BuildEvent::Superseded) {
                is_silent = true;
                superseded();
            }
        };
        let built = stxl_build::build(session.context(plan, options), &mut sink);
        match unwritable {
            Some(failure) => Err(Stopped::Output(failure)),
            None => built.map_err(Stopped::Build),
        }
    }

    /// Prints the summary as the last record, if a program reads them.
    fn print_summary(&self, summary: &Summary) -> Result<(), Failure> {
        match self.audience {
            Audience::Person => Ok(()),
            Audience::Program => {
                let line = WireEvent::new(&BuildEvent::Summary(summary)).to_line() + "\n";
                print_data(line.as_bytes())
            }
        }
    }

    /// Hands over what was built.
    fn conclude(&self, session: &Session, summary: &Summary) -> Result<(), Failure> {
        let terminal = self.terminal;
        if summary.outcome == BuildOutcome::Ok {
            let asked = asked_for(&summary.outputs, &self.build.selection);
            if let Some(out) = &self.out {
                export_outputs(session, &asked, out, terminal)?;
            }
            if let (Some(link), [only, ..]) = (&self.link, asked.as_slice()) {
                link::make(&session.store, link, &only.tree)?;
                terminal.note(&format!("linked {} to {}", link.path.display(), only.label));
            }
        }
        if self.audience == Audience::Person {
            print_data(outputs_text(&summary.outputs).as_bytes())?;
            let outputs = summary.outputs.iter();
            let mut untold = outputs.filter(|output| output.path.is_none());
            if summary.outcome == BuildOutcome::Ok
                && let Some(output) = untold.next()
            {
                let label = &output.label;
                terminal.note(&format!(
                    "large outputs are written out as files on demand: `stxl store path {label}`"
                ));
            }
        }
        Ok(())
    }
}

/// Why there is no summary.
enum Stopped {
    /// The build could not go on.
    Build(BuildError),
    /// Nobody reads the events any more.
    Output(Failure),
}

fn jobs(build: &BuildArguments) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
    build.jobs.map_or_else(processors, usize::from)
}

/// Without labels everything is built again, otherwise what was made for the packages named.
fn check(build: &BuildArguments) -> Check {
    match (build.check, build.selection.labels.is_empty()) {
        (false, _) => Check::Off,
        (true, true) => Check::WholeClosure,
        (true, false) => Check::RequestedPackages,
    }
}

/// The smallest scratch: a file system in memory takes some room for itself.
const SCRATCH_BYTES_MIN: u64 = 1 << 20;

fn limits(build: &BuildArguments) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    if let Some(text) = &build.scratch_size {
        limits.scratch_bytes = parse_size(text)?;
        if limits.scratch_bytes < SCRATCH_BYTES_MIN {
            return Err(
                Failure::usage(format!("a scratch of `{text}` is too small"))
                    .hint("1M is the least: --scratch-size 20G"),
            );
        }
    }
    Ok(limits)
}

fn seconds(given: Option<u64>, default_ms: u64) -> u64 {
    given.map_or(default_ms, |seconds| seconds.saturating_mul(1000))
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Build(error) => of_build(&error),
            Stopped::Output(failure) => failure,
        }
    }
}

/// What an error that ends a build means.
pub(crate) fn of_build(error: &BuildError) -> Failure {
    match error {
        BuildError::Store { label: _, source } | BuildError::Records(source) => Failure {
            message: error.to_string(),
            ..failure::of_store(source)
        },
        BuildError::ChangedWhileBuilding { .. } => Failure {
            exit: Exit::Environment,
            message: error.to_string(),
            hint: Some("something keeps writing to it; build again when it is done".to_owned()),
        },
        BuildError::HexText { .. } | BuildError::NotImportable { .. } => Failure::usage(error),
        other => Failure::environment(other),
    }
}

/// Whether an output is one that the user wants in hand: of a package its `main`, and others where
/// they are named.
fn is_in_hand(label: &Label, selection: &Selection) -> bool {
    label.output.is_main() || selection.labels.contains(&label.to_string())
}

fn asked_for<'s>(outputs: &'s [BuiltOutput], selection: &Selection) -> Vec<&'s BuiltOutput> {
    outputs
        .iter()
        .filter(|output| is_in_hand(&output.label, selection))
        .collect()
}

/// Refuses to link other than exactly one output.
fn check_linkable(plan: &Plan, selection: &Selection) -> Result<(), Failure> {
    let count = plan
        .roots()
        .iter()
        .flat_map(|root| {
            root.outputs.names().iter().map(|output| Label {
                package: root.label.clone(),
                output: output.clone(),
            })
        })
        .filter(|label| is_in_hand(label, selection))
        .count();
    if count == 1 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "one link cannot lead to {}",
        plural(count, "output")
    ))
    .hint("name one package or output: stxl build core/zlib --link result"))
}

/// Copies outputs into the directory. A single one is the directory itself, several lie below it by
/// their labels.
fn export_outputs(
    session: &Session,
    asked: &[&BuiltOutput],
    out: &Path,
    terminal: Terminal,
) -> Result<(), Failure> {
    let parts: Vec<(RootPath, TreeId)> = match asked {
        [only] => vec![(RootPath::root(), only.tree)],
        several => several
            .iter()
            .map(|output| {
                let path = RootPath::parse(format!("/{}", output.label).as_bytes())?;
                Ok((path, output.tree))
            })
            .collect::<Result<_, PathError>>()
            .map_err(Failure::environment)?,
    };
    export::export(&session.store, &parts, out)?;
    terminal.note(&format!("wrote {}", out.display()));
    Ok(())
}

fn outputs_text(outputs: &[BuiltOutput]) -> String {
    let line = |output: &BuiltOutput| match &output.path {
        Some(path) => format!("{}\t{}\n", output.label, path.display()),
        None => format!("{}\t{}\n", output.label, output.tree),
    };
    outputs.iter().map(line).collect()
}

fn finish(summary: &Summary, cancel: &CancelHandle) -> Result<(), Failure> {
    let exit = match summary.outcome {
        BuildOutcome::Ok => return Ok(()),
        BuildOutcome::Failed if cancel.is_cancelled() => Exit::Interrupted,
        BuildOutcome::Failed => Exit::BuildFailed,
        BuildOutcome::CheckFailed => Exit::CheckFailed,
        BuildOutcome::Interrupted => Exit::Interrupted,
    };
    Err(Failure::shown(exit))
}
