//! Fragments of plans: derivations over inputs whose ids are not known yet.
//!
//! A package is lowered without the ids of what it needs: its derivations name needs by number, and
//! their encodings have a hole for each. Once the ids are known the fragment is *linked*: the holes
//! are filled and the ids computed. So the text of a package is not looked at again when only
//! something below it changed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::encoded::{EncodedDerivation, ID_BYTES};
use super::serialized::{decode_origin, encode_origin};
use super::{NodeOrigin, Plan, PlanError, PlanNode};
use crate::codec::{DecodeError, Decoder, Encoder};
use crate::derivation::{Derivation, Input};
use crate::digest::DerivationId;

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

/// The derivations that give one result, over numbered needs, as they are written: a part of bytes
/// that fragments share. Cheap to clone.
#[derive(Clone)]
pub struct Fragment {
    shared: Arc<Vec<u8>>,
    range: Range<usize>,
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
        let bytes = encoder.finish();
        let range = 0..bytes.len();
        Fragment {
            shared: Arc::new(bytes),
            range,
        }
    }
}

impl Fragment {
    /// A fragment that is part of bytes, which are checked when it is linked; one that lies outside
    /// of them is empty.
    pub fn part_of(shared: &Arc<Vec<u8>>, range: Range<usize>) -> Self {
        Self {
            shared: Arc::clone(shared),
            range,
        }
    }

    /// Whether another one is the same part of the same bytes, without looking into them.
    pub fn is_same_part(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared) && self.range == other.range
    }

    /// The derivations over these needs, as nodes of a plan, and the id of the result.
    pub fn over(&self, needs: &[DerivationId]) -> Result<(Vec<PlanNode>, DerivationId), PlanError> {
        let mut nodes = Vec::new();
        let id = self.resolve(needs, &mut Vec::new(), |id, derivation, origin| {
            let origin = decode_origin(&mut Decoder::new(origin))?.into();
            nodes.push(PlanNode {
                id,
                derivation,
                origin,
            });
            Ok(())
        })?;
        Ok((nodes, id))
    }

    /// Hands on every derivation over these needs, with the encoding of its origin, puts the ids of
    /// all into a list, and returns that of the result.
    fn resolve(
        &self,
        needs: &[DerivationId],
        own: &mut Vec<DerivationId>,
        mut add: impl FnMut(DerivationId, EncodedDerivation, &[u8]) -> Result<(), PlanError>,
    ) -> Result<DerivationId, PlanError> {
        own.clear();
        let (mut inputs, mut buffer) = (Vec::new(), Vec::new());
        let mut decoder = Decoder::new(self.as_bytes());
        let result = decode_input(&mut decoder)?;
        for _ in 0..decoder.count()? {
            inputs.clear();
            let resolve_input = |input, decoder: &_| resolve(input, own, needs, decoder);
            let (node, origin) = decode_node(&mut decoder, self, resolve_input, &mut inputs)?;
            let unknown = decoder.error("a kind of derivation");
            let derivation = EncodedDerivation::of_fragment(node, &inputs).ok_or(unknown)?;
            let id = derivation.id_by(&mut buffer);
            add(id, derivation, origin)?;
            own.push(id);
        }
        let id = resolve(result, own, needs, &decoder)?;
        decoder.finish()?;
        Ok(id)
    }

    /// The fragment as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.shared.get(self.range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Fragment {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Fragment {}

impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fragment({:?})", self.as_bytes())
    }
}

impl Plan {
    /// Links a fragment: adds its derivations, with the ids they have over these needs, and returns
    /// the id of its result. What is needed has to be in the plan.
    pub fn link(
        &mut self,
        fragment: &Fragment,
        needs: &[DerivationId],
    ) -> Result<DerivationId, PlanError> {
        self.link_noting(fragment, needs, &mut Vec::new())
    }

    /// Like [`Self::link`], and tells the ids of all derivations of the fragment.
    pub fn link_noting(
        &mut self,
        fragment: &Fragment,
        needs: &[DerivationId],
        own: &mut Vec<DerivationId>,
    ) -> Result<DerivationId, PlanError> {
        fragment.resolve(needs, own, |id, derivation, origin| {
            if self.positions.contains(&id) {
                return Ok(());
            }
            let origin = decode_origin(&mut Decoder::new(origin))?.into();
            self.push(PlanNode {
                id,
                derivation,
                origin,
            })
        })
    }
}

/// A derivation of a fragment: its encoding with holes, where it stands in the fragment's bytes.
#[derive(Clone)]
pub(super) struct FragmentNode {
    shared: Arc<Vec<u8>>,
    template: Range<usize>,
    /// The list of holes, [`HOLE_BYTES`] each.
    holes: Range<usize>,
}

/// Bytes of a hole as it is written: where it begins and what fills it.
const HOLE_BYTES: usize = 8 + 5;

impl FragmentNode {
    /// The encoding, with zeros in the places of inputs.
    pub(super) fn template(&self) -> &[u8] {
        self.shared.get(self.template.clone()).unwrap_or_default()
    }

    /// Whether another one is the same part of the same bytes, without looking into them.
    pub(super) fn is_same_part(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
            && self.template == other.template
            && self.holes == other.holes
    }

    /// Where the holes begin.
    pub(super) fn holes(&self) -> impl Iterator<Item = usize> {
        let holes = self.shared.get(self.holes.clone()).unwrap_or_default();
        holes.chunks_exact(HOLE_BYTES).filter_map(|hole| {
            let begin = Decoder::new(hole).u64().ok()?;
            usize::try_from(begin).ok()
        })
    }
}

/// Reads a node and the encoding of its origin, and adds its inputs to a list.
fn decode_node<'f>(
    decoder: &mut Decoder<'f>,
    fragment: &'f Fragment,
    resolve: impl Fn(FragmentInput, &Decoder<'f>) -> Result<DerivationId, DecodeError>,
    inputs: &mut Vec<DerivationId>,
) -> Result<(FragmentNode, &'f [u8]), DecodeError> {
    let start = fragment.range.start;
    let template_bytes = decoder.bytes()?.len();
    let template_end = start + decoder.offset();
    let hole_count = decoder.count()?;
    let holes_start = start + decoder.offset();
    for _ in 0..hole_count {
        let outside = decoder.error("a hole inside its encoding");
        let begin = usize::try_from(decoder.u64()?).map_err(|_| outside.clone())?;
        if begin.saturating_add(ID_BYTES) > template_bytes {
            return Err(outside);
        }
        inputs.push(resolve(decode_input(decoder)?, decoder)?);
    }
    let node = FragmentNode {
        shared: Arc::clone(&fragment.shared),
        template: template_end - template_bytes..template_end,
        holes: holes_start..start + decoder.offset(),
    };
    Ok((node, decoder.bytes()?))
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
