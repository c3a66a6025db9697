//! The index: tables of a database that answer questions about the files quickly.
//!
//! Every row can be made again from packs and journal; nothing is in the index alone. So it is
//! never synced by itself, and one of another schema is made again.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use stxl_model::{Digest, TreeId};

use crate::entry::EntryKind;
use crate::error::StoreError;
use crate::record::{HistoryEntry, Record, join_trees, trees_of};

const SCHEMA_VERSION: i64 = 3;

const SCHEMA: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE files(number INTEGER PRIMARY KEY, indexed INTEGER NOT NULL, synced INTEGER NOT NULL, boot TEXT NOT NULL);
CREATE TABLE objects(id BLOB NOT NULL, kind INTEGER NOT NULL, pack INTEGER NOT NULL, start INTEGER NOT NULL, bytes INTEGER NOT NULL, created INTEGER NOT NULL, PRIMARY KEY(id, pack, start)) WITHOUT ROWID;
CREATE INDEX objects_by_pack ON objects(pack);
CREATE TABLE realisations(action BLOB NOT NULL, position INTEGER NOT NULL, tree BLOB NOT NULL, record BLOB NOT NULL, PRIMARY KEY(action, position)) WITHOUT ROWID;
CREATE TABLE choices(action BLOB PRIMARY KEY, tree BLOB NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE memos(derivation BLOB PRIMARY KEY, action BLOB NOT NULL, generation INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE durations(label TEXT NOT NULL, step TEXT NOT NULL, duration_ms INTEGER NOT NULL, PRIMARY KEY(label, step)) WITHOUT ROWID;
CREATE TABLE history(workspace TEXT NOT NULL, request TEXT NOT NULL, plan BLOB NOT NULL, outputs BLOB NOT NULL, created INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY(workspace, request)) WITHOUT ROWID;
CREATE TABLE roots(name TEXT PRIMARY KEY, tree BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE out_links(path BLOB PRIMARY KEY, tree BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE answers(request BLOB PRIMARY KEY, generation INTEGER NOT NULL, sweep INTEGER NOT NULL, made INTEGER NOT NULL, digest BLOB NOT NULL, trees BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE layers(tree BLOB PRIMARY KEY, layers BLOB NOT NULL) WITHOUT ROWID;
";

/// The tables that hold records of the journal; the others describe packs.
pub(crate) const JOURNAL_TABLES: [&str; 8] = [
    "realisations",
    "choices",
    "memos",
    "durations",
    "history",
    "roots",
    "out_links",
    "layers",
];

/// The number under which the journal stands among the files; packs count from 1.
pub(crate) const JOURNAL: u64 = 0;

type Result<T> = std::result::Result<T, StoreError>;

pub(crate) struct Index {
    connection: Mutex<Connection>,
    medium: Medium,
}

/// Where an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Disk,
    Memory,
}

/// Where in the packs an object lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) kind: EntryKind,
    pub(crate) pack: u64,
    /// Where its header begins.
    pub(crate) start: u64,
    /// How long its payload is.
    pub(crate) bytes: u64,
    pub(crate) created: u64,
}

/// How much of a file is in the index and how much is known to be on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    pub(crate) indexed: u64,
    pub(crate) synced: u64,
    /// The boot in which the row was last written.
    pub(crate) boot: String,
}

impl Index {
    /// Opens the index; one without tables, or with those of another version, is made empty and
    /// reported as fresh.
    pub(crate) fn open(path: &Path) -> Result<(Self, Freshness)> {
        let connection = Connection::open(path).map_err(StoreError::index("open"))?;
        Self::configure(&connection).map_err(StoreError::index("configure"))?;
        let index = Self {
            connection: Mutex::new(connection),
            medium: Medium::Disk,
        };
        let version: i64 = index
            .connection()
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(StoreError::index("read the version"))?;
        if version == SCHEMA_VERSION {
            return Ok((index, Freshness::Known));
        }
        index.write("make the tables", |transaction| {
            reset(transaction)?;
            Ok(())
        })?;
        Ok((index, Freshness::Fresh))
    }

    /// Where it is.
    pub(crate) fn medium(&self) -> Medium {
        self.medium
    }

    /// An index in memory, for comparing with the one on the disk, or in its place.
    pub(crate) fn in_memory() -> Result<Self> {
        let connection = Connection::open_in_memory().map_err(StoreError::index("open"))?;
        let index = Self {
            connection: Mutex::new(connection),
            medium: Medium::Memory,
        };
        index.write("make the tables", reset)?;
        Ok(index)
    }

    fn configure(connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(std::time::Duration::from_mins(1))?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(())
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs reads.
    pub(crate) fn read<T>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        work(&self.connection()).map_err(StoreError::index(what))
    }

    /// Runs a transaction that no other writer can come between.
    pub(crate) fn write<T>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let run = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run(&mut self.connection()).map_err(StoreError::index(what))
    }

    pub(crate) fn object(&self, id: &Digest) -> Result<Option<Location>> {
        self.read("find an object", |connection| {
            connection
                .prepare_cached(
                    "SELECT kind, pack, start, bytes, created FROM objects WHERE id = ?1 LIMIT 1",
                )?
                .query_row([id.as_bytes().as_slice()], read_location)
                .optional()
        })
    }
}

/// Whether an index was there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Known,
    Fresh,
}

pub(crate) fn read_location(row: &rusqlite::Row<'_>) -> rusqlite::Result<Location> {
    let code: u8 = row.get(0)?;
    Ok(Location {
        // A row with an unknown kind finds no object, as if it were missing.
        kind: EntryKind::from_code(code).unwrap_or(EntryKind::Release),
        pack: u64_at(row, 1)?,
        start: u64_at(row, 2)?,
        bytes: u64_at(row, 3)?,
        created: u64_at(row, 4)?,
    })
}

/// Drops every table and makes them again, empty.
pub(crate) fn reset(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let tables: Vec<String> = transaction
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables {
        transaction.execute_batch(&format!("DROP TABLE \"{table}\""))?;
    }
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)
}

pub(crate) fn file_state(
    connection: &Connection,
    number: u64,
) -> rusqlite::Result<Option<FileState>> {
    connection
        .prepare_cached("SELECT indexed, synced, boot FROM files WHERE number = ?1")?
        .query_row([number.cast_signed()], |row| {
            Ok(FileState {
                indexed: u64_at(row, 0)?,
                synced: u64_at(row, 1)?,
                boot: row.get(2)?,
            })
        })
        .optional()
}

pub(crate) fn all_files(connection: &Connection) -> rusqlite::Result<Vec<(u64, FileState)>> {
    connection
        .prepare_cached("SELECT number, indexed, synced, boot FROM files ORDER BY number")?
        .query_map([], |row| {
            let state = FileState {
                indexed: u64_at(row, 1)?,
                synced: u64_at(row, 2)?,
                boot: row.get(3)?,
            };
            Ok((u64_at(row, 0)?, state))
        })?
        .collect()
}

pub(crate) fn set_file_state(
    transaction: &Transaction<'_>,
    number: u64,
    state: &FileState,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO files VALUES(?1, ?2, ?3, ?4)")?
        .execute(params![
            number.cast_signed(),
            state.indexed.cast_signed(),
            state.synced.cast_signed(),
            state.boot
        ])?;
    Ok(())
}

/// Forgets a pack and all that lies in it.
pub(crate) fn remove_pack(transaction: &Transaction<'_>, number: u64) -> rusqlite::Result<()> {
    let number = number.cast_signed();
    transaction.execute("DELETE FROM objects WHERE pack = ?1", [number])?;
    transaction.execute("DELETE FROM files WHERE number = ?1", [number])?;
    Ok(())
}

/// Adds an entry of a pack. One object can lie in several packs when processes put it at once.
pub(crate) fn add_object(
    transaction: &Transaction<'_>,
    id: &Digest,
    location: &Location,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO objects VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            id.as_bytes().as_slice(),
            location.kind as u8,
            location.pack.cast_signed(),
            location.start.cast_signed(),
            location.bytes.cast_signed(),
            location.created.cast_signed(),
        ])?;
    Ok(())
}

/// Gives a record of the journal its rows. `position` is where it stands in the journal.
pub(crate) fn apply(
    transaction: &Transaction<'_>,
    position: u64,
    created: u64,
    record: &Record,
) -> rusqlite::Result<()> {
    match record {
        Record::Realisation(realisation) => {
            let action = realisation.action.digest().as_bytes().as_slice();
            let tree = realisation.tree.digest().as_bytes().as_slice();
            transaction
                .prepare_cached("INSERT OR IGNORE INTO realisations VALUES(?1, ?2, ?3, ?4)")?
                .execute(params![
                    action,
                    position.cast_signed(),
                    tree,
                    realisation.encode()
                ])?;
            transaction
                .prepare_cached("INSERT OR IGNORE INTO choices VALUES(?1, ?2, ?3)")?
                .execute(params![action, tree, position.cast_signed()])?;
        }
        Record::Memo {
            derivation,
            action,
            generation,
        } => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO memos VALUES(?1, ?2, ?3)")?
                .execute(params![
                    derivation.digest().as_bytes().as_slice(),
                    action.digest().as_bytes().as_slice(),
                    generation.cast_signed()
                ])?;
        }
        Record::Duration {
            label,
            step,
            duration_ms,
        } => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO durations VALUES(?1, ?2, ?3)")?
                .execute(params![label, step, duration_ms.cast_signed()])?;
        }
        Record::History(entry) => apply_history(transaction, (position, created), entry)?,
        Record::Root { name, tree } => set_tree(transaction, "roots", "name", name, *tree)?,
        Record::OutLink { path, tree } => set_tree(transaction, "out_links", "path", path, *tree)?,
        Record::Layers { tree, layers } => {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO layers VALUES(?1, ?2)")?
                .execute(params![
                    tree.digest().as_bytes().as_slice(),
                    join_trees(&trees_of(layers))
                ])?;
        }
        Record::Release { action } => {
            transaction
                .prepare_cached("DELETE FROM choices WHERE action = ?1")?
                .execute([action.digest().as_bytes().as_slice()])?;
            transaction.execute(
                "INSERT INTO meta VALUES('generation', 1) ON CONFLICT(key) DO UPDATE SET value = value + 1",
                [],
            )?;
        }
    }
    Ok(())
}

fn apply_history(
    transaction: &Transaction<'_>,
    (position, created): (u64, u64),
    entry: &HistoryEntry,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO history VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            entry.workspace,
            entry.request,
            entry.plan.digest().as_bytes().as_slice(),
            join_trees(&entry.outputs),
            created.cast_signed(),
            position.cast_signed()
        ])?;
    Ok(())
}

fn set_tree(
    transaction: &Transaction<'_>,
    table: &str,
    column: &str,
    key: &dyn rusqlite::ToSql,
    tree: Option<TreeId>,
) -> rusqlite::Result<()> {
    match tree {
        Some(tree) => transaction.execute(
            &format!("INSERT OR REPLACE INTO {table} VALUES(?1, ?2)"),
            params![key, tree.digest().as_bytes().as_slice()],
        )?,
        None => transaction.execute(&format!("DELETE FROM {table} WHERE {column} = ?1"), [key])?,
    };
    Ok(())
}

/// The generation of choices: how many were released so far.
pub(crate) fn generation(connection: &Connection) -> rusqlite::Result<u64> {
    let value = connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'generation'")?
        .query_row([], |row| u64_at(row, 0))
        .optional()?;
    Ok(value.unwrap_or(0))
}

pub(crate) fn u64_at(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(crate) fn digest_at(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    row.get::<_, [u8; 32]>(column).map(Digest::from_bytes)
}
