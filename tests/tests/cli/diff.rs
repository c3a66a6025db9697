//! `stxl diff`: how the plans of revisions, of files and of the workspace differ.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::place::{Place, Ran};

/// The layered workspace, committed.
fn place() -> Place {
    let place = Place::layered();
    place.git(&["init", "-q"]);
    place.commit("the packages");
    place
}

fn diff(place: &Place, words: &[&str]) -> Ran {
    let ran = place.run(&[&["diff"], words].concat());
    assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    ran
}

fn low_4(text: &str) -> String {
    text.replace("version: \"3\"", "version: \"4\"")
}

#[test]
fn every_way_to_name_a_plan_gives_the_same() {
    let place = place();
    assert_eq!(place.build(&[]).code, 0);
    let plan = place.path().join("before.plan");
    let plan = plan.to_str().unwrap();
    assert_eq!(place.run(&["eval", "--save-plan", plan]).code, 0);
    place.edit("stages/first/low/package.rhai", |text| low_4(&text));
    let lines = "\
first/low  changed   run; 1 step, less than a second
first/mid  changed   run; 1 step, less than a second
first/top  cascade   1 step, less than a second
";
    let totals = "2 changed, 1 cascade; to run at most 3 steps, less than a second\n";
    let expect = |words: &[&str]| {
        let ran = diff(&place, words);
        assert_eq!(ran.stdout, lines, "{words:?}");
        assert!(ran.stderr.ends_with(totals), "{words:?}: {ran:?}");
    };
    expect(&["HEAD"]);
    expect(&[plan]);
    let after = place.path().join("after.plan");
    let after = after.to_str().unwrap();
    assert_eq!(place.run(&["eval", "--save-plan", after]).code, 0);
    expect(&[plan, after]);
    expect(&["HEAD", after]);
    place.commit("low: version 4");
    place.git(&["tag", "four"]);
    expect(&["HEAD~1", "HEAD"]);
    expect(&["HEAD~1", "four"]);
    expect(&[plan, "four"]);
    expect(&["HEAD~1"]);
    let ran = diff(&place, &["four"]);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.ends_with("the plans are the same\n"), "{ran:?}");
    // What is built is no work any more.
    assert_eq!(place.build(&[]).code, 0);
    let ran = diff(&place, &["HEAD~1", "--of", "first/mid"]);
    let lines = "first/low  changed   run\nfirst/mid  changed   run\n";
    assert_eq!(ran.stdout, lines);
    assert!(ran.stderr.ends_with("2 changed\n"), "{ran:?}");
}

#[test]
fn packages_come_and_go() {
    let place = place();
    place.edit("stages/first/top/package.rhai", |text| {
        text.replace("\"first/lib\"", "\"first/new\"")
    });
    let folder = place.workspace().join("stages/first");
    fs::rename(folder.join("lib"), folder.join("new")).unwrap();
    let ran = diff(&place, &["HEAD"]);
    let lines = "\
first/lib  removed
first/new  added     1 step, never ran
first/top  changed   root of run; 1 step, never ran
";
    assert_eq!(ran.stdout, lines, "{ran:?}");
    let totals = "1 added, 1 removed, 1 changed; to run at most 2 steps, never ran\n";
    assert!(ran.stderr.ends_with(totals), "{ran:?}");
}

#[test]
fn a_difference_is_one_record() {
    let place = place();
    let commit = place.git(&["rev-parse", "HEAD"]);
    place.edit("stages/first/low/package.rhai", |text| low_4(&text));
    let record = diff(&place, &["HEAD", "--of", "first/low", "--json"]).json();
    let to_run = json!({ "steps": 1, "never_ran": 1, "expected_ms": 0 });
    let outputs = record["outputs"].clone();
    let expected = json!({
        "version": 1,
        "event": "diff",
        "before": { "kind": "revision", "name": "HEAD", "commit": commit },
        "after": { "kind": "workspace", "name": null, "commit": null },
        "packages": [{ "label": "first/low", "change": "changed",
            "recipes": ["first/low: run"], "steps_added": 1, "steps_removed": 1, "to_run": to_run }],
        "outputs": outputs,
        "totals": { "added": 0, "removed": 0, "changed": 1, "cascade": 0, "to_run": to_run,
            "longest_ms": 0 },
    });
    assert_eq!(record, expected);
    assert_eq!(outputs[0]["label"], "first/low");
    assert!(outputs[0]["before"].is_string() && outputs[0]["before"] != outputs[0]["after"]);
}

/// Everything below a folder, with its times and what it holds.
fn listing(folder: &Path) -> String {
    let output = std::process::Command::new("find")
        .arg(folder)
        .args(["-printf", "%p %m %s %T@ %C@ %l\n"])
        .output()
        .unwrap();
    let mut lines: Vec<&str> = str::from_utf8(&output.stdout).unwrap().lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn nothing_of_the_repository_runs_and_nothing_is_touched() {
    let place = place();
    place.write("stages/first/mid/files/script", "#!/bin/sh\n");
    let script = place.workspace().join("stages/first/mid/files/script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(
        "script",
        place.workspace().join("stages/first/mid/files/link"),
    )
    .unwrap();
    place.write("stages/first/mid/files/lines", "one\r\ntwo $Format:%H$\r\n");
    place.write(
        ".gitattributes",
        "* text eol=lf filter=x export-subst\nlines export-ignore\n",
    );
    place.git(&["-c", "core.autocrlf=false", "add", "-A"]);
    place.commit("more files");
    // As they are in the commit, whatever attributes say of files in a folder.
    place.git(&["rm", "-q", "--cached", "-r", "."]);
    place.git(&["reset", "-q", "--hard"]);
    let (mark, program) = (place.path().join("mark"), place.path().join("program"));
    fs::write(
        &program,
        format!("#!/bin/sh\ntouch {}\ncat\n", mark.display()),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for name in [
        "filter.x.smudge",
        "filter.x.clean",
        "filter.x.process",
        "core.fsmonitor",
        "core.pager",
    ] {
        place.git(&["config", name, program.to_str().unwrap()]);
    }
    let hooks = place.workspace().join(".git/hooks");
    for hook in [
        "post-checkout",
        "post-index-change",
        "reference-transaction",
    ] {
        fs::copy(&program, hooks.join(hook)).unwrap();
    }
    let before = listing(&place.workspace());
    let ran = diff(&place, &["HEAD"]);
    assert_eq!(ran.stdout, "", "the same bytes: {ran:?}");
    let ran = diff(&place, &["HEAD~1", "HEAD"]);
    assert!(
        ran.stdout
            .contains("first/mid  changed   directory stages/first/mid/files"),
        "{ran:?}"
    );
    assert_eq!(listing(&place.workspace()), before);
    assert!(!mark.exists(), "nothing of the repository ran");
    let temporary = place.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut command = place.command();
    command.current_dir(place.workspace());
    command.env("TMPDIR", &temporary).args(["diff", "HEAD"]);
    assert!(command.output().unwrap().status.success());
    let left = fs::read_dir(&temporary).unwrap().count();
    assert_eq!(left, 0, "what was written out is gone");
}

#[test]
fn a_workspace_in_a_repository_comes_with_its_overlays() {
    let place = Place::layered();
    let top = place.path().join("top");
    fs::create_dir(&top).unwrap();
    fs::rename(place.workspace(), top.join("ws")).unwrap();
    symlink(top.join("ws"), place.workspace()).unwrap();
    let overlay = |folder: &Path, version: &str| {
        let folder = folder.join("first/low");
        fs::create_dir_all(&folder).unwrap();
        let text = format!("prior().change(#{{ version: \"{version}\" }})\n");
        fs::write(folder.join("package.rhai"), text).unwrap();
    };
    overlay(&top.join("inside"), "in");
    overlay(&place.path().join("outside/deep"), "out");
    place.edit("stxl.toml", |toml| {
        format!("overlays = [\"../inside\"]\n{toml}")
    });
    place.git(&["init", "-q", ".."]);
    place.commit("an overlay beside the workspace");
    assert_eq!(diff(&place, &["HEAD"]).stdout, "");
    overlay(&top.join("inside"), "other");
    let ran = diff(&place, &["HEAD", "--of", "first/low"]);
    assert_eq!(ran.stdout, "first/low  changed   run; 1 step, never ran\n");
    // Of one outside of the repository, nothing older is known.
    place.edit("stxl.toml", |toml| {
        toml.replace("../inside", "../../outside/deep")
    });
    place.commit("an overlay outside");
    assert_eq!(diff(&place, &["HEAD"]).stdout, "");
    let ran = diff(&place, &["HEAD~1", "HEAD", "--of", "first/low"]);
    assert_eq!(ran.stdout, "first/low  changed   run; 1 step, never ran\n");
}

#[test]
fn what_is_no_plan_is_said() {
    let place = Place::layered();
    let ran = place.run(&["diff", "HEAD"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("no saved plan"), "{ran:?}");
    place.git(&["init", "-q"]);
    place.commit("the packages");
    let file = place.path().join("file.plan");
    fs::write(&file, "stxlplan and something else").unwrap();
    for (name, expected) in [
        (
            "no-such",
            "`no-such` is neither a saved plan nor a revision",
        ),
        ("--output=x", "unexpected argument"),
        (file.to_str().unwrap(), "save it again"),
    ] {
        let ran = place.run(&["diff", name]);
        assert_eq!(ran.code, 2, "{name}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{name}: {ran:?}");
    }
    place.edit("stages/first/low/package.rhai", |text| {
        text.replace("version", "verison")
    });
    let slip = place.commit("a slip");
    place.git(&["rm", "-q", "stxl.toml"]);
    let gone = place.commit("no workspace");
    place.git(&["checkout", "-q", "HEAD~2"]);
    let ran = place.run(&["diff", "HEAD", &slip]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("did you mean `version`?"), "{ran:?}");
    let expected = format!("there is no plan of `{slip}`");
    assert!(ran.stderr.contains(&expected), "{ran:?}");
    let ran = place.run(&["diff", &gone, "--json"]);
    assert_eq!(
        (ran.code, &ran.json()["event"]),
        (2, &json!("error")),
        "{ran:?}"
    );
    let message: &Value = &ran.json()["message"];
    let expected = "has no `stxl.toml`";
    assert!(message.as_str().unwrap().contains(expected), "{message}");
}

#[test]
fn a_commit_that_git_would_not_make_writes_nothing_outside() {
    let place = place();
    let blob = place.git(&["hash-object", "-w", "stxl.toml"]);
    let link = place.path().join("target");
    fs::create_dir(&link).unwrap();
    fs::write(place.path().join("link"), link.to_str().unwrap()).unwrap();
    let link_blob = place.git(&["hash-object", "-w", "../link"]);
    // Trees that git's own commands refuse to make.
    let raw = |entries: &[(&str, &str, &str)]| {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            let digits: Vec<u8> = (0..40)
                .step_by(2)
                .map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap())
                .collect();
            bytes.extend_from_slice(&digits);
        }
        let file = place.path().join("tree");
        fs::write(&file, bytes).unwrap();
        place.git(&[
            "hash-object",
            "-w",
            "-t",
            "tree",
            "--literally",
            file.to_str().unwrap(),
        ])
    };
    let evil = raw(&[("100644", "evil", &blob)]);
    let trees = [
        raw(&[("40000", "..", &evil), ("100644", "stxl.toml", &blob)]),
        raw(&[("100644", "../evil", &blob), ("100644", "stxl.toml", &blob)]),
        raw(&[
            ("120000", "a", &link_blob),
            ("40000", "a", &evil),
            ("100644", "stxl.toml", &blob),
        ]),
    ];
    for tree in trees {
        let commit = place.git(&["commit-tree", &tree, "-m", "strange"]);
        let ran = place.run(&["diff", &commit]);
        assert_eq!(ran.code, 3, "{ran:?}");
    }
    let reached = fs::read_dir(&link).unwrap().count();
    assert_eq!(reached, 0, "nothing is written through a link");
}
