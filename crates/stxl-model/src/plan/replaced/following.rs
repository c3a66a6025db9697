//! What nodes become when others below them do: the same recipes over other inputs. Most of the
//! work is hashing, and nodes that do not need each other are hashed by several threads.
//!
//! No thread waits for another one: what it needs and is not there yet, it makes itself. Threads
//! take nodes after all that these need, mostly level by level, so that is at most what another one
//! is working on at that time.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::Replaced;
use crate::digest::DerivationId;
use crate::plan::parallel::NODES_PER_THREAD_MIN;
use crate::plan::shape::number;
use crate::plan::{Plan, PlanNode};

/// How many nodes a thread takes at once: enough to read ahead, and few beside a level.
const SHARE: usize = 16;

/// Nodes of a plan while they become others.
pub(super) struct Following<'p> {
    plan: &'p Plan,
    replaced: &'p Replaced<'p>,
    /// The positions of the nodes that may become others.
    affected: Vec<u32>,
    is_affected: Vec<bool>,
    /// By position, for those that may become others.
    became: Vec<OnceLock<PlanNode>>,
    next: AtomicUsize,
}

impl<'p> Following<'p> {
    pub(super) fn of(plan: &'p Plan, replaced: &'p Replaced<'p>) -> Self {
        let count = plan.nodes().len();
        let mut is_affected = vec![false; count];
        for position in 0..count {
            let mut inputs = replaced.inputs_of(position).iter();
            is_affected[position] = replaced.nodes[position].is_some()
                || inputs.any(|input| is_affected[*input as usize]);
        }
        // Levels are of the graph as it was; in the order of the plan, inputs come first anyway.
        let in_order: Vec<u32>;
        let order = if replaced.inputs.is_empty() {
            &plan.shape().by_level
        } else {
            in_order = (0..number(count)).collect();
            &in_order
        };
        let affected = order.iter().copied();
        Self {
            plan,
            replaced,
            affected: affected.filter(|it| is_affected[*it as usize]).collect(),
            is_affected,
            became: std::iter::repeat_with(OnceLock::new).take(count).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// By position, what nodes became; none where one is what it was.
    pub(super) fn became(self) -> impl Iterator<Item = Option<PlanNode>> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = threads.min(self.affected.len() / NODES_PER_THREAD_MIN);
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        self.became.into_iter().map(OnceLock::into_inner)
    }

    /// Takes nodes until there are none left.
    fn work(&self) {
        let mut buffer = Vec::new();
        loop {
            let begin = self.next.fetch_add(SHARE, Ordering::Relaxed);
            let end = self.affected.len().min(begin.saturating_add(SHARE));
            let share = self.affected.get(begin..end).unwrap_or_default();
            if share.is_empty() {
                return;
            }
            self.read_ahead(share);
            for position in share {
                self.id_of(*position, &mut buffer);
            }
        }
    }

    /// Reads a little of all that nodes are made of. Waiting for memory node by node takes as long
    /// as hashing; this way it is waited for once.
    fn read_ahead(&self, share: &[u32]) {
        let nodes = share.iter().map(|it| &self.plan.nodes()[*it as usize]);
        let read =
            nodes.map(|node| u64::from(node.derivation.last_byte()) + u64::from(node.origin.line));
        std::hint::black_box(read.sum::<u64>());
    }

    /// The id of what stands in a place, which is made if nobody has made it.
    fn id_of(&self, position: u32, buffer: &mut Vec<u8>) -> DerivationId {
        let position = position as usize;
        if !self.is_affected[position] {
            return self.plan.nodes()[position].id;
        }
        let became = &self.became[position];
        if let Some(node) = became.get() {
            return node.id;
        }
        let positions = self.replaced.inputs_of(position);
        let inputs = positions.iter().map(|it| self.id_of(*it, buffer));
        let inputs: Arc<[DerivationId]> = inputs.collect();
        let former = &self.plan.nodes()[position];
        let (node, is_same) = self.replaced.nodes[position].map_or_else(
            // By what is at hand: the inputs of the former node are not.
            || (former, self.are_unchanged(positions, &inputs)),
            |node| (node, node.derivation.inputs() == &*inputs),
        );
        let node = if is_same {
            node.clone()
        } else {
            let derivation = node.derivation.over(inputs);
            PlanNode {
                id: derivation.id_by(buffer),
                derivation,
                origin: Arc::clone(&node.origin),
            }
        };
        // Whoever was faster has made the same.
        became.get_or_init(|| node).id
    }

    /// Whether these ids are of what stood in these places before.
    fn are_unchanged(&self, positions: &[u32], ids: &[DerivationId]) -> bool {
        let former = positions
            .iter()
            .map(|it| &self.plan.nodes()[*it as usize].id);
        former.eq(ids)
    }
}
