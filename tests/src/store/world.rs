//! Small worlds of files for a store: inputs to import, layers to seal, ids made up.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use stxl_model::{
    ActionId, DerivationId, Digest, Directory, GuardLevel, Node, Realisation, RealisationScope,
    TreeId,
};
use stxl_store::{ImportBounds, OpenOptions, Store};

/// Opens a store that has no faults armed.
pub fn open(dir: &Path) -> Store {
    Store::open(dir, OpenOptions::default()).expect("the store opens")
}

/// Opens a directory of the machine.
pub fn directory_fd(dir: &Path) -> OwnedFd {
    fs::File::open(dir).expect("the directory is there").into()
}

/// Imports a directory.
pub fn import(store: &Store, dir: &Path) -> TreeId {
    let at = directory_fd(dir);
    store
        .import_path(at.as_fd(), b".", ImportBounds::default())
        .expect("the directory can be imported")
}

/// Writes files of all kinds and sizes that are treated differently.
pub fn write_input(dir: &Path) {
    fs::create_dir_all(dir.join("usr/lib")).unwrap();
    fs::create_dir_all(dir.join("empty")).unwrap();
    fs::write(dir.join("usr/lib/small"), b"a small file\n").unwrap();
    fs::write(dir.join("usr/lib/nothing"), b"").unwrap();
    fs::write(dir.join("usr/large"), pattern(200_000)).unwrap();
    fs::write(dir.join("usr/edge"), pattern(64 * 1024)).unwrap();
    fs::write(dir.join("run"), b"#!/bin/sh\n").unwrap();
    fs::set_permissions(dir.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("usr/lib", dir.join("lib")).unwrap();
}

/// Bytes that do not repeat soon.
pub fn pattern(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_le_bytes()[7]
        })
        .collect()
}

/// An action id made up from a text.
pub fn action(text: &str) -> ActionId {
    ActionId::from_digest(made_up(text))
}

/// A derivation id made up from a text.
pub fn derivation(text: &str) -> DerivationId {
    DerivationId::from_digest(made_up(text))
}

fn made_up(text: &str) -> Digest {
    *stxl_model::BlobId::of(text.as_bytes()).digest()
}

/// A realisation of an action.
pub fn realisation(action: ActionId, tree: TreeId) -> Realisation {
    Realisation {
        action,
        tree,
        builder: "stxl test".to_owned(),
        duration_ms: 12,
        log: None,
        guards: GuardLevel::Full,
        scope: RealisationScope::Shareable,
        signature: Vec::new(),
    }
}

/// A tree with one file in the store.
pub fn tree_of(store: &Store, name: &str, content: &[u8]) -> TreeId {
    let blob = store.put_blob(content).unwrap();
    let mut directory = Directory::default();
    let node = Node::File {
        blob,
        size_bytes: content.len() as u64,
        executable: false,
    };
    directory.insert(name.as_bytes(), node).unwrap();
    store.put_directory(&directory).unwrap()
}

/// Fails with every breach when an invariant of the store does not hold.
pub fn assert_sound(store: &Store) {
    let report = store.fsck().expect("the store can be checked");
    assert!(report.breaches.is_empty(), "{:#?}", report.breaches);
}

/// Opens a store and fails when an invariant does not hold.
pub fn assert_sound_at(dir: &Path) {
    let store = Store::open(dir, OpenOptions::default().check_index()).expect("the store opens");
    assert_sound(&store);
}

/// Steps of a generator of numbers that needs no crate; equal seeds give equal numbers.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x5DEE_CE66_D5DE_ECE6)
    }

    /// A number below a limit, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
