//! Climbs from the seed in one build, and compares every digest with the record.
//!
//! A rung is a package that the last one asked for needs. The record is the `digests.toml` of each
//! stage: for every rung the SHA-256 of files of its main output. A store that is named is kept,
//! so an interrupted climb goes on with the step at which it ended.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::program::{Options, Programs, last_words, work_folder};
use crate::console::say;
use crate::workspace;

/// `to` are the last rungs, between commas; `store` and `source-dir` are folders, or nothing for
/// new and none; `check` builds every rung once more in another world, if it is `1`.
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

/// What became of a step.
#[derive(Clone, Copy, Default)]
struct Step {
    /// Whether it is there; `Some(true)` if it ran for that.
    ran: Option<bool>,
    cpu: Duration,
    wall: Duration,
}

/// A step as events name it.
struct StepName {
    label: String,
    id: String,
}

/// The steps of each rung, by id.
#[derive(Default)]
struct Steps(BTreeMap<String, BTreeMap<String, Step>>);

/// Runs the campaign.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let folder = work_folder()?;
    let store = match options.text("store") {
        "" => folder.path().join("store"),
        store => std::path::absolute(store)?,
    };
    // What is remembered of evaluations has to lie in a folder of the user alone.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(store.with_extension("cache"))?;
    let is_checked = match options.text("check") {
        "0" => false,
        "1" => true,
        other => bail!("--check takes 0 or 1, not `{other}`"),
    };
    let climb = Climb {
        options,
        programs: Programs::new(options)?,
        workspace: workspace::root(),
        store,
    };
    let steps = climb.build(climb.steps()?)?;
    let labels: Vec<&str> = steps.0.keys().map(String::as_str).collect();
    let (mut compared, mut wrong) = (0_usize, Vec::new());
    for label in &labels {
        compared += climb.compare(label, &mut wrong)?;
    }
    if wrong.is_empty() {
        say(&format!(
            "bootstrap: {compared} digests of {} rungs are those on record",
            labels.len()
        ));
    } else {
        say("bootstrap: other digests than on record:");
        wrong.iter().for_each(|line| say(&format!("  {line}")));
        say(
            "Same sources and tools give the same bytes: `stxl build LABEL --check` tells whether a",
        );
        say("step is not reproducible, `stxl diff REVISION` which definitions were changed since.");
        say("Only a change that is meant, and understood, belongs into digests.toml.");
    }
    let is_reproducible = !is_checked || climb.check(&labels, steps.count())?;
    for label in climb.to() {
        climb.trace(label)?;
    }
    Ok(if wrong.is_empty() && is_reproducible {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Steps {
    /// Notes what an event says of a step. Returns its rung if all steps of that are there by now.
    fn note(&mut self, event: &Value) -> anyhow::Result<Option<String>> {
        let Some(name) = StepName::of(event.get("step").unwrap_or(&Value::Null)) else {
            return Ok(None);
        };
        let Some(rung) = self.0.get_mut(&name.label) else {
            bail!("a step of {}, which is no rung", name.label);
        };
        let was_whole = is_whole(rung);
        let step = rung.entry(name.id).or_default();
        match event.get("event").and_then(Value::as_str) {
            Some("step_finished") => {
                let time = |name| event.get(name).and_then(Value::as_u64);
                let (cpu, wall) = (time("cpu_ms"), time("duration_ms"));
                step.ran = Some(true);
                step.cpu += Duration::from_millis(cpu.context("a step has a time")?);
                step.wall += Duration::from_millis(wall.context("a step has a time")?);
            }
            Some("cached" | "cut_off") => step.ran = Some(false),
            Some("lost") => step.ran = None,
            _ => {}
        }
        Ok((!was_whole && is_whole(rung)).then_some(name.label))
    }

    fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }
}

fn is_whole(rung: &BTreeMap<String, Step>) -> bool {
    rung.values().all(|step| step.ran.is_some())
}

impl StepName {
    /// Reads a step of a plan or of an event; nothing if no processes run in it.
    fn of(step: &Value) -> Option<Self> {
        let text = |name| step.get(name).and_then(Value::as_str);
        (text("kind")? == "exec").then_some(())?;
        Some(Self {
            label: text("label")?.to_owned(),
            id: text("id")?.to_owned(),
        })
    }
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

    /// The packages that are asked for.
    fn to(&self) -> impl Iterator<Item = &str> {
        self.options.text("to").split(',')
    }

    /// The steps of everything that is asked for.
    fn steps(&self) -> anyhow::Result<Steps> {
        let words: Vec<&str> = ["eval", "--json"].into_iter().chain(self.to()).collect();
        let record: Value =
            serde_json::from_slice(&self.answer(&words)?.stdout).context("a plan")?;
        let derivations = record.get("derivations").and_then(Value::as_array);
        let mut steps = Steps::default();
        for derivation in derivations.context("a plan")? {
            if let Some(name) = StepName::of(derivation) {
                let rung = steps.0.entry(name.label).or_default();
                rung.insert(name.id, Step::default());
            }
        }
        Ok(steps)
    }

    /// Builds what is asked for; a line for each rung as soon as its last step is there.
    fn build(&self, mut steps: Steps) -> anyhow::Result<Steps> {
        let width = steps.0.keys().map(String::len).max().unwrap_or(0);
        let line = |label: &str, of: &mut dyn Iterator<Item = &Step>, elapsed: Duration| {
            let steps: Vec<&Step> = of.collect();
            let ran = steps.iter().filter(|step| step.ran == Some(true)).count();
            let cpu: Duration = steps.iter().map(|step| step.cpu).sum();
            let wall: Duration = steps.iter().map(|step| step.wall).sum();
            say(&format!(
                "{label:<width$} {ran:>5} {:>6} {:>9.1} {:>9.1} {:>9.1}",
                steps.len() - ran,
                cpu.as_secs_f64(),
                wall.as_secs_f64(),
                elapsed.as_secs_f64()
            ));
        };
        say(&format!(
            "{:<width$} {:>5} {:>6} {:>9} {:>9} {:>9}",
            "rung", "ran", "cached", "CPU s", "steps s", "since s"
        ));
        let begin = Instant::now();
        let labels: Vec<&str> = self.to().collect();
        self.events(&labels, &[], |event| {
            if let Some(label) = steps.note(event)? {
                line(&label, &mut steps.0[&label].values(), begin.elapsed());
            }
            Ok(())
        })?;
        line(
            "all",
            &mut steps.0.values().flat_map(BTreeMap::values),
            begin.elapsed(),
        );
        if let Some((label, _)) = steps.0.iter().find(|(_, rung)| !is_whole(rung)) {
            bail!("the build succeeded, but told nothing of steps of {label}");
        }
        Ok(steps)
    }

    /// Builds every step once more in another world; whether all gave the same.
    fn check(&self, labels: &[&str], steps: usize) -> anyhow::Result<bool> {
        let mut checked = Value::Null;
        let words = ["--check", "--check-gap", "1", "--keep-going"];
        let status = self.events(labels, &words, |event| {
            if let Some(check) = event.get("check") {
                checked = check.clone();
            }
            Ok(())
        });
        let count = |name| checked.get(name).and_then(Value::as_u64).unwrap_or(0);
        let (all, identical) = (count("steps"), count("identical"));
        say(&format!(
            "built again in another world: {identical} of {all} steps identical"
        ));
        if all == identical {
            status?;
        }
        Ok(all == identical && all >= u64::try_from(steps)?)
    }

    /// Builds packages and hands every event on. Failures and differences are told.
    fn events(
        &self,
        labels: &[&str],
        words: &[&str],
        mut each: impl FnMut(&Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut command = self.stxl(&["build", "--json", "--jobs", self.options.text("jobs")]);
        command.args(labels).args(words);
        let source_dir = self.options.text("source-dir");
        if !source_dir.is_empty() {
            command.args(["--source-dir", source_dir]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start stxl")?;
        let events = child.stdout.take().context("the output of stxl")?;
        for event in BufReader::new(events).lines() {
            let event = serde_json::from_str(&event?).context("an event of a build")?;
            tell_trouble(&event);
            if let Err(error) = each(&event) {
                child.kill()?;
                child.wait()?;
                return Err(error);
            }
        }
        let status = child.wait().context("stxl")?;
        if !status.success() {
            bail!("stxl build ended with {status}");
        }
        Ok(())
    }

    /// Compares what a rung gave with the record of its stage; adds a line for each difference.
    /// Returns how many digests there are.
    fn compare(&self, label: &str, wrong: &mut Vec<String>) -> anyhow::Result<usize> {
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
            wrong.push(format!("{label}: nothing is on record of it"));
            return Ok(0);
        };
        let tree = self.answer(&["store", "path", label])?.stdout;
        let tree = PathBuf::from(String::from_utf8_lossy(&tree).trim());
        for (file, expected) in files {
            let actual = sha256_of(&tree.join(file))?;
            if actual != *expected {
                wrong.push(format!("{label}: {file} is {actual}, on record {expected}"));
            }
        }
        Ok(files.len())
    }

    /// Says what a package was made from.
    fn trace(&self, label: &str) -> anyhow::Result<()> {
        let output = self.answer(&["trace", label, "--no-opaque", "--json"])?;
        let record: Value = serde_json::from_slice(&output.stdout).context("a trace")?;
        let count = |name| {
            let list = record.get(name).and_then(Value::as_array);
            list.map_or(0, Vec::len)
        };
        let number = |name| record.get(name).and_then(Value::as_u64).unwrap_or(0);
        say(&format!(
            "{label}: {} bytes of seeds, {} opaque, {} sources locked by hash, {} steps of {} packages, {} generated files shipped in sources",
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

/// Says what went wrong, if an event is about that.
fn tell_trouble(event: &Value) {
    let text = |record: &Value, name| {
        let text = record.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    match event.get("event").and_then(Value::as_str) {
        Some(kind @ ("step_failed" | "failed_elsewhere")) => {
            let failure = event.get("failure").unwrap_or(&Value::Null);
            say(&format!(
                "  {kind}: {}: {}",
                text(failure, "name"),
                text(failure, "message")
            ));
            let lines = failure.get("last_lines").and_then(Value::as_array);
            for line in lines.into_iter().flatten().filter_map(Value::as_str) {
                say(&format!("  | {line}"));
            }
            say(&format!("  whole log: {}", text(failure, "log_path")));
        }
        Some("check_failed") => {
            let step = event.get("step").unwrap_or(&Value::Null);
            say(&format!("  not the same again: {}", text(step, "name")));
            let differences = event.get("differences").and_then(Value::as_array);
            for difference in differences.into_iter().flatten().take(5) {
                say(&format!(
                    "    {}: {}",
                    text(difference, "path"),
                    text(difference, "what")
                ));
            }
        }
        _ => {}
    }
}

fn sha256_of(file: &Path) -> anyhow::Result<String> {
    let output = workspace::capture(Command::new("sha256sum").arg("-b").arg(file))?;
    let text = String::from_utf8_lossy(&output);
    let digest = text.split(' ').next().unwrap_or_default();
    Ok(digest.trim_start_matches('\\').to_owned())
}
