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
    /// Shared with what is by the same recipe over other inputs.
    form: Arc<Form>,
}

/// Where the encoding is.
enum Form {
    /// Here, and where the inputs begin in it.
    Whole { bytes: Vec<u8>, holes: Vec<usize> },
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
            form: Arc::new(Form::Whole { bytes, holes }),
        }
    }

    /// A derivation of a fragment over known inputs; none when its kind is unknown.
    pub(super) fn of_fragment(node: FragmentNode, inputs: &[DerivationId]) -> Option<Self> {
        let kind = Kind::from_code(*node.template().first()?)?;
        Some(Self {
            kind,
            inputs: inputs.into(),
            form: Arc::new(Form::Part(node)),
        })
    }

    /// The same over other inputs, which have to be as many.
    pub(super) fn over(&self, inputs: Arc<[DerivationId]>) -> Self {
        Self {
            kind: self.kind,
            inputs,
            form: Arc::clone(&self.form),
        }
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
        self.id_by(&mut Vec::new())
    }

    /// The derivation id, computed in a buffer that others may use after it.
    pub(super) fn id_by(&self, buffer: &mut Vec<u8>) -> DerivationId {
        self.fill(buffer, self.inputs.iter().map(DerivationId::digest));
        DerivationId::of_encoding(buffer)
    }

    /// Whether another derivation does the same with its inputs, whatever these are.
    pub fn has_recipe_of(&self, other: &Self) -> bool {
        if self.form.is_same(&other.form) {
            return true;
        }
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

    /// The last byte of the encoding, with holes in the places of the inputs; 0 if there is none.
    pub(super) fn last_byte(&self) -> u8 {
        let template = match &*self.form {
            Form::Whole { bytes, .. } => bytes,
            Form::Part(node) => node.template(),
        };
        template.last().copied().unwrap_or(0)
    }

    /// The encoding with digests in the places of the inputs.
    fn filled<'d>(&self, digests: impl Iterator<Item = &'d Digest>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.fill(&mut bytes, digests);
        bytes
    }

    /// Makes a buffer the encoding with digests in the places of the inputs.
    fn fill<'d>(&self, bytes: &mut Vec<u8>, digests: impl Iterator<Item = &'d Digest>) {
        let fill = |bytes: &mut Vec<u8>, holes: &mut dyn Iterator<Item = usize>| {
            for (begin, digest) in holes.zip(digests) {
                if let Some(hole) = bytes.get_mut(begin..begin.saturating_add(ID_BYTES)) {
                    hole.copy_from_slice(digest.as_bytes());
                }
            }
        };
        bytes.clear();
        match &*self.form {
            Form::Whole {
                bytes: whole,
                holes,
            } => {
                bytes.extend_from_slice(whole);
                fill(bytes, &mut holes.iter().copied());
            }
            Form::Part(node) => {
                bytes.extend_from_slice(node.template());
                fill(bytes, &mut node.holes());
            }
        }
    }
}

impl Form {
    /// Whether another one is the same place, without looking into it.
    fn is_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        match (&**self, &**other) {
            (Self::Part(node), Self::Part(other)) => node.is_same_part(other),
            (Self::Whole { .. } | Self::Part(_), _) => Arc::ptr_eq(self, other),
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
