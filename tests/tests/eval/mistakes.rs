//! What is wrong with a workspace: one case each, with the text that is underlined.

use stxl_lang::{Diagnostic, Severity};

use crate::world::{World, request, script_package, shown};

/// Evaluates and finds the one diagnostic of a kind.
fn find(world: &mut World, id: &str) -> Diagnostic {
    let evaluation = world.evaluate(&[]);
    assert!(evaluation.plan.is_none());
    let found: Vec<_> = evaluation
        .diagnostics
        .iter()
        .filter(|it| it.id == id)
        .collect();
    assert_eq!(
        found.len(),
        1,
        "{id} in:\n{}",
        shown(&evaluation.diagnostics)
    );
    found[0].clone()
}

/// One package, `user/x`, and what is wrong with it.
fn check(package: &str, id: &str, covered: &str) -> Diagnostic {
    let mut world = World::new(&[
        ("stages/user/x/package.rhai", package),
        ("stages/user/x/fix.patch", "--- a\n"),
        ("stages/user/x/odd.hex", "7f 4\n"),
        ("stages/user/x/bad.hex", "7f\n4x\n"),
        ("stages/user/x/good.hex", "7f\n"),
        ("stages/core/lib/package.rhai", &script_package("", "")),
    ]);
    let diagnostic = find(&mut world, id);
    assert_eq!(
        world.covered(&diagnostic),
        covered,
        "{}",
        shown(&[diagnostic])
    );
    diagnostic
}

fn custom(fields: &str, build: &str) -> String {
    format!(
        "custom(#{{\n    version: \"1\",\n    license: \"MIT\",\n{fields}}});\n\nfn build(p) {{\n    {build}\n}}\n"
    )
}

#[test]
fn an_unknown_output() {
    let text = script_package("\"core/lib:mian\"", "");
    let found = check(&text, "unknown-output", "\"core/lib:mian\"");
    assert_eq!(found.hints, ["did you mean `main`?"]);
}

#[test]
fn a_file_that_is_not_there() {
    let text = script_package("", "    patches: [\"fx.patch\"],\n");
    let mut world = World::new(&[
        ("stages/user/x/package.rhai", &text),
        ("stages/user/x/fix.patch", "--- a\n"),
    ]);
    let evaluation = world.evaluate(&[]);
    assert!(evaluation.plan.is_none());
    assert!(
        shown(&evaluation.diagnostics).contains("fix.patch"),
        "{}",
        shown(&evaluation.diagnostics)
    );
}

/// A package whose seed claims a hash.
fn world_with_seed(hash: &str) -> World {
    let seed = format!("    seeds: #{{ it: seed(\"good.hex\", \"{hash}\") }},\n");
    let text = custom(
        &seed,
        "#{ main: root().put(p.seeds.it, \"/it\", \"exec\").out(\"/\") }",
    );
    World::new(&[
        ("stages/user/x/package.rhai", &text),
        ("stages/user/x/good.hex", "7f\n"),
    ])
}

#[test]
fn a_seed_with_another_hash_tells_the_actual_one() {
    let wrong = "1".repeat(64);
    let mut world = world_with_seed(&format!("sha256:{wrong}"));
    let found = find(&mut world, "wrong-seed-hash");
    let actual = stxl_model::Sha256::of(b"\x7f").to_string();
    assert!(found.hints[0].contains(&actual), "{}", shown(&[found]));
}

#[test]
fn a_seed_that_is_not_allowed() {
    let actual = stxl_model::Sha256::of(b"\x7f").to_string();
    let mut world = world_with_seed(&actual);
    let found = find(&mut world, "seed-not-allowed");
    assert!(found.hints[0].contains("\"user/x\""), "{}", shown(&[found]));
    world.tree.write(
        "stxl.toml",
        crate::world::SETTINGS.to_owned() + &format!("[seeds]\n\"user/x\" = [\"{actual}\"]\n"),
    );
    world.plan(&[]);
}

#[test]
fn a_seed_whose_text_has_other_things_than_digits() {
    let wrong = "1".repeat(64);
    for (file, line) in [("odd.hex", 1), ("bad.hex", 2)] {
        let seed = format!("    seeds: #{{ it: seed(\"{file}\", \"sha256:{wrong}\") }},\n");
        let text = custom(
            &seed,
            "#{ main: root().put(p.seeds.it, \"/it\", \"exec\").out(\"/\") }",
        );
        let mut world = World::new(&[
            ("stages/user/x/package.rhai", &text),
            ("stages/user/x/odd.hex", "7f 4\n"),
            ("stages/user/x/bad.hex", "7f\n4x\n"),
        ]);
        let found = find(&mut world, "bad-seed-text");
        assert!(
            found.message.contains(&format!("line {line}")),
            "{}",
            shown(&[found])
        );
    }
}

#[test]
fn a_package_for_another_platform() {
    let text = script_package("\"core/old\"", "");
    let mut world = World::new(&[
        ("stages/user/x/package.rhai", &text),
        (
            "stages/core/old/package.rhai",
            &script_package("", "    platforms: [\"i686\"],\n"),
        ),
    ]);
    let found = find(&mut world, "wrong-platform");
    assert_eq!(world.covered(&found), "\"core/old\"");
    assert_eq!(found.hints, ["write `pkg(\"core/old\").on(\"i686\")`"]);
    world.tree.write(
        "stages/user/x/package.rhai",
        script_package("pkg(\"core/old\").on(\"i686\")", ""),
    );
    world.plan(&[]);
}

#[test]
fn builds_that_need_each_other() {
    let mut world = World::new(&[
        (
            "stages/core/a/package.rhai",
            &script_package("\"core/b\"", ""),
        ),
        (
            "stages/core/b/package.rhai",
            &script_package("\"core/c\"", ""),
        ),
        (
            "stages/core/c/package.rhai",
            &script_package("\"core/a\"", ""),
        ),
        (
            "stages/user/behind/package.rhai",
            &script_package("\"core/a\"", ""),
        ),
    ]);
    let found = find(&mut world, "derivation-cycle");
    assert_eq!(
        found.notes,
        [
            "`core/a` needs `core/b` at stages/core/a/package.rhai:5",
            "`core/b` needs `core/c` at stages/core/b/package.rhai:5",
            "`core/c` needs `core/a` at stages/core/c/package.rhai:5",
        ]
    );
    assert_eq!(world.covered(&found), "\"core/b\"");
}

#[test]
fn a_build_that_needs_itself() {
    let mut world = World::new(&[(
        "stages/core/a/package.rhai",
        &script_package("\"core/a\"", ""),
    )]);
    let found = find(&mut world, "derivation-cycle");
    assert_eq!(found.message, "The build of `core/a` needs itself");
}

#[test]
fn values_that_need_each_other() {
    let reads = |of: &str| {
        format!(
            "script(#{{ version: pkg(\"{of}\").version, license: \"MIT\", script: #\" true \"# }})\n"
        )
    };
    for threads in 1..4 {
        let mut world = World::with_threads(
            &[
                ("stages/core/a/package.rhai", &reads("core/b")),
                ("stages/core/b/package.rhai", &reads("core/a")),
                ("stages/user/behind/package.rhai", &reads("core/a")),
            ],
            threads,
        );
        let evaluation = world.evaluate(&[]);
        assert!(evaluation.plan.is_none());
        let text = shown(&evaluation.diagnostics);
        assert_eq!(evaluation.diagnostics.len(), 1, "{text}");
        assert!(text.contains("core/a") && text.contains("core/b"), "{text}");
    }
}

#[test]
fn independent_mistakes_are_all_reported_in_the_same_order() {
    let files = [
        (
            "stages/core/a/package.rhai",
            script_package("\"core/none\"", ""),
        ),
        (
            "stages/core/b/package.rhai",
            "script(#{ verison: \"1\" })".to_owned(),
        ),
        ("stages/core/c/package.rhai", "script(#{".to_owned()),
        (
            "stages/core/d/package.rhai",
            script_package("\"core/lib:none\"", ""),
        ),
        ("stages/core/lib/package.rhai", script_package("", "")),
        (
            "stages/stage0/e/package.rhai",
            script_package("\"core/lib\"", ""),
        ),
        ("stages/unlisted/f/package.rhai", script_package("", "")),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let first = World::with_threads(&files, 1).evaluate(&[]);
    let errors = first
        .diagnostics
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .count();
    assert!(errors >= 6, "{}", shown(&first.diagnostics));
    for threads in 2..5 {
        assert_eq!(World::with_threads(&files, threads).evaluate(&[]), first);
    }
}

#[test]
fn a_stage_that_needs_a_later_one() {
    let mut world = World::new(&[
        (
            "stages/stage0/a/package.rhai",
            &script_package("\"core/b\"", ""),
        ),
        ("stages/core/b/package.rhai", &script_package("", "")),
    ]);
    let evaluation = world.evaluate(&[]);
    assert_eq!(
        evaluation.diagnostics.len(),
        1,
        "{}",
        shown(&evaluation.diagnostics)
    );
    assert_eq!(world.covered(&evaluation.diagnostics[0]), "\"core/b\"");
}

#[test]
fn selectors_of_what_is_not_there() {
    let mut world = World::new(&[("stages/core/zlib/package.rhai", &script_package("", ""))]);
    for (selector, hint) in [
        ("core/zlob", "did you mean `core/zlib`?"),
        ("user/zlib", "did you mean `core/zlib`?"),
        ("cor", "did you mean `core`?"),
        ("core/zlib:mian", "did you mean `main`?"),
    ] {
        let evaluation = world.evaluate(&[selector]);
        assert_eq!(
            evaluation.diagnostics.len(),
            1,
            "{}",
            shown(&evaluation.diagnostics)
        );
        assert_eq!(evaluation.diagnostics[0].hints, [hint]);
    }
}

#[test]
fn mistakes_in_the_settings_are_all_reported_with_their_places() {
    let mut world = World::new(&[]);
    world.tree.write(
        "stxl.toml",
        "stages = [\"core\", [\"core\", \"Bad\"], 3]\nplatfrom = \"x86_64\"\nplatform = \"z80\"\n\
         overlays = \"ours\"\n[base]\ncore = [\"busybox\"]\n[seeds]\n\"core/x\" = [\"sha256:1\"]\n\
         [override]\n[options]\nx = 1\n[test_base]\ncore.cc.gcc = [\"core/gcc\"]\n\
         b = { c = {}, d = {} }\n",
    );
    let evaluation = world.evaluate(&[]);
    let found: Vec<(&str, String)> = evaluation
        .diagnostics
        .iter()
        .map(|it| (it.id, world.covered(it)))
        .collect();
    let expected = [
        ("duplicate-stage", "\"core\""),
        ("bad-stage-name", "\"Bad\""),
        ("wrong-setting-type", "3"),
        ("unknown-setting", "platfrom"),
        ("unknown-platform", "\"z80\""),
        ("wrong-setting-type", "\"ours\""),
        ("bad-label", "\"busybox\""),
        ("bad-hash", "\"sha256:1\""),
        ("reserved-setting", "override"),
        ("wrong-setting-type", "1"),
        ("option-without-default", "cc"),
        ("bad-root-choice", "{ c = {}, d = {} }"),
    ];
    let expected: Vec<(&str, String)> = expected
        .iter()
        .map(|(id, text)| (*id, (*text).to_owned()))
        .collect();
    assert_eq!(found, expected, "{}", shown(&evaluation.diagnostics));
}

#[test]
fn a_base_that_is_not_there() {
    let mut world = World::new(&[(
        "stages/core/x/package.rhai",
        "script(#{ version: \"1\", license: \"MIT\", script: #\" true \"# })\n",
    )]);
    world.tree.write(
        "stxl.toml",
        "stages = [\"core\"]\n[base]\ncore = [\"core/busibox\"]\n",
    );
    let found = find(&mut world, "unknown-package");
    assert_eq!(world.covered(&found), "\"core/busibox\"");
}

#[test]
fn a_value_of_an_option_without_a_root() {
    let mut world = World::new(&[(
        "stages/core/x/package.rhai",
        "script(#{ version: \"1\", license: \"MIT\", script: #\" true \"# })\n",
    )]);
    world.tree.write(
        "stxl.toml",
        "stages = [\"core\"]\n[options]\ntoolchain = \"debian\"\n\
         [base]\ncore.toolchain.debian = []\n",
    );
    assert!(world.evaluate(&[]).plan.is_some());
    let mut asked = request(&[]);
    let value = "debain".to_owned();
    asked.options.insert("toolchain".to_owned(), value);
    let evaluation = world.evaluate_request(&asked);
    let [found] = evaluation.diagnostics.as_slice() else {
        panic!("{}", shown(&evaluation.diagnostics));
    };
    assert_eq!(found.id, "no-root-for-option");
    assert_eq!(found.hints, ["did you mean `debian`?"]);
}

#[test]
fn a_workspace_without_settings() {
    let mut world = World::new(&[]);
    world.tree.remove("stxl.toml");
    find(&mut world, "no-workspace");
}

#[test]
fn a_file_that_is_not_text() {
    let mut world = World::new(&[]);
    world
        .tree
        .write("stages/core/x/package.rhai", b"script(#{ \xff })");
    let found = find(&mut world, "not-utf8");
    assert_eq!(found.primary.unwrap().0.start, 10);
}

#[test]
fn a_script_longer_than_a_program_can_be_given() {
    let long = "x".repeat(121 << 10);
    let text = format!(
        "script(#{{\n    version: \"1\",\n    license: \"MIT\",\n    base: [],\n    script: #\" {long} \"#,\n}})\n"
    );
    let mut world = World::new(&[("stages/core/x/package.rhai", &text)]);
    find(&mut world, "script-too-long");
}

#[test]
fn an_output_that_cannot_be_compared_or_merged() {
    let text = custom("", "#{ main: root([file(\"fix.patch\")]).out(\"/\") }");
    let mut world = World::new(&[
        ("stages/user/x/package.rhai", &text),
        ("stages/user/x/fix.patch", "--- a\n"),
    ]);
    let evaluation = world.evaluate(&[]);
    assert!(
        evaluation.plan.is_none(),
        "{}",
        shown(&evaluation.diagnostics)
    );
}

#[test]
fn a_mistake_in_what_is_needed_is_said_when_only_the_user_is_asked_for() {
    let misspelt = "custom(#{ verison: \"1\" });\n\nfn build(p) { #{ main: root().out(\"/\") } }\n";
    let user = |need: &str| script_package(&format!("\"{need}\""), "");
    for need in ["core/b", "core/b:foo"] {
        let mut world = World::new(&[
            ("stages/core/a/package.rhai", &user(need)),
            ("stages/core/b/package.rhai", misspelt),
        ]);
        let evaluation = world.evaluate(&["core/a"]);
        let said = shown(&evaluation.diagnostics);
        assert!(evaluation.plan.is_none(), "{said}");
        assert!(
            said.contains("error unknown-field at stages/core/b/package.rhai"),
            "{said}"
        );
        assert!(!said.contains("evaluator-stopped"), "{said}");
    }
    let mut world = World::new(&[
        ("stages/core/a/package.rhai", &user("core/b")),
        ("stages/core/b/package.rhai", &script_package("", "")),
        (
            "local/core/b/package.rhai",
            "prior().change(#{ verison: \"2\" })\n",
        ),
    ]);
    let evaluation = world.evaluate(&["core/a"]);
    let said = shown(&evaluation.diagnostics);
    assert!(
        said.contains("error unknown-field at local/core/b/package.rhai"),
        "{said}"
    );
    assert!(!said.contains("evaluator-stopped"), "{said}");
}

#[test]
fn what_a_lint_says_is_an_error_wherever_the_file_is_used() {
    let lost = "root().run([\"/bin/x\"]); root().out(\"/\")";
    let users = [
        custom("", &format!("#{{ main: {{ {lost} }} }}")),
        "import \"lib/f\" as f;\n".to_owned() + &custom("", "#{ main: f::made() }"),
        "import \"lib/f\" as f;\n".to_owned() + &script_package("", ""),
        script_package("", "    env: #{ V: pkg(\"core/lost\").version },\n"),
        script_package("\"core/lost\"", ""),
    ];
    for text in users {
        let lost_package = custom("", &format!("#{{ main: {{ {lost} }} }}"));
        let mut world = World::new(&[
            ("stages/user/x/package.rhai", &text),
            ("stages/core/lost/package.rhai", &lost_package),
            ("lib/f.rhai", &format!("fn made() {{ {lost} }}\n")),
        ]);
        let evaluation = world.evaluate(&["user/x"]);
        assert!(evaluation.plan.is_none(), "{text}");
        let said = shown(&evaluation.diagnostics);
        assert_eq!(evaluation.diagnostics.len(), 1, "{text}\n{said}");
        assert_eq!(evaluation.diagnostics[0].id, "thrown-away", "{said}");
    }
}
