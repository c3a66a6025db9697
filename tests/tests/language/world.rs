//! A workspace in memory and the host over it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{
    Compiled, Defined, Definition, DefinitionContext, Diagnostic, ExpandRequest, Expanded, Host,
    HostError, Language, Layer, Module, Operand, Reference, Site, SourcePath, in_order,
};
use stxl_model::{OutputName, PackageLabel, Platform};

/// Files by path: `stages/…`, `lib/…`, and one overlay, `over/…`.
pub(crate) struct World {
    pub(crate) language: Language,
    files: BTreeMap<String, String>,
    asked: RefCell<Vec<(PackageLabel, Site)>>,
    asked_count: Cell<usize>,
    /// What was said about packages that others asked for.
    elsewhere: RefCell<Vec<Diagnostic>>,
}

impl World {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self {
            language: Language::new(),
            files: files.iter().map(own).collect(),
            asked: RefCell::default(),
            asked_count: Cell::new(0),
            elsewhere: RefCell::default(),
        }
    }

    pub(crate) fn compile(&self, path: &str) -> Compiled {
        let text = self
            .files
            .get(path)
            .unwrap_or_else(|| panic!("the test has no file {path}"));
        self.language.compile(&SourcePath::new(path), text)
    }

    pub(crate) fn define(&self, label: &str) -> Result<Defined, Vec<Diagnostic>> {
        let path = self
            .layers(label)
            .pop()
            .unwrap_or_else(|| panic!("no package {label}"));
        self.define_at(label, &path)
    }

    fn define_at(
        &self,
        label: &str,
        (layer, path): &(Layer, String),
    ) -> Result<Defined, Vec<Diagnostic>> {
        let compiled = self.compile(path);
        let Some(module) = compiled.module else {
            return Err(compiled.diagnostics);
        };
        let context = DefinitionContext {
            package: PackageLabel::parse(label).unwrap(),
            layer: *layer,
        };
        let defined = self.language.define(&module, &context, self);
        if !compiled.diagnostics.iter().any(Diagnostic::is_error) {
            return defined;
        }
        let wrong = defined.err().unwrap_or_default();
        Err(in_order(compiled.diagnostics.into_iter().chain(wrong)))
    }

    pub(crate) fn definition(&self, label: &str) -> Definition {
        self.define(label)
            .unwrap_or_else(|wrong| panic!("{}", self.shown(&wrong)))
            .definition
    }

    pub(crate) fn expand_for(
        &self,
        label: &str,
        target: Platform,
        options: &[(&str, &str)],
    ) -> Result<Expanded, Vec<Diagnostic>> {
        let definition = self.define(label)?.definition;
        let base = Reference {
            package: Some(PackageLabel::parse("core/base").unwrap()),
            output: OutputName::main(),
            platform: None,
            options: BTreeMap::new(),
            site: Site {
                path: SourcePath::new("stxl.toml"),
                line: 1,
                column: 1,
            },
        };
        let request = ExpandRequest {
            package: PackageLabel::parse(label).unwrap(),
            target,
            base: vec![Operand::from(base.clone())],
            test_base: vec![Operand::from(base)],
            options: options
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        };
        self.language.expand(&definition, &request, self)
    }

    pub(crate) fn expand(&self, label: &str) -> Expanded {
        self.expand_for(label, Platform::X86_64, &[])
            .unwrap_or_else(|wrong| panic!("{}", self.shown(&wrong)))
    }

    /// How often other packages were asked for so far.
    pub(crate) fn asked_for(&self) -> usize {
        self.asked_count.get()
    }

    pub(crate) fn text(&self, path: &str) -> String {
        self.files.get(path).cloned().unwrap_or_default()
    }

    /// Diagnostics as short lines: id, place with the token, message, hints, notes, trace.
    pub(crate) fn shown(&self, diagnostics: &[Diagnostic]) -> String {
        let mut lines = Vec::new();
        for diagnostic in diagnostics.iter().chain(self.elsewhere.borrow().iter()) {
            let place = diagnostic.primary.as_ref().map_or_else(
                || "nowhere".to_owned(),
                |(span, label)| {
                    format!("{} {label}", self.place(span))
                        .trim_end()
                        .to_owned()
                },
            );
            lines.push(format!("{} {place}: {}", diagnostic.id, diagnostic.message));
            for (span, label) in &diagnostic.secondary {
                lines.push(format!("  also: {} {label}", self.place(span)));
            }
            lines.extend(
                diagnostic
                    .notes
                    .iter()
                    .map(|note| format!("  note: {note}")),
            );
            lines.extend(
                diagnostic
                    .hints
                    .iter()
                    .map(|hint| format!("  hint: {hint}")),
            );
            for step in &diagnostic.trace {
                lines.push(format!("  trace: {} {}", step.what, self.place(&step.span)));
            }
        }
        lines.join("\n")
    }

    fn place(&self, span: &stxl_lang::Span) -> String {
        let stdlib = self
            .language
            .stdlib_text(&span.path)
            .map(ToString::to_string);
        let text = self
            .files
            .get(span.path.as_str())
            .cloned()
            .or(stdlib)
            .unwrap_or_default();
        let before = text.get(..span.start as usize).unwrap_or_default();
        let token = text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default();
        let token = token.lines().next().unwrap_or_default();
        format!(
            "{}:{} `{token}`",
            span.path,
            before.matches('\n').count() + 1
        )
    }

    /// The files of a package, lowest layer first.
    fn layers(&self, label: &str) -> Vec<(Layer, String)> {
        ["stages", "over"]
            .iter()
            .zip(0..)
            .map(|(folder, layer)| (Layer(layer), format!("{folder}/{label}/package.rhai")))
            .filter(|(_, path)| self.files.contains_key(path))
            .collect()
    }

    fn answer(
        &self,
        package: &PackageLabel,
        site: &Site,
        file: Option<(Layer, String)>,
    ) -> Result<Arc<Definition>, HostError> {
        self.asked_count.set(self.asked_count.get() + 1);
        let Some(file) = file else {
            return Err(HostError::Unknown {
                suggestions: Vec::new(),
            });
        };
        let asked = self.asked.borrow().clone();
        if let Some(start) = asked.iter().position(|(other, _)| other == package) {
            // Each was asked at the place in the one before it.
            let cycle = asked.get(start..).unwrap_or_default();
            let sites = cycle.iter().skip(1).map(|(_, site)| site).chain([site]);
            let path = cycle
                .iter()
                .map(|(package, _)| package.clone())
                .zip(sites.cloned())
                .collect();
            return Err(HostError::Cycle { path });
        }
        self.asked
            .borrow_mut()
            .push((package.clone(), site.clone()));
        let defined = self.define_at(package.as_str(), &file);
        self.asked.borrow_mut().pop();
        defined
            .map(|defined| Arc::new(defined.definition))
            .map_err(|wrong| {
                self.elsewhere.borrow_mut().extend(wrong);
                HostError::Failed
            })
    }
}

impl Host for World {
    fn definition(
        &self,
        package: &PackageLabel,
        site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        self.answer(package, site, self.layers(package.as_str()).pop())
    }

    fn prior(
        &self,
        package: &PackageLabel,
        layer: Layer,
        site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        let mut below = self
            .layers(package.as_str())
            .into_iter()
            .filter(|(other, _)| *other < layer);
        self.answer(package, site, below.next_back())
    }

    fn module(&self, path: &SourcePath) -> Result<Arc<Module>, HostError> {
        if !self.files.contains_key(path.as_str()) {
            return Err(HostError::Unknown {
                suggestions: Vec::new(),
            });
        }
        self.compile(path.as_str()).module.ok_or(HostError::Failed)
    }

    fn has_file(&self, path: &SourcePath) -> bool {
        let folder = format!("{path}/");
        self.files.contains_key(path.as_str())
            || self.files.keys().any(|file| file.starts_with(&folder))
    }

    fn list(&self, folder: &SourcePath) -> Vec<String> {
        let folder = format!("{folder}/");
        self.files
            .keys()
            .filter_map(|file| file.strip_prefix(&folder))
            .map(str::to_owned)
            .collect()
    }

    fn read_text(&self, path: &SourcePath) -> Result<Arc<str>, HostError> {
        let text = self.files.get(path.as_str());
        text.map(|text| text.as_str().into())
            .ok_or(HostError::Unknown {
                suggestions: Vec::new(),
            })
    }

    fn check_label(&self, from: &PackageLabel, package: &PackageLabel) -> Result<(), HostError> {
        const ORDER: [&str; 3] = ["stage0", "core", "user"];
        if package.as_str() == "core/zlb" {
            return Err(HostError::Unknown {
                suggestions: vec!["core/zlib".to_owned()],
            });
        }
        let rank = |label: &PackageLabel| ORDER.iter().position(|stage| *stage == label.stage());
        if rank(package) > rank(from) {
            return Err(HostError::LaterStage {
                from: from.stage().to_owned(),
                stage: package.stage().to_owned(),
            });
        }
        Ok(())
    }
}
