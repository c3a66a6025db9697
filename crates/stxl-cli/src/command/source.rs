//! `stxl source add|update|lock|export`.

mod add;
mod export;
mod lock;
mod rewrite;
mod update;

use std::fs::File;
use std::path::{Path, PathBuf};

use stxl_build::{BuildOptions, BuildOutcome, CommitError, Summary};
use stxl_fetch::{Address, Fetcher, GitAddress, ObtainError, Request};
use stxl_model::{
    Derivation, DerivationId, FILE_ENTRY, FetchLock, Kind, Node, NodeOrigin, OutputName,
    PackageLabel, Plan, PlanNode, PlanRoot, RootPath, TreeId,
};
use tempfile::TempDir;

use crate::arguments::{Arguments, SourceCommand};
use crate::failure::{Exit, Failure, of_store};
use crate::session::{self, Session};
use crate::terminal::Terminal;
use crate::{interrupt, network, place};

pub(crate) fn run(
    arguments: &Arguments,
    source: &SourceCommand,
    terminal: Terminal,
) -> Result<(), Failure> {
    match source {
        SourceCommand::Add(add) => add::run(arguments, add, terminal),
        SourceCommand::Update(update) => update::run(arguments, update, terminal),
        SourceCommand::Lock(lock) => lock::run(arguments, lock, terminal),
        SourceCommand::Export(export) => export::run(arguments, export, terminal),
    }
}

/// What it takes to have sources: a store, the network, and room for what has no hash yet.
struct Sources {
    session: Session,
    fetcher: Fetcher,
    workspace: PathBuf,
    /// Files by their hashes, as a directory of sources.
    folder: TempDir,
}

/// A source that was had.
struct Had {
    lock: FetchLock,
    /// How large the file is.
    bytes: Option<u64>,
}

impl Sources {
    /// Opens the store; a process started by root is an unprivileged user after it.
    fn open(arguments: &Arguments, workspace: PathBuf) -> Result<Self, Failure> {
        let session = session::open(arguments)?;
        let folder = tempfile::tempdir().map_err(Failure::environment)?;
        let clients = folder.path().join("clients");
        std::fs::create_dir(&clients).map_err(Failure::environment)?;
        Ok(Self {
            fetcher: Fetcher::new(network::options(), clients),
            session,
            workspace,
            folder,
        })
    }

    /// Gets a file that has no hash yet, and takes it into the store under the one it has.
    fn obtain(&self, text: &str) -> Result<Had, Failure> {
        let address = Address::parse(text).map_err(|error| Failure::usage(error.to_string()))?;
        let unnamed = self.folder.path().join("unnamed");
        let had = match &address {
            Address::File(path) => {
                std::fs::copy(path, &unnamed).map_err(|error| {
                    Failure::environment(format!("`{}`: {error}", path.display()))
                })?;
                hash_of(&unnamed)?
            }
            Address::Git(address) => return self.commit(address),
            Address::Web(_) | Address::Package(_) => {
                let file = File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&unnamed)
                    .map_err(Failure::environment)?;
                let request = Request {
                    address: &address,
                    sha256: None,
                    file: &file,
                };
                let obtained = self.fetcher.obtain(&request, &mut |_| {});
                let obtained = obtained.map_err(|error| unobtained(&error))?;
                Had {
                    lock: FetchLock::File(obtained.downloaded.sha256),
                    bytes: Some(obtained.downloaded.bytes),
                }
            }
        };
        let named = self.folder.path().join(hex_of(&had.lock));
        std::fs::rename(&unnamed, &named).map_err(Failure::environment)?;
        let fetch = Derivation::Fetch(stxl_model::Fetch { lock: had.lock });
        let mut plan = Plan::default();
        let origin = || origin_of(text);
        let id = plan.add(fetch, origin).map_err(Failure::environment)?;
        self.build(plan, &[id], Some(self.folder.path()))?;
        Ok(had)
    }

    /// Takes the files of a commit into the store.
    fn commit(&self, address: &GitAddress) -> Result<Had, Failure> {
        let cancel = interrupt::cancel_on_signals()?;
        let store = &self.session.store;
        let tree = stxl_build::tree_of_commit(store, &self.fetcher, address, &cancel);
        let tree = tree.map_err(|error| match error {
            CommitError::Repository(problem) => {
                Failure::environment(format!("{address}: {problem}"))
            }
            CommitError::Store(error) => of_store(&error),
            CommitError::Cancelled => Failure::shown(Exit::Interrupted),
        })?;
        Ok(Had {
            lock: FetchLock::Tree(tree),
            bytes: None,
        })
    }

    /// Makes nodes of a plan, and tells their trees in the order of the ids.
    fn build(
        &self,
        mut plan: Plan,
        wanted: &[DerivationId],
        source_dir: Option<&Path>,
    ) -> Result<Vec<TreeId>, Failure> {
        let name_of = |position: usize| OutputName::parse(&format!("source-{position}"));
        let mut outputs = Vec::new();
        for (position, id) in wanted.iter().enumerate() {
            let name = name_of(position).map_err(Failure::environment)?;
            outputs.push((name, *id));
        }
        let root = PlanRoot {
            label: sources_label()?,
            outputs: outputs.into_iter().collect(),
        };
        plan.add_root(root).map_err(Failure::environment)?;
        let options = BuildOptions {
            source_dir: source_dir.map(Path::to_path_buf),
            cancel: interrupt::cancel_on_signals()?,
            ..session::options(self.workspace.clone(), "sources".to_owned())
        };
        let context = self.session.context(&plan, &options);
        let summary = stxl_build::build(context, &mut |_| {}).map_err(Failure::environment)?;
        trees_of(&summary, wanted.len())
    }

    /// The file that a tree stands for.
    fn copy_file(&self, tree: &TreeId, to: &mut File) -> Result<(), Failure> {
        self.copy_out(
            tree,
            &RootPath::parse(&[b"/", FILE_ENTRY].concat()).map_err(Failure::environment)?,
            to,
        )
    }

    /// A file in a tree.
    fn copy_out(&self, tree: &TreeId, path: &RootPath, to: &mut File) -> Result<(), Failure> {
        let store = &self.session.store;
        let found = store.find(tree, path).map_err(|error| of_store(&error))?;
        let Some(Node::File { blob, .. }) = found else {
            return Err(Failure::environment(format!("there is no file `{path}`")));
        };
        let mut reader = store.open_blob(&blob).map_err(|error| of_store(&error))?;
        std::io::copy(&mut reader, to).map_err(Failure::environment)?;
        Ok(())
    }
}

/// The sources among the nodes of a plan, each once, with their locks.
fn fetches(plan: &Plan) -> Result<Vec<(&PlanNode, FetchLock)>, Failure> {
    let mut found = Vec::new();
    for node in plan.nodes() {
        if node.derivation.kind() == Kind::Fetch
            && let Derivation::Fetch(fetch) =
                node.derivation.decode().map_err(Failure::environment)?
        {
            found.push((node, fetch.lock));
        }
    }
    Ok(found)
}

fn trees_of(summary: &Summary, count: usize) -> Result<Vec<TreeId>, Failure> {
    match summary.outcome {
        BuildOutcome::Ok => {}
        BuildOutcome::Interrupted => return Err(Failure::shown(Exit::Interrupted)),
        BuildOutcome::Failed | BuildOutcome::CheckFailed => {
            let causes = summary
                .failed
                .iter()
                .map(|failure| failure.cause.to_string());
            let causes: Vec<String> = causes.collect();
            return Err(Failure {
                exit: Exit::BuildFailed,
                message: causes.join("\n"),
                hint: None,
            });
        }
    }
    let tree_of = |position: usize| {
        let name = format!("source-{position}");
        let mut outputs = summary.outputs.iter();
        let output = outputs.find(|it| it.label.output.as_str() == name);
        output.map(|output| output.tree)
    };
    let trees: Option<Vec<TreeId>> = (0..count).map(tree_of).collect();
    trees.ok_or_else(|| Failure::environment("a source was not made"))
}

fn sources_label() -> Result<PackageLabel, Failure> {
    PackageLabel::parse("stxl/sources").map_err(Failure::environment)
}

fn origin_of(address: &str) -> NodeOrigin {
    NodeOrigin {
        name: format!("fetch {}", stxl_fetch::without_userinfo(address)),
        label: PackageLabel::parse("stxl/sources").expect("a label"),
        file: String::new(),
        line: 0,
        script_line: 0,
        wall_ms_max: 0,
        silent_ms_max: 0,
        import: None,
        urls: vec![address.to_owned()],
        is_opaque: false,
    }
}

fn unobtained(error: &ObtainError) -> Failure {
    match error {
        ObtainError::Nowhere(nowhere) => {
            let places = nowhere.attempts.iter();
            let places: Vec<String> = places.map(ToString::to_string).collect();
            let failure = Failure::environment(places.join("\n"));
            match &nowhere.newest {
                Some(newest) => failure.hint(format!("it is gone; there is {newest} now")),
                None => failure,
            }
        }
        ObtainError::Disk(error) => Failure::environment(error),
        ObtainError::Stopped => Failure::shown(Exit::Interrupted),
    }
}

fn hash_of(path: &Path) -> Result<Had, Failure> {
    let mut hasher = stxl_model::Sha256Hasher::default();
    let mut file = File::open(path).map_err(Failure::environment)?;
    let mut piece = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match std::io::Read::read(&mut file, &mut piece).map_err(Failure::environment)? {
            0 => break,
            count => {
                bytes += count as u64;
                hasher.update(piece.get(..count).unwrap_or_default());
            }
        }
    }
    Ok(Had {
        lock: FetchLock::File(hasher.finish()),
        bytes: Some(bytes),
    })
}

/// The digits of a lock, as a directory of sources names what is in it.
fn hex_of(lock: &FetchLock) -> String {
    let text = lock.to_string();
    text.rsplit(':').next().unwrap_or(&text).to_owned()
}

/// The workspace around, if there is one; else the working directory.
fn workspace_or_here(arguments: &Arguments) -> Result<PathBuf, Failure> {
    place::workspace(arguments).or_else(|_| place::absolute(Path::new(".")))
}
