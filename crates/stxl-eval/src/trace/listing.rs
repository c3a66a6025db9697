//! The list of packages, with all that it was made of.

use std::sync::{Arc, Mutex, PoisonError};

use stxl_lang::{Diagnostic, SourceError, SourcePath, SourceTree};
use stxl_model::TreeId;

use super::Trace;
use crate::directory_import::{DirectoryImportError, LeftOut};
use crate::layout::{Layout, is_package_kind, layer_folders, list_packages};
use crate::read::{Found, Read};
use crate::record::Reads;
use crate::settings::{SETTINGS_FILE, Settings};
use crate::source_tree::{EntryKind, FileDigest, WorkspaceTree};

/// The packages of a workspace, and what was looked at to find them.
pub(super) struct Listing {
    pub(super) layout: Layout,
    pub(super) diagnostics: Vec<Diagnostic>,
    reads: Reads,
}

/// Lists the packages.
pub(super) fn list(tree: &dyn WorkspaceTree, settings: &Settings) -> Listing {
    let observer = Observer {
        tree,
        reads: Mutex::default(),
    };
    let (layout, diagnostics) = list_packages(&observer, settings);
    Listing {
        layout,
        diagnostics,
        reads: observer
            .reads
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
    }
}

/// The reads that tell whether the list of packages is what it is: the settings, and what is looked
/// at to make it, found or not.
pub(crate) fn reads_of_listing(tree: &dyn WorkspaceTree, settings: &Settings) -> Vec<Read> {
    let mut reads = vec![Read::File(SourcePath::new(SETTINGS_FILE))];
    let layers = layer_folders(settings).into_iter();
    reads.extend(layers.map(|layer| Read::Folder(SourcePath::new(&layer))));
    reads.extend(list(tree, settings).reads.into_keys());
    reads
}

impl Listing {
    /// Whether something is wrong with it, so that there is no plan.
    pub(super) fn is_wrong(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Puts on record what the list was made of: exactly what was seen when it was made, so that
    /// whatever changed since is noticed at the next look. Whether that is possible: not if it was
    /// something else before, for then the records are of another workspace.
    #[must_use]
    pub(super) fn note_in(self, trace: &mut Trace) -> bool {
        let Self {
            layout,
            diagnostics,
            reads,
        } = self;
        let known = &mut trace.records.reads;
        trace.listing.clear();
        let settings = Read::File(SourcePath::new(SETTINGS_FILE));
        let Some(settings) = known.get_index_of(&settings) else {
            return false;
        };
        let mut positions = vec![settings];
        for (read, found) in reads {
            // A definition that was read needs no second look: without bytes it is gone.
            if let Read::PackageFile(path) = &read
                && found == Found::Something
                && let Some(Found::Bytes(_)) = known.get(&Read::File(path.clone()))
            {
                continue;
            }
            let (position, former) = known.insert_full(read, found);
            if former.is_some_and(|former| former != found) {
                return false;
            }
            positions.push(position);
        }
        let positions = positions.into_iter().map(|it| u32::try_from(it).ok());
        let Some(positions) = positions.collect() else {
            return false;
        };
        trace.listing = positions;
        trace.layout = layout;
        trace.diagnostics = diagnostics;
        true
    }
}

/// A workspace of which folders are listed, and what is seen of it.
struct Observer<'t> {
    tree: &'t dyn WorkspaceTree,
    reads: Mutex<Reads>,
}

impl Observer<'_> {
    fn note(&self, read: Read, found: Found) {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.insert(read, found);
    }
}

impl SourceTree for Observer<'_> {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        self.tree.read(path)
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        let names = self.tree.list(path)?;
        self.note(Read::Folder(path.clone()), Found::of_names(&names));
        Ok(names)
    }
}

impl WorkspaceTree for Observer<'_> {
    fn kind(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        let kind = self.tree.kind(path);
        let is_package = is_package_kind(&kind);
        self.note(Read::PackageFile(path.clone()), Found::is_there(is_package));
        if !is_package {
            // An overlay without a package is a folder all the same.
            let is_there = !matches!(&kind, Err(SourceError::NotFound { .. }));
            self.note(Read::Presence(path.clone()), Found::is_there(is_there));
        }
        kind
    }

    fn kind_behind_links(&self, path: &SourcePath) -> Result<EntryKind, SourceError> {
        self.tree.kind_behind_links(path)
    }

    fn digest(&self, path: &SourcePath) -> Result<FileDigest, SourceError> {
        self.tree.digest(path)
    }

    fn directory(
        &self,
        path: &SourcePath,
        left_out: &LeftOut,
    ) -> Result<TreeId, DirectoryImportError> {
        self.tree.directory(path, left_out)
    }

    fn allow_folder(&self, name: &str) {
        self.tree.allow_folder(name);
    }
}
