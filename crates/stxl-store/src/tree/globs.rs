//! Keeping and dropping what matches globs. `*` does not match `/`.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use stxl_model::Node;

use crate::import::as_path;
use crate::store::Store;

use super::editor::{EditError, OpenDirectory, Result, Slot, TreeEditor};

impl TreeEditor<'_> {
    /// Keeps only files and symlinks that match a glob, and the directories above them. Each glob
    /// has to match something.
    pub fn keep_globs(&mut self, globs: &[String]) -> Result<()> {
        self.filter(globs, Filter::Keep)
    }

    /// Drops what matches a glob; directories that become empty stay. Each glob has to match
    /// something.
    pub fn drop_globs(&mut self, globs: &[String]) -> Result<()> {
        self.filter(globs, Filter::Drop)
    }

    fn filter(&mut self, globs: &[String], filter: Filter) -> Result<()> {
        let mut matching = Matching {
            store: self.store,
            set: compile(globs)?,
            matched: vec![false; globs.len()],
            filter,
        };
        matching.directory(&mut self.root, &mut Vec::new())?;
        let unmatched = matching.matched.iter().position(|matched| !matched);
        match unmatched.and_then(|position| globs.get(position)) {
            Some(glob) => Err(EditError::NoMatch { glob: glob.clone() }),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Filter {
    Keep,
    Drop,
}

struct Matching<'a> {
    store: &'a Store,
    set: GlobSet,
    /// Which globs matched something.
    matched: Vec<bool>,
    filter: Filter,
}

impl Matching<'_> {
    fn directory(&mut self, directory: &mut OpenDirectory, path: &mut Vec<u8>) -> Result<()> {
        let names: Vec<Vec<u8>> = directory.entries.keys().cloned().collect();
        for name in names {
            let parent_bytes = path.len();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            if let Some(slot) = directory.entries.get_mut(&name)
                && !self.stays(slot, path)?
            {
                directory.entries.remove(&name);
            }
            path.truncate(parent_bytes);
        }
        Ok(())
    }

    fn stays(&mut self, slot: &mut Slot, path: &mut Vec<u8>) -> Result<bool> {
        let is_directory = matches!(slot, Slot::Open(_) | Slot::Kept(Node::Directory { .. }));
        let matches_here = match (self.filter, is_directory) {
            (Filter::Keep, true) => false,
            (Filter::Keep, false) | (Filter::Drop, _) => self.is_match(path),
        };
        if self.filter == Filter::Drop && matches_here {
            return Ok(false);
        }
        if !is_directory {
            return Ok(self.filter == Filter::Drop || matches_here);
        }
        let Some(directory) = slot.open(self.store)? else {
            return Ok(true);
        };
        self.directory(directory, path)?;
        Ok(self.filter == Filter::Drop || !directory.entries.is_empty())
    }

    fn is_match(&mut self, path: &[u8]) -> bool {
        let found = self.set.matches(as_path(path));
        for position in &found {
            if let Some(matched) = self.matched.get_mut(*position) {
                *matched = true;
            }
        }
        !found.is_empty()
    }
}

fn compile(globs: &[String]) -> Result<GlobSet> {
    let bad = |error: &globset::Error| EditError::BadGlob {
        glob: error.glob().unwrap_or_default().to_owned(),
        reason: error.kind().to_string(),
    };
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        let relative = glob.strip_prefix('/').unwrap_or(glob);
        let compiled = GlobBuilder::new(relative).literal_separator(true).build();
        builder.add(compiled.map_err(|error| bad(&error))?);
    }
    builder.build().map_err(|error| bad(&error))
}
