//! The scenarios, each a subcommand that prints a table.

use crate::generate::{Graph, Shape, Size};
use crate::site::SiteArguments;

pub mod builds;
pub mod eval;
pub mod floor;
pub mod growth;
pub mod import;
pub mod noop;
pub mod overhead;
pub mod watch;

/// What scenarios over generated packages take
#[derive(Debug, clap::Args)]
pub struct Packages {
    #[command(flatten)]
    site: SiteArguments,

    /// How many packages (default: what README.md shows)
    #[arg(long, value_name = "N")]
    packages: Option<usize>,
}

/// What scenarios over packages that need others take
#[derive(Debug, clap::Args)]
pub struct NeedingPackages {
    #[command(flatten)]
    site: SiteArguments,

    /// How many packages
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    packages: usize,

    /// How many others each package needs
    #[arg(long, value_name = "D", default_value_t = 5)]
    deps: usize,
}

impl NeedingPackages {
    fn graph(&self) -> Graph {
        let size = Size {
            packages: self.packages,
            needs_each: self.deps,
            ..Size::default()
        };
        Graph::draw(Shape::Random, size, 1)
    }
}
