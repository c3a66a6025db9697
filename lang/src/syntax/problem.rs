//! What the parser is sure is wrong; the wording is in `mistakes`.

/// A mistake in the form of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What is wrong.
    pub(crate) kind: ProblemKind,
    /// First byte of what is wrong.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
    /// Another place that belongs to it: the open bracket, the item before a missing comma.
    pub(crate) related: Option<(u32, u32)>,
    /// How far what follows can be trusted.
    pub(crate) reach: Reach,
}

/// Problems of one file that are kept: nobody reads more, and a file of a megabyte can have one at
/// every byte.
pub(crate) const PROBLEMS_MAX: usize = 500;

/// How much of the text after a mistake is read with a doubtful meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// The meaning is clear; reading goes on as if it were right.
    Local,
    /// Brackets may be out of step: a later complaint about one may be an echo.
    Brackets,
    /// Nothing after it is sure.
    Rest,
}

/// The items of what a comma separates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Items {
    /// A map literal.
    Map,
    /// A list literal.
    List,
    /// Arguments of a call.
    Arguments,
}

impl ProblemKind {
    /// Whether it may be nothing but an echo of brackets that are out of step.
    pub(crate) fn may_be_echo(&self) -> bool {
        matches!(
            self,
            Self::MissingComma(_)
                | Self::Unexpected { .. }
                | Self::NotClosed
                | Self::WrongClose
                | Self::MissingColon
                | Self::MissingSemicolon
                | Self::MissingSemicolonBeforeFunction
                | Self::NestedFunction
                | Self::ExtraComma
                | Self::NamedArgument
        )
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// `"…` reached the end of its line.
    OpenText,
    /// `#"…` reached the end of the file.
    OpenRawText {
        /// Number of `#`.
        hashes: usize,
    },
    /// A back-tick string reached the end of the file.
    OpenBacktick,
    /// `'…'` holds more or less than one character, or is not closed.
    SingleQuoted,
    /// A number that no integer can hold or with bad digits.
    BadNumber,
    /// `\q` and the like.
    BadEscape,
    /// `# text`.
    HashComment,
    /// `# {`.
    SpacedMap,
    /// A name without a letter.
    BadName,
    /// Text in quotes that a word processor turned.
    CurlyQuotes,
    /// A character that begins nothing.
    UnknownCharacter,
    /// A comma is missing after `related`.
    MissingComma(Items),
    /// Something else stands where an item, an operator or an end was expected.
    Unexpected {
        /// What was expected, in words.
        expected: &'static str,
    },
    /// The bracket at `start` is never closed; `related` is where that shows.
    NotClosed,
    /// A bracket closes what is not open, or another kind; `related` is the open one.
    WrongClose,
    /// A reserved word as a key of a map.
    ReservedKey,
    /// A reserved word as a name.
    ReservedName,
    /// A reserved word after a dot.
    ReservedProperty,
    /// A reserved word as a value.
    ReservedValue,
    /// A symbol of another language.
    ReservedSymbol,
    /// A key with `-` in it that is not quoted.
    HyphenatedKey,
    /// `name = value` in a map.
    EqualsInMap,
    /// A key without `:`.
    MissingColon,
    /// A key that stands twice in a map; `related` is the first.
    RepeatedKey,
    /// `({ version: …`.
    BlockForMap,
    /// `1.3`.
    FractionalNumber,
    /// `...a` in a list or map.
    Spread,
    /// A raw string ended at a `"#` in the middle of what was meant; `related` is its beginning.
    RawTextEnded {
        /// Number of `#`.
        hashes: usize,
    },
    /// No `;` after the statement `related`.
    MissingSemicolon,
    /// No `;` after the statement `related`, before a function.
    MissingSemicolonBeforeFunction,
    /// `fn` inside a block.
    NestedFunction,
    /// `package(#{`.
    PackageCall,
    /// A doubled or leading comma.
    ExtraComma,
    /// `autotools(version: "1")`.
    NamedArgument,
    /// `if a = b`.
    AssignInCondition,
}
