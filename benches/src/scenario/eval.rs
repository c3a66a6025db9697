//! Cold evaluation of many packages to a written plan, beside Nix on the same graph.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::generate::{Graph, Kind, name, write_nix, write_workspace};
use crate::measure::{Usage, measure, median_of};
use crate::scenario::NeedingPackages;
use crate::seed::Work;
use crate::site::{Site, is_installed, nix_command};
use crate::table::Table;

/// Runs the scenario.
pub fn run(arguments: &NeedingPackages) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    let workspace = site.path("workspace");
    let packages = arguments.packages;
    let graph = arguments.graph();
    write_workspace(&workspace, &graph, Kind::Script, Work::default())?;
    write_nix(&workspace, &graph)?;
    let runs = arguments.site.runs;
    let mut table = Table::default();

    let cold = median_of(runs, || {
        let store = site.fresh_store();
        measure(site.stxl(&workspace, &store)?.args(["eval", "--json"]))
    })?;
    table.add("stxl, cold", cold, packages);
    let store = site.fresh_store();
    let again = || -> anyhow::Result<Usage> {
        measure(site.stxl(&workspace, &store)?.args(["eval", "--json"]))
    };
    again()?;
    table.add("stxl, nothing changed", median_of(runs, again)?, packages);
    let mut edits = 0;
    let places = [
        ("stxl, a leaf edited", packages - 1),
        ("stxl, a root edited", most_needed(&graph)),
    ];
    for (what, package) in places {
        let edited = median_of(runs, || {
            edits += 1;
            edit(&workspace, package, edits)?;
            again()
        })?;
        table.add(what, edited, packages);
    }

    if is_installed("nix-instantiate") {
        let nix = |state: &Path| -> anyhow::Result<Command> {
            let mut command = nix_command("nix-instantiate", state)?;
            command.arg("--quiet").arg(workspace.join("default.nix"));
            Ok(command)
        };
        let state = site.path("nix");
        let read_only = median_of(runs, || measure(nix(&state)?.arg("--readonly-mode")))?;
        table.add("Nix, read-only", read_only, packages);
        let writing = median_of(runs.min(3), || {
            fs::remove_dir_all(&state).context("the state of Nix")?;
            measure(&mut nix(&state)?)
        })?;
        table.add("Nix, .drv files written", writing, packages);
    }
    table.print(
        &format!("Evaluate {packages} packages of {} needs", arguments.deps),
        "stxl, cold",
    );
    Ok(())
}

/// The package that most others need, over any number of steps.
pub(super) fn most_needed(graph: &Graph) -> usize {
    let count = graph.needs.len();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (package, needs) in graph.needs.iter().enumerate() {
        for need in needs {
            users[*need].push(package);
        }
    }
    let dependents = |package: usize| {
        let mut seen = vec![false; count];
        let mut stack = vec![package];
        let mut found = 0;
        while let Some(package) = stack.pop() {
            for user in &users[package] {
                if !std::mem::replace(&mut seen[*user], true) {
                    found += 1;
                    stack.push(*user);
                }
            }
        }
        found
    };
    // Needs have lower numbers: it is among the first.
    (0..count.min(20))
        .max_by_key(|package| dependents(*package))
        .unwrap_or(0)
}

/// Changes the meaning of one package.
pub(super) fn edit(workspace: &Path, package: usize, number: usize) -> anyhow::Result<()> {
    let path = workspace
        .join("stages/core")
        .join(name(package))
        .join("package.rhai");
    let text = fs::read_to_string(&path).context("a generated package")?;
    let text = text.replace(
        "    script: #\"\n",
        &format!("    script: #\"\n        : {number}\n"),
    );
    fs::write(&path, text).context("a generated package")
}
