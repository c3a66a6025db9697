//! A workspace in memory, and what is said about it when all of it is evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use stxl_eval::{EvaluationRequest, Evaluator, EvaluatorOptions, MemoryTree, SETTINGS_FILE, Tests};
use stxl_lang::{Diagnostic, Language, SourceError, SourcePath, SourceTree};

/// Files by path.
#[derive(Default)]
pub(crate) struct Workspace {
    files: BTreeMap<String, Vec<u8>>,
}

impl Workspace {
    /// Adds a file; blank lines at its end are not part of it.
    pub(crate) fn add(&mut self, path: &str, content: &str) {
        let content = format!("{}\n", content.trim_end());
        self.files.insert(path.to_owned(), content.into_bytes());
    }

    /// Evaluates every package for every output, its tests included.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        let tree = MemoryTree::new();
        tree.write(SETTINGS_FILE, self.default_settings());
        for (path, content) in &self.files {
            tree.write(path, content);
        }
        let options = EvaluatorOptions {
            threads: 1,
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::new(Arc::new(tree), options).unwrap();
        let request = EvaluationRequest {
            selectors: Vec::new(),
            platform: None,
            options: BTreeMap::new(),
            tests: Tests::Planned,
            sandbox_abi: 1,
        };
        evaluator.evaluate(&request).diagnostics
    }

    /// One group of all stages.
    fn default_settings(&self) -> String {
        let paths = self.files.keys();
        let stages: BTreeSet<&str> = paths
            .filter_map(|path| path.strip_prefix("stages/")?.split('/').next())
            .collect();
        let names: Vec<String> = stages.iter().map(|stage| format!("{stage:?}")).collect();
        format!("stages = [[{}]]\n", names.join(", "))
    }
}

/// The files, and the embedded ones that a trace may lead through.
impl SourceTree for Workspace {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        static LANGUAGE: OnceLock<Language> = OnceLock::new();
        if let Some(content) = self.files.get(path.as_str()) {
            return Ok(content.as_slice().into());
        }
        let language = LANGUAGE.get_or_init(Language::new);
        let embedded = language
            .stdlib_text(path)
            .map(|text| text.as_bytes().into());
        embedded.ok_or_else(|| SourceError::NotFound { path: path.clone() })
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        Err(SourceError::NotFound { path: path.clone() })
    }
}
