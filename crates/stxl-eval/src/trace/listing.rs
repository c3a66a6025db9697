//! What the list of packages was made of, as reads.

use stxl_lang::SourcePath;

use crate::layout::{PACKAGE_FILE, layer_folders};
use crate::read::Read;
use crate::record::Reads;
use crate::settings::{SETTINGS_FILE, Settings};
use crate::source_tree::WorkspaceTree;

/// The reads that tell whether the list of packages is what it was: the settings, the names in the
/// folders of layers and stages, and, unless a record of its definition has it, whether each folder
/// in these is a package.
pub(super) fn reads_of_listing(
    tree: &dyn WorkspaceTree,
    settings: &Settings,
    known: &Reads,
) -> Vec<Read> {
    let mut reads = vec![Read::File(SourcePath::new(SETTINGS_FILE))];
    for layer in layer_folders(settings) {
        reads.push(Read::Folder(SourcePath::new(&layer)));
        for stage in folders_of(tree, &layer) {
            let stage = format!("{layer}/{stage}");
            reads.push(Read::Folder(SourcePath::new(&stage)));
            for package in folders_of(tree, &stage) {
                let file = SourcePath::new(&format!("{stage}/{package}/{PACKAGE_FILE}"));
                let read = Read::File(file.clone());
                if !known.contains_key(&read) {
                    reads.push(Read::PackageFile(file));
                }
            }
        }
    }
    reads
}

fn folders_of(tree: &dyn WorkspaceTree, folder: &str) -> Vec<String> {
    let names = tree.list(&SourcePath::new(folder)).unwrap_or_default();
    let folders = names.iter().filter_map(|name| name.strip_suffix('/'));
    let visible = folders.filter(|name| !name.starts_with('.'));
    visible.map(str::to_owned).collect()
}
