//! A diagram for Graphviz.

use super::svg::{color_of_stage, color_of_status};
use super::{Diagram, Item};

/// The diagram in the language of `dot`: an arrow leads from who needs to what is needed.
pub(crate) fn text(diagram: &Diagram) -> String {
    let stages = &diagram.stages;
    let mut text = "digraph plan {\n  rankdir=RL;\n  node [shape=box, style=\"rounded,filled\", fontname=\"monospace\"];\n".to_owned();
    for item in &diagram.items {
        let color = match item.status {
            Some(status) => color_of_status(status),
            None => color_of_stage(stages, &item.stage),
        };
        let (id, label) = (quoted(&item.id), quoted(shown(item)));
        text += &format!("  {id} [label={label}, fillcolor=\"{color}\"];\n");
    }
    for need in &diagram.needs {
        let id = |position: usize| quoted(&diagram.items[position].id);
        text += &format!("  {} -> {};\n", id(need.user), id(need.on));
    }
    text + "}\n"
}

fn shown(item: &Item) -> &str {
    match item.kind {
        Some(_) => &item.text,
        None => &item.label,
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
