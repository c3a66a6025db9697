//! `stxl why`: what is another than in the plan built before, and where that is written.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::place::{Place, Ran};

/// An edit, and what is said of a package after it.
struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    label: &'static str,
    told: &'static str,
}

const EDITS: [Edit; 9] = [
    Edit {
        file: "stages/first/low/package.rhai",
        from: "version: \"3\"",
        to: "version: \"4\"",
        label: "first/top",
        told: "\
first/top would run: 1 step to run, 2 behind unless cut off, 1 cached
less than a second of work
compared with the plan that was built last for everything

first/low
  env VERSION of run
    - 3
    + 4
    at stages/first/low/package.rhai:2, not committed

first/mid
  env MID of run
    - 3.1
    + 4.1
    at stages/first/low/package.rhai:2, not committed
  env VERSION of run
    - 3.1
    + 4.1
    at stages/first/low/package.rhai:2, not committed

cascade: first/top (1 step)
",
    },
    Edit {
        file: "stages/first/mid/files/a",
        from: "a\n",
        to: "a\nb\n",
        label: "first/top",
        told: "\
first/top would run: 1 step to run, 1 behind unless cut off, 2 cached
less than a second of work
compared with the plan that was built last for everything

first/mid
  content of stages/first/mid/files/a
    + b
    at stages/first/mid/files/a:2, not committed

cascade: first/mid (1 step), first/top (1 step)
",
    },
    Edit {
        file: "stages/first/mid/package.rhai",
        from: "needs: [\"first/low\"]",
        to: "needs: [\"first/low\", \"first/lib\"]",
        label: "first/mid",
        told: "\
first/mid would run: 1 step to run, 2 cached
less than a second of work
compared with the plan that was built last for everything

first/mid
  operations of root of run
    + merge first/lib: run
    at stages/first/mid/package.rhai:6, not committed

cascade: first/mid (1 step)
",
    },
    Edit {
        file: "lib/words.rhai",
        from: "\"lib\"",
        to: "\"libs\"",
        label: "first/lib",
        told: "\
first/lib would run: 1 step to run, 0 cached
less than a second of work
compared with the plan that was built last for everything

first/lib
  command 1 of run
    - [\"/hello\", \"/out/lib\"]
    + [\"/hello\", \"/out/libs\"]
    at stages/first/lib/package.rhai:14, by COMMIT the packages
    at lib/words.rhai:1, not committed
",
    },
    Edit {
        file: "stages/first/lib/notes.txt",
        from: "notes",
        to: "other notes",
        label: "first/lib:notes",
        told: "\
first/lib:notes would be made again, without a step of its own or below, 0 cached
compared with the plan that was built last for everything

first/lib
  content of stages/first/lib/notes.txt
    - notes
    + other notes
    at stages/first/lib/notes.txt:1, not committed
",
    },
    Edit {
        file: "stages/first/script/package.rhai",
        from: "two",
        to: "three",
        label: "first/script",
        told: "\
first/script would run: 1 step to run, 1 behind unless cut off, 0 cached
less than a second of work
compared with the plan that was built last for everything

first/script
  command 1 of run 1 of 2
    - echo two
    + echo three
    at stages/first/script/package.rhai:15, not committed

cascade: first/script (1 step)
",
    },
    Edit {
        file: "stages/first/script/more.sh",
        from: "b\n",
        to: "b\nc\n",
        label: "first/script",
        told: "\
first/script would run: 1 step to run, 1 cached
less than a second of work
compared with the plan that was built last for everything

first/script
  command 1 of run 2 of 2
    + c
    at stages/first/script/more.sh:3, not committed
",
    },
    Edit {
        file: "stages/first/script/package.rhai",
        from: "description: \"Scripts\"",
        to: "description: \"Two scripts\"",
        label: "first/script",
        told: "first/script is cached: the results of 2 steps are known\n",
    },
    Edit {
        file: "stages/first/script/package.rhai",
        from: "        .run(file(\"more.sh\"))\n",
        to: "        .run(file(\"more.sh\"))\n        .run([\"/bin/sh\", \"-c\", \"x\", \"y\"])\n",
        label: "first/script",
        told: "\
first/script would run: 1 step to run, 2 cached
compared with the plan that was built last for everything

first/script
  new: run 3 of 3
    at stages/first/script/package.rhai:18, not committed
",
    },
];

/// A shell that writes down what it is told to run.
const SHELL: &str = r#"
void _start_in_c(long *stack) {
    char **argv = (char **)(stack + 1);
    char *text = argv[3];
    long length = 0;
    while (text[length]) length++;
    long file = call(5, (long)"/out/script", 01101, 0644);
    call(4, file, (long)text, length);
    call(1, 0, 0, 0);
}
__asm__(".globl _start\n_start: mov %esp, %eax\n push %eax\n call _start_in_c\n");
"#;

const SCRIPT_PACKAGE: &str = r##"custom(#{
    version: "1",
    description: "Scripts",
    license: "MIT",
    platforms: ["i686"],
});

fn build(p) {
    let done = root()
        .put(file("sh"), "/bin/sh", "exec")
        .mkdir("/out")
        .env(#{ WORD: "a" })
        .run(#"
            echo one
            echo two
        "#)
        .run(file("more.sh"))
        ;
    #{ main: done.out("/") }
}
"##;

/// The layered workspace with a package of scripts, committed and built.
fn built() -> Place {
    let place = Place::layered();
    let shell = place.compile(SHELL);
    let folder = place.workspace().join("stages/first/script");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("sh"), shell).unwrap();
    place.write("stages/first/script/more.sh", "a\nb\n");
    place.write("stages/first/script/package.rhai", SCRIPT_PACKAGE);
    place.git(&["init", "-q"]);
    place.commit("the packages");
    let ran = place.build(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    place
}

fn why(place: &Place, words: &[&str]) -> Ran {
    let ran = place.run(&[&["why"], words].concat());
    assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    ran
}

#[test]
fn what_is_another_is_told_with_its_line() {
    let place = built();
    let head = place.git(&["rev-parse", "--short=12", "HEAD"]);
    for edit in EDITS {
        let Edit {
            file,
            from,
            to,
            label,
            told,
        } = edit;
        place.edit(file, |text| {
            assert!(text.contains(from), "{file}: {from}");
            text.replace(from, to)
        });
        let ran = why(&place, &[label]);
        assert_eq!(
            ran.stdout,
            told.replace("COMMIT", &head),
            "{file}: {to}: {}",
            ran.stderr
        );
        place.git(&["checkout", "-q", "."]);
    }
    let ran = why(&place, &["first/top"]);
    assert_eq!(
        ran.stdout,
        "first/top is cached: the results of 4 steps are known\n"
    );
}

#[test]
fn what_is_committed_is_told_with_its_commit() {
    let place = built();
    place.edit("stages/first/low/package.rhai", |text| {
        text.replace("version: \"3\"", "version: \"4\"")
    });
    let first = place.commit("low: 4\n\nA longer text.");
    place.edit("stages/first/low/package.rhai", |text| {
        format!("// A comment.\n{text}")
    });
    place.commit("low: a comment");
    place.edit("stages/first/low/package.rhai", |text| {
        format!("// Another.\n{text}")
    });
    let expected = format!("    at stages/first/low/package.rhai:4, by {first} low: 4\n");
    let ran = why(&place, &["first/low"]);
    assert!(ran.stdout.contains(&expected), "{ran:?}");
    let record = why(&place, &["first/low", "--json"]).json();
    let place = json!([{ "file": "stages/first/low/package.rhai", "line": 4,
        "written": "committed", "commit": first, "subject": "low: 4" }]);
    assert_eq!(record["causes"][0]["parts"][0]["places"], place);
}

#[test]
fn what_was_never_built_failed_or_is_gone_is_told() {
    let place = built();
    place.write(
        "stages/first/later/package.rhai",
        &SCRIPT_PACKAGE
            .replace("file(\"sh\")", "\"first/tool\"")
            .replace("\"/bin/sh\", \"exec\"", "\"/\""),
    );
    place.write("stages/first/later/more.sh", "c\n");
    let ran = why(&place, &["first/later"]);
    assert_eq!(
        ran.stdout,
        "first/later was never built here: 2 steps to run, 0 cached\n"
    );
    assert_eq!(place.build(&["first/later"]).code, 1, "there is no shell");
    let ran = why(&place, &["first/later"]);
    let failed = "first/later was never built here: 2 steps to run, 0 cached\n\
        first/later: run 1 of 2 failed when it ran last: see `stxl log first/later`\n";
    assert_eq!(ran.stdout, failed);
    let record = why(&place, &["first/later", "--json"]).json();
    assert_eq!(record["failed"], json!(["first/later: run 1 of 2"]));

    // What an older plan gave is known, and goes with the next collection.
    let low = "stages/first/low/package.rhai";
    place.edit(low, |text| text.replace("/out/low", "/out/other"));
    fs::remove_dir_all(place.workspace().join("stages/first/later")).unwrap();
    assert_eq!(place.build(&[]).code, 0);
    place.edit(low, |text| text.replace("/out/other", "/out/low"));
    let cached = "first/low is cached: the result of its step is known\n";
    assert_eq!(why(&place, &["first/low"]).stdout, cached);
    let ran = place.run(&["store", "gc", "--max-size", "1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lost =
        "the result of first/low is known and not in the store any more: a build makes it again\n";
    let ran = why(&place, &["first/low"]);
    assert_eq!(ran.stdout, format!("{cached}{lost}"));
    let ran = place.build(&["first/low"]);
    assert!(ran.stderr.contains("1 ran"), "{ran:?}");
}

#[test]
fn a_plan_that_gave_the_same_is_what_the_next_is_compared_with() {
    let place = built();
    let mid = "stages/first/mid/package.rhai";
    for (from, to) in [
        ("MID: p.version", "MID: \"a\""),
        ("MID: \"a\"", "MID: \"b\""),
    ] {
        place.edit(mid, |text| text.replace(from, to));
        let ran = why(&place, &["first/mid"]);
        let expected = match to {
            "MID: \"a\"" => "    - 3.1\n    + a\n",
            _ => "    - a\n    + b\n",
        };
        assert!(ran.stdout.contains(expected), "{ran:?}");
        let ran = place.build(&["first/mid"]);
        assert!(ran.stderr.contains("1 ran"), "{ran:?}");
        let ran = why(&place, &["first/top"]);
        let cached = "first/top is cached: the results of 4 steps are known\n";
        assert_eq!(ran.stdout, cached, "what it gives is the same");
        assert_eq!(place.build(&["first/top"]).code, 0);
    }
}

#[test]
fn what_ran_since_is_a_cause_only_if_it_gave_something_else() {
    let place = built();
    let mid = "stages/first/mid/package.rhai";
    place.edit(mid, |text| text.replace("MID: p.version", "MID: \"a\""));
    place.edit("stages/first/lib/package.rhai", |text| {
        text.replace("words::name()", "\"other\"")
    });
    for label in ["first/mid", "first/lib"] {
        assert_eq!(place.build(&[label]).code, 0);
    }
    let record = why(&place, &["first/top", "--json"]).json();
    let causes = record["causes"].as_array().unwrap();
    let told: Vec<_> = causes
        .iter()
        .map(|it| (&it["label"], &it["status"]))
        .collect();
    assert_eq!(told, [(&json!("first/lib"), &json!("cached"))], "{record}");
    assert_eq!(record["steps"]["first"], 1);
}

#[test]
fn every_variant_is_compared_with_its_own() {
    let place = built();
    let other = ["first/low", "--platform", "i686"];
    let ran = why(&place, &other);
    assert!(
        ran.stdout.starts_with("first/low is cached"),
        "the same steps: {ran:?}"
    );
    place.edit("stages/first/low/package.rhai", |text| {
        text.replace("/out/low", "/out/l")
    });
    let ran = why(&place, &other);
    assert!(ran.stdout.contains("was never built here"), "{ran:?}");
    assert!(why(&place, &["first/low"]).stdout.contains("would run"));
}

#[test]
fn an_answer_is_one_record() {
    let place = built();
    place.edit("stages/first/mid/files/a", |text| format!("{text}b\n"));
    let record = why(&place, &["first/top", "--json"]).json();
    let fields: Vec<&String> = record.as_object().unwrap().keys().collect();
    let expected = [
        "cascade",
        "causes",
        "compared_with",
        "event",
        "failed",
        "label",
        "lost",
        "state",
        "steps",
        "version",
    ];
    assert_eq!(fields, expected);
    assert_eq!(record["state"], "run");
    assert_eq!(record["compared_with"], "");
    let mut steps = record["steps"].clone();
    steps["expected_ms"] = Value::Null;
    assert_eq!(
        steps,
        json!({ "cached": 2, "first": 1, "behind": 1, "expected_ms": null, "never_ran": 0 })
    );
    assert_eq!(
        record["cascade"],
        json!([{ "label": "first/mid", "steps": 1 }, { "label": "first/top", "steps": 1 }])
    );
    let cause = json!([{
        "label": "first/mid",
        "name": "first/mid: directory stages/first/mid/files",
        "derivation_kind": "import",
        "kind": "changed",
        "status": "cached",
        "file": "stages/first/mid/package.rhai",
        "line": 7,
        "parts": [{
            "part": "content of stages/first/mid/files/a",
            "before": null,
            "after": null,
            "changes": [{ "line": 2, "removed": [], "added": ["b"] }],
            "places": [{ "file": "stages/first/mid/files/a", "line": 2, "written": "uncommitted",
                "commit": null, "subject": null }],
        }],
    }]);
    assert_eq!(record["causes"], cause);
    for (words, state) in [(["first/low"], "cached"), (["first/later"], "never-built")] {
        if state == "never-built" {
            place.write("stages/first/later/package.rhai", SCRIPT_PACKAGE);
            for file in ["sh", "more.sh"] {
                let from = place.workspace().join("stages/first/script").join(file);
                fs::copy(
                    from,
                    place.workspace().join("stages/first/later").join(file),
                )
                .unwrap();
            }
        }
        let record = why(&place, &[&words[..], &["--json"]].concat()).json();
        assert_eq!(
            (&record["state"], &record["causes"]),
            (&json!(state), &json!([]))
        );
    }
    let ran = place.run(&["why", "first", "--json"]);
    assert_eq!((ran.code, &ran.json()["event"]), (2, &json!("error")));
}

#[test]
fn a_repository_runs_no_program_of_its_own() {
    let place = built();
    let mark = place.path().join("mark");
    let program = place.path().join("program");
    fs::write(
        &program,
        format!("#!/bin/sh\ntouch {}\ncat\n", mark.display()),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.to_str().unwrap();
    for name in [
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "filter.x.clean",
        "filter.x.smudge",
        "filter.x.process",
        "diff.x.textconv",
        "diff.x.command",
        "diff.external",
        "gpg.program",
    ] {
        place.git(&["config", name, program]);
    }
    place.git(&["config", "log.showSignature", "true"]);
    place.write(".git/info/attributes", "* filter=x diff=x\n");
    let hooks = place.workspace().join(".git/hooks");
    for hook in [
        "post-checkout",
        "post-index-change",
        "reference-transaction",
    ] {
        fs::copy(program, hooks.join(hook)).unwrap();
    }
    place.edit("stages/first/low/package.rhai", |text| {
        text.replace("version: \"3\"", "version: \"4\"")
    });
    let ran = why(&place, &["first/low"]);
    assert!(
        ran.stdout
            .contains("stages/first/low/package.rhai:2, not committed"),
        "{ran:?}"
    );
    place.edit("stages/first/low/package.rhai", |text| {
        text.replace("version: \"4\"", "version: \"3\"")
            .replace("/out/low", "/out/l")
    });
    let ran = why(&place, &["first/low"]);
    assert!(ran.stdout.contains("not committed"), "{ran:?}");
    assert!(!mark.exists(), "nothing of the repository ran");
}
