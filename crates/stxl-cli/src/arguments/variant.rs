//! Which packages a command is about, and for what they are built.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser as _};
use stxl_model::{PackageLabel, Platform};

/// Which packages, and for what.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Selection {
    /// Packages (`core/zlib`), outputs (`core/zlib:dev`) or stages (`core`); everything if none
    #[arg(value_name = "LABEL")]
    pub(crate) labels: Vec<String>,

    #[command(flatten)]
    pub(crate) variant: Variant,
}

/// For what packages are built.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Variant {
    /// Build for this platform what can be built for it (default: `platform` in `stxl.toml`)
    #[arg(long, value_name = "PLATFORM", value_parser = platforms())]
    pub(crate) platform: Option<Platform>,

    /// Set an option for all packages that declare it
    #[arg(long, value_name = "NAME=VALUE", value_parser = option_setting)]
    pub(crate) with: Vec<(String, String)>,

    /// Take the tests of the packages too, as outputs `test.NAME`
    #[arg(long)]
    pub(crate) tests: bool,

    /// Take the source of a package from this directory, for this command
    ///
    /// What `stxl dev LABEL DIR` does for all commands. Patches of the package are applied.
    #[arg(long = "override", value_name = "LABEL=DIR", value_parser = overrides())]
    pub(crate) overrides: Vec<Override>,

    /// As `--override`, of a directory in which the package's patches are applied already
    #[arg(long = "override-patched", value_name = "LABEL=DIR", value_parser = overrides())]
    pub(crate) patched_overrides: Vec<Override>,
}

/// A package, and the directory that its source is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    /// The package.
    pub(crate) label: PackageLabel,
    /// The directory; as typed, until it is found.
    pub(crate) directory: PathBuf,
}

impl Selection {
    /// One package or output.
    pub(crate) fn of(label: &str, variant: &Variant) -> Self {
        Self {
            labels: vec![label.to_owned()],
            variant: variant.clone(),
        }
    }
}

/// Takes the names of platforms.
fn platforms() -> impl clap::builder::TypedValueParser<Value = Platform> {
    PossibleValuesParser::new(Platform::ALL.map(Platform::name))
        .try_map(|name| Platform::parse(&name).ok_or("not a platform"))
}

/// Takes `NAME=VALUE`; the value may be empty and may hold further `=`.
fn option_setting(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("`NAME=VALUE` is expected"),
    }
}

/// Takes the label of a package, without an output.
pub(super) fn package(text: &str) -> Result<PackageLabel, String> {
    PackageLabel::parse(text).map_err(|error| error.to_string())
}

/// Takes `LABEL=DIR`; a directory may hold further `=`.
fn overrides() -> impl clap::builder::TypedValueParser<Value = Override> {
    OsStringValueParser::new().try_map(|text| {
        let bytes = text.as_bytes();
        let wrong = || "`LABEL=DIR` is expected, as in `core/zlib=../zlib`".to_owned();
        let at = bytes
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(wrong)?;
        let (label, directory) = bytes.split_at(at);
        let label = std::str::from_utf8(label).map_err(|_| wrong())?;
        let directory = directory.get(1..).filter(|rest| !rest.is_empty());
        Ok::<_, String>(Override {
            label: package(label)?,
            directory: OsStr::from_bytes(directory.ok_or_else(wrong)?).into(),
        })
    })
}
