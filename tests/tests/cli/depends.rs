//! `stxl depends`: ways from one package to another, with the lines they are written in.

use serde_json::json;

use crate::place::Place;

/// What is asked, and what a person is told on standard output.
const WAYS: [(&[&str], &str); 4] = [
    (
        &["first/mid", "--on", "first/low"],
        "first/mid\n  needs first/low  stages/first/mid/package.rhai:6\n",
    ),
    (
        &["first/top", "--on", "first/low"],
        "first/top\n  needs first/low  stages/first/top/package.rhai:8, brought by first/lib\n",
    ),
    (
        &["first/top", "--on", "first/tool", "--all"],
        "\
first/top
  needs first/tool  stages/first/top/package.rhai:13

first/top
  needs first/mid   stages/first/top/package.rhai:7
  needs first/tool  stages/first/mid/package.rhai:11

first/top
  needs first/lib   stages/first/top/package.rhai:8
  needs first/tool  stages/first/lib/package.rhai:12

first/top
  needs first/low   stages/first/top/package.rhai:8, brought by first/lib
  needs first/tool  stages/first/low/package.rhai:9

first/top
  needs first/mid   stages/first/top/package.rhai:7
  needs first/low   stages/first/mid/package.rhai:6
  needs first/tool  stages/first/low/package.rhai:9
",
    ),
    (
        &["first/top"],
        "  \
  first/tool  stages/first/top/package.rhai:13
  first/mid   stages/first/top/package.rhai:7
  first/lib   stages/first/top/package.rhai:8
  first/low   stages/first/top/package.rhai:8, brought by first/lib
",
    ),
];

#[test]
fn ways_are_told_with_the_lines_they_are_written_in() {
    let place = Place::layered();
    for (words, expected) in WAYS {
        let words: Vec<&str> = ["depends"].iter().chain(words).copied().collect();
        let ran = place.run(&words);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        assert_eq!(ran.stdout, expected, "{words:?}");
    }
}

#[test]
fn what_cannot_be_answered_is_said() {
    let place = Place::layered();
    for (words, code, expected) in [
        (
            &["first/low", "--on", "first/mid"][..],
            4,
            "first/low does not need first/mid",
        ),
        (
            &["first/top", "--on", "first/mud"],
            2,
            "did you mean `first/mid`?",
        ),
        (&["first/tpo"], 2, "did you mean `first/top`?"),
        (
            &["first/lib", "--on", "first/lib:nots"],
            2,
            "its outputs are: `main`, `notes`",
        ),
        (
            &["first/lib", "--on", "first/lib:notes"],
            2,
            "have an output in common",
        ),
        (&["first/top", "--all"], 2, "--on"),
    ] {
        let words: Vec<&str> = ["depends"].iter().chain(words).copied().collect();
        let ran = place.run(&words);
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{words:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{words:?}");
    }
    let ran = place.run(&["depends", "first/low", "--on", "first/mid", "--json"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(
        (&ran.json()["count"], &ran.json()["paths"]),
        (&json!(0), &json!([]))
    );
}

#[test]
fn ways_are_one_record() {
    let place = Place::layered();
    let words = ["depends", "first/top", "--on", "first/tool", "--json"];
    let ran = place.run(&words);
    assert_eq!(ran.code, 0, "{ran:?}");
    let place_of = |line: u32, column: u32| {
        json!({ "label": "first/tool", "platform": "i686", "direct": true, "brought_by": null,
            "file": "stages/first/top/package.rhai", "line": line, "column": column })
    };
    let record = json!({
        "version": 1,
        "event": "depends",
        "label": "first/top",
        "on": "first/tool",
        "count": 5,
        "paths": [{ "from": "first/top", "needs": [place_of(13, 16)] }],
        "needs": null,
    });
    assert_eq!(ran.json(), record);
    let ran = place.run(&[&words[..], &["--all", "--limit", "2"]].concat());
    assert_eq!(ran.json()["count"], 5);
    assert_eq!(ran.json()["paths"].as_array().unwrap().len(), 2);

    let ran = place.run(&["depends", "first/mid", "--json"]);
    assert_eq!(
        (&ran.json()["paths"], &ran.json()["on"]),
        (&json!(null), &json!(null))
    );
    let needs = ran.json()["needs"].clone();
    let labels: Vec<&str> = needs
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["first/tool", "first/low"]);
}

#[test]
fn an_output_and_another_platform_are_told() {
    let place = Place::layered();
    let ran = place.run(&["depends", "first/alone:copy"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.stdout,
        "  first/alone  stages/first/alone/package.rhai:10\n"
    );
    place.edit("stages/first/low/package.rhai", |text| {
        text.replace("[\"i686\"]", "[\"i686\", \"x86_64\"]")
            .replace(
                "root(\"first/tool\")",
                "root(pkg(\"first/tool\").on(\"i686\"))",
            )
    });
    let ran = place.run(&["depends", "first/low"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.stdout,
        "  first/tool on i686  stages/first/low/package.rhai:9\n"
    );
}
