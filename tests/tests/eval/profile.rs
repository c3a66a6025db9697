//! What an evaluation costs: who is blamed for what, and that measuring changes nothing.

use std::path::Path;

use stxl_eval::{Profile, Profiled, evaluate_in_child, profile_in_child};

use crate::hostile::{child_request, program, workspace};
use crate::world::{script_package, shown};

const COSTLY: &str = r#"
import "lib/work" as work;
custom(#{ version: work::spin(3), license: "MIT", base: [] });

fn build(p) {
    let n = 0;
    for i in 0..60000 { n += i; }
    #{ main: root().write("/out/n", `${n}`).out() }
}
"#;

const WORK: &str = r"
fn spin(times) { `${again(times)}.${quick()}` }
fn again(times) { if times == 0 { 0 } else { 1 + again(times - 1) } }
fn quick() { 7 }
";

fn folder() -> tempfile::TempDir {
    let script = script_package(
        "",
        "    source: url(\"https://a/b.tar\", \"sha256:1111111111111111111111111111111111111111111111111111111111111111\"),\n",
    );
    let reading = "script(#{ version: pkg(\"core/z\").version, license: \"MIT\", base: [], script: \"true\" })";
    workspace(&[
        ("lib/work.rhai", WORK),
        ("stages/core/a/package.rhai", &script),
        ("stages/core/b/package.rhai", reading),
        ("stages/core/z/package.rhai", COSTLY),
    ])
}

fn profiled(folder: &Path) -> Profile {
    let Profiled {
        evaluation,
        profile,
    } = profile_in_child(&program(), &child_request(folder)).unwrap();
    profile.unwrap_or_else(|| panic!("{}", shown(&evaluation.diagnostics)))
}

#[test]
fn a_costly_package_and_its_function_are_at_the_top() {
    let folder = folder();
    let profile = profiled(folder.path());
    let packages = profile.packages();
    assert_eq!(packages[0].name, "core/z", "{packages:?}");
    assert!(packages[0].expand_ns > packages[0].total_ns() / 2);
    let mut names: Vec<&str> = packages.iter().map(|cost| cost.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["core/a", "core/b", "core/z", "lib/work.rhai"]);
    let functions = profile.functions();
    let first = &functions[0];
    assert_eq!(
        (first.file.as_str(), first.name.as_str(), first.calls),
        ("stages/core/z/package.rhai", "build", 1)
    );
    assert!(first.self_ns > profile.cpu_ns() / 2, "{functions:?}");
}

#[test]
fn every_function_is_counted_where_it_is_defined() {
    let folder = folder();
    let functions = profiled(folder.path()).functions();
    let of = |file: &str, name: &str| {
        let found = functions
            .iter()
            .find(|cost| cost.file == file && cost.name == name);
        found.unwrap_or_else(|| panic!("{name} of {file}: {functions:?}"))
    };
    assert_eq!(of("lib/work.rhai", "spin").calls, 1);
    assert_eq!(of("lib/work.rhai", "again").calls, 4);
    assert_eq!(of("stdlib/shell.rhai", "prepare").calls, 2);
    assert_eq!(of("stdlib/shell.rhai", "variables").calls, 2);
    assert_eq!(of("builder", "script").calls, 2);
    // Of one that calls itself only the outermost call counts with what it calls.
    let (outer, again) = (of("lib/work.rhai", "spin"), of("lib/work.rhai", "again"));
    assert!(again.total_ns <= outer.total_ns);
    assert!(outer.self_ns < outer.total_ns);
}

#[test]
fn the_phases_are_the_queries_that_run() {
    let folder = folder();
    let profile = profiled(folder.path());
    let phases = profile.phases();
    let counts: Vec<(&str, u64)> = phases.iter().map(|it| (it.name, it.count)).collect();
    assert_eq!(
        counts,
        [
            ("list", 1),
            ("compile", 4),
            ("define", 3),
            ("expand", 3),
            ("lower", 3),
            ("link", 1)
        ]
    );
    let sum: u64 = phases.iter().map(|it| it.ns).sum();
    assert_eq!(sum, profile.cpu_ns());
    assert!(profile.wall_ns > 0);
    assert_eq!(profile.threads, 2);
}

#[test]
fn measuring_changes_no_plan() {
    let folder = folder();
    let request = child_request(folder.path());
    let plain = evaluate_in_child(&program(), &request).unwrap();
    let profiled = profile_in_child(&program(), &request).unwrap();
    assert!(plain.plan.is_some(), "{}", shown(&plain.diagnostics));
    assert_eq!(plain, profiled.evaluation);
}

#[test]
fn what_is_wrong_is_said_as_without_measuring() {
    let wrong =
        "import \"lib/work\" as work;\nscript(#{ version: work::many(40), script: \"true\" })";
    let deep = "fn many(n) { if n == 0 { \"1\" } else { many(n - 1) } }";
    let folder = workspace(&[
        ("lib/work.rhai", deep),
        ("stages/core/a/package.rhai", wrong),
    ]);
    let request = child_request(folder.path());
    let plain = evaluate_in_child(&program(), &request).unwrap();
    let profiled = profile_in_child(&program(), &request).unwrap();
    assert!(plain.plan.is_none());
    assert_eq!(plain, profiled.evaluation);
    assert_eq!(profiled.profile, None);
}

#[test]
fn a_flame_graph_has_the_stacks() {
    let folder = folder();
    let profile = profiled(folder.path());
    let folded = profile.folded();
    let stack = "core/z;expand;stages/core/z/package build ";
    let line = folded.lines().find_map(|line| line.strip_prefix(stack));
    let microseconds: u64 = line.unwrap_or_else(|| panic!("{folded}")).parse().unwrap();
    assert!(microseconds > 1000);
    let picture = profile.flame_graph();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("<title>core/z: "), "{picture}");
    assert_eq!(
        picture.matches("<g>").count(),
        picture.matches("</g>").count()
    );
}
