//! `stxl eval --watch`: what is told after a save is what a fresh evaluation would say.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::place::Place;
use crate::watching::Watching;

impl<'p> Watching<'p> {
    /// Watches what an evaluation gives.
    fn begin(place: &'p Place, words: &[&str]) -> Self {
        Self::of(place, "eval", words)
    }

    /// Reads records until one says of an output what a fresh evaluation says.
    fn until_fresh(&self, label: &str) -> Value {
        let expected = fresh(self.place, label);
        self.until(|record| after(record, label) == Some(&expected))
    }
}

/// What a fresh evaluation gives for an output, without a cache so that nothing is recalled.
fn fresh(place: &Place, label: &str) -> Value {
    let mut command = place.command();
    command.current_dir(place.workspace());
    command
        .args(["eval", "--json"])
        .env_remove("XDG_CACHE_HOME");
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let record: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let roots = record["roots"].as_array().unwrap();
    let root = roots.iter().find(|root| root["label"] == label);
    root.map_or(Value::Null, |root| root["outputs"]["main"].clone())
}

/// What a record says that an output is; nothing when it does not speak of it.
fn after<'r>(record: &'r Value, label: &str) -> Option<&'r Value> {
    let outputs = record["outputs"].as_array().unwrap();
    let output = outputs.iter().find(|output| output["label"] == label);
    output.map(|output| &output["after"])
}

fn changes(record: &Value) -> Vec<(&str, &str)> {
    let packages = record["packages"].as_array().unwrap().iter();
    packages
        .map(|it| {
            (
                it["label"].as_str().unwrap(),
                it["change"].as_str().unwrap(),
            )
        })
        .collect()
}

const HELLO: &str = "stages/first/hello/package.rhai";

const TWICE: &str = r#"custom(#{
    version: "1",
    description: "The greeting under two names",
    license: "MIT",
    platforms: ["i686"],
});

fn build(p) {
    #{ main: root("first/hello").copy("/greeting", "/second").out("/") }
}
"#;

/// The text of the first package with another step.
fn changed(text: &str, number: usize) -> String {
    let (head, tail) = text.split_once("fn build(p) {").unwrap();
    let name = format!("/made-{number}");
    let tail = tail.replacen(".run(", &format!(".mkdir(\"{name}\").run("), 1);
    format!("{head}fn build(p) {{{tail}")
}

/// A way in which programs save a file.
type Save = fn(&Path, &str);

const SAVES: &[(&str, Save)] = &[
    ("written over", |file, text| fs::write(file, text).unwrap()),
    ("renamed over", |file, text| {
        let swap = file.with_file_name(".package.rhai.swp");
        fs::write(&swap, text).unwrap();
        fs::rename(swap, file).unwrap();
    }),
    ("moved away and written", |file, text| {
        let backup = file.with_file_name("package.rhai~");
        fs::rename(file, &backup).unwrap();
        fs::write(file, text).unwrap();
        fs::remove_file(backup).unwrap();
    }),
    (
        "in a folder that takes the place of another",
        |file, text| {
            let folder = file.parent().unwrap();
            let other = folder.with_file_name(".other");
            fs::create_dir(&other).unwrap();
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), other.join(entry.file_name())).unwrap();
            }
            fs::write(other.join("package.rhai"), text).unwrap();
            fs::rename(folder, folder.with_file_name(".old")).unwrap();
            fs::rename(other, folder).unwrap();
            fs::remove_dir_all(folder.with_file_name(".old")).unwrap();
        },
    ),
];

#[test]
fn every_way_of_saving_is_noticed() {
    let place = Place::with_first_package();
    place.write("stages/first/twice/package.rhai", TWICE);
    let watching = Watching::begin(&place, &[]);
    let first = watching.next();
    assert_eq!(first["plan"]["steps"], 1, "{first}");
    assert_eq!(changes(&first), []);
    let text = fs::read_to_string(place.workspace().join(HELLO)).unwrap();
    for (number, (name, save)) in SAVES.iter().enumerate() {
        save(&place.workspace().join(HELLO), &changed(&text, number));
        let record = watching.until_fresh("first/twice");
        assert_eq!(
            changes(&record),
            [("first/hello", "changed"), ("first/twice", "cascade")],
            "{name}: {record}"
        );
        assert_eq!(record["diagnostics"].as_array().unwrap().len(), 0);
    }
    watching.interrupt();
}

#[test]
fn saves_faster_than_evaluations_end_with_the_newest() {
    let place = Place::with_first_package();
    place.write("stages/first/twice/package.rhai", TWICE);
    let watching = Watching::begin(&place, &[]);
    // Some come before the first evaluation is over.
    let text = fs::read_to_string(place.workspace().join(HELLO)).unwrap();
    for number in 0..200 {
        let (_, save) = SAVES[number % 2];
        save(&place.workspace().join(HELLO), &changed(&text, number));
    }
    place.edit("stages/first/twice/package.rhai", |text| {
        text.replace("/second", "/other")
    });
    // The record of the first plan has no outputs: one more change tells what is known.
    watching.until(|record| !record["plan"].is_null());
    place.edit("stages/first/twice/package.rhai", |text| {
        text.replace("/other", "/last")
    });
    watching.until_fresh("first/twice");
    watching.interrupt();
}

#[test]
fn lost_events_hide_no_change() {
    let place = Place::with_first_package();
    let watching = Watching::begin(&place, &[]);
    watching.next();
    // Whatever the program says to this, it has seen what it watches when it is stopped.
    place.edit(HELLO, |text| changed(&text, 0));
    watching.until_fresh("first/hello");
    let id = Pid::from_child(&watching.child);
    kill_process(id, Signal::STOP).unwrap();
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let queue: usize = queue.trim().parse().unwrap();
    let folder = place.workspace().join("stages/first/hello");
    for _ in 0..queue / 2 {
        fs::write(folder.join("noise"), "").unwrap();
        fs::remove_file(folder.join("noise")).unwrap();
    }
    place.edit(HELLO, |text| changed(&text, 1));
    place.write("stages/first/twice/package.rhai", TWICE);
    kill_process(id, Signal::CONT).unwrap();
    let record = watching.until_fresh("first/twice");
    assert_eq!(
        changes(&record),
        [("first/hello", "changed"), ("first/twice", "added")]
    );
    // The folders are watched anew.
    place.edit("stages/first/twice/package.rhai", |text| {
        text.replace("/second", "/other")
    });
    watching.until_fresh("first/twice");
    watching.interrupt();
}

#[test]
fn records_have_a_fixed_shape() {
    let place = Place::with_first_package();
    place.write("stages/first/twice/package.rhai", TWICE);
    let watching = Watching::begin(&place, &["first"]);
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let expected = [
        "diagnostics",
        "event",
        "ms",
        "outputs",
        "packages",
        "plan",
        "version",
    ];
    let first = watching.next();
    assert_eq!(keys(&first), expected);
    assert_eq!(keys(&first["plan"]), ["derivations", "steps"]);
    place.edit(HELLO, |text| changed(&text, 0));
    let record = watching.until_fresh("first/hello");
    assert_eq!(keys(&record), expected);
    assert_eq!(
        (&record["version"], &record["event"]),
        (&1.into(), &"evaluated".into())
    );
    let package = ["change", "label", "recipes", "steps_added", "steps_removed"];
    assert_eq!(keys(&record["packages"][0]), package);
    assert_eq!(
        keys(&record["outputs"][0]),
        ["after", "before", "label", "output"]
    );
    place.edit(HELLO, |text| text.replace("version:", "verison:"));
    let failed = watching.until(|record| record["plan"].is_null());
    assert_eq!(keys(&failed), expected);
    assert_eq!(failed["diagnostics"][0]["file"], HELLO);
    watching.interrupt();
}

#[test]
fn an_error_is_told_and_so_is_its_end() {
    let place = Place::with_first_package();
    place.write("stages/first/twice/package.rhai", TWICE);
    let watching = Watching::begin(&place, &[]);
    watching.next();
    let right = fs::read_to_string(place.workspace().join(HELLO)).unwrap();
    place.write(HELLO, &right.replace("version:", "verison:"));
    let failed = watching.until(|record| record["plan"].is_null());
    let said = failed["diagnostics"][0]["message"].as_str().unwrap();
    assert!(said.contains("verison"), "{failed}");
    // Another mistake, elsewhere, while there is no plan.
    place.edit("stxl.toml", |text| format!("{text}\nstagse = 1\n"));
    watching.until(|record| record["diagnostics"].as_array().unwrap().len() > 1);
    place.edit("stxl.toml", |text| text.replace("\nstagse = 1\n", ""));
    watching.until(|record| record["diagnostics"].as_array().unwrap().len() == 1);
    place.write(HELLO, &right);
    let fixed = watching.until(|record| !record["plan"].is_null());
    assert_eq!(fixed["diagnostics"].as_array().unwrap().len(), 0, "{fixed}");
    assert_eq!(changes(&fixed), [], "it is what it was");
    place.write(HELLO, &changed(&right, 1));
    watching.until_fresh("first/twice");
    watching.interrupt();
}

#[test]
fn packages_come_and_go() {
    let place = Place::with_first_package();
    let watching = Watching::begin(&place, &[]);
    watching.next();
    place.write("stages/first/twice/package.rhai", TWICE);
    let added = watching.until_fresh("first/twice");
    assert_eq!(changes(&added), [("first/twice", "added")]);
    place.write(
        "local/first/hello/package.rhai",
        "prior().change(#{ version: \"2\" })\n",
    );
    let replaced = watching.until_fresh("first/hello");
    assert!(!changes(&replaced).is_empty(), "{replaced}");
    fs::remove_dir_all(place.workspace().join("local")).unwrap();
    watching.until_fresh("first/hello");
    fs::remove_dir_all(place.workspace().join("stages/first/twice")).unwrap();
    let removed = watching.until(|record| after(record, "first/twice") == Some(&Value::Null));
    assert_eq!(changes(&removed), [("first/twice", "removed")]);
    watching.interrupt();
}

/// A package that gives a directory beside it.
const DATA: &str = r#"custom(#{
    version: "1",
    description: "A directory",
    license: "MIT",
    platforms: ["i686"],
    sources: #{ data: dir("data", #{ ignore: ["*.o"] }) },
});

fn build(p) {
    #{ main: root().put(p.sources.data, "/data").out("/") }
}
"#;

#[test]
fn what_is_missing_or_imported_or_behind_links_is_watched() {
    let place = Place::with_first_package();
    let data = place.workspace().join("stages/first/data");
    let watching = Watching::begin(&place, &[]);
    watching.next();
    place.write("stages/first/data/package.rhai", DATA);
    let failed = watching.until(|record| record["plan"].is_null());
    assert!(!failed["diagnostics"].as_array().unwrap().is_empty());
    for change in 0..6 {
        match change {
            0 => place.write("stages/first/data/data/one", "1"),
            1 => place.write("stages/first/data/data/below/it/two", "2"),
            2 => place.write("stages/first/data/data/below/it/two", "3"),
            3 => fs::rename(data.join("data/below"), data.join("data/above")).unwrap(),
            4 => place.write("stages/first/data/data/above/it/three", "4"),
            _ => {
                place.write(
                    "elsewhere/package.rhai",
                    &DATA.replace("/data\")", "/other\")"),
                );
                fs::remove_file(data.join("package.rhai")).unwrap();
                symlink("../../../elsewhere/package.rhai", data.join("package.rhai")).unwrap();
            }
        }
        watching.until_fresh("first/data");
    }
    place.write(
        "elsewhere/package.rhai",
        &DATA.replace("/data\")", "/third\")"),
    );
    watching.until_fresh("first/data");
    watching.interrupt();
}

#[test]
fn what_nobody_reads_is_not_told() {
    let place = Place::with_first_package();
    let store = place.workspace().join("store");
    let watching = Watching::begin(&place, &["--store", store.to_str().unwrap()]);
    watching.next();
    place.write(".git/index", "x");
    place.write("target/debug/out", "x");
    place.write("stages/first/hello/.package.rhai.swp", "x");
    place.write("stages/first/notes", "x");
    // At once, since a save in two parts may be told in two parts.
    let (_, save_at_once) = SAVES[1];
    let hello = place.workspace().join(HELLO);
    let text = fs::read_to_string(&hello).unwrap();
    save_at_once(&hello, &text);
    let ran = place.run(&["build", "--store", store.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    save_at_once(&hello, &changed(&text, 0));
    let next = watching.next();
    assert_eq!(changes(&next), [("first/hello", "changed")], "{next}");
    watching.interrupt();
    // It was saved at the end, and nothing else is left.
    let saved = fs::read_dir(place.path().join("cache/stxl/evaluation")).unwrap();
    assert_eq!(saved.count(), 1);
    let ran = place.run(&["eval", "--explain-cache"]);
    assert_eq!(
        (ran.code, ran.stderr.lines().next()),
        (0, Some("recalled 1 package, evaluated 0"))
    );
    save_at_once(&hello, "nothing");
    let ran = place.run(&["eval", "--explain-cache"]);
    let account = "recalled 0 packages, evaluated 1\n  first/hello: ";
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains(account), "{ran:?}");
}

#[test]
fn a_workspace_that_is_gone_is_an_error() {
    let place = Place::with_first_package();
    let mut watching = Watching::begin(&place, &[]);
    watching.next();
    fs::rename(place.workspace(), place.path().join("elsewhere")).unwrap();
    let record = watching.until(|record| record["event"] == "error");
    assert_eq!(record["exit"], 3, "{record}");
    assert!(
        record["message"].as_str().unwrap().ends_with("is gone"),
        "{record}"
    );
    assert_eq!(watching.child.wait().unwrap().code(), Some(3));
}
