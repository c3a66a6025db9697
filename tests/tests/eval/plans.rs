//! Plans: what is lowered to what.

use stxl_model::{
    Compose, Derivation, DerivationId, ImportDecode, ImportKind, Keep, Kind, Plan, PlanNode, TreeOp,
};
use stxl_tests::check_golden;

use crate::world::{World, request, script_package, shown};

const SEED: &str = "# a program\n7F 45 4c 46 ; the mark\n";

fn seed_hash() -> String {
    stxl_model::Sha256::of(b"\x7fELF").to_string()
}

fn stage0() -> Vec<(&'static str, String)> {
    let hash = seed_hash();
    vec![
        (
            "stxl.toml",
            format!(
                "stages = [\"stage0\", [\"core\", \"user\"]]\n[seeds]\n\"stage0/hex0\" = [\"{hash}\"]\n[base]\ncore = [\"core/sh\"]\n"
            ),
        ),
        ("stages/stage0/hex0/hex0.hex", SEED.to_owned()),
        (
            "stages/stage0/hex0/package.rhai",
            format!(
                "custom(#{{\n    version: \"1\",\n    license: \"MIT\",\n    platforms: [\"i686\"],\n    seeds: #{{ hex0: seed(\"hex0.hex\", \"{hash}\") }},\n}});\n\n{}",
                r#"fn build(p) {
    let done = root()
        .put(p.seeds.hex0, "/seed", "exec")
        .put(file("hex0.hex"), "/hex0.hex")
        .mkdir("/out/bin")
        .run(["/seed", "/hex0.hex", "/out/bin/hex0"]);
    #{ main: done.out("/out"), same_as_seed: done.assert_equal("/seed", "/out/bin/hex0") }
}
"#
            ),
        ),
        ("stages/stage0/hex1/hex1.hex0", "00 01\n".to_owned()),
        (
            "stages/stage0/hex1/package.rhai",
            r#"custom(#{
    version: "1",
    license: "MIT",
    platforms: ["i686"],
});

fn build(p) {
    let done = root("stage0/hex0")
        .put(file("hex1.hex0"), "/hex1.hex0")
        .mkdir("/out/bin")
        .run(["/bin/hex0", "/hex1.hex0", "/out/bin/hex1"]);
    #{ main: done.out("/out") }
}
"#
            .to_owned(),
        ),
        (
            "stages/core/sh/package.rhai",
            script_package("", "    brings: [\"core/libc\"],\n"),
        ),
        ("stages/core/libc/package.rhai", script_package("", "")),
        (
            "stages/core/zlib/package.rhai",
            r##"script(#{
    version: "1.3.1",
    license: "Zlib",
    source: url("https://example.org/zlib-{version}.tar.gz",
        "sha256:9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23"),
    patches: ["fix.patch"],
    env: #{ CFLAGS: "-fPIC" },
    script: #"
        make
        make install
    "#,
})
"##
            .to_owned(),
        ),
        ("stages/core/zlib/fix.patch", "--- a\n+++ b\n".to_owned()),
    ]
}

fn stage0_world() -> World {
    let files = stage0();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    World::new(&files)
}

fn listed(plan: &Plan) -> String {
    let mut text = String::new();
    for node in plan.nodes() {
        let inputs: Vec<String> = node
            .derivation
            .inputs()
            .iter()
            .map(|id| id.to_string()[..8].to_owned())
            .collect();
        text += &format!(
            "{} {} `{}` {}:{} script {} <- {}\n",
            &node.id.to_string()[..16],
            node.derivation.kind().name(),
            node.origin.name,
            node.origin.file,
            node.origin.line,
            node.origin.script_line,
            inputs.join(" ")
        );
    }
    for root in plan.roots() {
        for (output, id) in root.outputs.iter() {
            text += &format!("{}:{output} = {id}\n", root.label);
        }
    }
    text
}

fn named<'p>(plan: &'p Plan, name: &str) -> &'p PlanNode {
    plan.nodes()
        .iter()
        .find(|node| node.origin.name == name)
        .unwrap_or_else(|| panic!("no `{name}` in\n{}", listed(plan)))
}

#[test]
fn the_plan_of_a_small_workspace_is_pinned() {
    let plan = stage0_world().plan(&[]);
    check_golden("eval/small.txt", &listed(&plan));
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
}

#[test]
fn a_plan_does_not_depend_on_the_number_of_threads() {
    let files = stage0();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let one = World::with_threads(&files, 1).plan(&[]).to_bytes();
    for threads in 2..5 {
        assert_eq!(
            World::with_threads(&files, threads).plan(&[]).to_bytes(),
            one
        );
    }
}

#[test]
fn only_what_is_asked_for_is_planned() {
    let plan = stage0_world().plan(&["stage0/hex0:main"]);
    assert_eq!(plan.roots().len(), 1);
    assert!(
        plan.nodes()
            .iter()
            .all(|node| node.origin.label.as_str() == "stage0/hex0")
    );
    assert!(
        plan.nodes()
            .iter()
            .all(|node| !node.origin.name.contains("same_as_seed"))
    );
    let stage = stage0_world().plan(&["stage0"]);
    assert_eq!(stage.roots().len(), 2);
}

#[test]
fn a_package_for_one_platform_is_planned_for_it() {
    let plan = stage0_world().plan(&["stage0/hex1"]);
    for node in plan.nodes() {
        if let Derivation::Exec(exec) = node.derivation.decode().unwrap() {
            assert_eq!(exec.target.name(), "i686");
            assert_eq!(exec.runs_on.name(), "i686");
        }
    }
    assert_eq!(plan.count_of(Kind::Exec), 2);
}

#[test]
fn seeds_and_files_are_imports_by_content() {
    let plan = stage0_world().plan(&["stage0/hex0"]);
    let imports: Vec<_> = plan
        .nodes()
        .iter()
        .filter_map(|node| match node.derivation.decode().unwrap() {
            Derivation::Import(import) => Some((import.kind, node.origin.import.clone().unwrap())),
            _ => None,
        })
        .collect();
    assert_eq!(imports.len(), 2);
    assert!(
        imports.iter().any(|(kind, source)| {
            *kind == ImportKind::Seed && source.decode == ImportDecode::Hex
        })
    );
    assert!(
        imports
            .iter()
            .all(|(_, source)| source.path == "stages/stage0/hex0/hex0.hex")
    );
}

#[test]
fn a_run_used_by_one_subtree_keeps_only_that() {
    let plan = stage0_world().plan(&["core/zlib"]);
    let Derivation::Exec(exec) = named(&plan, "core/zlib: run").derivation.decode().unwrap() else {
        panic!()
    };
    assert!(matches!(&exec.keep, Keep::Subtree(path) if path.to_string() == "/out"));
    // Used by a subtree and by a comparison of the whole.
    let plan = stage0_world().plan(&["stage0/hex0:main"]);
    let Derivation::Exec(exec) = named(&plan, "stage0/hex0: run")
        .derivation
        .decode()
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(exec.keep, Keep::Root);
}

#[test]
fn a_run_sees_a_closed_environment() {
    let plan = stage0_world().plan(&["core/zlib"]);
    let Derivation::Exec(exec) = named(&plan, "core/zlib: run").derivation.decode().unwrap() else {
        panic!()
    };
    let env: Vec<String> = exec
        .env
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        })
        .collect();
    assert_eq!(
        env,
        [
            "ARCH=x86_64",
            "CFLAGS=-fPIC",
            "CXXFLAGS=-O2 -ffile-prefix-map=/src=.",
            "HOME=/tmp",
            "NAME=zlib",
            "OUT=/out",
            "PATH=/usr/bin:/bin",
            "SOURCE_DATE_EPOCH=315532800",
            "TRIPLE=x86_64-linux-musl",
            "VERSION=1.3.1",
        ]
    );
    assert_eq!(exec.commands.len(), 1);
    assert_eq!(
        exec.commands[0][..3],
        [b"/bin/sh".to_vec(), b"-eu".to_vec(), b"-c".to_vec()]
    );
    let script = String::from_utf8(exec.commands[0][3].clone()).unwrap();
    // The preamble stands on the first line, so that the shell's line numbers are the text's.
    assert!(script.contains("set -x; make\nmake install"), "{script}");
}

#[test]
fn what_is_brought_comes_before_what_is_needed() {
    let mut world = World::new(&[
        ("stages/core/c/package.rhai", &script_package("", "")),
        (
            "stages/core/b/package.rhai",
            &script_package("", "    brings: [\"core/c\"],\n"),
        ),
        (
            "stages/core/a/package.rhai",
            &script_package("", "    brings: [\"core/b\", \"core/c\"],\n"),
        ),
        (
            "stages/user/x/package.rhai",
            &script_package("\"core/a\"", ""),
        ),
    ]);
    let plan = world.plan(&["user/x"]);
    let root = named(&plan, "user/x: root of run");
    let Derivation::Compose(compose) = root.derivation.decode().unwrap() else {
        panic!()
    };
    let labels = |compose: &Compose<DerivationId>| -> Vec<String> {
        let label = |id| plan.node(id).unwrap().origin.label.to_string();
        compose.inputs.iter().map(label).collect()
    };
    // What is brought is merged strictly and apart, so that what is needed may replace it.
    let brought = named(&plan, "user/x: what is brought");
    assert_eq!(
        compose.ops[..2],
        [TreeOp::Merge { input: 0 }, TreeOp::Merge { input: 1 }]
    );
    assert_eq!(compose.inputs[0], brought.id);
    assert_eq!(labels(&compose), ["user/x", "core/a"]);
    let Derivation::Compose(brought) = brought.derivation.decode().unwrap() else {
        panic!()
    };
    let strict: Vec<TreeOp> = (0..2).map(|input| TreeOp::MergeStrict { input }).collect();
    assert_eq!(brought.ops, strict);
    assert_eq!(labels(&brought), ["core/c", "core/b"]);
}

#[test]
fn an_overlay_replaces_a_package_and_local_marks_the_plan() {
    let zlib = script_package("", "");
    let mut world = World::new(&[
        (
            "stxl.toml",
            "stages = [\"core\"]\noverlays = [\"../ours\"]\n",
        ),
        ("stages/core/zlib/package.rhai", &zlib),
        (
            "../ours/core/zlib/package.rhai",
            "prior().change(#{ version: \"2\" })\n",
        ),
    ]);
    let plan = world.plan(&[]);
    let Derivation::Exec(exec) = named(&plan, "core/zlib: run").derivation.decode().unwrap() else {
        panic!()
    };
    assert_eq!(exec.env[b"VERSION".as_slice()], b"2");
    assert!(!plan.is_local());
    world.tree.write(
        "local/core/zlib/package.rhai",
        "prior().change(#{ version: prior().version + \"1\" })\n",
    );
    let plan = world.plan(&[]);
    let Derivation::Exec(exec) = named(&plan, "core/zlib: run").derivation.decode().unwrap() else {
        panic!()
    };
    assert_eq!(exec.env[b"VERSION".as_slice()], b"21");
    assert!(plan.is_local());
}

#[test]
fn values_of_other_packages_can_be_read() {
    let mut world = World::new(&[
        ("stages/core/a/package.rhai", &script_package("", "")),
        (
            "stages/user/b/package.rhai",
            "script(#{ version: pkg(\"core/a\").version + \".5\", license: \"MIT\", base: [], script: #\" true \"# })\n",
        ),
    ]);
    let plan = world.plan(&["user/b"]);
    let Derivation::Exec(exec) = named(&plan, "user/b: run").derivation.decode().unwrap() else {
        panic!()
    };
    assert_eq!(exec.env[b"VERSION".as_slice()], b"1.5");
    // The value alone: nothing of `core/a` is built for it.
    assert!(
        plan.nodes()
            .iter()
            .all(|node| node.origin.label.as_str() != "core/a")
    );
}

#[test]
fn the_record_for_scripts_has_the_contract_s_fields() {
    use stxl_eval::json::{DerivationStatus, EvalRecord};
    let plan = stage0_world().plan(&["stage0/hex0:main"]);
    let plain = serde_json::to_value(EvalRecord::of(&plan, |_| None)).unwrap();
    assert_eq!(plain["version"], 1);
    assert_eq!(plain["roots"][0]["label"], "stage0/hex0");
    assert!(plain["roots"][0]["outputs"]["main"].is_string());
    let first = plain["derivations"][0].as_object().unwrap();
    let fields: Vec<&String> = first.keys().collect();
    assert_eq!(
        fields,
        [
            "file", "id", "inputs", "kind", "label", "line", "name", "opaque"
        ]
    );
    let status = EvalRecord::of(&plan, |_| Some(DerivationStatus::Pending));
    assert_eq!(
        serde_json::to_value(status).unwrap()["derivations"][0]["status"],
        "pending"
    );
}

#[test]
fn an_evaluation_with_errors_has_no_plan() {
    let mut world = World::new(&[("stages/core/a/package.rhai", "script(#{")]);
    let evaluation = world.evaluate_request(&request(&["core/a"]));
    assert!(
        evaluation.plan.is_none(),
        "{}",
        shown(&evaluation.diagnostics)
    );
    assert!(!evaluation.diagnostics.is_empty());
}

/// A toolchain is an option of the stage: packages that start from it become others, and those that
/// name a base of their own do not.
#[test]
fn a_toolchain_is_replaced_without_touching_a_package() {
    let script = |more: &str| {
        format!("script(#{{ version: \"1\", license: \"MIT\", {more} script: #\" true \"# }})\n")
    };
    let (own, with_base) = (script(""), script("base: [],"));
    let tested = script("base: [], tests: #{ t: \"true\" },");
    let mut world = World::new(&[
        ("stages/core/own/package.rhai", own.as_str()),
        ("stages/core/with-base/package.rhai", with_base.as_str()),
        ("stages/core/tested/package.rhai", tested.as_str()),
        (
            "stages/tools/one/package.rhai",
            &with_base.replace("true", "one"),
        ),
        (
            "stages/tools/two/package.rhai",
            &with_base.replace("true", "two"),
        ),
    ]);
    world.tree.write(
        "stxl.toml",
        "stages = [\"tools\", \"core\"]\n[options]\ncc = \"one\"\n[base]\n\
         core.cc.one = [\"tools/one\"]\ncore.cc.two = [\"tools/two\"]\n[test_base]\n\
         core.cc.one = [\"tools/two\"]\ncore.cc.two = [\"tools/one\"]\n",
    );
    let mut ids = |label: &str, cc: Option<&str>| {
        let mut asked = request(&[label]);
        asked.options = cc
            .map(|cc| ("cc".to_owned(), cc.to_owned()))
            .into_iter()
            .collect();
        let evaluation = world.evaluate_request(&asked);
        let plan = evaluation
            .plan
            .unwrap_or_else(|| panic!("{}", shown(&evaluation.diagnostics)));
        plan.roots()[0].outputs.clone()
    };
    for label in ["core/own", "core/tested:test.t"] {
        assert_eq!(ids(label, None), ids(label, Some("one")), "{label}");
        assert_ne!(ids(label, None), ids(label, Some("two")), "{label}");
    }
    assert_eq!(
        ids("core/with-base", None),
        ids("core/with-base", Some("two"))
    );
    assert_eq!(ids("core/tested", None), ids("core/tested", Some("two")));
}

#[test]
fn what_is_unpacked_is_told_by_its_name() {
    use stxl_model::{ArchiveFormat, TreeOp};
    let mut text = "custom(#{ version: \"1\", license: \"MIT\" });\n\nfn build(p) {\n    \
        let done = root()"
        .to_owned();
    let names = [
        "a-1.tar.xz",
        "v1.2.3",
        "a.deb?x=1.c",
        "a.zip",
        "a.cpio",
        "a.c#a.zip",
    ];
    for name in names {
        let hash = stxl_model::Sha256::of(name.as_bytes());
        text += &format!(".unpack(url(\"https://example.org/{name}\", \"{hash}\"), \"/at\")");
    }
    text += ";\n    #{ main: done.out(\"/at\") }\n}\n";
    let mut world = World::new(&[("stages/core/a/package.rhai", &text)]);
    let plan = world.plan(&["core/a"]);
    let mut unpacked: Vec<_> = plan
        .nodes()
        .iter()
        .filter_map(|node| match node.derivation.decode().unwrap() {
            Derivation::Unpack(unpack) => Some((
                node.origin.name.rsplit(' ').next().unwrap().to_owned(),
                unpack.format,
                unpack.strip_components,
            )),
            _ => None,
        })
        .collect();
    unpacked.sort_by(|left, right| left.0.cmp(&right.0));
    let expected = [
        ("a-1.tar.xz", ArchiveFormat::Tar, 1),
        ("a.cpio", ArchiveFormat::Cpio, 1),
        ("a.deb", ArchiveFormat::Deb, 0),
        ("a.zip", ArchiveFormat::Zip, 1),
        ("v1.2.3", ArchiveFormat::Tar, 1),
    ];
    let expected = expected.map(|(name, format, strip)| (name.to_owned(), format, strip));
    assert_eq!(unpacked, expected);
    // What is no archive is put as the file.
    let puts: Vec<String> = plan
        .nodes()
        .iter()
        .filter_map(|node| match node.derivation.decode().unwrap() {
            Derivation::Compose(compose) => Some(compose.ops),
            _ => None,
        })
        .flatten()
        .filter_map(|operation| match operation {
            TreeOp::PutFile { at, .. } => Some(at.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(puts, ["/at/a.c"]);
}

#[test]
fn what_nothing_of_the_plan_made_is_marked() {
    let hash = stxl_model::Sha256::of(b"archive").to_string();
    let package = |more: &str| {
        format!(
            "script(#{{ version: \"1\", license: \"MIT\", base: [], {more} script: #\" true \"#,\n    \
             source: url(\"file:///x.tar\", \"{hash}\") }})\n"
        )
    };
    let (plain, opaque) = (package(""), package("opaque: \"built elsewhere\","));
    let mut world = World::new(&[
        ("stages/core/plain/package.rhai", &plain),
        ("stages/core/opaque/package.rhai", &opaque),
    ]);
    let mut marked = |label: &str| {
        let plan = world.plan(&[label]);
        let nodes = plan.nodes().iter().filter(|node| node.origin.is_opaque);
        let kinds: Vec<Kind> = nodes.map(|node| node.derivation.kind()).collect();
        kinds
    };
    assert_eq!(marked("core/opaque"), [Kind::Fetch]);
    assert_eq!(marked("core/plain"), []);
}
