//! From selectors to the outputs that are asked for.

use std::collections::BTreeSet;

use stxl_lang::Diagnostic;
use stxl_model::{OutputName, PackageLabel};

use super::{Run, Target};
use crate::database::{Configured, Database, Db as _};
use crate::graph::Graph;
use crate::node::{NodeKey, output_of_test};
use crate::parallel;
use crate::queries;
use crate::selection::{Wanted, configured_for, unknown, wanted_packages};
use crate::suggestion::nearest;

impl Run<'_> {
    /// The packages asked for, sorted by label, and what is wrong with the selectors.
    pub(super) fn select(&self, db: &Database) -> (Vec<Target>, Vec<Diagnostic>) {
        let (wanted, mut diagnostics) = wanted_packages(self.request, self.settings, self.layout);
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

    /// The configuration of a package that is asked for directly.
    pub(super) fn configured_for(&self, db: &Database, label: &PackageLabel) -> Configured {
        match queries::facts(db, db.package(label)) {
            Some(facts) => configured_for(&self.configured, &facts),
            None => self.configured.clone(),
        }
    }

    /// What is wrong with the options of the request: one that nothing reached declares would be
    /// without any effect.
    pub(super) fn check_options(&self, db: &Database, graph: &Graph) -> Vec<Diagnostic> {
        if self.request.options.is_empty() {
            return Vec::new();
        }
        let labels: BTreeSet<&PackageLabel> = graph.nodes.iter().map(|it| &it.key.label).collect();
        let declared: BTreeSet<String> = labels
            .into_iter()
            .filter_map(|label| queries::facts(db, db.package(label)))
            .flat_map(|facts| facts.options.clone())
            .collect();
        let names = self.request.options.keys();
        names
            .filter(|name| !declared.contains(*name))
            .map(|name| {
                let message = format!("No package that is asked for has an option `{name}`");
                let near = nearest(name, declared.iter().map(String::as_str));
                *unknown("unknown-option", message, &near)
            })
            .collect()
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
        let outputs: Vec<OutputName> = expanded.outputs.keys().cloned().collect();
        let tests = expanded.tests.keys();
        let tests: Vec<OutputName> = tests.filter_map(|test| output_of_test(test)).collect();
        let (names, missing) = wanted.among(&outputs, &tests, self.request.tests);
        let problems = missing.into_iter().map(|output| {
            let message = format!("`{label}` has no output `{output}`");
            let near = nearest(output.as_str(), outputs.iter().map(OutputName::as_str));
            *unknown("unknown-output", message, &near)
        });
        let problems = problems.collect();
        target.nodes = NodeKey::of_outputs(label, &configured, names);
        (target, problems)
    }
}
