//! Damage: every flipped bit is found and named, and what is damaged can be made again.

use std::os::unix::fs::FileExt as _;

use stxl_tests::store::campaign::flip_bits;
use stxl_tests::store::world::{action, assert_sound, open, pattern, realisation, tree_of};
use tempfile::tempdir;

const SEED: u64 = 20;
const FLIPS: u64 = 150;

#[test]
fn every_flipped_bit_is_named_with_its_file() {
    let dir = tempdir().unwrap();
    let missed = flip_bits(dir.path(), SEED, FLIPS);
    assert!(
        missed.is_empty(),
        "{} of {FLIPS}: {missed:#?}",
        missed.len()
    );
}

#[test]
fn a_damaged_object_is_taken_out_and_can_be_put_again() {
    for size in [1_000, 100_000] {
        let dir = tempdir().unwrap();
        let store = open(dir.path());
        let content = pattern(size);
        let tree = tree_of(&store, "file", &content);
        let healthy = tree_of(&store, "file", b"healthy");
        store.record(realisation(action("maker"), tree)).unwrap();
        store.commit().unwrap();
        drop(store);
        damage(dir.path(), &content[..32]);
        let store = open(dir.path());
        let report = store.verify().unwrap();
        assert_eq!(report.objects.len(), 1, "{report:#?}");
        assert_eq!(report.objects[0].actions, [action("maker")]);
        assert!(store.checkout(&tree).is_err(), "damaged bytes are not used");
        assert_eq!(store.quarantine(&report).unwrap(), Vec::<String>::new());
        assert!(!store.has_tree_complete(&tree).unwrap());
        assert!(store.has_tree_complete(&healthy).unwrap());
        assert_eq!(tree_of(&store, "file", &content), tree);
        assert!(store.has_tree_complete(&tree).unwrap());
        store.commit().unwrap();
        assert_sound(&store);
    }
}

/// Damages the bytes after a place in whichever file holds it.
fn damage(dir: &std::path::Path, place: &[u8]) {
    for folder in ["packs", "blobs"] {
        for path in files(&dir.join(folder)) {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(place.len())
                .position(|window| window == place);
            if let Some(position) = found {
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.write_all_at(&[!bytes[position]], position as u64)
                    .unwrap();
                return;
            }
        }
    }
    panic!("the bytes are in no file");
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn an_index_that_is_no_database_is_made_again() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let tree = tree_of(&store, "file", b"content");
    store.commit().unwrap();
    drop(store);
    std::fs::write(dir.path().join("index.db"), vec![0x5a; 20_000]).unwrap();
    let store = open(dir.path());
    assert!(store.has_tree_complete(&tree).unwrap());
    assert_sound(&store);
}
