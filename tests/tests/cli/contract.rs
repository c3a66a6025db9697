//! The shapes of JSON that scripts rely on.

use serde_json::Value;

use crate::place::Place;

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn eval_prints_one_record() {
    let place = Place::with_stage0();
    let ran = place.run(&["eval", "stage0/hex1", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let record = ran.json();
    assert_eq!(keys(&record), ["derivations", "roots", "version"]);
    assert_eq!(record["version"], 1);
    let root = &record["roots"][0];
    assert_eq!(root["label"], "stage0/hex1");
    let derivations = record["derivations"].as_array().unwrap();
    let ids: Vec<&str> = derivations
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&root["outputs"]["main"].as_str().unwrap()));
    for one in derivations {
        assert_eq!(
            keys(one),
            [
                "file", "id", "inputs", "kind", "label", "line", "name", "opaque"
            ]
        );
        for input in one["inputs"].as_array().unwrap() {
            assert!(
                ids.contains(&input.as_str().unwrap()),
                "inputs are in the record"
            );
        }
        assert!(one["line"].as_u64().unwrap() > 0, "{one}");
    }
}

#[test]
fn a_profile_is_one_record_and_a_file() {
    let place = Place::with_stage0();
    let plan = place.run(&["eval", "--json"]).stdout;
    let ran = place.run(&["eval", "--profile=stacks.txt", "stage0/hex1", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let record = ran.json();
    let fields = [
        "cpu_ns",
        "event",
        "functions",
        "packages",
        "phases",
        "threads",
        "version",
        "wall_ns",
    ];
    assert_eq!(keys(&record), fields);
    assert_eq!(
        (&record["version"], &record["event"]),
        (&1.into(), &"profile".into())
    );
    let phases = record["phases"].as_array().unwrap();
    let names: Vec<&str> = phases
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["list", "compile", "define", "expand", "lower", "link"]
    );
    assert_eq!(keys(&phases[0]), ["count", "name", "ns"]);
    let package = &record["packages"][0];
    let parts = [
        "compile_ns",
        "define_ns",
        "expand_ns",
        "lower_ns",
        "name",
        "total_ns",
    ];
    assert_eq!(keys(package), parts);
    let function = &record["functions"][0];
    assert_eq!(
        keys(function),
        ["calls", "file", "name", "self_ns", "total_ns"]
    );
    let stacks = std::fs::read_to_string(place.workspace().join("stacks.txt")).unwrap();
    assert!(stacks.contains("stage0/hex1;expand;"), "{stacks}");

    let shown = place.run(&["eval", "--profile=graph.svg", "stage0/hex1"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("  stage0/hex1\n"), "{}", shown.stdout);
    assert!(
        shown.stdout.contains("of processor time on"),
        "{}",
        shown.stdout
    );
    let picture = std::fs::read_to_string(place.workspace().join("graph.svg")).unwrap();
    assert!(picture.starts_with("<svg "));

    assert_eq!(place.run(&["eval", "--json"]).stdout, plan);
    let unwritable = place.run(&["eval", "--profile=no/such/folder"]);
    assert_eq!(unwritable.code, 3, "{unwritable:?}");
}

#[test]
fn an_origin_is_one_record() {
    let place = Place::with_stage0();
    let ran = place.run(&["eval", "stage0/hex1", "--origin", "version", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let record = ran.json();
    let fields = [
        "chain", "event", "field", "label", "unknown", "value", "version",
    ];
    assert_eq!(keys(&record), fields);
    assert_eq!(
        (&record["version"], &record["event"]),
        (&1.into(), &"origin".into())
    );
    assert_eq!(record["label"], "stage0/hex1");
    let place_of_it = record["chain"].as_array().unwrap().last().unwrap();
    assert_eq!(
        keys(place_of_it),
        ["column", "file", "line", "text", "what"]
    );
    assert_eq!(place_of_it["file"], "stages/stage0/hex1/package.rhai");
    assert!(place_of_it["text"].as_str().unwrap().contains("version:"));
    let shown = place.run(&["eval", "stage0/hex1", "--origin", "step.1.command"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let line = "\nstages/stage0/hex1/package.rhai:";
    assert!(shown.stdout.contains(line), "{}", shown.stdout);
    for wrong in [
        ["eval", "stage0/hex1", "--origin", "nothing"],
        ["eval", "stage0/hex1", "--origin", "a..b"],
        ["eval", "stage0", "--origin", "version"],
    ] {
        let ran = place.run(&wrong);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn status_tells_what_a_build_would_do() {
    let place = Place::with_stage0();
    let statuses = |place: &Place| -> Vec<(String, String)> {
        let record = place
            .run(&["eval", "stage0/hex2", "--json", "--status"])
            .json();
        let derivations = record["derivations"].as_array().unwrap();
        let execs = derivations.iter().filter(|one| one["kind"] == "exec");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        execs
            .map(|one| (text(&one["label"]), text(&one["status"])))
            .collect()
    };
    let before = statuses(&place);
    assert_eq!(before.len(), 3);
    assert!(
        before
            .iter()
            .all(|(_, status)| status == "run" || status == "pending"),
        "{before:?}"
    );
    assert_eq!(place.run(&["build", "stage0/hex2"]).code, 0);
    assert!(
        statuses(&place)
            .iter()
            .all(|(_, status)| status == "cached")
    );
    place.edit("stages/stage0/hex1/hex1.hex0", |text| {
        format!("# A comment\n{text}")
    });
    let after = statuses(&place);
    let of = |label: &str| {
        after
            .iter()
            .find(|(name, _)| name == label)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(
        [of("stage0/hex0"), of("stage0/hex2")],
        ["cached", "pending"],
        "{after:?}"
    );
}

#[test]
fn the_summary_is_the_last_event() {
    let place = Place::with_stage0();
    let ran = place.run(&["build", "stage0/hex0", "--json"]);
    let summary = ran.summary();
    assert_eq!(
        keys(&summary),
        [
            "cached", "check", "cut_off", "event", "failed", "outcome", "outputs", "ran",
            "skipped", "total"
        ]
    );
    let outputs = summary["outputs"].as_array().unwrap();
    assert!(!outputs.is_empty());
    for output in outputs {
        assert_eq!(keys(output), ["label", "output", "path", "tree"]);
        let path = output["path"].as_str().unwrap();
        assert!(std::path::Path::new(path).is_dir(), "{path}");
    }
    assert!(
        ran.stderr.is_empty(),
        "programs read standard output only: {}",
        ran.stderr
    );
}

#[test]
fn diagnostics_have_a_fixed_shape() {
    let place = Place::with_first_package();
    place.edit("stages/first/hello/package.rhai", |text| {
        text.replace("version:", "verison:")
    });
    for command in ["eval", "build"] {
        let ran = place.run(&[command, "--json"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        let record = ran.json();
        assert_eq!(keys(&record), ["diagnostics", "event", "version"]);
        let first = &record["diagnostics"][0];
        assert_eq!(first["file"], "stages/first/hello/package.rhai", "{record}");
        assert!(first["line"].as_u64().is_some() && first["column"].as_u64().is_some());
    }
}

#[test]
fn what_stops_a_command_is_a_record_too() {
    let place = Place::with_first_package();
    for words in [
        &["build", "--json", "a b/c"][..],
        &["eval", "--json", "-C", "missing"],
        &["build", "--json", "--store", "/proc/none"],
        &["build", "--json", "-j", "0"],
        &["eval", "--json", "--platform", "arm"],
        &["store", "gc", "--json", "--no-such-thing"],
    ] {
        let ran = place.run(words);
        let record = ran.json();
        assert_eq!(
            keys(&record),
            ["event", "exit", "hint", "message", "version"]
        );
        assert_eq!(record["exit"], ran.code, "{ran:?}");
    }
}

/// Every command has help with an example.
#[test]
fn every_command_shows_an_example() {
    let place = Place::empty();
    let commands: [&[&str]; 14] = [
        &["init"],
        &["eval"],
        &["build"],
        &["log"],
        &["shell"],
        &["doctor"],
        &["completions"],
        &["store", "gc"],
        &["store", "verify"],
        &["store", "path"],
        &["store", "root", "add"],
        &["store", "root", "list"],
        &["store", "root", "remove"],
        &["store", "rebuild-db"],
    ];
    for command in commands {
        let words: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = place.run_in(place.path(), &words);
        assert_eq!(help.code, 0, "{help:?}");
        assert!(
            help.stdout.contains("Example"),
            "{command:?}: {}",
            help.stdout
        );
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = place.run_in(place.path(), &["completions", shell]);
        for word in ["rebuild-db", "root", "remove", "link", "platform"] {
            assert!(completions.stdout.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn doctor_finds_every_guard() {
    let place = Place::empty();
    let ran = place.run_in(place.path(), &["doctor", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let record = ran.json();
    assert_eq!(record["healthy"], true);
    assert!(record["guards"].as_array().unwrap().len() > 30);
}

#[test]
fn doc_shows_and_searches() {
    let place = Place::with_stage0();
    let all = place.run(&["doc", "--json"]).json();
    assert_eq!(keys(&all), ["entries", "event", "version"]);
    for entry in all["entries"].as_array().unwrap() {
        assert_eq!(
            keys(entry),
            ["example", "fields", "kind", "name", "text", "usage"]
        );
        assert!(entry["text"].as_str().unwrap().ends_with('.'), "{entry}");
    }
    let named = place.run(&["doc", "autotools"]).stdout;
    assert!(named.contains("Arguments of `./configure`"), "{named}");
    assert!(named.contains("autotools(#{ version: \"1\""), "{named}");
    // A word that is no name leads to what speaks of it.
    let spoken = place.run(&["doc", "lock", "crate", "--json"]).json();
    let names = spoken["entries"].as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["cargo", "lock"]);
    assert_eq!(place.run(&["doc", "quux"]).code, 4);
}
