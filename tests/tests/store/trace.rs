//! The build trace and its memory: choices, memos, durations, history.

use stxl_store::{HistoryEntry, Recorded};
use stxl_tests::store::world::{action, assert_sound, derivation, open, realisation, tree_of};
use tempfile::tempdir;

#[test]
fn the_first_realisation_stays_chosen_and_survives_a_new_index() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (first, second) = (tree_of(&store, "a", b"1"), tree_of(&store, "a", b"2"));
    let action = action("action");
    assert_eq!(
        store.record(realisation(action, first)).unwrap(),
        Recorded::Chosen
    );
    assert_eq!(
        store.record(realisation(action, first)).unwrap(),
        Recorded::Confirmed
    );
    let differs = store.record(realisation(action, second)).unwrap();
    assert!(matches!(differs, Recorded::Differs { chosen } if chosen.tree == first));
    assert_eq!(store.chosen(&action).unwrap().unwrap().tree, first);
    store.commit().unwrap();
    store.rebuild_db().unwrap();
    assert_eq!(store.chosen(&action).unwrap().unwrap().tree, first);
    assert_eq!(store.realisations(&action).unwrap().len(), 3);
    drop(store);
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = open(dir.path());
    assert_eq!(store.chosen(&action).unwrap().unwrap().tree, first);
    assert!(store.has_tree_complete(&second).unwrap());
    assert_sound(&store);
}

#[test]
fn a_released_choice_is_made_anew_and_its_memos_no_longer_count() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let (first, second) = (tree_of(&store, "a", b"1"), tree_of(&store, "a", b"2"));
    let action = action("action");
    store.record(realisation(action, first)).unwrap();
    store.set_memo(&derivation("above"), &action).unwrap();
    store.release_choice(&action).unwrap();
    assert_eq!(store.chosen(&action).unwrap(), None);
    assert_eq!(store.memo(&derivation("above")).unwrap(), None);
    assert_eq!(
        store.record(realisation(action, second)).unwrap(),
        Recorded::Chosen
    );
    store.commit().unwrap();
    store.rebuild_db().unwrap();
    assert_eq!(store.chosen(&action).unwrap().unwrap().tree, second);
    assert_eq!(store.generation().unwrap(), 1);
    assert_sound(&store);
}

#[test]
fn many_derivations_resolve_in_the_order_asked_for() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let tree = tree_of(&store, "a", b"1");
    let ids: Vec<_> = (0..500).map(|n| derivation(&n.to_string())).collect();
    for (number, id) in ids.iter().enumerate() {
        let action = action(&number.to_string());
        store.set_memo(id, &action).unwrap();
        if number % 2 == 0 {
            store.record(realisation(action, tree)).unwrap();
        }
    }
    let before = store.resolve(&ids).unwrap();
    store.commit().unwrap();
    let after = store.resolve(&ids).unwrap();
    assert_eq!(before, after);
    for (number, resolved) in after.iter().enumerate() {
        let expected = (number % 2 == 0).then_some(action(&number.to_string()));
        assert_eq!(resolved.map(|resolved| resolved.action), expected);
    }
    drop(store);
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    assert_eq!(open(dir.path()).resolve(&ids).unwrap(), after);
    assert_sound(&open(dir.path()));
}

#[test]
fn what_is_remembered_is_found_by_the_next_session() {
    let dir = tempdir().unwrap();
    let store = open(dir.path());
    let tree = tree_of(&store, "a", b"1");
    let entry = HistoryEntry {
        workspace: "/workspace".to_owned(),
        request: "core/zlib".to_owned(),
        plan: store.put_blob(b"plan").unwrap(),
        outputs: vec![tree],
    };
    store.set_history(entry.clone());
    store.set_duration("core/zlib", "run 1", 7);
    store.set_duration("core/zlib", "run 1", 9);
    store.set_root("kept", Some(tree));
    store.set_root("gone", Some(tree));
    store.set_root("gone", None);
    store.commit().unwrap();
    drop(store);
    let store = open(dir.path());
    store.rebuild_db().unwrap();
    assert_eq!(
        store.history("/workspace", "core/zlib").unwrap(),
        Some(entry)
    );
    let durations = store.durations().unwrap();
    assert_eq!(durations[&("core/zlib".to_owned(), "run 1".to_owned())], 9);
    let named: Vec<_> = store.roots().unwrap().named.into_keys().collect();
    assert_eq!(named, ["kept"]);
    assert_sound(&store);
}
