//! The compilers of the climb, in sandboxes.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use stxl_model::{RootPath, TreeId};
use stxl_sandbox::ExitStatus;
use stxl_store::{FileMode, TreeEditor};

use super::{Behaviour, Program};
use crate::stage0::case::CaseCommand;
use crate::stage0::generator::Language;
use crate::stage0::place::Session;
use crate::stage0::trial;

/// The commands for one program, which lies at `/IN`.
fn commands(language: Language, file: &str) -> Vec<CaseCommand> {
    let text = match language {
        Language::C0 => {
            "/bin/catm /c /share/lib.c IN
            /bin/c0 /c /M0
            /bin/catm /all.M0 /share/i386.M0 /share/runtime.M0 /M0
            /bin/m0 /all.M0 /hex2
            /bin/catm /all.hex2 /share/elf-c0.hex2 /hex2
            /bin/hex2 /all.hex2 /made
            /made"
        }
        Language::C1 => {
            "/bin/c1 IN /M0
            /bin/catm /all.M0 /share/i386.M0 /start.M0 /sys.M0 /share/c1.M0 /M0
            /bin/m0 /all.M0 /hex2
            /bin/catm /all.hex2 /share/elf-i386.hex2 /hex2
            /bin/hex2 /all.hex2 /made
            /made"
        }
    };
    let words = |line: &str| {
        line.replace("IN", file)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    text.lines()
        .map(|line| CaseCommand {
            argv: words(line),
            status: 0,
        })
        .collect()
}

/// Compiles and runs programs of one language; one that fails does not keep the others from it.
pub(super) fn run(
    session: &Session,
    trees: &BTreeMap<String, TreeId>,
    stage: &Path,
    programs: &[Program],
) -> Result<Vec<Behaviour>, Box<dyn Error>> {
    let language = programs[0].language;
    let rungs = ["catm", "m0", "hex2", super::rung_of(language)].map(str::to_owned);
    let rungs = trial::merge(session, trees, &rungs)?;
    let mut editor = TreeEditor::from_tree(&session.store, &rungs)?;
    let start = std::fs::read(stage.join("c1/cases/start.M0"))?;
    let mut write = |path: &str, content: &[u8]| -> Result<(), Box<dyn Error>> {
        Ok(editor.write(&RootPath::parse(path.as_bytes())?, content, FileMode::Plain)?)
    };
    write("/start.M0", &start)?;
    write("/sys.M0", include_bytes!("sys.M0"))?;
    for (at, program) in programs.iter().enumerate() {
        write(&format!("/{at}.c"), program.text.as_bytes())?;
    }
    let root = editor.finish()?;

    let mut behaviours = Vec::new();
    while behaviours.len() < programs.len() {
        let first = behaviours.len();
        let all = (first..programs.len()).map(|at| commands(language, &format!("/{at}.c")));
        let all: Vec<Vec<CaseCommand>> = all.collect();
        let each = all[0].len();
        let all: Vec<CaseCommand> = all.into_iter().flatten().collect();
        let (outcome, log) = trial::execute(session, (&root, &rungs), &all)?;
        let printed = take_apart(&trial::whole(&log)?);
        let ended = outcome.commands_ended / each;
        for program in programs[first..].iter().take(ended) {
            behaviours.push(behaviour(program, &printed, "status 0".to_owned()));
        }
        if let Some(failed) = all.get(outcome.commands_ended) {
            let status = match outcome.status {
                ExitStatus::Exited(code) if failed.argv[0] == "/made" => format!("status {code}"),
                other => {
                    let message = printed.get("").map_or("", |message| message.trim());
                    format!("{other:?} of {}: {message}", failed.argv[0])
                }
            };
            behaviours.push(behaviour(&programs[first + ended], &printed, status));
        }
    }
    Ok(behaviours)
}

fn behaviour(program: &Program, printed: &BTreeMap<String, String>, status: String) -> Behaviour {
    let printed = printed.get(&program.name).cloned().unwrap_or_default();
    Behaviour { status, printed }
}

/// What each program printed, its name included, by name; what a compiler printed is without name.
fn take_apart(log: &str) -> BTreeMap<String, String> {
    let mut printed = BTreeMap::new();
    let mut name = String::new();
    for line in log.lines() {
        if let Some(other) = line.strip_prefix("program ") {
            other.clone_into(&mut name);
        }
        let text: &mut String = printed.entry(name.clone()).or_default();
        text.push_str(line);
        text.push('\n');
        if line == "end" {
            name.clear();
        }
    }
    printed
}
