//! Strings of all kinds.

use super::Lexer;
use crate::syntax::problem::{ProblemKind, Reach};
use crate::syntax::token::TokenKind;

impl Lexer<'_> {
    /// `"…"`: one line, unless a line ends in `\`.
    pub(super) fn plain_text(&mut self) -> TokenKind {
        let start = self.cursor.offset();
        self.cursor.advance();
        if !self.quoted('"') {
            let end = self.cursor.offset();
            self.problem(ProblemKind::OpenText, start, end, Reach::Brackets);
        }
        TokenKind::Text
    }

    /// `“…”`: what a word processor made of quotes.
    pub(super) fn curly_text(&mut self) -> TokenKind {
        let start = self.cursor.offset();
        self.cursor.advance();
        let is_end = |c: char| "\u{201c}\u{201d}\u{2018}\u{2019}\"\n".contains(c);
        self.cursor.advance_while(|c| !is_end(c));
        if self.cursor.peek() != Some('\n') {
            self.cursor.advance();
        }
        let end = self.cursor.offset();
        self.problem(ProblemKind::CurlyQuotes, start, end, Reach::Local);
        TokenKind::Text
    }

    /// `'…'`: one character, or what somebody meant as text.
    pub(super) fn character(&mut self) -> TokenKind {
        let start = self.cursor.offset();
        self.cursor.advance();
        let closed = self.quoted('\'');
        let end = self.cursor.offset();
        let text = self.cursor.text_since(start);
        let inner = text.trim_start_matches('\'').trim_end_matches('\'');
        let one = inner.chars().count() == 1 || inner.starts_with('\\');
        if !closed || !one {
            let reach = if closed {
                Reach::Local
            } else {
                Reach::Brackets
            };
            self.problem(ProblemKind::SingleQuoted, start, end, reach);
        }
        TokenKind::Character
    }

    /// The rest of a string up to its closing quote; false when the line ends before.
    fn quoted(&mut self, quote: char) -> bool {
        loop {
            match self.cursor.peek() {
                None | Some('\n') => return false,
                Some('\\') => {
                    let start = self.cursor.offset();
                    self.cursor.advance();
                    if !self.escape(start, quote) {
                        return false;
                    }
                }
                Some(c) => {
                    self.cursor.advance();
                    // A doubled quote is a quote.
                    if c == quote {
                        if self.cursor.peek() != Some(quote) {
                            return true;
                        }
                        self.cursor.advance();
                    }
                }
            }
        }
    }

    /// What follows a backslash; false at the end of a line that does not go on.
    fn escape(&mut self, start: u32, quote: char) -> bool {
        let digits = match self.cursor.peek() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some('\n') => {
                if quote == '\'' {
                    return false;
                }
                self.cursor.advance();
                return true;
            }
            Some('\r') if self.cursor.starts_with("\r\n") && quote == '"' => {
                self.cursor.advance();
                self.cursor.advance();
                return true;
            }
            Some('\\' | 'n' | 'r' | 't') => 0,
            Some(c) if c == quote => 0,
            Some(_) => {
                self.cursor.advance();
                let end = self.cursor.offset();
                self.problem(ProblemKind::BadEscape, start, end, Reach::Local);
                return true;
            }
            None => return false,
        };
        self.cursor.advance();
        let from = self.cursor.offset();
        for _ in 0..digits {
            if self.cursor.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
                self.cursor.advance();
            }
        }
        let code = u32::from_str_radix(self.cursor.text_since(from), 16).ok();
        let complete = self.cursor.offset() - from == digits;
        if digits > 0 && !(complete && code.and_then(char::from_u32).is_some()) {
            let end = self.cursor.offset();
            self.problem(ProblemKind::BadEscape, start, end, Reach::Local);
        }
        true
    }

    /// `#"…"#` with as many `#` as it began with.
    pub(super) fn raw_text(&mut self, hashes: usize) -> TokenKind {
        let start = self.cursor.offset();
        for _ in 0..=hashes {
            self.cursor.advance();
        }
        let opening_end = self.cursor.offset();
        let mut seen: Option<usize> = None;
        while let Some(c) = self.cursor.peek() {
            match (c, seen) {
                ('"', _) => {
                    self.cursor.advance();
                    seen = Some(0);
                }
                ('#', Some(count)) => {
                    self.cursor.advance();
                    if count + 1 == hashes {
                        return TokenKind::RawText;
                    }
                    seen = Some(count + 1);
                }
                (_, Some(_)) => {
                    // Here Rhai forgets to count a line.
                    self.cursor.advance_in_line();
                    seen = None;
                }
                (_, None) => {
                    self.cursor.advance();
                }
            }
        }
        let kind = ProblemKind::OpenRawText { hashes };
        self.problem(kind, start, opening_end, Reach::Rest);
        TokenKind::RawText
    }

    /// A back-tick string, up to its end or its first `${`.
    pub(super) fn backtick(&mut self) -> TokenKind {
        self.cursor.advance();
        // A line end directly after the opening back-tick is not part of the text.
        if self.cursor.peek() == Some('\r') {
            self.cursor.advance_in_line();
            if self.cursor.peek() == Some('\n') {
                self.cursor.advance_in_line();
            }
            self.cursor.count_line();
        } else if self.cursor.peek() == Some('\n') {
            self.cursor.advance();
        }
        self.backtick_rest(TokenKind::BacktickStart, TokenKind::Backtick)
    }

    /// The text inside a back-tick string up to `${` or the closing back-tick.
    pub(super) fn backtick_rest(&mut self, open: TokenKind, closed: TokenKind) -> TokenKind {
        let start = self.cursor.offset();
        loop {
            if self.cursor.starts_with("${") {
                self.cursor.advance();
                self.open_braces.push(0);
                return open;
            }
            if self.cursor.starts_with("\\${") {
                self.cursor.advance();
                self.cursor.advance_uncounted();
                self.cursor.advance();
                continue;
            }
            match self.cursor.advance() {
                Some('`') if self.cursor.peek() == Some('`') => {
                    self.cursor.advance();
                }
                Some('`') => return closed,
                Some(_) => {}
                None => {
                    let end = self.cursor.offset().min(start + 1);
                    let from = start.saturating_sub(1);
                    self.problem(ProblemKind::OpenBacktick, from, end, Reach::Rest);
                    return closed;
                }
            }
        }
    }
}
