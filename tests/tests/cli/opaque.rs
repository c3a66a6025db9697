//! Plans that are refused for machine code that nothing of them made.

use std::time::Duration;

use serde_json::{Value, json};

use crate::place::Place;
use crate::watching::Watching;

/// A package with sources from outside, which is opaque or is not.
const SOURCED: &str = r#"custom(#{
    version: "1",
    description: "Made elsewhere",
    license: "MIT",
    platforms: ["i686"],
    OPAQUE
    sources: #{
        one: url("URL",
            "sha256:0000000000000000000000000000000000000000000000000000000000000001"),
        two: url("https://example.org/two",
            "sha256:0000000000000000000000000000000000000000000000000000000000000002"),
    },
});

fn build(p) {
    #{ main: root().put(p.sources.one, "/one").put(p.sources.two, "/two").out("/") }
}
"#;

/// A package that needs others.
const NEEDING: &str = r#"custom(#{
    version: "1",
    description: "Needs something",
    license: "MIT",
    platforms: ["i686"],
});

fn build(p) {
    #{ main: root(NEEDS).mkdir("/" + p.name).out("/") }
}
"#;

const OPAQUE: &str = "opaque: \"nobody has its source\",";

/// `first/top` needs `first/middle` and that `first/sourced`; `first/hello` has a seed.
fn place(opaque: &str, url: &str) -> Place {
    let place = Place::with_first_package();
    let sourced = SOURCED.replace("OPAQUE", opaque).replace("URL", url);
    place.write("stages/first/sourced/package.rhai", &sourced);
    for (label, needs) in [
        ("middle", "[\"first/sourced\"]"),
        ("top", "[\"first/middle\"]"),
    ] {
        let text = NEEDING.replace("NEEDS", needs);
        place.write(&format!("stages/first/{label}/package.rhai"), &text);
    }
    place
}

#[test]
fn what_is_opaque_is_refused_with_the_way_to_it() {
    let place = place(OPAQUE, "https://example.org/one");
    for command in ["eval", "build"] {
        let ran = place.run(&[command, "first/top", "--no-opaque"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        for part in [
            "error[opaque-refused]: `first/sourced` has machine code that nothing of the plan made",
            "stages/first/sourced/package.rhai:8:",
            "this source is opaque, and 1 more",
            "opaque: \"nobody has its source\",",
            "`first/top` needs `first/middle` needs `first/sourced`",
            "`--no-opaque` refuses it",
            "no plan: 1 error",
        ] {
            assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
        }
        let ran = place.run(&[command, "first/top", "--no-opaque", "--json"]);
        let record = ran.json();
        assert_eq!((ran.code, &record["event"]), (2, &json!("diagnostics")));
        let said = &record["diagnostics"][0];
        assert_eq!(said["id"], "opaque-refused");
        assert_eq!(said["file"], "stages/first/sourced/package.rhai");
        assert_eq!(said["line"], 8);
        assert_eq!(said["labels"][0]["line"], 6, "{said}");
    }
    assert_eq!(place.run(&["eval", "first/top"]).code, 0);
}

#[test]
fn what_is_not_opaque_is_not_refused() {
    let place = place("", "https://example.org/one");
    let ran = place.run(&["eval", "first/top", "--no-opaque"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // A seed is on a list of its own.
    let ran = place.run(&["build", "first/hello", "--no-opaque"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn packages_of_binaries_are_opaque_whatever_a_definition_says() {
    let place = place("", "pkg:deb/debian/libc6@2.36?arch=amd64");
    let ran = place.run(&["eval", "first/sourced", "--no-opaque"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("this source is opaque\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_workspace_can_refuse_what_is_opaque() {
    let place = place(OPAQUE, "https://example.org/one");
    place.edit("stxl.toml", |toml| {
        format!("{toml}\n[policy]\nopaque = \"refuse\"\n")
    });
    for command in ["eval", "build"] {
        let ran = place.run(&[command, "first/top"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        let by = "`opaque = \"refuse\"` in `stxl.toml` refuses it";
        assert!(ran.stderr.contains(by), "{}", ran.stderr);
    }
    assert_eq!(place.run(&["build", "first/hello"]).code, 0);
    // What explains a plan does so.
    assert_eq!(
        place.run(&["graph", "first/top", "--format", "json"]).code,
        0
    );
    place.edit("stxl.toml", |toml| toml.replace("refuse", "allow"));
    assert_eq!(place.run(&["eval", "first/top"]).code, 0);
    assert_eq!(place.run(&["eval", "first/top", "--no-opaque"]).code, 2);
    for (wrong, hint) in [
        ("opaque = \"no\"", "write `allow` or `refuse`"),
        ("opak = \"refuse\"", "there is `opaque`"),
        ("opaque = true", "is text"),
    ] {
        place.edit("stxl.toml", |toml| {
            let (before, _) = toml.split_once("[policy]").expect("a policy");
            format!("{before}[policy]\n{wrong}\n")
        });
        let ran = place.run(&["eval", "first/top"]);
        assert_eq!(ran.code, 2, "{wrong}: {ran:?}");
        assert!(ran.stderr.contains(hint), "{wrong}\n{}", ran.stderr);
    }
}

/// What is edited while a plan is refused does not bring back the one before.
#[test]
fn an_edit_beside_what_is_refused_is_refused_too() {
    let place = place("", "https://example.org/one");
    let sourced = "stages/first/sourced/package.rhai";
    let watching = Watching::of(&place, "eval", &["first/top", "first/other", "--no-opaque"]);
    let other = |folder: &str| {
        let text = NEEDING.replace("NEEDS", "[]").replace("p.name", folder);
        place.write("stages/first/other/package.rhai", &text);
    };
    other("\"a\"");
    let is_planned = |record: &Value| !record["plan"].is_null();
    watching.until(is_planned);
    other("\"b\"");
    watching.until(is_planned);
    let opaque = |record: &Value| record["diagnostics"][0]["id"] == "opaque-refused";
    place.edit(sourced, |text| {
        text.replace(
            "    sources:",
            "    opaque: \"nobody knows\",\n    sources:",
        )
    });
    watching.until(opaque);
    for folder in ["\"c\"", "\"d\""] {
        other(folder);
        // Nothing is told of an edit while what is wrong stays wrong, so there is nothing to wait
        // for.
        std::thread::sleep(Duration::from_millis(500));
    }
    place.edit(sourced, |text| {
        text.replace("    opaque: \"nobody knows\",\n", "")
    });
    let next = watching.next();
    assert!(is_planned(&next), "{next}");
    let fresh = place.run(&["eval", "first/other", "--json"]).json();
    let outputs = next["outputs"].as_array().unwrap();
    let output = outputs.iter().find(|it| it["label"] == "first/other");
    assert_eq!(
        output.unwrap()["after"],
        fresh["roots"][0]["outputs"]["main"],
        "{next}"
    );
    watching.interrupt();
}
