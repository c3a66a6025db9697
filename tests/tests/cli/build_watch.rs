//! `stxl build --watch`: what is built last is what is there, however it was saved.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use stxl_tests::processes::processes_with;

use crate::place::Place;
use crate::watching::Watching;

/// Far longer than anything here takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// A workspace whose package `first/edited` does what its source orders, for a source beside it.
fn place(mark: &str) -> Place {
    let place = Place::with_first_package();
    let chain = format!(
        r#".unpack(p.source, "/src").run(["/step", "obey=/src/order", "copy=/src/text=/out/text", "{mark}"])"#
    );
    place.write_package("first/edited", "    source: dir(\"files\"),\n", &chain);
    place.write("stages/first/edited/files/order", "go");
    place.write("stages/first/edited/files/text", "theirs");
    fs::create_dir(place.path().join("own")).unwrap();
    set(&place, "order", "go");
    set(&place, "text", "first");
    place
}

const OVERRIDE: [&str; 2] = ["--override", "first/edited=../own"];

fn set(place: &Place, name: &str, text: &str) {
    fs::write(place.path().join("own").join(name), text).unwrap();
}

fn is_summary(record: &Value) -> bool {
    record["event"] == "summary"
}

/// What the file of the output holds that a summary tells.
fn built(summary: &Value) -> String {
    let outputs = summary["outputs"].as_array().unwrap();
    let edited = outputs.iter().find(|it| it["label"] == "first/edited");
    let path = edited.unwrap_or_else(|| panic!("{summary}"))["path"].as_str();
    fs::read_to_string(PathBuf::from(path.unwrap()).join("text")).unwrap()
}

fn begin<'p>(place: &'p Place, words: &[&str]) -> Watching<'p> {
    Watching::of(place, "build", &[words, &OVERRIDE].concat())
}

#[test]
fn what_changed_is_built_again_and_what_is_wrong_waits_for_its_end() {
    let place = place("changes");
    let result = place.workspace().join("result");
    let watching = begin(&place, &["first/edited", "--link", "result"]);
    let evaluated = watching.next();
    assert_eq!(evaluated["event"], "evaluated");
    assert_eq!(evaluated["round"], 1);
    let first = watching.until(is_summary);
    assert_eq!(first["round"], 1);
    assert_eq!(
        (&first["outcome"], &first["ran"]),
        (&"ok".into(), &1.into())
    );
    assert_eq!(built(&first), "first");
    // A source in a directory beside the workspace.
    set(&place, "text", "second");
    let second = watching.until(is_summary);
    assert_eq!(second["round"], 2);
    assert_eq!(built(&second), "second");
    assert_eq!(fs::read_to_string(result.join("text")).unwrap(), "second");
    // A comment changes nothing that is built; a mistake begins nothing.
    let package = "stages/first/edited/package.rhai";
    place.edit(package, |text| format!("// A comment.\n{text}"));
    place.edit(package, |text| text.replace("custom(", "custm("));
    let wrong = watching.until(|record| record["event"] == "evaluated" && record["plan"].is_null());
    assert_eq!(wrong["round"], Value::Null);
    assert!(!wrong["diagnostics"].as_array().unwrap().is_empty());
    set(&place, "text", "third");
    place.edit(package, |text| text.replace("custm(", "custom("));
    let third = watching.until(is_summary);
    assert_eq!(
        (&third["round"], built(&third).as_str()),
        (&3.into(), "third")
    );
    // A build that fails is told, and waits too.
    set(&place, "order", "fail");
    let failed = watching.until(is_summary);
    assert_eq!(
        (&failed["round"], &failed["outcome"]),
        (&4.into(), &"failed".into())
    );
    assert_eq!(failed["failed"][0]["reason"], "exited");
    set(&place, "order", "go");
    let again = watching.until(is_summary);
    assert_eq!(
        (&again["round"], &again["outcome"]),
        (&5.into(), &"ok".into())
    );
    assert_eq!((&again["ran"], &again["cached"]), (&0.into(), &1.into()));
    watching.interrupt();
}

#[test]
fn many_saves_in_a_row_end_with_the_newest() {
    let place = place("saves");
    let watching = begin(&place, &["first/edited"]);
    watching.until(is_summary);
    for number in 0..40 {
        set(&place, "text", &format!("save {number}"));
        std::thread::sleep(Duration::from_millis(number % 7 * 5));
    }
    let is_newest = |record: &Value| {
        is_summary(record) && record["outcome"] == "ok" && built(record) == "save 39"
    };
    watching.until(is_newest);
    watching.interrupt();
}

/// A change kills what it concerns, and lets finish what it does not, which is not done again.
#[test]
fn a_change_while_building_ends_only_what_it_concerns() {
    let mark = format!("concerned-{}", std::process::id());
    let place = place(&mark);
    let chain = r#".run(["/step", "say=steadily", "sleep=4000", "copy=/step=/out/done"])"#;
    place.write_package("first/steady", "", chain);
    set(&place, "order", "wait");
    let watching = begin(&place, &["first/edited", "first/steady", "--jobs", "2"]);
    let mut missing = vec!["waiting", "steadily"];
    watching.until(|record| {
        let text = record["text"].as_str().unwrap_or_default().to_owned();
        missing.retain(|word| !text.contains(word));
        missing.is_empty()
    });
    assert_eq!(processes_with(&mark).len(), 1);
    set(&place, "order", "go");
    let mut ran = Vec::new();
    let mut ends = Vec::new();
    watching.until(|record| {
        let step = &record["step"];
        if record["event"] == "step_finished" && step["kind"] == "exec" {
            ran.push(step["label"].as_str().unwrap().to_owned());
        }
        if is_summary(record) {
            let outcome = record["outcome"].as_str().unwrap().to_owned();
            ends.push((
                record["round"].as_u64().unwrap(),
                outcome,
                record["ran"].clone(),
            ));
        }
        ends.len() == 2
    });
    // What waits in the first round would never end by itself.
    ends.sort_by_key(|(round, ..)| *round);
    let ends: Vec<(u64, &str, u64)> = ends
        .iter()
        .map(|(round, outcome, ran)| (*round, outcome.as_str(), ran.as_u64().unwrap()))
        .collect();
    assert_eq!(ends, [(1, "interrupted", 1), (2, "ok", 1)]);
    // Nothing more is told of a build after another took its place, but its end.
    assert_eq!(ran, ["first/edited"]);
    watching.interrupt();
}

/// Whatever way the watching ends, nothing goes on building.
#[test]
fn nothing_outlives_the_one_who_watches() {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let mark = format!("outlived-{}-{}", signal.as_raw(), std::process::id());
        let place = place(&mark);
        set(&place, "order", "wait");
        let mut watching = begin(&place, &["first/edited"]);
        watching.until(|record| {
            let text = record["text"].as_str().unwrap_or_default();
            text.contains("waiting")
        });
        assert_eq!(processes_with(&mark).len(), 1, "{signal:?}");
        kill_process(Pid::from_child(&watching.child), signal).unwrap();
        let status = watching.child.wait().unwrap();
        if signal != Signal::KILL {
            assert_eq!(status.code(), Some(130), "{signal:?}");
            assert!(processes_with(&mark).is_empty(), "{signal:?}");
        }
        let end = Instant::now() + PATIENCE;
        while !processes_with(&mark).is_empty() {
            assert!(Instant::now() < end, "{signal:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let verified = place.run(&["store", "verify"]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
}

/// An edit that makes what a link leads to ambiguous is no end, nor is one that a policy refuses:
/// nothing is built of it, and the next one is waited for.
#[test]
fn a_plan_that_is_not_to_be_built_is_waited_out() {
    let place = place("waited-out");
    place.write_package(
        "second/one",
        "",
        r#".run(["/step", "copy=/step=/out/done"])"#,
    );
    place.edit("stxl.toml", |text| {
        text.replace("stages = [\"first\"]", "stages = [\"first\", \"second\"]")
    });
    let watching = Watching::of(&place, "build", &["second", "--link", "result"]);
    assert_eq!(watching.next()["round"], 1);
    assert_eq!(watching.until(is_summary)["outcome"], "ok");
    let opaque = r#".unpack(url("file:///none.tar", "sha256:4939f2f9ffe14e16351ba6817058ea8acf1cae19c22cd74b20ca35856b9d9b9c"), "/x")"#;
    let two = place.workspace().join("stages/second/two");
    let cases: [(&str, &str, &str); 2] = [
        ("", r#".run(["/step", "copy=/step=/out/done"])"#, ""),
        (
            "    opaque: \"A test\",\n",
            opaque,
            "[policy]\nopaque = \"refuse\"\n",
        ),
    ];
    for (fields, chain, policy) in cases {
        place.write_package("second/two", fields, chain);
        place.edit("stxl.toml", |text| format!("{text}{policy}"));
        let refused = watching.until(|record| {
            record["event"] == "evaluated"
                && (policy.is_empty() || !record["diagnostics"].as_array().unwrap().is_empty())
        });
        assert_eq!(refused["round"], Value::Null, "{refused}");
        fs::remove_dir_all(&two).unwrap();
        place.edit("stxl.toml", |text| text.replace(policy, ""));
        watching.until(|record| record["event"] == "evaluated" && record["plan"]["steps"] == 1);
    }
    watching.interrupt();
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let place = place("refused");
    for (words, expected) in [
        (["--watch", "--check"].as_slice(), "cannot be used with"),
        (&["--watch", "--out", "../out"], "cannot be used with"),
        (
            &["--watch", "--link", "result", "first/hello", "first/edited"],
            "one link cannot",
        ),
    ] {
        let ran = place.run(&[&["build"], words].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
}
