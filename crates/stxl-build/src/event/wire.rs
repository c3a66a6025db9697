//! The form of events for other programs: one JSON record a line, told apart by `event`.
//!
//! Every field of a record is always there, `null` for nothing. Digests are 64 hexadecimal digits.
//! Text that is not UTF-8 is shown with replacement characters.

use serde::Serialize;
use stxl_model::PlanNode;

use super::{BuildEvent, BuiltOutput, CheckMismatch, CheckReport, Provoked, StepFailure, Summary};

/// Which step a record speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireStep {
    id: String,
    kind: &'static str,
    name: String,
    label: String,
    file: String,
    line: u32,
}

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WireEvent {
    /// See [`BuildEvent::Started`].
    Started {
        /// Exec derivations in the plan.
        total: usize,
        /// Those without a usable record.
        pending: usize,
        /// Steps at once.
        jobs: usize,
    },
    /// See [`BuildEvent::Cached`].
    Cached {
        /// The step.
        step: WireStep,
    },
    /// See [`BuildEvent::CutOff`].
    CutOff {
        /// The step.
        step: WireStep,
    },
    /// See [`BuildEvent::StepStarted`].
    StepStarted {
        /// The step.
        step: WireStep,
        /// Its last duration.
        expected_ms: Option<u64>,
    },
    /// See [`BuildEvent::Waiting`].
    Waiting {
        /// The step.
        step: WireStep,
    },
    /// See [`BuildEvent::Materialising`].
    Materialising {
        /// The step.
        step: WireStep,
    },
    /// See [`BuildEvent::Fetching`].
    Fetching {
        /// The step.
        step: WireStep,
        /// How much is there.
        bytes: u64,
        /// How much there is.
        total: Option<u64>,
    },
    /// See [`BuildEvent::Log`].
    Log {
        /// The step.
        step: WireStep,
        /// The text.
        text: String,
    },
    /// See [`BuildEvent::StepFinished`].
    StepFinished {
        /// The step.
        step: WireStep,
        /// Its tree.
        tree: String,
        /// How long it took.
        duration_ms: u64,
        /// Processor time of its processes.
        cpu_ms: Option<u64>,
    },
    /// See [`BuildEvent::StepFailed`].
    StepFailed {
        /// The evidence.
        failure: WireFailure,
    },
    /// See [`BuildEvent::Skipped`].
    Skipped {
        /// The step.
        step: WireStep,
    },
    /// See [`BuildEvent::Lost`].
    Lost {
        /// The producer.
        step: WireStep,
        /// The tree.
        tree: String,
    },
    /// See [`BuildEvent::Warning`].
    Warning {
        /// The step.
        step: WireStep,
        /// What it is.
        text: String,
    },
    /// See [`BuildEvent::CheckWaiting`].
    CheckWaiting {
        /// How many.
        steps: usize,
        /// How long.
        wait_ms: u64,
    },
    /// See [`BuildEvent::CheckPassed`].
    CheckPassed {
        /// The step.
        step: WireStep,
        /// What was another.
        perturbed: Vec<&'static str>,
    },
    /// See [`BuildEvent::CheckFailed`].
    CheckFailed {
        /// The step.
        step: WireStep,
        /// The tree that counts.
        first: String,
        /// The other tree.
        second: String,
        /// What differs.
        differences: Vec<WireDifference>,
        /// What was another.
        perturbed: Vec<&'static str>,
        /// `elsewhere` or `anywhere`.
        provoked: Option<&'static str>,
    },
    /// See [`BuildEvent::FailedElsewhere`].
    FailedElsewhere {
        /// The evidence.
        failure: WireFailure,
    },
    /// See [`BuildEvent::Cancelling`].
    Cancelling,
    /// See [`BuildEvent::Superseded`].
    Superseded,
    /// See [`Summary`].
    Summary {
        /// `ok`, `failed`, `check-failed` or `interrupted`.
        outcome: &'static str,
        /// Executed.
        ran: usize,
        /// Known.
        cached: usize,
        /// Known after something below ran.
        cut_off: usize,
        /// Not done.
        skipped: usize,
        /// All.
        total: usize,
        /// Steps that failed.
        failed: Vec<WireFailure>,
        /// What the check came to.
        check: Option<WireCheck>,
        /// Requested outputs.
        outputs: Vec<WireOutput>,
    },
}

/// A failed step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireFailure {
    #[serde(flatten)]
    step: WireStep,
    reason: &'static str,
    message: String,
    last_lines: Vec<String>,
    log: Option<String>,
    log_path: Option<String>,
    enter: Option<String>,
    hint: Option<String>,
}

/// What a rebuild check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireCheck {
    steps: usize,
    identical: usize,
    perturbed: Vec<WirePerturbed>,
    failed_elsewhere: Vec<WireFailure>,
}

/// What was another when steps ran again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WirePerturbed {
    what: &'static str,
    steps: usize,
}

/// A path at which two trees differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireDifference {
    path: String,
    what: String,
    offset: Option<u64>,
}

/// A requested output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireOutput {
    label: String,
    output: String,
    tree: String,
    path: Option<String>,
}

impl WireEvent {
    /// Converts an event.
    pub fn new(event: &BuildEvent<'_>) -> Self {
        match event {
            BuildEvent::Started {
                total,
                pending,
                jobs,
            } => Self::Started {
                total: *total,
                pending: *pending,
                jobs: *jobs,
            },
            BuildEvent::Cached { node } => Self::Cached {
                step: step_of(node),
            },
            BuildEvent::CutOff { node } => Self::CutOff {
                step: step_of(node),
            },
            BuildEvent::StepStarted { node, expected_ms } => Self::StepStarted {
                step: step_of(node),
                expected_ms: *expected_ms,
            },
            BuildEvent::Waiting { node } => Self::Waiting {
                step: step_of(node),
            },
            BuildEvent::Materialising { node } => Self::Materialising {
                step: step_of(node),
            },
            BuildEvent::Fetching { node, bytes, total } => Self::Fetching {
                step: step_of(node),
                bytes: *bytes,
                total: *total,
            },
            BuildEvent::Log { node, bytes } => Self::Log {
                step: step_of(node),
                text: String::from_utf8_lossy(bytes).into_owned(),
            },
            BuildEvent::StepFinished {
                node,
                tree,
                duration_ms,
                cpu_ms,
            } => Self::StepFinished {
                step: step_of(node),
                tree: tree.to_string(),
                duration_ms: *duration_ms,
                cpu_ms: *cpu_ms,
            },
            BuildEvent::StepFailed { failure } => Self::StepFailed {
                failure: failure_of(failure),
            },
            BuildEvent::Skipped { node } => Self::Skipped {
                step: step_of(node),
            },
            BuildEvent::Lost { node, tree } => Self::Lost {
                step: step_of(node),
                tree: tree.to_string(),
            },
            BuildEvent::Warning { node, text } => Self::Warning {
                step: step_of(node),
                text: (*text).to_owned(),
            },
            BuildEvent::CheckWaiting { steps, wait } => Self::CheckWaiting {
                steps: *steps,
                wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            },
            BuildEvent::CheckPassed { node, perturbed } => Self::CheckPassed {
                step: step_of(node),
                perturbed: perturbed.iter().map(|it| it.name()).collect(),
            },
            BuildEvent::FailedElsewhere { failure } => Self::FailedElsewhere {
                failure: failure_of(failure),
            },
            BuildEvent::CheckFailed { mismatch } => check_failed(mismatch),
            BuildEvent::Cancelling => Self::Cancelling,
            BuildEvent::Superseded => Self::Superseded,
            BuildEvent::Summary(summary) => summary_of(summary),
        }
    }

    /// The line, without its end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("records of text and numbers can be written as JSON")
    }
}

fn step_of(node: &PlanNode) -> WireStep {
    WireStep {
        id: node.id.to_string(),
        kind: node.derivation.kind().name(),
        name: node.origin.name.clone(),
        label: node.origin.label.to_string(),
        file: node.origin.file.clone(),
        line: node.origin.line,
    }
}

fn failure_of(failure: &StepFailure) -> WireFailure {
    WireFailure {
        step: step_of(&failure.node),
        reason: failure.cause.reason(),
        message: failure.cause.to_string(),
        last_lines: failure.last_lines.clone(),
        log: failure.log.map(|log| log.to_string()),
        log_path: failure
            .log_path
            .as_ref()
            .map(|path| path.display().to_string()),
        enter: failure.enter.clone(),
        hint: failure.hint.clone(),
    }
}

fn check_failed(mismatch: &CheckMismatch) -> WireEvent {
    let differences = mismatch
        .differences
        .iter()
        .map(|difference| WireDifference {
            path: difference.path.to_string(),
            what: difference.what.clone(),
            offset: difference.offset,
        });
    WireEvent::CheckFailed {
        step: step_of(&mismatch.node),
        first: mismatch.first.to_string(),
        second: mismatch.second.to_string(),
        differences: differences.collect(),
        perturbed: mismatch.perturbed.iter().map(|it| it.name()).collect(),
        provoked: mismatch.provoked.map(Provoked::name),
    }
}

fn check_of(report: &CheckReport) -> WireCheck {
    let CheckReport {
        steps,
        identical,
        perturbed,
        failed_elsewhere,
    } = report;
    let perturbed = perturbed.iter().map(|(perturbation, steps)| WirePerturbed {
        what: perturbation.name(),
        steps: *steps,
    });
    WireCheck {
        steps: *steps,
        identical: *identical,
        perturbed: perturbed.collect(),
        failed_elsewhere: failed_elsewhere.iter().map(failure_of).collect(),
    }
}

fn summary_of(summary: &Summary) -> WireEvent {
    WireEvent::Summary {
        outcome: summary.outcome.name(),
        ran: summary.ran,
        cached: summary.cached,
        cut_off: summary.cut_off,
        skipped: summary.skipped,
        total: summary.total,
        failed: summary.failed.iter().map(failure_of).collect(),
        check: summary.check.as_ref().map(check_of),
        outputs: summary.outputs.iter().map(output_of).collect(),
    }
}

fn output_of(output: &BuiltOutput) -> WireOutput {
    WireOutput {
        label: output.label.package.to_string(),
        output: output.label.output.to_string(),
        tree: output.tree.to_string(),
        path: output.path.as_ref().map(|path| path.display().to_string()),
    }
}
