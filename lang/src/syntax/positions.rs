//! Lines: from bytes to line and column, and from what Rhai reports to bytes.
//!
//! Rhai gives a line and a column of characters, which are wrong in places (see the lexer's
//! cursor). Each token remembers what Rhai believes about it, so a reported position is looked up
//! among the tokens and never computed from the text.

use super::SyntaxTree;
use super::TokenKind;
use super::node::Range;
use crate::diagnostic::{Position, Span};

/// The first bytes of a file's lines.
pub(super) struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(index, _)| index + 1);
        let starts = std::iter::once(0)
            .chain(ends)
            .map(|start| u32::try_from(start).unwrap_or(u32::MAX))
            .collect();
        Self { starts }
    }

    pub(super) fn position(&self, text: &str, offset: u32) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|index| self.starts.get(index))
            .copied()
            .unwrap_or(0);
        let before = text.as_bytes().get(start as usize..offset as usize);
        let column = before.map_or(0, |bytes| {
            bytes.iter().filter(|byte| !is_continuation(**byte)).count()
        });
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
        }
    }
}

/// Whether a byte of UTF-8 is not the first of its character.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

impl SyntaxTree {
    /// The token Rhai means by a position it reports; the last one before it when none begins
    /// there, and an empty span at the end of the text when the position lies behind it.
    ///
    /// Rhai gives the dot as the place of a property; the name behind it is meant.
    pub fn token_at(&self, reported: Position) -> Span {
        let at = self.range_at(reported);
        let name = matches!(self.slice(at), "." | "?.")
            .then(|| self.token_after(at.end))
            .flatten()
            .filter(|token| token.kind == TokenKind::Name);
        self.span(name.map_or(at, |token| Range {
            start: token.start,
            end: token.end,
        }))
    }

    /// The true place of a position that Rhai reports, as an editor counts.
    pub fn resolve(&self, reported: Position) -> Position {
        self.position(self.range_at(reported).start)
    }

    pub(crate) fn range_at(&self, reported: Position) -> Range {
        let end = self.tokens.last().map_or(0, |token| token.end);
        let behind = Range { start: end, end };
        let index = self
            .tokens
            .partition_point(|token| token.reported <= reported);
        let Some(before) = self.tokens.get(..index) else {
            return behind;
        };
        // Columns stop counting at 65,535: among tokens with one position the first is meant.
        let same = before
            .iter()
            .rev()
            .take_while(|token| token.reported == reported);
        if let Some(first) = same.filter(|token| token.kind.is_significant()).last() {
            return Range {
                start: first.start,
                end: first.end,
            };
        }
        match before.last() {
            Some(last) if last.kind.is_significant() => Range {
                start: last.start,
                end: last.end,
            },
            // Between tokens: what follows is what Rhai stumbled over.
            Some(last) => self.token_after(last.start).map_or(behind, |next| Range {
                start: next.start,
                end: next.end,
            }),
            None => Range { start: 0, end: 0 },
        }
    }
}
