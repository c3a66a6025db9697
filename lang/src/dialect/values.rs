//! The values of the dialect beside Rhai's own, and the way between them and [`Value`].

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext};

use crate::definition::{Definition, Value};
use crate::dialect::complaint::Complaint;
use crate::dialect::finish::Finished;
use crate::dialect::frame::with_frame;
use crate::dialect::poison::Poison;
use crate::dialect::vocabulary;
use crate::expression::{Operand, OutputExpression, RootExpression, Site};
use crate::host::{HostError, VALUE_CYCLE};
use crate::schema::{BuilderSchema, FieldKind};

/// The result of a function that the dialect calls.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A definition while its file is evaluated.
#[derive(Clone)]
pub(crate) struct DefinitionValue(pub(crate) Arc<Definition>);

/// An output while a build is evaluated.
#[derive(Clone)]
pub(crate) struct OutputValue(pub(crate) Arc<OutputExpression>);

/// A script of a definition, which knows where its text stands.
#[derive(Clone)]
pub(crate) struct ScriptValue {
    /// Text or file.
    pub(crate) script: Value,
    /// Where the text begins.
    pub(crate) site: Site,
}

/// Why a value cannot be in a definition.
pub(crate) enum NotData {
    /// It stands for one that has a mistake.
    Poison,
    /// It is of this kind.
    Other(&'static str),
}

/// Registers the types and their properties.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Operand>("a reference or source");
    engine.register_type_with_name::<RootExpression>("a root");
    engine.register_type_with_name::<OutputValue>("an output");
    engine.register_type_with_name::<DefinitionValue>("a definition");
    engine.register_type_with_name::<ScriptValue>("a script");
    engine.register_type_with_name::<Finished>("the fields of a package");
    engine.register_indexer_get(
        |ctx: NativeCallContext<'_>, definition: &mut DefinitionValue, name: &str| {
            let read = field_of(&definition.0, name);
            read.or_else(|complaint| complaint.settle(&ctx, Poison::value))
        },
    );
    engine.register_indexer_get(
        |ctx: NativeCallContext<'_>, operand: &mut Operand, name: &str| {
            let read = operand_property(&ctx, operand, name);
            read.or_else(|complaint| complaint.settle(&ctx, Poison::value))
        },
    );
    engine.register_indexer_get(
        |ctx: NativeCallContext<'_>, package: &mut Finished, name: &str| {
            let read = package.field(name);
            read.or_else(|complaint| complaint.settle(&ctx, Poison::value))
        },
    );
    refuse_joining_with_text::<rhai::Array>(engine);
    refuse_joining_with_text::<Map>(engine);
    refuse_joining_with_text::<Operand>(engine);
    refuse_joining_with_text::<RootExpression>(engine);
    refuse_joining_with_text::<OutputValue>(engine);
    refuse_joining_with_text::<DefinitionValue>(engine);
    engine.register_fn("contains", |package: &mut Finished, name: &str| {
        package.has(name)
    });
}

/// Refuses `+` between a text and a value that is more than a word. Rhai would write the value out,
/// which is never what is meant.
fn refuse_joining_with_text<T: Clone + Send + Sync + 'static>(engine: &mut Engine) {
    let refused = |ctx: &NativeCallContext<'_>, left: &Dynamic, right: &Dynamic| {
        let (left, right) = (kind_of(left), kind_of(right));
        Complaint::new(
            "wrong-operands",
            format!("`+` does not work between {left} and {right}"),
        )
        .hint("a list is joined with a list: `a + [\"…\"]`")
        .settle(ctx, Poison::value)
    };
    engine.register_fn(
        "+",
        move |ctx: NativeCallContext<'_>, left: T, right: ImmutableString| {
            refused(&ctx, &Dynamic::from(left), &Dynamic::from(right))
        },
    );
    engine.register_fn(
        "+",
        move |ctx: NativeCallContext<'_>, left: ImmutableString, right: T| {
            refused(&ctx, &Dynamic::from(left), &Dynamic::from(right))
        },
    );
}

/// A field of a definition as it is read by another file.
fn field_of(definition: &Definition, name: &str) -> Result<Dynamic, Complaint> {
    if let Some(value) = definition.fields.get(name) {
        return Ok(to_dynamic(value));
    }
    let schema = BuilderSchema::find(&definition.builder);
    let path = &definition.path;
    if let Some(field) = schema.and_then(|schema| schema.field(name)) {
        return empty_of(field.kind).ok_or_else(|| {
            Complaint::new("missing-field", format!("`{name}` is not set in `{path}`"))
        });
    }
    let names = schema
        .into_iter()
        .flat_map(BuilderSchema::fields)
        .map(|field| field.name);
    let message = format!("There is no field `{name}` in `{path}`");
    Err(Complaint::new("unknown-field", message).suggest(&vocabulary::near(name, names)))
}

/// What a field reads as when it is left out; none when there is no empty value of its kind.
pub(crate) fn empty_of(kind: FieldKind) -> Option<Dynamic> {
    match kind {
        FieldKind::Arguments | FieldKind::References | FieldKind::Patches => {
            Some(Dynamic::from_array(rhai::Array::new()))
        }
        FieldKind::Sources
        | FieldKind::Env
        | FieldKind::Seeds
        | FieldKind::Scripts
        | FieldKind::Outputs
        | FieldKind::Texts
        | FieldKind::Paths => Some(Dynamic::from_map(Map::new())),
        FieldKind::Bool => Some(Dynamic::FALSE),
        FieldKind::Version
        | FieldKind::Text
        | FieldKind::Script
        | FieldKind::Base
        | FieldKind::Source
        | FieldKind::Platforms
        | FieldKind::Lock
        | FieldKind::Data => None,
    }
}

/// A property of a reference is a field of the package's definition.
fn operand_property(
    ctx: &NativeCallContext<'_>,
    operand: &Operand,
    name: &str,
) -> Result<Dynamic, Complaint> {
    if let (Operand::Fetch(source), "hash") = (operand, name) {
        return Ok(source.lock.to_string().into());
    }
    let Operand::Package(reference) = operand else {
        let what = kind_of_operand(operand);
        let message = format!("{what} has no `{name}`");
        return Err(Complaint::new("unknown-property", message));
    };
    with_frame(|frame| {
        let package = reference.package.as_ref().unwrap_or(frame.package);
        let definition = frame
            .host
            .definition(package, &frame.site(ctx))
            .map_err(|error| unanswered("package", package.as_str(), error))?;
        field_of(&definition, name)
    })
}

/// Puts an answer that the surroundings do not have into words.
pub(crate) fn unanswered(what: &str, name: &str, error: HostError) -> Complaint {
    match error {
        HostError::Unknown { suggestions } => {
            let complaint = Complaint::new("unknown-label", format!("There is no {what} `{name}`"));
            if suggestions.is_empty() {
                complaint.hint("packages are the folders of `stages/`, named as `stage/package`")
            } else {
                complaint.suggest(&suggestions)
            }
        }
        HostError::LaterStage { from, stage } => Complaint::new(
            "later-stage",
            format!("`{name}` is in a stage that comes later: `{stage}` after `{from}`"),
        )
        .hint("a package needs packages of its own group of stages or of earlier ones; the order is in `stxl.toml`"),
        HostError::Cycle { path } => {
            let mut complaint =
                Complaint::new(VALUE_CYCLE, format!("The values of `{name}` depend on themselves"));
            for (index, (package, site)) in path.iter().enumerate() {
                let next = path.get(index + 1).or(path.first()).map_or(package, |(next, _)| next);
                complaint = complaint
                    .note(format!("{}:{}: `{package}` reads `{next}`", site.path, site.line));
            }
            complaint.hint("write one of the values out")
        }
        HostError::Unreadable { reason } => {
            Complaint::new("unreadable-file", format!("`{name}` cannot be read: {reason}"))
        }
        HostError::Failed => Complaint::elsewhere(),
    }
}

/// The value as scripts see it.
pub(crate) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Text(text) => Dynamic::from(ImmutableString::from(&**text)),
        Value::Int(number) => Dynamic::from_int(*number),
        Value::Bool(truth) => Dynamic::from_bool(*truth),
        Value::List(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Value::Map(fields) => Dynamic::from_map(
            fields
                .iter()
                .map(|(name, value)| ((&**name).into(), to_dynamic(value)))
                .collect(),
        ),
        Value::Reference(reference) => Dynamic::from(Operand::Package(reference.clone())),
        Value::Source(source) => Dynamic::from(Operand::Fetch(source.clone())),
        Value::File(file) => Dynamic::from(Operand::File(file.clone())),
        Value::Operand(operand) => Dynamic::from((**operand).clone()),
        Value::Root(root) => Dynamic::from(root.clone()),
        Value::Output(output) => Dynamic::from(OutputValue(Arc::clone(output))),
    }
}

/// The value as definitions hold it. Functions, roots and nothing are no data.
pub(crate) fn to_value(value: &Dynamic) -> Result<Value, NotData> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::Text(text.as_str().into()));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Int(number));
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(items) = value.as_array_ref() {
        return items
            .iter()
            .map(to_value)
            .collect::<Result<_, _>>()
            .map(Value::List);
    }
    if let Ok(map) = value.as_map_ref() {
        let entries = map
            .iter()
            .map(|(name, value)| Ok((name.as_str().into(), to_value(value)?)));
        return entries.collect::<Result<_, _>>().map(Value::Map);
    }
    if let Some(operand) = value.read_lock::<Operand>() {
        return Ok(operand_value(&operand));
    }
    if let Some(script) = value.read_lock::<ScriptValue>() {
        return Ok(script.script.clone());
    }
    Err(if Poison::is(value) {
        NotData::Poison
    } else {
        NotData::Other(kind_of(value))
    })
}

fn operand_value(operand: &Operand) -> Value {
    match operand {
        Operand::Package(reference) => Value::Reference(reference.clone()),
        Operand::Fetch(source) => Value::Source(source.clone()),
        Operand::File(file) => Value::File(file.clone()),
        Operand::Directory(_) | Operand::Seed(_) | Operand::Root(_) | Operand::Output(_) => {
            Value::Operand(Box::new(operand.clone()))
        }
    }
}

/// What a value is, in words that follow "found".
pub(crate) fn kind_of(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "nothing"
    } else if value.is_string() {
        "text"
    } else if value.is_int() {
        "a number"
    } else if value.is_bool() {
        "`true` or `false`"
    } else if value.is_array() {
        "a list"
    } else if value.is_map() {
        "a map"
    } else if value.is_char() {
        "a character"
    } else if value.is_fnptr() {
        "a function"
    } else if let Some(operand) = value.read_lock::<Operand>() {
        kind_of_operand(&operand)
    } else if value.is::<RootExpression>() {
        "a root"
    } else if value.is::<OutputValue>() {
        "an output"
    } else if value.is::<DefinitionValue>() {
        "a definition"
    } else if value.is::<ScriptValue>() {
        "a script"
    } else {
        "another kind of value"
    }
}

/// What an operand is.
pub(crate) fn kind_of_operand(operand: &Operand) -> &'static str {
    match operand {
        Operand::Package(_) => "a reference",
        Operand::File(_) => "a file",
        Operand::Directory(_) => "a directory",
        Operand::Seed(_) => "a seed",
        Operand::Fetch(_) => "a source",
        Operand::Root(_) => "a root",
        Operand::Output(_) => "an output",
    }
}
