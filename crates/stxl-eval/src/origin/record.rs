//! The record that `stxl eval --origin --json` prints, and the same on its way from the child.

use serde::{Deserialize, Serialize};

use super::{Provenance, Waypoint};

/// Version of the record; raised when a field changes its meaning or goes.
pub const ORIGIN_RECORD_VERSION: u32 = 1;

/// A provenance for scripts.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginRecord {
    version: u32,
    event: String,
    label: String,
    field: String,
    value: Option<String>,
    chain: Vec<WaypointRecord>,
    unknown: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WaypointRecord {
    what: String,
    file: String,
    line: u32,
    column: u32,
    text: String,
}

impl OriginRecord {
    /// The record of a provenance.
    pub fn of(provenance: &Provenance) -> Self {
        let Provenance {
            label,
            field,
            value,
            chain,
            unknown,
        } = provenance.clone();
        let waypoint = |waypoint: Waypoint| WaypointRecord {
            what: waypoint.what,
            file: waypoint.file,
            line: waypoint.line,
            column: waypoint.column,
            text: waypoint.text,
        };
        Self {
            version: ORIGIN_RECORD_VERSION,
            event: "origin".to_owned(),
            label,
            field,
            value,
            chain: chain.into_iter().map(waypoint).collect(),
            unknown,
        }
    }

    fn into_provenance(self) -> Provenance {
        let waypoint = |waypoint: WaypointRecord| Waypoint {
            what: waypoint.what,
            file: waypoint.file,
            line: waypoint.line,
            column: waypoint.column,
            text: waypoint.text,
        };
        Provenance {
            label: self.label,
            field: self.field,
            value: self.value,
            chain: self.chain.into_iter().map(waypoint).collect(),
            unknown: self.unknown,
        }
    }
}

pub(super) fn encode(found: &Result<Provenance, String>) -> Vec<u8> {
    let record = found.as_ref().map(OriginRecord::of);
    // Texts and numbers can always be written.
    serde_json::to_vec(&record).unwrap_or_default()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Result<Provenance, String>, serde_json::Error> {
    let record: Result<OriginRecord, String> = serde_json::from_slice(bytes)?;
    Ok(record.map(OriginRecord::into_provenance))
}
