//! Trees: immutable directories as a Merkle structure.
//!
//! A tree holds names, one executable bit, symlinks and directories, and nothing else: no owner, no
//! time, no other mode bit. Its id is the digest of its root directory's encoding.

use crate::codec::{DecodeError, Decoder, Encoder};
use crate::digest::{BlobId, Digest, HashingContext, TreeId};

/// Longest name in a directory, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// The one entry of a tree that stands for a single file (fetched, imported or archived).
pub const FILE_ENTRY: &[u8] = b"file";

static TREE_CONTEXT: HashingContext = HashingContext::new("stxl 2026 tree directory, version 1");
const DIRECTORY_MAGIC: &[u8; 4] = b"sxd1";
const SYMLINK_BYTES_MAX: usize = 4095;

/// One directory: its entries in the order of their names' bytes.
///
/// Invariant: names valid, strictly increasing; symlink targets of 1 to 4095 bytes without NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    entries: Vec<Entry>,
}

/// A name and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1 to 255 bytes without `/` and NUL, not `.` or `..`.
    pub name: Vec<u8>,
    /// What the name stands for.
    pub node: Node,
}

/// What a name in a directory can stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Its bytes.
        blob: BlobId,
        /// How many bytes.
        size_bytes: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// What it points to, as stored in the link.
        target: Vec<u8>,
    },
    /// A directory; empty ones count.
    Directory {
        /// Its tree.
        tree: TreeId,
    },
}

/// Why entries do not form a directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A name is empty, too long, `.`, `..`, or holds `/` or NUL.
    #[error("`{}` is not a valid name in a tree", String::from_utf8_lossy(name))]
    BadName {
        /// The name.
        name: Vec<u8>,
    },
    /// Two entries have the same name.
    #[error("`{}` stands twice in one directory", String::from_utf8_lossy(name))]
    DuplicateName {
        /// The name.
        name: Vec<u8>,
    },
    /// A symlink's target is empty, too long or holds NUL.
    #[error(
        "the symlink `{}` has an invalid target",
        String::from_utf8_lossy(name)
    )]
    BadTarget {
        /// The name of the link.
        name: Vec<u8>,
    },
    /// The bytes are not the canonical encoding of a directory.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
}

pub(crate) fn is_valid_name(name: &[u8]) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name != b"."
        && name != b".."
        && !name.iter().any(|byte| *byte == b'/' || *byte == 0)
}

impl Directory {
    /// Makes a directory of entries in any order.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, TreeError> {
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Self::check(&entries)?;
        Ok(Self { entries })
    }

    /// The tree that stands for a single file. It has no executable bit: where it is put, it is
    /// said whether it can be executed.
    pub fn of_file(blob: BlobId, size_bytes: u64) -> Self {
        let node = Node::File {
            blob,
            size_bytes,
            executable: false,
        };
        Self {
            entries: vec![Entry {
                name: FILE_ENTRY.to_vec(),
                node,
            }],
        }
    }

    /// The entries, sorted by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What a name stands for.
    pub fn find(&self, name: &[u8]) -> Option<&Node> {
        let index = self
            .entries
            .binary_search_by(|entry| entry.name.as_slice().cmp(name))
            .ok()?;
        self.entries.get(index).map(|entry| &entry.node)
    }

    /// Replaces or adds one entry.
    pub fn insert(&mut self, name: &[u8], node: Node) -> Result<(), TreeError> {
        let entry = Entry {
            name: name.to_vec(),
            node,
        };
        Self::check(std::slice::from_ref(&entry))?;
        match self
            .entries
            .binary_search_by(|other| other.name.as_slice().cmp(name))
        {
            Ok(index) => self.entries[index] = entry,
            Err(index) => self.entries.insert(index, entry),
        }
        Ok(())
    }

    /// Removes one entry and returns what it stood for.
    pub fn remove(&mut self, name: &[u8]) -> Option<Node> {
        let index = self
            .entries
            .binary_search_by(|entry| entry.name.as_slice().cmp(name))
            .ok()?;
        Some(self.entries.remove(index).node)
    }

    /// The id of the tree whose root this directory is.
    pub fn id(&self) -> TreeId {
        Self::id_of_encoding(&self.encode())
    }

    /// The id that belongs to an encoding, whether or not it is canonical.
    pub fn id_of_encoding(encoding: &[u8]) -> TreeId {
        TreeId::from_digest(Digest::of_encoding(&TREE_CONTEXT, encoding))
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.raw(DIRECTORY_MAGIC);
        encoder.count(self.entries.len());
        for Entry { name, node } in &self.entries {
            encoder.bytes(name);
            match node {
                Node::File {
                    blob,
                    size_bytes,
                    executable,
                } => {
                    encoder.byte(if *executable { 2 } else { 1 });
                    encoder.raw(blob.digest().as_bytes());
                    encoder.u64(*size_bytes);
                }
                Node::Symlink { target } => {
                    encoder.byte(3);
                    encoder.bytes(target);
                }
                Node::Directory { tree } => {
                    encoder.byte(4);
                    encoder.raw(tree.digest().as_bytes());
                }
            }
        }
        encoder.finish()
    }

    /// Reads a canonical encoding; any other order or form is refused.
    pub fn decode(encoding: &[u8]) -> Result<Self, TreeError> {
        let mut decoder = Decoder::new(encoding);
        if decoder.array()? != *DIRECTORY_MAGIC {
            return Err(decoder.error("the mark of a directory").into());
        }
        let count = decoder.count()?;
        let mut entries = Vec::with_capacity(count.min(4096));
        for _ in 0..count {
            let name = decoder.bytes()?.to_vec();
            let node = match decoder.byte()? {
                kind @ (1 | 2) => Node::File {
                    blob: BlobId::from_digest(Digest::from_bytes(decoder.array()?)),
                    size_bytes: decoder.u64()?,
                    executable: kind == 2,
                },
                3 => Node::Symlink {
                    target: decoder.bytes()?.to_vec(),
                },
                4 => Node::Directory {
                    tree: TreeId::from_digest(Digest::from_bytes(decoder.array()?)),
                },
                _ => return Err(decoder.error("a kind of node").into()),
            };
            entries.push(Entry { name, node });
        }
        decoder.finish()?;
        Self::check(&entries)?;
        Ok(Self { entries })
    }

    fn check(entries: &[Entry]) -> Result<(), TreeError> {
        for Entry { name, node } in entries {
            if !is_valid_name(name) {
                return Err(TreeError::BadName { name: name.clone() });
            }
            if let Node::Symlink { target } = node
                && (target.is_empty() || target.len() > SYMLINK_BYTES_MAX || target.contains(&0))
            {
                return Err(TreeError::BadTarget { name: name.clone() });
            }
        }
        for pair in entries.windows(2) {
            if pair[0].name >= pair[1].name {
                return Err(TreeError::DuplicateName {
                    name: pair[1].name.clone(),
                });
            }
        }
        Ok(())
    }
}
