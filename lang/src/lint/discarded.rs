//! Steps and packages whose value is thrown away.
//!
//! Root operations give a new root and change nothing, so a call whose value is not used is a step
//! that silently does not happen.

use crate::diagnostic::Diagnostic;
use crate::schema::BuilderSchema;
use crate::syntax::SyntaxTree;
use crate::syntax::node::{Link, Node, NodeId, NodeKind, Range};

/// Methods of roots and outputs, none of which changes what it is called on.
const OPERATIONS: &[&str] = &[
    "add",
    "argvs",
    "assert_equal",
    "cd",
    "copy",
    "drop",
    "env",
    "keep",
    "mkdir",
    "move",
    "out",
    "patch",
    "put",
    "run",
    "run_all",
    "set_executable",
    "substitute",
    "symlink",
    "timeout",
    "unpack",
    "user",
    "write",
];

pub(super) fn lint(tree: &SyntaxTree, found: &mut Vec<Diagnostic>) {
    let mut unused = Vec::new();
    let last = tree.statements().iter().rposition(|id| {
        tree.node(*id)
            .is_some_and(|node| !matches!(node.kind, NodeKind::Function { .. }))
    });
    for (index, id) in tree.statements().iter().enumerate() {
        if Some(index) != last {
            unused.push(*id);
        }
    }
    for node in tree.nodes() {
        match &node.kind {
            NodeKind::Block(statements) => {
                if let Some((_, before)) = statements.split_last() {
                    unused.extend(before);
                }
            }
            NodeKind::Loop { body, .. } => unused.push(*body),
            _ => {}
        }
    }
    while let Some(id) = unused.pop() {
        let Some(node) = tree.node(id) else { continue };
        match &node.kind {
            NodeKind::Block(statements) => unused.extend(statements.last()),
            NodeKind::If {
                branches,
                otherwise,
            } => {
                unused.extend(branches.iter().map(|(_, body)| *body));
                unused.extend(otherwise);
            }
            NodeKind::Switch(bodies) => unused.extend(bodies),
            NodeKind::Try {
                body, otherwise, ..
            } => unused.extend([*body, *otherwise]),
            NodeKind::Group(inner) => unused.push(*inner),
            NodeKind::Chain { head, links } => found.extend(step(tree, node, *head, links)),
            NodeKind::Call { name, .. } => found.extend(call(tree, *name)),
            _ => {}
        }
    }
}

fn step(tree: &SyntaxTree, node: &Node, head: NodeId, links: &[Link]) -> Option<Diagnostic> {
    let Some(Link::Method { name, .. }) = links.last() else {
        return None;
    };
    let operation = tree.slice(*name);
    if !OPERATIONS.contains(&operation) {
        return None;
    }
    let diagnostic = Diagnostic::error("thrown-away", "This step is thrown away")
        .at(tree.span(*name), "gives a new root, which nothing uses");
    let is_variable = matches!(tree.node(head), Some(head) if matches!(head.kind, NodeKind::Name));
    if !is_variable {
        return Some(diagnostic.hint("keep the value: `let built = …;`, or go on with the chain"));
    }
    let root = tree.text_of(head);
    let text = tree.slice(node.range);
    let fix = if text.len() <= 60 && !text.contains('\n') {
        format!("{root} = {text}")
    } else {
        format!("{root} = {root}.{operation}(…)")
    };
    Some(diagnostic.hint(format!("write `{fix}`, or chain it to what uses it")))
}

fn call(tree: &SyntaxTree, name: Range) -> Option<Diagnostic> {
    let called = tree.slice(name);
    if called == "root" {
        return Some(
            Diagnostic::error("thrown-away", "This root is thrown away")
                .at(tree.span(name), "nothing uses it")
                .hint("keep it: `let built = root(…);`"),
        );
    }
    BuilderSchema::find(called).is_some().then(|| {
        Diagnostic::error("thrown-away", "This package is thrown away")
            .at(tree.span(name), "only the last value of the file counts")
            .hint("one file is one package: give the other one a folder of its own")
    })
}
