//! How evaluation grows with the number of packages: cold, unchanged, and after one edit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use stxl_eval::{EvaluationRequest, Evaluator, EvaluatorOptions, MemoryTree, Tests};

use super::eval::{edit, most_needed};
use crate::generate::{Graph, Kind, Shape, Size, write_workspace};
use crate::measure::{Peaks, Usage, measure_with_peaks};
use crate::plot::{Line, Plot};
use crate::seed::Work;
use crate::site::{Site, SiteArguments, is_installed};

/// What the scenario takes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    site: SiteArguments,

    /// How many packages, each of them
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_values_t = [100, 1_000, 10_000, 100_000],
    )]
    packages: Vec<usize>,

    /// How many others each package needs
    #[arg(long, value_name = "D", default_value_t = 5)]
    deps: usize,

    /// The most packages that instructions are counted for, which takes fifty times as long
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    counted_max: usize,

    /// Where the plots go: `growth-time.svg` and `growth-memory.svg`
    #[arg(long, value_name = "DIR", default_value = "benches")]
    plots: PathBuf,
}

/// What evaluates a workspace in this process, for tools that count instructions
#[derive(Debug, clap::Args)]
pub struct EvaluateArguments {
    /// The workspace
    workspace: PathBuf,
}

/// What is measured for each number of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Cold,
    Unchanged,
    Leaf,
    Root,
}

impl Case {
    const ALL: [Self; 4] = [Self::Cold, Self::Unchanged, Self::Leaf, Self::Root];

    fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Unchanged => "unchanged",
            Self::Leaf => "a leaf edited",
            Self::Root => "a root edited",
        }
    }
}

/// A row of the table.
struct Row {
    packages: usize,
    case: Case,
    usage: Usage,
    peaks: Peaks,
}

/// Runs the scenario.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut site = Site::new(&arguments.site)?;
    let mut rows = Vec::new();
    let mut counts = Vec::new();
    let has_valgrind = is_installed("valgrind");
    for packages in &arguments.packages {
        let workspace = site.path(&format!("workspace-{packages}"));
        let size = Size {
            packages: *packages,
            needs_each: arguments.deps,
            ..Size::default()
        };
        let graph = Graph::draw(Shape::Random, size, 1);
        write_workspace(&workspace, &graph, Kind::Script, Work::default())?;
        rows.extend(measure_all(
            &mut site,
            &workspace,
            &graph,
            arguments.site.runs,
        )?);
        if has_valgrind && *packages <= arguments.counted_max {
            let output = site.path("callgrind.out");
            counts.push((*packages, instructions(&workspace, &output)?));
        }
        std::fs::remove_dir_all(&workspace).context("a generated workspace")?;
    }
    print(&rows, arguments.deps);
    print_counts(&counts);
    write_plots(&rows, &arguments.plots)
}

fn measure_all(
    site: &mut Site,
    workspace: &Path,
    graph: &Graph,
    runs: usize,
) -> anyhow::Result<Vec<Row>> {
    let packages = graph.needs.len();
    let (leaf, root) = (packages - 1, most_needed(graph));
    let mut store = site.fresh_store();
    let mut edits = 0;
    let mut rows = Vec::new();
    for case in Case::ALL {
        let mut measured = Vec::new();
        for _ in 0..runs.max(1) {
            edits += 1;
            match case {
                Case::Cold => store = site.fresh_store(),
                Case::Unchanged => {}
                Case::Leaf => edit(workspace, leaf, edits)?,
                Case::Root => edit(workspace, root, edits)?,
            }
            if case != Case::Cold {
                rest();
            }
            measured.push(measure_with_peaks(
                site.stxl(workspace, &store)?.args(["eval", "--json"]),
            )?);
        }
        // Whole runs, so that the figures of a row belong together.
        measured.sort_by_key(|(usage, _)| usage.wall);
        let (usage, peaks) = measured[(measured.len() - 1) / 2];
        eprintln!(
            "measured: {packages} packages, {}: {:?}",
            case.name(),
            usage.wall
        );
        rows.push(Row {
            packages,
            case,
            usage,
            peaks,
        });
    }
    Ok(rows)
}

/// A file that was written a moment ago is opened again: what is measured is the usual case.
fn rest() {
    std::thread::sleep(Duration::from_millis(150));
}

/// Evaluates a workspace in this process, with one thread, from texts in memory.
pub fn evaluate(arguments: &EvaluateArguments) -> anyhow::Result<()> {
    let tree = Arc::new(MemoryTree::new());
    load(&tree, &arguments.workspace, "")?;
    let options = EvaluatorOptions {
        threads: 1,
        ..EvaluatorOptions::default()
    };
    let request = EvaluationRequest {
        selectors: Vec::new(),
        platform: None,
        options: std::collections::BTreeMap::new(),
        tests: Tests::Left,
        sandbox_abi: 1,
    };
    let evaluation = Evaluator::new(tree, options)?.evaluate(&request);
    if evaluation.plan.is_none() {
        bail!("there is no plan: {:?}", evaluation.diagnostics.first());
    }
    // What is freed at the end is no part of it.
    std::mem::forget(evaluation);
    Ok(())
}

/// Reads a workspace of texts into memory.
fn load(tree: &MemoryTree, folder: &Path, path: &str) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            load(tree, &entry.path(), &format!("{path}{name}/"))?;
        } else {
            let text = std::fs::read_to_string(entry.path())?;
            tree.write(&format!("{path}{name}"), &text);
        }
    }
    Ok(())
}

/// Instructions of a cold evaluation in one process, of files in memory. The evaluator's child
/// cannot run under valgrind, which knows neither filters of system calls nor `openat2`.
fn instructions(workspace: &Path, output: &Path) -> anyhow::Result<u64> {
    let mut file = std::ffi::OsString::from("--callgrind-out-file=");
    file.push(output);
    let program = std::env::current_exe().context("this program")?;
    let ended = Command::new("valgrind")
        .args(["--tool=callgrind", "--vgdb=no"])
        .arg(file)
        .arg(program)
        .arg("evaluate")
        .arg(workspace)
        .output()
        .context("valgrind")?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok());
    match count {
        Some(count) if ended.status.success() => Ok(count),
        _ => bail!("valgrind: {said}"),
    }
}

/// A number for a plot, which has fewer dots than it has digits.
fn number(of: impl TryInto<u64>) -> f64 {
    let of: u64 = of.try_into().unwrap_or(u64::MAX);
    let (high, low) = (of >> 32, of & u64::from(u32::MAX));
    let part = |it: u64| f64::from(u32::try_from(it).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn print(rows: &[Row], needs: usize) {
    println!("### Growth of evaluation, packages of {needs} needs\n");
    println!("| packages | what | wall ms | CPU ms | each, CPU µs | client MB | child MB |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        let each = row.usage.cpu.as_secs_f64() * 1e6
            / f64::from(u32::try_from(row.packages).unwrap_or(u32::MAX));
        println!(
            "| {} | {} | {:.1} | {:.1} | {each:.1} | {} | {} |",
            row.packages,
            row.case.name(),
            milliseconds(row.usage.wall),
            milliseconds(row.usage.cpu),
            megabytes(row.peaks.client_bytes),
            megabytes(row.peaks.child_bytes),
        );
    }
    println!();
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        0 => "–".to_owned(),
        bytes => format!("{}", (bytes + 500_000) / 1_000_000),
    }
}

fn print_counts(counts: &[(usize, u64)]) {
    if counts.is_empty() {
        println!(
            "Instructions were not counted: valgrind is not installed, or the workspaces are too large.\n"
        );
        return;
    }
    println!("| packages | instructions, cold | each |");
    println!("|---|---|---|");
    for (packages, count) in counts {
        println!("| {packages} | {count} | {} |", count / *packages as u64);
    }
    println!();
}

fn write_plots(rows: &[Row], folder: &Path) -> anyhow::Result<()> {
    let line = |name: &str, case: Case, value: &dyn Fn(&Row) -> f64| Line {
        name: name.to_owned(),
        points: rows
            .iter()
            .filter(|row| row.case == case)
            .map(|row| (number(row.packages), value(row).max(0.1)))
            .collect(),
    };
    let wall = |row: &Row| milliseconds(row.usage.wall);
    let time = Plot {
        title: "Evaluation to a written plan".to_owned(),
        across: "packages".to_owned(),
        up: "wall ms".to_owned(),
        lines: Case::ALL.map(|case| line(case.name(), case, &wall)).into(),
    };
    let client = |row: &Row| number(row.peaks.client_bytes) / 1e6;
    let child = |row: &Row| number(row.peaks.child_bytes) / 1e6;
    let memory = Plot {
        title: "Largest resident memory".to_owned(),
        across: "packages".to_owned(),
        up: "MB".to_owned(),
        lines: vec![
            line("cold, client", Case::Cold, &client),
            line("cold, child", Case::Cold, &child),
            line("unchanged, client", Case::Unchanged, &client),
            line("leaf, client", Case::Leaf, &client),
            line("leaf, child", Case::Leaf, &child),
        ],
    };
    for (name, plot) in [("growth-time.svg", time), ("growth-memory.svg", memory)] {
        let path = folder.join(name);
        std::fs::write(&path, plot.to_svg())
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}
