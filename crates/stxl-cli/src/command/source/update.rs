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
    let current = |(node, lock)| Current {
        node,
        lock,
        version: &version,
    };
    let own: Vec<Current<'_>> = own.into_iter().map(current).collect();
    if update.to.is_some() && own.iter().all(|it| it.package().is_none()) {
        return Err(Failure::usage(format!("`{label}`: {NO_ECOSYSTEM}")));
    }
    // All are had before the definition is touched: a version that is not there changes nothing.
    let mut drafts = own
        .iter()
        .map(|it| it.draft(&sources, update))
        .collect::<Result<Vec<_>, _>>()?;
    for draft in &mut drafts {
        if let Err(failure) = draft.write(&workspace) {
            draft.stop(failure, update)?;
        }
    }
    let updates: Vec<SourceRecord> = drafts.into_iter().map(|it| it.record).collect();
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

/// What is said of a source that has no versions.
const NO_ECOSYSTEM: &str = "no ecosystem tells of newer versions of it";

/// A source as the definition has it.
struct Current<'c> {
    node: &'c PlanNode,
    lock: FetchLock,
    version: &'c str,
}

/// What is to become of a source, and what is told of it.
struct Draft<'c> {
    current: &'c Current<'c>,
    /// The new address and hash, once the file is had.
    had: Option<(String, String)>,
    record: SourceRecord,
}

impl Current<'_> {
    fn address(&self) -> &str {
        let urls = &self.node.origin.urls;
        urls.first().map_or("", String::as_str)
    }

    /// The source as a file of an ecosystem, if it is one.
    fn package(&self) -> Option<PackageAddress> {
        PackageAddress::parse(self.address()).ok()
    }

    /// Gets the new file, unless only versions are to be told. Fails if a version that was asked
    /// for cannot be had; other problems are noted.
    fn draft(
        &self,
        sources: &Sources,
        update: &UpdateSourceArguments,
    ) -> Result<Draft<'_>, Failure> {
        let mut draft = Draft {
            current: self,
            had: None,
            record: SourceRecord {
                address: self.address().to_owned(),
                from: self.version.to_owned(),
                to: None,
                sha256: None,
                file: self.node.origin.file.clone(),
                problem: None,
            },
        };
        let Some(package) = self.package() else {
            // Others of the package may be of an ecosystem.
            draft.record.problem = Some(NO_ECOSYSTEM.to_owned());
            return Ok(draft);
        };
        package.version().clone_into(&mut draft.record.from);
        if let Err(failure) = draft.find(sources, &package, update) {
            draft.stop(failure, update)?;
        }
        Ok(draft)
    }
}

impl Draft<'_> {
    /// Finds the version, and gets its file.
    fn find(
        &mut self,
        sources: &Sources,
        package: &PackageAddress,
        update: &UpdateSourceArguments,
    ) -> Result<(), Failure> {
        let to = match &update.to {
            Some(to) => to.clone(),
            None => match newer(sources, package).map_err(Failure::environment)? {
                Some(to) => to,
                None => return Ok(()),
            },
        };
        let new_address = package
            .with_version(&to)
            .map_err(|reason| Failure::usage(format!("`{to}` is no version here: {reason}")))?;
        self.record.to = Some(to);
        if !update.dry_run {
            let new_address = new_address.to_string();
            let had = sources.obtain(&new_address)?;
            self.had = Some((new_address, had.lock.to_string()));
        }
        Ok(())
    }

    /// Rewrites the definition, if there is something new.
    fn write(&mut self, workspace: &Path) -> Result<(), Failure> {
        let Some((new_address, new_hash)) = self.had.take() else {
            return Ok(());
        };
        let path = workspace.join(&self.record.file);
        let unusable =
            |error: std::io::Error| Failure::environment(format!("`{}`: {error}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(unusable)?;
        let hash = self.current.lock.to_string();
        let change = Change {
            address: &self.record.address,
            hash: &hash,
            version: self.current.version,
            new_address: &new_address,
            new_hash: &new_hash,
        };
        let rewritten = rewrite(&text, &change)
            .map_err(|reason| Failure::usage(format!("`{}`: {reason}", self.record.file)))?;
        // In place: the file stays the user's own, whoever this process is by now.
        std::fs::write(&path, rewritten.text).map_err(unusable)?;
        self.record.sha256 = Some(new_hash);
        Ok(())
    }

    /// Fails if this version was asked for; else the others are gone on with.
    fn stop(&mut self, failure: Failure, update: &UpdateSourceArguments) -> Result<(), Failure> {
        if update.to.is_some() {
            return Err(failure);
        }
        self.record.problem = Some(failure.message);
        Ok(())
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
