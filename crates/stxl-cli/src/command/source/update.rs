//! `stxl source update`: a newer version of a package's sources, written into its definition.

use std::path::Path;

use serde::Serialize;
use stxl_model::{FetchLock, PackageAddress, PackageLabel, Plan, PlanDifference, PlanNode};

use super::rewrite::{Change, rewrite};
use super::{Sources, fetches};
use crate::arguments::{Arguments, Selection, UpdateSourceArguments};
use crate::evaluation::{self, Audience};
use crate::failure::Failure;
use crate::place;
use crate::progress::plural;
use crate::terminal::{Terminal, print_data, print_record};

#[derive(Serialize)]
struct UpdateRecord {
    version: u32,
    event: &'static str,
    label: String,
    updates: Vec<SourceRecord>,
    /// The packages that would be built again, by label.
    rebuilds: Vec<String>,
}

#[derive(Serialize)]
struct SourceRecord {
    address: String,
    from: String,
    /// The newer version; none where there is none.
    to: Option<String>,
    sha256: Option<String>,
    file: String,
    /// Why nothing is done, if something could have been.
    problem: Option<String>,
}

pub(crate) fn run(
    arguments: &Arguments,
    update: &UpdateSourceArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let label = PackageLabel::parse(&update.label).map_err(Failure::usage)?;
    let whole = |terminal| {
        let everything = Selection::default();
        evaluation::plan(&workspace, &everything, Audience::Person, terminal)
    };
    let before = whole(terminal)?;
    let own: Vec<(&PlanNode, FetchLock)> = fetches(&before)?
        .into_iter()
        .filter(|(node, lock)| {
            // What a lock file names is updated by its own tools.
            node.origin.label == label && is_written(&workspace, node, lock)
        })
        .collect();
    if own.is_empty() {
        return Err(Failure::usage(format!(
            "`{label}` has no sources from outside"
        )));
    }
    let version = version_of(&workspace, &label, terminal)?;
    let sources = Sources::open(arguments, workspace.clone())?;
    let mut updates = Vec::new();
    for (node, lock) in own {
        let current = Current {
            node,
            lock,
            version: &version,
        };
        updates.push(current.update(&sources, &workspace, update));
    }
    let is_changed = !update.dry_run && updates.iter().any(|it| it.sha256.is_some());
    let rebuilds = if is_changed {
        rebuilt(&before, &whole(terminal)?)
    } else {
        Vec::new()
    };
    if update.json {
        return print_record(&UpdateRecord {
            version: 1,
            event: "update",
            label: label.to_string(),
            updates,
            rebuilds,
        });
    }
    print_data(text_of(&updates, &rebuilds, is_changed).as_bytes())
}

/// Whether the file of a source holds its hash.
fn is_written(workspace: &Path, node: &PlanNode, lock: &FetchLock) -> bool {
    let text = std::fs::read_to_string(workspace.join(&node.origin.file));
    text.is_ok_and(|text| text.contains(&lock.to_string()))
}

/// A source as the definition has it.
struct Current<'c> {
    node: &'c PlanNode,
    lock: FetchLock,
    version: &'c str,
}

impl Current<'_> {
    fn update(
        &self,
        sources: &Sources,
        workspace: &Path,
        update: &UpdateSourceArguments,
    ) -> SourceRecord {
        let origin = &self.node.origin;
        let address = origin.urls.first().map_or("", String::as_str);
        let mut record = SourceRecord {
            address: address.to_owned(),
            from: self.version.to_owned(),
            to: None,
            sha256: None,
            file: origin.file.clone(),
            problem: None,
        };
        let Ok(package) = PackageAddress::parse(address) else {
            record.problem = Some("no ecosystem tells of newer versions of it".to_owned());
            return record;
        };
        package.version().clone_into(&mut record.from);
        let newer = match &update.to {
            Some(to) => Ok(Some(to.clone())),
            None => newer(sources, &package),
        };
        let to = match newer {
            Ok(Some(to)) => to,
            Ok(None) => return record,
            Err(problem) => {
                record.problem = Some(problem);
                return record;
            }
        };
        record.to = Some(to.clone());
        if update.dry_run {
            return record;
        }
        match self.write(sources, (&package, &to), workspace) {
            Ok(sha256) => record.sha256 = Some(sha256),
            Err(problem) => record.problem = Some(problem),
        }
        record
    }

    /// Gets the new file and rewrites the definition.
    fn write(
        &self,
        sources: &Sources,
        (package, to): (&PackageAddress, &str),
        workspace: &Path,
    ) -> Result<String, String> {
        let origin = &self.node.origin;
        let new_address = package.with_version(to)?.to_string();
        let had = sources.obtain(&new_address).map_err(|it| it.message)?;
        let path = workspace.join(&origin.file);
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let (hash, new_hash) = (self.lock.to_string(), had.lock.to_string());
        let rewritten = rewrite(
            &text,
            &Change {
                address: origin.urls.first().map_or("", String::as_str),
                hash: &hash,
                version: self.version,
                new_address: &new_address,
                new_hash: &new_hash,
            },
        )?;
        // In place: the file stays the user's own, whoever this process is by now.
        std::fs::write(&path, rewritten.text).map_err(|error| error.to_string())?;
        Ok(new_hash)
    }
}

/// The newest version after the one that an address names; fails with a sentence where it cannot be
/// told what is newer.
fn newer(sources: &Sources, package: &PackageAddress) -> Result<Option<String>, String> {
    let told = sources.fetcher.newest(package);
    let Some(newest) = told.map_err(|error| error.to_string())? else {
        return Err("nobody tells of its versions".to_owned());
    };
    let upstream = |version: &str| match package {
        PackageAddress::Debian(file) if !file.version.contains('-') => {
            let version = version
                .rsplit_once('-')
                .map_or(version, |(version, _)| version);
            let version = version
                .split_once(':')
                .map_or(version, |(_, version)| version);
            version.to_owned()
        }
        _ => version.to_owned(),
    };
    let newest = upstream(&newest);
    if newest == package.version() {
        return Ok(None);
    }
    let versions = sources
        .fetcher
        .versions(package)
        .map_err(|error| error.to_string())?;
    let known = versions
        .iter()
        .map(|it| upstream(it))
        .any(|it| it == package.version());
    if known {
        return Ok(Some(newest));
    }
    Err(format!(
        "the ecosystem knows {newest}, and not this version: --to VERSION takes one all the same"
    ))
}

/// The version in a package's definition.
fn version_of(
    workspace: &Path,
    label: &PackageLabel,
    terminal: Terminal,
) -> Result<String, Failure> {
    let selection = Selection {
        labels: vec![label.to_string()],
        ..Selection::default()
    };
    let provenance =
        evaluation::origin(workspace, &selection, "version", Audience::Person, terminal)?;
    let value = provenance.value.unwrap_or_default();
    Ok(value.trim_matches('"').to_owned())
}

/// The packages with steps that a plan has and the one before had not.
fn rebuilt(before: &Plan, after: &Plan) -> Vec<String> {
    let difference = PlanDifference::between(before, after);
    let packages = difference.packages.iter();
    let rebuilt = packages.filter(|(_, package)| package.steps_added > 0);
    rebuilt.map(|(label, _)| label.to_string()).collect()
}

fn text_of(updates: &[SourceRecord], rebuilds: &[String], is_changed: bool) -> String {
    let mut text = String::new();
    for update in updates {
        let address = &update.address;
        let line = match (&update.to, &update.problem) {
            (_, Some(problem)) => format!("{address}: {problem}"),
            (Some(to), None) => format!("{address}: {} -> {to} in {}", update.from, update.file),
            (None, None) => format!("{address}: {} is the newest", update.from),
        };
        text += &format!("{line}\n");
    }
    if is_changed {
        let shown: Vec<&str> = rebuilds.iter().take(10).map(String::as_str).collect();
        let more = if rebuilds.len() > shown.len() {
            ", …"
        } else {
            ""
        };
        let count = plural(rebuilds.len(), "package");
        text += &format!("rebuilds {count}: {}{more}\n", shown.join(", "));
    }
    text
}
