//! The language as a whole: from a file's text to modules, definitions and outputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_model::{OutputName, PackageLabel, Platform};

use crate::definition::Definition;
use crate::diagnostic::{Diagnostic, Position, Span};
use crate::expression::{Operand, OutputExpression, Outputs, Reference, Site};
use crate::host::{Host, Layer};
use crate::source::SourcePath;

/// The dialect: its engine, its functions and the embedded stdlib. Made once per process and shared
/// by all threads.
pub struct Language {
    _private: (),
}

/// A compiled file.
pub struct Module {
    path: SourcePath,
    text: Arc<str>,
}

/// What compiling a file gives.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The module; none when a diagnostic is an error.
    pub module: Option<Arc<Module>>,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a definition is evaluated for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionContext {
    /// The package.
    pub package: PackageLabel,
    /// The layer the file belongs to; `prior()` is what lies below it.
    pub layer: Layer,
}

/// What a file evaluates to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defined {
    /// The definition.
    pub definition: Definition,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// What a definition is expanded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandRequest {
    /// The package.
    pub package: PackageLabel,
    /// The platform it is built for.
    pub target: Platform,
    /// The root a build starts from unless the definition names one.
    pub base: Vec<Operand>,
    /// Options set from outside; the definition's own defaults hold for all others.
    pub options: BTreeMap<String, String>,
}

/// What a definition expands to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The outputs, `main` among them.
    pub outputs: Outputs,
    /// Whether the outputs depend on the platform they are built for.
    pub used_target: bool,
    /// What the build sees (`needs`).
    pub needs: Vec<Reference>,
    /// What every consumer gets too (`brings`).
    pub brings: Vec<Reference>,
    /// What the consumers of single outputs get besides.
    pub output_brings: BTreeMap<OutputName, Vec<Reference>>,
    /// The tests, by name: each gives an empty tree when it passes.
    pub tests: BTreeMap<Arc<str>, OutputExpression>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// One step on the way to a value inside a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldStep<'a> {
    /// The value of a key.
    Key(&'a str),
    /// An item of a list, from 0.
    Item(usize),
}

impl Language {
    /// Makes the engine and compiles the stdlib.
    pub fn new() -> Self {
        Self { _private: () }
    }

    /// Compiles a file: explains mistakes in its text, and rejects what is legal and surely wrong.
    pub fn compile(&self, _path: &SourcePath, _text: &str) -> Compiled {
        Compiled {
            module: None,
            diagnostics: Vec::new(),
        }
    }

    /// Evaluates a file's value, which has to be a builder call or a changed prior definition.
    ///
    /// Evaluates no other file unless `pkg(l).field` or `prior()` is read. The errors are empty when
    /// another file is wrong and [`crate::HostError::Failed`] was answered.
    pub fn define(
        &self,
        _module: &Arc<Module>,
        _context: &DefinitionContext,
        _host: &dyn Host,
    ) -> Result<Defined, Vec<Diagnostic>> {
        Err(Vec::new())
    }

    /// Finishes a definition's fields and evaluates its build.
    pub fn expand(
        &self,
        _definition: &Definition,
        _request: &ExpandRequest,
        _host: &dyn Host,
    ) -> Result<Expanded, Vec<Diagnostic>> {
        Err(Vec::new())
    }
}

impl Default for Language {
    fn default() -> Self {
        Self::new()
    }
}

impl Module {
    /// The file.
    pub fn path(&self) -> &SourcePath {
        &self.path
    }

    /// The text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Where a value of the file's builder call stands: the deepest step that is written out, and
    /// the call itself when none is.
    pub fn position_of(&self, _steps: &[FieldStep<'_>]) -> Position {
        Position { line: 1, column: 1 }
    }

    /// The span of the token at [`Module::position_of`].
    pub fn span_of(&self, _steps: &[FieldStep<'_>]) -> Span {
        Span {
            path: self.path.clone(),
            start: 0,
            end: 0,
        }
    }

    /// The span of the token at a site in this file.
    pub fn span_at(&self, _site: &Site) -> Span {
        Span {
            path: self.path.clone(),
            start: 0,
            end: 0,
        }
    }
}

impl PartialEq for Module {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.text == other.text
    }
}

impl Eq for Module {}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
