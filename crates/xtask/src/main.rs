//! `cargo xtask`: the checks, campaigns and the test command of this workspace.

mod campaign;
mod ci;
mod console;
mod tidy;
mod workspace;

use std::process::ExitCode;

use console::say;

const HELP: &str = "\
Checks and campaigns of the stxl workspace

Usage: cargo xtask COMMAND

Commands:
  tidy                  Check layering, file length, heads, names, links, hygiene
  ci                    Run fmt, clippy, tidy and all tests, as the README says
  campaign              List the campaigns (slow checks that print figures)
  campaign NAME [ARG…]  Run one campaign

STXL_BLESS=1 cargo xtask tidy re-writes the counts of suppressions.
Example: cargo xtask campaign kills --kills 200";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["ci"] => ci::run(),
        ["campaign", rest @ ..] => campaign::run(rest),
        ["help" | "--help" | "-h"] => {
            say(HELP);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            say(HELP);
            Ok(ExitCode::from(2))
        }
    };
    outcome.unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::from(3)
    })
}
