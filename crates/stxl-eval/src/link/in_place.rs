//! A plan of which some recipes are others, and the graph is what it was: the mostly few
//! derivations that become others are put in the places of those that they stand for, and all that
//! needs them follows.

use std::collections::BTreeSet;

use stxl_model::{DerivationId, Plan, PlanNode};

use super::{Linked, Links, Previous, Reached, Said};
use crate::record::Records;

/// Makes the plan that [`super::link`] makes, out of a previous one, where the fragments of some
/// nodes are others and what nodes need and bring is the same. None if derivations do not stand for
/// each other one by one, or several nodes share one that becomes another.
pub(crate) fn relink(
    records: &Records,
    previous: Previous<'_>,
    changed: &BTreeSet<usize>,
) -> Option<Linked> {
    let Previous { plan, links } = previous;
    std::thread::scope(|scope| {
        let Reached {
            targets,
            is_reached,
        } = &*links.reached;
        let said = scope.spawn(|| Said::of(records, targets, is_reached));
        let mut links = links.clone();
        let replaced = replacements(records, plan, &mut links, changed)?;
        let plan = plan.with_replaced(&replaced)?;
        links.follow(&plan)?;
        let said = match said.join() {
            Ok(said) => said,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        Some(said.of_plan(plan, links))
    })
}

/// What the derivations of changed nodes become, over what they needed in the previous plan, by
/// position in it.
fn replacements(
    records: &Records,
    plan: &Plan,
    links: &mut Links,
    changed: &BTreeSet<usize>,
) -> Option<Vec<(usize, PlanNode)>> {
    let again = links.derivations.iter().filter(|own| !own.is_first);
    let shared: BTreeSet<usize> = again.map(|own| own.position).collect();
    let mut replaced = Vec::new();
    for position in changed {
        if links.nodes.get(*position)?.is_none() {
            // The plan does not need it.
            continue;
        }
        let record = records.node(*position)?;
        let needs = record.needs.iter().map(|need| {
            let need = links.nodes.get(*need as usize)?.as_ref()?;
            Some(need.id)
        });
        let needs: Vec<DerivationId> = needs.collect::<Option<_>>()?;
        let (nodes, id) = record.fragment.over(&needs).ok()?;
        let link = links.nodes.get_mut(*position)?.as_mut()?;
        let own = links.derivations.get(link.derivations.clone())?;
        if own.len() != nodes.len() {
            return None;
        }
        // Who needs the node needs what stands in the place of that which gave it.
        let given = nodes.iter().zip(own).find(|(node, _)| node.id == id);
        let given = given.map(|(_, own)| own.position);
        if given.or_else(|| plan.position(&id)) != Some(link.position) {
            return None;
        }
        for (own, node) in own.iter().zip(nodes) {
            if own.id != node.id && shared.contains(&own.position) {
                return None;
            }
            // Where it came from is its first node's to say.
            if own.is_first {
                replaced.push((own.position, node));
            }
        }
        link.fragment = record.fragment.clone();
    }
    replaced.sort_by_key(|(position, _)| *position);
    Some(replaced)
}

impl Links {
    /// Takes over the ids of a plan of which the nodes stand where they stood.
    fn follow(&mut self, plan: &Plan) -> Option<()> {
        for link in self.nodes.iter_mut().flatten() {
            link.id = plan.nodes().get(link.position)?.id;
        }
        for own in &mut self.derivations {
            own.id = plan.nodes().get(own.position)?.id;
        }
        Some(())
    }
}
