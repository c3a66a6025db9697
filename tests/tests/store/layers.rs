//! Layers whose overlay shows a tree, checked by overlaying them with plain copies.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use stxl_model::{RootPath, TreeId};
use stxl_store::{CheckoutRef, FileMode, LAYERS_MAX, Store, TreeEditor};
use stxl_tests::store::world::{assert_sound, import, open, tree_of};
use tempfile::{TempDir, tempdir};

/// Shows what an overlay of layers would: directories merge, anything else hides what is below.
fn overlay(store: &Store, dir: &Path, layers: &[CheckoutRef]) -> TreeId {
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
    let layers = store.layers_for(&tree, &inputs).unwrap();
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
    let layers = store.layers_for(&tree, &[base, package]).unwrap();
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
    assert_eq!(layers.len(), 3);
}

#[test]
fn a_chain_of_steps_adds_small_layers_and_never_too_many() {
    let (dir, store) = make();
    let mut tree = tree_of(&store, "base", &vec![7; 100_000]);
    drop(store.checkout(&tree).unwrap());
    for step in 0..60 {
        let mut editor = TreeEditor::from_tree(&store, &tree).unwrap();
        let file = path(&format!("/out/step-{step}"));
        editor.write(&file, &[1], FileMode::Plain).unwrap();
        let next = editor.finish().unwrap();
        let layers = store.layers_for(&next, &[tree]).unwrap();
        assert!(layers.len() <= LAYERS_MAX);
        assert_eq!(overlay(&store, dir.path(), &layers), next, "step {step}");
        if step % 20 == 19 {
            store.commit().unwrap();
        }
        tree = next;
    }
    assert_sound(&store);
}

#[test]
fn what_an_overlay_cannot_show_is_checked_out_whole() {
    let (dir, store) = make();
    let mut editor = TreeEditor::new(&store).unwrap();
    editor
        .write(&path("/a/one"), b"1", FileMode::Plain)
        .unwrap();
    editor
        .write(&path("/a/two"), b"2", FileMode::Plain)
        .unwrap();
    let base = editor.finish().unwrap();
    let mut editor = TreeEditor::from_tree(&store, &base).unwrap();
    editor.remove(&path("/a/one")).unwrap();
    let tree = editor.finish().unwrap();
    let layers = store.layers_for(&tree, &[base]).unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].tree(), &tree);
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
}

#[test]
fn many_inputs_become_few_layers() {
    let (dir, store) = make();
    let inputs: Vec<_> = (0..40)
        .map(|n| tree_of(&store, &format!("file-{n}"), b"x"))
        .collect();
    let tree = store.merge(&inputs).unwrap().tree;
    let layers = store.layers_for(&tree, &inputs).unwrap();
    assert!(layers.len() <= LAYERS_MAX);
    assert_eq!(overlay(&store, dir.path(), &layers), tree);
    // A later session finds the same layers without being told.
    store.commit().unwrap();
    let found: Vec<_> = layers.iter().map(|layer| *layer.tree()).collect();
    drop(layers);
    drop(store);
    let store = open(&dir.path().join("store"));
    let again = store.layers_for(&tree, &[]).unwrap();
    assert_eq!(
        again.iter().map(|layer| *layer.tree()).collect::<Vec<_>>(),
        found
    );
    assert_sound(&store);
}
