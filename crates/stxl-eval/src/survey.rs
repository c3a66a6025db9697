//! What the outputs of a plan need of each other, and what their packages read: what records know
//! and a plan does not say.
//!
//! In a plan equal derivations of two packages are one, under the name of the first; so which
//! package needs which is asked here and not of a plan's edges.

mod affected;
mod needs;
pub(crate) mod places;
pub(crate) mod sayings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stxl_model::{DerivationId, Label, OutputName, PackageLabel, Platform, Selector};

use crate::child::{ChildError, ChildRequest, EvaluatorProgram};
use crate::link::Links;
use crate::node::NodeKey;
use crate::read::Read;
use crate::record::Records;
use crate::settings::SETTINGS_FILE;
use crate::suggestion::nearest_packages;
use crate::trace::{Memory, Remembered, evaluate_and_look};

pub use affected::{Affected, AffectedPackage, Because, Change, ReadKind};
pub use needs::Paths;
pub use places::{NeedPlace, places_of_needs};
pub use sayings::{Saying, sayings_of};

/// The outputs of a plan with what each needs, and its packages with what was read for each.
///
/// Invariant: outputs are sorted by label, platform and options, without duplicates; needs are
/// positions of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    outputs: Vec<SurveyedOutput>,
    packages: BTreeMap<PackageLabel, SurveyedPackage>,
}

/// An output that is in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedOutput {
    /// Which.
    pub label: Label,
    /// What it is built for.
    pub platform: Platform,
    /// The options that are set for it and what it needs.
    pub options: Arc<BTreeMap<String, String>>,
    /// The outputs it needs: what is written, then what that brings.
    pub needs: Vec<usize>,
    /// The derivation that gives it.
    pub id: DerivationId,
    /// All derivations it is made of, but for those of what it needs; other outputs may have some
    /// of them too.
    pub derivations: Vec<DerivationId>,
}

/// A package that has to do with a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SurveyedPackage {
    reads: Vec<Read>,
    /// The packages whose values were read.
    values_of: BTreeSet<PackageLabel>,
    /// All outputs it has, tests among them.
    outputs: BTreeSet<OutputName>,
}

/// Evaluates with a memory, as [`crate::evaluate_remembering`] does, and surveys what the plan was
/// made of; the survey is empty when there is no plan.
pub fn survey_remembering(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    memory: Memory<'_>,
) -> Result<(Remembered, Survey), ChildError> {
    evaluate_and_look(program, request, memory, Survey::of)
}

impl Survey {
    fn of(records: &Records, links: &Links) -> Self {
        let mut linked: Vec<(&NodeKey, usize)> = records
            .nodes
            .iter()
            .enumerate()
            .filter(|(position, _)| links.of_node(*position).is_some())
            .map(|(position, key)| (key, position))
            .collect();
        linked.sort_unstable();
        let mut positions = vec![None; records.nodes.len()];
        for (position, (_, former)) in linked.iter().enumerate() {
            if let Some(slot) = positions.get_mut(*former) {
                *slot = Some(position);
            }
        }
        let by_node = records.by_node();
        let outputs = linked.iter().filter_map(|(key, former)| {
            let (id, derivations) = links.of_node(*former)?;
            let record = by_node.get(*former).copied().flatten()?;
            let needs = record.needs.iter();
            let needs = needs.filter_map(|need| positions.get(*need as usize).copied().flatten());
            Some(SurveyedOutput {
                label: key.to_label(),
                platform: key.configured.platform,
                options: Arc::clone(&key.configured.options),
                needs: needs.collect(),
                id,
                derivations: derivations.collect(),
            })
        });
        let mut survey = Self {
            outputs: outputs.collect(),
            packages: BTreeMap::new(),
        };
        let mut wanted: Vec<&PackageLabel> = linked.iter().map(|(key, _)| &key.label).collect();
        wanted.dedup();
        while let Some(label) = wanted.pop() {
            let Some(package) = records.packages.get(label) else {
                continue;
            };
            if survey.packages.contains_key(label) {
                continue;
            }
            let reads = package.reads.iter();
            let reads = reads.filter_map(|it| records.reads.get_index(*it as usize));
            let configurations = package.configurations.iter();
            let surveyed = SurveyedPackage {
                reads: reads.map(|(read, _)| read.clone()).collect(),
                values_of: package.values_of().cloned().collect(),
                outputs: configurations
                    .flat_map(|it| it.outputs.iter().chain(&it.tests).cloned())
                    .collect(),
            };
            survey.packages.insert(label.clone(), surveyed);
            wanted.extend(package.values_of());
        }
        survey
    }

    /// The outputs, sorted by label, platform and options.
    pub fn outputs(&self) -> &[SurveyedOutput] {
        &self.outputs
    }

    /// The packages, those among them whose values alone are read, sorted.
    pub fn packages(&self) -> impl Iterator<Item = &PackageLabel> {
        self.packages.keys()
    }

    /// The positions of the outputs in the plan that a selector names.
    pub fn named_by(&self, selector: &Selector) -> Vec<usize> {
        let is_named = |output: &SurveyedOutput| match selector {
            Selector::All => true,
            Selector::Stage(stage) => output.label.package.stage() == stage,
            Selector::Package(label) => output.label.package == *label,
            Selector::Output(label) => output.label == *label,
        };
        let outputs = self.outputs.iter().enumerate();
        let named = outputs.filter(|(_, output)| is_named(output));
        named.map(|(position, _)| position).collect()
    }

    /// The names of the outputs that a package has, in the plan or not; none for one that has
    /// nothing to do with the plan.
    pub fn outputs_of(&self, label: &PackageLabel) -> Option<impl Iterator<Item = &OutputName>> {
        Some(self.packages.get(label)?.outputs.iter())
    }

    /// The files of the workspace that were read as text for a package: its definition, libraries,
    /// scripts, and the settings.
    pub fn texts_of(&self, label: &PackageLabel) -> Vec<&str> {
        let reads = self.packages.get(label).into_iter();
        let reads = reads.flat_map(|package| &package.reads);
        let texts = reads.filter_map(|read| match read {
            Read::File(path) => Some(path.as_str()),
            Read::Import(_)
            | Read::Presence(_)
            | Read::PackageFile(_)
            | Read::Folder(_)
            | Read::Layer(_)
            | Read::Directory(_) => None,
        });
        texts.chain([SETTINGS_FILE]).collect()
    }

    /// The packages whose names are near to a text, the nearest first.
    pub fn packages_near(&self, text: &str) -> Vec<String> {
        nearest_packages(text, self.packages.keys().map(PackageLabel::as_str))
    }

    /// All outputs as nodes.
    pub(crate) fn keys(&self) -> impl Iterator<Item = NodeKey> {
        self.outputs.iter().map(SurveyedOutput::key)
    }

    fn output(&self, position: usize) -> Option<&SurveyedOutput> {
        self.outputs.get(position)
    }

    fn needs_of(&self, position: usize) -> &[usize] {
        self.output(position).map_or(&[], |output| &output.needs)
    }
}
