//! What `stxl trace` tells, to people and to programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use stxl_build::{Lineage, Opaque, ShippedFile, Subject};
use stxl_model::{Derivation, Plan, PlanNode, RootPath, TreeId};

use super::climb::Climb;
use crate::progress::{plural, printable};
use crate::terminal::size;

/// What is told, and of what.
pub(super) struct Telling<'t> {
    /// As typed.
    pub(super) subject: &'t str,
    /// The path that is in it.
    pub(super) path: &'t RootPath,
    pub(super) plan: &'t Plan,
    pub(super) lineage: &'t Lineage,
    pub(super) climb: Climb,
}

/// What it prints for programs.
#[derive(Serialize)]
pub(super) struct TraceRecord<'t> {
    version: u32,
    event: &'static str,
    subject: &'t str,
    /// Symlinks followed.
    path: String,
    /// Of the bytes, or of the tree.
    digest: String,
    /// None of a tree.
    size_bytes: Option<u64>,
    made_by: NodeRecord<'t>,
    /// Whether that is for sure; else trees further back are gone.
    made_by_is_certain: bool,
    chain: Vec<NodeRecord<'t>>,
    seed_bytes: u64,
    seeds: Vec<SeedRecord<'t>>,
    sources: Vec<SourceRecord<'t>>,
    /// Names of the files and directories of the workspace.
    imports: Vec<&'t str>,
    opaque: Vec<OpaqueRecord<'t>>,
    pregenerated: Vec<ShippedRecord<'t>>,
    compiled: Vec<ShippedRecord<'t>>,
    /// Archives of which it is not known what they hold.
    unseen: Vec<&'t str>,
    steps: usize,
    derivations: usize,
    packages: Vec<PackageRecord>,
}

#[derive(Serialize)]
struct NodeRecord<'t> {
    name: &'t str,
    label: &'t str,
    kind: &'static str,
    id: String,
    file: &'t str,
    line: u32,
}

#[derive(Serialize)]
struct SeedRecord<'t> {
    label: &'t str,
    /// None if the store does not have it any more.
    bytes: Option<u64>,
    file: &'t str,
    line: u32,
}

#[derive(Serialize)]
struct SourceRecord<'t> {
    name: &'t str,
    label: &'t str,
    lock: String,
}

#[derive(Serialize)]
struct OpaqueRecord<'t> {
    name: &'t str,
    label: &'t str,
    /// `declared`: the definition or the address says so; `binary`: a file of the workspace that is
    /// no text; `gone`: files of the workspace that are not in the store any more.
    why: &'static str,
    /// Where it is in what is imported.
    path: Option<String>,
    file: &'t str,
    line: u32,
}

/// A file that an archive ships.
#[derive(Serialize)]
struct ShippedRecord<'t> {
    archive: &'t str,
    path: String,
    /// The generator, or what it is.
    what: &'static str,
}

#[derive(Serialize)]
struct PackageRecord {
    label: String,
    steps: usize,
    /// None if not all of its steps ran on this machine.
    ms: Option<u64>,
    tree: Option<String>,
    /// None if the store does not have all of it any more.
    size_bytes: Option<u64>,
}

impl<'t> Telling<'t> {
    fn node(&self, position: usize) -> &'t PlanNode {
        &self.plan.nodes()[position]
    }

    pub(super) fn seed_bytes(&self) -> u64 {
        self.lineage
            .seeds
            .iter()
            .filter_map(|(_, bytes)| *bytes)
            .sum()
    }

    pub(super) fn record(&self) -> TraceRecord<'t> {
        let lineage = self.lineage;
        let (path, digest, size_bytes) = match &lineage.subject {
            Subject::File {
                path,
                blob,
                size_bytes,
            } => (path, blob.to_string(), Some(*size_bytes)),
            Subject::Tree { path, tree } => (path, tree.to_string(), None),
        };
        TraceRecord {
            version: 1,
            event: "trace",
            subject: self.subject,
            path: path.to_string(),
            digest,
            size_bytes,
            made_by: node_record(self.node(lineage.maker)),
            made_by_is_certain: lineage.is_maker_certain,
            chain: self.chain_records(),
            seed_bytes: self.seed_bytes(),
            seeds: self.seed_records(),
            sources: self.source_records(),
            imports: self.names(&lineage.imports),
            opaque: self.opaque_records(),
            pregenerated: self.shipped(|files| &files.generated),
            compiled: self.shipped(|files| &files.compiled),
            unseen: self.names(&lineage.unseen),
            steps: self.climb.steps(),
            derivations: lineage.nodes.len(),
            packages: self.package_records(),
        }
    }

    fn names(&self, nodes: &[usize]) -> Vec<&'t str> {
        nodes.iter().map(|node| self.name(*node)).collect()
    }

    fn name(&self, node: usize) -> &'t str {
        &self.node(node).origin.name
    }

    fn chain_records(&self) -> Vec<NodeRecord<'t>> {
        let chain = self.lineage.chain.iter();
        chain.map(|node| node_record(self.node(*node))).collect()
    }

    fn seed_records(&self) -> Vec<SeedRecord<'t>> {
        let seeds = self.lineage.seeds.iter();
        seeds
            .map(|(node, bytes)| {
                let origin = &self.node(*node).origin;
                SeedRecord {
                    label: origin.label.as_str(),
                    bytes: *bytes,
                    file: &origin.file,
                    line: origin.line,
                }
            })
            .collect()
    }

    fn source_records(&self) -> Vec<SourceRecord<'t>> {
        let sources = self.lineage.sources.iter();
        sources
            .map(|node| {
                let node = self.node(*node);
                let lock = match node.derivation.decode() {
                    Ok(Derivation::Fetch(fetch)) => fetch.lock.to_string(),
                    Ok(_) | Err(_) => String::new(),
                };
                SourceRecord {
                    name: &node.origin.name,
                    label: node.origin.label.as_str(),
                    lock,
                }
            })
            .collect()
    }

    fn opaque_records(&self) -> Vec<OpaqueRecord<'t>> {
        let opaque = self.lineage.opaque.iter();
        opaque
            .map(|opaque| {
                let origin = &self.node(opaque.node()).origin;
                let (why, path) = match opaque {
                    Opaque::Declared { .. } => ("declared", None),
                    Opaque::Gone { .. } => ("gone", None),
                    Opaque::Binary { path, .. } => ("binary", Some(path.to_string())),
                };
                OpaqueRecord {
                    name: &origin.name,
                    label: origin.label.as_str(),
                    why,
                    path,
                    file: &origin.file,
                    line: origin.line,
                }
            })
            .collect()
    }

    fn shipped(
        &self,
        of: impl Fn(&'t stxl_build::ShippedFiles) -> &'t Vec<ShippedFile>,
    ) -> Vec<ShippedRecord<'t>> {
        let mut records = Vec::new();
        for (node, files) in &self.lineage.shipped {
            records.extend(of(files).iter().map(|file| ShippedRecord {
                archive: self.name(*node),
                path: file.path.to_string(),
                what: file.what,
            }));
        }
        records
    }

    fn package_records(&self) -> Vec<PackageRecord> {
        let rungs = self.climb.rungs.iter();
        rungs
            .map(|rung| PackageRecord {
                label: rung.label.to_string(),
                steps: rung.steps,
                ms: (rung.unknown == 0).then_some(rung.ms),
                tree: rung.tree.as_ref().map(TreeId::to_string),
                size_bytes: rung.size_bytes,
            })
            .collect()
    }

    /// For a person; with every shipped file by its name if wanted.
    pub(super) fn text(&self, with_files: bool) -> String {
        let record = self.record();
        let mut text = String::new();
        let size = record.size_bytes.map(|bytes| format!(", {}", size(bytes)));
        let (made_by, size) = (&record.made_by, size.unwrap_or_default());
        line(
            &mut text,
            &format!("{}  {}{size}", self.subject, record.digest),
        );
        if record.path != self.path.to_string() {
            line(&mut text, &format!("which leads to {}", record.path));
        }
        line(
            &mut text,
            &format!(
                "made by {}  {}:{}",
                made_by.name, made_by.file, made_by.line
            ),
        );
        if !record.made_by_is_certain {
            line(
                &mut text,
                "or further back, which the store does not have any more",
            );
        }
        self.tell_chain(&mut text);
        text.push('\n');
        line(&mut text, "made from");
        let seeds = plural(record.seeds.len(), "seed");
        let known = record.seeds.iter().all(|seed| seed.bytes.is_some());
        let at_least = if known { "" } else { "at least " };
        let bytes = record.seed_bytes;
        line(&mut text, &format!("  {seeds} of {at_least}{bytes} bytes"));
        let sources = plural(record.sources.len(), "source");
        line(
            &mut text,
            &format!("  {sources} from outside, locked by hash"),
        );
        let imports = plural(record.imports.len(), "import");
        line(&mut text, &format!("  {imports} from the workspace"));
        let (steps, packages) = (record.steps, record.packages.len());
        line(
            &mut text,
            &format!(
                "  {} of {}",
                plural(steps, "step"),
                plural(packages, "package")
            ),
        );
        match self.opaque_lines().as_slice() {
            [] => line(&mut text, "  nothing opaque"),
            lines => lines
                .iter()
                .for_each(|it| line(&mut text, &format!("  {it}"))),
        }
        tell_shipped(
            &mut text,
            "generated file",
            &record.pregenerated,
            with_files,
        );
        tell_shipped(&mut text, "compiled file", &record.compiled, with_files);
        for name in &record.unseen {
            line(
                &mut text,
                &format!("  what {name} holds is not in the store any more"),
            );
        }
        text
    }

    /// The way down, a line for each package.
    fn tell_chain(&self, text: &mut String) {
        text.push('\n');
        line(text, "the way down that leads through the most steps");
        let mut told = "";
        for node in &self.lineage.chain {
            let origin = &self.node(*node).origin;
            if origin.label.as_str() != told {
                told = origin.label.as_str();
                line(text, &format!("  {told}  {}:{}", origin.file, origin.line));
            }
        }
        if let Some(last) = self.lineage.chain.last() {
            line(text, &format!("  which begins with {}", self.name(*last)));
        }
    }

    /// What nothing of the plan made, a line each.
    pub(super) fn opaque_lines(&self) -> Vec<String> {
        let records = self.opaque_records();
        records
            .iter()
            .map(|record| {
                let (name, file, line) = (record.name, record.file, record.line);
                let what = match (record.why, &record.path) {
                    ("gone", _) => format!("not in the store any more, so nobody knows: {name}"),
                    (_, None) => format!("opaque, as it says: {name}"),
                    (_, Some(path)) => format!("no text: {path} of {name}"),
                };
                printable(&format!("{what}  {file}:{line}"))
            })
            .collect()
    }
}

fn node_record(node: &PlanNode) -> NodeRecord<'_> {
    NodeRecord {
        name: &node.origin.name,
        label: node.origin.label.as_str(),
        kind: node.derivation.kind().name(),
        id: node.id.to_string(),
        file: &node.origin.file,
        line: node.origin.line,
    }
}

/// How many files archives ship, by archive, and what made them.
fn tell_shipped(text: &mut String, what: &str, shipped: &[ShippedRecord<'_>], with_files: bool) {
    if shipped.is_empty() {
        return;
    }
    line(
        text,
        &format!("  {} shipped in sources", plural(shipped.len(), what)),
    );
    let mut archives: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for record in shipped {
        let counts = archives.entry(record.archive).or_default();
        *counts.entry(record.what).or_default() += 1;
    }
    for (archive, counts) in archives {
        let counts = counts.iter().map(|(what, count)| format!("{count} {what}"));
        line(
            text,
            &format!("    {archive}: {}", counts.collect::<Vec<_>>().join(", ")),
        );
        if with_files {
            for record in shipped.iter().filter(|record| record.archive == archive) {
                line(text, &format!("      {}  {}", record.path, record.what));
            }
        }
    }
}

/// Adds a line. Names of files may hold anything.
fn line(text: &mut String, line: &str) {
    writeln!(text, "{}", printable(line)).expect("a text takes what is written");
}
