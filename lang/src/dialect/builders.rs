//! The builders: functions that turn a map of fields into a definition, and `.change` of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use crate::definition::{Definition, Value};
use crate::dialect::calls::{EntryPart, FieldStep};
use crate::dialect::complaint::Complaint;
use crate::dialect::constructors::wrong_type;
use crate::dialect::fields::FieldReader;
use crate::dialect::frame::{Frame, Task, with_frame};
use crate::dialect::poison::{self, Poison};
use crate::dialect::values::{DefinitionValue, Fallible};
use crate::dialect::vocabulary;
use crate::expression::FetchSource;
use crate::profile::{Activity, begin_inside};
use crate::schema::{BUILDERS, BuilderSchema, RESERVED_BUILDERS, UNKNOWN_BUILDER};
use crate::source::SourcePath;

type Context<'a> = NativeCallContext<'a>;

/// Registers the builders, the names reserved for others, and `.change`.
pub(crate) fn register(engine: &mut Engine) {
    for builder in BUILDERS {
        engine.register_fn(builder.name, move |ctx: Context<'_>, fields: Map| {
            define(&ctx, builder, &fields)
        });
        engine.register_fn(builder.name, move |ctx: Context<'_>, value: Dynamic| {
            let name = builder.name;
            wrong_type("a map of fields", &value)
                .argument(0)
                .hint(format!("it is called as `{name}(#{{ … }})`"))
                .settle(&ctx, Poison::value)
        });
    }
    for name in RESERVED_BUILDERS {
        engine.register_fn(*name, move |ctx: Context<'_>, value: Dynamic| {
            if let Ok(fields) = value.as_map_ref() {
                with_frame(|frame| FieldReader::new(frame, &ctx, &UNKNOWN_BUILDER).read(&fields));
            }
            Complaint::new(
                "reserved-builder",
                format!("The builder `{name}` is not part of this version"),
            )
            .hint("`script` and `custom` build anything")
            .settle(&ctx, Poison::value)
        });
    }
    engine.register_fn(UNKNOWN_BUILDER.name, |ctx: Context<'_>, fields: Map| {
        with_frame(|frame| FieldReader::new(frame, &ctx, &UNKNOWN_BUILDER).read(&fields));
        Poison
    });
    engine.register_fn(
        "change",
        |ctx: Context<'_>, before: &mut DefinitionValue, changes: Map| {
            change(&ctx, before, &changes)
        },
    );
}

fn define(ctx: &Context<'_>, builder: &'static BuilderSchema, map: &Map) -> Fallible<Dynamic> {
    let _told = begin_inside(|| Activity::Builder(builder.name.into()));
    let defined = with_frame(|frame| {
        no_builder_in_build(frame, builder.name)?;
        let reader = FieldReader::new(frame, ctx, builder);
        reader.watched(map)?;
        reader.require(map);
        let fields = reader.read(map);
        let path = frame.module.path().clone();
        let field_paths = fields
            .keys()
            .map(|name| (Arc::clone(name), path.clone()))
            .collect();
        let build_path = match builder.name {
            "custom" => Some(build_path(frame, ctx)?),
            _ => None,
        };
        Ok(DefinitionValue(Arc::new(Definition {
            builder: builder.name.into(),
            fields,
            path,
            field_paths,
            build_path,
        })))
    });
    poison::made(defined, ctx)
}

fn no_builder_in_build(frame: &Frame<'_>, name: &str) -> Result<(), Complaint> {
    match frame.task {
        Task::Define { .. } => Ok(()),
        Task::Expand { .. } => Err(Complaint::new(
            "builder-in-build",
            format!("`{name}` is called inside of `build`"),
        )
        .hint("a builder call is a file's value; `build` works with `root(…)`")),
    }
}

/// The file with `fn build(p)`: the one that calls `custom`, else the package's own.
fn build_path(frame: &Frame<'_>, ctx: &Context<'_>) -> Result<SourcePath, Complaint> {
    let caller = frame.caller(ctx);
    let in_caller = frame
        .module_at(&caller)
        .is_some_and(|module| module.has_build());
    if in_caller {
        return Ok(caller);
    }
    if frame.module.has_build() {
        return Ok(frame.module.path().clone());
    }
    let functions = frame.module.functions();
    let complaint = Complaint::new(
        "missing-build",
        "A `custom` package needs a function `build`",
    );
    if let Some((_, count)) = functions.iter().find(|(name, _)| name == "build") {
        return Err(complaint
            .note(format!(
                "the `build` of this file takes {count} values and not one"
            ))
            .hint("write it as `fn build(p)`"));
    }
    let one_value = functions.iter().filter(|(_, count)| *count == 1);
    let near = vocabulary::near("build", one_value.map(|(name, _)| name.as_str()));
    if let Some(near) = near.first() {
        return Err(complaint.hint(format!("is `{near}` meant to be `build`?")));
    }
    Err(complaint
        .hint("below the call and its `;`: `fn build(p) { #{ main: root([p.base] + p.needs).run(#\"…\"#).out() } }`"))
}

/// `.change(#{…})` of a definition: the fields given take the place of those that were.
fn change(ctx: &Context<'_>, before: &DefinitionValue, changes: &Map) -> Fallible<Dynamic> {
    let _told = begin_inside(|| Activity::Builder("change".into()));
    let changed = with_frame(|frame| {
        no_builder_in_build(frame, "change")?;
        let Some(builder) = BuilderSchema::find(&before.0.builder) else {
            return Err(Complaint::new(
                "unknown-builder",
                "The builder is not known",
            ));
        };
        let reader = FieldReader::new(frame, ctx, builder);
        reader.watched(changes)?;
        let changed = reader.read(changes);
        check_version(&reader, &before.0, changes, &changed);
        let path = frame.module.path();
        let mut definition = Definition {
            path: path.clone(),
            ..(*before.0).clone()
        };
        for (name, value) in changed {
            definition
                .field_paths
                .insert(Arc::clone(&name), path.clone());
            definition.fields.insert(name, value);
        }
        if frame.module.has_build() && builder.name == "custom" {
            definition.build_path = Some(path.clone());
        }
        Ok(DefinitionValue(Arc::new(definition)))
    });
    poison::made(changed, ctx)
}

/// A new version with the old hash would go on building the old bytes, or fail far from here.
fn check_version(
    reader: &FieldReader<'_>,
    before: &Definition,
    changes: &Map,
    changed: &BTreeMap<Arc<str>, Value>,
) {
    let (Some(old), Some(new)) = (before.fields.get("version"), changed.get("version")) else {
        return;
    };
    if old == new {
        return;
    }
    // A source that is changed and wrong is not one that was kept.
    let kept = |name: &str| {
        if changes.contains_key(name) {
            changed.get(name)
        } else {
            before.fields.get(name)
        }
    };
    let old_hashes = versioned_hashes(before.fields.get("source"), before.fields.get("sources"));
    let new_hashes = versioned_hashes(kept("source"), kept("sources"));
    if let Some((name, _)) = new_hashes
        .iter()
        .find(|(name, hash)| old_hashes.get(*name) == Some(hash))
    {
        let complaint = Complaint::new(
            "version-without-hash",
            format!("The version changes, and `{name}` keeps its hash"),
        )
        .hint(format!(
            "give the new hash too: `{name}: prior().{name}.change(#{{ hash: \"sha256:…\" }})`"
        ));
        reader.report(&[FieldStep::Key("version")], EntryPart::Value, complaint);
    }
}

/// The hashes of the sources that follow the version: `source` itself, and others whose address
/// names it.
fn versioned_hashes(
    source: Option<&Value>,
    sources: Option<&Value>,
) -> BTreeMap<String, stxl_model::FetchLock> {
    let mut hashes = BTreeMap::new();
    if let Some(Value::Source(source)) = source {
        hashes.insert("source".to_owned(), source.lock);
    }
    if let Some(Value::Map(sources)) = sources {
        for (name, source) in sources {
            if let Value::Source(source) = source
                && names_version(source)
            {
                hashes.insert(format!("sources.{name}"), source.lock);
            }
        }
    }
    hashes
}

fn names_version(source: &FetchSource) -> bool {
    source.urls.iter().any(|url| url.contains("{version"))
}
