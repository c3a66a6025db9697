//! Several sessions at once. Every open store is a session of its own, whether or not it shares a
//! process with others: locks belong to open files.

use std::sync::Barrier;
use std::thread;

use stxl_store::GcPolicy;
use stxl_tests::store::exercise;
use stxl_tests::store::world::{
    action, assert_sound, assert_sound_at, derivation, open, pattern, realisation, tree_of,
};
use tempfile::tempdir;

#[test]
fn many_sessions_add_and_collect_without_losing_anything() {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 25;
    let dir = tempdir().unwrap();
    drop(open(dir.path()));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let dir = dir.path();
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let store = open(dir);
                    // Half of what is put is shared by all writers, so that they find each
                    // other's objects while these are being collected.
                    let shared = tree_of(&store, "shared", &pattern(70_000 + round % 3));
                    let own = format!("{writer} {round}");
                    let own = tree_of(&store, "own", own.as_bytes());
                    store.merge(&[shared, own]).expect("both are there");
                    assert!(store.has_tree_complete(&shared).unwrap());
                    assert!(store.has_tree_complete(&own).unwrap());
                    let checkout = store.checkout(&shared).unwrap();
                    assert!(checkout.path().join("shared").is_file());
                    let name = format!("{writer}");
                    store.record(realisation(action(&name), shared)).unwrap();
                    store.set_root(&name, Some(own));
                    store.commit().unwrap();
                }
            });
        }
        let dir = dir.path();
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                open(dir).gc(&GcPolicy::default()).unwrap();
            }
        });
    });
    let store = open(dir.path());
    assert_eq!(store.roots().unwrap().named.len(), WRITERS);
    assert_sound(&store);
}

#[test]
fn one_choice_is_made_however_many_record() {
    let dir = tempdir().unwrap();
    drop(open(dir.path()));
    let barrier = Barrier::new(6);
    thread::scope(|scope| {
        for number in 0..6 {
            let (dir, barrier) = (dir.path(), &barrier);
            scope.spawn(move || {
                let store = open(dir);
                let tree = tree_of(&store, "a", &[number]);
                barrier.wait();
                store.record(realisation(action("same"), tree)).unwrap();
                store
                    .set_memo(&derivation("same"), &action("same"))
                    .unwrap();
                store.commit().unwrap();
            });
        }
    });
    let store = open(dir.path());
    let chosen = store.chosen(&action("same")).unwrap().unwrap().tree;
    let all = store.realisations(&action("same")).unwrap();
    assert_eq!(all.len(), 6);
    assert_eq!(all[0].tree, chosen);
    store.rebuild_db().unwrap();
    assert_eq!(store.chosen(&action("same")).unwrap().unwrap().tree, chosen);
    assert_sound(&store);
}

#[test]
fn one_execution_at_a_time() {
    let dir = tempdir().unwrap();
    let (first, second) = (open(dir.path()), open(dir.path()));
    let held = first.try_lock_action(&action("a")).unwrap();
    assert!(held.is_some());
    assert!(second.try_lock_action(&action("a")).unwrap().is_none());
    assert!(second.try_lock_action(&action("b")).unwrap().is_some());
    drop(held);
    assert!(second.try_lock_action(&action("a")).unwrap().is_some());
}

#[test]
fn two_processes_run_the_exercise_at_once() {
    let dir = tempdir().unwrap();
    exercise::prepare(dir.path());
    let spawn = || {
        std::process::Command::new(env!("CARGO_BIN_EXE_store-exercise"))
            .arg("all")
            .arg(dir.path())
            .arg("0")
            .spawn()
            .unwrap()
    };
    for _ in 0..5 {
        let mut children = [spawn(), spawn(), spawn()];
        for child in &mut children {
            assert!(child.wait().unwrap().success());
        }
        exercise::assert_acknowledged_is_there(dir.path());
        assert_sound_at(&dir.path().join("store"));
    }
}
