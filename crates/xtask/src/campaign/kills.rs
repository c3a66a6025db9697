//! Kills builds at random times: afterwards the store is whole and the next build succeeds.
//!
//! Two builds take turns: one of few packages that work, into a fresh store, in which running and
//! sealing take most of the time; and one of many trivial packages, of which all but one are
//! built, in which evaluating and resolving do. Times are uniform over the length of an uncut run.
//! Killing goes on after the wanted number until every phase was met often enough. Which phase it
//! was is told by the stream of events, and by the processes below the client, which is stopped
//! while they are looked at.

mod phase;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::program::{Options, Programs, last_words, work_folder};
use super::random::Random;
use crate::console::say;
use phase::{Event, Phase, Processes};

/// `each`: how often every phase has to be met. `rounds` and `blocks` shape how long a step runs
/// and how much it writes; `built` is the size of the second build; `most` bounds the kills.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("programs", ""),
    ("kills", "200"),
    ("each", "20"),
    ("most", "4000"),
    ("seed", "1"),
    ("packages", "24"),
    ("rounds", "10000000"),
    ("blocks", "64"),
    ("built", "2000"),
];

/// How long processes of a killed client may live.
const GONE_AFTER: Duration = Duration::from_secs(1);

/// How often a step's program is looked for; it runs several times as long.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What is built, and by what.
struct Site {
    programs: Programs,
    workspace: PathBuf,
    store: PathBuf,
    start: Start,
    length: Duration,
    /// The trees that every build has to give.
    expected: Value,
}

/// What a build starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// There is no store.
    FreshStore,
    /// Everything is built, and then one package is edited, which gives the same tree again.
    OneEdit,
}

/// What is counted.
#[derive(Debug, Default)]
struct Figures {
    by_phase: BTreeMap<Phase, u64>,
    kills: u64,
    ended_before: u64,
    faults: u64,
}

/// Runs the campaign.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let folder = work_folder()?;
    let programs = Programs::new(options)?;
    let text = |name: &str| options.text(name);
    let work = [
        "--packages",
        text("packages"),
        "--rounds",
        text("rounds"),
        "--blocks",
        text("blocks"),
    ];
    let sites = [
        prepare(
            &programs,
            &folder.path().join("fresh"),
            Start::FreshStore,
            &work,
        )?,
        prepare(
            &programs,
            &folder.path().join("built"),
            Start::OneEdit,
            &["--packages", text("built")],
        )?,
    ];
    let (kills, each, most) = (
        options.number("kills")?,
        options.number("each")?,
        options.number("most")?,
    );
    let mut random = Random::new(options.number("seed")?);
    let mut figures = Figures::default();
    for site in sites.iter().cycle() {
        if figures.kills >= most || is_enough(&figures, kills, each) {
            break;
        }
        let length = u64::try_from(site.length.as_micros()).context("a run of some length")?;
        let after = Duration::from_micros(random.below(length));
        reset(site, random.next())?;
        attempt(site, 1 + random.below(2), after, &mut figures)?;
        if figures.kills.is_multiple_of(50) {
            say(&format!(
                "kills: {} so far, {} faults",
                figures.kills, figures.faults
            ));
        }
    }
    Ok(report(&figures, kills, each))
}

/// Kills one build and counts what came of it.
fn attempt(site: &Site, jobs: u64, after: Duration, figures: &mut Figures) -> anyhow::Result<()> {
    let Some((phase, leftovers)) = kill_one(site, jobs, after)? else {
        figures.ended_before += 1;
        return Ok(());
    };
    figures.kills += 1;
    *figures.by_phase.entry(phase).or_default() += 1;
    if let Err(fault) = leftovers.and_then(|()| check_after(site)) {
        figures.faults += 1;
        let after = after.as_secs_f64() * 1e3;
        say(&format!(
            "kill {} after {after:.1} ms, {phase}: {fault:#}",
            figures.kills
        ));
    }
    Ok(())
}

fn is_enough(figures: &Figures, kills: u64, each: u64) -> bool {
    figures.kills >= kills
        && Phase::ALL
            .iter()
            .all(|phase| figures.by_phase.get(phase).copied().unwrap_or_default() >= each)
}

fn report(figures: &Figures, kills: u64, each: u64) -> ExitCode {
    for phase in Phase::ALL {
        let count = figures.by_phase.get(&phase).copied().unwrap_or_default();
        let bar = "#".repeat(usize::try_from(count.min(60)).unwrap_or(60));
        say(&format!("{phase:<12} {count:>5} {bar}"));
    }
    say(&format!(
        "kills: {} killed, {} had ended before, {} faults",
        figures.kills, figures.ended_before, figures.faults
    ));
    if !is_enough(figures, kills, each) {
        say(&format!("kills: a phase was met less than {each} times"));
        return ExitCode::FAILURE;
    }
    if figures.faults == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Writes a workspace and runs uncut three times, for the median length and the trees.
fn prepare(
    programs: &Programs,
    folder: &Path,
    start: Start,
    shape: &[&str],
) -> anyhow::Result<Site> {
    let mut site = Site {
        programs: programs.clone(),
        workspace: folder.join("workspace"),
        store: folder.join("store"),
        start,
        length: Duration::ZERO,
        expected: Value::Null,
    };
    site.programs
        .generate(&site.workspace, &[&["--deps", "2"], shape].concat())?;
    if start == Start::OneEdit {
        build(&site)?;
    }
    let mut lengths = Vec::new();
    for salt in 0..3 {
        reset(&site, salt)?;
        let begin = Instant::now();
        site.expected = build(&site)?;
        lengths.push(begin.elapsed());
    }
    lengths.sort();
    site.length = lengths[1];
    say(&format!(
        "kills: {start:?}: an uncut run takes {:.0} ms",
        site.length.as_secs_f64() * 1e3
    ));
    Ok(site)
}

/// Makes sure that the next build has something to do.
fn reset(site: &Site, salt: u64) -> anyhow::Result<()> {
    match site.start {
        Start::FreshStore if site.store.exists() => {
            std::fs::remove_dir_all(&site.store).context("could not remove the store")
        }
        Start::FreshStore => Ok(()),
        Start::OneEdit => {
            let file = site.workspace.join("stages/core/p00001/package.rhai");
            let text = std::fs::read_to_string(&file).context("a generated package")?;
            let lines = text
                .lines()
                .filter(|line| !line.contains("SALT"))
                .map(|line| {
                    let is_place = line.contains(".mkdir(");
                    let salted = format!("        .env(#{{ SALT: \"{salt}\" }})\n{line}\n");
                    if is_place {
                        salted
                    } else {
                        format!("{line}\n")
                    }
                });
            std::fs::write(&file, lines.collect::<String>()).context("a generated package")
        }
    }
}

/// Builds to success and returns the outputs with their trees, without paths in the store.
fn build(site: &Site) -> anyhow::Result<Value> {
    let mut command = site.programs.stxl(&site.workspace, &site.store);
    let output = command
        .args(["build", "--json"])
        .output()
        .context("could not start stxl")?;
    let last = output
        .stdout
        .split(|byte| *byte == b'\n')
        .rfind(|line| !line.is_empty());
    let summary: Value = last
        .and_then(|line| serde_json::from_slice(line).ok())
        .unwrap_or_default();
    if !output.status.success() || summary["outcome"] != "ok" {
        bail!("the build failed: {}", last_words(&output));
    }
    let mut outputs = summary["outputs"].clone();
    for output in outputs.as_array_mut().into_iter().flatten() {
        output["path"] = Value::Null;
    }
    Ok(outputs)
}

/// A kill: the phase it met, and whether all processes below the client went with it.
type Kill = (Phase, anyhow::Result<()>);

/// Starts a build and kills it; returns nothing when it had ended before.
fn kill_one(site: &Site, jobs: u64, after: Duration) -> anyhow::Result<Option<Kill>> {
    let mut command = site.programs.stxl(&site.workspace, &site.store);
    command
        .args(["build", "--json", "--jobs", &jobs.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let start = Instant::now();
    let mut client = command.spawn().context("could not start stxl")?;
    let events = read_events(&mut client)?;
    let mut tool_seen = None;
    while let Some(left) = after.checked_sub(start.elapsed()) {
        std::thread::sleep(left.min(LOOK_EVERY));
        if Processes::below(client.id()).has_tool {
            tool_seen = Some(Instant::now());
        }
    }
    if client.try_wait()?.is_some() {
        return Ok(None);
    }
    let pid = Pid::from_child(&client);
    kill_process(pid, Signal::STOP).context("could not stop the client")?;
    let processes = Processes::below(client.id());
    client.kill().context("could not kill the client")?;
    client.wait().context("could not wait for the client")?;
    let events: Vec<Event> = events.iter().collect();
    Ok(Some((
        phase::of(&events, &processes, tool_seen),
        processes.check_gone(GONE_AFTER),
    )))
}

/// Reads events in a thread until the stream ends.
fn read_events(client: &mut Child) -> anyhow::Result<mpsc::Receiver<Event>> {
    let stream = client.stdout.take().context("the client's events")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let name = event["event"].as_str().unwrap_or_default().to_owned();
            if sender.send((Instant::now(), name)).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Checks what has to hold after a kill, with no step by hand in between.
fn check_after(site: &Site) -> anyhow::Result<()> {
    if site.store.exists() {
        verify(site).context("after the kill")?;
    }
    let outputs = build(site).context("after the kill")?;
    if outputs != site.expected {
        bail!("the next build gave other trees");
    }
    verify(site).context("after the next build")
}

fn verify(site: &Site) -> anyhow::Result<()> {
    let mut command = site.programs.stxl(&site.workspace, &site.store);
    let output = command.args(["store", "verify", "--json"]).output()?;
    if !output.status.success() {
        bail!("`store verify` found damage: {}", last_words(&output));
    }
    Ok(())
}
