//! Which packages a workspace has, and the files they are made of: found by listing folders, before
//! any text is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{Diagnostic, Severity, SourcePath, Span};
use stxl_model::PackageLabel;

use crate::settings::{LOCAL_OVERLAY, SETTINGS_FILE, Settings};
use crate::source_tree::{EntryKind, WorkspaceTree};
use crate::suggestion::nearest;

/// The name of the file that makes a folder a package.
pub const PACKAGE_FILE: &str = "package.rhai";

/// The packages of a workspace and the layers of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) packages: BTreeMap<PackageLabel, Layers>,
}

/// The files of one package: the workspace's own first, then those of overlays that replace it.
pub(crate) type Layers = Arc<[SourcePath]>;

/// Lists the packages. A layer is a folder of stages; the lowest one is `stages/`.
pub(crate) fn list_packages(
    tree: &dyn WorkspaceTree,
    settings: &Settings,
) -> (Layout, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut found: BTreeMap<PackageLabel, Vec<SourcePath>> = BTreeMap::new();
    for folder in layer_folders(settings) {
        let mut lister = Lister {
            tree,
            settings,
            found: &mut found,
            diagnostics: &mut diagnostics,
        };
        lister.list_layer(&folder);
    }
    let packages = found
        .into_iter()
        .map(|(label, layers)| (label, layers.into()))
        .collect();
    (Layout { packages }, diagnostics)
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
    files.filter(|file| is_package_file(tree, file)).collect()
}

/// Whether a path can be a package's file.
pub(crate) fn is_package_file(tree: &dyn WorkspaceTree, file: &SourcePath) -> bool {
    match tree.kind(file) {
        Ok(EntryKind::File { .. } | EntryKind::Symlink { .. }) => true,
        Ok(EntryKind::Directory) | Err(_) => false,
    }
}

struct Lister<'l> {
    tree: &'l dyn WorkspaceTree,
    settings: &'l Settings,
    found: &'l mut BTreeMap<PackageLabel, Vec<SourcePath>>,
    diagnostics: &'l mut Vec<Diagnostic>,
}

impl Lister<'_> {
    fn list_layer(&mut self, layer: &str) {
        for stage in self.folders_of(layer) {
            let folder = format!("{layer}/{stage}");
            let packages = self.folders_of(&folder);
            let mut is_empty = true;
            for package in packages {
                let file = SourcePath::new(&format!("{folder}/{package}/{PACKAGE_FILE}"));
                if !is_package_file(self.tree, &file) {
                    continue;
                }
                is_empty = false;
                match PackageLabel::parse(&format!("{stage}/{package}")) {
                    Ok(label) => self.found.entry(label).or_default().push(file),
                    Err(error) => self.report("bad-label", &file, &error.to_string(), Vec::new()),
                }
            }
            if !is_empty && self.settings.group_of(&stage).is_none() {
                let file = SourcePath::new(SETTINGS_FILE);
                let near = nearest(&stage, self.settings.stage_names());
                let mut hints = vec![format!("add `{stage}` to `stages`, in the order of trust")];
                hints.extend(near.first().map(|near| format!("did you mean `{near}`?")));
                let message = format!("The folder `{folder}` is not a stage of this workspace");
                self.report("unlisted-stage", &file, &message, hints);
            }
        }
    }

    fn folders_of(&mut self, folder: &str) -> Vec<String> {
        let path = SourcePath::new(folder);
        match self.tree.list(&path) {
            Ok(names) => names
                .iter()
                .filter_map(|name| name.strip_suffix('/'))
                .filter(|name| !name.starts_with('.'))
                .map(str::to_owned)
                .collect(),
            Err(error) => {
                self.report("unreadable-folder", &path, &error.to_string(), Vec::new());
                Vec::new()
            }
        }
    }

    fn report(&mut self, id: &'static str, path: &SourcePath, message: &str, hints: Vec<String>) {
        let span = Span {
            path: path.clone(),
            start: 0,
            end: 0,
        };
        self.diagnostics.push(Diagnostic {
            id,
            severity: Severity::Error,
            message: message.to_owned(),
            primary: Some((span, String::new())),
            secondary: Vec::new(),
            notes: Vec::new(),
            hints,
            trace: Vec::new(),
        });
    }
}
