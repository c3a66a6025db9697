//! One exercise that goes through every part of a store: import, seal, record, check out, commit,
//! collect. It is run with a fault at each of its operations.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode};
use stxl_model::{Keep, Realisation, TreeId};
use stxl_store::{
    Failpoints, Fault, GcPolicy, HistoryEntry, ImportBounds, ImportError, OpenOptions, SealBounds,
    SealError, Store, StoreError,
};

use super::world;

/// Prepares the files that the exercise reads.
pub fn prepare(dir: &Path) {
    world::write_input(&dir.join("input"));
    let upper = dir.join("upper");
    fs::create_dir_all(upper.join("usr/lib")).unwrap();
    fs::write(upper.join("usr/lib/made"), b"made by a build\n").unwrap();
    fs::write(upper.join("usr/heavy"), world::pattern(150_000)).unwrap();
    let removed = upper.join("usr/lib/nothing");
    rustix::fs::mknodat(CWD, &removed, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
}

/// Runs the exercise in `dir`, which was prepared.
pub fn run(dir: &Path, failpoints: &Arc<Failpoints>) -> Result<(), StoreError> {
    leave_garbage(dir, failpoints)?;
    let store = open(dir, failpoints)?;
    let tree = build(dir, &store)?;
    store.commit()?;
    fs::write(dir.join("acknowledged"), tree.to_string()).unwrap();
    drop(store);
    let store = open(dir, failpoints)?;
    store.gc(&GcPolicy::default())?;
    store.commit()
}

fn open(dir: &Path, failpoints: &Arc<Failpoints>) -> Result<Store, StoreError> {
    let options = OpenOptions::default().failpoints(failpoints.clone());
    Store::open(&dir.join("store"), options)
}

/// Puts what nobody wants, in a session of its own.
fn leave_garbage(dir: &Path, failpoints: &Arc<Failpoints>) -> Result<(), StoreError> {
    let store = open(dir, failpoints)?;
    store.put_blob(&world::pattern(30_000))?;
    store.put_blob(&world::pattern(100_000))?;
    store.commit()
}

fn build(dir: &Path, store: &Store) -> Result<TreeId, StoreError> {
    let at = world::directory_fd(dir);
    let input = store
        .import_path(at.as_fd(), b"input", ImportBounds::default())
        .map_err(|error| match error {
            ImportError::Store(error) => error,
            other => panic!("{other}"),
        })?;
    let _checkout = store.checkout(&input)?;
    let upper = world::directory_fd(&dir.join("upper"));
    let sealed = store
        .seal(upper.as_fd(), &input, &Keep::Root, SealBounds::default())
        .map_err(|error| match error {
            SealError::Store(error) => error,
            other => panic!("{other}"),
        })?;
    let _layers = store.layers_for(&sealed.tree, &[input], &[])?;
    let log = store.put_blob(b"the whole log\n")?;
    let realisation = Realisation {
        log: Some(log),
        ..world::realisation(world::action("step"), sealed.tree)
    };
    store.record(realisation)?;
    store.set_memo(&world::derivation("step"), &world::action("step"))?;
    store.set_duration("core/thing", "build", 42);
    let plan = store.put_blob(b"a plan")?;
    store.set_history(HistoryEntry {
        workspace: "/workspace".to_owned(),
        request: "core/thing".to_owned(),
        plan,
        outputs: vec![sealed.tree],
    });
    Ok(sealed.tree)
}

/// Fails unless everything the exercise acknowledged is there.
pub fn assert_acknowledged_is_there(dir: &Path) {
    let Ok(acknowledged) = fs::read_to_string(dir.join("acknowledged")) else {
        return;
    };
    let tree = TreeId::parse(&acknowledged).unwrap();
    let store = world::open(&dir.join("store"));
    assert!(store.has_tree_complete(&tree).unwrap(), "the tree is lost");
    let resolved = store.resolve(&[world::derivation("step")]).unwrap();
    let resolved = resolved[0].expect("memo and choice are there");
    assert_eq!(resolved.tree, tree);
    let history = store.history("/workspace", "core/thing").unwrap();
    assert_eq!(history.expect("the request is there").outputs, [tree]);
    assert!(store.chosen(&resolved.action).unwrap().is_some());
}

/// Opens the store in `dir`, whatever room there is, and collects.
pub fn collect(dir: &Path, failpoints: &Arc<Failpoints>) -> Result<(), StoreError> {
    let options = OpenOptions::default().failpoints(failpoints.clone());
    let store = Store::open(&dir.join("store"), options.without_room())?;
    store.gc(&GcPolicy::default()).map(drop)
}

/// The program `store-exercise`: takes `all` or `collect`, a directory, and the number of the
/// operation at which it is to be killed, 0 for none.
pub fn child_main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, dir, at] = arguments.as_slice() else {
        return ExitCode::from(2);
    };
    let at = at.parse().expect("the number of an operation");
    let failpoints = Failpoints::new(at, Fault::Kill);
    let ran = if what == "collect" {
        collect(Path::new(dir), &failpoints)
    } else {
        run(Path::new(dir), &failpoints)
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the exercise failed: {error}");
            ExitCode::FAILURE
        }
    }
}
