//! A diagram for programs: the record that `stxl graph --format json` prints.

use serde::Serialize;

use super::{Diagram, Item, Need};

/// A diagram for scripts; pages hold the same.
#[derive(Serialize)]
pub(crate) struct GraphRecord<'d> {
    version: u32,
    event: &'static str,
    kind: &'static str,
    title: &'d str,
    nodes: Vec<NodeRecord<'d>>,
    edges: Vec<EdgeRecord>,
}

#[derive(Serialize)]
struct NodeRecord<'d> {
    id: &'d str,
    text: &'d str,
    label: &'d str,
    stage: &'d str,
    version: Option<&'d str>,
    description: Option<&'d str>,
    kind: Option<&'static str>,
    status: Option<&'static str>,
    steps: &'d [String],
    file: &'d str,
    line: u32,
    opaque: bool,
}

/// By positions in the list of nodes.
#[derive(Serialize)]
struct EdgeRecord {
    from: usize,
    to: usize,
    implied: bool,
}

impl<'d> GraphRecord<'d> {
    /// The record of a diagram.
    pub(crate) fn of(diagram: &'d Diagram) -> Self {
        Self {
            version: 1,
            event: "graph",
            kind: diagram.kind.name(),
            title: &diagram.title,
            nodes: diagram.items.iter().map(node).collect(),
            edges: diagram.needs.iter().map(edge).collect(),
        }
    }
}

fn node(item: &Item) -> NodeRecord<'_> {
    let Item {
        id,
        text,
        label,
        stage,
        version,
        description,
        kind,
        status,
        steps,
        file,
        line,
        is_opaque,
    } = item;
    NodeRecord {
        id,
        text,
        label,
        stage,
        version: version.as_deref(),
        description: description.as_deref(),
        kind: *kind,
        status: status.map(super::ItemStatus::name),
        steps,
        file,
        line: *line,
        opaque: *is_opaque,
    }
}

fn edge(need: &Need) -> EdgeRecord {
    EdgeRecord {
        from: need.user,
        to: need.on,
        implied: need.is_implied,
    }
}
