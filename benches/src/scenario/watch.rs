//! From a save to what it changes in the plan, while a workspace is watched.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::eval::{edit, most_needed};
use crate::generate::{Kind, write_workspace};
use crate::measure::{Usage, measure, median_of};
use crate::scenario::NeedingPackages;
use crate::seed::Work;
use crate::site::Site;
use crate::table::Table;

/// Between two saves: somebody types.
const PAUSE: Duration = Duration::from_millis(300);

/// Runs the scenario.
pub fn run(arguments: &NeedingPackages) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    let workspace = site.path("workspace");
    let packages = arguments.packages;
    let graph = arguments.graph();
    write_workspace(&workspace, &graph, Kind::Script, Work::default())?;
    let runs = arguments.site.runs;
    let store = site.fresh_store();
    let mut table = Table::default();
    let again = || -> anyhow::Result<Usage> {
        measure(site.stxl(&workspace, &store)?.args(["eval", "--json"]))
    };
    again()?;
    let unchanged = "stxl eval, nothing changed";
    table.add(unchanged, median_of(runs, again)?, packages);

    let mut command = site.stxl(&workspace, &store)?;
    command.args(["eval", "--watch", "--json"]);
    let mut watch = Watch::start(&mut command)?;
    let mut edits = 0;
    for (what, package) in [
        ("a leaf saved", packages - 1),
        ("a root saved", most_needed(&graph)),
    ] {
        // The first of a kind finds less at hand.
        watch.save(&workspace, package, &mut edits)?;
        let saved = median_of(runs, || watch.save(&workspace, package, &mut edits))?;
        table.add(what, saved, packages);
    }
    table.print(
        &format!("Watch {packages} packages of {} needs", arguments.deps),
        unchanged,
    );
    Ok(())
}

/// A program that watches; it ends with this.
struct Watch {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn start(command: &mut std::process::Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().context("could not start the watch")?;
        let output = process.stdout.take().context("standard output is a pipe")?;
        let mut watch = Self {
            process,
            // Lines are long, and it is not this reader that is measured.
            lines: BufReader::with_capacity(1 << 20, output),
        };
        watch.line()?;
        Ok(watch)
    }

    fn line(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        self.lines.read_line(&mut line).context("the watch")?;
        if !line.contains("\"event\":\"evaluated\"") {
            bail!("the watch said: {line}");
        }
        Ok(())
    }

    /// Saves a package, and measures until what it changes was read.
    fn save(
        &mut self,
        workspace: &Path,
        package: usize,
        edits: &mut usize,
    ) -> anyhow::Result<Usage> {
        std::thread::sleep(PAUSE);
        *edits += 1;
        let before = self.cpu();
        let begin = Instant::now();
        edit(workspace, package, *edits)?;
        self.line()?;
        Ok(Usage {
            wall: begin.elapsed(),
            cpu: self.cpu().saturating_sub(before),
            rss_bytes: crate::measure::peak_of(self.process.id()),
        })
    }

    /// Processor time of the program and of those that it waited for, in hundredths of a second.
    fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.process.id());
        let stat = fs::read_to_string(path).unwrap_or_default();
        // The name, in brackets, may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let fields = fields.split_ascii_whitespace().skip(11).take(4);
        let hundredths: u64 = fields.filter_map(|it| it.parse::<u64>().ok()).sum();
        Duration::from_millis(10 * hundredths)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
