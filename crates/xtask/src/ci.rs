//! The one test command of the workspace: what the README names and `.ci/run` calls.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;

use crate::console::say;
use crate::{tidy, workspace};

/// Runs every part, also after one has failed, so that one run shows all that is wrong.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let parts: [(&str, &[&str]); 3] = [
        ("fmt", &["fmt", "--all", "--check"]),
        (
            "clippy",
            &[
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        (
            "test",
            &["test", "--locked", "--workspace", "--no-fail-fast"],
        ),
    ];
    let mut failed = Vec::new();
    for (name, arguments) in parts {
        if name == "test" {
            part(
                "tidy",
                &mut failed,
                || Ok(tidy::run()? == ExitCode::SUCCESS),
            )?;
        }
        part(name, &mut failed, || {
            let status = workspace::cargo()
                .args(arguments)
                .status()
                .with_context(|| format!("could not start `cargo {name}`"))?;
            Ok(status.success())
        })?;
    }
    if failed.is_empty() {
        say("ci: all parts passed");
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("ci: failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

fn part(
    name: &'static str,
    failed: &mut Vec<&'static str>,
    work: impl FnOnce() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    say(&format!("== {name}"));
    let start = Instant::now();
    let passed = work()?;
    let verdict = if passed { "passed" } else { "FAILED" };
    say(&format!(
        "== {name} {verdict} after {:.1} s",
        start.elapsed().as_secs_f64()
    ));
    if !passed {
        failed.push(name);
    }
    Ok(())
}
