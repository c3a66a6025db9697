//! Answers to whole requests: what a build of many outputs came to, in one row of the index.
//!
//! An answer holds for as long as no choice is given up and no object removed. It is in the index
//! alone: whoever finds none resolves the request again.

use rusqlite::{OptionalExtension as _, params};
use stxl_model::{BlobId, Digest, TreeId};

use crate::error::StoreError;
use crate::index::{self, u64_at};
use crate::lease::Sweep;
use crate::record::{join_trees, split_trees};
use crate::store::{Store, now};

type Result<T> = std::result::Result<T, StoreError>;

/// How many answers are kept.
const ANSWERS_MAX: i64 = 16;

/// A state of choices and objects; two are equal if nothing was given up or removed between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    generation: u64,
    sweep: Sweep,
}

impl Store {
    /// The present state of choices and objects.
    pub fn moment(&self) -> Result<Moment> {
        Ok(Moment {
            generation: self.generation()?,
            sweep: self.session.sweep(&self.disk)?,
        })
    }

    /// The trees that a request came to, if nothing was given up or removed since.
    pub fn answer(&self, request: &Digest) -> Result<Option<Vec<TreeId>>> {
        let Moment { generation, sweep } = self.moment()?;
        let row: Option<(Vec<u8>, [u8; 32], u64)> =
            self.index()?.read("find an answer", |connection| {
                connection
                    .prepare_cached(
                        "SELECT trees, digest, sweep FROM answers WHERE request = ?1 AND generation = ?2",
                    )?
                    .query_row(
                        params![request.as_bytes().as_slice(), generation.cast_signed()],
                        |row| Ok((row.get(0)?, row.get(1)?, u64_at(row, 2)?)),
                    )
                    .optional()
            })?;
        Ok(row.and_then(|(trees, digest, made)| {
            let is_whole = BlobId::of(&trees).digest().as_bytes() == &digest;
            let is_untouched = sweep.is_settled() && made == sweep.count();
            (is_untouched && is_whole).then(|| split_trees(&trees))
        }))
    }

    /// Remembers the trees that a request came to, all complete and committed; `since` was asked
    /// for before the first of them was looked at.
    pub fn set_answer(&self, request: &Digest, trees: &[TreeId], since: Moment) -> Result<()> {
        let Moment { generation, sweep } = since;
        let trees = join_trees(trees);
        self.invalidate_index_sum()?;
        self.index()?.write("remember an answer", |transaction| {
            if index::generation(transaction)? != generation {
                return Ok(());
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO answers VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![
                    request.as_bytes().as_slice(),
                    generation.cast_signed(),
                    sweep.count().cast_signed(),
                    now().cast_signed(),
                    BlobId::of(&trees).digest().as_bytes().as_slice(),
                    trees,
                ])?;
            transaction
                .prepare_cached(
                    "DELETE FROM answers WHERE request NOT IN (SELECT request FROM answers ORDER BY made DESC, request = ?1 DESC LIMIT ?2)",
                )?
                .execute(params![request.as_bytes().as_slice(), ANSWERS_MAX])?;
            Ok(())
        })
    }
}
