//! Benchmarks of stxl: generators of workspaces, and scenarios that print tables of medians and
//! ratios, each beside another program doing the same work in the same run.

mod generate;
mod measure;
mod plot;
mod random;
mod scenario;
mod seed;
mod site;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use scenario::builds::{CHAIN, TRIVIAL};

/// The allocator of the program that is measured, for evaluations in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Generators and scenarios; README.md has the commands and the measured table
#[derive(Debug, Parser)]
#[command(name = "stxl-benches")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a workspace of N packages
    Generate(generate::Arguments),
    /// Evaluate many packages to a written plan, beside Nix
    Eval(scenario::NeedingPackages),
    /// Evaluate 100 to 100,000 packages: cold, unchanged, after one edit; with plots
    Growth(scenario::growth::Arguments),
    /// Decide that nothing is to do, beside make and ninja
    Noop(scenario::NeedingPackages),
    /// Save packages of a workspace that is watched
    Watch(scenario::NeedingPackages),
    /// Build trivial packages that do not need each other, beside the bare floor
    Trivial(scenario::Packages),
    /// Build a chain of trivial packages, beside the bare floor
    Chain(scenario::Packages),
    /// Measure namespaces + overlay + exec without stxl
    Floor(scenario::floor::Arguments),
    /// Import many small files and a big one, beside BLAKE3
    Import(scenario::import::Arguments),
    /// Build lua, sqlite and openssl, beside the same commands outside
    Overhead(scenario::overhead::Arguments),
    /// Evaluate a workspace in this process; what `growth` counts instructions of
    #[command(hide = true)]
    Evaluate(scenario::growth::EvaluateArguments),
    /// Hash a file with BLAKE3 and print nothing; the yardstick of `import`
    #[command(hide = true)]
    Hash(scenario::import::HashArguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Eval(arguments) => scenario::eval::run(&arguments),
        Command::Growth(arguments) => scenario::growth::run(&arguments),
        Command::Evaluate(arguments) => scenario::growth::evaluate(&arguments),
        Command::Noop(arguments) => scenario::noop::run(&arguments),
        Command::Watch(arguments) => scenario::watch::run(&arguments),
        Command::Trivial(arguments) => scenario::builds::run(&arguments, TRIVIAL),
        Command::Chain(arguments) => scenario::builds::run(&arguments, CHAIN),
        Command::Floor(arguments) => scenario::floor::run(&arguments),
        Command::Import(arguments) => scenario::import::run(&arguments),
        Command::Overhead(arguments) => scenario::overhead::run(&arguments),
        Command::Hash(arguments) => scenario::import::hash(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        super::Arguments::command().debug_assert();
    }
}
