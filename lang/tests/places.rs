//! Where things of a definition stand.

use std::sync::Arc;

use stxl_lang::syntax::{self, SyntaxTree};
use stxl_lang::{FieldStep, Position, SourcePath, Span};

use FieldStep::{Item, Key};

fn read(text: &str) -> SyntaxTree {
    syntax::parse(&SourcePath::new("x.rhai"), &Arc::from(text))
}

fn text(tree: &SyntaxTree, span: &Span) -> String {
    tree.text()[span.start as usize..span.end as usize].to_owned()
}

const PACKAGE: &str = r##"let flags = ["-a"];
autotools(#{
    version: "1",
    "quoted-name": true,
    source: url("https://x", "sha256:0"),
    needs: ["core/a", "core/b"] + ["core/c"],
    env: #{ A: "1" } + #{ "B": "2", A: "3" },
    configure: flags + ["-b"],
    tests: #{ one: #"
        true
    "# },
});

fn build(p) { 1 }
private fn other() { 2 }
"##;

#[test]
fn values_are_found_by_their_steps() {
    let tree = read(PACKAGE);
    let cases: &[(&[FieldStep<'_>], &str)] = &[
        (&[Key("version")], "\"1\""),
        (&[Key("quoted-name")], "true"),
        (&[Key("needs"), Item(1)], "\"core/b\""),
        (&[Key("needs"), Item(2)], "\"core/c\""),
        (&[Key("env"), Key("A")], "\"3\""),
        (&[Key("env"), Key("B")], "\"2\""),
        // What is not written out falls back to what is.
        (
            &[Key("needs"), Item(9)],
            "[\"core/a\", \"core/b\"] + [\"core/c\"]",
        ),
        (&[Key("configure"), Item(0)], "flags + [\"-b\"]"),
        (
            &[Key("source"), Key("hash")],
            "url(\"https://x\", \"sha256:0\")",
        ),
        (&[Key("license")], "autotools"),
        (&[], "autotools"),
    ];
    for (steps, expected) in cases {
        assert_eq!(text(&tree, &tree.span_of(steps)), *expected, "{steps:?}");
    }
}

#[test]
fn keys_are_found_by_their_steps() {
    let tree = read(PACKAGE);
    let cases: &[(&[FieldStep<'_>], &str)] = &[
        (&[Key("version")], "version"),
        (&[Key("quoted-name")], "\"quoted-name\""),
        (&[Key("env"), Key("B")], "\"B\""),
        (
            &[Key("env"), Key("C")],
            "#{ A: \"1\" } + #{ \"B\": \"2\", A: \"3\" }",
        ),
        (&[Key("verison")], "autotools"),
    ];
    for (steps, expected) in cases {
        assert_eq!(
            text(&tree, &tree.key_span_of(steps)),
            *expected,
            "{steps:?}"
        );
    }
}

#[test]
fn the_call_of_a_file_is_found_in_every_form() {
    let cases = [
        ("script(#{ version: \"1\" })", "script"),
        ("prior().change(#{ version: \"1\" })", "change"),
        ("let z = prior();\nz.change(#{ version: \"1\" })", "change"),
        ("import \"lib/a\" as a;\na::app(#{ version: \"1\" })", "app"),
        ("let made = script(#{ version: \"1\" });\nmade", "script"),
        (
            "let fields = #{ version: \"1\" };\nscript(fields)",
            "script",
        ),
        (
            "script(#{ version: \"1\" } + #{ a: 1 });\nfn build(p) {}",
            "script",
        ),
    ];
    for (written, name) in cases {
        let tree = read(written);
        let call = tree.builder_call().unwrap();
        assert_eq!(text(&tree, &call.name), name, "{written}");
        let version = tree.span_of(&[Key("version")]);
        assert_eq!(text(&tree, &version), "\"1\"", "{written}");
    }
    for written in ["", "let x = 1;", "fn f() {}", "1 + 2", "// nothing"] {
        let tree = read(written);
        assert_eq!(tree.builder_call(), None, "{written}");
        let span = tree.span_of(&[Key("version")]);
        assert!(span.end as usize <= written.len(), "{written}");
    }
}

#[test]
fn a_broken_file_still_has_its_fields() {
    let tree = read("script(#{\n    version: '1',\n    a b c,\n    needs: [\"x\" \"y\"],\n");
    assert!(tree.has_problems());
    let needs = tree.span_of(&[Key("needs"), Item(1)]);
    assert_eq!(text(&tree, &needs), "\"y\"");
}

#[test]
fn calls_are_found_by_the_place_rhai_reports() {
    let tree =
        read("let a = root([\"x\"])\n    .run(#\"\n        make\n    \"#)\n    .put(a, \"/b\");");
    let at = |line, column| Position { line, column };
    let root = tree.call_at(at(1, 9)).unwrap();
    assert_eq!(text(&tree, &root.arguments), "([\"x\"])");
    let run = tree.call_at(at(2, 6)).unwrap();
    assert_eq!(text(&tree, &run.name), "run");
    assert_eq!(tree.content_line(&run.each[0]), 3);
    let put = tree.call_at(at(5, 6)).unwrap();
    let each: Vec<String> = put.each.iter().map(|span| text(&tree, span)).collect();
    assert_eq!(each, ["a", "\"/b\""]);
    assert_eq!(tree.call_at(at(1, 1)), None);
}

#[test]
fn the_content_of_a_text_begins_on_its_line() {
    let cases = [
        ("#\"\n  a\n\"#", 2),
        ("#\"  \r\n  a\n\"#", 2),
        ("#\" a\nb\"#", 1),
        ("\"a\"", 1),
        ("##\"\n\n a\"##", 2),
        ("`\na`", 2),
    ];
    for (written, line) in cases {
        let tree = read(written);
        let end = u32::try_from(written.len()).unwrap();
        let span = Span::new(tree.path(), 0, end);
        assert_eq!(tree.content_line(&span), line, "{written:?}");
    }
}

#[test]
fn functions_have_names_and_bodies() {
    let tree = read(PACKAGE);
    let functions: Vec<(String, String)> = tree
        .functions()
        .map(|(name, body)| (text(&tree, &name), text(&tree, &body)))
        .collect();
    let own = |(name, body): (&str, &str)| (name.to_owned(), body.to_owned());
    assert_eq!(functions, [("build", "{ 1 }"), ("other", "{ 2 }")].map(own));
}

#[test]
fn a_position_after_a_miscounted_line_is_resolved() {
    // Rhai does not count the line end after the quote in the raw string.
    let written = "let a = #\"\necho \"b\"\n\"#;\nlet c = 1;";
    let tree = read(written);
    let reported = Position { line: 3, column: 5 };
    assert_eq!(text(&tree, &tree.token_at(reported)), "c");
    assert_eq!(tree.resolve(reported), Position { line: 4, column: 5 });
}

#[test]
fn comments_are_kept() {
    let tree = read("// one\na /* two */ + 1 // three");
    let comments: Vec<&str> = tree.comments().map(|(_, text)| text).collect();
    assert_eq!(comments, ["// one", "/* two */", "// three"]);
}
