//! Which files of archives played a part: what was taken out before a step ran did not.
//!
//! A file was seen if its bytes are in the root of a step or in what is asked about; so was one
//! that was changed on the way, as by a patch: a root has a file at the end of its path whose bytes
//! no archive holds. What is not known for sure counts as seen.

use std::collections::BTreeSet;

use stxl_model::{BlobId, Derivation, Node, RootPath, TreeId};
use stxl_store::{Store, StoreError};

use super::{Lineage, Research, Subject, there};

/// The roots of steps, and what is asked about.
#[derive(Default)]
struct Sight {
    trees: Vec<TreeId>,
    blobs: BTreeSet<BlobId>,
}

impl Research<'_> {
    /// Leaves out of what archives ship the files that nothing saw.
    pub(super) fn leave_out_unseen(&self, lineage: &mut Lineage) -> Result<(), StoreError> {
        let Some(sight) = self.sight(lineage) else {
            return Ok(());
        };
        let Some(blobs) = there(sight.contents(self.store))? else {
            return Ok(());
        };
        let shipped: BTreeSet<BlobId> = files(lineage).map(|(_, blob)| blob).collect();
        let unseen = files(lineage)
            .filter(|(_, blob)| !blobs.contains(blob))
            .map(|(path, _)| path);
        let unseen: BTreeSet<Vec<u8>> = unseen.map(RootPath::to_absolute_bytes).collect();
        let Some(changed) = there(sight.changed(self.store, &unseen, &shipped))? else {
            return Ok(());
        };
        for (node, files) in &mut lineage.shipped {
            if !self.is_seen_packed(*node, &blobs)? {
                files.retain(|file| {
                    blobs.contains(&file.blob) || changed.contains(&file.path.to_absolute_bytes())
                });
            }
        }
        lineage.shipped.retain(|(_, files)| !files.is_empty());
        Ok(())
    }

    /// Nothing if that is not known: a root is forgotten, or files were packed again.
    fn sight(&self, lineage: &Lineage) -> Option<Sight> {
        let mut sight = Sight::default();
        match &lineage.subject {
            Subject::File { blob, .. } => sight.blobs.extend([*blob]),
            Subject::Tree { tree, .. } => sight.trees.push(*tree),
        }
        for node in &lineage.nodes {
            match self.plan.nodes()[*node].derivation.decode() {
                Ok(Derivation::Exec(exec)) => {
                    let root = self.plan.position(&exec.root)?;
                    sight.trees.push(self.schedule.tree(root)?);
                }
                Ok(Derivation::Archive(_) | Derivation::Image(_)) | Err(_) => return None,
                Ok(
                    Derivation::Fetch(_)
                    | Derivation::Unpack(_)
                    | Derivation::Import(_)
                    | Derivation::Compose(_),
                ) => {}
            }
        }
        Some(sight)
    }

    /// Whether what was unpacked was seen as the archive it was, too.
    fn is_seen_packed(&self, node: usize, blobs: &BTreeSet<BlobId>) -> Result<bool, StoreError> {
        let Ok(Derivation::Unpack(unpack)) = self.plan.nodes()[node].derivation.decode() else {
            return Ok(false);
        };
        let archive = self.plan.position(&unpack.archive);
        let Some(tree) = archive.and_then(|archive| self.schedule.tree(archive)) else {
            return Ok(true);
        };
        let file = self.file_of(&tree)?;
        Ok(file.is_none_or(|(blob, _)| blobs.contains(&blob)))
    }
}

impl Sight {
    /// The bytes of all files.
    fn contents(&self, store: &Store) -> Result<BTreeSet<BlobId>, StoreError> {
        let mut blobs = self.blobs.clone();
        let mut known = BTreeSet::new();
        let mut trees = self.trees.clone();
        while let Some(tree) = trees.pop() {
            if !known.insert(tree) {
                continue;
            }
            for entry in store.directory(&tree)?.entries() {
                match &entry.node {
                    Node::File { blob, .. } => blobs.extend([*blob]),
                    Node::Directory { tree } => trees.push(*tree),
                    Node::Symlink { .. } => {}
                }
            }
        }
        Ok(blobs)
    }

    /// Those of the paths at the end of which a root has a file that is none of the shipped ones.
    fn changed(
        &self,
        store: &Store,
        paths: &BTreeSet<Vec<u8>>,
        shipped: &BTreeSet<BlobId>,
    ) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        let names: BTreeSet<&[u8]> = paths.iter().map(|path| name_of(path)).collect();
        let mut changed = BTreeSet::new();
        let mut known: BTreeSet<(Vec<u8>, TreeId)> = BTreeSet::new();
        let mut trees: Vec<(Vec<u8>, TreeId)> =
            self.trees.iter().map(|tree| (Vec::new(), *tree)).collect();
        while let Some((path, tree)) = trees.pop() {
            if !known.insert((path.clone(), tree)) {
                continue;
            }
            for entry in store.directory(&tree)?.entries() {
                let path = [path.as_slice(), b"/", &entry.name].concat();
                match &entry.node {
                    Node::Directory { tree } => trees.push((path, *tree)),
                    Node::File { blob, .. }
                        if names.contains(entry.name.as_slice()) && !shipped.contains(blob) =>
                    {
                        let ends = (0..path.len()).filter(|at| path[*at] == b'/');
                        changed.extend(ends.filter_map(|at| paths.get(&path[at..])).cloned());
                    }
                    Node::File { .. } | Node::Symlink { .. } => {}
                }
            }
        }
        Ok(changed)
    }
}

fn files(lineage: &Lineage) -> impl Iterator<Item = (&RootPath, BlobId)> {
    let archives = lineage.shipped.iter();
    archives.flat_map(|(_, files)| files.iter().map(|file| (&file.path, file.blob)))
}

fn name_of(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
