//! Draws lines over two logarithmic axes as SVG: [`Plot`].

/// One chart.
#[derive(Debug)]
pub struct Plot {
    /// What stands above it.
    pub title: String,
    /// What the horizontal axis counts.
    pub across: String,
    /// What the vertical axis measures.
    pub up: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// One line; points are joined in their order.
#[derive(Debug)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// Both numbers are above zero.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 180.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLORS: [&str; 6] = [
    "#1b6ca8", "#c8553d", "#4c956c", "#8e5ea2", "#b58900", "#555555",
];

/// Whole powers of ten around all values.
fn decades(values: impl Iterator<Item = f64>) -> (i32, i32) {
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    for value in values {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        return (0, 1);
    }
    let mut from = -6;
    while from < 15 && 10_f64.powi(from + 1) <= low {
        from += 1;
    }
    let mut to = from;
    while to < 15 && 10_f64.powi(to) < high {
        to += 1;
    }
    (from, to.max(from + 1))
}

/// A number as people write it on an axis.
fn power(exponent: i32) -> String {
    match exponent {
        0..=6 => format!("{}", 10_u64.pow(exponent.unsigned_abs())),
        -3..=-1 => format!("{}", 10_f64.powi(exponent)),
        _ => format!("1e{exponent}"),
    }
}

/// The places of values in the picture.
struct Axes {
    x: (i32, i32),
    y: (i32, i32),
}

impl Axes {
    const RIGHT: f64 = WIDTH - RIGHT;
    const BOTTOM: f64 = HEIGHT - BOTTOM;

    fn scale(log: f64, (from, to): (i32, i32)) -> f64 {
        (log - f64::from(from)) / f64::from(to - from)
    }

    /// Of a logarithm.
    fn x_of(&self, log: f64) -> f64 {
        LEFT + Self::scale(log, self.x) * (Self::RIGHT - LEFT)
    }

    /// Of a logarithm.
    fn y_of(&self, log: f64) -> f64 {
        Self::BOTTOM - Self::scale(log, self.y) * (Self::BOTTOM - TOP)
    }
}

/// Where a name in the legend stands.
fn legend(row: i32) -> (f64, f64) {
    (Axes::RIGHT + 26.0, TOP + 18.0 * f64::from(row))
}

impl Plot {
    /// The text of an SVG file.
    pub fn to_svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let axes = Axes {
            x: decades(points().map(|(x, _)| *x)),
            y: decades(points().map(|(_, y)| *y)),
        };
        let mut parts = vec![
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
                 font-family=\"sans-serif\" font-size=\"12\">"
            ),
            format!("<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>"),
            text((LEFT, TOP - 18.0), "start", &self.title),
            text((Axes::RIGHT, HEIGHT - 10.0), "end", &self.across),
            text((8.0, TOP - 18.0), "start", &self.up),
        ];
        for exponent in axes.x.0..=axes.x.1 {
            let x = axes.x_of(f64::from(exponent));
            parts.push(stroke((x, TOP), (x, Axes::BOTTOM), "#dddddd"));
            parts.push(text((x, Axes::BOTTOM + 18.0), "middle", &power(exponent)));
        }
        for exponent in axes.y.0..=axes.y.1 {
            let y = axes.y_of(f64::from(exponent));
            parts.push(stroke((LEFT, y), (Axes::RIGHT, y), "#dddddd"));
            parts.push(text((LEFT - 6.0, y + 4.0), "end", &power(exponent)));
        }
        for ((line, color), row) in self.lines.iter().zip(COLORS.iter().cycle()).zip(1..) {
            let (x, y) = legend(row);
            parts.push(text((x, y), "start", &line.name));
            parts.push(stroke((x - 20.0, y - 4.0), (x - 4.0, y - 4.0), color));
            parts.extend(line.draw(&axes, color));
        }
        parts.push("</svg>\n".to_owned());
        parts.join("\n")
    }
}

impl Line {
    fn draw(&self, axes: &Axes, color: &str) -> Vec<String> {
        let places = self.points.iter();
        let places = places.map(|(x, y)| (axes.x_of(x.log10()), axes.y_of(y.log10())));
        let places: Vec<(f64, f64)> = places.collect();
        let path = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
        let path = path.collect::<Vec<_>>().join(" ");
        let line = format!(
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>"
        );
        let dot = |(x, y): &(f64, f64)| {
            format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>")
        };
        [line].into_iter().chain(places.iter().map(dot)).collect()
    }
}

fn text((x, y): (f64, f64), anchor: &str, what: &str) -> String {
    let what = escaped(what);
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>")
}

fn stroke(from: (f64, f64), to: (f64, f64), color: &str) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{color}\"/>",
        from.0, from.1, to.0, to.1
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::{Line, Plot, decades, power};

    #[test]
    fn axes_begin_and_end_at_powers_of_ten() {
        assert_eq!(decades([3.0, 250.0].into_iter()), (0, 3));
        assert_eq!(decades([100.0, 100_000.0].into_iter()), (2, 5));
        assert_eq!(decades([10.0].into_iter()), (1, 2));
        assert_eq!(power(3), "1000");
        assert_eq!(power(-2), "0.01");
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let plot = Plot {
            title: "a & b".to_owned(),
            across: "packages".to_owned(),
            up: "ms".to_owned(),
            lines: vec![Line {
                name: "cold".to_owned(),
                points: vec![(1.0, 1.0), (100.0, 1000.0)],
            }],
        };
        let svg = plot.to_svg();
        assert!(svg.contains("points=\"70.0,370.0 460.0,40.0\""), "{svg}");
        assert!(svg.contains("a &amp; b"));
    }
}
