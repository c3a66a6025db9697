//! Layers whose overlay shows a tree, checked by overlaying them with plain copies.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;

use stxl_model::{RootPath, TreeId};
use stxl_store::{FileMode, LAYERS_MAX, LayerRef, Store, TreeEditor};
use stxl_tests::store::world::{assert_sound, import, open, tree_of};
use tempfile::{TempDir, tempdir};

/// What lies below all layers here.
const NEVER_HIDDEN: [&str; 3] = ["etc", "etc/passwd", "tmp"];

/// Shows what an overlay of layers would: directories merge, anything else hides what is below,
/// and a whiteout hides without being seen.
fn overlay(store: &Store, dir: &Path, layers: &[LayerRef]) -> TreeId {
    let into = dir.join("overlaid");
    if into.exists() {
        fs::remove_dir_all(&into).unwrap();
    }
    fs::create_dir(&into).unwrap();
    for layer in layers {
        lay_over(layer.path(), &into);
    }
    import(store, &into)
}

fn lay_over(layer: &Path, into: &Path) {
    for entry in fs::read_dir(layer).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), into.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        let there = fs::symlink_metadata(&to).ok();
        assert!(
            !kind.is_char_device() || there.is_some(),
            "a whiteout over nothing shows in a directory that does not merge"
        );
        if kind.is_dir() {
            if there.is_none_or(|there| !there.is_dir()) {
                let _removed = fs::remove_file(&to);
                fs::create_dir(&to).unwrap();
            }
            lay_over(&from, &to);
            continue;
        }
        match there {
            Some(there) if there.is_dir() => fs::remove_dir_all(&to).unwrap(),
            Some(_) => fs::remove_file(&to).unwrap(),
            None => {}
        }
        if kind.is_char_device() {
            continue;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(&from).unwrap(), &to).unwrap();
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

fn make() -> (TempDir, Store) {
    let dir = tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    (dir, store)
}

fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_merge_is_its_inputs() {
    let (dir, store) = make();
    let inputs: Vec<_> = (0..5)
        .map(|n| tree_of(&store, &format!("file-{n}"), b"x"))
        .collect();
    let tree = store.merge(&inputs).unwrap().tree;
    let layers = store.layers_for(&tree, &inputs, &NEVER_HIDDEN).unwrap();
    let trees: Vec<_> = layers.iter().map(|layer| *layer.tree()).collect();
    assert_eq!(trees, inputs);
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
    assert_sound(&store);
}

#[test]
fn links_that_directories_merged_through_become_a_layer_on_top() {
    let (dir, store) = make();
    let mut editor = TreeEditor::new(&store).unwrap();
    editor
        .write(&path("/usr/lib/x"), b"x", FileMode::Plain)
        .unwrap();
    editor.symlink(&path("/lib"), b"usr/lib").unwrap();
    let base = editor.finish().unwrap();
    let mut editor = TreeEditor::new(&store).unwrap();
    editor
        .write(&path("/lib/y"), b"y", FileMode::Plain)
        .unwrap();
    let package = editor.finish().unwrap();
    let tree = store.merge(&[base, package]).unwrap().tree;
    let layers = store
        .layers_for(&tree, &[base, package], &NEVER_HIDDEN)
        .unwrap();
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
    assert_eq!(layers.len(), 3);
}

#[test]
fn a_chain_of_steps_adds_small_layers_and_never_too_many() {
    let (dir, store) = make();
    let mut tree = tree_of(&store, "base", &vec![7; 100_000]);
    drop(store.layers_for(&tree, &[], &[]).unwrap());
    for step in 0..60 {
        let mut editor = TreeEditor::from_tree(&store, &tree).unwrap();
        let file = path(&format!("/out/step-{step}"));
        editor.write(&file, &[1], FileMode::Plain).unwrap();
        let next = editor.finish().unwrap();
        let layers = store.layers_for(&next, &[tree], &NEVER_HIDDEN).unwrap();
        assert!(layers.len() <= LAYERS_MAX);
        assert_eq!(overlay(&store, dir.path(), &layers), next, "step {step}");
        if step % 20 == 19 {
            store.commit().unwrap();
        }
        tree = next;
    }
    assert_sound(&store);
}

/// A tree of files with one letter in them.
fn files(store: &Store, paths: &[&str]) -> TreeId {
    let mut editor = TreeEditor::new(store).unwrap();
    for file in paths {
        editor.write(&path(file), b"x", FileMode::Plain).unwrap();
    }
    editor.finish().unwrap()
}

/// As [`files`], with so many more that writing them all is worth avoiding.
fn bulky(store: &Store, paths: &[&str]) -> TreeId {
    let more: Vec<String> = (0..20).map(|number| format!("/more/{number}")).collect();
    let all: Vec<&str> = paths
        .iter()
        .copied()
        .chain(more.iter().map(String::as_str))
        .collect();
    files(store, &all)
}

fn without(store: &Store, tree: &TreeId, removed: &[&str]) -> TreeId {
    let mut editor = TreeEditor::from_tree(store, tree).unwrap();
    for gone in removed {
        editor.remove(&path(gone)).unwrap();
    }
    editor.finish().unwrap()
}

#[test]
fn what_is_removed_is_hidden_by_a_layer_that_holds_nothing_else() {
    let (dir, store) = make();
    let base = bulky(&store, &["/a/one", "/a/two", "/a/b/three", "/c/four"]);
    let _below = store.layers_for(&base, &[], &[]).unwrap();
    let cases: [&[&str]; 4] = [&["/a/one"], &["/a/b/three"], &["/a"], &["/a/two", "/c"]];
    for removed in cases {
        let tree = without(&store, &base, removed);
        let layers = store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap();
        assert_eq!(layers.len(), 2, "{removed:?}");
        assert_eq!(layers[0].tree(), &base);
        assert_eq!(overlay(&store, dir.path(), &layers), tree, "{removed:?}");
    }
    assert_sound(&store);
}

#[test]
fn a_removal_from_a_large_root_writes_next_to_nothing() {
    let (_dir, store) = make();
    let mut editor = TreeEditor::new(&store).unwrap();
    for number in 0..20_000 {
        let file = path(&format!("/usr/{:03}/{number}", number / 100));
        editor.write(&file, b"x", FileMode::Plain).unwrap();
    }
    let base = editor.finish().unwrap();
    let (_below, whole) = timed(|| store.layers_for(&base, &[], &[]).unwrap());
    let tree = without(&store, &base, &["/usr/050/5000"]);
    let (layers, layer) = timed(|| store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap());
    println!("20,000 files: {whole:?} for the whole, {layer:?} for a layer that hides one");
    let written: Vec<_> = walk(layers[1].path());
    assert_eq!(written, ["usr", "usr/050", "usr/050/5000"]);
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, std::time::Duration) {
    let begin = std::time::Instant::now();
    (work(), begin.elapsed())
}

/// What lies below a directory, sorted.
fn walk(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let inside = entry.path().strip_prefix(dir).unwrap().to_owned();
            found.push(inside.into_os_string().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_was_removed_can_come_back_as_something_else() {
    let (dir, store) = make();
    let base = files(&store, &["/a/one", "/a/two", "/c/four"]);
    let file = files(&store, &["/a", "/c/four"]);
    let bare = files(&store, &["/c/four"]);
    let other = files(&store, &["/a/three", "/c/four"]);
    let mut below = base;
    for tree in [bare, file, other, base, file, bare, other, base, bare] {
        let layers = store.layers_for(&tree, &[below], &NEVER_HIDDEN).unwrap();
        assert_eq!(overlay(&store, dir.path(), &layers), tree);
        below = tree;
    }
    assert_sound(&store);
}

#[test]
fn hiding_most_of_what_is_below_is_not_worth_it() {
    let (dir, store) = make();
    let base = files(&store, &["/a", "/b/c", "/d"]);
    // The hint is a part of the tree, but somewhere else.
    let tree = files(&store, &["/in/a", "/in/b/c", "/in/d"]);
    let layers = store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
}

#[test]
fn what_lies_below_all_layers_stays() {
    let (dir, store) = make();
    let base = bulky(&store, &["/etc/passwd", "/etc/x/y", "/tmp/z", "/a"]);
    let _below = store.layers_for(&base, &[], &[]).unwrap();
    // Directories stay where they are and what lies in them goes; a file needs the whole tree.
    let tree = without(&store, &base, &["/tmp", "/etc/x"]);
    let layers = store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap();
    assert_eq!(layers.len(), 2);
    let shown = overlay(&store, dir.path(), &layers);
    let mut editor = TreeEditor::from_tree(&store, &tree).unwrap();
    editor.mkdir(&path("/tmp")).unwrap();
    assert_eq!(shown, editor.finish().unwrap());
    let tree = without(&store, &base, &["/etc/passwd"]);
    let layers = store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].tree(), &tree);
}

#[test]
fn a_damaged_layer_that_hides_is_found_and_made_again() {
    let (dir, store) = make();
    let base = bulky(&store, &["/a/one", "/a/two"]);
    drop(store.layers_for(&base, &[], &[]).unwrap());
    let tree = without(&store, &base, &["/a/one"]);
    let layers = store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap();
    let whiteout = layers[1].path().join("a/one");
    fs::remove_file(&whiteout).unwrap();
    let report = store.verify().unwrap();
    assert_eq!(report.damages.len(), 1, "{:?}", report.damages);
    drop(layers);
    assert!(store.quarantine(&report).unwrap().is_empty());
    let layers = store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap();
    assert!(whiteout.symlink_metadata().is_ok());
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
    drop(layers);
    // The session put the tree below itself and still has it; nobody needs what lies over it.
    let collected = store.gc(&stxl_store::GcPolicy::default()).unwrap();
    assert_eq!(collected.checkouts, 1);
    assert!(whiteout.symlink_metadata().is_err());
    assert_sound(&store);
}

/// A layer that hides means nothing by itself: whoever bends a link to one keeps the tree that the
/// link was made for, and no checkout.
#[test]
fn no_link_keeps_a_layer_that_hides() {
    for is_earlier_boot in [false, true] {
        let (dir, store) = make();
        let (checkouts, link) = (dir.path().join("store/checkouts"), dir.path().join("link"));
        let names: Vec<String> = (0..20).map(|number| format!("/a/{number}")).collect();
        let base = files(
            &store,
            &names.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let checkout = store.checkout(&base).unwrap();
        let below = store.layers_for(&base, &[], &[]).unwrap();
        let tree = without(&store, &base, &["/a/7"]);
        let layers = store.layers_for(&tree, &[base], &NEVER_HIDDEN).unwrap();
        let mut hiding = layers[1].path().to_owned();
        symlink(checkout.path(), &link).unwrap();
        store.keep_by_link(&link, &checkout).unwrap();
        drop((layers, below, checkout, store));
        if is_earlier_boot {
            let earlier = checkouts.join("00000000-0000-0000-0000-000000000000");
            fs::rename(hiding.parent().unwrap(), &earlier).unwrap();
            hiding = earlier.join(hiding.file_name().unwrap());
        }
        assert!(hiding.join("a/7").symlink_metadata().is_ok());
        fs::remove_file(&link).unwrap();
        symlink(&hiding, &link).unwrap();
        let store = open(&dir.path().join("store"));
        assert_sound(&store);
        let collected = store.gc(&stxl_store::GcPolicy::default()).unwrap();
        assert_eq!(collected.checkouts, 3);
        assert!(!hiding.exists());
        assert!(store.has_tree_complete(&base).unwrap());
        assert_eq!(store.roots().unwrap().out_links.len(), 1);
        assert_sound(&store);
    }
}

#[test]
fn many_inputs_become_few_layers() {
    let (dir, store) = make();
    let inputs: Vec<_> = (0..40)
        .map(|n| tree_of(&store, &format!("file-{n}"), b"x"))
        .collect();
    let tree = store.merge(&inputs).unwrap().tree;
    let layers = store.layers_for(&tree, &inputs, &NEVER_HIDDEN).unwrap();
    assert!(layers.len() <= LAYERS_MAX);
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
    // A later session finds the same layers without being told.
    store.commit().unwrap();
    let found: Vec<_> = layers.iter().map(|layer| *layer.tree()).collect();
    drop(layers);
    drop(store);
    let store = open(&dir.path().join("store"));
    let again = store.layers_for(&tree, &[], &NEVER_HIDDEN).unwrap();
    assert_eq!(
        again.iter().map(|layer| *layer.tree()).collect::<Vec<_>>(),
        found
    );
    assert_sound(&store);
}
