//! What is on record is not done again, and what is lost is.

use std::collections::BTreeSet;
use std::time::Instant;

use stxl_build::{BuildError, BuildOptions, BuildOutcome, Check, status};
use stxl_model::DerivationId;

use super::{Case, chain, expect, two_steps};
use crate::build::recipe::path;
use crate::build::site::{Site, objects_of};

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("second_build_runs_nothing", second_build_runs_nothing),
    ("early_cutoff_in_a_chain", early_cutoff_in_a_chain),
    ("parallel_diamond", parallel_diamond),
    ("chain_of_100", chain_of_100),
    ("statuses", statuses),
    ("changed_import", changed_import),
    (
        "collected_intermediate_is_made_again",
        collected_intermediate_is_made_again,
    ),
    ("damaged_object_is_repaired", damaged_object_is_repaired),
    (
        "lost_tree_that_cannot_be_made_again",
        lost_tree_that_cannot_be_made_again,
    ),
    ("history_is_kept", history_is_kept),
    ("nondeterminism_is_found", nondeterminism_is_found),
];

fn second_build_runs_nothing() {
    let site = Site::new();
    let (plan, _) = chain(&site, 3, "v1");
    expect(&site.build(&plan), [3, 0, 0, 0, 0, 3]);
    expect(&site.build(&plan), [0, 3, 0, 0, 0, 3]);
    let site = site.reopen();
    let told = site.build(&plan);
    expect(&told, [0, 3, 0, 0, 0, 3]);
    assert_eq!(told.events_of("cached").len(), 3);
}

fn early_cutoff_in_a_chain() {
    let site = Site::new();
    let (plan, _) = chain(&site, 5, "v1");
    expect(&site.build(&plan), [5, 0, 0, 0, 0, 5]);
    // Another source, of which the first step gives the same: it runs, the rest is cut off.
    let (plan, _) = chain(&site, 5, "v2");
    let told = site.build(&plan);
    expect(&told, [1, 0, 4, 0, 0, 5]);
    assert_eq!(told.events_of("cut_off").len(), 4);
    assert_eq!(
        told.events_of("step_finished")
            .iter()
            .filter(|e| e["step"]["kind"] == "exec")
            .count(),
        1
    );
    // Nothing is left to do afterwards.
    expect(&site.build(&plan), [0, 5, 0, 0, 0, 5]);
    // A source of which the first step gives something else: all run.
    let (plan, _) = chain(&site, 5, "w3");
    expect(&site.build(&plan), [5, 0, 0, 0, 0, 5]);
    // The first plan is known as a whole still.
    let (plan, _) = chain(&site, 5, "v1");
    expect(&site.build(&plan), [0, 5, 0, 0, 0, 5]);
}

fn parallel_diamond() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let top = recipe.step("test/top", &[], &["write /out/file top."]);
    let left = recipe.step(
        "test/left",
        &[top],
        &["sleep 700", "cat /out/file /in/0/file"],
    );
    let right = recipe.step(
        "test/right",
        &[top],
        &["sleep 700", "write /out/file right."],
    );
    let bottom = recipe.step(
        "test/bottom",
        &[left, right],
        &["cat /out/file /in/0/file /in/1/file"],
    );
    recipe.want("test/bottom", bottom);
    let told = site.build(&recipe.plan);
    expect(&told, [4, 0, 0, 0, 0, 4]);
    assert_eq!(site.output(&told, "test/bottom", "/file"), b"top.right.");
    // Both sides ran at once: the second was started before the first was finished.
    let order: Vec<String> = told
        .events
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter(|event| event["step"]["kind"] == "exec")
        .filter(|event| event["event"] == "step_started" || event["event"] == "step_finished")
        .map(|event| event["event"].as_str().expect("text").to_owned())
        .collect();
    let expected = [
        "step_started",
        "step_finished",
        "step_started",
        "step_started",
        "step_finished",
        "step_finished",
        "step_started",
        "step_finished",
    ];
    assert_eq!(order, expected);
}

fn changed_import() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let source = recipe.text("source.txt", "planned");
    let step = recipe.step("test/reader", &[source], &["cat /out/file /in/0/file"]);
    recipe.want("test/reader", step);
    std::fs::write(site.workspace().join("source.txt"), "changed").expect("it is writable");
    match site.try_build(&recipe.plan, &site.options()) {
        Err(BuildError::ChangedWhileBuilding { path }) => assert_eq!(path, "source.txt"),
        other => panic!("{:?}", other.map(|told| told.events)),
    }
    std::fs::write(site.workspace().join("source.txt"), "planned").expect("it is writable");
    expect(&site.build(&recipe.plan), [1, 0, 0, 0, 0, 1]);
}

fn nondeterminism_is_found() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let steady = recipe.step("test/steady", &[], &["write /out/file same"]);
    let random = recipe.step("test/random", &[steady], &["random /out/noise"]);
    recipe.want("test/steady", steady);
    recipe.want("test/random", random);
    let built = site.build(&recipe.plan);
    expect(&built, [2, 0, 0, 0, 0, 2]);
    let options = BuildOptions {
        check: Check::RequestedPackages,
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    assert_eq!(told.summary.outcome, BuildOutcome::CheckFailed);
    assert_eq!(told.events_of("check_passed").len(), 1);
    let mismatch = &told.summary.mismatches[0];
    assert_eq!(told.summary.mismatches.len(), 1);
    assert_eq!(mismatch.node.origin.label.as_str(), "test/random");
    let difference = &mismatch.differences[0];
    assert_eq!(difference.path.to_string(), "/noise");
    let offset = difference.offset.expect("bytes were compared");
    let (first, second) = (
        site.store.find(&mismatch.first, &path("/noise")).unwrap(),
        site.store.find(&mismatch.second, &path("/noise")).unwrap(),
    );
    let bytes = |node| match node {
        Some(stxl_model::Node::File { blob, .. }) => site.store.read_blob(&blob).unwrap(),
        other => panic!("{other:?}"),
    };
    let (first, second) = (bytes(first), bytes(second));
    let expected = first
        .iter()
        .zip(&second)
        .take_while(|(one, other)| one == other)
        .count();
    assert!(expected >= 8);
    assert_eq!(offset, expected as u64);
    // The first result still counts.
    let again = site.build(&recipe.plan);
    expect(&again, [0, 2, 0, 0, 0, 2]);
    assert_eq!(again.summary.outputs, built.summary.outputs);
}

fn chain_of_100() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let mut last: Option<DerivationId> = None;
    for index in 0..100 {
        let inputs: Vec<DerivationId> = last.into_iter().collect();
        let command = format!("write /out/file {index}");
        last = Some(recipe.step(&format!("test/s{index}"), &inputs, &[&command]));
    }
    recipe.want("test/last", last.expect("a chain"));
    let begin = Instant::now();
    let told = site.build(&recipe.plan);
    println!("  a chain of 100 in {:?}", begin.elapsed());
    expect(&told, [100, 0, 0, 0, 0, 100]);
    expect(&site.build(&recipe.plan), [0, 100, 0, 0, 0, 100]);
}

fn statuses() {
    let site = Site::new();
    let (plan, ids) = chain(&site, 3, "v1");
    let of_ids = |plan: &stxl_model::Plan, ids: &[DerivationId]| {
        let all = status(&site.store, plan).expect("records are readable");
        ids.iter()
            .map(|id| all[plan.position(id).unwrap()].name())
            .collect::<Vec<_>>()
    };
    assert_eq!(of_ids(&plan, &ids), ["pending", "pending", "pending"]);
    site.build(&plan);
    assert_eq!(of_ids(&plan, &ids), ["cached", "cached", "cached"]);
    assert!(!objects_of(&site.store, &site.build(&plan).summary.outputs[0].tree).is_empty());
}

/// Removes everything the last request does not need, as `store gc` does: large files at once,
/// small ones when enough of them lie together.
fn collect(site: Site) -> Site {
    // What a session put is leased until it ends.
    let site = site.reopen();
    let report = site
        .store
        .gc(&stxl_store::GcPolicy::default())
        .expect("a collection");
    assert!(report.objects > 0, "{report:?}");
    site
}

fn collected_intermediate_is_made_again() {
    let site = Site::new();
    let (recipe, [one, _]) = two_steps(&site, "cat /out/file /bin/tool /bin/tool");
    expect(&site.build(&recipe.plan), [2, 0, 0, 0, 0, 2]);
    let site = collect(site);
    // The output is kept, so nothing below it is needed.
    expect(&site.build(&recipe.plan), [0, 2, 0, 0, 0, 2]);
    // Now the first step's tree is wanted itself: only it runs again; the second is known.
    let (mut recipe, _) = two_steps(&site, "cat /out/file /bin/tool /bin/tool");
    recipe.want("test/one", one);
    let told = site.build(&recipe.plan);
    let lost = told.events_of("lost");
    let lost = lost
        .iter()
        .filter(|event| event["step"]["kind"] == "exec")
        .count();
    assert_eq!(lost, 1, "{:#?}", told.events);
    expect(&told, [1, 0, 1, 0, 0, 2]);
    assert!(site.output(&told, "test/one", "/file").len() > 100_000);
}

fn damaged_object_is_repaired() {
    let site = Site::new();
    let (recipe, _) = two_steps(&site, "write /out/file first");
    let told = site.build(&recipe.plan);
    let tree = told.summary.outputs[0].tree;
    let objects = objects_of(&site.store, &tree);
    let site = site.reopen();
    // Every byte of every pack is turned over: all objects are damaged.
    for entry in std::fs::read_dir(site.store_path().join("packs"))
        .expect("packs")
        .flatten()
    {
        let mut bytes = std::fs::read(entry.path()).expect("a pack");
        bytes[64..].iter_mut().for_each(|byte| *byte ^= 0x55);
        std::fs::write(entry.path(), bytes).expect("it is written");
    }
    let report = site.store.verify().expect("a verification");
    assert!(!report.damages.is_empty());
    site.store.quarantine(&report).expect("a quarantine");
    let site = site.reopen();
    let damaged: BTreeSet<_> = objects.into_iter().collect();
    let repaired = stxl_build::repair(
        site.context(&recipe.plan, &site.options()),
        &damaged,
        &mut |_| {},
    )
    .expect("a repair");
    assert!(repaired.failed.is_empty() && repaired.differing.is_empty());
    assert!(!repaired.same.is_empty());
    assert!(site.store.has_tree_complete(&tree).expect("an answer"));
    let told = site.build(&recipe.plan);
    assert_eq!(told.summary.outputs[0].tree, tree);
    assert_eq!(told.summary.ran, 0);
}

fn lost_tree_that_cannot_be_made_again() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let random = recipe.step(
        "test/random",
        &[],
        &["random /tmp/noise", "cat /out/file /bin/tool /tmp/noise"],
    );
    let above = recipe.step(
        "test/above",
        &[random],
        &["cat /out/twice /in/0/file /in/0/file"],
    );
    recipe.want("test/above", above);
    expect(&site.build(&recipe.plan), [2, 0, 0, 0, 0, 2]);
    let site = collect(site);
    recipe.want("test/random", random);
    // The step gives another tree, so what stood on the old one is made again over the new one.
    let told = site.build(&recipe.plan);
    expect(&told, [2, 0, 0, 0, 0, 2]);
    let random = site.output(&told, "test/random", "/file");
    assert_eq!(site.output(&told, "test/above", "/twice"), random.repeat(2));
    expect(&site.build(&recipe.plan), [0, 2, 0, 0, 0, 2]);
}

fn history_is_kept() {
    let site = Site::new();
    let (recipe, _) = two_steps(&site, "write /out/file first");
    let told = site.build(&recipe.plan);
    let workspace = site.workspace().display().to_string();
    for request in ["test", "test/two"] {
        let entry = site
            .store
            .history(&workspace, request)
            .expect("an answer")
            .expect("an entry");
        assert_eq!(entry.outputs, [told.summary.outputs[0].tree]);
        let plan = site
            .store
            .read_blob(&entry.plan)
            .expect("the plan is in the store");
        assert_eq!(
            stxl_model::Plan::from_bytes(&plan).expect("a plan"),
            recipe.plan
        );
    }
    let durations = site.store.durations().expect("an answer");
    assert!(durations.contains_key(&("test/two".to_owned(), "test/two: run 1 of 1".to_owned())));
}
