//! Comparing the rows of the index with those that the files give.

use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::Result;
use crate::index::JOURNAL_TABLES;
use crate::store::Store;

impl Store {
    /// What the index says otherwise than the files; nothing when they agree.
    pub(crate) fn index_differences(&self) -> Result<Vec<String>> {
        let files = self.index_of_files()?;
        let mut differences = Vec::new();
        let mut tables: Vec<&str> = JOURNAL_TABLES.to_vec();
        tables.push("meta");
        for table in tables {
            let query = format!("SELECT * FROM {table}");
            self.compare(&files, &query, table, &mut differences)?;
        }
        let query = "SELECT * FROM objects";
        self.compare(&files, query, "objects", &mut differences)?;
        differences.extend(self.rows_that_lie()?);
        Ok(differences)
    }

    fn compare(
        &self,
        files: &crate::index::Index,
        query: &str,
        table: &str,
        differences: &mut Vec<String>,
    ) -> Result<()> {
        let here = self
            .index()?
            .read("list rows", |connection| rows(connection, query))?;
        let there = files.read("list rows", |connection| rows(connection, query))?;
        let extra = here.difference(&there).count();
        let missing = there.difference(&here).count();
        if extra + missing > 0 {
            differences.push(format!(
                "the table `{table}` has {extra} rows that the files do not have and lacks {missing}"
            ));
        }
        Ok(())
    }

    /// Rows of objects that point to something else.
    fn rows_that_lie(&self) -> Result<Vec<String>> {
        let mut lies = Vec::new();
        for number in self.packs_on_disk()? {
            let path = crate::pack::path_of(number);
            let Some(bytes) = self.whole_file(&path)? else {
                continue;
            };
            for (id, location) in self.pack_objects(number)? {
                let start = usize::try_from(location.start).unwrap_or(usize::MAX);
                let header = bytes.get(start..).and_then(crate::entry::read_header);
                let is_true = header.is_some_and(|header| {
                    header.id == id
                        && header.payload_bytes == location.bytes
                        && header.created == location.created
                });
                if !is_true {
                    lies.push(format!("the row of {id} points to something else"));
                }
            }
        }
        Ok(lies)
    }
}

fn rows(connection: &Connection, query: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare(query)?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values: Vec<Value> = (0..columns)
            .map(|column| row.get(column))
            .collect::<rusqlite::Result<_>>()?;
        Ok(format!("{values:?}"))
    })?;
    rows.collect()
}
