//! Operations on trees without a process.

use std::time::Instant;

use stxl_build::{BuildOutcome, FailureCause};
use stxl_model::TreeOp;

use super::{Case, expect};
use crate::build::recipe::{Recipe, path};
use crate::build::site::Site;

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("merge_clash", merge_clash),
    ("strict_merge", strict_merge),
    ("glob_without_match", glob_without_match),
    ("patch_and_substitute", patch_and_substitute),
    ("patch_that_does_not_apply", patch_that_does_not_apply),
    ("patch_cannot_escape", patch_cannot_escape),
    ("assert_equal", assert_equal),
    ("compose_of_10_000_inputs", compose_of_10_000_inputs),
];

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
