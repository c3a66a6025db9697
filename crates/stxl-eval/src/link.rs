//! From lowered outputs to a plan: ids are computed in the order in which outputs need each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_model::{DerivationId, OutputName, PlanError, PlanRoot, PlanWriter};

use crate::evaluator::Target;
use crate::graph::Graph;
use crate::lowering::Lowered;

/// Joins fragments to a plan, inputs first: the roots in order, each after what it needs. None when
/// something that is needed was not lowered, which is among the diagnostics.
pub(crate) fn link(
    graph: &Graph,
    lowered: &[Arc<Lowered>],
    targets: &[Target],
) -> Result<Option<PlanWriter>, PlanError> {
    let mut plan = PlanWriter::default();
    let mut ids: Vec<Option<DerivationId>> = vec![None; graph.nodes.len()];
    let mut needs = Vec::new();
    for root in targets.iter().flat_map(|target| &target.nodes) {
        let mut stack: Vec<(usize, usize)> =
            graph.position(root).map(|at| (at, 0)).into_iter().collect();
        while let Some((position, next)) = stack.pop() {
            let Some((node, lowered)) = graph.nodes.get(position).zip(lowered.get(position)) else {
                return Ok(None);
            };
            if ids.get(position).is_some_and(Option::is_some) {
                continue;
            }
            if let Some(need) = node.needs.get(next) {
                stack.push((position, next + 1));
                stack.push((*need, 0));
                continue;
            }
            let Some(fragment) = &lowered.fragment else {
                return Ok(None);
            };
            needs.clear();
            needs.extend(node.needs.iter().filter_map(|need| *ids.get(*need)?));
            if needs.len() < node.needs.len() {
                return Ok(None);
            }
            let id = plan.link(fragment.as_bytes(), &needs)?;
            if let Some(known) = ids.get_mut(position) {
                *known = Some(id);
            }
        }
    }
    for target in targets {
        let mut outputs: BTreeMap<OutputName, DerivationId> = BTreeMap::new();
        for key in &target.nodes {
            let id = graph.position(key).and_then(|position| *ids.get(position)?);
            let Some(id) = id else { return Ok(None) };
            outputs.insert(key.output.clone(), id);
        }
        plan.add_root(&PlanRoot {
            label: target.label.clone(),
            outputs,
        });
    }
    Ok(Some(plan))
}
