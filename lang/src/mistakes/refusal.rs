//! The wording of the error at which Rhai stopped.

use rhai::{LexError, ParseErrorType};

use crate::diagnostic::{Diagnostic, Position, Span};
use crate::dialect::vocabulary::{self, did_you_mean};
use crate::lint::names::{self, Scope};
use crate::syntax::SyntaxTree;
use crate::syntax::node::{Node, NodeKind, Range};

/// The diagnostic of Rhai's error.
pub(super) fn diagnostic(tree: &SyntaxTree, refused: &rhai::ParseError) -> Diagnostic {
    let position = refused.position();
    let at = tree.token_at(Position {
        line: position.line().map_or(1, bounded),
        column: position.position().map_or(1, bounded),
    });
    match refused.err_type() {
        ParseErrorType::VariableUndefined(name) => undefined(tree, name, &at),
        ParseErrorType::ModuleUndefined(name) => undefined_module(tree, name, at),
        ParseErrorType::Reserved(word) => reserved(word, at),
        ParseErrorType::LiteralTooLarge(what, max) => limit(&format!("{what} is over {max}"), at)
            .hint("long text and data belong in files beside the definition: `file(\"name\")`"),
        ParseErrorType::ExprTooDeep => {
            limit("Expressions are nested too deeply", at).hint("give parts of it names with `let`")
        }
        ParseErrorType::TooManyFunctions => limit("The file has too many functions", at)
            .hint("put functions that belong together in a file of the folder `lib`"),
        ParseErrorType::BadInput(error) => bad_input(tree, error, at),
        ParseErrorType::UnexpectedEOF => Diagnostic::error("unexpected", "The file ends too early")
            .at(at, "something is missing after this")
            .hint("finish the statement"),
        other => other_form(other, at),
    }
}

fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn limit(message: &str, at: Span) -> Diagnostic {
    Diagnostic::error("limit", message).at(at, "")
}

/// Errors about forms that our reading accepts.
fn other_form(error: &ParseErrorType, at: Span) -> Diagnostic {
    use ParseErrorType as E;
    let say = |id, message: String, label: &str, hint: &str| {
        Diagnostic::error(id, message)
            .at(at.clone(), label)
            .hint(hint)
    };
    match error {
        E::FnDuplicatedDefinition(name, _) => say(
            "repeated-function",
            format!("The function `{name}` stands here twice"),
            "again here",
            "leave one of them out, or name it differently",
        ),
        E::FnDuplicatedParam(_, name) => say(
            "repeated-name",
            format!("The parameter `{name}` stands here twice"),
            "again here",
            "name it differently",
        ),
        E::AssignmentToConstant(name) if !name.is_empty() => say(
            "constant",
            format!("`{name}` is a constant and cannot be set again"),
            "",
            "define it with `let`",
        ),
        E::AssignmentToConstant(_) | E::AssignmentToInvalidLHS(_) => say(
            "assignment",
            "Only variables and their fields can be set".to_owned(),
            "",
            "to compare, write `==`",
        ),
        E::LoopBreak => say(
            "loop-control",
            "There is no loop here to leave".to_owned(),
            "",
            "a function is left with `return`",
        ),
        E::MismatchedType(expected, found) => say(
            "wrong-type",
            format!("Expected {}, found {}", plain(expected), plain(found)),
            "",
            match expected.as_str() {
                "an iterable value" => "a loop over numbers is written `for i in 0..3 { … }`",
                _ => "write a comparison, such as `a == b`",
            },
        ),
        E::WrongSwitchDefaultCase => say(
            "switch",
            "The case `_` is the last one of a `switch`".to_owned(),
            "",
            "move it to the end",
        ),
        E::ForbiddenVariable(name) => say(
            "reserved-word",
            format!("`{name}` cannot be the name of a variable"),
            "",
            "take another name",
        ),
        other => unreadable(other, at),
    }
}

/// Rhai's name of a kind of value in the words of the rest of our messages.
fn plain(kind: &str) -> &str {
    match kind {
        "a boolean expression" => "`true` or `false`",
        "an iterable value" => "a list or a range",
        "a string" => "text",
        other => other,
    }
}

/// What Rhai refuses for a reason that has no words of ours.
fn unreadable(reason: &dyn std::fmt::Display, at: Span) -> Diagnostic {
    Diagnostic::error("unexpected", "This cannot be read")
        .at(at, "")
        .note(format!("the reader says: {reason}"))
        .hint("compare it with the examples of the language's reference")
}

fn bad_input(tree: &SyntaxTree, error: &LexError, at: Span) -> Diagnostic {
    let range = Range {
        start: at.start,
        end: at.end,
    };
    let found = tree.slice(range).lines().next().unwrap_or_default();
    match error {
        LexError::StringTooLong(max) => limit(&format!("A text is over {max} bytes"), at)
            .hint("put it in a file beside the definition: `file(\"name\")`"),
        LexError::ImproperSymbol(symbol, _) if symbol == "this" => {
            Diagnostic::error("reserved-word", "`this` is reserved by the language")
                .at(at, "")
                .hint("a function reads its arguments: `fn build(p) { p.version }`")
        }
        other if found.is_empty() => unreadable(other, at),
        _ => Diagnostic::error("unexpected", format!("`{found}` cannot stand here"))
            .at(at, "")
            .hint("look at what stands before it: something is missing there, or too much here"),
    }
}

fn reserved(word: &str, at: Span) -> Diagnostic {
    let hint = match word {
        "try" | "catch" => "errors end the evaluation: check before, with `if`",
        "print" | "debug" => "definitions have no output: look at a value with `stxl eval`",
        "eval" => "text is never run as code",
        "export" => "functions of a file in `lib/` can be used without it",
        _ => "take another name",
    };
    Diagnostic::error(
        "reserved-word",
        format!("`{word}` is not part of the language"),
    )
    .at(at, "")
    .hint(hint)
}

fn undefined_module(tree: &SyntaxTree, name: &str, at: Span) -> Diagnostic {
    let imports = tree.nodes().iter().filter_map(|node| match node.kind {
        NodeKind::Import { alias } => alias.map(|alias| tree.slice(alias)),
        _ => None,
    });
    let diagnostic = Diagnostic::error(
        "unknown-module",
        format!("No import in this file is called `{name}`"),
    )
    .at(at, "");
    match did_you_mean(&vocabulary::near(name, imports)) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic.hint(format!(
            "begin the file with `import \"lib/{name}\" as {name};`"
        )),
    }
}

fn undefined(tree: &SyntaxTree, name: &str, at: &Span) -> Diagnostic {
    if let Some(known) = names::outside_function(tree, name, at.start) {
        return known;
    }
    let diagnostic =
        Diagnostic::error("unknown-name", format!("There is no `{name}` here")).at(at.clone(), "");
    if matches!(name, "http" | "https") {
        return diagnostic.hint(format!("an address is a text: `\"{name}://…\"`"));
    }
    if vocabulary::builders().any(|builder| builder == name) {
        return diagnostic.hint(format!("a builder is called: `{name}(#{{ … }})`"));
    }
    let next = tree.token_after(at.end);
    let is_like_a_field = next.is_some_and(|next| tree.text_between(next.start, next.end) == ":");
    if is_set_at_top(tree, at) || is_like_a_field {
        return diagnostic.hint(format!(
            "fields are written in the builder call: `script(#{{ {name}: … }})`"
        ));
    }
    if is_in_interpolation(tree, at) {
        return diagnostic.hint(
            "in back-ticks `${…}` is read by the language: for the shell's variables write `#\"…\"#`",
        );
    }
    let scope = Scope::at(tree, at.start);
    let builders: Vec<&str> = vocabulary::builders().collect();
    let candidates = scope.names().iter().chain(&builders).copied();
    match did_you_mean(&vocabulary::near(name, candidates)) {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic.hint(format!("a text is written in quotes: `\"{name}\"`")),
    }
}

/// Whether the name is set like a field of a shell script: `version = …` at the top of the file.
fn is_set_at_top(tree: &SyntaxTree, at: &Span) -> bool {
    let is_target =
        |node: &Node| matches!(node.kind, NodeKind::Assign) && node.range.start == at.start;
    tree.statements()
        .iter()
        .filter_map(|id| tree.node(*id))
        .any(is_target)
}

fn is_in_interpolation(tree: &SyntaxTree, at: &Span) -> bool {
    tree.nodes()
        .iter()
        .any(|node| matches!(node.kind, NodeKind::Interpolated) && node.range.contains(at.start))
}
