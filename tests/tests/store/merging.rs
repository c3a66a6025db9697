//! Merging and editing trees, against the file system itself as the naive model.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use stxl_model::{RootPath, TreeId};
use stxl_store::{EditError, FileMode, MergeError, Store, TreeEditor};
use stxl_tests::store::world::{assert_sound, import, open};
use tempfile::tempdir;

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

fn paths(store: &Store, tree: &TreeId) -> Vec<String> {
    let mut found = Vec::new();
    store
        .walk(tree, |path, _| found.push(path.to_string()))
        .unwrap();
    found
}

/// Merges by copying files: directories through links, later files over earlier ones.
fn merge_naively(inputs: &[PathBuf], into: &Path) -> Result<(), ()> {
    for input in inputs {
        let mut deferred = Vec::new();
        copy_over(input, into, &mut deferred)?;
        while !deferred.is_empty() {
            for (from, to) in std::mem::take(&mut deferred) {
                let to: PathBuf = to;
                if !fs::metadata(&to).is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(());
                }
                // Where the link leads, since a file that is copied may take its place.
                let folder = fs::File::open(&to).unwrap();
                let name = format!("/proc/self/fd/{}", folder.as_raw_fd());
                let to = fs::read_link(name).unwrap();
                copy_over(&from, &to, &mut deferred)?;
            }
        }
    }
    Ok(())
}

fn copy_over(from: &Path, to: &Path, deferred: &mut Vec<(PathBuf, PathBuf)>) -> Result<(), ()> {
    let mut entries: Vec<_> = fs::read_dir(from).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let there = fs::symlink_metadata(&target).ok();
        if entry.file_type().unwrap().is_dir() {
            match there {
                None => {
                    fs::create_dir(&target).unwrap();
                    copy_over(&source, &target, deferred)?;
                }
                Some(there) if there.is_dir() => copy_over(&source, &target, deferred)?,
                Some(there) if there.is_symlink() => deferred.push((source, target)),
                Some(_) => return Err(()),
            }
            continue;
        }
        match there {
            Some(there) if there.is_dir() => return Err(()),
            Some(_) => fs::remove_file(&target).unwrap(),
            None => {}
        }
        if entry.file_type().unwrap().is_symlink() {
            symlink(fs::read_link(&source).unwrap(), &target).unwrap();
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Made {
    File(u8),
    Link(&'static str),
    Folder,
}

fn made() -> impl Strategy<Value = (Vec<&'static str>, Made)> {
    let names = proptest::sample::select(vec!["a", "b", "lib", "usr"]);
    let parts = proptest::collection::vec(names, 1..4);
    let made = prop_oneof![
        3 => (0_u8..4).prop_map(Made::File),
        1 => proptest::sample::select(vec!["usr", "usr/lib", "../usr", "a/b", "b", "./lib"])
            .prop_map(Made::Link),
        2 => Just(Made::Folder),
    ];
    (parts, made)
}

/// Makes things; what does not fit what is there is left out. Links never leave the folder.
fn write(dir: &Path, things: &[(Vec<&'static str>, Made)]) {
    fs::create_dir_all(dir).unwrap();
    for (parts, made) in things {
        let (name, parents) = parts.split_last().unwrap();
        let mut place = dir.to_owned();
        let mut fits = true;
        for parent in parents {
            place.push(parent);
            match fs::symlink_metadata(&place) {
                Ok(metadata) => fits &= metadata.is_dir(),
                Err(_) if fits => fs::create_dir(&place).unwrap(),
                Err(_) => {}
            }
        }
        place.push(name);
        if !fits || fs::symlink_metadata(&place).is_ok() {
            continue;
        }
        match made {
            Made::File(content) => fs::write(&place, [*content]).unwrap(),
            Made::Folder => fs::create_dir(&place).unwrap(),
            // At the top `..` would leave the folder in the model, where nothing clamps it.
            Made::Link(target) if target.starts_with("..") && parents.is_empty() => {}
            Made::Link(target) => symlink(target, &place).unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn merging_agrees_with_copying(
        inputs in proptest::collection::vec(proptest::collection::vec(made(), 0..7), 1..4)
    ) {
        let dir = tempdir().unwrap();
        let store = open(&dir.path().join("store"));
        let mut folders = Vec::new();
        for (position, things) in inputs.iter().enumerate() {
            let folder = dir.path().join(format!("input-{position}"));
            write(&folder, things);
            folders.push(folder);
        }
        let trees: Vec<TreeId> = folders.iter().map(|folder| import(&store, folder)).collect();
        let model = dir.path().join("model");
        fs::create_dir(&model).unwrap();
        let expected = merge_naively(&folders, &model).map(|()| import(&store, &model));
        match store.merge(&trees) {
            Ok(merged) => prop_assert_eq!(Ok(merged.tree), expected),
            Err(MergeError::Clash { lower, upper, .. }) => {
                prop_assert!(lower < upper);
                prop_assert!(expected.is_err(), "the model merges");
            }
            Err(MergeError::Store(error)) => panic!("{error}"),
        }
    }
}

struct World {
    _dir: tempfile::TempDir,
    store: Store,
}

fn world() -> World {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    World { _dir: dir, store }
}

fn tree(store: &Store, files: &[&str], links: &[(&str, &str)]) -> TreeId {
    let mut editor = TreeEditor::new(store).unwrap();
    for file in files {
        editor
            .write(&path(file), file.as_bytes(), FileMode::Plain)
            .unwrap();
    }
    for (link, target) in links {
        editor.symlink(&path(link), target.as_bytes()).unwrap();
    }
    editor.finish().unwrap()
}

#[test]
fn a_directory_merges_through_a_link_into_the_root() {
    let world = world();
    let base = tree(&world.store, &["/usr/lib/x"], &[("/lib", "/usr/lib")]);
    let package = tree(&world.store, &["/lib/y"], &[]);
    let merged = world.store.merge(&[base, package]).unwrap();
    assert_eq!(
        paths(&world.store, &merged.tree),
        ["/lib", "/usr", "/usr/lib", "/usr/lib/x", "/usr/lib/y"]
    );
    assert_sound(&world.store);
}

#[test]
fn the_place_a_link_leads_to_may_come_with_the_same_input() {
    let world = world();
    let base = tree(&world.store, &[], &[("/lib", "usr/lib")]);
    let package = tree(&world.store, &["/lib/y", "/usr/lib/z"], &[]);
    let merged = world.store.merge(&[base, package]).unwrap();
    assert_eq!(
        paths(&world.store, &merged.tree),
        ["/lib", "/usr", "/usr/lib", "/usr/lib/y", "/usr/lib/z"]
    );
}

#[test]
fn clashes_name_both_inputs_and_the_path() {
    let world = world();
    let store = &world.store;
    let inputs = [
        tree(store, &["/etc/first"], &[]),
        tree(store, &["/usr/bin/tool"], &[]),
        tree(store, &["/other"], &[]),
        tree(store, &["/usr/bin"], &[]),
    ];
    let Err(MergeError::Clash {
        path: at,
        lower,
        lower_kind,
        upper,
        upper_kind,
    }) = store.merge(&inputs)
    else {
        panic!("a clash is expected");
    };
    assert_eq!(at, path("/usr/bin"));
    assert_eq!((lower, lower_kind), (1, "a directory"));
    assert_eq!((upper, upper_kind), (3, "a file"));
}

#[test]
fn a_directory_over_a_link_to_nothing_is_a_clash() {
    let world = world();
    let base = tree(&world.store, &[], &[("/lib", "gone")]);
    let package = tree(&world.store, &["/lib/y"], &[]);
    assert!(matches!(
        world.store.merge(&[base, package]),
        Err(MergeError::Clash {
            lower: 0,
            upper: 1,
            ..
        })
    ));
}

#[test]
fn what_is_hidden_is_reported() {
    let world = world();
    let mut editor = TreeEditor::new(&world.store).unwrap();
    editor
        .write(&path("/etc/config"), b"other", FileMode::Plain)
        .unwrap();
    let upper = editor.finish().unwrap();
    let lower = tree(&world.store, &["/etc/config"], &[]);
    let merged = world.store.merge(&[lower, upper]).unwrap();
    assert_eq!(merged.hidden.len(), 1);
    assert_eq!(merged.hidden[0].path, path("/etc/config"));
    assert_eq!((merged.hidden[0].lower, merged.hidden[0].upper), (0, 1));
}

#[test]
fn edits_do_what_their_names_say() {
    let world = world();
    let store = &world.store;
    let base = tree(
        store,
        &[
            "/usr/lib/a.so",
            "/usr/lib/a.la",
            "/usr/share/doc/readme",
            "/bin/tool",
        ],
        &[("/lib", "usr/lib")],
    );
    let edited = |edit: &dyn Fn(&mut TreeEditor<'_>) -> Result<(), EditError>| {
        let mut editor = TreeEditor::from_tree(store, &base).unwrap();
        edit(&mut editor).map(|()| paths(store, &editor.finish().unwrap()))
    };
    let dropped = edited(&|editor| editor.drop_globs(&["usr/lib/*.la".into(), "usr/share".into()]));
    assert_eq!(
        dropped.unwrap(),
        [
            "/bin",
            "/bin/tool",
            "/lib",
            "/usr",
            "/usr/lib",
            "/usr/lib/a.so"
        ]
    );
    let kept = edited(&|editor| editor.keep_globs(&["**/*.so".into()]));
    assert_eq!(kept.unwrap(), ["/usr", "/usr/lib", "/usr/lib/a.so"]);
    let unmatched = edited(&|editor| editor.keep_globs(&["bin/*".into(), "sbin/*".into()]));
    assert!(matches!(unmatched, Err(EditError::NoMatch { glob }) if glob == "sbin/*"));
    let selected = edited(&|editor| editor.select(&path("/lib")));
    assert_eq!(selected.unwrap(), ["/a.la", "/a.so"]);
    let moved = edited(&|editor| {
        editor.move_to(&path("/usr/lib"), &path("/opt/lib"))?;
        editor.remove(&path("/usr/share"))?;
        editor.copy(&path("/bin"), &path("/sbin"))?;
        editor.remove(&path("/lib"))
    });
    assert_eq!(
        moved.unwrap(),
        [
            "/bin",
            "/bin/tool",
            "/opt",
            "/opt/lib",
            "/opt/lib/a.la",
            "/opt/lib/a.so",
            "/sbin",
            "/sbin/tool",
            "/usr"
        ]
    );
    let through = edited(&|editor| editor.write(&path("/lib/new"), b"", FileMode::Executable));
    assert!(through.unwrap().contains(&"/usr/lib/new".to_owned()));
    let occupied = edited(&|editor| editor.symlink(&path("/bin/tool"), b"x"));
    assert!(matches!(occupied, Err(EditError::Occupied { .. })));
    let missing = edited(&|editor| editor.remove(&path("/usr/no")));
    assert!(matches!(missing, Err(EditError::Missing { .. })));
    let inside = edited(&|editor| editor.move_to(&path("/usr"), &path("/usr/lib/usr")));
    assert!(matches!(inside, Err(EditError::Occupied { .. })));
    let beside = edited(&|editor| editor.move_to(&path("/usr"), &path("/usr2")));
    assert!(beside.unwrap().contains(&"/usr2/lib".to_owned()));
    assert_sound(store);
}

#[test]
fn substitution_replaces_every_occurrence_or_fails() {
    let world = world();
    let mut editor = TreeEditor::new(&world.store).unwrap();
    editor
        .write(&path("/file"), b"one two one", FileMode::Executable)
        .unwrap();
    assert_eq!(
        editor.substitute(&path("/file"), b"one", b"three").unwrap(),
        2
    );
    assert_eq!(
        editor.read(&path("/file")).unwrap(),
        (b"three two three".to_vec(), FileMode::Executable)
    );
    assert!(matches!(
        editor.substitute(&path("/file"), b"four", b""),
        Err(EditError::NoOccurrence { .. })
    ));
}
