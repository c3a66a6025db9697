//! A diagram as one page that needs nothing else: to be moved, searched and clicked in a browser.

use serde::Serialize;

use super::layout::{Drawn, ITEM_HEIGHT, shortened};
use super::record::GraphRecord;
use super::svg::{escaped, path, stage_colors, status_colors, title};
use super::{Diagram, ItemStatus};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const PROGRAM: &str = include_str!("page/page.js");

/// What the page's program is handed.
#[derive(Serialize)]
struct PageData<'d> {
    graph: GraphRecord<'d>,
    width: f64,
    height: f64,
    item_height: f64,
    /// The left side, the upper side and the width of each node.
    boxes: Vec<(f64, f64, f64)>,
    /// What is written in each node.
    texts: Vec<String>,
    /// The line of each edge.
    paths: Vec<String>,
    stages: Vec<ColorData<'d>>,
    statuses: Vec<ColorData<'d>>,
}

/// The colors of something, of the box and of its edge.
#[derive(Serialize)]
struct ColorData<'d> {
    name: &'d str,
    fill: &'static str,
    edge: &'static str,
}

/// The page.
pub(crate) fn text(diagram: &Diagram, drawn: &Drawn) -> String {
    let stages = &diagram.stages;
    let rounded = |number: f64| (number * 10.0).round() / 10.0;
    let boxes = drawn.places.iter();
    let boxes = boxes.map(|it| (rounded(it.x), rounded(it.y), rounded(it.width)));
    let needs = diagram.needs.iter().zip(&drawn.routes);
    let data = PageData {
        graph: GraphRecord::of(diagram),
        width: rounded(drawn.width),
        height: rounded(drawn.height),
        item_height: ITEM_HEIGHT,
        boxes: boxes.collect(),
        texts: diagram.items.iter().map(|it| shortened(&it.text)).collect(),
        paths: needs
            .map(|(need, route)| path(need, route, &drawn.places))
            .collect(),
        stages: stages
            .iter()
            .map(|name| color(name, stage_colors(stages, name)))
            .collect(),
        statuses: ItemStatus::ALL
            .map(|status| color(status.name(), status_colors(status)))
            .into(),
    };
    // Texts, numbers and lists of them can always be written. No text may end the element.
    let data = serde_json::to_string(&data).unwrap_or_default();
    let data = data.replace('<', "\\u003c");
    // In this order: what a workspace says comes last, so nothing in it is taken for a place.
    PAGE.replace("{{style}}", STYLE)
        .replace("{{program}}", PROGRAM)
        .replace("{{title}}", &escaped(&title(diagram)).replace("{{", "{ {"))
        .replace("{{data}}", &data)
}

fn color<'d>(name: &'d str, (fill, edge): (&'static str, &'static str)) -> ColorData<'d> {
    ColorData { name, fill, edge }
}
