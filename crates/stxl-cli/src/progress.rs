//! What a person sees of a running build: a rendering of its events, on a terminal or line by line.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use indicatif::{
    HumanBytes, HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState,
    ProgressStyle,
};
use stxl_build::{
    BuildEvent, CheckMismatch, CheckReport, Perturbation, Provoked, StepFailure, Summary,
};
use stxl_model::{DerivationId, Kind, PlanNode, TreeId};

use crate::development;
use crate::terminal::{Terminal, Tone, duration};

/// Renders events for a person.
pub(crate) struct Progress {
    terminal: Terminal,
    drawing: Option<Drawing>,
}

/// Shows texts beside what is drawn, from any thread.
pub(crate) struct Announcer {
    terminal: Terminal,
    all: Option<MultiProgress>,
}

impl Announcer {
    /// Shows a text, which ends with a line feed.
    pub(crate) fn show(&self, text: &str) {
        match &self.all {
            Some(all) => all.suspend(|| self.terminal.text(text)),
            None => self.terminal.text(text),
        }
    }
}

/// The lines that are drawn over on a terminal: one for the whole, one for every running step.
struct Drawing {
    all: MultiProgress,
    whole: ProgressBar,
    running: BTreeMap<DerivationId, ProgressBar>,
}

impl Progress {
    /// Draws on a terminal, prints lines elsewhere.
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            drawing: terminal.is_interactive().then(Drawing::new),
        }
    }

    /// What shows texts beside what is drawn here.
    pub(crate) fn announcer(&self) -> Announcer {
        Announcer {
            terminal: self.terminal,
            all: self.drawing.as_ref().map(|drawing| drawing.all.clone()),
        }
    }

    /// Shows an event.
    pub(crate) fn show(&mut self, event: BuildEvent<'_>) {
        match event {
            BuildEvent::Started {
                total,
                pending,
                jobs,
            } => self.started(total, pending, jobs),
            BuildEvent::Cached { .. } => self.advance(),
            BuildEvent::CutOff { node } => {
                self.line(
                    Tone::Good,
                    "same",
                    &format!("{}: its inputs came out equal", node.origin.name),
                );
                self.advance();
            }
            BuildEvent::StepStarted { node, expected_ms } => self.step_started(node, expected_ms),
            BuildEvent::Waiting { node } => {
                self.line(
                    Tone::Faint,
                    "wait",
                    &format!("{}: another process builds it", node.origin.name),
                );
            }
            BuildEvent::Materialising { node } => self.phase(node, "preparing its root"),
            BuildEvent::Fetching { node, bytes, total } => {
                let of = total.map(|total| format!(" of {}", HumanBytes(total)));
                let of = of.unwrap_or_default();
                self.phase(node, &format!("{}{of}", HumanBytes(bytes)));
            }
            BuildEvent::Log { node, bytes } => self.log(node, bytes),
            BuildEvent::StepFinished {
                node, duration_ms, ..
            } => {
                self.step_ended(node);
                if node.derivation.kind() == Kind::Exec {
                    let text = format!("{} ({})", node.origin.name, duration(duration_ms));
                    self.line(Tone::Good, "done", &text);
                    self.advance();
                }
            }
            BuildEvent::StepFailed { failure } => {
                self.step_ended(&failure.node);
                self.line(Tone::Bad, "failed", &failure.node.origin.name);
            }
            BuildEvent::Skipped { node } => {
                self.line(Tone::Faint, "skipped", &node.origin.name);
            }
            BuildEvent::Lost { node, tree } => self.lost(node, tree),
            BuildEvent::Warning { node, text } => {
                self.line(
                    Tone::Careful,
                    "warning",
                    &format!("{}: {text}", node.origin.name),
                );
            }
            BuildEvent::CheckWaiting { steps, wait } => self.check_waiting(steps, wait),
            BuildEvent::CheckPassed { node, .. } => {
                self.step_ended(node);
                self.line(Tone::Good, "identical", &node.origin.name);
            }
            BuildEvent::CheckFailed { mismatch } => {
                self.step_ended(&mismatch.node);
                self.line(Tone::Bad, "differs", &mismatch.node.origin.name);
            }
            BuildEvent::FailedElsewhere { failure } => {
                self.step_ended(&failure.node);
                let text = format!("{}: fails elsewhere", failure.node.origin.name);
                self.line(Tone::Careful, "warning", &text);
            }
            BuildEvent::Cancelling => {
                self.line(Tone::Careful, "stopping", "ending the running steps");
            }
            BuildEvent::Superseded => self.clear(),
            BuildEvent::Summary(summary) => self.summary(summary),
        }
    }

    /// Only the results of steps: what is composed or fetched is often let go of.
    fn lost(&self, node: &PlanNode, tree: TreeId) {
        if node.derivation.kind() == Kind::Exec {
            let name = &node.origin.name;
            let text = format!("{name}: tree {tree} is gone from the store; it is made again");
            self.line(Tone::Careful, "lost", &text);
        }
    }

    fn check_waiting(&self, steps: usize, wait: Duration) {
        let text = format!(
            "{} so that the time is another: {} to run again",
            duration(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            plural(steps, "step"),
        );
        self.line(Tone::Faint, "wait", &text);
    }

    fn started(&mut self, total: usize, pending: usize, jobs: usize) {
        if let Some(drawing) = &self.drawing {
            drawing.whole.set_length(total as u64);
            drawing.whole.enable_steady_tick(Duration::from_millis(200));
        } else if pending > 0 {
            let steps = plural(pending, "step");
            self.line(
                Tone::Faint,
                "plan",
                &format!("{steps} of {total} to look at, {jobs} at once"),
            );
        }
    }

    fn step_started(&mut self, node: &PlanNode, expected_ms: Option<u64>) {
        let expected = expected_ms.map(|ms| format!(", {} last time", duration(ms)));
        let text = format!("{}{}", node.origin.name, expected.unwrap_or_default());
        match &mut self.drawing {
            Some(drawing) => drawing.begin(node, text),
            None if node.derivation.kind() == Kind::Exec => self.line(Tone::Faint, "run", &text),
            None => {}
        }
    }

    fn phase(&mut self, node: &PlanNode, what: &str) {
        if let Some(bar) = self
            .drawing
            .as_ref()
            .and_then(|drawing| drawing.running.get(&node.id))
        {
            bar.set_message(format!("{}: {what}", node.origin.name));
        }
    }

    /// On a terminal the last line of the log stands behind the step; elsewhere logs are not
    /// mixed in: `stxl log` has them whole.
    fn log(&mut self, node: &PlanNode, bytes: &[u8]) {
        let Some(bar) = self
            .drawing
            .as_ref()
            .and_then(|drawing| drawing.running.get(&node.id))
        else {
            return;
        };
        let text = String::from_utf8_lossy(bytes);
        if let Some(line) = text.lines().rev().find(|line| !line.trim().is_empty()) {
            bar.set_message(format!("{}  {}", node.origin.name, printable(line)));
        }
    }

    fn step_ended(&mut self, node: &PlanNode) {
        if let Some(drawing) = &mut self.drawing
            && let Some(bar) = drawing.running.remove(&node.id)
        {
            bar.finish_and_clear();
        }
    }

    fn advance(&mut self) {
        if let Some(drawing) = &self.drawing {
            drawing.whole.inc(1);
        }
    }

    fn line(&self, tone: Tone, word: &str, text: &str) {
        let line = format!("{} {text}", self.terminal.paint(tone, format!("{word:>9}")));
        match &self.drawing {
            Some(drawing) => drawing.all.suspend(|| self.terminal.note(&line)),
            None => self.terminal.note(&line),
        }
    }

    /// Draws nothing any more.
    fn clear(&mut self) {
        if let Some(drawing) = self.drawing.take() {
            drawing.whole.finish_and_clear();
            drop(drawing.all.clear());
        }
    }

    fn summary(&mut self, summary: &Summary) {
        self.clear();
        for failure in &summary.failed {
            self.failure(failure);
        }
        for mismatch in &summary.mismatches {
            self.mismatch(mismatch);
        }
        if let Some(report) = &summary.check {
            self.check(report);
        }
        self.terminal.note(&counts(summary));
    }

    fn check(&self, report: &CheckReport) {
        let CheckReport {
            steps,
            identical: _,
            perturbed,
            failed_elsewhere,
        } = report;
        let terminal = self.terminal;
        for failure in failed_elsewhere {
            let head = terminal.paint(Tone::Careful, "warning");
            let name = &failure.node.origin.name;
            let cause = &failure.cause;
            terminal.note(&format!("\n{head}: {name} fails elsewhere: {cause}"));
            self.evidence(failure);
            terminal.note("  it was compared under what the sandbox leaves open");
        }
        if *steps == 0 {
            return;
        }
        let part = |(perturbation, count): (&Perturbation, &usize)| {
            let name = perturbation.name().replace('-', " ");
            if count == steps {
                name
            } else {
                format!("{name} ({count})")
            }
        };
        let parts: Vec<String> = perturbed.iter().map(part).collect();
        let elsewhere = if parts.is_empty() {
            "the same world".to_owned()
        } else {
            format!("another {}", parts.join(", "))
        };
        terminal.note(&format!(
            "checked {} under {elsewhere}",
            plural(*steps, "step")
        ));
    }

    fn failure(&self, failure: &StepFailure) {
        let StepFailure {
            node,
            cause,
            last_lines: _,
            log: _,
            log_path: _,
            enter,
            hint,
        } = failure;
        let terminal = self.terminal;
        let head = terminal.paint(Tone::Bad, "error");
        terminal.note(&format!("\n{head}: {} failed: {cause}", node.origin.name));
        self.evidence(failure);
        if let Some(enter) = enter {
            terminal.note(&format!("  to enter:  {enter}"));
        }
        if let Some(hint) = hint {
            let word = terminal.paint(Tone::Good, "hint");
            terminal.note(&format!("{word}: {hint}"));
        }
    }

    /// Where a step that failed is defined, and what it wrote.
    fn evidence(&self, failure: &StepFailure) {
        let terminal = self.terminal;
        let origin = &failure.node.origin;
        terminal.note(&format!("  at {}:{}", origin.file, origin.line));
        if !failure.last_lines.is_empty() {
            terminal.note("  the last lines of its log:");
            for line in &failure.last_lines {
                terminal.note(&format!("  | {}", printable(line)));
            }
        }
        if let Some(path) = &failure.log_path {
            terminal.note(&format!("  whole log: {}", path.display()));
        }
    }

    fn mismatch(&self, mismatch: &CheckMismatch) {
        let CheckMismatch {
            node,
            first,
            second,
            differences,
            perturbed: _,
            provoked,
        } = mismatch;
        let terminal = self.terminal;
        let head = terminal.paint(Tone::Bad, "error");
        terminal.note(&format!(
            "\n{head}: {} does not give the same bytes twice",
            node.origin.name
        ));
        terminal.note(&format!("  at {}:{}", node.origin.file, node.origin.line));
        terminal.note(&format!("  recorded {first}\n  this run {second}"));
        for difference in differences {
            let at = difference
                .offset
                .map(|offset| format!(", first at byte {offset}"));
            let path = printable(&difference.path.to_string());
            terminal.note(&format!(
                "  {path}: {}{}",
                difference.what,
                at.unwrap_or_default()
            ));
        }
        match provoked {
            Some(Provoked::Elsewhere) => {
                terminal.note("  only elsewhere: two builds with this program give the same");
            }
            Some(Provoked::Anywhere) => {
                terminal.note("  here, too: two builds with this program may differ");
            }
            None => {}
        }
        if *provoked != Some(Provoked::Elsewhere) && development::is_incremental(node) {
            terminal.note(
                "  the recorded one went on from what an earlier build left: it is given up, and the next begins anew",
            );
        }
    }
}

impl Drawing {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let whole = all.add(ProgressBar::new(0));
        whole.set_style(
            style("{wide_bar} {pos}/{len} steps, {elapsed} gone{left}").with_key("left", to_go),
        );
        Self {
            all,
            whole,
            running: BTreeMap::new(),
        }
    }

    fn begin(&mut self, node: &PlanNode, text: String) {
        let bar = self
            .all
            .insert_before(&self.whole, ProgressBar::new_spinner());
        bar.set_style(style("{elapsed:>5} {wide_msg}"));
        bar.set_message(text);
        bar.enable_steady_tick(Duration::from_millis(500));
        self.running.insert(node.id, bar);
    }
}

/// When the end is expected; nothing while no step has ended, since nothing is known then.
fn to_go(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() == 0 {
        return;
    }
    // A writer that fails has a reason of its own, and a progress line has nobody to tell.
    write!(out, ", about {:#} to go", HumanDuration(state.eta())).ok();
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `9 steps: 3 ran, 6 cached`, leaving out what did not happen.
fn counts(summary: &Summary) -> String {
    let failed = summary
        .failed
        .iter()
        .filter(|failure| failure.node.derivation.kind() == Kind::Exec);
    let parts = [
        (summary.ran, "ran"),
        (summary.cached, "cached"),
        (summary.cut_off, "cut off"),
        (failed.count(), "failed"),
        (summary.skipped, "skipped"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, word)| *count > 0 || *word == "ran")
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!("{}: {}", plural(summary.total, "step"), parts.join(", "))
}

/// `1 step`, `2 steps`.
pub(crate) fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Text of others without what would move a terminal's cursor or change its colors.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|char| {
            if char.is_control() && char != '\t' {
                '\u{fffd}'
            } else {
                char
            }
        })
        .collect()
}
