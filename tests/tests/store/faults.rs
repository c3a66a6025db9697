//! Faults at every operation: the process is killed, the disk fails, the disk is full.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use stxl_store::{Failpoints, Fault, GcPolicy, OpenOptions, Store, StoreError};
use stxl_tests::store::exercise;
use stxl_tests::store::world::{
    self, action, assert_sound, assert_sound_at, open, realisation, tree_of,
};
use tempfile::{TempDir, tempdir};

/// In memory, where there is such a place: a killed process loses nothing there either, and syncs
/// cost nothing.
fn prepared() -> TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempdir()
    };
    let dir = dir.unwrap();
    exercise::prepare(dir.path());
    dir
}

/// How many operations the exercise takes when nothing fails.
fn operations() -> u64 {
    let dir = prepared();
    let failpoints = Failpoints::new(0, Fault::None);
    exercise::run(dir.path(), &failpoints).expect("the exercise runs");
    exercise::assert_acknowledged_is_there(dir.path());
    assert_sound_at(&dir.path().join("store"));
    failpoints.log().len() as u64
}

fn assert_recovers(dir: &TempDir, at: u64) {
    exercise::assert_acknowledged_is_there(dir.path());
    let store = dir.path().join("store");
    let opened = Store::open(&store, OpenOptions::default().check_index());
    let opened = opened.unwrap_or_else(|error| panic!("fault at {at}: {error}"));
    let report = opened.fsck().unwrap();
    assert!(
        report.breaches.is_empty(),
        "fault at {at}: {:#?}",
        report.breaches
    );
    drop(opened);
    let again = exercise::run(dir.path(), &Failpoints::new(0, Fault::None));
    again.unwrap_or_else(|error| panic!("after a fault at {at}: {error}"));
    exercise::assert_acknowledged_is_there(dir.path());
    assert_sound_at(&store);
}

#[test]
fn killed_at_any_operation_the_store_stays_sound() {
    let total = operations();
    assert!(total > 200, "the exercise has only {total} operations");
    for at in 1..=total {
        let dir = prepared();
        let status = Command::new(env!("CARGO_BIN_EXE_store-exercise"))
            .arg("all")
            .arg(dir.path())
            .arg(at.to_string())
            .status()
            .unwrap();
        assert!(
            !status.success(),
            "operation {at} of {total} was not reached"
        );
        assert_eq!(
            status.code(),
            None,
            "operation {at} ended by itself: {status}"
        );
        assert_recovers(&dir, at);
    }
}

#[test]
fn an_input_or_output_error_at_any_operation_is_reported_and_harmless() {
    for at in 1..=operations() {
        let dir = prepared();
        let failpoints = Failpoints::new(at, Fault::IoError);
        if let Err(error) = exercise::run(dir.path(), &failpoints) {
            let text = error.to_string();
            assert!(text.contains("cannot "), "fault at {at}: {text}");
        }
        assert_recovers(&dir, at);
    }
}

#[test]
fn a_disk_that_is_full_from_any_operation_on_is_reported_and_harmless() {
    for at in 1..=operations() {
        let dir = prepared();
        let failpoints = Failpoints::new(at, Fault::DiskFull);
        if let Err(error) = exercise::run(dir.path(), &failpoints) {
            assert!(error.is_disk_full(), "fault at {at}: {error}");
        }
        assert_recovers(&dir, at);
    }
}

#[test]
fn a_really_full_disk_fails_cleanly_and_can_be_collected() {
    let (_dir, mounted) = mount_small();
    let store_dir = mounted.0.join("store");
    let store = open(&store_dir);
    let kept = tree_of(&store, "kept", b"kept");
    store.set_root("kept", Some(kept));
    store.commit().unwrap();
    drop(store);
    let store = open(&store_dir);
    let error = fill(&store);
    assert!(error.is_disk_full(), "{error}");
    drop(store);
    let store = open(&store_dir);
    assert!(store.has_tree_complete(&kept).unwrap());
    let report = store.gc(&GcPolicy::default()).unwrap();
    assert!(report.bytes_freed > 1_000_000, "{report:?}");
    assert_sound(&store);
    store.put_blob(&world::pattern(1_000_000)).unwrap();
    store.commit().unwrap();
    assert!(store.has_tree_complete(&kept).unwrap());
    assert_sound(&store);
}

#[test]
fn a_disk_filled_by_others_to_the_last_byte_can_be_collected() {
    let (_dir, mounted) = mount_small();
    let store_dir = mounted.0.join("store");
    let store = open(&store_dir);
    let kept = tree_of(&store, "kept", b"kept");
    store.set_root("kept", Some(kept));
    store.put_blob(&world::pattern(1_000_000)).unwrap();
    store.commit().unwrap();
    drop(store);
    fill_up(&mounted.0.join("other"));
    // Again and again: what is opened without collecting uses nothing of the ballast up.
    for round in 0..20 {
        let store = open(&store_dir);
        assert!(store.has_tree_complete(&kept).unwrap(), "round {round}");
        let put = store.put_blob(&world::pattern(500_000 + round));
        let error = put.and_then(|_| store.commit()).unwrap_err();
        assert!(error.is_disk_full(), "round {round}: {error}");
        drop(store);
        fill_up(&mounted.0.join(format!("other-{round}")));
    }
    let store = open(&store_dir);
    let report = store.gc(&GcPolicy::default()).unwrap();
    assert!(report.bytes_freed >= 1_000_000, "{report:?}");
    assert!(store.verify().unwrap().damages.is_empty());
    assert_sound(&store);
    drop(store);
    let ballast = std::fs::metadata(store_dir.join("ballast")).unwrap();
    assert_eq!(ballast.len(), 256 * 1024, "the room is set aside again");
    let store = open(&store_dir);
    assert!(store.has_tree_complete(&kept).unwrap());
    store.put_blob(&world::pattern(300_000)).unwrap();
    store.commit().unwrap();
}

/// A small disk, full to the last byte, with a store that has something to collect.
fn full_disk() -> (TempDir, Unmount, stxl_model::TreeId) {
    let (dir, mounted) = mount_small();
    let store = open(&mounted.0.join("store"));
    let kept = tree_of(&store, "kept", b"kept");
    store.set_root("kept", Some(kept));
    store.put_blob(&world::pattern(1_000_000)).unwrap();
    store.put_blob(&world::pattern(50_000)).unwrap();
    store.commit().unwrap();
    let unwanted = tree_of(&store, "unwanted", b"unwanted");
    let _checkout = store.checkout(&unwanted).unwrap();
    drop(store);
    fill_up(&mounted.0.join("other"));
    (dir, mounted, kept)
}

/// Whatever room a collection gives up before it is killed, others may take it. The next one works
/// without any, and without anybody's help.
#[test]
fn a_collection_killed_on_a_full_disk_is_made_up_for_by_the_next() {
    let (_dir, mounted, _) = full_disk();
    let counted = Failpoints::new(0, Fault::None);
    exercise::collect(&mounted.0, &counted).unwrap();
    let total = counted.log().len();
    assert!(total > 20, "a collection has only {total} operations");
    for at in 1..=total {
        let (_dir, mounted, kept) = full_disk();
        let status = Command::new(env!("CARGO_BIN_EXE_store-exercise"))
            .arg("collect")
            .arg(&mounted.0)
            .arg(at.to_string())
            .status()
            .unwrap();
        assert_eq!(status.code(), None, "operation {at} of {total}: {status}");
        fill_up(&mounted.0.join("others-too"));
        let collected = exercise::collect(&mounted.0, &Failpoints::new(0, Fault::None));
        collected.unwrap_or_else(|error| panic!("killed at {at} of {total}: {error}"));
        std::fs::remove_file(mounted.0.join("other")).unwrap();
        let store = open(&mounted.0.join("store"));
        assert!(store.has_tree_complete(&kept).unwrap(), "killed at {at}");
        assert!(
            !store
                .has_blob(&stxl_model::BlobId::of(&world::pattern(1_000_000)))
                .unwrap()
        );
        assert_sound(&store);
    }
}

/// Who opens the store while a collection has it for itself waits for its end.
#[test]
fn a_collection_without_room_lets_others_in_when_it_is_done() {
    let (_dir, mounted, kept) = full_disk();
    let store_dir = mounted.0.join("store");
    std::fs::remove_file(store_dir.join("ballast")).unwrap();
    fill_up(&mounted.0.join("others-too"));
    let store = Store::open(&store_dir, OpenOptions::default().without_room()).unwrap();
    let (opened, told) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        let store = open(&store_dir);
        opened
            .send(store.has_tree_complete(&kept).unwrap())
            .unwrap();
    });
    let short = std::time::Duration::from_millis(300);
    assert!(told.recv_timeout(short).is_err(), "it is not opened by two");
    store.gc(&GcPolicy::default()).unwrap();
    drop(store);
    let long = std::time::Duration::from_secs(30);
    assert!(told.recv_timeout(long).expect("the other one gets in"));
    other.join().unwrap();
}

#[test]
fn a_store_on_a_disk_that_is_only_read_is_named() {
    let (_dir, mounted) = mount_small();
    let store_dir = mounted.0.join("store");
    drop(open(&store_dir));
    rustix::mount::mount_remount(&mounted.0, rustix::mount::MountFlags::RDONLY, "").unwrap();
    let Err(error) = Store::open(&store_dir, OpenOptions::default()) else {
        panic!("a store that cannot be locked opens");
    };
    let text = error.to_string();
    let named = format!("the store `{}` cannot be written", store_dir.display());
    assert!(text.starts_with(&named), "{text}");
    assert!(text.contains("Read-only file system"), "{text}");
}

/// A directory with a small disk of its own below it.
fn mount_small() -> (TempDir, Unmount) {
    let dir = tempdir().unwrap();
    let mount = dir.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    rustix::mount::mount(
        "tmpfs",
        &mount,
        "tmpfs",
        rustix::mount::MountFlags::empty(),
        Some(c"size=4m"),
    )
    .expect("a small tmpfs can be mounted: this test needs root");
    (dir, Unmount(mount))
}

/// Writes a file that takes what room there is.
fn fill_up(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let full = std::iter::repeat_with(|| file.write_all(&[1; 1024]))
        .take(8 * 1024)
        .find_map(Result::err)
        .expect("a small disk is full at some time");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

/// Puts blobs, large and small, until that fails.
fn fill(store: &Store) -> StoreError {
    for number in 0_usize.. {
        let size = if number % 2 == 0 { 150_000 } else { 40_000 };
        let mut bytes = world::pattern(size);
        bytes.extend_from_slice(&number.to_le_bytes());
        let put = store.put_blob(&bytes).and_then(|_| store.commit());
        if let Err(error) = put {
            return error;
        }
    }
    unreachable!("a small disk is full at some time")
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _unmounted = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// What lies where leftovers of a store do would be removed.
#[test]
fn a_directory_of_somebody_is_no_store() {
    let contents: [&[&str]; 4] = [
        &["tmp/mine/thesis"],
        &["leases/flat.pdf"],
        &["notes"],
        &["packs/a", "tmp/b"],
    ];
    for files in contents {
        let dir = tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "mine").unwrap();
        }
        let refused = Store::open(dir.path(), OpenOptions::default());
        assert!(
            matches!(refused, Err(StoreError::NotAStore { .. })),
            "{files:?}"
        );
        for file in files {
            assert_eq!(std::fs::read(dir.path().join(file)).unwrap(), b"mine");
        }
    }
}

#[test]
fn a_copy_without_empty_directories_and_one_without_its_format_are_stores() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let tree = tree_of(&store, "file", b"kept");
    store.record(realisation(action("maker"), tree)).unwrap();
    store.commit().unwrap();
    drop(store);
    for name in ["locks", "leases", "tmp", "staging", "blobs"] {
        std::fs::remove_dir_all(dir.path().join(name)).unwrap();
    }
    let store = open(dir.path());
    assert!(store.has_tree_complete(&tree).unwrap());
    assert_eq!(store.verify().unwrap().damages, []);
    drop(store);
    std::fs::remove_file(dir.path().join("format")).unwrap();
    let store = open(dir.path());
    assert!(store.has_tree_complete(&tree).unwrap());
    assert_sound(&store);
}
