//! Plans: the graph of derivations for a request, with what travels beside it.

mod difference;
mod encoded;
mod fragment;
mod outputs;
mod parallel;
mod recipe;
mod replaced;
mod serialized;
mod shape;

use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

use crate::address::is_binary_package;
use crate::derivation::Kind;
use crate::digest::DerivationId;
use crate::label::{OutputName, PackageLabel};
use shape::KnownShape;

pub use difference::{
    OutputDifference, PackageChange, PackageDifference, PlanDifference, Standing, Succession,
};
pub use encoded::EncodedDerivation;
pub use fragment::{Fragment, FragmentInput, FragmentWriter};
pub use outputs::RootOutputs;
pub use recipe::{PartDifference, RecipePart, SCRIPT_PREAMBLE, SCRIPT_SHELL};

/// The derivations a request needs and the outputs it asked for. Free of host facts.
///
/// Invariant: no duplicate ids, `positions` holds them in the order of the nodes; every node's
/// inputs stand before it; every root is a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    nodes: Vec<PlanNode>,
    roots: Vec<PlanRoot>,
    is_local: bool,
    positions: IndexSet<DerivationId, FxBuildHasher>,
    shape: KnownShape,
}

/// A derivation with its id and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanNode {
    /// The id of the derivation.
    pub id: DerivationId,
    /// The derivation.
    pub derivation: EncodedDerivation,
    /// Where it came from; in no id. Shared with plans that took the node over.
    pub origin: Arc<NodeOrigin>,
}

/// Where a derivation came from and what its execution needs to know beside its recipe. In no id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOrigin {
    /// What a person calls it, such as `core/zlib: run 2 of 3`.
    pub name: String,
    /// The package it was made for.
    pub label: PackageLabel,
    /// File of the definition, relative to the workspace.
    pub file: String,
    /// Line of the call in that file, from 1.
    pub line: u32,
    /// Line on which the text of a shell script begins, from 1; 0 when there is none.
    pub script_line: u32,
    /// Wall time after which an execution is ended, in milliseconds; 0 for the default.
    pub wall_ms_max: u64,
    /// Time without output after which an execution is ended, in milliseconds; 0 for the default.
    pub silent_ms_max: u64,
    /// For an import, where its bytes are.
    pub import: Option<ImportSource>,
    /// For a fetch, where its bytes can be had, best first.
    pub urls: Vec<String>,
    /// Whether the definition says that what is fetched is *opaque*: machine code that nothing of
    /// the plan made. A policy may refuse it.
    pub is_opaque: bool,
}

impl NodeOrigin {
    /// Whether machine code comes with it that nothing of the plan made: its definition says so, or
    /// its address names a package of binaries.
    pub fn brings_machine_code(&self) -> bool {
        self.is_opaque || self.urls.iter().any(|url| is_binary_package(url))
    }
}

/// Where the bytes of an import are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSource {
    /// The path, relative to the workspace unless it is absolute.
    pub path: String,
    /// How the bytes are made of the file.
    pub decode: ImportDecode,
    /// For a directory, what is left out, as [`LeftOut`](crate::LeftOut) reads it.
    pub ignore: Vec<String>,
}

/// How the bytes of an import are made of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportDecode {
    /// They are the file's own.
    Plain,
    /// The file is annotated hexadecimal text.
    Hex,
}

/// A package that was asked for, and its outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRoot {
    /// The package.
    pub label: PackageLabel,
    /// The outputs that were asked for and the derivations that give them.
    pub outputs: RootOutputs,
}

/// Why nodes and roots do not form a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A node names an input that does not stand before it.
    #[error("derivation {id} needs {input}, which does not stand before it")]
    MissingInput {
        /// The node.
        id: DerivationId,
        /// The input.
        input: DerivationId,
    },
    /// A root names a derivation that is not a node.
    #[error("output `{output}` of `{label}` is {id}, which is not in the plan")]
    MissingRoot {
        /// The package.
        label: PackageLabel,
        /// The output.
        output: OutputName,
        /// The derivation.
        id: DerivationId,
    },
    /// A node is not what its id says.
    #[error("derivation {id} is recorded under another id")]
    WrongId {
        /// The id as recorded.
        id: DerivationId,
    },
    /// The bytes are not a serialised plan of this version.
    #[error("the serialised plan is unreadable: {0}")]
    Encoding(#[from] crate::codec::DecodeError),
}

impl Plan {
    /// Adds a derivation, unless it is there already, and returns its id. Its inputs have to be
    /// there.
    pub fn add(
        &mut self,
        derivation: impl Into<EncodedDerivation>,
        origin: impl FnOnce() -> NodeOrigin,
    ) -> Result<DerivationId, PlanError> {
        let derivation = derivation.into();
        let id = derivation.id();
        if !self.positions.contains(&id) {
            let origin = Arc::new(origin());
            self.push(PlanNode {
                id,
                derivation,
                origin,
            })?;
        }
        Ok(id)
    }

    /// Makes room for so many more derivations.
    pub fn reserve(&mut self, count: usize) {
        self.nodes.reserve(count);
        self.positions.reserve(count);
    }

    /// Adds a node of another plan as it is, its id included, unless it is there already.
    pub fn add_node(&mut self, node: &PlanNode) -> Result<(), PlanError> {
        if self.positions.contains(&node.id) {
            return Ok(());
        }
        self.push(node.clone())
    }

    fn push(&mut self, node: PlanNode) -> Result<(), PlanError> {
        let id = node.id;
        for input in node.derivation.inputs() {
            if !self.positions.contains(input) {
                return Err(PlanError::MissingInput { id, input: *input });
            }
        }
        if self.positions.insert(id) {
            self.nodes.push(node);
            self.shape = KnownShape::default();
        }
        Ok(())
    }

    /// Adds a package that was asked for.
    pub fn add_root(&mut self, root: PlanRoot) -> Result<(), PlanError> {
        for (output, id) in root.outputs.iter() {
            if !self.positions.contains(id) {
                let (label, output) = (root.label.clone(), output.clone());
                return Err(PlanError::MissingRoot {
                    label,
                    output,
                    id: *id,
                });
            }
        }
        self.roots.push(root);
        self.shape = KnownShape::default();
        Ok(())
    }

    /// Marks the plan as having seen local overlays: never recorded for others, shared or signed.
    pub fn mark_local(&mut self) {
        self.is_local = true;
    }

    /// Whether the plan saw local overlays.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// The nodes; inputs before those that need them.
    pub fn nodes(&self) -> &[PlanNode] {
        &self.nodes
    }

    /// The packages that were asked for.
    pub fn roots(&self) -> &[PlanRoot] {
        &self.roots
    }

    /// Finds a node.
    pub fn node(&self, id: &DerivationId) -> Option<&PlanNode> {
        self.position(id)
            .and_then(|position| self.nodes.get(position))
    }

    /// The position of a node in [`Self::nodes`].
    pub fn position(&self, id: &DerivationId) -> Option<usize> {
        self.positions.get_index_of(id)
    }

    /// How many nodes are of a kind.
    pub fn count_of(&self, kind: Kind) -> usize {
        self.nodes
            .iter()
            .filter(|node| node.derivation.kind() == kind)
            .count()
    }
}
