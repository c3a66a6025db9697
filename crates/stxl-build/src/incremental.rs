//! Incremental steps: of a local checkout whose definition asks for it, a step goes on from what
//! its last run left in the folder of its sources, so that `make` finds the object files it made.
//!
//! The upper layer of that folder is kept as it is, times included. Before the next run the files
//! of the sources that are others by then are written into it, as new as now: object files are
//! older, and everything else that is imported is older than these. Whatever cannot be brought up
//! to date for certain is dropped, and the step begins anew: another recipe, another root around
//! the folder, names that became something else, an upper layer in the way.
//!
//! Such a step has keys of its own, runs in plans of local overlays only, and the rebuild check
//! runs it without anything kept.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use stxl_model::{Action, ActionId, Digest, Directory, Exec, Node, PlanNode, RootPath, TreeId};
use stxl_sandbox::Scratch;
use stxl_store::{Difference, DifferenceKind, ScratchDirectory, Store, StoreError};

use crate::conduct::Job;
use crate::exec::PreparedStep;
use crate::worker::JobContext;

/// What the upper layer is called in a scratch directory.
const UPPER: &str = "u";

/// The file in a scratch directory that says what is kept there.
const STATE: &str = "state";

const STATE_BYTES_MAX: u64 = 4096;

/// With more files that are others, a step begins anew.
const DIFFERENCES_MAX: usize = 10_000;

/// An incremental step of a plan that may be one.
pub(crate) struct Incremental<'c> {
    store: &'c Store,
    step: &'c Exec<TreeId>,
    folder: &'c [u8],
    /// By what is kept of it is found.
    name: Digest,
    /// Its recipe, whatever its root is.
    recipe: ActionId,
}

/// Why what is kept is not gone on from.
enum Unusable {
    /// It may not be what a clean build leads to.
    Outdated,
    /// It could not be brought up to date.
    Failed,
}

impl From<Errno> for Unusable {
    fn from(_: Errno) -> Self {
        Self::Failed
    }
}

impl From<io::Error> for Unusable {
    fn from(_: io::Error) -> Self {
        Self::Failed
    }
}

impl From<StoreError> for Unusable {
    fn from(_: StoreError) -> Self {
        Self::Failed
    }
}

type Usable<T> = Result<T, Unusable>;

impl<'c> Incremental<'c> {
    /// None for a step that is not incremental, or checked, or of a plan that others could see.
    pub(crate) fn of(context: JobContext<'c>, job: &Job, step: &'c Exec<TreeId>) -> Option<Self> {
        let folder = step.incremental_folder()?;
        if !context.plan.is_local() || !job.perturbed.is_empty() {
            return None;
        }
        let node: &PlanNode = &context.plan.nodes()[job.node];
        let name = format!("{}\0{}", node.origin.label, node.origin.name);
        let rootless = Exec {
            root: Directory::default().id(),
            ..step.clone()
        };
        Some(Self {
            store: context.store,
            step,
            folder,
            name: *stxl_model::BlobId::of(name.as_bytes()).digest(),
            recipe: Action::Exec(rootless).action_id(),
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
        Ok(())
    }

    /// Keeps what a step that has ended by itself left. Failing costs the next run time.
    pub(crate) fn keep(&self, prepared: &PreparedStep) {
        if let Some(scratch) = &prepared.scratch {
            self.try_keep(scratch).ok();
        }
    }

    fn try_keep(&self, scratch: &ScratchDirectory) -> Usable<()> {
        let left = self.open(scratch)?;
        let kept = self.store.scratch()?;
        let directory = self.open(&kept)?;
        rustix::fs::mkdirat(&directory, UPPER, Mode::from_raw_mode(0o755))?;
        let (from, to) = (open_below(&left, UPPER)?, open_below(&directory, UPPER)?);
        rustix::fs::renameat(&from, self.folder, &to, self.folder)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let state = rustix::fs::openat(&directory, STATE, flags, Mode::from_raw_mode(0o600))?;
        File::from(state).write_all(self.state(&self.step.root).as_bytes())?;
        Ok(self.store.keep_scratch(&self.name, kept)?)
    }

    /// What is written beside what a run over a root left.
    fn state(&self, root: &TreeId) -> String {
        format!("{}\n{root}\n", self.recipe)
    }

    fn bring_up_to_date(&self, kept: &ScratchDirectory) -> Usable<()> {
        let directory = self.open(kept)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let state = File::from(rustix::fs::openat(&directory, STATE, flags, Mode::empty())?);
        let mut text = String::new();
        state.take(STATE_BYTES_MAX).read_to_string(&mut text)?;
        let root = text
            .lines()
            .nth(1)
            .and_then(|line| TreeId::parse(line).ok());
        let root = root.ok_or(Unusable::Outdated)?;
        if text != self.state(&root) {
            return Err(Unusable::Outdated);
        }
        let (before, after) = self.folders(&root)?;
        let differences = self.store.diff(&before, &after, DIFFERENCES_MAX)?;
        if differences.len() == DIFFERENCES_MAX {
            return Err(Unusable::Outdated);
        }
        let upper = open_below(open_below(&directory, UPPER)?, self.folder)?;
        for Difference { path, kind } in differences {
            let is_gone = kind == DifferenceKind::OnlyLeft;
            let tree = if is_gone { before } else { after };
            let node = self.node_at(&tree, &path)?;
            if kind == DifferenceKind::Kind {
                return Err(Unusable::Outdated);
            }
            self.replace(&upper, &path, (!is_gone, &node))?;
        }
        Ok(rustix::fs::unlinkat(&directory, STATE, AtFlags::empty())?)
    }

    /// The trees of the folder before and now, if that is all in which the roots differ.
    fn folders(&self, root: &TreeId) -> Usable<(TreeId, TreeId)> {
        let before = self.store.directory(root)?;
        let after = self.store.directory(&self.step.root)?;
        let around = |directory: &Directory| {
            let mut around = directory.clone();
            around.remove(self.folder);
            around
        };
        if around(&before) != around(&after) {
            return Err(Unusable::Outdated);
        }
        match (before.find(self.folder), after.find(self.folder)) {
            (Some(Node::Directory { tree: before }), Some(Node::Directory { tree: after })) => {
                Ok((*before, *after))
            }
            _ => Err(Unusable::Outdated),
        }
    }

    fn node_at(&self, tree: &TreeId, path: &RootPath) -> Usable<Node> {
        let mut node = Node::Directory { tree: *tree };
        for part in path.parts() {
            let Node::Directory { tree } = node else {
                return Err(Unusable::Outdated);
            };
            let directory = self.store.directory(&tree)?;
            node = directory.find(part).ok_or(Unusable::Outdated)?.clone();
        }
        Ok(node)
    }

    /// Makes the upper layer show what a path of the sources is by now.
    fn replace(
        &self,
        upper: &OwnedFd,
        path: &RootPath,
        (is_there, node): (bool, &Node),
    ) -> Usable<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Unusable::Outdated);
        };
        let is_directory = matches!(node, Node::Directory { .. });
        let Some(parent) = open_parent(upper, &parent, is_there && !is_directory)? else {
            return Ok(());
        };
        match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
            // What a build made of a folder cannot be told from what it was made of.
            Ok(_) if is_directory => return Err(Unusable::Outdated),
            Ok(_) => rustix::fs::unlinkat(&parent, name, AtFlags::empty())?,
        }
        if !is_there {
            return Ok(());
        }
        match node {
            // The layers below have it.
            Node::Directory { .. } => {}
            Node::Symlink { target } => {
                rustix::fs::symlinkat(target.as_slice(), &parent, name)?;
            }
            Node::File {
                blob, executable, ..
            } => {
                let mode = Mode::from_raw_mode(if *executable { 0o755 } else { 0o644 });
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&parent, name, flags, mode)?;
                rustix::fs::fchmod(&file, mode)?;
                let mut bytes = self.store.open_blob(blob)?;
                io::copy(&mut bytes, &mut File::from(file))?;
            }
        }
        Ok(())
    }

    fn open(&self, scratch: &ScratchDirectory) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(self.store.path().join(scratch.path()), flags, Mode::empty())
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

/// Opens a directory of the upper layer, which is made if that is wanted; none if it is missing.
fn open_parent(upper: &OwnedFd, path: &RootPath, is_made: bool) -> Usable<Option<OwnedFd>> {
    let mut reached = open_below(upper, ".")?;
    for part in path.parts() {
        if is_made {
            match rustix::fs::mkdirat(&reached, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        reached = match open_below(&reached, part) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
    }
    Ok(Some(reached))
}
