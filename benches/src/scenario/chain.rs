//! A chain of trivial sandboxed builds, each seeing the one before, beside the bare floor.

use crate::generate::{Graph, Kind, Shape, Size, write_workspace};
use crate::measure::{measure, median_of};
use crate::scenario::floor::Floor;
use crate::seed::Work;
use crate::site::{Site, SiteArguments};
use crate::table::Table;

/// What the scenario takes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    site: SiteArguments,

    /// How many packages
    #[arg(long, value_name = "N", default_value_t = 100)]
    packages: usize,
}

/// Runs the scenario.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    let workspace = site.path("workspace");
    let packages = arguments.packages;
    let size = Size {
        packages,
        ..Size::default()
    };
    write_workspace(
        &workspace,
        &Graph::draw(Shape::Chain, size, 1),
        Kind::Trivial,
        Work::default(),
    )?;
    let floor = Floor::prepare(&site)?;
    let runs = arguments.site.runs;
    let mut table = Table::default();
    let bare = median_of(runs, || floor.measure(packages, 1))?;
    table.add("floor, one at a time", bare, packages);
    let built = median_of(runs, || {
        let store = site.fresh_store()?;
        measure(
            site.stxl(&workspace, &store)?
                .args(["build", "--json", "-j", "2"]),
        )
    })?;
    table.add("stxl build, evaluation included", built, packages);
    table.print(
        &format!("A chain of {packages} trivial builds"),
        "floor, one at a time",
    );
    Ok(())
}
