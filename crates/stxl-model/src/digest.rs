//! Digests and the typed ids made of them.
//!
//! Structure (trees, derivations, actions) is hashed with BLAKE3's key-derivation mode, one context
//! per kind, so that no encoding of one kind can stand for another. The bytes of a file are hashed
//! plainly: a blob id is what `b3sum` prints.

use std::fmt;
use std::sync::OnceLock;

use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};
use sha2::Digest as _;

/// A full BLAKE3-256 digest. Never truncated in a decision; shortened for display only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// What keeps the digests of one kind apart from those of all others.
pub(crate) struct HashingContext {
    text: &'static str,
    key: OnceLock<ContextKey>,
}

impl HashingContext {
    pub(crate) const fn new(text: &'static str) -> Self {
        let key = OnceLock::new();
        Self { text, key }
    }

    /// The hash of the context, which is the key of every hash in it: made once, since it takes as
    /// long as hashing something short.
    fn key(&self) -> &ContextKey {
        self.key.get_or_init(|| hash_derive_key_context(self.text))
    }
}

/// A text that is not 64 hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest: 64 hexadecimal digits in lower case are expected")]
pub struct DigestParseError {
    /// The text as given.
    pub text: String,
}

impl Digest {
    /// Wraps 32 bytes that are known to be a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, most significant first as printed.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// The 64 hexadecimal digits, written to a buffer.
    pub fn write_hex<'b>(&self, buffer: &'b mut [u8; 64]) -> &'b str {
        data_encoding::HEXLOWER.encode_mut_str(&self.0, buffer)
    }

    /// Parses 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Result<Self, DigestParseError> {
        let invalid = || DigestParseError {
            text: text.to_owned(),
        };
        let bytes = data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .map_err(|_| invalid())?;
        bytes.try_into().map(Self).map_err(|_| invalid())
    }

    pub(crate) fn of_encoding(context: &HashingContext, encoding: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_from_context_key(context.key());
        hasher.update(encoding);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write_hex(&mut [0; 64]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Digest);

        impl $name {
            /// Wraps a digest that is known to be of this kind.
            pub const fn from_digest(digest: Digest) -> Self {
                Self(digest)
            }

            /// The digest inside.
            pub const fn digest(&self) -> &Digest {
                &self.0
            }

            /// Parses 64 hexadecimal digits in lower case.
            pub fn parse(text: &str) -> Result<Self, DigestParseError> {
                Digest::parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

digest_id!(
    /// Static digest of a derivation: its recipe and the derivation ids of its inputs.
    DerivationId
);
digest_id!(
    /// Resolved digest of a derivation: its recipe and the tree ids of its inputs. The only key
    /// under which results are stored, signed and shared.
    ActionId
);
digest_id!(
    /// Digest of a directory's canonical encoding.
    TreeId
);
digest_id!(
    /// Plain BLAKE3 digest of the bytes of one file.
    BlobId
);

impl BlobId {
    /// The id of a blob that is in memory as a whole.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Digest(*blake3::hash(bytes).as_bytes()))
    }
}

/// Hashes a blob piece by piece.
#[derive(Default)]
pub struct BlobHasher(blake3::Hasher);

impl BlobHasher {
    /// Adds the next bytes of the blob.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The id of all bytes added so far.
    pub fn finish(&self) -> BlobId {
        BlobId(Digest(*self.0.finalize().as_bytes()))
    }
}

/// A SHA-256 digest, the lock of everything that comes from outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Wraps 32 bytes that are known to be a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses `sha256:` followed by 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Result<Self, DigestParseError> {
        let hex = text.strip_prefix("sha256:");
        let digest = hex.and_then(|hex| Digest::parse(hex).ok());
        digest
            .map(|digest| Self(digest.0))
            .ok_or_else(|| DigestParseError {
                text: text.to_owned(),
            })
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Computes a SHA-256 digest piece by piece.
#[derive(Clone, Default)]
pub struct Sha256Hasher(sha2::Sha256);

impl Sha256Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes added.
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}
