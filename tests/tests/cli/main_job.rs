//! The main job: stage 0 from the seed, cached, cut off, checked, and robust against lost files.

use std::fs;

use crate::place::{Place, Ran};

fn counts(ran: &Ran) -> [u64; 5] {
    let summary = ran.summary();
    assert_eq!(ran.code, 0, "{ran:?}");
    ["ran", "cached", "cut_off", "skipped", "total"].map(|field| summary[field].as_u64().unwrap())
}

fn build(place: &Place) -> [u64; 5] {
    counts(&place.run(&["build", "stage0", "--json"]))
}

#[test]
fn the_climb_runs_once_and_then_never_again() {
    let place = Place::with_stage0();
    let [ran, cached, cut_off, skipped, total] = build(&place);
    assert_eq!([cached, cut_off, skipped], [0; 3]);
    assert_eq!(ran, total);
    assert_eq!(build(&place), [0, total, 0, 0, total]);
    let checked = place.run(&["build", "stage0", "--check", "--check-gap", "0", "--json"]);
    let summary = checked.summary();
    assert_eq!(
        (checked.code, summary["outcome"].as_str()),
        (0, Some("ok")),
        "{checked:?}"
    );
    let identical = checked
        .events()
        .iter()
        .filter(|event| event["event"] == "check_passed")
        .count();
    assert_eq!(identical as u64, total);
}

#[test]
fn a_comment_in_a_definition_changes_no_id() {
    let place = Place::with_stage0();
    let ids = |place: &Place| {
        let record = place.run(&["eval", "--json"]).json();
        let derivations = record["derivations"].as_array().unwrap().clone();
        derivations
            .into_iter()
            .map(|one| one["id"].clone())
            .collect::<Vec<_>>()
    };
    let before = ids(&place);
    assert!(before.len() > 20);
    place.edit("stages/stage0/hex1/package.rhai", |text| {
        format!("// A comment\n\n{text}")
    });
    assert_eq!(ids(&place), before);
}

#[test]
fn a_comment_in_a_source_runs_its_rung_and_cuts_off_the_rest() {
    let place = Place::with_stage0();
    let [.., total] = build(&place);
    place.edit("stages/stage0/hex1/hex1.hex0", |text| {
        format!("# A comment\n{text}")
    });
    let [ran, cached, cut_off, skipped, again] = build(&place);
    assert_eq!((ran, skipped, again), (1, 0, total));
    assert!(cut_off > 0);
    assert_eq!(cached + cut_off + ran, total);
}

#[test]
fn a_lost_database_is_made_again() {
    let place = Place::with_stage0();
    let [.., total] = build(&place);
    let mut removed = 0;
    for entry in fs::read_dir(place.store()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("index.db")
        {
            fs::remove_file(path).unwrap();
            removed += 1;
        }
    }
    assert!(removed > 0, "the store has a database");
    assert_eq!(place.run(&["store", "rebuild-db"]).code, 0);
    assert_eq!(build(&place), [0, total, 0, 0, total]);
    assert_eq!(place.run(&["store", "verify"]).code, 0);
}

#[test]
fn collection_keeps_what_the_last_plans_need_and_drops_the_rest() {
    let place = Place::with_stage0();
    let [.., total] = build(&place);
    assert_eq!(place.run(&["store", "gc"]).code, 0);
    assert_eq!(build(&place), [0, total, 0, 0, total]);
    assert_eq!(place.run(&["store", "verify"]).code, 0);
}

#[test]
fn outputs_are_copied_out_as_they_are() {
    let place = Place::with_stage0();
    let out = place.path().join("result");
    let ran = place.run(&["build", "stage0/catm", "--out", out.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let path = place.run(&["store", "path", "stage0/catm"]);
    let inside = std::path::PathBuf::from(path.stdout.trim()).join("bin/catm");
    assert_eq!(
        fs::read(out.join("bin/catm")).unwrap(),
        fs::read(inside).unwrap()
    );
    let again = place.run(&["build", "stage0/catm", "--out", out.to_str().unwrap()]);
    assert_eq!(again.code, 2, "nothing is overwritten: {again:?}");
}

#[test]
fn a_damaged_store_is_repaired_by_building() {
    let place = Place::with_stage0();
    let [.., total] = build(&place);
    let packs = place.store().join("packs");
    let pack = fs::read_dir(packs).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&pack, bytes).unwrap();
    let found = place.run(&["store", "verify"]);
    assert_eq!(found.code, 4, "{found:?}");
    assert!(found.stderr.contains("damaged"), "{found:?}");
    let repaired = place.run(&["store", "verify", "--repair"]);
    assert_eq!(repaired.code, 0, "{repaired:?}");
    assert_eq!(place.run(&["store", "verify"]).code, 0);
    assert_eq!(build(&place)[4], total);
}

#[test]
fn an_executable_bit_in_the_workspace_does_not_matter() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::with_stage0();
    let [.., total] = build(&place);
    let file = place.workspace().join("stages/stage0/hex1/hex1.hex0");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(build(&place), [0, total, 0, 0, total]);
    place.edit("stages/stage0/hex1/hex1.hex0", |text| {
        format!("# A comment\n{text}")
    });
    assert_eq!(build(&place)[0], 1);
}
