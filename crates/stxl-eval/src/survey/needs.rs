//! Ways along what needs what: the shortest one, all of them, everything that is reached.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::Survey;

/// All ways from some outputs to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// How many there are; `u64::MAX` also for more.
    pub count: u64,
    /// The first of them, shorter ones first, then those that are written first.
    pub paths: Vec<Vec<usize>>,
}

/// What lies between an output and the ends.
#[derive(Clone, Copy)]
struct Ahead {
    /// How many ways lead on; never 0.
    count: u64,
    /// How many steps the shortest one has.
    steps: usize,
}

/// The beginning of a way: how long the whole is at least, the turns it takes, and itself.
type Begun = (usize, Vec<usize>, Vec<usize>);

impl Survey {
    /// All ways from some outputs to others, along what each needs, on which only the first is one
    /// of those and only the last one of these. At most so many are told.
    pub fn paths(&self, from: &[usize], to: &[usize], told_max: usize) -> Paths {
        let starts: BTreeSet<usize> = from.iter().copied().collect();
        let ahead = self.ahead(&starts, to);
        let leads_on = |need: &usize| ahead.get(need).filter(|_| !starts.contains(need));
        let mut count: u64 = 0;
        for need in starts.iter().flat_map(|start| self.needs_of(*start)) {
            count = count.saturating_add(leads_on(need).map_or(0, |ahead| ahead.count));
        }
        // The shortest first, since how much is missing is known. Ways are compared by what each
        // step is among the needs of the one before, which is the order of the text.
        let mut begun: BinaryHeap<Reverse<Begun>> = BinaryHeap::new();
        let mut paths = Vec::new();
        for start in &starts {
            begun.push(Reverse((0, Vec::new(), vec![*start])));
        }
        while paths.len() < told_max
            && let Some(Reverse((_, turns, path))) = begun.pop()
        {
            let last = path.last().copied().unwrap_or_default();
            if path.len() > 1 && to.contains(&last) {
                paths.push(path);
                continue;
            }
            for (turn, need) in self.needs_of(last).iter().enumerate() {
                if let Some(Ahead { steps, count: _ }) = leads_on(need) {
                    let turns = turns.iter().copied().chain([turn]).collect();
                    let longer: Vec<usize> = path.iter().copied().chain([*need]).collect();
                    begun.push(Reverse((longer.len() + steps, turns, longer)));
                }
            }
        }
        Paths { count, paths }
    }

    /// Everything that some outputs need, over any number of steps, without themselves.
    pub fn all_needs(&self, from: &[usize]) -> BTreeSet<usize> {
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        let mut stack: Vec<usize> = from.to_vec();
        while let Some(user) = stack.pop() {
            let needs = self.needs_of(user).iter();
            stack.extend(needs.filter(|need| reached.insert(**need)).copied());
        }
        for start in from {
            reached.remove(start);
        }
        reached
    }

    /// What lies between the ends and each output from which one can be reached.
    fn ahead(&self, starts: &BTreeSet<usize>, ends: &[usize]) -> BTreeMap<usize, Ahead> {
        let end = Ahead { count: 1, steps: 0 };
        let mut ahead: BTreeMap<usize, Option<Ahead>> =
            ends.iter().map(|position| (*position, Some(end))).collect();
        // Needs first; a plan has no circles.
        let mut stack: Vec<(usize, usize)> = starts.iter().map(|start| (*start, 0)).collect();
        while let Some((position, next)) = stack.pop() {
            if ahead.contains_key(&position) {
                continue;
            }
            let needs = self.needs_of(position);
            if let Some(need) = needs.get(next) {
                stack.push((position, next + 1));
                stack.push((*need, 0));
                continue;
            }
            let inner = needs.iter().filter(|need| !starts.contains(need));
            let below = inner.filter_map(|need| ahead.get(need).copied().flatten());
            let found = below.reduce(|one, other| Ahead {
                count: one.count.saturating_add(other.count),
                steps: one.steps.min(other.steps),
            });
            let found = found.map(|below| Ahead {
                steps: below.steps + 1,
                ..below
            });
            ahead.insert(position, found);
        }
        let known = ahead.into_iter();
        known.filter_map(|(it, ahead)| Some((it, ahead?))).collect()
    }
}
