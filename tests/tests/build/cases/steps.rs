//! What a step is given, and what is kept of it.

use std::time::{Duration, Instant};

use stxl_build::{BuildOptions, BuildOutcome};
use stxl_model::{Keep, RootPath, TreeOp};

use super::{Case, assert_sound, expect, two_steps};
use crate::build::recipe::path;
use crate::build::site::Site;

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("one_step", one_step),
    ("several_commands", several_commands),
    ("environment", environment),
    ("keep_whole_root", keep_whole_root),
    ("removals", removals),
    ("missing_output_subtree", missing_output_subtree),
    ("sparse_file_of_256_gib", sparse_file_of_256_gib),
    ("step_is_prepared", step_is_prepared),
];

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
        r#"{{"event":"summary","outcome":"ok","ran":1,"cached":0,"cut_off":0,"skipped":0,"total":1,"failed":[],"check":null,"outputs":[{{"label":"test/hello","output":"main","tree":"{tree}","path":null}}]}}"#
    );
    assert_eq!(*last, expected);
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

/// What steps and operations remove is gone for the next step, and what a sandbox has of its own
/// is there again.
fn removals() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let root = recipe.root(&[]);
    let full = [
        TreeOp::Mkdir { path: path("/etc") },
        TreeOp::Mkdir { path: path("/dir") },
    ];
    let full = recipe.compose(vec![root], with_tree(full));
    let written = recipe.step_in(
        "test/written",
        full,
        &[
            "write /etc/own one",
            "write /dir/a a",
            "write /dir/b b",
            "write /c c",
        ],
        Keep::Root,
    );
    let removed = recipe.step_in(
        "test/removed",
        written,
        &["remove /dir/a", "remove /c"],
        Keep::Root,
    );
    let gone = ["/etc", "/dir/b"].map(|gone| TreeOp::Remove { path: path(gone) });
    let composed = recipe.compose(vec![removed], with_tree(gone));
    let last = recipe.step_in(
        "test/last",
        composed,
        &[
            "gone /dir/a",
            "gone /dir/b",
            "gone /c",
            "gone /etc/own",
            "remove /dir",
            "write /dir again",
            "cat /out/file /dir /etc/hosts",
        ],
        Keep::Subtree(path("/out")),
    );
    recipe.want("test/last", last);
    let told = site.build(&recipe.plan);
    expect(&told, [3, 0, 0, 0, 0, 3]);
    let file = site.output(&told, "test/last", "/file");
    assert!(file.starts_with(b"again127.0.0.1"), "{file:?}");
}

/// Operations on the first input.
fn with_tree<const N: usize>(ops: [TreeOp; N]) -> Vec<TreeOp> {
    let tree = TreeOp::PutTree {
        input: 0,
        at: RootPath::root(),
    };
    [tree].into_iter().chain(ops).collect()
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
