//! Campaigns: slow checks that print figures, each by its name.

mod random;

use std::process::ExitCode;

use anyhow::bail;

use crate::console::say;

/// What every campaign is: it gets the rest of the command line and says whether all is well.
type Campaign = fn(&[&str]) -> anyhow::Result<ExitCode>;

/// The campaigns, with what each does in one line.
const CAMPAIGNS: [(&str, &str, Campaign); 0] = [];

/// Runs the campaign that the first word names, or lists all of them.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        for (name, purpose, _) in CAMPAIGNS {
            say(&format!("{name:<10} {purpose}"));
        }
        return Ok(ExitCode::SUCCESS);
    };
    match CAMPAIGNS.iter().find(|(other, _, _)| other == name) {
        Some((_, _, campaign)) => campaign(rest),
        None => bail!("no campaign `{name}`; `cargo xtask campaign` lists them"),
    }
}
