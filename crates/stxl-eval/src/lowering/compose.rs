//! Pure operations on their way into one compose derivation.

use std::collections::BTreeMap;

use stxl_model::{Compose, FragmentInput, RootPath, TreeOp};

/// A directory that no root has; selecting it gives an empty tree.
const EMPTY_DIRECTORY: &[u8] = b"/.stxl-empty";

/// Operations over inputs, applied to an empty tree.
#[derive(Clone, Default)]
pub(super) struct Composition {
    inputs: Vec<FragmentInput>,
    positions: BTreeMap<FragmentInput, u32>,
    ops: Vec<TreeOp>,
}

impl Composition {
    /// The tree of an input as it is.
    pub(super) fn of(input: FragmentInput) -> Self {
        let mut composition = Self::default();
        composition.merge(input);
        composition
    }

    /// Trees that may not replace anything of each other; one alone is merged as it is.
    pub(super) fn of_brought(inputs: &[FragmentInput]) -> Self {
        if let [only] = inputs {
            return Self::of(*only);
        }
        let mut composition = Self::default();
        for input in inputs {
            let input = composition.input(*input);
            composition.ops.push(TreeOp::MergeStrict { input });
        }
        composition
    }

    /// The position of an input, which is added unless it is there.
    pub(super) fn input(&mut self, input: FragmentInput) -> u32 {
        let next = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        let position = *self.positions.entry(input).or_insert(next);
        if position == next {
            self.inputs.push(input);
        }
        position
    }

    pub(super) fn push(&mut self, operation: TreeOp) {
        self.ops.push(operation);
    }

    pub(super) fn merge(&mut self, input: FragmentInput) {
        let input = self.input(input);
        self.ops.push(TreeOp::Merge { input });
    }

    /// Leaves an empty tree: no operation says so directly, since all that remove need a path.
    pub(super) fn push_emptying(&mut self) {
        let path = RootPath::parse(EMPTY_DIRECTORY).unwrap_or_else(|_| RootPath::root());
        self.push(TreeOp::Mkdir { path: path.clone() });
        self.push(TreeOp::Select { path });
    }

    /// The compose, or the one input when it is merged and nothing else happens.
    pub(super) fn into_derivation(self) -> Result<FragmentInput, Compose<FragmentInput>> {
        match (self.inputs.as_slice(), self.ops.as_slice()) {
            ([only], [TreeOp::Merge { .. }]) => Ok(*only),
            _ => Err(Compose {
                inputs: self.inputs,
                ops: self.ops,
            }),
        }
    }
}
