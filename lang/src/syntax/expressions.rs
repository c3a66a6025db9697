//! What an expression is made of, as far as it is written.

use super::SyntaxTree;
use super::node::{Node, NodeKind};
use crate::FieldStep;
use crate::diagnostic::Span;

/// Functions that give what their arguments say.
const CONSTRUCTORS: [&str; 6] = ["dir", "file", "git", "pkg", "seed", "url"];

/// An expression of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Where it is.
    pub span: Span,
    /// Whether it is written out: a text, a number, a list, a map, a reference or a source.
    pub is_written: bool,
    /// Where the variables in it are set, at the top of the file, with their names.
    pub variables: Vec<(String, Span)>,
    /// The functions called in it that a file defines.
    pub calls: Vec<CalledFunction>,
}

/// A function that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalledFunction {
    /// The file that is imported for it, without its ending; none for one of the same file.
    pub import: Option<String>,
    /// Its name.
    pub name: String,
}

impl SyntaxTree {
    /// The expression that begins at a byte, as much of it as there is.
    pub fn expression_at(&self, start: u32) -> Option<Expression> {
        let begins = |node: &&Node| {
            node.range.start == start
                && !matches!(node.kind, NodeKind::Missing | NodeKind::Function { .. })
        };
        let whole = self.nodes().iter().filter(begins);
        Some(self.expression(whole.max_by_key(|node| node.range.end)?))
    }

    /// The value of a field, in the map that has the field and a byte in its value, and whether all
    /// steps are written out; as far inwards as the steps are.
    pub fn field_around(&self, byte: u32, steps: &[FieldStep<'_>]) -> Option<(Expression, bool)> {
        let (FieldStep::Key(field), inner) = steps.split_first()? else {
            return None;
        };
        let values = self.nodes().iter().filter_map(|node| match &node.kind {
            NodeKind::Map(entries) => {
                let mut entries = entries.iter();
                entries.find(|entry| self.key_text(entry.key) == *field)
            }
            _ => None,
        });
        let around = values.filter_map(|entry| {
            let range = self.node(entry.value)?.range;
            (range.start <= byte && byte < range.end).then_some((entry.value, range))
        });
        let (mut value, _) = around.min_by_key(|(_, range)| range.end - range.start)?;
        let mut taken = 0;
        for step in inner {
            let next = match step {
                FieldStep::Key(key) => self.entry(value, key).map(|(_, value)| value),
                FieldStep::Item(index) => self.item(value, *index),
            };
            let Some(next) = next else { break };
            value = next;
            taken += 1;
        }
        Some((self.expression(self.node(value)?), taken == inner.len()))
    }

    fn expression(&self, whole: &Node) -> Expression {
        let is_inside = |node: &&Node| {
            node.range.start >= whole.range.start && node.range.end <= whole.range.end
        };
        let mut variables = Vec::new();
        let mut calls = Vec::new();
        for node in self.nodes().iter().filter(is_inside) {
            match &node.kind {
                NodeKind::Name => {
                    let name = self.slice(node.range);
                    let set = self.variable(name).map(|id| self.span_of_node(id));
                    variables.extend(set.map(|span| (name.to_owned(), span)));
                }
                NodeKind::Call { name, .. } => calls.extend(self.called(&self.span(*name))),
                _ => {}
            }
        }
        variables.dedup();
        calls.dedup();
        Expression {
            span: self.span(whole.range),
            is_written: self.is_written(whole),
            variables,
            calls,
        }
    }

    /// Whether the file has `if` or `switch`.
    pub fn has_choices(&self) -> bool {
        let mut nodes = self.nodes().iter();
        nodes.any(|node| matches!(node.kind, NodeKind::If { .. } | NodeKind::Switch(_)))
    }

    /// Where a function is defined.
    pub fn function(&self, wanted: &str) -> Option<Span> {
        let mut functions = self.functions().map(|(name, _)| name);
        functions.find(|name| self.text_between(name.start, name.end) == wanted)
    }

    fn is_written(&self, node: &Node) -> bool {
        match &node.kind {
            NodeKind::Literal | NodeKind::Text(_) | NodeKind::List(_) | NodeKind::Map(_) => true,
            NodeKind::Call { name, .. } => CONSTRUCTORS.contains(&self.slice(*name)),
            _ => false,
        }
    }

    fn called(&self, name: &Span) -> Option<CalledFunction> {
        let called = self.text_between(name.start, name.end).to_owned();
        let before = self.text_between(0, name.start);
        let import = match before.strip_suffix("::") {
            Some(before) => {
                let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
                let alias = before.rsplit(|letter| !is_part(letter)).next()?;
                Some(self.imported(alias)?)
            }
            None => None,
        };
        if import.is_none() {
            self.function(&called)?;
        }
        Some(CalledFunction {
            import,
            name: called,
        })
    }

    /// The path that is imported under a name.
    fn imported(&self, wanted: &str) -> Option<String> {
        self.nodes().iter().find_map(|node| {
            let NodeKind::Import { alias: Some(alias) } = &node.kind else {
                return None;
            };
            if self.slice(*alias) != wanted {
                return None;
            }
            let mut quoted = self.slice(node.range).split('"');
            quoted.nth(1).map(str::to_owned)
        })
    }
}
