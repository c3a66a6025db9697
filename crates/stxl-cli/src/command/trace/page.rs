//! The climb as one page that needs nothing else: a row for each package, arcs for who built whom.

use std::fmt::Write as _;

use stxl_eval::Saying;

use super::climb::Rung;
use super::telling::Telling;
use crate::diagram::svg::{escaped, stage_colors};
use crate::progress::plural;
use crate::terminal::{duration, size};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const PROGRAM: &str = include_str!("page/page.js");

/// The height of a row, in pixels; the style has it too.
const ROW: usize = 30;

/// How far arcs reach to the left, in pixels.
const ARCS_WIDTH: usize = 240;

/// How many digits of a digest are shown; all of them are in the tip.
const DIGITS: usize = 12;

/// The page.
pub(super) fn text(telling: &Telling<'_>, sayings: &[Saying]) -> String {
    let title = format!("What {} was made from", telling.subject);
    // In this order: what a workspace says comes last, so nothing in it is taken for a place.
    PAGE.replace("{{style}}", STYLE)
        .replace("{{program}}", PROGRAM)
        .replace("{{facts}}", &facts(telling))
        .replace("{{rest}}", &rest(telling).replace("{{", "{ {"))
        .replace("{{arcs}}", &arcs(&telling.climb.rungs))
        .replace("{{title}}", &escaped(&title).replace("{{", "{ {"))
        .replace("{{rows}}", &rows(&telling.climb.rungs, sayings))
}

fn facts(telling: &Telling<'_>) -> String {
    let lineage = telling.lineage;
    let rungs = &telling.climb.rungs;
    let ms = rungs.iter().map(|rung| rung.ms).sum();
    let at_least = match rungs.iter().map(|rung| rung.unknown).sum::<usize>() {
        0 => "",
        _ => "at least ",
    };
    let opaque = match lineage.opaque.len() {
        0 => "nothing opaque".to_owned(),
        count => format!("{count} opaque"),
    };
    let facts = [
        format!("{} bytes of seeds", telling.seed_bytes()),
        opaque,
        format!("{} locked by hash", plural(lineage.sources.len(), "source")),
        plural(rungs.len(), "package"),
        plural(telling.climb.steps(), "step"),
        format!("{at_least}{}, one step after the other", duration(ms)),
    ];
    let mut text = String::new();
    for fact in &facts {
        put(&mut text, &format!("<li>{}</li>", escaped(fact)));
    }
    text
}

/// What is opaque, and what archives ship that is not written by hand.
fn rest(telling: &Telling<'_>) -> String {
    let mut text = String::new();
    let opaque = telling.opaque_lines();
    if !opaque.is_empty() {
        text += "<h2>Opaque</h2><ul>";
        for line in &opaque {
            put(&mut text, &format!("<li>{}</li>", escaped(line)));
        }
        text += "</ul>";
    }
    if !telling.lineage.shipped.is_empty() {
        text += "<h2>Generated files that sources ship</h2><ul>";
        for (node, files) in &telling.lineage.shipped {
            let name = &telling.plan.nodes()[*node].origin.name;
            let generated = plural(files.generated.len(), "generated file");
            let compiled = plural(files.compiled.len(), "compiled file");
            let line = format!("{name}: {generated}, {compiled}");
            put(&mut text, &format!("<li>{}</li>", escaped(&line)));
        }
        text += "</ul>";
    }
    if !telling.lineage.unseen.is_empty() {
        text += "<h2>Archives of which the store does not have the files any more</h2><ul>";
        for node in &telling.lineage.unseen {
            let name = &telling.plan.nodes()[*node].origin.name;
            put(&mut text, &format!("<li>{}</li>", escaped(name)));
        }
        text += "</ul>";
    }
    text
}

/// A half circle from each package to each that it was built with.
fn arcs(rungs: &[Rung]) -> String {
    let height = rungs.len() * ROW;
    let mut text = format!(
        "<svg id=\"arcs\" width=\"{ARCS_WIDTH}\" height=\"{height}\" aria-hidden=\"true\">"
    );
    let middle = |rung: usize| rung * ROW + ROW / 2;
    for (user, rung) in rungs.iter().enumerate() {
        for need in &rung.needs {
            let (from, to) = (middle(*need), middle(user));
            let reach = from.abs_diff(to) / 2;
            let reach = reach.min(ARCS_WIDTH - 8);
            // The curve bulges to three quarters of its control points.
            let (edge, control) = (
                ARCS_WIDTH - 2,
                (ARCS_WIDTH - 2).saturating_sub(reach * 4 / 3),
            );
            put(
                &mut text,
                &format!(
                    "<path data-user=\"{user}\" data-need=\"{need}\" \
                     d=\"M{edge} {from}C{control} {from} {control} {to} {edge} {to}\"/>"
                ),
            );
        }
    }
    text + "</svg>"
}

fn rows(rungs: &[Rung], sayings: &[Saying]) -> String {
    let mut stages: Vec<String> = Vec::new();
    for rung in rungs {
        if !stages.iter().any(|stage| stage == rung.label.stage()) {
            stages.push(rung.label.stage().to_owned());
        }
    }
    let longest = rungs.iter().map(|rung| rung.ms).max().unwrap_or(0).max(1);
    let mut text = String::new();
    for (position, rung) in rungs.iter().enumerate() {
        let saying = sayings.iter().find(|it| it.label == rung.label.as_str());
        let version = saying
            .and_then(|it| it.version.as_deref())
            .unwrap_or_default();
        let about = saying
            .and_then(|it| it.description.as_deref())
            .unwrap_or_default();
        let digest = rung.tree.map(|tree| tree.to_string()).unwrap_or_default();
        let shown: String = digest.chars().take(DIGITS).collect();
        let time = match (rung.steps, rung.unknown) {
            (0, _) => String::new(),
            (_, 0) => duration(rung.ms),
            (_, _) => "not known".to_owned(),
        };
        let (fill, edge) = stage_colors(&stages, rung.label.stage());
        put(
            &mut text,
            &format!(
                "<tr id=\"r{position}\" tabindex=\"0\" data-rung=\"{position}\">\
                 <td class=\"name\"><i style=\"background:{fill};border-color:{edge}\"></i>\
                 {label}</td><td class=\"faint\">{version}</td><td class=\"about\">{about}</td>\
                 <td class=\"number\">{steps}</td>\
                 <td class=\"number bar\" style=\"--part:{part}%\">{time}</td>\
                 <td class=\"number\">{size}</td>\
                 <td class=\"digest\" title=\"{digest}\">{shown}</td></tr>",
                label = escaped(rung.label.as_str()),
                version = escaped(version),
                about = escaped(about),
                steps = rung.steps,
                part = rung.ms * 100 / longest,
                time = escaped(&time),
                size = escaped(&rung.size_bytes.map(size).unwrap_or_default()),
            ),
        );
    }
    text
}

fn put(text: &mut String, piece: &str) {
    text.write_str(piece).expect("a text takes what is written");
}
