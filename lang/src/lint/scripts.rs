//! Scripts in back-ticks: `${CC}` in them is read by the language and not by the shell.

use crate::diagnostic::Diagnostic;
use crate::schema::{BUILDERS, FieldKind};
use crate::syntax::SyntaxTree;
use crate::syntax::node::{Link, NodeId, NodeKind, TextKind};

pub(super) fn lint(tree: &SyntaxTree, found: &mut Vec<Diagnostic>) {
    for node in tree.nodes() {
        match &node.kind {
            NodeKind::Map(entries) => {
                for entry in entries {
                    if is_script_field(tree.key_text(entry.key)) {
                        field(tree, entry.value, found);
                    }
                }
            }
            NodeKind::Chain { links, .. } => {
                for link in links {
                    if let Link::Method { name, arguments } = link
                        && tree.slice(*name) == "run"
                    {
                        found.extend(arguments.items.first().and_then(|id| script(tree, *id)));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether some builder has a field of this name that is a script, or a map of scripts.
fn is_script_field(name: &str) -> bool {
    BUILDERS
        .iter()
        .filter_map(|builder| builder.field(name))
        .any(|field| matches!(field.kind, FieldKind::Script | FieldKind::Scripts))
}

/// A field that is a script, or a map of scripts.
fn field(tree: &SyntaxTree, value: NodeId, found: &mut Vec<Diagnostic>) {
    match tree.node(value).map(|node| &node.kind) {
        Some(NodeKind::Map(entries)) => {
            found.extend(entries.iter().filter_map(|entry| script(tree, entry.value)));
        }
        _ => found.extend(script(tree, value)),
    }
}

fn script(tree: &SyntaxTree, value: NodeId) -> Option<Diagnostic> {
    let in_backticks = match &tree.node(value)?.kind {
        NodeKind::Interpolated => true,
        NodeKind::Text(kind) => *kind == TextKind::Backtick,
        _ => false,
    };
    in_backticks.then(|| {
        Diagnostic::error("script-in-backticks", "Scripts use `#\"…\"#`")
            .at(
                tree.span_of_node(value),
                "in back-ticks `${CC}` is read by Rhai, not by the shell",
            )
            .hint("write `#\"…\"#`, and hand values over as variables with `env: #{ NAME: value }`")
    })
}
