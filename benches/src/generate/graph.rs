//! Which package needs which: [`Graph`].

use clap::ValueEnum;

use crate::random::Random;

/// The shape of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Needs are drawn among all packages with a lower number
    Random,
    /// Packages stand in `--depth` layers; needs are drawn from the layer before
    Layers,
    /// Every package is needed by `--fan-out` others: a tree
    Tree,
    /// Every package needs the one before
    Chain,
    /// No package needs another
    Independent,
}

/// A graph of packages, numbered from 0; needs have lower numbers than who needs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// For each package what it needs: ascending, without duplicates.
    pub needs: Vec<Vec<usize>>,
}

/// The size of a graph.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Packages.
    pub packages: usize,
    /// Needs of each package, as far as there are enough others.
    pub needs_each: usize,
    /// Layers, for [`Shape::Layers`].
    pub depth: usize,
    /// Dependents of each package, for [`Shape::Tree`].
    pub fan_out: usize,
}

impl Default for Size {
    /// One of everything.
    fn default() -> Self {
        Self {
            packages: 1,
            needs_each: 1,
            depth: 1,
            fan_out: 1,
        }
    }
}

impl Graph {
    /// Draws a graph.
    pub fn draw(shape: Shape, size: Size, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let width = size.packages.div_ceil(size.depth.max(1)).max(1);
        let needs = (0..size.packages).map(|package| match shape {
            Shape::Random => draw_among(&mut random, 0..package, size.needs_each),
            Shape::Layers => {
                let start = package / width * width;
                let before = start.saturating_sub(width)..start;
                draw_among(&mut random, before, size.needs_each)
            }
            Shape::Tree => package
                .checked_sub(1)
                .map(|before| before / size.fan_out.max(1))
                .into_iter()
                .collect(),
            Shape::Chain => package.checked_sub(1).into_iter().collect(),
            Shape::Independent => Vec::new(),
        });
        Self {
            needs: needs.collect(),
        }
    }
}

/// Draws different numbers of a range, all of them when it has no more.
fn draw_among(random: &mut Random, range: std::ops::Range<usize>, count: usize) -> Vec<usize> {
    if range.len() <= count {
        return range.collect();
    }
    let mut drawn: Vec<usize> = Vec::with_capacity(count);
    while drawn.len() < count {
        let number = range.start + random.below(range.len());
        if let Err(place) = drawn.binary_search(&number) {
            drawn.insert(place, number);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::{Graph, Shape, Size};

    const SIZE: Size = Size {
        packages: 100,
        needs_each: 5,
        depth: 10,
        fan_out: 3,
    };

    #[test]
    fn a_seed_gives_one_graph() {
        let draw = |seed| Graph::draw(Shape::Random, SIZE, seed);
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn needs_have_lower_numbers() {
        for shape in [Shape::Random, Shape::Layers, Shape::Tree, Shape::Chain] {
            let graph = Graph::draw(shape, SIZE, 7);
            for (package, needs) in graph.needs.iter().enumerate() {
                assert!(needs.is_sorted() && needs.iter().all(|need| *need < package));
                assert!(
                    needs.len() <= 5
                        && (package == 0 || shape == Shape::Layers || !needs.is_empty())
                );
            }
        }
    }

    #[test]
    fn shapes_are_as_deep_and_as_wide_as_asked() {
        let depth = |shape| {
            let mut depths: Vec<usize> = Vec::new();
            for needs in Graph::draw(shape, SIZE, 7).needs {
                depths.push(
                    needs
                        .iter()
                        .map(|need| depths[*need] + 1)
                        .max()
                        .unwrap_or(1),
                );
            }
            depths.into_iter().max().unwrap()
        };
        assert_eq!(depth(Shape::Layers), 10);
        assert_eq!(depth(Shape::Chain), 100);
        assert_eq!(depth(Shape::Independent), 1);
        let tree = Graph::draw(Shape::Tree, SIZE, 7);
        assert_eq!(
            tree.needs.iter().filter(|needs| needs.contains(&4)).count(),
            3
        );
    }
}
