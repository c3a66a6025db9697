//! The record that `stxl eval --json` prints, in structs of its own with a version.

use serde::Serialize;
use stxl_model::{DerivationId, Plan};

use std::collections::BTreeMap;

/// Version of the record; raised when a field changes its meaning or goes.
pub const EVAL_RECORD_VERSION: u32 = 1;

/// A plan for scripts.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EvalRecord {
    /// [`EVAL_RECORD_VERSION`].
    pub version: u32,
    /// What was asked for.
    pub roots: Vec<RootRecord>,
    /// All derivations, inputs first.
    pub derivations: Vec<DerivationRecord>,
}

/// A package that was asked for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RootRecord {
    /// The package.
    pub label: String,
    /// Derivation ids by output.
    pub outputs: BTreeMap<String, String>,
}

/// One derivation.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct DerivationRecord {
    /// Its id.
    pub id: String,
    /// Its kind, such as `exec`.
    pub kind: &'static str,
    /// What a person calls it.
    pub name: String,
    /// The package it was made for.
    pub label: String,
    /// The file of the definition.
    pub file: String,
    /// The line in it, from 1.
    pub line: u32,
    /// The ids of its direct inputs.
    pub inputs: Vec<String>,
    /// What a build would do, when that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<DerivationStatus>,
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

impl EvalRecord {
    /// The record of a plan; `status_of` is asked for every derivation, in the order of the plan,
    /// and says nothing when the status was not asked for.
    pub fn of(
        plan: &Plan,
        mut status_of: impl FnMut(&DerivationId) -> Option<DerivationStatus>,
    ) -> Self {
        let roots = plan.roots().iter().map(|root| RootRecord {
            label: root.label.to_string(),
            outputs: root
                .outputs
                .iter()
                .map(|(output, id)| (output.to_string(), id.to_string()))
                .collect(),
        });
        let derivations = plan.nodes().iter().map(|node| DerivationRecord {
            id: node.id.to_string(),
            kind: node.derivation.kind().name(),
            name: node.origin.name.clone(),
            label: node.origin.label.to_string(),
            file: node.origin.file.clone(),
            line: node.origin.line,
            inputs: node
                .derivation
                .inputs()
                .iter()
                .map(ToString::to_string)
                .collect(),
            status: status_of(&node.id),
        });
        Self {
            version: EVAL_RECORD_VERSION,
            roots: roots.collect(),
            derivations: derivations.collect(),
        }
    }
}
