//! A diagram as a picture.

use super::layout::{Drawn, ITEM_HEIGHT, Place, shortened};
use super::{Diagram, ItemKind, ItemStatus, Need};

/// Colors of stages: of the box, and of its edge.
const STAGE_COLORS: [(&str, &str); 10] = [
    ("#cfe3ff", "#3b73c4"),
    ("#d5f0d3", "#3f8f45"),
    ("#ffe3c2", "#b8741a"),
    ("#f3d3ee", "#a0529a"),
    ("#d0f0ef", "#2b8a87"),
    ("#fff0b3", "#94800f"),
    ("#e3d9ff", "#6a52bf"),
    ("#ffd6d6", "#b84a4a"),
    ("#e2ebc8", "#6f7f3a"),
    ("#d9dee6", "#5b6776"),
];

/// The height of the line that says what colors mean.
const LEGEND_HEIGHT: f64 = 34.0;

/// The style of everything.
const STYLE: &str = "text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#1d2530}\
    .l{font:12px system-ui,sans-serif}path{fill:none;stroke:#7b8694;stroke-width:1;opacity:.55}\
    .i{stroke-dasharray:2 3;opacity:.35}";

/// The color of the boxes of a stage.
pub(crate) fn color_of_stage(stages: &[String], stage: &str) -> &'static str {
    stage_colors(stages, stage).0
}

/// The colors of the boxes of a stage, and of their edges.
pub(crate) fn stage_colors(stages: &[String], stage: &str) -> (&'static str, &'static str) {
    let position = stages.iter().position(|other| other == stage);
    STAGE_COLORS[position.unwrap_or(0) % STAGE_COLORS.len()]
}

/// The color of the boxes of what a build would do something with.
pub(crate) const fn color_of_status(status: ItemStatus) -> &'static str {
    status_colors(status).0
}

/// The colors of the boxes of what a build would do something with, and of their edges.
pub(super) const fn status_colors(status: ItemStatus) -> (&'static str, &'static str) {
    match status {
        ItemStatus::Cached => STAGE_COLORS[1],
        ItemStatus::Pending => STAGE_COLORS[5],
        ItemStatus::Run => STAGE_COLORS[7],
    }
}

/// The picture. Colors tell of the status where it is known, else of the stage.
pub(crate) fn picture(diagram: &Diagram, drawn: &Drawn) -> String {
    let has_status = diagram.items.iter().any(|item| item.status.is_some());
    let stages = &diagram.stages;
    let (width, height) = (drawn.width.max(240.0), drawn.height + LEGEND_HEIGHT);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(&title(diagram))
    );
    let legend: Vec<(&str, (&str, &str))> = if has_status {
        let statuses = ItemStatus::ALL.into_iter();
        statuses.map(|it| (it.name(), status_colors(it))).collect()
    } else {
        let names = stages.iter();
        names
            .map(|name| (name.as_str(), stage_colors(stages, name)))
            .collect()
    };
    text += &legend_text(&legend);
    text += &format!("<g transform=\"translate(0 {LEGEND_HEIGHT})\">\n");
    for (need, route) in diagram.needs.iter().zip(&drawn.routes) {
        let class = if need.is_implied { " class=\"i\"" } else { "" };
        let path = path(need, route, &drawn.places);
        text += &format!("<path{class} d=\"{path}\"/>\n");
    }
    for (item, place) in diagram.items.iter().zip(&drawn.places) {
        let (fill, stroke) = match item.status {
            Some(status) => status_colors(status),
            None => stage_colors(stages, &item.stage),
        };
        let Place { x, y, width } = place;
        text += &format!(
            "<g><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{ITEM_HEIGHT}\" rx=\"4\" fill=\"{fill}\" stroke=\"{stroke}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>\n",
            escaped(&item.label),
            x + 7.0,
            y + 14.0,
            escaped(&shortened(&item.text))
        );
    }
    text + "</g>\n</svg>\n"
}

/// What a picture is of.
pub(super) fn title(diagram: &Diagram) -> String {
    match (diagram.kind, diagram.title.as_str()) {
        (ItemKind::Package, "") => "all packages".to_owned(),
        (ItemKind::Package, title) => format!("packages of {title}"),
        (ItemKind::Step, "") => "all derivations".to_owned(),
        (ItemKind::Step, title) => format!("derivations of {title}"),
    }
}

fn legend_text(legend: &[(&str, (&str, &str))]) -> String {
    let mut text = String::new();
    let mut x = 24.0;
    for (name, (fill, stroke)) in legend {
        let letters = super::layout::to_float(name.chars().count());
        text += &format!(
            "<rect x=\"{x:.0}\" y=\"12\" width=\"12\" height=\"12\" rx=\"3\" fill=\"{fill}\" \
             stroke=\"{stroke}\"/><text class=\"l\" x=\"{:.0}\" y=\"22\">{}</text>\n",
            x + 18.0,
            escaped(name)
        );
        x += 18.0 + letters * 7.0 + 18.0;
    }
    text
}

/// The line of a need, from what is needed to who needs it: along its route, or straight.
pub(super) fn path(need: &Need, route: &[(f64, f64)], places: &[Place]) -> String {
    let (from, to) = (places[need.on], places[need.user]);
    let straight = [
        (from.x + from.width, from.y + ITEM_HEIGHT / 2.0),
        (to.x, to.y + ITEM_HEIGHT / 2.0),
    ];
    let points = if route.is_empty() { &straight } else { route };
    let mut points = points.iter().copied();
    let Some((mut x, mut y)) = points.next() else {
        return String::new();
    };
    let mut path = format!("M{x:.1} {y:.1}");
    let mut is_between = true;
    for (next_x, next_y) in points {
        if is_between {
            let reach = (next_x - x).abs() / 2.0;
            path += &format!(
                "C{:.1} {y:.1} {:.1} {next_y:.1} {next_x:.1} {next_y:.1}",
                x + reach,
                next_x - reach
            );
        } else {
            path += &format!("H{next_x:.1}");
        }
        // A gap between columns, then a column, in turn.
        is_between = !is_between;
        (x, y) = (next_x, next_y);
    }
    path
}

/// Text for XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char if char.is_control() => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
    }
    escaped
}
