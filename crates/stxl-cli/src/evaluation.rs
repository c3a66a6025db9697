//! From labels on the command line to a plan, with whatever is wrong shown.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;
use stxl_eval::{
    ChildLimits, ChildRequest, DiskSourceTree, Evaluation, EvaluationRequest, EvaluatorProgram,
    Tests, evaluate_in_child,
};
use stxl_lang::render::wire::{DiagnosticRecord, records};
use stxl_lang::render::{Style, render};
use stxl_lang::{Language, Severity, SourceError, SourcePath, SourceTree};
use stxl_model::{Plan, Selector};
use stxl_sandbox::{Identity, KeptCapability, become_unprivileged};

use crate::arguments::Selection;
use crate::failure::{Exit, Failure};
use crate::progress::plural;
use crate::session::THIS_PROGRAM;
use crate::terminal::{Terminal, Tone, print_record};

/// The hidden argument that makes this program an evaluator.
pub(crate) const EVALUATOR_ARGUMENT: &str = "__evaluate";

/// How many diagnostics a person is shown at once; `--json` has all of them.
const SHOWN_MAX: usize = 50;

/// Who reads what a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A person: excerpts of the text on standard error.
    Person,
    /// A program: JSON on standard output.
    Program,
}

/// The record that `--json` prints in the place of data when the text is wrong.
#[derive(Serialize)]
struct WireDiagnostics {
    version: u32,
    event: &'static str,
    diagnostics: Vec<DiagnosticRecord>,
}

/// Evaluates in a limited child process and shows diagnostics.
pub(crate) fn evaluate(
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Plan, Failure> {
    let selectors: Vec<Selector> = selection
        .labels
        .iter()
        .map(|label| Selector::parse(label))
        .collect::<Result<_, _>>()
        .map_err(Failure::usage)?;
    let request = ChildRequest {
        folder: workspace.to_path_buf(),
        readable: Vec::new(),
        buffers: BTreeMap::new(),
        evaluation: EvaluationRequest {
            selectors,
            platform: None,
            options: BTreeMap::new(),
            tests: Tests::Left,
            sandbox_abi: stxl_sandbox::ABI,
        },
        limits: ChildLimits::default(),
    };
    let program = EvaluatorProgram {
        path: THIS_PROGRAM.into(),
        args: vec![EVALUATOR_ARGUMENT.to_owned()],
    };
    let evaluation = evaluate_in_child(&program, &request).map_err(Failure::environment)?;
    show(&evaluation, workspace, audience, terminal)?;
    evaluation.plan.ok_or_else(|| Failure::shown(Exit::Usage))
}

/// What the evaluator's process does. Text of the workspace meets no process of root's.
pub(crate) fn child_main() -> ExitCode {
    // Only what lets it read a workspace that belongs to root is kept.
    match become_unprivileged(Identity::fallback(), KeptCapability::DacOverride) {
        Ok(_) => stxl_eval::child_main(),
        Err(error) => {
            Terminal::new(crate::arguments::ColorChoice::Never).note(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// What was asked for, as it was typed; under this the store keeps the history of a request.
pub(crate) fn request_text(selection: &Selection) -> String {
    selection.labels.join(" ")
}

fn show(
    evaluation: &Evaluation,
    workspace: &Path,
    audience: Audience,
    terminal: Terminal,
) -> Result<(), Failure> {
    let diagnostics = &evaluation.diagnostics;
    if diagnostics.is_empty() {
        return Ok(());
    }
    let disk = DiskSourceTree::open(workspace).map_err(Failure::environment)?;
    let tree = WithStdlib {
        disk,
        language: Language::new(),
    };
    let is_failed = evaluation.plan.is_none();
    match audience {
        Audience::Program if is_failed => {
            let diagnostics = records(diagnostics, &tree);
            let record = WireDiagnostics {
                version: 1,
                event: "diagnostics",
                diagnostics,
            };
            print_record(&record)
        }
        Audience::Person | Audience::Program => {
            let style = if terminal.is_colored() {
                Style::Colored
            } else {
                Style::Plain
            };
            let shown = diagnostics.get(..SHOWN_MAX).unwrap_or(diagnostics);
            terminal.text(&render(shown, &tree, style));
            if diagnostics.len() > shown.len() {
                terminal.note(&format!("and {} more", diagnostics.len() - shown.len()));
            }
            let errors = diagnostics
                .iter()
                .filter(|one| one.severity == Severity::Error)
                .count();
            if errors > 0 {
                let word = terminal.paint(Tone::Bad, "no plan");
                terminal.note(&format!("{word}: {}", plural(errors, "error")));
            }
            Ok(())
        }
    }
}

/// The workspace's files, and those of the embedded stdlib, for excerpts.
struct WithStdlib {
    disk: DiskSourceTree,
    language: Language,
}

impl SourceTree for WithStdlib {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        match self.language.stdlib_text(path) {
            Some(text) => Ok(text.as_bytes().into()),
            None => self.disk.read(path),
        }
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        self.disk.list(path)
    }
}
