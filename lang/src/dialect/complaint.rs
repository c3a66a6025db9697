//! What the functions of the dialect refuse.

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::diagnostic::{Diagnostic, Span};
use crate::dialect::calls::{EntryPart, FieldStep};
use crate::dialect::frame::{CallWithComplaint, position, with_frame};
use crate::dialect::values::Fallible;
use crate::dialect::vocabulary;
use crate::expression::Site;
use crate::language::Module;
use crate::source::SourcePath;

/// What a function of ours refuses, on its way through Rhai as the value of a runtime error: one
/// mistake or several of one call.
#[derive(Clone, Debug)]
pub(crate) struct Complaint {
    /// Invariant: at least one; when one is audible, all are.
    mistakes: Vec<Mistake>,
    /// The file of the call, once it is raised.
    source: Option<SourcePath>,
}

/// One mistake of a call.
#[derive(Clone, Debug)]
pub(crate) struct Mistake {
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
    /// Whether it is reported elsewhere and stays silent here.
    silent: bool,
}

#[derive(Clone, Debug)]
enum OwnedStep {
    Key(String),
    Item(usize),
}

impl OwnedStep {
    fn borrowed(&self) -> FieldStep<'_> {
        match self {
            Self::Key(key) => FieldStep::Key(key),
            Self::Item(index) => FieldStep::Item(*index),
        }
    }
}

impl Complaint {
    /// A complaint about a call.
    pub(crate) fn new(id: &'static str, message: impl Into<String>) -> Self {
        let mistake = Mistake {
            id,
            message: message.into(),
            label: String::new(),
            notes: Vec::new(),
            hints: Vec::new(),
            argument: None,
            steps: Vec::new(),
            part: EntryPart::Value,
            site: None,
            silent: false,
        };
        Self {
            mistakes: vec![mistake],
            source: None,
        }
    }

    /// All values, or all that is wrong with them.
    pub(crate) fn all<T, C: FromIterator<T>>(
        read: impl IntoIterator<Item = Result<T, Self>>,
    ) -> Result<C, Self> {
        let mut wrong: Option<Self> = None;
        let values = read.into_iter().filter_map(|read| match read {
            Ok(value) => Some(value),
            Err(complaint) => {
                wrong = Some(match wrong.take() {
                    Some(before) => before.and(complaint),
                    None => complaint,
                });
                None
            }
        });
        let values = values.collect();
        match wrong {
            Some(wrong) => Err(wrong),
            None => Ok(values),
        }
    }

    /// Two values of one call, or all that is wrong with them.
    pub(crate) fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) => Err(a.and(b)),
            (Err(wrong), Ok(_)) | (Ok(_), Err(wrong)) => Err(wrong),
        }
    }

    /// What another complaint says of the same call, too.
    fn and(mut self, other: Self) -> Self {
        self.mistakes.extend(other.mistakes);
        if self.mistakes.iter().any(|mistake| !mistake.silent) {
            self.mistakes.retain(|mistake| !mistake.silent);
        }
        self
    }

    fn each(mut self, change: impl FnMut(&mut Mistake)) -> Self {
        self.mistakes.iter_mut().for_each(change);
        self
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

    /// A complaint about a call with values of the wrong kinds, or with too many or too few.
    pub(crate) fn wrong_arguments(name: &str, kinds: &[&str]) -> Self {
        let with = if kinds.is_empty() {
            "nothing".to_owned()
        } else {
            kinds.join(", ")
        };
        let complaint = Self::new(
            "wrong-arguments",
            format!("`{name}` cannot be called with {with}"),
        );
        match vocabulary::usage_of(name) {
            Some(usage) => complaint.hint(format!("it is called as `{usage}`")),
            None => complaint,
        }
    }

    /// Ends the evaluation without a word: the mistake is reported where it is.
    pub(crate) fn elsewhere() -> Self {
        Self::new("elsewhere", "another file has errors").each(|mistake| mistake.silent = true)
    }

    /// Whether it is reported elsewhere.
    pub(crate) fn is_silent(&self) -> bool {
        self.mistakes.iter().all(|mistake| mistake.silent)
    }

    /// The file of the call, once it is raised.
    pub(crate) fn source(&self) -> Option<&SourcePath> {
        self.source.as_ref()
    }

    /// The mistakes, at least one.
    pub(crate) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// Blames one argument, from 0; the value before the dot of a method does not count.
    pub(crate) fn argument(self, index: usize) -> Self {
        self.each(|mistake| mistake.argument = Some(index))
    }

    /// Blames the value of a key in an argument, and in it what is blamed already.
    pub(crate) fn under(self, index: usize, key: &str) -> Self {
        self.each(|mistake| {
            mistake.argument = Some(index);
            mistake.steps.insert(0, OwnedStep::Key(key.to_owned()));
        })
    }

    /// Blames an item of a list in the argument.
    pub(crate) fn item(self, index: usize) -> Self {
        self.each(|mistake| mistake.steps.push(OwnedStep::Item(index)))
    }

    /// Blames an item of a list around what is blamed already.
    pub(crate) fn in_item(self, index: usize) -> Self {
        self.each(|mistake| mistake.steps.insert(0, OwnedStep::Item(index)))
    }

    /// Blames the value of a key in the argument.
    pub(crate) fn key(self, key: &str) -> Self {
        self.each(|mistake| mistake.steps.push(OwnedStep::Key(key.to_owned())))
    }

    /// Blames a key in the argument that should not be there.
    pub(crate) fn wrong_key(self, key: &str) -> Self {
        self.key(key).each(|mistake| mistake.part = EntryPart::Key)
    }

    /// Blames a value where it was written instead of where it is used.
    pub(crate) fn written_at(self, site: &Site) -> Self {
        self.each(|mistake| mistake.site = Some(site.clone()))
    }

    /// What stands below the token.
    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        let label = label.into();
        self.each(|mistake| mistake.label.clone_from(&label))
    }

    /// Adds a fact.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        let note = note.into();
        self.each(|mistake| mistake.notes.push(note.clone()))
    }

    /// Adds what to do.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.each(|mistake| mistake.hints.push(hint.clone()))
    }

    /// Adds a suggestion of names, if there are any.
    pub(crate) fn suggest(self, names: &[String]) -> Self {
        match vocabulary::did_you_mean(names) {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Lets the evaluation go on with what `otherwise` gives when the mistake is said already: by a
    /// round before, or where it is. Ends it when this is the round that says it.
    pub(crate) fn settle<T>(
        self,
        ctx: &NativeCallContext<'_>,
        otherwise: impl FnOnce() -> T,
    ) -> Fallible<T> {
        let operations = ctx.global_runtime_state().num_operations();
        let call = CallWithComplaint {
            source: ctx.call_source().unwrap_or_default().to_owned(),
            at: position(ctx.call_position()),
            id: self.mistakes.first().map_or("", |mistake| mistake.id),
        };
        if with_frame(|frame| frame.is_settled(&self, call, operations)) {
            Ok(otherwise())
        } else {
            Err(self.raise(ctx))
        }
    }

    /// The error that carries it.
    #[expect(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]
    pub(crate) fn raise(mut self, ctx: &NativeCallContext<'_>) -> Box<EvalAltResult> {
        self.source = ctx.call_source().map(SourcePath::new);
        let at = ctx.call_position();
        Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(self), at))
    }

    /// The diagnostics at a place: of what is not reported elsewhere.
    pub(crate) fn diagnostics_at(self, span: &Span) -> Vec<Diagnostic> {
        let audible = self.mistakes.into_iter().filter(|mistake| !mistake.silent);
        audible
            .map(|mistake| mistake.diagnostic_at(span.clone()))
            .collect()
    }

    /// The diagnostic without a place; of the first mistake.
    pub(crate) fn diagnostic(self) -> Option<Diagnostic> {
        self.mistakes.into_iter().next().map(Mistake::diagnostic)
    }
}

impl Mistake {
    /// Where the value was written, when it is another place than the call.
    pub(crate) fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// Where in the file of a call the blamed argument is written.
    pub(crate) fn position_in(&self, module: &Module, call: Position) -> Option<Position> {
        let steps: Vec<FieldStep<'_>> = self.steps.iter().map(OwnedStep::borrowed).collect();
        module.argument(call, self.argument?, &steps, self.part)
    }

    /// The diagnostic at its place.
    pub(crate) fn diagnostic_at(mut self, span: Span) -> Diagnostic {
        let label = std::mem::take(&mut self.label);
        self.diagnostic().at(span, label)
    }

    fn diagnostic(self) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.id, self.message);
        diagnostic.notes = self.notes;
        diagnostic.hints = self.hints;
        if diagnostic.hints.is_empty() {
            diagnostic.hints.extend(advice(self.id).map(str::to_owned));
        }
        diagnostic
    }
}

/// What to do about a kind of mistake, where nothing better is known.
fn advice(id: &str) -> Option<&'static str> {
    Some(match id {
        "assignment" => "define it with `let`",
        "bad-glob" => "globs are relative to the output, as in `usr/bin/*`",
        "bad-name" => "names look like `dev` or `dev-tools`",
        "bad-number" => "write a whole number in that range",
        "bad-path" => "paths are absolute or relative to `.cd(…)`, without `..` and empty parts",
        "bad-text" => "write a text without it",
        "bad-url" => "an address begins with `https://` or `http://` and has no blanks",
        "empty-command" => {
            "write a program and its arguments, `[\"/bin/tool\", \"argument\"]`, or a script"
        }
        "empty-output" => "list globs of what it keeps, as in `[\"usr/bin/*\"]`",
        "missing-field" => "set it in the builder call, or leave this out",
        "missing-file" => "put it beside the definition, or write its name as it is there",
        "out-of-bounds" => "items are counted from 0",
        "unknown-function" => {
            "functions of the file are written `fn name(a) { … }`; for the others see the reference"
        }
        "unknown-property" => "whether a key is there is asked by `\"name\" in map`",
        "wrong-type" => "write a value of that kind, or leave out what asks for it",
        _ => return None,
    })
}
