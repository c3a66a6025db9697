//! The wording of what our own reading is sure about.

mod forms;
mod structure;
mod tokens;
mod words;

use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::SyntaxTree;
use crate::syntax::node::Range;
use crate::syntax::problem::{Problem, ProblemKind};

/// The diagnostic of a problem.
pub(super) fn diagnostic(tree: &SyntaxTree, problem: &Problem) -> Diagnostic {
    let range = Range {
        start: problem.start,
        end: problem.end,
    };
    let place = &Place {
        tree,
        at: tree.span(range),
        text: tree.slice(range),
        related: problem.related.map(|(start, end)| Range { start, end }),
    };
    match &problem.kind {
        ProblemKind::OpenText => tokens::open_text(place),
        ProblemKind::OpenRawText { hashes } => tokens::open_raw_text(place, *hashes),
        ProblemKind::OpenBacktick => tokens::open_backtick(place),
        ProblemKind::SingleQuoted => tokens::single_quoted(place),
        ProblemKind::BadNumber => tokens::bad_number(place),
        ProblemKind::BadEscape => tokens::bad_escape(place),
        ProblemKind::HashComment => tokens::hash_comment(place),
        ProblemKind::SpacedMap => tokens::spaced_map(place),
        ProblemKind::BadName => tokens::bad_name(place),
        ProblemKind::CurlyQuotes => tokens::curly_quotes(place),
        ProblemKind::UnknownCharacter => tokens::unknown_character(place),
        ProblemKind::MissingComma(items) => structure::missing_comma(place, *items),
        ProblemKind::Unexpected { expected } => structure::unexpected(place, expected),
        ProblemKind::NotClosed => structure::not_closed(place),
        ProblemKind::WrongClose => structure::wrong_close(place),
        ProblemKind::ReservedKey => words::reserved_key(place),
        ProblemKind::ReservedName => words::reserved_name(place),
        ProblemKind::ReservedProperty => words::reserved_property(place),
        ProblemKind::ReservedValue => words::reserved_value(place),
        ProblemKind::ReservedSymbol => words::reserved_symbol(place),
        ProblemKind::HyphenatedKey => forms::hyphenated_key(place),
        ProblemKind::EqualsInMap => forms::equals_in_map(place),
        ProblemKind::MissingColon => forms::missing_colon(place),
        ProblemKind::RepeatedKey => forms::repeated_key(place),
        ProblemKind::BlockForMap => forms::block_for_map(place),
        ProblemKind::FractionalNumber => tokens::fractional_number(place),
        ProblemKind::Spread => forms::spread(place),
        ProblemKind::RawTextEnded { hashes } => tokens::raw_text_ended(place, *hashes),
        ProblemKind::MissingSemicolon => structure::missing_semicolon(place),
        ProblemKind::MissingSemicolonBeforeFunction => {
            structure::missing_semicolon_before_function(place)
        }
        ProblemKind::NestedFunction => forms::nested_function(place),
        ProblemKind::PackageCall => words::package_call(place),
        ProblemKind::ExtraComma => structure::extra_comma(place),
        ProblemKind::NamedArgument => forms::named_argument(place),
        ProblemKind::AssignInCondition => forms::assign_in_condition(place),
    }
}

/// A problem's place and what belongs to it.
struct Place<'a> {
    tree: &'a SyntaxTree,
    at: Span,
    text: &'a str,
    related: Option<Range>,
}

impl Place<'_> {
    fn error(&self, id: &'static str, message: impl Into<String>, label: &str) -> Diagnostic {
        Diagnostic::error(id, message).at(self.at.clone(), label)
    }

    fn line(&self, offset: u32) -> u32 {
        self.tree.position(offset).line
    }

    fn related_text(&self) -> &str {
        self.related.map_or("", |range| self.tree.slice(range))
    }
}

/// Text for a message: short, on one line.
fn short(text: &str) -> Option<&str> {
    (!text.is_empty() && text.len() <= 40 && !text.contains('\n')).then_some(text)
}
