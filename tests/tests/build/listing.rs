//! What a directory of the disk and a tree of the store hold, to be compared.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use stxl_model::{BlobId, Node, TreeId};
use stxl_store::Store;

/// Every path below the top, and what stands there.
pub(crate) type Listing = BTreeMap<String, Item>;

/// What a tree can tell of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Directory,
    File { blob: BlobId, executable: bool },
    Symlink(String),
}

/// What a tree of the store holds.
pub(crate) fn of_tree(store: &Store, tree: &TreeId) -> Listing {
    let mut listing = Listing::new();
    let mut open = vec![(String::new(), *tree)];
    while let Some((above, tree)) = open.pop() {
        let directory = store.directory(&tree).expect("the tree is whole");
        for entry in directory.entries() {
            let path = format!("{above}{}", entry.name.escape_ascii());
            let item = match &entry.node {
                Node::Directory { tree } => {
                    open.push((format!("{path}/"), *tree));
                    Item::Directory
                }
                Node::Symlink { target } => Item::Symlink(target.escape_ascii().to_string()),
                Node::File {
                    blob,
                    size_bytes,
                    executable,
                } => {
                    let bytes = store.read_blob(blob).expect("the blob is whole");
                    assert_eq!(bytes.len() as u64, *size_bytes, "{path}");
                    Item::File {
                        blob: *blob,
                        executable: *executable,
                    }
                }
            };
            listing.insert(path, item);
        }
    }
    listing
}

/// What a directory of the disk holds; what cannot be read becomes readable.
pub(crate) fn of_disk(top: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut open = vec![(String::new(), top.to_owned())];
    while let Some((above, directory)) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("the directory is read") {
            let entry = entry.expect("an entry is read");
            let name = entry.file_name();
            let path = format!("{above}{}", name.as_bytes().escape_ascii());
            let on_disk = entry.path();
            let metadata = on_disk.symlink_metadata().expect("the entry is there");
            let mode = metadata.permissions().mode();
            let wanted = if metadata.is_dir() { 0o700 } else { 0o400 };
            if mode & wanted != wanted && !metadata.is_symlink() {
                let readable = std::fs::Permissions::from_mode(mode | wanted);
                std::fs::set_permissions(&on_disk, readable).expect("it is ours");
            }
            let item = if metadata.is_dir() {
                open.push((format!("{path}/"), on_disk));
                Item::Directory
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(&on_disk).expect("the link is read");
                Item::Symlink(target.as_os_str().as_bytes().escape_ascii().to_string())
            } else {
                assert!(metadata.is_file(), "{path} is of another kind");
                let bytes = std::fs::read(&on_disk).expect("the file is read");
                Item::File {
                    blob: BlobId::of(&bytes),
                    executable: mode & 0o100 != 0,
                }
            };
            listing.insert(path, item);
        }
    }
    listing
}

/// Fails with what only one of two has.
pub(crate) fn assert_same(what: &str, expected: &Listing, found: &Listing) {
    let only = |of: &Listing, other: &Listing| -> Vec<String> {
        of.iter()
            .filter(|(path, item)| other.get(*path) != Some(item))
            .map(|(path, item)| format!("{path}: {item:?}"))
            .collect()
    };
    let (missing, extra) = (only(expected, found), only(found, expected));
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{what}: missing {missing:#?}, found instead {extra:#?}"
    );
}
