//! Which packages are others if something becomes another: by what was read, and by what is needed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stxl_lang::SourcePath;
use stxl_model::{
    Derivation, DerivationId, Kind, Label, LeftOut, PackageLabel, Plan, Selector, Sha256,
};

use super::Survey;
use crate::read::Read;
use crate::settings::SETTINGS_FILE;

/// Something that becomes another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file, or all below a folder, by its path from the workspace's folder.
    File(String),
    /// What a stage, package or output gives.
    Package(Selector),
    /// The bytes of a source.
    Source(Sha256),
}

/// How a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadKind {
    /// As text that is evaluated: a definition, a library, a script.
    Text,
    /// As bytes that a build gets.
    Import,
    /// As part of a directory that a build gets.
    Directory,
}

/// Why a package is affected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// It is what becomes another.
    Named,
    /// It reads the file.
    Reads(ReadKind, String),
    /// It has the source.
    Fetches(Sha256),
    /// It reads values of a package whose text is another.
    Values(PackageLabel),
    /// It needs one that is affected: the nearest.
    Needs(Label),
}

/// What is affected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// The packages, those nearest to what becomes another first.
    pub packages: Vec<AffectedPackage>,
    /// How many steps run again at most.
    pub steps_max: usize,
}

/// A package that may be another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffectedPackage {
    /// The package.
    pub label: PackageLabel,
    /// Why.
    pub because: Because,
    /// How many needs lie between it and what becomes another.
    pub distance: usize,
    /// How many steps of it run again at most; another package may have some of them too.
    pub steps_max: usize,
}

/// What is known to be affected while more is looked for.
#[derive(Default)]
struct Found {
    packages: BTreeMap<PackageLabel, (usize, Because)>,
    /// By position.
    outputs: BTreeSet<usize>,
    next: VecDeque<(usize, usize)>,
}

impl Found {
    fn add(&mut self, label: &PackageLabel, distance: usize, because: Because) {
        let known = self.packages.entry(label.clone());
        known.or_insert((distance, because));
    }

    fn add_output(&mut self, position: usize, distance: usize) {
        if self.outputs.insert(position) {
            self.next.push_back((position, distance));
        }
    }
}

impl Survey {
    /// The packages of the plan that may be others if something becomes another. The survey has to
    /// be of this plan.
    pub fn affected(&self, plan: &Plan, changes: &[Change]) -> Affected {
        let mut found = Found::default();
        let mut texts: Vec<PackageLabel> = Vec::new();
        for change in changes {
            match change {
                Change::File(path) => texts.extend(self.add_readers(path, &mut found)),
                Change::Package(selector) => {
                    for position in self.named_by(selector) {
                        if let Some(output) = self.output(position) {
                            found.add(&output.label.package, 0, Because::Named);
                            found.add_output(position, 0);
                        }
                    }
                }
                Change::Source(sha256) => self.add_fetching(plan, sha256, &mut found),
            }
        }
        self.add_value_readers(texts, &mut found);
        self.add_users(&mut found);
        let mut steps: BTreeMap<&PackageLabel, BTreeSet<DerivationId>> = BTreeMap::new();
        for output in found.outputs.iter().filter_map(|it| self.output(*it)) {
            let own = steps.entry(&output.label.package).or_default();
            own.extend(steps_among(plan, &output.derivations));
        }
        let packages = found.packages.iter();
        let packages = packages.map(|(label, (distance, because))| AffectedPackage {
            label: label.clone(),
            because: because.clone(),
            distance: *distance,
            steps_max: steps.get(label).map_or(0, BTreeSet::len),
        });
        let mut packages: Vec<AffectedPackage> = packages.collect();
        packages.sort_by(|left, right| {
            let key = |it: &AffectedPackage| (it.distance, it.because.clone(), it.label.clone());
            key(left).cmp(&key(right))
        });
        let all: BTreeSet<&DerivationId> = steps.values().flatten().collect();
        Affected {
            packages,
            steps_max: all.len(),
        }
    }

    /// Whether any package reads a file, or something in a folder.
    pub fn is_read(&self, path: &str) -> bool {
        let mut reads = self.packages.values().flat_map(|package| &package.reads);
        reads.any(|read| reads_file(read, path).is_some())
    }

    /// Adds the packages that read a file; those are returned that read it as text, since their
    /// values may be others.
    fn add_readers(&self, path: &str, found: &mut Found) -> Vec<PackageLabel> {
        let mut texts = Vec::new();
        for (label, package) in &self.packages {
            let mut reads: Vec<Because> = package
                .reads
                .iter()
                .filter_map(|read| reads_file(read, path))
                .map(|kind| Because::Reads(kind, path.to_owned()))
                .collect();
            reads.sort();
            if path == SETTINGS_FILE {
                reads.push(Because::Reads(ReadKind::Text, path.to_owned()));
            }
            let Some(first) = reads.into_iter().next() else {
                continue;
            };
            if matches!(first, Because::Reads(ReadKind::Text, _)) {
                texts.push(label.clone());
            }
            self.add_package(label, first, found);
        }
        texts
    }

    /// Adds a package with all its outputs.
    fn add_package(&self, label: &PackageLabel, because: Because, found: &mut Found) {
        found.add(label, 0, because);
        for position in self.named_by(&Selector::Package(label.clone())) {
            found.add_output(position, 0);
        }
    }

    fn add_fetching(&self, plan: &Plan, sha256: &Sha256, found: &mut Found) {
        let nodes = plan.nodes().iter();
        let fetches = nodes.filter(|node| node.derivation.kind() == Kind::Fetch);
        let fetches = fetches.filter(|node| match node.derivation.decode() {
            Ok(Derivation::Fetch(fetch)) => fetch.lock.file() == Some(sha256),
            Ok(_) | Err(_) => false,
        });
        for fetch in fetches {
            for (position, output) in self.outputs.iter().enumerate() {
                if output.derivations.contains(&fetch.id) {
                    let because = Because::Fetches(*sha256);
                    found.add(&output.label.package, 0, because);
                    found.add_output(position, 0);
                }
            }
        }
    }

    /// Adds the packages that read values of others whose text is another, over any number of
    /// steps.
    fn add_value_readers(&self, texts: Vec<PackageLabel>, found: &mut Found) {
        let mut texts = VecDeque::from(texts);
        while let Some(text) = texts.pop_front() {
            for (label, package) in &self.packages {
                if package.values_of.contains(&text) && !found.packages.contains_key(label) {
                    self.add_package(label, Because::Values(text.clone()), found);
                    texts.push_back(label.clone());
                }
            }
        }
    }

    /// Adds everything that needs what is affected.
    fn add_users(&self, found: &mut Found) {
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); self.outputs.len()];
        for (position, output) in self.outputs.iter().enumerate() {
            for need in &output.needs {
                if let Some(users) = users.get_mut(*need) {
                    users.push(position);
                }
            }
        }
        while let Some((position, distance)) = found.next.pop_front() {
            let Some(needed) = self.output(position) else {
                continue;
            };
            for user in users.get(position).into_iter().flatten() {
                if let Some(output) = self.output(*user) {
                    let because = Because::Needs(needed.label.clone());
                    found.add(&output.label.package, distance + 1, because);
                    found.add_output(*user, distance + 1);
                }
            }
        }
    }
}

/// Those of some derivations that are steps.
fn steps_among(plan: &Plan, derivations: &[DerivationId]) -> impl Iterator<Item = DerivationId> {
    let nodes = derivations.iter().filter_map(|id| plan.node(id));
    let steps = nodes.filter(|node| node.derivation.kind() == Kind::Exec);
    steps.map(|node| node.id)
}

/// How a read sees a file, or what lies in a folder, if it does.
fn reads_file(read: &Read, path: &str) -> Option<ReadKind> {
    let is_at_or_in = |read: &SourcePath| is_below(read.as_str(), path).is_some();
    match read {
        Read::File(read) => is_at_or_in(read).then_some(ReadKind::Text),
        Read::Import(read) => is_at_or_in(read).then_some(ReadKind::Import),
        Read::Directory((directory, ignore)) => {
            let is_read = match is_below(path, directory.as_str()) {
                None => is_at_or_in(directory),
                Some("") => true,
                Some(below) => !is_left_out(below, ignore),
            };
            is_read.then_some(ReadKind::Directory)
        }
        // Whether something is there, or what names there are, is not what it holds.
        Read::Presence(_) | Read::PackageFile(_) | Read::Folder(_) | Read::Layer(_) => None,
    }
}

/// The path of one thing in another, empty for the same; none if it is not there.
fn is_below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder)?;
    match rest.strip_prefix('/') {
        Some(below) => Some(below),
        None if rest.is_empty() => Some(""),
        None => folder.is_empty().then_some(rest),
    }
}

/// Whether a path below a directory, or a folder on the way to it, is left out.
fn is_left_out(below: &str, ignore: &[String]) -> bool {
    // Patterns that are none are a mistake that no plan comes of.
    let Ok(left_out) = LeftOut::new(ignore) else {
        return false;
    };
    let mut folders = below
        .match_indices('/')
        .filter_map(|(end, _)| below.get(..end));
    folders.any(|folder| left_out.is_directory_left_out(folder.as_bytes()))
        // It may be either.
        || left_out.is_file_left_out(below.as_bytes())
}
