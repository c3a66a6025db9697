//! `stxl eval --profile`: what an evaluation costs, as tables and as a file.

use stxl_eval::{FunctionCost, PackageCost, PhaseCost, Profile, ProfileRecord};

use crate::arguments::FlameGraph;
use crate::evaluation::Audience;
use crate::failure::Failure;
use crate::progress::plural;
use crate::terminal::{print_data, print_record};

/// How many packages, and how many functions, a person is shown; `--json` has all of them.
const SHOWN_MAX: usize = 20;

/// Writes the flame graph, if there is to be one, and prints what costs what.
pub(super) fn tell(
    profile: &Profile,
    graph: &FlameGraph,
    audience: Audience,
) -> Result<(), Failure> {
    if let FlameGraph::File(file) = graph {
        let graph = match file.extension() {
            Some(ending) if ending == "svg" => profile.flame_graph(),
            Some(_) | None => profile.folded(),
        };
        std::fs::write(file, graph).map_err(|error| {
            let message = format!("`{}` cannot be written: {error}", file.display());
            Failure::environment(std::io::Error::new(error.kind(), message))
        })?;
    }
    match audience {
        Audience::Program => print_record(&ProfileRecord::of(profile)),
        Audience::Person => print_data(tables(profile).as_bytes()),
    }
}

fn tables(profile: &Profile) -> String {
    let mut text = phases(&profile.phases());
    text += "\n";
    text += &packages(&profile.packages());
    let functions = profile.functions();
    if !functions.is_empty() {
        text += "\n";
        text += &self::functions(&functions);
    }
    text + &format!(
        "\n{} of processor time on {}, {} by the clock\n",
        milliseconds(profile.cpu_ns()).trim(),
        plural(profile.threads, "thread"),
        milliseconds(profile.wall_ns).trim(),
    )
}

/// A time in milliseconds, in a column of fourteen letters.
fn milliseconds(ns: u64) -> String {
    let text = format!("{}.{:03} ms", ns / 1_000_000, ns / 1000 % 1000);
    format!("{text:>14}")
}

fn phases(phases: &[PhaseCost]) -> String {
    let mut text = format!("{:>14} {:>9}  phase\n", "time", "times");
    for phase in phases {
        let (time, count) = (milliseconds(phase.ns), phase.count);
        text += &format!("{time} {count:>9}  {}\n", phase.name);
    }
    text
}

fn packages(packages: &[PackageCost]) -> String {
    let mut text = format!(
        "{:>14} {:>14} {:>14} {:>14} {:>14}  package\n",
        "all", "compile", "define", "expand", "lower"
    );
    for cost in packages.iter().take(SHOWN_MAX) {
        text += &format!(
            "{} {} {} {} {}  {}\n",
            milliseconds(cost.total_ns()),
            milliseconds(cost.compile_ns),
            milliseconds(cost.define_ns),
            milliseconds(cost.expand_ns),
            milliseconds(cost.lower_ns),
            cost.name
        );
    }
    text + &rest(packages.len())
}

fn functions(functions: &[FunctionCost]) -> String {
    let mut text = format!(
        "{:>14} {:>14} {:>9}  function\n",
        "itself", "with calls", "calls"
    );
    for cost in functions.iter().take(SHOWN_MAX) {
        text += &format!(
            "{} {} {:>9}  {} ({})\n",
            milliseconds(cost.self_ns),
            milliseconds(cost.total_ns),
            cost.calls,
            cost.name,
            cost.file
        );
    }
    text + &rest(functions.len())
}

fn rest(count: usize) -> String {
    match count.checked_sub(SHOWN_MAX) {
        None | Some(0) => String::new(),
        Some(more) => format!("and {more} more\n"),
    }
}
