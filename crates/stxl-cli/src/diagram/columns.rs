//! How high things stand in columns in which their order is known: close to what they are linked
//! with, and close together.

/// How often all columns are gone through.
const SWEEPS: usize = 14;

/// Room between two things of a column: two items, an item and a place where a link passes, and two
/// of those.
const GAP: f64 = 9.0;
const SMALL_GAP: f64 = 5.0;
const PASSING_GAP: f64 = 1.6;

/// From which height on something is an item.
const ITEM_HEIGHT_MIN: f64 = 10.0;

/// How much more a place where a link passes is drawn to its neighbors, so that links are straight.
const PASSING_WEIGHT: f64 = 3.0;

/// Finds the middle of everything, the uppermost at its own half height. `links` lead from one
/// column to the next one.
pub(super) fn middles(
    ordered: &[Vec<usize>],
    heights: &[f64],
    links: &[(usize, usize)],
) -> Vec<f64> {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); heights.len()];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); heights.len()];
    for (from, to) in links {
        behind[*from].push(*to);
        before[*to].push(*from);
    }
    let mut middles = vec![0.0; heights.len()];
    for column in ordered {
        let offsets = offsets(column, heights);
        let half = offsets.last().copied().unwrap_or(0.0) / 2.0;
        for (position, offset) in column.iter().zip(offsets) {
            middles[*position] = offset - half;
        }
    }
    for sweep in 0..SWEEPS {
        let is_last = sweep + 2 >= SWEEPS;
        let wanted = |position: usize, middles: &[f64]| {
            let neighbors = match (is_last, sweep % 2) {
                (true, _) => [&before[position][..], &behind[position][..]],
                (false, 0) => [&before[position][..], &[]],
                (false, _) => [&behind[position][..], &[]],
            };
            let places = neighbors.into_iter().flatten();
            let places: Vec<f64> = places.map(|other| middles[*other]).collect();
            median(places).unwrap_or(middles[position])
        };
        let columns: Box<dyn Iterator<Item = &Vec<usize>>> = if sweep % 2 == 0 {
            Box::new(ordered.iter())
        } else {
            Box::new(ordered.iter().rev())
        };
        for column in columns {
            let wished = column.iter().map(|position| wanted(*position, &middles));
            let wished: Vec<f64> = wished.collect();
            settle(column, heights, &wished, &mut middles);
        }
    }
    let placed = ordered.iter().flatten();
    let tops = placed.map(|position| middles[*position] - heights[*position] / 2.0);
    let top = tops.fold(f64::INFINITY, f64::min);
    if top.is_finite() {
        middles.iter_mut().for_each(|middle| *middle -= top);
    }
    middles
}

/// The middle of the places, of an even number the mean of the two in the middle.
fn median(mut places: Vec<f64>) -> Option<f64> {
    places.sort_by(f64::total_cmp);
    let half = places.len() / 2;
    let upper = *places.get(half)?;
    let lower = match (places.len() % 2, half.checked_sub(1)) {
        (0, Some(before)) => places[before],
        _ => upper,
    };
    Some(f64::midpoint(lower, upper))
}

/// How far each thing is below the first one if they stand as close as they may.
fn offsets(column: &[usize], heights: &[f64]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(column.len());
    let mut offset = 0.0;
    for (number, position) in column.iter().enumerate() {
        if let Some(above) = number.checked_sub(1) {
            let (above, own) = (heights[column[above]], heights[*position]);
            let gap = match (above > ITEM_HEIGHT_MIN, own > ITEM_HEIGHT_MIN) {
                (true, true) => GAP,
                (true, false) | (false, true) => SMALL_GAP,
                (false, false) => PASSING_GAP,
            };
            offset += f64::midpoint(above, own) + gap;
        }
        offsets.push(offset);
    }
    offsets
}

/// Puts a column as close to its wishes as its order and the heights of its things allow, by the
/// squares of distances: things that want to be in each other's place form blocks.
fn settle(column: &[usize], heights: &[f64], wished: &[f64], middles: &mut [f64]) {
    struct Block {
        weight: f64,
        /// The sum of where its things want its beginning to be, each by its weight.
        sum: f64,
        count: usize,
    }
    let offsets = offsets(column, heights);
    let mut blocks: Vec<Block> = Vec::with_capacity(column.len());
    for ((position, offset), wish) in column.iter().zip(&offsets).zip(wished) {
        let is_item = heights[*position] > ITEM_HEIGHT_MIN;
        let weight = if is_item { 1.0 } else { PASSING_WEIGHT };
        let mut block = Block {
            weight,
            sum: weight * (wish - offset),
            count: 1,
        };
        while let Some(above) = blocks.pop() {
            if above.sum / above.weight < block.sum / block.weight {
                blocks.push(above);
                break;
            }
            block = Block {
                weight: above.weight + block.weight,
                sum: above.sum + block.sum,
                count: above.count + block.count,
            };
        }
        blocks.push(block);
    }
    let mut things = column.iter().zip(offsets);
    for block in blocks {
        let begin = block.sum / block.weight;
        for (position, offset) in things.by_ref().take(block.count) {
            middles[*position] = begin + offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::middles;

    #[test]
    fn things_stand_beside_what_they_are_linked_with() {
        let ordered = [vec![0], vec![1, 2, 3], vec![4]];
        let links = [(0, 1), (0, 2), (0, 3), (2, 4)];
        let placed = middles(&ordered, &[20.0; 5], &links);
        let expected = [39.0, 10.0, 39.0, 68.0, 39.0];
        for (found, expected) in placed.iter().zip(expected) {
            assert!((found - expected).abs() < 0.01, "{placed:?}");
        }
    }

    #[test]
    fn nothing_stands_over_another_thing() {
        let ordered = [vec![0, 1, 2, 3, 4, 5], vec![6, 7, 8]];
        let links = [(5, 6), (5, 7), (0, 8), (1, 8)];
        let heights = [20.0, 2.0, 20.0, 20.0, 2.0, 2.0, 20.0, 2.0, 20.0];
        let placed = middles(&ordered, &heights, &links);
        for column in &ordered {
            for pair in column.windows(2) {
                let room = f64::midpoint(heights[pair[0]], heights[pair[1]]);
                assert!(placed[pair[1]] - placed[pair[0]] > room, "{placed:?}");
            }
        }
    }
}
