//! Single bits of a store turned around, at places that a seed decides.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Timespec, Timestamps};
use stxl_store::{Failpoints, Fault, OpenOptions, Store};

use super::exercise;
use super::world::{self, Numbers};

const CHECKOUT_MTIME: i64 = 315_532_800;

/// A flip of one bit that was not found or not named.
#[derive(Clone, Debug)]
pub struct Missed {
    /// The file, inside the store.
    pub path: String,
    /// The byte.
    pub offset: u64,
    /// The bit, from 0.
    pub bit: u32,
    /// What verifying named instead.
    pub named: Vec<String>,
}

/// Turns single bits around in a store that was closed cleanly, each alone, and returns those that
/// verifying does not name with their file.
pub fn flip_bits(dir: &Path, seed: u64, count: u64) -> Vec<Missed> {
    exercise::prepare(dir);
    exercise::run(dir, &Failpoints::new(0, Fault::None)).expect("the exercise runs");
    let store_dir = dir.join("store");
    let store = world::open(&store_dir);
    let tree = fs::read_to_string(dir.join("acknowledged")).unwrap();
    let tree = stxl_model::TreeId::parse(&tree).unwrap();
    drop(store.checkout(&tree).expect("the tree can be checked out"));
    store.commit().expect("the store can be committed");
    drop(store);
    let mut numbers = Numbers::new(seed);
    (0..count)
        .filter_map(|_| flip_one(&store_dir, &mut numbers))
        .collect()
}

fn flip_one(store: &Path, numbers: &mut Numbers) -> Option<Missed> {
    let files = files_with_bytes(store);
    // Half of the flips choose by file, so that small files are met too; half by byte.
    let (path, size) = if numbers.below(2) == 0 {
        files[index(numbers, files.len())].clone()
    } else {
        by_byte(&files, numbers)
    };
    let offset = numbers.below(size);
    let bit = u32::try_from(numbers.below(8)).expect("below 8");
    let saved = save_top_level(store);
    flip(&path, offset, bit);
    let shown = path.strip_prefix(store).unwrap().display().to_string();
    let named = verify(store);
    let is_found = named.iter().any(|name| shown.starts_with(name.as_str()));
    restore_top_level(store, &saved);
    if path.parent() != Some(store) {
        flip(&path, offset, bit);
    }
    (!is_found).then_some(Missed {
        path: shown,
        offset,
        bit,
        named,
    })
}

fn index(numbers: &mut Numbers, count: usize) -> usize {
    usize::try_from(numbers.below(count as u64)).expect("an index")
}

fn by_byte(files: &[(PathBuf, u64)], numbers: &mut Numbers) -> (PathBuf, u64) {
    let total: u64 = files.iter().map(|(_, size)| size).sum();
    let mut position = numbers.below(total);
    for (path, size) in files {
        if position < *size {
            return (path.clone(), *size);
        }
        position -= size;
    }
    unreachable!("the position is below the sum of all sizes")
}

/// The paths that opening or verifying names as damaged.
fn verify(store: &Path) -> Vec<String> {
    let options = OpenOptions::default().check_index();
    let report = Store::open(store, options).and_then(|store| store.verify());
    match report {
        Ok(report) => report
            .damages
            .into_iter()
            .map(|damage| damage.path)
            .collect(),
        Err(stxl_store::StoreError::Damaged { path, .. }) => vec![path],
        Err(other) => vec![other.to_string()],
    }
}

fn files_with_bytes(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let metadata = fs::symlink_metadata(entry.path()).unwrap();
        if metadata.is_dir() {
            found.extend(files_with_bytes(&entry.path()));
        } else if metadata.is_file() && metadata.len() > 0 {
            found.push((entry.path(), metadata.len()));
        }
    }
    found
}

/// The files at the top of a store, which opening it may make good.
fn save_top_level(store: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(store).unwrap().map(Result::unwrap);
    files
        .filter(|entry| entry.metadata().unwrap().is_file())
        .map(|entry| (entry.path(), fs::read(entry.path()).unwrap()))
        .collect()
}

fn restore_top_level(store: &Path, saved: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in save_top_level(store) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in saved {
        fs::write(path, bytes).unwrap();
    }
}

/// Turns a bit around without leaving another trace in a checkout than the bit.
fn flip(path: &Path, offset: u64, bit: u32) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << bit)], offset).unwrap();
    let is_checkout = before
        .duration_since(std::time::UNIX_EPOCH)
        .is_ok_and(|since| since.as_secs() == CHECKOUT_MTIME.cast_unsigned());
    if is_checkout {
        let time = Timespec {
            tv_sec: CHECKOUT_MTIME,
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::futimens(file.as_fd(), &times).unwrap();
    }
}
