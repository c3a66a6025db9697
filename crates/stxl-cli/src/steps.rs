//! The steps of a package as people count them: its execs, in the order of the plan, from 1.

use std::path::Path;

use stxl_model::{Kind, Label, Plan, PlanNode};

use crate::arguments::{Selection, Variant};
use crate::evaluation;
use crate::failure::Failure;

/// The label without the step behind it, and the step that is named there or by `--step`.
pub(crate) fn named<'l>(
    command: &str,
    label: &'l str,
    step: Option<u32>,
) -> Result<(&'l str, Option<u32>), Failure> {
    let Some((label, behind)) = label.rsplit_once('@') else {
        return Ok((label, step));
    };
    let is_number = behind.bytes().all(|byte| byte.is_ascii_digit());
    match (behind.parse(), step) {
        (Ok(number), None) if is_number => Ok((label, Some(number))),
        (Ok(_), Some(_)) if is_number => Err(Failure::usage("the step is named twice")),
        _ => Err(Failure::usage(format!("`@{behind}` is no step"))
            .hint(format!("name it by its number: stxl {command} {label}@1"))),
    }
}

/// The steps that were made for a package.
pub(crate) fn of_label<'p>(plan: &'p Plan, label: &str) -> Result<Vec<&'p PlanNode>, Failure> {
    let label = Label::parse(label).map_err(Failure::usage)?;
    let steps: Vec<&PlanNode> = plan
        .nodes()
        .iter()
        .filter(|node| node.derivation.kind() == Kind::Exec && node.origin.label == label.package)
        .collect();
    if steps.is_empty() {
        return Err(Failure::usage(format!("`{}` runs no step", label.package)));
    }
    Ok(steps)
}

/// The step with a number.
pub(crate) fn numbered<'p>(
    steps: &[&'p PlanNode],
    number: u32,
    workspace: &Path,
    selection: &Selection,
) -> Result<&'p PlanNode, Failure> {
    with_number(steps, number).ok_or_else(|| {
        let message = format!("there is no step {number}, only 1 to {}", steps.len());
        let failure = Failure::usage(message);
        if is_of_tests(number, workspace, selection) {
            failure.hint("its tests have further steps: --tests")
        } else {
            failure
        }
    })
}

fn with_number<'p>(steps: &[&'p PlanNode], number: u32) -> Option<&'p PlanNode> {
    let number = usize::try_from(number).ok()?;
    steps.get(number.checked_sub(1)?).copied()
}

/// Whether a package has so many steps once its tests are planned too.
fn is_of_tests(number: u32, workspace: &Path, selection: &Selection) -> bool {
    let tested = Selection {
        variant: Variant {
            tests: true,
            ..selection.variant.clone()
        },
        ..selection.clone()
    };
    let label = selection.labels.first().map_or("", String::as_str);
    let plan = evaluation::silent_plan(workspace, &tested);
    plan.is_some_and(|plan| {
        of_label(&plan, label).is_ok_and(|steps| with_number(&steps, number).is_some())
    })
}
