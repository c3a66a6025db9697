//! The report of packages whose values need each other.
//!
//! The queries only say that there is a cycle; which way it goes is found by evaluating one of its
//! files again, outside of the queries, with a host that keeps the path.

use std::cell::RefCell;
use std::sync::Arc;

use stxl_lang::{
    Definition, DefinitionContext, Diagnostic, Host, HostError, Layer, Module, Site, SourcePath,
};
use stxl_model::PackageLabel;

use crate::database::Db;
use crate::host;
use crate::queries;

/// What is to be said about the cycle that a package is part of, and the packages of the cycle.
pub(crate) fn explain(db: &dyn Db, label: &PackageLabel) -> (Vec<Diagnostic>, Vec<PackageLabel>) {
    let tracer = Tracer {
        db,
        path: RefCell::default(),
        cycle: RefCell::default(),
        diagnostics: RefCell::default(),
    };
    let top = queries::top_layer(db, db.package(label));
    // Its value does not matter: the diagnostics were kept on the way.
    drop(tracer.define(label, top, None));
    let cycle = tracer.cycle.into_inner();
    (tracer.diagnostics.into_inner(), cycle)
}

struct Step {
    label: PackageLabel,
    layer: u32,
    /// Where the step before asks for this one.
    asked_at: Option<Site>,
}

struct Tracer<'db> {
    db: &'db dyn Db,
    path: RefCell<Vec<Step>>,
    cycle: RefCell<Vec<PackageLabel>>,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl Tracer<'_> {
    fn define(
        &self,
        label: &PackageLabel,
        layer: u32,
        asked_at: Option<&Site>,
    ) -> Result<Arc<Definition>, HostError> {
        let begin = self
            .path
            .borrow()
            .iter()
            .position(|it| it.label == *label && it.layer == layer);
        if let Some(begin) = begin {
            return Err(self.close(begin, asked_at));
        }
        let layers = self.db.package(label).layers(self.db);
        let Some(file) = layers.get(layer as usize) else {
            return Err(HostError::Unknown {
                suggestions: Vec::new(),
            });
        };
        let module = host::module(self.db, file)?;
        let asked_at = asked_at.cloned();
        self.path.borrow_mut().push(Step {
            label: label.clone(),
            layer,
            asked_at,
        });
        let context = DefinitionContext {
            package: label.clone(),
            layer: Layer(layer),
        };
        let defined = self.db.shared().language.define(&module, &context, self);
        self.path.borrow_mut().pop();
        match defined {
            Ok(defined) => Ok(Arc::new(defined.definition)),
            Err(diagnostics) => {
                self.diagnostics.borrow_mut().extend(diagnostics);
                Err(HostError::Failed)
            }
        }
    }

    fn close(&self, begin: usize, asked_at: Option<&Site>) -> HostError {
        let path = self.path.borrow();
        let steps: Vec<&Step> = path.iter().skip(begin).collect();
        let asks = steps.iter().skip(1).map(|step| step.asked_at.clone());
        let asks = asks.chain([asked_at.cloned()]);
        let ring: Vec<(PackageLabel, Site)> = steps
            .iter()
            .zip(asks)
            .filter_map(|(step, asks_at)| Some((step.label.clone(), asks_at?)))
            .collect();
        self.cycle
            .borrow_mut()
            .extend(steps.iter().map(|step| step.label.clone()));
        HostError::Cycle { path: ring }
    }
}

impl Host for Tracer<'_> {
    fn definition(
        &self,
        package: &PackageLabel,
        site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        let top = queries::top_layer(self.db, self.db.package(package));
        self.define(package, top, Some(site))
    }

    fn prior(
        &self,
        package: &PackageLabel,
        layer: Layer,
        site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        match layer.0.checked_sub(1) {
            Some(below) => self.define(package, below, Some(site)),
            None => Err(HostError::Unknown {
                suggestions: Vec::new(),
            }),
        }
    }

    fn module(&self, path: &SourcePath) -> Result<Arc<Module>, HostError> {
        host::module(self.db, path)
    }

    fn has_file(&self, path: &SourcePath) -> bool {
        host::has_file(self.db, path)
    }

    fn list(&self, folder: &SourcePath) -> Vec<String> {
        self.db.folder(folder).names(self.db).to_vec()
    }

    fn read_text(&self, path: &SourcePath) -> Result<Arc<str>, HostError> {
        host::read_text(self.db, path)
    }

    fn check_label(&self, from: &PackageLabel, package: &PackageLabel) -> Result<(), HostError> {
        host::check_label(self.db, from, package).map(|_| ())
    }
}
