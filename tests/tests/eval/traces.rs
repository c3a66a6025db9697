//! Evaluations with a memory, one case each: what is recalled, what is evaluated and why; the plan
//! and the diagnostics are always those of an evaluation without.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use stxl_eval::{Account, EvaluationRequest, Reason};
use stxl_model::{Platform, Selector};
use stxl_tests::edits::check::{self, Site, request};

use crate::world::{SETTINGS, script_package};

/// A workspace on disk, and an empty memory of it.
struct Kept {
    folder: tempfile::TempDir,
    site: Site,
}

impl Kept {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::below(folder.path(), env!("CARGO_BIN_EXE_edit-sequences"));
        let kept = Self { folder, site };
        kept.write("stxl.toml", SETTINGS);
        for (path, text) in files {
            kept.write(path, text);
        }
        kept
    }

    fn path(&self, path: &str) -> PathBuf {
        self.site.workspace.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        check::write(&self.site.workspace, path, text);
    }

    /// Writes the definition of `core/<name>`.
    fn package(&self, name: &str, text: &str) {
        self.write(&file_of(name), text);
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.path(path)).unwrap();
    }

    /// Evaluates with and without a memory, and compares.
    fn check(&self, selectors: &[&str]) -> Account {
        self.check_request(&request(selectors))
    }

    fn check_request(&self, request: &EvaluationRequest) -> Account {
        match check::check(&self.site, request) {
            Ok(checked) => checked.account,
            Err(wrong) => panic!("{wrong}"),
        }
    }

    /// Evaluates twice, and expects that the text is wrong.
    fn check_wrong(&self, selectors: &[&str]) {
        assert!(self.site.evaluate(&request(selectors)).plan.is_none());
        self.check(selectors);
    }

    /// Evaluates with and without a memory, and tells which packages of `core` were evaluated and
    /// why; none when all were.
    fn reasons(&self, selectors: &[&str]) -> Option<Vec<(String, String)>> {
        let account = self.check(selectors);
        let reasons = account.evaluated.into_iter();
        let reasons = reasons.map(|(label, reason)| (label.package().to_owned(), shown(&reason)));
        account.everything.is_none().then(|| reasons.collect())
    }

    fn expect(&self, selectors: &[&str], reasons: &[(&str, &str)]) {
        let expected = reasons.iter();
        let expected = expected.map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned()));
        assert_eq!(self.reasons(selectors), Some(expected.collect()));
    }
}

fn shown(reason: &Reason) -> String {
    match reason {
        Reason::Unknown => "unknown".to_owned(),
        Reason::Stale => "stale".to_owned(),
        Reason::Changed(path) => format!("changed {path}"),
        Reason::OtherFiles => "other files".to_owned(),
        Reason::Gone(label) => format!("gone {}", label.package()),
        Reason::Values(label) => format!("values {}", label.package()),
        Reason::Interface(label) => format!("interface {}", label.package()),
        Reason::Output(label) => format!("output {label}"),
    }
}

fn file_of(name: &str) -> String {
    format!("stages/core/{name}/package.rhai")
}

/// Packages of `core`: names, what they need, and other fields.
fn packages(of: &[(&str, &str, &str)]) -> Kept {
    let kept = Kept::new(&[]);
    for (name, needs, more) in of {
        kept.package(name, &script_package(needs, more));
    }
    kept
}

const CHANGED_B: (&str, &str) = ("b", "changed stages/core/b/package.rhai");

#[test]
fn an_edit_that_a_request_does_not_reach_is_seen_by_the_next() {
    let kept = packages(&[("a", "\"core/b\"", ""), ("b", "", ""), ("c", "", "")]);
    kept.check(&[]);
    kept.package("b", &script_package("", "    env: #{ X: \"1\" },\n"));
    // Until the file has rested its stamp is not put on record, and then it is news.
    std::thread::sleep(Duration::from_millis(200));
    kept.expect(&["core/c"], &[]);
    // What is stale is no news when nothing else is.
    assert!(kept.site.remember(&request(&["core/c"])).unsaved.is_none());
    kept.expect(&["core/a"], &[("b", "stale")]);
    kept.expect(&[], &[]);
}

/// Derivations that packages have in common, and that become others for one of them alone.
#[test]
fn what_packages_share_becomes_another_for_one_or_for_all() {
    let kept = packages(&[("c", "", "")]);
    let write = |name: &str, folder: &str| {
        let text = format!(
            r#"custom(#{{ version: "1", description: "Shares", license: "MIT", platforms: ["x86_64"] }});
fn build(p) {{
    #{{ main: root("core/c").mkdir("/{folder}").run(["/bin/program", "{name}"]).out("/out") }}
}}
"#
        );
        kept.package(name, &text);
    };
    write("a", "x");
    write("b", "x");
    kept.check(&[]);
    // The first that has it, the second, one that becomes the other's, and what both need.
    for (name, folder) in [("a", "y"), ("a", "x"), ("b", "y"), ("a", "y"), ("b", "z")] {
        write(name, folder);
        let changed = format!("changed stages/core/{name}/package.rhai");
        kept.expect(&[], &[(name, &changed)]);
    }
    write("b", "y");
    kept.check(&[]);
    kept.package("c", &script_package("", "    env: #{ X: \"1\" },\n"));
    kept.expect(&[], &[("c", "changed stages/core/c/package.rhai")]);
}

#[test]
fn another_interface_takes_dependents_along_and_another_recipe_does_not() {
    let cases = [
        ("    env: #{ X: \"1\" },\n", false),
        ("    brings: [\"core/c\"],\n", true),
        ("    platforms: [\"x86_64\"],\n", true),
        ("    options: #{ fast: \"no\" },\n", true),
        ("    outputs: #{ main: \"rest\", dev: [\"x\"] },\n", true),
    ];
    for (more, is_interface) in cases {
        let kept = packages(&[("a", "\"core/b\"", ""), ("b", "", ""), ("c", "", "")]);
        kept.check(&[]);
        kept.package("b", &script_package("", more));
        let mut reasons = vec![("a", "interface b"), CHANGED_B];
        if !is_interface {
            reasons.remove(0);
        }
        kept.expect(&["core/a"], &reasons);
    }
}

#[test]
fn another_interface_is_an_error_of_a_dependent_that_is_clean() {
    let cases = [
        (
            "\"core/b:dev\"",
            "    outputs: #{ main: \"rest\", dev: [\"x\"] },\n",
            "",
        ),
        ("\"core/b\"", "", "    platforms: [\"i686\"],\n"),
        (
            "pkg(\"core/b\").with(#{ x: \"1\" })",
            "    options: #{ x: \"0\" },\n",
            "",
        ),
    ];
    for (need, before, after) in cases {
        let kept = packages(&[("a", need, ""), ("b", "", before)]);
        kept.check(&[]);
        kept.package("b", &script_package("", after));
        kept.check_wrong(&["core/a"]);
        kept.package("b", &script_package("", before));
        kept.check(&["core/a"]);
    }
}

#[test]
fn an_output_of_before_is_not_kept_beside_one_that_is_new() {
    let outputs = "    outputs: #{ main: \"rest\", dev: [\"x\"] },\n";
    let kept = packages(&[("a", "\"core/b\"", outputs), ("b", "", ""), ("c", "", "")]);
    kept.check(&["core/a:dev"]);
    kept.package("b", &script_package("", "    brings: [\"core/c\"],\n"));
    kept.check(&["core/a"]);
}

#[test]
fn what_is_only_brought_has_to_be_right() {
    let kept = packages(&[("a", "", "    brings: [\"core/b\"],\n"), ("b", "", "")]);
    kept.check(&[]);
    kept.package("b", "script(#{ nothing");
    kept.check_wrong(&["core/a"]);
    kept.package("b", &script_package("\"core/a\", \"core/b\"", ""));
    kept.check_wrong(&["core/a"]);
    kept.remove(&file_of("b"));
    kept.check_wrong(&["core/a"]);
    kept.package(
        "b",
        &script_package("", "").replace("\"1\"", "\"1\" + \"\""),
    );
    let evaluation = kept.site.evaluate(&request(&["core/a"]));
    assert_eq!(evaluation.diagnostics.len(), 1, "the warning");
    kept.check(&["core/a"]);
    kept.check(&["core/a"]);
}

#[test]
fn a_package_that_is_named_and_not_needed_has_to_be_there() {
    let alone = "custom(#{ version: \"1\", license: \"MIT\", base: [], needs: [\"core/b\"] });\n\n\
                 fn build(p) { #{ main: root().mkdir(\"/out\").out() } }\n";
    let kept = packages(&[("b", "", "")]);
    kept.package("a", alone);
    kept.check(&["core/a"]);
    kept.remove(&file_of("b"));
    kept.check_wrong(&["core/a"]);
}

#[test]
fn a_package_that_goes_and_comes_back_is_evaluated_again() {
    let kept = packages(&[("a", "\"core/b\"", ""), ("b", "", ""), ("c", "", "")]);
    kept.check(&[]);
    std::fs::remove_dir_all(kept.path("stages/core/b")).unwrap();
    kept.check_wrong(&["core/a"]);
    kept.expect(&["core/c"], &[]);
    kept.package("b", &script_package("", "    env: #{ X: \"1\" },\n"));
    kept.expect(&["core/a"], &[("a", "stale"), ("b", "unknown")]);
}

#[test]
fn values_that_are_read_over_several_steps_are_read_again() {
    let version = |of: &str| {
        let text = script_package("", "");
        text.replace("\"1\"", &format!("pkg(\"core/{of}\").version"))
    };
    let kept = packages(&[("b", "", ""), ("z", "\"core/d\"", "")]);
    kept.package("c", &version("b"));
    kept.package("d", &version("c"));
    kept.check(&["core/z"]);
    kept.package("b", &script_package("", "").replace("\"1\"", "\"2\""));
    let reasons = [CHANGED_B, ("c", "values b"), ("d", "values c")];
    let found = kept.reasons(&["core/z"]).unwrap();
    for (name, reason) in &reasons[1..] {
        assert!(
            found.contains(&((*name).to_owned(), (*reason).to_owned())),
            "{found:?}"
        );
    }
    assert!(!found.iter().any(|(name, _)| name == "z"), "{found:?}");
    kept.expect(&["core/z"], &[]);
}

#[test]
fn a_package_whose_values_alone_are_read_is_not_built_in_thought() {
    let broken = "custom(#{ version: \"1\", license: \"MIT\" });\n\nfn build(p) {\n    \
                  if p.target == \"i686\" { throw \"not for this one\" }\n    \
                  #{ main: root().mkdir(\"/out\").out() }\n}\n";
    let kept = packages(&[
        ("a", "", "    env: #{ B: pkg(\"core/b\").version },\n"),
        ("c", "pkg(\"core/a\").on(\"i686\")", ""),
    ]);
    kept.package("b", broken);
    kept.check(&["core/c"]);
    let mut asked = request(&["core/a"]);
    asked.platform = Platform::parse("i686");
    kept.check_request(&asked);
    asked.selectors = vec![Selector::parse("core/b").unwrap()];
    kept.check_request(&asked);
}

#[test]
fn a_file_that_is_gone_is_missed() {
    let kept = packages(&[]);
    let text = script_package("", "").replace(
        "#\"\n        echo hello > \"$OUT/hello\"\n    \"#",
        "file(\"x.sh\")",
    );
    kept.package("a", &text);
    kept.write("stages/core/a/x.sh", "true\n");
    kept.check(&[]);
    kept.expect(&[], &[]);
    kept.remove("stages/core/a/x.sh");
    kept.check_wrong(&[]);
    kept.write("stages/core/a/x.sh", "false\n");
    kept.check(&[]);
}

#[test]
fn warnings_are_given_again() {
    let kept = packages(&[("a", "\"core/b\"", ""), ("b", "", "")]);
    kept.package(
        "b",
        &script_package("", "").replace("\"1\"", "\"1\" + \"\""),
    );
    kept.check(&["core/a"]);
    let again = kept.site.remember(&request(&["core/a"]));
    assert_eq!(again.account.everything, None);
    assert_eq!(again.evaluation.diagnostics.len(), 1);
}

#[test]
fn other_settings_and_another_program_are_a_reason_to_evaluate_everything() {
    let kept = packages(&[("a", "", "")]);
    kept.check(&[]);
    kept.write("stxl.toml", &format!("{SETTINGS}# more\n"));
    let account = kept.check(&[]);
    assert_eq!(account.everything.as_deref(), Some("`stxl.toml` changed"));
    let other = kept.site.remember_as("another program", &request(&[]));
    assert!(other.account.everything.is_some());
    let mut other_sandbox = request(&[]);
    other_sandbox.sandbox_abi = 2;
    assert!(kept.check_request(&other_sandbox).everything.is_some());
}

#[test]
fn layers_come_and_go() {
    let kept = packages(&[("a", "\"core/b\"", ""), ("b", "", "")]);
    kept.write("stxl.toml", &format!("{SETTINGS}overlays = [\"over\"]\n"));
    kept.check_wrong(&[]);
    kept.write("over/README", "an overlay without a package");
    kept.check(&[]);
    let layer = "prior().change(#{ env: #{ X: \"1\" } })\n";
    kept.write("over/core/b/package.rhai", layer);
    kept.expect(&[], &[("b", "other files")]);
    kept.write(
        "local/core/b/package.rhai",
        "prior().change(#{ brings: [] })\n",
    );
    kept.expect(&[], &[("b", "other files")]);
    kept.write("over/core/b/package.rhai", &layer.replace('1', "2"));
    kept.expect(&[], &[("b", "changed over/core/b/package.rhai")]);
    kept.remove("over/core/b/package.rhai");
    kept.remove("local/core/b/package.rhai");
    kept.expect(&[], &[("b", "changed over/core/b/package.rhai")]);
}

#[test]
fn a_file_in_the_place_of_an_imported_directory_is_noticed() {
    let kept = packages(&[("a", "", "    source: dir(\"data\"),\n")]);
    kept.write("stages/core/a/data/x", "x");
    kept.check(&[]);
    std::fs::rename(kept.path("stages/core/a/data"), kept.path("moved")).unwrap();
    // A link to a directory is one, for as long as it leads there.
    symlink("../../../moved", kept.path("stages/core/a/data")).unwrap();
    kept.check(&[]);
    kept.write("moved/y", "y");
    kept.expect(&[], &[("a", "changed stages/core/a/data")]);
    kept.remove("stages/core/a/data");
    kept.write("stages/core/a/data", "a file");
    kept.check_wrong(&[]);
}

#[test]
fn a_folder_that_cannot_be_listed_is_not_an_empty_one() {
    let kept = packages(&[("a", "", "")]);
    kept.check(&[]);
    symlink("/", kept.path("local")).unwrap();
    kept.check_wrong(&[]);
}

#[test]
fn a_definition_that_comes_back_as_something_unreadable_is_a_package() {
    type Act = fn(&Path);
    let acts: [Act; 2] = [
        |file| symlink("nowhere", file).unwrap(),
        |file| std::fs::write(file, vec![b'/'; (1 << 20) + 1]).unwrap(),
    ];
    for act in acts {
        let kept = packages(&[("a", "", ""), ("b", "", "")]);
        kept.check(&[]);
        kept.remove(&file_of("b"));
        kept.check(&["core/a"]);
        act(&kept.path(&file_of("b")));
        kept.check_wrong(&[]);
    }
}

#[test]
fn names_of_folders_are_not_run_together() {
    let kept = packages(&[("a", "", "")]);
    std::fs::create_dir(kept.path("stages/core/x\ny")).unwrap();
    kept.check(&[]);
    std::fs::remove_dir(kept.path("stages/core/x\ny")).unwrap();
    kept.write("stages/core/x", "a file");
    kept.package("y", &script_package("", ""));
    kept.check(&[]);
}

/// A program that evaluates and then does something to the workspace, as a user may meanwhile.
fn program_and(kept: &Kept, command: &str) -> PathBuf {
    let program = kept.folder.path().join("program");
    let text = format!(
        "#!/bin/sh\n'{}' \"$@\" || exit 1\ncd '{}'\n{command}\n",
        env!("CARGO_BIN_EXE_edit-sequences"),
        kept.site.workspace.display()
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn what_changes_during_an_evaluation_is_noticed_by_the_next() {
    let commands = [
        "cd stages/core && /bin/mv a x && /bin/mv b a && /bin/mv x b",
        "/bin/mkdir stages/core/new && /bin/cp stages/core/a/package.rhai stages/core/new/",
        "/bin/rm -r stages/core/b",
    ];
    for command in commands {
        let kept = packages(&[
            ("a", "", "    env: #{ X: \"1\" },\n"),
            ("b", "", ""),
            ("c", "", ""),
        ]);
        // Long enough for the stamps of files to count.
        std::thread::sleep(Duration::from_millis(150));
        let meanwhile = Site {
            program: program_and(&kept, command),
            ..kept.site.clone()
        };
        if let Some(unsaved) = meanwhile.remember(&request(&[])).unsaved {
            unsaved.save().unwrap();
        }
        kept.check(&[]);
        kept.check(&[]);
    }
}

#[test]
fn a_folder_of_traces_that_is_a_link_is_refused() {
    let kept = packages(&[("a", "", "")]);
    let elsewhere = kept.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &kept.site.traces).unwrap();
    let unsaved = kept.site.remember(&request(&[])).unsaved.unwrap();
    assert!(unsaved.save().is_err());
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    // Nor is one read through the link.
    let direct = Site {
        traces: elsewhere,
        ..kept.site.clone()
    };
    check::check(&direct, &request(&[])).unwrap();
    assert!(
        kept.site
            .remember(&request(&[]))
            .account
            .everything
            .is_some()
    );
    assert!(direct.remember(&request(&[])).account.everything.is_none());
}

#[test]
fn a_trace_that_is_a_link_is_refused_and_replaced() {
    let kept = packages(&[("a", "", "")]);
    kept.check(&[]);
    let file = kept.site.trace_files().remove(0);
    let elsewhere = kept.folder.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(kept.check(&[]).everything.is_some());
    assert!(!file.is_symlink());
    assert!(kept.check(&[]).everything.is_none());
}

#[test]
fn what_nothing_names_any_more_is_forgotten() {
    let kept = packages(&[("a", "", "")]);
    kept.check(&[]);
    let size = || {
        let file = kept.site.trace_files().remove(0);
        std::fs::metadata(file).unwrap().len()
    };
    let before = size();
    for number in 0..20 {
        let script = format!("    source: file(\"x{number}\"),\n");
        kept.write(&format!("stages/core/a/x{number}"), "x");
        kept.package("a", &script_package("", &script));
        kept.check(&[]);
        kept.remove(&format!("stages/core/a/x{number}"));
    }
    assert!(size() < before + 1000, "{before} and {}", size());
}

/// Whoever can write a trace decides what is built by who reads it.
#[test]
fn a_folder_of_traces_that_others_can_write_is_neither_read_nor_written() {
    let acts: [fn(&Path); 2] = [
        |folder| std::fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap(),
        |folder| match std::os::unix::fs::chown(folder, Some(65534), None) {
            Ok(()) => {}
            // Nobody but root can give a folder away: the first act is all there is to test.
            Err(_) => std::fs::set_permissions(folder, Permissions::from_mode(0o770)).unwrap(),
        },
    ];
    for act in acts {
        let kept = packages(&[("a", "", "")]);
        kept.check(&[]);
        act(&kept.site.traces);
        let remembered = kept.site.remember(&request(&[]));
        assert!(remembered.evaluation.plan.is_some());
        let everything = remembered.account.everything.unwrap();
        assert!(everything.contains("not the user's own"), "{everything}");
        assert!(remembered.unsaved.unwrap().save().is_err());
    }
}

#[test]
fn a_folder_of_traces_that_cannot_be_made_costs_time_only() {
    let mut kept = packages(&[("a", "", "")]);
    let file = kept.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    kept.site.traces = file.join("traces");
    let remembered = kept.site.remember(&request(&[]));
    assert!(remembered.evaluation.plan.is_some());
    assert!(remembered.unsaved.unwrap().save().is_err());
}

#[test]
fn what_a_configuration_warns_of_and_reads_is_its_own() {
    let kept = packages(&[]);
    kept.package(
        "a",
        "custom(#{ version: \"1\", options: #{ ssl: \"no\" } });
        fn build(p) {
            let word = if p.options.ssl == \"yes\" { pkg(\"core/w\").version } else { \"none\" };
            #{ main: root([]).write(\"/word\", word).out() }
        }",
    );
    kept.package(
        "w",
        "let one = \"1\"; script(#{ version: one + \"2\", script: \"true\" })",
    );
    let with = |ssl: Option<&str>| {
        let mut asked = request(&["core/a"]);
        if let Some(ssl) = ssl {
            asked.options.insert("ssl".to_owned(), ssl.to_owned());
        }
        asked
    };
    for ssl in [None, Some("yes"), None, Some("yes")] {
        assert!(kept.site.evaluate(&with(ssl)).plan.is_some());
        kept.check_request(&with(ssl));
    }
}

#[test]
fn an_overlay_that_becomes_a_file_is_missed() {
    let kept = packages(&[("a", "", "")]);
    kept.write("stxl.toml", &format!("overlays = [\"over\"]\n{SETTINGS}"));
    std::fs::create_dir(kept.path("empty")).unwrap();
    symlink("empty", kept.path("over")).unwrap();
    assert!(kept.check(&[]).everything.is_some());
    kept.expect(&[], &[]);
    kept.remove("over");
    kept.write("over", "no folder");
    kept.check_wrong(&[]);
    kept.remove("over");
    symlink("stxl.toml", kept.path("over")).unwrap();
    kept.check_wrong(&[]);
    kept.remove("over");
    std::fs::create_dir(kept.path("over")).unwrap();
    assert!(kept.check(&[]).everything.is_none());
}

/// Twenty packages, a trace of them, and beside it that `p1` and `p2` were edited since.
fn with_changes() -> (Kept, PathBuf, PathBuf) {
    let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    let all: Vec<(&str, &str, &str)> = names.iter().map(|name| (name.as_str(), "", "")).collect();
    let kept = packages(&all);
    // Until files rested, every look at them is news.
    std::thread::sleep(Duration::from_millis(200));
    kept.check(&[]);
    for name in ["p1", "p2"] {
        kept.package(name, &script_package("", "    env: #{ X: \"1\" },\n"));
        kept.expect(&[], &[(name, &format!("changed {}", file_of(name)))]);
    }
    let files = kept.site.trace_files();
    let [changes, trace] = files.as_slice() else {
        panic!("a trace and changes: {files:?}");
    };
    assert!(changes.to_string_lossy().ends_with(".changes.trace"));
    let (changes, trace) = (changes.clone(), trace.clone());
    let length = |file: &Path| std::fs::metadata(file).unwrap().len();
    assert!(length(&changes) * 4 < length(&trace));
    kept.expect(&[], &[]);
    (kept, trace, changes)
}

const EDITED: [(&str, &str); 2] = [
    ("p1", "changed stages/core/p1/package.rhai"),
    ("p2", "changed stages/core/p2/package.rhai"),
];

#[test]
fn changes_beside_a_trace_that_are_gone_or_damaged_are_evaluated_again() {
    let (kept, _, changes) = with_changes();
    let whole = std::fs::read(&changes).unwrap();
    std::fs::remove_file(&changes).unwrap();
    kept.expect(&[], &EDITED);
    for damaged in [
        &whole[..whole.len() / 2],
        &[],
        &[whole.as_slice(), b"x"].concat(),
    ] {
        std::fs::write(&changes, damaged).unwrap();
        let account = kept.check(&[]);
        assert!(account.has_lost_changes);
        assert_eq!(account.evaluated.len(), EDITED.len());
        assert!(!kept.check(&[]).has_lost_changes);
    }
}

#[test]
fn changes_of_another_trace_are_not_put_on_this_one() {
    let (kept, trace, changes) = with_changes();
    let (older, beside) = (
        std::fs::read(&trace).unwrap(),
        std::fs::read(&changes).unwrap(),
    );
    // So many packages change that the trace is written whole.
    for number in 3..9 {
        let text = script_package("", "    env: #{ X: \"2\" },\n");
        kept.package(&format!("p{number}"), &text);
    }
    assert_eq!(kept.check(&[]).evaluated.len(), 6);
    assert_ne!(std::fs::read(&trace).unwrap(), older);
    std::fs::write(&changes, &beside).unwrap();
    let account = kept.check(&[]);
    assert!(account.evaluated.is_empty() && !account.has_lost_changes);
    // With the trace that they are of they are right again.
    std::fs::write(&trace, &older).unwrap();
    std::fs::write(&changes, &beside).unwrap();
    assert_eq!(kept.check(&[]).evaluated.len(), 6);
}

#[test]
fn old_traces_and_what_was_left_of_saving_are_removed() {
    let kept = packages(&[("a", "", "")]);
    let traces = &kept.site.traces;
    let hours_ago = std::time::SystemTime::now() - Duration::from_hours(2);
    for number in 0..70 {
        check::write(traces, &format!("{number}.trace"), "");
        let age = Duration::from_secs(number);
        let file = std::fs::File::open(traces.join(format!("{number}.trace"))).unwrap();
        file.set_modified(hours_ago - age).unwrap();
    }
    check::write(traces, "69.changes.trace", "");
    check::write(traces, "old.trace.1.part", "");
    let old = std::fs::File::open(traces.join("old.trace.1.part")).unwrap();
    old.set_modified(hours_ago).unwrap();
    check::write(traces, "recent.trace.1.part", "");
    check::write(traces, "somebody-elses", "");
    kept.check(&[]);
    assert_eq!(kept.site.trace_files().len(), 64 + 1);
    assert!(traces.join("0.trace").exists() && !traces.join("68.trace").exists());
    // Changes keep the trace that they are of: it was used when they were written.
    assert!(traces.join("69.trace").exists() && traces.join("69.changes.trace").exists());
    assert!(!traces.join("old.trace.1.part").exists());
    assert!(traces.join("recent.trace.1.part").exists());
    assert!(traces.join("somebody-elses").exists());
    assert!(kept.check(&[]).everything.is_none());
}
