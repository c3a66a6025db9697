//! Verifying: reading every byte of the store and comparing it with a checksum or with its source.

mod checkouts;
mod index_rows;
mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd as _;

use stxl_model::{ActionId, Digest, Node, TreeId};

use crate::ballast::{BALLAST_BYTES, BALLAST_FILE};
use crate::disk::Access;
use crate::entry::{FILE_HEADER_BYTES, FileKind, HEADER_BYTES, Scanned, file_header, scan};
use crate::error::StoreError;
use crate::index::{self, JOURNAL};
use crate::journal::JOURNAL_FILE;
use crate::lease::{SWEEPS_FILE, is_sweeps_file_whole, read_leases};
use crate::ledger::{LEDGER_FILE, damaged_lines};
use crate::pack;
use crate::record::Record;
use crate::store::{FORMAT_FILE, INDEX_FILE, Store, format_bytes, lock};

type Result<T> = std::result::Result<T, StoreError>;

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The file, inside the store.
    pub path: String,
    /// Where in it the damaged part begins; 0 when only the whole is known to be wrong.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// An object that is damaged, and what can make it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedObject {
    /// The digest of the blob or directory.
    pub id: Digest,
    /// Actions whose chosen trees hold it.
    pub actions: Vec<ActionId>,
}

/// What verifying found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Every damage, by path and offset.
    pub damages: Vec<Damage>,
    /// The objects that are damaged.
    pub objects: Vec<DamagedObject>,
    /// How many bytes were compared with a checksum.
    pub bytes_checked: u64,
}

/// What is gathered while the files are read.
#[derive(Default)]
struct Findings {
    damages: Vec<Damage>,
    objects: BTreeSet<Digest>,
    bytes_checked: u64,
}

impl Findings {
    fn add(&mut self, path: &[u8], offset: u64, what: &str) {
        self.damages.push(Damage {
            path: String::from_utf8_lossy(path).into_owned(),
            offset,
            what: what.to_owned(),
        });
    }
}

impl Store {
    /// Compares every byte of the store with a checksum, and the index with the files. Damage of
    /// the index file itself is told byte by byte when the store was opened with
    /// [`crate::OpenOptions::check_index`] after a clean end, and by content otherwise.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.publish()?;
        let mut findings = Findings {
            damages: lock(&self.found_at_opening).clone(),
            ..Findings::default()
        };
        self.verify_small_files(&mut findings)?;
        self.verify_leases(&mut findings)?;
        for number in self.packs_on_disk()? {
            self.verify_pack(number, &mut findings)?;
        }
        self.verify_journal(&mut findings)?;
        self.verify_large_blobs(&mut findings)?;
        self.verify_checkouts(&mut findings)?;
        self.verify_index(&mut findings)?;
        findings.damages.sort();
        findings.damages.dedup();
        let actions = self.actions_of(&findings.objects)?;
        Ok(VerifyReport {
            damages: findings.damages,
            objects: findings
                .objects
                .iter()
                .map(|id| DamagedObject {
                    id: *id,
                    actions: actions.get(id).cloned().unwrap_or_default(),
                })
                .collect(),
            bytes_checked: findings.bytes_checked,
        })
    }

    fn whole_file(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(file) = self.disk.open_if_there(self.root(), path, Access::Read)? else {
            return Ok(None);
        };
        self.disk.read_to_end(&file, path, 0).map(Some)
    }

    fn verify_small_files(&self, findings: &mut Findings) -> Result<()> {
        if self.whole_file(FORMAT_FILE)? != Some(format_bytes()) {
            findings.add(FORMAT_FILE, 0, "not the mark of a store of this format");
        }
        if let Some(bytes) = self.whole_file(BALLAST_FILE)?
            && (bytes.len() > BALLAST_BYTES || bytes.iter().any(|byte| *byte != 0))
        {
            findings.add(BALLAST_FILE, 0, "not the zeros it is made of");
        }
        if let Some(bytes) = self.whole_file(SWEEPS_FILE)?
            && !is_sweeps_file_whole(&bytes)
        {
            findings.add(SWEEPS_FILE, 0, "not a count with its checksum");
        }
        for offset in damaged_lines(&self.whole_file(LEDGER_FILE)?.unwrap_or_default()) {
            findings.add(LEDGER_FILE, offset as u64, "a line without its checksum");
        }
        Ok(())
    }

    fn verify_leases(&self, findings: &mut Findings) -> Result<()> {
        let directory = self.disk.open_dir(self.root(), b"leases")?;
        for entry in self.disk.list(directory.as_fd(), b"leases")? {
            let path = [b"leases/", entry.name.as_slice()].concat();
            if let Some(bytes) = self.whole_file(&path)?
                && let Some(offset) = read_leases(&bytes).1
            {
                findings.add(&path, offset as u64, "a lease without its checksum");
            }
        }
        Ok(())
    }

    fn verify_pack(&self, number: u64, findings: &mut Findings) -> Result<()> {
        let path = pack::path_of(number);
        let Some(bytes) = self.whole_file(&path)? else {
            return Ok(());
        };
        findings.bytes_checked += bytes.len() as u64;
        if !bytes.starts_with(&file_header(FileKind::Pack, number)) {
            findings.add(&path, 0, "not the header of this pack");
        }
        let state = self
            .index()?
            .read("read the state of a pack", |connection| {
                index::file_state(connection, number)
            })?;
        let indexed = state.map_or(0, |state| state.indexed);
        if (bytes.len() as u64) < indexed {
            findings.add(&path, bytes.len() as u64, "shorter than the index knows it");
        }
        let mut covered = BTreeSet::new();
        for scanned in scan(&bytes, FILE_HEADER_BYTES.min(bytes.len())) {
            match scanned {
                Scanned::Entry { offset, .. } => {
                    covered.insert(offset as u64);
                }
                Scanned::BadPayload { offset, header } => {
                    findings.add(&path, offset as u64, "an entry unlike its digest");
                    findings.objects.insert(header.id);
                }
                // What a writer has not finished yet is behind everything that is indexed.
                Scanned::Garbage { offset } if offset as u64 >= indexed => {}
                Scanned::Garbage { offset } => {
                    findings.add(&path, offset as u64, "bytes that are no entry");
                }
            }
        }
        for (id, location) in self.pack_objects(number)? {
            if !covered.contains(&location.start) {
                findings.objects.insert(id);
            }
        }
        Ok(())
    }

    fn verify_journal(&self, findings: &mut Findings) -> Result<()> {
        let Some(bytes) = self.whole_file(JOURNAL_FILE)? else {
            return Ok(());
        };
        findings.bytes_checked += bytes.len() as u64;
        if bytes.is_empty() {
            return Ok(());
        }
        if !bytes.starts_with(&file_header(FileKind::Journal, JOURNAL)) {
            findings.add(JOURNAL_FILE, 0, "not the header of a journal");
        }
        for scanned in scan(&bytes, FILE_HEADER_BYTES.min(bytes.len())) {
            match scanned {
                Scanned::Entry { offset, header } => {
                    let start = offset + HEADER_BYTES;
                    let end = offset + crate::journal::entry_bytes(&header);
                    if !matches!(Record::decode(header.kind, &bytes[start..end]), Ok(Some(_))) {
                        findings.add(JOURNAL_FILE, offset as u64, "an unreadable record");
                    }
                }
                Scanned::BadPayload { offset, .. } => {
                    findings.add(JOURNAL_FILE, offset as u64, "a record unlike its digest");
                }
                Scanned::Garbage { offset } => {
                    findings.add(JOURNAL_FILE, offset as u64, "bytes that are no record");
                }
            }
        }
        Ok(())
    }

    fn verify_large_blobs(&self, findings: &mut Findings) -> Result<()> {
        for (path, id, stat) in self.large_blob_files()? {
            if self.disk.stat_at(self.root(), &path)?.is_none() {
                continue;
            }
            findings.bytes_checked += stat.st_size.cast_unsigned();
            if self.hash_file(self.root(), &path)? != id {
                findings.add(&path, 0, "bytes unlike the digest in the name");
                findings.objects.insert(*id.digest());
            }
        }
        Ok(())
    }

    /// Which actions' chosen trees hold which of the given objects.
    fn actions_of(&self, objects: &BTreeSet<Digest>) -> Result<BTreeMap<Digest, Vec<ActionId>>> {
        let mut actions: BTreeMap<Digest, Vec<ActionId>> = BTreeMap::new();
        if objects.is_empty() {
            return Ok(actions);
        }
        let choices: Vec<(ActionId, TreeId)> =
            self.index()?.read("list choices", |connection| {
                connection
                    .prepare("SELECT action, tree FROM choices")?
                    .query_map([], |row| {
                        let action = ActionId::from_digest(index::digest_at(row, 0)?);
                        Ok((action, TreeId::from_digest(index::digest_at(row, 1)?)))
                    })?
                    .collect()
            })?;
        let mut known = BTreeMap::new();
        for (action, tree) in choices {
            for id in self.damaged_below(&tree, objects, &mut known)? {
                actions.entry(id).or_default().push(action);
            }
        }
        Ok(actions)
    }

    /// The given objects that a tree holds, itself included, as far as it can be read.
    fn damaged_below(
        &self,
        tree: &TreeId,
        objects: &BTreeSet<Digest>,
        known: &mut BTreeMap<TreeId, BTreeSet<Digest>>,
    ) -> Result<BTreeSet<Digest>> {
        if let Some(found) = known.get(tree) {
            return Ok(found.clone());
        }
        let mut found = BTreeSet::new();
        if objects.contains(tree.digest()) {
            found.insert(*tree.digest());
        }
        let directory = match self.directory(tree) {
            Ok(directory) => Some(directory),
            Err(StoreError::MissingTree { .. } | StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        for entry in directory.iter().flat_map(|directory| directory.entries()) {
            match &entry.node {
                Node::File { blob, .. } if objects.contains(blob.digest()) => {
                    found.insert(*blob.digest());
                }
                Node::File { .. } | Node::Symlink { .. } => {}
                Node::Directory { tree } => {
                    found.extend(self.damaged_below(tree, objects, known)?);
                }
            }
        }
        known.insert(*tree, found.clone());
        Ok(found)
    }

    /// Notes that the index file is not as its last user left it.
    pub(crate) fn note_damaged_index(&self, path: &[u8], what: &str) {
        lock(&self.found_at_opening).push(Damage {
            path: String::from_utf8_lossy(path).into_owned(),
            offset: 0,
            what: what.to_owned(),
        });
    }

    fn verify_index(&self, findings: &mut Findings) -> Result<()> {
        let problems: Vec<String> = self.index()?.read("check its integrity", |connection| {
            connection
                .prepare("PRAGMA integrity_check")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        for problem in problems.iter().filter(|problem| *problem != "ok") {
            findings.add(INDEX_FILE, 0, problem);
        }
        for difference in self.index_differences()? {
            findings.add(INDEX_FILE, 0, &difference);
        }
        Ok(())
    }
}
