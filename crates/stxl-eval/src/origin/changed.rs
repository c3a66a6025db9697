//! A host in whose answers one value is another one.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use stxl_lang::{Definition, Host, HostError, Layer, Module, Site, SourcePath};
use stxl_model::PackageLabel;

use super::path::{How, MARK, Step, with_changed};

/// What is another one.
#[derive(Clone, Copy)]
pub(super) enum Change<'c> {
    /// Nothing.
    Nothing,
    /// A value of what the layer below says.
    Prior(&'c [Step], How),
    /// A value of another package, where it is read at a place.
    Other(&'c Read, &'c [Step], How),
}

/// A package's values are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The package.
    pub(super) label: PackageLabel,
    /// Where.
    pub(super) site: Site,
}

/// A host with changed answers.
pub(super) struct ChangedHost<'h> {
    host: &'h dyn Host,
    change: Change<'h>,
    /// Whether the layer below was asked.
    pub(super) asked_prior: Cell<bool>,
    /// What was read of other packages, each once.
    pub(super) reads: RefCell<Vec<Read>>,
}

impl<'h> ChangedHost<'h> {
    pub(super) fn new(host: &'h dyn Host, change: Change<'h>) -> Self {
        Self {
            host,
            change,
            asked_prior: Cell::new(false),
            reads: RefCell::default(),
        }
    }

    fn changed(definition: Arc<Definition>, steps: &[Step], how: How) -> Arc<Definition> {
        with_changed(&definition, steps, how).map_or(definition, Arc::new)
    }
}

impl Host for ChangedHost<'_> {
    fn definition(
        &self,
        package: &PackageLabel,
        site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        let found = self.host.definition(package, site)?;
        let read = Read {
            label: package.clone(),
            site: site.clone(),
        };
        let mut reads = self.reads.borrow_mut();
        if !reads.contains(&read) {
            reads.push(read.clone());
        }
        match self.change {
            Change::Other(changed, steps, how) if *changed == read => {
                Ok(Self::changed(found, steps, how))
            }
            Change::Other(..) | Change::Nothing | Change::Prior(..) => Ok(found),
        }
    }

    fn prior(
        &self,
        package: &PackageLabel,
        layer: Layer,
        site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        let found = self.host.prior(package, layer, site)?;
        self.asked_prior.set(true);
        match self.change {
            Change::Prior(steps, how) => Ok(Self::changed(found, steps, how)),
            Change::Nothing | Change::Other(..) => Ok(found),
        }
    }

    fn module(&self, path: &SourcePath) -> Result<Arc<Module>, HostError> {
        self.host.module(path)
    }

    fn has_file(&self, path: &SourcePath) -> bool {
        self.host.has_file(path)
    }

    fn list(&self, folder: &SourcePath) -> Vec<String> {
        self.host.list(folder)
    }

    fn read_text(&self, path: &SourcePath) -> Result<Arc<str>, HostError> {
        // A file that is named by a changed value says something else.
        match path.as_str().strip_suffix(MARK) {
            Some(path) => {
                let text = self.host.read_text(&SourcePath::new(path))?;
                Ok(format!("{text}{MARK}").into())
            }
            None => self.host.read_text(path),
        }
    }

    fn check_label(&self, from: &PackageLabel, package: &PackageLabel) -> Result<(), HostError> {
        self.host.check_label(from, package)
    }
}
