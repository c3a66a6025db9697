//! The queries from text to expanded packages. The table of all queries is in README.md.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::profile::Activity;
use stxl_lang::{Definition, Site};
use stxl_lang::{
    DefinitionContext, Diagnostic, ExpandRequest, Expanded, Layer, Module, Severity, SourcePath,
    Span, Value,
};
use stxl_model::{PackageLabel, Platform};

use crate::database::{Configured, Db, FileState, Package, SourceFile};
use crate::host::{QueryHost, Reads};
use crate::lowering::LazyRunTable;
use crate::settings::{OptionRoots, is_local};
use crate::source_tree::is_definition;
use crate::suggestion::nearest;
use crate::without_sites::definition_without_sites;

/// A compiled file.
#[derive(Debug)]
pub(crate) struct CompiledFile {
    pub(crate) module: Option<Arc<Module>>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Why a definition has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no such layer.
    Missing,
    /// Its own text or another file is wrong, which is reported there.
    Reported,
    /// It needs its own value; the driver finds the path.
    Cycle,
}

/// A definition, what is to be said about it, and what it read of other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DefinitionResult {
    pub(crate) outcome: Result<Arc<Definition>, Failure>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) reads: Reads,
}

/// An expanded package, what is to be said about it, and what it read of other files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ExpandedResult {
    pub(crate) expanded: Option<Arc<Expanded>>,
    pub(crate) runs: LazyRunTable,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) reads: Reads,
}

/// Compiles a file. Never cut off here: modules cannot be compared, definitions can.
#[salsa::tracked(returns(clone), no_eq)]
pub(crate) fn compiled(db: &dyn Db, file: SourceFile) -> Arc<CompiledFile> {
    let path = file.path(db);
    db.shared().log(|| format!("compiled({path})"));
    let problem = |id, message: String| {
        let span = Span {
            path: path.clone(),
            start: 0,
            end: 0,
        };
        Arc::new(CompiledFile {
            module: None,
            diagnostics: vec![error(id, message, Some(span))],
        })
    };
    let bytes = match file.state(db) {
        FileState::File(bytes) => bytes,
        FileState::Missing => return problem("missing-file", format!("`{path}` does not exist")),
        FileState::Directory => {
            return problem("unreadable-file", format!("`{path}` is a directory"));
        }
        FileState::Unreadable(reason) => {
            return problem(
                "unreadable-file",
                format!("`{path}` cannot be read: {reason}"),
            );
        }
    };
    if bytes.len() as u64 > crate::source_tree::TEXT_BYTES_MAX {
        let limit_kib = crate::source_tree::TEXT_BYTES_MAX / 1024;
        return problem(
            "long-file",
            format!("`{path}` is longer than {limit_kib} KiB"),
        );
    }
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(wrong) => {
            let offset = u32::try_from(wrong.valid_up_to()).unwrap_or(u32::MAX);
            let span = Span {
                path: path.clone(),
                start: offset,
                end: offset,
            };
            let message = format!("`{path}` is not text in UTF-8");
            let diagnostics = vec![error("not-utf8", message, Some(span))];
            return Arc::new(CompiledFile {
                module: None,
                diagnostics,
            });
        }
    };
    db.shared().evaluating(Some(&path));
    let spending = db.shared().spending(|| Activity::Compile(path.clone()));
    let compiled = db.shared().language.compile(&path, text);
    drop(spending);
    db.shared().evaluating(None);
    Arc::new(CompiledFile {
        module: compiled.module,
        diagnostics: compiled.diagnostics,
    })
}

/// The definition a package has at a layer: the value of that layer's file.
#[salsa::tracked(returns(clone), cycle_result = definition_in_cycle)]
pub(crate) fn definition(db: &dyn Db, package: Package, layer: u32) -> Arc<DefinitionResult> {
    let label = package.label(db);
    db.shared().log(|| format!("definition({label}, {layer})"));
    let failed = |failure, diagnostics, reads| {
        Arc::new(DefinitionResult {
            outcome: Err(failure),
            diagnostics,
            reads,
        })
    };
    let layers = package.layers(db);
    let Some(path) = layers.get(layer as usize) else {
        return failed(Failure::Missing, Vec::new(), Reads::default());
    };
    let file = compiled(db, db.file(path));
    let Some(module) = &file.module else {
        return failed(Failure::Reported, Vec::new(), Reads::default());
    };
    let context = DefinitionContext {
        package: label.clone(),
        layer: Layer(layer),
    };
    db.shared().evaluating(Some(path));
    let host = QueryHost::new(db, label, path.clone());
    let spending = db
        .shared()
        .spending(|| Activity::Define(context.package.clone()));
    let defined = db.shared().language.define(module, &context, &host);
    drop(spending);
    db.shared().evaluating(None);
    let reads = host.into_reads();
    match defined {
        Ok(defined) => Arc::new(DefinitionResult {
            outcome: Ok(Arc::new(defined.definition)),
            diagnostics: defined.warnings,
            reads,
        }),
        Err(diagnostics) => failed(Failure::Reported, diagnostics, reads),
    }
}

fn definition_in_cycle(
    _db: &dyn Db,
    _id: salsa::Id,
    _package: Package,
    _layer: u32,
) -> Arc<DefinitionResult> {
    let (diagnostics, reads) = (Vec::new(), Reads::default());
    Arc::new(DefinitionResult {
        outcome: Err(Failure::Cycle),
        diagnostics,
        reads,
    })
}

/// The highest layer of a package; 0 also for one that is missing.
pub(crate) fn top_layer(db: &dyn Db, package: Package) -> u32 {
    let count = package.layers(db).len();
    u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX)
}

/// A package's definition with all overlays, without the places where its values were written: what
/// other packages can read. Cut off when only places moved.
#[salsa::tracked(returns(clone), cycle_result = values_in_cycle)]
pub(crate) fn values(db: &dyn Db, package: Package) -> Result<Arc<Definition>, Failure> {
    db.shared().log(|| format!("values({})", package.label(db)));
    let result = definition(db, package, top_layer(db, package));
    result
        .outcome
        .clone()
        .map(|definition| Arc::new(definition_without_sites(&definition)))
}

fn values_in_cycle(
    _db: &dyn Db,
    _id: salsa::Id,
    _package: Package,
) -> Result<Arc<Definition>, Failure> {
    Err(Failure::Cycle)
}

/// What references to a package are checked against. Cut off when other fields change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackageFacts {
    /// The platforms it can be built for; none for all.
    pub(crate) platforms: Option<Vec<Platform>>,
    /// The options it declares.
    pub(crate) options: Vec<String>,
}

/// The facts of a package; none when it has no definition.
#[salsa::tracked(returns(clone))]
pub(crate) fn facts(db: &dyn Db, package: Package) -> Option<Arc<PackageFacts>> {
    let result = definition(db, package, top_layer(db, package));
    let definition = result.outcome.as_ref().ok()?;
    let platforms = match definition.fields.get("platforms") {
        Some(Value::List(names)) => {
            let parse = |name: &Value| match name {
                Value::Text(name) => Platform::parse(name),
                _ => None,
            };
            Some(names.iter().filter_map(parse).collect())
        }
        _ => None,
    };
    let mut options: Vec<String> = declared_options(definition).map(str::to_owned).collect();
    let roots = db.configuration().roots(db);
    for by_stage in roots.options_of(package.label(db).stage()) {
        if !options.contains(&by_stage.option) {
            options.push(by_stage.option.clone());
        }
    }
    Some(Arc::new(PackageFacts { platforms, options }))
}

/// The options that a definition declares itself.
fn declared_options(definition: &Definition) -> impl Iterator<Item = &str> {
    let options = match definition.fields.get("options") {
        Some(Value::Map(options)) => Some(options.keys()),
        _ => None,
    };
    options.into_iter().flatten().map(|name| &**name)
}

/// What a package is expanded for. Fails if its stage has no root for an option's value.
pub(crate) fn expand_request(
    db: &dyn Db,
    label: &PackageLabel,
    definition: &Definition,
    target: Platform,
    mut options: BTreeMap<String, String>,
) -> Result<ExpandRequest, Box<Diagnostic>> {
    let roots = db.configuration().roots(db);
    let (base, test_base) = roots
        .of(label.stage(), &options)
        .map_err(|roots| Box::new(no_root(label, roots, &options)))?;
    options.retain(|name, _| declared_options(definition).any(|it| it == name));
    Ok(ExpandRequest {
        package: label.clone(),
        target,
        base,
        test_base,
        options,
    })
}

fn no_root(
    label: &PackageLabel,
    roots: &OptionRoots,
    options: &BTreeMap<String, String>,
) -> Diagnostic {
    let option = &roots.option;
    let value = options.get(option).unwrap_or(&roots.default);
    let message = format!(
        "The stage `{}` has no root for `{option}={value}`",
        label.stage()
    );
    let mut diagnostic = error("no-root-for-option", message, Some(roots.span.clone()));
    let near = nearest(value, roots.values.keys().map(String::as_str));
    let known: Vec<_> = roots.values.keys().map(|it| format!("`{it}`")).collect();
    diagnostic.hints.push(match near.first() {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there is one for: {}", known.join(", ")),
    });
    diagnostic
}

/// What the steps of a package's own build need of its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildFacts {
    /// The version, for the environment.
    pub(crate) version: String,
    /// The file of the definition.
    pub(crate) path: SourcePath,
    /// The line of the builder call in it.
    pub(crate) line: u32,
    /// Whether it says that what it fetches is machine code that nothing of the plan made.
    pub(crate) is_opaque: bool,
    /// Whether it is of a local overlay and says that object files may be kept between builds.
    pub(crate) is_incremental: bool,
}

/// The facts a package's own lowering reads; none when it has no definition.
#[salsa::tracked(returns(clone))]
pub(crate) fn build_facts(db: &dyn Db, package: Package) -> Option<Arc<BuildFacts>> {
    let result = definition(db, package, top_layer(db, package));
    let definition = result.outcome.as_ref().ok()?;
    let version = match definition.fields.get("version") {
        Some(Value::Text(version)) => version.to_string(),
        _ => String::new(),
    };
    let path = definition.path.clone();
    let file = compiled(db, db.file(&path));
    let line = file
        .module
        .as_ref()
        .map_or(1, |module| module.position_of(&[]).line);
    let is_incremental = definition.fields.get("incremental") == Some(&Value::Bool(true));
    Some(Arc::new(BuildFacts {
        version,
        is_incremental: is_incremental && is_local(&path),
        path,
        line,
        is_opaque: definition.fields.contains_key("opaque"),
    }))
}

/// A package's build as chains of root operations. The options are those it declares.
#[salsa::tracked(returns(clone))]
fn expanded_for(
    db: &dyn Db,
    package: Package,
    target: Platform,
    options: Arc<BTreeMap<String, String>>,
) -> Arc<ExpandedResult> {
    let label = package.label(db);
    db.shared().log(|| format!("expanded({label}, {target})"));
    let result = definition(db, package, top_layer(db, package));
    let Ok(definition) = &result.outcome else {
        return Arc::new(ExpandedResult {
            expanded: None,
            runs: LazyRunTable::default(),
            diagnostics: Vec::new(),
            reads: Reads::default(),
        });
    };
    let path = definition.path.clone();
    let options = Arc::unwrap_or_clone(options);
    let request = match expand_request(db, &label, definition, target, options) {
        Ok(request) => request,
        Err(diagnostic) => {
            return Arc::new(ExpandedResult {
                expanded: None,
                runs: LazyRunTable::default(),
                diagnostics: vec![*diagnostic],
                reads: Reads::default(),
            });
        }
    };
    db.shared().evaluating(Some(&path));
    let host = QueryHost::new(db, label, path);
    let spending = db
        .shared()
        .spending(|| Activity::Expand(request.package.clone()));
    let expanded = db.shared().language.expand(definition, &request, &host);
    drop(spending);
    db.shared().evaluating(None);
    let reads = host.into_reads();
    Arc::new(match expanded {
        Ok(expanded) => ExpandedResult {
            diagnostics: expanded.warnings.clone(),
            expanded: Some(Arc::new(expanded)),
            runs: LazyRunTable::default(),
            reads,
        },
        Err(diagnostics) => ExpandedResult {
            expanded: None,
            runs: LazyRunTable::default(),
            diagnostics,
            reads,
        },
    })
}

/// A package's build for a configuration, trimmed: only the options the package declares count.
pub(crate) fn expanded(
    db: &dyn Db,
    package: Package,
    configured: &Configured,
) -> Arc<ExpandedResult> {
    let mut options = Arc::clone(&configured.options);
    if !options.is_empty() {
        let declared = facts(db, package)
            .map(|facts| facts.options.clone())
            .unwrap_or_default();
        if options.keys().any(|name| !declared.contains(name)) {
            let kept = options.iter().filter(|(name, _)| declared.contains(*name));
            options = Arc::new(
                kept.map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            );
        }
    }
    expanded_for(db, package, configured.platform, options)
}

/// An error with a place.
pub(crate) fn error(id: &'static str, message: String, at: Option<Span>) -> Diagnostic {
    Diagnostic {
        id,
        severity: Severity::Error,
        message,
        primary: at.map(|span| (span, String::new())),
        secondary: Vec::new(),
        notes: Vec::new(),
        hints: Vec::new(),
        trace: Vec::new(),
    }
}

/// The bytes of the token at a site.
pub(crate) fn span_of_site(db: &dyn Db, site: &Site) -> Span {
    let file = db.file(&site.path);
    if is_definition(&site.path)
        && let Some(module) = &compiled(db, file).module
    {
        return module.span_at(site);
    }
    let text = match file.state(db) {
        FileState::File(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    };
    let lines_before = (site.line as usize).saturating_sub(1);
    let start: usize = text
        .split_inclusive('\n')
        .take(lines_before)
        .map(str::len)
        .sum();
    let line = text
        .get(start..)
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default();
    let columns_before = (site.column as usize).saturating_sub(1);
    let indent: usize = line.chars().take(columns_before).map(char::len_utf8).sum();
    let token = line.get(indent..).unwrap_or_default();
    let length = match token.strip_prefix('"') {
        Some(rest) => rest.find('"').map_or(token.len(), |end| end + 2),
        None => token.len(),
    };
    let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Span {
        path: site.path.clone(),
        start: at(start + indent),
        end: at(start + indent + length),
    }
}
