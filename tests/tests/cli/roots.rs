//! What collection keeps because the user says so: links to results, and names.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;

use serde_json::Value;

use crate::place::{DIRECTORY_PACKAGE, Place};

fn place_with_data() -> Place {
    let place = Place::with_first_package();
    place.write("stages/first/data/package.rhai", DIRECTORY_PACKAGE);
    set_text(&place, "first");
    place
}

/// Has the package hold another file, which is another result.
fn set_text(place: &Place, text: &str) {
    place.write("stages/first/data/files/text", &text.repeat(100_000));
}

fn ok(place: &Place, words: &[&str]) -> String {
    let ran = place.run(words);
    assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    ran.stdout
}

/// How many objects a collection removed.
fn collect(place: &Place) -> u64 {
    let ran: Value = serde_json::from_str(&ok(place, &["store", "gc", "--json"])).unwrap();
    ran["objects"].as_u64().unwrap()
}

fn roots(place: &Place) -> Vec<(String, String)> {
    let list: Value =
        serde_json::from_str(&ok(place, &["store", "root", "list", "--json"])).unwrap();
    assert_eq!(list["version"], 1);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let roots = list["roots"].as_array().unwrap().iter();
    roots
        .map(|root| {
            assert!(text(&root["tree"]).len() >= 64, "{root}");
            (text(&root["kind"]), text(&root["name"]))
        })
        .collect()
}

fn result(place: &Place) -> PathBuf {
    place.workspace().join("result")
}

#[test]
fn a_link_keeps_its_result_for_as_long_as_it_is_there() {
    let place = place_with_data();
    let link = result(&place);
    let first_byte = || fs::read(link.join("text")).unwrap()[0];
    ok(&place, &["build", "first/data", "--link", "result"]);
    assert_eq!(first_byte(), b'f');
    let owner = link.symlink_metadata().unwrap().uid();
    assert_eq!(owner, place.store().metadata().unwrap().uid());
    let shown = link.canonicalize().unwrap();
    assert!(
        shown.starts_with(place.store().join("checkouts")),
        "{shown:?}"
    );
    let name = link.display().to_string();
    assert_eq!(roots(&place), [("link".to_owned(), name)]);

    // What was built last is something else; the link keeps what it leads to, files and objects.
    set_text(&place, "second");
    ok(&place, &["build", "first/data"]);
    assert_eq!(collect(&place), 0);
    assert_eq!(first_byte(), b'f');

    // It is replaced, also where it is asked for by another path, and keeps the new result only.
    let again = ["build", "first/data", "--link", "stages/../result"];
    ok(&place, &again);
    assert_eq!(first_byte(), b's');
    assert_eq!(roots(&place).len(), 1);
    let mut left = fs::read_dir(place.workspace()).unwrap().map(Result::unwrap);
    assert!(left.all(|entry| !entry.file_name().to_string_lossy().contains("stxl-")));
    assert!(collect(&place) > 0, "the earlier result is let go");

    // Once it is gone nothing is kept by it.
    set_text(&place, "third");
    ok(&place, &["build", "first/data"]);
    assert_eq!(collect(&place), 0);
    let kept = link.canonicalize().unwrap();
    fs::remove_file(&link).unwrap();
    assert_eq!(roots(&place), []);
    assert!(collect(&place) > 0 && !kept.exists());
    ok(&place, &["store", "verify"]);
}

#[test]
fn a_link_replaces_nothing_but_links_into_the_store() {
    let place = Place::with_first_package();
    let at = |name: &str| place.workspace().join(name);
    fs::write(at("file"), "mine").unwrap();
    fs::create_dir(at("directory")).unwrap();
    symlink("file", at("elsewhere")).unwrap();
    for (path, expected) in [
        ("file", "is there already, and is no link into the store"),
        (
            "directory",
            "is there already, and is no link into the store",
        ),
        (
            "elsewhere",
            "is there already, and is no link into the store",
        ),
        ("missing/result", "has no directory above it"),
    ] {
        let ran = place.run(&["build", "first/hello", "--link", path]);
        assert_eq!(ran.code, 2, "{path}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{path}: {ran:?}");
        assert!(
            !ran.stderr.contains("1 step"),
            "nothing is built first: {ran:?}"
        );
    }
    assert_eq!(fs::read_to_string(at("elsewhere")).unwrap(), "mine");
    assert!(at("directory").is_dir());
    assert_eq!(roots(&place), []);

    // A failed build leaves the link as it was.
    ok(&place, &["build", "first/hello", "--link", "result"]);
    let before = fs::read_link(result(&place)).unwrap();
    place.edit("stages/first/hello/package.rhai", |text| {
        text.replace("/out/greeting", "/missing/greeting")
    });
    let failed = place.run(&["build", "first/hello", "--link", "result"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert_eq!(fs::read_link(result(&place)).unwrap(), before);
    assert_eq!(
        roots(&place)[0].0,
        "log",
        "the log of the failure is kept too"
    );
}

#[test]
fn one_link_leads_to_one_result() {
    let place = Place::with_stage0();
    let ran = place.run(&["build", "stage0", "--link", "result"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("one link cannot lead to"), "{ran:?}");
    assert!(result(&place).symlink_metadata().is_err());
}

#[test]
fn names_keep_results() {
    let place = place_with_data();
    let add = ["store", "root", "add", "release-1", "first/data"];
    let ran = place.run(&add);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("stxl build first/data"), "{ran:?}");
    ok(&place, &["build", "first/data"]);
    ok(&place, &add);
    let name = |name: &str| ("name".to_owned(), name.to_owned());
    assert_eq!(roots(&place), [name("release-1")]);
    let before = ok(&place, &["store", "path", "first/data"]);

    set_text(&place, "second");
    ok(&place, &["build", "first/data"]);
    assert_eq!(collect(&place), 0);
    set_text(&place, "first");
    assert_eq!(ok(&place, &["store", "path", "first/data"]), before);

    ok(&place, &["store", "root", "remove", "release-1"]);
    assert_eq!(roots(&place), []);
    assert!(collect(&place) > 0);
    let ran = place.run(&["store", "path", "first/data"]);
    assert_eq!(ran.code, 2, "its objects are gone: {ran:?}");
    ok(&place, &["store", "verify"]);

    for (words, expected) in [
        (&["remove", "release-1"][..], "there is no root `release-1`"),
        (&["remove", "failed log of x"], "there is no root"),
        (&["add", "a b", "first/hello"], "is not a name"),
        (&["add", "", "first/hello"], "is not a name"),
        (&["add", "x", "first"], "is not a label"),
        (&["add", "x", "first/hello:dev"], "dev"),
    ] {
        let words: Vec<&str> = ["store", "root"].iter().chain(words).copied().collect();
        let ran = place.run(&words);
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{words:?}: {ran:?}");
    }
}
