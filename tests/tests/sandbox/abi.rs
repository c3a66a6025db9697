//! The sandbox ABI: the table in the crate's README.md, read as data and compared with what a
//! process inside sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use stxl_sandbox::{BuildUid, Change, Guard, GuardSet, Personality, Processors, SecondName, World};

use crate::site::{SITE, probe, run};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/stxl-sandbox/README.md");
    std::fs::read_to_string(path).expect("the README is there")
}

/// Returns the rows of the table below a heading, as cells without backticks.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = readme();
    let (_, section) = text
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_matches('|').replace("\\|", "\u{1}");
        let cells = line.split('|').map(|cell| cell.trim().trim_matches('`'));
        cells.map(|cell| cell.replace('\u{1}', "|")).collect()
    };
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(cells)
        .collect()
}

fn seen(arguments: fn() -> stxl_sandbox::SandboxSpec) -> BTreeMap<String, String> {
    let run = run(&arguments(), GuardSet::EMPTY);
    let pairs = run.log.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn abi_probe() -> stxl_sandbox::SandboxSpec {
    let mut spec = probe(&["abi"]);
    spec.env.insert("B".into(), "2".into());
    spec.env.insert("A".into(), "1".into());
    spec
}

#[test]
fn the_table_says_what_a_process_sees() {
    let seen = seen(abi_probe);
    let table = rows("What a process sees");
    let mut wrong = Vec::new();
    for row in &table {
        let [key, value, ..] = row.as_slice() else {
            panic!("a row has two cells: {row:?}")
        };
        let found = seen.get(key).map_or("nothing", String::as_str);
        if found != value {
            wrong.push(format!(
                "{key}: the table says `{value}`, a process sees `{found}`"
            ));
        }
    }
    let listed: Vec<&String> = table.iter().filter_map(|row| row.first()).collect();
    let unlisted = seen.keys().filter(|key| !listed.contains(key));
    wrong.extend(unlisted.map(|key| format!("{key} is not in the table")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_process_of_i686_sees_that_machine() {
    let seen = seen(|| {
        let mut spec = abi_probe();
        spec.platform = Personality::I686;
        spec
    });
    let name = seen.get("uname").expect("it is seen");
    assert_eq!(name, "Linux stxl 6.6.0 #1 SMP PREEMPT_DYNAMIC i686 (none)");
}

/// The probe in a world that differs from the ABI in all it can.
fn probe_elsewhere(arguments: &[&str]) -> stxl_sandbox::SandboxSpec {
    let mut spec = probe(arguments);
    spec.uid = BuildUid::Nobody;
    spec.cwd = "/elsewhere".into();
    spec.world = World {
        changes: Change::ALL.into_iter().collect(),
        second_name: Some(SecondName {
            first: "bin".into(),
            second: "elsewhere".into(),
        }),
        processors: Processors::FirstHalf,
    };
    spec
}

#[test]
fn another_world_differs_as_its_table_says() {
    let mut expected = seen(abi_probe);
    for row in rows("Another world") {
        let [key, value, ..] = row.as_slice() else {
            panic!("a row has two cells: {row:?}")
        };
        let usual = expected.insert(key.clone(), value.clone());
        assert!(usual.is_some_and(|usual| usual != *value), "{row:?}");
    }
    let seen = seen(|| {
        let mut spec = probe_elsewhere(&["abi"]);
        spec.env = abi_probe().env;
        spec
    });
    let found: Vec<_> = expected.keys().map(|row| (row, seen.get(row))).collect();
    let wanted: Vec<_> = expected
        .iter()
        .map(|(row, value)| (row, Some(value)))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn directories_list_backwards_and_whole() {
    let lists = |spec| run(&spec, GuardSet::EMPTY).log;
    let forwards = lists(probe(&["listing", "5"]));
    let backwards = lists(probe_elsewhere(&["listing", "5"]));
    let names = |log: &str| -> Vec<String> {
        let line = log.lines().next().expect("a line");
        line.split_whitespace().map(str::to_owned).collect()
    };
    let mut expected = names(&forwards);
    assert_eq!(expected.len(), 7, "{forwards}");
    expected.reverse();
    assert_eq!(names(&backwards), expected);
    // More than one call gives at a time.
    let many = lists(probe_elsewhere(&["listing", "20000"]));
    assert!(many.contains("listed=20002 known=20000"), "{many}");
}

#[test]
fn half_of_the_processors_are_left() {
    let count = |spec| -> usize {
        let log = run(&spec, GuardSet::EMPTY).log;
        log.trim().parse().expect("a number")
    };
    let all = count(probe(&["processors"]));
    for processors in [Processors::FirstHalf, Processors::LastHalf] {
        let mut spec = probe(&["processors"]);
        spec.world.processors = processors;
        assert_eq!(count(spec), all.div_ceil(2));
    }
}

/// Everything of a client that a shell can change, changed: nothing of it may show inside.
const STRANGE: &str = "ulimit -S -n 200; ulimit -S -s 1024; umask 077; trap '' PIPE HUP CHLD USR1; \
                       export LANG=tr_TR.UTF-8 TZ=Asia/Tokyo JUNK=1; cd /; \
                       exec 3</dev/null 7</dev/null 9</dev/null 0<&-; exec \"$@\"";

#[test]
fn a_strange_client_changes_nothing() {
    for words in [
        ["all-guards", "/bin/probe", "abi"],
        ["all-guards", "/bin/probe", "leaked_descriptors"],
    ] {
        let client = |mut command: Command| {
            command
                .arg(env!("CARGO_BIN_EXE_sandbox-client"))
                .arg(&SITE.store)
                .args(words);
            let output = command.output().expect("the client runs");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let usual = client(Command::new("env"));
        let mut strange = Command::new("setsid");
        strange.args(["--wait", "sh", "-c", STRANGE, "sh"]);
        let strange = client(strange);
        assert!(usual.starts_with("started\nExited("), "{usual}");
        assert_eq!(strange, usual);
    }
}

#[test]
fn the_guard_table_lists_every_guard() {
    let table = rows("Guards");
    let listed: Vec<(&str, &str)> = table
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    let known: Vec<(&str, &str)> = Guard::ALL
        .iter()
        .map(|guard| (guard.name(), guard.stops()))
        .collect();
    assert_eq!(listed, known);
}
