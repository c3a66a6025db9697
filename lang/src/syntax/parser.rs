//! Reads tokens into a tree, whatever they are.
//!
//! It accepts everything Rhai accepts and more: what it complains about, Rhai refuses as well, so
//! its complaints are sure. Precedence, types and names are left to Rhai. After a mistake it goes
//! on where the meaning is clear again, so that several mistakes of one file are all said; a
//! complaint that may be an echo of an earlier one is dropped.

mod collections;
mod expressions;
mod statements;

use super::node::{Node, NodeId, NodeKind, Range};
use super::problem::{PROBLEMS_MAX, Problem, ProblemKind, Reach};
use super::token::{Token, TokenKind};

/// Nesting at which reading stops without a complaint; Rhai's own limit is far lower.
const DEPTH_MAX: u32 = 128;

/// A file as read.
pub(crate) struct Parsed {
    pub(crate) nodes: Vec<Node>,
    pub(crate) statements: Vec<NodeId>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads the tokens of a file.
pub(crate) fn parse(text: &str, tokens: &[Token], mut lexical: Vec<Problem>) -> Parsed {
    lexical.sort_by_key(|problem| problem.start);
    let mut parser = Parser {
        text,
        tokens: tokens
            .iter()
            .copied()
            .filter(|token| token.kind.is_significant())
            .collect(),
        next: 0,
        nodes: Vec::new(),
        problems: Vec::new(),
        lexical,
        next_lexical: 0,
        doubt: Reach::Local,
        depth: 0,
        blocks: 0,
        patterns: 0,
    };
    let statements = parser.file();
    parser.take_lexical(u32::MAX);
    parser.problems.sort_by_key(|problem| problem.start);
    Parsed {
        nodes: parser.nodes,
        statements,
        problems: parser.problems,
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    nodes: Vec<Node>,
    problems: Vec<Problem>,
    lexical: Vec<Problem>,
    next_lexical: usize,
    /// How far the meaning of what comes is in doubt.
    doubt: Reach,
    depth: u32,
    /// Blocks around; functions may stand in none.
    blocks: u32,
    /// Above zero while a pattern of `switch` is read, in which `|` is no operator.
    patterns: u32,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token> {
        self.tokens.get(self.next).copied()
    }

    fn peek_second(&self) -> Option<Token> {
        self.tokens.get(self.next + 1).copied()
    }

    fn kind(&self) -> Option<TokenKind> {
        self.peek().map(|token| token.kind)
    }

    fn slice(&self, range: Range) -> &'a str {
        self.text
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    fn text_of(&self, token: Option<Token>) -> &'a str {
        token.map_or("", |token| self.slice(range_of(token)))
    }

    fn is_mark(&self, token: Option<Token>, mark: &str) -> bool {
        token.is_some_and(|token| matches!(token.kind, TokenKind::Symbol | TokenKind::Keyword))
            && self.text_of(token) == mark
    }

    /// Whether the next token is this symbol or keyword.
    fn at(&self, mark: &str) -> bool {
        self.is_mark(self.peek(), mark)
    }

    fn at_any(&self, marks: &[&str]) -> bool {
        marks.iter().any(|mark| self.at(mark))
    }

    fn second_at(&self, mark: &str) -> bool {
        self.is_mark(self.peek_second(), mark)
    }

    fn bump(&mut self) -> Range {
        let range = self.here();
        self.take_lexical(range.start);
        self.next = (self.next + 1).min(self.tokens.len());
        range
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = self.at(mark);
        if found {
            self.bump();
        }
        found
    }

    /// The next token, or the place behind the last one.
    fn here(&self) -> Range {
        self.peek().map_or_else(
            || {
                let end = self.last_end();
                Range { start: end, end }
            },
            range_of,
        )
    }

    fn last_end(&self) -> u32 {
        self.last().map_or(0, |token| token.end)
    }

    fn last(&self) -> Option<Token> {
        self.next
            .checked_sub(1)
            .and_then(|index| self.tokens.get(index).copied())
    }

    /// Whether the next token stands on another line than the last.
    fn on_new_line(&self) -> bool {
        let between = Range {
            start: self.last_end(),
            end: self.here().start,
        };
        self.slice(between).contains('\n')
    }

    fn node(&mut self, kind: NodeKind, start: u32) -> NodeId {
        let range = Range {
            start,
            end: self.last_end().max(start),
        };
        self.nodes.push(Node { kind, range });
        NodeId(u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX))
    }

    fn missing(&mut self) -> NodeId {
        let start = self.last_end();
        self.node(NodeKind::Missing, start)
    }

    fn report(&mut self, kind: ProblemKind, at: Range, reach: Reach) {
        self.report_with(kind, at, None, reach);
    }

    fn report_with(&mut self, kind: ProblemKind, at: Range, other: Option<Range>, reach: Reach) {
        let dropped = match self.doubt {
            Reach::Local => false,
            Reach::Brackets => kind.may_be_echo(),
            Reach::Rest => true,
        };
        if dropped {
            return;
        }
        self.doubt = self.doubt.max(reach);
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        self.problems.push(Problem {
            kind,
            start: at.start,
            end: at.end,
            related: other.map(|range| (range.start, range.end)),
            reach,
        });
    }

    /// Takes over what was found wrong with single tokens up to a place.
    fn take_lexical(&mut self, until: u32) {
        while let Some(problem) = self.lexical.get(self.next_lexical) {
            if problem.start > until {
                return;
            }
            let problem = problem.clone();
            self.next_lexical += 1;
            if problem.kind == ProblemKind::OpenText && self.closes_open_text() {
                continue;
            }
            let at = Range {
                start: problem.start,
                end: problem.end,
            };
            self.report(problem.kind, at, problem.reach);
        }
    }

    /// Whether a `"` after a text that was not closed on its line ends that text, further down.
    fn closes_open_text(&self) -> bool {
        let begins_value = self.last().is_none_or(|last| {
            let before = self.slice(range_of(last));
            matches!(before, ":" | "," | "(" | "[" | "#{" | "+" | "=")
        });
        self.doubt == Reach::Brackets && !begins_value
    }

    /// Says that something else was expected here, in the most telling way.
    fn unexpected(&mut self, expected: &'static str, reach: Reach) {
        if let Some(raw) = self.ended_raw_text() {
            let hashes = self.slice(raw).chars().take_while(|c| *c == '#').count();
            let end = Range {
                start: raw
                    .end
                    .saturating_sub(u32::try_from(hashes).unwrap_or(0) + 1),
                end: raw.end,
            };
            let kind = ProblemKind::RawTextEnded { hashes };
            self.report_with(kind, end, Some(raw), Reach::Rest);
            return;
        }
        let here = self.here();
        self.take_lexical(here.start);
        let kind = if self.kind() == Some(TokenKind::ReservedSymbol) {
            ProblemKind::ReservedSymbol
        } else {
            ProblemKind::Unexpected { expected }
        };
        self.report(kind, here, reach);
    }

    /// The raw string just read, if what follows on its line cannot follow a string.
    fn ended_raw_text(&self) -> Option<Range> {
        let last = self.last().filter(|last| last.kind == TokenKind::RawText)?;
        let next = self.peek()?;
        let is_field = self.second_at(":")
            && matches!(next.kind, TokenKind::Name | TokenKind::Text)
            && next.start > last.end;
        (!self.on_new_line() && !is_field).then_some(range_of(last))
    }

    /// Skips to one of the marks, a bracket that closes something around, or a function; brackets
    /// in between are skipped in pairs.
    fn skip_to(&mut self, marks: &[&str]) {
        let mut open = 0_u32;
        while self.peek().is_some() {
            if self.at("fn") || (open == 0 && self.at_any(marks)) {
                return;
            }
            if self.at_any(&["(", "[", "{", "#{"]) {
                open += 1;
            } else if self.at_any(&[")", "]", "}"]) {
                if open == 0 {
                    return;
                }
                open -= 1;
            }
            self.bump();
        }
    }

    /// Enters one level of nesting; false when there are too many, and then nothing more is read.
    fn enter(&mut self) -> bool {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return true;
        }
        self.depth -= 1;
        self.doubt = Reach::Rest;
        self.next = self.tokens.len();
        false
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Whether the next token can begin a value.
    fn at_value(&self) -> bool {
        match self.kind() {
            Some(
                TokenKind::Name
                | TokenKind::Reserved
                | TokenKind::Number
                | TokenKind::Character
                | TokenKind::Text
                | TokenKind::RawText
                | TokenKind::Backtick
                | TokenKind::BacktickStart,
            ) => true,
            Some(TokenKind::Keyword) => self.at_any(&[
                "true", "false", "if", "switch", "for", "while", "loop", "do",
            ]),
            Some(TokenKind::Symbol) => self.at_any(&[
                "(", "()", "[", "{", "#{", "-", "+", "!", "|", "||", "..", "..=",
            ]),
            Some(
                TokenKind::Blank
                | TokenKind::Comment
                | TokenKind::BacktickMiddle
                | TokenKind::BacktickEnd
                | TokenKind::ReservedSymbol
                | TokenKind::Unknown,
            )
            | None => false,
        }
    }
}

fn range_of(token: Token) -> Range {
    Range {
        start: token.start,
        end: token.end,
    }
}
