//! Comparing and walking trees.

use std::io::{BufReader, Read as _};

use stxl_model::{BlobId, Directory, Node, RootPath, TreeId};

use crate::error::StoreError;
use crate::store::Store;

type Result<T> = std::result::Result<T, StoreError>;

/// One place where two trees differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: RootPath,
    /// In what.
    pub kind: DifferenceKind,
}

/// In what two trees differ at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Only the left tree has something there.
    OnlyLeft,
    /// Only the right tree has something there.
    OnlyRight,
    /// One has a file, symlink or directory where the other has another of them.
    Kind,
    /// Two symlinks point to different targets.
    Target,
    /// Only one of two files can be executed; their bytes are equal.
    Executable,
    /// The bytes of two files differ.
    Content {
        /// The first byte that differs, or the length of the shorter one. Nothing when the bytes
        /// are no longer in the store.
        offset: Option<u64>,
    },
}

impl Store {
    /// The first differences between two trees in the order of paths, at most `count_max`.
    pub fn diff(&self, left: &TreeId, right: &TreeId, count_max: usize) -> Result<Vec<Difference>> {
        let mut differences = Vec::new();
        let path = RootPath::root();
        self.diff_directories((left, right), &path, count_max, &mut differences)?;
        Ok(differences)
    }

    fn diff_directories(
        &self,
        (left, right): (&TreeId, &TreeId),
        path: &RootPath,
        count_max: usize,
        differences: &mut Vec<Difference>,
    ) -> Result<()> {
        if left == right {
            return Ok(());
        }
        let (left, right) = (self.directory(left)?, self.directory(right)?);
        for name in names(&left, &right) {
            if differences.len() >= count_max {
                return Ok(());
            }
            let path = child(path, name)?;
            let kind = match (left.find(name), right.find(name)) {
                (Some(Node::Directory { tree: left }), Some(Node::Directory { tree: right })) => {
                    self.diff_directories((left, right), &path, count_max, differences)?;
                    continue;
                }
                (Some(left), Some(right)) if left == right => continue,
                (Some(left), Some(right)) => self.diff_nodes(left, right)?,
                (Some(_), None) => DifferenceKind::OnlyLeft,
                (None, _) => DifferenceKind::OnlyRight,
            };
            differences.push(Difference { path, kind });
        }
        Ok(())
    }

    fn diff_nodes(&self, left: &Node, right: &Node) -> Result<DifferenceKind> {
        Ok(match (left, right) {
            (Node::File { blob: left, .. }, Node::File { blob: right, .. }) => {
                if left == right {
                    DifferenceKind::Executable
                } else {
                    let offset = self.first_difference(left, right)?;
                    DifferenceKind::Content { offset }
                }
            }
            (Node::Symlink { .. }, Node::Symlink { .. }) => DifferenceKind::Target,
            (Node::File { .. } | Node::Symlink { .. } | Node::Directory { .. }, _) => {
                DifferenceKind::Kind
            }
        })
    }

    fn first_difference(&self, left: &BlobId, right: &BlobId) -> Result<Option<u64>> {
        if !self.has_blob(left)? || !self.has_blob(right)? {
            return Ok(None);
        }
        let mut left_bytes = BufReader::new(self.open_blob(left)?).bytes();
        let mut right_bytes = BufReader::new(self.open_blob(right)?).bytes();
        let failed = |source| StoreError::Io {
            operation: "read",
            path: left.to_string(),
            source,
        };
        let mut offset = 0;
        loop {
            let left = left_bytes.next().transpose().map_err(failed)?;
            let right = right_bytes.next().transpose().map_err(failed)?;
            if left != right || left.is_none() {
                return Ok(Some(offset));
            }
            offset += 1;
        }
    }

    /// Calls `visit` for everything below the root of a tree, parents before children, names in
    /// order.
    pub fn walk(&self, tree: &TreeId, mut visit: impl FnMut(&RootPath, &Node)) -> Result<()> {
        self.walk_below(tree, &RootPath::root(), &mut visit)
    }

    fn walk_below(
        &self,
        tree: &TreeId,
        path: &RootPath,
        visit: &mut impl FnMut(&RootPath, &Node),
    ) -> Result<()> {
        for entry in self.directory(tree)?.entries() {
            let path = child(path, &entry.name)?;
            visit(&path, &entry.node);
            if let Node::Directory { tree } = &entry.node {
                self.walk_below(tree, &path, visit)?;
            }
        }
        Ok(())
    }
}

fn names<'a>(left: &'a Directory, right: &'a Directory) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = left
        .entries()
        .iter()
        .chain(right.entries())
        .map(|entry| entry.name.as_slice())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn child(path: &RootPath, name: &[u8]) -> Result<RootPath> {
    path.child(name).map_err(|_| {
        StoreError::Tree(stxl_model::TreeError::BadName {
            name: name.to_vec(),
        })
    })
}
