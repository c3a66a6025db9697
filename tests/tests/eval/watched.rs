//! A workspace that changes while it is evaluated and watched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use stxl_eval::{
    ChildLimits, ChildRequest, Dependency, EvaluatorProgram, Reach, Suspects, WatchedWorkspace,
};
use stxl_tests::edits::check::{self, EVALUATOR_ARGUMENT, Site, request};

use crate::world::{SETTINGS, script_package};

/// A program that evaluates, and the first time does something to the workspace after it.
fn program_and(folder: &Path, command: &str) -> EvaluatorProgram {
    let path = folder.join("program");
    let text = format!(
        "#!/bin/sh\n'{}' \"$@\" || exit 1\ncd '{}'\n[ -e ../done ] && exit 0\n: > ../done\n{command}\n",
        env!("CARGO_BIN_EXE_edit-sequences"),
        folder.join("workspace").display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    EvaluatorProgram {
        path,
        args: vec![EVALUATOR_ARGUMENT.to_owned()],
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
        let asked = ChildRequest {
            folder: site.workspace.clone(),
            readable: Vec::new(),
            buffers: BTreeMap::new(),
            overrides: BTreeMap::new(),
            evaluation: request(&[]),
            limits: ChildLimits {
                threads: 1,
                ..ChildLimits::default()
            },
        };
        let program = program_and(folder.path(), command);
        let mut watched = WatchedWorkspace::new(program, asked, None);
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
