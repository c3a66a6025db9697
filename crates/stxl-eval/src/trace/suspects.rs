//! What may be another than it was, by the paths at which something happened.

use std::collections::BTreeSet;

use crate::read::Read;

/// What may have changed since a trace was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspects {
    /// Anything.
    All,
    /// Only what lies at these paths, or below them.
    Paths(SuspectPaths),
}

/// Paths of a workspace at which something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuspectPaths {
    paths: BTreeSet<String>,
    /// The folders that they are in.
    parents: BTreeSet<String>,
    /// All folders above them.
    above: BTreeSet<String>,
}

impl Suspects {
    /// Nothing.
    pub fn none() -> Self {
        Self::Paths(SuspectPaths::default())
    }

    /// Whether nothing is suspected.
    pub fn is_none(&self) -> bool {
        match self {
            Self::All => false,
            Self::Paths(paths) => paths.paths.is_empty(),
        }
    }

    /// Suspects a path, written like those that were read, and all below it.
    pub fn add(&mut self, path: String) {
        let Self::Paths(paths) = self else { return };
        if path.is_empty() {
            *self = Self::All;
            return;
        }
        if paths.paths.contains(&path) {
            return;
        }
        let folder = folder_of(&path);
        let mut above = Some(folder);
        while let Some(folder) = above
            && paths.above.insert(folder.to_owned())
        {
            above = (!folder.is_empty()).then(|| folder_of(folder));
        }
        paths.parents.insert(folder.to_owned());
        paths.paths.insert(path);
    }

    /// Suspects what others suspect too.
    pub fn add_all(&mut self, others: &Self) {
        match others {
            Self::All => *self = Self::All,
            Self::Paths(others) => others.paths.iter().for_each(|path| self.add(path.clone())),
        }
    }

    /// Whether another look at what was read may find something else.
    pub(crate) fn include(&self, read: &Read) -> bool {
        let paths = match self {
            Self::All => return true,
            Self::Paths(paths) => paths,
        };
        let path = read.path().as_str();
        paths.is_at_or_above(path)
            || match read {
                Read::Folder(_) => paths.parents.contains(path),
                Read::Directory(_) => paths.above.contains(path),
                Read::File(_)
                | Read::Import(_)
                | Read::Presence(_)
                | Read::PackageFile(_)
                | Read::Layer(_) => false,
            }
    }
}

impl SuspectPaths {
    /// Whether something happened at a path, or at a folder above it.
    fn is_at_or_above(&self, path: &str) -> bool {
        let mut above = path;
        while !above.is_empty() {
            if self.paths.contains(above) {
                return true;
            }
            above = folder_of(above);
        }
        false
    }
}

/// The folder that a path is in; nothing for the workspace's own.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
