//! From errors of an evaluation to diagnostics.

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use crate::diagnostic::{Diagnostic, Span};
use crate::dialect::calls::{EntryPart, FieldStep};
use crate::dialect::frame::{Frame, is_stdlib, position};
use crate::dialect::limits;
use crate::dialect::vocabulary;
use crate::expression::Site;
use crate::source::SourcePath;

/// What a function of ours refuses, on its way through Rhai as the value of a runtime error.
#[derive(Clone, Debug)]
pub(crate) struct Complaint {
    /// Kind of mistake.
    id: &'static str,
    message: String,
    label: String,
    notes: Vec<String>,
    hints: Vec<String>,
    /// Which argument is wrong; none for the call as a whole.
    argument: Option<usize>,
    /// What leads to the wrong value inside the argument.
    steps: Vec<OwnedStep>,
    /// Whether the key itself is wrong, or its value.
    part: EntryPart,
    /// Where the value was written, when it is another place than the call.
    site: Option<Site>,
    /// The file of the call.
    source: Option<SourcePath>,
    /// Whether it is reported elsewhere and stays silent here.
    silent: bool,
}

#[derive(Clone, Debug)]
enum OwnedStep {
    Key(String),
    Item(usize),
}

impl Complaint {
    /// A complaint about a call.
    pub(crate) fn new(id: &'static str, message: impl Into<String>) -> Self {
        Self {
            id,
            message: message.into(),
            label: String::new(),
            notes: Vec::new(),
            hints: Vec::new(),
            argument: None,
            steps: Vec::new(),
            part: EntryPart::Value,
            site: None,
            source: None,
            silent: false,
        }
    }

    /// A complaint about a limit.
    pub(crate) fn limit(what: &str, max: usize) -> Self {
        let hint = match what {
            "bytes in a text" => {
                "long text belongs in a file beside the definition: `file(\"name\")`"
            }
            "items in a list" | "keys in a map" => "look for a loop that grows without an end",
            "variables" => "take some of them together in a map",
            "imported files" => "put functions that belong together in one file",
            _ => "a definition is small: divide it",
        };
        Self::new("limit", format!("More than {max} {what}")).hint(hint)
    }

    /// Ends the evaluation without a word: the mistake is reported where it is.
    pub(crate) fn elsewhere() -> Self {
        Self {
            silent: true,
            ..Self::new("elsewhere", "another file has errors")
        }
    }

    /// Whether it is reported elsewhere.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Blames one argument, from 0; the value before the dot of a method does not count.
    pub(crate) fn argument(mut self, index: usize) -> Self {
        self.argument = Some(index);
        self
    }

    /// Blames the value of a key in an argument, and in it what is blamed already.
    pub(crate) fn under(mut self, index: usize, key: &str) -> Self {
        self.argument = Some(index);
        self.steps.insert(0, OwnedStep::Key(key.to_owned()));
        self
    }

    /// Blames an item of a list in the argument.
    pub(crate) fn item(mut self, index: usize) -> Self {
        self.steps.push(OwnedStep::Item(index));
        self
    }

    /// Blames an item of a list around what is blamed already.
    pub(crate) fn in_item(mut self, index: usize) -> Self {
        self.steps.insert(0, OwnedStep::Item(index));
        self
    }

    /// Blames the value of a key in the argument.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.steps.push(OwnedStep::Key(key.to_owned()));
        self
    }

    /// Blames a key in the argument that should not be there.
    pub(crate) fn wrong_key(mut self, key: &str) -> Self {
        self.part = EntryPart::Key;
        self.key(key)
    }

    /// Blames a value where it was written instead of where it is used.
    pub(crate) fn written_at(mut self, site: &Site) -> Self {
        self.site = Some(site.clone());
        self
    }

    /// What stands below the token.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a fact.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a suggestion of names, if there are any.
    pub(crate) fn suggest(self, names: &[String]) -> Self {
        match vocabulary::did_you_mean(names) {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The error that carries it.
    pub(crate) fn raise(mut self, ctx: &NativeCallContext<'_>) -> Box<EvalAltResult> {
        self.source = ctx.call_source().map(SourcePath::new);
        let at = ctx.call_position();
        Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(self), at))
    }

    /// The diagnostic at the complaint's place in a file that is not being evaluated any further.
    pub(crate) fn diagnostic_at(mut self, span: Span) -> Diagnostic {
        let label = std::mem::take(&mut self.label);
        Diagnostic::from(self).at(span, label)
    }
}

impl From<Complaint> for Diagnostic {
    fn from(complaint: Complaint) -> Self {
        let mut diagnostic = Self::error(complaint.id, complaint.message);
        diagnostic.notes = complaint.notes;
        diagnostic.hints = complaint.hints;
        diagnostic
    }
}

/// A call on the way to an error.
struct Call {
    path: SourcePath,
    at: rhai::Position,
    what: String,
}

/// The diagnostic of an error that ended the frame's evaluation; none when it is reported elsewhere.
///
/// `start` is the file whose code was run, `fallback` the place for errors of the stdlib that no call
/// of the package's own code led to.
pub(crate) fn diagnostic(
    frame: &Frame<'_>,
    error: Box<EvalAltResult>,
    start: &SourcePath,
    fallback: &Span,
) -> Option<Diagnostic> {
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
                error = Box::new(other);
                break;
            }
        }
    }
    let at = error.position();
    let complaint = describe(frame, *error);
    if complaint.silent {
        frame.failed_elsewhere.set(true);
        return None;
    }
    if let Some(source) = &complaint.source {
        path = source.clone();
    }
    calls.push(Call {
        path,
        at,
        what: String::new(),
    });
    Some(place(frame, &calls, complaint, fallback))
}

/// Puts a complaint at the innermost call of the user's own text; the way from there is the trace.
fn place(frame: &Frame<'_>, calls: &[Call], complaint: Complaint, fallback: &Span) -> Diagnostic {
    let is_own = |call: &Call| !is_stdlib(call.path.as_str());
    // Rhai says of a stack that overflows only where the calls before it are.
    let own = calls
        .iter()
        .rposition(|call| is_own(call) && !call.at.is_none())
        .or_else(|| calls.iter().rposition(is_own));
    let last = calls.len().saturating_sub(1);
    let written = complaint.site.as_ref().and_then(|site| {
        let module = frame.module_at(&site.path)?;
        Some(module.span_at(site))
    });
    let span = match own.and_then(|own| calls.get(own).map(|call| (own, call))) {
        _ if written.is_some() => written.unwrap_or_else(|| fallback.clone()),
        Some((own, call)) if own == last => argument_span(frame, call, &complaint, fallback),
        Some((_, call)) => span_of(frame, call, fallback),
        None => fallback.clone(),
    };
    let mut diagnostic = complaint.diagnostic_at(span);
    for (index, call) in calls.iter().enumerate() {
        if Some(index) != own {
            let what = if index == last { "here" } else { &call.what };
            diagnostic = diagnostic.via(what, span_of(frame, call, fallback));
        }
    }
    // A function that calls itself is one step.
    diagnostic.trace.dedup();
    diagnostic
}

fn span_of(frame: &Frame<'_>, call: &Call, fallback: &Span) -> Span {
    match frame.module_at(&call.path) {
        Some(module) if !call.at.is_none() => module.token_span(position(call.at)),
        _ => fallback.clone(),
    }
}

fn argument_span(frame: &Frame<'_>, call: &Call, complaint: &Complaint, fallback: &Span) -> Span {
    let steps: Vec<FieldStep<'_>> = complaint
        .steps
        .iter()
        .map(|step| match step {
            OwnedStep::Key(key) => FieldStep::Key(key),
            OwnedStep::Item(index) => FieldStep::Item(*index),
        })
        .collect();
    let found = complaint.argument.and_then(|argument| {
        let module = frame.module_at(&call.path)?;
        let at = module.argument(call.at, argument, &steps, complaint.part)?;
        Some(module.token_span(position(at)))
    });
    found.unwrap_or_else(|| span_of(frame, call, fallback))
}

/// Puts Rhai's errors into our words.
fn describe(frame: &Frame<'_>, error: EvalAltResult) -> Complaint {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) => match value.try_cast_result::<Complaint>() {
            Ok(complaint) => complaint,
            Err(value) => thrown(&value.to_string()),
        },
        E::ErrorVariableNotFound(name, _) => unknown_name(frame, &name),
        E::ErrorFunctionNotFound(signature, _) => unknown_function(&signature),
        E::ErrorPropertyNotFound(name, _) => Complaint::new(
            "unknown-property",
            format!("There is no `{name}` in this map"),
        ),
        E::ErrorIndexNotFound(name, _) => Complaint::new(
            "unknown-property",
            format!("There is no `{name}` in this map"),
        ),
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
    if matches!(frame.task, crate::dialect::frame::Task::Expand { .. }) {
        complaint.hint(format!(
            "a function sees only its arguments: put the value in a field and read `p.{name}`"
        ))
    } else {
        complaint
    }
}

fn unknown_function(signature: &str) -> Complaint {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ""));
    let arguments: Vec<String> = arguments
        .trim_end_matches(')')
        .split(", ")
        .filter(|argument| !argument.is_empty())
        .map(kind_of_type)
        .collect();
    if let Some(usage) = vocabulary::usage(name) {
        let with = if arguments.is_empty() {
            "nothing".to_owned()
        } else {
            arguments.join(", ")
        };
        return Complaint::new(
            "wrong-arguments",
            format!("`{name}` cannot be called with {with}"),
        )
        .hint(format!("it is called as `{usage}`"));
    }
    if name.starts_with(|first: char| !first.is_alphanumeric() && first != '_') {
        let sides = arguments.join(" and ");
        return Complaint::new(
            "wrong-operands",
            format!("`{name}` does not work between {sides}"),
        );
    }
    let complaint = Complaint::new("unknown-function", format!("There is no function `{name}`"));
    match vocabulary::absent(name) {
        Some(reason) => complaint.hint(reason),
        None => complaint.suggest(&vocabulary::near(name, vocabulary::names())),
    }
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
