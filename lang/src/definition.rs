//! Definitions: what a package file evaluates to. Data, never steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expression::{
    FetchSource, FileImport, Operand, OutputExpression, Reference, RootExpression,
};
use crate::source::SourcePath;

/// The fields of a definition, by name.
pub type Fields = BTreeMap<Arc<str>, Value>;

/// A builder call: the builder's name and the fields as written (after overlays, before templates).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The builder.
    pub builder: Arc<str>,
    /// The fields.
    pub fields: Fields,
    /// The file whose value this is.
    pub path: SourcePath,
    /// The file in which each field was last set: another one under an overlay.
    pub field_paths: BTreeMap<Arc<str>, SourcePath>,
    /// The file that holds `fn build(p)` and the digest of its text, for a `custom` package.
    pub build_path: Option<SourcePath>,
}

/// A value in a definition; the closed set of what the language gives to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(Arc<str>),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A list.
    List(Vec<Self>),
    /// A map, sorted by key.
    Map(Fields),
    /// A reference to another package's output.
    Reference(Arc<Reference>),
    /// A source from outside.
    Source(Arc<FetchSource>),
    /// A file of the package's folder.
    File(FileImport),
    /// Any other thing a root can be made with.
    Operand(Box<Operand>),
    /// A root.
    Root(RootExpression),
    /// An output of a root.
    Output(Arc<OutputExpression>),
}
