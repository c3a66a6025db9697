//! Calls `build` and reads what it returns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{Dynamic, Map, Scope};
use stxl_model::{OutputName, PackageLabel, Platform};

use crate::definition::{Definition, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::dialect::calls::FieldStep;
use crate::dialect::complaint::Complaint;
use crate::dialect::constructors::wrong_type;
use crate::dialect::failure;
use crate::dialect::finish::{self, Finished, field_site};
use crate::dialect::frame::{Frame, StandardVariables, Task, is_stdlib};
use crate::dialect::stdlib;
use crate::dialect::unused;
use crate::dialect::values::{OutputValue, unanswered};
use crate::dialect::watch::Watch;
use crate::expression::{Operand, OutputExpression, Outputs, Reference, RootExpression, Site};
use crate::host::{Host, HostError, Layer};
use crate::language::{ExpandRequest, Expanded, Language, Module};
use crate::schema::BuilderSchema;
use crate::source::SourcePath;

/// Expands a definition; see [`Language::expand`].
pub(crate) fn expand(
    language: &Language,
    definition: &Definition,
    request: &ExpandRequest,
    host: &dyn Host,
) -> Result<Expanded, Vec<Diagnostic>> {
    expand_watched(language, definition, request, host, None)
}

/// Expands a definition while somebody may watch.
pub(crate) fn expand_watched(
    language: &Language,
    definition: &Definition,
    request: &ExpandRequest,
    host: &dyn Host,
    watch: Option<&Watch<'_>>,
) -> Result<Expanded, Vec<Diagnostic>> {
    let unplaced = |complaint: Complaint| Vec::from_iter(complaint.diagnostic());
    let Some(builder) = BuilderSchema::find(&definition.builder) else {
        let message = format!("There is no builder `{}`", definition.builder);
        return Err(unplaced(Complaint::new("unknown-builder", message)));
    };
    let path = match &definition.build_path {
        Some(path) => path.clone(),
        None => stdlib::path_of(builder.name),
    };
    let own = load(language, host, &definition.path).map_err(unplaced)?;
    let module = load(language, host, &path).map_err(unplaced)?;
    let call = call_site(&own, definition);
    let standard = StandardVariables {
        version: text_of(definition, "version"),
        name: request.package.package().to_owned(),
        target: request.target,
    };
    let task = Task::Expand {
        standard: &standard,
        call: &call,
    };
    // Files are named beside the file with `build`, or beside the package's own for the stdlib's.
    let beside = if definition.build_path.is_some() {
        &module
    } else {
        &own
    };
    let frame = Frame::new(language, host, beside, &request.package, task).watched_by(watch);
    let expanded = frame.evaluate(|frame| {
        let expansion = Expansion {
            frame,
            definition,
            builder,
            own: &own,
            call: &call,
        };
        expansion.run(request, &module)
    });
    if definition.build_path.is_none() {
        own.release();
    }
    expanded
}

/// Looks for mistakes in the `build` of a definition that has some itself, as far as they do not
/// depend on the fields that are wrong.
///
/// No other package is asked for: a definition does not depend on what its `build` reads.
pub(crate) fn mistakes_of_build(
    language: &Language,
    definition: &Definition,
    wrong_fields: &BTreeSet<String>,
    package: &PackageLabel,
    host: &dyn Host,
) -> Vec<Diagnostic> {
    let host = &AloneHost(host);
    let (Some(builder), Some(path)) = (
        BuilderSchema::find(&definition.builder),
        definition.build_path.as_ref(),
    ) else {
        return Vec::new();
    };
    let (Ok(own), Ok(module)) = (
        load(language, host, &definition.path),
        load(language, host, path),
    ) else {
        return Vec::new();
    };
    let call = call_site(&own, definition);
    let standard = StandardVariables {
        version: text_of(definition, "version"),
        name: package.package().to_owned(),
        target: Platform::X86_64,
    };
    let task = Task::Expand {
        standard: &standard,
        call: &call,
    };
    let frame = Frame::new(language, host, &module, package, task);
    let found = frame.evaluate(|frame| {
        let expansion = Expansion {
            frame,
            definition,
            builder,
            own: &own,
            call: &call,
        };
        let finished = Finished::of_mistaken(frame, definition, builder, wrong_fields);
        let built = expansion.call(&module, "build", (finished,))?;
        expansion.outputs(&module, &built).map(drop)
    });
    found.err().unwrap_or_default()
}

/// A host that answers for no other package.
struct AloneHost<'a>(&'a dyn Host);

impl Host for AloneHost<'_> {
    fn definition(
        &self,
        _package: &PackageLabel,
        _site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        Err(HostError::Failed)
    }

    fn prior(
        &self,
        _package: &PackageLabel,
        _layer: Layer,
        _site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        Err(HostError::Failed)
    }

    fn module(&self, path: &SourcePath) -> Result<Arc<Module>, HostError> {
        self.0.module(path)
    }

    fn has_file(&self, path: &SourcePath) -> bool {
        self.0.has_file(path)
    }

    fn list(&self, folder: &SourcePath) -> Vec<String> {
        self.0.list(folder)
    }

    fn read_text(&self, path: &SourcePath) -> Result<Arc<str>, HostError> {
        self.0.read_text(path)
    }

    fn check_label(&self, from: &PackageLabel, package: &PackageLabel) -> Result<(), HostError> {
        self.0.check_label(from, package)
    }
}

fn load(language: &Language, host: &dyn Host, path: &SourcePath) -> Result<Arc<Module>, Complaint> {
    match language.stdlib(path) {
        Some(module) => Ok(Arc::clone(module)),
        None => host
            .module(path)
            .map_err(|error| unanswered("file", path.as_str(), error)),
    }
}

fn call_site(module: &Module, definition: &Definition) -> Site {
    let at = module.position_of(&[]);
    Site {
        path: definition.path.clone(),
        line: at.line,
        column: at.column,
    }
}

fn text_of(definition: &Definition, name: &str) -> String {
    match definition.fields.get(name) {
        Some(Value::Text(text)) => text.to_string(),
        _ => String::new(),
    }
}

struct Expansion<'a> {
    frame: &'a Frame<'a>,
    definition: &'a Definition,
    builder: &'static BuilderSchema,
    own: &'a Module,
    call: &'a Site,
}

impl Expansion<'_> {
    fn run(
        &self,
        request: &ExpandRequest,
        module: &Arc<Module>,
    ) -> Result<Expanded, Vec<Diagnostic>> {
        self.check_platform(request.target)?;
        if let Some(complaint) = finish::undeclared_option(self.definition, request) {
            return Err(self.said(complaint, &self.call_span()));
        }
        let finished = finish::finish(self.frame, self.definition, self.builder, request).map_err(
            |complaints| {
                let place = |wrong: finish::FieldComplaint| {
                    self.said(wrong.complaint, &self.field_span(&wrong.field))
                };
                complaints.into_iter().flat_map(place).collect::<Vec<_>>()
            },
        )?;
        let built = self.call(module, "build", (finished.clone(),))?;
        let outputs = self.outputs(module, &built)?;
        let mut tests = self.tests(&finished)?;
        if let Some(check) = self.check(&finished)?
            && tests.insert("check".into(), check).is_some()
        {
            let complaint = Complaint::new("bad-name", "A test cannot be called `check`")
                .hint("the field `check` is a test of that name");
            return Err(self.said(complaint, &self.field_span("tests")));
        }
        if !self.frame.failed_elsewhere.get() && self.frame.is_first_round() {
            let made = self.frame.made.take();
            let used = outputs.values().chain(tests.values());
            let unused = unused::diagnostics(self.frame, &made, used);
            if !unused.is_empty() {
                return Err(unused);
            }
        }
        Ok(Expanded {
            used_target: self.frame.used_target.get(),
            needs: references(self.definition.fields.get("needs")),
            brings: references(self.definition.fields.get("brings")),
            output_brings: self.output_brings(&outputs)?,
            outputs,
            tests,
            warnings: Vec::new(),
        })
    }

    /// What is said about a complaint at a place.
    fn said(&self, complaint: Complaint, span: &Span) -> Vec<Diagnostic> {
        if complaint.is_silent() {
            self.frame.failed_elsewhere.set(true);
        }
        complaint.diagnostics_at(span)
    }

    /// The builder call. Made when it is needed, since it takes a reading of the whole file.
    fn call_span(&self) -> Span {
        self.own.span_at(self.call)
    }

    fn field_span(&self, field: &str) -> Span {
        let site = field_site(self.frame, self.definition, &[FieldStep::Key(field)]);
        match self.frame.module_at(&site.path) {
            Some(module) => module.span_of(&[FieldStep::Key(field)]),
            None => self.call_span(),
        }
    }

    fn check_platform(&self, target: Platform) -> Result<(), Vec<Diagnostic>> {
        let Some(Value::List(platforms)) = self.definition.fields.get("platforms") else {
            return Ok(());
        };
        let wanted = Value::Text(target.name().into());
        if platforms.contains(&wanted) {
            return Ok(());
        }
        let message = format!(
            "`{}` is not one of the platforms of this package",
            target.name()
        );
        let complaint = Complaint::new("wrong-platform", message)
            .hint("another platform is asked for with `.on(\"…\")` where the package is needed");
        Err(self.said(complaint, &self.field_span("platforms")))
    }

    fn call(
        &self,
        module: &Arc<Module>,
        function: &str,
        arguments: impl rhai::FuncArgs,
    ) -> Result<Dynamic, Vec<Diagnostic>> {
        let engine = self.frame.language.engine();
        // Of the file's statements only the imports run: functions see them, and nothing else.
        let ast = module.imports_and_functions();
        let called = engine.call_fn::<Dynamic>(&mut Scope::new(), ast, function, arguments);
        called.map_err(|error| {
            // Rhai does not say where inside `build` a limit was exceeded.
            let fallback = match module.build_span() {
                Some(span) if !is_stdlib(module.path().as_str()) => span,
                Some(_) | None => self.call_span(),
            };
            if let Some(watch) = self.frame.watch {
                let way = failure::way(self.frame, error, module.path(), &fallback);
                watch.way.replace(way);
                return Vec::new();
            }
            failure::diagnostics(self.frame, error, module.path(), &fallback)
        })
    }

    fn outputs(&self, module: &Module, built: &Dynamic) -> Result<Outputs, Vec<Diagnostic>> {
        let span = || module.build_span().unwrap_or_else(|| self.call_span());
        let Ok(map) = built.as_map_ref() else {
            let complaint = wrong_type("a map of outputs from `build`", built)
                .hint("as in `#{ main: root.out() }`");
            return Err(self.said(complaint, &span()));
        };
        let mut outputs = Outputs::new();
        let mut wrong = Vec::new();
        for (name, value) in map.iter() {
            match read_output(name, value) {
                Ok((name, output)) => drop(outputs.insert(name, output)),
                Err(complaint) => {
                    let written = module.syntax().returned_entry("build", name);
                    let written = written.map(|(key, value)| match OutputName::parse(name) {
                        Ok(_) => value,
                        Err(_) => key,
                    });
                    wrong.extend(self.said(complaint, &written.unwrap_or_else(span)));
                }
            }
        }
        if wrong.is_empty()
            && !self.frame.failed_elsewhere.get()
            && !outputs.contains_key(&OutputName::main())
        {
            let complaint = Complaint::new("missing-main", "`build` gives no output `main`")
                .hint("`main` is what others get who name no output");
            wrong.extend(self.said(complaint, &span()));
        }
        if wrong.is_empty() {
            Ok(outputs)
        } else {
            Err(wrong)
        }
    }

    fn tests(
        &self,
        finished: &Finished,
    ) -> Result<BTreeMap<Arc<str>, Arc<OutputExpression>>, Vec<Diagnostic>> {
        let Some(Value::Map(tests)) = self.definition.fields.get("tests") else {
            return Ok(BTreeMap::new());
        };
        let Some(module) = self
            .frame
            .language
            .stdlib(&SourcePath::new("stdlib/tests.rhai"))
        else {
            return Ok(BTreeMap::new());
        };
        let scripts = finished.field("tests").unwrap_or(Dynamic::UNIT);
        let scripts = scripts.try_cast::<Map>().unwrap_or_default();
        // By reference, as others have it: what it brings comes along by the same rules.
        let main = Operand::Package(Arc::new(Reference {
            package: None,
            output: OutputName::main(),
            platform: None,
            options: BTreeMap::new(),
            site: self.call.clone(),
        }));
        let mut expanded = BTreeMap::new();
        for name in tests.keys() {
            let script = scripts.get(&**name).cloned().unwrap_or(Dynamic::UNIT);
            let arguments = (finished.clone(), main.clone(), script);
            let test = self.call(module, "test", arguments)?;
            if let Some(output) = test.try_cast::<OutputValue>() {
                expanded.insert(Arc::clone(name), output.0);
            }
        }
        Ok(expanded)
    }

    /// Upstream's own tests, as the field `check` asks for them.
    fn check(&self, finished: &Finished) -> Result<Option<Arc<OutputExpression>>, Vec<Diagnostic>> {
        let path = stdlib::path_of(&self.definition.builder);
        let module = self.frame.language.stdlib(&path);
        let Some(module) = module.filter(|_| self.definition.fields.contains_key("check")) else {
            return Ok(None);
        };
        let check = self.call(module, "check", (finished.clone(),))?;
        Ok(check.try_cast::<OutputValue>().map(|output| output.0))
    }

    /// What single outputs bring, as the field `outputs` says.
    fn output_brings(
        &self,
        outputs: &Outputs,
    ) -> Result<BTreeMap<OutputName, Vec<Arc<Reference>>>, Vec<Diagnostic>> {
        let Some(Value::Map(declared)) = self.definition.fields.get("outputs") else {
            return Ok(BTreeMap::new());
        };
        let mut brings = BTreeMap::new();
        for (name, output) in declared {
            let known = OutputName::parse(name)
                .ok()
                .filter(|name| outputs.contains_key(name));
            let Some(known) = known else {
                let message = format!("`build` gives no output `{name}`");
                let complaint = Complaint::new("unknown-output", message);
                return Err(self.said(complaint, &self.field_span("outputs")));
            };
            if let Value::Map(output) = output
                && let Some(listed) = output.get("brings")
            {
                brings.insert(known, references(Some(listed)));
            }
        }
        Ok(brings)
    }
}

fn read_output(
    name: &str,
    value: &Dynamic,
) -> Result<(OutputName, Arc<OutputExpression>), Complaint> {
    let parsed = OutputName::parse(name).map_err(|error| {
        Complaint::new("bad-name", format!("`{name}` cannot name an output"))
            .note(error.to_string())
    })?;
    if let Some(output) = value.read_lock::<OutputValue>() {
        return Ok((parsed, Arc::clone(&output.0)));
    }
    let complaint = wrong_type(&format!("an output in `{name}`"), value);
    Err(if value.is::<RootExpression>() {
        complaint.hint("end the chain with `.out()`")
    } else {
        complaint
    })
}

fn references(value: Option<&Value>) -> Vec<Arc<Reference>> {
    let Some(Value::List(items)) = value else {
        return Vec::new();
    };
    let reference = |item: &Value| match item {
        Value::Reference(reference) => Some(Arc::clone(reference)),
        _ => None,
    };
    items.iter().filter_map(reference).collect()
}
