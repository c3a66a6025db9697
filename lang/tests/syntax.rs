//! Holds our own reading of definitions to Rhai's: whatever Rhai accepts has no problem here, and
//! every token that Rhai names by line and column is found at the right bytes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use rhai::{Engine, Token};
use stxl_lang::{Position, SourcePath, syntax};

/// A token as Rhai's parser saw it: its text, line and column.
type Seen = Arc<Mutex<Vec<(String, u32, u32)>>>;

/// An engine that accepts as much as Rhai can, and notes the tokens it reads.
fn engine() -> (Engine, Seen) {
    let seen = Seen::default();
    let mut engine = Engine::new_raw();
    engine.set_max_expr_depths(64, 64);
    let notes = seen.clone();
    #[expect(
        deprecated,
        reason = "Rhai marks the hook as volatile, and the version is pinned"
    )]
    engine.on_parse_token(move |token, position, _| {
        let token = match token {
            Token::Reserved(word) if *word == "with" => Token::Identifier(word),
            token => token,
        };
        let text = match &token {
            Token::Identifier(name) | Token::Reserved(name) => Some(name.to_string()),
            token if token.is_literal() => Some(token.literal_syntax().to_owned()),
            // Strings, numbers and characters, which have no text of their own in a token.
            _ => None,
        };
        if let (Some(text), Some(line), Some(column)) = (text, position.line(), position.position())
        {
            let number = |n| u32::try_from(n).expect("Rhai counts in 16 bits");
            notes.lock().expect("no test panics with the lock").push((
                text,
                number(line),
                number(column),
            ));
        }
        token
    });
    (engine, seen)
}

fn corpus() -> Vec<(PathBuf, String)> {
    let lang = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![
        lang.join("tests/corpus"),
        lang.join("../stages"),
        lang.join("../stdlib"),
    ];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(&folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("the folder can be read").path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "rhai")
            {
                let text = std::fs::read_to_string(&path).expect("definitions are text");
                files.push((path, text));
            }
        }
    }
    files
}

fn read(text: &str) -> syntax::SyntaxTree {
    syntax::parse(&SourcePath::new("x.rhai"), &Arc::from(text))
}

/// Fails unless what holds for accepted texts holds for this one; Rhai's error if it is none.
fn check(engine: &Engine, seen: &Seen, text: &str) -> Result<Option<String>, String> {
    seen.lock().expect("no test panics with the lock").clear();
    let tree = read(text);
    let compiled = engine.compile(text);
    if let Err(refused) = &compiled {
        return Ok(Some(refused.to_string()));
    }
    if tree.has_problems() {
        return Err(format!(
            "accepted by Rhai, and a problem here: {tree:#?}\n{text}"
        ));
    }
    for (token, line, column) in seen.lock().expect("no test panics with the lock").iter() {
        let (line, column) = (*line, *column);
        let span = tree.token_at(Position { line, column });
        let found = text.get(span.start as usize..span.end as usize);
        // A number with its sign is one token there and two here; for a dot the name is given.
        if token == "." || token == "?." {
            continue;
        }
        if found != Some(token) && !(token == "-" || found == Some("-")) {
            return Err(format!(
                "`{token}` at {line}:{column} is taken for {found:?} in\n{text}"
            ));
        }
    }
    Ok(None)
}

#[test]
fn everything_rhai_accepts_is_accepted() {
    let (engine, seen) = engine();
    let files = corpus();
    assert!(files.len() >= 12, "the corpus is there");
    for (path, text) in files {
        let accepted = check(&engine, &seen, &text);
        assert_eq!(accepted, Ok(None), "{}", path.display());
    }
}

#[test]
fn tokens_cover_every_byte_once() {
    for (path, text) in corpus() {
        let tree = read(&text);
        let mut end = 0;
        for span in tree.token_spans() {
            assert_eq!(span.start, end, "{}", path.display());
            end = span.end;
        }
        assert_eq!(end as usize, text.len(), "{}", path.display());
    }
}

/// Pieces that texts are changed with: the ones that matter to the reading.
const PIECES: &[&str] = &[
    "\"",
    "#\"",
    "\"#",
    "`",
    "${",
    "}",
    "{",
    "#{",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    ":",
    "=",
    "'",
    "/*",
    "*/",
    "//",
    "\n",
    " ",
    "-",
    "!in",
    "in",
    "..",
    "..=",
    "??",
    "?.",
    "?[",
    "|",
    "||",
    "=>",
    "fn",
    "fn f() {}",
    "if",
    "else",
    "let x = 1;",
    "a",
    "1",
    "_",
    "()",
    "::",
    "!",
    "\\",
    "#",
    "##\"",
    "\"##",
    "switch",
    "return",
    "break",
    "\r\n",
    "\r",
    "\t",
    "ü",
    "\u{1f600}",
    "this",
    "print",
    "0x",
    "**",
];

#[derive(Clone, Debug)]
enum Change {
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, usize),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = || any::<prop::sample::Index>();
    let change = prop_oneof![
        (index(), 1_usize..6).prop_map(|(at, length)| Change::Delete(at, length)),
        (index(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (index(), index()).prop_map(|(a, b)| Change::Swap(a, b)),
    ];
    prop::collection::vec(change, 1..4)
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for change in changes {
        match change {
            Change::Delete(at, length) => {
                let at = at.index(characters.len().max(1));
                let end = (at + length).min(characters.len());
                characters.drain(at.min(end)..end);
            }
            Change::Insert(at, piece) => {
                let at = at.index(characters.len() + 1);
                characters.splice(at..at, PIECES[*piece].chars());
            }
            Change::Swap(a, b) if !characters.is_empty() => {
                let (a, b) = (a.index(characters.len()), b.index(characters.len()));
                characters.swap(a, b);
            }
            Change::Swap(..) => {}
        }
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn changed_texts_that_rhai_accepts_are_accepted(
        file in any::<prop::sample::Index>(),
        changes in changes(),
    ) {
        let files = corpus();
        let (_, text) = &files[file.index(files.len())];
        let (engine, seen) = engine();
        let text = changed(text, &changes);
        if let Err(message) = check(&engine, &seen, &text) {
            return Err(TestCaseError::fail(message));
        }
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}|([{}()\\[\\]#\"'`$,;:=.!|a-c0-9 \n-]){0,200}") {
        let (engine, seen) = engine();
        if let Err(message) = check(&engine, &seen, &text) {
            return Err(TestCaseError::fail(message));
        }
    }
}

#[test]
fn hostile_texts_are_read_in_time() {
    let deep = |piece: &str| piece.repeat(200_000);
    let texts = [
        deep("("),
        deep("["),
        deep("#{a:"),
        deep("{"),
        deep("|x|"),
        deep("-"),
        deep("!"),
        deep("`${"),
        deep("if a {"),
        deep("else "),
        deep("a."),
        deep("a.b()"),
        deep("a+"),
        deep("/*"),
        deep("#"),
        deep("\""),
        deep("'"),
        deep("..."),
        deep(")"),
        deep("a ? "),
        deep("fn f("),
        deep("switch a {1=>"),
        deep("a-b"),
        format!("#{{{}: 1}}", deep("a-")),
        format!("x(#{{ a: \"{}\" }})", "y".repeat(10_000_000)),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        let tree = read(&text);
        drop(tree);
        let head: String = text.chars().take(12).collect();
        assert!(start.elapsed().as_secs() < 20, "`{head}…` takes too long");
    }
}
