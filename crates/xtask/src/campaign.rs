//! Campaigns: slow checks of the built program that print figures, each by its name.

mod benches;
mod bitflips;
mod bootstrap;
mod edits;
mod kills;
mod program;
mod random;

use std::process::ExitCode;

use anyhow::bail;

use crate::console::say;
use program::Options;

/// A campaign and what can be set on its command line, with defaults.
struct Campaign {
    name: &'static str,
    purpose: &'static str,
    options: &'static [(&'static str, &'static str)],
    run: fn(&Options) -> anyhow::Result<ExitCode>,
}

const CAMPAIGNS: [Campaign; 5] = [
    Campaign {
        name: "bitflips",
        purpose: "flip bits of a store, one at a time; `store verify` has to find and name each",
        options: bitflips::OPTIONS,
        run: bitflips::run,
    },
    Campaign {
        name: "bootstrap",
        purpose: "climb from the seed, and compare what every rung gives with the record",
        options: bootstrap::OPTIONS,
        run: bootstrap::run,
    },
    Campaign {
        name: "edits",
        purpose: "edit workspaces at random; what is remembered never gives another plan",
        options: edits::OPTIONS,
        run: edits::run,
    },
    Campaign {
        name: "kills",
        purpose: "kill builds at random times; the store stays whole and the next build succeeds",
        options: kills::OPTIONS,
        run: kills::run,
    },
    Campaign {
        name: "benches",
        purpose: "every scenario of benches/, one after the other",
        options: benches::OPTIONS,
        run: benches::run,
    },
];

/// Runs the campaign that the first word names, or lists all of them.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        for campaign in &CAMPAIGNS {
            say(&format!("{:<9} {}", campaign.name, campaign.purpose));
            for (option, default) in campaign.options {
                say(&format!("          --{option} {default}"));
            }
        }
        return Ok(ExitCode::SUCCESS);
    };
    match CAMPAIGNS.iter().find(|campaign| campaign.name == *name) {
        Some(campaign) => (campaign.run)(&Options::parse(campaign.options, rest)?),
        None => bail!("no campaign `{name}`; `cargo xtask campaign` lists them"),
    }
}
