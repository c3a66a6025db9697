//! Stage 0: the seed, the climb as a user starts it, and the behaviour of every rung.
//!
//! The program under test builds `stage0` into an empty store. Then this process becomes the
//! unprivileged owner of that store and runs the cases of every `RUNG/cases.toml` in real
//! sandboxes over the trees that were built, and compares what c0 and c1 make of several hundred
//! programs with what gcc makes of them. Giving up privilege comes before the first thread, so
//! there is a `main` here instead of the usual harness. Arguments are parts of the names of cases
//! (`hex2/unknown-label`) and programs (`c1/random-17`) to run; none
//! runs all.

mod stage0 {
    pub(crate) mod case;
    pub(crate) mod climb;
    pub(crate) mod compare;
    pub(crate) mod generator;
    pub(crate) mod place;
    pub(crate) mod seed;
    pub(crate) mod trial;
}

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use stage0::case::Case;
use stage0::compare::Program;
use stage0::{case, climb, compare, place, seed, trial};

/// How many cases there are at least, so that none gets lost unnoticed.
const CASES_MIN: usize = 622;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == stxl_sandbox::LAUNCHER_ARGUMENT)
    {
        stxl_sandbox::launcher_main();
    }
    let filters: Vec<String> = arguments
        .into_iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let problems = check_stage(&stxl_tests::repository(), &filters);
    for problem in &problems {
        println!("FAILED {problem}");
    }
    println!("stage0: {} failed", problems.len());
    if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Checks the stage of a workspace and returns what is wrong, one entry for each thing.
fn check_stage(workspace: &Path, filters: &[String]) -> Vec<String> {
    let stage = workspace.join("stages/stage0");
    let mut problems = seed::check(workspace);
    let expected = climb::read_digests(&stage);
    let cases = match read_cases(&stage, expected.keys()) {
        Ok(cases) => cases,
        Err(message) => {
            problems.push(message);
            return problems;
        }
    };
    let total = cases.len();
    if total < CASES_MIN {
        problems.push(format!("{total} cases are fewer than {CASES_MIN}"));
    }
    let selected: Vec<Case> = cases
        .into_iter()
        .filter(|case| is_selected(&case.name, filters))
        .collect();
    let programs = match compare::programs(&stage) {
        Ok(programs) => programs,
        Err(message) => {
            problems.push(message);
            return problems;
        }
    };
    let programs_total = programs.len();
    let programs: Vec<Program> = programs
        .into_iter()
        .filter(|program| is_selected(&program.name, filters))
        .collect();
    if selected.is_empty() && programs.is_empty() {
        println!("stage0: none of {total} cases and {programs_total} programs has such a name");
        return problems;
    }

    let start = Instant::now();
    let site = place::prepare();
    let trees = match climb::climb(workspace, &site.store) {
        Ok(trees) => trees,
        Err(message) => {
            problems.push(message);
            return problems;
        }
    };
    let climb_ms = start.elapsed().as_millis();
    let session = place::open(&site);
    problems.extend(climb::compare(&session.store, &trees, &expected));

    let start = Instant::now();
    let failures = trial::run_all(&session, &trees, &selected);
    println!(
        "stage0: {} rungs built in {climb_ms} ms; {} of {total} cases run in {} ms, {} failed",
        trees.len(),
        selected.len(),
        start.elapsed().as_millis(),
        failures.len(),
    );
    problems.extend(failures);

    let start = Instant::now();
    let failures = compare::run_all(&session, &trees, &stage, &programs);
    println!(
        "stage0: {} of {programs_total} programs compared with gcc in {} ms, {} failed",
        programs.len(),
        start.elapsed().as_millis(),
        failures.len(),
    );
    problems.extend(failures);
    problems
}

/// Whether one of the parts is in a name; without parts all are.
fn is_selected(name: &str, parts: &[String]) -> bool {
    parts.is_empty() || parts.iter().any(|part| name.contains(part))
}

/// The cases of all rungs; every rung has some.
fn read_cases<'a>(
    stage: &Path,
    rungs: impl Iterator<Item = &'a String>,
) -> Result<Vec<Case>, String> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for rung in rungs {
        let folder: PathBuf = stage.join(rung);
        let of_rung = case::read(&folder, rung)?;
        if of_rung.is_empty() {
            return Err(format!("{rung} has no cases"));
        }
        for case in of_rung {
            if let Some(other) = cases.insert(case.name.clone(), case) {
                return Err(format!("two cases are named {}", other.name));
            }
        }
    }
    Ok(cases.into_values().collect())
}
