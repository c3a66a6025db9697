//! The build trace and what is remembered beside it: choices, memos, durations, history, roots.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use stxl_model::{ActionId, BlobId, DerivationId, Digest, Realisation, TreeId};

use crate::entry::{EntryKind, HEADER_BYTES, read_header};
use crate::error::StoreError;
use crate::index::{self, digest_at, u64_at};
use crate::journal::JOURNAL_FILE;
use crate::out_link::out_links;
use crate::record::{HistoryEntry, Record, split_trees};
use crate::store::{Store, lock, now};

type Result<T> = std::result::Result<T, StoreError>;

/// From how many derivations on tables are read from front to back.
const SCANNED_MIN: usize = 256;
/// How many times as many rows as derivations are read that way.
const SCANNED_FACTOR_MAX: usize = 8;

/// What recording a realisation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is the first one of its action and counts from here on.
    Chosen,
    /// It says the same tree as the one that counts.
    Confirmed,
    /// It gave another tree than the one that counts; that one stays.
    Differs {
        /// The one that counts.
        chosen: Realisation,
    },
}

/// A derivation whose action and tree are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The action.
    pub action: ActionId,
    /// The tree of its chosen realisation.
    pub tree: TreeId,
}

/// What is kept from collection beside leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Trees with a name.
    pub named: BTreeMap<String, TreeId>,
    /// Symlinks outside the store, by their absolute paths.
    pub out_links: BTreeMap<Vec<u8>, TreeId>,
    /// What was last asked for in each workspace.
    pub history: Vec<HistoryEntry>,
}

impl Store {
    /// Records what an action gave. The first realisation of an action stays chosen.
    pub fn record(&self, realisation: Realisation) -> Result<Recorded> {
        let chosen = self.chosen(&realisation.action)?;
        let recorded = match chosen {
            None => Recorded::Chosen,
            Some(chosen) if chosen.tree == realisation.tree => Recorded::Confirmed,
            Some(chosen) => Recorded::Differs { chosen },
        };
        self.remember(Record::Realisation(realisation));
        Ok(recorded)
    }

    /// The realisation of an action that counts. Its objects may have been collected.
    pub fn chosen(&self, action: &ActionId) -> Result<Option<Realisation>> {
        let pending = lock(&self.pending).chosen.get(action).cloned();
        let published = self.published_realisation(action)?;
        Ok(published.or(pending))
    }

    fn published_realisation(&self, action: &ActionId) -> Result<Option<Realisation>> {
        let record: Option<Vec<u8>> =
            self.index()?.read("find the chosen realisation", |connection| {
                connection
                    .prepare_cached(
                        "SELECT r.record FROM choices c JOIN realisations r ON r.action = c.action AND r.position = c.position WHERE c.action = ?1",
                    )?
                    .query_row([action.digest().as_bytes().as_slice()], |row| row.get(0))
                    .optional()
            })?;
        record.map(|record| decode(&record)).transpose()
    }

    /// All realisations of an action, the earliest first.
    pub fn realisations(&self, action: &ActionId) -> Result<Vec<Realisation>> {
        let records: Vec<Vec<u8>> = self.index()?.read("list realisations", |connection| {
            connection
                .prepare_cached(
                    "SELECT record FROM realisations WHERE action = ?1 ORDER BY position",
                )?
                .query_map([action.digest().as_bytes().as_slice()], |row| row.get(0))?
                .collect()
        })?;
        let mut realisations = records
            .iter()
            .map(|record| decode(record))
            .collect::<Result<Vec<_>>>()?;
        for record in &lock(&self.pending).records {
            if let Record::Realisation(realisation) = record
                && realisation.action == *action
            {
                realisations.push(realisation.clone());
            }
        }
        Ok(realisations)
    }

    /// How long ago the realisation of an action that counts was recorded, in whole seconds that
    /// are over; nothing if none is published, or if that cannot be told.
    pub fn age_of_choice(&self, action: &ActionId) -> Result<Option<Duration>> {
        let position: Option<i64> =
            self.index()?
                .read("find when a realisation was recorded", |connection| {
                    connection
                        .prepare_cached("SELECT position FROM choices WHERE action = ?1")?
                        .query_row([action.digest().as_bytes().as_slice()], |row| row.get(0))
                        .optional()
                })?;
        let Some(position) = position else {
            return Ok(None);
        };
        let journal = self.disk.open_or_create(self.root(), JOURNAL_FILE)?;
        let mut header = [0; HEADER_BYTES];
        let offset = position.cast_unsigned();
        self.disk
            .read_at(&journal, JOURNAL_FILE, &mut header, offset)?;
        // After a compaction something else is there.
        let header = read_header(&header).filter(|header| header.kind == EntryKind::Realisation);
        // A second that has begun is not over.
        let age = header.and_then(|header| now().checked_sub(header.created)?.checked_sub(1));
        Ok(age.map(Duration::from_secs))
    }

    /// Gives up the choice of an action, so that the next realisation recorded is chosen. Memos
    /// made so far no longer count.
    pub fn release_choice(&self, action: &ActionId) -> Result<()> {
        self.remember(Record::Release { action: *action });
        self.publish()
    }

    /// How often a choice was given up so far.
    pub fn generation(&self) -> Result<u64> {
        self.index()?.read("read the generation", index::generation)
    }

    /// Remembers which action a derivation resolved to.
    pub fn set_memo(&self, derivation: &DerivationId, action: &ActionId) -> Result<()> {
        let generation = self.generation()?;
        if self.memo(derivation)? != Some(*action) {
            self.remember(Record::Memo {
                derivation: *derivation,
                action: *action,
                generation,
            });
        }
        Ok(())
    }

    /// The action a derivation resolved to in the present generation of choices.
    pub fn memo(&self, derivation: &DerivationId) -> Result<Option<ActionId>> {
        let generation = self.generation()?;
        if let Some((action, made)) = lock(&self.pending).memos.get(derivation) {
            return Ok((*made == generation).then_some(*action));
        }
        self.index()?
            .read("find a memo", |connection| {
                connection
                    .prepare_cached(
                        "SELECT action FROM memos WHERE derivation = ?1 AND generation = ?2",
                    )?
                    .query_row(
                        params![
                            derivation.digest().as_bytes().as_slice(),
                            generation.cast_signed()
                        ],
                        |row| digest_at(row, 0),
                    )
                    .optional()
            })
            .map(|found| found.map(ActionId::from_digest))
    }

    /// The actions and trees of many derivations at once, in the order asked for; nothing where a
    /// memo or a choice is missing.
    pub fn resolve(&self, derivations: &[DerivationId]) -> Result<Vec<Option<Resolved>>> {
        let mut resolved = self.index()?.read("resolve derivations", |connection| {
            let generation = index::generation(connection)?;
            if derivations.len() >= SCANNED_MIN
                && let Some(resolved) = resolve_by_scan(connection, generation, derivations)?
            {
                return Ok(resolved);
            }
            resolve_one_by_one(connection, generation, derivations)
        })?;
        let has_pending = !lock(&self.pending).records.is_empty();
        if has_pending {
            for (slot, derivation) in resolved.iter_mut().zip(derivations) {
                if slot.is_none() {
                    *slot = self.resolve_pending(derivation)?;
                }
            }
        }
        Ok(resolved)
    }

    fn resolve_pending(&self, derivation: &DerivationId) -> Result<Option<Resolved>> {
        let Some(action) = self.memo(derivation)? else {
            return Ok(None);
        };
        let chosen = self.chosen(&action)?;
        Ok(chosen.map(|chosen| Resolved {
            action,
            tree: chosen.tree,
        }))
    }

    /// Remembers how long a step of a package took.
    pub fn set_duration(&self, label: &str, step: &str, duration_ms: u64) {
        self.remember(Record::Duration {
            label: label.to_owned(),
            step: step.to_owned(),
            duration_ms,
        });
    }

    /// How long the steps of all packages took when they were last executed, by label and step.
    pub fn durations(&self) -> Result<BTreeMap<(String, String), u64>> {
        let mut durations: BTreeMap<(String, String), u64> =
            self.index()?.read("list durations", |connection| {
                connection
                    .prepare_cached("SELECT label, step, duration_ms FROM durations")?
                    .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), u64_at(row, 2)?)))?
                    .collect()
            })?;
        for record in &lock(&self.pending).records {
            if let Record::Duration {
                label,
                step,
                duration_ms,
            } = record
            {
                durations.insert((label.clone(), step.clone()), *duration_ms);
            }
        }
        Ok(durations)
    }

    /// Gives a tree a name that keeps it from collection, or takes the name away.
    pub fn set_root(&self, name: &str, tree: Option<TreeId>) {
        self.remember(Record::Root {
            name: name.to_owned(),
            tree,
        });
    }

    /// Registers a symlink outside the store, by its absolute path, that keeps a tree from
    /// collection for as long as it points into this store, and the checkout it leads to as well;
    /// or takes it off the list.
    pub fn set_out_link(&self, path: &[u8], tree: Option<TreeId>) {
        self.remember(Record::OutLink {
            path: path.to_vec(),
            tree,
        });
    }

    /// Everything that is kept from collection beside leases.
    pub fn roots(&self) -> Result<Roots> {
        let mut roots = self.index()?.read("list roots", |connection| {
            let named = connection
                .prepare_cached("SELECT name, tree FROM roots")?
                .query_map([], |row| {
                    Ok((row.get(0)?, TreeId::from_digest(digest_at(row, 1)?)))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let out_links = out_links(connection)?;
            let history = connection
                .prepare_cached("SELECT workspace, request, plan, outputs FROM history")?
                .query_map([], |row| {
                    Ok(HistoryEntry {
                        workspace: row.get(0)?,
                        request: row.get(1)?,
                        plan: BlobId::from_digest(digest_at(row, 2)?),
                        outputs: split_trees(&row.get::<_, Vec<u8>>(3)?),
                    })
                })?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Roots {
                named,
                out_links,
                history,
            })
        })?;
        for record in &lock(&self.pending).records {
            roots.apply(record);
        }
        Ok(roots)
    }

    /// Adds a record to those that wait for publication.
    pub(crate) fn remember(&self, record: Record) {
        lock(&self.pending).add(record);
    }
}

impl Roots {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::Root { name, tree } => {
                match tree {
                    Some(tree) => self.named.insert(name.clone(), *tree),
                    None => self.named.remove(name),
                };
            }
            Record::OutLink { path, tree } => {
                match tree {
                    Some(tree) => self.out_links.insert(path.clone(), *tree),
                    None => self.out_links.remove(path),
                };
            }
            Record::History(entry) => {
                self.history.retain(|other| {
                    (&other.workspace, &other.request) != (&entry.workspace, &entry.request)
                });
                self.history.push(entry.clone());
            }
            Record::Realisation(_)
            | Record::Memo { .. }
            | Record::Duration { .. }
            | Record::Layers { .. }
            | Record::Release { .. } => {}
        }
    }
}

fn resolve_one_by_one(
    connection: &Connection,
    generation: u64,
    derivations: &[DerivationId],
) -> rusqlite::Result<Vec<Option<Resolved>>> {
    let mut statement = connection.prepare_cached(
        "SELECT m.action, c.tree FROM memos m JOIN choices c ON c.action = m.action WHERE m.derivation = ?1 AND m.generation = ?2",
    )?;
    derivations
        .iter()
        .map(|derivation| {
            let key = derivation.digest().as_bytes().as_slice();
            statement
                .query_row(params![key, generation.cast_signed()], |row| {
                    Ok(Resolved {
                        action: ActionId::from_digest(digest_at(row, 0)?),
                        tree: TreeId::from_digest(digest_at(row, 1)?),
                    })
                })
                .optional()
        })
        .collect()
}

/// Reads both tables from front to back, which is several times faster than asking for most of
/// their rows one by one. Gives up when they hold far more than is asked for.
fn resolve_by_scan(
    connection: &Connection,
    generation: u64,
    derivations: &[DerivationId],
) -> rusqlite::Result<Option<Vec<Option<Resolved>>>> {
    let rows_max = derivations.len().saturating_mul(SCANNED_FACTOR_MAX);
    let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let memos: Vec<(Digest, Digest)> = connection
        .prepare_cached(
            "SELECT derivation, action FROM memos WHERE generation = ?1 ORDER BY derivation LIMIT ?2",
        )?
        .query_map(params![generation.cast_signed(), limit], read_pair)?
        .collect::<rusqlite::Result<_>>()?;
    let choices: Vec<(Digest, Digest)> = connection
        .prepare_cached("SELECT action, tree FROM choices ORDER BY action LIMIT ?1")?
        .query_map([limit], read_pair)?
        .collect::<rusqlite::Result<_>>()?;
    if memos.len() >= rows_max || choices.len() >= rows_max {
        return Ok(None);
    }
    let find = |pairs: &[(Digest, Digest)], key: &Digest| {
        let found = pairs.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        pairs.get(found).map(|(_, value)| *value)
    };
    let resolve = |derivation: &DerivationId| {
        let action = find(&memos, derivation.digest())?;
        let tree = find(&choices, &action)?;
        Some(Resolved {
            action: ActionId::from_digest(action),
            tree: TreeId::from_digest(tree),
        })
    };
    Ok(Some(derivations.iter().map(resolve).collect()))
}

fn read_pair(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Digest, Digest)> {
    Ok((digest_at(row, 0)?, digest_at(row, 1)?))
}

fn decode(record: &[u8]) -> Result<Realisation> {
    Realisation::decode(record).map_err(|error| StoreError::Damaged {
        path: "index.db".to_owned(),
        offset: error.offset as u64,
        what: "a realisation",
    })
}
