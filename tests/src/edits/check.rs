//! One evaluation with a memory and one without: [`check`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stxl_eval::{
    Account, ChildLimits, ChildRequest, DiskSourceTree, Evaluation, EvaluationRequest, Evaluator,
    EvaluatorOptions, EvaluatorProgram, Memory, Remembered, Round, Tests, TraceFolder,
    WatchedWorkspace, WorkspaceTree as _, evaluate_remembering,
};
use stxl_model::Selector;

use super::model::BESIDE;

/// The argument that makes the program an evaluator.
pub const EVALUATOR_ARGUMENT: &str = "__evaluate";

/// A workspace on disk and where its evaluations are remembered.
#[derive(Clone, Debug)]
pub struct Site {
    /// The program that evaluates when it is called with [`EVALUATOR_ARGUMENT`].
    pub program: PathBuf,
    /// The workspace.
    pub workspace: PathBuf,
    /// The folder of traces.
    pub traces: PathBuf,
}

/// A request for some labels of the workspace, for its platform.
pub fn request(selectors: &[&str]) -> EvaluationRequest {
    let selectors = selectors.iter().map(|it| Selector::parse(it));
    EvaluationRequest {
        selectors: selectors.map(|it| it.expect("a selector")).collect(),
        platform: None,
        options: BTreeMap::new(),
        tests: Tests::Left,
        sandbox_abi: 1,
    }
}

impl Site {
    /// A workspace and its traces in a folder of theirs.
    pub fn below(folder: &Path, program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            workspace: folder.join("workspace"),
            traces: folder.join("traces"),
        }
    }

    /// Evaluates with a memory.
    pub fn remember(&self, request: &EvaluationRequest) -> Remembered {
        self.remember_as("tests", request)
    }

    /// Evaluates with a memory, as a program of some identity.
    pub fn remember_as(&self, identity: &str, request: &EvaluationRequest) -> Remembered {
        let folder = TraceFolder {
            path: self.traces.clone(),
            program: identity.to_owned(),
        };
        let request = self.child_request(request);
        evaluate_remembering(&self.evaluator(), &request, Memory::Used(&folder))
            .expect("a child can be started")
    }

    /// The workspace, to be evaluated again and again with what stays in memory.
    pub fn watched(&self, request: &EvaluationRequest) -> WatchedWorkspace {
        WatchedWorkspace::new(self.evaluator(), self.child_request(request), None)
    }

    fn evaluator(&self) -> EvaluatorProgram {
        EvaluatorProgram {
            path: self.program.clone(),
            args: vec![EVALUATOR_ARGUMENT.to_owned()],
        }
    }

    fn child_request(&self, request: &EvaluationRequest) -> ChildRequest {
        ChildRequest {
            folder: self.workspace.clone(),
            readable: Vec::new(),
            buffers: BTreeMap::new(),
            overrides: BTreeMap::new(),
            evaluation: request.clone(),
            limits: ChildLimits {
                threads: 1,
                ..ChildLimits::default()
            },
        }
    }

    /// Evaluates without a memory.
    pub fn evaluate(&self, request: &EvaluationRequest) -> Evaluation {
        let tree = DiskSourceTree::open(&self.workspace).expect("a workspace");
        // Only definitions of `local/` may import it, and the child opens what these name.
        if self.is_beside_named() {
            tree.allow_folder(BESIDE);
        }
        let options = EvaluatorOptions {
            threads: 1,
            ..EvaluatorOptions::default()
        };
        let evaluator = Evaluator::new(Arc::new(tree), options);
        evaluator.expect("threads").evaluate(request)
    }

    /// Whether a definition of `local/` names the folder beside the workspace.
    fn is_beside_named(&self) -> bool {
        let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
        let local = self.workspace.join("local");
        // A link leads elsewhere, and what lies there is no part of the workspace.
        let is_own = local.symlink_metadata().is_ok_and(|it| it.is_dir());
        let mut packages = entries(&local).flat_map(|stage| entries(&stage.path()));
        let quoted = format!("\"{BESIDE}\"");
        is_own
            && packages.any(|package| {
                let text = std::fs::read_to_string(package.path().join("package.rhai"));
                text.is_ok_and(|text| text.contains(&quoted))
            })
    }

    /// The files of traces that are there.
    pub fn trace_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.traces).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|it| it == "trace"));
        files.sort();
        files
    }
}

/// What was found by evaluating twice.
#[derive(Debug)]
pub struct Checked {
    /// What was recalled.
    pub account: Account,
    /// Whether there is a plan.
    pub has_plan: bool,
}

/// Evaluates with a memory, saves what is to be remembered, and compares with an evaluation
/// without; what differs is told.
pub fn check(site: &Site, request: &EvaluationRequest) -> Result<Checked, String> {
    let Remembered {
        evaluation,
        unsaved,
        account,
    } = site.remember(request);
    let expected = site.evaluate(request);
    compare(&evaluation, &expected).map_err(|wrong| format!("{wrong}\n{account:?}"))?;
    if let Some(unsaved) = unsaved {
        unsaved
            .save()
            .map_err(|error| format!("cannot be saved: {error}"))?;
    }
    Ok(Checked {
        account,
        has_plan: expected.plan.is_some(),
    })
}

/// What a round tells, as an evaluation.
pub fn evaluation_of(round: Round) -> Evaluation {
    Evaluation {
        plan: round.plan.map(Arc::unwrap_or_clone),
        diagnostics: round.diagnostics,
    }
}

/// Tells in what an evaluation differs from the one that is expected.
pub fn compare(actual: &Evaluation, expected: &Evaluation) -> Result<(), String> {
    let shown = |evaluation: &Evaluation| {
        let lines = evaluation.diagnostics.iter();
        let lines = lines.map(|it| format!("    {} {}: {:?}\n", it.id, it.message, it.primary));
        lines.collect::<String>()
    };
    let bytes = |evaluation: &Evaluation| evaluation.plan.as_ref().map(stxl_model::Plan::to_bytes);
    let what = match (bytes(actual), bytes(expected)) {
        (Some(_), None) => "a plan, where there is none",
        (None, Some(_)) => "no plan, where there is one",
        (actual, expected) if actual != expected => "another plan",
        (_, _) if actual.diagnostics != expected.diagnostics => "other diagnostics",
        (_, _) => return Ok(()),
    };
    Err(format!(
        "{what}\n  with a memory:\n{}{}  without:\n{}{}",
        shown(actual),
        own_nodes(actual, expected),
        shown(expected),
        own_nodes(expected, actual),
    ))
}

/// The nodes of a plan that stand elsewhere or not at all in another.
fn own_nodes(plan: &Evaluation, other: &Evaluation) -> String {
    let nodes = |of: &Evaluation| -> Vec<String> {
        let nodes = of.plan.iter().flat_map(stxl_model::Plan::nodes);
        let shown = nodes.map(|node| format!("{} {:?}", node.id, node.origin));
        shown.collect()
    };
    let (own, other) = (nodes(plan), nodes(other));
    let differ = own.iter().enumerate();
    let differ = differ.filter(|(position, node)| other.get(*position) != Some(node));
    let lines = differ.take(5).map(|(position, node)| {
        let elsewhere = other.iter().position(|it| it == node);
        format!("    node {position}, elsewhere {elsewhere:?}: {node}\n")
    });
    lines.collect()
}

/// Writes a file with the folders on its way.
pub fn write(folder: &Path, path: &str, text: impl AsRef<[u8]>) {
    let file = folder.join(path);
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).expect("a folder");
    }
    std::fs::write(file, text).expect("a file");
}
