//! `stxl.toml`: what a workspace says about itself.
//!
//! Read from the parser's spanned tables, so that several mistakes are reported in one run, each
//! with its place.

mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{Diagnostic, Operand, SourcePath, Span};
use stxl_model::{PackageLabel, Platform, Sha256};

/// The name of the file that makes a folder a workspace.
pub const SETTINGS_FILE: &str = "stxl.toml";

/// The folder of the overlay that is always last, seen by its own machine only.
pub const LOCAL_OVERLAY: &str = "local";

/// Whether a file is one of the local overlay's.
pub(crate) fn is_local(path: &SourcePath) -> bool {
    let rest = path.as_str().strip_prefix(LOCAL_OVERLAY);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// What `stxl.toml` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The groups of stages, in the order of trust; packages of one group may need each other.
    pub stages: Vec<Vec<String>>,
    /// Folders laid out like `stages/`, as written, lowest first.
    pub overlays: Vec<String>,
    /// The platform packages are built for unless a request or an edge says otherwise.
    pub platform: Platform,
    /// The root that builds of a stage start from.
    pub base: BTreeMap<String, Vec<Operand>>,
    /// Seeds that may enter a plan.
    pub seeds: SeedAllowList,
    /// Where in the file some of it stands.
    pub places: Places,
}

/// Where in `stxl.toml` something stands, for what is found later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The list of stages; none when there is no list.
    pub stages: Option<Span>,
    /// Each of the overlays, in their order.
    pub overlays: Vec<Span>,
}

/// The seeds that may enter a plan without being built, by the hash of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedAllowList {
    /// Allowed in every package.
    pub anywhere: Vec<Sha256>,
    /// Allowed in one package.
    pub by_package: BTreeMap<PackageLabel, Vec<Sha256>>,
}

impl Settings {
    /// The settings of an empty file.
    pub fn empty() -> Self {
        Self {
            stages: Vec::new(),
            overlays: Vec::new(),
            platform: Platform::X86_64,
            base: BTreeMap::new(),
            seeds: SeedAllowList::default(),
            places: Places::default(),
        }
    }

    /// Reads the text of a `stxl.toml`. What is wrong in it is left out of the result and reported.
    pub fn parse(path: &SourcePath, text: &str) -> (Self, Vec<Diagnostic>) {
        reader::Reader::new(path, text).read()
    }

    /// Whether the stages are what is written, after what was said about the file: where the list
    /// is wrong, or was not found for a slip, a stage that is not in it is an echo.
    pub(crate) fn are_stages_sure(&self, said: &[Diagnostic]) -> bool {
        match &self.places.stages {
            None => said.is_empty(),
            Some(list) => said.iter().all(|it| {
                let at = it.primary.as_ref().map(|(span, _)| span);
                it.id != "settings-syntax"
                    && at.is_none_or(|at| at.end <= list.start || at.start >= list.end)
            }),
        }
    }

    /// The position of a stage's group in the order of trust.
    pub fn group_of(&self, stage: &str) -> Option<usize> {
        self.stages
            .iter()
            .position(|group| group.iter().any(|name| name == stage))
    }

    /// All stages, in order.
    pub fn stage_names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().flatten().map(String::as_str)
    }
}

impl SeedAllowList {
    /// Whether a seed may enter a plan by way of a package.
    pub fn allows(&self, package: &PackageLabel, sha256: &Sha256) -> bool {
        self.anywhere.contains(sha256)
            || self
                .by_package
                .get(package)
                .is_some_and(|hashes| hashes.contains(sha256))
    }
}

/// Shared bases, by stage: what the queries hand to expansions.
pub(crate) type Bases = Arc<BTreeMap<String, Vec<Operand>>>;
