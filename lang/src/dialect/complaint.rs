//! What the functions of the dialect refuse.

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::diagnostic::{Diagnostic, Span};
use crate::dialect::calls::{EntryPart, FieldStep};
use crate::dialect::vocabulary;
use crate::expression::Site;
use crate::language::Module;
use crate::source::SourcePath;

/// What a function of ours refuses, on its way through Rhai as the value of a runtime error.
#[derive(Clone, Debug)]
pub(crate) struct Complaint(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
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
        Self(Box::new(Parts {
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
        }))
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
        let mut complaint = Self::new("elsewhere", "another file has errors");
        complaint.0.silent = true;
        complaint
    }

    /// Whether it is reported elsewhere.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.silent
    }

    /// The file of the call, once it is raised.
    pub(crate) fn source(&self) -> Option<&SourcePath> {
        self.0.source.as_ref()
    }

    /// Where the value was written, when it is another place than the call.
    pub(crate) fn site(&self) -> Option<&Site> {
        self.0.site.as_ref()
    }

    /// Where in the file of a call the blamed argument is written.
    pub(crate) fn position_in(&self, module: &Module, call: Position) -> Option<Position> {
        let steps: Vec<FieldStep<'_>> = self.0.steps.iter().map(OwnedStep::borrowed).collect();
        module.argument(call, self.0.argument?, &steps, self.0.part)
    }

    /// Blames one argument, from 0; the value before the dot of a method does not count.
    pub(crate) fn argument(mut self, index: usize) -> Self {
        self.0.argument = Some(index);
        self
    }

    /// Blames the value of a key in an argument, and in it what is blamed already.
    pub(crate) fn under(mut self, index: usize, key: &str) -> Self {
        self.0.argument = Some(index);
        self.0.steps.insert(0, OwnedStep::Key(key.to_owned()));
        self
    }

    /// Blames an item of a list in the argument.
    pub(crate) fn item(mut self, index: usize) -> Self {
        self.0.steps.push(OwnedStep::Item(index));
        self
    }

    /// Blames an item of a list around what is blamed already.
    pub(crate) fn in_item(mut self, index: usize) -> Self {
        self.0.steps.insert(0, OwnedStep::Item(index));
        self
    }

    /// Blames the value of a key in the argument.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.0.steps.push(OwnedStep::Key(key.to_owned()));
        self
    }

    /// Blames a key in the argument that should not be there.
    pub(crate) fn wrong_key(mut self, key: &str) -> Self {
        self.0.part = EntryPart::Key;
        self.key(key)
    }

    /// Blames a value where it was written instead of where it is used.
    pub(crate) fn written_at(mut self, site: &Site) -> Self {
        self.0.site = Some(site.clone());
        self
    }

    /// What stands below the token.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }

    /// Adds a fact.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.push(note.into());
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
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
    #[expect(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]
    pub(crate) fn raise(mut self, ctx: &NativeCallContext<'_>) -> Box<EvalAltResult> {
        self.0.source = ctx.call_source().map(SourcePath::new);
        let at = ctx.call_position();
        Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(self), at))
    }

    /// The diagnostic at the complaint's place in a file that is not being evaluated any further.
    pub(crate) fn diagnostic_at(mut self, span: Span) -> Diagnostic {
        let label = std::mem::take(&mut self.0.label);
        Diagnostic::from(self).at(span, label)
    }
}

impl From<Complaint> for Diagnostic {
    fn from(complaint: Complaint) -> Self {
        let Parts {
            id,
            message,
            notes,
            hints,
            ..
        } = *complaint.0;
        let mut diagnostic = Self::error(id, message);
        diagnostic.notes = notes;
        diagnostic.hints = hints;
        diagnostic
    }
}
