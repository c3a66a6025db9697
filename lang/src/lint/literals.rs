//! Versions and hashes that tools cannot rewrite because they are computed.

use crate::FieldStep;
use crate::diagnostic::Diagnostic;
use crate::syntax::SyntaxTree;
use crate::syntax::node::{Link, NodeId, NodeKind, TextKind};

pub(super) fn lint(tree: &SyntaxTree, found: &mut Vec<Diagnostic>) {
    found.extend(version(tree));
    for node in tree.nodes() {
        match &node.kind {
            NodeKind::Call { name, arguments } => {
                let lock = match tree.slice(*name) {
                    "url" | "seed" => arguments.items.get(1),
                    "git" => arguments.items.get(2),
                    _ => None,
                };
                found.extend(lock.and_then(|id| hash(tree, *id)));
            }
            NodeKind::Map(entries) => {
                let hashes = entries
                    .iter()
                    .filter(|entry| tree.key_text(entry.key) == "hash");
                found.extend(hashes.filter_map(|entry| hash(tree, entry.value)));
            }
            _ => {}
        }
    }
}

fn version(tree: &SyntaxTree) -> Option<Diagnostic> {
    let node = tree.node_at(&[FieldStep::Key("version")])?;
    let span = tree.span(node.range);
    let warning = |label: &str| {
        Diagnostic::warning("version-not-literal", "The version is computed")
            .at(span, label)
            .note("tools that update and review rewrite versions, and find only literal ones")
    };
    match &node.kind {
        NodeKind::Operators(_) => Some(warning("").hint("write it as one text: `\"1.2.3\"`")),
        NodeKind::Interpolated | NodeKind::Text(TextKind::Raw | TextKind::Backtick) => {
            Some(warning("").hint("write it in plain quotes: `\"1.2.3\"`"))
        }
        NodeKind::Name => Some(warning("a variable").hint("write the version here")),
        NodeKind::If { .. } | NodeKind::Switch { .. } | NodeKind::Block(_) => {
            Some(warning("").hint("write one package for each version"))
        }
        NodeKind::Call { .. } => Some(warning("").hint("write the version here")),
        NodeKind::Chain { links, .. } => match links.last() {
            // Another package's version stays that package's.
            Some(Link::Field(name)) if tree.slice(*name) == "version" => None,
            _ => Some(warning("").hint("write the version here")),
        },
        _ => None,
    }
}

fn hash(tree: &SyntaxTree, value: NodeId) -> Option<Diagnostic> {
    let node = tree.node(value)?;
    let literal = matches!(
        node.kind,
        NodeKind::Text(TextKind::Plain) | NodeKind::Literal | NodeKind::Missing | NodeKind::Map(_)
    );
    (!literal).then(|| {
        Diagnostic::warning("hash-not-literal", "The hash is computed")
            .at(tree.span(node.range), "")
            .note("tools that update and review rewrite hashes, and find only literal ones")
            .hint("write it as one text: `\"sha256:…\"`")
    })
}
