//! Tar, read strictly: one way to read every byte, or none.

mod entries;
mod header;
mod pax;

pub(super) use entries::read;
