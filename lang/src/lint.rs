//! Rejects what Rhai accepts and is surely or nearly surely wrong.
//!
//! Lints look at the tree only; a file is linted when it is read, whatever it evaluates to.

pub(crate) mod discarded;
mod literals;
pub(crate) mod names;
mod order;
mod scripts;

use crate::diagnostic::Diagnostic;
use crate::syntax::SyntaxTree;

/// All lints, in no order.
pub(crate) fn lint(tree: &SyntaxTree) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    discarded::lint(tree, &mut found);
    scripts::lint(tree, &mut found);
    literals::lint(tree, &mut found);
    names::lint(tree, &mut found);
    order::lint(tree, &mut found);
    found
}
