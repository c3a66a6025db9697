//! Reads the fields of a builder call, checks each against the schema, reports all mistakes.

mod outputs;

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Map, NativeCallContext};
use stxl_model::OutputName;

use crate::definition::{Fields, Value};
use crate::diagnostic::Span;
use crate::dialect::calls::{EntryPart, FieldStep};
use crate::dialect::complaint::Complaint;
use crate::dialect::constructors::{self, how_written};
use crate::dialect::frame::{Frame, position};
use crate::dialect::poison::Poison;
use crate::dialect::values::{NotData, kind_of, to_value};
use crate::dialect::vocabulary;
use crate::expression::{Operand, Site};
use crate::language::Module;
use crate::mistakes;
use crate::schema::{BuilderSchema, FieldKind, FieldSchema, OtherFields};
use crate::source::SourcePath;

/// A call whose argument is a map of fields.
pub(crate) struct FieldReader<'a> {
    frame: &'a Frame<'a>,
    path: SourcePath,
    call: rhai::Position,
    module: Option<Arc<Module>>,
    builder: &'static BuilderSchema,
}

type Steps<'a> = [FieldStep<'a>];

impl<'a> FieldReader<'a> {
    /// A reader for the call under way.
    pub(crate) fn new(
        frame: &'a Frame<'a>,
        ctx: &NativeCallContext<'_>,
        builder: &'static BuilderSchema,
    ) -> Self {
        let mut path = frame.caller(ctx);
        let mut module = frame.module_at(&path);
        let mut call = ctx.call_position();
        // A function of `lib` hands on what the package wrote: mistakes are there.
        if path != *frame.module.path()
            && module
                .as_ref()
                .is_some_and(|module| !module.takes_literal_map(call))
            && let Some(own) = frame.module.final_call()
        {
            path = frame.module.path().clone();
            module = Some(Arc::clone(frame.module));
            call = own;
        }
        Self {
            frame,
            path,
            call,
            module,
            builder,
        }
    }

    /// Tells who watches the evaluation of the call.
    pub(crate) fn watched(&self, map: &Map) -> Result<(), Complaint> {
        let Some(watch) = self.frame.watch else {
            return Ok(());
        };
        watch.builder_call(
            |field| map.contains_key(field),
            |steps| {
                let at = |steps| self.position(steps, EntryPart::Value);
                let around = steps.split_last().map_or(steps, |(_, around)| around);
                let is_written = at(steps) != at(around);
                (self.span(steps, EntryPart::Value), is_written)
            },
        )
    }

    /// Reads all fields; those with mistakes are left out and reported.
    pub(crate) fn read(&self, map: &Map) -> Fields {
        let mut fields = Fields::new();
        for (name, value) in map {
            let said = self.frame.problems.borrow().len();
            let elsewhere = self.frame.failed_elsewhere.replace(false);
            let value = self.field(name, value);
            let is_wrong = value.is_none()
                || self.frame.problems.borrow().len() > said
                || self.frame.failed_elsewhere.get();
            if elsewhere {
                self.frame.failed_elsewhere.set(true);
            }
            if is_wrong {
                let mut wrong = self.frame.wrong_fields.borrow_mut();
                wrong.insert(name.to_string());
                // What it is a slip of is not known either.
                let names = self.builder.fields().map(|field| field.name);
                wrong.extend(
                    names
                        .filter(|field| self.is_slip(name, field))
                        .map(str::to_owned),
                );
            }
            if let Some(value) = value {
                fields.insert(name.as_str().into(), value);
            }
        }
        fields
    }

    /// Reports the required fields that are not among the names.
    pub(crate) fn require(&self, map: &Map) {
        for field in self.builder.fields() {
            // A field that is unknown and near to this one is this one: it is said there.
            let has_slip = || map.keys().any(|name| self.is_slip(name, field.name));
            if field.required && !map.contains_key(field.name) {
                let mut wrong = self.frame.wrong_fields.borrow_mut();
                wrong.insert(field.name.to_owned());
            }
            if field.required && !map.contains_key(field.name) && !has_slip() {
                self.report(
                    &[],
                    EntryPart::Value,
                    Complaint::new(
                        "missing-field",
                        format!("`{}` needs the field `{}`", self.builder.name, field.name),
                    )
                    .hint(format!(
                        "`{}` is {}",
                        field.name,
                        field.kind.expected()
                    )),
                );
            }
        }
    }

    /// Reports a complaint about a value inside the map.
    pub(crate) fn report(&self, steps: &Steps<'_>, part: EntryPart, complaint: Complaint) {
        if complaint.is_silent() {
            return self.frame.failed_elsewhere.set(true);
        }
        for diagnostic in complaint.diagnostics_at(&self.span(steps, part)) {
            self.frame.report(diagnostic);
        }
    }

    fn span(&self, steps: &Steps<'_>, part: EntryPart) -> Span {
        let module = self.module.as_deref().unwrap_or(self.frame.module);
        module.token_span(position(self.position(steps, part)))
    }

    /// Reports a value that is nothing: at its key, and at the `if` that gives it.
    fn report_nothing(&self, steps: &Steps<'_>, complaint: Complaint) {
        let module = self.module.as_deref().unwrap_or(self.frame.module);
        let value = self.span(steps, EntryPart::Value);
        let Some(condition) = mistakes::if_without_else(module.syntax(), &value) else {
            let hint = "a field that is not wanted is left out";
            return self.report(steps, EntryPart::Value, complaint.hint(hint));
        };
        let said = complaint
            .hint("add an `else`, as in `if … { [\"core/x\"] } else { [] }`")
            .diagnostics_at(&self.span(steps, EntryPart::Key));
        for diagnostic in said {
            let why = "this `if` gives nothing when its condition is false";
            self.frame.report(diagnostic.also(condition.clone(), why));
        }
    }

    fn position(&self, steps: &Steps<'_>, part: EntryPart) -> rhai::Position {
        if steps.is_empty() {
            return self.call;
        }
        let found = self
            .module
            .as_ref()
            .and_then(|module| module.argument(self.call, 0, steps, part));
        found.unwrap_or(self.call)
    }

    fn site(&self, steps: &Steps<'_>) -> Site {
        let reported = position(self.position(steps, EntryPart::Value));
        let at = self
            .module
            .as_ref()
            .map_or(reported, |module| module.resolve(reported));
        Site {
            path: self.path.clone(),
            line: at.line,
            column: at.column,
        }
    }

    fn field(&self, name: &str, value: &Dynamic) -> Option<Value> {
        let steps = [FieldStep::Key(name)];
        let Some(schema) = self.builder.field(name) else {
            return self.other_field(name, value, &steps);
        };
        self.value(schema, value, &steps)
    }

    fn other_field(&self, name: &str, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        let names = self.builder.fields().map(|field| field.name);
        let near = match self.builder.other_fields {
            OtherFields::Refused => vocabulary::near(name, names),
            OtherFields::Data => {
                let near = vocabulary::mistyped(name, names);
                if near.is_empty() {
                    return self.data(value, steps);
                }
                near
            }
            OtherFields::Unknown => return None,
        };
        let builder = self.builder.name;
        let complaint = Complaint::new(
            "unknown-field",
            format!("There is no field `{name}` in `{builder}`"),
        );
        self.report(steps, EntryPart::Key, complaint.suggest(&near));
        None
    }

    /// Whether a name is no field, and near to one.
    fn is_slip(&self, name: &str, field: &str) -> bool {
        let names = std::iter::once(field);
        self.builder.field(name).is_none()
            && match self.builder.other_fields {
                OtherFields::Refused => !vocabulary::near(name, names).is_empty(),
                OtherFields::Data => !vocabulary::mistyped(name, names).is_empty(),
                OtherFields::Unknown => false,
            }
    }

    fn data(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        match to_value(value) {
            Ok(value) => Some(value),
            Err(NotData::Poison) => {
                self.frame.failed_elsewhere.set(true);
                None
            }
            Err(NotData::Other(found)) => {
                let complaint =
                    Complaint::new("wrong-type", format!("Expected data, found {found}"));
                let complaint = complaint.hint(if value.is_fnptr() {
                    "functions stand below the call and its `;`, as in `fn build(p) { … }`"
                } else {
                    "fields hold texts, numbers, lists, maps, references, sources and files"
                });
                self.report(steps, EntryPart::Value, complaint);
                None
            }
        }
    }

    fn value(&self, schema: &FieldSchema, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        match schema.kind {
            FieldKind::Version => self.version(value, steps),
            FieldKind::Text => self.text(schema, value, steps),
            FieldKind::Bool => match value.as_bool() {
                Ok(truth) => Some(Value::Bool(truth)),
                Err(_) => self.wrong(schema.kind.expected(), value, steps),
            },
            FieldKind::Arguments => self.list(schema.kind, value, steps, |item, steps| {
                self.text(schema, item, steps)
            }),
            FieldKind::Script => self.script(value, steps),
            FieldKind::References => self.list(schema.kind, value, steps, |item, steps| {
                self.reference(item, steps)
            }),
            FieldKind::Base if value.is_array() => {
                self.list(schema.kind, value, steps, |item, steps| {
                    self.reference(item, steps)
                })
            }
            FieldKind::Base => self
                .reference(value, steps)
                .map(|base| Value::List(vec![base])),
            FieldKind::Patches => self.list(schema.kind, value, steps, |item, steps| {
                self.patch(item, steps)
            }),
            FieldKind::Source => self.source(value, steps),
            FieldKind::Sources => self.map(schema.kind, value, steps, |_, item, steps| {
                self.source(item, steps)
            }),
            FieldKind::Env => self.map(schema.kind, value, steps, |name, item, steps| {
                self.variable(schema, name, item, steps)
            }),
            FieldKind::Seeds => self.map(schema.kind, value, steps, |_, item, steps| {
                self.seed(item, steps)
            }),
            FieldKind::Scripts => self.map(schema.kind, value, steps, |name, item, steps| {
                // A test is asked for by name, as an output is.
                if let Err(error) = OutputName::parse(name) {
                    let complaint = Complaint::new("bad-name", "The name of a test is not valid")
                        .note(error.to_string());
                    self.report(steps, EntryPart::Key, complaint);
                    return None;
                }
                self.script(item, steps)
            }),
            FieldKind::Outputs => self.map(schema.kind, value, steps, |name, item, steps| {
                self.output(name, item, steps)
            }),
            FieldKind::Platforms => self.list(schema.kind, value, steps, |item, steps| {
                self.platform(item, steps)
            }),
            FieldKind::Texts | FieldKind::Paths => {
                self.map(schema.kind, value, steps, |_, item, steps| {
                    self.text(schema, item, steps)
                })
            }
            FieldKind::Lock => self.lock(value, steps),
            FieldKind::Data => self.data(value, steps),
        }
    }

    fn wrong(&self, expected: &str, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        if Poison::is(value) {
            self.frame.failed_elsewhere.set(true);
            return None;
        }
        let name = steps.first().map(|step| match step {
            FieldStep::Key(name) => *name,
            FieldStep::Item(_) => "",
        });
        let message = match (name, steps.len()) {
            (Some(name), 1) => {
                format!("Expected {expected} in `{name}`, found {}", kind_of(value))
            }
            _ => format!("Expected {expected}, found {}", kind_of(value)),
        };
        let mut complaint = Complaint::new("wrong-type", message);
        if value.is_unit() {
            self.report_nothing(steps, complaint);
            return None;
        }
        let hint = how_written(expected, value);
        if let Some(hint) = hint {
            complaint = complaint.hint(hint);
        }
        self.report(steps, EntryPart::Value, complaint);
        None
    }

    fn list(
        &self,
        kind: FieldKind,
        value: &Dynamic,
        steps: &Steps<'_>,
        read: impl Fn(&Dynamic, &Steps<'_>) -> Option<Value>,
    ) -> Option<Value> {
        let Ok(items) = value.as_array_ref() else {
            return self.wrong(kind.expected(), value, steps);
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            values.extend(read(item, &deeper(steps, FieldStep::Item(index))));
        }
        Some(Value::List(values))
    }

    fn map(
        &self,
        kind: FieldKind,
        value: &Dynamic,
        steps: &Steps<'_>,
        read: impl Fn(&str, &Dynamic, &Steps<'_>) -> Option<Value>,
    ) -> Option<Value> {
        let Ok(entries) = value.as_map_ref() else {
            return self.wrong(kind.expected(), value, steps);
        };
        let mut values = BTreeMap::new();
        for (name, item) in entries.iter() {
            if let Some(value) = read(name, item, &deeper(steps, FieldStep::Key(name))) {
                values.insert(name.as_str().into(), value);
            }
        }
        Some(Value::Map(values))
    }

    fn version(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        let Ok(text) = value.as_immutable_string_ref() else {
            if value.is_int() {
                let complaint =
                    Complaint::new("wrong-type", "Expected text in `version`, found a number")
                        .hint(format!("a version is text: `\"{value}\"`"));
                self.report(steps, EntryPart::Value, complaint);
                return None;
            }
            return self.wrong("text", value, steps);
        };
        let plain = |letter: char| letter.is_ascii_graphic() && !"/{}\"'\\".contains(letter);
        if text.is_empty() || !text.chars().all(plain) {
            let complaint = Complaint::new("bad-version", format!("`{}` is not a version", &*text))
                .hint("a version is letters, digits and signs such as `.`, `-`, `_`, `+`, without blanks");
            self.report(steps, EntryPart::Value, complaint);
            return None;
        }
        Some(Value::Text(text.as_str().into()))
    }

    fn text(&self, schema: &FieldSchema, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        let expected = if steps.len() == 1 {
            schema.kind.expected()
        } else {
            "text"
        };
        match value.as_immutable_string_ref() {
            Ok(text) if text.contains('\0') => {
                let complaint = Complaint::new("bad-text", "The text holds a NUL character");
                self.report(steps, EntryPart::Value, complaint);
                None
            }
            Ok(text) => Some(Value::Text(text.as_str().into())),
            Err(_) => self.wrong(expected, value, steps),
        }
    }

    fn variable(
        &self,
        schema: &FieldSchema,
        name: &str,
        value: &Dynamic,
        steps: &Steps<'_>,
    ) -> Option<Value> {
        if let Err(complaint) = check_variable(name) {
            self.report(steps, EntryPart::Key, complaint);
            return None;
        }
        self.text(schema, value, steps)
    }

    fn script(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        match to_value(value) {
            Ok(script @ (Value::Text(_) | Value::File(_))) => Some(script),
            _ => self.wrong(FieldKind::Script.expected(), value, steps),
        }
    }

    fn reference(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        if let Ok(text) = value.as_immutable_string_ref() {
            return match constructors::reference(self.frame, &text, self.site(steps)) {
                Ok(reference) => Some(Value::Reference(Arc::new(reference))),
                Err(complaint) => {
                    self.report(steps, EntryPart::Value, complaint);
                    None
                }
            };
        }
        match value.read_lock::<Operand>().as_deref() {
            Some(Operand::Package(reference)) => Some(Value::Reference(reference.clone())),
            _ => self.wrong("a label", value, steps),
        }
    }

    fn patch(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        if let Ok(text) = value.as_immutable_string_ref() {
            return match constructors::file(self.frame, &text, self.site(steps)) {
                Ok(file) => Some(Value::File(file)),
                Err(complaint) => {
                    self.report(steps, EntryPart::Value, complaint);
                    None
                }
            };
        }
        match to_value(value) {
            Ok(patch @ (Value::File(_) | Value::Source(_))) => Some(patch),
            _ => self.wrong("the name of a file", value, steps),
        }
    }

    fn source(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        match to_value(value) {
            Ok(source @ (Value::Source(_) | Value::File(_))) => Some(source),
            Ok(Value::Operand(operand)) if matches!(*operand, Operand::Directory(_)) => {
                Some(Value::Operand(operand))
            }
            Ok(Value::Text(text)) => {
                let complaint = Complaint::new(
                    "missing-hash",
                    "A source needs the hash of its bytes",
                )
                .hint(format!(
                    "written as `url(\"{text}\", \"sha256:…\")`; `sha256sum` of the file prints the hash"
                ));
                self.report(steps, EntryPart::Value, complaint);
                None
            }
            _ => self.wrong(FieldKind::Source.expected(), value, steps),
        }
    }

    /// What `lock` gives: a file, and sources by name.
    fn lock(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        let read = to_value(value).ok();
        let is_lock = read.as_ref().is_some_and(|value| match value {
            Value::Map(parts) => {
                let is_source = |source: &Value| matches!(source, Value::Source(_));
                let crates = parts.get("crates");
                matches!(parts.get("file"), Some(Value::File(_)))
                    && matches!(crates, Some(Value::Map(crates)) if crates.values().all(is_source))
            }
            _ => false,
        });
        match read.filter(|_| is_lock) {
            Some(lock) => Some(lock),
            None => self.wrong(FieldKind::Lock.expected(), value, steps),
        }
    }

    fn seed(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        match to_value(value) {
            Ok(Value::Operand(operand)) if matches!(*operand, Operand::Seed(_)) => {
                Some(Value::Operand(operand))
            }
            _ => self.wrong("`seed(…)`", value, steps),
        }
    }

    fn platform(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        let Ok(name) = value.as_immutable_string_ref() else {
            return self.wrong("the name of a platform", value, steps);
        };
        match constructors::platform(&name) {
            Ok(platform) => Some(Value::Text(platform.name().into())),
            Err(complaint) => {
                self.report(steps, EntryPart::Value, complaint);
                None
            }
        }
    }
}

/// Checks the name of a variable of the environment.
pub(crate) fn check_variable(name: &str) -> Result<(), Complaint> {
    let first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let other = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.starts_with(first) && name.chars().all(other) {
        return Ok(());
    }
    Err(Complaint::new(
        "bad-variable",
        format!("`{name}` is not the name of a variable"),
    )
    .hint("names of variables are letters, digits and `_`"))
}

fn deeper<'a>(steps: &Steps<'a>, step: FieldStep<'a>) -> Vec<FieldStep<'a>> {
    let mut deeper = Vec::with_capacity(steps.len() + 1);
    deeper.extend_from_slice(steps);
    deeper.push(step);
    deeper
}
