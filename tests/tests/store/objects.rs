//! Blobs, directories, imports and checkouts: round trips.

use std::fs;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use proptest::prelude::*;
use stxl_model::{BlobId, FILE_ENTRY, Node, RootPath};
use stxl_store::{ImportBounds, ImportError, OpenOptions, Store, StoreError};
use stxl_tests::store::world::{self, assert_sound, import, open, tree_of};
use tempfile::tempdir;

#[test]
fn blobs_of_every_size_come_back() {
    let dir = tempdir().unwrap();
    let sizes = [0, 1, 4096, 65_535, 65_536, 65_537, 300_000, 9_000_000];
    let store = open(dir.path());
    for size in sizes {
        let bytes = world::pattern(size);
        let blob = store.put_blob(&bytes).unwrap();
        assert_eq!(blob, BlobId::of(&bytes));
        assert_eq!(store.read_blob(&blob).unwrap(), bytes, "before publication");
    }
    store.commit().unwrap();
    drop(store);
    let store = open(dir.path());
    for size in sizes {
        let bytes = world::pattern(size);
        let blob = BlobId::of(&bytes);
        assert!(store.has_blob(&blob).unwrap());
        assert_eq!(store.read_blob(&blob).unwrap(), bytes);
        let mut read = Vec::new();
        store
            .open_blob(&blob)
            .unwrap()
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, bytes);
    }
    assert_sound(&store);
}

#[test]
fn open_files_are_hashed_while_they_are_copied() {
    let dir = tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    for size in [10, 70_000, 9_000_000] {
        let bytes = world::pattern(size);
        fs::write(dir.path().join("file"), &bytes).unwrap();
        let file = fs::File::open(dir.path().join("file")).unwrap();
        let (blob, size_bytes) = store.put_blob_from(&file).unwrap();
        assert_eq!((blob, size_bytes), (BlobId::of(&bytes), size as u64));
        assert_eq!(store.read_blob(&blob).unwrap(), bytes);
    }
    assert_sound(&store);
}

#[test]
fn an_import_checks_out_equal() {
    let dir = tempdir().unwrap();
    let input = dir.path().join("input");
    world::write_input(&input);
    let store = open(&dir.path().join("store"));
    let tree = import(&store, &input);
    assert_eq!(import(&store, &input), tree, "importing again");
    assert!(store.has_tree_complete(&tree).unwrap());
    let checkout = store.checkout(&tree).unwrap();
    assert_eq!(import(&store, checkout.path()), tree);
    assert_canonical(checkout.path());
    assert_sound(&store);
}

fn assert_canonical(path: &Path) {
    let metadata = fs::symlink_metadata(path).unwrap();
    assert_eq!(metadata.mtime(), 315_532_800, "{}", path.display());
    if metadata.is_dir() {
        assert_eq!(metadata.mode() & 0o7777, 0o755);
        for entry in fs::read_dir(path).unwrap() {
            assert_canonical(&entry.unwrap().path());
        }
    } else if metadata.is_file() {
        assert_eq!(metadata.nlink(), 1);
        assert!([0o644, 0o755].contains(&(metadata.mode() & 0o7777)));
    }
}

#[test]
fn a_file_becomes_a_tree_with_one_entry() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("thing"), b"bytes").unwrap();
    let store = open(&dir.path().join("store"));
    let at = world::directory_fd(dir.path());
    let tree = store
        .import_path(at.as_fd(), b"thing", ImportBounds::default())
        .unwrap();
    let directory = store.directory(&tree).unwrap();
    assert!(matches!(
        directory.find(FILE_ENTRY),
        Some(Node::File { size_bytes: 5, .. })
    ));
    assert_sound(&store);
}

#[test]
fn ignored_paths_are_left_out() {
    let dir = tempdir().unwrap();
    let input = dir.path().join("input");
    world::write_input(&input);
    let store = open(&dir.path().join("store"));
    let at = world::directory_fd(dir.path());
    let ignore = [
        "usr/lib/**".to_owned(),
        "*.tmp".to_owned(),
        "empty".to_owned(),
    ];
    let bounds = ImportBounds {
        ignore: &ignore,
        ..ImportBounds::default()
    };
    let tree = store.import_path(at.as_fd(), b"input", bounds).unwrap();
    let mut paths = Vec::new();
    store
        .walk(&tree, |path, _| paths.push(path.to_string()))
        .unwrap();
    assert_eq!(
        paths,
        [
            "/lib",
            "/run",
            "/usr",
            "/usr/edge",
            "/usr/large",
            "/usr/lib"
        ]
    );
    assert_sound(&store);
}

#[test]
fn imports_stay_beneath_their_directory() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("input")).unwrap();
    fs::write(dir.path().join("secret"), b"secret").unwrap();
    symlink("..", dir.path().join("input/up")).unwrap();
    let store = open(&dir.path().join("store"));
    let at = world::directory_fd(&dir.path().join("input"));
    for path in [b"../secret".as_slice(), b"up/secret", b"/etc/passwd"] {
        let result = store.import_path(at.as_fd(), path, ImportBounds::default());
        assert!(matches!(
            result,
            Err(ImportError::Store(StoreError::Io { .. }))
        ));
    }
    assert_sound(&store);
}

#[test]
fn what_a_tree_cannot_hold_is_refused_with_its_path() {
    let dir = tempdir().unwrap();
    let input = dir.path().join("input");
    fs::create_dir_all(input.join("deep")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        input.join("deep/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from(0o600),
        0,
    )
    .unwrap();
    let store = open(&dir.path().join("store"));
    let at = world::directory_fd(dir.path());
    match store.import_path(at.as_fd(), b"input", ImportBounds::default()) {
        Err(ImportError::Unsupported { path, what }) => {
            assert_eq!((path.as_str(), what), ("deep/pipe", "a FIFO"));
        }
        other => panic!("{other:?}"),
    }
    assert_sound(&store);
}

#[test]
fn a_file_may_not_nest_without_end() {
    let dir = tempdir().unwrap();
    let mut deep = dir.path().join("input");
    for _ in 0..300 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let store = open(&dir.path().join("store"));
    let at = world::directory_fd(dir.path());
    let result = store.import_path(at.as_fd(), b"input", ImportBounds::default());
    assert!(matches!(result, Err(ImportError::TooDeep { .. })));
    assert_sound(&store);
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()));
    let mut format = b"stxl store  ".to_vec();
    format.extend_from_slice(&2_u32.to_le_bytes());
    let check = BlobId::of(&format);
    format.extend_from_slice(&check.digest().as_bytes()[..8]);
    fs::write(dir.path().join("format"), format).unwrap();
    let result = Store::open(dir.path(), OpenOptions::default());
    assert!(matches!(
        result,
        Err(StoreError::Newer {
            found: 2,
            supported: 1
        })
    ));
}

#[test]
fn differences_are_named_with_the_first_byte() {
    let dir = tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    let left = tree_of(&store, "file", b"0123456789");
    let right = tree_of(&store, "file", b"01234x6789");
    let found = store.diff(&left, &right, 10).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, RootPath::parse(b"/file").unwrap());
    let expected = stxl_store::DifferenceKind::Content { offset: Some(5) };
    assert_eq!(found[0].kind, expected);
    assert_eq!(store.diff(&left, &left, 10).unwrap(), []);
    assert_sound(&store);
}

#[derive(Clone, Debug)]
enum Thing {
    File(Vec<u8>, bool),
    Link(String),
    Folder(Vec<(String, Thing)>),
}

fn thing() -> impl Strategy<Value = Thing> {
    let leaf = prop_oneof![
        (proptest::collection::vec(any::<u8>(), 0..80), any::<bool>())
            .prop_map(|(bytes, executable)| Thing::File(bytes, executable)),
        "[a-c./]{1,6}".prop_map(Thing::Link),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        proptest::collection::vec(("[a-e]{1,2}", inner), 0..5).prop_map(Thing::Folder)
    })
}

fn write(path: &Path, thing: &Thing) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::symlink_metadata(path).is_ok() {
        return;
    }
    match thing {
        Thing::File(bytes, executable) => {
            fs::write(path, bytes).unwrap();
            let mode = if *executable { 0o755 } else { 0o600 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        Thing::Link(target) => symlink(target, path).unwrap(),
        Thing::Folder(things) => {
            fs::create_dir(path).unwrap();
            for (name, thing) in things {
                write(&path.join(name), thing);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_tree_comes_back(things in proptest::collection::vec(("[a-e]{1,2}", thing()), 0..6)) {
        let dir = tempdir().unwrap();
        write(&dir.path().join("input"), &Thing::Folder(things));
        let store = open(&dir.path().join("store"));
        let tree = import(&store, &dir.path().join("input"));
        store.commit().unwrap();
        drop(store);
        let store = open(&dir.path().join("store"));
        let checkout = store.checkout(&tree).unwrap();
        prop_assert_eq!(import(&store, checkout.path()), tree);
        assert_sound(&store);
    }
}

#[test]
fn what_is_written_into_a_path_that_was_told_reaches_no_step() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let tree = tree_of(&store, "file", b"good");
    store.commit().unwrap();
    let told = store.checkout(&tree).unwrap();
    fs::write(told.path().join("file"), "EVIL").unwrap();
    fs::write(told.path().join("stray"), "").unwrap();
    let layers = store.layers_for(&tree, &[], &[]).unwrap();
    for layer in &layers {
        assert!(!layer.path().join("stray").exists());
        if let Ok(bytes) = fs::read(layer.path().join("file")) {
            assert_eq!(bytes, b"good");
        }
    }
    // It is found, all the same.
    assert!(!store.verify().unwrap().damages.is_empty());
}
