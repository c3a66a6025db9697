//! `stxl dev`: an overlay in `local/` that takes a package's source from a directory.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use stxl_eval::{LOCAL_OVERLAY, PACKAGE_FILE};
use stxl_model::PackageLabel;

use crate::arguments::{Arguments, DevArguments, Selection, Variant};
use crate::development::overlay::{self, Manner, Patches, Writer};
use crate::development::{folders, is_beside, source_directory, written};
use crate::evaluation::{self, Audience};
use crate::failure::Failure;
use crate::place;
use crate::terminal::{Terminal, print_data, print_record};

pub(crate) fn run(
    arguments: &Arguments,
    dev: &DevArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    match (&dev.label, &dev.source) {
        (None, _) => list(&workspace, dev),
        (Some(label), _) if dev.change.off => end(&workspace, label, terminal),
        (Some(label), Some(source)) => {
            let directory = source_directory(source, &place::store(arguments)?)?;
            let patches = if dev.change.patched {
                Patches::Left
            } else {
                Patches::Applied
            };
            let manner = Manner {
                patches,
                is_incremental: dev.incremental,
            };
            begin(&workspace, (label, &directory), manner, terminal)
        }
        (Some(label), None) => Err(Failure::usage(format!(
            "from which directory should `{label}` be built?"
        ))
        .hint(format!(
            "name it: stxl dev {label} DIR; or build from its own source again: stxl dev {label} --off"
        ))),
    }
}

fn file_of(workspace: &Path, label: &PackageLabel) -> PathBuf {
    let folder = workspace.join(LOCAL_OVERLAY).join(label.as_str());
    folder.join(PACKAGE_FILE)
}

/// Writes the overlay, once it is known that it makes a plan.
fn begin(
    workspace: &Path,
    (label, directory): (&PackageLabel, &Path),
    manner: Manner,
    terminal: Terminal,
) -> Result<(), Failure> {
    let file = file_of(workspace, label);
    check_ours(&file, label)?;
    let source = written(directory, workspace)?;
    let before = fs::read(&file).ok();
    let own = workspace.join("stages").join(label.as_str());
    if before.is_none() && !own.join(PACKAGE_FILE).is_file() {
        evaluation::require_package(workspace, label, terminal)?;
    }
    let named_before = folders::of_workspace(workspace)?.remove(label.as_str());
    if !is_beside(&source) {
        folders::add(workspace, label, &source)?;
    }
    write(&file, &overlay::file_text(label, &source, manner)).map_err(|error| {
        Failure::environment(format!("`{}` cannot be written: {error}", file.display()))
    })?;
    let selection = Selection::of(label.as_str(), &Variant::default());
    let planned = evaluation::plan(workspace, &selection, Audience::Person, terminal);
    if let Err(failure) = planned {
        let undone = match before {
            Some(before) => fs::write(&file, before),
            None => remove(workspace, &file),
        };
        undone.map_err(|error| {
            Failure::environment(format!("`{}` cannot be undone: {error}", file.display()))
        })?;
        match named_before {
            Some(before) => folders::add(workspace, label, &before)?,
            None => folders::remove(workspace, label)?,
        }
        return Err(failure);
    }
    if is_beside(&source) {
        folders::remove(workspace, label)?;
    }
    terminal.note(&format!(
        "{label} is built from {source} now, by `{}`",
        shown(&file, workspace)
    ));
    terminal.note(&format!("build it:  stxl build {label} --watch"));
    terminal.note(&format!("undo this: stxl dev {label} --off"));
    note_tracked(workspace, terminal);
    Ok(())
}

/// Takes the overlay away.
fn end(workspace: &Path, label: &PackageLabel, terminal: Terminal) -> Result<(), Failure> {
    let file = file_of(workspace, label);
    if file.symlink_metadata().is_err() {
        return Err(Failure::usage(format!(
            "`{label}` is built from its own source: there is no `{}`",
            shown(&file, workspace)
        ))
        .hint("`stxl dev` lists what is built from directories"));
    }
    check_ours(&file, label)?;
    remove(workspace, &file).map_err(|error| {
        Failure::environment(format!("`{}` cannot be removed: {error}", file.display()))
    })?;
    folders::remove(workspace, label)?;
    terminal.note(&format!("{label} is built from its own source again"));
    Ok(())
}

/// Refuses to touch a file that somebody else wrote or changed.
fn check_ours(file: &Path, label: &PackageLabel) -> Result<(), Failure> {
    let text = match fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Failure::environment(format!(
                "`{}` cannot be read: {error}",
                file.display()
            )));
        }
    };
    let shown = file.display();
    match overlay::writer_of(&text) {
        Writer::Ours => Ok(()),
        Writer::Edited => Err(Failure::usage(format!(
            "`{shown}` was changed since `stxl dev` wrote it"
        ))
        .hint(format!(
            "nothing of yours is overwritten: remove it by hand, then say `stxl dev {label} …` again"
        ))),
        Writer::Other => Err(Failure::usage(format!(
            "`{shown}` was not written by `stxl dev`"
        ))
        .hint("nothing of yours is overwritten: set `source: dir(\"…\")` in it, or move it away")),
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = file.with_extension(format!("part-{}", std::process::id()));
    let mut opened = fs::File::create(&partial)?;
    opened.write_all(text.as_bytes())?;
    fs::rename(partial, file)
}

/// Removes the file, and the folders above it that hold nothing else.
fn remove(workspace: &Path, file: &Path) -> io::Result<()> {
    fs::remove_file(file)?;
    let local = workspace.join(LOCAL_OVERLAY);
    let above = file.ancestors().skip(1);
    for folder in above.take_while(|folder| folder.starts_with(&local)) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

fn shown(file: &Path, workspace: &Path) -> String {
    let short = file.strip_prefix(workspace).unwrap_or(file);
    short.display().to_string()
}

/// A workspace in git that does not leave `local/` out hands it to others by accident.
fn note_tracked(workspace: &Path, terminal: Terminal) {
    let text = fs::read_to_string(workspace.join(".gitignore")).unwrap_or_default();
    let is_local = |line: &str| line.trim().trim_matches('/') == LOCAL_OVERLAY;
    let is_in_git = workspace
        .ancestors()
        .any(|folder| folder.join(".git").exists());
    if is_in_git && !text.lines().any(is_local) {
        terminal.note("add the line /local to `.gitignore`: what is in it is of this machine only");
    }
}

/// What is built from directories.
#[derive(Serialize)]
struct DevRecord {
    version: u32,
    packages: Vec<DevPackage>,
}

#[derive(Serialize)]
struct DevPackage {
    label: String,
    file: String,
    directory: Option<String>,
    written_by_dev: bool,
}

/// Lists the overlays in `local/`.
fn list(workspace: &Path, dev: &DevArguments) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::environment(format!("`{LOCAL_OVERLAY}` cannot be listed: {error}"))
    };
    let mut packages = Vec::new();
    let local = workspace.join(LOCAL_OVERLAY);
    for stage in names_in(&local).map_err(failed)? {
        for package in names_in(&local.join(&stage)).map_err(failed)? {
            let Ok(label) = PackageLabel::parse(&format!("{stage}/{package}")) else {
                continue;
            };
            let file = file_of(workspace, &label);
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            packages.push(DevPackage {
                label: label.to_string(),
                file: shown(&file, workspace),
                directory: overlay::directory_in(&text),
                written_by_dev: overlay::writer_of(&text) != Writer::Other,
            });
        }
    }
    if dev.json {
        return print_record(&DevRecord {
            version: 1,
            packages,
        });
    }
    let line = |it: &DevPackage| {
        let directory = it.directory.as_deref().unwrap_or("-");
        format!("{}\t{directory}\t{}\n", it.label, it.file)
    };
    let lines: String = packages.iter().map(line).collect();
    print_data(lines.as_bytes())
}

/// The names in a folder, sorted; none of one that is not there or no folder.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
