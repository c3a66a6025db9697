//! What was asked for in workspaces, and what came of it.

use std::collections::BTreeSet;

use rusqlite::params;
use stxl_model::BlobId;

use crate::error::StoreError;
use crate::index::digest_at;
use crate::record::{HistoryEntry, Record, split_trees};
use crate::store::{Store, lock};

type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Remembers what was asked for in a workspace; its outputs are kept from collection.
    pub fn set_history(&self, entry: HistoryEntry) {
        self.remember(Record::History(entry));
    }

    /// What a request in a workspace last came to.
    pub fn history(&self, workspace: &str, request: &str) -> Result<Option<HistoryEntry>> {
        let entries = self.roots()?.history;
        Ok(entries
            .into_iter()
            .find(|entry| entry.workspace == workspace && entry.request == request))
    }

    /// The requests in a workspace, each once, the last one first.
    pub fn requests(&self, workspace: &str) -> Result<Vec<HistoryEntry>> {
        let published: Vec<HistoryEntry> = self.index()?.read("list requests", |connection| {
            connection
                .prepare_cached(
                    "SELECT request, plan, outputs FROM history WHERE workspace = ?1 ORDER BY position DESC",
                )?
                .query_map(params![workspace], |row| {
                    Ok(HistoryEntry {
                        workspace: workspace.to_owned(),
                        request: row.get(0)?,
                        plan: BlobId::from_digest(digest_at(row, 1)?),
                        outputs: split_trees(&row.get::<_, Vec<u8>>(2)?),
                    })
                })?
                .collect()
        })?;
        let pending = lock(&self.pending);
        let mut requests: Vec<HistoryEntry> = Vec::new();
        for record in pending.records.iter().rev() {
            if let Record::History(entry) = record
                && entry.workspace == workspace
            {
                requests.push(entry.clone());
            }
        }
        requests.extend(published);
        let mut known: BTreeSet<String> = BTreeSet::new();
        requests.retain(|entry| known.insert(entry.request.clone()));
        Ok(requests)
    }
}
