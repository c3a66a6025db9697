//! A step of a plan made ready to be entered: everything below it built, its root checked out.

use stxl_model::{Derivation, DerivationId, Exec, Kind, OutputName, Plan, PlanRoot, TreeId};

use crate::build::build;
use crate::context::BuildContext;
use crate::event::{BuildOutcome, EventSink, Summary};
use crate::exec::{self, PreparedStep};
use crate::failure::BuildError;
use crate::graph::Graph;
use crate::history::STEP_ROOT;
use crate::options::{BuildOptions, Check, OutputPaths};
use crate::records::failed_root;
use crate::status::resolve;

/// What came of preparing a step.
pub enum StepEntry {
    /// It can be entered.
    Ready(Box<PreparedStep>),
    /// What it needs could not be built.
    NotBuilt(Box<Summary>),
}

/// Builds the root of an exec, checks it out, and writes down how its sandbox is to be.
///
/// The caller may change the command before starting it; nothing the sandbox leaves is kept.
pub fn prepare_step(
    context: BuildContext<'_>,
    id: &DerivationId,
    events: EventSink<'_>,
) -> Result<StepEntry, BuildError> {
    Ok(match prepare_exec(context, id, events)? {
        PreparedExec::Ready(_, prepared) => StepEntry::Ready(prepared),
        PreparedExec::NotBuilt(summary) => StepEntry::NotBuilt(summary),
    })
}

/// A [`StepEntry`] with the step over trees.
pub(crate) enum PreparedExec {
    Ready(Box<Exec<TreeId>>, Box<PreparedStep>),
    NotBuilt(Box<Summary>),
}

/// Prepares a step as [`prepare_step`] does.
pub(crate) fn prepare_exec(
    context: BuildContext<'_>,
    id: &DerivationId,
    events: EventSink<'_>,
) -> Result<PreparedExec, BuildError> {
    let BuildContext {
        store,
        launcher: _,
        plan,
        options,
    } = context;
    let not_an_exec = || BuildError::NotAnExec { id: *id };
    let node = plan.node(id).ok_or_else(not_an_exec)?;
    let [root] = node.derivation.inputs() else {
        return Err(not_an_exec());
    };
    if node.derivation.kind() != Kind::Exec {
        return Err(not_an_exec());
    }
    let below = plan_of_root(plan, node.origin.label.clone(), *root);
    let request = format!("{}{STEP_ROOT}", options.request);
    let options = BuildOptions {
        request,
        check: Check::Off,
        outputs: OutputPaths::Omit,
        ..options.clone()
    };
    let below_it = BuildContext {
        plan: &below,
        options: &options,
        ..context
    };
    let summary = build(below_it, events)?;
    let tree = match (summary.outcome, summary.outputs.as_slice()) {
        (BuildOutcome::Ok, [output]) => output.tree,
        _ => return Ok(PreparedExec::NotBuilt(Box::new(summary))),
    };
    let Ok(Derivation::Exec(step)) = node.derivation.action(&[tree]) else {
        return Err(not_an_exec());
    };
    let graph = Graph::new(&below);
    let schedule = resolve(store, &below, &graph)?;
    let root = below.position(root);
    let hints = root
        .map(|root| schedule.input_trees(root))
        .unwrap_or_default();
    let prepared = exec::prepare(store, &options, &step, (node, &hints))?;
    Ok(PreparedExec::Ready(Box::new(step), Box::new(prepared)))
}

/// Checks out what the last execution of an exec left, which failed, and writes down how its
/// sandbox is to be; none if it was not kept. Nothing is built.
pub fn prepare_failed_step(
    context: BuildContext<'_>,
    id: &DerivationId,
) -> Result<Option<Box<PreparedStep>>, BuildError> {
    let BuildContext {
        store,
        launcher: _,
        plan,
        options,
    } = context;
    let not_an_exec = || BuildError::NotAnExec { id: *id };
    let node = plan.node(id).ok_or_else(not_an_exec)?;
    let Some(tree) = failed_root(store, node)? else {
        return Ok(None);
    };
    let Ok(Derivation::Exec(step)) = node.derivation.action(&[tree]) else {
        return Err(not_an_exec());
    };
    let prepared = exec::prepare(store, options, &step, (node, &[]))?;
    Ok(Some(Box::new(prepared)))
}

/// The part of a plan that a node needs, with the node as the one output asked for.
fn plan_of_root(plan: &Plan, label: stxl_model::PackageLabel, root: DerivationId) -> Plan {
    let mut wanted = vec![false; plan.nodes().len()];
    let mut stack: Vec<usize> = plan.position(&root).into_iter().collect();
    while let Some(node) = stack.pop() {
        if !std::mem::replace(&mut wanted[node], true) {
            let inputs = plan.nodes()[node].derivation.inputs().iter();
            stack.extend(inputs.filter_map(|input| plan.position(input)));
        }
    }
    let mut part = Plan::default();
    for (node, _) in plan
        .nodes()
        .iter()
        .zip(wanted)
        .filter(|(_, wanted)| *wanted)
    {
        part.add_node(node)
            .expect("a node's inputs are wanted too and stand before it");
    }
    let outputs = [(OutputName::main(), root)].into();
    part.add_root(PlanRoot { label, outputs })
        .expect("the root is a node");
    if plan.is_local() {
        part.mark_local();
    }
    part
}
