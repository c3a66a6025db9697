//! Archives that lie: each is refused with a reason, and leaves nothing behind.

mod compressed;
mod debs;
mod extended;
mod tars;
mod zips;

use std::collections::BTreeMap;

use stxl_build::{BuildOptions, OnFailure};
use stxl_model::ArchiveFormat;

use crate::build::cases::assert_sound;
use crate::build::site::Site;

/// One archive, and what has to be said about it.
pub(super) struct Hostile {
    name: String,
    format: ArchiveFormat,
    strip: u32,
    bytes: Vec<u8>,
    expected: &'static str,
}

impl Hostile {
    fn new(name: &str, format: ArchiveFormat, bytes: Vec<u8>, expected: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            format,
            strip: 0,
            bytes,
            expected,
        }
    }
}

/// How much memory a process that unpacks bombs may need, the rest of the process included.
const MEMORY_KIB_MAX: u64 = 300 * 1024;

/// Every archive is refused for its reason, in one build, and the store is whole behind it.
pub(super) fn archives() {
    let site = Site::new();
    let cases: Vec<Hostile> = [
        tars::cases(),
        extended::cases(),
        debs::cases(),
        zips::cases(),
        compressed::cases(&site.workspace()),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(cases.len() >= 200, "{} hostile archives", cases.len());
    println!("  {} archives", cases.len());
    let mut recipe = site.recipe();
    let mut by_id = BTreeMap::new();
    for (index, case) in cases.iter().enumerate() {
        std::fs::write(site.workspace().join(&case.name), &case.bytes).expect("it is written");
        let archive = recipe.file(&case.name);
        let id = recipe.unpack(archive, case.format, case.strip);
        recipe.want(&format!("test/hostile-{index}"), id);
        assert!(
            by_id.insert(id, case).is_none(),
            "{} is there twice",
            case.name
        );
    }
    let options = BuildOptions {
        on_failure: OnFailure::KeepGoing,
        ..site.options()
    };
    let told = site.build_with(&recipe.plan, &options);
    let mut wrong = Vec::new();
    for failure in &told.summary.failed {
        let case = by_id.remove(&failure.node.id).expect("a case");
        let cause = failure.cause.to_string();
        if !cause.contains(case.expected) {
            wrong.push(format!(
                "{}: expected {}, found {cause}",
                case.name, case.expected
            ));
        }
    }
    wrong.extend(
        by_id
            .values()
            .map(|case| format!("{} is unpacked", case.name)),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_sound(&site);
}

/// Bombs end early, and need no more memory than any archive.
pub(super) fn bombs() {
    let site = Site::new();
    for case in compressed::bombs(&site.workspace()) {
        let mut recipe = site.recipe();
        std::fs::write(site.workspace().join(&case.name), &case.bytes).expect("it is written");
        let archive = recipe.file(&case.name);
        let id = recipe.unpack(archive, case.format, case.strip);
        recipe.want("test/bomb", id);
        let begin = std::time::Instant::now();
        let client = site.client(&recipe.plan);
        let output = client.wait_with_output().expect("the client ends");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(text.contains(case.expected), "{}: {text}", case.name);
        let memory_kib = site.memory_of_last_client();
        assert!(
            memory_kib < MEMORY_KIB_MAX,
            "{} took {memory_kib} KiB",
            case.name
        );
        println!(
            "  {}: {} MiB, {} ms",
            case.name,
            memory_kib >> 10,
            begin.elapsed().as_millis()
        );
    }
    assert_sound(&site);
}
