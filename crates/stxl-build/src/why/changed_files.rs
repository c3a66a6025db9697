//! Which files of an import are others than they were when it was built before.

use std::path::Path;

use stxl_model::{BlobId, Derivation, ImportDecode, ImportKind, Node, PlanNode, RootPath, TreeId};
use stxl_store::{Store, StoreError};

use crate::failure::BuildError;
use crate::import::import;
use crate::options::BuildOptions;

/// A file of the workspace that is imported, and is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path from the workspace's folder.
    pub path: String,
    /// The bytes that it had; none if it was not there, or was no file.
    pub before: Option<BlobId>,
    /// The bytes that it has; none if it is gone, or is no file.
    pub after: Option<BlobId>,
    /// Whether its bytes are as they stand in the workspace.
    pub is_plain: bool,
}

/// The first files, symlinks and directories in which an import differs from the tree that it had
/// before; none when that tree is not in the store any more. What is imported is taken into the
/// store, as a build does.
pub fn changed_files(
    store: &Store,
    workspace: &Path,
    node: &PlanNode,
    before: &TreeId,
    count_max: usize,
) -> Result<Option<Vec<ChangedFile>>, BuildError> {
    let (Ok(Derivation::Import(recipe)), Some(source)) =
        (node.derivation.decode(), &node.origin.import)
    else {
        return Ok(None);
    };
    if !store.has_tree_complete(before)? {
        return Ok(None);
    }
    let options = BuildOptions::new(workspace.to_path_buf(), String::new());
    let after = import(store, &options, &recipe, node)?;
    let differences = store.diff(before, &after, count_max)?;
    let mut files = Vec::new();
    for difference in differences {
        let path = match recipe.kind {
            ImportKind::Directory => format!("{}{}", source.path, difference.path),
            ImportKind::File | ImportKind::Seed => source.path.clone(),
        };
        files.push(ChangedFile {
            path,
            before: blob_at(store, before, &difference.path)?,
            after: blob_at(store, &after, &difference.path)?,
            is_plain: source.decode == ImportDecode::Plain,
        });
    }
    Ok(Some(files))
}

/// The bytes of a file in a tree; none if there is no file.
fn blob_at(store: &Store, tree: &TreeId, path: &RootPath) -> Result<Option<BlobId>, StoreError> {
    Ok(match store.find(tree, path)? {
        Some(Node::File { blob, .. }) => Some(blob),
        Some(Node::Symlink { .. } | Node::Directory { .. }) | None => None,
    })
}
