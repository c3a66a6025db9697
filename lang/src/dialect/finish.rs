//! Finishes the fields of a definition: templates, defaults and what is always there. The result is
//! `p`, the one argument of `build`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{Dynamic, ImmutableString, Map};
use stxl_model::Platform;

use crate::definition::{Definition, Fields, Value};
use crate::dialect::calls::FieldStep;
use crate::dialect::complaint::Complaint;
use crate::dialect::frame::{Frame, with_frame};
use crate::dialect::sources::expand_source;
use crate::dialect::template::Template;
use crate::dialect::values::{ScriptValue, empty_of, to_dynamic};
use crate::dialect::vocabulary;
use crate::expression::{Operand, Site};
use crate::language::ExpandRequest;
use crate::schema::{BuilderSchema, FieldKind};

/// `p`: the finished fields of a package.
#[derive(Clone)]
pub(crate) struct Finished(Arc<FinishedFields>);

struct FinishedFields {
    values: BTreeMap<Arc<str>, Dynamic>,
    builder: &'static BuilderSchema,
    target: Platform,
    /// The fields of which nothing is known, in a definition with mistakes.
    unknown: BTreeSet<String>,
}

impl Finished {
    /// The fields of a definition with mistakes, to look for more of them in its `build`: what
    /// depends on those that are wrong or on the platform is not known, and templates stay.
    pub(crate) fn of_mistaken(
        frame: &Frame<'_>,
        definition: &Definition,
        builder: &'static BuilderSchema,
        wrong: &BTreeSet<String>,
    ) -> Self {
        let mut unknown = wrong.clone();
        unknown.extend(["base", "target", "test_base", "triple"].map(str::to_owned));
        let mut values = BTreeMap::new();
        for (name, value) in &definition.fields {
            let steps = [FieldStep::Key(name)];
            let value = match builder.field(name).map(|field| field.kind) {
                Some(FieldKind::Script | FieldKind::Scripts) => {
                    scripts(frame, definition, &steps, value)
                }
                Some(_) | None => to_dynamic(value),
            };
            values.insert(Arc::clone(name), value);
        }
        Self(Arc::new(FinishedFields {
            values,
            builder,
            target: Platform::X86_64,
            unknown,
        }))
    }

    /// A field; one that the builder knows and the definition leaves out is empty.
    pub(crate) fn field(&self, name: &str) -> Result<Dynamic, Complaint> {
        if self.0.unknown.contains(name) {
            return Err(Complaint::elsewhere());
        }
        match name {
            "target" => return Ok(self.read_target(Platform::name)),
            "triple" => return Ok(self.read_target(Platform::triple)),
            _ => {}
        }
        if let Some(value) = self.0.values.get(name) {
            return Ok(value.clone());
        }
        if let Some(field) = self.0.builder.field(name) {
            return Ok(empty_of(field.kind).unwrap_or(Dynamic::UNIT));
        }
        let own = self.0.values.keys().map(|name| &**name);
        let known = own
            .chain(self.0.unknown.iter().map(String::as_str))
            .chain(self.0.builder.fields().map(|field| field.name))
            .chain(["target"]);
        let complaint = Complaint::new("unknown-field", format!("`p` has no field `{name}`"))
            .note("`p` has the fields of the builder call above, finished");
        let near = vocabulary::near(name, known);
        Err(if near.is_empty() {
            let builder = self.0.builder.name;
            complaint.hint(format!("set it there: `{builder}(#{{ …, {name}: … }})`"))
        } else {
            complaint.suggest(&near)
        })
    }

    /// Whether the definition has a field.
    pub(crate) fn has(&self, name: &str) -> bool {
        matches!(name, "target" | "triple") || self.0.values.contains_key(name)
    }

    fn read_target(&self, read: impl Fn(Platform) -> &'static str) -> Dynamic {
        with_frame(|frame| frame.used_target.set(true));
        Dynamic::from(ImmutableString::from(read(self.0.target)))
    }
}

/// A complaint, and the field it is about.
pub(crate) struct FieldComplaint {
    /// The field.
    pub(crate) field: Arc<str>,
    /// What is wrong.
    pub(crate) complaint: Complaint,
}

/// Finishes all fields, or says what is wrong with which of them.
pub(crate) fn finish(
    frame: &Frame<'_>,
    definition: &Definition,
    builder: &'static BuilderSchema,
    request: &ExpandRequest,
) -> Result<Finished, Vec<FieldComplaint>> {
    let text_of = |name: &str| match definition.fields.get(name) {
        Some(Value::Text(text)) => Some(&**text),
        _ => None,
    };
    let on_target = || frame.used_target.set(true);
    let template = Template {
        name: request.package.package(),
        version: text_of("version").unwrap_or_default(),
        commit: text_of("commit"),
        target: request.target,
        on_target: &on_target,
    };
    let mut values = BTreeMap::new();
    let mut complaints = Vec::new();
    for (name, value) in &definition.fields {
        let kind = builder.field(name).map(|field| field.kind);
        let finished = match kind {
            Some(FieldKind::Script | FieldKind::Scripts) => {
                Ok(scripts(frame, definition, &[FieldStep::Key(name)], value))
            }
            Some(FieldKind::Texts) if &**name == "options" => options(value, request),
            Some(kind) if !has_templates(kind) => Ok(to_dynamic(value)),
            kind => expand(&template, value, kind == Some(FieldKind::Paths))
                .map(|value| to_dynamic(&value)),
        };
        match finished {
            Ok(value) => {
                values.insert(Arc::clone(name), value);
            }
            Err(complaint) => complaints.push(FieldComplaint {
                field: Arc::clone(name),
                complaint,
            }),
        }
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    for (name, operands) in [("base", &request.base), ("test_base", &request.test_base)] {
        values.entry(name.into()).or_insert_with(|| {
            Dynamic::from_array(operands.iter().cloned().map(Dynamic::from).collect())
        });
    }
    let name = ImmutableString::from(request.package.package());
    values.insert("name".into(), Dynamic::from(name));
    let target = request.target;
    Ok(Finished(Arc::new(FinishedFields {
        values,
        builder,
        target,
        unknown: BTreeSet::new(),
    })))
}

/// Where the text of a field stands in the file that set it.
pub(crate) fn field_site(
    frame: &Frame<'_>,
    definition: &Definition,
    steps: &[FieldStep<'_>],
) -> Site {
    let set_in = match steps.first() {
        Some(FieldStep::Key(name)) => definition.field_paths.get(*name),
        _ => None,
    };
    let path = set_in.unwrap_or(&definition.path).clone();
    let position = frame
        .module_at(&path)
        .map(|module| module.position_of(steps));
    let (line, column) = position.map_or((1, 0), |position| (position.line, position.column));
    Site { path, line, column }
}

/// Patches are among them, since sources can be patches.
const fn has_templates(kind: FieldKind) -> bool {
    kind.has_templates() || matches!(kind, FieldKind::Patches)
}

fn scripts(
    frame: &Frame<'_>,
    definition: &Definition,
    steps: &[FieldStep<'_>],
    value: &Value,
) -> Dynamic {
    let Value::Map(entries) = value else {
        let site = field_site(frame, definition, steps);
        return Dynamic::from(ScriptValue {
            script: value.clone(),
            site,
        });
    };
    let script = |(name, value): (&Arc<str>, &Value)| {
        let mut inner = steps.to_vec();
        inner.push(FieldStep::Key(name));
        ((&**name).into(), scripts(frame, definition, &inner, value))
    };
    Dynamic::from_map(entries.iter().map(script).collect::<Map>())
}

/// The options as the definition declares them, with what was set from outside.
fn options(declared: &Value, request: &ExpandRequest) -> Result<Dynamic, Complaint> {
    let Value::Map(declared) = declared else {
        return Ok(to_dynamic(declared));
    };
    let mut options: Map = declared
        .iter()
        .map(|(name, value)| ((&**name).into(), to_dynamic(value)))
        .collect();
    for (name, value) in &request.options {
        match options.get_mut(name.as_str()) {
            Some(option) => *option = Dynamic::from(ImmutableString::from(value.as_str())),
            None => return Err(unknown_option(name, declared)),
        }
    }
    Ok(Dynamic::from_map(options))
}

fn unknown_option(name: &str, declared: &Fields) -> Complaint {
    let names = declared.keys().map(|name| &**name);
    Complaint::new("unknown-option", format!("There is no option `{name}`"))
        .suggest(&vocabulary::near(name, names))
}

/// Options that were set although the definition declares none.
pub(crate) fn undeclared_option(
    definition: &Definition,
    request: &ExpandRequest,
) -> Option<Complaint> {
    let name = request.options.keys().next()?;
    if definition.fields.contains_key("options") {
        return None;
    }
    Some(
        unknown_option(name, &Fields::new())
            .hint("a package declares its options in the field `options`"),
    )
}

/// Expands templates in every text of one line, and in the addresses of sources.
fn expand(template: &Template<'_>, value: &Value, in_keys: bool) -> Result<Value, Complaint> {
    Ok(match value {
        Value::Text(text) => match template.expand(text)? {
            std::borrow::Cow::Borrowed(_) => Value::Text(Arc::clone(text)),
            std::borrow::Cow::Owned(text) => Value::Text(text.into()),
        },
        Value::List(items) => Value::List(
            items
                .iter()
                .map(|item| expand(template, item, in_keys))
                .collect::<Result<_, _>>()?,
        ),
        Value::Map(entries) => {
            let mut expanded = Fields::new();
            for (name, value) in entries {
                let name = if in_keys {
                    template.expand(name)?.into()
                } else {
                    Arc::clone(name)
                };
                expanded.insert(name, expand(template, value, in_keys)?);
            }
            Value::Map(expanded)
        }
        Value::Source(source) => Value::Source(Arc::new(expand_source(template, source)?)),
        Value::Operand(operand) => match &**operand {
            Operand::Fetch(source) => Value::Source(Arc::new(expand_source(template, source)?)),
            _ => value.clone(),
        },
        Value::Int(_)
        | Value::Bool(_)
        | Value::Reference(_)
        | Value::File(_)
        | Value::Root(_)
        | Value::Output(_) => value.clone(),
    })
}
