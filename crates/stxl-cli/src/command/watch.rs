//! `stxl eval --watch`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use stxl_eval::json::IdText;
use stxl_eval::{Account, Evaluation, Round, Suspects};
use stxl_lang::render::wire::DiagnosticRecord;
use stxl_lang::{Diagnostic, Severity};
use stxl_model::{Kind, PackageChange, PackageDifference, PackageLabel, Plan, PlanDifference};

use crate::arguments::EvalArguments;
use crate::command::eval::totals;
use crate::evaluation::{self, Audience, Texts};
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::progress::plural;
use crate::terminal::{Terminal, Tone, print_data, print_record};
use crate::watch::{Watcher, Woken};

/// Version of the record; raised when a field changes its meaning or goes.
const RECORD_VERSION: u32 = 1;

/// How many packages a person is shown of one change; `--json` has all of them.
const SHOWN_MAX: usize = 20;

/// Evaluates until a signal comes. What is to be remembered is saved at the end.
pub(crate) fn run(
    eval: &EvalArguments,
    workspace: &Path,
    terminal: Terminal,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let interrupts = Interrupts::catch()?;
    let mut watcher = Watcher::new(workspace, Interrupts::wakers()?)?;
    let (mut watched, texts) = evaluation::watched(workspace, &eval.selection)?;
    let mut told = Told {
        texts,
        audience: if eval.json {
            Audience::Program
        } else {
            Audience::Person
        },
        terminal,
        plan: None,
        diagnostics: None,
    };
    let mut changes = Suspects::All;
    let mut since = begin;
    let end = loop {
        let evaluated = watched.evaluate(&changes, told.plan.as_ref());
        if interrupts.cancel.is_cancelled() {
            break Err(Failure::shown(Exit::Interrupted));
        }
        let round = match evaluated {
            Ok(round) => round,
            Err(error) => {
                // A workspace that went meanwhile is the better reason.
                watcher.check_workspace()?;
                return Err(Failure::environment(error));
            }
        };
        if let Some(round) = round {
            told.tell(round, since)?;
        }
        let unwatched = watcher.watch(&watched.take_dependencies(&changes))?;
        if !unwatched.is_none() {
            // It may have changed between the look at it and the watch.
            changes = unwatched;
            since = Instant::now();
            continue;
        }
        match watcher.wait()? {
            Woken::Changed {
                suspects,
                since: first,
            } => (changes, since) = (suspects, first),
            Woken::Interrupted => break Err(Failure::shown(Exit::Interrupted)),
            Woken::Unread => break Ok(()),
        }
    };
    evaluation::save(watched.into_unsaved(), terminal);
    end
}

/// One evaluation, for programs.
#[derive(Serialize)]
struct WatchRecord<'r> {
    version: u32,
    event: &'static str,
    plan: Option<PlanRecord>,
    packages: Vec<PackageRecord<'r>>,
    outputs: Vec<OutputRecord<'r>>,
    diagnostics: Vec<DiagnosticRecord>,
    ms: u64,
}

#[derive(Serialize)]
struct PlanRecord {
    steps: usize,
    derivations: usize,
}

#[derive(Serialize)]
struct PackageRecord<'r> {
    label: &'r str,
    change: &'static str,
    recipes: &'r [String],
    steps_added: usize,
    steps_removed: usize,
}

#[derive(Serialize)]
struct OutputRecord<'r> {
    label: &'r str,
    output: &'r str,
    before: Option<IdText>,
    after: Option<IdText>,
}

/// What was told so far, and to whom.
struct Told {
    texts: Texts,
    audience: Audience,
    terminal: Terminal,
    /// The last plan there was.
    plan: Option<Plan>,
    /// What the last evaluation said; none before the first.
    diagnostics: Option<Vec<Diagnostic>>,
}

impl Told {
    /// Tells what an evaluation gave, and what is different since the last plan.
    fn tell(&mut self, round: Round, since: Instant) -> Result<(), Failure> {
        let Round {
            evaluation: Evaluation { plan, diagnostics },
            account,
        } = round;
        let has_failed_before = self.diagnostics.as_deref().is_some_and(is_failed);
        let difference = match (&self.plan, &plan) {
            (Some(before), Some(after)) => PlanDifference::between(before, after),
            (None, _) | (_, None) => PlanDifference::default(),
        };
        // What changed was a list of names, or, while there is no plan, something that others read.
        let is_idle = plan.is_none()
            || account
                == Account {
                    recalled: account.recalled,
                    ..Account::default()
                };
        if is_idle && difference.is_empty() && self.diagnostics.as_ref() == Some(&diagnostics) {
            // The next one is made with the help of this one.
            self.plan = plan.or(self.plan.take());
            return Ok(());
        }
        let taken = since.elapsed();
        match self.audience {
            Audience::Program => {
                self.print_record(plan.as_ref(), &difference, &diagnostics, taken)?;
            }
            Audience::Person => {
                self.show_news(&diagnostics)?;
                let text = self.text(plan.as_ref(), &difference, &diagnostics, taken);
                let text = if has_failed_before && plan.is_some() {
                    format!("{}\n{text}", self.word(Tone::Good, "fixed"))
                } else {
                    text
                };
                print_data(text.as_bytes())?;
            }
        }
        if plan.is_some() {
            self.plan = plan;
        }
        self.diagnostics = Some(diagnostics);
        Ok(())
    }

    fn word(&self, tone: Tone, word: &str) -> String {
        self.terminal.paint_data(tone, word)
    }

    fn print_record(
        &self,
        plan: Option<&Plan>,
        difference: &PlanDifference,
        diagnostics: &[Diagnostic],
        taken: Duration,
    ) -> Result<(), Failure> {
        let packages = difference
            .packages
            .iter()
            .map(|(label, package)| PackageRecord {
                label: label.as_str(),
                change: package.change.name(),
                recipes: &package.recipes,
                steps_added: package.steps_added,
                steps_removed: package.steps_removed,
            });
        let outputs = difference.outputs.iter().map(|output| OutputRecord {
            label: output.label.as_str(),
            output: output.output.as_str(),
            before: output.before.map(IdText),
            after: output.after.map(IdText),
        });
        print_record(&WatchRecord {
            version: RECORD_VERSION,
            event: "evaluated",
            plan: plan.map(|plan| PlanRecord {
                steps: plan.count_of(Kind::Exec),
                derivations: plan.nodes().len(),
            }),
            packages: packages.collect(),
            outputs: outputs.collect(),
            diagnostics: if diagnostics.is_empty() {
                Vec::new()
            } else {
                evaluation::diagnostic_records(diagnostics, &self.texts)?
            },
            ms: u64::try_from(taken.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Shows the diagnostics that were not shown before; one that only moved was.
    fn show_news(&self, diagnostics: &[Diagnostic]) -> Result<(), Failure> {
        fn key(one: &Diagnostic) -> (&str, &str, Option<&str>) {
            let place = one.primary.as_ref();
            (
                one.id,
                &one.message,
                place.map(|(span, _)| span.path.as_str()),
            )
        }
        let before = self.diagnostics.iter().flatten();
        let before: BTreeSet<_> = before.map(key).collect();
        let news = diagnostics.iter().filter(|one| !before.contains(&key(one)));
        let news: Vec<Diagnostic> = news.cloned().collect();
        if news.is_empty() {
            return Ok(());
        }
        evaluation::show_excerpts(&news, &self.texts, self.terminal)
    }

    /// What is said about an evaluation besides its diagnostics.
    fn text(
        &self,
        plan: Option<&Plan>,
        difference: &PlanDifference,
        diagnostics: &[Diagnostic],
        taken: Duration,
    ) -> String {
        let ms = taken.as_millis();
        let Some(plan) = plan else {
            let errors = plural(evaluation::count_errors(diagnostics), "error");
            return format!(
                "{}: {errors}, in {ms} ms\n",
                self.word(Tone::Bad, "no plan")
            );
        };
        let totals = totals(plan, None);
        if self.plan.is_some() && difference.is_empty() {
            return format!("the plan is the same: {totals}, in {ms} ms\n");
        }
        let mut text = String::new();
        let own = difference.packages.iter();
        let own = own.filter(|(_, package)| package.change != PackageChange::Cascade);
        let own: Vec<String> = own
            .map(|(label, package)| self.line_of(label, package))
            .collect();
        own.iter().take(SHOWN_MAX).for_each(|line| text += line);
        if own.len() > SHOWN_MAX {
            text += &format!("and {} more\n", own.len() - SHOWN_MAX);
        }
        let cascade = difference.count_of(PackageChange::Cascade);
        if cascade > 0 {
            text += &format!("{cascade} cascade\n");
        }
        format!("{text}{totals}, in {ms} ms\n")
    }

    fn line_of(&self, label: &PackageLabel, package: &PackageDifference) -> String {
        let PackageDifference {
            change,
            recipes,
            steps_added,
            steps_removed,
        } = package;
        let tone = match change {
            PackageChange::Added => Tone::Good,
            PackageChange::Removed => Tone::Bad,
            PackageChange::Changed | PackageChange::Cascade => Tone::Careful,
        };
        let own = |name: &String| {
            let own = name.strip_prefix(label.as_str());
            let own = own.and_then(|name| name.strip_prefix(": "));
            own.unwrap_or(name).to_owned()
        };
        let what = match change {
            PackageChange::Added => plural(*steps_added, "step"),
            PackageChange::Removed => plural(*steps_removed, "step"),
            PackageChange::Changed | PackageChange::Cascade if recipes.is_empty() => {
                "what its outputs are".to_owned()
            }
            PackageChange::Changed | PackageChange::Cascade => {
                let names: Vec<String> = recipes.iter().map(own).collect();
                names.join(", ")
            }
        };
        format!("{label} {}: {what}\n", self.word(tone, change.name()))
    }
}

fn is_failed(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|one| one.severity == Severity::Error)
}
