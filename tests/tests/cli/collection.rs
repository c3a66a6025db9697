//! What `stxl store gc` leaves where its options say so.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stxl_model::BlobId;

use crate::place::{DIRECTORY_PACKAGE, Place};

const FILES: &str = "stages/first/data/files";

fn place() -> Place {
    let place = Place::with_first_package();
    place.write("stages/first/data/package.rhai", DIRECTORY_PACKAGE);
    place
}

/// Builds the package of these files alone.
fn build(place: &Place, files: &[(&str, &str)]) {
    set(place, files);
    let ran = place.run(&["build", "first/data"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn set(place: &Place, files: &[(&str, &str)]) {
    drop(fs::remove_dir_all(place.workspace().join(FILES)));
    for (name, text) in files {
        place.write(&format!("{FILES}/{name}"), text);
    }
}

/// Whether the package of these files is whole in the store.
fn is_here(place: &Place, files: &[(&str, &str)]) -> bool {
    set(place, files);
    let ran = place.run(&["store", "path", "first/data"]);
    assert!(ran.code == 0 || ran.code == 2, "{ran:?}");
    ran.code == 0
}

/// Collects and says how many bytes are left.
fn collect(place: &Place, options: &[&str]) -> u64 {
    let words: Vec<&str> = ["store", "gc", "--json"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    let ran = place.run(&words);
    assert_eq!(ran.code, 0, "{ran:?}");
    let verified = place.run(&["store", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    ran.json()["bytes_left"].as_u64().unwrap()
}

/// Makes every object of the store some days older: the times of large blobs, and those in packs,
/// of which the database is made again.
fn age(place: &Place, days: u64) {
    let by = Duration::from_hours(24 * days);
    for file in files_below(&place.store().join("blobs")) {
        let file = fs::File::options().write(true).open(file).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - by).unwrap();
    }
    for pack in files_below(&place.store().join("packs")) {
        let mut bytes = fs::read(&pack).unwrap();
        let mut at = 32;
        while let Some(header) = bytes.get_mut(at..at + 64) {
            let number = |field: &[u8]| u64::from_le_bytes(field.try_into().unwrap());
            let (length, created) = (number(&header[8..16]), number(&header[16..24]));
            header[16..24].copy_from_slice(&(created - by.as_secs()).to_le_bytes());
            let check = BlobId::of(&header[..56]);
            header[56..].copy_from_slice(&check.digest().as_bytes()[..8]);
            at += 64 + usize::try_from(length).unwrap();
        }
        fs::write(&pack, bytes).unwrap();
    }
    let ran = place.run(&["store", "rebuild-db"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// A file large enough to be an object on the disk by itself.
fn large(text: &str) -> String {
    text.repeat(100_000)
}

#[test]
fn what_was_made_in_the_last_days_stays_whole() {
    let place = place();
    let [one, two, three] = [large("one"), large("two"), large("three")];
    let old: &[(&str, &str)] = &[("a", &one)];
    // Of another file too, which is what makes it new later on.
    let shared: &[(&str, &str)] = &[("a", &two), ("b", "old")];
    let new: &[(&str, &str)] = &[("a", &two), ("b", "new")];
    let last: &[(&str, &str)] = &[("a", &three)];
    build(&place, old);
    build(&place, shared);
    age(&place, 60);
    build(&place, new);
    build(&place, last);
    let left = collect(&place, &["--keep-days", "90"]);
    assert_eq!(
        left,
        collect(&place, &["--keep-days", "61"]),
        "nothing is older"
    );
    assert!(is_here(&place, old) && is_here(&place, shared));
    collect(&place, &["--keep-days", "30"]);
    assert!(!is_here(&place, old), "it was made before");
    assert!(
        is_here(&place, new),
        "its large file is older, and a part of it"
    );
    assert!(is_here(&place, last));
    collect(&place, &[]);
    assert!(!is_here(&place, new));
    assert!(is_here(&place, last), "what was built last is a root");
}

#[test]
fn the_oldest_goes_until_the_store_is_small_enough() {
    let place = place();
    let texts = ["1", "22", "333", "4444"].map(large);
    for (index, text) in texts.iter().enumerate() {
        build(&place, &[("a", text)]);
        if index == 0 {
            let link = place.run(&["build", "first/data", "--link", "result"]);
            assert_eq!(link.code, 0, "{link:?}");
        }
        age(&place, 1);
    }
    let here = || -> Vec<bool> {
        let texts = texts.iter();
        texts.map(|text| is_here(&place, &[("a", text)])).collect()
    };
    // 1,000,000 bytes and a little; the first has a link, the last was built last.
    assert!(collect(&place, &["--max-size", "2M"]) > 1_000_000);
    assert_eq!(here(), [true, true, true, true]);
    assert!(collect(&place, &["--max-size", "900K"]) <= 900 << 10);
    assert_eq!(
        here(),
        [true, false, true, true],
        "the oldest without a root goes"
    );
    let left = collect(&place, &["--max-size", "100K"]);
    assert!(
        left > 500_000,
        "roots stay, however small it is to be: {left}"
    );
    assert_eq!(here(), [true, false, false, true]);
}

#[test]
fn a_pack_of_which_little_is_dead_is_made_smaller_where_that_is_asked_for() {
    let place = place();
    let name = |index: usize| format!("file-{index}");
    let text = |index: usize| format!("{index:04}").repeat(250);
    let all: Vec<(String, String)> = (0..300).map(|index| (name(index), text(index))).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (&**name, &**text)).collect();
    build(&place, &all);
    build(&place, &all[..200]);
    let whole = collect(&place, &[]);
    assert!(
        whole > 300 << 10,
        "moving what stays is not worth it: {whole}"
    );
    let left = collect(&place, &["--max-size", "250K"]);
    assert!(left <= 250 << 10, "{left} of {whole}");
    assert!(is_here(&place, &all[..200]) && !is_here(&place, &all));
}

/// What a package gave stays when less of it is asked for later.
#[test]
fn a_request_of_one_output_lets_go_of_no_other() {
    let place = place();
    let outputs = "#{ main: root().unpack(p.source, \"/out\").out(\"/out\"), \
                   dev: root().mkdir(\"/out/include\").out(\"/out\") }";
    place.edit("stages/first/data/package.rhai", |text| {
        let (before, _) = text.split_once("#{ main").unwrap();
        format!("{before}{outputs}\n}}\n")
    });
    let one = large("one");
    build(&place, &[("a", &one)]);
    let ran = place.run(&["build", "first/data:dev"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    collect(&place, &[]);
    assert!(
        is_here(&place, &[("a", &one)]),
        "`first/data` was built last with it"
    );
    let again = place.run(&["build", "first/data", "--json"]).summary();
    assert_eq!(again["outputs"].as_array().unwrap().len(), 2, "{again}");
}

/// The store on a small disk of its own.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn below(place: &Place) -> Self {
        let store = place.store();
        fs::create_dir(&store).unwrap();
        let (flags, size) = (
            rustix::mount::MountFlags::empty(),
            Some(c"size=4m,mode=0777"),
        );
        rustix::mount::mount("tmpfs", &store, "tmpfs", flags, size)
            .expect("a small tmpfs can be mounted: this test needs root");
        Self(store)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// As a collection leaves it that was killed when it had given up the ballast.
#[test]
fn a_full_disk_without_ballast_can_be_collected() {
    let place = place();
    let disk = SmallDisk::below(&place);
    let [one, two] = [large("one"), large("two")];
    build(&place, &[("a", &one)]);
    build(&place, &[("a", &two)]);
    fs::remove_file(disk.0.join("ballast")).unwrap();
    // Of somebody else, on the same disk.
    let others = disk.0.join("others");
    let mut other = fs::File::create(&others).unwrap();
    while other.write_all(&[1; 4096]).is_ok() {}
    drop(other);
    let full = place.run(&["build", "first/hello"]);
    assert_eq!(full.code, 3, "{full:?}");
    assert!(
        full.stderr.contains("make room with `stxl store gc`"),
        "{full:?}"
    );
    let ran = place.run(&["store", "gc"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(is_here(&place, &[("a", &two)]) && !is_here(&place, &[("a", &one)]));
    let verified = place.run(&["store", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let built = place.run(&["build", "first/hello"]);
    assert_eq!(built.code, 0, "{built:?}");
}
