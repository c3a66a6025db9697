//! From selectors to the packages and outputs that are asked for.

use std::collections::{BTreeMap, BTreeSet};

use stxl_lang::Diagnostic;
use stxl_model::{OutputName, PackageLabel, Selector};

use super::{Run, Target, Tests};
use crate::database::{Configured, Database, Db as _};
use crate::node::{NodeKey, output_of_test};
use crate::parallel;
use crate::queries::{self, error};
use crate::suggestion::{nearest, nearest_packages};

/// Which outputs of a package are wanted.
#[derive(Clone)]
enum Wanted {
    All,
    Some(BTreeSet<OutputName>),
}

impl Run<'_> {
    /// The packages asked for, sorted by label, and what is wrong with the selectors.
    pub(super) fn select(&self, db: &Database) -> (Vec<Target>, Vec<Diagnostic>) {
        let mut wanted: BTreeMap<PackageLabel, Wanted> = BTreeMap::new();
        let mut diagnostics = Vec::new();
        let everything = [Selector::All];
        let selectors = match self.request.selectors.as_slice() {
            [] => everything.as_slice(),
            selectors => selectors,
        };
        for selector in selectors {
            if let Err(diagnostic) = self.add_selected(selector, &mut wanted) {
                diagnostics.push(*diagnostic);
            }
        }
        let wanted: Vec<(PackageLabel, Wanted)> = wanted.into_iter().collect();
        let found = parallel::map(db, &wanted, |db, (label, wanted)| {
            self.target(db, label, wanted)
        });
        let mut targets = Vec::new();
        for (target, problems) in found {
            targets.push(target);
            diagnostics.extend(problems);
        }
        (targets, diagnostics)
    }

    fn add_selected(
        &self,
        selector: &Selector,
        wanted: &mut BTreeMap<PackageLabel, Wanted>,
    ) -> Result<(), Box<Diagnostic>> {
        let packages = &self.layout.packages;
        match selector {
            Selector::All => {
                wanted.extend(packages.keys().map(|label| (label.clone(), Wanted::All)));
            }
            Selector::Stage(stage) => {
                if self.settings.group_of(stage).is_none() {
                    let message = format!("There is no stage `{stage}`");
                    let near = nearest(stage, self.settings.stage_names());
                    return Err(unknown("unknown-stage", message, &near));
                }
                let of_stage = packages.keys().filter(|label| label.stage() == stage);
                wanted.extend(of_stage.map(|label| (label.clone(), Wanted::All)));
            }
            Selector::Package(label) => {
                self.check(label)?;
                wanted.insert(label.clone(), Wanted::All);
            }
            Selector::Output(label) => {
                self.check(&label.package)?;
                let none = || Wanted::Some(BTreeSet::new());
                match wanted.entry(label.package.clone()).or_insert_with(none) {
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

    /// A package as it is asked for directly: for the platform of the request, or, unlike an edge,
    /// for the first platform it can be built for when it is not for that one.
    pub(super) fn configured_for(&self, db: &Database, label: &PackageLabel) -> Configured {
        let mut configured = self.configured.clone();
        if let Some(facts) = queries::facts(db, db.package(label))
            && let Some(platforms) = &facts.platforms
            && !platforms.contains(&configured.platform)
            && let Some(first) = platforms.first()
        {
            configured.platform = *first;
        }
        configured
    }

    fn target(
        &self,
        db: &Database,
        label: &PackageLabel,
        wanted: &Wanted,
    ) -> (Target, Vec<Diagnostic>) {
        let mut target = Target {
            label: label.clone(),
            nodes: Vec::new(),
        };
        let configured = self.configured_for(db, label);
        let result = queries::expanded(db, db.package(label), &configured);
        let Some(expanded) = &result.expanded else {
            return (target, Vec::new());
        };
        let mut problems = Vec::new();
        let mut names: Vec<OutputName> = Vec::new();
        match wanted {
            Wanted::All => names.extend(expanded.outputs.keys().cloned()),
            Wanted::Some(outputs) => {
                for output in outputs {
                    if expanded.outputs.contains_key(output) {
                        names.push(output.clone());
                    } else {
                        let message = format!("`{label}` has no output `{output}`");
                        let known = expanded.outputs.keys().map(OutputName::as_str);
                        let near = nearest(output.as_str(), known);
                        problems.push(*unknown("unknown-output", message, &near));
                    }
                }
            }
        }
        if let (Tests::Planned, Wanted::All) = (self.request.tests, wanted) {
            names.extend(
                expanded
                    .tests
                    .keys()
                    .filter_map(|test| output_of_test(test)),
            );
        }
        target.nodes = names
            .into_iter()
            .map(|output| {
                let (label, configured) = (label.clone(), configured.clone());
                NodeKey {
                    label,
                    configured,
                    output,
                }
            })
            .collect();
        (target, problems)
    }
}

fn unknown(id: &'static str, message: String, near: &[String]) -> Box<Diagnostic> {
    let mut diagnostic = error(id, message, None);
    diagnostic.hints = near
        .iter()
        .map(|near| format!("did you mean `{near}`?"))
        .collect();
    Box::new(diagnostic)
}
