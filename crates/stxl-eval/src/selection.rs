//! What a request asks for: packages and outputs by selectors, without looking into any package.

use std::collections::{BTreeMap, BTreeSet};

use stxl_lang::Diagnostic;
use stxl_model::{OutputName, PackageLabel, Selector};

use crate::database::Configured;
use crate::evaluator::{EvaluationRequest, Tests};
use crate::layout::Layout;
use crate::queries::{PackageFacts, error};
use crate::settings::Settings;
use crate::suggestion::{nearest, nearest_packages};

/// Which outputs of a package are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All that are no tests, and tests if the request plans them.
    All,
    /// These.
    Some(BTreeSet<OutputName>),
}

/// The packages that selectors ask for, and what is wrong with the selectors.
pub(crate) fn wanted_packages(
    request: &EvaluationRequest,
    settings: &Settings,
    layout: &Layout,
) -> (BTreeMap<PackageLabel, Wanted>, Vec<Diagnostic>) {
    let mut selection = Selection {
        settings,
        layout,
        wanted: BTreeMap::new(),
    };
    let everything = [Selector::All];
    let selectors = match request.selectors.as_slice() {
        [] => everything.as_slice(),
        selectors => selectors,
    };
    let added = selectors.iter().map(|selector| selection.add(selector));
    let wrong = added.filter_map(Result::err).map(|wrong| *wrong).collect();
    (selection.wanted, wrong)
}

struct Selection<'s> {
    settings: &'s Settings,
    layout: &'s Layout,
    wanted: BTreeMap<PackageLabel, Wanted>,
}

impl Selection<'_> {
    fn add(&mut self, selector: &Selector) -> Result<(), Box<Diagnostic>> {
        let packages = &self.layout.packages;
        match selector {
            Selector::All => {
                let all = packages.keys().map(|label| (label.clone(), Wanted::All));
                self.wanted.extend(all);
            }
            Selector::Stage(stage) => {
                if self.settings.group_of(stage).is_none() {
                    let message = format!("There is no stage `{stage}`");
                    let near = nearest(stage, self.settings.stage_names());
                    return Err(unknown("unknown-stage", message, &near));
                }
                let of_stage = packages.keys().filter(|label| label.stage() == stage);
                self.wanted
                    .extend(of_stage.map(|label| (label.clone(), Wanted::All)));
            }
            Selector::Package(label) => {
                self.check(label)?;
                self.wanted.insert(label.clone(), Wanted::All);
            }
            Selector::Output(label) => {
                self.check(&label.package)?;
                let none = || Wanted::Some(BTreeSet::new());
                match self
                    .wanted
                    .entry(label.package.clone())
                    .or_insert_with(none)
                {
                    Wanted::All => {}
                    Wanted::Some(outputs) => {
                        outputs.insert(label.output.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn check(&self, label: &PackageLabel) -> Result<(), Box<Diagnostic>> {
        if self.layout.packages.contains_key(label) {
            return Ok(());
        }
        let message = format!("There is no package `{label}`");
        let labels = self.layout.packages.keys().map(PackageLabel::as_str);
        Err(unknown(
            "unknown-package",
            message,
            &nearest_packages(label.as_str(), labels),
        ))
    }
}

/// A package as it is asked for directly: for the platform of the request, or, unlike an edge, for
/// the first platform it can be built for when it is not for that one.
pub(crate) fn configured_for(asked: &Configured, facts: &PackageFacts) -> Configured {
    let mut configured = asked.clone();
    if let Some(platforms) = &facts.platforms
        && !platforms.contains(&configured.platform)
        && let Some(first) = platforms.first()
    {
        configured.platform = *first;
    }
    configured
}

impl Wanted {
    /// The names of wanted outputs among those a package has, and those it has not.
    pub(crate) fn among(
        &self,
        outputs: &[OutputName],
        tests: &[OutputName],
        planned: Tests,
    ) -> (Vec<OutputName>, Vec<OutputName>) {
        match self {
            Self::All => {
                let mut names = outputs.to_vec();
                match planned {
                    Tests::Planned => names.extend_from_slice(tests),
                    Tests::Left => {}
                }
                (names, Vec::new())
            }
            Self::Some(wanted) => {
                let wanted = wanted.iter().cloned();
                wanted.partition(|output| outputs.contains(output) || tests.contains(output))
            }
        }
    }
}

/// A name that nothing has, with those that are near.
pub(crate) fn unknown(id: &'static str, message: String, near: &[String]) -> Box<Diagnostic> {
    let mut diagnostic = error(id, message, None);
    diagnostic.hints = near
        .iter()
        .map(|near| format!("did you mean `{near}`?"))
        .collect();
    Box::new(diagnostic)
}
