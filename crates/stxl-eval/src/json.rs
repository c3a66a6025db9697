//! The record that `stxl eval --json` prints, in structs of its own with a version.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use stxl_model::{DerivationId, Plan};

/// Version of the record; raised when a field changes its meaning or goes.
pub const EVAL_RECORD_VERSION: u32 = 1;

/// A plan for scripts.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EvalRecord<'p> {
    /// [`EVAL_RECORD_VERSION`].
    pub version: u32,
    /// What was asked for.
    pub roots: Vec<RootRecord<'p>>,
    /// All derivations, inputs first.
    pub derivations: Vec<DerivationRecord<'p>>,
}

/// A package that was asked for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RootRecord<'p> {
    /// The package.
    pub label: &'p str,
    /// Derivation ids by output.
    pub outputs: BTreeMap<&'p str, IdText>,
}

/// One derivation.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct DerivationRecord<'p> {
    /// Its id.
    pub id: IdText,
    /// Its kind, such as `exec`.
    pub kind: &'static str,
    /// What a person calls it.
    pub name: &'p str,
    /// The package it was made for.
    pub label: &'p str,
    /// The file of the definition.
    pub file: &'p str,
    /// The line in it, from 1.
    pub line: u32,
    /// The ids of its direct inputs.
    #[serde(serialize_with = "id_list")]
    pub inputs: &'p [DerivationId],
    /// Whether it is machine code that nothing of the plan made, and says so.
    pub opaque: bool,
    /// What a build would do, when that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DerivationStatus>,
}

/// An id, written as its hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdText(pub DerivationId);

impl Serialize for IdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.digest().write_hex(&mut [0; 64]))
    }
}

fn id_list<S: Serializer>(ids: &&[DerivationId], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().copied().map(IdText))
}

/// What a build would do with a derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DerivationStatus {
    /// Its result is known.
    Cached,
    /// It runs.
    Run,
    /// It depends on something that runs, and may be cut off.
    Pending,
}

impl<'p> EvalRecord<'p> {
    /// The record of a plan; `status_of` is asked for every derivation, in the order of the plan,
    /// and says nothing when the status was not asked for.
    pub fn of(
        plan: &'p Plan,
        mut status_of: impl FnMut(&DerivationId) -> Option<DerivationStatus>,
    ) -> Self {
        let roots = plan.roots().iter().map(|root| RootRecord {
            label: root.label.as_str(),
            outputs: root
                .outputs
                .iter()
                .map(|(output, id)| (output.as_str(), IdText(*id)))
                .collect(),
        });
        let derivations = plan.nodes().iter().map(|node| DerivationRecord {
            id: IdText(node.id),
            kind: node.derivation.kind().name(),
            name: &node.origin.name,
            label: node.origin.label.as_str(),
            file: &node.origin.file,
            line: node.origin.line,
            inputs: node.derivation.inputs(),
            opaque: node.origin.is_opaque,
            status: status_of(&node.id),
        });
        Self {
            version: EVAL_RECORD_VERSION,
            roots: roots.collect(),
            derivations: derivations.collect(),
        }
    }
}
