//! Cuts a file into tokens. Never fails, and never looks at a byte more than a few times.
//!
//! Rhai's tokens, Rhai's quirks: a doubled quote inside a string is a quote, `\` at the end of a
//! line goes on on the next one, `${` opens code inside back-ticks. Beside each token stands the
//! position that Rhai reports for it, counted as Rhai counts (see [`Cursor`]).

mod cursor;
mod text;

use cursor::Cursor;

use super::problem::{PROBLEMS_MAX, Problem, ProblemKind, Reach};
use super::token::{SYMBOLS, Token, TokenKind, kind_of_symbol, kind_of_word};

/// The tokens of a file, without a gap, and what is wrong with single ones.
pub(crate) fn lex(text: &str) -> (Vec<Token>, Vec<Problem>) {
    let mut lexer = Lexer {
        cursor: Cursor::new(text),
        tokens: Vec::with_capacity(text.len() / 4),
        problems: Vec::new(),
        open_braces: Vec::new(),
    };
    lexer.run();
    (lexer.tokens, lexer.problems)
}

struct Lexer<'a> {
    cursor: Cursor<'a>,
    tokens: Vec<Token>,
    problems: Vec<Problem>,
    /// For every back-tick string around: how many braces are open in its current `${…}`.
    open_braces: Vec<u32>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(first) = self.cursor.peek() {
            let start = self.cursor.offset();
            self.cursor.begin_token();
            let kind = self.token(first);
            self.push(kind, start);
            if kind == TokenKind::Symbol {
                self.follow_braces(start);
            }
        }
    }

    fn push(&mut self, kind: TokenKind, start: u32) {
        self.tokens.push(Token {
            kind,
            start,
            end: self.cursor.offset(),
            reported: self.cursor.token_position(),
        });
    }

    fn problem(&mut self, kind: ProblemKind, start: u32, end: u32, reach: Reach) {
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        self.problems.push(Problem {
            kind,
            start,
            end,
            related: None,
            reach,
        });
    }

    fn token(&mut self, first: char) -> TokenKind {
        match first {
            '0'..='9' => self.number(),
            '"' => self.plain_text(),
            '\'' => self.character(),
            '`' => self.backtick(),
            '#' => self.hash(),
            '/' if self.cursor.starts_with("//") => self.line_comment(),
            '/' if self.cursor.starts_with("/*") => self.block_comment(),
            '!' if self.cursor.starts_with("!in") => self.not_in(),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}' => self.curly_text(),
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            _ if first.is_ascii_whitespace() => {
                while self.cursor.peek().is_some_and(|c| c.is_ascii_whitespace()) {
                    self.cursor.advance();
                }
                TokenKind::Blank
            }
            _ => self.symbol(),
        }
    }

    fn word(&mut self) -> TokenKind {
        let start = self.cursor.offset();
        self.cursor.advance_while(is_word);
        let word = self.cursor.text_since(start);
        let kind = kind_of_word(word);
        let first_letter = word.trim_start_matches('_').chars().next();
        if kind == TokenKind::Name && !first_letter.is_some_and(|c| c.is_ascii_alphabetic()) {
            let end = self.cursor.offset();
            self.problem(ProblemKind::BadName, start, end, Reach::Local);
        }
        kind
    }

    fn not_in(&mut self) -> TokenKind {
        let after = self.cursor.rest().as_bytes().get(3).copied();
        self.cursor.advance();
        if !after.is_some_and(|byte| is_word(char::from(byte))) {
            self.cursor.advance();
            self.cursor.advance();
        }
        TokenKind::Symbol
    }

    fn symbol(&mut self) -> TokenKind {
        let rest = self.cursor.rest();
        let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) else {
            let start = self.cursor.offset();
            self.cursor.advance();
            let end = self.cursor.offset();
            self.problem(ProblemKind::UnknownCharacter, start, end, Reach::Local);
            return TokenKind::Unknown;
        };
        for _ in 0..symbol.len() {
            self.cursor.advance();
        }
        kind_of_symbol(symbol)
    }

    fn number(&mut self) -> TokenKind {
        let start = self.cursor.offset();
        self.cursor
            .advance_while(|c| c.is_ascii_digit() || c == '_');
        let prefix = self.cursor.text_since(start).replace('_', "");
        let radix = match self.cursor.peek() {
            Some('x' | 'X') if prefix == "0" => 16,
            Some('o' | 'O') if prefix == "0" => 8,
            Some('b' | 'B') if prefix == "0" => 2,
            Some(_) | None => 10,
        };
        let mut digits = prefix;
        if radix != 10 {
            self.cursor.advance();
            let from = self.cursor.offset();
            self.cursor.advance_while(|c| c.is_digit(radix) || c == '_');
            digits = self.cursor.text_since(from).replace('_', "");
        }
        // The smallest integer is written with a minus before one more than the largest.
        let smallest = radix == 10 && digits.trim_start_matches('0') == "9223372036854775808";
        let fits = match radix {
            10 => smallest || digits.parse::<i64>().is_ok(),
            _ => u64::from_str_radix(&digits, radix).is_ok(),
        };
        if !fits {
            let end = self.cursor.offset();
            self.problem(ProblemKind::BadNumber, start, end, Reach::Local);
        }
        TokenKind::Number
    }

    fn line_comment(&mut self) -> TokenKind {
        self.cursor.advance_while(|c| c != '\n' && c != '\r');
        // Rhai ends a comment, and counts a line, at a lone carriage return as well.
        if self.cursor.peek() == Some('\r') {
            self.cursor.advance();
            if self.cursor.peek() == Some('\n') {
                self.cursor.advance();
            } else {
                self.cursor.count_line();
            }
        }
        TokenKind::Comment
    }

    /// Comments nest; one that is never closed swallows the rest, and Rhai accepts that.
    fn block_comment(&mut self) -> TokenKind {
        let mut depth = 0_u32;
        loop {
            if self.cursor.starts_with("/*") {
                depth += 1;
                self.cursor.advance();
            } else if self.cursor.starts_with("*/") {
                depth -= 1;
                self.cursor.advance();
            }
            if self.cursor.advance().is_none() || depth == 0 {
                return TokenKind::Comment;
            }
        }
    }

    fn hash(&mut self) -> TokenKind {
        let rest = self.cursor.rest();
        let start = self.cursor.offset();
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if rest.trim_start_matches('#').starts_with('"') {
            return self.raw_text(hashes);
        }
        if rest.starts_with("#{") {
            self.cursor.advance();
            self.cursor.advance();
            return TokenKind::Symbol;
        }
        if rest.starts_with("# {") {
            for _ in 0..3 {
                self.cursor.advance();
            }
            let end = self.cursor.offset();
            self.problem(ProblemKind::SpacedMap, start, end, Reach::Local);
            return TokenKind::Symbol;
        }
        // Meant as a comment: read as one, so that the rest of the file keeps its meaning.
        self.cursor.advance_while(|c| c != '\n');
        let end = self.cursor.offset();
        self.problem(ProblemKind::HashComment, start, end, Reach::Local);
        TokenKind::Comment
    }

    /// Counts braces inside `${…}` and takes the text of the string up again after the last.
    fn follow_braces(&mut self, start: u32) {
        let symbol = self.cursor.text_since(start);
        let opens = symbol.ends_with('{');
        let closes = symbol == "}";
        let Some(open) = self.open_braces.last_mut() else {
            return;
        };
        if opens {
            *open += 1;
        } else if closes {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.open_braces.pop();
                let start = self.cursor.offset();
                self.cursor.begin_token();
                let kind = self.backtick_rest(TokenKind::BacktickMiddle, TokenKind::BacktickEnd);
                self.push(kind, start);
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
