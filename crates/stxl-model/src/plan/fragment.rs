//! Fragments of plans: derivations over inputs whose ids are not known yet.
//!
//! A package is lowered without the ids of what it needs: its derivations name needs by number, and
//! their encodings have a hole for each. Once the ids are known the fragment is *linked*: the holes
//! are filled and the ids computed. So the text of a package is not looked at again when only
//! something below it changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::serialized::{PlanWriter, encode_origin};
use super::{NodeOrigin, PlanError};
use crate::codec::{DecodeError, Decoder, Encoder};
use crate::derivation::{Derivation, Input};
use crate::digest::DerivationId;

/// Bytes of an id in an encoding.
const ID_BYTES: usize = 32;

/// An input of a derivation of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FragmentInput {
    /// What the fragment needs, by its position in the list of needs.
    Need(u32),
    /// A derivation of the fragment itself, by its position.
    Own(u32),
}

impl Input for FragmentInput {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.hole(ID_BYTES);
    }
}

/// The derivations that give one result, over numbered needs; as they are written, and cheap to
/// hand to another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    bytes: Arc<[u8]>,
}

/// Makes a fragment.
#[derive(Debug, Default)]
pub struct FragmentWriter {
    nodes: Encoder,
    /// By encoding and inputs, so that equal derivations are one.
    known: BTreeMap<(Vec<u8>, Vec<FragmentInput>), u32>,
}

impl FragmentWriter {
    /// Adds a derivation, unless an equal one is there, and returns what names it. Its own inputs
    /// have to be there.
    pub fn add(
        &mut self,
        derivation: &Derivation<FragmentInput>,
        origin: &NodeOrigin,
    ) -> FragmentInput {
        let (encoding, holes) = derivation.encode_with_holes();
        let key = (encoding, derivation.inputs().to_vec());
        if let Some(position) = self.known.get(&key) {
            return FragmentInput::Own(*position);
        }
        self.nodes.bytes(&key.0);
        self.nodes.count(holes.len());
        for (hole, input) in holes.into_iter().zip(&key.1) {
            self.nodes.count(hole);
            encode_input(&mut self.nodes, *input);
        }
        let mut encoder = Encoder::default();
        encode_origin(&mut encoder, origin);
        self.nodes.bytes(&encoder.finish());
        let position = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.insert(key, position);
        FragmentInput::Own(position)
    }

    /// The fragment, whose result is a derivation of its own or something it needs.
    pub fn finish(self, result: FragmentInput) -> Fragment {
        let mut encoder = Encoder::default();
        encode_input(&mut encoder, result);
        encoder.count(self.known.len());
        encoder.raw(&self.nodes.finish());
        Fragment {
            bytes: encoder.finish().into(),
        }
    }
}

impl Fragment {
    /// A fragment from its bytes, which are checked when it is linked.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.into(),
        }
    }

    /// The fragment as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl PlanWriter {
    /// Links a fragment: adds its derivations, with the ids they have over these needs, and returns
    /// the id of its result. What is needed has to be in the plan.
    pub fn link(
        &mut self,
        fragment: &Fragment,
        needs: &[DerivationId],
    ) -> Result<DerivationId, PlanError> {
        let mut decoder = Decoder::new(&fragment.bytes);
        let result = decode_input(&mut decoder)?;
        let mut own: Vec<DerivationId> = Vec::new();
        let mut encoding = Vec::new();
        for _ in 0..decoder.count()? {
            encoding.clear();
            encoding.extend_from_slice(decoder.bytes()?);
            for _ in 0..decoder.count()? {
                let outside = decoder.error("a hole inside its encoding");
                let begin = usize::try_from(decoder.u64()?).map_err(|_| outside.clone())?;
                let id = resolve(decode_input(&mut decoder)?, &own, needs, &decoder)?;
                let end = begin.saturating_add(ID_BYTES);
                let hole = encoding.get_mut(begin..end).ok_or(outside)?;
                hole.copy_from_slice(id.digest().as_bytes());
            }
            let id = DerivationId::of_encoding(&encoding);
            self.add(id, &encoding, decoder.bytes()?);
            own.push(id);
        }
        let id = resolve(result, &own, needs, &decoder)?;
        decoder.finish()?;
        Ok(id)
    }
}

fn encode_input(encoder: &mut Encoder, input: FragmentInput) {
    let (kind, position) = match input {
        FragmentInput::Need(position) => (1, position),
        FragmentInput::Own(position) => (2, position),
    };
    encoder.byte(kind);
    encoder.u32(position);
}

fn decode_input(decoder: &mut Decoder<'_>) -> Result<FragmentInput, DecodeError> {
    let error = decoder.error("an input of a fragment");
    match (decoder.byte()?, decoder.u32()?) {
        (1, position) => Ok(FragmentInput::Need(position)),
        (2, position) => Ok(FragmentInput::Own(position)),
        _ => Err(error),
    }
}

fn resolve(
    input: FragmentInput,
    own: &[DerivationId],
    needs: &[DerivationId],
    decoder: &Decoder<'_>,
) -> Result<DerivationId, DecodeError> {
    let (list, position) = match input {
        FragmentInput::Need(position) => (needs, position),
        FragmentInput::Own(position) => (own, position),
    };
    let found = list.get(position as usize).copied();
    found.ok_or_else(|| decoder.error("an input that stands before"))
}
