//! The arguments of commands that explain plans.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Selection, Variant};

#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// The package or output
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,

    #[command(flatten)]
    pub(crate) variant: Variant,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The older plan: a git revision of the workspace, or a file that `eval --save-plan` wrote
    #[arg(value_name = "A", value_hint = ValueHint::FilePath)]
    pub(crate) before: String,

    /// The newer plan, likewise (default: of the workspace as it is)
    #[arg(value_name = "B", value_hint = ValueHint::FilePath)]
    pub(crate) after: Option<String>,

    /// Plan only this package, output or stage, and what it needs; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub(crate) of: Vec<String>,

    #[command(flatten)]
    pub(crate) variant: Variant,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DependsArguments {
    /// The package or output that needs others
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,

    /// Tell how it comes to need this package, output or stage (default: tell all that it needs)
    #[arg(long, value_name = "OTHER")]
    pub(crate) on: Option<String>,

    /// Tell all ways, the shortest first, and not only one of the shortest
    #[arg(long, requires = "on")]
    pub(crate) all: bool,

    /// Tell at most this many ways
    #[arg(long, value_name = "N", default_value_t = 20, requires = "all")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: u16,

    #[command(flatten)]
    pub(crate) variant: Variant,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AffectedArguments {
    /// A file or folder, a package (`core/zlib`), output or stage, or a source by `sha256:…`
    ///
    /// What can be both is a package; `./` in front of it makes it a file.
    #[arg(value_name = "FILE|LABEL|HASH", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) changes: Vec<String>,

    #[command(flatten)]
    pub(crate) variant: Variant,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// What to write (default: what the name after --out tells, else `dot`)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<GraphFormat>,

    /// Write this file, not standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) shown: GraphShown,

    /// Say of everything whether it is cached, would run, or waits for what would
    #[arg(long)]
    pub(crate) status: bool,
}

/// What is in a graph.
#[derive(Debug, Args)]
pub(crate) struct GraphShown {
    /// Show derivations, not packages
    #[arg(long)]
    pub(crate) steps: bool,

    /// Leave out needs that others imply
    #[arg(long)]
    pub(crate) reduce: bool,
}

/// What a graph is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// One record.
    Json,
    /// A picture.
    Svg,
    /// One page to move, search and click in a browser; it needs nothing else.
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArguments {
    /// The package or output, and a file of it: `core/zlib:/usr/lib/libz.a`
    #[arg(value_name = "LABEL[:PATH]")]
    pub(crate) subject: String,

    /// Fail if it was made with machine code that nothing of the plan made and that is no seed
    #[arg(long)]
    pub(crate) no_opaque: bool,

    #[command(flatten)]
    pub(crate) variant: Variant,

    #[command(flatten)]
    pub(crate) told: TraceTold,
}

/// How `stxl trace` tells what it found.
#[derive(Debug, Args)]
pub(crate) struct TraceTold {
    /// Name every generated file that sources ship
    #[arg(long, conflicts_with_all = ["out", "json"])]
    pub(crate) files: bool,

    /// Write a page of the packages it was made with, and who was built by whom
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    /// Print one JSON record
    #[arg(long, conflicts_with = "out")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Run the steps of the packages once more, and remark on what they need and never read
    #[arg(long)]
    pub(crate) observe: bool,

    /// With `--observe`, look for sources in this directory first, by their sha256
    #[arg(long, value_name = "DIR", requires = "observe")]
    pub(crate) source_dir: Option<PathBuf>,

    /// Let remarks of this kind pass, such as `missing-license`; may be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) allow: Vec<String>,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}
