//! Plans made by hand: imports of the workspace, compositions, and steps that run the tool.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stxl_model::{
    Archive, ArchiveFormat, BlobId, BuildUid, Compose, Derivation, DerivationId, Directory, Exec,
    Fetch, FetchLock, Import, ImportDecode, ImportKind, ImportSource, Keep, NodeOrigin, OutputName,
    PackageLabel, Plan, PlanRoot, Platform, PutMode, RootOutputs, RootPath, Sha256, TreeOp, Unpack,
};

/// A plan in the making, and the workspace its imports are in.
pub(crate) struct Recipe {
    pub(crate) plan: Plan,
    workspace: PathBuf,
    next_limits: (u64, u64),
}

pub(crate) fn path(text: &str) -> RootPath {
    RootPath::parse(text.as_bytes()).expect("a path")
}

pub(crate) fn label(text: &str) -> PackageLabel {
    PackageLabel::parse(text).expect("a label")
}

impl Recipe {
    pub(crate) fn new(workspace: &Path) -> Self {
        Self {
            plan: Plan::default(),
            workspace: workspace.to_owned(),
            next_limits: (0, 0),
        }
    }

    /// Limits of wall time and silence, in milliseconds, of all steps made from here on.
    pub(crate) fn limits(&mut self, wall_ms: u64, silent_ms: u64) {
        self.next_limits = (wall_ms, silent_ms);
    }

    /// An import of a file of the workspace as it is at this moment.
    pub(crate) fn file(&mut self, name: &str) -> DerivationId {
        let bytes = std::fs::read(self.workspace.join(name)).expect("the file is there");
        let tree = Directory::of_file(BlobId::of(&bytes), bytes.len() as u64).id();
        let import = Some(ImportSource {
            path: name.to_owned(),
            decode: ImportDecode::Plain,
            ignore: Vec::new(),
        });
        let origin = NodeOrigin {
            import,
            ..self.origin("test/files", name)
        };
        let derivation = Derivation::Import(Import {
            kind: ImportKind::File,
            tree,
        });
        self.plan
            .add(derivation, || origin)
            .expect("an import needs nothing")
    }

    /// Writes a file of the workspace and imports it.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> DerivationId {
        std::fs::write(self.workspace.join(name), text).expect("the workspace is writable");
        self.file(name)
    }

    pub(crate) fn compose(&mut self, inputs: Vec<DerivationId>, ops: Vec<TreeOp>) -> DerivationId {
        self.compose_for("test/trees", inputs, ops)
    }

    pub(crate) fn compose_for(
        &mut self,
        package: &str,
        inputs: Vec<DerivationId>,
        ops: Vec<TreeOp>,
    ) -> DerivationId {
        let origin = self.origin(package, "compose");
        let derivation = Derivation::Compose(Compose { inputs, ops });
        self.plan
            .add(derivation, || origin)
            .expect("inputs come first")
    }

    /// A root with the tool and what other steps gave, at `/in/0`, `/in/1` and so on.
    pub(crate) fn root(&mut self, inputs: &[DerivationId]) -> DerivationId {
        let tool = self.file("tool");
        let mut all = vec![tool];
        let mut ops = vec![
            TreeOp::PutFile {
                input: 0,
                at: path("/bin/tool"),
                mode: PutMode::Executable,
            },
            TreeOp::Mkdir { path: path("/out") },
        ];
        for (index, input) in inputs.iter().enumerate() {
            let position = all
                .iter()
                .position(|known| known == input)
                .unwrap_or_else(|| {
                    all.push(*input);
                    all.len() - 1
                });
            let input = u32::try_from(position).expect("few inputs");
            ops.push(TreeOp::PutTree {
                input,
                at: path(&format!("/in/{index}")),
            });
        }
        self.compose(all, ops)
    }

    /// A step that runs the tool, each command as words separated by blanks, and keeps `/out`.
    pub(crate) fn step(
        &mut self,
        package: &str,
        inputs: &[DerivationId],
        commands: &[&str],
    ) -> DerivationId {
        let root = self.root(inputs);
        self.step_in(package, root, commands, Keep::Subtree(path("/out")))
    }

    pub(crate) fn step_in(
        &mut self,
        package: &str,
        root: DerivationId,
        commands: &[&str],
        keep: Keep,
    ) -> DerivationId {
        self.step_at(package, (root, "/"), commands, keep)
    }

    /// As `step_in`, with a working directory.
    pub(crate) fn step_at(
        &mut self,
        package: &str,
        at: (DerivationId, &str),
        commands: &[&str],
        keep: Keep,
    ) -> DerivationId {
        self.add_step(package, exec(at, commands, keep))
    }

    /// An incremental step with a working directory, that keeps `/out`.
    pub(crate) fn incremental_step(
        &mut self,
        package: &str,
        at: (DerivationId, &str),
        commands: &[&str],
    ) -> DerivationId {
        let step = exec(at, commands, Keep::Subtree(path("/out")));
        let step = step.incremental().expect("it can be incremental");
        self.add_step(package, step)
    }

    fn add_step(&mut self, package: &str, step: Exec<DerivationId>) -> DerivationId {
        let origin = self.origin(package, "run 1 of 1");
        self.plan
            .add(Derivation::Exec(step), || origin)
            .expect("the root comes first")
    }

    /// A source with the hash of some bytes.
    pub(crate) fn fetch(&mut self, bytes: &[u8], urls: Vec<String>) -> DerivationId {
        let lock = FetchLock::File(Sha256::of(bytes));
        self.locked(Derivation::Fetch(Fetch { lock }), urls)
    }

    /// A source with addresses.
    pub(crate) fn locked(
        &mut self,
        derivation: Derivation<DerivationId>,
        urls: Vec<String>,
    ) -> DerivationId {
        let origin = NodeOrigin {
            urls,
            ..self.origin("test/source", "fetch")
        };
        self.plan
            .add(derivation, || origin)
            .expect("a fetch needs nothing")
    }

    pub(crate) fn archive(&mut self, tree: DerivationId, format: ArchiveFormat) -> DerivationId {
        let origin = self.origin("test/archive", "archive");
        let modes = BTreeMap::new();
        let derivation = Derivation::Archive(Archive {
            tree,
            format,
            modes,
        });
        self.plan
            .add(derivation, || origin)
            .expect("the tree comes first")
    }

    pub(crate) fn unpack(
        &mut self,
        archive: DerivationId,
        format: ArchiveFormat,
        strip: u32,
    ) -> DerivationId {
        let origin = self.origin("test/archive", "unpack");
        let derivation = Derivation::Unpack(Unpack {
            archive,
            format,
            strip_components: strip,
        });
        self.plan
            .add(derivation, || origin)
            .expect("the archive comes first")
    }

    /// Asks for the main output of a package.
    pub(crate) fn want(&mut self, package: &str, id: DerivationId) {
        let outputs = RootOutputs::from([(OutputName::main(), id)]);
        self.plan
            .add_root(PlanRoot {
                label: label(package),
                outputs,
            })
            .expect("it is a node");
    }

    fn origin(&self, package: &str, step: &str) -> NodeOrigin {
        let (wall_ms_max, silent_ms_max) = self.next_limits;
        NodeOrigin {
            name: format!("{package}: {step}"),
            label: label(package),
            file: format!("stages/{package}/package.rhai"),
            line: 7,
            script_line: 0,
            wall_ms_max,
            silent_ms_max,
            import: None,
            urls: Vec::new(),
            is_opaque: false,
        }
    }
}

/// A step that runs the tool.
fn exec((root, cwd): (DerivationId, &str), commands: &[&str], keep: Keep) -> Exec<DerivationId> {
    let words = |command: &&str| {
        let words = command
            .split_whitespace()
            .map(|word| word.as_bytes().to_vec());
        [b"/bin/tool".to_vec()].into_iter().chain(words).collect()
    };
    Exec {
        root,
        commands: commands.iter().map(words).collect(),
        env: BTreeMap::new(),
        cwd: path(cwd),
        uid: BuildUid::Root,
        keep,
        runs_on: Platform::X86_64,
        target: Platform::X86_64,
        sandbox_abi: 1,
    }
}
