//! A plan with a survey of what it was made of.

use std::path::Path;

use stxl_eval::{
    ChildRequest, EvaluationRequest, Memory, NeedPlace, Provenance, Saying, Survey, TraceFolder,
    explain_alone_in_child, places_of_needs, review_in_child, sayings_of, survey_remembering,
};
use stxl_lang::Diagnostic;
use stxl_model::{PackageLabel, Plan, Selector};

use super::{Audience, Texts, child_request, evaluated, evaluator, traces};
use crate::arguments::Selection;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// A plan, a survey of it, and what was evaluated for both.
pub(crate) struct Surveyed {
    /// The plan.
    pub(crate) plan: Plan,
    /// What its outputs need, and what its packages read.
    pub(crate) survey: Survey,
    request: ChildRequest,
    /// Warnings that were not shown.
    unshown: Vec<Diagnostic>,
}

/// What becomes of the warnings of an evaluation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Warnings {
    Shown,
    Kept,
}

/// Evaluates, remembers that, and surveys what the plan was made of.
pub(crate) fn survey(
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Surveyed, Failure> {
    survey_with(Warnings::Shown, workspace, selection, audience, terminal)
}

/// As [`survey`], with the warnings among the remarks, and not shown.
pub(crate) fn survey_keeping(
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Surveyed, Failure> {
    survey_with(Warnings::Kept, workspace, selection, audience, terminal)
}

fn survey_with(
    warnings: Warnings,
    workspace: &Path,
    selection: &Selection,
    audience: Audience,
    terminal: Terminal,
) -> Result<Surveyed, Failure> {
    let request = child_request(workspace, selection)?;
    let traces: Option<TraceFolder> = traces()?;
    let memory = traces.as_ref().map_or(Memory::None, Memory::Used);
    let surveyed = survey_remembering(&evaluator(), &request, memory);
    let (mut remembered, survey) = surveyed.map_err(Failure::environment)?;
    let mut unshown = Vec::new();
    if warnings == Warnings::Kept && remembered.evaluation.plan.is_some() {
        unshown = std::mem::take(&mut remembered.evaluation.diagnostics);
    }
    let evaluated = evaluated(remembered, &Texts::of(&request), audience, terminal)?;
    Ok(Surveyed {
        plan: evaluated.remember(terminal),
        survey,
        request,
        unshown,
    })
}

/// Sorts remarks by their places; those that are equal are one.
pub(crate) fn sort_by_place(remarks: &mut Vec<Diagnostic>) {
    remarks.sort();
    remarks.sort_by_key(|remark| remark.primary.as_ref().map(|(span, _)| span.clone()));
    remarks.dedup();
}

impl Surveyed {
    /// The outputs of the plan that a selector names, by their positions in the survey; an output
    /// has to be one that its package has.
    pub(crate) fn named_by(&self, selector: &Selector) -> Result<Vec<usize>, Failure> {
        let named = self.survey.named_by(selector);
        let Selector::Output(label) = selector else {
            return Ok(named);
        };
        let known = self.survey.outputs_of(&label.package);
        let known: Vec<_> = known.into_iter().flatten().collect();
        if !named.is_empty() || known.is_empty() || known.contains(&&label.output) {
            return Ok(named);
        }
        let (package, output) = (&label.package, &label.output);
        let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        Err(
            Failure::usage(format!("`{package}` has no output `{output}`"))
                .hint(format!("its outputs are: {}", names.join(", "))),
        )
    }

    /// Where a value of a package comes from; none when it cannot be told.
    pub(crate) fn origin(&self, label: &PackageLabel, field: &str) -> Option<Provenance> {
        let request = ChildRequest {
            evaluation: EvaluationRequest {
                selectors: vec![Selector::Package(label.clone())],
                ..self.request.evaluation.clone()
            },
            ..self.request.clone()
        };
        let found = explain_alone_in_child(&evaluator(), &request, field);
        found.ok().flatten()?.ok()
    }

    /// A text that was evaluated; none when it is not there any more, or no text.
    pub(crate) fn text_of(&self, path: &str) -> Option<String> {
        Texts::of(&self.request).find(path)
    }

    /// What all packages of the plan say of themselves.
    pub(crate) fn sayings(&self) -> Result<Vec<Saying>, Failure> {
        let labels: Vec<PackageLabel> = self.survey.packages().cloned().collect();
        sayings_of(&evaluator(), &self.request, &labels).map_err(Failure::environment)
    }

    /// Warnings that were not shown, and remarks on all packages of the plan, sorted by place.
    pub(crate) fn remarks(&self) -> Result<Vec<Diagnostic>, Failure> {
        let found = review_in_child(&evaluator(), &self.request, &self.survey);
        let mut remarks = self.unshown.clone();
        remarks.extend(found.map_err(Failure::environment)?);
        sort_by_place(&mut remarks);
        Ok(remarks)
    }

    /// The texts that were evaluated.
    pub(crate) fn texts(&self) -> Texts {
        Texts::of(&self.request)
    }

    /// Where it is written that outputs need others, by their positions in the survey.
    pub(crate) fn places(
        &self,
        needs: &[(usize, usize)],
    ) -> Result<Vec<Option<NeedPlace>>, Failure> {
        places_of_needs(&evaluator(), &self.request, &self.survey, needs)
            .map_err(Failure::environment)
    }
}
