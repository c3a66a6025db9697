//! The store: objects by digest, the build trace, checkouts, and their upkeep.
//!
//! One directory of one user, used by several processes at once. Everything true lies in files
//! that describe themselves; the index, a database, is a cache of them. Start at [`Store`].

mod answer;
mod ballast;
mod checkout;
mod disk;
mod entry;
mod error;
mod failpoints;
mod fsck;
mod gc;
mod history;
mod import;
mod index;
mod intake;
mod journal;
mod layers;
mod lease;
mod ledger;
mod object;
mod out_link;
mod pack;
mod partial;
mod record;
mod recovery;
mod scratch;
mod seal;
mod store;
mod trace;
mod tree;
mod verify;

pub use answer::Moment;
pub use checkout::{CheckoutRef, LayerRef, TreeSize};
pub use error::StoreError;
#[cfg(feature = "failpoints")]
pub use failpoints::{Failpoints, Fault};
pub use failpoints::{Operation, Phase};
pub use fsck::{Breach, FsckReport, Invariant};
pub use gc::{GcPolicy, GcReport};
pub use import::{ImportBounds, ImportError};
pub use layers::LAYERS_MAX;
pub use lease::{ActionLock, ObjectRef};
pub use ledger::{LedgerEntry, LedgerOutcome};
pub use object::BlobReader;
pub use out_link::OutLink;
pub use partial::PartialFile;
pub use record::HistoryEntry;
pub use scratch::ScratchDirectory;
pub use seal::{Dropped, DroppedWhat, SealBounds, SealError, Sealed};
pub use store::{OpenOptions, Store};
pub use trace::{Recorded, Resolved, Roots};
pub use tree::{
    Difference, DifferenceKind, EditError, FileMode, Hidden, MergeError, Merged, TreeEditor,
};
pub use verify::{Damage, DamagedObject, VerifyReport};
