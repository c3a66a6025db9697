//! What can be typed after `stxl source`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Selection;

#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Get a file and print the line that a definition takes it by
    #[command(
        after_help = "Examples:\n  stxl source add https://example.org/thing-1.0.tar.xz\n  stxl source add pkg:cargo/ripgrep\n  stxl source add 'pkg:deb/debian/m4@1.4.19-3?arch=source&file=m4_1.4.19.orig.tar.xz'"
    )]
    Add(AddSourceArguments),
    /// Take a newer version of a package's sources, where their ecosystem tells of one
    #[command(
        after_help = "Examples:\n  stxl source update user/ripgrep\n  stxl source update debian/toolchain --dry-run --json\n  stxl source update core/m4 --to 1.4.20"
    )]
    Update(UpdateSourceArguments),
    /// Write the lock file that a package's source holds beside its definition
    #[command(
        after_help = "Examples:\n  stxl source lock user/ripgrep\n  stxl source lock user/ripgrep --check"
    )]
    Lock(LockSourceArguments),
    /// Write every source that packages need into a directory, by hash
    #[command(
        after_help = "Example:\n  stxl source export user/redis --to sources && stxl build user/redis --source-dir sources"
    )]
    Export(ExportSourcesArguments),
}

impl SourceCommand {
    /// Whether a program reads what the command prints.
    pub(crate) const fn is_for_programs(&self) -> bool {
        match self {
            Self::Add(add) => add.json,
            Self::Update(update) => update.json,
            Self::Lock(_) | Self::Export(_) => false,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct AddSourceArguments {
    /// Its address: `https:`, `file:` or `pkg:TYPE/NAME@VERSION`; several are mirrors
    #[arg(required = true, value_name = "ADDRESS")]
    pub(crate) addresses: Vec<String>,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateSourceArguments {
    /// The package
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,

    /// Take this version instead of the newest
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<String>,

    /// Only tell which versions there are
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print one JSON record
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LockSourceArguments {
    /// The package
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,

    /// Write nothing; fail if the file is not that of the source
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportSourcesArguments {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Into this directory, which is made if missing
    #[arg(long = "to", value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Look for sources in this directory first, by their sha256 (default: that of `--to`)
    #[arg(long, value_name = "DIR")]
    pub(crate) source_dir: Option<PathBuf>,
}
