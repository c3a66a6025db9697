//! A plan of which some recipes are others, and the graph is what it was: the mostly few
//! derivations that become others are put in the places of those that they follow.

use rustc_hash::FxHashMap;
use stxl_model::{DerivationId, PlanNode};

use super::{Linked, Links, NodeLink, Previous};
use crate::record::Records;

/// Makes the plan that [`super::link`] makes, out of a previous one, where the fragments of some
/// nodes are others and what nodes need and bring is the same. None if derivations do not stand for
/// each other one by one, as when two nodes share one that becomes another for one of them alone.
pub(crate) fn relink(
    records: &Records,
    previous: Previous<'_>,
    changed: impl IntoIterator<Item = usize>,
) -> Option<Linked> {
    let Previous { plan, links } = previous;
    let mut relinking = Relinking::new(records, links);
    for position in changed {
        *relinking.has_other_fragment.get_mut(position)? = true;
    }
    let replaced = relinking.replacements(previous)?;
    let plan = plan.with_replaced(&replaced)?;
    Some(Linked::new(records, plan, relinking.links))
}

struct Relinking<'r> {
    records: &'r Records,
    /// As they become.
    links: Links,
    /// By position of a node.
    has_other_fragment: Vec<bool>,
    has_other_id: Vec<bool>,
    /// By a derivation that several nodes have, how many have it after the first.
    sharing: FxHashMap<DerivationId, usize>,
    /// By a derivation of several nodes that is another for the first of them, what it became, and
    /// for how many it has not become that yet.
    became: FxHashMap<DerivationId, (DerivationId, usize)>,
}

impl<'r> Relinking<'r> {
    fn new(records: &'r Records, links: &Links) -> Self {
        let mut sharing = FxHashMap::default();
        for own in links.derivations.iter().filter(|own| !own.is_first) {
            *sharing.entry(own.id).or_default() += 1;
        }
        Self {
            records,
            links: links.clone(),
            has_other_fragment: vec![false; records.nodes.len()],
            has_other_id: vec![false; records.nodes.len()],
            sharing,
            became: FxHashMap::default(),
        }
    }

    /// The nodes of the plan that are others, by position in it, in its order.
    fn replacements(&mut self, previous: Previous<'_>) -> Option<Vec<(usize, PlanNode)>> {
        let by_node = self.records.by_node();
        let shape = std::sync::Arc::clone(&self.links.shape);
        let mut replaced = Vec::new();
        let mut needs = Vec::new();
        for position in shape.order.iter().copied() {
            let record = by_node.get(position).copied().flatten()?;
            let is_other = |need: &u32| self.has_other_id.get(*need as usize) == Some(&true);
            if self.has_other_fragment.get(position) != Some(&true)
                && !record.needs.iter().any(is_other)
            {
                continue;
            }
            needs.clear();
            for need in &record.needs {
                needs.push(self.links.nodes.get(*need as usize)?.as_ref()?.id);
            }
            let (nodes, id) = record.fragment.over(&needs).ok()?;
            let NodeLink {
                id: before,
                fragment,
                derivations,
            } = self.links.nodes.get_mut(position)?.as_mut()?;
            let own = self.links.derivations.get_mut(derivations.clone())?;
            if own.len() != nodes.len() {
                return None;
            }
            for (own, node) in own.iter_mut().zip(nodes) {
                let before = std::mem::replace(&mut own.id, node.id);
                if own.is_first {
                    if let Some(count) = self.sharing.get(&before)
                        && before != node.id
                    {
                        self.became.insert(before, (node.id, *count));
                    }
                    replaced.push((previous.plan.position(&before)?, node));
                } else if let Some((became, left)) = self.became.get_mut(&before) {
                    *left = left.checked_sub(1).filter(|_| *became == node.id)?;
                } else if before != node.id {
                    return None;
                }
                // Where it came from is its first node's to say.
            }
            *self.has_other_id.get_mut(position)? = *before != id;
            *before = id;
            *fragment = record.fragment.clone();
        }
        replaced.sort_by_key(|(position, _)| *position);
        let mut left = self.became.values().map(|(_, left)| *left);
        left.all(|left| left == 0).then_some(replaced)
    }
}
