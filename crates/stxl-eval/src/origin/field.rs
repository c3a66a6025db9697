//! Where a value of a definition comes from: its files, layer by layer, and what they read.

use std::sync::Arc;

use stxl_lang::schema::BuilderSchema;
use stxl_lang::{
    Definition, DefinitionContext, Expression, FieldPlace, Layer, Module, SourcePath, Span,
};
use stxl_model::PackageLabel;

use super::changed::{Change, ChangedHost, Read};
use super::path::{How, Step, leaves, shown, value_at, written};
use super::{Found, Search, borrowed};
use crate::database::Db as _;
use crate::host::{self, QueryHost};
use crate::queries;

/// How many packages are followed that read one another.
const PACKAGES_MAX: u32 = 16;

/// The values that templates stand for.
const TEMPLATES: [(&str, &str); 4] = [
    ("{version}", "version"),
    ("{version_major}", "version"),
    ("{version_minor}", "version"),
    ("{commit}", "commit"),
];

/// Where a value of the package comes from, and what it is.
pub(super) fn find(search: Search<'_>, steps: &[Step]) -> Result<(String, Found), String> {
    let definition = search
        .top_definition()
        .ok_or_else(|| format!("`{}` has no definition", search.label))?;
    let Some(value) = value_at(&definition, steps) else {
        let names: Vec<String> = definition
            .fields
            .keys()
            .map(|it| format!("`{it}`"))
            .collect();
        return Err(format!(
            "`{}` does not set `{}`; it sets {}",
            search.label,
            written(steps),
            names.join(", ")
        ));
    };
    let shown = shown(value);
    let mut found = search.field(steps, PACKAGES_MAX);
    found.add(search.templates(&definition, steps));
    Ok((shown, found))
}

impl Search<'_> {
    pub(super) fn top_definition(&self) -> Option<Arc<Definition>> {
        let package = self.db.package(self.label);
        let top = queries::top_layer(self.db, package);
        queries::definition(self.db, package, top)
            .outcome
            .clone()
            .ok()
    }

    /// Where a value comes from.
    pub(super) fn field(&self, steps: &[Step], packages_left: u32) -> Found {
        let mut found = Found::default();
        let package = self.db.package(self.label);
        let layers = package.layers(self.db);
        for (layer, path) in (0..).zip(layers.iter()) {
            let result = queries::definition(self.db, package, layer);
            let (Ok(definition), Some(module)) = (&result.outcome, self.module(path)) else {
                continue;
            };
            let file = LayerFile {
                search: self,
                layer: Layer(layer),
                path,
                module,
                definition,
            };
            file.add(steps, packages_left, &mut found);
        }
        found
    }

    pub(super) fn module(&self, path: &SourcePath) -> Option<Arc<Module>> {
        host::module(self.db, path).ok()
    }

    /// What the templates in a value stand for.
    fn templates(&self, definition: &Definition, steps: &[Step]) -> Found {
        let mut found = Found::default();
        let Some(Step::Key(field)) = steps.first() else {
            return found;
        };
        let builder = BuilderSchema::find(&definition.builder);
        let known = builder.and_then(|builder| builder.field(field));
        if known.is_some_and(|known| !known.kind.has_templates()) {
            return found;
        }
        let value = value_at(definition, steps).map(shown).unwrap_or_default();
        for (template, stands_for) in TEMPLATES {
            if !value.contains(template) {
                continue;
            }
            let meant = [Step::Key(stands_for.to_owned())];
            let mut meaning = self.field(&meant, PACKAGES_MAX);
            if let Some(last) = meaning.chain.last_mut() {
                last.what = format!("`{template}` stands for `{stands_for}`, {}", last.what);
            }
            found.add(meaning);
        }
        found
    }
}

/// One file of a definition.
struct LayerFile<'l> {
    search: &'l Search<'l>,
    layer: Layer,
    path: &'l SourcePath,
    module: Arc<Module>,
    definition: &'l Arc<Definition>,
}

impl LayerFile<'_> {
    /// Adds what this file has to do with a value.
    fn add(&self, steps: &[Step], packages_left: u32, found: &mut Found) {
        if value_at(self.definition, steps).is_none() {
            *found = Found::default();
            return;
        }
        let host = self.host();
        let host = ChangedHost::new(&host, Change::Nothing);
        let place = self.search.evaluating(self.path, || {
            let language = &self.search.db.shared().language;
            language.place_of_field(&self.module, &self.context(), &host, &borrowed(steps))
        });
        let below = self.depends(steps, |how| Change::Prior(steps, how));
        let Some(place) = place else {
            if !host.asked_prior.get() {
                *found = Found::default();
            }
            return;
        };
        let mut what = "set here";
        let mut replaced = None;
        match below {
            Depends::Yes => what = "made here of what was set before",
            Depends::No => {
                replaced = found
                    .chain
                    .last()
                    .map(|last| format!("set here, in the place of {}:{}", last.file, last.line));
                *found = Found::default();
            }
            Depends::Unknown => found.unknown.push(format!(
                "whether {} goes on from what was set before it",
                self.path
            )),
        }
        for read in host.reads.take() {
            self.add_read(&read, steps, packages_left, found);
        }
        let what = replaced.unwrap_or_else(|| what.to_owned());
        self.add_place(&place, &what, steps, found);
    }

    fn context(&self) -> DefinitionContext {
        DefinitionContext {
            package: self.search.label.clone(),
            layer: self.layer,
        }
    }

    fn host(&self) -> QueryHost<'_> {
        QueryHost::new(self.search.db, self.search.label.clone(), self.path.clone())
    }

    /// Whether a value becomes another one by a change.
    fn depends<'c>(&self, steps: &[Step], change: impl Fn(How) -> Change<'c>) -> Depends {
        let language = &self.search.db.shared().language;
        let mut depends = Depends::Unknown;
        for how in How::ALL {
            let host = self.host();
            let host = ChangedHost::new(&host, change(how));
            let define = || language.define(&self.module, &self.context(), &host);
            let defined = self.search.evaluating(self.path, define);
            let Ok(defined) = defined else { continue };
            depends = Depends::No;
            if value_at(&defined.definition, steps) != value_at(self.definition, steps) {
                return Depends::Yes;
            }
        }
        depends
    }

    /// Adds the values of another package, read at one place, that a value is made of.
    fn add_read(&self, read: &Read, steps: &[Step], packages_left: u32, found: &mut Found) {
        let package: &PackageLabel = &read.label;
        if package == self.search.label || packages_left == 0 {
            return;
        }
        let search = Search {
            db: self.search.db,
            label: package,
        };
        let Some(other) = search.top_definition() else {
            return;
        };
        for leaf in leaves(&other) {
            match self.depends(steps, |how| Change::Other(read, &leaf, how)) {
                Depends::Yes => {}
                Depends::No => continue,
                Depends::Unknown => {
                    let unknown =
                        format!("whether `{}` of `{package}` plays a part", written(&leaf));
                    found.unknown.push(unknown);
                    continue;
                }
            }
            let mut origin = search.field(&leaf, packages_left - 1);
            if let Some(last) = origin.chain.last_mut() {
                last.what = format!("`{}` of `{package}`, {}", written(&leaf), last.what);
            }
            found.add(origin);
            let span = queries::span_of_site(self.search.db, &read.site);
            let what = format!("`{}` of `{package}` is read here", written(&leaf));
            found.chain.push(self.search.waypoint(what, &span));
        }
    }

    /// Adds the calls that lead to a value, and what its expression is made of.
    fn add_place(&self, place: &FieldPlace, what: &str, steps: &[Step], found: &mut Found) {
        for call in &place.calls {
            let what = format!("{}, which is called here", call.what);
            found.chain.push(self.search.waypoint(what, &call.span));
        }
        let module = self.search.module(&place.value.path);
        let start = place.value.start;
        let expression = module.as_ref().and_then(|module| {
            let syntax = module.syntax();
            let around = syntax.field_around(start, &borrowed(steps));
            around.or_else(|| Some((syntax.expression_at(start)?, place.is_written)))
        });
        let Some((expression, is_whole)) = expression else {
            found.chain.push(self.search.waypoint(what, &place.value));
            return;
        };
        self.add_parts(&expression, &place.value.path, found);
        let is_written = is_whole && expression.is_written;
        let how = if is_written { "" } else { ", computed" };
        let what = format!("{what}{how}");
        found
            .chain
            .push(self.search.waypoint(what, &expression.span));
        if !is_whole {
            found.unknown.push(format!(
                "`{}` is not written out in {}; the place is that of what it is part of",
                written(steps),
                place.value.path
            ));
        }
        if !place.calls.is_empty() && !is_written {
            found.unknown.push(format!(
                "what of the values handed to the functions above is used in {}",
                place.value.path
            ));
        }
    }

    fn add_parts(&self, expression: &Expression, path: &SourcePath, found: &mut Found) {
        for (name, set) in &expression.variables {
            let what = format!("the variable `{name}` is set here");
            found.chain.push(self.search.waypoint(what, set));
        }
        for call in &expression.calls {
            let path = match &call.import {
                Some(import) => SourcePath::new(&format!("{import}.rhai")),
                None => path.clone(),
            };
            let defined: Option<Span> = self
                .search
                .module(&path)
                .and_then(|module| module.syntax().function(&call.name));
            if let Some(defined) = defined {
                let what = format!("the function `{}` is defined here", call.name);
                found.chain.push(self.search.waypoint(what, &defined));
            }
        }
    }
}

/// Whether a value depends on another one.
enum Depends {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The file cannot be evaluated with another value.
    Unknown,
}
