//! Where what a step writes is kept until it is sealed: in memory or on disk.

use std::path::{Path, PathBuf};

use stxl_build::{BuildOptions, ScratchChoice, ScratchMedium};

use super::{Case, expect};
use crate::build::site::Site;

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("scratches_give_the_same", scratches_give_the_same),
    ("full_scratches_say_so", full_scratches_say_so),
    ("scratch_by_itself", scratch_by_itself),
];

const BOTH: [ScratchChoice; 2] = [ScratchChoice::Memory, ScratchChoice::Disk];

/// Files of sessions that are not finished.
fn unfinished(site: &Site) -> Vec<PathBuf> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a directory");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    };
    let sessions = below(&site.store_path().join("tmp"));
    sessions.iter().flat_map(|session| below(session)).collect()
}

/// Whatever a step does in its scratch, the tree is the same, and nothing of it stays.
fn scratches_give_the_same() {
    let commands = [
        "write /out/greeting hello",
        "deep /tmp/deep 600",
        "fill /tmp/large 5",
        "fill /out/large 3",
        "write /dev/shm/shared text",
        "cat /out/file /dev/shm/shared /out/greeting",
    ];
    let built = BOTH.map(|scratch| {
        let site = Site::new();
        let mut recipe = site.recipe();
        let step = recipe.step("test/step", &[], &commands);
        recipe.want("test/step", step);
        let options = BuildOptions {
            scratch,
            ..site.options()
        };
        let told = site.build_with(&recipe.plan, &options);
        expect(&told, [1, 0, 0, 0, 0, 1]);
        assert_eq!(site.output(&told, "test/step", "/file"), b"texthello");
        assert_eq!(unfinished(&site), Vec::<PathBuf>::new(), "{scratch:?}");
        let tree = told.summary.outputs[0].tree;
        // It is in no key.
        let other = BuildOptions {
            scratch: BOTH[usize::from(scratch == BOTH[0])],
            ..site.options()
        };
        expect(&site.build_with(&recipe.plan, &other), [0, 1, 0, 0, 0, 1]);
        tree
    });
    assert_eq!(built[0], built[1]);
}

/// One file that is too large, and two that are it together.
fn full_scratches_say_so() {
    const COMMANDS: [&[&str]; 3] = [
        &["fill /out/large 20"],
        &["fill /tmp/one 6", "fill /out/two 6"],
        &["fill /tmp/one 6", "fill /tmp/two 6", "fail 3"],
    ];
    for scratch in BOTH {
        for commands in COMMANDS {
            let site = Site::new();
            let mut recipe = site.recipe();
            let step = recipe.step("test/full", &[], commands);
            recipe.want("test/full", step);
            let mut options = BuildOptions {
                scratch,
                ..site.options()
            };
            options.limits.scratch_bytes = 8 << 20;
            let told = site.build_with(&recipe.plan, &options);
            expect(&told, [0, 0, 0, 0, 1, 1]);
            let cause = &told.summary.failed[0].cause;
            assert_eq!(
                cause.reason(),
                "resource",
                "{scratch:?}, {commands:?}: {cause}"
            );
            let expected = match scratch.medium(0, &site.store_path()) {
                ScratchMedium::Memory => "8 MiB, the limit of its scratch in memory",
                ScratchMedium::Disk => "8 MiB, the limit of its scratch on disk",
            };
            assert!(cause.to_string().contains(expected), "{scratch:?}: {cause}");
            assert_eq!(unfinished(&site), Vec::<PathBuf>::new(), "{scratch:?}");
        }
    }
}

/// By itself a scratch is on disk where memory is short, and the disk takes it.
fn scratch_by_itself() {
    let site = Site::new();
    let medium = |bytes, store: &Path| ScratchChoice::Auto.medium(bytes, store);
    let store = site.store_path();
    assert_eq!(medium(1 << 20, &store), ScratchMedium::Memory);
    assert_eq!(
        medium(u64::MAX, &store),
        ScratchMedium::Disk,
        "no machine has as much"
    );
    assert_eq!(medium(u64::MAX, Path::new("/proc")), ScratchMedium::Memory);
    assert_eq!(
        medium(u64::MAX, Path::new("/missing")),
        ScratchMedium::Memory
    );
}
