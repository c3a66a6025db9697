//! Pure operations on their way into one compose derivation.

use std::collections::BTreeMap;

use stxl_model::{Compose, DerivationId, RootPath, TreeOp};

/// A directory that no root has; selecting it gives an empty tree.
const EMPTY_DIRECTORY: &[u8] = b"/.stxl-empty";

/// Operations over inputs, applied to an empty tree.
#[derive(Clone, Default)]
pub(super) struct Composition {
    inputs: Vec<DerivationId>,
    positions: BTreeMap<DerivationId, u32>,
    ops: Vec<TreeOp>,
}

impl Composition {
    /// The tree of a derivation as it is.
    pub(super) fn of(id: DerivationId) -> Self {
        let mut composition = Self::default();
        composition.merge(id);
        composition
    }

    /// Trees that may not replace anything of each other; one alone is merged as it is.
    pub(super) fn of_brought(ids: &[DerivationId]) -> Self {
        if let [id] = ids {
            return Self::of(*id);
        }
        let mut composition = Self::default();
        for id in ids {
            let input = composition.input(*id);
            composition.ops.push(TreeOp::MergeStrict { input });
        }
        composition
    }

    /// The position of an input, which is added unless it is there.
    pub(super) fn input(&mut self, id: DerivationId) -> u32 {
        let next = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        let position = *self.positions.entry(id).or_insert(next);
        if position == next {
            self.inputs.push(id);
        }
        position
    }

    pub(super) fn push(&mut self, operation: TreeOp) {
        self.ops.push(operation);
    }

    pub(super) fn merge(&mut self, id: DerivationId) {
        let input = self.input(id);
        self.ops.push(TreeOp::Merge { input });
    }

    /// Leaves an empty tree: no operation says so directly, since all that remove need a path.
    pub(super) fn push_emptying(&mut self) {
        let path = RootPath::parse(EMPTY_DIRECTORY).unwrap_or_else(|_| RootPath::root());
        self.push(TreeOp::Mkdir { path: path.clone() });
        self.push(TreeOp::Select { path });
    }

    /// The compose, or the one input when it is merged and nothing else happens.
    pub(super) fn into_derivation(self) -> Result<DerivationId, Compose<DerivationId>> {
        match (self.inputs.as_slice(), self.ops.as_slice()) {
            ([id], [TreeOp::Merge { .. }]) => Ok(*id),
            _ => Err(Compose {
                inputs: self.inputs,
                ops: self.ops,
            }),
        }
    }
}
