//! The command line: what can be typed, its help and its examples.

mod check;
mod plans;
mod sources;
mod variant;

use std::path::PathBuf;

use clap::builder::{StringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use stxl_eval::OpaqueSources;
use stxl_model::PackageLabel;

pub(crate) use check::CheckArguments;
pub(crate) use plans::{
    AffectedArguments, DependsArguments, DiffArguments, GraphArguments, GraphFormat, LintArguments,
    TraceArguments, WhyArguments,
};
pub(crate) use sources::{
    AddSourceArguments, ExportSourcesArguments, LockSourceArguments, SourceCommand,
    UpdateSourceArguments,
};
pub(crate) use variant::{Override, Selection, Variant};

/// Reproducible builds of whole software distributions, from a small scripting language
#[derive(Debug, Parser)]
#[command(
    name = "stxl",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    /// Work in this directory's workspace (default: the directory above with `stxl.toml`)
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub(crate) directory: Option<PathBuf>,

    /// Keep results in this store (default: `STXL_STORE`, or `stxl` in the user's data directory)
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) store: Option<PathBuf>,

    /// When to use colors
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        global = true
    )]
    pub(crate) color: ColorChoice,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where what a step writes is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScratchArgument {
    /// On disk where memory is too little and the store's file system takes it, else in memory.
    Auto,
    /// In memory.
    Memory,
    /// In the store.
    Disk,
}

impl Command {
    /// Whether a program reads what the command prints.
    pub(crate) const fn is_for_programs(&self) -> bool {
        match self {
            Self::Eval(eval) => eval.json,
            Self::Build(build) => build.json,
            Self::Why(why) => why.json,
            Self::Trace(trace) => trace.told.json,
            Self::Diff(diff) => diff.json,
            Self::Depends(depends) => depends.json,
            Self::Lint(lint) => lint.json,
            Self::Graph(graph) => matches!(graph.format, Some(GraphFormat::Json)),
            Self::Affected(affected) => affected.json,
            Self::Doc(doc) => doc.json,
            Self::Dev(dev) => dev.json,
            Self::Doctor(doctor) => doctor.json,
            Self::Source(source) => source.is_for_programs(),
            Self::Store(StoreCommand::Gc(gc)) => gc.json,
            Self::Store(StoreCommand::Verify(verify)) => verify.json,
            Self::Store(StoreCommand::Root(RootCommand::List(list))) => list.json,
            Self::Store(
                StoreCommand::Path(_)
                | StoreCommand::Root(RootCommand::Add(_) | RootCommand::Remove(_))
                | StoreCommand::RebuildDb,
            )
            | Self::Init(_)
            | Self::Log(_)
            | Self::Shell(_)
            | Self::Completions(_) => false,
        }
    }
}

impl Arguments {
    /// For what packages are built, if the command builds or names any.
    pub(crate) const fn variant_mut(&mut self) -> Option<&mut Variant> {
        match &mut self.command {
            Command::Eval(eval) => Some(&mut eval.selection.variant),
            Command::Build(build) => Some(&mut build.selection.variant),
            Command::Log(log) => Some(&mut log.variant),
            Command::Shell(shell) => Some(&mut shell.variant),
            Command::Why(why) => Some(&mut why.variant),
            Command::Trace(trace) => Some(&mut trace.variant),
            Command::Diff(diff) => Some(&mut diff.variant),
            Command::Depends(depends) => Some(&mut depends.variant),
            Command::Graph(graph) => Some(&mut graph.selection.variant),
            Command::Lint(lint) => Some(&mut lint.selection.variant),
            Command::Affected(affected) => Some(&mut affected.variant),
            Command::Source(SourceCommand::Export(export)) => Some(&mut export.selection.variant),
            Command::Store(StoreCommand::Path(path)) => Some(&mut path.variant),
            Command::Store(StoreCommand::Root(RootCommand::Add(add))) => Some(&mut add.variant),
            Command::Init(_)
            | Command::Dev(_)
            | Command::Source(
                SourceCommand::Add(_) | SourceCommand::Update(_) | SourceCommand::Lock(_),
            )
            | Command::Doc(_)
            | Command::Doctor(_)
            | Command::Completions(_)
            | Command::Store(
                StoreCommand::Gc(_)
                | StoreCommand::Verify(_)
                | StoreCommand::Root(RootCommand::List(_) | RootCommand::Remove(_))
                | StoreCommand::RebuildDb,
            ) => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new workspace with a first package
    #[command(after_help = "Example:\n  stxl init my-distribution")]
    Init(InitArguments),
    /// Show the plan: what a build would do, without doing it
    #[command(
        after_help = "Examples:\n  stxl eval stage0/hex2\n  stxl eval --status stage0\n  stxl eval --explain-cache\n  stxl eval --watch core\n  stxl eval --profile=eval.svg\n  stxl eval core/zlib --origin env.CFLAGS\n  stxl eval core/zlib --platform i686 --with static=yes\n  stxl eval --json core/zlib:dev | jq '.derivations | length'"
    )]
    Eval(EvalArguments),
    /// Build packages
    #[command(
        after_help = "Examples:\n  stxl build stage0/hex2\n  stxl build --check stage0\n  stxl build core/zlib --check --check-except directory\n  stxl build core/zlib --tests\n  stxl build core/zlib --link result\n  stxl build core/zlib --override core/zlib=../zlib --watch\n  stxl build core/zlib --out /tmp/zlib"
    )]
    Build(BuildArguments),
    /// Print the log of a package's steps
    #[command(after_help = "Examples:\n  stxl log stage0/hex2\n  stxl log core/zlib --step 2")]
    Log(LogArguments),
    /// Enter the root of a package's step
    #[command(
        after_help = "Examples:\n  stxl shell core/zlib\n  stxl shell core/zlib@2 -- /bin/sh -c 'ls /src'\n  stxl build core/zlib --keep-failed; stxl shell --failed core/zlib"
    )]
    Shell(ShellArguments),
    /// Tell why a build would run anything for a package
    #[command(
        after_help = "Examples:\n  stxl why core/zlib\n  stxl why core/zlib --json | jq '.causes[].parts'"
    )]
    Why(WhyArguments),
    /// Tell what a file was made from, down to the seeds and sources
    ///
    /// What was asked for has to be built. Every way down from the step that made it is followed.
    #[command(
        after_help = "Examples:\n  stxl trace core/zlib:/usr/lib/libz.a\n  stxl trace stage0/m0 --no-opaque\n  stxl trace stage0/m0 -o climb.html\n  stxl trace stage0/m0 --json | jq .seed_bytes"
    )]
    Trace(TraceArguments),
    /// Tell how two plans differ: of revisions, of files, of the workspace as it is
    #[command(
        after_help = "Examples:\n  stxl diff HEAD\n  stxl diff v1.0 main --of user/redis\n  stxl eval --save-plan before.plan; stxl diff before.plan"
    )]
    Diff(DiffArguments),
    /// Tell what a package needs, or how it comes to need another
    #[command(
        after_help = "Examples:\n  stxl depends core/zlib\n  stxl depends user/redis --on stage1/musl\n  stxl depends user/redis --on stage1/musl --all"
    )]
    Depends(DependsArguments),
    /// Remark on what is right and looks wrong: in texts, in scripts, and what nothing made
    #[command(
        after_help = "Examples:\n  stxl lint\n  stxl lint core --allow opaque-binary --allow missing-description\n  stxl lint --observe core/zlib"
    )]
    Lint(LintArguments),
    /// Draw the graph of packages, or of derivations
    #[command(
        after_help = "Examples:\n  stxl graph -o graph.html\n  stxl graph core/zlib --status -o zlib.svg\n  stxl graph --reduce | dot -Tpdf -o graph.pdf\n  stxl graph --format json | jq '.nodes | length'"
    )]
    Graph(GraphArguments),
    /// Tell which packages are others if a file, a package or a source becomes another
    #[command(
        after_help = "Examples:\n  stxl affected lib/flags.rhai\n  stxl affected stages/core/musl core/zlib\n  stxl affected --json sha256:9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23"
    )]
    Affected(AffectedArguments),
    /// Get, update and lock sources
    #[command(subcommand)]
    Source(SourceCommand),
    /// Build a package from a directory on this machine from now on
    ///
    /// Writes an overlay into `local/`, which nobody else has. Without DIR it lists what is built
    /// from directories.
    #[command(
        after_help = "Examples:\n  stxl dev core/zlib ../zlib\n  stxl dev\n  stxl dev core/zlib --off"
    )]
    Dev(DevArguments),
    /// Look after the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show what the language has: builders, constructors, operations
    #[command(
        after_help = "Examples:\n  stxl doc\n  stxl doc autotools\n  stxl doc unpack\n  stxl doc crates"
    )]
    Doc(DocArguments),
    /// Tell which guards of the sandbox this machine's kernel gives
    #[command(after_help = "Example:\n  stxl doctor")]
    Doctor(DoctorArguments),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  stxl completions bash > ~/.local/share/bash-completion/completions/stxl"
    )]
    Completions(CompletionsArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Where; made if missing
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) policy: PolicyArguments,

    /// Print one JSON record; with `--watch` one a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Evaluate again whenever something changes, and tell what is different in the plan
    #[arg(short, long, conflicts_with_all = ["status", "explain_cache", "save_plan", "profile"])]
    #[arg(conflicts_with = "origin")]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) details: EvalDetails,
}

/// What is refused of plans that could be built.
#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    /// Refuse a plan with machine code that nothing of it made, and tell how it comes there
    ///
    /// What definitions call `opaque`, and packages of binaries; seeds are on a list of their own.
    /// `[policy] opaque = "refuse"` in `stxl.toml` refuses it always.
    #[arg(long)]
    no_opaque: bool,
}

impl PolicyArguments {
    /// Whether the plan may reach opaque sources.
    pub(crate) fn opaque(&self) -> OpaqueSources {
        if self.no_opaque {
            OpaqueSources::Refused
        } else {
            OpaqueSources::Allowed
        }
    }
}

/// What is told besides the plan.
#[derive(Debug, Args)]
pub(crate) struct EvalDetails {
    /// Say of every step whether it is cached, would run, or waits for one that would
    #[arg(long)]
    pub(crate) status: bool,

    /// Tell what was recalled from earlier evaluations, and why the rest was evaluated
    #[arg(long)]
    pub(crate) explain_cache: bool,

    /// Save the plan in this file, for `stxl diff`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["origin", "profile"])]
    pub(crate) save_plan: Option<PathBuf>,

    /// Tell where a value of the package comes from in the place of the plan
    ///
    /// Of its definition (`version`, `env.CFLAGS`, `needs[2]`), or of a step (`step.1.command`,
    /// `step.1.env.CFLAGS`, `step.1.inputs[0]`), counted as the names of steps count them.
    #[arg(
        long,
        value_name = "FIELD",
        conflicts_with_all = ["status", "explain_cache", "profile"]
    )]
    pub(crate) origin: Option<String>,

    /// Evaluate everything anew, and tell what that costs in the place of the plan
    ///
    /// Packages, functions and phases, in processor time. FILE gets a flame graph: a picture if its
    /// name ends in `.svg`, else a line for every stack.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = StringValueParser::new().map(|text| FlameGraph::of(&text)),
        conflicts_with_all = ["status", "explain_cache"]
    )]
    pub(crate) profile: Option<FlameGraph>,
}

/// Whether a flame graph is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FlameGraph {
    /// Not at all.
    Left,
    /// Into this file.
    File(PathBuf),
}

impl FlameGraph {
    fn of(file: &str) -> Self {
        match file {
            "" => Self::Left,
            file => Self::File(file.into()),
        }
    }
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each switch on the command line"
)]
pub(crate) struct BuildArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) policy: PolicyArguments,

    /// Print events as JSON lines, the summary last
    #[arg(long)]
    pub(crate) json: bool,

    /// Build again whenever something changes, sources in local directories included
    ///
    /// Running steps that the change does not concern are finished.
    #[arg(short, long, conflicts_with_all = ["check", "out"])]
    pub(crate) watch: bool,

    /// Run at most this many steps at once (default: the number of processors)
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    /// Go on with what does not depend on a failed step
    #[arg(short, long)]
    pub(crate) keep_going: bool,

    /// Keep what a failed step left, to be entered with `stxl shell --failed`
    #[arg(long)]
    pub(crate) keep_failed: bool,

    /// Build again what is built, in another world, and compare byte by byte
    ///
    /// Under another host name, user, directory, environment, locale, time zone, umask and kernel,
    /// with other addresses, process ids, orders of files, scratch and processors, at another
    /// time. What fails there is compared in a nearer world. Without LABEL the whole plan is built
    /// again, else what was made for the packages named.
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) check_world: CheckArguments,

    /// Copy the result to this directory, which must not exist yet
    ///
    /// Of a package its output `main`; others are named: `core/zlib:dev`. Several results lie below
    /// the directory by their labels.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Make this a symlink to the result, which is kept for as long as the link is there
    ///
    /// A link into the store is replaced, anything else is not. Of a package it leads to its output
    /// `main`; others are named: `core/zlib:dev`.
    #[arg(long, value_name = "PATH")]
    pub(crate) link: Option<PathBuf>,

    /// Look for sources in this directory first, by their sha256
    #[arg(long, value_name = "DIR")]
    pub(crate) source_dir: Option<PathBuf>,

    /// Where what a step writes is kept until it ends
    #[arg(long, value_enum, default_value = "auto", value_name = "WHERE")]
    pub(crate) scratch: ScratchArgument,

    /// End a step that writes more than this, such as `20G` (default: 8G)
    #[arg(long, value_name = "SIZE")]
    pub(crate) scratch_size: Option<String>,

    /// End a step after this many seconds (default: 4 hours)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,

    /// End a step that prints nothing for this many seconds (default: 30 minutes)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) silent_timeout: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// The package, and the step as with `--step` if `@N` stands behind it
    #[arg(value_name = "LABEL[@N]")]
    pub(crate) label: String,

    #[command(flatten)]
    pub(crate) variant: Variant,

    /// Only this step, counted from 1
    #[arg(long, value_name = "N")]
    pub(crate) step: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct ShellArguments {
    /// The package, and the step as with `--step` if `@N` stands behind it
    #[arg(value_name = "LABEL[@N]")]
    pub(crate) label: String,

    #[command(flatten)]
    pub(crate) variant: Variant,

    /// Before this step, counted from 1 (default: the one that failed last, else the last)
    #[arg(long, value_name = "N")]
    pub(crate) step: Option<u32>,

    /// Enter the root as the step left it when it failed under `stxl build --keep-failed`
    #[arg(long)]
    pub(crate) failed: bool,

    /// Look for sources in this directory first, by their sha256
    #[arg(long, value_name = "DIR")]
    pub(crate) source_dir: Option<PathBuf>,

    /// What to run (default: `/bin/sh`)
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    /// The package
    #[arg(value_name = "LABEL", value_parser = variant::package)]
    pub(crate) label: Option<PackageLabel>,

    /// The directory that its source is taken from
    #[arg(value_name = "DIR", requires = "label")]
    pub(crate) source: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) change: DevChange,

    /// Have a build find the object files of the last one
    #[arg(long, requires = "source")]
    pub(crate) incremental: bool,

    /// Print what is built from directories as one JSON record
    #[arg(long, conflicts_with = "label")]
    pub(crate) json: bool,
}

/// How a package is to be built from now on.
#[derive(Debug, Args)]
pub(crate) struct DevChange {
    /// The patches of the package are applied in the directory already
    #[arg(long, requires = "source")]
    pub(crate) patched: bool,

    /// Build it from its own source again
    #[arg(long, requires = "label", conflicts_with_all = ["source", "json"])]
    pub(crate) off: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Free space: drop what no workspace's last plan, name or link needs
    #[command(
        after_help = "Examples:\n  stxl store gc\n  stxl store gc --keep-days 30 --max-size 20G"
    )]
    Gc(GcArguments),
    /// Check every byte of the store
    #[command(after_help = "Examples:\n  stxl store verify\n  stxl store verify --repair")]
    Verify(VerifyArguments),
    /// Print where a package's output lies as files
    #[command(after_help = "Example:\n  ls $(stxl store path stage0/hex2)")]
    Path(PathArguments),
    /// Name results that collection keeps
    #[command(subcommand)]
    Root(RootCommand),
    /// Make the database again from the objects
    #[command(after_help = "Example:\n  stxl store rebuild-db")]
    RebuildDb,
}

#[derive(Debug, Args)]
pub(crate) struct GcArguments {
    /// Keep what was made in the last days as well
    #[arg(long, value_name = "DAYS")]
    pub(crate) keep_days: Option<u32>,

    /// Free only until the store is this small, such as `20G`, the oldest first
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Build damaged objects again
    #[arg(long)]
    pub(crate) repair: bool,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PathArguments {
    /// The package or output
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,

    #[command(flatten)]
    pub(crate) variant: Variant,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Give a built output a name that keeps it; a name that is given is moved
    #[command(
        after_help = "Examples:\n  stxl store root add release-1 core/zlib\n  stxl store root add old core/zlib --with static=yes"
    )]
    Add(AddRootArguments),
    /// List what is kept beside what was built last: names, links, and logs of failed steps
    #[command(
        after_help = "Examples:\n  stxl store root list\n  stxl store root list --json | jq -r '.roots[].name'"
    )]
    List(ListRootsArguments),
    /// Take a name away
    #[command(after_help = "Example:\n  stxl store root remove release-1")]
    Remove(RemoveRootArguments),
}

#[derive(Debug, Args)]
pub(crate) struct AddRootArguments {
    /// The name: letters, digits and `-._+/:`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The package or output
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,

    #[command(flatten)]
    pub(crate) variant: Variant,
}

#[derive(Debug, Args)]
pub(crate) struct ListRootsArguments {
    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveRootArguments {
    /// The name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct DocArguments {
    /// A name, or words to look for; everything if none
    #[arg(value_name = "WORD")]
    pub(crate) words: Vec<String>,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
