//! What the store knows, asked of a process of its own: it becomes the store's owner, and this one
//! stays who it is, since only that one may be trusted by git and read the text.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use serde::{Deserialize, Serialize};
use stxl_build::{CauseKind, ChangedFile, NodeStatus, WhyError};
use stxl_model::{BlobId, Decoder, Derivation, Encoder, Kind, PackageLabel, Plan};
use stxl_store::{Store, StoreError};

use crate::failure::{Exit, Failure, of_store};
use crate::session::{self, THIS_PROGRAM};

/// The hidden argument that makes this program one that tells what the store knows.
pub(crate) const KNOWN_ARGUMENT: &str = "__known";

/// How many files of one import are told of.
const FILES_MAX: usize = 20;

/// Longest text that is compared line by line.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What is asked about beside the plan.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) store: PathBuf,
    pub(super) workspace: PathBuf,
    /// For what is built, as it is typed.
    pub(super) variant: String,
    pub(super) label: String,
}

/// What the store knows.
#[derive(Debug)]
pub(super) struct Known {
    /// The plan that was built before.
    pub(super) before: Option<Plan>,
    pub(super) facts: Facts,
}

/// What the store knows, beside the plan that was built before.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    /// What that plan was built for.
    pub(super) request: Option<String>,
    /// Of every derivation, in the order of the plan.
    pub(super) statuses: Vec<Status>,
    pub(super) causes: Vec<Cause>,
    /// Steps by package.
    pub(super) cascade: BTreeMap<String, usize>,
    /// Outputs whose trees are known and gone.
    pub(super) lost: Vec<String>,
    /// Positions of steps without a result whose last execution failed.
    pub(super) failed: Vec<usize>,
    /// What is to be run, and what waits for it.
    pub(super) steps: usize,
    /// How many of these never ran.
    pub(super) unknown: usize,
    pub(super) work_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Cached,
    Run,
    Pending,
}

/// A derivation that is another of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cause {
    /// Its position in the plan.
    pub(super) node: usize,
    pub(super) kind: Kinds,
    /// Of an import: the files that are others, if what they were is still there.
    pub(super) files: Option<Vec<File>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kinds {
    New,
    /// Of the derivation at this position in the plan before.
    Changed(usize),
    Unfinished,
}

/// A file that is another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct File {
    /// From the workspace's folder.
    pub(super) path: String,
    /// The texts it had and has; none where it is no short text, or is not there.
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) is_new: bool,
    pub(super) is_gone: bool,
}

#[derive(Serialize, Deserialize)]
struct Refusal {
    exit: u8,
    message: String,
    hint: Option<String>,
}

/// Asks a process that becomes the owner of the store.
pub(super) fn ask(question: &Question, plan: &Plan) -> Result<Known, Failure> {
    let failed = |what: &str| Failure::environment(format!("the store cannot be asked: {what}"));
    let mut encoder = Encoder::default();
    let text = serde_json::to_string(question).map_err(|error| failed(&error.to_string()))?;
    encoder.text(&text);
    encoder.bytes(&plan.to_bytes());
    let mut child = Command::new(THIS_PROGRAM)
        .arg(KNOWN_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    // One that does not read any more has something to say.
    if let Some(mut input) = child.stdin.take() {
        drop(input.write_all(&encoder.finish()));
    }
    let output = child.wait_with_output();
    let output = output.map_err(|error| failed(&error.to_string()))?;
    decode(&output.stdout).ok_or_else(|| failed(&output.status.to_string()))?
}

fn decode(bytes: &[u8]) -> Option<Result<Known, Failure>> {
    let mut decoder = Decoder::new(bytes);
    let is_refused = decoder.byte().ok()? == 0;
    let text = decoder.text().ok()?;
    if is_refused {
        let refusal: Refusal = serde_json::from_str(text).ok()?;
        return Some(Err(Failure {
            exit: Exit::of_code(refusal.exit),
            message: refusal.message,
            hint: refusal.hint,
        }));
    }
    let facts: Facts = serde_json::from_str(text).ok()?;
    let plan = decoder.bytes().ok()?;
    let before = match plan {
        [] => None,
        bytes => Some(Plan::from_bytes(bytes).ok()?),
    };
    Some(Ok(Known { before, facts }))
}

/// What the asked process does.
pub(crate) fn child_main() -> ExitCode {
    let mut input = Vec::new();
    let mut encoder = Encoder::default();
    let read = std::io::stdin().lock().read_to_end(&mut input);
    let answered = match read {
        Ok(_) => answer(&input),
        Err(error) => Err(Failure::environment(error)),
    };
    match answered {
        Ok((text, plan)) => {
            encoder.byte(1);
            encoder.text(&text);
            encoder.bytes(&plan);
        }
        Err(Failure {
            exit,
            message,
            hint,
        }) => {
            let refusal = Refusal {
                exit: exit.code(),
                message,
                hint,
            };
            encoder.byte(0);
            encoder.text(&serde_json::to_string(&refusal).unwrap_or_default());
        }
    }
    match std::io::stdout().lock().write_all(&encoder.finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn answer(input: &[u8]) -> Result<(String, Vec<u8>), Failure> {
    let damaged = |error: &dyn std::fmt::Display| {
        Failure::environment(format!("the question is damaged: {error}"))
    };
    let mut decoder = Decoder::new(input);
    let text = decoder.text().map_err(|error| damaged(&error))?;
    let question: Question = serde_json::from_str(text).map_err(|error| damaged(&error))?;
    let plan = decoder.bytes().map_err(|error| damaged(&error))?;
    let plan = Plan::from_bytes(plan).map_err(|error| damaged(&error))?;
    let label = PackageLabel::parse(&question.label).map_err(Failure::usage)?;
    let store = session::open_store_at(&question.store)?;
    let built = stxl_build::last_plan_with(&store, &question.workspace, &question.variant, &label)
        .map_err(|error| of_store(&error))?;
    let before = built.as_ref().map(|built| &built.plan);
    let facts = facts(&store, &question, &plan, before);
    let mut facts = facts.map_err(|error| match error {
        WhyError::Store(error) => of_store(&error),
        error @ WhyError::Plan(_) => Failure::environment(error),
    })?;
    facts.request = built.as_ref().map(|built| built.request.clone());
    let text = serde_json::to_string(&facts).map_err(|error| damaged(&error))?;
    let bytes = built.map_or_else(Vec::new, |built| built.plan.to_bytes());
    Ok((text, bytes))
}

fn facts(
    store: &Store,
    question: &Question,
    plan: &Plan,
    before: Option<&Plan>,
) -> Result<Facts, WhyError> {
    let why = stxl_build::why(store, plan, before)?;
    let is_missing = |node: usize| why.statuses.get(node) != Some(&NodeStatus::Cached);
    let forecast = stxl_build::forecast(store, plan, is_missing)?;
    let mut causes = Vec::new();
    for cause in &why.causes {
        let node = &plan.nodes()[cause.node];
        let mut files = None;
        let kind = match &cause.kind {
            CauseKind::New => Kinds::New,
            CauseKind::Unfinished => Kinds::Unfinished,
            CauseKind::Changed { before: former, .. } => {
                let former = before.and_then(|before| before.position(former));
                let former = former.unwrap_or_default();
                if node.derivation.kind() == Kind::Import {
                    files = changed_files(store, question, (plan, cause.node), before, former)?;
                }
                Kinds::Changed(former)
            }
        };
        causes.push(Cause {
            node: cause.node,
            kind,
            files,
        });
    }
    let mut failed = Vec::new();
    for (position, node) in plan.nodes().iter().enumerate() {
        let is_step = node.derivation.kind() == Kind::Exec && is_missing(position);
        if is_step && stxl_build::failed_log(store, node)?.is_some() {
            failed.push(position);
        }
    }
    let statuses = why.statuses.iter().map(|status| match status {
        NodeStatus::Cached => Status::Cached,
        NodeStatus::Run => Status::Run,
        NodeStatus::Pending => Status::Pending,
    });
    let cascade = why.cascade.iter();
    let cascade = cascade.map(|(label, steps)| (label.to_string(), *steps));
    Ok(Facts {
        request: None,
        statuses: statuses.collect(),
        causes,
        cascade: cascade.collect(),
        lost: why.lost.iter().map(ToString::to_string).collect(),
        failed,
        steps: forecast.work.steps,
        unknown: forecast.work.unknown,
        work_ms: forecast.work.ms,
    })
}

/// The files of an import that are others; none when that cannot be told.
fn changed_files(
    store: &Store,
    question: &Question,
    (plan, node): (&Plan, usize),
    before: Option<&Plan>,
    former: usize,
) -> Result<Option<Vec<File>>, StoreError> {
    let former = before.and_then(|before| before.nodes().get(former));
    let Some(Ok(Derivation::Import(former))) = former.map(|node| node.derivation.decode()) else {
        return Ok(None);
    };
    let node = &plan.nodes()[node];
    let found =
        stxl_build::changed_files(store, &question.workspace, node, &former.tree, FILES_MAX);
    // What is in the workspace may be another by now; then there is nothing to compare with.
    let Ok(Some(files)) = found else {
        return Ok(None);
    };
    let file = |file: ChangedFile| {
        let text = |blob: Option<BlobId>| match blob.filter(|_| file.is_plain) {
            Some(blob) => text_of(store, &blob),
            None => Ok(None),
        };
        Ok(File {
            before: text(file.before)?,
            after: text(file.after)?,
            is_new: file.before.is_none(),
            is_gone: file.after.is_none(),
            path: file.path.clone(),
        })
    };
    let files: Result<Vec<File>, StoreError> = files.into_iter().map(file).collect();
    files.map(Some)
}

/// A blob, if it is a short text.
fn text_of(store: &Store, blob: &BlobId) -> Result<Option<String>, StoreError> {
    let mut bytes = Vec::new();
    let reader = store.open_blob(blob)?;
    let most = TEXT_BYTES_MAX as u64 + 1;
    if reader.take(most).read_to_end(&mut bytes).is_err() || bytes.len() > TEXT_BYTES_MAX {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}
