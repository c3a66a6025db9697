//! Many trivial sandboxed builds of a shape, beside the bare floor: independent ones, and a chain
//! in which each sees the one before.

use crate::generate::{Graph, Kind, Shape, Size, write_workspace};
use crate::measure::{measure, median_of};
use crate::scenario::Packages;
use crate::scenario::floor::{Floor, PARALLEL};
use crate::seed::Work;
use crate::site::Site;
use crate::table::Table;

/// What differs between the scenarios.
#[derive(Clone, Copy, Debug)]
pub struct Builds {
    /// How the packages need each other.
    pub shape: Shape,
    /// How many there are unless the command line says otherwise.
    pub packages: usize,
    /// How many of them can run at a time, which is how many the floor starts.
    pub parallel: usize,
    /// The row of the floor.
    pub floor: &'static str,
    /// What stands behind the number of builds in the title.
    pub title: &'static str,
}

/// Builds that do not need each other.
pub const TRIVIAL: Builds = Builds {
    shape: Shape::Independent,
    packages: 1_000,
    parallel: PARALLEL,
    floor: "floor, two at a time",
    title: "trivial sandboxed builds, two at a time",
};

/// Builds of which each needs the one before.
pub const CHAIN: Builds = Builds {
    shape: Shape::Chain,
    packages: 100,
    parallel: 1,
    floor: "floor, one at a time",
    title: "trivial builds in a chain",
};

/// Runs a scenario.
pub fn run(arguments: &Packages, builds: Builds) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    let workspace = site.path("workspace");
    let packages = arguments.packages.unwrap_or(builds.packages);
    let size = Size {
        packages,
        ..Size::default()
    };
    let graph = Graph::draw(builds.shape, size, 1);
    write_workspace(&workspace, &graph, Kind::Trivial, Work::default())?;
    let floor = Floor::prepare(&site)?;
    let runs = arguments.site.runs;
    let mut table = Table::default();
    let bare = median_of(runs, || floor.measure(packages, builds.parallel))?;
    table.add(builds.floor, bare, packages);
    let built = median_of(runs, || {
        let store = site.fresh_store();
        let jobs = PARALLEL.to_string();
        measure(
            site.stxl(&workspace, &store)?
                .args(["build", "--json", "-j", &jobs]),
        )
    })?;
    table.add("stxl build -j 2, evaluation included", built, packages);
    let store = site.fresh_store();
    let eval = median_of(runs, || {
        measure(site.stxl(&workspace, &store)?.args(["eval", "--json"]))
    })?;
    table.add("stxl eval alone", eval, packages);
    table.print(&format!("{packages} {}", builds.title), builds.floor);
    Ok(())
}
