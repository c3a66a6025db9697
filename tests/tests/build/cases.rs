//! The cases, each a function over a world of its own.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use stxl_build::{
    BuildError, BuildOptions, BuildOutcome, CancelHandle, Check, FailureCause, OnFailure, status,
};
use stxl_model::{ArchiveFormat, DerivationId, Keep, TreeOp};
use stxl_tests::processes::children_of;

use super::recipe::{Recipe, path};
use super::site::{Site, Told, objects_of};

/// Every case by name.
pub(crate) const CASES: &[(&str, fn())] = &[
    ("one_step", one_step),
    ("second_build_runs_nothing", second_build_runs_nothing),
    ("early_cutoff_in_a_chain", early_cutoff_in_a_chain),
    ("parallel_diamond", parallel_diamond),
    ("several_commands", several_commands),
    ("environment", environment),
    ("keep_whole_root", keep_whole_root),
    ("keep_going", keep_going),
    ("stop_at_first_failure", stop_at_first_failure),
    ("failure_report", failure_report),
    ("program_that_is_not_there", program_that_is_not_there),
    ("missing_output_subtree", missing_output_subtree),
    ("sparse_file_of_256_gib", sparse_file_of_256_gib),
    ("timeouts", timeouts),
    ("cancel", cancel),
    ("two_processes_one_execution", two_processes_one_execution),
    ("killed_client", killed_client),
    ("killed_at_many_points", killed_at_many_points),
    ("changed_import", changed_import),
    ("nondeterminism_is_found", nondeterminism_is_found),
    ("merge_clash", merge_clash),
    ("strict_merge", strict_merge),
    ("glob_without_match", glob_without_match),
    ("patch_and_substitute", patch_and_substitute),
    ("patch_that_does_not_apply", patch_that_does_not_apply),
    ("patch_cannot_escape", patch_cannot_escape),
    ("assert_equal", assert_equal),
    ("compose_of_10_000_inputs", compose_of_10_000_inputs),
    ("chain_of_100", chain_of_100),
    ("statuses", statuses),
    (
        "collected_intermediate_is_made_again",
        collected_intermediate_is_made_again,
    ),
    ("damaged_object_is_repaired", damaged_object_is_repaired),
    (
        "lost_tree_that_cannot_be_made_again",
        lost_tree_that_cannot_be_made_again,
    ),
    ("fetch_from_a_directory", fetch_from_a_directory),
    ("archive_and_unpack", archive_and_unpack),
    ("hostile_archives", hostile_archives),
    ("step_is_prepared", step_is_prepared),
    ("history_is_kept", history_is_kept),
];

fn expect(told: &Told, counts: [usize; 6]) {
    assert_eq!(
        told.counts(),
        counts,
        "ran, cached, cut off, skipped, failed, total\n{:#?}",
        told.events
    );
}

fn one_step() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let step = recipe.step("test/hello", &[], &["write /out/greeting hello"]);
    recipe.want("test/hello", step);
    let told = site.build(&recipe.plan);
    expect(&told, [1, 0, 0, 0, 0, 1]);
    assert_eq!(told.summary.outcome, BuildOutcome::Ok);
    assert_eq!(site.output(&told, "test/hello", "/greeting"), b"hello");
    let last = told.events.last().expect("events");
    let tree = told.summary.outputs[0].tree;
    let expected = format!(
        r#"{{"event":"summary","outcome":"ok","ran":1,"cached":0,"cut_off":0,"skipped":0,"total":1,"failed":[],"outputs":[{{"label":"test/hello","output":"main","tree":"{tree}","path":null}}]}}"#
    );
    assert_eq!(*last, expected);
}

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

/// A chain of steps; the first reads `version.txt`, each concatenates what the one before gave.
fn chain(site: &Site, length: usize, version: &str) -> (stxl_model::Plan, Vec<DerivationId>) {
    let mut recipe = site.recipe();
    let source = recipe.text("version.txt", version);
    let mut ids: Vec<DerivationId> = Vec::new();
    for index in 0..length {
        let input = ids.last().copied().unwrap_or(source);
        // The first step keeps the first byte only, so that what follows it can be equal.
        let command = if index == 0 {
            "head /out/file /in/0/file"
        } else {
            "cat /out/file /in/0/file /in/0/file"
        };
        ids.push(recipe.step(&format!("test/step-{index}"), &[input], &[command]));
    }
    recipe.want("test/last", ids[length - 1]);
    (recipe.plan, ids)
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

fn several_commands() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let step = recipe.step(
        "test/several",
        &[],
        &[
            "write /tmp/a one.",
            "write /tmp/b two.",
            "cat /out/file /tmp/a /tmp/b",
        ],
    );
    recipe.want("test/several", step);
    let told = site.build(&recipe.plan);
    assert_eq!(site.output(&told, "test/several", "/file"), b"one.two.");
}

fn environment() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let step = recipe.step(
        "test/env",
        &[],
        &["env /out/jobs JOBS", "env /out/make MAKEFLAGS"],
    );
    recipe.want("test/env", step);
    let options = BuildOptions {
        jobs_per_step: 7,
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    assert_eq!(site.output(&told, "test/env", "/jobs"), b"7");
    assert_eq!(site.output(&told, "test/env", "/make"), b"-j7");
    // They are in no key.
    expect(&site.build(&recipe.plan), [0, 1, 0, 0, 0, 1]);
}

fn keep_whole_root() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let root = recipe.root(&[]);
    let first = recipe.step_in("test/first", root, &["write /kept one"], Keep::Root);
    let second = recipe.step_in(
        "test/second",
        first,
        &["cat /out/file /kept /kept"],
        Keep::Subtree(path("/out")),
    );
    recipe.want("test/second", second);
    let told = site.build(&recipe.plan);
    expect(&told, [2, 0, 0, 0, 0, 2]);
    assert_eq!(site.output(&told, "test/second", "/file"), b"oneone");
}

/// A plan of a failing step, one above it, and one that has nothing to do with either.
fn half_broken(site: &Site) -> Recipe {
    let mut recipe = site.recipe();
    let bad = recipe.step("test/bad", &[], &["say before", "fail 3", "say after"]);
    let above = recipe.step("test/above", &[bad], &["cat /out/file"]);
    let slow = recipe.step("test/slow", &[], &["sleep 400", "write /out/file fine"]);
    let other = recipe.step("test/other", &[slow], &["cat /out/file /in/0/file"]);
    recipe.want("test/above", above);
    recipe.want("test/other", other);
    recipe
}

fn keep_going() {
    let site = Site::new();
    let recipe = half_broken(&site);
    let options = BuildOptions {
        on_failure: OnFailure::KeepGoing,
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    expect(&told, [2, 0, 0, 1, 1, 4]);
    assert_eq!(told.summary.outcome, BuildOutcome::Failed);
    assert_eq!(site.output(&told, "test/other", "/file"), b"fine");
    assert_eq!(told.summary.outputs.len(), 1);
}

fn stop_at_first_failure() {
    let site = Site::new();
    let recipe = half_broken(&site);
    let told = site.build(&recipe.plan);
    // The step that ran beside the failing one is finished and kept; nothing is started after.
    expect(&told, [1, 0, 0, 2, 1, 4]);
    // With one job, the failing step comes first again: the longest chain hangs on it.
    let options = BuildOptions {
        jobs: 1,
        ..site.options()
    };
    expect(&site.build_with(&recipe.plan, &options), [0, 1, 0, 2, 1, 4]);
}

fn failure_report() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let step = recipe.step("test/bad", &[], &["count 50", "fail 3", "say never"]);
    recipe.want("test/bad", step);
    let told = site.build(&recipe.plan);
    expect(&told, [0, 0, 0, 0, 1, 1]);
    let failure = &told.summary.failed[0];
    assert_eq!(
        failure.cause.to_string(),
        "command 2 of 3 exited with status 3"
    );
    assert_eq!(failure.node.origin.file, "stages/test/bad/package.rhai");
    assert_eq!(failure.node.origin.line, 7);
    assert_eq!(failure.last_lines.len(), 20);
    assert_eq!(failure.last_lines[19], "failing with 3");
    assert_eq!(failure.last_lines[18], "line 50");
    assert_eq!(failure.enter.as_deref(), Some("stxl shell test/bad"));
    let whole = std::fs::read_to_string(failure.log_path.as_ref().expect("a path")).expect("a log");
    assert!(
        whole.starts_with("line 1\n") && whole.ends_with("line 50\nfailing with 3\n"),
        "{whole}"
    );
    let blob = failure.log.expect("the log is in the store");
    assert_eq!(
        site.store.read_blob(&blob).expect("it is there"),
        whole.as_bytes()
    );
    assert_eq!(told.logs["test/bad: run 1 of 1"], whole.as_bytes());
    let event = &told.events_of("step_failed")[0]["failure"];
    assert_eq!(event["reason"], "exited");
    assert_eq!(event["file"], "stages/test/bad/package.rhai");
    // The log is kept from collection until the step succeeds.
    let kept = || stxl_build::failed_log(&site.store, &failure.node).expect("an answer");
    assert_eq!(kept(), Some(blob));
    let mut mended = site.recipe();
    let step = mended.step("test/bad", &[], &["write /out/file good"]);
    mended.want("test/bad", step);
    expect(&site.build(&mended.plan), [1, 0, 0, 0, 0, 1]);
    assert_eq!(kept(), None);
    // A failure is not remembered: it is tried again.
    expect(&site.build(&recipe.plan), [0, 0, 0, 0, 1, 1]);
}

fn program_that_is_not_there() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let root = recipe.compose(vec![], vec![TreeOp::Mkdir { path: path("/out") }]);
    let step = recipe.step_in("test/bad", root, &["say hello"], Keep::Root);
    recipe.want("test/bad", step);
    let told = site.build(&recipe.plan);
    expect(&told, [0, 0, 0, 0, 1, 1]);
    let cause = told.summary.failed[0].cause.to_string();
    assert!(
        cause.starts_with("the command could not be started: /bin/tool: No such file"),
        "{cause}"
    );
}

fn missing_output_subtree() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let root = recipe.root(&[]);
    let keep = Keep::Subtree(path("/nowhere"));
    let step = recipe.step_in("test/bad", root, &["say hello"], keep);
    recipe.want("test/bad", step);
    let told = site.build(&recipe.plan);
    expect(&told, [0, 0, 0, 0, 1, 1]);
    let failure = &told.summary.failed[0];
    assert_eq!(failure.cause.reason(), "not-kept");
    assert_eq!(
        failure.cause.to_string(),
        "the build left no directory `/nowhere`"
    );
    assert_eq!(failure.last_lines, ["hello"]);
}

fn sparse_file_of_256_gib() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let step = recipe.step("test/hole", &[], &["say hello", "sparse /out/s 256"]);
    recipe.want("test/hole", step);
    let begin = Instant::now();
    let told = site.build(&recipe.plan);
    assert!(begin.elapsed() < Duration::from_secs(20));
    expect(&told, [0, 0, 0, 0, 1, 1]);
    let failure = &told.summary.failed[0];
    assert_eq!(failure.cause.reason(), "not-kept");
    let text = failure.cause.to_string();
    assert!(text.contains("`/out/s`"), "{text}");
    assert!(text.contains(&(256_u64 << 30).to_string()), "{text}");
    assert_eq!(failure.last_lines, ["hello"]);
    assert_sound(&site);
}

fn timeouts() {
    let site = Site::new();
    let mut recipe = site.recipe();
    recipe.limits(300, 0);
    let wall = recipe.step("test/wall", &[], &["sleep 60000"]);
    recipe.limits(60_000, 300);
    let silent = recipe.step("test/silent", &[], &["say hello", "sleep 60000"]);
    recipe.want("test/wall", wall);
    recipe.want("test/silent", silent);
    let options = BuildOptions {
        on_failure: OnFailure::KeepGoing,
        ..site.options()
    };
    let begin = Instant::now();
    let told = site.build_with(&recipe.plan, &options);
    assert!(begin.elapsed() < Duration::from_secs(20));
    expect(&told, [0, 0, 0, 0, 2, 2]);
    let mut causes: Vec<(String, &str)> = told
        .summary
        .failed
        .iter()
        .map(|f| (f.cause.to_string(), f.cause.reason()))
        .collect();
    causes.sort();
    assert_eq!(
        causes[0],
        ("it printed nothing for 300 ms".to_owned(), "silent-timeout")
    );
    assert_eq!(
        causes[1],
        ("it took longer than 300 ms".to_owned(), "timeout")
    );
}

fn cancel() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let quick = recipe.step("test/quick", &[], &["write /out/file quick"]);
    let slow = recipe.step("test/slow", &[quick], &["say started", "sleep 60000"]);
    recipe.want("test/quick", quick);
    recipe.want("test/slow", slow);
    let handle = CancelHandle::default();
    let options = BuildOptions {
        cancel: handle.clone(),
        ..site.options()
    };
    let begin = Instant::now();
    let mut kinds = BTreeSet::new();
    let summary = stxl_build::build(site.context(&recipe.plan, &options), &mut |event| {
        if let stxl_build::BuildEvent::Log { bytes, .. } = event {
            assert_eq!(bytes, b"started\n");
            handle.cancel();
        }
        let line = stxl_build::WireEvent::new(&event).to_line();
        let parsed: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        kinds.insert(parsed["event"].as_str().expect("text").to_owned());
    })
    .expect("a summary");
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert!(kinds.contains("cancelling"));
    assert_eq!(summary.outcome, BuildOutcome::Interrupted);
    assert_eq!(
        (
            summary.ran,
            summary.skipped,
            summary.failed.len(),
            summary.total
        ),
        (1, 1, 0, 2)
    );
    assert_sound(&site);
    // One supervisor waits for the next request, with nothing below it.
    let supervisors = children_of(site.launcher.process_id());
    assert!(supervisors.len() <= 1, "no sandbox is left");
    let below = supervisors
        .iter()
        .flat_map(|pid| children_of(pid.cast_unsigned()));
    assert_eq!(below.count(), 0, "no program is left");
    let left = std::fs::read_dir(site.store_path().join("tmp"))
        .expect("tmp")
        .count();
    // What was finished is kept; the cancelled step runs next time.
    let (mut recipe, site) = (site.recipe(), site.reopen());
    assert!(
        left <= 1,
        "{left} temporary entries beside the session's own directory"
    );
    let quick = recipe.step("test/quick", &[], &["write /out/file quick"]);
    recipe.want("test/quick", quick);
    expect(&site.build(&recipe.plan), [0, 1, 0, 0, 0, 1]);
}

/// Fails unless every invariant of the store holds for whoever opens it next. Who has it open
/// while another one is killed does not see what that one wrote last until it publishes itself.
fn assert_sound(site: &Site) {
    let opened = stxl_store::Store::open(&site.store_path(), stxl_store::OpenOptions::default());
    let report = opened
        .expect("the store opens")
        .fsck()
        .expect("the store can be checked");
    assert!(report.breaches.is_empty(), "{:#?}", report.breaches);
}

fn two_processes_one_execution() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let step = recipe.step("test/slow", &[], &["sleep 1500", "write /out/file slow"]);
    recipe.want("test/slow", step);
    let clients = [site.client(&recipe.plan), site.client(&recipe.plan)];
    let mut ran = Vec::new();
    let mut waited = 0;
    for client in clients {
        let output = client.wait_with_output().expect("the client ends");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        waited += text
            .lines()
            .filter(|line| line.contains(r#""event":"waiting""#))
            .count();
        let summary: serde_json::Value =
            serde_json::from_str(text.lines().last().expect("a summary")).expect("JSON");
        assert_eq!(summary["outcome"], "ok");
        assert_eq!(summary["total"], 1);
        ran.push(summary["ran"].as_u64().expect("a number"));
        let count = |field: &str| summary[field].as_u64().expect("a number");
        // Whether the one that waited composed the root itself is a matter of who came first.
        assert_eq!(count("ran") + count("cached") + count("cut_off"), 1);
    }
    ran.sort_unstable();
    assert_eq!(ran, [0, 1], "exactly one of them ran the step");
    assert_eq!(waited, 1, "the other one waited");
}

fn killed_client() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let quick = recipe.step("test/quick", &[], &["write /out/file quick"]);
    let slow = recipe.step(
        "test/slow",
        &[quick],
        &["say started", "sleep 2000", "cat /out/file /in/0/file"],
    );
    recipe.want("test/slow", slow);
    let mut client = site.client(&recipe.plan);
    let lines = BufReader::new(client.stdout.take().expect("a pipe")).lines();
    for line in lines {
        if line.expect("text").contains(r#""event":"log""#) {
            break;
        }
    }
    client.kill().expect("the client is killed");
    client.wait().expect("the client is gone");
    assert_sound(&site);
    // The lock is free at once: this build does not wait for the dead one.
    let begin = Instant::now();
    let told = site.build(&recipe.plan);
    assert!(told.events_of("waiting").is_empty());
    assert!(begin.elapsed() < Duration::from_secs(20));
    expect(&told, [1, 1, 0, 0, 0, 2]);
    assert_eq!(site.output(&told, "test/slow", "/file"), b"quick");
    assert_sound(&site);
}

fn killed_at_many_points() {
    const POINTS: usize = 20;
    let site = Site::new();
    let plan_of = |site: &Site, version: &str| {
        let (plan, _) = chain(site, 8, version);
        plan
    };
    // An uncut run tells how many things happen; the others are killed after some of them.
    let uncut = site
        .client(&plan_of(&site, "uncut"))
        .wait_with_output()
        .expect("it ends");
    assert!(uncut.status.success());
    let told = String::from_utf8(uncut.stdout)
        .expect("text")
        .lines()
        .count();
    let (mut cut, mut kept) = (0, 0);
    for point in 0..POINTS {
        // Another first letter gives other trees all the way up.
        let letter = char::from(b'A' + u8::try_from(point).expect("few points"));
        let plan = plan_of(&site, &format!("{letter}{point}"));
        let mut client = site.client(&plan);
        let lines = BufReader::new(client.stdout.take().expect("a pipe")).lines();
        let read = lines
            .take(told * point / POINTS)
            .map_while(Result::ok)
            .count();
        client.kill().expect("the client is killed");
        let output = client.wait_with_output().expect("the client is gone");
        assert_eq!(read, told * point / POINTS);
        cut += usize::from(!output.status.success());
        assert_sound(&site);
        let told = site.build(&plan);
        assert_eq!(told.summary.outcome, BuildOutcome::Ok, "{:#?}", told.events);
        assert_eq!(
            told.summary.ran + told.summary.cached + told.summary.cut_off,
            8
        );
        kept += 8 - told.summary.ran;
        assert_sound(&site);
    }
    println!("  {cut} of {POINTS} runs were cut, {kept} steps of them were kept");
    assert!(cut > POINTS / 2 && kept > 0);
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

fn failure_of(site: &Site, recipe: &Recipe) -> String {
    let told = site.build(&recipe.plan);
    assert_eq!(told.summary.failed.len(), 1, "{:#?}", told.events);
    let failure = &told.summary.failed[0];
    assert!(
        matches!(failure.cause, FailureCause::Compose(_)),
        "{failure:?}"
    );
    failure.cause.to_string()
}

fn merge_clash() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let write = |at| TreeOp::Write {
        path: path(at),
        content: b"x".to_vec(),
        executable: false,
    };
    let one = recipe.compose_for("core/one", vec![], vec![write("/usr/lib")]);
    let two = recipe.compose_for("core/two", vec![], vec![write("/usr/lib/file")]);
    let both = recipe.compose(
        vec![one, two],
        vec![TreeOp::Merge { input: 0 }, TreeOp::Merge { input: 1 }],
    );
    recipe.want("test/both", both);
    let message = failure_of(&site, &recipe);
    for part in [
        "operation 2",
        "merge `core/two: compose`",
        "`/usr/lib`",
        "`core/one: compose`",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

fn strict_merge() {
    let write = |at, content: &[u8], executable| TreeOp::Write {
        path: path(at),
        content: content.to_vec(),
        executable,
    };
    let strict = || (0..3).map(|input| TreeOp::MergeStrict { input }).collect();
    let merged = |upper: TreeOp| {
        let site = Site::new();
        let mut recipe = site.recipe();
        let one = recipe.compose_for("core/one", vec![], vec![write("/usr/a", b"x", false)]);
        let other = recipe.compose_for("core/other", vec![], vec![write("/usr/b", b"x", false)]);
        let two = recipe.compose_for("core/two", vec![], vec![upper]);
        let both = recipe.compose(vec![one, other, two], strict());
        recipe.want("test/both", both);
        (site, recipe)
    };
    // The same file twice is no conflict; nor are directories.
    let (site, recipe) = merged(write("/usr/a", b"x", false));
    expect(&site.build(&recipe.plan), [0, 0, 0, 0, 0, 0]);
    let link = TreeOp::Symlink {
        path: path("/usr/a"),
        target: b"b".to_vec(),
    };
    for upper in [
        write("/usr/a", b"y", false),
        write("/usr/a", b"x", true),
        link,
    ] {
        let (site, recipe) = merged(upper);
        let message = failure_of(&site, &recipe);
        for part in [
            "operation 3",
            "`/usr/a`",
            "`core/one: compose`",
            "`core/two: compose`",
        ] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}

fn glob_without_match() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let write = TreeOp::Write {
        path: path("/usr/bin/a"),
        content: vec![],
        executable: true,
    };
    let globs = vec!["usr/bin/*".to_owned(), "usr/share/**".to_owned()];
    let tree = recipe.compose(vec![], vec![write, TreeOp::KeepGlobs { globs }]);
    recipe.want("test/globs", tree);
    let message = failure_of(&site, &recipe);
    assert!(
        message.contains("the glob `usr/share/**` matches nothing"),
        "{message}"
    );
}

const BEFORE: &str = "one\ntwo\nthree\nfour\nfive\nsix\n";

fn patched(site: &Site, diff: &str, more: Vec<TreeOp>) -> Recipe {
    let mut recipe = site.recipe();
    let patch = recipe.text("change.patch", diff);
    let write = |at: &str, text: &str| TreeOp::Write {
        path: path(at),
        content: text.as_bytes().to_vec(),
        executable: false,
    };
    let mut ops = vec![
        write("/src/numbers", BEFORE),
        write("/src/old", "gone\n"),
        TreeOp::Patch {
            input: 0,
            at: path("/src"),
            strip_components: 1,
        },
    ];
    ops.extend(more);
    let tree = recipe.compose(vec![patch], ops);
    recipe.want("test/patched", tree);
    recipe
}

fn patch_and_substitute() {
    let site = Site::new();
    let diff = "A change, explained.\n\n\
        --- a/numbers\t2020-01-01 00:00:00\n+++ b/numbers\t2020-01-01 00:00:00\n\
        @@ -1,3 +1,4 @@\n one\n-two\n+2\n+2.5\n three\n\
        @@ -5,2 +6,2 @@\n five\n-six\n+6\n\
        --- /dev/null\n+++ b/dir/new\n@@ -0,0 +1 @@\n+made\n\
        --- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";
    let substitute = TreeOp::Substitute {
        path: path("/src/numbers"),
        from: b"three".to_vec(),
        to: b"3".to_vec(),
    };
    let recipe = patched(&site, diff, vec![substitute]);
    let told = site.build(&recipe.plan);
    assert_eq!(told.summary.outcome, BuildOutcome::Ok, "{:#?}", told.events);
    assert_eq!(
        site.output(&told, "test/patched", "/src/numbers"),
        b"one\n2\n2.5\n3\nfour\nfive\n6\n"
    );
    assert_eq!(
        site.output(&told, "test/patched", "/src/dir/new"),
        b"made\n"
    );
    let tree = told.summary.outputs[0].tree;
    assert_eq!(site.store.find(&tree, &path("/src/old")).unwrap(), None);
}

fn patch_that_does_not_apply() {
    let site = Site::new();
    let cases = [
        (
            "--- a/numbers\n+++ b/numbers\n@@ -1,2 +1,2 @@\n one\n-too\n+2\n",
            "hunk 1 at line 1 of `/src/numbers` does not apply",
        ),
        (
            "--- a/none\n+++ b/none\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
            "`/src/none` is to be changed, but is not a file",
        ),
        (
            "--- /dev/null\n+++ b/old\n@@ -0,0 +1 @@\n+made\n",
            "`/src/old` is to be made, but is there already",
        ),
        ("no diff at all\n", "the diff is malformed"),
        (
            "--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-else\n",
            "does not apply",
        ),
    ];
    for (diff, expected) in cases {
        let message = failure_of(&site, &patched(&site, diff, vec![]));
        assert!(
            message.contains(expected),
            "{expected} is not in: {message}"
        );
    }
}

fn patch_cannot_escape() {
    let site = Site::new();
    for name in [
        "a/../../etc/passwd",
        "a//etc/passwd",
        "a/x/../../../y",
        "a/./numbers",
    ] {
        let diff = format!("--- {name}\n+++ {name}\n@@ -1 +1 @@\n-one\n+two\n");
        let message = failure_of(&site, &patched(&site, &diff, vec![]));
        assert!(message.contains("the diff names"), "{name}: {message}");
    }
}

fn assert_equal() {
    let site = Site::new();
    let tree = |right: &[u8]| {
        let mut recipe = site.recipe();
        let write = |at: &str, content: &[u8]| TreeOp::Write {
            path: path(at),
            content: content.to_vec(),
            executable: false,
        };
        let ops = vec![
            write("/one", b"abcdef"),
            write("/two", right),
            TreeOp::AssertEqual {
                left: path("/one"),
                right: path("/two"),
            },
        ];
        let tree = recipe.compose(vec![], ops);
        recipe.want("test/equal", tree);
        recipe
    };
    let told = site.build(&tree(b"abcdef").plan);
    assert_eq!(told.summary.outcome, BuildOutcome::Ok);
    let message = failure_of(&site, &tree(b"abcXef"));
    assert!(
        message.ends_with("`/one` and `/two` differ at byte 3"),
        "{message}"
    );
    let message = failure_of(&site, &tree(b"abc"));
    assert!(message.ends_with("differ at byte 3"), "{message}");
}

fn compose_of_10_000_inputs() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let mut inputs = Vec::new();
    for index in 0..10_000 {
        let ops = vec![TreeOp::Write {
            path: path(&format!("/usr/share/p{index}/file")),
            content: index.to_string().into_bytes(),
            executable: false,
        }];
        inputs.push(recipe.compose_for(&format!("many/p{index}"), vec![], ops));
    }
    let ops = (0..10_000).map(|input| TreeOp::Merge { input }).collect();
    let all = recipe.compose(inputs.clone(), ops);
    recipe.want("test/all", all);
    let begin = Instant::now();
    let told = site.build(&recipe.plan);
    println!("  10,000 inputs composed in {:?}", begin.elapsed());
    expect(&told, [0, 0, 0, 0, 0, 0]);
    assert_eq!(
        site.output(&told, "test/all", "/usr/share/p9999/file"),
        b"9999"
    );
    let begin = Instant::now();
    assert_eq!(site.build(&recipe.plan).summary.outcome, BuildOutcome::Ok);
    println!("  and found again in {:?}", begin.elapsed());
    // All of them asked for at once, and once more in a session that knows nothing yet.
    for id in inputs {
        let package = recipe.plan.node(&id).expect("a node").origin.label.clone();
        recipe.want(package.as_str(), id);
    }
    assert_eq!(site.build(&recipe.plan).summary.outputs.len(), 10_001);
    let site = site.reopen();
    let (begin, mut told) = (Instant::now(), 0);
    let options = site.options();
    let summary = stxl_build::build(site.context(&recipe.plan, &options), &mut |_| told += 1)
        .expect("a summary");
    println!("  10,001 outputs found again in {:?}", begin.elapsed());
    assert_eq!(summary.outputs.len(), 10_001);
    assert_eq!(
        told, 2,
        "nothing but the beginning and the summary was told"
    );
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

/// Two steps, the second over the first.
fn two_steps(site: &Site, first: &str) -> (Recipe, [DerivationId; 2]) {
    let mut recipe = site.recipe();
    let one = recipe.step("test/one", &[], &[first]);
    let two = recipe.step(
        "test/two",
        &[one],
        &["cat /out/twice /in/0/file /in/0/file", "say done"],
    );
    recipe.want("test/two", two);
    (recipe, [one, two])
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

fn fetch_from_a_directory() {
    let site = Site::new();
    let bytes = b"a source".to_vec();
    let mut recipe = site.recipe();
    let url = "https://example.org/thing-1.tar.gz?x=1".to_owned();
    let fetch = recipe.fetch(&bytes, vec![url.clone()]);
    recipe.want("test/source", fetch);
    let told = site.build(&recipe.plan);
    let cause = told.summary.failed[0].cause.to_string();
    assert!(
        cause.contains("no fetcher for https in this version; give --source-dir"),
        "{cause}"
    );
    // A file of that name with other bytes does not count.
    let sources = site.workspace().join("sources");
    std::fs::create_dir(&sources).expect("a directory");
    std::fs::write(sources.join("thing-1.tar.gz"), b"other bytes").expect("it is written");
    let options = BuildOptions {
        source_dir: Some(sources.clone()),
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    let cause = told.summary.failed[0].cause.to_string();
    assert!(cause.contains("thing-1.tar.gz: it has sha256:"), "{cause}");
    std::fs::write(sources.join("thing-1.tar.gz"), &bytes).expect("it is written");
    let told = site.build_with(&recipe.plan, &options);
    assert_eq!(site.output(&told, "test/source", "/file"), bytes);
    // A `file:` address, and then no address at all, since the hash is all that counts.
    let site = Site::new();
    let path = site.workspace().join("by-address");
    std::fs::write(&path, &bytes).expect("it is written");
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(&bytes, vec![format!("file://{}", path.display())]);
    recipe.want("test/source", fetch);
    assert_eq!(site.build(&recipe.plan).summary.outcome, BuildOutcome::Ok);
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(&bytes, vec![]);
    recipe.want("test/source", fetch);
    assert_eq!(site.build(&recipe.plan).summary.outcome, BuildOutcome::Ok);
}

fn archive_and_unpack() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let long = "n".repeat(180);
    let write = |at: &str, executable| TreeOp::Write {
        path: path(at),
        content: at.as_bytes().to_vec(),
        executable,
    };
    let tree = recipe.compose(
        vec![],
        vec![
            write("/bin/run", true),
            write(&format!("/{long}/{long}"), false),
            TreeOp::Mkdir {
                path: path("/empty"),
            },
            TreeOp::Symlink {
                path: path("/link"),
                target: b"bin/run".to_vec(),
            },
        ],
    );
    let tar = recipe.archive(tree, ArchiveFormat::Tar);
    let again = recipe.unpack(tar, 0);
    let cpio = recipe.archive(tree, ArchiveFormat::Cpio);
    recipe.want("test/tree", tree);
    recipe.want("test/tar", tar);
    recipe.want("test/again", again);
    recipe.want("test/cpio", cpio);
    let told = site.build(&recipe.plan);
    assert_eq!(told.summary.outcome, BuildOutcome::Ok, "{:#?}", told.events);
    let trees: Vec<_> = told
        .summary
        .outputs
        .iter()
        .map(|output| output.tree)
        .collect();
    assert_eq!(trees[0], trees[2], "what is unpacked is what was archived");
    // GNU tar and GNU cpio read the same.
    let listing = foreign(&["tar", "-tv"], &site.output(&told, "test/tar", "/file"));
    assert!(
        listing.contains("-rwxr-xr-x 0/0") && listing.contains(&long),
        "{listing}"
    );
    assert!(listing.contains("1980-01-01 00:00"), "{listing}");
    assert!(
        site.output(&told, "test/cpio", "/file")
            .starts_with(b"070701")
    );
}

/// What a program of the host prints that reads bytes.
fn foreign(words: &[&str], input: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new(words[0])
        .args(&words[1..])
        .env("TZ", "UTC")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program is installed");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input)
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// One tar header and its content, as hostile as the caller wants it.
fn tar_entry(name: &str, kind: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000755\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn hostile_archives() {
    let site = Site::new();
    let file = |name: &str| tar_entry(name, b'0', "", b"x");
    let link = |name: &str, target: &str| tar_entry(name, b'2', target, b"");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (file("../escape"), "not `.` or `..`"),
        (file("a/../../escape"), "not `.` or `..`"),
        (file("/etc/passwd"), "it is absolute"),
        (
            [link("dir", "/etc"), file("dir/passwd")].concat(),
            "lies below something that is not a directory",
        ),
        ([file("a"), file("a")].concat(), "stands there twice"),
        (
            [file("a"), link("a", "/etc")].concat(),
            "stands there twice",
        ),
        (tar_entry("h", b'1', "/etc/passwd", b""), "it is absolute"),
        (
            tar_entry("h", b'1', "missing", b""),
            "is a hard link to `/missing`",
        ),
        (tar_entry("fifo", b'6', "", b""), "is a FIFO"),
        (tar_entry("dev", b'3', "", b""), "is a character device"),
        (file("cut")[..512].to_vec(), "malformed"),
        (
            b"\xfd7zXZ\0rest".to_vec(),
            "compressed with xz is not read by this version",
        ),
    ];
    for (bytes, expected) in cases {
        let mut recipe = site.recipe();
        std::fs::write(site.workspace().join("archive"), &bytes).expect("it is written");
        let archive = recipe.file("archive");
        let tree = recipe.unpack(archive, 0);
        recipe.want("test/hostile", tree);
        let told = site.build(&recipe.plan);
        assert_eq!(
            told.summary.failed.len(),
            1,
            "{expected}: {:#?}",
            told.events
        );
        let cause = told.summary.failed[0].cause.to_string();
        assert!(cause.contains(expected), "{expected} is not in: {cause}");
    }
}

fn step_is_prepared() {
    let site = Site::new();
    let (recipe, [_, two]) = two_steps(&site, "write /out/file first");
    let entry = stxl_build::prepare_step(
        site.context(&recipe.plan, &site.options()),
        &two,
        &mut |_| {},
    )
    .expect("it can be prepared");
    let stxl_build::StepEntry::Ready(mut step) = entry else {
        panic!("the first step was built")
    };
    let words = ["/bin/tool", "cat", "/tmp/copy", "/in/0/file"];
    step.spec.commands = vec![words.iter().map(Into::into).collect()];
    let outcome = site
        .launcher
        .spawn(&step.spec)
        .expect("it starts")
        .wait()
        .expect("it ends");
    assert_eq!(outcome.status, stxl_sandbox::ExitStatus::Exited(0));
    // The step itself did not run.
    expect(&site.build(&recipe.plan), [1, 1, 0, 0, 0, 2]);
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
