//! Where things stand: the builder call, its fields, calls, functions, the lines of scripts.

use super::SyntaxTree;
use super::node::{Arguments, Link, Node, NodeId, NodeKind, Range};
use crate::FieldStep;
use crate::diagnostic::{Position, Span};

/// The call that a package file is: a builder, or `.change(…)` of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderCall {
    /// The name of what is called.
    pub name: Span,
    /// The arguments with their parentheses.
    pub arguments: Span,
}

/// A call of a function or method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name of what is called.
    pub name: Span,
    /// All arguments with their parentheses.
    pub arguments: Span,
    /// Each argument.
    pub each: Vec<Span>,
}

/// How many variables are followed from the file's last line to the call.
const VARIABLES_MAX: u32 = 8;

impl SyntaxTree {
    /// The call whose value is the value of the file, if the file ends in one.
    pub fn builder_call(&self) -> Option<BuilderCall> {
        let (name, arguments) = self.final_call()?;
        Some(BuilderCall {
            name: self.span(name),
            arguments: self.span(arguments.range),
        })
    }

    /// Where a value of the builder call's map stands: the deepest step that is written out; the
    /// name of the call when not even the first is; an empty span at the end of a file without one.
    pub fn span_of(&self, steps: &[FieldStep<'_>]) -> Span {
        match self.value_at(steps) {
            Some((id, _)) => self.span_of_node(id),
            None => self.span_of_call(),
        }
    }

    /// Where the key of a field stands; as [`SyntaxTree::span_of`] when there is no such key.
    pub fn key_span_of(&self, steps: &[FieldStep<'_>]) -> Span {
        let Some((FieldStep::Key(key), parents)) = steps.split_last() else {
            return self.span_of(steps);
        };
        let parent = if parents.is_empty() {
            self.final_map()
        } else {
            self.value_at(parents)
                .filter(|(_, taken)| *taken == parents.len())
                .map(|(id, _)| id)
        };
        match parent.and_then(|parent| self.entry(parent, key)) {
            Some((range, _)) => self.span(range),
            None => self.span_of(steps),
        }
    }

    /// The call whose name stands at a position that Rhai reports.
    pub fn call_at(&self, reported: Position) -> Option<Call> {
        let at = self.range_at(reported);
        self.nodes().iter().find_map(|node| {
            let (name, arguments) = match &node.kind {
                NodeKind::Call { name, arguments } => (*name, arguments),
                NodeKind::Chain { links, .. } => links.iter().find_map(|link| match link {
                    Link::Method { name, arguments } if *name == at => Some((*name, arguments)),
                    Link::Method { .. } | Link::Field(_) | Link::Index => None,
                })?,
                _ => return None,
            };
            let begins = node.range.start == at.start || name == at;
            begins.then(|| Call {
                name: self.span(name),
                arguments: self.span(arguments.range),
                each: arguments
                    .items
                    .iter()
                    .map(|id| self.span_of_node(*id))
                    .collect(),
            })
        })
    }

    /// The line on which the content of a string stands, once a blank first line is dropped.
    pub fn content_line(&self, text: &Span) -> u32 {
        let range = Range {
            start: text.start,
            end: text.end,
        };
        let line = self.position(text.start).line;
        let written = self.slice(range).trim_start_matches('#');
        let mut content = written.trim_start_matches(['"', '`']).split('\n');
        match (content.next(), content.next()) {
            (Some(first), Some(_)) if first.trim().is_empty() => line + 1,
            _ => line,
        }
    }

    /// The functions of the file: names and bodies, in order.
    pub fn functions(&self) -> impl Iterator<Item = (Span, Span)> {
        self.statements().iter().filter_map(|id| {
            let NodeKind::Function { name, body, .. } = &self.node(*id)?.kind else {
                return None;
            };
            Some((self.span(*name), self.span_of_node(*body)))
        })
    }

    /// The back-tick string with code in it that begins at a byte.
    pub(crate) fn interpolated_at(&self, start: u32) -> Option<Span> {
        let node = self.nodes().iter().find(|node| {
            matches!(node.kind, NodeKind::Interpolated) && node.range.start == start
        })?;
        Some(self.span(node.range))
    }

    /// Where a key and its value stand in the map that a function ends with; none when they are
    /// not written out.
    pub(crate) fn returned_entry(&self, function: &str, key: &str) -> Option<(Span, Span)> {
        let body = self.nodes().iter().find_map(|node| match &node.kind {
            NodeKind::Function { name, body, .. } if self.slice(*name) == function => Some(*body),
            _ => None,
        })?;
        let NodeKind::Block(statements) = &self.node(body)?.kind else {
            return None;
        };
        let NodeKind::Map(entries) = &self.node(*statements.last()?)?.kind else {
            return None;
        };
        let mut entries = entries.iter();
        let entry = entries.find(|entry| self.key_text(entry.key) == key)?;
        Some((self.span(entry.key), self.span_of_node(entry.value)))
    }

    pub(crate) fn span_of_node(&self, id: NodeId) -> Span {
        let range = self
            .node(id)
            .map_or(Range { start: 0, end: 0 }, |node| node.range);
        self.span(range)
    }

    /// The name of the final call, or the end of what the file says.
    pub(crate) fn span_of_call(&self) -> Span {
        if let Some((name, _)) = self.final_call() {
            return self.span(name);
        }
        if let Some(last) = self.final_value() {
            return self.span_of_node(last);
        }
        let end = self.token_before(u32::MAX).map_or(0, |token| token.end);
        self.span(Range { start: end, end })
    }

    /// The last statement that is not a function.
    pub(crate) fn final_statement(&self) -> Option<&Node> {
        self.statements()
            .iter()
            .rev()
            .filter_map(|id| self.node(*id))
            .find(|node| !matches!(node.kind, NodeKind::Function { .. }))
    }

    /// The value of the file, with variables followed to what they were set to.
    fn final_value(&self) -> Option<NodeId> {
        let mut id = *self.statements().iter().rev().find(|id| {
            self.node(**id)
                .is_some_and(|node| !matches!(node.kind, NodeKind::Function { .. }))
        })?;
        for _ in 0..VARIABLES_MAX {
            match &self.node(id)?.kind {
                NodeKind::Name => match self.variable(self.text_of(id)) {
                    Some(value) => id = value,
                    None => break,
                },
                NodeKind::Group(inner) => id = *inner,
                _ => break,
            }
        }
        Some(id)
    }

    /// What a variable at the top of the file is set to.
    pub(super) fn variable(&self, wanted: &str) -> Option<NodeId> {
        self.statements().iter().rev().find_map(|id| {
            let NodeKind::Let { name, value, .. } = &self.node(*id)?.kind else {
                return None;
            };
            (self.slice(*name) == wanted).then_some(*value).flatten()
        })
    }

    fn final_call(&self) -> Option<(Range, &Arguments)> {
        match &self.node(self.final_value()?)?.kind {
            NodeKind::Call { name, arguments } => Some((*name, arguments)),
            NodeKind::Chain { links, .. } => match links.last()? {
                Link::Method { name, arguments } => Some((*name, arguments)),
                Link::Field(_) | Link::Index => None,
            },
            _ => None,
        }
    }

    /// The map handed to the final call.
    fn final_map(&self) -> Option<NodeId> {
        let (_, arguments) = self.final_call()?;
        arguments
            .items
            .iter()
            .copied()
            .find(|id| !self.maps_in(*id).is_empty())
    }

    /// The deepest value that is written out along the steps, and how many steps led there.
    fn value_at(&self, steps: &[FieldStep<'_>]) -> Option<(NodeId, usize)> {
        let mut id = self.final_map()?;
        let mut taken = 0;
        for step in steps {
            let next = match step {
                FieldStep::Key(key) => self.entry(id, key).map(|(_, value)| value),
                FieldStep::Item(index) => self.item(id, *index),
            };
            match next {
                Some(next) => id = next,
                None => break,
            }
            taken += 1;
        }
        (taken > 0).then_some((id, taken))
    }

    /// A field of a map, or of maps joined with `+`, of which the last one counts.
    pub(super) fn entry(&self, id: NodeId, wanted: &str) -> Option<(Range, NodeId)> {
        self.maps_in(id).into_iter().rev().find_map(|map| {
            let NodeKind::Map(entries) = &self.node(map)?.kind else {
                return None;
            };
            entries
                .iter()
                .find(|entry| self.key_text(entry.key) == wanted)
                .map(|entry| (entry.key, entry.value))
        })
    }

    /// The map literals a value is made of.
    fn maps_in(&self, id: NodeId) -> Vec<NodeId> {
        match self.node(id).map(|node| &node.kind) {
            Some(NodeKind::Map(_)) => vec![id],
            Some(NodeKind::Group(inner)) => self.maps_in_operands(&[*inner]),
            Some(NodeKind::Operators(operands)) => self.maps_in_operands(operands),
            Some(NodeKind::Name) => self
                .variable(self.text_of(id))
                .map_or_else(Vec::new, |value| self.maps_in_operands(&[value])),
            _ => Vec::new(),
        }
    }

    fn maps_in_operands(&self, operands: &[NodeId]) -> Vec<NodeId> {
        operands
            .iter()
            .copied()
            .filter(
                |id| matches!(self.node(*id), Some(node) if matches!(node.kind, NodeKind::Map(_))),
            )
            .collect()
    }

    /// An item of a list, or of lists joined with `+` as long as they are written out.
    pub(super) fn item(&self, id: NodeId, index: usize) -> Option<NodeId> {
        match &self.node(id)?.kind {
            NodeKind::List(items) => items.get(index).copied(),
            NodeKind::Group(inner) => match &self.node(*inner)?.kind {
                NodeKind::List(items) => items.get(index).copied(),
                _ => None,
            },
            NodeKind::Operators(operands) => {
                let mut before = 0;
                for operand in operands {
                    let NodeKind::List(items) = &self.node(*operand)?.kind else {
                        return None;
                    };
                    if let Some(item) = items.get(index.checked_sub(before)?) {
                        return Some(*item);
                    }
                    before += items.len();
                }
                None
            }
            _ => None,
        }
    }

    /// A key without its quotes.
    pub(crate) fn key_text(&self, key: Range) -> &str {
        self.slice(key).trim_matches('#').trim_matches(['"', '`'])
    }

    /// The node at the end of the steps, if all of them are written out.
    pub(crate) fn node_at(&self, steps: &[FieldStep<'_>]) -> Option<&Node> {
        let (id, taken) = self.value_at(steps)?;
        (taken == steps.len()).then(|| self.node(id)).flatten()
    }
}
