//! Random sequences of edits, and kills and corruptions: a few of what the campaign `edits` runs.

use std::path::Path;

use stxl_tests::edits::{harm, sequence};

const PROGRAM: &str = env!("CARGO_BIN_EXE_edit-sequences");

/// Sequences of the gate, in as many tests as there may be threads.
fn check(seeds: std::ops::Range<u64>) {
    let mut figures = sequence::Figures::default();
    for seed in seeds {
        match sequence::run(Path::new(PROGRAM), seed, 8) {
            Ok(one) => figures.add(one),
            Err(wrong) => panic!("{wrong}"),
        }
    }
    // Otherwise nothing was compared.
    assert!(figures.warm > figures.evaluations / 3, "{figures:?}");
    assert!(figures.recalled > figures.evaluated, "{figures:?}");
}

#[test]
fn an_evaluation_with_a_memory_is_one_without_after_any_edit() {
    check(1..21);
}

#[test]
fn an_evaluation_with_a_memory_is_one_without_after_any_other_edit() {
    check(1001..1021);
}

#[test]
fn a_process_that_is_killed_while_it_saves_leaves_nothing_wrong() {
    let harm = harm::kill(Path::new(PROGRAM), 1, 6).unwrap();
    assert_eq!(harm.count, 6);
}

#[test]
fn a_damaged_trace_is_as_good_as_none() {
    let harm = harm::corrupt(Path::new(PROGRAM), 1, 24).unwrap();
    assert_eq!(harm.count, 24);
}
