//! Reading checkouts back: they have to be the trees their names say, with fixed modes and times.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{FileType, Stat};
use stxl_model::{Directory, Entry, Node};

use super::{Findings, Result};
use crate::checkout::Layer;
use crate::disk::CHECKOUT_MTIME;
use crate::layers::{Level, mark};
use crate::seal::is_whiteout;
use crate::store::Store;

const PERMISSIONS: u32 = 0o7777;

impl Store {
    /// Those of this boot, and those of earlier ones that links lead to; others are leftovers.
    pub(super) fn verify_checkouts(&self, findings: &mut Findings) -> Result<()> {
        let linked = self.linked_checkouts()?;
        let checkouts = self.disk.open_dir(self.root(), b"checkouts")?;
        for boot in self.disk.list(checkouts.as_fd(), b"checkouts")? {
            let directory = self.disk.open_dir(checkouts.as_fd(), &boot.name)?;
            for entry in self.disk.list(directory.as_fd(), &boot.name)? {
                let shown = [b"checkouts/", boot.name.as_slice(), b"/", &entry.name].concat();
                if boot.name == self.boot.as_bytes()
                    || linked.contains(Path::new(OsStr::from_bytes(&shown)))
                {
                    self.verify_checkout(&directory, &entry.name, &shown, findings)?;
                }
            }
        }
        Ok(())
    }

    fn verify_checkout(
        &self,
        parent: &OwnedFd,
        name: &[u8],
        shown: &[u8],
        findings: &mut Findings,
    ) -> Result<()> {
        let expected = Layer::parse(name).map(|layer| match layer {
            Layer::Copy(tree) => Layer::Tree(tree),
            layer @ (Layer::Tree(_) | Layer::Hiding(_)) => layer,
        });
        let damages_before = findings.damages.len();
        let level = self.hash_directory(parent.as_fd(), name, shown, findings)?;
        let is_as_named = expected.is_some() && expected == level.and_then(layer_of);
        if !is_as_named && findings.damages.len() == damages_before {
            findings.add(shown, 0, "not the tree its name says");
        }
        Ok(())
    }

    /// What a directory shows and hides, without storing it; nothing where that cannot be trees.
    fn hash_directory(
        &self,
        at: BorrowedFd<'_>,
        name: &[u8],
        shown: &[u8],
        findings: &mut Findings,
    ) -> Result<Option<Level>> {
        let dir = self.disk.open_dir(at, name)?;
        check(&self.disk.stat(&dir, shown)?, &[0o755], shown, findings);
        let mut entries = Vec::new();
        let mut hidden = Vec::new();
        for entry in self.disk.list(dir.as_fd(), shown)? {
            let path = [shown, b"/", &entry.name].concat();
            let node = match entry.kind {
                FileType::Directory => {
                    let below = self.hash_directory(dir.as_fd(), &entry.name, &path, findings)?;
                    let node = |tree| Node::Directory { tree };
                    if let Some(tree) = below.and_then(|below| below.hidden) {
                        hidden.push(named(&entry.name, node(tree)));
                    }
                    below.map(|below| node(below.shown))
                }
                FileType::Symlink => Some(Node::Symlink {
                    target: self.disk.read_link(dir.as_fd(), &entry.name)?,
                }),
                FileType::RegularFile => {
                    Some(self.hash_checked_out_file(&dir, &entry.name, &path, findings)?)
                }
                FileType::CharacterDevice if self.is_whiteout(&dir, &entry.name)? => {
                    hidden.push(named(&entry.name, mark()));
                    continue;
                }
                _ => None,
            };
            match node {
                Some(node) => entries.push(named(&entry.name, node)),
                None => findings.add(&path, 0, "neither file, symlink nor directory"),
            }
        }
        let id = |entries| Directory::new(entries).ok().map(|directory| directory.id());
        Ok(id(entries).map(|shown| Level {
            shown,
            hidden: if hidden.is_empty() { None } else { id(hidden) },
        }))
    }

    fn is_whiteout(&self, dir: &OwnedFd, name: &[u8]) -> Result<bool> {
        let stat = self.disk.stat_at(dir.as_fd(), name)?;
        Ok(stat.is_some_and(|stat| is_whiteout(&stat)))
    }

    fn hash_checked_out_file(
        &self,
        dir: &OwnedFd,
        name: &[u8],
        shown: &[u8],
        findings: &mut Findings,
    ) -> Result<Node> {
        let file = self.disk.open_read(dir.as_fd(), name)?;
        let stat = self.disk.stat(&file, shown)?;
        check(&stat, &[0o644, 0o755], shown, findings);
        if stat.st_nlink != 1 {
            findings.add(shown, 0, "another name for the same file exists");
        }
        findings.bytes_checked += stat.st_size.cast_unsigned();
        Ok(Node::File {
            blob: self.hash_file(dir.as_fd(), name)?,
            size_bytes: stat.st_size.cast_unsigned(),
            executable: stat.st_mode & 0o100 != 0,
        })
    }
}

/// The layer that has these parts at its root.
fn layer_of(level: Level) -> Option<Layer> {
    let Some(hidden) = level.hidden else {
        return Some(Layer::Tree(level.shown));
    };
    let parts = Level::directory(level.shown, hidden).ok()?;
    Some(Layer::Hiding(parts.id()))
}

fn named(name: &[u8], node: Node) -> Entry {
    Entry {
        name: name.to_vec(),
        node,
    }
}

fn check(stat: &Stat, modes: &[u32], shown: &[u8], findings: &mut Findings) {
    if !modes.contains(&(stat.st_mode & PERMISSIONS)) {
        findings.add(shown, 0, "a mode that checkouts do not have");
    }
    if stat.st_mtime != CHECKOUT_MTIME {
        findings.add(shown, 0, "a time that checkouts do not have");
    }
}
