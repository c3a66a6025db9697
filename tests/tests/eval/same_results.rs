//! Results do not depend on the number of threads, the order in which files were made, or the seeds
//! of hashes: plans and diagnostics are equal byte by byte, in processes of their own and in this
//! one.

use std::path::Path;
use std::sync::Arc;

use stxl_eval::{
    ChildLimits, ChildRequest, DiskSourceTree, Evaluation, Evaluator, EvaluatorOptions,
    evaluate_in_child,
};

use crate::hostile::{child_request, program};
use crate::world::{request, shown};

/// Packages of a generated workspace.
const PACKAGES: usize = 240;

/// What is wrong with some packages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistakes {
    /// Nothing but what is worth a warning.
    Warnings,
    /// Errors of all stages of an evaluation.
    Errors,
}

/// A package: needs below it, a shared function, a warning or a mistake here and there.
fn package(index: usize, mistakes: Mistakes) -> String {
    let needs = (1..=4).filter_map(|step| index.checked_sub(step * step * 3));
    let needs: Vec<String> = needs.map(|need| format!("\"core/p{need}\"")).collect();
    let import = format!("import \"lib/l{}\" as ours;\n\n", index % 7);
    let version = match index % 10 {
        // Worth a warning: the version is not written out.
        3 => format!("`{}.${{1 + 1}}`", index / 10),
        4 if index > 100 => format!("pkg(\"core/p{}\").version", index - 50),
        _ => format!("\"1.{index}\""),
    };
    let mistake = match (mistakes, index % 31) {
        (Mistakes::Errors, 5) => "    lisense: \"MIT\",\n",
        (Mistakes::Errors, 11) => "    patches: [\"absent.patch\"],\n",
        (Mistakes::Errors, 17) => "    env: #{ A: absent },\n",
        (Mistakes::Errors, 23) => "    outputs: #{ main: [\"/x\"], docs: 1 },\n",
        (Mistakes::Errors, 29) => "    env: #{ A: ours::broken() },\n",
        (Mistakes::Errors | Mistakes::Warnings, _) => "",
    };
    let brings = match index.checked_sub(9) {
        Some(brought) if index.is_multiple_of(13) => {
            format!("    brings: [\"core/p{brought}\"],\n")
        }
        _ => String::new(),
    };
    format!(
        "{import}script(#{{\n    version: {version},\n    license: \"MIT\",\n    base: [],\n    \
         needs: [{}],\n{brings}{mistake}    script: ours::text(\"{index}\"),\n}})\n",
        needs.join(", ")
    )
}

/// The files of the workspace, in an order that a number decides.
fn files(mistakes: Mistakes, order: usize) -> Vec<(String, String)> {
    let settings = "stages = [[\"core\", \"user\"]]\nplatform = \"x86_64\"\noverlays = [\"ours\", \"theirs\"]\n";
    let mut files = vec![("stxl.toml".to_owned(), settings.to_owned())];
    for index in 0..7 {
        let text = format!(
            "fn text(name) {{ \"echo {index} \" + name + \" > /out/\" + name }}\n\
             fn broken() {{ absent_{index}(1) }}\n"
        );
        files.push((format!("lib/l{index}.rhai"), text));
    }
    for index in 0..PACKAGES {
        let path = format!("core/p{index}/package.rhai");
        files.push((format!("stages/{path}"), package(index, mistakes)));
        let change = |what: &str| format!("prior().change(#{{ {what} }})\n");
        if index % 8 == 0 {
            files.push((format!("ours/{path}"), change("env: #{ OURS: \"1\" }")));
        }
        if index % 24 == 0 {
            files.push((
                format!("theirs/{path}"),
                change("env: prior().env + #{ T: \"2\" }"),
            ));
        }
    }
    if mistakes == Mistakes::Errors {
        // A circle of builds and one of values.
        for (name, other) in [("a", "b"), ("b", "c"), ("c", "a")] {
            let circle = format!(
                "script(#{{ version: \"1\", license: \"MIT\", base: [], needs: [\"user/{other}\"], script: \"true\" }})\n"
            );
            files.push((format!("stages/user/{name}/package.rhai"), circle));
            let values = format!(
                "script(#{{ version: pkg(\"user/v{other}\").version, license: \"MIT\", base: [], script: \"true\" }})\n"
            );
            files.push((format!("stages/user/v{name}/package.rhai"), values));
        }
    }
    // Coprime to any number of files that comes about here: a permutation.
    let count = files.len();
    (0..count)
        .map(|index| files[(index * 7919 + order * 104_729) % count].clone())
        .collect()
}

fn workspace(mistakes: Mistakes, order: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files(mistakes, order) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn in_child(folder: &Path, threads: usize) -> Evaluation {
    let request = ChildRequest {
        limits: ChildLimits {
            threads,
            file_cpu_ms: 60_000,
            ..ChildLimits::default()
        },
        ..child_request(folder)
    };
    evaluate_in_child(&program(), &request).unwrap()
}

fn here(folder: &Path, threads: usize) -> Evaluation {
    let tree = Arc::new(DiskSourceTree::open(folder).unwrap());
    let options = EvaluatorOptions {
        threads,
        ..EvaluatorOptions::default()
    };
    Evaluator::new(tree, options)
        .unwrap()
        .evaluate(&request(&[]))
}

fn bytes(evaluation: &Evaluation) -> (Option<Vec<u8>>, String) {
    let plan = evaluation.plan.as_ref().map(stxl_model::Plan::to_bytes);
    (plan, format!("{:#?}", evaluation.diagnostics))
}

fn check(mistakes: Mistakes) -> Evaluation {
    let first = workspace(mistakes, 0);
    let evaluation = in_child(first.path(), 1);
    let expected = bytes(&evaluation);
    for order in 1..=2 {
        let other = workspace(mistakes, order);
        for threads in [1, 2, 8] {
            let found = bytes(&in_child(other.path(), threads));
            assert!(
                found == expected,
                "{threads} threads, order {order}\n{}",
                found.1
            );
        }
    }
    for threads in [1, 2, 8] {
        let found = bytes(&here(first.path(), threads));
        assert!(
            found == expected,
            "{threads} threads in this process\n{}",
            found.1
        );
    }
    evaluation
}

#[test]
fn a_plan_with_warnings_is_the_same_whatever_runs_it() {
    let evaluation = check(Mistakes::Warnings);
    let said = shown(&evaluation.diagnostics);
    let plan = evaluation.plan.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(plan.roots().len(), PACKAGES);
    assert!(evaluation.diagnostics.len() >= 20, "{said}");
}

#[test]
fn errors_are_the_same_whatever_runs_them() {
    let evaluation = check(Mistakes::Errors);
    let said = shown(&evaluation.diagnostics);
    assert!(evaluation.plan.is_none());
    for id in [
        "unknown-field",
        "missing-file",
        "unknown-name",
        "bad-glob",
        "unknown-function",
        "derivation-cycle",
        "value-cycle",
        "version-not-literal",
    ] {
        assert!(
            evaluation.diagnostics.iter().any(|it| it.id == id),
            "{id}\n{said}"
        );
    }
}
