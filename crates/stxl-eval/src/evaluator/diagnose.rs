//! What the queries said about every package that was seen.

use std::collections::{BTreeMap, BTreeSet};

use stxl_lang::{Diagnostic, Severity};
use stxl_model::PackageLabel;

use super::{Run, Target};
use crate::database::{Configured, Database, Db as _};
use crate::graph::Graph;
use crate::host::Reads;
use crate::parallel;
use crate::queries::{self, Failure};
use crate::record::SeenPackage;
use crate::value_cycle;

/// What was said about one package, and whose values it read.
struct Said {
    package: SeenPackage,
    reads: Vec<PackageLabel>,
    is_cyclic: bool,
}

impl Said {
    /// Adds what was read, and tells what is said about the files that were imported: nobody else
    /// asks what is wrong with those.
    fn add_reads(&mut self, db: &Database, reads: &Reads) -> Vec<Diagnostic> {
        self.reads.extend(reads.packages.iter().cloned());
        let files = reads.faulty_files.iter();
        let files = files.map(|path| queries::compiled(db, db.file(path)));
        files.flat_map(|file| file.diagnostics.clone()).collect()
    }
}

impl Run<'_> {
    /// What is said about the packages that were asked for or are needed, and about all whose
    /// values they read.
    pub(super) fn diagnose_packages(
        &self,
        db: &Database,
        graph: &Graph,
        targets: &[Target],
    ) -> BTreeMap<PackageLabel, SeenPackage> {
        let mut configurations: BTreeMap<PackageLabel, BTreeSet<Configured>> = BTreeMap::new();
        for key in graph
            .nodes
            .iter()
            .filter(|node| node.is_followed)
            .flat_map(|node| node.faulty.iter().chain([&node.key]))
        {
            let known = configurations.entry(key.label.clone()).or_default();
            known.insert(key.configured.clone());
        }
        // One that was asked for in vain has no node.
        for target in targets.iter().filter(|target| target.nodes.is_empty()) {
            let known = configurations.entry(target.label.clone()).or_default();
            known.insert(self.configured_for(db, &target.label));
        }
        let mut seen: BTreeMap<PackageLabel, SeenPackage> = BTreeMap::new();
        let mut explained: BTreeSet<PackageLabel> = BTreeSet::new();
        let mut frontier: BTreeSet<PackageLabel> = configurations.keys().cloned().collect();
        while !frontier.is_empty() {
            let batch: Vec<PackageLabel> = std::mem::take(&mut frontier).into_iter().collect();
            let said = parallel::map(db, &batch, |db, label| {
                said_about(db, label, configurations.get(label))
            });
            let mut reads = Vec::new();
            for (label, said) in batch.into_iter().zip(said) {
                reads.extend(said.reads);
                let mut package = said.package;
                if said.is_cyclic && !explained.contains(&label) {
                    let (found, cycle) = value_cycle::explain(db, &label);
                    // Members of one cycle are reported once; what only leads to it, not at all.
                    if cycle.contains(&label) {
                        package.diagnostics.extend(found);
                    }
                    explained.extend(cycle);
                }
                seen.insert(label, package);
            }
            reads.retain(|read| !seen.contains_key(read));
            frontier.extend(reads);
        }
        seen
    }
}

fn said_about(
    db: &Database,
    label: &PackageLabel,
    configurations: Option<&BTreeSet<Configured>>,
) -> Said {
    let package = db.package(label);
    let mut said = Said {
        package: SeenPackage {
            configurations: Vec::new(),
            diagnostics: Vec::new(),
        },
        reads: Vec::new(),
        is_cyclic: false,
    };
    for (layer, path) in (0..).zip(package.layers(db).iter()) {
        let file = queries::compiled(db, db.file(path));
        let diagnostics = &mut said.package.diagnostics;
        diagnostics.extend(file.diagnostics.iter().cloned());
        let definition = queries::definition(db, package, layer);
        said.is_cyclic |= definition.outcome == Err(Failure::Cycle);
        diagnostics.extend(definition.diagnostics.iter().cloned());
        let of_files = said.add_reads(db, &definition.reads);
        said.package.diagnostics.extend(of_files);
    }
    // One whose values alone are read is not expanded for anything.
    for configured in configurations.into_iter().flatten() {
        let expanded = queries::expanded(db, package, configured);
        let mut diagnostics = expanded.diagnostics.clone();
        diagnostics.extend(said.add_reads(db, &expanded.reads));
        let configurations = &mut said.package.configurations;
        configurations.push((configured.clone(), diagnostics));
    }
    said
}

/// Cuts what is too long to be read, once: what was cut before would be cut elsewhere. Then orders.
pub(crate) fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.iter_mut().for_each(Diagnostic::shorten);
    order(diagnostics);
}

/// Sorts by severity, then by place, and removes duplicates.
pub(crate) fn order(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|left, right| {
        let place = |it: &Diagnostic| it.primary.as_ref().map(|(span, _)| span.clone());
        let rank = |it: &Diagnostic| match it.severity {
            Severity::Error => 0,
            Severity::Warning => 1,
        };
        (rank(left), place(left), left).cmp(&(rank(right), place(right), right))
    });
    diagnostics.dedup();
}
