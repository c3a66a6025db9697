//! `stxl completions`.

use std::io;

use clap::CommandFactory as _;

use crate::arguments::{Arguments, CompletionsArguments};

pub(crate) fn run(arguments: &CompletionsArguments) {
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "stxl",
        &mut io::stdout(),
    );
}
