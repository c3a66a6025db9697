//! Observed runs: what processes looked at is told, and they do not notice.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::LazyLock;

use stxl_sandbox::{ExitStatus, GuardSet, Observation, SandboxSpec};

use crate::site::{Run, SITE, give_to_launcher, probe, run};

/// Files that nobody looks at, but where a case says so; the name of the layer.
static LAYER: LazyLock<&str> = LazyLock::new(|| {
    let layer = SITE.store.join("observed");
    let watched = layer.join("watched");
    std::fs::create_dir_all(watched.join("dir")).expect("a directory");
    for name in [
        "open",
        "openat",
        "nofollow",
        "stat",
        "lstat",
        "fstatat",
        "statx",
        "access",
        "faccessat",
        "target",
        "rename",
        "unread",
        "dir/file",
    ] {
        std::fs::write(watched.join(name), "content\n").expect("a file");
    }
    let script = watched.join("script");
    std::fs::write(&script, "#! /watched/interpreter end_with\n").expect("a file");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&script, executable).expect("it is ours");
    // The owner of a symlink does not matter, and changing it would go to where it leads.
    give_to_launcher(&layer);
    for (target, link) in [
        ("target", "link"),
        ("dir", "dirlink"),
        ("../watched/dirlink", "twice"),
        ("loop", "loop"),
        ("/bin/probe", "interpreter"),
    ] {
        symlink(target, watched.join(link)).expect("a symlink");
    }
    "observed"
});

/// What the probe looks at, pair by pair, and which paths are told besides the probe's own.
type Case = (&'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    (&["open", "/watched/open"], &["/watched/open"]),
    (&["openat", "/watched/openat"], &["/watched/openat"]),
    (&["nofollow", "/watched/nofollow"], &["/watched/nofollow"]),
    (&["nofollow", "/watched/link"], &["/watched/link"]),
    (&["stat", "/watched/stat"], &["/watched/stat"]),
    (
        &["stat", "/watched/link"],
        &["/watched/link", "/watched/target"],
    ),
    (&["lstat", "/watched/lstat"], &["/watched/lstat"]),
    (&["lstat", "/watched/link"], &["/watched/link"]),
    (
        &["lstat", "/watched/dirlink/"],
        &["/watched/dir", "/watched/dirlink"],
    ),
    (&["fstatat", "/watched/fstatat"], &["/watched/fstatat"]),
    (&["fstatat", "/watched/link"], &["/watched/link"]),
    (&["statx", "/watched/statx"], &["/watched/statx"]),
    (&["access", "/watched/access"], &["/watched/access"]),
    (
        &["faccessat", "/watched/faccessat"],
        &["/watched/faccessat"],
    ),
    (&["readlink", "/watched/link"], &["/watched/link"]),
    (&["rename", "/watched/rename"], &["/watched/rename"]),
    (
        &["open", "/watched/twice/../dir/./file"],
        &["/watched/dir/file", "/watched/dirlink", "/watched/twice"],
    ),
    (&["below", "file"], &["/watched/dir", "/watched/dir/file"]),
    (
        &[
            "chdir",
            "/watched/dirlink",
            "open",
            "file",
            "open",
            "../open",
        ],
        &[
            "/watched/dir",
            "/watched/dir/file",
            "/watched/dirlink",
            "/watched/open",
        ],
    ),
    (
        &["chdir", "/watched", "open", "/proc/self/cwd/open"],
        &["/watched", "/watched/open"],
    ),
    // A symlink that the program makes, where nothing is told.
    (
        &["symlink", "/tmp/made", "open", "/tmp/made/file"],
        &["/watched/dir/file"],
    ),
    (
        &["execute", "/watched/script"],
        &["/watched/interpreter", "/watched/script"],
    ),
    // What is not there, and what is no path.
    (
        &["open", "/watched/missing", "stat", "/watched/open/below"],
        &[],
    ),
    (&["open", "/watched/loop"], &["/watched/loop"]),
    (&["nothing", "", "open", ""], &[]),
    (&["create", "/created"], &[]),
    (&["setid", "/created"], &[]),
    (&["execute", "/watched/missing"], &[]),
];

/// Runs in the layer, observed or not.
fn run_observed(spec: SandboxSpec, is_observed: bool) -> Run {
    let mut spec = SandboxSpec {
        is_observed,
        ..spec
    };
    spec.layers.push((*LAYER).into());
    run(&spec, GuardSet::EMPTY)
}

fn observation(run: Run) -> (Observation, BTreeSet<String>) {
    let observation = run.outcome.observation.expect("it is observed");
    let paths = observation.paths.iter();
    let paths = paths.map(|path| path.display().to_string()).collect();
    (observation, paths)
}

#[test]
fn what_is_looked_at_is_told_and_calls_give_the_same() {
    for (pairs, expected) in CASES {
        let words = [&["look"], *pairs].concat();
        let plain = run_observed(probe(&words), false);
        let observed = run_observed(probe(&words), true);
        assert_eq!(plain.status, ExitStatus::Exited(0), "{pairs:?}");
        assert_eq!(observed.status, plain.status, "{pairs:?}");
        assert_eq!(observed.log, plain.log, "{pairs:?}");
        assert_eq!(plain.outcome.observation, None);
        let (observation, told) = observation(observed);
        let expected = expected.iter().chain(&["/bin/probe"]);
        let expected: BTreeSet<String> = expected.map(ToString::to_string).collect();
        assert_eq!(told, expected, "{pairs:?}");
        assert!(observation.is_complete, "{pairs:?}");
    }
}

#[test]
fn every_command_is_observed_and_what_it_leaves_running() {
    let mut spec = probe(&["leave_daemon"]);
    for words in [["stat", "/watched/stat"], ["open", "/watched/open"]] {
        let command = ["/bin/probe", "look"].into_iter().chain(words);
        spec.commands.push(command.map(Into::into).collect());
    }
    let run = run_observed(spec, true);
    assert_eq!(run.status, ExitStatus::Exited(0));
    let (observation, told) = observation(run);
    let expected = ["/bin/probe", "/watched/open", "/watched/stat"];
    assert_eq!(told, expected.map(String::from).into_iter().collect());
    assert!(observation.is_complete);
}

#[test]
fn programs_of_32_bits_are_observed() {
    let mut spec = probe(&[]);
    spec.commands = vec![vec!["/bin/probe32".into(), "look".into()]];
    let run = run_observed(spec, true);
    assert_eq!(run.status, ExitStatus::Exited(0));
    let (observation, told) = observation(run);
    let expected = [
        "/bin/probe32",
        "/watched/dir",
        "/watched/dir/file",
        "/watched/open",
        "/watched/stat",
    ];
    assert_eq!(told, expected.map(String::from).into_iter().collect());
    assert!(observation.is_complete);
}

#[test]
fn what_cannot_be_started_is_not_started_when_observed() {
    let mut spec = probe(&[]);
    spec.commands = vec![vec!["/bin/nothing".into()]];
    let run = run_observed(spec, true);
    assert_eq!(run.status, ExitStatus::NotStarted(2));
    let (observation, told) = observation(run);
    assert_eq!((told, observation.is_complete), (BTreeSet::new(), true));
}

#[test]
fn guards_hold_when_observed() {
    // Calls that the filter refuses by their arguments, some of which are looks at a path.
    for words in [
        &["setid", "open"][..],
        &["setid", "openat"],
        &["xattr", "setxattr"],
        &["host_answers"],
        &["mount_tmpfs"],
        &["supervisor_memory"],
        &["supervisor_files"],
    ] {
        let plain = run_observed(probe(words), false);
        let observed = run_observed(probe(words), true);
        assert_eq!(plain.status, observed.status, "{words:?}: {}", observed.log);
    }
}

#[test]
fn an_observed_run_keeps_its_limits() {
    let mut spec = probe(&["wait_ms", "20000"]);
    spec.limits.wall_ms = 200;
    let run = run_observed(spec, true);
    assert!(
        matches!(run.status, ExitStatus::TimedOut { .. }),
        "{:?}",
        run.status
    );
}
