//! `stxl.toml`: what a workspace says about itself.
//!
//! Read from the parser's spanned tables, so that several mistakes are reported in one run, each
//! with its place.

mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::source_tree::is_overriding;
use stxl_lang::{Diagnostic, Operand, SourcePath, Span};
use stxl_model::{PackageLabel, Platform, Sha256};

/// The name of the file that makes a folder a workspace.
pub const SETTINGS_FILE: &str = "stxl.toml";

/// The folder of the overlay that is always last, seen by its own machine only.
pub const LOCAL_OVERLAY: &str = "local";

/// Whether a file is one of the local overlay's, or a text of the request that lies over it.
pub(crate) fn is_local(path: &SourcePath) -> bool {
    let rest = path.as_str().strip_prefix(LOCAL_OVERLAY);
    rest.is_some_and(|rest| rest.starts_with('/')) || is_overriding(path)
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
    /// What options are that packages have by way of their stage, unless a request says otherwise.
    pub options: BTreeMap<String, String>,
    /// What builds and tests start from.
    pub roots: StageRoots,
    /// Seeds that may enter a plan.
    pub seeds: SeedAllowList,
    /// Whether plans may reach opaque sources.
    pub opaque: OpaqueSources,
    /// Where in the file some of it stands.
    pub places: Places,
}

/// Whether plans may reach machine code that nothing of them made, and that is no seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpaqueSources {
    /// They may, and say so.
    #[default]
    Allowed,
    /// They are refused.
    Refused,
}

/// The roots that builds and tests of stages start from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageRoots {
    /// The root that builds of a stage start from.
    pub base: BTreeMap<String, StageRoot>,
    /// The root that tests of a stage start from; where there is none, that of builds.
    pub test_base: BTreeMap<String, StageRoot>,
}

/// A root that packages of a stage have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageRoot {
    /// The same for all configurations.
    Fixed(Vec<Operand>),
    /// One for each value of an option.
    ByOption(OptionRoots),
}

/// A root for each value of an option, such as a toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionRoots {
    /// The option, which every package that uses one of these roots declares by that.
    pub option: String,
    /// The value that holds unless a request says otherwise.
    pub default: String,
    /// The roots, by value.
    pub values: BTreeMap<String, Vec<Operand>>,
    /// Where they are written.
    pub span: Span,
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
            options: BTreeMap::new(),
            roots: StageRoots::default(),
            seeds: SeedAllowList::default(),
            opaque: OpaqueSources::default(),
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

impl StageRoots {
    /// The options that packages of a stage have by these roots.
    pub(crate) fn options_of(&self, stage: &str) -> impl Iterator<Item = &OptionRoots> {
        let roots = [self.base.get(stage), self.test_base.get(stage)];
        roots.into_iter().flatten().filter_map(|root| match root {
            StageRoot::Fixed(_) => None,
            StageRoot::ByOption(roots) => Some(roots),
        })
    }

    /// The roots that builds and tests of a stage start from in a configuration. Fails with the
    /// roots among which none is for the value of an option.
    pub(crate) fn of(
        &self,
        stage: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<(Vec<Operand>, Vec<Operand>), &OptionRoots> {
        let base = self.base.get(stage).map(|root| root.operands(options));
        let base = base.transpose()?.unwrap_or_default();
        let test_base = self.test_base.get(stage);
        let test_base = test_base.map(|root| root.operands(options)).transpose()?;
        let test_base = test_base.unwrap_or_else(|| base.clone());
        Ok((base, test_base))
    }
}

impl StageRoot {
    fn operands(&self, options: &BTreeMap<String, String>) -> Result<Vec<Operand>, &OptionRoots> {
        match self {
            Self::Fixed(operands) => Ok(operands.clone()),
            Self::ByOption(roots) => {
                let value = options.get(&roots.option).unwrap_or(&roots.default);
                roots.values.get(value).cloned().ok_or(roots)
            }
        }
    }
}

/// Shared roots of stages: what the queries hand to expansions.
pub(crate) type SharedRoots = Arc<StageRoots>;
