//! Small workspaces in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_eval::{Evaluation, EvaluationRequest, Evaluator, EvaluatorOptions, MemoryTree, Tests};
use stxl_lang::{Diagnostic, Severity};
use stxl_model::{Plan, Selector};

/// The settings of most workspaces here.
pub const SETTINGS: &str = "stages = [\"stage0\", [\"core\", \"user\"]]\nplatform = \"x86_64\"\n";

/// A workspace in memory and an evaluator of it.
pub struct World {
    pub tree: Arc<MemoryTree>,
    evaluator: Evaluator,
}

pub fn request(selectors: &[&str]) -> EvaluationRequest {
    EvaluationRequest {
        selectors: selectors
            .iter()
            .map(|it| Selector::parse(it).unwrap())
            .collect(),
        platform: None,
        options: BTreeMap::new(),
        tests: Tests::Left,
        sandbox_abi: 1,
    }
}

impl World {
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self::with_threads(files, 2)
    }

    pub fn with_threads(files: &[(&str, &str)], threads: usize) -> Self {
        let tree = Arc::new(MemoryTree::new());
        tree.write("stxl.toml", SETTINGS);
        for (path, text) in files {
            tree.write(path, text);
        }
        let options = EvaluatorOptions {
            threads,
            ..EvaluatorOptions::default()
        };
        let evaluator = Evaluator::new(tree.clone(), options).unwrap();
        evaluator.log_queries();
        Self { tree, evaluator }
    }

    pub fn evaluate(&mut self, selectors: &[&str]) -> Evaluation {
        self.evaluator.evaluate(&request(selectors))
    }

    pub fn evaluate_request(&mut self, request: &EvaluationRequest) -> Evaluation {
        self.evaluator.evaluate(request)
    }

    /// The plan of an evaluation without errors.
    pub fn plan(&mut self, selectors: &[&str]) -> Plan {
        let evaluation = self.evaluate(selectors);
        evaluation
            .plan
            .unwrap_or_else(|| panic!("{}", shown(&evaluation.diagnostics)))
    }

    pub fn queries(&self) -> Vec<String> {
        self.evaluator.take_query_log()
    }

    /// The text a span covers.
    pub fn covered(&self, diagnostic: &Diagnostic) -> String {
        use stxl_lang::SourceTree as _;
        let Some((span, _)) = &diagnostic.primary else {
            return String::new();
        };
        let text = self.tree.read(&span.path).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        text[span.start as usize..span.end as usize].to_owned()
    }
}

/// Diagnostics, a line for each part.
pub fn shown(diagnostics: &[Diagnostic]) -> String {
    let mut lines = Vec::new();
    for it in diagnostics {
        let severity = match it.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let at = it.primary.as_ref().map_or_else(String::new, |(span, _)| {
            format!(" at {}:{}..{}", span.path, span.start, span.end)
        });
        lines.push(format!("{severity} {}{at}: {}", it.id, it.message));
        lines.extend(it.notes.iter().map(|note| format!("  note: {note}")));
        lines.extend(it.hints.iter().map(|hint| format!("  hint: {hint}")));
    }
    lines.join("\n") + "\n"
}

/// A package that installs a file by a script.
pub fn script_package(needs: &str, more: &str) -> String {
    format!(
        "script(#{{\n    version: \"1\",\n    license: \"MIT\",\n    base: [],\n    needs: [{needs}],\n    \
         script: #\"\n        echo hello > \"$OUT/hello\"\n    \"#,\n{more}}})\n"
    )
}
