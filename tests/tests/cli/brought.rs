//! What packages bring along may not differ, in whatever lists of a root they are named.

use crate::place::Place;

/// Which package brings which; each has a file of its own name, and `text` in `/shared`.
struct Package {
    name: &'static str,
    text: &'static str,
    brings: &'static str,
}

const PACKAGES: [Package; 6] = [
    package("red", "red", ""),
    package("blue", "blue", ""),
    package("also-red", "red", ""),
    package("brings-red", "", "\"first/red\""),
    package("brings-blue", "", "\"first/blue\""),
    package("brings-also-red", "", "\"first/also-red\""),
];

const fn package(name: &'static str, text: &'static str, brings: &'static str) -> Package {
    Package { name, text, brings }
}

fn place() -> Place {
    let place = Place::with_first_package();
    for package in PACKAGES {
        let Package { name, text, brings } = package;
        let folder = format!("stages/first/{name}");
        place.write(&format!("{folder}/files/{name}"), name);
        if !text.is_empty() {
            place.write(&format!("{folder}/files/shared"), text);
        }
        let more = format!("    source: dir(\"files\"),\n    brings: [{brings}],\n");
        let build = "root().unpack(p.source, \"/out\")";
        place.write(&format!("{folder}/package.rhai"), &definition(&more, build));
    }
    place
}

fn definition(fields: &str, root: &str) -> String {
    format!(
        "custom(#{{\n    version: \"1\",\n    description: \"x\",\n    license: \"MIT\",\n    \
         platforms: [\"i686\"],\n{fields}}});\n\nfn build(p) {{\n    #{{ main: {root}.out(\"/out\") }}\n}}\n"
    )
}

/// How a root is made, and the text of `/shared` in it; nothing when it cannot be made.
const ROOTS: [(&str, Option<&str>); 12] = [
    (r#"root(["first/brings-red", "first/brings-blue"])"#, None),
    (r#"root("first/brings-red").add("first/brings-blue")"#, None),
    (
        r#"root("first/brings-blue").mkdir("/x").add("first/red").add("first/brings-red")"#,
        Some("red"),
    ),
    (
        r#"root("first/brings-red").put("first/blue", "/").add("first/brings-blue")"#,
        None,
    ),
    (
        r#"root("first/brings-red").add("first/brings-also-red").add("first/brings-blue")"#,
        None,
    ),
    (
        r#"root("first/brings-red").add("first/brings-also-red")"#,
        Some("red"),
    ),
    (
        r#"root("first/brings-red").add("first/brings-red")"#,
        Some("red"),
    ),
    (
        r#"root("first/brings-red").add("first/blue")"#,
        Some("blue"),
    ),
    (r#"root(["first/brings-red", "first/blue"])"#, Some("blue")),
    // What is brought already is not brought again over what was named; something else is.
    (
        r#"root("first/brings-red").add("first/blue").add("first/brings-also-red")"#,
        Some("red"),
    ),
    (
        r#"root("first/brings-red").add("first/blue").add("first/brings-red")"#,
        Some("blue"),
    ),
    (r#"root("first/blue").add("first/brings-red")"#, Some("red")),
];

#[test]
fn two_that_differ_are_an_error_in_whatever_lists_they_are_named() {
    let place = place();
    let mut wrong = Vec::new();
    for (root, expected) in ROOTS {
        let root = format!("root().mkdir(\"/out\").put({root}, \"/out\")");
        place.write("stages/first/user/package.rhai", &definition("", &root));
        let out = place.path().join("result");
        let out = out.to_str().unwrap();
        let ran = place.run(&["build", "first/user", "--out", out]);
        let got = std::fs::read_to_string(format!("{out}/shared")).ok();
        drop(std::fs::remove_dir_all(out));
        if got.as_deref() != expected {
            wrong.push(format!("{root}: {got:?}: {}", ran.stderr));
        }
        if expected.is_none() {
            let parts = ["`/shared`", "red`", "`first/blue`"];
            let missing = parts.iter().find(|part| !ran.stderr.contains(**part));
            wrong.extend(missing.map(|part| format!("{root}: no {part}: {}", ran.stderr)));
            assert_eq!(ran.code, 1, "{ran:?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The root of a package's tests is made as that of everybody who names the package.
#[test]
fn what_a_package_brings_may_not_differ_in_its_tests() {
    let place = place();
    let fields = "    brings: [\"first/red\", \"first/blue\"],\n    tests: #{ runs: \"true\" },\n";
    let root = "root().mkdir(\"/out\")";
    place.write("stages/first/user/package.rhai", &definition(fields, root));
    let ran = place.run(&["build", "first/user", "--tests"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in [
        "`/shared`",
        "`first/red`",
        "`first/blue`",
        "what is brought",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
}
