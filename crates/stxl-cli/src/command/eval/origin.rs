//! `stxl eval --origin`: where a value comes from.

use stxl_eval::{OriginRecord, Provenance};

use crate::evaluation::Audience;
use crate::failure::Failure;
use crate::terminal::{print_data, print_record};

/// Prints the chain: for a person each place and the line it is on.
pub(super) fn tell(origin: &Provenance, audience: Audience) -> Result<(), Failure> {
    match audience {
        Audience::Program => print_record(&OriginRecord::of(origin)),
        Audience::Person => print_data(origin.to_string().as_bytes()),
    }
}
