//! The bare floor: what namespaces, an overlay and exec cost without stxl ([`Floor`]).
//!
//! The program is `native/floor.c`, compiled when it is needed: it is made of system calls, which
//! no crate but stxl-sandbox may make unchecked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::measure::{Usage, measure, median_of};
use crate::seed::{self, Work};
use crate::site::{Site, SiteArguments};
use crate::table::Table;

/// How many are started at a time where not one is: the number of `-j` in the scenarios.
pub const PARALLEL: usize = 2;

/// What the scenario takes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    site: SiteArguments,

    /// How many times the program is started
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    launches: usize,
}

/// Runs the scenario.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let site = Site::new(&arguments.site)?;
    let floor = Floor::prepare(&site)?;
    let mut table = Table::default();
    for (what, parallel) in [
        ("floor, one at a time", 1),
        ("floor, two at a time", PARALLEL),
    ] {
        let usage = median_of(arguments.site.runs, || {
            floor.measure(arguments.launches, parallel)
        })?;
        table.add(what, usage, arguments.launches);
    }
    table.print(
        &format!(
            "{} times namespaces + overlay + exec, without stxl",
            arguments.launches
        ),
        "floor, one at a time",
    );
    Ok(())
}

/// The compiled program and the root it starts in.
#[derive(Debug)]
pub struct Floor {
    program: PathBuf,
    lower: PathBuf,
    scratch: PathBuf,
}

impl Floor {
    /// Compiles the program and writes a root with the same tool that generated packages run.
    pub fn prepare(site: &Site) -> anyhow::Result<Self> {
        let floor = Self {
            program: site.path("floor"),
            lower: site.path("floor-lower"),
            scratch: site.path("floor-scratch"),
        };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("native/floor.c");
        let output = Command::new("cc")
            .args(["-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&floor.program, &source])
            .output()
            .context("could not start `cc`, which compiles the floor")?;
        if !output.status.success() {
            bail!("`cc` failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::fs::create_dir_all(&floor.lower)?;
        std::fs::create_dir_all(&floor.scratch)?;
        let tool = floor.lower.join("tool");
        std::fs::write(&tool, seed::program(Work::default()))?;
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755))?;
        Ok(floor)
    }

    /// Measures a number of launches, some of them at a time.
    pub fn measure(&self, launches: usize, parallel: usize) -> anyhow::Result<Usage> {
        let mut command = Command::new(&self.program);
        command.arg(&self.lower).arg(&self.scratch);
        command.arg(launches.to_string()).arg(parallel.to_string());
        measure(&mut command)
    }
}
