//! Climbs from the seed, one rung after the other, and compares every digest with the record.
//!
//! A rung is a package of the stages below the last one asked for. The record is the
//! `digests.toml` of each stage: for every rung the SHA-256 of files of its main output. A store
//! that is named is kept, so an interrupted climb goes on with the rung at which it ended.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::program::{Options, Programs, last_words, work_folder};
use crate::console::say;
use crate::workspace;

/// `to` is the last rung; `store` and `source-dir` are folders, or nothing for new and none;
/// `check` builds every rung once more in another world, if it is `1`.
pub(crate) const OPTIONS: &[(&str, &str)] = &[
    ("programs", ""),
    ("to", "stage3/gcc"),
    ("store", ""),
    ("source-dir", ""),
    ("jobs", "2"),
    ("check", "0"),
];

/// Digests on record: path in the rung's main output to SHA-256, by rung.
type Digests = BTreeMap<String, BTreeMap<String, String>>;

/// What it takes to build a rung.
struct Climb<'o> {
    options: &'o Options,
    programs: Programs,
    workspace: PathBuf,
    store: PathBuf,
}

/// What building a rung took and gave.
struct Rung {
    ran: u64,
    cached: u64,
    cpu: Duration,
    wall: Duration,
    /// The tree of the main output.
    tree: String,
}

/// Runs the campaign.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let folder = work_folder()?;
    let store = match options.text("store") {
        "" => folder.path().join("store"),
        store => std::path::absolute(store)?,
    };
    let climb = Climb {
        options,
        programs: Programs::new(options)?,
        workspace: workspace::root(),
        store,
    };
    let is_checked = match options.text("check") {
        "0" => false,
        "1" => true,
        other => bail!("--check takes 0 or 1, not `{other}`"),
    };
    if !options.text("to").contains('/') {
        bail!("--to takes a package, not `{}`", options.text("to"));
    }
    let labels = climb.labels()?;
    let width = labels.iter().map(String::len).max().unwrap_or(0);
    say(&format!(
        "{:<width$} {:>5} {:>6} {:>9} {:>9}  tree",
        "rung", "ran", "cached", "CPU s", "wall s"
    ));
    let mut wrong = Vec::new();
    let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
    for label in &labels {
        let rung = climb.build(label, &[])?;
        cpu += rung.cpu;
        wall += rung.wall;
        say(&format!(
            "{label:<width$} {:>5} {:>6} {:>9.1} {:>9.1}  {}",
            rung.ran,
            rung.cached,
            rung.cpu.as_secs_f64(),
            rung.wall.as_secs_f64(),
            rung.tree
        ));
        wrong.extend(climb.compare(label)?);
        if is_checked {
            climb.build(label, &["--check", "--check-gap", "1"])?;
        }
    }
    say(&format!(
        "{:<width$} {:>5} {:>6} {:>9.1} {:>9.1}",
        "all",
        "",
        "",
        cpu.as_secs_f64(),
        wall.as_secs_f64()
    ));
    if wrong.is_empty() {
        say("bootstrap: every digest is the one on record");
    } else {
        say("bootstrap: other digests than on record:");
        wrong.iter().for_each(|line| say(&format!("  {line}")));
        say(
            "Same sources and tools give the same bytes: `stxl build LABEL --check` tells whether a",
        );
        say("step is not reproducible, `stxl diff REVISION` which definitions were changed since.");
        say("Only a change that is meant, and understood, belongs into digests.toml.");
    }
    climb.trace()?;
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Climb<'_> {
    fn stxl(&self, words: &[&str]) -> Command {
        let mut command = self.programs.stxl(&self.workspace, &self.store);
        command.args(words);
        command
    }

    fn answer(&self, words: &[&str]) -> anyhow::Result<Output> {
        let output = self.stxl(words).output().context("could not start stxl")?;
        if !output.status.success() {
            bail!("stxl {}: {}", words.join(" "), last_words(&output));
        }
        Ok(output)
    }

    /// The packages that the last rung needs, itself included, in the order of the climb: one that
    /// is finished before another comes before it.
    fn labels(&self) -> anyhow::Result<Vec<String>> {
        let record = self.answer(&["eval", self.options.text("to"), "--json"])?;
        let record: Value = serde_json::from_slice(&record.stdout).context("a plan")?;
        let derivations = record.get("derivations").and_then(Value::as_array);
        let mut labels: Vec<String> = Vec::new();
        for derivation in derivations.context("a plan")?.iter().rev() {
            let text = |name| derivation.get(name).and_then(Value::as_str);
            if let (Some("exec"), Some(label)) = (text("kind"), text("label"))
                && !labels.iter().any(|known| known == label)
            {
                labels.push(label.to_owned());
            }
        }
        labels.reverse();
        Ok(labels)
    }

    fn build(&self, label: &str, words: &[&str]) -> anyhow::Result<Rung> {
        let jobs = self.options.text("jobs");
        let mut all = vec!["build", label, "--json", "--jobs", jobs];
        let source_dir = self.options.text("source-dir");
        if !source_dir.is_empty() {
            all.extend(["--source-dir", source_dir]);
        }
        all.extend(words);
        let begin = Instant::now();
        let output = self.answer(&all)?;
        rung_of(&output.stdout, begin.elapsed()).with_context(|| format!("what {label} gave"))
    }

    /// Compares what a rung gave with the record of its stage; a line for each difference.
    fn compare(&self, label: &str) -> anyhow::Result<Vec<String>> {
        let (stage, name) = label.split_once('/').context("a label")?;
        let path = self
            .workspace
            .join("stages")
            .join(stage)
            .join("digests.toml");
        let digests: Digests = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).context("a record of digests")?,
            Err(error) if error.kind() == ErrorKind::NotFound => Digests::new(),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let Some(files) = digests.get(name) else {
            return Ok(vec![format!("{label}: nothing is on record of it")]);
        };
        let tree = self.answer(&["store", "path", label])?.stdout;
        let tree = PathBuf::from(String::from_utf8_lossy(&tree).trim());
        let mut wrong = Vec::new();
        for (file, expected) in files {
            let actual = sha256_of(&tree.join(file))?;
            if actual != *expected {
                wrong.push(format!("{label}: {file} is {actual}, on record {expected}"));
            }
        }
        Ok(wrong)
    }

    /// Says what the last rung was made from.
    fn trace(&self) -> anyhow::Result<()> {
        let output = self.answer(&["trace", self.options.text("to"), "--no-opaque", "--json"])?;
        let record: Value = serde_json::from_slice(&output.stdout).context("a trace")?;
        let count = |name| {
            let list = record.get(name).and_then(Value::as_array);
            list.map_or(0, Vec::len)
        };
        let number = |name| record.get(name).and_then(Value::as_u64).unwrap_or(0);
        say(&format!(
            "{} bytes of seeds, {} opaque, {} sources locked by hash, {} steps of {} packages, {} generated files shipped in sources",
            number("seed_bytes"),
            count("opaque"),
            count("sources"),
            number("steps"),
            count("packages"),
            count("pregenerated"),
        ));
        Ok(())
    }
}

/// Reads the events of a build of one package.
fn rung_of(events: &[u8], wall: Duration) -> Option<Rung> {
    let events = String::from_utf8_lossy(events);
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).ok())
        .collect::<Option<_>>()?;
    let cpu_ms = events
        .iter()
        .filter_map(|event| event.get("cpu_ms")?.as_u64());
    let cpu = Duration::from_millis(cpu_ms.sum());
    let summary = events.last()?;
    let outputs = summary.get("outputs")?.as_array()?;
    let main = outputs
        .iter()
        .find(|it| it.get("output").and_then(Value::as_str) == Some("main"))?;
    Some(Rung {
        ran: summary.get("ran")?.as_u64()?,
        cached: summary.get("cached")?.as_u64()?,
        cpu,
        wall,
        tree: main.get("tree")?.as_str()?.to_owned(),
    })
}

fn sha256_of(file: &Path) -> anyhow::Result<String> {
    let output = workspace::capture(Command::new("sha256sum").arg("-b").arg(file))?;
    let text = String::from_utf8_lossy(&output);
    let digest = text.split(' ').next().unwrap_or_default();
    Ok(digest.trim_start_matches('\\').to_owned())
}
