//! How much work steps would be, by what they took when they ran last.

use stxl_model::{Kind, Plan};
use stxl_store::{Store, StoreError};

use crate::records;

/// What some steps of a plan are expected to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// How many there are.
    pub steps: usize,
    /// How many of them have never run; they are in neither time.
    pub unknown: usize,
    /// One after the other, in milliseconds.
    pub work_ms: u64,
    /// The longest chain of steps that need each other, in milliseconds: no number of processors
    /// makes it shorter.
    pub longest_ms: u64,
}

/// Sums up the steps of a plan that are wanted, by position.
pub fn forecast(
    store: &Store,
    plan: &Plan,
    is_wanted: impl Fn(usize) -> bool,
) -> Result<Forecast, StoreError> {
    let durations = records::durations(store, plan, &is_wanted)?;
    let mut forecast = Forecast::default();
    let mut chains = vec![0_u64; plan.nodes().len()];
    for (position, node) in plan.nodes().iter().enumerate() {
        let inputs = node.derivation.inputs().iter();
        let below = inputs.filter_map(|input| chains.get(plan.position(input)?));
        let below = below.max().copied().unwrap_or(0);
        let mut own = 0;
        if node.derivation.kind() == Kind::Exec && is_wanted(position) {
            forecast.steps += 1;
            match durations[position] {
                Some(duration_ms) => own = duration_ms,
                None => forecast.unknown += 1,
            }
        }
        forecast.work_ms = forecast.work_ms.saturating_add(own);
        chains[position] = below.saturating_add(own);
        forecast.longest_ms = forecast.longest_ms.max(chains[position]);
    }
    Ok(forecast)
}
