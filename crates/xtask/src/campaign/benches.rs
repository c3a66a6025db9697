//! Every scenario of `benches/`, one after the other; each prints its own table.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use super::program::{Options, Programs};
use crate::console::say;

/// `programs`: a folder that has the built programs; else they are built.
pub(crate) const OPTIONS: &[(&str, &str)] = &[("programs", ""), ("runs", "5")];

const SCENARIOS: [&str; 8] = [
    "floor", "eval", "growth", "watch", "noop", "trivial", "chain", "import",
];

/// Runs all scenarios, also after one has failed.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let programs = Programs::new(options)?;
    let mut failed = Vec::new();
    for scenario in SCENARIOS {
        let status = Command::new(&programs.benches)
            .args([scenario, "--runs", options.text("runs")])
            .arg("--stxl")
            .arg(&programs.stxl)
            .status()
            .context("could not start the benchmarks")?;
        if !status.success() {
            failed.push(scenario);
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("benches: failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}
