//! The ledger: which address gave which bytes, and when.
//!
//! A file of lines beside the database, so that it outlives everything that is collected. A line is
//! the time, the hash, what it means, the address and a check. Lines without their check are passed
//! over; nothing that is built depends on them.

use std::os::fd::OwnedFd;

use stxl_model::{BlobId, Sha256};

use crate::disk::{Access, Lock};
use crate::entry::CHECK_BYTES;
use crate::error::StoreError;
use crate::store::{Store, now};

pub(crate) const LEDGER_FILE: &[u8] = b"ledger";

/// The longest ledger; then the lines of the oldest half go.
const LEDGER_BYTES_MAX: u64 = 16 << 20;

type Result<T> = std::result::Result<T, StoreError>;

/// What an address gave once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Seconds since 1970.
    pub time: u64,
    /// The address, without a password.
    pub address: String,
    /// The hash of what it gave.
    pub sha256: Sha256,
    /// Whether that was what was asked for.
    pub outcome: LedgerOutcome,
}

/// What came of asking an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerOutcome {
    /// The bytes of the lock.
    Verified,
    /// Other bytes.
    Contradicted,
}

impl LedgerOutcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Verified => "gave",
            Self::Contradicted => "lied",
        }
    }
}

impl Store {
    /// Everything that is in the ledger, the oldest first.
    pub fn ledger(&self) -> Result<Vec<LedgerEntry>> {
        let file = self
            .disk
            .open_if_there(self.root(), LEDGER_FILE, Access::Read)?;
        let Some(file) = file else {
            return Ok(Vec::new());
        };
        let bytes = self.disk.read_to_end(&file, LEDGER_FILE, 0)?;
        Ok(lines_of(&bytes)
            .filter_map(|(_, line)| parse(line))
            .collect())
    }

    /// Writes down what an address gave; an address with a line break is none.
    pub fn note_in_ledger(
        &self,
        address: &str,
        sha256: &Sha256,
        outcome: LedgerOutcome,
    ) -> Result<()> {
        if address.contains(['\n', '\t', '\r']) {
            return Ok(());
        }
        let text = format!("{}\t{sha256}\t{}\t{address}", now(), outcome.word());
        let line = format!("{text}\t{}\n", check_text(text.as_bytes()));
        let file = self.disk.open_or_create(self.root(), LEDGER_FILE)?;
        self.disk.lock(&file, LEDGER_FILE, Lock::Exclusive)?;
        let size = self.shortened(&file, line.len() as u64)?;
        let written = self
            .disk
            .write_all_at(&file, LEDGER_FILE, line.as_bytes(), size);
        if written.is_err() {
            self.disk.truncate(&file, LEDGER_FILE, size)?;
        }
        written?;
        self.disk.sync(&file, LEDGER_FILE)
    }

    /// The size of the ledger once there is room for a line in it.
    fn shortened(&self, file: &OwnedFd, line_bytes: u64) -> Result<u64> {
        let size = self.disk.stat(file, LEDGER_FILE)?.st_size.cast_unsigned();
        if size + line_bytes <= LEDGER_BYTES_MAX {
            return Ok(size);
        }
        let kept = self.disk.read_to_end(file, LEDGER_FILE, size / 2)?;
        let begin = kept
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(kept.len(), |at| at + 1);
        self.rewrite_ledger(file, &kept[begin..])
    }

    fn rewrite_ledger(&self, file: &OwnedFd, kept: &[u8]) -> Result<u64> {
        self.disk.write_all_at(file, LEDGER_FILE, kept, 0)?;
        self.disk.truncate(file, LEDGER_FILE, kept.len() as u64)?;
        Ok(kept.len() as u64)
    }

    /// Drops the lines without their check.
    pub(crate) fn repair_ledger(&self) -> Result<()> {
        let file = self.disk.open_or_create(self.root(), LEDGER_FILE)?;
        self.disk.lock(&file, LEDGER_FILE, Lock::Exclusive)?;
        let bytes = self.disk.read_to_end(&file, LEDGER_FILE, 0)?;
        let whole = lines_of(&bytes).filter(|(_, line)| parse(line).is_some());
        let kept: Vec<u8> = whole
            .flat_map(|(_, line)| line.iter().chain(b"\n"))
            .copied()
            .collect();
        self.rewrite_ledger(&file, &kept).map(drop)
    }
}

/// Where lines without their check begin.
pub(crate) fn damaged_lines(bytes: &[u8]) -> Vec<usize> {
    lines_of(bytes)
        .filter(|(_, line)| parse(line).is_none())
        .map(|(offset, _)| offset)
        .collect()
}

/// Lines, and where they begin.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut offset = 0;
    let lines = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(move |line| {
            let begin = offset;
            offset += line.len();
            (begin, line.strip_suffix(b"\n").unwrap_or(line))
        });
    lines.filter(|(_, line)| !line.is_empty())
}

fn parse(line: &[u8]) -> Option<LedgerEntry> {
    let line = std::str::from_utf8(line).ok()?;
    let (text, check) = line.rsplit_once('\t')?;
    if check != check_text(text.as_bytes()) {
        return None;
    }
    let mut fields = text.splitn(4, '\t');
    let time = fields.next()?.parse().ok()?;
    let sha256 = Sha256::parse(fields.next()?).ok()?;
    let outcome = match fields.next()? {
        "gave" => LedgerOutcome::Verified,
        "lied" => LedgerOutcome::Contradicted,
        _ => return None,
    };
    let address = fields.next()?.to_owned();
    Some(LedgerEntry {
        time,
        address,
        sha256,
        outcome,
    })
}

fn check_text(bytes: &[u8]) -> String {
    let mut hex = BlobId::of(bytes).digest().to_hex();
    hex.truncate(2 * CHECK_BYTES);
    hex
}
