//! Forms of other languages.

use super::Place;
use crate::diagnostic::Diagnostic;

/// `clang-libs: []`.
pub(super) fn hyphenated_key(place: &Place<'_>) -> Diagnostic {
    place
        .error("unquoted-key", "A name with `-` is quoted", "")
        .hint(format!("write `\"{}\": …`", place.text))
}

/// `version = "1"`.
pub(super) fn equals_in_map(place: &Place<'_>) -> Diagnostic {
    let name = place.related_text().trim_matches('"');
    place
        .error("equals-in-map", "A field is written with `:`", "")
        .hint(format!("write `{name}: …,`"))
}

/// `version "1"`.
pub(super) fn missing_colon(place: &Place<'_>) -> Diagnostic {
    let key = place.text;
    place
        .error("missing-colon", format!("`:` is missing after `{key}`"), "")
        .hint(format!("a field is written `{key}: value,`"))
}

/// The same field again.
pub(super) fn repeated_key(place: &Place<'_>) -> Diagnostic {
    let key = place.text;
    let diagnostic = place.error(
        "repeated-field",
        format!("The field `{key}` stands here twice"),
        "again here",
    );
    let diagnostic = match place.related {
        Some(first) => diagnostic.also(place.tree.span(first), "first here"),
        None => diagnostic,
    };
    diagnostic.hint("leave one of them out")
}

/// `custom({ version: "1" })`.
pub(super) fn block_for_map(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "map-start",
            "A map starts with `#{`",
            "this starts a block of statements",
        )
        .hint("write `#{`")
}

/// `[...a]`.
pub(super) fn spread(place: &Place<'_>) -> Diagnostic {
    place
        .error("spread", "There is no `...`", "")
        .hint("lists and maps are joined with `+`: `a + [\"b\"]`")
}

/// `fn` in a block.
pub(super) fn nested_function(place: &Place<'_>) -> Diagnostic {
    place
        .error("nested-function", "A function stands inside a block", "")
        .hint("functions stand at the top of the file; inside, write `let name = |a| …;`")
}

/// `autotools(version: "1")`.
pub(super) fn named_argument(place: &Place<'_>) -> Diagnostic {
    let name = place.text;
    if matches!(name, "http" | "https") {
        return place
            .error("named-argument", "An address is a text", "")
            .hint(format!("write it in quotes: `\"{name}://…\"`"));
    }
    place
        .error("named-argument", "Arguments have no names", "")
        .hint(format!("fields go in a map: `#{{ {name}: … }}`"))
}

/// `if a = b`.
pub(super) fn assign_in_condition(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "assign-in-condition",
            "`=` sets a variable and has no value",
            "",
        )
        .hint("to compare, write `==`")
}
