//! The language of package definitions: files, diagnostics, the dialect, what files evaluate to.
//!
//! Sole owner of `rhai` and `codespan-reporting`; no public signature names a type of theirs.
//! Data flow: a file's text (through [`SourceTree`]) becomes a syntax tree and a compiled module,
//! that a [`Definition`] (builder and fields, finished late), and that, only when wanted, the
//! [`Outputs`] of the package as chains of root operations. Start at [`Definition`].

mod definition;
mod diagnostic;
mod dialect;
pub mod doc;
mod expression;
mod host;
mod language;
mod lint;
pub mod mistakes;
pub mod profile;
pub mod render;
pub mod schema;
mod source;
pub mod syntax;

pub use definition::{Definition, Fields, Value};
pub use diagnostic::{Diagnostic, Position, Severity, Span, Trace, in_order};
pub use expression::{
    Command, DirectoryImport, FetchSource, FileImport, Operand, OutputExpression, OutputFilter,
    Outputs, Reference, RootExpression, RootOperation, RootStep, SeedImport, Site,
};
pub use host::{Host, HostError, Layer, VALUE_CYCLE};
pub use language::{
    Built, Compiled, Defined, DefinitionContext, ExpandRequest, Expanded, FieldPlace, FieldStep,
    Language, Module,
};
pub use source::{SourceError, SourcePath, SourceTree};
pub use syntax::{CalledFunction, Expression};
