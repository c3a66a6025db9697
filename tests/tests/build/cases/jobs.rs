//! Jobs that steps share.

use stxl_build::BuildOptions;
use stxl_model::{Keep, PutMode, TreeOp};

use super::Case;
use crate::build::recipe::path;
use crate::build::site::Site;

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("steps_share_jobs", steps_share_jobs),
    (
        "another_make_is_told_a_number",
        another_make_is_told_a_number,
    ),
];

/// What tells a make that knows FIFOs from others is a word in it.
const MAKE: &str = "... --jobserver-style ...";

/// A build of steps at once, each over a root with a make, and what the first command wrote.
fn build(site: &Site, steps: usize, make: &str, commands: &[&str]) -> Vec<(String, String)> {
    let mut recipe = site.recipe();
    let make = recipe.text("make", make);
    let base = recipe.root(&[]);
    let put = TreeOp::PutFile {
        input: 1,
        at: path("/usr/bin/make"),
        mode: PutMode::Executable,
    };
    let merge = TreeOp::PutTree {
        input: 0,
        at: path("/"),
    };
    let root = recipe.compose(vec![base, make], vec![merge, put]);
    let names: Vec<String> = (0..steps).map(|step| format!("test/step{step}")).collect();
    for (number, name) in names.iter().enumerate() {
        let own = format!("say {number}");
        let commands = [commands, &[&own]].concat();
        let step = recipe.step_in(name, root, &commands, Keep::Subtree(path("/out")));
        recipe.want(name, step);
    }
    let options = BuildOptions {
        jobs: steps,
        jobs_per_step: 8,
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    let read = |name: &String, file| {
        let bytes = site.output(&told, name, file);
        String::from_utf8(bytes).expect("text")
    };
    let outputs = names.iter();
    let outputs = outputs.map(|name| (read(name, "/first"), read(name, "/second")));
    outputs.collect()
}

/// Steps that run at once never have more jobs together than the build may have, whatever they put
/// back; and all of these are used.
fn steps_share_jobs() {
    let site = Site::new();
    let commands = [
        // Until all of them run.
        "sleep 1500",
        "tokens /out/first 500 2500 40",
        // What was put back and never given is gone a little later.
        "sleep 300",
        "tokens /out/second 500 2500 0",
    ];
    let counts = build(&site, 3, MAKE, &commands);
    let numbers = |of: fn(&(String, String)) -> &String| -> Vec<usize> {
        let counts = counts.iter().map(of);
        counts
            .map(|count| count.parse().expect("a number"))
            .collect()
    };
    for counts in [numbers(|it| &it.0), numbers(|it| &it.1)] {
        assert_eq!(counts.iter().sum::<usize>(), 8 - 3, "{counts:?}");
    }
    // One alone has all but the one by which it runs.
    let commands = ["tokens /out/first 300 0 0", "tokens /out/second 300 0 0"];
    let counts = build(&site, 1, MAKE, &commands);
    assert_eq!(counts, [("7".to_owned(), "7".to_owned())]);
}

fn another_make_is_told_a_number() {
    let site = Site::new();
    let commands = ["env /out/first MAKEFLAGS", "env /out/second JOBS"];
    let counts = build(&site, 1, "an old one", &commands);
    assert_eq!(counts, [("-j8".to_owned(), "8".to_owned())]);
}
