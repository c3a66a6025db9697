//! Flips bits of a store, one at a time: `stxl store verify` has to find and name every one.
//!
//! The bits are drawn uniformly over the bytes of all files that hold objects or metadata, the
//! database and the checked-out trees among them. Every flip is in a copy of its own, since the
//! program may mend on opening what it can make again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::program::{Options, Programs, last_words, work_folder};
use super::random::Random;
use crate::console::say;
use crate::workspace;

/// `packages` and `blocks` shape the store: blocks are 64 KiB that each package writes.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("programs", ""),
    ("flips", "1000"),
    ("seed", "1"),
    ("packages", "60"),
    ("blocks", "1"),
];

/// Entries of a store that hold neither objects nor metadata: empty locks, unfinished work, space
/// kept for a full disk, and the files that the engine keeps beside the database.
const NOT_DATA: [&str; 6] = [
    "locks",
    "tmp",
    "staging",
    "ballast",
    "index.db-shm",
    "index.db-wal",
];

/// The exit code of a check that answered no.
const CHECK_FAILED: i32 = 4;

/// A file whose bits are flipped.
struct Target {
    /// Path relative to the store.
    name: PathBuf,
    length: u64,
}

/// Runs the campaign.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let programs = Programs::new(options)?;
    let folder = work_folder()?;
    let (workspace, store) = (folder.path().join("workspace"), folder.path().join("store"));
    let shape = [
        "--packages",
        options.text("packages"),
        "--blocks",
        options.text("blocks"),
    ];
    programs.generate(&workspace, &shape)?;
    let built = programs
        .stxl(&workspace, &store)
        .args(["build", "--json"])
        .output()?;
    if !built.status.success() {
        bail!("the build failed: {}", last_words(&built));
    }
    let verified = verify(&programs, &workspace, &store)?;
    if !verified.status.success() {
        bail!(
            "the store is damaged before the first flip: {}",
            last_words(&verified)
        );
    }
    let whole = folder.path().join("whole");
    fs::rename(&store, &whole).context("could not move the store")?;
    let targets = targets(&whole)?;
    let bytes: u64 = targets.iter().map(|target| target.length).sum();
    say(&format!("bitflips: {} files, {bytes} bytes", targets.len()));
    let flips = options.number("flips")?;
    let mut random = Random::new(options.number("seed")?);
    let mut areas: BTreeMap<String, Figures> = BTreeMap::new();
    for flip in 0..flips {
        let bit = random.below(bytes * 8);
        let (target, offset) = locate(&targets, bit / 8).context("a place in the store")?;
        let figures = areas.entry(area_of(target)).or_default();
        figures.flips += 1;
        copy(&whole, &store)?;
        invert(&store.join(&target.name), offset, bit % 8)?;
        let answer = verify(&programs, &workspace, &store)?;
        if answer.status.code() == Some(CHECK_FAILED) && names(&answer.stdout, &target.name, offset)
        {
            figures.named += 1;
        } else {
            let place = format!("{} byte {offset} bit {}", target.name.display(), bit % 8);
            say(&format!("flip {flip}: {place}: {}", last_words(&answer)));
        }
    }
    // The copies are as good as the store itself: an untouched one has no damage.
    copy(&whole, &store)?;
    let verified = verify(&programs, &workspace, &store)?;
    if !verified.status.success() {
        bail!("an untouched copy is damaged: {}", last_words(&verified));
    }
    for (area, figures) in &areas {
        say(&format!(
            "{area:<12} {:>5} flips {:>5} named",
            figures.flips, figures.named
        ));
    }
    let named: u64 = areas.values().map(|figures| figures.named).sum();
    say(&format!("bitflips: {named} of {flips} found and named"));
    Ok(if named == flips {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is counted in one part of the store.
#[derive(Debug, Default)]
struct Figures {
    flips: u64,
    named: u64,
}

/// Returns the part of the store that a file belongs to.
fn area_of(target: &Target) -> String {
    let first = target.name.components().next();
    first
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn verify(programs: &Programs, workspace: &Path, store: &Path) -> anyhow::Result<Output> {
    let mut command = programs.stxl(workspace, store);
    command
        .args(["store", "verify", "--json"])
        .output()
        .context("could not start stxl")
}

/// Lists the files that hold data, ordered by path.
fn targets(store: &Path) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    let mut pending = vec![store.to_path_buf()];
    while let Some(path) = pending.pop() {
        let name = path.strip_prefix(store).unwrap_or(&path).to_path_buf();
        if NOT_DATA.iter().any(|other| name == Path::new(other)) {
            continue;
        }
        let metadata = path.symlink_metadata().context("a file of the store")?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path).context("a folder of the store")? {
                pending.push(entry?.path());
            }
        } else if metadata.is_file() && metadata.size() > 0 {
            targets.push(Target {
                name,
                length: metadata.size(),
            });
        }
    }
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(targets)
}

/// Copies a store with its owners and times, over whatever is there.
fn copy(whole: &Path, store: &Path) -> anyhow::Result<()> {
    if store.exists() {
        fs::remove_dir_all(store).context("could not remove a copy")?;
    }
    let mut command = Command::new("cp");
    workspace::capture(command.arg("-a").arg(whole).arg(store))?;
    Ok(())
}

fn locate(targets: &[Target], mut offset: u64) -> Option<(&Target, u64)> {
    for target in targets {
        if offset < target.length {
            return Some((target, offset));
        }
        offset -= target.length;
    }
    None
}

/// Flips a bit as a failing disk does: mode and time of the file stay as they were.
fn invert(path: &Path, offset: u64, bit: u64) -> anyhow::Result<()> {
    let metadata = path.symlink_metadata()?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, offset)?;
    let times = fs::FileTimes::new().set_modified(metadata.modified()?);
    file.set_times(times.set_accessed(metadata.accessed()?))?;
    fs::set_permissions(path, metadata.permissions())?;
    Ok(())
}

/// Returns whether a report of damage names the file, at or before the place.
///
/// A checkout is named by its folder: it is made again as a whole.
fn names(report: &[u8], file: &Path, offset: u64) -> bool {
    let report: Value = serde_json::from_slice(report).unwrap_or_default();
    let damages = report["damages"].as_array();
    damages.into_iter().flatten().any(|damage| {
        let path = damage["path"].as_str().filter(|path| !path.is_empty());
        path.is_some_and(|path| file.starts_with(path))
            && damage["offset"]
                .as_u64()
                .is_some_and(|start| start <= offset)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Target, locate, names};

    #[test]
    fn a_place_is_found_in_its_file() {
        let target = |name: &str, length| Target {
            name: name.into(),
            length,
        };
        let targets = [target("a", 3), target("b", 2)];
        let place = |offset| locate(&targets, offset).map(|(target, at)| (target.length, at));
        assert_eq!(place(2), Some((3, 2)));
        assert_eq!(place(3), Some((2, 0)));
        assert_eq!(place(5), None);
    }

    #[test]
    fn a_report_names_the_file_and_the_place() {
        let report = br#"{"damages":[{"path":"packs/1","offset":64,"what":"x"}]}"#;
        assert!(names(report, Path::new("packs/1"), 70));
        assert!(names(report, Path::new("packs/1/in/it"), 70));
        assert!(!names(report, Path::new("packs/1"), 3));
        assert!(!names(report, Path::new("packs/11"), 70));
        assert!(!names(report, Path::new("packs/2"), 70));
        assert!(!names(b"error", Path::new("packs/1"), 70));
    }
}
