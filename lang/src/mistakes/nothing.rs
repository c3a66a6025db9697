//! Values that are nothing, `()`, where something was meant.

use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::SyntaxTree;
use crate::syntax::node::{NodeKind, Range};

/// The `if` that begins at a place and gives nothing when its condition is false: from `if` to the
/// end of its first line.
pub fn if_without_else(tree: &SyntaxTree, at: &Span) -> Option<Span> {
    let node = tree.nodes().iter().rev().find(|node| {
        let is_if = matches!(
            node.kind,
            NodeKind::If {
                otherwise: None,
                ..
            }
        );
        is_if && node.range.start == at.start
    })?;
    let text = tree.slice(node.range);
    let first = text.lines().next().unwrap_or_default();
    let length = u32::try_from(first.len()).unwrap_or(0);
    Some(tree.span(Range {
        start: node.range.start,
        end: node.range.start + length,
    }))
}

/// Says that a package file has no value, and why.
pub fn no_value(tree: &SyntaxTree) -> Diagnostic {
    let message = "The file's value is nothing";
    let end = "end the file with the builder call, for example `autotools(#{ … })`";
    let id = "no-value";
    let Some(last) = tree.final_statement() else {
        let at = tree.span_of_call();
        return Diagnostic::error(id, message)
            .at(at, "no builder call in this file")
            .hint(end);
    };
    let diagnostic = Diagnostic::error(id, message);
    match &last.kind {
        NodeKind::Let { name, .. } => {
            let name_text = tree.slice(*name);
            diagnostic
                .at(tree.span(*name), "a definition of a variable has no value")
                .hint(format!(
                    "end the file with the builder call itself, or with `{name_text}` on a line of its own"
                ))
        }
        NodeKind::If {
            otherwise: None, ..
        } => diagnostic
            .at(
                tree.span(first_token(tree, last.range)),
                "gives nothing when the condition is false",
            )
            .hint("add an `else` with a builder call"),
        NodeKind::Loop { .. } => diagnostic
            .at(
                tree.span(first_token(tree, last.range)),
                "a loop has no value",
            )
            .hint(end),
        NodeKind::Assign => diagnostic
            .at(
                tree.span(first_token(tree, last.range)),
                "setting a variable has no value",
            )
            .hint(end),
        NodeKind::Import { .. } => diagnostic
            .at(
                tree.span(first_token(tree, last.range)),
                "an import has no value",
            )
            .hint(end),
        _ => diagnostic
            .at(
                tree.span(first_token(tree, last.range)),
                "the last statement gives nothing",
            )
            .hint(end),
    }
}

fn first_token(tree: &SyntaxTree, range: Range) -> Range {
    tree.token_after(range.start).map_or(range, |token| Range {
        start: token.start,
        end: token.end,
    })
}
