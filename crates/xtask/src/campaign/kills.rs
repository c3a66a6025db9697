//! Kills builds at random times: afterwards the store is whole and the next build succeeds.
//!
//! Times are uniform over the length of an uncut run. Killing goes on after the wanted number
//! until every phase was met often enough. Which phase it was is told by the stream of events, and
//! by the processes below the client, which is stopped while they are looked at.

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
use phase::{Phase, Processes};

/// `each`: how often every phase has to be met. `rounds` and `blocks` shape how long a step runs
/// and how much it writes; `most` bounds the number of kills.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("programs", ""),
    ("kills", "200"),
    ("each", "20"),
    ("most", "4000"),
    ("seed", "1"),
    ("packages", "40"),
    ("deps", "2"),
    ("rounds", "10000000"),
    ("blocks", "64"),
];

/// How long processes of a killed client may live.
const GONE_AFTER: Duration = Duration::from_secs(1);

/// What is built, and by what.
struct Site {
    programs: Programs,
    workspace: PathBuf,
    store: PathBuf,
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
    let site = Site {
        programs: Programs::new(options)?,
        workspace: folder.path().join("workspace"),
        store: folder.path().join("store"),
    };
    let mut shape = Vec::new();
    for name in ["packages", "deps", "rounds", "blocks"] {
        shape.extend([format!("--{name}"), options.text(name).to_owned()]);
    }
    let shape: Vec<&str> = shape.iter().map(String::as_str).collect();
    site.programs.generate(&site.workspace, &shape)?;

    let (length, expected) = uncut(&site)?;
    say(&format!(
        "kills: an uncut run takes {:.0} ms",
        length.as_secs_f64() * 1e3
    ));
    let (kills, each, most) = (
        options.number("kills")?,
        options.number("each")?,
        options.number("most")?,
    );
    let mut random = Random::new(options.number("seed")?);
    let mut figures = Figures::default();
    while figures.kills < most && !is_enough(&figures, kills, each) {
        let length = u64::try_from(length.as_micros()).context("a run of a reasonable length")?;
        let after = Duration::from_micros(random.below(length));
        remove(&site.store)?;
        match kill_one(&site, after)? {
            None => figures.ended_before += 1,
            Some((phase, leftovers)) => {
                figures.kills += 1;
                *figures.by_phase.entry(phase).or_default() += 1;
                if let Err(fault) = leftovers.and_then(|()| check_after(&site, &expected)) {
                    figures.faults += 1;
                    let after = after.as_secs_f64() * 1e3;
                    say(&format!(
                        "kill {} after {after:.1} ms, {phase}: {fault:#}",
                        figures.kills
                    ));
                }
            }
        }
        if figures.kills.is_multiple_of(50) {
            say(&format!(
                "kills: {} so far, {} faults",
                figures.kills, figures.faults
            ));
        }
    }
    Ok(report(&figures, kills, each))
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

/// Runs uncut three times; returns the median length and the output trees.
fn uncut(site: &Site) -> anyhow::Result<(Duration, Value)> {
    let mut lengths = Vec::new();
    let mut outputs = Value::Null;
    for _ in 0..3 {
        remove(&site.store)?;
        let start = Instant::now();
        outputs = build(site)?;
        lengths.push(start.elapsed());
    }
    lengths.sort();
    Ok((lengths[1], outputs))
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
fn kill_one(site: &Site, after: Duration) -> anyhow::Result<Option<Kill>> {
    let mut command = site.programs.stxl(&site.workspace, &site.store);
    command
        .args(["build", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let start = Instant::now();
    let mut client = command.spawn().context("could not start stxl")?;
    let events = read_events(&mut client)?;
    std::thread::sleep(after.saturating_sub(start.elapsed()));
    if client.try_wait()?.is_some() {
        return Ok(None);
    }
    let pid = Pid::from_child(&client);
    kill_process(pid, Signal::STOP).context("could not stop the client")?;
    let processes = Processes::below(client.id());
    client.kill().context("could not kill the client")?;
    client.wait().context("could not wait for the client")?;
    let events: Vec<String> = events.iter().collect();
    Ok(Some((
        phase::of(&events, &processes),
        processes.check_gone(GONE_AFTER),
    )))
}

/// Reads the names of events in a thread until the stream ends.
fn read_events(client: &mut Child) -> anyhow::Result<mpsc::Receiver<String>> {
    let stream = client.stdout.take().context("the client's events")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let name = event["event"].as_str().unwrap_or_default().to_owned();
            if sender.send(name).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Checks what has to hold after a kill, with no step by hand in between.
fn check_after(site: &Site, expected: &Value) -> anyhow::Result<()> {
    if site.store.exists() {
        verify(site).context("after the kill")?;
    }
    let outputs = build(site).context("after the kill")?;
    if outputs != *expected {
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

fn remove(store: &Path) -> anyhow::Result<()> {
    if store.exists() {
        std::fs::remove_dir_all(store).context("could not remove the store")?;
    }
    Ok(())
}
