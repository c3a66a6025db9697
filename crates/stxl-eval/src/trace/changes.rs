//! What changed since a trace was written whole, beside it: small after an edit, where the trace is
//! large.
//!
//! | bytes | meaning |
//! |---|---|
//! | 0–7 | `stxlchng` |
//! | 8–11 | version, as of traces |
//! | 12–43 | checksum of the trace that it is to be put on |
//! | 44– | records that replace others, with what was read for them and what was looked at again; labels of packages that are gone; labels of stale ones; list of packages |
//! | last 32 | BLAKE3 digest of all before |
//!
//! It holds all changes since that trace, so there is one at most. One that is of another trace,
//! damaged, or gone is as good as none: then what it would tell is looked at and evaluated again.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use stxl_model::{DecodeError, Decoder, PackageLabel};

use super::Trace;
use super::file::{self, CHECKSUM_BYTES, VERSION};
use super::listing::BesideRecords;
use crate::record::{Pieces, Records, decode_label, decode_list, number};

const MAGIC: &[u8; 8] = b"stxlchng";

/// Changes are written beside a trace while they are less than this part of it.
const PART_MIN: usize = 8;

/// The trace on disk that one in memory was made of, and what is another by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// The checksum of the file.
    checksum: [u8; CHECKSUM_BYTES],
    /// Packages whose records are others, new or gone.
    pub(super) packages: BTreeSet<PackageLabel>,
    /// Positions of reads whose looks are others.
    pub(super) reads: BTreeSet<u32>,
}

impl Base {
    /// That of a trace as it is on disk.
    pub(super) const fn new(checksum: [u8; CHECKSUM_BYTES]) -> Self {
        Self {
            checksum,
            packages: BTreeSet::new(),
            reads: BTreeSet::new(),
        }
    }

    /// Whether so little changed that it is written beside the trace.
    pub(super) fn is_close_to(&self, records: &Records) -> bool {
        let is_small = |part: usize, whole: usize| part * PART_MIN < whole;
        is_small(self.packages.len(), records.packages.len())
            && is_small(self.reads.len(), records.reads.len())
    }
}

/// Writes the changes since a trace.
pub(super) fn encode(
    trace: &Trace,
    base: &Base,
    pieces: &mut Pieces<impl Write>,
) -> std::io::Result<()> {
    let mut records = Records::default();
    let mut gone = Vec::new();
    for label in &base.packages {
        if trace.records.packages.contains_key(label) {
            records.absorb(&trace.records, label);
        } else {
            gone.push(label);
        }
    }
    for position in &base.reads {
        records.own_read(&trace.records, *position);
    }
    let listing = trace.listed.reads.iter();
    let listing: Vec<u32> = listing
        .map(|position| records.own_read(&trace.records, *position))
        .collect();
    let head = pieces.encoder();
    head.raw(MAGIC);
    head.u32(VERSION);
    head.raw(&base.checksum);
    records.encode(pieces)?;
    let rest = pieces.encoder();
    rest.count(gone.len());
    gone.iter().for_each(|label| rest.text(label.as_str()));
    rest.count(trace.stale.len());
    trace.stale.iter().for_each(|it| rest.text(it.as_str()));
    trace.listed.encode(&trace.records, &listing, rest);
    Ok(())
}

/// Changes as they were written.
pub(super) struct Changes {
    base: Base,
    records: Records,
    gone: Vec<PackageLabel>,
    stale: Vec<PackageLabel>,
    listed: BesideRecords,
}

/// Changes cannot be read, or are damaged.
pub(super) struct LostChanges;

impl Changes {
    /// Reads changes; none if they are of another trace.
    pub(super) fn decode(bytes: &Arc<Vec<u8>>, trace: &Trace) -> Result<Option<Self>, LostChanges> {
        let lost = |_: DecodeError| LostChanges;
        let Some(base) = &trace.base else {
            return Ok(None);
        };
        let mut head = Decoder::new(bytes);
        let magic: [u8; 8] = head.array().map_err(lost)?;
        let version = head.u32().map_err(lost)?;
        let checksum: [u8; CHECKSUM_BYTES] = head.array().map_err(lost)?;
        let is_other = version != VERSION || checksum != base.checksum;
        if magic == *MAGIC && is_other {
            return Ok(None);
        }
        let (body, _) = file::unseal(bytes).ok_or(LostChanges)?;
        let mut decoder = Decoder::new(body);
        decoder.raw(head.offset()).map_err(lost)?;
        let changes = Self::decode_body(decoder, base, bytes).map_err(lost)?;
        Ok(Some(changes))
    }

    fn decode_body(
        mut decoder: Decoder<'_>,
        base: &Base,
        bytes: &Arc<Vec<u8>>,
    ) -> Result<Self, DecodeError> {
        let records = Records::decode(&mut decoder, bytes)?;
        let gone = decode_list(&mut decoder, decode_label)?;
        let stale = decode_list(&mut decoder, decode_label)?;
        let listed = BesideRecords::decode(&mut decoder, records.reads.len())?;
        decoder.finish()?;
        Ok(Self {
            base: Base::new(base.checksum),
            records,
            gone,
            stale,
            listed,
        })
    }

    /// Puts them on the trace that they are of.
    pub(super) fn put_on(self, trace: Trace) -> Trace {
        let Self {
            mut base,
            records: changes,
            gone,
            stale,
            mut listed,
        } = self;
        let mut records = trace.records;
        base.packages = changes.packages.keys().chain(&gone).cloned().collect();
        for label in &base.packages {
            records.packages.remove(label);
        }
        let mut positions = Vec::with_capacity(changes.reads.len());
        for (read, look) in &changes.reads {
            let (position, known) = records.reads.insert_full(read.clone(), *look);
            if known.is_some_and(|known| known != *look) {
                base.reads.insert(number(position));
            }
            positions.push(number(position));
        }
        for label in changes.packages.keys() {
            records.absorb(&changes, label);
        }
        for read in &mut listed.reads {
            let position = positions.get(*read as usize);
            *read = *position.expect("it was decoded as one of them");
        }
        let listed = listed.complete(&records);
        Trace {
            records,
            stale: stale.into_iter().collect(),
            listed,
            base: Some(base),
        }
    }
}
