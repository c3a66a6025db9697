//! What runs again after an edit: asserted by the list of queries that ran.

use stxl_model::Plan;

use crate::world::{World, script_package};

/// `core/lib`, which `core/tool` and `user/app` need, and whose version `user/app` reads.
fn world() -> World {
    World::new(&[
        ("stages/core/lib/package.rhai", &script_package("", "")),
        (
            "stages/core/tool/package.rhai",
            &script_package("\"core/lib\"", ""),
        ),
        (
            "stages/user/app/package.rhai",
            "script(#{ version: pkg(\"core/lib\").version, license: \"MIT\", base: [], needs: [\"core/lib\", \"core/tool\"], script: #\" true \"# })\n",
        ),
        ("stages/user/other/package.rhai", &script_package("", "")),
    ])
}

fn settled() -> (World, Plan) {
    let mut world = world();
    let plan = world.plan(&[]);
    drop(world.queries());
    (world, plan)
}

const OWN: &str = "stages/core/lib/package.rhai";

#[test]
fn everything_runs_once_at_first() {
    let mut world = world();
    world.plan(&[]);
    let queries = world.queries();
    let mut once = queries.clone();
    once.dedup();
    assert_eq!(queries, once);
    let lowered = queries
        .iter()
        .filter(|query| query.starts_with("lowered("))
        .count();
    assert_eq!(lowered, 4);
}

#[test]
fn nothing_runs_when_nothing_changed() {
    let (mut world, plan) = settled();
    assert_eq!(world.plan(&[]), plan);
    assert_eq!(world.queries(), Vec::<String>::new());
}

#[test]
fn a_comment_re_runs_no_query_of_a_dependent() {
    let (mut world, plan) = settled();
    // At the end of the file: nothing moves, the definition is equal and so is what it expands to.
    world
        .tree
        .write(OWN, script_package("", "") + "// a comment\n");
    assert_eq!(world.plan(&[]), plan);
    assert_eq!(
        world.queries(),
        [
            "compiled(stages/core/lib/package.rhai)",
            "definition(core/lib, 0)",
            "expanded(core/lib, x86_64)",
        ]
    );
}

#[test]
fn a_comment_that_moves_lines_re_runs_no_query_of_a_dependent() {
    let (mut world, plan) = settled();
    world
        .tree
        .write(OWN, "// a comment\n".to_owned() + &script_package("", ""));
    let moved = world.plan(&[]);
    let ids = |plan: &Plan| plan.nodes().iter().map(|node| node.id).collect::<Vec<_>>();
    assert_eq!(ids(&moved), ids(&plan));
    assert_ne!(
        moved, plan,
        "the lines beside the derivations are those of the text"
    );
    let queries = world.queries();
    let of_dependents: Vec<_> = queries
        .iter()
        .filter(|query| query.contains("core/tool") || query.contains("user/"))
        .collect();
    assert!(of_dependents.is_empty(), "{of_dependents:?}");
}

#[test]
fn an_edited_script_runs_no_query_of_those_that_only_need_its_package() {
    let (mut world, plan) = settled();
    world
        .tree
        .write(OWN, script_package("", "").replace("hello", "good day"));
    let changed = world.plan(&[]);
    assert_ne!(changed.roots(), plan.roots());
    let queries = world.queries();
    assert_eq!(
        queries,
        [
            "compiled(stages/core/lib/package.rhai)",
            "definition(core/lib, 0)",
            // `user/app` read the version of `core/lib`, so its whole definition counts as read.
            "definition(user/app, 0)",
            "expanded(core/lib, x86_64)",
            "lowered(core/lib:main, x86_64)",
            "needed(core/lib:main, x86_64)",
            "values(core/lib)",
        ]
    );
}

#[test]
fn a_real_edit_gives_what_a_fresh_evaluation_gives() {
    let (mut world, _) = settled();
    let edited = script_package("", "").replace("\"1\"", "\"2\"");
    world.tree.write(OWN, &edited);
    let changed = world.plan(&[]);
    let mut fresh = World::new(&[
        (OWN, &edited),
        (
            "stages/core/tool/package.rhai",
            &script_package("\"core/lib\"", ""),
        ),
        (
            "stages/user/app/package.rhai",
            "script(#{ version: pkg(\"core/lib\").version, license: \"MIT\", base: [], needs: [\"core/lib\", \"core/tool\"], script: #\" true \"# })\n",
        ),
        ("stages/user/other/package.rhai", &script_package("", "")),
    ]);
    assert_eq!(changed.to_bytes(), fresh.plan(&[]).to_bytes());
}

#[test]
fn an_added_package_re_runs_nothing_of_others() {
    let (mut world, _) = settled();
    world.tree.write(
        "stages/user/new/package.rhai",
        script_package("\"core/lib\"", ""),
    );
    world.plan(&[]);
    for query in world.queries() {
        assert!(query.contains("user/new"), "{query}");
    }
}

#[test]
fn a_removed_package_is_missed_by_those_that_need_it() {
    let (mut world, plan) = settled();
    world.tree.remove("stages/core/tool/package.rhai");
    assert!(world.evaluate(&[]).plan.is_none());
    world.tree.write(
        "stages/core/tool/package.rhai",
        script_package("\"core/lib\"", ""),
    );
    assert_eq!(world.plan(&[]), plan);
}

#[test]
fn an_unrelated_file_re_runs_nothing() {
    let (mut world, plan) = settled();
    world
        .tree
        .write("stages/core/lib/notes.txt", "nothing reads this");
    world.tree.write("README.md", "nor this");
    assert_eq!(world.plan(&[]), plan);
    assert_eq!(world.queries(), Vec::<String>::new());
}

#[test]
fn an_edited_setting_re_runs_only_what_reads_it() {
    let (mut world, plan) = settled();
    let settings = crate::world::SETTINGS.to_owned() + "[seeds]\n\"core/lib\" = []\n";
    world.tree.write("stxl.toml", settings);
    assert_eq!(world.plan(&[]), plan);
    assert_eq!(world.queries(), Vec::<String>::new());
}

#[test]
fn an_edited_patch_lowers_again_and_evaluates_nothing() {
    let package = script_package("", "    patches: [\"fix.patch\"],\n");
    let mut world = World::new(&[
        (OWN, &package),
        ("stages/core/lib/fix.patch", "--- a\n+++ b\n"),
    ]);
    let plan = world.plan(&[]);
    drop(world.queries());
    world
        .tree
        .write("stages/core/lib/fix.patch", "--- a\n+++ c\n");
    assert_ne!(world.plan(&[]).roots(), plan.roots());
    let queries = world.queries();
    assert!(
        queries.contains(&"lowered(core/lib:main, x86_64)".to_owned()),
        "{queries:?}"
    );
    assert!(
        queries.iter().all(|query| !query.starts_with("compiled(")),
        "{queries:?}"
    );
}

#[test]
fn an_expansion_of_roots_used_twice_each_is_compared_at_once() {
    let text = "custom(#{ version: \"1\", license: \"MIT\" });
fn build(p) {
    let r = root().write(\"/a\", \"a\");
    for n in range(0, 60) { r = root([r, r]).add([r]); }
    #{ main: r.out(\"/\") }
}
";
    let mut world = World::new(&[(OWN, text)]);
    let plan = world.plan(&[]);
    // The text is evaluated again, and what comes out is compared with what came out before.
    world.tree.write(OWN, format!("{text}// a comment\n"));
    drop(world.queries());
    assert_eq!(world.plan(&[]), plan);
    assert!(
        world
            .queries()
            .contains(&"expanded(core/lib, x86_64)".to_owned())
    );
}
