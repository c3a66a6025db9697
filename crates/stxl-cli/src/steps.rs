//! The steps of a package as people count them: its execs, in the order of the plan, from 1.

use stxl_model::{Kind, Label, Plan, PlanNode};

use crate::failure::Failure;

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
pub(crate) fn numbered<'p>(steps: &[&'p PlanNode], number: u32) -> Result<&'p PlanNode, Failure> {
    let index = usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1));
    index
        .and_then(|index| steps.get(index).copied())
        .ok_or_else(|| {
            Failure::usage(format!(
                "there is no step {number}, only 1 to {}",
                steps.len()
            ))
        })
}
