//! The arguments of a rebuild check.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use stxl_build::{CHECK_GAP, CheckWorld, Perturbation};

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
    #[arg(long = "check-gap", value_name = "SECONDS", requires = "check")]
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
