//! Words and symbols that Rhai keeps for itself.

use super::Place;
use crate::diagnostic::Diagnostic;

/// `default: 1`.
pub(super) fn reserved_key(place: &Place<'_>) -> Diagnostic {
    let word = place.text;
    place
        .error(
            "reserved-word",
            format!("`{word}` is reserved by the language"),
            "",
        )
        .hint(format!("write it in quotes: `\"{word}\": …`"))
}

/// `let match = 1`.
pub(super) fn reserved_name(place: &Place<'_>) -> Diagnostic {
    let word = place.text;
    place
        .error(
            "reserved-word",
            format!("`{word}` is reserved by the language"),
            "",
        )
        .hint(format!("take another name, such as `{word}_`"))
}

/// `p.default`.
pub(super) fn reserved_property(place: &Place<'_>) -> Diagnostic {
    let word = place.text;
    place
        .error(
            "reserved-word",
            format!("`{word}` is reserved by the language"),
            "",
        )
        .hint(format!("a key of that name is read with `[\"{word}\"]`"))
}

/// `package(#{`.
pub(super) fn package_call(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "package-call",
            "A package file is a builder call",
            "not a builder",
        )
        .hint("write `script(#{ … })`, `autotools(#{ … })`, …; the name comes from the folder")
}

pub(super) fn reserved_value(place: &Place<'_>) -> Diagnostic {
    let word = place.text;
    let diagnostic = match word {
        "null" | "nil" | "void" => {
            place.error("reserved-word", format!("There is no `{word}`"), "")
        }
        _ => place.error(
            "reserved-word",
            format!("`{word}` is reserved by the language"),
            "",
        ),
    };
    match word {
        "null" | "nil" | "void" => diagnostic.hint("leave the field out"),
        "match" | "case" => diagnostic.hint("write `switch value { 1 => …, _ => … }`"),
        "var" => diagnostic.hint("write `let name = …`"),
        "use" | "module" => diagnostic.hint("write `import \"lib/name\" as name;`"),
        "new" => diagnostic.hint("values are made by calling a function"),
        "package" => diagnostic.hint("a package file is a builder call: `script(#{ … })`"),
        _ => diagnostic.hint("take another name"),
    }
}

pub(super) fn reserved_symbol(place: &Place<'_>) -> Diagnostic {
    let symbol = place.text;
    let hint = match symbol {
        "===" => "equality is `==`",
        "!==" => "inequality is `!=`",
        "->" => "a function is written `fn name(p) { … }`, a case `value => …`",
        "<-" => "with a blank, `a < -1`, it is a comparison",
        ":=" => "a field is written `name: value`, a variable `let name = value;`",
        "++" | "--" => "write `+= 1` or `-= 1`; lists and maps are joined with one `+`",
        "..." => "lists and maps are joined with `+`",
        "$" => "`${…}` works only in back-ticks; templates are written `{version}`",
        "(*" | "*)" => "comments are written `// …` or `/* … */`",
        "::<" => "functions have no type parameters",
        "?" => "write `if … { … } else { … }`",
        "<|" | "|>" => "write `b(a)` or `a.b()`",
        _ => "leave it out",
    };
    place
        .error(
            "reserved-symbol",
            format!("`{symbol}` is not a symbol of this language"),
            "",
        )
        .hint(hint)
}
