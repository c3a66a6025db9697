//! Where items are drawn: what is needed to the left of who needs it.
//!
//! Items stand in columns, one for each length of the longest chain of needs; on the way through
//! columns in between, a need has a place of its own, so that it passes items by. In which order
//! things stand in a column, so that few needs cross, is found by `rust-sugiyama`. Its coordinates
//! leave too much room to be read at once, so these are ours: [`super::columns`].

use std::cmp::Reverse;

use rust_sugiyama::configure::{Config, CrossingMinimization, RankingType};

use super::columns;
use super::{Diagram, Need};

/// The height of an item; widths follow its text.
pub(crate) const ITEM_HEIGHT: f64 = 20.0;

/// The width of a letter, and what is beside the text of an item.
const LETTER_WIDTH: f64 = 6.7;
const ITEM_PADDING: f64 = 14.0;

/// What a need takes of the height of a column that it passes.
const PASSING_HEIGHT: f64 = 1.0;

/// Room between columns, and how much more there is for needs that pass between them.
const COLUMN_GAP: f64 = 14.0;
const COLUMN_GAP_MORE: f64 = 8.0;

/// Room around everything, and between items that nothing needs and that need nothing.
const MARGIN: f64 = 24.0;
const GRID_GAP: f64 = 10.0;

/// How many times as wide as high a picture may be before it is stretched, and how far it is.
const SCREEN_RATIO: f64 = 1.5;
const STRETCH_MAX: f64 = 1.7;

/// How many letters of a text are drawn.
const LETTERS_MAX: usize = 34;

/// Most places of needs in columns. Longer needs go without one, as a curve behind items.
const PASSING_MAX: usize = 20_000;

/// Up to how many things it is tried to swap neighbors, which takes long and helps a little.
const SWAPPED_MAX: usize = 2_000;

/// Where everything is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// By item.
    pub(crate) places: Vec<Place>,
    /// By need: points from what is needed to who needs it; none for those that are drawn straight.
    pub(crate) routes: Vec<Vec<(f64, f64)>>,
}

/// The box of an item: its upper left corner and its width.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
}

/// The text of an item as it is drawn.
pub(crate) fn shortened(text: &str) -> String {
    if text.chars().count() <= LETTERS_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LETTERS_MAX - 1).collect();
    format!("{kept}…")
}

fn width_of(text: &str) -> f64 {
    let letters = shortened(text).chars().count();
    LETTER_WIDTH * to_float(letters) + ITEM_PADDING
}

/// A number of things; there are never so many that it matters.
pub(super) fn to_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Finds a place for everything.
pub(crate) fn draw(diagram: &Diagram) -> Drawn {
    let count = diagram.items.len();
    let needs = diagram.needs.iter().enumerate();
    let structure: Vec<(usize, Need)> = needs
        .filter(|(_, need)| !need.is_implied && !need.is_back)
        .map(|(number, need)| (number, *need))
        .collect();
    let mut is_linked = vec![false; count];
    for (_, need) in &structure {
        is_linked[need.user] = true;
        is_linked[need.on] = true;
    }
    let paths = Paths::new(&structure, ranks(count, &structure));
    let ordered = order(&paths, &is_linked);
    let heights = (0..paths.ranks.len()).map(|position| match is_linked.get(position) {
        Some(_) => ITEM_HEIGHT,
        None => PASSING_HEIGHT,
    });
    let heights: Vec<f64> = heights.collect();
    let mut middles = columns::middles(&ordered, &heights, &paths.links);
    let sides = sides(diagram, &paths, &ordered);
    stretch(&mut middles, sides.last().map_or(0.0, |(_, right)| *right));
    let mut drawn = Drawn {
        width: sides.last().map_or(0.0, |(_, right)| right + MARGIN),
        height: 0.0,
        places: vec![Place::default(); count],
        routes: vec![Vec::new(); diagram.needs.len()],
    };
    for position in ordered.iter().flatten() {
        let top = middles[*position] - heights[*position] / 2.0 + MARGIN;
        drawn.height = drawn.height.max(top + heights[*position] + MARGIN);
        if let Some(place) = drawn.places.get_mut(*position) {
            *place = Place {
                x: sides[paths.ranks[*position]].0,
                y: top,
                width: width_of(&diagram.items[*position].text),
            };
        }
    }
    for ((number, need), passing) in structure.iter().zip(&paths.passing) {
        let (from, to) = (drawn.places[need.on], drawn.places[need.user]);
        let Some(passing) = passing else { continue };
        let mut points = vec![(from.x + from.width, from.y + ITEM_HEIGHT / 2.0)];
        for passed in passing {
            let (left, right) = sides[paths.ranks[*passed]];
            let y = middles[*passed] + MARGIN;
            points.extend([(left, y), (right, y)]);
        }
        points.push((to.x, to.y + ITEM_HEIGHT / 2.0));
        drawn.routes[*number] = points;
    }
    add_lonely(diagram, &is_linked, &mut drawn);
    drawn
}

/// Gives a picture that is much wider than high more height, as a screen has it.
fn stretch(middles: &mut [f64], width: f64) {
    let height = middles.iter().copied().fold(0.0, f64::max);
    if height > 0.0 {
        let factor = (width / SCREEN_RATIO / height).clamp(1.0, STRETCH_MAX);
        middles.iter_mut().for_each(|middle| *middle *= factor);
    }
}

/// The left and the right side of every column.
fn sides(diagram: &Diagram, paths: &Paths, ordered: &[Vec<usize>]) -> Vec<(f64, f64)> {
    let mut link_counts = vec![0_usize; ordered.len()];
    for (_, to) in &paths.links {
        link_counts[paths.ranks[*to]] += 1;
    }
    let mut sides = Vec::with_capacity(ordered.len());
    let mut left = MARGIN;
    for (rank, column) in ordered.iter().enumerate() {
        if rank > 0 {
            left += COLUMN_GAP + COLUMN_GAP_MORE * to_float(link_counts[rank]).sqrt();
        }
        let items = column
            .iter()
            .filter_map(|position| diagram.items.get(*position));
        let width = items.map(|item| width_of(&item.text)).fold(0.0, f64::max);
        sides.push((left, left + width));
        left += width;
    }
    sides
}

/// Adds the items that nothing needs and that need nothing, in rows below all others.
fn add_lonely(diagram: &Diagram, is_linked: &[bool], drawn: &mut Drawn) {
    let lonely: Vec<usize> = (0..is_linked.len())
        .filter(|item| !is_linked[*item])
        .collect();
    let widths = lonely
        .iter()
        .map(|item| width_of(&diagram.items[*item].text));
    let width = widths.clone().fold(0.0, f64::max) + GRID_GAP;
    let area = width * (ITEM_HEIGHT + GRID_GAP) * to_float(lonely.len());
    let row = drawn.width.max(area.sqrt() * 1.5);
    let (mut x, mut y) = (MARGIN, drawn.height.max(MARGIN));
    for (item, own) in lonely.iter().zip(widths) {
        if x > MARGIN && x + width > row {
            (x, y) = (MARGIN, y + ITEM_HEIGHT + GRID_GAP);
        }
        drawn.places[*item] = Place { x, y, width: own };
        drawn.width = drawn.width.max(x + own + MARGIN);
        drawn.height = drawn.height.max(y + ITEM_HEIGHT + MARGIN);
        x += width;
    }
}

/// The column of every item: the longest chain of needs below it, or further to the right, close to
/// who needs it, where more need it than it needs.
fn ranks(count: usize, structure: &[(usize, Need)]) -> Vec<usize> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut missing = vec![0_usize; count];
    for (_, need) in structure {
        users[need.on].push(need.user);
        missing[need.user] += 1;
    }
    let need_counts = missing.clone();
    let mut ranks = vec![0; count];
    let mut order: Vec<usize> = (0..count).filter(|item| missing[*item] == 0).collect();
    let mut next = 0;
    while let Some(item) = order.get(next).copied() {
        next += 1;
        for user in &users[item] {
            ranks[*user] = ranks[*user].max(ranks[item] + 1);
            missing[*user] -= 1;
            if missing[*user] == 0 {
                order.push(*user);
            }
        }
    }
    for item in order.into_iter().rev() {
        let nearest = users[item].iter().map(|user| ranks[*user]).min();
        if let Some(nearest) = nearest
            && users[item].len() > need_counts[item]
        {
            ranks[item] = nearest - 1;
        }
    }
    ranks
}

/// What stands in columns: items, then places where needs pass.
struct Paths {
    /// The column of everything.
    ranks: Vec<usize>,
    /// From one column to the next one.
    links: Vec<(usize, usize)>,
    /// By need of the structure, the places where it passes; none for one that goes straight.
    passing: Vec<Option<Vec<usize>>>,
}

impl Paths {
    fn new(structure: &[(usize, Need)], ranks: Vec<usize>) -> Self {
        let mut paths = Self {
            ranks,
            links: Vec::new(),
            passing: vec![None; structure.len()],
        };
        let spans = structure
            .iter()
            .map(|(_, need)| paths.ranks[need.user] - paths.ranks[need.on]);
        let spans: Vec<usize> = spans.collect();
        let mut shortest_first: Vec<usize> = (0..structure.len()).collect();
        shortest_first.sort_by_key(|position| spans[*position]);
        let mut room = PASSING_MAX;
        for position in shortest_first {
            let Some(left) = room.checked_sub(spans[position] - 1) else {
                break;
            };
            room = left;
            let (_, need) = &structure[position];
            let (first, mut last) = (paths.ranks[need.on], need.on);
            let mut passing = Vec::new();
            for rank in first + 1..first + spans[position] {
                let here = paths.ranks.len();
                paths.ranks.push(rank);
                paths.links.push((last, here));
                passing.push(here);
                last = here;
            }
            paths.links.push((last, need.user));
            paths.passing[position] = Some(passing);
        }
        paths
    }
}

/// What stands in every column, from top to bottom.
fn order(paths: &Paths, is_linked: &[bool]) -> Vec<Vec<usize>> {
    let number = |position: usize| u32::try_from(position).unwrap_or(u32::MAX);
    let count = paths.ranks.len();
    let is_placed = |position: &usize| is_linked.get(*position) != Some(&false);
    let vertices = (0..count).filter(is_placed);
    let vertices = vertices.map(|position| (number(position), (1.0, 1.0)));
    let vertices: Vec<(u32, (f64, f64))> = vertices.collect();
    let links = paths.links.iter();
    let links: Vec<(u32, u32)> = links
        .map(|(from, to)| (number(*from), number(*to)))
        .collect();
    let config = Config {
        minimum_length: 1,
        vertex_spacing: 1.0,
        dummy_vertices: true,
        dummy_size: 1.0,
        ranking_type: RankingType::Up,
        c_minimization: CrossingMinimization::Barycenter,
        transpose: count <= SWAPPED_MAX,
    };
    let mut parts = rust_sugiyama::from_vertices_and_edges(&vertices, &links, &config);
    // Larger parts first, each by the first thing in it, whatever order they come in.
    parts.sort_by_key(|(part, ..)| {
        let first = part.iter().map(|(position, _)| *position).min();
        (Reverse(part.len()), first)
    });
    let mut keys = vec![(0_usize, 0.0_f64); count];
    for (number, (part, ..)) in parts.iter().enumerate() {
        for (position, (across, _)) in part {
            keys[*position] = (number, *across);
        }
    }
    let rank_count = paths.ranks.iter().max().map_or(0, |last| last + 1);
    let mut ordered: Vec<Vec<usize>> = vec![Vec::new(); rank_count];
    for position in (0..count).filter(is_placed) {
        ordered[paths.ranks[position]].push(position);
    }
    for column in &mut ordered {
        column.sort_by(|left, right| {
            let (part, across) = keys[*left];
            let (other_part, other_across) = keys[*right];
            let by_part = part.cmp(&other_part);
            let by_place = across.total_cmp(&other_across);
            by_part.then(by_place).then(left.cmp(right))
        });
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::super::{Diagram, Item, ItemKind};
    use super::{Drawn, ITEM_HEIGHT, draw};

    /// A graph drawn by lot: with parts that have nothing to do with each other, with items that
    /// need nothing, and with needs that lead back.
    fn random(count: usize, needs_each: usize, seed: u64) -> Diagram {
        let mut state = seed;
        let mut below = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % limit.max(1)
        };
        let items = (0..count).map(|number| Item {
            id: format!("stage/{number}"),
            text: "x".repeat(1 + below(60)),
            ..Item::default()
        });
        let items = items.collect();
        let mut pairs = Vec::new();
        for user in 0..count {
            for _ in 0..below(needs_each + 1) {
                let near = below(count.min(12));
                let on = match below(20) {
                    0 => (user + near) % count,
                    _ => below(user),
                };
                pairs.push((user, on));
            }
        }
        Diagram::new(ItemKind::Package, items, pairs)
    }

    fn check(diagram: &Diagram) -> Drawn {
        let drawn = draw(diagram);
        for (number, place) in drawn.places.iter().enumerate() {
            assert!(place.x >= 0.0 && place.y >= 0.0, "{number}: {place:?}");
            assert!(place.x + place.width <= drawn.width, "{number}: {place:?}");
            assert!(place.y + ITEM_HEIGHT <= drawn.height, "{number}: {place:?}");
            for other in &drawn.places[..number] {
                let is_beside =
                    place.x + place.width <= other.x || other.x + other.width <= place.x;
                let is_under = (place.y - other.y).abs() >= ITEM_HEIGHT;
                assert!(is_beside || is_under, "{place:?} lies over {other:?}");
            }
        }
        for (need, route) in diagram.needs.iter().zip(&drawn.routes) {
            assert!(
                route.windows(2).all(|pair| pair[0].0 <= pair[1].0),
                "{need:?}"
            );
            if !need.is_back {
                let (left, right) = (drawn.places[need.on], drawn.places[need.user]);
                assert!(
                    left.x + left.width < right.x,
                    "what is needed is to the left"
                );
            }
        }
        drawn
    }

    #[test]
    fn nothing_lies_over_anything_and_needs_lead_to_the_right() {
        for (count, needs_each, seed) in [
            (1, 0, 1),
            (2, 1, 2),
            (7, 2, 3),
            (40, 1, 4),
            (60, 3, 5),
            (150, 6, 6),
            (300, 2, 7),
        ] {
            check(&random(count, needs_each, seed));
        }
        check(&Diagram::default());
    }

    #[test]
    fn the_same_graph_is_drawn_the_same() {
        let diagram = random(120, 3, 8);
        assert_eq!(draw(&diagram), draw(&diagram));
    }
}
