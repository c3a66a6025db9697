//! The parent's side: start a child, wait, and make a plan or a diagnostic of whatever it left.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use rustix::process::Signal;
use stxl_lang::{Diagnostic, SourcePath, Span};

use super::limits::{ChildLimits, EXIT_MEMORY, EXIT_TIME};
use super::progress;
use super::wire::{Answer, AnswerError, ChildRequest, Inquiry, RequestWire, decode_answer};
use crate::evaluator::{Evaluation, EvaluationRequest, Parts, Recorded, Scope};
use crate::node::NodeKey;
use crate::queries::error;

/// The program to start as an evaluator: itself, with the argument that leads to
/// [`crate::child_main`].
#[derive(Clone, Debug)]
pub struct EvaluatorProgram {
    /// Where it is.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

/// Why there is neither a plan nor a diagnostic: the environment said no, or we are wrong.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// The process or its memory files cannot be made.
    #[error("the evaluator cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// The request cannot be written.
    #[error("the evaluator's request cannot be written: {0}")]
    Request(#[source] serde_json::Error),
    /// The child refused to begin: its limits or the workspace's folder failed it.
    #[error("the evaluator failed: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// The child ended well and its answer is damaged.
    #[error("the evaluator's answer is damaged: {reason}")]
    Answer {
        /// What is wrong with it.
        reason: String,
    },
    /// The child ended by no fault of the text: somebody else ended it.
    #[error("the evaluator was ended from outside ({status})")]
    Ended {
        /// How it ended.
        status: ExitStatus,
    },
}

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 2 << 30;

/// Room for an answer, apart from its records.
const ROOM_BYTES_MIN: usize = 16 << 10;

/// How a child's end is explained by the text it evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Stack,
    Memory,
    Time,
    Panic,
}

/// A child that ended, and what it left.
struct Ended {
    status: ExitStatus,
    answer: std::io::Result<Vec<u8>>,
    said: String,
    files: Vec<SourcePath>,
}

/// Evaluates in a child process with limits. Text that makes the child die is a diagnostic that
/// names the file which did, never an error and never a signal.
pub fn evaluate_in_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
) -> Result<Evaluation, ChildError> {
    let recorded = record_in_child(program, request, &Scope::Everything)?;
    Ok(recorded.into_evaluation())
}

/// Evaluates in a child process, without linking.
pub(crate) fn record_in_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    scope: &Scope,
) -> Result<Recorded, ChildError> {
    let answer = ask_child(program, request, scope, &Inquiry::Nothing)?;
    Ok(answer.recorded)
}

/// Asks a child about a workspace of which nothing has to be evaluated but some nodes.
pub(crate) fn ask_about(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    nodes: Vec<NodeKey>,
    inquiry: &Inquiry,
) -> Result<Vec<u8>, ChildError> {
    let request = ChildRequest {
        evaluation: EvaluationRequest {
            selectors: Vec::new(),
            ..request.evaluation.clone()
        },
        ..request.clone()
    };
    let scope = Scope::Only(Parts {
        nodes,
        packages: BTreeSet::new(),
    });
    Ok(ask_child(program, &request, &scope, inquiry)?.findings)
}

/// Evaluates in a child process, without linking, and has it answer what is asked besides.
pub(crate) fn ask_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    scope: &Scope,
    inquiry: &Inquiry,
) -> Result<Answer, ChildError> {
    let without = |recorded| Answer {
        recorded,
        findings: Vec::new(),
    };
    let ended = run(program, request, scope, inquiry)?;
    let Some(fault) = fault_of(&ended)? else {
        return answer_of(ended);
    };
    if ended.files.len() < 2 {
        let diagnosed = diagnosed(fault, ended.files.first(), &ended.said);
        return Ok(without(diagnosed));
    }
    // Several threads were evaluating. With one thread it is the last file that is noted.
    let limits = ChildLimits {
        threads: 1,
        ..request.limits
    };
    let alone = run(
        program,
        &ChildRequest {
            limits,
            ..request.clone()
        },
        scope,
        inquiry,
    )?;
    match fault_of(&alone)? {
        Some(fault) => Ok(without(diagnosed(fault, alone.files.first(), &alone.said))),
        // Together they needed more than one after the other.
        None => answer_of(alone),
    }
}

fn memory_file(name: &str) -> std::io::Result<OwnedFd> {
    Ok(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?)
}

fn run(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    scope: &Scope,
    inquiry: &Inquiry,
) -> Result<Ended, ChildError> {
    let wire = RequestWire::new(request, scope, inquiry);
    let text = serde_json::to_vec(&wire).map_err(ChildError::Request)?;
    let make = |name| memory_file(name).map(File::from).map_err(ChildError::Start);
    let (mut input, mut said) = (make("request")?, make("messages")?);
    let handed = |file: &File| file.try_clone().map(Stdio::from).map_err(ChildError::Start);
    input
        .seek(SeekFrom::Start(progress::REQUEST_OFFSET))
        .map_err(ChildError::Start)?;
    input.write_all(&text).map_err(ChildError::Start)?;
    let mut child = Command::new(&program.path)
        .args(&program.args)
        .env_clear()
        // An allocator that reserves a gigabyte at once would make the limit on memory meaningless.
        .env("MIMALLOC_ARENA_RESERVE", "32768")
        .stdin(handed(&input)?)
        .stdout(Stdio::piped())
        .stderr(handed(&said)?)
        .spawn()
        .map_err(ChildError::Start)?;
    // A child whose answer is not wanted any more is refused to write it, and ends.
    let pipe = child.stdout.take();
    let answer = read_answer(pipe.expect("standard output is a pipe"));
    let status = child.wait().map_err(ChildError::Start)?;
    let mut message = Vec::new();
    said.seek(SeekFrom::Start(0)).map_err(ChildError::Start)?;
    said.take(1 << 16)
        .read_to_end(&mut message)
        .map_err(ChildError::Start)?;
    let said = String::from_utf8_lossy(&message).trim().to_owned();
    let files = progress::noted(&input);
    Ok(Ended {
        status,
        answer,
        said,
        files,
    })
}

/// Reads an answer while it is written. Memory that it turns out not to need is never touched.
fn read_answer(mut pipe: impl Read) -> std::io::Result<Vec<u8>> {
    let mut room = [0; 8];
    pipe.read_exact(&mut room)?;
    let room = u64::from_le_bytes(room).min(ANSWER_BYTES_MAX);
    let mut bytes = Vec::new();
    // Room that cannot be had is not needed yet: what is claimed may be too much.
    bytes
        .try_reserve_exact(usize::try_from(room).unwrap_or(0) + ROOM_BYTES_MIN)
        .ok();
    pipe.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What in the text ended the child, if it did not end well.
fn fault_of(ended: &Ended) -> Result<Option<Fault>, ChildError> {
    let Ended { status, said, .. } = ended;
    if status.success() {
        return Ok(None);
    }
    let is_memory = || said.contains("memory allocation of") || said.contains("Cannot allocate");
    if let Some(code) = status.code() {
        return match code {
            EXIT_MEMORY => Ok(Some(Fault::Memory)),
            EXIT_TIME => Ok(Some(Fault::Time)),
            101 if is_memory() => Ok(Some(Fault::Memory)),
            101 => Ok(Some(Fault::Panic)),
            _ => Err(ChildError::Refused {
                reason: said.clone(),
            }),
        };
    }
    let signal = status.signal();
    let is = |expected: Signal| signal == Some(expected.as_raw());
    if said.contains("overflowed its stack") {
        Ok(Some(Fault::Stack))
    } else if is(Signal::ABORT) && is_memory() {
        Ok(Some(Fault::Memory))
    } else if is(Signal::SEGV) || is(Signal::BUS) {
        Ok(Some(Fault::Stack))
    } else if is(Signal::XCPU) {
        Ok(Some(Fault::Time))
    } else if is(Signal::ABORT) {
        Ok(Some(Fault::Panic))
    } else {
        Err(ChildError::Ended { status: *status })
    }
}

fn answer_of(ended: Ended) -> Result<Answer, ChildError> {
    let damaged = |reason: String| ChildError::Answer { reason };
    let bytes = ended.answer.map_err(|error| damaged(error.to_string()))?;
    decode_answer(&Arc::new(bytes)).map_err(|error: AnswerError| damaged(error.to_string()))
}

fn diagnosed(fault: Fault, file: Option<&SourcePath>, said: &str) -> Recorded {
    let name = file.map_or_else(|| "The workspace".to_owned(), |file| format!("`{file}`"));
    let (id, message, hint) = match fault {
        Fault::Stack => (
            "limit-stack",
            format!("{name} is nested too deeply to be evaluated"),
            "flatten what is nested: lists and loops in the place of calls inside calls",
        ),
        Fault::Memory => (
            "limit-memory",
            format!("{name} needs more memory than an evaluation may use"),
            "put large texts into files of their own, and build lists in smaller parts",
        ),
        Fault::Time => (
            "limit-time",
            format!("{name} takes longer than an evaluation may take"),
            "a definition names what is built; move the work into a step of the build",
        ),
        Fault::Panic => (
            "evaluator-stopped",
            format!("The evaluator stopped in {name}, which is a mistake of stxl's"),
            "please report it with the file",
        ),
    };
    let span = |file: &SourcePath| Span {
        path: file.clone(),
        start: 0,
        end: 0,
    };
    let mut diagnostic: Diagnostic = error(id, message, file.map(span));
    diagnostic.hints = vec![hint.to_owned()];
    if fault == Fault::Panic && !said.is_empty() {
        diagnostic.notes = vec![said.to_owned()];
    }
    Recorded {
        outcome: None,
        diagnostics: vec![diagnostic],
        looked_at: Vec::new(),
        faulty: None,
    }
}
