//! Programs that the compilers of the climb and the gcc of this machine compile: both results do
//! the same.
//!
//! The compilers run in sandboxes whose roots hold rungs and the programs, many programs in one;
//! gcc and what it makes run outside. A program prints its name first, so the log of a sandbox can
//! be taken apart. One that differs is kept in a directory that the report names.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use stxl_model::TreeId;

use super::generator::{self, Language};
use super::place::Session;

mod chain;
mod host;

/// How many programs there are at least, so that none gets lost unnoticed.
const PROGRAMS_MIN: usize = 700;

/// How many random programs each language has; their seeds are 0, 1, 2 and so on.
const RANDOM: [(Language, usize); 2] = [(Language::C0, 100), (Language::C1, 600)];

/// How many programs run in one sandbox.
const BATCH: usize = 20;

/// A program with a `main` of its own.
pub(crate) struct Program {
    /// The compiler and its own name: `c1/random-17`.
    pub(crate) name: String,
    language: Language,
    origin: Origin,
    text: String,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    Random,
    /// A file of the repository.
    File,
}

/// How a program ended and what it printed.
#[derive(Debug, Eq, PartialEq)]
struct Behaviour {
    status: String,
    printed: String,
}

/// All programs: those of the rungs' cases and random ones.
pub(crate) fn programs(stage: &Path) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    for (language, count) in RANDOM {
        let rung = rung_of(language);
        programs.extend((0..count).map(|seed| {
            let name = format!("{rung}/random-{seed}");
            let text = generator::program(language, &name, seed as u64);
            Program {
                name,
                language,
                origin: Origin::Random,
                text,
            }
        }));
    }
    let folder = stage.join("c1/cases");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|extension| extension == "c") {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            programs.push(Program {
                name: format!("c1/{stem}"),
                language: Language::C1,
                origin: Origin::File,
                text,
            });
        }
    }
    programs.sort_by(|left, right| left.name.cmp(&right.name));
    if programs.len() < PROGRAMS_MIN {
        return Err(format!(
            "{} programs are fewer than {PROGRAMS_MIN}",
            programs.len()
        ));
    }
    Ok(programs)
}

fn rung_of(language: Language) -> &'static str {
    match language {
        Language::C0 => "c0",
        Language::C1 => "c1",
    }
}

/// Compiles and runs programs both ways, and returns what differs, sorted by name.
pub(crate) fn run_all(
    session: &Session,
    trees: &BTreeMap<String, TreeId>,
    stage: &Path,
    programs: &[Program],
) -> Vec<String> {
    let host = match host::Host::prepare(stage) {
        Ok(host) => host,
        Err(message) => return vec![message],
    };
    let batches: Vec<&[Program]> = programs
        .chunk_by(|left, right| left.language == right.language)
        .flat_map(|programs| programs.chunks(BATCH))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            match chain::run(session, trees, stage, batch) {
                Ok(behaviours) => failures.extend(compare(&host, batch, &behaviours)),
                Err(error) => failures.push(format!("{}: {error}", batch[0].name)),
            }
        }
        failures
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut failures = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            failures.extend(worker.join().expect("a worker does not panic"));
        }
    });
    failures.sort();
    failures
}

/// Compares what programs of the climb's compilers did with what those of gcc do.
fn compare(host: &host::Host, batch: &[Program], behaviours: &[Behaviour]) -> Vec<String> {
    let mut failures = Vec::new();
    for (program, ours) in batch.iter().zip(behaviours) {
        let theirs = match host.run(program) {
            Ok(behaviour) => behaviour,
            Err(message) => {
                failures.push(format!("{}: {message}", program.name));
                continue;
            }
        };
        if *ours != theirs {
            let kept = keep(program, ours, &theirs)
                .unwrap_or_else(|error| format!("nowhere, since {error}"));
            failures.push(format!(
                "{}: {}; the program and both results are kept in {kept}",
                program.name,
                difference(ours, &theirs)
            ));
        }
    }
    failures
}

fn difference(ours: &Behaviour, theirs: &Behaviour) -> String {
    if ours.status != theirs.status {
        return format!("ended with {}, by gcc with {}", ours.status, theirs.status);
    }
    let lines = ours.printed.lines().zip(theirs.printed.lines());
    let same = lines.take_while(|(left, right)| left == right).count();
    let line = |text: &Behaviour| {
        text.printed
            .lines()
            .nth(same)
            .unwrap_or("no such line")
            .to_owned()
    };
    format!(
        "line {} of its output is {}, by gcc {}",
        same + 1,
        line(ours),
        line(theirs)
    )
}

/// Writes a program and what came of it to a directory that stays.
fn keep(program: &Program, ours: &Behaviour, theirs: &Behaviour) -> std::io::Result<String> {
    let directory: PathBuf = tempfile::Builder::new()
        .prefix(&format!("stage0-{}-", program.name.replace('/', "-")))
        .tempdir()?
        .keep();
    fs::write(directory.join("program.c"), &program.text)?;
    for (name, behaviour) in [("climb.txt", ours), ("gcc.txt", theirs)] {
        let Behaviour { status, printed } = behaviour;
        fs::write(directory.join(name), format!("{printed}{status}\n"))?;
    }
    Ok(directory.display().to_string())
}
