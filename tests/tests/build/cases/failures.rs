//! Steps that fail, and builds that are ended.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use stxl_build::{BuildOptions, BuildOutcome, CancelHandle, OnFailure};
use stxl_model::{Keep, TreeOp};
use stxl_tests::processes::children_of;

use super::{Case, assert_sound, chain, expect};
use crate::build::recipe::{Recipe, path};
use crate::build::site::Site;

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("keep_going", keep_going),
    ("stop_at_first_failure", stop_at_first_failure),
    ("failure_report", failure_report),
    ("program_that_is_not_there", program_that_is_not_there),
    ("timeouts", timeouts),
    ("cancel", cancel),
    ("killed_client", killed_client),
    ("killed_at_many_points", killed_at_many_points),
    ("two_processes_one_execution", two_processes_one_execution),
];

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
