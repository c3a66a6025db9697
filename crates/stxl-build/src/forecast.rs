//! How much work steps would be, by what they took when they ran last.

use std::collections::BTreeMap;

use stxl_model::{Kind, PackageLabel, Plan};
use stxl_store::{Store, StoreError};

use crate::records;

/// What some steps of a plan are expected to take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// All of them.
    pub work: Work,
    /// Those of each package that has any.
    pub packages: BTreeMap<PackageLabel, Work>,
    /// The longest chain of steps that need each other, in milliseconds: no number of processors
    /// makes it shorter.
    pub longest_ms: u64,
}

/// Some steps, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How many there are.
    pub steps: usize,
    /// How many of them have never run; they are in no time.
    pub unknown: usize,
    /// How long the others took, in milliseconds.
    pub ms: u64,
}

impl Work {
    fn add(&mut self, duration_ms: Option<u64>) {
        self.steps += 1;
        match duration_ms {
            Some(duration_ms) => self.ms = self.ms.saturating_add(duration_ms),
            None => self.unknown += 1,
        }
    }
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
        let mut chain = below.max().copied().unwrap_or(0);
        if node.derivation.kind() == Kind::Exec && is_wanted(position) {
            let duration = durations[position];
            forecast.work.add(duration);
            let label = node.origin.label.clone();
            forecast.packages.entry(label).or_default().add(duration);
            chain = chain.saturating_add(duration.unwrap_or(0));
        }
        chains[position] = chain;
        forecast.longest_ms = forecast.longest_ms.max(chain);
    }
    Ok(forecast)
}
