//! Archives taken apart, strictly.
//!
//! Nothing is written to a file system: entries become blobs and a tree in memory, so there is no
//! path that a hostile archive could follow. What a tree cannot hold, and what two programs would
//! read in two ways, is refused, not left out.

mod deb;
mod decompress;
mod error;
mod input;
mod limits;
mod pipe;
mod run;
mod sink;
mod tar;
mod zip;

pub use error::UnpackError;
pub(crate) use run::unpack;
