//! Names that are not seen inside functions.
//!
//! A function sees its arguments and nothing else of the file: `const V` above it and the platform
//! are out of its reach.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::SyntaxTree;
use crate::syntax::node::{Binding, NodeKind, Range};

/// The names that are defined around a place.
pub(crate) struct Scope<'a> {
    names: BTreeSet<&'a str>,
}

impl<'a> Scope<'a> {
    /// The names defined anywhere in the function around a place, or at the top of the file.
    pub(crate) fn at(tree: &'a SyntaxTree, offset: u32) -> Self {
        let function = functions(tree).find(|function| function.whole.contains(offset));
        let names = match &function {
            Some(function) => function.names(tree),
            None => top(tree).map(|(name, _, _)| name).collect(),
        };
        Self { names }
    }

    /// The names.
    pub(crate) fn names(&self) -> &BTreeSet<&'a str> {
        &self.names
    }
}

/// A function of the file.
struct Function<'a> {
    whole: Range,
    parameters: &'a [Range],
}

impl Function<'_> {
    /// Its parameters and every name defined inside, in whatever block.
    fn names<'t>(&self, tree: &'t SyntaxTree) -> BTreeSet<&'t str> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        names.extend(self.parameters.iter().map(|range| tree.slice(*range)));
        for node in tree.nodes() {
            if !self.whole.contains(node.range.start) {
                continue;
            }
            match &node.kind {
                NodeKind::Let { name, .. } => {
                    names.insert(tree.slice(*name));
                }
                NodeKind::Loop { variables, .. } => {
                    names.extend(variables.iter().map(|range| tree.slice(*range)));
                }
                NodeKind::Closure(parameters) => {
                    names.extend(parameters.iter().map(|range| tree.slice(*range)));
                }
                NodeKind::Try {
                    variable: Some(variable),
                    ..
                } => {
                    names.insert(tree.slice(*variable));
                }
                NodeKind::Import { alias: Some(alias) } => {
                    names.insert(tree.slice(*alias));
                }
                _ => {}
            }
        }
        names
    }
}

fn functions(tree: &SyntaxTree) -> impl Iterator<Item = Function<'_>> {
    tree.statements().iter().filter_map(|id| {
        let node = tree.node(*id)?;
        let NodeKind::Function { parameters, .. } = &node.kind else {
            return None;
        };
        Some(Function {
            whole: node.range,
            parameters,
        })
    })
}

/// The variables at the top of the file.
fn top(tree: &SyntaxTree) -> impl Iterator<Item = (&str, Range, Binding)> {
    tree.statements().iter().filter_map(|id| {
        let NodeKind::Let { binding, name, .. } = &tree.node(*id)?.kind else {
            return None;
        };
        Some((tree.slice(*name), *name, *binding))
    })
}

pub(super) fn lint(tree: &SyntaxTree, found: &mut Vec<Diagnostic>) {
    let top: BTreeSet<&str> = top(tree).map(|(name, _, _)| name).collect();
    for function in functions(tree) {
        let own = function.names(tree);
        let uses = tree.nodes().iter().filter(|node| {
            matches!(node.kind, NodeKind::Name) && function.whole.contains(node.range.start)
        });
        for node in uses {
            let name = tree.slice(node.range);
            if !own.contains(name) && (name == "target" || top.contains(name)) {
                found.extend(outside_function(tree, name, node.range.start));
            }
        }
    }
}

/// Says that a name is defined outside of the function in which it is used; none when it is not.
pub(crate) fn outside_function(tree: &SyntaxTree, name: &str, offset: u32) -> Option<Diagnostic> {
    let function = functions(tree).find(|function| function.whole.contains(offset))?;
    let argument = function
        .parameters
        .first()
        .map_or("p", |range| tree.slice(*range));
    let length = u32::try_from(name.len()).unwrap_or(0);
    let at = Span::new(tree.path(), offset, offset + length);
    if let Some((_, range, binding)) = top(tree).find(|(known, _, _)| *known == name) {
        let word = match binding {
            Binding::Constant => "constant",
            Binding::Variable => "variable",
        };
        return Some(
            Diagnostic::error("outside-function", "Functions see only their arguments")
                .at(at, format!("`{name}` is not visible here"))
                .also(tree.span(range), format!("the {word} is defined here"))
                .hint(format!(
                    "put it in a field, `{}: {name},`, and read `{argument}.{}`",
                    name.to_lowercase(),
                    name.to_lowercase()
                )),
        );
    }
    let finished = [
        "target", "base", "needs", "env", "patches", "version", "source", "sources",
    ];
    finished.contains(&name).then(|| {
        Diagnostic::error("outside-function", "Functions see only their arguments")
            .at(at, format!("`{name}` is not visible here"))
            .hint(format!("write `{argument}.{name}`"))
    })
}
