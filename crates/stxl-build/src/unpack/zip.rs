//! Zip, read strictly: the directory at the end and the headers in front of the contents have to
//! say the same, and together they have to cover the archive without a gap.

mod directory;
mod entries;
mod fields;

pub(super) use entries::read;
