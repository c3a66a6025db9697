//! What is told when packages are faulty: what an evaluation of everything tells, mostly without
//! one.

use std::collections::BTreeSet;

use stxl_eval::{EvaluationRequest, Suspects};
use stxl_tests::edits::check::{self, Site, request};

use crate::world::{SETTINGS, script_package};

/// A workspace on disk with traces beside it.
struct Remembered {
    site: Site,
    _folder: tempfile::TempDir,
}

impl Remembered {
    fn new(packages: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::below(folder.path(), env!("CARGO_BIN_EXE_edit-sequences"));
        check::write(&site.workspace, "stxl.toml", SETTINGS);
        let all = Self {
            site,
            _folder: folder,
        };
        for (name, text) in packages {
            all.write(name, text);
        }
        all
    }

    fn write(&self, name: &str, text: &str) {
        let path = format!("stages/core/{name}/package.rhai");
        check::write(&self.site.workspace, &path, text);
    }

    /// Evaluates with what is remembered, and compares with an evaluation without; what was
    /// evaluated is returned, none if that is everything.
    fn evaluated(&self, asked: &EvaluationRequest) -> Option<Vec<String>> {
        let checked = check::check(&self.site, asked);
        let account = checked.unwrap_or_else(|wrong| panic!("{wrong}")).account;
        let labels = account.evaluated.keys().map(ToString::to_string);
        account.everything.is_none().then(|| labels.collect())
    }
}

/// A package with a build of its own.
fn custom_package(fields: &str, build: &str) -> String {
    format!(
        "custom(#{{ version: \"1\", license: \"MIT\", base: [], {fields} }});\n\n\
         fn build(p) {{\n    {build}\n}}\n"
    )
}

/// A package before and after an edit that makes it faulty, and what is asked for of a workspace
/// where it is `core/x` and `core/user` needs it.
struct Case {
    name: &'static str,
    needs: &'static str,
    before: String,
    after: String,
    asked: &'static [&'static str],
    /// Whether everything has to be evaluated to tell what is wrong.
    is_told_by_everything: bool,
}

fn cases() -> Vec<Case> {
    let build = "#{ main: root().out(\"/\") }";
    let right = script_package("", "");
    let outputs = |name: &str| {
        script_package(
            "",
            &format!("    outputs: #{{ main: \"rest\", {name}: [\"a/**\"] }},\n"),
        )
    };
    let throwing = |text: &str| custom_package("", &format!("throw \"{text}\""));
    let case = |name, before: &str, after: String| Case {
        name,
        needs: "\"core/x\"",
        before: before.to_owned(),
        after,
        asked: &[],
        is_told_by_everything: false,
    };
    vec![
        case("a build that fails", &right, throwing("no")),
        Case {
            asked: &["core/user"],
            ..case("a need of what is asked for", &right, throwing("no"))
        },
        // Cut in the middle of a character, and not again.
        case("a long text", &right, throwing(&"€".repeat(600))),
        Case {
            is_told_by_everything: true,
            ..case(
                "a build that fails, and is not for the platform any more",
                &custom_package("", build),
                custom_package("platforms: [\"i686\"]", "throw \"no\""),
            )
        },
        Case {
            needs: "\"core/x:dev\"",
            asked: &["core/x:dev", "core/user"],
            is_told_by_everything: true,
            ..case("an output that is gone", &outputs("dev"), outputs("lib"))
        },
    ]
}

#[test]
fn faulty_packages_are_told_as_without_a_memory() {
    for case in cases() {
        let user = script_package(case.needs, "");
        let beside = script_package("", "");
        let world = Remembered::new(&[("x", &case.before), ("user", &user), ("z", &beside)]);
        let asked = request(case.asked);
        world.evaluated(&asked);
        assert_eq!(world.evaluated(&asked), Some(Vec::new()), "{}", case.name);
        world.write("x", &case.after);
        let expected = (!case.is_told_by_everything).then(|| vec!["core/x".to_owned()]);
        assert_eq!(world.evaluated(&asked), expected, "{}", case.name);
        world.write("x", &case.before);
        world.evaluated(&asked);
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
        let right = script_package("\"core/a\"", "");
        let user = script_package("\"core/b\"", "");
        let world = Remembered::new(&[("a", &script_package("", "")), ("b", &right), ("c", &user)]);
        let site = &world.site;
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
        world.write("b", fault.text);
        let (account, paths) = compared("stages/core/b/package.rhai");
        assert_eq!(account.everything, None, "{}", fault.name);
        let evaluated = account.evaluated.keys().map(ToString::to_string);
        assert_eq!(evaluated.collect::<Vec<_>>(), ["core/b"], "{}", fault.name);
        // Another package is another while this one is faulty still.
        let other = script_package("", "    env: #{ X: \"1\" },\n");
        world.write("a", &other);
        let (account, _) = compared("stages/core/a/package.rhai");
        assert_eq!(account.everything, None, "{}", fault.name);
        if let Some((path, text)) = fault.remedy {
            assert!(paths.contains(path), "{}: {paths:?}", fault.name);
            check::write(&site.workspace, path, text);
            compared(path);
        }
        world.write("b", &right);
        let (account, _) = compared("stages/core/b/package.rhai");
        assert_eq!(account.everything, None, "{}", fault.name);
    }
}

/// A package that is evaluated beside a faulty one may lack what that brings: once it is right,
/// both are evaluated.
#[test]
fn what_a_faulty_package_brings_comes_with_its_repair() {
    let repaired = script_package("", "");
    let changed = |env: &str| script_package("\"core/between\"", env);
    let between = script_package("", "    brings: [\"core/brought\"],\n");
    let world = Remembered::new(&[
        ("brought", &repaired),
        ("between", &between),
        ("user", &changed("")),
    ]);
    let site = &world.site;
    let mut watched = site.watched(&request(&[]));
    let mut has_plan = || {
        let round = watched.evaluate(&Suspects::All).unwrap();
        let evaluation = check::evaluation_of(round.expect("a change"));
        check::compare(&evaluation, &site.evaluate(&request(&[]))).unwrap();
        evaluation.plan.is_some()
    };
    assert!(has_plan());
    world.write("user", &changed("    env: #{ X: \"1\" },\n"));
    assert!(has_plan());
    world.write("user", &changed("    env: #{ X: \"2\" },\n"));
    world.write("brought", "script(#{ version: nothing })\n");
    assert!(!has_plan());
    world.write("brought", &repaired);
    assert!(has_plan());
}
