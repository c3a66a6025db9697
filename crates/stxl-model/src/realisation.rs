//! Realisations: the records of what actions gave.

use crate::codec::{DecodeError, Decoder, Encoder};
use crate::digest::{ActionId, BlobId, Digest, TreeId};

const REALISATION_MAGIC: &[u8; 4] = b"sxr1";

/// The record "this action gave this tree", one entry of the build trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realisation {
    /// The action.
    pub action: ActionId,
    /// The tree it gave.
    pub tree: TreeId,
    /// What ran it: the version of stxl and the kind of executor.
    pub builder: String,
    /// Wall time of the execution, in milliseconds.
    pub duration_ms: u64,
    /// The whole log, when a process ran.
    pub log: Option<BlobId>,
    /// Which guards the sandbox had.
    pub guards: GuardLevel,
    /// Who may use the record.
    pub scope: RealisationScope,
    /// A signed statement about this record; empty when it is unsigned.
    pub signature: Vec<u8>,
}

/// Which guards an execution had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardLevel {
    /// Every guard.
    Full,
    /// Some were missing, by the user's explicit choice.
    Reduced,
}

/// Who may use a realisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealisationScope {
    /// It can be shared and signed.
    Shareable,
    /// It saw local overlays or reduced guards: never shared, never signed.
    Local,
}

impl Realisation {
    /// The self-describing record as it lies beside the objects.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.raw(REALISATION_MAGIC);
        encoder.raw(self.action.digest().as_bytes());
        encoder.raw(self.tree.digest().as_bytes());
        encoder.text(&self.builder);
        encoder.u64(self.duration_ms);
        match &self.log {
            None => encoder.byte(0),
            Some(log) => {
                encoder.byte(1);
                encoder.raw(log.digest().as_bytes());
            }
        }
        encoder.byte(match self.guards {
            GuardLevel::Full => 1,
            GuardLevel::Reduced => 2,
        });
        encoder.byte(match self.scope {
            RealisationScope::Shareable => 1,
            RealisationScope::Local => 2,
        });
        encoder.bytes(&self.signature);
        encoder.finish()
    }

    /// Reads a record.
    pub fn decode(encoding: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(encoding);
        if decoder.array()? != *REALISATION_MAGIC {
            return Err(decoder.error("the mark of a realisation"));
        }
        let realisation = Self {
            action: ActionId::from_digest(Digest::from_bytes(decoder.array()?)),
            tree: TreeId::from_digest(Digest::from_bytes(decoder.array()?)),
            builder: decoder.text()?.to_owned(),
            duration_ms: decoder.u64()?,
            log: match decoder.byte()? {
                0 => None,
                1 => Some(BlobId::from_digest(Digest::from_bytes(decoder.array()?))),
                _ => return Err(decoder.error("whether there is a log")),
            },
            guards: match decoder.byte()? {
                1 => GuardLevel::Full,
                2 => GuardLevel::Reduced,
                _ => return Err(decoder.error("a level of guards")),
            },
            scope: match decoder.byte()? {
                1 => RealisationScope::Shareable,
                2 => RealisationScope::Local,
                _ => return Err(decoder.error("a scope")),
            },
            signature: decoder.bytes()?.to_vec(),
        };
        decoder.finish()?;
        Ok(realisation)
    }
}
