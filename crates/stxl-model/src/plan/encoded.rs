//! Derivations of a plan as they are written: decoded only by who runs them.

use std::fmt;
use std::sync::Arc;

use super::fragment::FragmentNode;
use crate::codec::DecodeError;
use crate::derivation::{Action, Derivation, Kind};
use crate::digest::{ActionId, DerivationId, Digest, TreeId};

/// Bytes of an id in an encoding.
pub(super) const ID_BYTES: usize = 32;

/// A derivation by its canonical encoding, with what most ask of it at hand. Cheap to clone.
///
/// Ids are computed from the encoding, so they hold whatever it says; that it says something is
/// found out by [`Self::decode`].
#[derive(Clone)]
pub struct EncodedDerivation {
    kind: Kind,
    inputs: Arc<[DerivationId]>,
    form: Form,
}

/// Where the encoding is.
#[derive(Clone)]
enum Form {
    /// Here, and where the inputs begin in it.
    Whole {
        bytes: Arc<[u8]>,
        holes: Arc<[usize]>,
    },
    /// In a fragment, with holes for the inputs.
    Part(FragmentNode),
}

impl EncodedDerivation {
    /// Encodes a derivation.
    pub fn new(derivation: &Derivation<DerivationId>) -> Self {
        let bytes = derivation.encode();
        let inputs: Arc<[DerivationId]> = derivation.inputs().into();
        let Ok(marked) = derivation.try_map_inputs(|_| Ok::<_, std::convert::Infallible>(Hole));
        let (_, holes) = marked.encode_with_holes();
        Self {
            kind: derivation.kind(),
            inputs,
            form: Form::Whole {
                bytes: bytes.into(),
                holes: holes.into(),
            },
        }
    }

    /// A derivation of a fragment over known inputs; none when its kind is unknown.
    pub(super) fn of_fragment(node: FragmentNode, inputs: Vec<DerivationId>) -> Option<Self> {
        let kind = Kind::from_code(*node.template().first()?)?;
        Some(Self {
            kind,
            inputs: inputs.into(),
            form: Form::Part(node),
        })
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The direct inputs, in the order of the encoding.
    pub fn inputs(&self) -> &[DerivationId] {
        &self.inputs
    }

    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.filled(self.inputs.iter().map(DerivationId::digest))
    }

    /// The derivation id.
    pub fn id(&self) -> DerivationId {
        DerivationId::of_encoding(&self.to_bytes())
    }

    /// Whether another derivation does the same with its inputs, whatever these are.
    pub fn has_recipe_of(&self, other: &Self) -> bool {
        let blank = Digest::from_bytes([0; ID_BYTES]);
        let recipe = |it: &Self| it.filled(it.inputs.iter().map(|_| &blank));
        self.kind == other.kind
            && self.inputs.len() == other.inputs.len()
            && recipe(self) == recipe(other)
    }

    /// The action id over the trees that the inputs gave, in their order; none when there are fewer
    /// or more trees than inputs.
    pub fn action_id(&self, trees: &[TreeId]) -> Option<ActionId> {
        let encoding = || self.filled(trees.iter().map(TreeId::digest));
        (trees.len() == self.inputs.len()).then(|| ActionId::of_encoding(&encoding()))
    }

    /// The action over the trees that the inputs gave, in their order.
    pub fn action(&self, trees: &[TreeId]) -> Result<Action, DecodeError> {
        Action::decode(&self.filled(trees.iter().map(TreeId::digest)))
    }

    /// Reads the derivation.
    pub fn decode(&self) -> Result<Derivation<DerivationId>, DecodeError> {
        let derivation = Derivation::<DerivationId>::decode(&self.to_bytes())?;
        if derivation.inputs() == self.inputs() {
            Ok(derivation)
        } else {
            Err(DecodeError {
                offset: 0,
                what: "the inputs that the plan says it has",
            })
        }
    }

    /// The encoding with digests in the places of the inputs.
    fn filled<'d>(&self, digests: impl Iterator<Item = &'d Digest>) -> Vec<u8> {
        let fill = |bytes: &mut Vec<u8>, holes: &mut dyn Iterator<Item = usize>| {
            for (begin, digest) in holes.zip(digests) {
                if let Some(hole) = bytes.get_mut(begin..begin.saturating_add(ID_BYTES)) {
                    hole.copy_from_slice(digest.as_bytes());
                }
            }
        };
        match &self.form {
            Form::Whole { bytes, holes } => {
                let mut bytes = bytes.to_vec();
                fill(&mut bytes, &mut holes.iter().copied());
                bytes
            }
            Form::Part(node) => {
                let mut bytes = node.template().to_vec();
                fill(&mut bytes, &mut node.holes());
                bytes
            }
        }
    }
}

impl From<Derivation<DerivationId>> for EncodedDerivation {
    fn from(derivation: Derivation<DerivationId>) -> Self {
        Self::new(&derivation)
    }
}

/// Stands for an input whose place is looked for.
struct Hole;

impl crate::derivation::Input for Hole {
    fn encode(&self, encoder: &mut crate::codec::Encoder) {
        encoder.hole(ID_BYTES);
    }
}

impl PartialEq for EncodedDerivation {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.inputs == other.inputs
            && self.to_bytes() == other.to_bytes()
    }
}

impl Eq for EncodedDerivation {}

impl fmt::Debug for EncodedDerivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decode() {
            Ok(derivation) => derivation.fmt(f),
            Err(error) => write!(f, "({error})"),
        }
    }
}
