//! Maps, lists and arguments: items between commas.

use std::collections::BTreeMap;

use super::{Parser, range_of};
use crate::syntax::node::{Entry, NodeId, NodeKind, Range};
use crate::syntax::problem::{Items, ProblemKind, Reach};
use crate::syntax::token::{Token, TokenKind};

/// What comes after an item.
enum After {
    /// Another item or the end.
    More,
    /// The bracket cannot be found; the caller stops.
    Lost,
}

impl Parser<'_> {
    pub(super) fn list(&mut self) -> NodeId {
        let open = self.bump();
        let items = self.items(open, "]", Items::List);
        self.node(NodeKind::List(items), open.start)
    }

    pub(super) fn argument_items(&mut self) -> Vec<NodeId> {
        let open = self.bump();
        self.items(open, ")", Items::Arguments)
    }

    fn items(&mut self, open: Range, close: &'static str, kind: Items) -> Vec<NodeId> {
        let patterns = std::mem::take(&mut self.patterns);
        let mut items = Vec::new();
        while !self.eat(close) {
            if self.is_end_of_items(kind) {
                self.not_closed(open);
                break;
            }
            if self.at(",") {
                let here = self.bump();
                self.report(ProblemKind::ExtraComma, here, Reach::Local);
                continue;
            }
            self.spread();
            if kind == Items::Arguments && self.is_field_start(false) {
                let here = self.here();
                self.report(ProblemKind::NamedArgument, here, Reach::Brackets);
                self.bump();
                self.bump();
            }
            let before = self.next;
            items.push(self.expression());
            if let After::Lost = self.after_item(open, close, kind, before) {
                break;
            }
        }
        self.patterns = patterns;
        items
    }

    /// Whether the items cannot go on here: the end, a statement, or, in a list, the next field.
    fn is_end_of_items(&self, kind: Items) -> bool {
        self.peek().is_none()
            || self.at_any(&["fn", "let", "const", "import", ";", "}", ")", "]"])
            || (kind == Items::List && self.is_field_start(true))
    }

    /// Whether `name:` follows; a quoted name counts only where the caller says so.
    fn is_field_start(&self, quoted: bool) -> bool {
        let is_key = match self.kind() {
            Some(TokenKind::Name) => true,
            Some(TokenKind::Text) => quoted,
            _ => false,
        };
        is_key && self.second_at(":")
    }

    /// `...a`, which other languages have.
    fn spread(&mut self) {
        if self.kind() == Some(TokenKind::ReservedSymbol) && self.text_of(self.peek()) == "..." {
            let here = self.bump();
            self.report(ProblemKind::Spread, here, Reach::Local);
        }
    }

    fn after_item(
        &mut self,
        open: Range,
        close: &'static str,
        kind: Items,
        before: usize,
    ) -> After {
        if self.eat(",") || self.at(close) {
            return After::More;
        }
        if self.next > before && self.ended_raw_text().is_none() {
            if self.is_end_of_items(kind) {
                self.not_closed(open);
                return After::Lost;
            }
            if self.at_value() {
                self.missing_comma(kind);
                return After::More;
            }
        }
        if self.peek().is_none() {
            self.not_closed(open);
            return After::Lost;
        }
        let expected = match kind {
            Items::Map => "`,` or `}`",
            Items::List => "`,` or `]`",
            Items::Arguments => "`,` or `)`",
        };
        self.unexpected(expected, Reach::Brackets);
        self.skip_to(&[","]);
        if self.eat(",") || self.at(close) {
            return After::More;
        }
        After::Lost
    }

    fn missing_comma(&mut self, kind: Items) {
        let end = self.last_end();
        let at = Range { start: end, end };
        let item = self.last().map(range_of);
        self.report_with(ProblemKind::MissingComma(kind), at, item, Reach::Local);
    }

    /// A map; the next token is its opening bracket, or a `{` that was meant as one.
    pub(super) fn map(&mut self) -> NodeId {
        let open = self.bump();
        if !self.enter() {
            return self.missing();
        }
        let patterns = std::mem::take(&mut self.patterns);
        let mut entries = Vec::new();
        let mut seen: BTreeMap<&str, Range> = BTreeMap::new();
        while !self.eat("}") {
            if self.is_end_of_map() {
                self.not_closed(open);
                break;
            }
            if self.at(",") {
                let here = self.bump();
                self.report(ProblemKind::ExtraComma, here, Reach::Local);
                continue;
            }
            let before = self.next;
            if let Some(key) = self.key() {
                let name = self.slice(key).trim_matches(['"', '`']);
                if let Some(first) = seen.get(name) {
                    let first = Some(*first);
                    self.report_with(ProblemKind::RepeatedKey, key, first, Reach::Local);
                }
                seen.entry(name).or_insert(key);
                let value = self.field_value(key);
                entries.push(Entry { key, value });
            }
            if let After::Lost = self.after_entry(open, before) {
                break;
            }
        }
        self.patterns = patterns;
        self.leave();
        self.node(NodeKind::Map(entries), open.start)
    }

    fn after_entry(&mut self, open: Range, before: usize) -> After {
        if self.eat(",") || self.at("}") {
            return After::More;
        }
        if self.next > before && self.is_key_ahead() {
            self.missing_comma(Items::Map);
            return After::More;
        }
        if self.at(";") {
            let here = self.here();
            let expected = "`,` between fields";
            self.report(ProblemKind::Unexpected { expected }, here, Reach::Local);
            self.bump();
            return After::More;
        }
        if self.is_end_of_map() {
            self.not_closed(open);
            return After::Lost;
        }
        self.unexpected("`,` or `}`", Reach::Brackets);
        self.skip_to(&[","]);
        if self.eat(",") || self.at("}") {
            return After::More;
        }
        if self.is_end_of_map() {
            return After::Lost;
        }
        self.bump();
        After::More
    }

    /// Whether a map cannot go on here: the end, another bracket's, or a function. `fn: 1` is a
    /// field with a reserved name.
    fn is_end_of_map(&self) -> bool {
        let is_function = self.at("fn") && !self.second_at(":") && !self.second_at("=");
        self.peek().is_none() || self.at_any(&[")", "]"]) || is_function
    }

    /// Whether a field begins here.
    fn is_key_ahead(&self) -> bool {
        let is_key = matches!(
            self.kind(),
            Some(TokenKind::Name | TokenKind::Reserved | TokenKind::Keyword | TokenKind::Text)
        );
        is_key && (self.second_at(":") || self.second_at("=") || self.hyphens().is_some())
    }

    /// The key of a field, or none after a complaint.
    fn key(&mut self) -> Option<Range> {
        let here = self.here();
        match self.kind() {
            Some(TokenKind::Name | TokenKind::Reserved | TokenKind::Keyword)
                if self.hyphens().is_some() =>
            {
                let count = self.hyphens().unwrap_or_default();
                for _ in 0..count {
                    self.bump();
                }
                let key = Range {
                    start: here.start,
                    end: self.last_end(),
                };
                self.report(ProblemKind::HyphenatedKey, key, Reach::Local);
                Some(key)
            }
            Some(TokenKind::Name | TokenKind::Text | TokenKind::RawText | TokenKind::Backtick) => {
                Some(self.bump())
            }
            Some(TokenKind::Reserved | TokenKind::Keyword)
                if self.second_at(":") || self.second_at("=") =>
            {
                self.report(ProblemKind::ReservedKey, here, Reach::Local);
                Some(self.bump())
            }
            Some(TokenKind::Character) if self.second_at(":") => Some(self.bump()),
            _ => {
                if self.text_of(self.peek()) == "..." {
                    self.spread();
                    self.expression();
                    return None;
                }
                self.unexpected("the name of a field", Reach::Brackets);
                self.skip_to(&[","]);
                None
            }
        }
    }

    /// How many tokens `a-b-c` has, if that is what stands before a `:`.
    fn hyphens(&self) -> Option<usize> {
        let mut end = self.peek()?.end;
        let mut index = self.next + 1;
        loop {
            let token = self.tokens.get(index).copied();
            if self.is_mark(token, "-") && token.is_some_and(|token| token.start == end) {
                let part = self.tokens.get(index + 1).copied().filter(is_word)?;
                if part.start != token?.end {
                    return None;
                }
                end = part.end;
                index += 2;
            } else if self.is_mark(token, ":") && index > self.next + 1 {
                return Some(index - self.next);
            } else {
                return None;
            }
        }
    }

    /// What follows a key.
    fn field_value(&mut self, key: Range) -> NodeId {
        if self.at("=") || self.text_of(self.peek()) == ":=" {
            let here = self.bump();
            self.report_with(ProblemKind::EqualsInMap, here, Some(key), Reach::Local);
        } else if !self.eat(":") {
            let reach = if self.at_any(&[",", "}"]) {
                Reach::Local
            } else {
                Reach::Brackets
            };
            let here = self.here();
            self.report_with(ProblemKind::MissingColon, key, Some(here), reach);
        }
        if self.at_any(&[",", "}"]) {
            if self.is_mark(self.last(), ":") {
                self.unexpected("a value", Reach::Local);
            }
            return self.missing();
        }
        self.expression()
    }
}

fn is_word(token: &Token) -> bool {
    matches!(
        token.kind,
        TokenKind::Name | TokenKind::Reserved | TokenKind::Keyword | TokenKind::Number
    )
}
