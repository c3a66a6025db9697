//! The outputs of a package that was asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::DerivationId;
use crate::label::OutputName;

/// Outputs by name, and the derivations that give them. Plans with other derivations in the places
/// of some share the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootOutputs {
    /// Sorted, each once.
    names: Arc<[OutputName]>,
    /// As many, in their order.
    ids: Box<[DerivationId]>,
}

impl RootOutputs {
    /// The names, sorted.
    pub fn names(&self) -> &[OutputName] {
        &self.names
    }

    /// What gives each output, in the order of the names.
    pub fn ids(&self) -> &[DerivationId] {
        &self.ids
    }

    /// Each output and what gives it, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&OutputName, &DerivationId)> {
        self.names.iter().zip(&self.ids)
    }

    /// What gives an output.
    pub fn get(&self, output: &OutputName) -> Option<&DerivationId> {
        let position = self.names.binary_search(output).ok()?;
        self.ids.get(position)
    }

    /// The same outputs, given by others, in the order of the names.
    pub(super) fn given_by(&self, ids: impl Iterator<Item = DerivationId>) -> Self {
        let ids: Box<[DerivationId]> = ids.collect();
        assert_eq!(ids.len(), self.names.len(), "each output is given");
        Self {
            names: Arc::clone(&self.names),
            ids,
        }
    }
}

impl FromIterator<(OutputName, DerivationId)> for RootOutputs {
    /// Of outputs of one name the last one counts.
    fn from_iter<I: IntoIterator<Item = (OutputName, DerivationId)>>(outputs: I) -> Self {
        let outputs: BTreeMap<OutputName, DerivationId> = outputs.into_iter().collect();
        let (names, ids): (Vec<OutputName>, Vec<DerivationId>) = outputs.into_iter().unzip();
        Self {
            names: names.into(),
            ids: ids.into(),
        }
    }
}

impl<const N: usize> From<[(OutputName, DerivationId); N]> for RootOutputs {
    fn from(outputs: [(OutputName, DerivationId); N]) -> Self {
        outputs.into_iter().collect()
    }
}
