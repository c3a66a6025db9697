//! What a build tells while it runs: [`BuildEvent`], and what it ends with: [`Summary`].
//!
//! Events are handed over on the thread that called `build`, one at a time, in the order in which
//! things happened. The form for other programs is in [`wire`].

pub(crate) mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use stxl_model::{BlobId, Label, PlanNode, RootPath, TreeId};

use crate::failure::FailureCause;
use crate::perturbation::Perturbation;

/// One thing that happened in a build.
#[derive(Clone, Copy, Debug)]
pub enum BuildEvent<'a> {
    /// The plan is resolved as far as records go; steps follow.
    Started {
        /// Exec derivations in the plan.
        total: usize,
        /// How many of them have no usable record yet; some may be cut off.
        pending: usize,
        /// How many steps run at once.
        jobs: usize,
    },
    /// The result of an exec was known, and nothing it depends on ran.
    Cached {
        /// The step.
        node: &'a PlanNode,
    },
    /// The result of an exec was known, although something it depends on ran.
    CutOff {
        /// The step.
        node: &'a PlanNode,
    },
    /// The work of a step begins.
    StepStarted {
        /// The step.
        node: &'a PlanNode,
        /// How long it took when it ran last, in milliseconds.
        expected_ms: Option<u64>,
    },
    /// Another process does this step; this one waits for its result.
    Waiting {
        /// The step.
        node: &'a PlanNode,
    },
    /// Trees are being checked out for a step.
    Materialising {
        /// The step.
        node: &'a PlanNode,
    },
    /// A source is on its way over the network.
    Fetching {
        /// The step.
        node: &'a PlanNode,
        /// How much of it is there.
        bytes: u64,
        /// How large it is, if that is known.
        total: Option<u64>,
    },
    /// A process of a step wrote to its log.
    Log {
        /// The step.
        node: &'a PlanNode,
        /// What it wrote; not necessarily whole lines or text.
        bytes: &'a [u8],
    },
    /// A step gave its tree.
    StepFinished {
        /// The step.
        node: &'a PlanNode,
        /// The tree.
        tree: TreeId,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// Processor time of its processes, in milliseconds; none if it had none.
        cpu_ms: Option<u64>,
    },
    /// A step failed.
    StepFailed {
        /// What is known about it.
        failure: &'a StepFailure,
    },
    /// A step is not done, because one it depends on failed or the build ends early.
    Skipped {
        /// The step.
        node: &'a PlanNode,
    },
    /// A tree that the records promise was not there; its producer runs again.
    Lost {
        /// The producer.
        node: &'a PlanNode,
        /// The tree.
        tree: TreeId,
    },
    /// Something that does not change the result but should be known.
    Warning {
        /// The step.
        node: &'a PlanNode,
        /// What it is.
        text: &'a str,
    },
    /// Nothing is left but steps that ran too short a time ago to run again and be compared.
    CheckWaiting {
        /// How many there are.
        steps: usize,
        /// When the first one runs.
        wait: Duration,
    },
    /// A step was run again and gave the same tree.
    CheckPassed {
        /// The step.
        node: &'a PlanNode,
        /// What was another in its world.
        perturbed: &'a BTreeSet<Perturbation>,
    },
    /// A step was run again and gave another tree.
    CheckFailed {
        /// What differs.
        mismatch: &'a CheckMismatch,
    },
    /// A step fails in a world that differs in what the sandbox's ABI fixes; it runs once more in
    /// one that does not.
    FailedElsewhere {
        /// What is known about it.
        failure: &'a StepFailure,
    },
    /// The build was cancelled; running steps are being killed.
    Cancelling,
    /// Another plan takes its place; running steps that it does not have are being killed.
    Superseded,
    /// The end. Nothing follows.
    Summary(&'a Summary),
}

/// Takes events; called on the thread that called `build`.
pub type EventSink<'a> = &'a mut dyn FnMut(BuildEvent<'_>);

/// A step that failed, with the evidence.
#[derive(Clone, Debug)]
pub struct StepFailure {
    /// The step, with the file and line of its definition.
    pub node: PlanNode,
    /// Why it failed.
    pub cause: FailureCause,
    /// The last lines of its log, at most 20, with invalid text replaced.
    pub last_lines: Vec<String>,
    /// The whole log in the store.
    pub log: Option<BlobId>,
    /// Where the whole log is as a file.
    pub log_path: Option<PathBuf>,
    /// What to type to enter the step.
    pub enter: Option<String>,
    /// What else may be done about it.
    pub hint: Option<String>,
}

/// A step that gave another tree when it ran again.
#[derive(Clone, Debug)]
pub struct CheckMismatch {
    /// The step.
    pub node: PlanNode,
    /// The tree that counts.
    pub first: TreeId,
    /// The tree it gave this time; recorded beside the first if it ran in a world of the same ABI.
    pub second: TreeId,
    /// The first paths that differ, at most 20.
    pub differences: Vec<PathDifference>,
    /// What was another in its world.
    pub perturbed: BTreeSet<Perturbation>,
    /// Where it differs; nothing if that is not known.
    pub provoked: Option<Provoked>,
}

/// Where a step gives another tree than it gave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provoked {
    /// Only in a world that differs in what the sandbox's ABI fixes.
    Elsewhere,
    /// In a world of the ABI, too: two builds may differ.
    Anywhere,
}

impl Provoked {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Anywhere => "anywhere",
        }
    }
}

/// What a rebuild check came to.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// How many steps ran again and were compared.
    pub steps: usize,
    /// How many of them gave the same tree.
    pub identical: usize,
    /// What was another, and in the worlds of how many of them.
    pub perturbed: BTreeMap<Perturbation, usize>,
    /// Those that fail in a world that differs in what the sandbox's ABI fixes, and were compared
    /// in one that does not.
    pub failed_elsewhere: Vec<StepFailure>,
}

/// How two trees differ at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathDifference {
    /// The path.
    pub path: RootPath,
    /// What differs there, as a phrase.
    pub what: String,
    /// For two files, the first byte that differs, from 0.
    pub offset: Option<u64>,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildOutcome {
    /// Every requested output is in the store.
    Ok,
    /// A step failed.
    Failed,
    /// Every step succeeded, but a result differs from the one that counts.
    CheckFailed,
    /// It was cancelled.
    Interrupted,
}

/// What a build did. The counts are over exec derivations and add up to `total`.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How it ended.
    pub outcome: BuildOutcome,
    /// Executed in this invocation, with success.
    pub ran: usize,
    /// Known, and nothing they depend on ran.
    pub cached: usize,
    /// Known, and something they depend on ran.
    pub cut_off: usize,
    /// Not done, because something failed or the build was cancelled.
    pub skipped: usize,
    /// All of the plan.
    pub total: usize,
    /// Steps that failed, of every kind; the exec derivations among them count.
    pub failed: Vec<StepFailure>,
    /// Results that differ from the ones that count.
    pub mismatches: Vec<CheckMismatch>,
    /// What the check came to, if there was one.
    pub check: Option<CheckReport>,
    /// Requested outputs that are in the store.
    pub outputs: Vec<BuiltOutput>,
}

/// A requested output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltOutput {
    /// The package and the output.
    pub label: Label,
    /// Its tree.
    pub tree: TreeId,
    /// Where it is checked out.
    pub path: Option<PathBuf>,
}

impl BuildOutcome {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::CheckFailed => "check-failed",
            Self::Interrupted => "interrupted",
        }
    }
}
