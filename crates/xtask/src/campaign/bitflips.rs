//! Flips bits of a store, one at a time: `stxl store verify` has to find and name every one.
//!
//! The bits are drawn uniformly over the bytes of all files that hold objects or metadata, the
//! database and the checked-out trees among them.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::program::{Options, Programs, last_words, work_folder};
use super::random::Random;
use crate::console::say;

/// `packages` and `blocks` shape the store: blocks are 64 KiB that each package writes.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("programs", ""),
    ("flips", "1000"),
    ("seed", "1"),
    ("packages", "60"),
    ("blocks", "2"),
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
    let verified = programs
        .stxl(&workspace, &store)
        .args(["store", "verify", "--json"])
        .output()?;
    if !verified.status.success() {
        bail!(
            "the store is damaged before the first flip: {}",
            last_words(&verified)
        );
    }
    let targets = targets(&store)?;
    let bytes: u64 = targets.iter().map(|target| target.length).sum();
    say(&format!("bitflips: {} files, {bytes} bytes", targets.len()));
    let flips = options.number("flips")?;
    let mut random = Random::new(options.number("seed")?);
    let mut named = 0;
    for flip in 0..flips {
        let bit = random.below(bytes * 8);
        let (target, offset) = locate(&targets, bit / 8).context("a place in the store")?;
        let path = store.join(&target.name);
        invert(&path, offset, bit % 8)?;
        let answer = programs
            .stxl(&workspace, &store)
            .args(["store", "verify", "--json"])
            .output()?;
        invert(&path, offset, bit % 8)?;
        if answer.status.code() == Some(CHECK_FAILED) && names(&answer.stdout, &target.name, offset)
        {
            named += 1;
        } else {
            let place = format!("{} byte {offset} bit {}", target.name.display(), bit % 8);
            say(&format!("flip {flip}: {place}: {}", last_words(&answer)));
        }
    }
    let verified = programs
        .stxl(&workspace, &store)
        .args(["store", "verify", "--json"])
        .output()?;
    if !verified.status.success() {
        bail!(
            "the store is damaged after the last flip: {}",
            last_words(&verified)
        );
    }
    say(&format!("bitflips: {named} of {flips} found and named"));
    Ok(if named == flips {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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

fn locate(targets: &[Target], mut offset: u64) -> Option<(&Target, u64)> {
    for target in targets {
        if offset < target.length {
            return Some((target, offset));
        }
        offset -= target.length;
    }
    None
}

fn invert(path: &Path, offset: u64, bit: u64) -> anyhow::Result<()> {
    let metadata = path.symlink_metadata()?;
    let mut permissions = metadata.permissions();
    let original = permissions.clone();
    {
        use std::os::unix::fs::PermissionsExt as _;
        permissions.set_mode(0o600);
    }
    fs::set_permissions(path, permissions)?;
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, offset)?;
    fs::set_permissions(path, original)?;
    Ok(())
}

/// Returns whether a report of damage names the file, at or before the place.
fn names(report: &[u8], file: &Path, offset: u64) -> bool {
    let report: Value = serde_json::from_slice(report).unwrap_or_default();
    report["damages"].as_array().is_some_and(|damages| {
        damages.iter().any(|damage| {
            let is_file = damage["path"]
                .as_str()
                .is_some_and(|path| Path::new(path) == file);
            is_file
                && damage["offset"]
                    .as_u64()
                    .is_some_and(|start| start <= offset)
        })
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
        assert!(!names(report, Path::new("packs/1"), 3));
        assert!(!names(report, Path::new("packs/2"), 70));
        assert!(!names(b"error", Path::new("packs/1"), 70));
    }
}
