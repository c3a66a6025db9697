//! What the tests of the store share: exercises that touch every part, and campaigns of faults.

pub mod campaign;
pub mod exercise;
pub mod world;
