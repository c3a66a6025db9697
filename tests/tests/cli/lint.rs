//! `stxl lint`: remarks on what is right and looks wrong.

use serde_json::{Value, json};

use crate::place::Place;

/// A package without a fault, of which each case changes something.
const PACKAGE: &str = r##"custom(#{
    version: "1",
    description: "Clean",
    license: "MIT",
    platforms: ["i686"],
    source: dir("files", #{ ignore: ["*.o", "build/*"] }),
    tests: #{ works: #"
        true
    "# },
});

fn build(p) {
    let done = root("first/tool")
        .unpack(p.source, "/src")
        .run(#"
            cd /src
            make
        "#);
    #{ main: done.out("/out") }
}
"##;

/// What is replaced by what, and the remark that is made: its kind, its line and its column.
type Case = (&'static str, &'static str, Option<(&'static str, u64, u64)>);

const CASES: [Case; 12] = [
    ("", "", None),
    (
        "    license: \"MIT\",\n",
        "",
        Some(("missing-license", 1, 1)),
    ),
    (
        "    description: \"Clean\",\n",
        "",
        Some(("missing-description", 1, 1)),
    ),
    (
        "            make\n",
        "            set +e\n            make\n",
        Some(("errexit-off", 17, 13)),
    ),
    (
        "            make\n",
        "            set +o errexit\n",
        Some(("errexit-off", 17, 13)),
    ),
    (
        "            make\n",
        "            # set +e\n            set +x\n",
        None,
    ),
    (
        "        true\n",
        "        true; set +eu\n",
        Some(("errexit-off", 8, 9)),
    ),
    (
        "\"build/*\"",
        "\"biuld/*\"",
        Some(("unmatched-glob", 6, 13)),
    ),
    ("\"build/*\"", "\"build/*\", \"!build/keep\"", None),
    (
        "dir(\"files\", #{ ignore: [\"*.o\", \"build/*\"] })",
        "url(\"pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64\", \"sha256:4939f2f9ffe14e16351ba6817058ea8acf1cae19c22cd74b20ca35856b9d9b9c\")",
        Some(("opaque-binary", 6, 13)),
    ),
    (
        "dir(\"files\", #{ ignore: [\"*.o\", \"build/*\"] })",
        "url(\"pkg:deb/debian/zlib@1:1.2?arch=source&file=z.tar.gz\", \"sha256:4939f2f9ffe14e16351ba6817058ea8acf1cae19c22cd74b20ca35856b9d9b9c\")",
        None,
    ),
    (
        "version: \"1\"",
        "version: \"1\" + \".0\"",
        Some(("version-not-literal", 2, 14)),
    ),
];

fn place() -> Place {
    let place = Place::layered();
    for file in ["a.c", "a.o", "build/keep"] {
        place.write(&format!("stages/first/linted/files/{file}"), "text\n");
    }
    place.write("stages/first/linted/package.rhai", PACKAGE);
    place
}

/// The remarks on one package, besides the seed of the program that it uses.
fn remarks(place: &Place, words: &[&str]) -> Vec<Value> {
    let ran = place.run(&[&["lint", "first/linted", "--tests", "--json"], words].concat());
    let record = ran.json();
    assert_eq!(record["event"], "lint", "{ran:?}");
    let all = record["diagnostics"].as_array().unwrap().clone();
    assert_eq!(ran.code, if all.is_empty() { 0 } else { 4 }, "{ran:?}");
    let own = |it: &Value| it["file"] == "stages/first/linted/package.rhai";
    all.into_iter().filter(own).collect()
}

#[test]
fn every_remark_has_a_place() {
    let place = place();
    for (from, to, expected) in CASES {
        assert!(PACKAGE.contains(from), "{from}");
        place.write(
            "stages/first/linted/package.rhai",
            &PACKAGE.replace(from, to),
        );
        let found = remarks(&place, &[]);
        let told: Vec<_> = found
            .iter()
            .map(|it| {
                (
                    it["id"].as_str().unwrap(),
                    it["line"].as_u64().unwrap(),
                    it["column"].as_u64().unwrap(),
                )
            })
            .collect();
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(told, expected, "{to}: {found:?}");
        for it in &found {
            assert_eq!(it["severity"], "warning");
            assert_ne!(it["hints"], json!([]), "it says what to do: {it}");
        }
    }
}

#[test]
fn what_a_definition_says_of_itself_counts() {
    let place = place();
    place.write(
        "stages/first/linted/package.rhai",
        &PACKAGE.replace("    license", "    opaque: \"A test\",\n    license"),
    );
    let found = remarks(&place, &[]);
    let ids: Vec<_> = found.iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["opaque-binary"]);
    assert_eq!(found[0]["line"], 1);
}

#[test]
fn remarks_can_be_let_pass() {
    let place = place();
    let ran = place.run(&["lint", "first/low"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.stdout
            .contains("warning[opaque-binary]: `first/tool` has machine code"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("stages/first/tool/package.rhai:6:22"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.ends_with("1 remark: 1 opaque-binary\n"),
        "{ran:?}"
    );
    let ran = place.run(&["lint", "first/low", "--allow", "opaque-binary"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stderr.ends_with("no remark; 1 let pass\n"), "{ran:?}");
    let ran = place.run(&["lint", "first/low", "--allow", "opaque-binary", "--json"]);
    let record = json!({ "version": 1, "event": "lint", "diagnostics": [], "allowed": 1 });
    assert_eq!((ran.code, ran.json()), (0, record));
}

#[test]
fn what_is_wrong_is_an_error_and_no_remark() {
    let place = place();
    let ran = place.run(&["lint", "--allow", "missing-licence"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("`missing-license`"), "{ran:?}");
    // A need in a later stage is refused when it is evaluated, and so is one that an overlay adds.
    place.edit("stxl.toml", |toml| {
        format!(
            "overlays = [\"overlay\"]\n{}",
            toml.replace("[\"first\"]", "[\"first\", \"second\"]")
        )
    });
    place.write(
        "stages/second/late/package.rhai",
        &PACKAGE.replace("source: dir", "// dir"),
    );
    place.write(
        "overlay/first/low/package.rhai",
        "prior().change(#{ needs: [\"second/late\"] })\n",
    );
    let ran = place.run(&["lint", "first/low", "--json"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let ids: Vec<_> = ran.json()["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].clone())
        .collect();
    assert!(ids.contains(&json!("later-stage")), "{ids:?}");
}

#[test]
fn every_remark_is_documented() {
    let document = stxl_tests::repository().join("lang/DIAGNOSTICS.md");
    let document = std::fs::read_to_string(document).unwrap();
    for (id, ..) in CASES.iter().filter_map(|case| case.2) {
        assert!(document.contains(&format!("| `{id}` |")), "{id}");
    }
}
