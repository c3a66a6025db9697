//! Many trivial sandboxed builds that do not need each other, beside the bare floor.

use crate::generate::{Graph, Kind, Shape, Size, write_workspace};
use crate::measure::{measure, median_of};
use crate::scenario::floor::{Floor, PARALLEL};
use crate::seed::Work;
use crate::site::{Site, SiteArguments};
use crate::table::Table;

/// What the scenario takes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    site: SiteArguments,

    /// How many packages
    #[arg(long, value_name = "N", default_value_t = 1_000)]
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
        &Graph::draw(Shape::Independent, size, 1),
        Kind::Trivial,
        Work::default(),
    )?;
    let floor = Floor::prepare(&site)?;
    let runs = arguments.site.runs;
    let mut table = Table::default();
    let bare = median_of(runs, || floor.measure(packages, PARALLEL))?;
    table.add("floor, two at a time", bare, packages);
    let built = median_of(runs, || {
        let store = site.fresh_store()?;
        measure(
            site.stxl(&workspace, &store)?
                .args(["build", "--json", "-j", "2"]),
        )
    })?;
    table.add("stxl build -j 2, evaluation included", built, packages);
    let store = site.fresh_store()?;
    let eval = median_of(runs, || {
        measure(site.stxl(&workspace, &store)?.args(["eval", "--json"]))
    })?;
    table.add("stxl eval alone", eval, packages);
    table.print(
        &format!("{packages} trivial sandboxed builds, two at a time"),
        "floor, two at a time",
    );
    Ok(())
}
