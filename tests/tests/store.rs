//! The store at its border: what is put comes back, whatever ends how.

#[path = "store/collection.rs"]
mod collection;
#[path = "store/damage.rs"]
mod damage;
#[path = "store/faults.rs"]
mod faults;
#[path = "store/layers.rs"]
mod layers;
#[path = "store/merging.rs"]
mod merging;
#[path = "store/objects.rs"]
mod objects;
#[path = "store/processes.rs"]
mod processes;
#[path = "store/sealing.rs"]
mod sealing;
#[path = "store/trace.rs"]
mod trace;
