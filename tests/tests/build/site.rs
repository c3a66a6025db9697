//! A store, a workspace and a launcher in a temporary directory; and the second process of the
//! tests that need one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;

use stxl_build::{BuildContext, BuildEvent, BuildOptions, OnFailure, Summary, WireEvent, build};
use stxl_model::{Digest, Plan};
use stxl_sandbox::{Identity, KeptCapability, Launcher};
use stxl_store::{OpenOptions, Store};
use stxl_tests::launcher::start_launcher;

/// The argument by which this binary becomes a client that builds a plan.
pub(crate) const CLIENT_ARGUMENT: &str = "__client";

/// One test's world.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) launcher: Launcher,
}

/// What a build told and came to.
pub(crate) struct Told {
    pub(crate) summary: Summary,
    pub(crate) events: Vec<String>,
    /// What each step wrote to its log as it was told, by name.
    pub(crate) logs: BTreeMap<String, Vec<u8>>,
}

/// Becomes the unprivileged user that builds run as; before the first thread.
pub(crate) fn become_ordinary() {
    // The tool is compiled before, since the compiler is the host's.
    tool();
    stxl_sandbox::become_unprivileged(Identity::fallback(), KeptCapability::None)
        .expect("the process can give up its privilege");
}

/// The static program that runs inside, compiled once.
fn tool() -> &'static [u8] {
    static TOOL: OnceLock<Vec<u8>> = OnceLock::new();
    TOOL.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = directory.path().join("tool");
        let source = stxl_tests::package_folder().join("tests/build/tool.c");
        let status = Command::new("gcc")
            .args(["-static", "-Os", "-s", "-o"])
            .arg(&program)
            .arg(source)
            .status()
            .expect("gcc is installed");
        assert!(status.success(), "gcc -static compiles the tool");
        std::fs::read(program).expect("the tool is there")
    })
}

fn launch(store: &Path) -> Launcher {
    let directory = std::fs::File::open(store).expect("the store is a directory");
    start_launcher(directory.into())
}

impl Site {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store_path = directory.path().join("store");
        let store = Store::open(&store_path, OpenOptions::default()).expect("a new store opens");
        let launcher = launch(&store_path);
        let workspace = directory.path().join("workspace");
        std::fs::create_dir(&workspace).expect("a workspace");
        std::fs::write(workspace.join("tool"), tool()).expect("the tool is written");
        Self {
            directory,
            store,
            launcher,
        }
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    pub(crate) fn recipe(&self) -> super::recipe::Recipe {
        super::recipe::Recipe::new(&self.workspace())
    }

    pub(crate) fn options(&self) -> BuildOptions {
        BuildOptions {
            jobs: 2,
            ..BuildOptions::new(self.workspace(), "test".to_owned())
        }
    }

    pub(crate) fn context<'a>(
        &'a self,
        plan: &'a Plan,
        options: &'a BuildOptions,
    ) -> BuildContext<'a> {
        BuildContext {
            store: &self.store,
            launcher: &self.launcher,
            plan,
            options,
        }
    }

    pub(crate) fn build(&self, plan: &Plan) -> Told {
        self.build_with(plan, &self.options())
    }

    pub(crate) fn build_with(&self, plan: &Plan, options: &BuildOptions) -> Told {
        self.try_build(plan, options)
            .expect("the build ends with a summary")
    }

    pub(crate) fn try_build(
        &self,
        plan: &Plan,
        options: &BuildOptions,
    ) -> Result<Told, stxl_build::BuildError> {
        let (mut events, mut logs) = (Vec::new(), BTreeMap::<String, Vec<u8>>::new());
        let summary = build(self.context(plan, options), &mut |event| {
            if let BuildEvent::Log { node, bytes } = event {
                logs.entry(node.origin.name.clone())
                    .or_default()
                    .extend_from_slice(bytes);
            }
            events.push(WireEvent::new(&event).to_line());
        })?;
        Ok(Told {
            summary,
            events,
            logs,
        })
    }

    /// The bytes of a file of a built output, by the label of its package.
    pub(crate) fn output(&self, told: &Told, package: &str, path: &str) -> Vec<u8> {
        let built = told
            .summary
            .outputs
            .iter()
            .find(|built| built.label.package.as_str() == package);
        let tree = built
            .unwrap_or_else(|| panic!("{package} was built: {:?}", told.events))
            .tree;
        let path = super::recipe::path(path);
        match self.store.find(&tree, &path).expect("the tree is whole") {
            Some(stxl_model::Node::File { blob, .. }) => {
                self.store.read_blob(&blob).expect("the blob is there")
            }
            other => panic!("{path} of {package} is {other:?}"),
        }
    }

    /// Starts another process that builds a plan in the same store.
    pub(crate) fn client(&self, plan: &Plan) -> Child {
        self.client_of(&self.store_path(), plan, &[])
    }

    /// Starts another process that builds a plan in some store, with more variables.
    pub(crate) fn client_of(&self, store: &Path, plan: &Plan, variables: &[(&str, &str)]) -> Child {
        let mut file = tempfile::NamedTempFile::new_in(self.directory.path()).expect("a file");
        file.write_all(&plan.to_bytes())
            .expect("the plan is written");
        let (_, file) = file.keep().expect("the file stays");
        Command::new("/proc/self/exe")
            .arg(CLIENT_ARGUMENT)
            .args([store, &self.workspace(), &file])
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client starts")
    }

    /// How much memory the client that ended last needed, in KiB.
    pub(crate) fn memory_of_last_client(&self) -> u64 {
        let path = self.workspace().with_extension("memory");
        let text = std::fs::read_to_string(path).expect("a client ended");
        let kib = text.split_whitespace().nth(1).expect("a number");
        kib.parse().expect("a number")
    }

    /// The objects of the store's index are not asked here: files are, with the store closed.
    pub(crate) fn reopen(self) -> Self {
        let Self {
            directory,
            store,
            launcher,
        } = self;
        drop((store, launcher));
        let path = directory.path().join("store");
        let store = Store::open(&path, OpenOptions::default()).expect("the store opens again");
        let launcher = launch(&path);
        Self {
            directory,
            store,
            launcher,
        }
    }
}

impl Told {
    /// ran, cached, cut off, skipped, failed, total.
    pub(crate) fn counts(&self) -> [usize; 6] {
        let Summary {
            ran,
            cached,
            cut_off,
            skipped,
            total,
            ..
        } = self.summary;
        let failed = self.summary.failed.len();
        [ran, cached, cut_off, skipped, failed, total]
    }

    pub(crate) fn events_of(&self, kind: &str) -> Vec<serde_json::Value> {
        let parsed = self
            .events
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        parsed
            .filter(|event: &serde_json::Value| event["event"] == kind)
            .collect()
    }
}

/// Ids of all objects of a tree, its directories included.
pub(crate) fn objects_of(store: &Store, tree: &stxl_model::TreeId) -> Vec<Digest> {
    let mut objects = vec![*tree.digest()];
    store
        .walk(tree, |_, node| match node {
            stxl_model::Node::File { blob, .. } => objects.push(*blob.digest()),
            stxl_model::Node::Directory { tree } => objects.push(*tree.digest()),
            stxl_model::Node::Symlink { .. } => {}
        })
        .expect("the tree is whole");
    objects
}

/// The client: builds the plan of its arguments and prints one line of JSON for every event.
pub(crate) fn client_main(arguments: &[String]) -> ExitCode {
    let [_, store, workspace, plan] = arguments else {
        return ExitCode::FAILURE;
    };
    let launcher = launch(Path::new(store));
    let store = Store::open(Path::new(store), OpenOptions::default()).expect("the store opens");
    let bytes = std::fs::read(plan).expect("the plan is readable");
    let plan = Plan::from_bytes(&bytes).expect("the plan is whole");
    let options = BuildOptions {
        on_failure: OnFailure::KeepGoing,
        ..BuildOptions::new(PathBuf::from(workspace), "test".to_owned())
    };
    let context = BuildContext {
        store: &store,
        launcher: &launcher,
        plan: &plan,
        options: &options,
    };
    let summary = build(context, &mut |event| {
        println!("{}", WireEvent::new(&event).to_line());
    });
    // What the process needed at most, for whoever started it; exact, as that of a waited child is
    // not: it counts what its parent had when it began.
    let status = std::fs::read_to_string("/proc/self/status").expect("the process sees itself");
    let most = status.lines().find(|line| line.starts_with("VmHWM:"));
    let most = most.expect("the kernel counts memory");
    std::fs::write(arguments[2].clone() + ".memory", most).expect("it is written");
    if summary.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
