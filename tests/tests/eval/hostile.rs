//! The child process: honest text gives what an evaluation in this process gives, and each limit
//! ends it with a diagnostic. The hostile texts are data: `hostile_texts.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stxl_eval::{
    ChildLimits, ChildRequest, DiskSourceTree, Evaluation, Evaluator, EvaluatorOptions,
    EvaluatorProgram, evaluate_in_child,
};
use stxl_model::{Derivation, PackageLabel, Plan};

use crate::world::{SETTINGS, request, script_package, shown};

pub fn program() -> EvaluatorProgram {
    EvaluatorProgram {
        path: env!("CARGO_BIN_EXE_stxl-under-test").into(),
        args: vec!["__evaluate".to_owned()],
    }
}

fn write(folder: &Path, path: &str, text: impl AsRef<[u8]>) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

pub fn workspace(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "stxl.toml", SETTINGS);
    for (path, text) in files {
        write(folder.path(), path, text);
    }
    folder
}

pub fn child_request(folder: &Path) -> ChildRequest {
    ChildRequest {
        folder: folder.to_owned(),
        readable: Vec::new(),
        buffers: BTreeMap::new(),
        overrides: BTreeMap::new(),
        evaluation: request(&[]),
        limits: ChildLimits {
            threads: 2,
            ..ChildLimits::default()
        },
    }
}

fn evaluate(folder: &Path) -> Evaluation {
    evaluate_in_child(&program(), &child_request(folder)).unwrap()
}

fn fields(version: &str) -> String {
    format!("script(#{{ version: {version}, license: \"MIT\", base: [], script: #\" true \"# }})\n")
}

#[test]
fn a_child_gives_what_this_process_gives() {
    let folder = workspace(&[
        (
            "stages/core/a/package.rhai",
            &script_package("", "    patches: [\"fix.patch\"],\n"),
        ),
        ("stages/core/a/fix.patch", "--- a\n+++ b\n"),
        (
            "stages/core/b/package.rhai",
            &script_package("\"core/a\"", ""),
        ),
        (
            "stages/core/c/package.rhai",
            &script_package("\"core/b\"", "    about: 1,\n"),
        ),
    ]);
    let tree = Arc::new(DiskSourceTree::open(folder.path()).unwrap());
    let options = EvaluatorOptions {
        threads: 1,
        ..EvaluatorOptions::default()
    };
    let mut here = Evaluator::new(tree, options).unwrap();
    assert_eq!(evaluate(folder.path()), here.evaluate(&request(&[])));
    std::fs::remove_file(folder.path().join("stages/core/c/package.rhai")).unwrap();
    let good = evaluate(folder.path());
    assert!(good.plan.is_some(), "{}", shown(&good.diagnostics));
    assert_eq!(good, here.evaluate(&request(&[])));
}

#[test]
fn a_buffer_stands_for_a_file() {
    let folder = workspace(&[("stages/core/a/package.rhai", &script_package("", ""))]);
    let mut request = child_request(folder.path());
    request.buffers.insert(
        "local/core/a/package.rhai".to_owned(),
        "prior().change(#{ version: \"9\" })\n".to_owned(),
    );
    let evaluation = evaluate_in_child(&program(), &request).unwrap();
    assert!(evaluation.plan.unwrap().is_local());
}

#[test]
fn a_text_over_a_package_is_its_last_layer_and_makes_the_plan_local() {
    let folder = workspace(&[
        ("stages/core/a/package.rhai", &script_package("", "")),
        (
            "local/core/a/package.rhai",
            "prior().change(#{ version: \"9\" })\n",
        ),
        // No folder on the disk is the layer.
        ("--override/core/a/package.rhai", "throw \"never read\""),
    ]);
    let mut request = child_request(folder.path());
    let without = evaluate_in_child(&program(), &request).unwrap();
    let text = "prior().change(#{ version: prior().version + \"1\" })\n".to_owned();
    request
        .overrides
        .insert(PackageLabel::parse("core/a").unwrap(), text);
    let evaluation = evaluate_in_child(&program(), &request).unwrap();
    let plan = evaluation.plan.unwrap();
    assert!(plan.is_local());
    let version = |plan: &Plan| {
        let runs = plan
            .nodes()
            .iter()
            .filter_map(|node| match node.derivation.decode().unwrap() {
                Derivation::Exec(exec) => Some(exec.env[b"VERSION".as_slice()].clone()),
                _ => None,
            });
        runs.collect::<Vec<_>>()
    };
    assert_eq!(version(&plan), [b"91"]);
    assert_eq!(version(&without.plan.unwrap()), [b"9"]);
}

#[test]
fn an_overlay_outside_of_the_workspace_is_read_and_a_link_out_of_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    write(
        &workspace,
        "stxl.toml",
        "stages = [\"core\"]\noverlays = [\"../ours\"]\n",
    );
    write(
        &workspace,
        "stages/core/a/package.rhai",
        script_package("", ""),
    );
    write(
        folder.path(),
        "ours/core/b/package.rhai",
        script_package("\"core/a\"", ""),
    );
    let evaluation = evaluate(&workspace);
    assert_eq!(
        evaluation.plan.as_ref().map(|plan| plan.roots().len()),
        Some(2)
    );
    write(folder.path(), "secret.patch", "--- a\n");
    std::os::unix::fs::symlink(
        folder.path().join("secret.patch"),
        workspace.join("stages/core/a/fix.patch"),
    )
    .unwrap();
    write(
        &workspace,
        "stages/core/a/package.rhai",
        script_package("", "    patches: [\"fix.patch\"],\n"),
    );
    let evaluation = evaluate(&workspace);
    assert!(evaluation.plan.is_none());
    let said = shown(&evaluation.diagnostics);
    assert!(said.contains("leads out of the workspace"), "{said}");
    std::fs::remove_dir_all(folder.path().join("ours")).unwrap();
    let evaluation = evaluate(&workspace);
    let gone = evaluation
        .diagnostics
        .iter()
        .find(|it| it.id == "missing-overlay");
    let span = gone
        .and_then(|it| it.primary.as_ref())
        .map(|(span, _)| span);
    let settings = std::fs::read_to_string(workspace.join("stxl.toml")).unwrap();
    let underlined = span.map(|span| &settings[span.start as usize..span.end as usize]);
    assert_eq!(
        underlined,
        Some("\"../ours\""),
        "{}",
        shown(&evaluation.diagnostics)
    );
}

/// Evaluates one honest package with limits that it does not fit.
fn evaluate_within(limits: ChildLimits, package: &str) -> Evaluation {
    let folder = workspace(&[
        ("stages/core/a/package.rhai", &script_package("", "")),
        ("stages/core/x/package.rhai", package),
    ]);
    let request = ChildRequest {
        limits,
        ..child_request(folder.path())
    };
    evaluate_in_child(&program(), &request).unwrap()
}

#[test]
fn a_native_stack_that_is_too_small_is_a_diagnostic() {
    // What the language allows to be nested needs more than this small stack.
    let nested = format!("let v = {}1{};\n", "(".repeat(30), ")".repeat(30));
    let limits = ChildLimits {
        threads: 2,
        stack_bytes: 96 << 10,
        ..ChildLimits::default()
    };
    let evaluation = evaluate_within(limits, &(nested + &fields("\"1\"")));
    let said = shown(&evaluation.diagnostics);
    assert_eq!(evaluation.diagnostics.len(), 1, "{said}");
    assert_eq!(evaluation.diagnostics[0].id, "limit-stack", "{said}");
    assert!(evaluation.diagnostics[0].primary.is_some(), "{said}");
}

#[test]
fn too_much_time_on_one_file_is_a_diagnostic() {
    let mut text = String::new();
    for variable in 0..20_000 {
        text += &format!("let v{variable} = \"{}\";\n", "x".repeat(20));
    }
    let limits = ChildLimits {
        threads: 2,
        file_cpu_ms: 50,
        ..ChildLimits::default()
    };
    let evaluation = evaluate_within(limits, &(text + &fields("v1")));
    let said = shown(&evaluation.diagnostics);
    assert_eq!(evaluation.diagnostics[0].id, "limit-time", "{said}");
    assert!(
        evaluation.diagnostics[0]
            .message
            .contains("stages/core/x/package.rhai"),
        "{said}"
    );
}

/// A program in the place of the evaluator.
fn shell(script: &str) -> EvaluatorProgram {
    EvaluatorProgram {
        path: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
    }
}

#[test]
fn a_child_that_lies_dies_or_says_nothing_is_an_error_and_no_plan() {
    use stxl_eval::ChildError;
    let folder = workspace(&[("stages/core/a/package.rhai", &script_package("", ""))]);
    let run = |script: &str| evaluate_in_child(&shell(script), &child_request(folder.path()));
    assert!(matches!(run("true"), Err(ChildError::Answer { .. })));
    assert!(matches!(
        run("echo nonsense"),
        Err(ChildError::Answer { .. })
    ));
    assert!(
        matches!(run("echo no >&2; exit 1"), Err(ChildError::Refused { reason }) if reason == "no")
    );
    assert!(matches!(run("kill -9 $$"), Err(ChildError::Ended { .. })));
    // It ends while the rest of a long request is still to be written.
    let long = ChildRequest {
        buffers: BTreeMap::from([("stages/core/a/package.rhai".to_owned(), " ".repeat(1 << 20))]),
        ..child_request(folder.path())
    };
    let unread = evaluate_in_child(&shell("echo full >&2; exit 1"), &long);
    assert!(matches!(unread, Err(ChildError::Refused { reason }) if reason == "full"));
    let missing = EvaluatorProgram {
        path: "/nowhere/stxl".into(),
        args: Vec::new(),
    };
    let started = evaluate_in_child(&missing, &child_request(folder.path()));
    assert!(matches!(started, Err(ChildError::Start(_))));
}

#[test]
fn a_folder_that_is_no_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = evaluate(folder.path());
    assert_eq!(evaluation.diagnostics[0].id, "no-workspace");
    let missing = evaluate_in_child(&program(), &child_request(&folder.path().join("none")));
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("cannot be opened")
    );
}

#[test]
fn too_much_memory_is_a_diagnostic() {
    // A hundred variables of a megabyte each: inside the language's limits, outside of the child's.
    let mut text = String::from("let s = \"a\";\nfor i in 0..15 { s += s; }\n");
    for variable in 0..100 {
        text += &format!("let v{variable} = [];\nfor i in 0..30 {{ v{variable}.push(s + i); }}\n");
    }
    let text = text + &fields("\"1\"");
    let limits = ChildLimits {
        threads: 2,
        memory_bytes: 32 << 20,
        ..ChildLimits::default()
    };
    let evaluation = evaluate_within(limits, &text);
    let said = shown(&evaluation.diagnostics);
    assert_eq!(evaluation.diagnostics[0].id, "limit-memory", "{said}");
    assert!(
        evaluation.diagnostics[0]
            .message
            .contains("stages/core/x/package.rhai"),
        "{said}"
    );
    let roomy = evaluate_within(
        ChildLimits {
            threads: 2,
            ..ChildLimits::default()
        },
        &text,
    );
    assert!(roomy.plan.is_some(), "{}", shown(&roomy.diagnostics));
}

#[test]
fn a_folder_beside_the_workspace_is_imported_by_local_definitions_only() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    let package = script_package("", "");
    let import = |from: &str| format!("prior().change(#{{ source: dir(\"{from}\") }})\n");
    write(&workspace, "stxl.toml", SETTINGS);
    write(&workspace, "stages/core/a/package.rhai", &package);
    write(&workspace, "stages/core/b/package.rhai", &package);
    write(folder.path(), "zlib/configure", "#!/bin/sh\n");
    write(folder.path(), "secret/key", "1");
    write(&workspace, "local/core/a/package.rhai", import("../zlib"));
    let evaluation = evaluate(&workspace);
    let said = shown(&evaluation.diagnostics);
    let plan = evaluation.plan.unwrap_or_else(|| panic!("{said}"));
    let is_import = |node: &&stxl_model::PlanNode| {
        let source = node.origin.import.as_ref();
        source.is_some_and(|source| source.path == "../zlib")
    };
    assert!(plan.is_local());
    assert_eq!(plan.nodes().iter().filter(is_import).count(), 1);

    // Another package may not, although the folder is open.
    let theirs = script_package("", "    source: dir(\"../zlib\"),\n");
    write(&workspace, "stages/core/b/package.rhai", theirs);
    let said = shown(&evaluate(&workspace).diagnostics);
    assert!(
        said.contains("error outside-directory at stages/core/b/package.rhai"),
        "{said}"
    );
    write(&workspace, "stages/core/b/package.rhai", &package);

    // Nor does a name that makes a detour, or a link, lead anywhere else.
    std::os::unix::fs::symlink(folder.path().join("secret"), workspace.join("link")).unwrap();
    for detour in [
        "../zlib/../secret",
        "../../secret",
        "../workspace/link",
        "/etc",
    ] {
        write(&workspace, "local/core/a/package.rhai", import(detour));
        let evaluation = evaluate(&workspace);
        let said = shown(&evaluation.diagnostics);
        assert!(evaluation.plan.is_none(), "{detour}");
        assert!(
            said.contains("at local/core/a/package.rhai"),
            "{detour}: {said}"
        );
    }
}

/// A build whose root is made over and over of itself.
fn nested_roots(times: u32, step: &str) -> String {
    format!(
        "custom(#{{ version: \"1\", license: \"MIT\", base: [] }});\n\nfn build(p) {{\n    \
         let r = root().write(\"/x\", \"x\");\n    for i in 0..{times} {{ r = {step}; }}\n    \
         #{{ main: r.out(\"/\") }}\n}}\n"
    )
}

#[test]
fn roots_made_of_roots_are_lowered_once_each() {
    for (times, step) in [
        (40, "root([r, r])"),
        (40, "r.add([r])"),
        (40, "root([r.out(\"/\"), r.out(\"/x\")])"),
        (40, "root().put(r, \"/a\").put(r, \"/b\")"),
        (40, "root([r, r]).run([\"/x\"])"),
        (4000, "root([r, r])"),
    ] {
        let before = Instant::now();
        let evaluation = evaluate_within(ChildLimits::default(), &nested_roots(times, step));
        let took = before.elapsed();
        let said = shown(&evaluation.diagnostics);
        let plan = evaluation.plan.unwrap_or_else(|| panic!("{step}: {said}"));
        assert!(
            plan.nodes().len() > times as usize,
            "{step}: {}",
            plan.nodes().len()
        );
        assert!(took < Duration::from_secs(8), "{step}: {took:?}");
        println!("{took:?}: {step}");
    }
}
