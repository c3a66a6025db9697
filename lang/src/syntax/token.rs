//! Tokens: every byte of a file belongs to exactly one.

use crate::diagnostic::Position;

/// What a token is. Words and symbols are told apart by their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Blanks and line ends.
    Blank,
    /// A comment of either form.
    Comment,
    /// An identifier.
    Name,
    /// A word with a meaning of its own in the dialect (`let`, `fn` …).
    Keyword,
    /// A word that Rhai keeps for itself (`default`, `use` …); some can be called as functions.
    Reserved,
    /// A whole number.
    Number,
    /// A character in single quotes, or what was meant as text.
    Character,
    /// `"…"`.
    Text,
    /// `#"…"#`.
    RawText,
    /// A back-tick string without `${`.
    Backtick,
    /// From the back-tick to the `$` of the first `${`.
    BacktickStart,
    /// From the `}` of one interpolation to the `$` of the next.
    BacktickMiddle,
    /// From the `}` of the last interpolation to the closing back-tick.
    BacktickEnd,
    /// Punctuation and operators.
    Symbol,
    /// Punctuation that Rhai keeps for itself (`...`, `->` …).
    ReservedSymbol,
    /// Bytes that begin no token.
    Unknown,
}

/// A piece of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// First byte.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
    /// Where Rhai believes it is (not always right, see `positions`).
    pub(crate) reported: Position,
}

impl TokenKind {
    /// Whether the parser sees it.
    pub(crate) fn is_significant(self) -> bool {
        !matches!(self, Self::Blank | Self::Comment)
    }
}

/// Words with a meaning of their own.
const KEYWORDS: &[&str] = &[
    "_", "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "if", "import", "in", "let", "loop", "private", "return", "switch", "throw", "true", "try",
    "until", "while",
];

/// Words Rhai keeps for itself, sorted. Illegal as names, keys of maps and properties. `with` is
/// among Rhai's own and an ordinary name in the dialect.
const RESERVED: &[&str] = &[
    "Fn",
    "async",
    "await",
    "call",
    "case",
    "curry",
    "debug",
    "default",
    "eval",
    "go",
    "goto",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "protected",
    "public",
    "shared",
    "spawn",
    "static",
    "super",
    "sync",
    "this",
    "thread",
    "type_of",
    "use",
    "var",
    "void",
    "yield",
];

/// Reserved words that can be called.
const CALLABLE: &[&str] = &[
    "Fn",
    "call",
    "curry",
    "debug",
    "eval",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "print",
    "type_of",
];

/// Symbols, longest first among those with a common beginning.
pub(crate) const SYMBOLS: &[&str] = &[
    "**=", "<<=", ">>=", "..=", "...", "===", "!==", "::<", "+=", "-=", "*=", "/=", "%=", "&=",
    "|=", "^=", "++", "--", "->", "*)", "(*", "**", "..", "==", "=>", "::", ":=", ":;", "<=", "<-",
    "<<", "<|", ">=", ">>", "!=", "!.", "||", "|>", "&&", "?.", "??", "?[", "()", "#{", "{", "}",
    "(", ")", "[", "]", "+", "-", "*", "/", "%", ";", ",", ".", "=", ":", "<", ">", "!", "|", "&",
    "^", "~", "@", "$", "?",
];

/// Symbols Rhai keeps for itself.
const RESERVED_SYMBOLS: &[&str] = &[
    "...", "===", "!==", "::<", "++", "--", "->", "*)", "(*", ":=", ":;", "<-", "<|", "!.", "|>",
    "~", "@", "$", "?",
];

/// The kind of a word.
pub(crate) fn kind_of_word(word: &str) -> TokenKind {
    if KEYWORDS.contains(&word) {
        TokenKind::Keyword
    } else if RESERVED.contains(&word) {
        TokenKind::Reserved
    } else {
        TokenKind::Name
    }
}

/// The kind of a symbol.
pub(crate) fn kind_of_symbol(symbol: &str) -> TokenKind {
    if RESERVED_SYMBOLS.contains(&symbol) {
        TokenKind::ReservedSymbol
    } else {
        TokenKind::Symbol
    }
}

/// Whether a reserved word can stand before an argument list.
pub(crate) fn is_callable(word: &str) -> bool {
    CALLABLE.contains(&word)
}
