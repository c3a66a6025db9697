//! What changes in a workspace that is watched: what an evaluation gave, and what is different in
//! its plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use stxl_eval::json::IdText;
use stxl_eval::{Account, OpaqueSources, Round};
use stxl_lang::render::wire::DiagnosticRecord;
use stxl_lang::{Diagnostic, Severity};
use stxl_model::{
    Kind, OutputDifference, PackageChange, PackageDifference, PackageLabel, Plan, PlanDifference,
};

use crate::command::eval::totals;
use crate::evaluation::{self, Audience, Texts};
use crate::failure::Failure;
use crate::progress::plural;
use crate::terminal::{Terminal, Tone, print_data, print_record};

/// Version of the record; raised when a field changes its meaning or goes.
const RECORD_VERSION: u32 = 1;

/// How many packages a person is shown of one change; `--json` has all of them.
const SHOWN_MAX: usize = 20;

/// One evaluation, for programs.
#[derive(Serialize)]
struct NewsRecord<'r> {
    version: u32,
    event: &'static str,
    #[serde(flatten)]
    begins: Option<BeginsRecord>,
    plan: Option<PlanRecord>,
    packages: PackageList<'r>,
    outputs: OutputList<'r>,
    diagnostics: Vec<DiagnosticRecord>,
    ms: u64,
}

/// Of a plan that is to be built, which build it begins, if it begins one.
#[derive(Serialize)]
struct BeginsRecord {
    round: Option<u64>,
}

#[derive(Serialize)]
struct PlanRecord {
    steps: usize,
    derivations: usize,
}

/// What is different about a package, for programs.
#[derive(Serialize)]
pub(crate) struct PackageRecord<'r> {
    label: &'r str,
    change: &'static str,
    recipes: &'r [String],
    steps_added: usize,
    steps_removed: usize,
}

/// An output that is another, for programs.
#[derive(Serialize)]
pub(crate) struct OutputRecord<'r> {
    label: &'r str,
    output: &'r str,
    before: Option<IdText>,
    after: Option<IdText>,
}

impl<'r> PackageRecord<'r> {
    pub(crate) fn of(label: &'r PackageLabel, package: &'r PackageDifference) -> Self {
        Self {
            label: label.as_str(),
            change: package.change.name(),
            recipes: &package.recipes,
            steps_added: package.steps_added,
            steps_removed: package.steps_removed,
        }
    }
}

impl<'r> OutputRecord<'r> {
    pub(crate) fn of(output: &'r OutputDifference) -> Self {
        Self {
            label: output.label.as_str(),
            output: output.output.as_str(),
            before: output.before.map(IdText),
            after: output.after.map(IdText),
        }
    }
}

/// The packages of a difference, each made a record when it is written.
struct PackageList<'r>(&'r BTreeMap<PackageLabel, PackageDifference>);

impl Serialize for PackageList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let packages = self.0.iter();
        serializer.collect_seq(packages.map(|(label, package)| PackageRecord::of(label, package)))
    }
}

/// The outputs of a difference, each made a record when it is written.
struct OutputList<'r>(&'r [OutputDifference]);

impl Serialize for OutputList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(OutputRecord::of))
    }
}

/// What the plans are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// They are what was asked for, so they are data.
    Plan,
    /// To be built: what is told of them are messages beside that.
    Build,
}

/// What was told so far, and to whom.
pub(crate) struct News {
    texts: Texts,
    purpose: Purpose,
    audience: Audience,
    terminal: Terminal,
    /// The last plan there was.
    plan: Option<Arc<Plan>>,
    /// What the last evaluation said; none before the first.
    diagnostics: Option<Vec<Diagnostic>>,
    /// The number of the build that the last evaluation begins, if it begins one.
    begins: Option<u64>,
    /// What a person is to see beside data.
    messages: String,
}

impl News {
    /// Nothing was told.
    pub(crate) fn new(
        texts: Texts,
        purpose: Purpose,
        audience: Audience,
        terminal: Terminal,
    ) -> Self {
        Self {
            texts,
            purpose,
            audience,
            terminal,
            plan: None,
            diagnostics: None,
            begins: None,
            messages: String::new(),
        }
    }

    /// The last plan there was.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// What an evaluation gave, if a plan with opaque sources is none.
    pub(crate) fn under_policy(
        &self,
        round: Round,
        opaque: OpaqueSources,
    ) -> Result<Round, Failure> {
        let refused = match &round.plan {
            Some(plan) => evaluation::refusal(plan, opaque, &self.texts)?,
            None => None,
        };
        Ok(match refused {
            Some(diagnostics) => Round {
                plan: None,
                diagnostics,
                account: round.account,
            },
            None => round,
        })
    }

    /// Tells what an evaluation gave, and that a build begins with it, or that none does; what a
    /// person is to see is returned.
    pub(crate) fn tell_before_build(
        &mut self,
        round: Round,
        since: Instant,
        begins: Option<u64>,
    ) -> Result<String, Failure> {
        self.begins = begins;
        self.tell(round, since)?;
        Ok(std::mem::take(&mut self.messages))
    }

    /// Tells what an evaluation gave, and what is different since the last plan.
    pub(crate) fn tell(&mut self, round: Round, since: Instant) -> Result<(), Failure> {
        let Round {
            plan,
            diagnostics,
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
        let is_idle = is_idle && self.begins.is_none();
        if is_idle && difference.is_empty() && self.diagnostics.as_ref() == Some(&diagnostics) {
            // Lines of the new one may be others.
            self.plan = plan.or(self.plan.take());
            return Ok(());
        }
        let taken = since.elapsed();
        match self.audience {
            Audience::Program => {
                self.print_record(plan.as_deref(), &difference, &diagnostics, taken)?;
            }
            Audience::Person => {
                self.show_news(&diagnostics)?;
                let text = self.text(plan.as_deref(), &difference, &diagnostics, taken);
                let text = if has_failed_before && plan.is_some() {
                    format!("{}\n{text}", self.word(Tone::Good, "fixed"))
                } else {
                    text
                };
                match self.purpose {
                    Purpose::Plan => print_data(text.as_bytes())?,
                    Purpose::Build => self.messages += &text,
                }
            }
        }
        if plan.is_some() {
            self.plan = plan;
        }
        self.diagnostics = Some(diagnostics);
        Ok(())
    }

    fn word(&self, tone: Tone, word: &str) -> String {
        match self.purpose {
            Purpose::Plan => self.terminal.paint_data(tone, word),
            Purpose::Build => self.terminal.paint(tone, word),
        }
    }

    fn print_record(
        &self,
        plan: Option<&Plan>,
        difference: &PlanDifference,
        diagnostics: &[Diagnostic],
        taken: Duration,
    ) -> Result<(), Failure> {
        print_record(&NewsRecord {
            version: RECORD_VERSION,
            event: "evaluated",
            begins: match self.purpose {
                Purpose::Plan => None,
                Purpose::Build => Some(BeginsRecord { round: self.begins }),
            },
            plan: plan.map(|plan| PlanRecord {
                steps: plan.count_of(Kind::Exec),
                derivations: plan.nodes().len(),
            }),
            packages: PackageList(&difference.packages),
            outputs: OutputList(&difference.outputs),
            diagnostics: if diagnostics.is_empty() {
                Vec::new()
            } else {
                evaluation::diagnostic_records(diagnostics, &self.texts)?
            },
            ms: u64::try_from(taken.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Shows the diagnostics that were not shown before; one that only moved was.
    fn show_news(&mut self, diagnostics: &[Diagnostic]) -> Result<(), Failure> {
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
        let excerpts = evaluation::first_excerpts(&news, &self.texts, self.terminal)?;
        match self.purpose {
            Purpose::Plan => self.terminal.text(&excerpts),
            Purpose::Build => self.messages += &excerpts,
        }
        Ok(())
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
        let totals = match self.purpose {
            Purpose::Plan => format!("{}, in {ms} ms\n", totals(plan, None)),
            Purpose::Build => String::new(),
        };
        if self.plan.is_some() && difference.is_empty() {
            return match self.purpose {
                Purpose::Plan => format!("the plan is the same: {totals}"),
                Purpose::Build => String::new(),
            };
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
        format!("{text}{totals}")
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
