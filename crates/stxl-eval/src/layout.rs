//! Which packages a workspace has, and the files they are made of: found by listing folders, before
//! any text is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{Diagnostic, SourceError, SourcePath, Span};
use stxl_model::PackageLabel;

use crate::read::{Found, Look, Read};
use crate::record::Reads;
use crate::settings::{LOCAL_OVERLAY, SETTINGS_FILE, Settings};
use crate::source_tree::{EntryKind, WorkspaceTree, override_path};
use crate::suggestion::{nearest, nearest_packages};

/// The name of the file that makes a folder a package.
pub const PACKAGE_FILE: &str = "package.rhai";

/// The packages of a workspace and the layers of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) packages: BTreeMap<PackageLabel, Layers>,
}

/// The files of one package: the workspace's own first, then those of overlays that replace it.
pub(crate) type Layers = Arc<[SourcePath]>;

/// The packages of a workspace, and all that was looked at to find them.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) layout: Layout,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) reads: Reads,
}

/// Lists the packages. A layer is a folder of stages; the lowest one is `stages/`.
pub(crate) fn list_packages(tree: &dyn WorkspaceTree, settings: &Settings) -> Listing {
    let mut lister = Lister {
        tree,
        settings,
        found: BTreeMap::new(),
        diagnostics: Vec::new(),
        reads: Reads::default(),
    };
    lister.list_layer("stages");
    for (overlay, place) in settings.overlays.iter().zip(&settings.places.overlays) {
        lister.list_overlay(overlay, place);
    }
    lister.list_layer(LOCAL_OVERLAY);
    lister.list_overrides();
    let Lister {
        found,
        diagnostics,
        reads,
        ..
    } = lister;
    let packages = found
        .into_iter()
        .map(|(label, layers)| (label, layers.into()))
        .collect();
    Listing {
        layout: Layout { packages },
        diagnostics,
        reads,
    }
}

/// The folders of layers, lowest first.
pub(crate) fn layer_folders(settings: &Settings) -> Vec<String> {
    let overlays = settings.overlays.iter();
    let overlays = overlays.map(|overlay| overlay.trim_end_matches('/').to_owned());
    let mut folders = vec!["stages".to_owned()];
    folders.extend(overlays);
    folders.push(LOCAL_OVERLAY.to_owned());
    folders
}

/// Finds single packages, as [`list_packages`] would, without listing a folder.
pub(crate) fn find_packages<'l>(
    tree: &dyn WorkspaceTree,
    settings: &Settings,
    labels: impl IntoIterator<Item = &'l PackageLabel>,
) -> Layout {
    let folders = layer_folders(settings);
    let layers = labels.into_iter().filter_map(|label| {
        let layers = layers_of(tree, &folders, label);
        (!layers.is_empty()).then(|| (label.clone(), layers))
    });
    Layout {
        packages: layers.collect(),
    }
}

/// The files a package is made of; none for one that does not exist.
pub(crate) fn layers_of(
    tree: &dyn WorkspaceTree,
    folders: &[String],
    label: &PackageLabel,
) -> Layers {
    let files = folders
        .iter()
        .map(|folder| SourcePath::new(&format!("{folder}/{label}/{PACKAGE_FILE}")));
    let mut layers: Vec<SourcePath> = files.filter(|file| is_package_file(tree, file)).collect();
    if !layers.is_empty() && tree.overridden().contains(label) {
        layers.push(override_path(label));
    }
    layers.into()
}

/// Whether a path can be a package's file.
pub(crate) fn is_package_file(tree: &dyn WorkspaceTree, file: &SourcePath) -> bool {
    is_package_kind(&tree.kind(file))
}

/// Whether what stands at a path can be a package's file.
pub(crate) fn is_package_kind(kind: &Result<EntryKind, SourceError>) -> bool {
    match kind {
        Ok(EntryKind::Directory) | Err(SourceError::NotFound { .. }) => false,
        // A FIFO or a device is refused when it is read, with its name, and not passed over.
        Ok(EntryKind::File { .. } | EntryKind::Symlink { .. })
        | Err(SourceError::Unreadable { .. }) => true,
    }
}

struct Lister<'l> {
    tree: &'l dyn WorkspaceTree,
    settings: &'l Settings,
    found: BTreeMap<PackageLabel, Vec<SourcePath>>,
    diagnostics: Vec<Diagnostic>,
    reads: Reads,
}

impl Lister<'_> {
    fn note(&mut self, read: Read, found: Found) {
        self.reads.insert(read, Look::without_stamp(found));
    }

    /// Whether what stands at a path can be a package's file, which is noted.
    fn is_package(&mut self, path: &SourcePath, kind: &Result<EntryKind, SourceError>) -> bool {
        let is_package = is_package_kind(kind);
        self.note(Read::PackageFile(path.clone()), Found::is_there(is_package));
        if !is_package {
            let is_there = !matches!(kind, Err(SourceError::NotFound { .. }));
            self.note(Read::Presence(path.clone()), Found::is_there(is_there));
        }
        is_package
    }

    /// Lists an overlay, which has to be a folder.
    fn list_overlay(&mut self, overlay: &str, place: &Span) {
        let folder = overlay.trim_end_matches('/');
        let path = SourcePath::new(folder);
        let kind = self.tree.kind_behind_links(&path);
        self.note(Read::Layer(path), Found::of_layer(&kind));
        let message = match kind {
            _ if folder.is_empty() => "An overlay is the path of a folder".to_owned(),
            Ok(EntryKind::Directory) => return self.list_layer(folder),
            Ok(EntryKind::File { .. } | EntryKind::Symlink { .. }) => {
                format!("The overlay `{overlay}` is a file, no folder")
            }
            Err(SourceError::NotFound { .. }) => {
                format!("There is no folder `{overlay}`, which is an overlay")
            }
            Err(SourceError::Unreadable { reason, .. }) => {
                format!("The overlay `{overlay}` cannot be read: {reason}")
            }
        };
        let hint = "an overlay is a folder laid out like `stages/`, by its path from `stxl.toml`";
        let said = Diagnostic::error("missing-overlay", message)
            .at(place.clone(), "")
            .hint(hint)
            .hint("take it out of `overlays` if it is gone");
        self.diagnostics.push(said);
    }

    /// Lists the texts of the request, each of which lies over a package.
    fn list_overrides(&mut self) {
        for label in self.tree.overridden() {
            let file = override_path(&label);
            if let Some(layers) = self.found.get_mut(&label) {
                layers.push(file);
                continue;
            }
            let message = format!("There is no package `{label}` to override");
            let said = Diagnostic::error("unknown-package", message).at(Span::new(&file, 0, 0), "");
            let labels = self.found.keys().map(PackageLabel::as_str);
            let near = nearest_packages(label.as_str(), labels);
            let hints = near.iter().map(|near| format!("did you mean `{near}`?"));
            self.diagnostics.push(hints.fold(said, Diagnostic::hint));
        }
    }

    fn list_layer(&mut self, layer: &str) {
        for stage in self.folders_of(layer) {
            let folder = format!("{layer}/{stage}");
            let packages = self.folders_of(&folder);
            let names: Vec<&str> = packages.iter().map(String::as_str).collect();
            let path = SourcePath::new(&folder);
            let kinds = self.tree.kinds_inside(&path, &names, PACKAGE_FILE);
            let mut is_empty = true;
            for (package, kind) in names.into_iter().zip(kinds) {
                let file = SourcePath::new(&format!("{folder}/{package}/{PACKAGE_FILE}"));
                if !self.is_package(&file, &kind) {
                    continue;
                }
                is_empty = false;
                match PackageLabel::parse(&format!("{stage}/{package}")) {
                    Ok(label) => self.found.entry(label).or_default().push(file),
                    Err(error) => {
                        let said = Diagnostic::error("bad-label", error.to_string())
                            .at(Span::new(&file, 0, 0), "a package is named by its folder")
                            .hint("rename the folder");
                        self.diagnostics.push(said);
                    }
                }
            }
            if !is_empty && self.settings.group_of(&stage).is_none() {
                self.report_unlisted(&folder, &stage);
            }
        }
    }

    fn report_unlisted(&mut self, folder: &str, stage: &str) {
        let message = format!("The folder `{folder}` is not a stage of this workspace");
        let said = Diagnostic::error("unlisted-stage", message);
        let said = match &self.settings.places.stages {
            Some(place) => said.at(place.clone(), format!("`{stage}` is not among them")),
            None => said.at(Span::new(&SourcePath::new(SETTINGS_FILE), 0, 0), ""),
        };
        let said = said.hint(format!("add `{stage}` to `stages`, in the order of trust"));
        let near = nearest(stage, self.settings.stage_names());
        self.diagnostics.push(match near.first() {
            Some(near) => said.hint(format!("did you mean `{near}`?")),
            None => said,
        });
    }

    fn folders_of(&mut self, folder: &str) -> Vec<String> {
        let path = SourcePath::new(folder);
        match self.tree.list(&path) {
            Ok(names) => {
                self.note(Read::Folder(path), Found::of_names(&names));
                let folders = names.iter().filter_map(|name| name.strip_suffix('/'));
                let seen = folders.filter(|name| !name.starts_with('.'));
                seen.map(str::to_owned).collect()
            }
            Err(error) => {
                let said = Diagnostic::error("unreadable-folder", error.to_string())
                    .at(Span::new(&path, 0, 0), "")
                    .hint("see who may read the folder");
                self.diagnostics.push(said);
                Vec::new()
            }
        }
    }
}
