//! The records of the journal beside realisations: memos, durations, history, roots, layers.

use stxl_model::{
    ActionId, BlobId, DecodeError, Decoder, DerivationId, Digest, Encoder, Realisation, TreeId,
};

use crate::checkout::Layer;
use crate::entry::EntryKind;

/// The tree that no directory has, in front of the tree of a layer that hides.
const HIDES: TreeId = TreeId::from_digest(Digest::from_bytes([0; 32]));

/// One record of the journal. Later ones replace earlier ones of the same key, except for
/// realisations, where the first one stays chosen until it is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Realisation(Realisation),
    Memo {
        derivation: DerivationId,
        action: ActionId,
        generation: u64,
    },
    Duration {
        label: String,
        step: String,
        duration_ms: u64,
    },
    History(HistoryEntry),
    Root {
        name: String,
        tree: Option<TreeId>,
    },
    OutLink {
        path: Vec<u8>,
        tree: Option<TreeId>,
    },
    Layers {
        tree: TreeId,
        layers: Vec<Layer>,
    },
    Release {
        action: ActionId,
    },
}

/// What was last asked for in a workspace, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The workspace, by a name that stays the same, such as its absolute path.
    pub workspace: String,
    /// What was asked for, such as a label.
    pub request: String,
    /// The serialised plan.
    pub plan: BlobId,
    /// The trees of the outputs; they are kept from collection.
    pub outputs: Vec<TreeId>,
}

impl Record {
    pub(crate) fn kind(&self) -> EntryKind {
        match self {
            Self::Realisation(_) => EntryKind::Realisation,
            Self::Memo { .. } => EntryKind::Memo,
            Self::Duration { .. } => EntryKind::Duration,
            Self::History(_) => EntryKind::History,
            Self::Root { .. } => EntryKind::Root,
            Self::OutLink { .. } => EntryKind::OutLink,
            Self::Layers { .. } => EntryKind::Layers,
            Self::Release { .. } => EntryKind::Release,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        match self {
            Self::Realisation(realisation) => return realisation.encode(),
            Self::Memo {
                derivation,
                action,
                generation,
            } => {
                encoder.raw(derivation.digest().as_bytes());
                encoder.raw(action.digest().as_bytes());
                encoder.u64(*generation);
            }
            Self::Duration {
                label,
                step,
                duration_ms,
            } => {
                encoder.text(label);
                encoder.text(step);
                encoder.u64(*duration_ms);
            }
            Self::History(HistoryEntry {
                workspace,
                request,
                plan,
                outputs,
            }) => {
                encoder.text(workspace);
                encoder.text(request);
                encoder.raw(plan.digest().as_bytes());
                encode_trees(&mut encoder, outputs);
            }
            Self::Root { name, tree } => {
                encoder.text(name);
                encode_trees(&mut encoder, tree.as_slice());
            }
            Self::OutLink { path, tree } => {
                encoder.bytes(path);
                encode_trees(&mut encoder, tree.as_slice());
            }
            Self::Layers { tree, layers } => {
                encoder.raw(tree.digest().as_bytes());
                encode_trees(&mut encoder, &trees_of(layers));
            }
            Self::Release { action } => encoder.raw(action.digest().as_bytes()),
        }
        encoder.finish()
    }

    /// Reads a record; nothing for the kinds that are objects.
    pub(crate) fn decode(kind: EntryKind, payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        if kind == EntryKind::Realisation {
            return Realisation::decode(payload).map(|record| Some(Self::Realisation(record)));
        }
        let mut decoder = Decoder::new(payload);
        let record = match kind {
            EntryKind::Blob | EntryKind::Directory | EntryKind::Realisation => return Ok(None),
            EntryKind::Memo => Self::Memo {
                derivation: DerivationId::from_digest(decode_digest(&mut decoder)?),
                action: ActionId::from_digest(decode_digest(&mut decoder)?),
                generation: decoder.u64()?,
            },
            EntryKind::Duration => Self::Duration {
                label: decoder.text()?.to_owned(),
                step: decoder.text()?.to_owned(),
                duration_ms: decoder.u64()?,
            },
            EntryKind::History => Self::History(HistoryEntry {
                workspace: decoder.text()?.to_owned(),
                request: decoder.text()?.to_owned(),
                plan: BlobId::from_digest(decode_digest(&mut decoder)?),
                outputs: decode_trees(&mut decoder)?,
            }),
            EntryKind::Root => Self::Root {
                name: decoder.text()?.to_owned(),
                tree: decode_trees(&mut decoder)?.pop(),
            },
            EntryKind::OutLink => Self::OutLink {
                path: decoder.bytes()?.to_vec(),
                tree: decode_trees(&mut decoder)?.pop(),
            },
            EntryKind::Layers => Self::Layers {
                tree: TreeId::from_digest(decode_digest(&mut decoder)?),
                layers: layers_of(&decode_trees(&mut decoder)?),
            },
            EntryKind::Release => Self::Release {
                action: ActionId::from_digest(decode_digest(&mut decoder)?),
            },
        };
        decoder.finish()?;
        Ok(Some(record))
    }
}

/// The trees of a list as the index keeps them: their digests one after the other.
pub(crate) fn join_trees(trees: &[TreeId]) -> Vec<u8> {
    trees
        .iter()
        .flat_map(|tree| *tree.digest().as_bytes())
        .collect()
}

/// The reverse of [`join_trees`].
pub(crate) fn split_trees(bytes: &[u8]) -> Vec<TreeId> {
    bytes
        .as_chunks::<32>()
        .0
        .iter()
        .map(|digest| TreeId::from_digest(Digest::from_bytes(*digest)))
        .collect()
}

/// Layers as a list of trees: one that hides stands behind [`HIDES`].
pub(crate) fn trees_of(layers: &[Layer]) -> Vec<TreeId> {
    let mut trees = Vec::with_capacity(layers.len());
    for layer in layers {
        if let Layer::Hiding(_) = layer {
            trees.push(HIDES);
        }
        trees.push(*layer.tree());
    }
    trees
}

/// The reverse of [`trees_of`].
pub(crate) fn layers_of(trees: &[TreeId]) -> Vec<Layer> {
    let mut layers = Vec::with_capacity(trees.len());
    let mut trees = trees.iter();
    while let Some(tree) = trees.next() {
        layers.extend(match *tree {
            HIDES => trees.next().copied().map(Layer::Hiding),
            tree => Some(Layer::Tree(tree)),
        });
    }
    layers
}

fn encode_trees(encoder: &mut Encoder, trees: &[TreeId]) {
    encoder.count(trees.len());
    for tree in trees {
        encoder.raw(tree.digest().as_bytes());
    }
}

fn decode_trees(decoder: &mut Decoder<'_>) -> Result<Vec<TreeId>, DecodeError> {
    (0..decoder.count()?)
        .map(|_| decode_digest(decoder).map(TreeId::from_digest))
        .collect()
}

fn decode_digest(decoder: &mut Decoder<'_>) -> Result<Digest, DecodeError> {
    decoder.array().map(Digest::from_bytes)
}
