//! Records: what is known of packages after an evaluation without errors, without their text.
//!
//! A record holds what other packages can ask of a package, its outputs as fragments, and all that
//! was read on the way. Plans are made of records alone (`link`), so a record whose reads are what
//! they were saves the evaluation.

mod encoding;
mod pieces;

pub(crate) use encoding::{
    decode_facts, decode_label, decode_list, decode_numbers, decode_read, encode_facts,
    encode_numbers, encode_read,
};
pub(crate) use pieces::{Hashed, Pieces};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;
use stxl_lang::Diagnostic;
use stxl_model::{Fragment, OutputName, PackageLabel};

use crate::database::{Configured, Database, Db as _};
use crate::graph::Graph;
use crate::host;
use crate::layout::Layers;
use crate::lowering::Lowered;
use crate::node::{NodeKey, output_of_test};
use crate::parallel;
use crate::queries::{self, PackageFacts};
use crate::read::{Look, Read};

/// What was read, and what was found there.
pub(crate) type Reads = IndexMap<Read, Look, FxBuildHasher>;

/// Records of packages, and the nodes and reads that they name by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    pub(crate) nodes: IndexSet<NodeKey, FxBuildHasher>,
    pub(crate) reads: Reads,
    pub(crate) packages: BTreeMap<PackageLabel, PackageRecord>,
}

/// What is known of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackageRecord {
    /// The files of its definition, lowest layer first.
    pub(crate) layers: Layers,
    /// Positions of what was read, definitions included.
    pub(crate) reads: Vec<u32>,
    /// Of its definition.
    pub(crate) remarks: Remarks,
    /// The packages that were named, needed or not: each has to be there.
    pub(crate) named: Vec<PackageLabel>,
    pub(crate) facts: PackageFacts,
    /// What it is in each configuration it was evaluated for.
    pub(crate) configurations: Vec<ConfigurationRecord>,
    /// Its outputs that were lowered, by the positions of their nodes.
    pub(crate) nodes: Vec<(u32, NodeRecord)>,
}

/// What comes of a text besides its value. Kept apart for each configuration: another one reads
/// other packages, and warns of other things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remarks {
    /// The packages whose values were read.
    pub(crate) values_of: Vec<PackageLabel>,
    /// Warnings.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What references to a package in a configuration are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigurationRecord {
    pub(crate) configured: Configured,
    /// Names of all outputs.
    pub(crate) outputs: Vec<OutputName>,
    /// Names of the outputs that stand for tests.
    pub(crate) tests: Vec<OutputName>,
    /// Of its build.
    pub(crate) remarks: Remarks,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeRecord {
    /// The positions of the nodes it needs, in the order in which its fragment numbers them.
    pub(crate) needs: Vec<u32>,
    /// The positions of what every user of it gets besides, one step far.
    pub(crate) brings: Vec<u32>,
    /// Its derivations.
    pub(crate) fragment: Fragment,
}

/// What is recorded of an evaluation.
pub(crate) struct Evaluated<'e> {
    pub(crate) graph: &'e Graph,
    /// By position in the graph.
    pub(crate) lowered: &'e [Arc<Lowered>],
    /// Every package that was seen.
    pub(crate) seen: &'e BTreeMap<PackageLabel, SeenPackage>,
}

/// What a package was evaluated for, and what was said about it.
pub(crate) struct SeenPackage {
    /// Each of them once, sorted, with what was said of its build.
    pub(crate) configurations: Vec<(Configured, Vec<Diagnostic>)>,
    /// What was said of its definition.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl SeenPackage {
    /// Everything that was said.
    pub(crate) fn all_diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let builds = self.configurations.iter().flat_map(|(_, said)| said);
        builds.chain(&self.diagnostics)
    }
}

impl Records {
    /// Records an evaluation that had no errors; none when something has no value after all.
    pub(crate) fn of(db: &Database, evaluated: &Evaluated<'_>) -> Option<Self> {
        let mut records = Self::default();
        let nodes = &evaluated.graph.nodes;
        records
            .nodes
            .extend(nodes.iter().map(|node| node.key.clone()));
        let seen: Vec<_> = evaluated.seen.iter().collect();
        let made = parallel::map(db, &seen, |db, (label, seen)| package_of(db, label, seen));
        let mut read: IndexSet<Read, FxBuildHasher> = IndexSet::default();
        let mut positions_of = |reads: &mut dyn Iterator<Item = Read>| {
            let mut positions: Vec<u32> = reads.map(|it| number(read.insert_full(it).0)).collect();
            positions.sort_unstable();
            positions
        };
        for ((label, _), made) in seen.into_iter().zip(made) {
            let (mut package, reads) = made?;
            package.reads = positions_of(&mut reads.into_iter());
            records.packages.insert(label.clone(), package);
        }
        let lowered = nodes.iter().zip(evaluated.lowered);
        for (position, (node, lowered)) in (0..).zip(lowered) {
            if !node.is_followed {
                continue;
            }
            let numbers = |of: &[usize]| of.iter().map(|it| number(*it)).collect();
            let record = NodeRecord {
                needs: numbers(&node.needs),
                brings: numbers(&node.brings),
                fragment: lowered.fragment.clone()?,
            };
            let package = records.packages.get_mut(&node.key.label)?;
            if !lowered.reads.is_empty() {
                let reads = positions_of(&mut lowered.reads.iter().cloned());
                package.reads.extend(reads);
                package.reads.sort_unstable();
                package.reads.dedup();
            }
            package.nodes.push((position, record));
        }
        // Each once, however many packages read it.
        let read: Vec<Read> = read.into_iter().collect();
        let looks = parallel::map(db, &read, |db, read| read.seen_by(db));
        for (read, look) in read.into_iter().zip(looks) {
            records.reads.insert(read, look?);
        }
        Some(records)
    }

    /// What is known of every node, by position.
    pub(crate) fn by_node(&self) -> Vec<Option<&NodeRecord>> {
        let mut nodes = vec![None; self.nodes.len()];
        for (position, record) in self.packages.values().flat_map(|package| &package.nodes) {
            if let Some(node) = nodes.get_mut(*position as usize) {
                *node = Some(record);
            }
        }
        nodes
    }

    /// The record of a node, by its position.
    pub(crate) fn node(&self, position: usize) -> Option<&NodeRecord> {
        let key = self.nodes.get_index(position)?;
        let nodes = &self.packages.get(&key.label)?.nodes;
        let mut nodes = nodes.iter().filter(|(it, _)| *it as usize == position);
        nodes.next().map(|(_, node)| node)
    }

    /// Takes over the record of a package from other records. A record that is there stays, and
    /// only what it lacks is added.
    pub(crate) fn absorb(&mut self, other: &Self, label: &PackageLabel) {
        let Some(package) = other.packages.get(label) else {
            return;
        };
        let reads = package.reads.iter();
        let reads = reads.map(|it| self.own_read(other, *it)).collect();
        let mut nodes = Vec::new();
        for (position, node) in &package.nodes {
            let needs = node.needs.iter();
            let needs = needs.map(|it| self.own_node(other, *it)).collect();
            let brings = node.brings.iter();
            let brings = brings.map(|it| self.own_node(other, *it)).collect();
            let record = NodeRecord {
                needs,
                brings,
                fragment: node.fragment.clone(),
            };
            nodes.push((self.own_node(other, *position), record));
        }
        let record = PackageRecord {
            reads,
            nodes,
            ..package.clone()
        };
        match self.packages.get_mut(label) {
            None => {
                self.packages.insert(label.clone(), record);
            }
            Some(known) => known.join(record),
        }
    }

    /// The position here of a node that other records name.
    fn own_node(&mut self, other: &Self, position: u32) -> u32 {
        let key = other.nodes.get_index(position as usize);
        let key = key.expect("records name only nodes of their own");
        let position = match self.nodes.get_index_of(key) {
            Some(position) => position,
            None => self.nodes.insert_full(key.clone()).0,
        };
        number(position)
    }

    /// The position here of a read that other records name.
    pub(crate) fn own_read(&mut self, other: &Self, position: u32) -> u32 {
        let read = other.reads.get_index(position as usize);
        let (read, look) = read.expect("records name only reads of their own");
        let position = match self.reads.get_full_mut(read) {
            Some((position, _, known)) => {
                known.stamp = known.stamp.or(look.stamp);
                position
            }
            None => self.reads.insert_full(read.clone(), *look).0,
        };
        number(position)
    }

    /// How many reads and nodes nothing names any more, besides these reads.
    pub(crate) fn unused(&self, reads_besides: &[u32]) -> usize {
        let mut is_read = vec![false; self.reads.len()];
        let mut is_named = vec![false; self.nodes.len()];
        let mark = |marks: &mut Vec<bool>, position: u32| {
            if let Some(mark) = marks.get_mut(position as usize) {
                *mark = true;
            }
        };
        for package in self.packages.values() {
            package.reads.iter().for_each(|it| mark(&mut is_read, *it));
            for (position, node) in &package.nodes {
                let named = node.references().chain([*position]);
                named.for_each(|it| mark(&mut is_named, it));
            }
        }
        reads_besides.iter().for_each(|it| mark(&mut is_read, *it));
        let marks = is_read.iter().chain(&is_named);
        marks.filter(|mark| !**mark).count()
    }
}

/// The record of a package, without its outputs, and what was read for it.
fn package_of(
    db: &Database,
    label: &PackageLabel,
    seen: &SeenPackage,
) -> Option<(PackageRecord, IndexSet<Read, FxBuildHasher>)> {
    let package = db.package(label);
    let layers = package.layers(db);
    // In the order in which they are told of: the files of its definition first.
    let mut reads: IndexSet<Read, FxBuildHasher> = IndexSet::default();
    reads.extend(layers.iter().cloned().map(Read::File));
    let mut named = BTreeSet::new();
    let mut add = |read: &host::Reads, values_of: &mut BTreeSet<PackageLabel>| {
        values_of.extend(read.packages.iter().cloned());
        named.extend(read.named.iter().cloned());
        reads.extend(read.places.iter().cloned());
    };
    let remarks = |values_of: BTreeSet<PackageLabel>, diagnostics: &[Diagnostic]| Remarks {
        values_of: values_of.into_iter().collect(),
        diagnostics: diagnostics.to_vec(),
    };
    let mut values_of = BTreeSet::new();
    for (layer, _) in (0..).zip(layers.iter()) {
        add(
            &queries::definition(db, package, layer).reads,
            &mut values_of,
        );
    }
    let mut recorded = Vec::new();
    for (configured, diagnostics) in &seen.configurations {
        let result = queries::expanded(db, package, configured);
        let mut values_of = BTreeSet::new();
        add(&result.reads, &mut values_of);
        let expanded = result.expanded.as_ref()?;
        let tests = expanded.tests.keys();
        recorded.push(ConfigurationRecord {
            configured: configured.clone(),
            outputs: expanded.outputs.keys().cloned().collect(),
            tests: tests.filter_map(|test| output_of_test(test)).collect(),
            remarks: remarks(values_of, diagnostics),
        });
    }
    let record = PackageRecord {
        layers,
        reads: Vec::new(),
        remarks: remarks(values_of, &seen.diagnostics),
        named: named.into_iter().collect(),
        facts: queries::facts(db, package)?.as_ref().clone(),
        configurations: recorded,
        nodes: Vec::new(),
    };
    Some((record, reads))
}

/// A position as it is kept. There are never as many of anything as four bytes can count: an answer
/// is at most two gigabytes.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

impl NodeRecord {
    /// The positions of all nodes that it needs or brings: what has to be right for it to be.
    pub(crate) fn references(&self) -> impl Iterator<Item = u32> {
        self.needs.iter().chain(&self.brings).copied()
    }
}

impl PackageRecord {
    /// Adds what another record of the same package knows.
    fn join(&mut self, other: Self) {
        let add = |reads: &mut Vec<u32>| {
            reads.extend(other.reads);
            reads.sort_unstable();
            reads.dedup();
        };
        add(&mut self.reads);
        self.named.extend(other.named);
        self.named.sort();
        self.named.dedup();
        for configuration in other.configurations {
            if !self.configurations.contains(&configuration) {
                self.configurations.push(configuration);
            }
        }
        for (position, node) in other.nodes {
            if !self.nodes.iter().any(|(known, _)| *known == position) {
                self.nodes.push((position, node));
            }
        }
    }

    /// The packages whose values were read, in any configuration.
    pub(crate) fn values_of(&self) -> impl Iterator<Item = &PackageLabel> {
        let configurations = self.configurations.iter().map(|it| &it.remarks);
        let remarks = configurations.chain([&self.remarks]);
        remarks.flat_map(|remarks| &remarks.values_of)
    }

    /// What the package is in a configuration.
    pub(crate) fn configuration(&self, configured: &Configured) -> Option<&ConfigurationRecord> {
        let mut known = self.configurations.iter();
        known.find(|it| it.configured == *configured)
    }
}
