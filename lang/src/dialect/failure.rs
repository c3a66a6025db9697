//! From errors of an evaluation to diagnostics.

use rhai::EvalAltResult;

use crate::diagnostic::{Diagnostic, Span, Trace};
use crate::dialect::complaint::{Complaint, Mistake};
use crate::dialect::frame::{Frame, Task, is_stdlib, position};
use crate::dialect::limits;
use crate::dialect::poison;
use crate::dialect::vocabulary;
use crate::source::SourcePath;

/// A call on the way to an error.
struct Call {
    path: SourcePath,
    at: rhai::Position,
    what: String,
}

/// The diagnostics of an error that ended the frame's evaluation; none when it is reported
/// elsewhere.
///
/// `start` is the file whose code was run, `fallback` the place for errors of the stdlib that no
/// call of the package's own code led to.
pub(crate) fn diagnostics(
    frame: &Frame<'_>,
    error: Box<EvalAltResult>,
    start: &SourcePath,
    fallback: &Span,
) -> Vec<Diagnostic> {
    let (mut calls, mut path, error) = calls_around(error, start);
    let at = error.position();
    if let Some(complaint) = unknown_builder(frame, &error) {
        if calls.is_empty() {
            frame.stop_at_unknown_builder(at);
        }
        calls.push(Call {
            path,
            at,
            what: String::new(),
        });
        return place(frame, &calls, complaint, fallback);
    }
    let complaint = describe(frame, *error);
    if complaint.is_silent() {
        frame.failed_elsewhere.set(true);
        return Vec::new();
    }
    if let Some(source) = complaint.source() {
        path = source.clone();
    }
    calls.push(Call {
        path,
        at,
        what: String::new(),
    });
    place(frame, &calls, complaint, fallback)
}

/// The calls that an error came through, outermost first, the file of the innermost, and the error
/// itself.
fn calls_around(
    error: Box<EvalAltResult>,
    start: &SourcePath,
) -> (Vec<Call>, SourcePath, Box<EvalAltResult>) {
    let mut calls = Vec::new();
    let mut path = start.clone();
    let mut error = error;
    loop {
        let at = error.position();
        match *error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, _) => {
                let what = format!("in `{name}`");
                calls.push(Call {
                    path: path.clone(),
                    at,
                    what,
                });
                if !source.is_empty() {
                    path = SourcePath::new(&source);
                }
                error = inner;
            }
            EvalAltResult::ErrorInModule(name, inner, _) => {
                let what = format!("importing `{name}`");
                calls.push(Call {
                    path: path.clone(),
                    at,
                    what,
                });
                path = SourcePath::new(&name);
                error = inner;
            }
            other => {
                *error = other;
                break;
            }
        }
    }
    (calls, path, error)
}

/// The way to the call that an error ended, which is the last of it: all calls, with the files they
/// are in.
pub(crate) fn way(
    frame: &Frame<'_>,
    error: Box<EvalAltResult>,
    start: &SourcePath,
    fallback: &Span,
) -> Vec<Trace> {
    let (mut calls, path, error) = calls_around(error, start);
    calls.push(Call {
        path,
        at: error.position(),
        what: String::new(),
    });
    let trace = |call: &Call| Trace {
        what: call.what.as_str().into(),
        span: span_of(frame, call, fallback),
    };
    calls.iter().map(trace).collect()
}

/// Puts a complaint at the innermost call of the user's own text; the way from there is the trace.
fn place(
    frame: &Frame<'_>,
    calls: &[Call],
    complaint: Complaint,
    fallback: &Span,
) -> Vec<Diagnostic> {
    let is_own = |call: &Call| !is_stdlib(call.path.as_str());
    // Rhai says of a stack that overflows only where the calls before it are.
    let own = calls
        .iter()
        .rposition(|call| is_own(call) && !call.at.is_none())
        .or_else(|| calls.iter().rposition(is_own));
    let last = calls.len().saturating_sub(1);
    let mistakes = complaint.into_mistakes().into_iter();
    let placed = mistakes.map(|mistake| {
        let written = mistake.site().and_then(|site| {
            let module = frame.module_at(&site.path)?;
            Some(module.span_at(site))
        });
        let span = match own.and_then(|own| calls.get(own).map(|call| (own, call))) {
            _ if written.is_some() => written.unwrap_or_else(|| fallback.clone()),
            Some((own, call)) if own == last => argument_span(frame, call, &mistake, fallback),
            Some((_, call)) => span_of(frame, call, fallback),
            None => fallback.clone(),
        };
        let mut diagnostic = mistake.diagnostic_at(span);
        for (index, call) in calls.iter().enumerate() {
            if Some(index) != own {
                let what = if index == last { "here" } else { &call.what };
                diagnostic = diagnostic.via(what, span_of(frame, call, fallback));
            }
        }
        // A function that calls itself is one step.
        diagnostic.trace.dedup();
        diagnostic
    });
    placed.collect()
}

fn span_of(frame: &Frame<'_>, call: &Call, fallback: &Span) -> Span {
    match frame.module_at(&call.path) {
        Some(module) if !call.at.is_none() => module.token_span(position(call.at)),
        _ => fallback.clone(),
    }
}

fn argument_span(frame: &Frame<'_>, call: &Call, mistake: &Mistake, fallback: &Span) -> Span {
    let found = frame.module_at(&call.path).and_then(|module| {
        let at = mistake.position_in(&module, call.at)?;
        Some(module.token_span(position(at)))
    });
    found.unwrap_or_else(|| span_of(frame, call, fallback))
}

/// Puts Rhai's errors into our words.
fn describe(frame: &Frame<'_>, error: EvalAltResult) -> Complaint {
    use EvalAltResult as E;
    if !matches!(error, E::ErrorRuntime(..)) && error.to_string().contains(poison::NAME) {
        return Complaint::elsewhere();
    }
    match error {
        E::ErrorRuntime(value, _) => match value.try_cast_result::<Complaint>() {
            Ok(complaint) => complaint,
            Err(value) => thrown(&value.to_string()),
        },
        E::ErrorVariableNotFound(name, _) => unknown_name(frame, &name),
        E::ErrorFunctionNotFound(signature, _) => unknown_function(frame, &signature),
        E::ErrorPropertyNotFound(name, _) => Complaint::new(
            "unknown-property",
            format!("There is no `{name}` in this map"),
        )
        .hint(format!("`\"{name}\" in …` tells whether it is there")),
        E::ErrorIndexNotFound(name, _) => Complaint::new(
            "unknown-property",
            format!("There is no `{name}` in this map"),
        )
        .hint(format!("`\"{name}\" in …` tells whether it is there")),
        E::ErrorTooManyOperations(_) => Complaint::new(
            "limit",
            format!("More than {} operations", limits::OPERATIONS_MAX),
        )
        .hint("a definition is data: look for a loop that does not end"),
        E::ErrorStackOverflow(_) => Complaint::new(
            "limit",
            format!("More than {} calls inside one another", limits::CALLS_MAX),
        )
        .hint("look for a function that calls itself"),
        E::ErrorTooManyVariables(_) => Complaint::limit("variables", limits::VARIABLES_MAX),
        E::ErrorTooManyModules(_) => Complaint::limit("imported files", limits::MODULES_MAX),
        E::ErrorDataTooLarge(what, _) => too_large(&what),
        E::ErrorArrayBounds(length, index, _) => Complaint::new(
            "out-of-bounds",
            format!("There is no item {index} in a list of {length}"),
        ),
        E::ErrorAssignmentToConstant(name, _) => {
            Complaint::new("assignment", format!("`{name}` is a constant"))
        }
        E::ErrorMismatchDataType(expected, found, _) => {
            Complaint::new("wrong-type", format!("Expected {expected}, found {found}"))
        }
        E::ErrorModuleNotFound(path, _) => Complaint::new(
            "unknown-module",
            format!("There is no file `{path}` to import"),
        ),
        mut other => {
            other.clear_position();
            Complaint::new("evaluation", other.to_string())
        }
    }
}

/// What a script throws: a message, and after it lines with facts and lines `hint: …`.
fn thrown(text: &str) -> Complaint {
    let mut lines = text.lines();
    let complaint = Complaint::new("thrown", lines.next().unwrap_or_default());
    lines.fold(complaint, |complaint, line| {
        match line.strip_prefix("hint: ") {
            Some(hint) => complaint.hint(hint),
            None => complaint.note(line),
        }
    })
}

fn too_large(what: &str) -> Complaint {
    let lower = what.to_lowercase();
    if lower.contains("string") {
        Complaint::limit("bytes in a text", limits::TEXT_BYTES_MAX)
    } else if lower.contains("map") {
        Complaint::limit("keys in a map", limits::MAP_KEYS_MAX)
    } else {
        Complaint::limit("items in a list", limits::LIST_ITEMS_MAX)
    }
}

fn unknown_name(frame: &Frame<'_>, name: &str) -> Complaint {
    let complaint = Complaint::new("unknown-name", format!("There is no `{name}` here"));
    if matches!(frame.task, Task::Expand { .. }) {
        complaint.hint(format!(
            "a function sees only its arguments: put the value in a field and read `p.{name}`"
        ))
    } else {
        complaint
    }
}

fn unknown_function(frame: &Frame<'_>, signature: &str) -> Complaint {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ""));
    let arguments: Vec<String> = arguments
        .trim_end_matches(')')
        .split(", ")
        .filter(|argument| !argument.is_empty())
        .map(kind_of_type)
        .collect();
    if let Some(usage) = vocabulary::usage_of(name) {
        // What stands before the dot is none of them.
        let before = usize::from(usage.starts_with('.'));
        let kinds: Vec<&str> = arguments.iter().skip(before).map(String::as_str).collect();
        return Complaint::wrong_arguments(name, &kinds);
    }
    if name.starts_with(|first: char| !first.is_alphanumeric() && first != '_') {
        let sides = arguments.join(" and ");
        return Complaint::new(
            "wrong-operands",
            format!("`{name}` does not work between {sides}"),
        )
        .hint("lists, maps and texts are joined with `+`; numbers are whole");
    }
    let own = own_functions(frame);
    let called = name.rsplit("::").next().unwrap_or(name);
    if let Some((_, count)) = own.iter().find(|(known, _)| known == called) {
        let found = arguments.len();
        let (values, number) = match count {
            1 => ("value", "one".to_owned()),
            count => ("values", count.to_string()),
        };
        return Complaint::new(
            "wrong-arguments",
            format!("`{name}` takes {number} {values}, not {found}"),
        )
        .hint("hand over as many as its `fn` names");
    }
    let complaint = Complaint::new("unknown-function", format!("There is no function `{name}`"));
    if let Some(reason) = vocabulary::absent(name) {
        return complaint.hint(reason);
    }
    let own = own.iter().map(|(known, _)| known.as_str());
    let names = vocabulary::names().chain(own);
    complaint.suggest(&vocabulary::near(called, names))
}

/// The functions of the file and of what it imports.
fn own_functions(frame: &Frame<'_>) -> Vec<(String, usize)> {
    let mut functions = frame.module.functions();
    for path in frame.imports.borrow().keys() {
        let module = frame.module_at(path).filter(|_| !is_stdlib(path.as_str()));
        functions.extend(module.into_iter().flat_map(|module| module.functions()));
    }
    functions
}

/// Says that there is no such builder, when a function that does not exist is called as one.
fn unknown_builder(frame: &Frame<'_>, error: &EvalAltResult) -> Option<Complaint> {
    let EvalAltResult::ErrorFunctionNotFound(signature, _) = error else {
        return None;
    };
    let name = signature.strip_suffix(" (map)")?;
    let is_builder = matches!(frame.task, Task::Define { .. })
        && vocabulary::usage_of(name).is_none()
        && vocabulary::absent(name).is_none();
    is_builder.then(|| {
        let complaint = Complaint::new("unknown-builder", format!("There is no builder `{name}`"));
        let near = vocabulary::near(name, vocabulary::builders());
        if near.is_empty() {
            let builders: Vec<String> = vocabulary::builders()
                .map(|builder| format!("`{builder}`"))
                .collect();
            complaint.hint(format!("the builders are {}", builders.join(", ")))
        } else {
            complaint.suggest(&near)
        }
    })
}

/// Rhai's name of a type in the words of the rest of our messages.
fn kind_of_type(name: &str) -> String {
    match name.rsplit(" | ").next().unwrap_or(name) {
        "i64" => "a number",
        "array" => "a list",
        "map" => "a map",
        "bool" => "`true` or `false`",
        "char" => "a character",
        "()" => "nothing",
        "Fn" => "a function",
        other if other.to_lowercase().contains("string") => "text",
        other => other,
    }
    .to_owned()
}
