//! The data every part of stxl agrees on: digests, labels, trees, derivations, plans, realisations.
//!
//! Pure data and its canonical encoding; no IO, no clock, no language. Start at [`Derivation`]: a
//! plan is a graph of them, and every key in the system is the digest of one's encoding.

mod address;
mod codec;
mod derivation;
mod digest;
mod hex_text;
mod label;
mod left_out;
mod package;
mod path;
mod pieces;
mod plan;
mod platform;
mod realisation;
mod tree;

pub use address::{is_binary_package, names_user};
pub use codec::{DecodeError, Decoder, ENCODING_VERSION, Encoder};
pub use derivation::{
    Action, Archive, ArchiveFormat, Argv, BuildUid, Compose, Derivation, Exec, Fetch, FetchLock,
    Image, ImageConfig, Import, ImportKind, Input, Keep, Kind, KnownInput, Mode, ModeTable,
    PutMode, SOURCES, TreeOp, Unpack,
};
pub use digest::{
    ActionId, BlobHasher, BlobId, DerivationId, Digest, DigestParseError, Sha256, Sha256Hasher,
    TreeId,
};
pub use hex_text::{HEX_TEXT_BYTES_MAX, HexTextError, decode_hex_text};
pub use label::{Label, LabelError, OutputName, PackageLabel, Selector};
pub use left_out::{LeftOut, PATTERN_BYTES_MAX, PatternError};
pub use package::{DebianFile, DebianKind, NameAndVersion, PackageAddress};
pub use path::{PathError, RootPath};
pub use plan::{
    EncodedDerivation, Fragment, FragmentInput, FragmentWriter, ImportDecode, ImportSource,
    NodeOrigin, OutputDifference, PackageChange, PackageDifference, PartDifference, Plan,
    PlanDifference, PlanError, PlanNode, PlanRoot, RecipePart, RootOutputs, SCRIPT_PREAMBLE,
    SCRIPT_SHELL, Standing, Succession,
};
pub use platform::Platform;
pub use realisation::{GuardLevel, Realisation, RealisationScope};
pub use tree::{Directory, Entry, FILE_ENTRY, NAME_BYTES_MAX, Node, TreeError};
