//! Imports that are not the first lines, and comments that swallow the rest of the file.

use crate::diagnostic::Diagnostic;
use crate::syntax::SyntaxTree;
use crate::syntax::node::NodeKind;

pub(super) fn lint(tree: &SyntaxTree, found: &mut Vec<Diagnostic>) {
    let mut body = false;
    for node in tree.statements().iter().filter_map(|id| tree.node(*id)) {
        match node.kind {
            NodeKind::Import { .. } if body => found.push(
                Diagnostic::warning("late-import", "Imports are the first lines of a file")
                    .at(tree.span(node.range), "")
                    .hint("move it to the top"),
            ),
            NodeKind::Import { .. } => {}
            _ => body = true,
        }
    }
    let open = tree.comments().last().filter(|(_, text)| {
        text.starts_with("/*") && text.matches("/*").count() != text.matches("*/").count()
    });
    if let Some((span, _)) = open {
        let begin = crate::diagnostic::Span::new(&span.path, span.start, span.start + 2);
        found.push(
            Diagnostic::warning("open-comment", "A comment is never closed")
                .at(begin, "everything after this is a comment")
                .hint("close it with `*/`; comments inside comments are closed as well"),
        );
    }
}
