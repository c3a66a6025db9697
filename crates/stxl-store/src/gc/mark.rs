//! What roots and leases reach.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use stxl_model::{BlobId, Digest, Node, Realisation, TreeId};

use crate::disk::Access;
use crate::entry::EntryKind;
use crate::error::StoreError;
use crate::gc::GcPolicy;
use crate::index::digest_at;
use crate::lease::{Leased, read_leases};
use crate::out_link::OutLink;
use crate::record::Record;
use crate::store::{Store, now};

type Result<T> = std::result::Result<T, StoreError>;

/// The objects that stay.
#[derive(Default)]
pub(crate) struct Marked {
    objects: BTreeSet<Digest>,
    /// Trees whose directories were looked into. One that could not be found may be published
    /// before the next look.
    walked: BTreeSet<TreeId>,
    /// The version of the index as of which roots are marked.
    index_version: Option<i64>,
}

impl Marked {
    pub(crate) fn has(&self, id: &Digest) -> bool {
        self.objects.contains(id)
    }
}

impl Store {
    /// Marks what leases and roots reach, in this order: a session that makes something a root
    /// gives its lease back afterwards. Roots are read again only if another connection changed
    /// the index since. Links that no longer point here are forgotten.
    pub(super) fn mark(&self, policy: &GcPolicy, marked: &mut Marked) -> Result<()> {
        self.mark_leases(marked)?;
        let version: i64 = self.index()?.read("read its version", |connection| {
            connection.query_row("PRAGMA data_version", [], |row| row.get(0))
        })?;
        if marked.index_version == Some(version) {
            return Ok(());
        }
        self.mark_roots(policy, marked)?;
        self.mark_new_trees(policy, marked)?;
        self.mark_logs(marked)?;
        marked.index_version = Some(version);
        Ok(())
    }

    fn mark_roots(&self, policy: &GcPolicy, marked: &mut Marked) -> Result<()> {
        let roots = self.roots()?;
        for tree in roots.named.values() {
            self.mark_tree(tree, marked)?;
        }
        for (path, tree) in &roots.out_links {
            match self.out_link(Path::new(OsStr::from_bytes(path))) {
                OutLink::IntoStore(_) | OutLink::Unknown(_) => self.mark_tree(tree, marked)?,
                OutLink::Missing | OutLink::Other => self.remember(Record::OutLink {
                    path: path.clone(),
                    tree: None,
                }),
            }
        }
        let forgotten = match policy.forget_requests_after {
            Some(age) => self.old_requests(now().saturating_sub(age.as_secs()))?,
            None => BTreeSet::new(),
        };
        for entry in &roots.history {
            marked.objects.insert(*entry.plan.digest());
            let key = (entry.workspace.clone(), entry.request.clone());
            if !forgotten.contains(&key) {
                for tree in &entry.outputs {
                    self.mark_tree(tree, marked)?;
                }
            }
        }
        Ok(())
    }

    /// Marks the trees that the policy keeps for their age: with what is below them, which may be
    /// older, since a tree that lacks a file is of no use.
    fn mark_new_trees(&self, policy: &GcPolicy, marked: &mut Marked) -> Result<()> {
        if policy.keep_newer_than.is_none() {
            return Ok(());
        }
        let oldest = policy.newest_dead().cast_signed();
        let kind = EntryKind::Directory as u8;
        let trees: Vec<Digest> = self.index()?.read("list new directories", |connection| {
            connection
                .prepare("SELECT id FROM objects WHERE kind = ?1 AND created >= ?2")?
                .query_map(rusqlite::params![kind, oldest], |row| digest_at(row, 0))?
                .collect()
        })?;
        for tree in trees {
            self.mark_tree(&TreeId::from_digest(tree), marked)?;
        }
        Ok(())
    }

    /// Marks a tree with all below it, as far as it is there.
    fn mark_tree(&self, tree: &TreeId, marked: &mut Marked) -> Result<()> {
        marked.objects.insert(*tree.digest());
        if marked.walked.contains(tree) {
            return Ok(());
        }
        let directory = match self.directory(tree) {
            Ok(directory) => directory,
            // Traces outlive objects, and damage is for `verify` to name.
            Err(StoreError::MissingTree { .. } | StoreError::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        marked.walked.insert(*tree);
        for entry in directory.entries() {
            match &entry.node {
                Node::File { blob, .. } => {
                    marked.objects.insert(*blob.digest());
                }
                Node::Symlink { .. } => {}
                Node::Directory { tree } => self.mark_tree(tree, marked)?,
            }
        }
        Ok(())
    }

    /// Marks what the sessions of the moment have leased.
    pub(super) fn mark_leases(&self, marked: &mut Marked) -> Result<()> {
        for leased in self.live_leases()? {
            match leased {
                Leased::Tree(tree) => {
                    self.mark_tree(&tree, marked)?;
                }
                Leased::Blob(blob) => {
                    marked.objects.insert(*blob.digest());
                }
            }
        }
        Ok(())
    }

    /// The leases of all sessions that are alive.
    pub(crate) fn live_leases(&self) -> Result<Vec<Leased>> {
        let mut leases = Vec::new();
        let directory = self.disk.open_dir(self.root(), b"leases")?;
        for entry in self.disk.list(directory.as_fd(), b"leases")? {
            let Some(file) =
                self.disk
                    .open_if_there(directory.as_fd(), &entry.name, Access::Read)?
            else {
                continue;
            };
            let is_own = entry.name == self.session.name().as_bytes();
            if is_own || !self.disk.try_lock(&file, &entry.name)? {
                let bytes = self.disk.read_to_end(&file, &entry.name, 0)?;
                leases.extend(read_leases(&bytes).0);
            }
        }
        Ok(leases)
    }

    /// Logs stay with the trees whose making they tell of.
    fn mark_logs(&self, marked: &mut Marked) -> Result<()> {
        let records: Vec<Vec<u8>> = self.index()?.read("list realisations", |connection| {
            connection
                .prepare("SELECT record FROM realisations")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        for record in records {
            let Ok(Realisation {
                tree,
                log: Some(log),
                ..
            }) = Realisation::decode(&record)
            else {
                continue;
            };
            if marked.has(tree.digest()) {
                mark_blob(marked, &log);
            }
        }
        Ok(())
    }
}

fn mark_blob(marked: &mut Marked, blob: &BlobId) {
    marked.objects.insert(*blob.digest());
}
