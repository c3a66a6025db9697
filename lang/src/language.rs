//! The language as a whole: from a file's text to modules, definitions and outputs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Engine, Scope};
use stxl_model::{OutputName, PackageLabel, Platform};

use crate::definition::Definition;
use crate::diagnostic::{Diagnostic, in_order};
use crate::dialect::complaint::Complaint;
use crate::dialect::failure;
use crate::dialect::frame::{Frame, Task};
use crate::dialect::poison::Poison;
use crate::dialect::stdlib::Stdlib;
use crate::dialect::values::{DefinitionValue, kind_of};
use crate::dialect::{engine, expand, limits};
use crate::expression::{Operand, OutputExpression, Outputs, Reference};
use crate::host::{Host, Layer};
use crate::mistakes;
use crate::source::SourcePath;

mod module;
mod origin;

pub use crate::dialect::calls::FieldStep;
pub use module::Module;
pub use origin::{Built, FieldPlace};

/// The dialect: its engine, its functions and the embedded stdlib. Made once per process and shared
/// by all threads.
pub struct Language {
    engine: Arc<Engine>,
    stdlib: Stdlib,
}

/// What compiling a file gives.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The module; none when the text cannot be read. Where a diagnostic is an error, it is there
    /// to find what else is wrong, and no plan may come of it.
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
    /// The root a test starts from unless the definition names one.
    pub test_base: Vec<Operand>,
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
    pub needs: Vec<Arc<Reference>>,
    /// What every consumer gets too (`brings`).
    pub brings: Vec<Arc<Reference>>,
    /// What the consumers of single outputs get besides.
    pub output_brings: BTreeMap<OutputName, Vec<Arc<Reference>>>,
    /// The tests, by name: each gives an empty tree when it passes.
    pub tests: BTreeMap<Arc<str>, Arc<OutputExpression>>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

impl Language {
    /// Makes the engine. Files of the stdlib are compiled when they are wanted.
    pub fn new() -> Self {
        Self::with_engine(engine::new_engine())
    }

    /// A language whose functions tell of themselves while a [`crate::profile::Profiler`] has an
    /// activity under way on their thread. What it evaluates to is the same; its limits are wider,
    /// since telling is work too.
    pub fn profiled() -> Self {
        Self::with_engine(engine::new_measuring_engine())
    }

    fn with_engine(engine: Engine) -> Self {
        let engine = Arc::new(engine);
        let stdlib = Stdlib::new();
        Self { engine, stdlib }
    }

    /// The text of an embedded file, for diagnostics that lead through it.
    pub fn stdlib_text(&self, path: &SourcePath) -> Option<&Arc<str>> {
        self.stdlib(path).map(|module| module.text())
    }

    /// Compiles a file: explains mistakes in its text, and rejects what is legal and surely wrong.
    pub fn compile(&self, path: &SourcePath, text: &str) -> Compiled {
        if text.len() > limits::FILE_BYTES_MAX {
            let complaint = Complaint::limit("bytes in a definition", limits::FILE_BYTES_MAX);
            return Compiled {
                module: None,
                diagnostics: complaint.diagnostic().into_iter().collect(),
            };
        }
        let text: Arc<str> = text.into();
        match engine::compile(&self.engine, path, &text) {
            Ok(ast) => {
                let mut module = Module::new(path, text, ast, &self.engine);
                let diagnostics = module.lint();
                Compiled {
                    module: Some(Arc::new(module)),
                    diagnostics,
                }
            }
            Err(error) => Compiled {
                module: None,
                diagnostics: module::explain(path, &text, &error),
            },
        }
    }

    /// Evaluates a file's value, which has to be a builder call or a changed prior definition.
    ///
    /// Evaluates no other file unless `pkg(l).field` or `prior()` is read. The errors are empty
    /// when another file is wrong and [`crate::HostError::Failed`] was answered.
    pub fn define(
        &self,
        module: &Arc<Module>,
        context: &DefinitionContext,
        host: &dyn Host,
    ) -> Result<Defined, Vec<Diagnostic>> {
        let task = Task::Define {
            layer: context.layer,
        };
        let frame = Frame::new(self, host, module, &context.package, task);
        // The definition of a file with mistakes, as far as there is one.
        let mistaken = RefCell::new(None);
        let defined = frame.evaluate(|frame| {
            let ast = module.ast_with_unknown_builder(frame.round.unknown_builder);
            let value = self
                .engine
                .eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast)
                .map_err(|error| {
                    let fallback = module.span_of(&[]);
                    failure::diagnostics(frame, error, module.path(), &fallback)
                })?;
            if Poison::is(&value) {
                return Err(Vec::new());
            }
            let definition = value
                .try_cast_result::<DefinitionValue>()
                .map_err(|value| no_definition(module, &value))?;
            let definition = Arc::unwrap_or_clone(definition.0);
            let wrong = frame.wrong_fields.take();
            if !wrong.is_empty() {
                mistaken.replace(Some((definition.clone(), wrong)));
            }
            Ok(Defined {
                definition,
                warnings: Vec::new(),
            })
        });
        defined.map_err(|mut said| {
            if let Some((definition, wrong)) = mistaken.take() {
                let package = &context.package;
                let more = expand::mistakes_of_build(self, &definition, &wrong, package, host);
                said.extend(more);
            }
            in_order(said)
        })
    }

    /// Finishes a definition's fields and evaluates its build.
    ///
    /// The errors are empty when another file is wrong and [`crate::HostError::Failed`] was
    /// answered.
    pub fn expand(
        &self,
        definition: &Definition,
        request: &ExpandRequest,
        host: &dyn Host,
    ) -> Result<Expanded, Vec<Diagnostic>> {
        expand::expand(self, definition, request, host)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn stdlib(&self, path: &SourcePath) -> Option<&Arc<Module>> {
        self.stdlib.module(path, &self.engine)
    }
}

impl Default for Language {
    fn default() -> Self {
        Self::new()
    }
}

fn no_definition(module: &Module, value: &Dynamic) -> Vec<Diagnostic> {
    if value.is_unit() {
        return vec![mistakes::no_value(module.syntax())];
    }
    Complaint::new(
        "no-definition",
        format!("The file's value is {}", kind_of(value)),
    )
    .hint("end the file with the builder call, such as `custom(#{ … })`")
    .diagnostics_at(&module.span_of(&[]))
}
