//! Deciding that nothing is to do, for many built packages, beside make and ninja.

use std::process::Command;

use crate::generate::{Kind, write_makefile, write_ninja, write_workspace};
use crate::measure::{measure, median_of};
use crate::scenario::NeedingPackages;
use crate::seed::Work;
use crate::site::{Site, is_installed};
use crate::table::Table;

/// Runs the scenario.
pub fn run(arguments: &NeedingPackages) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    let workspace = site.path("workspace");
    let packages = arguments.packages;
    let graph = arguments.graph();
    write_workspace(&workspace, &graph, Kind::Trivial, Work::default())?;
    write_makefile(&workspace, &graph)?;
    write_ninja(&workspace, &graph)?;
    let runs = arguments.site.runs;
    let mut table = Table::default();

    let store = site.fresh_store();
    let first = measure(site.stxl(&workspace, &store)?.args(["build", "--json"]))?;
    let again = median_of(runs, || {
        measure(site.stxl(&workspace, &store)?.args(["build", "--json"]))
    })?;
    table.add("stxl, nothing to do", again, packages);
    table.add("stxl, first build (once)", first, packages);
    for program in ["make", "ninja"] {
        if !is_installed(program) {
            continue;
        }
        let command = || {
            let mut command = Command::new(program);
            command.arg("-C").arg(&workspace).arg("-j2").arg("all");
            command
        };
        measure(&mut command())?;
        let again = median_of(runs, || measure(&mut command()))?;
        table.add(&format!("{program}, nothing to do"), again, packages);
    }
    table.print(
        &format!(
            "No-op build of {packages} built packages of {} needs",
            arguments.deps
        ),
        "stxl, nothing to do",
    );
    Ok(())
}
