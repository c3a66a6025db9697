//! What the build of a package evaluates to: chains of root operations, as data.
//!
//! Nothing here is resolved: references name packages, files name paths. Lowering to derivations is
//! the evaluator's.

mod sharing;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_model::{
    BuildUid, FetchLock, OutputName, PackageAddress, PackageLabel, Platform, PutMode, RootPath,
    Sha256, TreeOp,
};

use crate::source::SourcePath;

/// Where in a definition something was written: file and line, from 1. Spans are found by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The file.
    pub path: SourcePath,
    /// The line.
    pub line: u32,
    /// The column in characters, from 1; 0 when unknown.
    pub column: u32,
}

/// The outputs of a package, by name.
pub type Outputs = BTreeMap<OutputName, Arc<OutputExpression>>;

/// A root: what it was made of by one operation more. Cheap to clone; chains share their
/// beginnings.
#[derive(Clone, Debug)]
pub struct RootExpression(pub Arc<RootStep>);

/// One operation over the root before it.
#[derive(Debug)]
pub struct RootStep {
    /// The root before; none for the beginning of a chain, which is the empty root.
    pub before: Option<RootExpression>,
    /// The operation.
    pub operation: RootOperation,
    /// Where it was called.
    pub site: Site,
}

/// An operation that makes a root of a root.
#[derive(Clone, Debug)]
pub enum RootOperation {
    /// Begins with the merge of operands in this order; `brings` of packages come along.
    Start(Vec<Operand>),
    /// Merges more operands over the root.
    Add(Vec<Operand>),
    /// Puts the file of an operand at a path, or, for a tree, below it.
    Put {
        /// What.
        what: Operand,
        /// Where.
        at: RootPath,
        /// The executable bit of a file.
        mode: PutMode,
    },
    /// Takes an archive apart below a directory.
    Unpack {
        /// The archive.
        archive: Operand,
        /// Where.
        at: RootPath,
        /// How many leading parts of paths are dropped.
        strip_components: u32,
    },
    /// Applies patches in this order below the working directory.
    Patch {
        /// The patches.
        patches: Vec<Operand>,
        /// How many leading parts of paths are dropped.
        strip_components: u32,
    },
    /// A pure operation without inputs (write, mkdir, symlink, remove, move, substitute ...).
    Tree(TreeOp),
    /// Changes the working directory of later commands.
    Cd(RootPath),
    /// Adds variables to the environment of later commands; values finished (no templates).
    Env(BTreeMap<String, String>),
    /// Changes the user of later commands.
    User(BuildUid),
    /// Limits later commands; 0 leaves a limit as it is.
    Timeout {
        /// Wall time, in milliseconds.
        wall_ms: u64,
        /// Time without output, in milliseconds.
        silent_ms: u64,
    },
    /// Runs commands in one sandbox; each operation is its own cached derivation.
    Run(Vec<Command>),
}

impl RootOperation {
    /// What the operation takes of elsewhere, in order.
    pub fn operands(&self) -> &[Operand] {
        match self {
            Self::Start(operands) | Self::Add(operands) => operands,
            Self::Put { what, .. } => std::slice::from_ref(what),
            Self::Unpack { archive, .. } => std::slice::from_ref(archive),
            Self::Patch { patches, .. } => patches,
            Self::Tree(_)
            | Self::Cd(_)
            | Self::Env(_)
            | Self::User(_)
            | Self::Timeout { .. }
            | Self::Run(_) => &[],
        }
    }
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A program and its arguments; no shell.
    Argv(Vec<String>),
    /// A script for the root's own `/bin/sh`, dedented.
    Script {
        /// The text.
        text: Arc<str>,
        /// Where the text's first line stands.
        site: Site,
    },
}

/// Something a root can be made with.
#[derive(Clone, Debug)]
pub enum Operand {
    /// An output of a package.
    Package(Arc<Reference>),
    /// A file of the package's folder.
    File(FileImport),
    /// A directory of the workspace or of the machine (local only).
    Directory(DirectoryImport),
    /// Machine code from an annotated hexadecimal text.
    Seed(SeedImport),
    /// A source from outside.
    Fetch(Arc<FetchSource>),
    /// Another root.
    Root(RootExpression),
    /// An output of the same expression.
    Output(Arc<OutputExpression>),
}

impl Operand {
    /// The name of a single file; nothing for what is a tree.
    pub fn file_name(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::File(file) => Some(file.path.file_name().into()),
            Self::Seed(seed) => Some(seed.path.file_name().into()),
            Self::Fetch(source) => (!source.is_directory()).then(|| source.file_name()),
            Self::Package(_) | Self::Directory(_) | Self::Root(_) | Self::Output(_) => None,
        }
    }
}

impl From<Reference> for Operand {
    fn from(reference: Reference) -> Self {
        Self::Package(Arc::new(reference))
    }
}

/// A reference to an output of a package; lazy: it forces nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The package; none for `":output"`, the package itself.
    pub package: Option<PackageLabel>,
    /// The output.
    pub output: OutputName,
    /// Another platform, by `.on(…)`; none for the platform of the edge's user.
    pub platform: Option<Platform>,
    /// Options set by `.with(#{…})`.
    pub options: BTreeMap<String, String>,
    /// Where it was written, as well as it is known.
    pub site: Site,
}

/// A file beside the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileImport {
    /// Its path (folder of the definition and the name as written).
    pub path: SourcePath,
    /// Where it was named.
    pub site: Site,
}

/// A directory whose content enters the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryImport {
    /// Its path.
    pub path: SourcePath,
    /// Patterns of what is left out, as [`LeftOut`](stxl_model::LeftOut) reads them.
    pub ignore: Vec<String>,
    /// Whether what the directory's own `.gitignore` names is left out too.
    pub follows_gitignore: bool,
    /// Where it was named.
    pub site: Site,
}

/// A seed: bytes decoded from annotated hexadecimal text, on the allow-list by their hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedImport {
    /// Path of the text.
    pub path: SourcePath,
    /// The lock on the decoded bytes.
    pub sha256: Sha256,
    /// Where it was named.
    pub site: Site,
}

/// A source from outside, locked by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchSource {
    /// Where it can be had, best first; templates expanded.
    pub urls: Vec<String>,
    /// The lock.
    pub lock: FetchLock,
    /// For a file of the archive, its path there, without a leading `/`; templates expanded.
    pub member: Option<String>,
    /// Where it was named.
    pub site: Site,
}

impl FetchSource {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.lock, FetchLock::Tree(_))
    }

    /// The name of the file: of a member its own, else that of what is fetched.
    pub fn file_name(&self) -> Cow<'_, str> {
        match &self.member {
            Some(member) => member.rsplit('/').next().unwrap_or(member).into(),
            None => self.fetched_name(),
        }
    }

    /// The last part of the first address; of a package URL the name that its ecosystem gives to
    /// the file.
    pub fn fetched_name(&self) -> Cow<'_, str> {
        let url = self.urls.first().map_or("", String::as_str);
        if let Ok(package) = PackageAddress::parse(url) {
            return package.file_name().into();
        }
        let path = url.split(['?', '#']).next().unwrap_or(url);
        path.rsplit('/').next().unwrap_or(path).into()
    }
}

/// An output: a subtree of a root, filtered.
#[derive(Clone, Debug)]
pub struct OutputExpression {
    /// The root.
    pub root: RootExpression,
    /// What of it.
    pub path: RootPath,
    /// Filters in order.
    pub filters: Vec<OutputFilter>,
    /// Where it was called.
    pub site: Site,
}

/// A filter of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFilter {
    /// Keeps what matches.
    Keep(Vec<String>),
    /// Drops what matches.
    Drop(Vec<String>),
    /// Fails unless two paths of the root are equal; then gives an empty tree.
    AssertEqual(RootPath, RootPath),
}
