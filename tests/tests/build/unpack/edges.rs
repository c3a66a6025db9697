//! What is still read, and what is said about it: the other side of every limit, and the forms in
//! which honest programs write.

mod tars;
mod zips;

use std::collections::BTreeMap;

use stxl_model::{ArchiveFormat, Node, TreeId};
use stxl_store::Store;

use super::forge::deb;
use super::forge::tar::{file, tar};
use crate::build::foreign::run;
use crate::build::site::Site;

/// An archive, the files of it, and the warnings about it.
struct Edge {
    name: &'static str,
    format: ArchiveFormat,
    strip: u32,
    bytes: Vec<u8>,
    /// Path and content; the content of a symlink is `-> ` and its target, that of an empty
    /// directory `/`, and that of an executable file begins with `*`.
    files: Vec<(String, String)>,
    warnings: Vec<&'static str>,
}

impl Edge {
    fn new(name: &'static str, format: ArchiveFormat, bytes: Vec<u8>) -> Self {
        Self {
            name,
            format,
            strip: 0,
            bytes,
            files: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn tar(name: &'static str, bytes: Vec<u8>) -> Self {
        Self::new(name, ArchiveFormat::Tar, bytes)
    }

    fn with(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    fn warned(mut self, warning: &'static str) -> Self {
        self.warnings.push(warning);
        self
    }

    fn stripped(mut self, strip: u32) -> Self {
        self.strip = strip;
        self
    }
}

pub(super) fn archives() {
    let site = Site::new();
    let cases = [tars::cases(), zips::cases(), debs(), paddings(&site)];
    for case in cases.into_iter().flatten() {
        let mut recipe = site.recipe();
        std::fs::write(site.workspace().join(case.name), &case.bytes).expect("it is written");
        let archive = recipe.file(case.name);
        let id = recipe.unpack(archive, case.format, case.strip);
        recipe.want("test/edge", id);
        let told = site.build(&recipe.plan);
        let failed = told.summary.failed.first();
        assert!(
            failed.is_none(),
            "{}: {}",
            case.name,
            failed.expect("it failed").cause
        );
        let found = files(&site.store, &told.summary.outputs[0].tree);
        let expected: BTreeMap<String, String> = case.files.into_iter().collect();
        assert_eq!(found, expected, "{}", case.name);
        let events = told.events_of("warning");
        let warnings: Vec<&str> = events
            .iter()
            .map(|event| event["text"].as_str().expect("a text"))
            .collect();
        let is_right = warnings.len() == case.warnings.len()
            && std::iter::zip(&warnings, &case.warnings).all(|(text, part)| text.contains(part));
        assert!(is_right, "{}: {warnings:#?}", case.name);
    }
}

/// The files of a tree, in the form of [`Edge::files`].
fn files(store: &Store, tree: &TreeId) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut open = vec![(String::new(), *tree)];
    while let Some((above, tree)) = open.pop() {
        let directory = store.directory(&tree).expect("the tree is whole");
        if directory.entries().is_empty() && !above.is_empty() {
            files.insert(above.trim_end_matches('/').to_owned(), "/".to_owned());
        }
        for entry in directory.entries() {
            let path = format!("{above}{}", String::from_utf8_lossy(&entry.name));
            let content = match &entry.node {
                Node::Directory { tree } => {
                    open.push((path + "/", *tree));
                    continue;
                }
                Node::Symlink { target } => format!("-> {}", String::from_utf8_lossy(target)),
                Node::File {
                    blob, executable, ..
                } => {
                    let bytes = store.read_blob(blob).expect("the blob is whole");
                    let mark = if *executable { "*" } else { "" };
                    format!("{mark}{}", String::from_utf8_lossy(&bytes))
                }
            };
            files.insert(path, content);
        }
    }
    files
}

/// Members that deb(5) allows, and names as GNU ar writes them.
fn debs() -> Vec<Edge> {
    let data = tar(&[file("./usr/f", "content")]);
    let format = deb::member("debian-binary", b"2.0\n");
    let signed = deb::ar(&[
        format.clone(),
        deb::member("_note", b"odd"),
        deb::member("control.tar.gz", b"not looked at"),
        deb::member("data.tar", &data),
        deb::member("_gpgorigin", b"a signature"),
    ]);
    let gnu = deb::ar(&[
        deb::member("debian-binary/", b"2.7\n"),
        deb::member("control.tar/", b""),
        deb::member("data.tar/", &data),
    ]);
    let edge = |name, bytes| Edge::new(name, ArchiveFormat::Deb, bytes).with("usr/f", "*content");
    vec![edge("deb-signed", signed), edge("deb-of-gnu", gnu)]
}

/// What may stand in front of compressed bytes, between and behind them.
fn paddings(site: &Site) -> Vec<Edge> {
    let place = site.workspace();
    let plain = tar(&[file("f", "content")]);
    let compress = |line: &str| run(line, &place, &plain);
    let skipped = b"\x5a\x2a\x4d\x18\x04\0\0\0skip";
    let zstd = compress("zstd -qc");
    let cases = [
        ("gzip-zeros", [compress("gzip -c"), vec![0; 513]].concat()),
        ("gzip-named", compress("gzip -c --name")),
        ("xz-zeros", [compress("xz -c"), vec![0; 12]].concat()),
        (
            "zstd-skipped",
            [skipped.as_slice(), &zstd, skipped].concat(),
        ),
        ("zstd-window", compress("zstd -qc --long=27")),
    ];
    cases
        .into_iter()
        .map(|(name, bytes)| Edge::tar(name, bytes).with("f", "*content"))
        .collect()
}
