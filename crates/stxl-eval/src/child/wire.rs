//! What crosses between parent and child. Both are the same program, yet neither trusts the bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stxl_model::{DecodeError, Decoder, OutputName, PackageLabel, Platform, Selector};

use super::limits::ChildLimits;
use crate::database::Configured;
use crate::diagnostic_wire;
use crate::evaluator::{
    EvaluationRequest, FaultyPackage, Outcome, Parts, Recorded, Scope, Target, Tests,
};
use crate::node::NodeKey;
use crate::record::{
    Pieces, Records, decode_facts, decode_label, decode_list, decode_read, encode_facts,
    encode_read, number,
};
use crate::trace::Listed;

/// Version of requests and answers; raised when either changes.
const VERSION: u32 = 10;
const ANSWER_MAGIC: &[u8; 8] = b"stxleval";

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
    /// Texts that lie over packages, above `local/`; what they import outside of the workspace has
    /// to be in `readable`.
    pub overrides: BTreeMap<PackageLabel, String>,
    /// What to plan.
    pub evaluation: EvaluationRequest,
    /// What the child may use.
    pub limits: ChildLimits,
}

/// A request of the parent's own making: the user's, or parts of it.
pub(super) struct ScopedRequest {
    pub(super) request: ChildRequest,
    pub(super) scope: Scope,
    pub(super) inquiry: Inquiry,
}

/// What is asked of an evaluation besides its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Inquiry {
    /// Nothing.
    Nothing,
    /// What it costs.
    Costs,
    /// Where a value of the package that is selected comes from.
    Origin(String),
    /// Where it is written that outputs need others.
    Needs(Vec<(NodeWire, NodeWire)>),
    /// What packages say of themselves.
    Sayings(Vec<String>),
    /// What there is to remark on packages, each in a configuration.
    Review(Vec<NodeWire>),
}

/// What a child answers.
pub(crate) struct Answer {
    pub(crate) recorded: Recorded,
    /// What was asked besides, in an encoding of its own; empty when something is wrong.
    pub(crate) findings: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RequestWire {
    version: u32,
    folder: PathBuf,
    readable: Vec<String>,
    buffers: BTreeMap<String, String>,
    overrides: BTreeMap<String, String>,
    selectors: Vec<String>,
    platform: Option<String>,
    options: BTreeMap<String, String>,
    with_tests: bool,
    only: Option<PartsWire>,
    inquiry: Inquiry,
    sandbox_abi: u32,
    threads: usize,
    stack_bytes: usize,
    memory_bytes: u64,
    cpu_seconds: u64,
    file_cpu_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct PartsWire {
    nodes: Vec<NodeWire>,
    packages: Vec<String>,
}

/// An output in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeWire {
    label: String,
    platform: String,
    options: BTreeMap<String, String>,
    output: String,
}

impl From<&Parts> for PartsWire {
    fn from(parts: &Parts) -> Self {
        Self {
            nodes: parts.nodes.iter().map(NodeWire::from).collect(),
            packages: parts.packages.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&NodeKey> for NodeWire {
    fn from(key: &NodeKey) -> Self {
        Self {
            label: key.label.to_string(),
            platform: key.configured.platform.name().to_owned(),
            options: key.configured.options.as_ref().clone(),
            output: key.output.to_string(),
        }
    }
}

impl NodeWire {
    pub(crate) fn into_key(self) -> Option<NodeKey> {
        Some(NodeKey {
            label: PackageLabel::parse(&self.label).ok()?,
            configured: Configured {
                platform: Platform::parse(&self.platform)?,
                options: Arc::new(self.options),
            },
            output: OutputName::parse(&self.output).ok()?,
        })
    }
}

impl PartsWire {
    fn into_parts(self) -> Option<Parts> {
        let packages = self.packages.iter();
        let nodes = self.nodes.into_iter().map(NodeWire::into_key);
        Some(Parts {
            nodes: nodes.collect::<Option<_>>()?,
            packages: packages
                .map(|label| PackageLabel::parse(label).ok())
                .collect::<Option<_>>()?,
        })
    }
}

/// Selects everything; no stage can have this name.
const EVERYTHING: &str = "*";

impl RequestWire {
    pub(super) fn new(request: &ChildRequest, scope: &Scope, inquiry: &Inquiry) -> Self {
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
        let texts = request.overrides.iter();
        let texts = texts.map(|(label, text)| (label.to_string(), text.clone()));
        let selector = |it: &Selector| match it {
            Selector::All => EVERYTHING.to_owned(),
            Selector::Stage(_) | Selector::Package(_) | Selector::Output(_) => it.to_string(),
        };
        Self {
            version: VERSION,
            folder: request.folder.clone(),
            readable: request.readable.clone(),
            buffers: request.buffers.clone(),
            overrides: texts.collect(),
            selectors: selectors.iter().map(selector).collect(),
            platform: platform.map(|it| it.name().to_owned()),
            options: options.clone(),
            with_tests: *tests == Tests::Planned,
            only: match scope {
                Scope::Everything => None,
                Scope::Only(parts) => Some(parts.into()),
            },
            inquiry: inquiry.clone(),
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
    pub(super) fn into_request(self) -> Option<ScopedRequest> {
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
        let scope = match self.only {
            None => Scope::Everything,
            Some(parts) => Scope::Only(parts.into_parts()?),
        };
        let overrides = self.overrides.into_iter();
        let overrides =
            overrides.map(|(label, text)| Some((PackageLabel::parse(&label).ok()?, text)));
        let request = ChildRequest {
            folder: self.folder,
            readable: self.readable,
            buffers: self.buffers,
            overrides: overrides.collect::<Option<_>>()?,
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
        };
        Some(ScopedRequest {
            request,
            scope,
            inquiry: self.inquiry,
        })
    }
}

/// Why an answer is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("{0}")]
    Encoding(#[from] DecodeError),
    #[error("{0}")]
    Diagnostics(#[from] serde_json::Error),
}

/// Writes the answer: for how many bytes there should be room, a head, the diagnostics, what was
/// found out besides, and records with the outputs that were asked for and the list of packages,
/// or, if there is an error, what was looked at, and which packages are faulty.
pub(super) fn write_answer(
    output: impl Write,
    recorded: &Recorded,
    findings: &[u8],
) -> std::io::Result<()> {
    let mut pieces = Pieces::new(output);
    let outcome = recorded.outcome.as_ref();
    let room = outcome.map_or(0, |outcome| outcome.records.size_estimate());
    let encoder = pieces.encoder();
    encoder.u64(room as u64);
    encoder.raw(ANSWER_MAGIC);
    encoder.u32(VERSION);
    encoder.bytes(&diagnostic_wire::to_json(&recorded.diagnostics)?);
    encoder.bytes(findings);
    encoder.byte(u8::from(recorded.outcome.is_some()));
    if let Some(outcome) = outcome {
        let Outcome {
            records,
            targets,
            listed,
        } = outcome;
        records.encode(&mut pieces)?;
        let encoder = pieces.encoder();
        encoder.count(targets.len());
        for target in targets {
            encoder.text(target.label.as_str());
            encoder.count(target.nodes.len());
            for key in &target.nodes {
                let position = records.nodes.get_index_of(key);
                encoder.u32(position.map_or(u32::MAX, number));
            }
        }
        encoder.byte(u8::from(listed.is_some()));
        if let Some(listed) = listed {
            listed.encode(records, &listed.reads, encoder);
        }
    } else {
        encoder.count(recorded.looked_at.len());
        for read in &recorded.looked_at {
            encode_read(encoder, read);
        }
        encoder.byte(u8::from(recorded.faulty.is_some()));
        let faulty = recorded.faulty.as_deref().unwrap_or_default();
        encoder.count(faulty.len());
        for FaultyPackage { label, facts } in faulty {
            encoder.text(label.as_str());
            encoder.byte(u8::from(facts.is_some()));
            if let Some(facts) = facts {
                encode_facts(encoder, facts);
            }
        }
    }
    pieces.finish().map(drop)
}

/// Reads an answer.
pub(super) fn decode_answer(bytes: &Arc<Vec<u8>>) -> Result<Answer, AnswerError> {
    let mut decoder = Decoder::new(bytes);
    if decoder.array()? != *ANSWER_MAGIC || decoder.u32()? != VERSION {
        return Err(decoder.error("an answer of this version").into());
    }
    let diagnostics = diagnostic_wire::from_json(decoder.bytes()?)?;
    let findings = decoder.bytes()?.to_vec();
    let has_outcome = decoder.byte()? != 0;
    let (mut looked_at, mut faulty) = (Vec::new(), None);
    let outcome = if has_outcome {
        let records = Records::decode(&mut decoder, bytes)?;
        let mut targets = Vec::new();
        for _ in 0..decoder.count()? {
            targets.push(decode_target(&mut decoder, &records)?);
        }
        let listed = match decoder.byte()? {
            0 => None,
            _ => Some(Listed::decode(&mut decoder, &records)?),
        };
        Some(Outcome {
            records,
            targets,
            listed,
        })
    } else {
        looked_at = decode_list(&mut decoder, decode_read)?;
        let is_told = decoder.byte()? != 0;
        let packages = decode_list(&mut decoder, decode_faulty)?;
        faulty = is_told.then_some(packages);
        None
    };
    decoder.finish()?;
    Ok(Answer {
        recorded: Recorded {
            outcome,
            diagnostics,
            looked_at,
            faulty,
        },
        findings,
    })
}

fn decode_faulty(decoder: &mut Decoder<'_>) -> Result<FaultyPackage, DecodeError> {
    Ok(FaultyPackage {
        label: decode_label(decoder)?,
        facts: match decoder.byte()? {
            0 => None,
            _ => Some(decode_facts(decoder)?),
        },
    })
}

fn decode_target(decoder: &mut Decoder<'_>, records: &Records) -> Result<Target, DecodeError> {
    let error = decoder.error("an output that was asked for");
    let label = PackageLabel::parse(decoder.text()?).map_err(|_| error.clone())?;
    let mut nodes = Vec::new();
    for _ in 0..decoder.count()? {
        let key = records.nodes.get_index(decoder.u32()? as usize);
        nodes.push(key.ok_or(error.clone())?.clone());
    }
    Ok(Target { label, nodes })
}
