//! Texts that are hard to show, and the shape of diagnostics for programs.

use std::sync::Arc;

use stxl_lang::render::{Style, render, wire};
use stxl_lang::{Diagnostic, SourceError, SourcePath, SourceTree, Span, in_order};

const FILE: &str = "stages/core/zlib/package.rhai";

/// One file.
struct OneFile(Vec<u8>);

impl SourceTree for OneFile {
    fn read(&self, path: &SourcePath) -> Result<Arc<[u8]>, SourceError> {
        if path.as_str() == FILE {
            Ok(self.0.as_slice().into())
        } else {
            Err(SourceError::NotFound { path: path.clone() })
        }
    }

    fn list(&self, path: &SourcePath) -> Result<Vec<String>, SourceError> {
        Err(SourceError::NotFound { path: path.clone() })
    }
}

fn span(start: usize, end: usize) -> Span {
    let number = |offset| u32::try_from(offset).unwrap();
    Span::new(&SourcePath::new(FILE), number(start), number(end))
}

fn shown(text: &[u8], start: usize, end: usize) -> String {
    let diagnostic = Diagnostic::error("test", "Wrong").at(span(start, end), "this");
    render(&[diagnostic], &OneFile(text.to_vec()), Style::Plain)
}

#[test]
fn a_line_of_ten_megabytes_is_cut_around_the_place() {
    let mut text = vec![b'x'; 10_000_000];
    text[5_000_000..5_000_004].copy_from_slice(b"here");
    let found = shown(&text, 5_000_000, 5_000_004);
    assert!(found.len() < 2_000, "{} bytes", found.len());
    assert!(found.contains("package.rhai:1:5000001\n"), "{found}");
    let lines: Vec<&str> = found.lines().collect();
    let line = lines.iter().find(|line| line.contains("here")).unwrap();
    let mark = lines
        .iter()
        .find(|line| line.contains("^^^^ this"))
        .unwrap();
    let column = |line: &str, wanted| line[..line.find(wanted).unwrap()].chars().count();
    assert_eq!(column(line, "here"), column(mark, "^^^^"), "{found}");
}

#[test]
fn a_place_over_ten_megabytes_is_marked_on_its_first_line() {
    let mut text = b"script: #\"\n".to_vec();
    text.extend(b"line\n".repeat(2_000_000));
    let found = shown(&text, 8, text.len());
    assert!(found.len() < 1_000, "{} bytes", found.len());
    assert!(found.contains("1 │ script: #\""), "{found}");
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_keep_their_columns() {
    let text = b"a: \"\xff\xfe\x00\x1b[31m\", wrong: 1";
    let found = shown(text, 15, 20);
    let expected = "1 │ a: \"????[31m\", wrong: 1\n  │                ^^^^^ this";
    assert!(found.contains(expected), "{found}");
    assert!(!found.contains('\u{1b}'), "nothing a terminal obeys");
}

#[test]
fn characters_that_hide_text_are_replaced() {
    let text = "a: 1, /*\u{202e}*/ wrong: 1 \u{85}\r";
    let start = text.find("wrong").unwrap();
    let found = shown(text.as_bytes(), start, start + 5);
    assert!(!found.contains(['\u{202e}', '\u{85}', '\r']), "{found}");
    let diagnostic = Diagnostic::error("test", "Wrong \u{1b}[2J").at(span(0, 1), "\u{202e}");
    let found = render(&[diagnostic], &OneFile(b"a".to_vec()), Style::Plain);
    assert!(!found.contains(['\u{1b}', '\u{202e}']), "{found}");
}

#[test]
fn places_outside_of_the_text_are_shown_at_its_end() {
    for (start, end) in [(5, 5), (4, 9), (90, 100), (0, 0), (2, 3)] {
        let found = shown("a\né!".as_bytes(), start, end);
        assert!(found.contains("package.rhai:"), "{found}");
    }
    assert!(shown(b"", 0, 0).contains("package.rhai:1:1"));
}

#[test]
fn a_file_that_is_gone_is_named() {
    let gone = Span::new(&SourcePath::new("stages/core/gone/package.rhai"), 3, 4);
    let diagnostic = Diagnostic::error("test", "Wrong")
        .at(gone.clone(), "this")
        .also(span(0, 1), "and this")
        .via("in `f`", gone);
    let found = render(&[diagnostic], &OneFile(b"abc".to_vec()), Style::Plain);
    assert!(
        found.contains("this (in `stages/core/gone/package.rhai`)"),
        "{found}"
    );
    assert!(found.contains("- and this"), "{found}");
}

#[test]
fn a_long_trace_is_listed() {
    let mut diagnostic = Diagnostic::error("test", "Wrong").at(span(0, 1), "");
    for index in 0..20 {
        diagnostic = diagnostic.via(&format!("in `f{index}`"), span(index, index + 1));
    }
    let found = render(
        &[diagnostic],
        &OneFile(b"0123456789".repeat(3)),
        Style::Plain,
    );
    assert!(
        found.contains("= in `f19` (stages/core/zlib/package.rhai:1:20)"),
        "{found}"
    );
}

#[test]
fn colour_says_nothing_that_the_text_does_not() {
    let diagnostic = Diagnostic::warning("test", "Odd")
        .at(span(0, 1), "this")
        .hint("do that");
    let tree = OneFile(b"abc".to_vec());
    let plain = render(std::slice::from_ref(&diagnostic), &tree, Style::Plain);
    let colored = render(&[diagnostic], &tree, Style::Colored);
    assert!(colored.contains('\u{1b}'), "{colored:?}");
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some(start) = rest.find('\u{1b}') {
        stripped.push_str(&rest[..start]);
        rest = rest[start..].split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
}

#[test]
fn the_order_is_by_file_place_and_id_and_nothing_is_said_twice() {
    let at = |id, start| Diagnostic::error(id, "Wrong").at(span(start, start + 1), "");
    let nowhere = Diagnostic::error("a", "Wrong");
    let given = [
        nowhere.clone(),
        at("b", 4),
        at("a", 9),
        at("a", 4),
        at("b", 4),
        nowhere,
    ];
    let found: Vec<_> = in_order(given)
        .into_iter()
        .map(|diagnostic| {
            (
                diagnostic.id,
                diagnostic.primary.map(|(span, _)| span.start),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("a", Some(4)), ("b", Some(4)), ("a", Some(9)), ("a", None)]
    );
}

#[test]
fn records_have_every_field() {
    let tree = OneFile("ab\nü: 1\n".into());
    let full = Diagnostic::error("test", "Wrong")
        .at(span(3, 5), "this")
        .also(span(7, 8), "and this")
        .note("a fact")
        .hint("do that")
        .via("in `f`", span(0, 2));
    let empty = Diagnostic::warning("other", "Odd");
    let records = serde_json::to_value(wire::records(&[full, empty], &tree)).unwrap();
    let place = |message: &str, line, column, end_column| {
        serde_json::json!({
            "message": message, "file": FILE,
            "line": line, "column": column, "end_line": line, "end_column": end_column,
        })
    };
    let expected = serde_json::json!([
        {
            "id": "test", "severity": "error", "message": "Wrong",
            "file": FILE, "line": 2, "column": 1, "end_line": 2, "end_column": 2,
            "label": "this",
            "labels": [place("and this", 2, 4, 5)],
            "notes": [{ "text": "a fact" }],
            "hints": [{ "text": "do that" }],
            "trace": [place("in `f`", 1, 1, 3)],
        },
        {
            "id": "other", "severity": "warning", "message": "Odd",
            "file": null, "line": null, "column": null, "end_line": null, "end_column": null,
            "label": null, "labels": [], "notes": [], "hints": [], "trace": [],
        },
    ]);
    assert_eq!(records, expected);
}
