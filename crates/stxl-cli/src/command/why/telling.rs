//! The answer of `stxl why`, for people and for programs.

use serde::Serialize;
use stxl_model::{Kind, Plan};

use super::known::{Facts, Kinds, Status};
use super::places::{Cause, Part, Place};
use crate::git::Written;
use crate::progress::{plural, printable};
use crate::terminal::{Terminal, Tone, duration};

/// How many lines of a change a person is shown.
const LINES_MAX: usize = 12;

/// All that is known.
pub(super) struct Answer<'a> {
    pub(super) label: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a Facts,
    pub(super) causes: Vec<Cause<'a>>,
}

#[derive(Serialize)]
pub(super) struct WhyRecord<'r> {
    version: u32,
    event: &'static str,
    label: &'r str,
    /// `cached`, `run`, or `never-built`.
    state: &'static str,
    /// What the plan that it is compared with was built for.
    compared_with: Option<&'r str>,
    steps: StepsRecord,
    lost: &'r [String],
    /// Steps without a result that failed when they ran last.
    failed: Vec<&'r str>,
    causes: Vec<CauseRecord<'r>>,
    cascade: Vec<CascadeRecord<'r>>,
}

#[derive(Serialize)]
struct StepsRecord {
    cached: usize,
    /// Without a result, and nothing below them that has to run.
    first: usize,
    /// Without a result, above one that has to run: cut off if that gives what it gave.
    behind: usize,
    /// What those without a result took when they ran last.
    expected_ms: u64,
    /// How many of those never ran.
    never_ran: usize,
}

#[derive(Serialize)]
struct CauseRecord<'r> {
    label: &'r str,
    name: &'r str,
    derivation_kind: &'static str,
    /// `changed`, `new` or `unfinished`.
    kind: &'static str,
    status: &'static str,
    file: &'r str,
    line: u32,
    parts: Vec<PartRecord<'r>>,
}

#[derive(Serialize)]
struct PartRecord<'r> {
    part: &'r str,
    before: Option<&'r str>,
    after: Option<&'r str>,
    changes: Vec<ChangeRecord<'r>>,
    places: Vec<PlaceRecord<'r>>,
}

#[derive(Serialize)]
struct ChangeRecord<'r> {
    line: u32,
    removed: &'r [String],
    added: &'r [String],
}

#[derive(Serialize)]
struct PlaceRecord<'r> {
    file: &'r str,
    line: Option<u32>,
    /// `committed`, `uncommitted` or `unknown`.
    written: &'static str,
    commit: Option<&'r str>,
    subject: Option<&'r str>,
}

#[derive(Serialize)]
struct CascadeRecord<'r> {
    label: &'r str,
    steps: usize,
}

/// How many steps there are, by what a build would do with them.
#[derive(Clone, Copy, Default)]
struct Counts {
    cached: usize,
    /// Without a result, and no other such step below.
    first: usize,
    /// Without a result, above one of those.
    behind: usize,
}

impl Answer<'_> {
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let mut is_above = vec![false; self.plan.nodes().len()];
        let nodes = self.plan.nodes().iter().zip(&self.facts.statuses);
        for (position, (node, status)) in nodes.enumerate() {
            let mut inputs = node.derivation.inputs().iter();
            let is_behind = inputs.any(|input| {
                let input = self.plan.position(input);
                input.is_some_and(|input| is_above[input])
            });
            let is_missing = *status != Status::Cached;
            let is_step = node.derivation.kind() == Kind::Exec;
            match (is_step, is_missing, is_behind) {
                (false, _, _) => {}
                (true, false, _) => counts.cached += 1,
                (true, true, false) => counts.first += 1,
                (true, true, true) => counts.behind += 1,
            }
            is_above[position] = is_missing && (is_step || is_behind);
        }
        counts
    }

    /// Whether all that was asked for is known.
    fn is_cached(&self) -> bool {
        self.plan.roots().iter().all(|root| {
            root.outputs.ids().iter().all(|id| {
                let position = self.plan.position(id);
                let status = position.and_then(|position| self.facts.statuses.get(position));
                status == Some(&Status::Cached)
            })
        })
    }

    /// The names of steps that failed when they ran last.
    fn failed(&self) -> impl Iterator<Item = &str> {
        let nodes = self.facts.failed.iter();
        let nodes = nodes.filter_map(|position| self.plan.nodes().get(*position));
        nodes.map(|node| node.origin.name.as_str())
    }

    fn state(&self) -> &'static str {
        match (self.is_cached(), &self.facts.request) {
            (true, _) => "cached",
            (false, Some(_)) => "run",
            (false, None) => "never-built",
        }
    }

    pub(super) fn record(&self) -> WhyRecord<'_> {
        let counts = self.counts();
        let cascade = self.facts.cascade.iter();
        WhyRecord {
            version: 1,
            event: "why",
            label: self.label,
            state: self.state(),
            compared_with: self.facts.request.as_deref(),
            steps: StepsRecord {
                cached: counts.cached,
                first: counts.first,
                behind: counts.behind,
                expected_ms: self.facts.work_ms,
                never_ran: self.facts.unknown,
            },
            lost: &self.facts.lost,
            failed: self.failed().collect(),
            causes: self.causes.iter().map(|it| self.cause_record(it)).collect(),
            cascade: cascade
                .map(|(label, steps)| CascadeRecord {
                    label,
                    steps: *steps,
                })
                .collect(),
        }
    }

    fn cause_record<'r>(&'r self, cause: &'r Cause<'_>) -> CauseRecord<'r> {
        let origin = &cause.node.origin;
        CauseRecord {
            label: origin.label.as_str(),
            name: &origin.name,
            derivation_kind: cause.node.derivation.kind().name(),
            kind: match cause.kind {
                Kinds::New => "new",
                Kinds::Changed(_) => "changed",
                Kinds::Unfinished => "unfinished",
            },
            status: match self.facts.statuses.get(cause.position) {
                Some(Status::Cached) | None => "cached",
                Some(Status::Run) => "run",
                Some(Status::Pending) => "pending",
            },
            file: &origin.file,
            line: origin.line,
            parts: cause.parts.iter().map(part_record).collect(),
        }
    }

    pub(super) fn text(&self, terminal: Terminal) -> String {
        let mut text = self.headline(terminal);
        for label in &self.facts.lost {
            text += &format!(
                "the result of {label} is known and not in the store any more: a build makes it again\n"
            );
        }
        if self.is_cached() {
            return text;
        }
        for name in self.failed() {
            let label = name.split(':').next().unwrap_or(name);
            let failed = terminal.paint_data(Tone::Bad, "failed");
            text += &format!("{name} {failed} when it ran last: see `stxl log {label}`\n");
        }
        // By package, in the order in which they are needed, and what several steps share once.
        let mut labels: Vec<&str> = Vec::new();
        for cause in &self.causes {
            let label = cause.node.origin.label.as_str();
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        for label in labels {
            let own = self.causes.iter();
            let own = own.filter(|cause| cause.node.origin.label.as_str() == label);
            text += "\n";
            text += &package_text(label, &own.collect::<Vec<_>>(), terminal);
        }
        let steps =
            |(label, steps): (&String, &usize)| format!("{label} ({})", plural(*steps, "step"));
        let cascade: Vec<String> = self.facts.cascade.iter().map(steps).collect();
        if !cascade.is_empty() {
            text += &format!("\ncascade: {}\n", cascade.join(", "));
        }
        text
    }

    fn headline(&self, terminal: Terminal) -> String {
        let counts = self.counts();
        let label = self.label;
        if self.is_cached() {
            let cached = terminal.paint_data(Tone::Good, "cached");
            return match counts.cached {
                0 => format!("{label} is {cached}: it needs no step\n"),
                1 => format!("{label} is {cached}: the result of its step is known\n"),
                steps => format!("{label} is {cached}: the results of {steps} steps are known\n"),
            };
        }
        let Counts {
            cached,
            first,
            behind,
        } = counts;
        let mut text = match &self.facts.request {
            None => {
                let never = terminal.paint_data(Tone::Careful, "was never built here");
                let steps = plural(first + behind, "step");
                format!("{label} {never}: {steps} to run, {cached} cached\n")
            }
            Some(_) if first + behind == 0 => {
                let would = terminal.paint_data(Tone::Careful, "would be made again");
                format!("{label} {would}, without a step of its own or below, {cached} cached\n")
            }
            Some(_) => {
                let would = terminal.paint_data(Tone::Careful, "would run");
                let mut text = format!("{label} {would}: {} to run", plural(first, "step"));
                if behind > 0 {
                    text += &format!(", {behind} behind unless cut off");
                }
                format!("{text}, {cached} cached\n")
            }
        };
        let known = self.facts.steps.saturating_sub(self.facts.unknown);
        if known > 0 {
            text += &match self.facts.work_ms {
                ..1000 => "less than a second of work".to_owned(),
                work_ms => format!("about {} of work", duration(work_ms)),
            };
            if self.facts.unknown > 0 {
                text += &format!(
                    ", and {} that never ran",
                    plural(self.facts.unknown, "step")
                );
            }
            text += "\n";
        }
        if let Some(request) = &self.facts.request {
            let request = match request.as_str() {
                "" => "everything".to_owned(),
                request => format!("`{request}`"),
            };
            text += &format!("compared with the plan that was built last for {request}\n");
        }
        text
    }
}

fn package_text(label: &str, causes: &[&Cause<'_>], terminal: Terminal) -> String {
    let mut text = format!("{}\n", terminal.paint_data(Tone::Careful, label));
    let own = |cause: &Cause<'_>| {
        let name = cause.node.origin.name.strip_prefix(label);
        let name = name.map_or("", |name| name.trim_start_matches([':', ' ']));
        if name.is_empty() { "main" } else { name }.to_owned()
    };
    let mut parts: Vec<(&Part, Vec<String>)> = Vec::new();
    let mut unfinished: Vec<String> = Vec::new();
    for cause in causes {
        if cause.kind == Kinds::Unfinished {
            unfinished.push(own(cause));
        }
        for part in &cause.parts {
            let is_same = |(other, _): &&mut (&Part, Vec<String>)| {
                other.name == part.name
                    && other.before == part.before
                    && other.after == part.after
                    && other.changes == part.changes
            };
            match parts.iter_mut().find(is_same) {
                Some((_, names)) => names.push(own(cause)),
                None => parts.push((part, vec![own(cause)])),
            }
        }
    }
    for (part, names) in parts {
        text += &if part.is_of_step {
            format!("  {} of {}\n", part.name, names.join(", "))
        } else {
            format!("  {}\n", part.name)
        };
        text += &change_text(part, terminal);
        for place in &part.places {
            text += &format!("    at {}\n", place_text(place));
        }
    }
    for cause in causes {
        if cause.kind == Kinds::New {
            text += &format!("  new: {}\n", own(cause));
            let place = cause.place.iter();
            place.for_each(|place| text += &format!("    at {}\n", place_text(place)));
        }
    }
    if !unfinished.is_empty() {
        let names = unfinished.join(", ");
        text += &format!("  is what it was, and has no result: {names}\n");
    }
    text
}

fn change_text(part: &Part, terminal: Terminal) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut add = |sign: char, line: &str| {
        let tone = if sign == '-' { Tone::Bad } else { Tone::Good };
        let line = format!("{sign} {}", printable(line));
        lines.push(format!("    {}\n", terminal.paint_data(tone, &line)));
    };
    if part.changes.is_empty() {
        for (sign, text) in [('-', &part.before), ('+', &part.after)] {
            let text = text.iter().flat_map(|text| text.lines());
            text.for_each(|line| add(sign, line));
        }
    }
    for change in &part.changes {
        change.removed.iter().for_each(|line| add('-', line));
        change.added.iter().for_each(|line| add('+', line));
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    let mut text: String = lines.concat();
    if more > 0 {
        text += &format!("    and {} more\n", plural(more, "line"));
    }
    text
}

fn place_text(place: &Place) -> String {
    let Place {
        file,
        line,
        written,
    } = place;
    let at = match line {
        Some(line) => format!("{file}:{line}"),
        None => file.clone(),
    };
    match written {
        Written::Committed(commit) => {
            format!("{at}, by {} {}", commit.id, printable(&commit.subject))
        }
        Written::Uncommitted => format!("{at}, not committed"),
        Written::Unknown if file.starts_with("stdlib/") => format!("{at}, of stxl itself"),
        Written::Unknown => at,
    }
}

fn part_record(part: &Part) -> PartRecord<'_> {
    let changes = part.changes.iter().map(|change| ChangeRecord {
        line: change.line,
        removed: &change.removed,
        added: &change.added,
    });
    let places = part.places.iter().map(|place| {
        let (written, commit) = match &place.written {
            Written::Committed(commit) => ("committed", Some(commit)),
            Written::Uncommitted => ("uncommitted", None),
            Written::Unknown => ("unknown", None),
        };
        PlaceRecord {
            file: &place.file,
            line: place.line,
            written,
            commit: commit.map(|commit| commit.id.as_str()),
            subject: commit.map(|commit| commit.subject.as_str()),
        }
    });
    PartRecord {
        part: &part.name,
        before: part.before.as_deref(),
        after: part.after.as_deref(),
        changes: changes.collect(),
        places: places.collect(),
    }
}
