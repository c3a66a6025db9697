//! The serialised form of a plan: what crosses from the evaluator to the build, and what the
//! store keeps as history. Readers refuse other versions.

use super::encoded::EncodedDerivation;
use super::{ImportDecode, ImportSource, NodeOrigin, Plan, PlanError, PlanNode, PlanRoot};
use crate::codec::{DecodeError, Decoder, ENCODING_VERSION, Encoder};
use crate::derivation::{Derivation, Input as _, KnownInput as _};
use crate::digest::DerivationId;
use crate::label::{OutputName, PackageLabel};

const PLAN_MAGIC: &[u8; 8] = b"stxlpln2";

/// What plans of all versions begin with.
const ANY_PLAN_MAGIC: &[u8] = b"stxlpl";

impl Plan {
    /// Writes the plan as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encode_head(&mut encoder, self.is_local, self.nodes.len());
        for node in &self.nodes {
            let encoding = node.derivation.to_bytes();
            encode_node(&mut encoder, &node.id, &encoding, &node.origin);
        }
        encoder.count(self.roots.len());
        for root in &self.roots {
            encode_root(&mut encoder, root);
        }
        encoder.finish()
    }

    /// Whether bytes begin as a plan of this version or of another one does.
    pub fn is_begun_by(bytes: &[u8]) -> bool {
        bytes.starts_with(ANY_PLAN_MAGIC)
    }

    /// Reads a plan and checks that every derivation has the id it is recorded under.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.array()? != *PLAN_MAGIC || decoder.u32()? != ENCODING_VERSION {
            return Err(decoder.error("a plan of this version").into());
        }
        let mut plan = Self {
            is_local: decoder.byte()? != 0,
            ..Self::default()
        };
        for _ in 0..decoder.count()? {
            plan.push(decode_node(&mut decoder)?)?;
        }
        decode_roots(&mut plan, &mut decoder)?;
        decoder.finish()?;
        Ok(plan)
    }
}

fn decode_node(decoder: &mut Decoder<'_>) -> Result<PlanNode, PlanError> {
    let id = DerivationId::decode(decoder)?;
    let encoding = decoder.bytes()?;
    // Only a canonical encoding is decoded, so its digest is that of what it says.
    if DerivationId::of_encoding(encoding) != id {
        return Err(PlanError::WrongId { id });
    }
    Ok(PlanNode {
        id,
        derivation: EncodedDerivation::new(&Derivation::decode(encoding)?),
        origin: decode_origin(decoder)?.into(),
    })
}

fn decode_roots(plan: &mut Plan, decoder: &mut Decoder<'_>) -> Result<(), PlanError> {
    for _ in 0..decoder.count()? {
        let label = decode_label(decoder)?;
        let mut outputs = Vec::new();
        for _ in 0..decoder.count()? {
            let error = decoder.error("the name of an output");
            let output = OutputName::parse(decoder.text()?).map_err(|_| error)?;
            outputs.push((output, DerivationId::decode(decoder)?));
        }
        let outputs = outputs.into_iter().collect();
        plan.add_root(PlanRoot { label, outputs })?;
    }
    Ok(())
}

fn encode_head(encoder: &mut Encoder, is_local: bool, node_count: usize) {
    encoder.raw(PLAN_MAGIC);
    encoder.u32(ENCODING_VERSION);
    encoder.byte(u8::from(is_local));
    encoder.count(node_count);
}

fn encode_node(encoder: &mut Encoder, id: &DerivationId, encoding: &[u8], origin: &NodeOrigin) {
    id.encode(encoder);
    encoder.bytes(encoding);
    encode_origin(encoder, origin);
}

fn encode_root(encoder: &mut Encoder, root: &PlanRoot) {
    encoder.text(root.label.as_str());
    encoder.count(root.outputs.ids().len());
    for (output, id) in root.outputs.iter() {
        encoder.text(output.as_str());
        id.encode(encoder);
    }
}

pub(super) fn encode_origin(encoder: &mut Encoder, origin: &NodeOrigin) {
    let NodeOrigin {
        name,
        label,
        file,
        line,
        script_line,
        wall_ms_max,
        silent_ms_max,
        import,
        urls,
        is_opaque,
    } = origin;
    encoder.text(name);
    encoder.text(label.as_str());
    encoder.text(file);
    encoder.u32(*line);
    encoder.u32(*script_line);
    encoder.u64(*wall_ms_max);
    encoder.u64(*silent_ms_max);
    match import {
        None => encoder.byte(0),
        Some(ImportSource {
            path,
            decode,
            ignore,
        }) => {
            encoder.byte(match decode {
                ImportDecode::Plain => 1,
                ImportDecode::Hex => 2,
            });
            encoder.text(path);
            encode_texts(encoder, ignore);
        }
    }
    encode_texts(encoder, urls);
    encoder.byte(u8::from(*is_opaque));
}

pub(super) fn decode_origin(decoder: &mut Decoder<'_>) -> Result<NodeOrigin, DecodeError> {
    Ok(NodeOrigin {
        name: decoder.text()?.to_owned(),
        label: decode_label(decoder)?,
        file: decoder.text()?.to_owned(),
        line: decoder.u32()?,
        script_line: decoder.u32()?,
        wall_ms_max: decoder.u64()?,
        silent_ms_max: decoder.u64()?,
        import: match decoder.byte()? {
            0 => None,
            1 => Some(decode_import(decoder, ImportDecode::Plain)?),
            2 => Some(decode_import(decoder, ImportDecode::Hex)?),
            _ => return Err(decoder.error("a way to decode an import")),
        },
        urls: decode_texts(decoder)?,
        is_opaque: match decoder.byte()? {
            0 => false,
            1 => true,
            _ => return Err(decoder.error("whether a fetch is opaque")),
        },
    })
}

fn decode_import(
    decoder: &mut Decoder<'_>,
    decode: ImportDecode,
) -> Result<ImportSource, DecodeError> {
    let path = decoder.text()?.to_owned();
    Ok(ImportSource {
        path,
        decode,
        ignore: decode_texts(decoder)?,
    })
}

fn decode_label(decoder: &mut Decoder<'_>) -> Result<PackageLabel, DecodeError> {
    let error = decoder.error("a label");
    PackageLabel::parse(decoder.text()?).map_err(|_| error)
}

fn encode_texts(encoder: &mut Encoder, texts: &[String]) {
    encoder.count(texts.len());
    texts.iter().for_each(|text| encoder.text(text));
}

fn decode_texts(decoder: &mut Decoder<'_>) -> Result<Vec<String>, DecodeError> {
    (0..decoder.count()?)
        .map(|_| decoder.text().map(str::to_owned))
        .collect()
}
