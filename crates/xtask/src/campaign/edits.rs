//! Edits workspaces at random and evaluates after every edit with what is remembered: it has to
//! give what an evaluation without a memory gives. Then kills processes while they evaluate and
//! save, and damages what was saved.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use super::program::{Options, target_directory};
use crate::workspace;

/// `edits`: how many a sequence has. Each sequence has a seed of its own, the first is `seed`.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("programs", ""),
    ("sequences", "5000"),
    ("edits", "10"),
    ("kills", "200"),
    ("corruptions", "1000"),
    ("seed", "1"),
];

/// Runs the campaign.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let program = program(options)?;
    let (text, seed) = (|name: &str| options.text(name), options.text("seed"));
    let parts = [
        ["sequences", text("sequences"), text("edits"), seed],
        ["harm", text("kills"), text("corruptions"), seed],
    ];
    let mut is_good = true;
    for words in parts {
        let status = Command::new(&program)
            .args(words)
            .status()
            .context("could not start the sequences of edits")?;
        is_good &= status.success();
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds the program for release, unless the option `programs` names a folder that has it.
fn program(options: &Options) -> anyhow::Result<PathBuf> {
    let folder = match options.text("programs") {
        "" => {
            let status = workspace::cargo()
                .args(["build", "--release", "-p", "stxl-tests"])
                .args(["--no-default-features", "--features", "eval"])
                .args(["--bin", "edit-sequences"])
                .status()
                .context("could not start `cargo build`")?;
            if !status.success() {
                bail!("`cargo build` failed");
            }
            target_directory()?.join("release")
        }
        folder => PathBuf::from(folder),
    };
    Ok(folder.join("edit-sequences"))
}
