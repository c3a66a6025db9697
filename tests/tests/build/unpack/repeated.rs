//! The same archives in processes that differ in all that must not matter.

use rustix::fs::Mode;
use rustix::process::umask;
use stxl_model::ArchiveFormat;

use super::forge::deb;
use super::forge::tar::{file, open, tar};
use super::forge::zip;
use crate::build::foreign::run;
use crate::build::site::Site;

/// What processes are started with: the mode that new files do not get, and variables. What fresh
/// memory holds is one of them.
const SETTINGS: [(u32, &[(&str, &str)]); 3] = [
    (0o000, &[("MALLOC_PERTURB_", "0"), ("LC_ALL", "C")]),
    (0o077, &[("MALLOC_PERTURB_", "165"), ("LC_ALL", "C.UTF-8")]),
    (0o022, &[("MALLOC_PERTURB_", "90"), ("TZ", "Asia/Tokyo")]),
];

/// Archives that are read, and others that are not: trees and reasons are the same.
pub(super) fn processes() {
    let site = Site::new();
    let place = site.workspace();
    let lines: String = (0..9000_u32)
        .map(|number| format!("{}\n", number ^ 0x55))
        .collect();
    let plain = tar(&[file("d/f", &lines), file("g", "content")]);
    let mut archives = vec![
        (ArchiveFormat::Deb, deb::package(&plain)),
        (
            ArchiveFormat::Zip,
            zip::zip(&[zip::file("f", &lines[..40_000])]),
        ),
        (
            ArchiveFormat::Tar,
            open(&[file("f", &lines)])[..9999].to_vec(),
        ),
    ];
    for line in ["gzip -c", "bzip2 -c", "xz -c", "zstd -qc", "lzip -c"] {
        let whole = run(line, &place, &plain);
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for bytes in [whole[..whole.len() - 9].to_vec(), flipped, whole] {
            archives.push((ArchiveFormat::Tar, bytes));
        }
    }
    let mut recipe = site.recipe();
    for (index, (format, bytes)) in archives.iter().enumerate() {
        let name = format!("archive-{index}");
        std::fs::write(place.join(&name), bytes).expect("it is written");
        let archive = recipe.file(&name);
        let id = recipe.unpack(archive, *format, 0);
        recipe.want(&format!("test/a{index}"), id);
    }
    let told: Vec<Vec<String>> = SETTINGS
        .iter()
        .map(|(mask, variables)| {
            let store = tempfile::tempdir().expect("a directory");
            let before = umask(Mode::from_raw_mode(*mask));
            let client = site.client_of(store.path(), &recipe.plan, variables);
            umask(before);
            let output = client.wait_with_output().expect("the client ends");
            results(&String::from_utf8(output.stdout).expect("text"))
        })
        .collect();
    let unpacked = 2 + 5;
    assert_eq!(told[0].len(), archives.len(), "{:#?}", told[0]);
    let trees = told[0].iter().filter(|line| line.contains("tree"));
    assert_eq!(trees.count(), unpacked, "{:#?}", told[0]);
    for other in &told[1..] {
        assert_eq!(&told[0], other);
    }
}

/// The tree or the reason of every package, without what differs from run to run.
fn results(events: &str) -> Vec<String> {
    let mut results = Vec::new();
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        if event["event"] == "step_failed" {
            let failure = &event["failure"];
            results.push(format!("{} {}", failure["id"], failure["message"]));
        }
        for output in event["outputs"].as_array().into_iter().flatten() {
            results.push(format!("{} tree {}", output["label"], output["tree"]));
        }
    }
    results.sort();
    results
}
