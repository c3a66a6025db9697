//! Walks over a file's characters and counts lines and columns the way Rhai does.
//!
//! Rhai's count differs from the truth in three places, and everything it reports after them is
//! off: a line end directly after a `"` inside a raw string is not counted; `\${` inside back-ticks
//! counts as two characters; a lone carriage return after `//` or an opening back-tick counts as a
//! line. Lines and columns stop at 65,535.

use crate::diagnostic::Position;

const MOST: u32 = u16::MAX as u32;

pub(super) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    /// Position of the last character taken, as Rhai counts.
    line: u32,
    column: u32,
    token: Position,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 0,
            token: Position { line: 1, column: 1 },
        }
    }

    pub(super) fn offset(&self) -> u32 {
        u32::try_from(self.offset).unwrap_or(u32::MAX)
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    pub(super) fn text_since(&self, start: u32) -> &'a str {
        self.text
            .get(start as usize..self.offset)
            .unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn starts_with(&self, prefix: &str) -> bool {
        self.rest().starts_with(prefix)
    }

    /// Remembers the position of the next character as that of a token.
    pub(super) fn begin_token(&mut self) {
        self.token = Position {
            line: self.line,
            column: (self.column + 1).min(MOST),
        };
    }

    pub(super) fn token_position(&self) -> Position {
        self.token
    }

    /// Takes one character.
    pub(super) fn advance(&mut self) -> Option<char> {
        let taken = self.advance_in_line()?;
        if taken == '\n' {
            self.count_line();
        }
        Some(taken)
    }

    /// Takes one character and does not count it as a line end.
    pub(super) fn advance_in_line(&mut self) -> Option<char> {
        let taken = self.advance_uncounted()?;
        self.column = (self.column + 1).min(MOST);
        Some(taken)
    }

    /// Takes one character and counts nothing.
    pub(super) fn advance_uncounted(&mut self) -> Option<char> {
        let taken = self.peek()?;
        self.offset += taken.len_utf8();
        Some(taken)
    }

    pub(super) fn count_line(&mut self) {
        self.line = (self.line + 1).min(MOST);
        self.column = 0;
    }

    pub(super) fn advance_while(&mut self, mut wanted: impl FnMut(char) -> bool) {
        while self.peek().is_some_and(&mut wanted) {
            self.advance();
        }
    }
}
