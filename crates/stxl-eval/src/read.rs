//! What evaluations look at in a workspace, and what they found there.

use stxl_lang::{SourceError, SourcePath};
use stxl_model::{BlobId, LeftOut, TreeId};

use crate::database::{Database, Db as _, DirectoryKey, EntryState, FileContent, FileState};
use crate::layout::is_package_file;
use crate::source_tree::{EntryKind, Stamp, WorkspaceTree};

/// Something of the workspace that an evaluation looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Read {
    /// The bytes of a text.
    File(SourcePath),
    /// The bytes of a file that is imported.
    Import(SourcePath),
    /// Whether there is a file or directory.
    Presence(SourcePath),
    /// Whether there is something that can be a package's file.
    PackageFile(SourcePath),
    /// The names in a folder.
    Folder(SourcePath),
    /// Whether there is a folder, or what else.
    Layer(SourcePath),
    /// A directory with all below it, but for what is left out.
    Directory(DirectoryKey),
}

/// What was found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// Something, that was not looked into.
    Something,
    /// A directory, where a file was asked for.
    Directory,
    /// The bytes of a file, or the names of a folder.
    Bytes(BlobId),
    /// The tree of a directory.
    Tree(TreeId),
}

/// What was found, and how to tell without another look that it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) found: Found,
    /// The stamp of the file whose bytes were found; none where there is none to rely on.
    pub(crate) stamp: Option<Stamp>,
}

impl Look {
    /// What was found where nothing has a stamp.
    pub(crate) const fn without_stamp(found: Found) -> Self {
        Self { found, stamp: None }
    }
}

impl Read {
    /// The path that was looked at.
    pub(crate) fn path(&self) -> &SourcePath {
        match self {
            Self::File(path)
            | Self::Import(path)
            | Self::Presence(path)
            | Self::PackageFile(path)
            | Self::Folder(path)
            | Self::Layer(path)
            | Self::Directory((path, _)) => path,
        }
    }

    /// Looks there; none when it cannot be read, which is an error of whoever needs it.
    pub(crate) fn look(&self, tree: &dyn WorkspaceTree) -> Option<Look> {
        let found = match self {
            Self::File(path) => {
                let (state, stamp) = FileState::read(tree, path);
                let found = Found::of_file(&state)?;
                return Some(Look { found, stamp });
            }
            Self::Import(path) => {
                let (content, stamp) = FileContent::read(tree, path);
                let found = Found::of_import(&content)?;
                return Some(Look { found, stamp });
            }
            Self::Presence(path) => Found::of_presence(EntryState::find(tree, path)),
            Self::PackageFile(path) => Found::is_there(is_package_file(tree, path)),
            Self::Folder(path) => Found::of_names(&tree.list(path).ok()?),
            Self::Layer(path) => Found::of_layer(&tree.kind_behind_links(path)),
            Self::Directory((path, ignore)) => {
                let left_out = LeftOut::new(ignore).ok()?;
                Found::Tree(tree.directory(path, &left_out).ok()?)
            }
        };
        Some(Look::without_stamp(found))
    }

    /// What the queries saw there; none when it could not be read.
    pub(crate) fn seen_by(&self, db: &Database) -> Option<Look> {
        let found = match self {
            Self::File(path) => {
                let file = db.file(path);
                let (found, stamp) = (Found::of_file(&file.state(db))?, file.stamp(db));
                return Some(Look { found, stamp });
            }
            Self::Import(path) => {
                let file = db.imported_file(path);
                let (found, stamp) = (Found::of_import(&file.content(db))?, file.stamp(db));
                return Some(Look { found, stamp });
            }
            Self::Presence(path) => Found::of_presence(db.entry(path).found(db)),
            Self::Folder(path) => Found::of_names(&db.folder(path).names(db)),
            Self::Directory(key) => Found::Tree(db.directory(key).tree(db).ok()?),
            // No query asks for these: packages are listed before.
            Self::PackageFile(_) | Self::Layer(_) => return self.look(db.shared().tree.as_ref()),
        };
        Some(Look::without_stamp(found))
    }
}

impl Found {
    /// The names of a folder.
    pub(crate) fn of_names(names: &[String]) -> Self {
        // A name holds any byte but this one.
        Self::Bytes(BlobId::of(names.join("\0").as_bytes()))
    }

    /// A folder of layers, or what stands in its place.
    pub(crate) fn of_layer(kind: &Result<EntryKind, SourceError>) -> Self {
        match kind {
            Ok(EntryKind::Directory) => Self::Directory,
            Err(SourceError::NotFound { .. }) => Self::Nothing,
            Ok(EntryKind::File { .. } | EntryKind::Symlink { .. })
            | Err(SourceError::Unreadable { .. }) => Self::Something,
        }
    }

    /// Something or nothing.
    pub(crate) fn is_there(is_there: bool) -> Self {
        if is_there {
            Self::Something
        } else {
            Self::Nothing
        }
    }

    pub(crate) fn of_file(state: &FileState) -> Option<Self> {
        match state {
            FileState::File(bytes) => Some(Self::Bytes(BlobId::of(bytes))),
            FileState::Directory => Some(Self::Directory),
            FileState::Missing => Some(Self::Nothing),
            FileState::Unreadable(_) => None,
        }
    }

    fn of_import(content: &FileContent) -> Option<Self> {
        match content {
            FileContent::File(digest) => Some(Self::Bytes(digest.blob)),
            FileContent::Missing => Some(Self::Nothing),
            FileContent::Unreadable(_) => None,
        }
    }

    fn of_presence(state: EntryState) -> Self {
        Self::is_there(state != EntryState::Missing)
    }
}
