//! The wording of what our own reading is sure about.

use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::SyntaxTree;
use crate::syntax::TokenKind;
use crate::syntax::node::Range;
use crate::syntax::problem::{Items, Problem, ProblemKind};

/// The diagnostic of a problem.
pub(super) fn diagnostic(tree: &SyntaxTree, problem: &Problem) -> Diagnostic {
    let range = Range {
        start: problem.start,
        end: problem.end,
    };
    let related = problem.related.map(|(start, end)| Range { start, end });
    let place = Place {
        tree,
        at: tree.span(range),
        text: tree.slice(range),
        related,
    };
    match &problem.kind {
        ProblemKind::OpenText
        | ProblemKind::OpenRawText { .. }
        | ProblemKind::OpenBacktick
        | ProblemKind::SingleQuoted
        | ProblemKind::BadNumber
        | ProblemKind::BadEscape
        | ProblemKind::HashComment
        | ProblemKind::SpacedMap
        | ProblemKind::BadName
        | ProblemKind::CurlyQuotes
        | ProblemKind::UnknownCharacter
        | ProblemKind::FractionalNumber
        | ProblemKind::RawTextEnded { .. } => token(&place, &problem.kind),
        ProblemKind::ReservedKey
        | ProblemKind::ReservedName
        | ProblemKind::ReservedValue
        | ProblemKind::ReservedSymbol
        | ProblemKind::PackageCall => reserved(&place, &problem.kind),
        ProblemKind::MissingComma(_)
        | ProblemKind::Unexpected { .. }
        | ProblemKind::NotClosed
        | ProblemKind::WrongClose
        | ProblemKind::MissingSemicolon
        | ProblemKind::MissingSemicolonBeforeFunction
        | ProblemKind::ExtraComma => structure(&place, &problem.kind),
        ProblemKind::HyphenatedKey
        | ProblemKind::EqualsInMap
        | ProblemKind::MissingColon
        | ProblemKind::RepeatedKey
        | ProblemKind::BlockForMap
        | ProblemKind::Spread
        | ProblemKind::NestedFunction
        | ProblemKind::NamedArgument
        | ProblemKind::AssignInCondition => form(&place, &problem.kind),
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

/// Problems of single tokens.
fn token(place: &Place<'_>, kind: &ProblemKind) -> Diagnostic {
    match kind {
        ProblemKind::OpenText => place
            .error("open-string", "A text is not closed on its line", "begins here")
            .hint("close it with `\"`; text over several lines is written `#\"…\"#`"),
        ProblemKind::OpenRawText { hashes } => open_raw_text(place, *hashes),
        ProblemKind::OpenBacktick => place
            .error("open-string", "A back-tick string is never closed", "begins here")
            .hint("close it with a back-tick"),
        ProblemKind::SingleQuoted => single_quoted(place),
        ProblemKind::BadNumber => place
            .error("bad-number", format!("`{}` is not a number", place.text), "")
            .hint("numbers are whole and have at most 63 bits; versions are text: `\"…\"`"),
        ProblemKind::BadEscape => place
            .error("bad-escape", format!("`{}` means nothing in a text", place.text), "")
            .hint("a backslash is written `\\\\`; `\\n`, `\\t`, `\\\"`, `\\x41` and `\\u0041` have a meaning")
            .hint("in a raw string `#\"…\"#` a backslash is a backslash"),
        ProblemKind::HashComment => hash_comment(place),
        ProblemKind::SpacedMap => place
            .error("map-start", "A map starts with `#{`, without a blank", "")
            .hint("write `#{`"),
        ProblemKind::BadName => place
            .error("bad-name", format!("`{}` is not a name", place.text), "")
            .hint("a name has a letter before its first digit"),
        ProblemKind::CurlyQuotes => curly_quotes(place),
        ProblemKind::UnknownCharacter => unknown_character(place),
        ProblemKind::FractionalNumber => place
            .error("fractional-number", "There are only whole numbers", "")
            .hint(format!("a version is text: `\"{}\"`", place.text)),
        ProblemKind::RawTextEnded { hashes } => raw_text_ended(place, *hashes),
        _ => unworded(place),
    }
}

fn open_raw_text(place: &Place<'_>, hashes: usize) -> Diagnostic {
    let end = format!("\"{}", "#".repeat(hashes));
    let diagnostic = place.error("open-string", "A raw string is never closed", "begins here");
    let start = place.at.end as usize;
    let rest = place.tree.text().get(start..).unwrap_or_default();
    // With two `#` around, a `"#` is the likeliest slip; otherwise a quote alone on its line.
    let nearly = if hashes > 1 {
        rest.find("\"#").map(|index| (index, 2))
    } else {
        lone_quote(rest).map(|index| (index, 1))
    };
    let diagnostic = match nearly {
        Some((index, length)) => {
            let from = u32::try_from(start + index).unwrap_or(u32::MAX);
            let span = Span::new(&place.at.path, from, from + length);
            diagnostic.also(span, "this looks like its end")
        }
        None => diagnostic,
    };
    diagnostic.hint(format!("end it with `{end}`"))
}

/// A `"` that begins its line or stands before a comma at the end of one.
fn lone_quote(text: &str) -> Option<usize> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if matches!(
            trimmed,
            "\"" | "\"," | "\")" | "\")," | "\");" | "\"})" | "\" })"
        ) {
            return line.find('"').map(|index| offset + index);
        }
        offset += line.len();
    }
    None
}

fn single_quoted(place: &Place<'_>) -> Diagnostic {
    let inner = place.text.trim_matches('\'');
    let diagnostic = place.error("single-quotes", "Text is in double quotes", "");
    match short(inner) {
        Some(inner) if place.text.len() > 1 && place.text.ends_with('\'') => {
            diagnostic.hint(format!("write `\"{inner}\"`"))
        }
        _ => diagnostic.hint("write `\"…\"`; an apostrophe stands inside a text as it is"),
    }
}

fn hash_comment(place: &Place<'_>) -> Diagnostic {
    let text = place.text.trim_end();
    let end = place.at.start + u32::try_from(text.len()).unwrap_or(0);
    let span = Span::new(&place.at.path, place.at.start, end);
    let diagnostic = Diagnostic::error("hash-comment", "Comments start with `//`").at(span, "");
    match short(text.trim_start_matches('#').trim()) {
        Some(comment) => diagnostic.hint(format!("write `// {comment}`")),
        None => diagnostic.hint("write `//` for `#`"),
    }
}

fn curly_quotes(place: &Place<'_>) -> Diagnostic {
    let is_quote = |c: char| "\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\"".contains(c);
    let inner = place.text.trim_matches(is_quote);
    let diagnostic = place.error("curly-quotes", "Text is in straight quotes", "");
    match short(inner) {
        Some(inner) => diagnostic.hint(format!("write `\"{inner}\"`")),
        None => diagnostic.hint("write `\"` at both ends"),
    }
}

fn unknown_character(place: &Place<'_>) -> Diagnostic {
    let (message, hint) = match place.text {
        "\u{a0}" => (
            "A blank that cannot be seen as one".to_owned(),
            "it is a no-break space: write a plain blank",
        ),
        "\u{feff}" => (
            "A byte order mark stands here".to_owned(),
            "save the file as UTF-8 without a byte order mark",
        ),
        "\\" => (
            "`\\` stands only inside texts".to_owned(),
            "lines go on by themselves: leave it out",
        ),
        other => (
            format!("`{other}` means nothing outside of a text"),
            "leave it out, or put it in quotes",
        ),
    };
    place.error("unknown-character", message, "").hint(hint)
}

fn raw_text_ended(place: &Place<'_>, hashes: usize) -> Diagnostic {
    let begin = place.related.unwrap_or(Range { start: 0, end: 0 });
    let line = place.line(begin.start);
    let end = format!("\"{}", "#".repeat(hashes));
    let more = "#".repeat(hashes + 1);
    let opening = Range {
        start: begin.start,
        end: begin.start + u32::try_from(hashes + 1).unwrap_or(0),
    };
    place
        .error(
            "raw-string-ended",
            format!("The raw string that began at line {line} ends here, at `{end}`"),
            "ends it",
        )
        .also(place.tree.span(opening), "began here")
        .hint(format!(
            "if the text goes on, write `{more}\"…\"{more}` around it"
        ))
}

/// Words and symbols that Rhai keeps.
fn reserved(place: &Place<'_>, kind: &ProblemKind) -> Diagnostic {
    let word = place.text;
    match kind {
        ProblemKind::ReservedKey => place
            .error(
                "reserved-word",
                format!("`{word}` is reserved by the language"),
                "",
            )
            .hint(format!("write it in quotes: `\"{word}\": …`")),
        ProblemKind::ReservedName => place
            .error(
                "reserved-word",
                format!("`{word}` is reserved by the language"),
                "",
            )
            .hint(format!("take another name, such as `{word}_`")),
        ProblemKind::ReservedValue => reserved_value(place),
        ProblemKind::PackageCall => place
            .error(
                "package-call",
                "A package file is a builder call",
                "not a builder",
            )
            .hint("write `script(#{ … })`, `autotools(#{ … })`, …; the name comes from the folder"),
        ProblemKind::ReservedSymbol => reserved_symbol(place),
        _ => unworded(place),
    }
}

fn reserved_value(place: &Place<'_>) -> Diagnostic {
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
        _ => diagnostic.hint("take another name"),
    }
}

fn reserved_symbol(place: &Place<'_>) -> Diagnostic {
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

/// Commas, brackets, semicolons.
fn structure(place: &Place<'_>, kind: &ProblemKind) -> Diagnostic {
    match kind {
        ProblemKind::MissingComma(items) => missing_comma(place, *items),
        ProblemKind::Unexpected { expected } => unexpected(place, expected),
        ProblemKind::NotClosed => not_closed(place),
        ProblemKind::WrongClose => place
            .error(
                "wrong-bracket",
                format!("`{}` closes nothing", place.text),
                "",
            )
            .hint("leave it out, or look for the bracket it belongs to"),
        ProblemKind::MissingSemicolon => place
            .error(
                "missing-semicolon",
                "`;` is missing after this statement",
                "`;` goes here",
            )
            .hint("statements end with `;`"),
        ProblemKind::MissingSemicolonBeforeFunction => {
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
        ProblemKind::ExtraComma => place
            .error("extra-comma", "There is nothing before this `,`", "")
            .hint("leave it out"),
        _ => unworded(place),
    }
}

fn missing_comma(place: &Place<'_>, items: Items) -> Diagnostic {
    let before = place.related_text();
    let message = match short(before) {
        Some(before) => format!("`,` is missing after `{before}`"),
        None => "`,` is missing".to_owned(),
    };
    let hint = match items {
        Items::Map => "fields are separated by `,`",
        Items::List => "items of a list are separated by `,`",
        Items::Arguments => "arguments are separated by `,`",
        Items::Parameters => "parameters are separated by `,`",
        Items::Cases => "cases are separated by `,`",
    };
    place
        .error("missing-comma", message, "`,` goes here")
        .hint(hint)
}

fn unexpected(place: &Place<'_>, expected: &str) -> Diagnostic {
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
        ";" => diagnostic.hint("fields and items end with `,`; only statements end with `;`"),
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
        "`,` or `}`" | "`,` between fields" => "fields are separated by `,`, and the map ends with `}`",
        "`,` or `]`" | "an operator or `]`" => "items are separated by `,`, and the list ends with `]`",
        "`,` or `)`" | "an operator or `)`" => "arguments are separated by `,`, and the call ends with `)`",
        "`;` or an operator" => "statements end with `;`",
        "`{`" => "a body is written in braces: `{ … }`",
        "`=>`" | "`,` between cases" => "a case is written `value => result,`",
        "`in`" => "a loop is written `for name in list { … }`",
        "`catch`" | "`while` or `until`" => "the statement is not finished",
        _ => "write it here, or leave out what asks for it",
    }
}

fn not_closed(place: &Place<'_>) -> Diagnostic {
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
    diagnostic.hint(format!("close it with `{close}`"))
}

/// Forms of other languages.
fn form(place: &Place<'_>, kind: &ProblemKind) -> Diagnostic {
    match kind {
        ProblemKind::HyphenatedKey => place
            .error("unquoted-key", "A name with `-` is quoted", "")
            .hint(format!("write `\"{}\": …`", place.text)),
        ProblemKind::EqualsInMap => {
            let name = place.related_text().trim_matches('"');
            place
                .error("equals-in-map", "A field is written with `:`", "")
                .hint(format!("write `{name}: …,`"))
        }
        ProblemKind::MissingColon => {
            let key = place.text;
            place
                .error("missing-colon", format!("`:` is missing after `{key}`"), "")
                .hint(format!("a field is written `{key}: value,`"))
        }
        ProblemKind::RepeatedKey => {
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
        ProblemKind::BlockForMap => place
            .error(
                "map-start",
                "A map starts with `#{`",
                "this starts a block of statements",
            )
            .hint("write `#{`"),
        ProblemKind::Spread => place
            .error("spread", "There is no `...`", "")
            .hint("lists and maps are joined with `+`: `a + [\"b\"]`"),
        ProblemKind::NestedFunction => place
            .error("nested-function", "A function stands inside a block", "")
            .hint("functions stand at the top of the file; inside, write `let name = |a| …;`"),
        ProblemKind::NamedArgument => {
            let name = place.text;
            place
                .error("named-argument", "Arguments have no names", "")
                .hint(format!("fields go in a map: `#{{ {name}: … }}`"))
        }
        ProblemKind::AssignInCondition => place
            .error(
                "assign-in-condition",
                "`=` sets a variable and has no value",
                "",
            )
            .hint("to compare, write `==`"),
        _ => unworded(place),
    }
}

/// Reached only if a kind is handed to the wrong group above; still says where.
fn unworded(place: &Place<'_>) -> Diagnostic {
    place.error("unexpected", "This cannot be read", "")
}
