//! Values: operators, chains, calls, strings with code in them, closures.

use super::{Parser, range_of};
use crate::syntax::node::{Arguments, Link, NodeId, NodeKind, Range, TextKind};
use crate::syntax::problem::{ProblemKind, Reach};
use crate::syntax::token::{TokenKind, is_callable};

const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "**", "<<", ">>", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "&",
    "^", "??", "..", "..=", "in", "!in",
];

/// What may stand behind `..` when its end is left out.
const AFTER_RANGE: &[&str] = &["]", ")", "}", ",", ";", "=>"];

/// What leaves a function or loop, allowed after `??`.
pub(super) const LEAVING: &[&str] = &["return", "throw", "break", "continue"];

impl Parser<'_> {
    /// A value with all its operators.
    pub(super) fn expression(&mut self) -> NodeId {
        if !self.enter() {
            return self.missing();
        }
        let start = self.here().start;
        let mut operands = vec![self.operand()];
        let mut is_alone = true;
        while self.at_any(OPERATORS) || (self.patterns == 0 && self.at("|")) {
            let is_range = self.at_any(&["..", "..="]);
            let is_coalesce = self.at("??");
            self.bump();
            is_alone = false;
            let operand = if is_range && self.at_any(AFTER_RANGE) {
                self.missing()
            } else if is_coalesce && self.at_any(LEAVING) {
                self.statement().id
            } else {
                self.operand()
            };
            operands.push(operand);
        }
        self.leave();
        match operands.first() {
            Some(&only) if is_alone => only,
            _ => self.node(NodeKind::Operators(operands), start),
        }
    }

    /// A value with the operators before it.
    fn operand(&mut self) -> NodeId {
        let start = self.here().start;
        let mut prefixes = 0_u32;
        while self.at_any(&["-", "+", "!"]) {
            self.bump();
            prefixes += 1;
        }
        let value = self.chain();
        if prefixes == 0 {
            value
        } else {
            self.node(NodeKind::Prefix, start)
        }
    }

    fn chain(&mut self) -> NodeId {
        let start = self.here().start;
        let head = self.primary();
        let mut links = Vec::new();
        loop {
            if self.at_any(&["[", "?["]) {
                links.push(self.index());
            } else if self.at_any(&[".", "?."]) {
                self.bump();
                links.push(self.member());
            } else {
                break;
            }
        }
        if links.is_empty() {
            head
        } else {
            self.node(NodeKind::Chain { head, links }, start)
        }
    }

    fn index(&mut self) -> Link {
        let open = self.bump();
        let patterns = std::mem::take(&mut self.patterns);
        self.expression();
        self.patterns = patterns;
        self.close(open, "]");
        Link::Index
    }

    /// What follows a dot.
    fn member(&mut self) -> Link {
        let here = self.here();
        let name = match self.kind() {
            Some(TokenKind::Name) => self.bump(),
            Some(TokenKind::Reserved) => {
                if !is_callable(self.slice(here)) {
                    self.report(ProblemKind::ReservedProperty, here, Reach::Local);
                }
                self.bump()
            }
            Some(TokenKind::Keyword) => {
                self.report(ProblemKind::ReservedProperty, here, Reach::Local);
                self.bump()
            }
            _ => {
                self.unexpected("a name after `.`", Reach::Brackets);
                let end = self.last_end();
                return Link::Field(Range { start: end, end });
            }
        };
        if self.at("!") && self.is_mark(self.peek_second(), "(") {
            self.bump();
        }
        if self.at_any(&["(", "()"]) {
            let arguments = self.arguments();
            Link::Method { name, arguments }
        } else {
            Link::Field(name)
        }
    }

    fn primary(&mut self) -> NodeId {
        let start = self.here().start;
        match self.kind() {
            Some(TokenKind::Number) => self.number(),
            Some(TokenKind::Character) => self.leaf(NodeKind::Literal),
            Some(TokenKind::Text) => self.leaf(NodeKind::Text(TextKind::Plain)),
            Some(TokenKind::RawText) => self.leaf(NodeKind::Text(TextKind::Raw)),
            Some(TokenKind::Backtick) => self.leaf(NodeKind::Text(TextKind::Backtick)),
            Some(TokenKind::BacktickStart) => self.interpolated(),
            Some(TokenKind::Name) => self.named(),
            Some(TokenKind::Reserved) => self.reserved(),
            Some(TokenKind::Symbol) => self.bracketed(start),
            Some(TokenKind::Keyword) => self.keyword_value(),
            Some(TokenKind::ReservedSymbol | TokenKind::Unknown) => {
                let here = self.here();
                if self.kind() == Some(TokenKind::ReservedSymbol) {
                    self.report(ProblemKind::ReservedSymbol, here, Reach::Brackets);
                }
                self.bump();
                self.missing()
            }
            Some(
                TokenKind::Blank
                | TokenKind::Comment
                | TokenKind::BacktickMiddle
                | TokenKind::BacktickEnd,
            )
            | None => {
                self.unexpected("a value", Reach::Brackets);
                self.missing()
            }
        }
    }

    fn leaf(&mut self, kind: NodeKind) -> NodeId {
        let start = self.bump().start;
        self.node(kind, start)
    }

    /// A number; `1.3` is read as one as well, and complained about.
    fn number(&mut self) -> NodeId {
        let start = self.bump().start;
        let mut parts = 1_u32;
        while self.at(".") && self.here().start == self.last_end() {
            let is_digit = self.peek_second().is_some_and(|second| {
                second.kind == TokenKind::Number && second.start == self.here().end
            });
            if !is_digit {
                break;
            }
            self.bump();
            self.bump();
            parts += 1;
        }
        if parts > 1 {
            let end = self.last_end();
            let kind = ProblemKind::FractionalNumber;
            self.report(kind, Range { start, end }, Reach::Local);
        }
        self.node(NodeKind::Literal, start)
    }

    fn interpolated(&mut self) -> NodeId {
        let start = self.bump().start;
        let patterns = std::mem::take(&mut self.patterns);
        loop {
            self.block();
            match self.kind() {
                Some(TokenKind::BacktickMiddle) => {
                    self.bump();
                }
                Some(TokenKind::BacktickEnd) => {
                    self.bump();
                    break;
                }
                _ => break,
            }
        }
        self.patterns = patterns;
        self.node(NodeKind::Interpolated, start)
    }

    /// A variable, a call, or either of a module.
    fn named(&mut self) -> NodeId {
        let mut name = self.bump();
        let start = name.start;
        let mut qualified = false;
        while self.at("::") {
            self.bump();
            qualified = true;
            match self.kind() {
                Some(TokenKind::Name) => name = self.bump(),
                Some(TokenKind::Reserved) => {
                    let word = self.here();
                    self.report(ProblemKind::ReservedName, word, Reach::Local);
                    name = self.bump();
                }
                _ => {
                    self.unexpected("a name after `::`", Reach::Brackets);
                    break;
                }
            }
        }
        if self.at("!") && (self.second_at("(") || self.second_at("()")) {
            self.bump();
        }
        if self.at_any(&["(", "()"]) {
            let arguments = self.arguments();
            self.node(NodeKind::Call { name, arguments }, start)
        } else if qualified {
            self.node(NodeKind::Qualified, start)
        } else {
            self.node(NodeKind::Name, start)
        }
    }

    /// A word that Rhai keeps for itself where a value stands.
    fn reserved(&mut self) -> NodeId {
        let name = self.here();
        let word = self.slice(name);
        let called = self.second_at("(") || self.second_at("()");
        if word == "package" && called {
            self.report(ProblemKind::PackageCall, name, Reach::Local);
        } else if word != "this" && !(is_callable(word) && (called || self.second_at("!"))) {
            self.report(ProblemKind::ReservedValue, name, Reach::Local);
        }
        self.bump();
        if self.at("!") && (self.second_at("(") || self.second_at("()")) {
            self.bump();
        }
        if self.at_any(&["(", "()"]) {
            let arguments = self.arguments();
            self.node(NodeKind::Call { name, arguments }, name.start)
        } else {
            self.node(NodeKind::Name, name.start)
        }
    }

    fn bracketed(&mut self, start: u32) -> NodeId {
        if self.at("(") {
            let open = self.bump();
            let patterns = std::mem::take(&mut self.patterns);
            let inner = self.expression();
            self.patterns = patterns;
            self.close(open, ")");
            return self.node(NodeKind::Group(inner), start);
        }
        if self.at("()") {
            return self.leaf(NodeKind::Literal);
        }
        if self.at("[") {
            return self.list();
        }
        if self.at_any(&["#{", "# {"]) {
            return self.map();
        }
        if self.at("{") {
            return self.block_or_map();
        }
        if self.at_any(&["|", "||"]) {
            return self.closure();
        }
        if self.at_any(&["..", "..="]) {
            return self.missing();
        }
        self.unexpected("a value", Reach::Brackets);
        self.missing()
    }

    /// A block, or a map whose `#` was forgotten.
    pub(super) fn block_or_map(&mut self) -> NodeId {
        let third = self.tokens.get(self.next + 2).copied();
        let is_key = self.peek_second().is_some_and(|second| {
            matches!(
                second.kind,
                TokenKind::Name | TokenKind::Text | TokenKind::Reserved
            )
        });
        if is_key && self.is_mark(third, ":") {
            let here = self.here();
            self.report(ProblemKind::BlockForMap, here, Reach::Local);
            return self.map();
        }
        self.block()
    }

    fn keyword_value(&mut self) -> NodeId {
        if self.at_any(&["true", "false"]) {
            return self.leaf(NodeKind::Literal);
        }
        if self.at_any(&["if", "switch", "for", "while", "loop", "do"]) {
            return self.control();
        }
        self.unexpected("a value", Reach::Brackets);
        self.missing()
    }

    fn closure(&mut self) -> NodeId {
        let start = self.here().start;
        let mut parameters = Vec::new();
        if !self.eat("||") {
            self.bump();
            while self.kind() == Some(TokenKind::Name) {
                parameters.push(self.bump());
                if !self.eat(",") {
                    break;
                }
            }
            if !self.eat("|") {
                self.unexpected("`|` behind the parameters", Reach::Brackets);
            }
        }
        let patterns = std::mem::take(&mut self.patterns);
        // At the end of the file Rhai takes a closure without a body.
        if self.peek().is_some() {
            self.statement();
        }
        self.patterns = patterns;
        self.node(NodeKind::Closure(parameters), start)
    }

    /// Arguments with their parentheses; `()` is one token.
    fn arguments(&mut self) -> Arguments {
        let open = self.here();
        if self.eat("()") {
            return Arguments {
                range: open,
                items: Vec::new(),
            };
        }
        let items = self.argument_items();
        Arguments {
            range: Range {
                start: open.start,
                end: self.last_end(),
            },
            items,
        }
    }

    /// Takes the bracket that closes, or says that it is missing.
    pub(super) fn close(&mut self, open: Range, mark: &'static str) {
        if self.eat(mark) {
            return;
        }
        if self.peek().is_none() || self.at_any(&[")", "]", "}", ";", "fn"]) {
            self.not_closed(open);
            return;
        }
        let expected = match mark {
            ")" => "an operator or `)`",
            _ => "an operator or `]`",
        };
        self.unexpected(expected, Reach::Brackets);
        self.skip_to(&[",", ";"]);
        self.eat(mark);
    }

    pub(super) fn not_closed(&mut self, open: Range) {
        let related = self.peek().map(range_of);
        self.report_with(ProblemKind::NotClosed, open, related, Reach::Brackets);
    }
}
