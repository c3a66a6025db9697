//! `stxl affected`: what is another if a file, a package or a source becomes another.

use serde_json::json;

use crate::layered::SOURCE_HASH;
use crate::place::Place;

/// What becomes another, and what a person is told on standard output and on standard error.
const CHANGES: [(&[&str], &str, &str); 11] = [
    (
        &["stages/first/low/package.rhai"],
        "\
first/low  evaluates stages/first/low/package.rhai
first/mid  reads values of first/low
first/top  needs first/low
",
        "3 packages, at most 3 steps",
    ),
    (
        &["first/low"],
        "\
first/low  becomes another
first/mid  needs first/low
first/top  needs first/low
",
        "3 packages, at most 3 steps",
    ),
    (
        &["lib/words.rhai"],
        "\
first/lib  evaluates lib/words.rhai
first/top  needs first/lib
",
        "2 packages, at most 2 steps",
    ),
    (
        &["stages/first/mid/files/a"],
        "\
first/mid  imports stages/first/mid/files/a
first/top  needs first/mid
",
        "2 packages, at most 2 steps",
    ),
    (&["stages/first/mid/files/a.o"], "", "no package"),
    (
        &["stages/first/mid/files"],
        "\
first/mid  imports stages/first/mid/files
first/top  needs first/mid
",
        "2 packages, at most 2 steps",
    ),
    (
        &["stages/first/lib/notes.txt"],
        "\
first/lib  imports stages/first/lib/notes.txt
first/top  needs first/lib
",
        "2 packages, at most 2 steps",
    ),
    (
        &["first/lib:notes"],
        "first/lib  becomes another\n",
        "1 package, at most 0 steps",
    ),
    (
        &[SOURCE_HASH],
        "first/alone  has the source\n",
        "1 package, at most 0 steps",
    ),
    (
        &["first/top", "lib"],
        "\
first/top  becomes another
first/lib  evaluates lib
",
        "2 packages, at most 2 steps",
    ),
    (
        &["sha256:0000000000000000000000000000000000000000000000000000000000000001"],
        "",
        "no package",
    ),
];

#[test]
fn what_is_affected_is_told_with_the_reason() {
    let place = Place::layered();
    place.write("stages/first/mid/files/a.o", "an object file\n");
    for (changes, stdout, stderr) in CHANGES {
        let words: Vec<&str> = ["affected"].iter().chain(changes).copied().collect();
        let ran = place.run(&words);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        assert_eq!(ran.stdout, stdout, "{words:?}");
        assert!(ran.stderr.contains(stderr), "{words:?}: {ran:?}");
    }
}

#[test]
fn paths_are_seen_from_where_the_person_is() {
    let place = Place::layered();
    let folder = place.workspace().join("stages/first/lib");
    let expected = place
        .run(&["affected", "stages/first/lib/notes.txt"])
        .stdout;
    for path in [
        "notes.txt",
        "./notes.txt",
        "../lib/notes.txt",
        "stages/first/lib/notes.txt",
    ] {
        let ran = place.run_in(&folder, &["affected", path]);
        assert_eq!((ran.code, &ran.stdout), (0, &expected), "{path}: {ran:?}");
    }
    // The folder of a package from its stage looks like a label, and is none.
    let ran = place.run_in(
        &place.workspace().join("stages"),
        &["affected", "./first/lib"],
    );
    assert!(
        ran.stdout
            .starts_with("first/lib  evaluates stages/first/lib\n"),
        "{ran:?}"
    );
}

#[test]
fn the_settings_affect_everything() {
    let place = Place::layered();
    let ran = place.run(&["affected", "stxl.toml", "--json"]);
    assert_eq!(
        ran.json()["packages"].as_array().unwrap().len(),
        7,
        "{ran:?}"
    );
}

#[test]
fn what_is_affected_is_one_record() {
    let place = Place::layered();
    let ran = place.run(&[
        "affected",
        "first/lib",
        "lib/words.rhai",
        SOURCE_HASH,
        "--json",
    ]);
    let package = |label: &str, because: &str, what: Option<&str>, through: Option<&str>| {
        let distance = u32::from(because == "needs");
        let steps = u32::from(label != "first/alone");
        json!({ "label": label, "because": because, "what": what, "through": through,
            "distance": distance, "steps_max": steps })
    };
    let record = json!({
        "version": 1,
        "event": "affected",
        "changes": [
            { "given": "first/lib", "kind": "label" },
            { "given": "lib/words.rhai", "kind": "file" },
            { "given": SOURCE_HASH, "kind": "source" },
        ],
        "packages": [
            package("first/lib", "named", None, None),
            package("first/alone", "fetches", Some(SOURCE_HASH), None),
            package("first/top", "needs", None, Some("first/lib")),
        ],
        "steps_max": 2,
    });
    assert_eq!(ran.json(), record);
}

#[test]
fn what_is_nothing_is_said() {
    let place = Place::layered();
    for (change, expected) in [
        ("first/mud", "did you mean `first/mid`?"),
        (
            "no/such/file",
            "neither a package of the workspace nor a file",
        ),
        ("sha256:12", "sha256:12"),
        ("first/lib:nots", "its outputs are: `main`, `notes`"),
    ] {
        let ran = place.run(&["affected", change]);
        assert_eq!(ran.code, 2, "{change}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{change}: {ran:?}");
    }
}
