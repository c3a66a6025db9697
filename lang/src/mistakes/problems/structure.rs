//! Commas, brackets, semicolons.

use super::{Place, short, tokens};
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::TokenKind;
use crate::syntax::node::Range;
use crate::syntax::problem::Items;

/// A bracket too many.
pub(super) fn wrong_close(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "wrong-bracket",
            format!("`{}` closes nothing", place.text),
            "",
        )
        .hint("leave it out, or look for the bracket it belongs to")
}

/// No `;` between statements.
pub(super) fn missing_semicolon(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "missing-semicolon",
            "`;` is missing after this statement",
            "`;` goes here",
        )
        .hint("statements end with `;`")
}

/// No `;` before `fn`.
pub(super) fn missing_semicolon_before_function(place: &Place<'_>) -> Diagnostic {
    let diagnostic = place.error(
        "missing-semicolon",
        "`;` is missing before the function",
        "`;` goes here",
    );
    let next = place.tree.token_after(place.at.end);
    let diagnostic = match next {
        Some(next) => diagnostic.also(
            Span::new(&place.at.path, next.start, next.end),
            "a function begins here",
        ),
        None => diagnostic,
    };
    diagnostic.hint("put `;` after the builder call")
}

/// `[, 1]`.
pub(super) fn extra_comma(place: &Place<'_>) -> Diagnostic {
    place
        .error("extra-comma", "There is nothing before this `,`", "")
        .hint("leave it out")
}

pub(super) fn missing_comma(place: &Place<'_>, items: Items) -> Diagnostic {
    let before = place.related_text();
    let message = match short(before) {
        Some(before) => format!("`,` is missing after `{before}`"),
        None => "`,` is missing".to_owned(),
    };
    let hint = match items {
        Items::Map => "fields are separated by `,`",
        Items::List => "items of a list are separated by `,`",
        Items::Arguments => "arguments are separated by `,`",
    };
    place
        .error("missing-comma", message, "`,` goes here")
        .hint(hint)
}

pub(super) fn unexpected(place: &Place<'_>, expected: &str) -> Diagnostic {
    let kind = place
        .tree
        .token_after(place.at.start)
        .map(|token| token.kind);
    let found = match (short(place.text), kind) {
        (None, None) => "the end of the file".to_owned(),
        (_, Some(TokenKind::RawText)) => "a raw string".to_owned(),
        (Some(text), _) => format!("`{text}`"),
        (None, Some(_)) => "this".to_owned(),
    };
    let diagnostic = place.error(
        "unexpected",
        format!("Expected {expected}, found {found}"),
        "",
    );
    match place.text {
        ":" if expected == "`;` or an operator" => {
            diagnostic.hint("a field is written in the map of a call: `script(#{ name: value })`")
        }
        ";" => diagnostic.hint("fields and items end with `,`; only statements end with `;`"),
        "=" if expected == "`in`" => diagnostic.hint(hint_for(expected)),
        "=" => diagnostic.hint("a field is written `name: value`, a variable `let name = value;`"),
        "then" => diagnostic.hint("write `if … { … } else { … }`"),
        _ => diagnostic.hint(hint_for(expected)),
    }
}

/// What to do where something else was expected.
fn hint_for(expected: &str) -> &'static str {
    match expected {
        "a value" => "write a value here, or leave out what asks for it",
        "the name of a field" => "a field is written `name: value,`",
        "`,` or `}`" | "`,` between fields" => {
            "fields are separated by `,`, and the map ends with `}`"
        }
        "`,` or `]`" | "an operator or `]`" => {
            "items are separated by `,`, and the list ends with `]`"
        }
        "`,` or `)`" | "an operator or `)`" => {
            "arguments are separated by `,`, and the call ends with `)`"
        }
        "`;` or an operator" => "statements end with `;`",
        "`{`" => "a body is written in braces: `{ … }`",
        "`=>`" | "`,` between cases" => "a case is written `value => result,`",
        "`in`" => "a loop is written `for name in list { … }`",
        "`catch`" | "`while` or `until`" => "the statement is not finished",
        _ => "write it here, or leave out what asks for it",
    }
}

pub(super) fn not_closed(place: &Place<'_>) -> Diagnostic {
    let open = place.text;
    let close = match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    let diagnostic = place.error(
        "not-closed",
        format!("`{open}` is never closed"),
        "opened here",
    );
    let diagnostic = match place.related {
        Some(range) => diagnostic.also(
            place.tree.span(range),
            format!("`{close}` is missing before this"),
        ),
        None => diagnostic.note(format!("the file ends before a `{close}`")),
    };
    let hint = if place.related_text() == "fn" {
        format!("close it with `{close}`; functions stand below the call, after its `;`")
    } else {
        format!("close it with `{close}`")
    };
    let diagnostic = diagnostic.hint(hint);
    match swallowed(place) {
        Some(quote) => diagnostic
            .also(quote, "a raw string goes on here: was this its end?")
            .hint("a raw string ends with `\"#`"),
        None => diagnostic,
    }
}

/// The likely end of a raw string that goes on to a later `"#`, with what was meant to close the
/// bracket in it.
fn swallowed(place: &Place<'_>) -> Option<Span> {
    let tree = place.tree;
    let end = place.related.map_or(u32::MAX, |range| range.start);
    let mut next = tree.token_after(place.at.end);
    while let Some(token) = next.filter(|token| token.start < end) {
        if token.kind == TokenKind::RawText {
            let range = Range {
                start: token.start,
                end: token.end,
            };
            let text = tree.slice(range);
            // Not its own end, and not its beginning.
            let inner = text.trim_end_matches('#').trim_end_matches('"');
            let begin = inner.len() - inner.trim_start_matches('#').len() + 1;
            let quote = inner.get(begin..).and_then(tokens::first_on_its_line);
            if let Some(quote) = quote.and_then(|quote| u32::try_from(begin + quote).ok()) {
                let at = token.start + quote;
                return Some(Span::new(&place.at.path, at, at + 1));
            }
        }
        next = tree.token_after(token.end);
    }
    None
}
