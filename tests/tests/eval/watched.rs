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
        let site = Site {
            program: env!("CARGO_BIN_EXE_edit-sequences").into(),
            workspace: folder.path().join("workspace"),
            traces: folder.path().join("traces"),
        };
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

/// What a faulty package is, and what is done to its workspace in the end.
struct Fault {
    name: &'static str,
    /// The definition of `core/b` with an error.
    text: &'static str,
    /// What is written later, besides the definition without it: a path and a text.
    remedy: Option<(&'static str, &'static str)>,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "an unknown name",
        text: "script(#{ version: nothing })\n",
        remedy: None,
    },
    Fault {
        name: "a text that does not end",
        text: "script(#{\n",
        remedy: None,
    },
    Fault {
        name: "a need that does not exist, with a suggestion",
        text: "script(#{ version: \"1\", description: \"B\", license: \"MIT\",\n    \
               needs: [\"core/aa\"], script: \"true\" })\n",
        remedy: None,
    },
    Fault {
        name: "an import of what is not there yet",
        text: "import \"lib/later\" as later;\nlater::made()\n",
        remedy: Some((
            "lib/later.rhai",
            "fn made() { script(#{ version: \"1\", description: \"B\", license: \"MIT\", \
             script: \"true\" }) }\n",
        )),
    },
];

/// While a package is faulty only that is evaluated, and what is told is what an evaluation of
/// everything tells; when it is right again, so is the plan.
#[test]
fn a_faulty_package_is_told_without_evaluating_the_others() {
    for fault in FAULTS {
        let folder = tempfile::tempdir().unwrap();
        let site = Site {
            program: env!("CARGO_BIN_EXE_edit-sequences").into(),
            workspace: folder.path().join("workspace"),
            traces: folder.path().join("traces"),
        };
        let write = |path: &str, text: &str| check::write(&site.workspace, path, text);
        let right = script_package("\"core/a\"", "");
        write("stxl.toml", SETTINGS);
        write("stages/core/a/package.rhai", &script_package("", ""));
        write("stages/core/b/package.rhai", &right);
        let user = script_package("\"core/b\"", "");
        write("stages/core/c/package.rhai", &user);
        let mut watched = site.watched(&request(&[]));
        let mut compared = |changed: &str| {
            let mut changes = Suspects::none();
            changes.add(changed.to_owned());
            let round = watched.evaluate(&changes).unwrap();
            let round = round.unwrap_or_else(|| panic!("{}: {changed}: nothing", fault.name));
            let account = round.account.clone();
            check::compare(&check::evaluation_of(round), &site.evaluate(&request(&[])))
                .unwrap_or_else(|wrong| panic!("{}: {changed}: {wrong}", fault.name));
            let paths = watched.take_dependencies(&changes).into_iter();
            let paths: BTreeSet<String> = paths.map(|it| it.path.as_str().to_owned()).collect();
            (account, paths)
        };
        compared("stages");
        write("stages/core/b/package.rhai", fault.text);
        let (account, paths) = compared("stages/core/b/package.rhai");
        assert_eq!(account.everything, None, "{}", fault.name);
        let evaluated = account.evaluated.keys().map(ToString::to_string);
        assert_eq!(evaluated.collect::<Vec<_>>(), ["core/b"], "{}", fault.name);
        // Another package is another while this one is faulty still.
        let other = script_package("", "    env: #{ X: \"1\" },\n");
        write("stages/core/a/package.rhai", &other);
        let (account, _) = compared("stages/core/a/package.rhai");
        assert_eq!(account.everything, None, "{}", fault.name);
        if let Some((path, text)) = fault.remedy {
            assert!(paths.contains(path), "{}: {paths:?}", fault.name);
            write(path, text);
            compared(path);
        }
        write("stages/core/b/package.rhai", &right);
        let (account, _) = compared("stages/core/b/package.rhai");
        assert_eq!(account.everything, None, "{}", fault.name);
    }
}

/// A package that is evaluated beside a faulty one may lack what that brings: once it is right,
/// both are evaluated.
#[test]
fn what_a_faulty_package_brings_comes_with_its_repair() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site {
        program: env!("CARGO_BIN_EXE_edit-sequences").into(),
        workspace: folder.path().join("workspace"),
        traces: folder.path().join("traces"),
    };
    let write = |name: &str, text: &str| {
        let path = format!("stages/core/{name}/package.rhai");
        check::write(&site.workspace, &path, text);
    };
    let repaired = script_package("", "");
    let changed = |env: &str| script_package("\"core/between\"", env);
    check::write(&site.workspace, "stxl.toml", SETTINGS);
    write("brought", &repaired);
    write(
        "between",
        &script_package("", "    brings: [\"core/brought\"],\n"),
    );
    write("user", &changed(""));
    let mut watched = site.watched(&request(&[]));
    let mut has_plan = || {
        let round = watched.evaluate(&Suspects::All).unwrap();
        let evaluation = check::evaluation_of(round.expect("a change"));
        check::compare(&evaluation, &site.evaluate(&request(&[]))).unwrap();
        evaluation.plan.is_some()
    };
    assert!(has_plan());
    write("user", &changed("    env: #{ X: \"1\" },\n"));
    assert!(has_plan());
    write("user", &changed("    env: #{ X: \"2\" },\n"));
    write("brought", "script(#{ version: nothing })\n");
    assert!(!has_plan());
    write("brought", &repaired);
    assert!(has_plan());
}
