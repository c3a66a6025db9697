//! A workspace that changes while it is evaluated and watched.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use stxl_eval::{ChildRequest, Dependency, EvaluatorProgram, Reach, Suspects, WatchedWorkspace};
use stxl_tests::edits::check::{self, EVALUATOR_ARGUMENT, Site, request};

use crate::hostile::child_request;
use crate::world::{SETTINGS, script_package};

/// A program that evaluates, and the first time does something to the workspace after it.
fn program_and(folder: &Path, command: &str) -> EvaluatorProgram {
    let text = format!(
        "'{}' \"$@\" || exit 1\ncd '{}'\n[ -e ../done ] && exit 0\n: > ../done\n{command}\n",
        env!("CARGO_BIN_EXE_edit-sequences"),
        folder.join("workspace").display()
    );
    script(folder, &text)
}

fn script(folder: &Path, text: &str) -> EvaluatorProgram {
    let path = folder.join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    EvaluatorProgram {
        path,
        args: vec![EVALUATOR_ARGUMENT.to_owned()],
    }
}

/// Asks for all of a site.
fn asked(site: &Site) -> ChildRequest {
    ChildRequest {
        evaluation: request(&[]),
        ..child_request(&site.workspace)
    }
}

/// What is told of a workspace that has no trace, since it changed meanwhile, has to be enough for
/// whoever watches to ask again.
#[test]
fn what_changes_during_an_evaluation_is_watched_for() {
    let commands = [
        "/bin/mkdir stages/core/new && /bin/cp stages/core/a/package.rhai stages/core/new/",
        "/bin/rm -r stages/core/b",
        "/bin/mkdir -p over/core/b && /bin/cp stages/core/c/package.rhai over/core/b/",
        "echo >> stxl.toml",
    ];
    for command in commands {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::below(folder.path(), env!("CARGO_BIN_EXE_edit-sequences"));
        let write = |path: &str, text: &str| check::write(&site.workspace, path, text);
        write("stxl.toml", &format!("overlays = [\"over\"]\n{SETTINGS}"));
        write("over/core/a/package.rhai", &script_package("", ""));
        for (name, more) in [("a", ""), ("b", ""), ("c", "    env: #{ X: \"1\" },\n")] {
            write(
                &format!("stages/core/{name}/package.rhai"),
                &script_package("", more),
            );
        }
        let program = program_and(folder.path(), command);
        let mut watched = WatchedWorkspace::new(program, asked(&site), None);
        let mut changes = Suspects::All;
        let mut last = None;
        let mut known = BTreeSet::new();
        let mut listed = BTreeSet::new();
        // What was not watched so far may have changed unnoticed.
        while !changes.is_none() {
            if let Some(round) = watched.evaluate(&changes).unwrap() {
                last = Some(check::evaluation_of(round));
            }
            let mut unwatched = Suspects::none();
            for Dependency { path, reach } in watched.take_dependencies(&changes) {
                let path = path.as_str().to_owned();
                if let Reach::Names = reach {
                    listed.insert(path.clone());
                }
                if known.insert(path.clone()) {
                    unwatched.add(path);
                }
            }
            changes = unwatched;
        }
        let expected = site.evaluate(&request(&[]));
        let last = last.expect("an evaluation");
        check::compare(&last, &expected).unwrap_or_else(|wrong| panic!("{command}: {wrong}"));
        for folder in ["stages", "stages/core", "over", "over/core", "local"] {
            assert!(listed.contains(folder), "{command}: {listed:?}");
        }
    }
}

/// One evaluator is started for what is to come: it serves whatever does, is replaced if it died,
/// and is gone with the workspace.
#[test]
fn an_evaluator_that_waits_is_asked_next_or_ends_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::below(folder.path(), env!("CARGO_BIN_EXE_edit-sequences"));
    let write = |path: &str, text: &str| check::write(&site.workspace, path, text);
    write("stxl.toml", SETTINGS);
    let package = "stages/core/a/package.rhai";
    write(package, &script_package("", ""));
    let starts = folder.path().join("starts");
    let program = script(
        folder.path(),
        &format!(
            "echo $$ >> '{}'\nexec '{}' \"$@\"\n",
            starts.display(),
            env!("CARGO_BIN_EXE_edit-sequences")
        ),
    );
    let ids = || -> Vec<String> {
        let told = std::fs::read_to_string(&starts).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    };
    // A child that has only just been started has not told yet.
    let started = |count: usize| {
        let begin = std::time::Instant::now();
        while ids().len() < count {
            assert!(begin.elapsed().as_secs() < 60, "{count} are not started");
            std::thread::yield_now();
        }
        assert_eq!(ids().len(), count);
    };
    // Those that have not ended, or were not waited for.
    let children = || {
        let mut ids = ids();
        ids.retain(|id| Path::new("/proc").join(id).exists());
        ids
    };
    let mut watched = WatchedWorkspace::new(program, asked(&site), None);
    let mut edits = 0;
    let mut evaluate = |watched: &mut WatchedWorkspace, is_edited: bool| {
        let mut changes = Suspects::none();
        changes.add(package.to_owned());
        if is_edited {
            edits += 1;
            write(
                package,
                &script_package("", &format!("    env: #{{ X: \"{edits}\" }},\n")),
            );
        }
        let round = watched.evaluate(&changes).unwrap();
        assert!(round.is_some() || !is_edited);
        if let Some(round) = round {
            let expected = site.evaluate(&request(&[]));
            check::compare(&check::evaluation_of(round), &expected).unwrap();
        }
    };
    evaluate(&mut watched, true);
    started(1);
    assert_eq!(children(), Vec::<String>::new());

    watched.expect_changes();
    watched.expect_changes();
    started(2);
    assert_eq!(children().len(), 1);
    evaluate(&mut watched, false);
    assert_eq!(children().len(), 1, "nothing had to be evaluated");
    evaluate(&mut watched, true);
    started(2);
    assert_eq!(children(), Vec::<String>::new());

    watched.expect_changes();
    started(3);
    let kill = std::process::Command::new("kill")
        .args(["-9", &children()[0]])
        .status();
    assert!(kill.unwrap().success());
    evaluate(&mut watched, true);
    started(4);

    watched.expect_changes();
    started(5);
    drop(watched);
    assert_eq!(children(), Vec::<String>::new());
}
