//! Cases of what comes from outside and goes there: imports and fetches that are called off, and
//! outputs written out as files.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stxl_build::{BuildOptions, BuildOutcome, CancelHandle, OutputPaths, Summary};
use stxl_store::TreeSize;

use super::Case;
use crate::build::recipe::Recipe;
use crate::build::site::Site;

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("import_of_a_large_file_is_cancelled", cancelled_file),
    ("import_of_a_directory_is_cancelled", cancelled_directory),
    ("fetch_is_cancelled_while_it_copies", cancelled_fetch),
    ("fetch_is_cancelled_while_it_hashes", cancelled_hash),
    ("fetch_reads_regular_files_only", fetch_of_what_is_no_file),
    ("paths_of_small_outputs_are_told", paths_of_small_outputs),
];

/// A file of nothing but a hole: reading it costs time and no room.
fn write_hole(path: &Path, size_bytes: u64) {
    let file = File::create(path).expect("the file is made");
    file.set_len(size_bytes).expect("it gets its size");
}

/// Whether a folder of the store, or one in it, holds a file with bytes.
fn holds_bytes(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let metadata = entry.metadata();
        metadata.is_ok_and(|it| {
            it.len() > 0 && it.is_file() || it.is_dir() && holds_bytes(&entry.path())
        })
    })
}

/// Builds, and cancels as soon as bytes lie in a folder of the store.
fn build_until(site: &Site, recipe: &Recipe, folder: &str, options: BuildOptions) -> Summary {
    let handle = CancelHandle::default();
    let options = BuildOptions {
        cancel: handle.clone(),
        ..options
    };
    let is_over = AtomicBool::new(false);
    let folder = site.store_path().join(folder);
    let summary = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !holds_bytes(&folder) && !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            handle.cancel();
        });
        let told = site.try_build(&recipe.plan, &options);
        is_over.store(true, Ordering::Relaxed);
        told.expect("what is called off is no error").summary
    });
    assert_eq!(summary.outcome, BuildOutcome::Interrupted);
    assert!(summary.failed.is_empty() && summary.outputs.is_empty());
    assert!(
        !holds_bytes(&site.store_path().join("tmp")),
        "nothing is left"
    );
    summary
}

fn cancelled_file() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let file = recipe.text("large", "small for now");
    recipe.want("test/large", file);
    write_hole(&site.workspace().join("large"), 8 << 30);
    build_until(&site, &recipe, "tmp", site.options());
    assert!(!holds_bytes(&site.store_path().join("staging")));
}

fn cancelled_directory() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let directory = recipe.text("large", "a file for now");
    recipe.want("test/large", directory);
    let path = site.workspace().join("large");
    fs::remove_file(&path).expect("it was there");
    fs::create_dir(&path).expect("a directory");
    // Each is copied at once, and has the same bytes as the others when it is.
    for number in 0..20_000 {
        write_hole(&path.join(format!("{number:05}")), 1 << 20);
    }
    build_until(&site, &recipe, "staging", site.options());
}

fn cancelled_fetch() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let path = site.workspace().join("source");
    let fetch = recipe.fetch(b"other bytes", vec![format!("file://{}", path.display())]);
    recipe.want("test/source", fetch);
    write_hole(&path, 8 << 30);
    build_until(&site, &recipe, "tmp", site.options());
    assert!(!holds_bytes(&site.store_path().join("staging")));
}

fn cancelled_hash() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let sources = site.workspace().join("sources");
    fs::create_dir(&sources).expect("a directory");
    write_hole(&sources.join("thing.tar"), 1 << 30);
    let urls = vec!["http://127.0.0.1:1/thing.tar".to_owned()];
    let fetch = recipe.fetch(b"other bytes", urls);
    recipe.want("test/source", fetch);
    let options = BuildOptions {
        source_dir: Some(sources),
        ..site.options()
    };
    build_until(&site, &recipe, "staging", options);
}

fn fetch_of_what_is_no_file() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let pipe = site.workspace().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a named pipe");
    let places = [pipe.as_path(), Path::new("/dev/zero"), Path::new("/dev")];
    let urls = places.map(|place| format!("file://{}", place.display()));
    let fetch = recipe.fetch(b"bytes", urls.to_vec());
    recipe.want("test/source", fetch);
    let cause = site.build(&recipe.plan).summary.failed[0].cause.to_string();
    assert_eq!(
        cause.matches("it is not a regular file").count(),
        3,
        "{cause}"
    );
}

fn paths_of_small_outputs() {
    let site = Site::new();
    let told = |labels: &[&str], entries: u64, bytes: u64| -> Vec<bool> {
        let mut recipe = site.recipe();
        for label in labels {
            let file = recipe.text(&label.replace('/', "-"), label);
            recipe.want(label, file);
        }
        let options = BuildOptions {
            outputs: OutputPaths::CheckOutUpTo(TreeSize { entries, bytes }),
            ..site.options()
        };
        // Built twice: what is on record is told like what was just made.
        let again = || {
            let summary = site.build_with(&recipe.plan, &options).summary;
            let paths = summary.outputs.iter().map(|output| {
                let text = output.path.as_ref().map(|path| {
                    fs::read_to_string(path.join("file")).expect("the path holds the output")
                });
                let label = output.label.package.to_string();
                assert!(text.as_ref().is_none_or(|text| *text == label));
                text.is_some()
            });
            paths.collect::<Vec<bool>>()
        };
        let first = again();
        assert_eq!(first, again());
        first
    };
    // A file is a directory with one entry, and each of these has 8 bytes.
    assert_eq!(told(&["test/one"], 2, 8), [true]);
    assert_eq!(told(&["test/one"], 1, 8), [false]);
    assert_eq!(told(&["test/one"], 2, 7), [false]);
    assert_eq!(told(&["test/one", "test/two"], 4, 16), [true, true]);
    assert_eq!(told(&["test/one", "test/two"], 3, 16), [false, false]);
}
