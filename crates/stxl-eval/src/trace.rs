//! Traces: what is remembered of evaluations from one process to the next.
//!
//! A trace holds the records of a workspace's packages, what each of them was made from, and the
//! list of packages. That it still holds is verified: everything that was read is looked at again,
//! files by their stamps like git's index does. That it once held is trusted, for it lies in a
//! folder that only the user can write to; what was read is the child's word, stamps included, as
//! the fragments made of it are. Records whose reads are what they were need no evaluation; the
//! others are evaluated in the child, which is handed nothing of a trace and so gives what it would
//! give without one. The plan is linked from both.
//!
//! | what | where |
//! |---|---|
//! | the file on disk, and changes beside it | `file`, `changes` |
//! | which reads changed | `look`, `verify` |
//! | which records that leaves, and what is missing | `recall` |
//! | what is told when packages are faulty | `faulty` |
//! | the whole of an evaluation | `evaluate` |
//! | one evaluation after the other, of what is suspected to be another | `watched`, `suspects` |

mod changes;
mod evaluate;
mod faulty;
mod file;
mod listing;
mod look;
mod recall;
mod suspects;
mod verify;
mod watched;

use std::collections::BTreeSet;

use stxl_model::PackageLabel;

use crate::record::Records;

pub(crate) use changes::Base;
pub(crate) use evaluate::evaluate_and_look;
pub use evaluate::{Account, Memory, Remembered, evaluate_remembering};
pub(crate) use listing::{Listed, reads_of_listing};

pub use file::{TraceFolder, UnsavedTrace};
pub use recall::Reason;
pub use suspects::Suspects;
pub use watched::{Dependency, Reach, Round, WatchedWorkspace};

/// What is remembered of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) records: Records,
    /// Packages whose records do not hold; what they say of outputs is what others relied on.
    pub(crate) stale: BTreeSet<PackageLabel>,
    pub(crate) listed: Listed,
    /// What it has in common with a file; none if it is to be written whole.
    pub(crate) base: Option<Base>,
}

impl Trace {
    /// Leaves out what nothing names any more, once that is an eighth of all: it would be looked at
    /// for ever. Whether it did: then everything has another position.
    pub(crate) fn compact(&mut self) -> bool {
        let total = self.records.nodes.len() + self.records.reads.len();
        if self.records.unused(&self.listed.reads) < total.div_ceil(8) {
            return false;
        }
        self.base = None;
        let former = std::mem::take(&mut self.records);
        for label in former.packages.keys() {
            self.records.absorb(&former, label);
        }
        for position in &mut self.listed.reads {
            *position = self.records.own_read(&former, *position);
        }
        true
    }
}
