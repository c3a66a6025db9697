//! Derivations: the fully specified nodes of a plan, and the actions they resolve to.
//!
//! Every derivation gives exactly one tree. A [`Derivation<DerivationId>`] names its inputs by
//! derivation id; an [`Action`] is the same recipe over the trees these gave. Names, labels,
//! descriptions, spans, URLs and timeouts are in neither: they travel beside, in the plan.
//! The table of fields is in `crates/stxl-model/README.md`.

mod archive_format;
mod encoding;
mod operation;

use std::collections::BTreeMap;
use std::fmt;

use crate::digest::{ActionId, DerivationId, Digest, HashingContext, Sha256, TreeId};
use crate::path::RootPath;
use crate::platform::Platform;

pub use archive_format::ArchiveFormat;
pub use encoding::{Input, KnownInput};
pub use operation::{PutMode, TreeOp};

static DERIVATION_CONTEXT: HashingContext = HashingContext::new("stxl 2026 derivation, version 1");
static ACTION_CONTEXT: HashingContext = HashingContext::new("stxl 2026 action, version 1");

/// The folder at the top of the root in which an incremental step works.
pub const SOURCES: &[u8] = b"src";

/// Set in [`Exec::sandbox_abi`] of an incremental step.
const INCREMENTAL: u32 = 1 << 31;

/// One node of a plan, over inputs named by `I`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Derivation<I> {
    /// Something from outside, locked by its hash.
    Fetch(Fetch),
    /// Files of the workspace, by content.
    Import(Import),
    /// An archive taken apart.
    Unpack(Unpack<I>),
    /// Processes in a sandbox.
    Exec(Exec<I>),
    /// Pure operations on trees.
    Compose(Compose<I>),
    /// A tree written as one file.
    Archive(Archive<I>),
    /// A tree as an OCI image layout.
    Image(Image<I>),
}

/// A derivation whose inputs are resolved to the trees they gave.
pub type Action = Derivation<TreeId>;

/// The kind of a derivation, for display and counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// See [`Fetch`].
    Fetch,
    /// See [`Import`].
    Import,
    /// See [`Unpack`].
    Unpack,
    /// See [`Exec`].
    Exec,
    /// See [`Compose`].
    Compose,
    /// See [`Archive`].
    Archive,
    /// See [`Image`].
    Image,
}

/// Something from outside. What it has to be is all there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What it has to be.
    pub lock: FetchLock,
}

/// What something from outside has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FetchLock {
    /// A file with this hash: gives a tree with the one entry `file`.
    File(Sha256),
    /// This tree, such as the files of a commit.
    Tree(TreeId),
}

impl FetchLock {
    /// The hash of a file.
    pub const fn file(&self) -> Option<&Sha256> {
        match self {
            Self::File(sha256) => Some(sha256),
            Self::Tree(_) => None,
        }
    }

    /// Parses `tree:` followed by 64 hexadecimal digits in lower case.
    pub fn parse_tree(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("tree:")?;
        TreeId::parse(digits).ok().map(Self::Tree)
    }
}

impl fmt::Display for FetchLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(sha256) => sha256.fmt(f),
            Self::Tree(tree) => write!(f, "tree:{tree}"),
        }
    }
}

/// Files of the workspace, by content: the tree is known at evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// What is imported; a seed is told apart so that policies can see it.
    pub kind: ImportKind,
    /// The content. Files and seeds are trees with the one entry `file`.
    pub tree: TreeId,
}

/// What an import takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// One file.
    File,
    /// A directory.
    Directory,
    /// Machine code from an annotated hexadecimal text, on the allow-list of seeds.
    Seed,
}

/// An archive taken apart by stxl itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpack<I> {
    /// A tree with the one entry `file`, the archive.
    pub archive: I,
    /// Its format.
    pub format: ArchiveFormat,
    /// How many leading parts of every path are dropped.
    pub strip_components: u32,
}

/// The words of one command, the program first; each without NUL.
pub type Argv = Vec<Vec<u8>>;

/// Processes in one sandbox over one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec<I> {
    /// The merged root that the processes see at `/`.
    pub root: I,
    /// Commands run one after the other in the same sandbox until one fails; never empty.
    pub commands: Vec<Argv>,
    /// The whole environment, apart from what the sandbox ABI adds outside of every key.
    pub env: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The working directory.
    pub cwd: RootPath,
    /// The user the processes see themselves as.
    pub uid: BuildUid,
    /// What of the root is kept as the result.
    pub keep: Keep,
    /// The platform of the processes.
    pub runs_on: Platform,
    /// The platform the package is built for.
    pub target: Platform,
    /// The version of what a process sees of its sandbox, and a bit of [`Exec::incremental`].
    pub sandbox_abi: u32,
}

impl<I> Exec<I> {
    /// The same as an incremental step, which has other keys: its processes may find in `/src` what
    /// those of an earlier run left there. The step itself if it cannot be one: it works elsewhere,
    /// not all that is kept of it is one subtree elsewhere, or its user is not root.
    pub fn incremental(mut self) -> Result<Self, Self> {
        let is_in_sources = |path: &RootPath| path.parts().next() == Some(SOURCES);
        let is_kept_elsewhere = match &self.keep {
            Keep::Root => false,
            Keep::Subtree(path) => !path.is_root() && !is_in_sources(path),
        };
        if !is_in_sources(&self.cwd) || !is_kept_elsewhere || self.uid != BuildUid::Root {
            return Err(self);
        }
        self.sandbox_abi |= INCREMENTAL;
        Ok(self)
    }

    /// The version of what a process sees of its sandbox.
    pub fn sandbox_abi_version(&self) -> u32 {
        self.sandbox_abi & !INCREMENTAL
    }

    /// Whether it is an incremental step.
    pub fn is_incremental(&self) -> bool {
        self.sandbox_abi & INCREMENTAL != 0
    }
}

/// The user inside a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildUid {
    /// Uid 0 without capabilities: builds.
    Root,
    /// Uid 1000: tests.
    Tester,
}

/// What is kept of a root after its processes ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The complete root.
    Root,
    /// One subtree, as the result's own root; it has to be there.
    Subtree(RootPath),
}

/// Pure operations on trees, applied one after the other to an empty tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compose<I> {
    /// The inputs the operations name by position.
    pub inputs: Vec<I>,
    /// The operations.
    pub ops: Vec<TreeOp>,
}

/// A tree written as one file: gives a tree with the one entry `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive<I> {
    /// The tree.
    pub tree: I,
    /// The format; `Zip` and `Deb` are read only.
    pub format: ArchiveFormat,
    /// Modes and owners, which trees do not hold.
    pub modes: ModeTable,
}

/// Modes and owners declared beside a tree, by path.
pub type ModeTable = BTreeMap<RootPath, Mode>;

/// The mode and owner of one path in an archive or image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Permission bits, setuid and setgid among them.
    pub bits: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// File capabilities as the bits of the permitted set; 0 for none.
    pub capabilities: u64,
}

/// A tree as an OCI image layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<I> {
    /// The root file system.
    pub tree: I,
    /// Modes and owners, which trees do not hold.
    pub modes: ModeTable,
    /// What a runtime needs to know.
    pub config: ImageConfig,
}

/// The configuration of an image; no prose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageConfig {
    /// Name of the image.
    pub name: String,
    /// Version of what it holds.
    pub version: String,
    /// Platform of its programs.
    pub platform: Platform,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// User, as OCI writes it; empty for root.
    pub user: String,
    /// Program and leading arguments.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub cmd: Vec<String>,
    /// Working directory.
    pub cwd: RootPath,
}

impl<I> Derivation<I> {
    /// The kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Fetch(_) => Kind::Fetch,
            Self::Import(_) => Kind::Import,
            Self::Unpack(_) => Kind::Unpack,
            Self::Exec(_) => Kind::Exec,
            Self::Compose(_) => Kind::Compose,
            Self::Archive(_) => Kind::Archive,
            Self::Image(_) => Kind::Image,
        }
    }

    /// The direct inputs, in the order of the encoding.
    pub fn inputs(&self) -> &[I] {
        match self {
            Self::Fetch(_) | Self::Import(_) => &[],
            Self::Unpack(unpack) => std::slice::from_ref(&unpack.archive),
            Self::Exec(exec) => std::slice::from_ref(&exec.root),
            Self::Compose(compose) => &compose.inputs,
            Self::Archive(archive) => std::slice::from_ref(&archive.tree),
            Self::Image(image) => std::slice::from_ref(&image.tree),
        }
    }

    /// The same recipe over other inputs; stops at the first input that `resolve` refuses.
    pub fn try_map_inputs<J, E>(
        &self,
        mut resolve: impl FnMut(&I) -> Result<J, E>,
    ) -> Result<Derivation<J>, E> {
        Ok(match self {
            Self::Fetch(fetch) => Derivation::Fetch(fetch.clone()),
            Self::Import(import) => Derivation::Import(import.clone()),
            Self::Unpack(unpack) => Derivation::Unpack(Unpack {
                archive: resolve(&unpack.archive)?,
                format: unpack.format,
                strip_components: unpack.strip_components,
            }),
            Self::Exec(exec) => Derivation::Exec(Exec {
                root: resolve(&exec.root)?,
                commands: exec.commands.clone(),
                env: exec.env.clone(),
                cwd: exec.cwd.clone(),
                uid: exec.uid,
                keep: exec.keep.clone(),
                runs_on: exec.runs_on,
                target: exec.target,
                sandbox_abi: exec.sandbox_abi,
            }),
            Self::Compose(compose) => Derivation::Compose(Compose {
                inputs: compose
                    .inputs
                    .iter()
                    .map(resolve)
                    .collect::<Result<_, _>>()?,
                ops: compose.ops.clone(),
            }),
            Self::Archive(archive) => Derivation::Archive(Archive {
                tree: resolve(&archive.tree)?,
                format: archive.format,
                modes: archive.modes.clone(),
            }),
            Self::Image(image) => Derivation::Image(Image {
                tree: resolve(&image.tree)?,
                modes: image.modes.clone(),
                config: image.config.clone(),
            }),
        })
    }
}

impl Derivation<DerivationId> {
    /// The derivation id: the digest of the encoding over derivation ids.
    pub fn id(&self) -> DerivationId {
        DerivationId::of_encoding(&self.encode())
    }
}

impl DerivationId {
    /// The id of the derivation with this canonical encoding.
    pub fn of_encoding(encoding: &[u8]) -> Self {
        Self::from_digest(Digest::of_encoding(&DERIVATION_CONTEXT, encoding))
    }
}

impl Action {
    /// The action id: the digest of the encoding over tree ids.
    pub fn action_id(&self) -> ActionId {
        ActionId::of_encoding(&self.encode())
    }
}

impl ActionId {
    /// The id of the action with this canonical encoding.
    pub(crate) fn of_encoding(encoding: &[u8]) -> Self {
        Self::from_digest(Digest::of_encoding(&ACTION_CONTEXT, encoding))
    }
}

impl Kind {
    /// The kind that begins an encoding.
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 | 8 => Self::Fetch,
            2 => Self::Import,
            3 => Self::Unpack,
            4 => Self::Exec,
            5 => Self::Compose,
            6 => Self::Archive,
            7 => Self::Image,
            _ => return None,
        })
    }

    /// The name as shown and as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Import => "import",
            Self::Unpack => "unpack",
            Self::Exec => "exec",
            Self::Compose => "compose",
            Self::Archive => "archive",
            Self::Image => "image",
        }
    }
}
