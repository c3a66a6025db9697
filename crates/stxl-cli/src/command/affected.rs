//! `stxl affected`.

use std::path::{Component, Path, PathBuf};

use serde::Serialize;
use stxl_eval::{Affected, AffectedPackage, Because, Change, ReadKind};
use stxl_model::{Selector, Sha256};

use crate::arguments::{AffectedArguments, Arguments, Selection};
use crate::evaluation::{self, Audience, Surveyed};
use crate::failure::Failure;
use crate::place;
use crate::progress::plural;
use crate::terminal::{Terminal, print_data, print_record};

/// What it prints for programs.
#[derive(Serialize)]
struct AffectedRecord<'r> {
    version: u32,
    event: &'static str,
    changes: Vec<ChangeRecord<'r>>,
    packages: Vec<PackageRecord<'r>>,
    steps_max: usize,
}

/// What was asked about, and what it was taken for.
#[derive(Serialize)]
struct ChangeRecord<'r> {
    given: &'r str,
    kind: &'static str,
}

#[derive(Serialize)]
struct PackageRecord<'r> {
    label: &'r str,
    because: &'static str,
    /// The file that is read, or the source.
    what: Option<String>,
    /// The package whose values are read, or the output that is needed.
    through: Option<String>,
    distance: usize,
    steps_max: usize,
}

pub(crate) fn run(
    arguments: &Arguments,
    affected: &AffectedArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let audience = if affected.json {
        Audience::Program
    } else {
        Audience::Person
    };
    let selection = Selection {
        labels: Vec::new(),
        variant: affected.variant.clone(),
    };
    let surveyed = evaluation::survey(&workspace, &selection, audience, terminal)?;
    let given = &affected.changes;
    let changes: Vec<Change> = given
        .iter()
        .map(|given| change_of(given, &workspace, &surveyed))
        .collect::<Result<_, _>>()?;
    let found = surveyed.survey.affected(&surveyed.plan, &changes);
    match audience {
        Audience::Program => print_record(&AffectedRecord {
            version: 1,
            event: "affected",
            changes: given.iter().zip(&changes).map(change_record).collect(),
            packages: found.packages.iter().map(package_record).collect(),
            steps_max: found.steps_max,
        }),
        Audience::Person => {
            print_data(lines(&found).as_bytes())?;
            let packages = plural(found.packages.len(), "package");
            let steps = plural(found.steps_max, "step");
            terminal.note(&match found.packages.len() {
                0 => "no package".to_owned(),
                _ => format!("{packages}, at most {steps}"),
            });
            Ok(())
        }
    }
}

/// What is meant by a word of the command line.
fn change_of(given: &str, workspace: &Path, surveyed: &Surveyed) -> Result<Change, Failure> {
    if given.starts_with("sha256:") {
        return Sha256::parse(given)
            .map(Change::Source)
            .map_err(Failure::usage);
    }
    let selector = Selector::parse(given).ok();
    if let Some(selector) = &selector
        && !surveyed.named_by(selector)?.is_empty()
    {
        return Ok(Change::Package(selector.clone()));
    }
    // Seen from where the person is, else from the workspace's folder.
    let seen_from_here = place::absolute(Path::new(given))?;
    for path in [seen_from_here, workspace.join(given)] {
        let path = path_in(workspace, &path)?;
        if workspace.join(&path).symlink_metadata().is_ok() || surveyed.survey.is_read(&path) {
            return Ok(Change::File(path));
        }
    }
    let message = format!("`{given}` is neither a package of the workspace nor a file");
    let failure = Failure::usage(message);
    Err(match surveyed.survey.packages_near(given).first() {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    })
}

/// An absolute path as seen from the workspace's folder.
fn path_in(workspace: &Path, path: &Path) -> Result<String, Failure> {
    let plain = |path: &Path| {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => {
                    plain.pop();
                }
                Component::CurDir => {}
                Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                    plain.push(part);
                }
            }
        }
        plain
    };
    let (workspace, path) = (plain(workspace), plain(path));
    let mut up = PathBuf::new();
    for folder in workspace.ancestors() {
        if let Ok(below) = path.strip_prefix(folder) {
            let seen = up.join(below);
            let text = seen.to_str().map(|text| text.trim_end_matches('/'));
            let not_text = || Failure::usage(format!("`{}` is not text in UTF-8", path.display()));
            return text.map(str::to_owned).ok_or_else(not_text);
        }
        up.push("..");
    }
    Err(Failure::usage(format!("`{}` is no path", path.display())))
}

fn change_record<'r>((given, change): (&'r String, &Change)) -> ChangeRecord<'r> {
    ChangeRecord {
        given,
        kind: match change {
            Change::File(_) => "file",
            Change::Package(_) => "label",
            Change::Source(_) => "source",
        },
    }
}

fn package_record(package: &AffectedPackage) -> PackageRecord<'_> {
    let AffectedPackage {
        label,
        because,
        distance,
        steps_max,
    } = package;
    let (because, what, through) = match because {
        Because::Named => ("named", None, None),
        Because::Reads(_, file) => ("reads", Some(file.clone()), None),
        Because::Fetches(sha256) => ("fetches", Some(sha256.to_string()), None),
        Because::Values(label) => ("values", None, Some(label.to_string())),
        Because::Needs(label) => ("needs", None, Some(label.to_string())),
    };
    PackageRecord {
        label: label.as_str(),
        because,
        what,
        through,
        distance: *distance,
        steps_max: *steps_max,
    }
}

fn lines(affected: &Affected) -> String {
    let labels = affected.packages.iter().map(|it| it.label.as_str().len());
    let width = labels.max().unwrap_or(0);
    let mut text = String::new();
    for package in &affected.packages {
        let because = match &package.because {
            Because::Named => "becomes another".to_owned(),
            Because::Reads(ReadKind::Text, file) => format!("evaluates {file}"),
            Because::Reads(ReadKind::Import | ReadKind::Directory, file) => {
                format!("imports {file}")
            }
            Because::Fetches(_) => "has the source".to_owned(),
            Because::Values(label) => format!("reads values of {label}"),
            Because::Needs(label) => format!("needs {label}"),
        };
        text += &format!("{:<width$}  {because}\n", package.label);
    }
    text
}
