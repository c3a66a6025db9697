//! A tree that is being changed. Directories are loaded when something below them changes.

use std::collections::BTreeMap;

use stxl_model::{Directory, Entry, FILE_ENTRY, Node, PutMode, RootPath, TreeId};

use crate::error::StoreError;
use crate::lease::{Leased, Sweep};
use crate::store::Store;

/// How many symlinks a path may lead through.
const LINKS_MAX: usize = 40;

/// Whether a file can be executed; a tree holds no other permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// It cannot.
    Plain,
    /// It can.
    Executable,
}

impl From<bool> for FileMode {
    fn from(is_executable: bool) -> Self {
        if is_executable {
            Self::Executable
        } else {
            Self::Plain
        }
    }
}

/// Why a tree could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is there.
    #[error("there is no `{path}`")]
    Missing {
        /// Where.
        path: RootPath,
    },
    /// Something is there already.
    #[error("`{path}` is there already")]
    Occupied {
        /// Where.
        path: RootPath,
    },
    /// A path leads through something that is no directory, or to nothing.
    #[error("`{path}` is not a directory")]
    NotADirectory {
        /// Where.
        path: RootPath,
    },
    /// A path is no file.
    #[error("`{path}` is not a file")]
    NotAFile {
        /// Where.
        path: RootPath,
    },
    /// Two kinds meet that do not merge.
    #[error("`{path}` is {lower} and {upper} at once: move or remove one of them first")]
    Clash {
        /// Where.
        path: RootPath,
        /// What was there.
        lower: &'static str,
        /// What comes over it.
        upper: &'static str,
    },
    /// A file or symlink would be replaced by a different one where nothing may be.
    #[error("`{path}` would be replaced by something different")]
    Replaced {
        /// Where.
        path: RootPath,
    },
    /// A glob matches nothing.
    #[error("the glob `{glob}` matches nothing")]
    NoMatch {
        /// The glob.
        glob: String,
    },
    /// A glob cannot be read.
    #[error("`{glob}` is not a glob: {reason}")]
    BadGlob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that is to be replaced does not occur.
    #[error("`{path}` does not hold `{}`", String::from_utf8_lossy(text))]
    NoOccurrence {
        /// The file.
        path: RootPath,
        /// The text.
        text: Vec<u8>,
    },
}

pub(super) type Result<T> = std::result::Result<T, EditError>;

/// A tree that is being changed. Parents of a path may be symlinks that lead to directories inside
/// the tree; the last part of a path is never followed.
pub struct TreeEditor<'a> {
    pub(super) store: &'a Store,
    pub(super) root: OpenDirectory,
    sweep: Sweep,
}

/// A directory whose entries can change.
#[derive(Default)]
pub(super) struct OpenDirectory {
    pub(super) entries: BTreeMap<Vec<u8>, Slot>,
}

pub(super) enum Slot {
    Kept(Node),
    Open(OpenDirectory),
}

/// The names from the root to a place, with no symlink among its parents.
pub(super) type Place = Vec<Vec<u8>>;

/// What stands at a place.
pub(super) enum Standing {
    Nothing,
    File,
    Symlink(Vec<u8>),
    Directory,
}

impl Standing {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::File => "a file",
            Self::Symlink(_) => "a symlink",
            Self::Directory => "a directory",
        }
    }
}

impl<'a> TreeEditor<'a> {
    /// Starts from an empty tree.
    pub fn new(store: &'a Store) -> Result<Self> {
        Ok(Self {
            store,
            root: OpenDirectory::default(),
            sweep: store.session.sweep(&store.disk)?,
        })
    }

    /// Starts from a tree.
    pub fn from_tree(store: &'a Store, tree: &TreeId) -> Result<Self> {
        let mut editor = Self::new(store)?;
        editor.root = open(store, tree)?;
        Ok(editor)
    }

    /// Writes what changed and returns the tree, which is protected for the session.
    pub fn finish(self) -> Result<TreeId> {
        let tree = snapshot(self.store, &self.root)?;
        let is_there = || self.store.is_tree_complete_now(&tree);
        if self
            .store
            .protect(&[Leased::Tree(tree)], self.sweep, is_there)?
        {
            Ok(tree)
        } else {
            Err(StoreError::MissingTree { tree }.into())
        }
    }

    /// What stands at a path.
    pub fn find(&mut self, path: &RootPath) -> Result<Option<Node>> {
        let Ok(place) = self.place_of(path) else {
            return Ok(None);
        };
        self.node_at(&place)
    }

    /// Puts the entry `file` of a tree at a path, replacing a file or symlink there. Directories
    /// above are made.
    pub fn put_file(&mut self, tree: &TreeId, at: &RootPath, mode: PutMode) -> Result<()> {
        let directory = self.store.directory(tree)?;
        let Some(Node::File {
            blob,
            size_bytes,
            executable: own,
        }) = directory.find(FILE_ENTRY)
        else {
            let path = RootPath::root().child(FILE_ENTRY);
            return Err(EditError::NotAFile {
                path: path.unwrap_or_else(|_| RootPath::root()),
            });
        };
        let node = Node::File {
            blob: *blob,
            size_bytes: *size_bytes,
            executable: match mode {
                PutMode::Unchanged => *own,
                PutMode::Executable => true,
                PutMode::Plain => false,
            },
        };
        self.replace(at, node)
    }

    /// Writes a file, replacing a file or symlink there. Directories above are made.
    pub fn write(&mut self, at: &RootPath, content: &[u8], mode: FileMode) -> Result<()> {
        let node = Node::File {
            blob: self.store.put_blob(content)?,
            size_bytes: content.len() as u64,
            executable: mode == FileMode::Executable,
        };
        self.replace(at, node)
    }

    /// The bytes of a file and its mode.
    pub fn read(&mut self, path: &RootPath) -> Result<(Vec<u8>, FileMode)> {
        match self.find(path)? {
            Some(Node::File {
                blob, executable, ..
            }) => Ok((self.store.read_blob(&blob)?, executable.into())),
            Some(_) => Err(EditError::NotAFile { path: path.clone() }),
            None => Err(EditError::Missing { path: path.clone() }),
        }
    }

    /// Replaces every occurrence of a text in a file, and returns how many there were; none is an
    /// error.
    pub fn substitute(&mut self, path: &RootPath, from: &[u8], to: &[u8]) -> Result<usize> {
        let (content, mode) = self.read(path)?;
        let mut changed = Vec::with_capacity(content.len());
        let mut rest = content.as_slice();
        let mut count = 0;
        while let Some(position) = find_bytes(rest, from) {
            changed.extend_from_slice(&rest[..position]);
            changed.extend_from_slice(to);
            rest = &rest[position + from.len()..];
            count += 1;
        }
        changed.extend_from_slice(rest);
        if count == 0 {
            return Err(EditError::NoOccurrence {
                path: path.clone(),
                text: from.to_vec(),
            });
        }
        self.write(path, &changed, mode)?;
        Ok(count)
    }

    /// Replaces the tree by one of its directories.
    pub fn select(&mut self, path: &RootPath) -> Result<()> {
        let place = self.directory_place(path)?;
        self.root = std::mem::take(self.open_at(&place)?);
        Ok(())
    }

    /// Makes a directory and those above it; one that is there stays as it is.
    pub fn mkdir(&mut self, path: &RootPath) -> Result<()> {
        self.make_directories(path).map(|_| ())
    }

    /// Makes a symlink where nothing is. Directories above are made.
    pub fn symlink(&mut self, path: &RootPath, target: &[u8]) -> Result<()> {
        let node = Node::Symlink {
            target: target.to_vec(),
        };
        self.insert(path, Slot::Kept(node))
    }

    /// Removes what is at a path, with all below it.
    pub fn remove(&mut self, path: &RootPath) -> Result<()> {
        self.take(path).map(|_| ())
    }

    /// Moves what is at a path to where nothing is. Directories above are made.
    pub fn move_to(&mut self, from: &RootPath, to: &RootPath) -> Result<()> {
        if to.as_relative_bytes().starts_with(from.as_relative_bytes())
            && to.parts().zip(from.parts()).count() == from.parts().count()
            && to
                .parts()
                .zip(from.parts())
                .all(|(left, right)| left == right)
        {
            return Err(EditError::Occupied { path: to.clone() });
        }
        self.refuse_occupied(to)?;
        let slot = self.take(from)?;
        self.insert(to, slot)
    }

    /// Copies what is at a path to where nothing is. Directories above are made.
    pub fn copy(&mut self, from: &RootPath, to: &RootPath) -> Result<()> {
        self.refuse_occupied(to)?;
        let node = self
            .find(from)?
            .ok_or_else(|| EditError::Missing { path: from.clone() })?;
        self.insert(to, Slot::Kept(node))
    }

    /// Gives a file a mode.
    pub fn set_mode(&mut self, path: &RootPath, mode: FileMode) -> Result<()> {
        match self.find(path)? {
            Some(Node::File {
                blob, size_bytes, ..
            }) => self.replace(
                path,
                Node::File {
                    blob,
                    size_bytes,
                    executable: mode == FileMode::Executable,
                },
            ),
            Some(_) => Err(EditError::NotAFile { path: path.clone() }),
            None => Err(EditError::Missing { path: path.clone() }),
        }
    }

    /// Puts a file or symlink at a path, over a file or symlink.
    fn replace(&mut self, path: &RootPath, node: Node) -> Result<()> {
        let (parent, name) = split(path)?;
        let place = self.make_directories(&parent)?;
        let mut whole = place.clone();
        whole.push(name.clone());
        if let Standing::Directory = self.standing(&whole)? {
            return Err(EditError::NotAFile { path: path.clone() });
        }
        self.open_at(&place)?.entries.insert(name, Slot::Kept(node));
        Ok(())
    }

    fn insert(&mut self, path: &RootPath, slot: Slot) -> Result<()> {
        let (parent, name) = split(path)?;
        check_node(&name, &slot)?;
        let place = self.make_directories(&parent)?;
        let directory = self.open_at(&place)?;
        if directory.entries.contains_key(&name) {
            return Err(EditError::Occupied { path: path.clone() });
        }
        directory.entries.insert(name, slot);
        Ok(())
    }

    fn refuse_occupied(&mut self, path: &RootPath) -> Result<()> {
        match self.find(path)? {
            Some(_) => Err(EditError::Occupied { path: path.clone() }),
            None => Ok(()),
        }
    }

    fn take(&mut self, path: &RootPath) -> Result<Slot> {
        let missing = || EditError::Missing { path: path.clone() };
        let mut place = self.place_of(path).map_err(|_| missing())?;
        let name = place.pop().ok_or_else(missing)?;
        if !matches!(self.standing(&place)?, Standing::Directory) {
            return Err(missing());
        }
        self.open_at(&place)?
            .entries
            .remove(&name)
            .ok_or_else(missing)
    }

    /// Makes a directory and those above it, through symlinks that lead to directories.
    pub(super) fn make_directories(&mut self, path: &RootPath) -> Result<Place> {
        let mut place = Place::new();
        for part in path.parts() {
            place.push(part.to_vec());
            match self.standing(&place)? {
                Standing::Directory => {}
                Standing::Nothing => {
                    let name = place.pop().unwrap_or_default();
                    let made = Slot::Open(OpenDirectory::default());
                    self.open_at(&place)?.entries.insert(name.clone(), made);
                    place.push(name);
                }
                Standing::Symlink(_) => {
                    place = self
                        .follow(&place)?
                        .ok_or_else(|| EditError::NotADirectory {
                            path: path_of(&place),
                        })?;
                }
                Standing::File => {
                    return Err(EditError::NotADirectory {
                        path: path_of(&place),
                    });
                }
            }
        }
        Ok(place)
    }

    /// The place of a path whose parents are there; its last part need not be.
    fn place_of(&mut self, path: &RootPath) -> Result<Place> {
        let Some(parent) = path.parent() else {
            return Ok(Place::new());
        };
        let mut place = self.directory_place(&parent)?;
        place.extend(path.file_name().map(<[u8]>::to_vec));
        Ok(place)
    }

    /// The place of a directory, with symlinks followed.
    fn directory_place(&mut self, path: &RootPath) -> Result<Place> {
        let mut place = Place::new();
        for part in path.parts() {
            place.push(part.to_vec());
            match self.standing(&place)? {
                Standing::Directory => {}
                Standing::Symlink(_) => {
                    place = self
                        .follow(&place)?
                        .ok_or_else(|| EditError::NotADirectory {
                            path: path_of(&place),
                        })?;
                }
                Standing::Nothing => return Err(EditError::Missing { path: path.clone() }),
                Standing::File => {
                    return Err(EditError::NotADirectory {
                        path: path_of(&place),
                    });
                }
            }
        }
        Ok(place)
    }

    /// The directory that a symlink leads to inside the tree, if it does.
    pub(super) fn follow(&self, link: &[Vec<u8>]) -> Result<Option<Place>> {
        let mut place: Place = Place::new();
        // Names still to be walked, the next one last.
        let mut rest: Vec<Vec<u8>> = link.iter().rev().cloned().collect();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == b".." {
                place.pop();
                continue;
            }
            place.push(part);
            match self.standing(&place)? {
                Standing::Directory => {}
                Standing::Nothing | Standing::File => return Ok(None),
                Standing::Symlink(target) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Ok(None);
                    }
                    place.pop();
                    if target.starts_with(b"/") {
                        place.clear();
                    }
                    let parts = target.rsplit(|byte| *byte == b'/');
                    rest.extend(
                        parts
                            .filter(|part| !part.is_empty() && *part != b".")
                            .map(<[u8]>::to_vec),
                    );
                }
            }
        }
        Ok(Some(place))
    }

    /// What stands at a place whose parents are no symlinks.
    pub(super) fn standing(&self, place: &[Vec<u8>]) -> Result<Standing> {
        let mut directory = &self.root;
        for (position, name) in place.iter().enumerate() {
            match directory.entries.get(name) {
                None => return Ok(Standing::Nothing),
                Some(Slot::Open(below)) => directory = below,
                Some(Slot::Kept(node)) => {
                    return self.standing_in(node.clone(), &place[position + 1..]);
                }
            }
        }
        Ok(Standing::Directory)
    }

    fn standing_in(&self, mut node: Node, place: &[Vec<u8>]) -> Result<Standing> {
        for name in place {
            let Node::Directory { tree } = &node else {
                return Ok(Standing::Nothing);
            };
            match self.store.directory(tree)?.find(name) {
                Some(found) => node = found.clone(),
                None => return Ok(Standing::Nothing),
            }
        }
        Ok(match node {
            Node::File { .. } => Standing::File,
            Node::Symlink { target } => Standing::Symlink(target),
            Node::Directory { .. } => Standing::Directory,
        })
    }

    /// The node at a place; an open directory is written to the store for it.
    fn node_at(&mut self, place: &[Vec<u8>]) -> Result<Option<Node>> {
        let Some((name, parents)) = place.split_last() else {
            let tree = snapshot(self.store, &self.root)?;
            return Ok(Some(Node::Directory { tree }));
        };
        if !matches!(self.standing(parents)?, Standing::Directory) {
            return Ok(None);
        }
        let store = self.store;
        Ok(match self.open_at(parents)?.entries.get(name) {
            None => None,
            Some(Slot::Kept(node)) => Some(node.clone()),
            Some(Slot::Open(directory)) => Some(Node::Directory {
                tree: snapshot(store, directory)?,
            }),
        })
    }

    /// The directory at a place, made changeable.
    pub(super) fn open_at(&mut self, place: &[Vec<u8>]) -> Result<&mut OpenDirectory> {
        let mut directory = &mut self.root;
        for (position, name) in place.iter().enumerate() {
            let not_there = || EditError::NotADirectory {
                path: path_of(&place[..=position]),
            };
            let slot = directory.entries.get_mut(name).ok_or_else(not_there)?;
            directory = slot.open(self.store)?.ok_or_else(not_there)?;
        }
        Ok(directory)
    }
}

impl Slot {
    /// The directory in this slot, made changeable; nothing if there is none.
    pub(super) fn open(&mut self, store: &Store) -> Result<Option<&mut OpenDirectory>> {
        if let Self::Kept(Node::Directory { tree }) = self {
            *self = Self::Open(open(store, tree)?);
        }
        Ok(match self {
            Self::Open(directory) => Some(directory),
            Self::Kept(_) => None,
        })
    }
}

fn open(store: &Store, tree: &TreeId) -> Result<OpenDirectory> {
    let directory = store.directory(tree)?;
    let entries = directory
        .entries()
        .iter()
        .map(|entry| (entry.name.clone(), Slot::Kept(entry.node.clone())))
        .collect();
    Ok(OpenDirectory { entries })
}

fn snapshot(store: &Store, directory: &OpenDirectory) -> Result<TreeId> {
    let mut entries = Vec::with_capacity(directory.entries.len());
    for (name, slot) in &directory.entries {
        let node = match slot {
            Slot::Kept(node) => node.clone(),
            Slot::Open(below) => Node::Directory {
                tree: snapshot(store, below)?,
            },
        };
        entries.push(Entry {
            name: name.clone(),
            node,
        });
    }
    let directory = Directory::new(entries).map_err(StoreError::from)?;
    Ok(store.put_directory_unprotected(&directory)?)
}

fn check_node(name: &[u8], slot: &Slot) -> Result<()> {
    if let Slot::Kept(node) = slot {
        let entry = Entry {
            name: name.to_vec(),
            node: node.clone(),
        };
        Directory::new(vec![entry]).map_err(StoreError::from)?;
    }
    Ok(())
}

fn split(path: &RootPath) -> Result<(RootPath, Vec<u8>)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name.to_vec())),
        _ => Err(EditError::Occupied { path: path.clone() }),
    }
}

/// The path of a place.
pub(super) fn path_of(place: &[Vec<u8>]) -> RootPath {
    let mut path = RootPath::root();
    for name in place {
        // Names of a tree are valid parts of a path.
        path = path.child(name).unwrap_or(path);
    }
    path
}

fn find_bytes(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
