//! The rebuild check: what differs between what a step gave and what it gives again.

use stxl_model::{PlanNode, TreeId};
use stxl_store::{Difference, Store, StoreError};

use crate::compose::difference_parts;
use crate::event::{CheckMismatch, PathDifference};

/// How many paths that differ are told.
const DIFFERENCES_MAX: usize = 20;

/// Puts together what is told about a step that gave another tree.
pub(crate) fn mismatch(
    store: &Store,
    node: &PlanNode,
    first: TreeId,
    second: TreeId,
) -> Result<CheckMismatch, StoreError> {
    let differences = match store.diff(&first, &second, DIFFERENCES_MAX) {
        Ok(differences) => differences.iter().map(path_difference).collect(),
        // The first tree is gone, in part at least: that it differs is all that can be told.
        Err(StoreError::MissingTree { .. } | StoreError::MissingBlob { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(CheckMismatch {
        node: node.clone(),
        first,
        second,
        differences,
    })
}

fn path_difference(difference: &Difference) -> PathDifference {
    let (what, offset) = difference_parts(&difference.kind);
    PathDifference {
        path: difference.path.clone(),
        what: what.to_owned(),
        offset,
    }
}
