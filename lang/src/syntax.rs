//! The text of a definition as a tree: lossless tokens, a tolerant reading, and the way back from
//! places to spans.
//!
//! Rhai's own tree carries no end of anything, keeps no comments, is missing when the file has a
//! mistake, and its values carry no position. This one is made beside it from the same text. It
//! accepts everything Rhai accepts; `tests/tests/syntax.rs` holds it to that.

mod expressions;
mod lexer;
pub(crate) mod node;
mod parser;
mod places;
mod positions;
pub(crate) mod problem;
mod token;

use std::sync::Arc;

use crate::diagnostic::{Position, Span};
use crate::source::SourcePath;
use node::{Node, NodeId, Range};
use positions::Lines;
use problem::Problem;
use token::Token;
pub(crate) use token::TokenKind;

pub use expressions::{CalledFunction, Expression};
pub use places::{BuilderCall, Call};

/// A file as read; whatever the text is, there is one.
pub struct SyntaxTree {
    path: SourcePath,
    text: Arc<str>,
    /// Every byte belongs to one.
    tokens: Vec<Token>,
    nodes: Vec<Node>,
    statements: Vec<NodeId>,
    problems: Vec<Problem>,
    lines: Lines,
}

/// Reads a file. Linear in its length, bounded in its depth, never fails.
pub fn parse(path: &SourcePath, text: &Arc<str>) -> SyntaxTree {
    let (tokens, lexical) = lexer::lex(text);
    let parsed = parser::parse(text, &tokens, lexical);
    SyntaxTree {
        path: path.clone(),
        text: text.clone(),
        lines: Lines::of(text),
        tokens,
        nodes: parsed.nodes,
        statements: parsed.statements,
        problems: parsed.problems,
    }
}

impl SyntaxTree {
    /// The file.
    pub fn path(&self) -> &SourcePath {
        &self.path
    }

    /// Its text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Line and column of a byte, as an editor counts them.
    pub fn position(&self, offset: u32) -> Position {
        self.lines.position(&self.text, offset)
    }

    /// The comments, in order, with their marks.
    pub fn comments(&self) -> impl Iterator<Item = (Span, &str)> {
        self.tokens
            .iter()
            .filter(|token| token.kind == TokenKind::Comment)
            .map(|token| {
                let range = Range {
                    start: token.start,
                    end: token.end,
                };
                (self.span(range), self.slice(range))
            })
    }

    /// The spans of all tokens, blanks and comments included; without a gap.
    pub fn token_spans(&self) -> impl Iterator<Item = Span> {
        self.tokens.iter().map(|token| {
            self.span(Range {
                start: token.start,
                end: token.end,
            })
        })
    }

    /// Whether something is wrong with the form of the file that Rhai refuses as well.
    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(crate) fn statements(&self) -> &[NodeId] {
        &self.statements
    }

    /// All nodes; every node comes after the nodes it is made of.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    pub(crate) fn slice(&self, range: Range) -> &str {
        self.text
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    pub(crate) fn text_between(&self, start: u32, end: u32) -> &str {
        self.slice(Range { start, end })
    }

    pub(crate) fn text_of(&self, id: NodeId) -> &str {
        self.node(id).map_or("", |node| self.slice(node.range))
    }

    pub(crate) fn span(&self, range: Range) -> Span {
        Span::new(&self.path, range.start, range.end)
    }

    /// The significant token that covers a byte, or the last one before it.
    pub(crate) fn token_before(&self, offset: u32) -> Option<Token> {
        let index = self.tokens.partition_point(|token| token.start <= offset);
        self.tokens
            .get(..index)?
            .iter()
            .rev()
            .find(|token| token.kind.is_significant())
            .copied()
    }

    /// The first significant token that starts at a byte or after it.
    pub(crate) fn token_after(&self, offset: u32) -> Option<Token> {
        let index = self.tokens.partition_point(|token| token.start < offset);
        self.tokens
            .get(index..)?
            .iter()
            .find(|token| token.kind.is_significant())
            .copied()
    }
}

impl std::fmt::Debug for SyntaxTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyntaxTree")
            .field("path", &self.path)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}
