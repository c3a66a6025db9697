//! What crosses between parent and child. Both are the same program, yet neither trusts the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use stxl_lang::{Diagnostic, Severity, SourcePath, Span, Trace};
use stxl_model::{Decoder, EncodedPlan, Encoder, Plan, PlanError, Platform, Selector};

use super::limits::ChildLimits;
use crate::evaluator::{EncodedEvaluation, Evaluation, EvaluationRequest, Tests};

/// Version of requests and answers; raised when either changes.
const VERSION: u32 = 1;
const ANSWER_MAGIC: &[u8; 8] = b"stxleval";

/// Most kinds of mistake that are remembered from answers, and the longest name of one.
const IDS_MAX: usize = 1000;
const ID_BYTES_MAX: usize = 64;

/// What a child is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildRequest {
    /// The workspace's folder.
    pub folder: PathBuf,
    /// Folders outside of it that definitions of `local/` may import, as they write them, besides
    /// those that stand beside the workspace, which need not be listed (`dir("../zlib")`).
    pub readable: Vec<String>,
    /// Texts that are seen in the place of files, by path.
    pub buffers: BTreeMap<String, String>,
    /// What to plan.
    pub evaluation: EvaluationRequest,
    /// What the child may use.
    pub limits: ChildLimits,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RequestWire {
    version: u32,
    folder: PathBuf,
    readable: Vec<String>,
    buffers: BTreeMap<String, String>,
    selectors: Vec<String>,
    platform: Option<String>,
    options: BTreeMap<String, String>,
    with_tests: bool,
    sandbox_abi: u32,
    threads: usize,
    stack_bytes: usize,
    memory_bytes: u64,
    cpu_seconds: u64,
    file_cpu_ms: u64,
}

/// Selects everything; no stage can have this name.
const EVERYTHING: &str = "*";

impl From<&ChildRequest> for RequestWire {
    fn from(request: &ChildRequest) -> Self {
        let EvaluationRequest {
            selectors,
            platform,
            options,
            tests,
            sandbox_abi,
        } = &request.evaluation;
        let ChildLimits {
            threads,
            stack_bytes,
            memory_bytes,
            cpu_seconds,
            file_cpu_ms,
        } = request.limits;
        let selector = |it: &Selector| match it {
            Selector::All => EVERYTHING.to_owned(),
            Selector::Stage(_) | Selector::Package(_) | Selector::Output(_) => it.to_string(),
        };
        Self {
            version: VERSION,
            folder: request.folder.clone(),
            readable: request.readable.clone(),
            buffers: request.buffers.clone(),
            selectors: selectors.iter().map(selector).collect(),
            platform: platform.map(|it| it.name().to_owned()),
            options: options.clone(),
            with_tests: *tests == Tests::Planned,
            sandbox_abi: *sandbox_abi,
            threads,
            stack_bytes,
            memory_bytes,
            cpu_seconds,
            file_cpu_ms,
        }
    }
}

impl RequestWire {
    /// The request, unless it is of another version or names what does not exist.
    pub(super) fn into_request(self) -> Option<ChildRequest> {
        if self.version != VERSION {
            return None;
        }
        let selector = |text: &String| match text.as_str() {
            EVERYTHING => Some(Selector::All),
            text => Selector::parse(text).ok(),
        };
        let platform = match self.platform {
            Some(name) => Some(Platform::parse(&name)?),
            None => None,
        };
        Some(ChildRequest {
            folder: self.folder,
            readable: self.readable,
            buffers: self.buffers,
            evaluation: EvaluationRequest {
                selectors: self.selectors.iter().map(selector).collect::<Option<_>>()?,
                platform,
                options: self.options,
                tests: if self.with_tests {
                    Tests::Planned
                } else {
                    Tests::Left
                },
                sandbox_abi: self.sandbox_abi,
            },
            limits: ChildLimits {
                threads: self.threads,
                stack_bytes: self.stack_bytes,
                memory_bytes: self.memory_bytes,
                cpu_seconds: self.cpu_seconds,
                file_cpu_ms: self.file_cpu_ms,
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
struct DiagnosticWire {
    id: String,
    is_error: bool,
    message: String,
    primary: Option<(SpanWire, String)>,
    secondary: Vec<(SpanWire, String)>,
    notes: Vec<String>,
    hints: Vec<String>,
    trace: Vec<(String, SpanWire)>,
}

#[derive(Serialize, Deserialize)]
struct SpanWire(String, u32, u32);

impl From<&Span> for SpanWire {
    fn from(span: &Span) -> Self {
        Self(span.path.as_str().to_owned(), span.start, span.end)
    }
}

impl SpanWire {
    fn into_span(self) -> Span {
        Span {
            path: SourcePath::new(&self.0),
            start: self.1,
            end: self.2,
        }
    }
}

impl From<&Diagnostic> for DiagnosticWire {
    fn from(diagnostic: &Diagnostic) -> Self {
        let Diagnostic {
            id,
            severity,
            message,
            primary,
            secondary,
            notes,
            hints,
            trace,
        } = diagnostic;
        let place = |(span, text): &(Span, String)| (SpanWire::from(span), text.clone());
        Self {
            id: (*id).to_owned(),
            is_error: *severity == Severity::Error,
            message: message.clone(),
            primary: primary.as_ref().map(place),
            secondary: secondary.iter().map(place).collect(),
            notes: notes.clone(),
            hints: hints.clone(),
            trace: trace
                .iter()
                .map(|it| (it.what.to_string(), (&it.span).into()))
                .collect(),
        }
    }
}

impl DiagnosticWire {
    fn into_diagnostic(self) -> Diagnostic {
        let place = |(span, text): (SpanWire, String)| (span.into_span(), text);
        Diagnostic {
            id: known_id(&self.id),
            severity: if self.is_error {
                Severity::Error
            } else {
                Severity::Warning
            },
            message: self.message,
            primary: self.primary.map(place),
            secondary: self.secondary.into_iter().map(place).collect(),
            notes: self.notes,
            hints: self.hints,
            trace: self
                .trace
                .into_iter()
                .map(|(what, span)| Trace {
                    what: what.into(),
                    span: span.into_span(),
                })
                .collect(),
        }
    }
}

/// The one copy of a kind's name. Names are few and live as long as the program; their number is
/// bounded, for the child may be lying.
fn known_id(id: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(id) {
        return known;
    }
    if known.len() >= IDS_MAX || id.len() > ID_BYTES_MAX {
        return "other";
    }
    let id: &'static str = Box::leak(id.to_owned().into_boxed_str());
    known.insert(id);
    id
}

/// Why an answer is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("{0}")]
    Encoding(#[from] stxl_model::DecodeError),
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("{0}")]
    Diagnostics(#[from] serde_json::Error),
}

/// Writes the answer: a head, the plan, and the diagnostics.
pub(super) fn write_answer(
    output: impl Write,
    evaluation: &EncodedEvaluation,
) -> std::io::Result<()> {
    let mut output = BufWriter::with_capacity(1 << 16, output);
    let diagnostics: Vec<DiagnosticWire> = evaluation
        .diagnostics
        .iter()
        .map(DiagnosticWire::from)
        .collect();
    let plan = evaluation.plan.as_ref();
    let plan_bytes = plan.map(EncodedPlan::as_bytes).unwrap_or_default();
    let mut head = Encoder::default();
    head.raw(ANSWER_MAGIC);
    head.u32(VERSION);
    head.byte(u8::from(plan.is_some()));
    head.count(plan_bytes.len());
    output.write_all(&head.finish())?;
    output.write_all(plan_bytes)?;
    let mut rest = Encoder::default();
    rest.bytes(&serde_json::to_vec(&diagnostics)?);
    output.write_all(&rest.finish())?;
    output.flush()
}

/// Reads an answer. The plan's reader hashes every derivation again.
pub(super) fn decode_answer(bytes: &[u8]) -> Result<Evaluation, AnswerError> {
    let mut decoder = Decoder::new(bytes);
    if decoder.array()? != *ANSWER_MAGIC || decoder.u32()? != VERSION {
        return Err(decoder.error("an answer of this version").into());
    }
    let has_plan = decoder.byte()? != 0;
    let plan = decoder.bytes()?;
    let diagnostics: Vec<DiagnosticWire> = serde_json::from_slice(decoder.bytes()?)?;
    decoder.finish()?;
    Ok(Evaluation {
        plan: if has_plan {
            Some(Plan::from_bytes(plan)?)
        } else {
            None
        },
        diagnostics: diagnostics
            .into_iter()
            .map(DiagnosticWire::into_diagnostic)
            .collect(),
    })
}
