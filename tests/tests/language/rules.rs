//! Rules that are about more than what is said to one package.

use std::sync::Arc;

use stxl_lang::{FieldStep, Language, SourcePath, Value, schema};
use stxl_model::{OutputName, Platform};

use crate::steps::shown;
use crate::world::World;

#[test]
fn reading_a_definition_evaluates_no_other_file() {
    let world = World::new(&[
        (
            "stages/core/a/package.rhai",
            r#"script(#{ version: "1", needs: ["core/broken"], script: "true" })"#,
        ),
        ("stages/core/broken/package.rhai", "this is no package"),
    ]);
    let definition = world.definition("core/a");
    assert_eq!(world.asked_for(), 0);
    assert_eq!(
        definition.fields.get("version"),
        Some(&Value::Text("1".into()))
    );
}

#[test]
fn the_platform_counts_only_where_it_is_read() {
    let world = World::new(&[
        (
            "stages/core/a/package.rhai",
            "custom(#{ version: \"1\" });\nfn build(p) { #{ main: root().run([\"/x\"]).out() } }",
        ),
        (
            "stages/core/b/package.rhai",
            "custom(#{ version: \"1\" });\nfn build(p) { #{ main: root().run([\"/x\", p.target]).out() } }",
        ),
        (
            "stages/core/c/package.rhai",
            "custom(#{ version: \"1\", flags: [\"{arch}\"] });\nfn build(p) { #{ main: root().run([\"/x\"]).out() } }",
        ),
    ]);
    assert!(!world.expand("core/a").used_target);
    assert!(world.expand("core/b").used_target);
    assert!(world.expand("core/c").used_target);
    let run = |target| {
        let expanded = world.expand_for("core/b", target, &[]).unwrap();
        shown(&expanded.outputs[&OutputName::main()])
    };
    assert_ne!(run(Platform::I686), run(Platform::X86_64));
}

#[test]
fn options_have_defaults_and_are_declared() {
    let world = World::new(&[(
        "stages/core/a/package.rhai",
        "custom(#{ version: \"1\", options: #{ modules: \"yes\" } });\n\
         fn build(p) { #{ main: root().run([\"/x\", p.options.modules]).out() } }",
    )]);
    let run = |options: &[(&str, &str)]| world.expand_for("core/a", Platform::X86_64, options);
    let line = |options: &[(&str, &str)]| {
        shown(&run(options).unwrap().outputs[&OutputName::main()])[1].clone()
    };
    assert_eq!(line(&[]), "2 run [\"/x\", \"yes\"]");
    assert_eq!(line(&[("modules", "no")]), "2 run [\"/x\", \"no\"]");
    let wrong = run(&[("module", "no")]).unwrap_err();
    assert_eq!(
        world.shown(&wrong),
        "unknown-option stages/core/a/package.rhai:1 `#{ modules: \"yes\" }`: There is no option `module`\n  \
         hint: did you mean `modules`?"
    );
}

#[test]
fn a_long_chain_is_no_deep_expression() {
    let links: Vec<String> = (0..200)
        .map(|index| format!("\n    .mkdir(\"/d{index}\")"))
        .collect();
    let links = links.concat();
    let text = format!(
        "custom(#{{ version: \"1\" }});\nfn build(p) {{ #{{ main: root(){links}.out() }} }}"
    );
    let world = World::new(&[("stages/core/a/package.rhai", &text)]);
    assert_eq!(
        shown(&world.expand("core/a").outputs[&OutputName::main()]).len(),
        202
    );
}

#[test]
fn roots_are_shared_between_outputs() {
    let world = World::new(&[(
        "stages/core/a/package.rhai",
        "custom(#{ version: \"1\" });\n\
         fn build(p) { let a = root().mkdir(\"/out\"); #{ main: a.out(), other: a.out(\"/\") } }",
    )]);
    let expanded = world.expand("core/a");
    let mut roots = expanded.outputs.values().map(|output| &output.root.0);
    let (first, second) = (roots.next().unwrap(), roots.next().unwrap());
    assert!(Arc::ptr_eq(first, second));
}

#[test]
fn evaluation_gives_the_same_value_on_all_threads() {
    let world = World::new(&[(
        "stages/core/a/package.rhai",
        "custom(#{ version: \"1\", names: [\"b\", \"a\"].map(|name| name + \"!\"), env: #{ Z: \"1\", A: \"2\" } });\n\
         fn build(p) { #{ main: root().env(p.env).run([\"/x\"] + p.names).out() } }",
    )]);
    let text = world.text("stages/core/a/package.rhai");
    let path = SourcePath::new("stages/core/a/package.rhai");
    let first = world.definition("core/a");
    let language = Language::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert!(language.compile(&path, &text).diagnostics.is_empty());
                }
            });
        }
    });
    for _ in 0..20 {
        assert_eq!(world.definition("core/a"), first);
    }
}

#[test]
fn fields_are_found_in_the_text() {
    let text = "autotools(#{\n    version: \"1\",\n    needs: [\n        \"core/a\",\n        \"core/b\",\n    ],\n})\n";
    let world = World::new(&[("stages/core/a/package.rhai", text)]);
    let module = world.compile("stages/core/a/package.rhai").module.unwrap();
    let token = |steps: &[FieldStep<'_>]| {
        let span = module.span_of(steps);
        (
            module.position_of(steps).line,
            text[span.start as usize..span.end as usize].to_owned(),
        )
    };
    assert_eq!(token(&[FieldStep::Key("version")]), (2, "\"1\"".to_owned()));
    assert_eq!(
        token(&[FieldStep::Key("needs"), FieldStep::Item(1)]),
        (5, "\"core/b\"".to_owned())
    );
    assert_eq!(token(&[FieldStep::Key("license")]).0, 1);
}

#[test]
fn every_builder_of_the_schema_is_in_scope() {
    for builder in schema::BUILDERS {
        let text = format!("{}(#{{}})", builder.name);
        let world = World::new(&[("stages/core/a/package.rhai", &text)]);
        let wrong = world.define("core/a").unwrap_err();
        let first = wrong.first().map(|diagnostic| diagnostic.id);
        assert!(
            matches!(first, Some("missing-field" | "missing-build")),
            "{}",
            world.shown(&wrong)
        );
        for field in builder.fields() {
            assert!(
                field.doc.ends_with('.'),
                "{} of {}",
                field.name,
                builder.name
            );
        }
    }
    for name in schema::RESERVED_BUILDERS {
        let text = format!("{name}(#{{}})");
        let world = World::new(&[("stages/core/a/package.rhai", &text)]);
        let wrong = world.define("core/a").unwrap_err();
        assert_eq!(
            wrong.first().map(|diagnostic| diagnostic.id),
            Some("reserved-builder")
        );
    }
}

#[test]
fn imports_of_imports_stay_cheap() {
    // Each file imports the two before it: the paths through them grow exponentially.
    let mut files = vec![("lib/m0.rhai".to_owned(), "fn v() { 1 }".to_owned())];
    files.push(("lib/m1.rhai".to_owned(), "fn v() { 1 }".to_owned()));
    for index in 2..24 {
        let (one, two) = (index - 1, index - 2);
        files.push((
            format!("lib/m{index}.rhai"),
            format!(
                "import \"lib/m{one}\" as one;\nimport \"lib/m{two}\" as two;\nfn v() {{ one::v() }}"
            ),
        ));
    }
    files.push((
        "stages/core/a/package.rhai".to_owned(),
        "import \"lib/m23\" as m;\nscript(#{ version: `${m::v()}`, script: \"true\" })".to_owned(),
    ));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let definition = World::new(&files).definition("core/a");
    assert_eq!(
        definition.fields.get("version"),
        Some(&Value::Text("1".into()))
    );
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let world = World::new(&[("stages/core/a/package.rhai", &"// filler\n".repeat(200_000))]);
    let compiled = world.compile("stages/core/a/package.rhai");
    assert!(compiled.module.is_none());
    assert_eq!(
        compiled.diagnostics.first().map(|diagnostic| diagnostic.id),
        Some("limit")
    );
}
