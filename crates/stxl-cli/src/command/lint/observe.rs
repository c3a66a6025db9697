//! `stxl lint --observe`: what is declared for a package and nothing of it is read when its steps
//! run once more.

use std::collections::BTreeSet;

use stxl_build::{
    BuildOptions, BuildOutcome, CheckMismatch, Observed, ObservedPackage, OutputPaths, execs_of,
};
use stxl_eval::{NeedPlace, SETTINGS_FILE};
use stxl_lang::{Diagnostic, SourcePath, Span};
use stxl_model::{DerivationId, Label, PackageLabel, Plan, PlanRoot};

use super::super::build::of_build;
use crate::arguments::{Arguments, LintArguments};
use crate::evaluation::{self, Audience, Surveyed};
use crate::failure::{Exit, Failure};
use crate::progress::{Progress, plural};
use crate::session::Session;
use crate::terminal::Terminal;
use crate::{interrupt, place, session};

/// The kinds of remarks that come of observing.
pub(super) const OBSERVED_IDS: [&str; 3] =
    ["nondeterministic-step", "unobserved-step", "unread-input"];

/// How many paths that differ are told of a step.
const DIFFERENCES_TOLD: usize = 5;

/// Something that a package needs.
struct Need {
    label: Label,
    id: DerivationId,
    place: NeedPlace,
}

/// A package that was asked for.
struct Asked {
    label: PackageLabel,
    package: ObservedPackage,
    needs: Vec<Need>,
}

/// What is to be observed, with everything that only the evaluator tells: it has to be asked before
/// this process becomes the owner of the store.
pub(super) struct Observation<'a> {
    surveyed: &'a Surveyed,
    asked: Vec<Asked>,
}

impl<'a> Observation<'a> {
    pub(super) fn of(surveyed: &'a Surveyed) -> Result<Self, Failure> {
        let roots = surveyed.plan.roots().iter();
        let asked = roots.map(|root| Asked::of(surveyed, root));
        Ok(Self {
            surveyed,
            asked: asked.collect::<Result<_, Failure>>()?,
        })
    }

    /// Builds what is not built, runs the steps of the packages once more, and returns remarks.
    pub(super) fn remarks(
        &self,
        arguments: &Arguments,
        lint: &LintArguments,
        (audience, terminal): (Audience, Terminal),
    ) -> Result<Vec<Diagnostic>, Failure> {
        let plan = &self.surveyed.plan;
        let source_dir = lint.source_dir.as_deref();
        let source_dir = source_dir.map(place::absolute).transpose()?;
        let workspace = place::workspace(arguments)?;
        let session = session::open(arguments)?;
        let options = BuildOptions {
            variant: evaluation::variant_text(&lint.selection.variant),
            source_dir,
            outputs: OutputPaths::Omit,
            cancel: interrupt::cancel_on_signals()?,
            ..session::options(workspace, evaluation::request_text(&lint.selection))
        };
        build(&session, (plan, &options), (audience, terminal))?;
        let mut remarks = Vec::new();
        for asked in &self.asked {
            if audience == Audience::Person && !asked.package.steps.is_empty() {
                let steps = plural(asked.package.steps.len(), "step");
                terminal.note(&format!("observing {}: {steps}", asked.label));
            }
            let context = session.context(plan, &options);
            let observed = stxl_build::observe(context, &asked.package, &mut |_| {});
            let observed = observed.map_err(|error| of_build(&error))?;
            if observed.is_interrupted {
                return Err(Failure::shown(Exit::Interrupted));
            }
            remarks.extend(self.judge(asked, &observed));
        }
        Ok(remarks)
    }

    /// What is to be said of a package. Where something is not known, nothing is said to be unread.
    fn judge(&self, asked: &Asked, observed: &Observed) -> Vec<Diagnostic> {
        let differing = observed.mismatches.iter();
        let mut said: Vec<Diagnostic> = differing.map(|it| self.differing(it)).collect();
        let failed = observed.failed.iter();
        let failed = failed.map(|failure| (&failure.node.origin, "it failed when it was observed"));
        let incomplete = observed.incomplete.iter();
        let incomplete = incomplete.map(|node| (&node.origin, "not everything is known"));
        for (origin, why) in failed.chain(incomplete) {
            let message = format!("What `{}` reads cannot be told: {why}", origin.name);
            let span = self.span(&origin.file, origin.line, 1);
            let remark = Diagnostic::warning("unobserved-step", message).at(span, "");
            said.push(remark.hint("let it pass: `--allow unobserved-step`"));
        }
        if observed.failed.is_empty() && observed.incomplete.is_empty() {
            said.extend(self.unread_needs(asked, observed));
            said.extend(self.unread_sources(asked, observed));
        }
        said
    }

    fn differing(&self, mismatch: &CheckMismatch) -> Diagnostic {
        let origin = &mismatch.node.origin;
        let message = format!("`{}` does not give the same bytes twice", origin.name);
        let span = self.span(&origin.file, origin.line, 1);
        let mut said = Diagnostic::error("nondeterministic-step", message).at(span, "");
        said = said.note(format!(
            "recorded {}, observed {}",
            mismatch.first, mismatch.second
        ));
        for difference in mismatch.differences.iter().take(DIFFERENCES_TOLD) {
            said = said.note(format!("{}: {}", difference.path, difference.what));
        }
        let package = &origin.label;
        said.hint(format!("find out why: `stxl build {package} --check`"))
    }

    /// What is named in the definition and neither it nor what it brings is read.
    fn unread_needs(&self, asked: &Asked, observed: &Observed) -> Vec<Diagnostic> {
        let mut said = Vec::new();
        for need in &asked.needs {
            let is_declared = need.place.brought_by.is_none()
                // What packages have by way of their stage none of them declares.
                && need.place.file != SETTINGS_FILE
                && need.label.package != asked.label;
            let is_read = |it: &Need| {
                let stands_for =
                    it.id == need.id || it.place.brought_by.as_ref() == Some(&need.label);
                stands_for && observed.read.contains(&it.id)
            };
            if !is_declared || !observed.held.contains(&need.id) || asked.needs.iter().any(is_read)
            {
                continue;
            }
            let NeedPlace {
                file, line, column, ..
            } = &need.place;
            let what = format!("`{}`", need.label);
            said.push(unread(asked, &what, self.span(file, *line, *column)));
        }
        said.dedup();
        said
    }

    /// The same of sources and files.
    fn unread_sources(&self, asked: &Asked, observed: &Observed) -> Vec<Diagnostic> {
        let unread = observed.held.difference(&observed.read);
        let own = unread.filter(|id| !asked.package.needs.contains(id));
        let nodes = own.filter_map(|id| self.surveyed.plan.node(id));
        nodes
            .map(|node| {
                let origin = &node.origin;
                let name = origin.name.strip_prefix(&format!("{}: ", origin.label));
                let what = format!("the input `{}`", name.unwrap_or(&origin.name));
                self::unread(asked, &what, self.span(&origin.file, origin.line, 1))
            })
            .collect()
    }

    /// From a place to the end of the text in quotes there, or of the line.
    fn span(&self, file: &str, line: u32, column: u32) -> Span {
        let text = self.surveyed.text_of(file).unwrap_or_default();
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let before = lines.iter().take(number(line.saturating_sub(1)));
        let start: usize = before.map(|line| line.len()).sum();
        let found = lines.get(number(line.saturating_sub(1)));
        let found = found.map(|line| line.trim_end()).unwrap_or_default();
        let before = found.chars().take(number(column.saturating_sub(1)));
        let indent: usize = before.map(char::len_utf8).sum();
        let rest = found.get(indent..).unwrap_or_default();
        let length = match rest.strip_prefix('"').and_then(|quoted| quoted.find('"')) {
            Some(end) => end + 2,
            None => rest.len(),
        };
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let begin = start + indent;
        Span::new(
            &SourcePath::new(file),
            offset(begin),
            offset(begin + length),
        )
    }
}

fn unread(asked: &Asked, what: &str, span: Span) -> Diagnostic {
    let message = format!("Nothing of {what} is read when `{}` is built", asked.label);
    let said = Diagnostic::warning("unread-input", message).at(span, "");
    said.hint("take it out, or let it pass: `--allow unread-input`")
}

impl Asked {
    fn of(surveyed: &Surveyed, root: &PlanRoot) -> Result<Self, Failure> {
        let ids: BTreeSet<DerivationId> = root.outputs.ids().iter().copied().collect();
        let all = surveyed.survey.outputs();
        let own = all.iter().enumerate();
        let own = own.filter(|(_, it)| it.label.package == root.label && ids.contains(&it.id));
        let mut pairs = Vec::new();
        let mut derivations = BTreeSet::new();
        for (position, output) in own {
            derivations.extend(output.derivations.iter().copied());
            pairs.extend(output.needs.iter().map(|need| (position, *need)));
        }
        let places = surveyed.places(&pairs)?;
        let mut needs = Vec::new();
        let mut needed = BTreeSet::new();
        for ((_, need), place) in pairs.iter().zip(places) {
            let Some(output) = all.get(*need) else {
                continue;
            };
            needed.insert(output.id);
            needs.extend(place.map(|place| Need {
                label: output.label.clone(),
                id: output.id,
                place,
            }));
        }
        Ok(Self {
            label: root.label.clone(),
            package: ObservedPackage {
                outputs: ids,
                steps: execs_of(&surveyed.plan, &derivations),
                needs: needed,
            },
            needs,
        })
    }
}

/// Builds what is to be observed, so that there is something to compare with.
fn build(
    session: &Session,
    (plan, options): (&Plan, &BuildOptions),
    (audience, terminal): (Audience, Terminal),
) -> Result<(), Failure> {
    let mut progress = Progress::new(terminal);
    let built = stxl_build::build(session.context(plan, options), &mut |event| {
        if audience == Audience::Person {
            progress.show(event);
        }
    });
    let summary = built.map_err(|error| of_build(&error))?;
    let exit = match summary.outcome {
        BuildOutcome::Ok => return Ok(()),
        BuildOutcome::Interrupted => Exit::Interrupted,
        BuildOutcome::Failed | BuildOutcome::CheckFailed => Exit::BuildFailed,
    };
    Err(Failure {
        exit,
        message: "what is to be observed is not built".to_owned(),
        hint: None,
    })
}
