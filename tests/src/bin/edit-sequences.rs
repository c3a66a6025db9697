//! Random edits and evaluations with a memory, as a campaign; also the evaluator that these start.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use stxl_tests::edits::harm::{corrupt, dispatch, kill};
use stxl_tests::edits::sequence::{Figures, run};

/// How many sequences are at work at once: each waits for its child, and for files to rest.
const THREADS: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = dispatch(&arguments) {
        return code;
    }
    let number = |word: &String| word.parse::<usize>().ok();
    let numbers: Option<Vec<usize>> = arguments.iter().skip(1).map(number).collect();
    let name = arguments.first().map(String::as_str);
    match (name, numbers.as_deref()) {
        (Some("sequences"), Some([count, edits, seed])) => sequences(*count, *edits, *seed),
        (Some("harm"), Some([kills, corruptions, seed])) => harm(*kills, *corruptions, *seed),
        _ => {
            eprintln!("edit-sequences (sequences COUNT EDITS | harm KILLS CORRUPTIONS) SEED");
            ExitCode::FAILURE
        }
    }
}

fn program() -> PathBuf {
    std::env::current_exe().expect("the path of this program")
}

fn sequences(count: usize, edits: usize, seed: usize) -> ExitCode {
    let (next, figures) = (AtomicUsize::new(0), Mutex::new(Figures::default()));
    let program = program();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && number < count
                {
                    let found = run(&program, (seed + number) as u64, edits);
                    let mut figures = figures.lock().expect("figures");
                    match found {
                        Ok(one) => figures.add(one),
                        Err(wrong) => {
                            figures.differences += 1;
                            println!("{wrong}\n");
                        }
                    }
                    if (number + 1).is_multiple_of(250) {
                        println!("edits: {figures:?}");
                    }
                }
            });
        }
    });
    let figures = *figures.lock().expect("figures");
    println!("edits: {figures:?}");
    match figures.differences {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn harm(kills: usize, corruptions: usize, seed: usize) -> ExitCode {
    let killed = kill(&program(), seed as u64, kills);
    let corrupted = corrupt(&program(), seed as u64, corruptions);
    let mut code = ExitCode::SUCCESS;
    for (name, result) in [("kills", killed), ("corruptions", corrupted)] {
        match result {
            Ok(harm) => println!("edits: {name}: {harm:?}, 0 wrong"),
            Err(wrong) => {
                println!("edits: {name}: {wrong}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
