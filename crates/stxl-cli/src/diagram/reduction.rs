//! Which needs lead back, and which follow from others.

use super::{Diagram, Need};

/// From how many items on it is not asked which needs are implied: a bit for every two of them.
const REDUCED_MAX: usize = 50_000;

/// Bits of a word.
const BITS: usize = 64;

/// Pairs of a user and what it needs as needs.
pub(super) fn needs_of(mut pairs: Vec<(usize, usize)>) -> Vec<Need> {
    pairs.sort_unstable();
    pairs.dedup();
    let different = pairs.into_iter().filter(|(user, need)| user != need);
    let needs = different.map(|(user, need)| Need {
        user,
        on: need,
        is_implied: false,
        is_back: false,
    });
    needs.collect()
}

/// Marks the needs that lead back, and those that others imply.
pub(super) fn mark(diagram: &mut Diagram) {
    let count = diagram.items.len();
    let order = order(count, &mut diagram.needs);
    if count > REDUCED_MAX {
        return;
    }
    let mut by_user: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (position, need) in diagram.needs.iter().enumerate() {
        if !need.is_back {
            by_user[need.user].push(position);
        }
    }
    let mut ranks = vec![0; count];
    for (rank, item) in order.iter().enumerate() {
        ranks[*item] = rank;
    }
    let words = count.div_ceil(BITS);
    let mut reached: Vec<Vec<u64>> = vec![Vec::new(); count];
    for user in order {
        let mut own = vec![0_u64; words];
        let mut needs = std::mem::take(&mut by_user[user]);
        // Those that stand last in the order first: no other of them can imply them.
        needs.sort_by_key(|position| std::cmp::Reverse(ranks[diagram.needs[*position].on]));
        for position in needs {
            let need = diagram.needs[position].on;
            let (word, bit) = (need / BITS, 1 << (need % BITS));
            if own[word] & bit != 0 {
                diagram.needs[position].is_implied = true;
                continue;
            }
            own[word] |= bit;
            for (own, other) in own.iter_mut().zip(&reached[need]) {
                *own |= other;
            }
        }
        reached[user] = own;
    }
}

/// The items, what is needed first; needs that lead back to an item that is not done are marked.
fn order(count: usize, needs: &mut [Need]) -> Vec<usize> {
    let mut begins = vec![0; count + 1];
    for need in needs.iter() {
        begins[need.user + 1] += 1;
    }
    for item in 0..count {
        begins[item + 1] += begins[item];
    }
    let mut is_begun = vec![false; count];
    let mut is_done = vec![false; count];
    let mut order = Vec::with_capacity(count);
    for start in 0..count {
        let mut stack = vec![start];
        let mut next: Vec<usize> = vec![begins[start]];
        if std::mem::replace(&mut is_begun[start], true) {
            continue;
        }
        while let (Some(item), Some(position)) = (stack.last().copied(), next.last_mut()) {
            if *position == begins[item + 1] {
                is_done[item] = true;
                order.push(item);
                stack.pop();
                next.pop();
                continue;
            }
            // Sorted by user, so the needs of an item stand together.
            let need = &mut needs[*position];
            *position += 1;
            if !std::mem::replace(&mut is_begun[need.on], true) {
                stack.push(need.on);
                next.push(begins[need.on]);
            } else if !is_done[need.on] {
                need.is_back = true;
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::{Diagram, Item, ItemKind};

    fn marks(count: usize, pairs: &[(usize, usize)]) -> Vec<(usize, usize, bool, bool)> {
        let items = vec![Item::default(); count];
        let diagram = Diagram::new(ItemKind::Package, items, pairs.to_vec());
        let needs = diagram.needs.iter();
        needs
            .map(|it| (it.user, it.on, it.is_implied, it.is_back))
            .collect()
    }

    #[test]
    fn what_others_imply_is_marked() {
        let told = marks(4, &[(3, 2), (3, 1), (3, 0), (2, 1), (1, 0), (2, 0), (0, 0)]);
        let expected = [
            (1, 0, false, false),
            (2, 0, true, false),
            (2, 1, false, false),
            (3, 0, true, false),
            (3, 1, true, false),
            (3, 2, false, false),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_leads_back_is_marked_and_implies_nothing() {
        let told = marks(3, &[(0, 1), (1, 2), (2, 0), (0, 2)]);
        let back: Vec<_> = told.iter().filter(|it| it.3).collect();
        assert_eq!(back, [&(2, 0, false, true)]);
        assert!(told.contains(&(0, 2, true, false)));
    }

    #[test]
    fn many_items_are_reduced_as_few_are() {
        let count = 200;
        let pairs: Vec<(usize, usize)> = (0..count)
            .flat_map(|user| (0..user).map(move |need| (user, need)))
            .collect();
        let left = marks(count, &pairs).into_iter().filter(|it| !it.2);
        let chain: Vec<_> = left.map(|(user, need, ..)| (user, need)).collect();
        let expected: Vec<_> = (1..count).map(|user| (user, user - 1)).collect();
        assert_eq!(chain, expected);
    }
}
