//! The local executor: plans made by hand, built in real sandboxes into a real store.
//!
//! The process becomes an unprivileged user before its first thread, as `stxl` itself does when
//! root starts it; so there is a `main` here instead of the usual harness. Arguments are parts of
//! the names of cases to run; none runs all.

mod build {
    pub(crate) mod cases;
    pub(crate) mod foreign;
    pub(crate) mod listing;
    pub(crate) mod recipe;
    pub(crate) mod site;
    pub(crate) mod unpack;
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use build::{cases, site};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(stxl_sandbox::LAUNCHER_ARGUMENT) => stxl_sandbox::launcher_main(),
        Some(site::CLIENT_ARGUMENT) => return site::client_main(&arguments),
        _ => {}
    }
    site::become_ordinary();
    let filters: Vec<&String> = arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .collect();
    let mut failed = Vec::new();
    let mut passed = 0;
    for (name, case) in cases::all() {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        println!("case {name}");
        match catch_unwind(AssertUnwindSafe(case)) {
            Ok(()) => passed += 1,
            Err(_) => failed.push(*name),
        }
    }
    println!("{passed} passed; {} failed {failed:?}", failed.len());
    if failed.is_empty() && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
