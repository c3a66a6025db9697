//! Problems of single tokens.

use super::{Place, short};
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::node::Range;

/// `"…` without its end.
pub(super) fn open_text(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "open-string",
            "A text is not closed on its line",
            "begins here",
        )
        .hint("close it with `\"`; text over several lines is written `#\"…\"#`")
}

/// A back-tick string without its end.
pub(super) fn open_backtick(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "open-string",
            "A back-tick string is never closed",
            "begins here",
        )
        .hint("close it with a back-tick")
}

/// A number that is none.
pub(super) fn bad_number(place: &Place<'_>) -> Diagnostic {
    place
        .error(
            "bad-number",
            format!("`{}` is not a number", place.text),
            "",
        )
        .hint("numbers are whole and have at most 63 bits; versions are text: `\"…\"`")
}

/// `\q`.
pub(super) fn bad_escape(place: &Place<'_>) -> Diagnostic {
    place
            .error("bad-escape", format!("`{}` means nothing in a text", place.text), "")
            .hint("a backslash is written `\\\\`; `\\n`, `\\t`, `\\\"`, `\\x41` and `\\u0041` have a meaning")
            .hint("in a raw string `#\"…\"#` a backslash is a backslash")
}

/// `# {`.
pub(super) fn spaced_map(place: &Place<'_>) -> Diagnostic {
    place
        .error("map-start", "A map starts with `#{`, without a blank", "")
        .hint("write `#{`")
}

/// `_1`.
pub(super) fn bad_name(place: &Place<'_>) -> Diagnostic {
    place
        .error("bad-name", format!("`{}` is not a name", place.text), "")
        .hint("a name has a letter before its first digit")
}

/// `1.3`.
pub(super) fn fractional_number(place: &Place<'_>) -> Diagnostic {
    place
        .error("fractional-number", "There are only whole numbers", "")
        .hint(format!("a version is text: `\"{}\"`", place.text))
}

pub(super) fn open_raw_text(place: &Place<'_>, hashes: usize) -> Diagnostic {
    let end = format!("\"{}", "#".repeat(hashes));
    let diagnostic = place.error("open-string", "A raw string is never closed", "begins here");
    let start = place.at.end as usize;
    let rest = place.tree.text().get(start..).unwrap_or_default();
    // With two `#` around, a `"#` is the likeliest slip; otherwise a quote that ends something.
    let fewer = (hashes > 1).then(|| rest.find("\"#")).flatten();
    let nearly = fewer
        .map(|index| (index, 2))
        .or_else(|| likely_end(rest).map(|index| (index, 1)));
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

/// The `"` that looks most like the end of a raw string: the first thing on its line and before
/// what closes or separates, or else before that, or before the next field, on any line.
pub(super) fn likely_end(text: &str) -> Option<usize> {
    first_on_its_line(text).or_else(|| {
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let mut quotes = line.match_indices('"');
            let quote = quotes.find(|(quote, _)| {
                let after = line.get(quote + 1..).unwrap_or_default().trim();
                !after.is_empty() && (is_closing(after) || is_next_field(after))
            });
            if let Some((quote, _)) = quote {
                return Some(offset + quote);
            }
            offset += line.len();
        }
        None
    })
}

/// A `"` that begins its line, with nothing after it but what closes or separates.
pub(super) fn first_on_its_line(text: &str) -> Option<usize> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let quoted = line.trim_start();
        if let Some(after) = quoted.strip_prefix('"')
            && is_closing(after.trim())
        {
            return Some(offset + line.len() - quoted.len());
        }
        offset += line.len();
    }
    None
}

/// Whether what follows a text is another field.
fn is_next_field(after: &str) -> bool {
    let Some(next) = after.strip_prefix(',') else {
        return false;
    };
    let name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let rest = next.trim_start().trim_start_matches(name);
    rest.len() < next.trim_start().len() && rest.trim_start().starts_with(':')
}

/// Whether what follows a text is brackets, separators and calls of methods only.
fn is_closing(after: &str) -> bool {
    let method = after.find(").").map_or(after, |index| &after[..=index]);
    method.chars().all(|sign| ",;)]} ".contains(sign))
}

pub(super) fn single_quoted(place: &Place<'_>) -> Diagnostic {
    let inner = place.text.trim_matches('\'');
    let diagnostic = place.error("single-quotes", "Text is in double quotes", "");
    match short(inner) {
        Some(inner) if place.text.len() > 1 && place.text.ends_with('\'') => {
            diagnostic.hint(format!("write `\"{inner}\"`"))
        }
        _ => diagnostic.hint("write `\"…\"`; an apostrophe stands inside a text as it is"),
    }
}

pub(super) fn hash_comment(place: &Place<'_>) -> Diagnostic {
    let text = place.text.trim_end();
    let end = place.at.start + u32::try_from(text.len()).unwrap_or(0);
    let span = Span::new(&place.at.path, place.at.start, end);
    let diagnostic = Diagnostic::error("hash-comment", "Comments start with `//`").at(span, "");
    match short(text.trim_start_matches('#').trim()) {
        Some(comment) => diagnostic.hint(format!("write `// {comment}`")),
        None => diagnostic.hint("write `//` for `#`"),
    }
}

pub(super) fn curly_quotes(place: &Place<'_>) -> Diagnostic {
    let is_quote = |c: char| "\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\"".contains(c);
    let inner = place.text.trim_matches(is_quote);
    let diagnostic = place.error("curly-quotes", "Text is in straight quotes", "");
    match short(inner) {
        Some(inner) => diagnostic.hint(format!("write `\"{inner}\"`")),
        None => diagnostic.hint("write `\"` at both ends"),
    }
}

pub(super) fn unknown_character(place: &Place<'_>) -> Diagnostic {
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

pub(super) fn raw_text_ended(place: &Place<'_>, hashes: usize) -> Diagnostic {
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
