//! Collecting garbage.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stxl_model::Realisation;
use stxl_store::{GcPolicy, HistoryEntry, Store};
use stxl_tests::store::world::{
    action, assert_sound, import, open, pattern, realisation, tree_of, write_input,
};
use tempfile::tempdir;

fn bytes_of(dir: &Path) -> u64 {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let metadata = std::fs::symlink_metadata(entry.path()).unwrap();
        bytes += if metadata.is_dir() {
            bytes_of(&entry.path())
        } else {
            metadata.len()
        };
    }
    bytes
}

#[test]
fn what_is_reachable_stays_and_space_is_given_back() {
    let dir = tempdir().unwrap();
    let store_dir = dir.path().join("store");
    write_input(&dir.path().join("input"));
    let store = open(&store_dir);
    let log = store.put_blob(b"log").unwrap();
    let unwanted_log = store.put_blob(b"unwanted log").unwrap();
    let tree = import(&store, &dir.path().join("input"));
    let unwanted = tree_of(&store, "unwanted", &pattern(500_000));
    // A pack is written again when more than half of it is dead.
    let unwanted_small = tree_of(&store, "unwanted", &pattern(50_000));
    tree_of(&store, "unwanted", &pattern(60_000));
    let of = |name: &str, tree, log| Realisation {
        log: Some(log),
        ..realisation(action(name), tree)
    };
    store.record(of("wanted", tree, log)).unwrap();
    store
        .record(of("unwanted", unwanted, unwanted_log))
        .unwrap();
    let plan = store.put_blob(b"plan").unwrap();
    store.set_history(HistoryEntry {
        workspace: "w".to_owned(),
        request: "r".to_owned(),
        plan,
        outputs: vec![tree],
    });
    drop(store.checkout(&unwanted).unwrap());
    store.commit().unwrap();
    drop(store);
    let before = bytes_of(&store_dir);
    let store = open(&store_dir);
    let report = store.gc(&GcPolicy::default()).unwrap();
    assert!(report.bytes_freed >= 500_000, "{report:?}");
    assert_eq!(report.checkouts, 1);
    assert!(store.has_tree_complete(&tree).unwrap());
    assert!(store.has_blob(&plan).unwrap());
    assert!(store.has_blob(&log).unwrap());
    assert!(!store.has_blob(&unwanted_log).unwrap());
    assert!(!store.has_tree_complete(&unwanted).unwrap());
    assert!(!store.has_tree_complete(&unwanted_small).unwrap());
    // The trace outlives the objects.
    assert_eq!(
        store.chosen(&action("unwanted")).unwrap().unwrap().tree,
        unwanted
    );
    assert_sound(&store);
    drop(store);
    assert!(bytes_of(&store_dir) + 900_000 < before);
}

#[test]
fn names_links_and_requests_are_roots_for_as_long_as_they_last() {
    let dir = tempdir().unwrap();
    let store_dir = dir.path().join("store");
    let store = open(&store_dir);
    let named = tree_of(&store, "named", b"1");
    let linked = tree_of(&store, "linked", b"2");
    let link = dir.path().join("result");
    symlink(store_dir.join("anything"), &link).unwrap();
    store.set_root("name", Some(named));
    store.set_out_link(link.as_os_str().as_encoded_bytes(), Some(linked));
    store.commit().unwrap();
    drop(store);
    let collect = || {
        let store = open(&store_dir);
        store.gc(&GcPolicy::default()).unwrap();
        let left = (
            store.has_tree_complete(&named).unwrap(),
            store.has_tree_complete(&linked).unwrap(),
        );
        assert_sound(&store);
        left
    };
    assert_eq!(collect(), (true, true));
    std::fs::remove_file(&link).unwrap();
    assert_eq!(collect(), (true, false));
    open(&store_dir).set_root("name", None);
    assert_eq!(collect(), (true, false), "the removal was never committed");
    let store = open(&store_dir);
    store.set_root("name", None);
    store.commit().unwrap();
    drop(store);
    assert_eq!(collect(), (false, false));
}

/// What a link is to hold, by the directory of the test and a path in the store.
type Target = fn(&Path, &str) -> PathBuf;

/// What an out-link may be, and whether it keeps its tree and the checkout it leads to.
#[test]
fn links_keep_what_they_lead_to_however_the_store_is_spelled() {
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir(path("store2")).unwrap();
    symlink("store", path("other-name")).unwrap();
    let cases: [(&str, Target, bool); 6] = [
        ("plain", |dir, inside| dir.join("store").join(inside), true),
        (
            "respelled",
            |dir, inside| dir.join("store/../other-name").join(inside),
            true,
        ),
        (
            "relative",
            |_, inside| Path::new("store").join(inside),
            true,
        ),
        (
            "a-neighbour",
            |dir, inside| dir.join("store2").join(inside),
            false,
        ),
        ("dangling", |dir, _| dir.join("nowhere"), false),
        ("the-store-itself", |dir, _| dir.join("store"), true),
    ];
    for (name, target, is_kept) in cases {
        let store = open(&path("store"));
        let tree = tree_of(&store, "file", name.as_bytes());
        let checkout = store.checkout(&tree).unwrap();
        let inside = checkout.path().strip_prefix(path("store")).unwrap();
        symlink(target(dir.path(), inside.to_str().unwrap()), path(name)).unwrap();
        store.keep_by_link(&path(name), &checkout).unwrap();
        let at = checkout.path().to_owned();
        drop((checkout, store));
        let store = open(&path("store"));
        store.gc(&GcPolicy::default()).unwrap();
        assert_eq!(store.has_tree_complete(&tree).unwrap(), is_kept, "{name}");
        let is_led_to = is_kept && name != "the-store-itself";
        assert_eq!(at.exists(), is_led_to, "{name}");
        assert_eq!(
            store.roots().unwrap().out_links.len(),
            usize::from(is_kept),
            "{name}"
        );
        assert_sound(&store);
        std::fs::remove_file(path(name)).unwrap();
        store.gc(&GcPolicy::default()).unwrap();
        assert!(
            !store.has_tree_complete(&tree).unwrap() && !at.exists(),
            "{name}"
        );
    }
}

/// A checkout of an earlier boot stays for as long as a link leads to it, and is read back.
#[test]
fn a_linked_checkout_outlives_the_boot() {
    let dir = tempdir().unwrap();
    let (store_dir, link) = (dir.path().join("store"), dir.path().join("result"));
    let store = open(&store_dir);
    let trees = [
        tree_of(&store, "file", b"linked"),
        tree_of(&store, "file", b"not"),
    ];
    let checkouts = trees.map(|tree| store.checkout(&tree).unwrap());
    let now = checkouts[0].path().parent().unwrap().to_owned();
    let earlier = store_dir.join("checkouts/00000000-0000-0000-0000-000000000000");
    let linked = earlier.join(checkouts[0].path().file_name().unwrap());
    symlink(&linked, &link).unwrap();
    store.keep_by_link(&link, &checkouts[0]).unwrap();
    drop((checkouts, store));
    std::fs::rename(now, &earlier).unwrap();
    let store = open(&store_dir);
    assert_eq!(store.gc(&GcPolicy::default()).unwrap().checkouts, 1);
    assert_eq!(std::fs::read(link.join("file")).unwrap(), b"linked");
    assert_sound(&store);
    std::fs::write(linked.join("file"), b"Linked").unwrap();
    let report = store.verify().unwrap();
    assert!(
        !report.damages.is_empty(),
        "what a link leads to is verified"
    );
    assert_eq!(store.quarantine(&report).unwrap(), Vec::<String>::new());
    assert_eq!(std::fs::read(link.join("file")).unwrap(), b"linked");
    assert_sound(&store);
    std::fs::remove_file(&link).unwrap();
    store.gc(&GcPolicy::default()).unwrap();
    assert!(!earlier.exists());
}

#[test]
fn policies_keep_what_is_new_and_stop_when_there_is_room() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let small = tree_of(&store, "a", &pattern(1000));
    let large = tree_of(&store, "a", &pattern(200_000));
    store.commit().unwrap();
    drop(store);
    let collect = |policy: &GcPolicy| -> Store {
        let store = open(dir.path());
        store.gc(policy).unwrap();
        assert_sound(&store);
        store
    };
    let store = collect(&GcPolicy {
        keep_newer_than: Some(Duration::from_hours(1)),
        ..GcPolicy::default()
    });
    assert!(store.has_tree_complete(&large).unwrap());
    drop(store);
    let store = collect(&GcPolicy {
        bytes_max: Some(10_000_000),
        ..GcPolicy::default()
    });
    assert!(store.has_tree_complete(&small).unwrap());
    assert!(store.has_tree_complete(&large).unwrap());
    drop(store);
    let store = collect(&GcPolicy::default());
    assert!(!store.has_tree_complete(&large).unwrap());
    assert!(!store.has_tree_complete(&small).unwrap());
}

#[test]
fn leases_of_other_sessions_hold() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let tree = tree_of(&store, "a", &pattern(100_000));
    let other = tree_of(&store, "b", &pattern(90_000));
    store.commit().unwrap();
    drop(store);
    let holder = open(dir.path());
    let lease = holder.lease_tree(&tree).unwrap();
    let checkout = holder.checkout(&other).unwrap();
    let collector = open(dir.path());
    collector.gc(&GcPolicy::default()).unwrap();
    assert!(holder.has_tree_complete(&tree).unwrap());
    assert!(holder.has_tree_complete(&other).unwrap());
    assert!(checkout.path().is_dir());
    assert_sound(&collector);
    drop((lease, checkout));
    collector.gc(&GcPolicy::default()).unwrap();
    assert!(!holder.has_tree_complete(&tree).unwrap());
    assert!(!holder.has_tree_complete(&other).unwrap());
    assert!(holder.lease_tree(&tree).is_err());
    assert_sound(&collector);
}

#[test]
fn what_a_session_put_or_found_stays_while_it_lasts() {
    let dir = tempdir().unwrap();
    let first = open(dir.path());
    let tree = tree_of(&first, "a", &pattern(100_000));
    first.commit().unwrap();
    drop(first);
    let second = open(dir.path());
    // It is there already, so nothing is written; it has to stay all the same.
    assert_eq!(tree_of(&second, "a", &pattern(100_000)), tree);
    open(dir.path()).gc(&GcPolicy::default()).unwrap();
    assert!(second.has_tree_complete(&tree).unwrap());
    assert_sound(&second);
}

#[test]
fn what_unpublished_directories_name_stays_too() {
    let dir = tempdir().unwrap();
    let store_dir = dir.path().join("store");
    let first = open(&store_dir);
    for size in [1_000, 50_000, 100_000] {
        first.put_blob(&pattern(size)).unwrap();
    }
    first.commit().unwrap();
    // Keeps the pack from being taken over, so that it can be collected.
    let second = open(&store_dir);
    second.put_blob(b"something else").unwrap();
    drop(first);
    for size in [1_000, 50_000, 100_000] {
        let path = dir.path().join(format!("input/{size}/deep/file"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, pattern(size)).unwrap();
    }
    // The blobs are found, the directories are new and nobody else can read them yet.
    let tree = import(&second, &dir.path().join("input"));
    open(&store_dir).gc(&GcPolicy::default()).unwrap();
    assert!(second.has_tree_complete(&tree).unwrap());
    second.set_root("input", Some(tree));
    second.commit().unwrap();
    drop(second);
    let store = open(&store_dir);
    store.gc(&GcPolicy::default()).unwrap();
    assert!(store.has_tree_complete(&tree).unwrap());
    assert_sound(&store);
}
