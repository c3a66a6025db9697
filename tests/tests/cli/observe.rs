//! `stxl lint --observe`: inputs of which nothing is read.

use serde_json::Value;

use crate::place::Place;

const FILE: &str = "stages/first/user/package.rhai";

/// Needs several packages, and reads some of them; a diff of it is no business of a step.
const FIELDS: &str = r#"    needs: [
        "first/read",
        "first/unread",
        "first/linking",
        "first/carrier",
        "first/kept",
        "first/forgotten",
    ],
    source: dir("files"),
    patches: [file("fix.diff")],
"#;

const CHAIN: &str = r#"
        .add(p.needs)
        .unpack(p.source, "/src")
        .put(file("unread.txt"), "/unread.txt")
        .cd("/src").patch(p.patches).cd("/")
        .run(["/step", "copy=/read=/out/read"])
        .run(["/step", "copy=/link/text=/out/linked", "copy=/carried=/out/carried"])
        .copy("/kept", "/out/kept")"#;

fn package(place: &Place, name: &str, fields: &str, chain: &str) {
    let text = format!(
        r#"custom(#{{
    version: "1",
    description: "Files as they are",
    license: "MIT",
    platforms: ["x86_64"],
{fields}}});

fn build(p) {{
    #{{ main: root(){chain}.out("/") }}
}}
"#
    );
    place.write(&format!("stages/first/{name}/package.rhai"), &text);
}

fn place() -> Place {
    let place = Place::with_first_package();
    package(&place, "read", "", r#".write("/read", "text")"#);
    package(&place, "unread", "", r#".write("/unread", "text")"#);
    package(&place, "forgotten", "", r#".write("/away/it", "text")"#);
    package(&place, "kept", "", r#".write("/kept", "text")"#);
    package(&place, "carried", "", r#".write("/carried", "text")"#);
    package(
        &place,
        "linking",
        "",
        r#".symlink("/link", "directory").write("/directory/text", "text")"#,
    );
    let brings = "    brings: [\"first/carried\"],\n";
    package(&place, "carrier", brings, r#".write("/carrier", "text")"#);
    place.write("stages/first/user/files/unread.c", "one\n");
    place.write("stages/first/user/unread.txt", "text\n");
    place.write(
        "stages/first/user/fix.diff",
        "--- a/unread.c\n+++ b/unread.c\n@@ -1 +1 @@\n-one\n+two\n",
    );
    place.write_package("first/user", FIELDS, CHAIN);
    place
}

fn lint(place: &Place, words: &[&str]) -> (i32, Vec<Value>) {
    let ran = place.run(&[&["lint", "--observe", "first/user", "--json"], words].concat());
    let record = ran.json();
    assert_eq!(record["event"], "lint", "{ran:?}");
    (ran.code, record["diagnostics"].as_array().unwrap().clone())
}

/// What the store tells of the package.
fn recorded(place: &Place) -> (Value, String) {
    let built = place.run(&["build", "first/user", "--json"]).summary();
    assert_eq!(built["ran"], 0, "{built}");
    let tree = built["outputs"][0]["tree"].clone();
    (tree, place.run(&["eval", "first/user", "--json"]).stdout)
}

#[test]
fn what_no_step_reads_is_remarked_on_where_it_is_declared() {
    let place = place();
    let built = place.run(&["build", "first/user"]);
    assert_eq!(built.code, 0, "{built:?}");
    let before = recorded(&place);
    let (code, found) = lint(&place, &[]);
    assert_eq!(code, 4, "{found:?}");
    let told: Vec<(&str, &str, u64, &str)> = found
        .iter()
        .map(|it| {
            (
                it["id"].as_str().unwrap(),
                it["file"].as_str().unwrap(),
                it["line"].as_u64().unwrap(),
                it["message"].as_str().unwrap(),
            )
        })
        .collect();
    let unread = "unread-input";
    let nothing = |what: &str| format!("Nothing of {what} is read when `first/user` is built");
    let expected = [
        (8, nothing("`first/unread`")),
        (12, nothing("`first/forgotten`")),
        (14, nothing("the input `directory stages/first/user/files`")),
        (23, nothing("the input `file unread.txt`")),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(line, message)| (unread, FILE, *line, message.as_str()))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(found[0]["column"], 9);
    assert_eq!(found[0]["severity"], "warning");
    assert_eq!(recorded(&place), before, "nothing is recorded");
    let (code, found) = lint(&place, &["--allow", unread]);
    assert_eq!((code, found), (0, Vec::new()));
}

#[test]
fn what_is_not_built_is_built_first_and_a_person_sees_the_line() {
    let place = place();
    let ran = place.run(&["lint", "--observe", "first/user"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.stderr.contains("observing first/user: 2 steps\n"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.ends_with("4 remarks: 4 unread-input\n"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("        \"first/unread\",\n"),
        "{ran:?}"
    );
    // What is read where a step is not: nothing is said of it.
    let ran = place.run(&["lint", "first/user"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = place.run(&["lint", "first/user", "--source-dir", "."]);
    assert_eq!(ran.code, 2, "it is about observing: {ran:?}");
}

#[test]
fn a_step_that_gives_other_bytes_when_observed_is_an_error() {
    let place = Place::with_first_package();
    let chain = ".run([\"/step\", \"copy=/proc/self/stat=/out/stat\"])";
    place.write_package("first/user", "", chain);
    let built = place.run(&["build", "first/user"]);
    assert_eq!(built.code, 0, "{built:?}");
    let before = recorded(&place);
    let (code, found) = lint(&place, &[]);
    assert_eq!(code, 4, "{found:?}");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["id"], "nondeterministic-step");
    assert_eq!(found[0]["severity"], "error");
    assert_eq!(recorded(&place), before, "what was first stays");
}

#[test]
fn of_a_package_that_cannot_be_built_nothing_is_observed() {
    let place = Place::with_first_package();
    place.write_package("first/user", "", ".run([\"/step\", \"fail=3\"])");
    let ran = place.run(&["lint", "--observe", "first/user", "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.json()["event"], "error");
}

#[test]
fn every_kind_is_documented() {
    let document = stxl_tests::repository().join("lang/DIAGNOSTICS.md");
    let document = std::fs::read_to_string(document).unwrap();
    for id in ["nondeterministic-step", "unobserved-step", "unread-input"] {
        assert!(document.contains(&format!("| `{id}` |")), "{id}");
        let place = Place::with_first_package();
        let ran = place.run(&[
            "lint",
            "first/hello",
            "--allow",
            "opaque-binary",
            "--allow",
            id,
        ]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}
