//! Platforms, options and tests that are asked for on the command line.

use std::fs;

use crate::place::{Place, Ran};

/// The first package with an option, for two platforms, with a test.
const PACKAGE: &str = r#"custom(#{
    version: "1",
    description: "One file, under a name that can be chosen",
    license: "MIT",
    platforms: ["i686", "x86_64"],
    options: #{ name: "greeting" },
    seeds: #{ hello: seed("hello.hex", "sha256:ec2c9317d919152b416baa494d1c5822175689f0bb36cd23f79c39c86666d93e") },
    tests: #{ greets: "test -e /greeting" },
});

fn build(p) {
    let done = root().put(p.seeds.hello, "/hello", "exec").mkdir("/out")
        .run(["/hello", "/out/" + p.options.name]);
    #{ main: done.out("/out") }
}
"#;

fn place() -> Place {
    let place = Place::with_first_package();
    place.write("stages/first/hello/package.rhai", PACKAGE);
    place
}

fn words<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    words.iter().chain(more).copied().collect()
}

/// The ids of the package's outputs as the plan has them, by name.
fn outputs(place: &Place, more: &[&str]) -> serde_json::Value {
    let ran = place.run(&words(&["eval", "first/hello", "--json"], more));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()["roots"][0]["outputs"].clone()
}

/// The files of the output whose path is told.
fn files(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, 0, "{ran:?}");
    let path = ran.stdout.trim().split('\t').next_back().unwrap();
    let entries = fs::read_dir(path).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_variant_is_a_plan_of_its_own() {
    let place = place();
    let plain = outputs(&place, &[]);
    let same: [&[&str]; 3] = [
        &["--platform", "x86_64"],
        &["--with", "name=greeting"],
        &["--platform=x86_64", "--with=name=greeting"],
    ];
    for more in &same[..1] {
        assert_eq!(
            outputs(&place, more),
            plain,
            "{more:?} is what holds anyway"
        );
    }
    let other: [&[&str]; 4] = [
        &["--platform", "i686"],
        &["--with", "name=other"],
        &["--with", "name=a=b c"],
        &["--platform", "i686", "--with", "name=other"],
    ];
    let mut seen = vec![plain["main"].clone()];
    for more in other {
        let main = outputs(&place, more)["main"].clone();
        assert!(!seen.contains(&main), "{more:?}");
        seen.push(main);
    }
    assert!(plain.get("test.greets").is_none(), "{plain}");
    let tested = outputs(&place, &["--tests"]);
    assert_eq!(tested["main"], plain["main"]);
    assert!(tested["test.greets"].is_string(), "{tested}");
    let ran = place.run(&["eval", "first/hello:test.greets", "--json"]);
    let named = ran.json()["roots"][0]["outputs"].clone();
    assert_eq!(
        named["test.greets"], tested["test.greets"],
        "a test can be named"
    );
}

#[test]
fn every_command_takes_a_variant_and_the_store_keeps_each() {
    let place = place();
    let chosen = ["--with", "name=other"];
    assert_eq!(files(&place.run(&["build", "first/hello"])), ["greeting"]);
    let build = words(&["build", "first/hello"], &chosen);
    assert_eq!(files(&place.run(&build)), ["other"]);
    let gc = place.run(&["store", "gc"]);
    assert_eq!(gc.code, 0, "{gc:?}");
    for (more, file) in [(&[][..], "greeting"), (&chosen, "other")] {
        let path = words(&["store", "path", "first/hello"], more);
        assert_eq!(files(&place.run(&path)), [file], "it is kept: {more:?}");
        let log = place.run(&words(&["log", "first/hello"], more));
        assert_eq!(log.code, 0, "{log:?}");
    }
    let ran = place.run(&["log", "first/hello", "--platform", "i686"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let hint = "stxl build first/hello --platform i686";
    assert!(ran.stderr.contains(hint), "{ran:?}");
    let path = words(
        &["store", "path", "first/hello", "--platform=i686"],
        &chosen,
    );
    let ran = place.run(&path);
    let hint = "stxl build first/hello --platform i686 --with name=other";
    assert!(ran.stderr.contains(hint), "{ran:?}");
}

#[test]
fn a_failed_test_says_how_to_enter_it() {
    let place = place();
    let ran = place.run(&["build", "first/hello", "--tests"]);
    assert_eq!(ran.code, 1, "there is no shell in its root: {ran:?}");
    let hint = "stxl shell first/hello --tests";
    assert!(ran.stderr.contains(hint), "{ran:?}");
    // The tests are steps of the package, after its own.
    let words = ["shell", "first/hello", "--tests", "--", "/greeting"];
    let ran = place.run(&words);
    let entered = "first/hello: run 2 of 2, before it runs";
    assert!(ran.stderr.contains(entered), "{ran:?}");
    assert!(ran.stderr.contains("Permission denied"), "{ran:?}");
}

#[test]
fn a_step_of_a_test_is_known_by_its_number_only_with_the_tests() {
    let place = place();
    for command in ["log", "shell"] {
        for (step, is_hinted) in [("first/hello@2", true), ("first/hello@3", false)] {
            let ran = place.run(&[command, step]);
            assert_eq!(ran.code, 2, "{ran:?}");
            assert!(ran.stderr.contains("only 1 to 1"), "{ran:?}");
            assert_eq!(ran.stderr.contains("--tests"), is_hinted, "{ran:?}");
        }
    }
    let ran = place.run(&["log", "first/hello@3", "--tests"]);
    assert!(ran.stderr.contains("only 1 to 2"), "{ran:?}");
    assert!(!ran.stderr.contains("--tests"), "{ran:?}");
}

#[test]
fn what_is_wrong_with_a_variant_is_said() {
    let place = place();
    for (more, expected) in [
        (&["--platform", "arm"][..], "x86_64"),
        (&["--with", "name"], "NAME=VALUE"),
        (&["--with", "=x"], "NAME=VALUE"),
        (
            &["--with", "name=a", "--with", "name=b"],
            "`name` is set twice",
        ),
        (&["--with", "nme=a"], "did you mean `name`?"),
        (
            &["--with", "modules=a"],
            "No package that is asked for has an option `modules`",
        ),
    ] {
        for command in [&["eval"][..], &["build"], &["log", "first/hello"]] {
            let ran = place.run(&words(command, more));
            assert_eq!(ran.code, 2, "{more:?}: {ran:?}");
            assert!(ran.stderr.contains(expected), "{more:?}: {ran:?}");
        }
    }
}
