//! Says in a newcomer's words what is wrong with the form of a file.
//!
//! Two sources: what our own reading is sure about (all mistakes of a file), and the one error at
//! which Rhai stopped (names, limits, whatever the reading leaves to it). Mistakes in values are
//! explained where values are checked.

mod nothing;
mod problems;
mod refusal;

use crate::diagnostic::{Diagnostic, in_order};
use crate::lint;
use crate::syntax::SyntaxTree;
use crate::syntax::problem::{PROBLEMS_MAX, Reach};

pub use nothing::{if_without_else, no_value};

/// All that can be said about a file without evaluating it, in order.
///
/// `refused` is what Rhai said when it compiled the same text.
pub(crate) fn explain(tree: &SyntaxTree, refused: Option<&rhai::ParseError>) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = tree
        .problems()
        .iter()
        .map(|problem| problems::diagnostic(tree, problem))
        .collect();
    // Where brackets are out of step the tree is a guess, and a lint would be one too.
    if tree
        .problems()
        .iter()
        .all(|problem| problem.reach == Reach::Local)
    {
        found.extend(lint::lint(tree));
    }
    if let Some(refused) = refused {
        let explained = refusal::diagnostic(tree, refused);
        if !is_said(tree, &found, &explained) {
            found.push(explained);
        }
    }
    let mut found = in_order(found);
    found.truncate(PROBLEMS_MAX);
    found
}

/// Whether Rhai's error is one of those found already: it stops at the first, so whatever it says
/// about a token with a problem of ours or behind one is that problem.
fn is_said(tree: &SyntaxTree, found: &[Diagnostic], explained: &Diagnostic) -> bool {
    let Some((at, _)) = &explained.primary else {
        return tree.has_problems();
    };
    let behind_problem = tree
        .problems()
        .iter()
        .any(|problem| problem.start < at.end.max(at.start + 1));
    let inside_other = found.iter().any(|other| {
        other.is_error()
            && other
                .primary
                .as_ref()
                .is_some_and(|(span, _)| span.start <= at.start && at.end <= span.end)
    });
    behind_problem || inside_other
}
