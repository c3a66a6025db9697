//! The merge property: a root mounted for a sandbox hashes to the digest the merge gave.
//!
//! Random trees with symlinked directories, clashes, removals and equal files are merged, mounted
//! by the real sandbox as the layers the store chose, read from inside, and hashed again. So are
//! the roots of long chains of steps that write, remove and turn directories into files and back.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use stxl_model::{BlobId, Directory, Entry, Keep, Node, RootPath, TreeId};
use stxl_sandbox::{
    BELOW_LAYERS, ExitStatus, Identity, KeptCapability, LAUNCHER_ARGUMENT, Launcher,
    SUPPLIED_DIRECTORY, SandboxSpec,
};
use stxl_store::{FileMode, LAYERS_MAX, LayerRef, OpenOptions, SealBounds, Store, TreeEditor};
use stxl_tests::launcher::start_launcher;

/// How many mounted roots of merges are compared.
const ROOTS: usize = 150;
/// How many chains follow, and of how many steps; every root on the way is compared.
const CHAINS: usize = 8;
const STEPS: usize = 24;

/// Names are few, so that trees meet; `lib` and `bin` are also symlinks to directories.
const NAMES: [&str; 5] = ["usr", "lib", "bin", "share", "x"];

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(LAUNCHER_ARGUMENT) {
        stxl_sandbox::launcher_main();
    }
    let dump = compile_dump();
    stxl_sandbox::become_unprivileged(Identity::fallback(), KeptCapability::None)
        .expect("the process can give up its privilege");
    let world = World::new(dump);
    let mut random = Random(0x5eed);
    let mut counts = Counts::default();
    while counts.mounted < ROOTS {
        world.round(&mut random, &mut counts);
    }
    for _ in 0..CHAINS {
        world.chain(&mut random, &mut counts);
    }
    println!("{counts:?}");
    assert!(
        counts.hiding >= CHAINS * STEPS / 4,
        "some layers hide what is below"
    );
    assert_eq!(counts.layers_max, LAYERS_MAX, "chains use all layers");
    assert!(counts.refused > 0, "some random trees clash");
    assert!(
        counts.removed >= ROOTS / 4,
        "some roots have had paths removed"
    );
    assert!(
        counts.layered >= ROOTS / 4,
        "some roots have several layers"
    );
    println!("test result: ok. {} passed; 0 failed", counts.mounted);
    ExitCode::SUCCESS
}

#[derive(Debug, Default)]
struct Counts {
    mounted: usize,
    refused: usize,
    removed: usize,
    layered: usize,
    /// Roots with a layer that hides something.
    hiding: usize,
    layers_max: usize,
}

struct World {
    directory: tempfile::TempDir,
    store: Store,
    launcher: Launcher,
    dump: Vec<u8>,
}

impl World {
    fn new(dump: Vec<u8>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("store");
        let store = Store::open(&path, OpenOptions::default()).expect("a new store opens");
        let store_directory = File::open(&path).expect("the store is a directory").into();
        let launcher = start_launcher(store_directory);
        Self {
            directory,
            store,
            launcher,
            dump,
        }
    }

    fn round(&self, random: &mut Random, counts: &mut Counts) {
        let trees: Vec<TreeId> = (0..2 + random.below(4))
            .map(|_| self.random_tree(random, 0))
            .collect();
        let Ok(merged) = self.store.merge(&trees) else {
            counts.refused += 1;
            return;
        };
        self.check(&merged.tree, &trees, counts);
        if let Some(path) = self.random_path(&merged.tree, random) {
            let mut editor =
                TreeEditor::from_tree(&self.store, &merged.tree).expect("the tree is there");
            editor.remove(&path).expect("the path is there");
            let without = editor.finish().expect("a tree without it");
            self.check(&without, &[merged.tree], counts);
            counts.removed += 1;
        }
    }

    /// Changes one tree again and again.
    fn chain(&self, random: &mut Random, counts: &mut Counts) {
        let start = self.random_tree(random, 0);
        // Hiding is worth it only where there is much to write.
        let mut editor = TreeEditor::from_tree(&self.store, &start).expect("the tree is there");
        for number in 0..60 {
            let at = RootPath::parse(format!("/more/{number}").as_bytes()).expect("a path");
            let written = editor.write(&at, b"more", FileMode::Plain);
            written.expect("no tree has this name");
        }
        let mut tree = editor.finish().expect("a tree");
        drop(self.store.layers_for(&tree, &[], &[]).expect("a checkout"));
        for _ in 0..STEPS {
            let mut editor = TreeEditor::from_tree(&self.store, &tree).expect("the tree is there");
            for _ in 0..=random.below(2) {
                let node = match random.below(5) {
                    0 | 1 => None,
                    2 => Some(self.random_file(random)),
                    _ => Some(Node::Directory {
                        tree: self.random_tree(random, 1),
                    }),
                };
                let path = self.random_path(&tree, random);
                let there = path.filter(|path| matches!(editor.find(path), Ok(Some(_))));
                let at = there.unwrap_or_else(|| {
                    RootPath::parse(format!("/{}", NAMES[random.below(NAMES.len())]).as_bytes())
                        .expect("a path")
                });
                if editor.find(&at).expect("the tree is whole").is_some() {
                    editor.remove(&at).expect("the path is there");
                }
                if let Some(node) = node {
                    self.put(&mut editor, &at, &node);
                }
            }
            let next = editor.finish().expect("a tree");
            self.check(&next, &[tree], counts);
            tree = next;
        }
    }

    fn put(&self, editor: &mut TreeEditor<'_>, at: &RootPath, node: &Node) {
        match node {
            Node::Directory { tree } => {
                editor.mkdir(at).expect("the name is free");
                let directory = self.store.directory(tree).expect("it was just put");
                for entry in directory.entries() {
                    let at = at.child(&entry.name).expect("a name");
                    self.put(editor, &at, &entry.node);
                }
            }
            Node::File { blob, .. } => {
                let bytes = self.store.read_blob(blob).expect("it was just put");
                let written = editor.write(at, &bytes, FileMode::Plain);
                written.expect("the name is free");
            }
            Node::Symlink { target } => {
                editor.symlink(at, target).expect("the name is free");
            }
        }
    }

    /// Mounts a tree and compares what is seen inside with what it should be.
    fn check(&self, tree: &TreeId, hints: &[TreeId], counts: &mut Counts) {
        let layers = self.store.layers_for(tree, hints, &BELOW_LAYERS);
        let layers = layers.expect("layers");
        counts.layered += usize::from(layers.len() > 1);
        counts.layers_max = counts.layers_max.max(layers.len());
        let hides = |layer: &LayerRef| layer.path().extension() == Some(OsStr::new("hiding"));
        counts.hiding += usize::from(layers.iter().any(hides));
        let log_path = self.directory.path().join("log");
        let log = File::create(&log_path).expect("a log");
        let program = PathBuf::from(SUPPLIED_DIRECTORY).join("dump");
        let below_store = |path: &Path| {
            let store = self.store.path();
            path.strip_prefix(store)
                .expect("checkouts lie in the store")
                .to_path_buf()
        };
        let layers = layers
            .iter()
            .map(|layer| below_store(layer.path()))
            .collect();
        let commands = vec![vec![program.into_os_string()]];
        let spec = SandboxSpec {
            supplied_files: BTreeMap::from([("dump".into(), self.dump.clone())]),
            ..SandboxSpec::plain(layers, commands, log.into())
        };
        let running = self.launcher.spawn(&spec).expect("the sandbox starts");
        let outcome = running.wait().expect("the sandbox ends");
        let seen = std::fs::read(&log_path).expect("the log is there");
        let said = String::from_utf8_lossy(&seen);
        assert_eq!(outcome.status, ExitStatus::Exited(0), "{said}");
        assert_eq!(hash_again(&seen), *tree, "merged of {hints:?}: {said}");
        let sealed = self.store.seal(
            outcome.upper.as_fd(),
            tree,
            &Keep::Root,
            SealBounds::default(),
        );
        assert_eq!(
            sealed.expect("it can be sealed").tree,
            *tree,
            "nothing was changed"
        );
        counts.mounted += 1;
    }

    fn random_tree(&self, random: &mut Random, depth: usize) -> TreeId {
        let mut entries: BTreeMap<&str, Node> = BTreeMap::new();
        for _ in 0..=random.below(4) {
            let name = NAMES[random.below(NAMES.len())];
            let node = match (name, random.below(8)) {
                ("lib" | "bin", 0 | 1) if depth == 0 => Node::Symlink {
                    target: format!("usr/{name}").into_bytes(),
                },
                (_, 0) => Node::Symlink {
                    target: b"nowhere".to_vec(),
                },
                ("x", 1..=6) => self.random_file(random),
                (_, 1 | 2) if depth > 0 => self.random_file(random),
                _ if depth < 3 => Node::Directory {
                    tree: self.random_tree(random, depth + 1),
                },
                _ => self.random_file(random),
            };
            entries.insert(name, node);
        }
        let entries = entries
            .into_iter()
            .map(|(name, node)| Entry {
                name: name.as_bytes().to_vec(),
                node,
            })
            .collect();
        let directory = Directory::new(entries).expect("names are valid");
        self.store
            .put_directory(&directory)
            .expect("a directory can be stored")
    }

    fn random_file(&self, random: &mut Random) -> Node {
        let bytes = vec![b'a'; random.below(4) * 1500];
        let blob = self.store.put_blob(&bytes).expect("a blob can be stored");
        Node::File {
            blob,
            size_bytes: bytes.len() as u64,
            executable: random.below(2) == 0,
        }
    }

    fn random_path(&self, tree: &TreeId, random: &mut Random) -> Option<RootPath> {
        let mut paths = Vec::new();
        let walked = self.store.walk(tree, |path, _| {
            if !path.is_root() {
                paths.push(path.clone());
            }
        });
        walked.expect("a tree can be walked");
        (!paths.is_empty()).then(|| paths.swap_remove(random.below(paths.len())))
    }
}

fn compile_dump() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("dump");
    let source = stxl_tests::package_folder().join("tests/merged_root/dump.c");
    let mut command = Command::new("gcc");
    command
        .args(["-static", "-Os", "-s", "-o"])
        .arg(&program)
        .arg(source);
    assert!(command.status().expect("this test needs gcc").success());
    std::fs::read(program).expect("the program is there")
}

/// A directory as it was seen from inside.
#[derive(Default)]
struct Seen(BTreeMap<Vec<u8>, SeenNode>);

enum SeenNode {
    Directory(Seen),
    Other(Node),
}

impl Seen {
    fn insert(&mut self, path: &[u8], node: SeenNode) {
        let path = path.strip_prefix(b"/").expect("paths are absolute");
        match path.iter().position(|byte| *byte == b'/') {
            None => drop(self.0.insert(path.to_vec(), node)),
            Some(end) => match self.0.get_mut(&path[..end]) {
                Some(SeenNode::Directory(below)) => below.insert(&path[end..], node),
                Some(SeenNode::Other(_)) | None => panic!("a directory comes before its entries"),
            },
        }
    }

    fn id(self) -> TreeId {
        let entries = self.0.into_iter().map(|(name, node)| match node {
            SeenNode::Directory(below) => Entry {
                name,
                node: Node::Directory { tree: below.id() },
            },
            SeenNode::Other(node) => Entry { name, node },
        });
        Directory::new(entries.collect())
            .expect("what is mounted has valid names")
            .id()
    }
}

/// The digest of what was seen; no two files may share an inode.
fn hash_again(mut dump: &[u8]) -> TreeId {
    let mut root = Seen::default();
    let mut inodes = BTreeSet::new();
    while let Some((kind, rest)) = dump.split_first() {
        dump = rest;
        match kind {
            b'D' => {
                let path = until_nul(&mut dump);
                root.insert(&path, SeenNode::Directory(Seen::default()));
            }
            b'L' => {
                let (path, target) = (until_nul(&mut dump), until_nul(&mut dump));
                root.insert(&path, SeenNode::Other(Node::Symlink { target }));
            }
            b'F' => {
                let (head, size) = (until_nul(&mut dump), until_nul(&mut dump));
                let size: usize = String::from_utf8_lossy(&size).parse().expect("a size");
                let (bytes, rest) = dump.split_at(size);
                dump = rest;
                let blank = head
                    .iter()
                    .position(|byte| *byte == b' ')
                    .expect("an inode");
                assert!(
                    inodes.insert(head[1..blank].to_vec()),
                    "two paths share an inode"
                );
                let node = Node::File {
                    blob: BlobId::of(bytes),
                    size_bytes: size as u64,
                    executable: head[0] == b'x',
                };
                root.insert(&head[blank + 1..], SeenNode::Other(node));
            }
            _ => panic!("not a record: {}", String::from_utf8_lossy(dump)),
        }
    }
    root.id()
}

fn until_nul(dump: &mut &[u8]) -> Vec<u8> {
    let end = dump
        .iter()
        .position(|byte| *byte == 0)
        .expect("texts end in NUL");
    let (text, rest) = dump.split_at(end);
    *dump = &rest[1..];
    text.to_vec()
}

/// A small generator, so that every run meets the same trees (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }
}
