//! Incremental steps: of a local checkout whose definition asks for it, a step goes on from what
//! its last run left in the folders where things are built, so that `make` finds the object files
//! it made.
//!
//! The upper layers of these folders are kept as they are, times included. Before the next run the
//! files of the sources that are others by then are written into them, all as new as now: object
//! files are older, and everything else that is imported is older than these. Whatever cannot be
//! brought up to date for certain is dropped, and the step begins anew.
//!
//! Such a step has keys of its own and runs so in plans of local overlays only. The rebuild check
//! runs it without anything kept, and has what is kept forgotten when the results differ.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::time::SystemTime;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;
use stxl_model::{
    Action, ActionId, BlobId, Derivation, Digest, Directory, Exec, Node, PlanNode, RootPath,
    SOURCES, TreeId,
};
use stxl_sandbox::{Scratch, UPPER};
use stxl_store::{Difference, DifferenceKind, ScratchDirectory, Store, StoreError};

use crate::conduct::Job;
use crate::exec::PreparedStep;
use crate::options::{BuildOptions, ScratchMedium};
use crate::worker::{JobContext, RecordUse};

/// The folders that are kept: that of the sources, and where some builders build.
const KEPT: [&[u8]; 2] = [SOURCES, b"build"];

/// The file in a scratch directory that says what is kept there.
const STATE: &str = "state";

const STATE_BYTES_MAX: u64 = 4096;

/// With as many files that are others, a step begins anew.
const DIFFERENCES_MAX: usize = 10_000;

/// Has `make` remove what a command that failed was writing: it would be taken for whole.
const MAKE_FLAG: &str = " --eval=.DELETE_ON_ERROR:";

/// How the run ended that left what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Well.
    Whole,
    /// By a command that failed.
    Failed,
}

impl Left {
    const fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Failed => "failed",
        }
    }
}

/// An incremental step of a plan that may have one.
pub(crate) struct Incremental<'c> {
    store: &'c Store,
    root: &'c TreeId,
    /// By this is found what is kept of it.
    name: Digest,
}

/// What is kept cannot be gone on from: it may not be what a clean build leads to, or could not be
/// brought up to date.
struct Unusable;

impl From<Errno> for Unusable {
    fn from(_: Errno) -> Self {
        Self
    }
}

impl From<io::Error> for Unusable {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl From<StoreError> for Unusable {
    fn from(_: StoreError) -> Self {
        Self
    }
}

type Usable<T> = Result<T, Unusable>;

/// Drops what is kept of a step, if that is incremental, so that its next run begins anew; and says
/// whether it is.
pub(crate) fn forget(
    store: &Store,
    node: &PlanNode,
    options: &BuildOptions,
) -> Result<bool, StoreError> {
    let Ok(derivation) = node.derivation.decode() else {
        return Ok(false);
    };
    let is_incremental = matches!(&derivation, Derivation::Exec(step) if step.is_incremental());
    if is_incremental {
        drop(store.take_scratch(&name_of(node, &derivation, options))?);
    }
    Ok(is_incremental)
}

/// Names a step by all but the root of its recipe, its place in the plan, and the workspace.
fn name_of<I>(node: &PlanNode, derivation: &Derivation<I>, options: &BuildOptions) -> Digest {
    let empty = Directory::default().id();
    let Ok(rootless) = derivation.try_map_inputs(|_| Ok::<_, std::convert::Infallible>(empty));
    let recipe: ActionId = Action::action_id(&rootless);
    let (label, step) = (&node.origin.label, &node.origin.name);
    let workspace = options.workspace.display();
    let text = format!("{recipe}\0{label}\0{step}\0{workspace}");
    *BlobId::of(text.as_bytes()).digest()
}

impl<'c> Incremental<'c> {
    /// None for a step that is not incremental, or made again to be compared, or of a plan that
    /// others could see; and where no sandbox can write to the store's disk.
    pub(crate) fn of(
        context: JobContext<'c>,
        job: &'c Job,
        step: &'c Exec<TreeId>,
    ) -> Option<Self> {
        let JobContext { store, options, .. } = context;
        let is_one = step.is_incremental()
            && context.plan.is_local()
            && job.records == RecordUse::Trust
            && ScratchMedium::Disk.is_there_for(options.limits.scratch_bytes, store.path());
        is_one.then(|| Self {
            store,
            root: &step.root,
            name: name_of(&context.plan.nodes()[job.node], &job.action, options),
        })
    }

    /// Has a prepared step begin with what the last run left, if that is to be had.
    pub(crate) fn begin(&self, prepared: &mut PreparedStep) -> Result<(), StoreError> {
        let kept = self.store.take_scratch(&self.name)?;
        let kept = kept.filter(|kept| self.bring_up_to_date(kept).is_ok());
        let scratch = match kept {
            Some(kept) => kept,
            // On the disk, where it is kept.
            None => self.store.scratch()?,
        };
        prepared.spec.scratch = Scratch::Disk(scratch.path().to_owned());
        prepared.scratch = Some(scratch);
        if let Some(flags) = prepared.spec.env.get_mut(std::ffi::OsStr::new("MAKEFLAGS")) {
            flags.push(MAKE_FLAG);
        }
        Ok(())
    }

    /// Keeps what a step that has ended by itself left. Failing costs the next run time.
    pub(crate) fn keep(&self, prepared: &PreparedStep, left: Left) {
        if let Some(scratch) = &prepared.scratch {
            self.try_keep(scratch, left).ok();
        }
    }

    fn try_keep(&self, scratch: &ScratchDirectory, left: Left) -> Usable<()> {
        let old = self.open(scratch)?;
        let kept = self.store.scratch()?;
        let directory = self.open(&kept)?;
        rustix::fs::mkdirat(&directory, UPPER, Mode::from_raw_mode(0o755))?;
        let (from, to) = (open_below(&old, UPPER)?, open_below(&directory, UPPER)?);
        for folder in KEPT {
            match rustix::fs::renameat(&from, folder, &to, folder) {
                // It was not written to.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let state = rustix::fs::openat(&directory, STATE, flags, Mode::from_raw_mode(0o600))?;
        File::from(state).write_all(state_text(self.root, left).as_bytes())?;
        Ok(self.store.keep_scratch(&self.name, kept)?)
    }

    fn bring_up_to_date(&self, kept: &ScratchDirectory) -> Usable<()> {
        let directory = self.open(kept)?;
        let now = SystemTime::now();
        let root = self.root_of_last(&directory, now)?;
        let (before, after) = self.sources(&root)?;
        let differences = self.store.diff(&before, &after, DIFFERENCES_MAX)?;
        if differences.len() >= DIFFERENCES_MAX {
            return Err(Unusable);
        }
        if !differences.is_empty() {
            let upper = open_below(&directory, UPPER)?;
            make_directory(&upper, SOURCES)?;
            let refreshing = Refreshing {
                store: self.store,
                upper: open_below(&upper, SOURCES)?,
                times: times(now)?,
            };
            for Difference { path, kind } in differences {
                match kind {
                    DifferenceKind::Kind => return Err(Unusable),
                    DifferenceKind::OnlyLeft => {
                        refreshing.remove(&path, &self.node_at(&before, &path)?)?;
                    }
                    DifferenceKind::OnlyRight
                    | DifferenceKind::Target
                    | DifferenceKind::Executable
                    | DifferenceKind::Content { .. } => {
                        refreshing.write(&path, &self.node_at(&after, &path)?)?;
                    }
                }
            }
        }
        Ok(rustix::fs::unlinkat(&directory, STATE, AtFlags::empty())?)
    }

    /// The root of the run that left what is kept, if a run at this time may go on from it.
    fn root_of_last(&self, directory: &OwnedFd, now: SystemTime) -> Usable<TreeId> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let state = File::from(rustix::fs::openat(directory, STATE, flags, Mode::empty())?);
        // What is written now has to be newer than what was made then.
        if state.metadata()?.modified()? >= now {
            return Err(Unusable);
        }
        let mut text = String::new();
        state.take(STATE_BYTES_MAX).read_to_string(&mut text)?;
        let root = text.split_whitespace().nth(1);
        let root = root.and_then(|root| TreeId::parse(root).ok());
        let root = root.ok_or(Unusable)?;
        let is_left = |left| text == state_text(&root, left);
        // A run that failed and is repeated as it was may have failed because it went on.
        let is_usable = is_left(Left::Whole) || is_left(Left::Failed) && root != *self.root;
        is_usable.then_some(root).ok_or(Unusable)
    }

    /// The trees of the sources before and now, if that is all in which the roots differ.
    fn sources(&self, root: &TreeId) -> Usable<(TreeId, TreeId)> {
        let before = self.store.directory(root)?;
        let after = self.store.directory(self.root)?;
        let around = |directory: &Directory| {
            let mut around = directory.clone();
            around.remove(SOURCES);
            around
        };
        if around(&before) != around(&after) {
            return Err(Unusable);
        }
        match (before.find(SOURCES), after.find(SOURCES)) {
            (Some(Node::Directory { tree: before }), Some(Node::Directory { tree: after })) => {
                Ok((*before, *after))
            }
            _ => Err(Unusable),
        }
    }

    fn node_at(&self, tree: &TreeId, path: &RootPath) -> Usable<Node> {
        let mut node = Node::Directory { tree: *tree };
        for part in path.parts() {
            let Node::Directory { tree } = node else {
                return Err(Unusable);
            };
            let directory = self.store.directory(&tree)?;
            node = directory.find(part).ok_or(Unusable)?.clone();
        }
        Ok(node)
    }

    fn open(&self, scratch: &ScratchDirectory) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(self.store.path().join(scratch.path()), flags, Mode::empty())
    }
}

/// What is written beside what a run over a root left.
fn state_text(root: &TreeId, left: Left) -> String {
    format!("{} {root}\n", left.word())
}

fn times(now: SystemTime) -> Usable<Timestamps> {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_err(|_| Unusable)?;
    let now = Timespec::try_from(since).map_err(|_| Unusable)?;
    Ok(Timestamps {
        last_access: now,
        last_modification: now,
    })
}

/// The upper layer of the sources while it is brought up to date.
struct Refreshing<'s> {
    store: &'s Store,
    upper: OwnedFd,
    /// Of everything that is written: what is shipped generated stays as new as what it was
    /// generated from.
    times: Timestamps,
}

impl Refreshing<'_> {
    /// Takes away what the sources no longer have.
    fn remove(&self, path: &RootPath, node: &Node) -> Usable<()> {
        let (parent, name) = split(path)?;
        let mut reached = open_below(&self.upper, ".")?;
        for part in parent.parts() {
            reached = match open_below(&reached, part) {
                Ok(directory) => directory,
                Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            };
        }
        take_away(self.store, &reached, name, node)
    }

    /// Writes what is another in the sources, or new.
    fn write(&self, path: &RootPath, node: &Node) -> Usable<()> {
        let (parent, name) = split(path)?;
        let mut reached = open_below(&self.upper, ".")?;
        for part in parent.parts() {
            make_directory(&reached, part)?;
            reached = open_below(&reached, part)?;
        }
        take_away(self.store, &reached, name, node)?;
        self.write_new(&reached, name, node)
    }

    fn write_new(&self, parent: &OwnedFd, name: &[u8], node: &Node) -> Usable<()> {
        match node {
            // A build may have hidden what lies in the layers below.
            Node::Directory { tree } => {
                rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
                let made = open_below(parent, name)?;
                for entry in self.store.directory(tree)?.entries() {
                    self.write_new(&made, &entry.name, &entry.node)?;
                }
                return Ok(());
            }
            Node::Symlink { target } => rustix::fs::symlinkat(target.as_slice(), parent, name)?,
            Node::File {
                blob, executable, ..
            } => {
                let mode = Mode::from_raw_mode(if *executable { 0o755 } else { 0o644 });
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = rustix::fs::openat(parent, name, flags, mode)?;
                rustix::fs::fchmod(&file, mode)?;
                let mut bytes = self.store.open_blob(blob)?;
                io::copy(&mut bytes, &mut File::from(file))?;
            }
        }
        Ok(rustix::fs::utimensat(
            parent,
            name,
            &self.times,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }
}

/// Takes away what the upper layer has of a node. Of a folder nothing else may be left: what a
/// build made of it cannot be told from what it was made of.
fn take_away(store: &Store, parent: &OwnedFd, name: &[u8], node: &Node) -> Usable<()> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
        Ok(_) => {}
    }
    let Node::Directory { tree } = node else {
        return Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?);
    };
    let directory = open_below(parent, name)?;
    for entry in store.directory(tree)?.entries() {
        take_away(store, &directory, &entry.name, &entry.node)?;
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

fn split(path: &RootPath) -> Usable<(RootPath, &[u8])> {
    path.parent().zip(path.file_name()).ok_or(Unusable)
}

fn make_directory(at: &OwnedFd, name: &[u8]) -> Usable<()> {
    match rustix::fs::mkdirat(at, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a directory of what a build left, through nothing else that it left.
fn open_below(at: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    rustix::fs::openat2(
        at,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
    )
}
