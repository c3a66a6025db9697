//! The arguments of a rebuild check.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use stxl_build::{CHECK_GAP, CheckWorld, Perturbation};

/// Nobody waits longer than a week.
const GAP_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

/// In which world what is built is built again.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Let this stay as it was when a step runs again, such as `directory,user`
    #[arg(
        long = "check-except",
        value_name = "WHAT",
        value_delimiter = ',',
        requires = "check",
        value_parser = PossibleValuesParser::new(Perturbation::ALL.map(Perturbation::name))
    )]
    pub(crate) except: Vec<String>,

    /// Run a step again so many seconds after it ended first, at the earliest (default: 61)
    #[arg(
        long = "check-gap",
        value_name = "SECONDS",
        requires = "check",
        value_parser = clap::value_parser!(u64).range(..=GAP_SECONDS_MAX)
    )]
    pub(crate) gap: Option<u64>,
}

impl CheckArguments {
    /// What is another when a step runs again, and when.
    pub(crate) fn world(&self) -> CheckWorld {
        let all = Perturbation::ALL.into_iter();
        let is_excepted = |it: &Perturbation| self.except.iter().any(|name| name == it.name());
        CheckWorld {
            perturbed: all.filter(|it| !is_excepted(it)).collect(),
            gap: self.gap.map_or(CHECK_GAP, Duration::from_secs),
        }
    }
}
