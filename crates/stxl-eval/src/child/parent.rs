//! The parent's side: start a child, wait, and make a plan or a diagnostic of whatever it left.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use rustix::process::Signal;
use stxl_lang::{Diagnostic, SourcePath, Span};

use super::limits::{ChildLimits, EXIT_MEMORY, EXIT_TIME};
use super::waiting::{Ended, WaitingChild};
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
    /// The process or its memory file cannot be made.
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

/// How a child's end is explained by the text it evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Stack,
    Memory,
    Time,
    Panic,
}

/// Evaluates in a child process with limits. Text that makes the child die is a diagnostic that
/// names the file which did, never an error and never a signal.
pub fn evaluate_in_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
) -> Result<Evaluation, ChildError> {
    let recorded = record_in_child(program, None, request, &Scope::Everything)?;
    Ok(recorded.into_evaluation())
}

/// Evaluates in a child process, the one that waits if there is one, without linking.
pub(crate) fn record_in_child(
    program: &EvaluatorProgram,
    waiting: Option<WaitingChild>,
    request: &ChildRequest,
    scope: &Scope,
) -> Result<Recorded, ChildError> {
    let answer = ask(program, waiting, request, scope, &Inquiry::Nothing)?;
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
    ask(program, None, request, scope, inquiry)
}

fn ask(
    program: &EvaluatorProgram,
    waiting: Option<WaitingChild>,
    request: &ChildRequest,
    scope: &Scope,
    inquiry: &Inquiry,
) -> Result<Answer, ChildError> {
    let without = |recorded| Answer {
        recorded,
        findings: Vec::new(),
    };
    let ended = run(program, waiting, request, scope, inquiry)?;
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
        None,
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

fn run(
    program: &EvaluatorProgram,
    waiting: Option<WaitingChild>,
    request: &ChildRequest,
    scope: &Scope,
    inquiry: &Inquiry,
) -> Result<Ended, ChildError> {
    let wire = RequestWire::new(request, scope, inquiry);
    let text = serde_json::to_vec(&wire).map_err(ChildError::Request)?;
    if let Some(mut waiting) = waiting
        && waiting.is_there()
    {
        let ended = waiting.ask(&text)?;
        // Else somebody ended it, maybe before it was asked.
        if ended.status.signal() != Some(Signal::KILL.as_raw()) {
            return Ok(ended);
        }
    }
    WaitingChild::start(program)?.ask(&text)
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
