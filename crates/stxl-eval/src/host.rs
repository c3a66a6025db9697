//! What the language asks of its surroundings, answered by queries.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use stxl_lang::{Definition, Host, HostError, Layer, Module, Site, SourcePath};
use stxl_model::PackageLabel;

use crate::database::{Db, EntryState, FileState, Package};
use crate::queries::{self, Failure};
use crate::read::Read;

/// What the evaluation of a file read of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// The packages whose values were read, sorted.
    pub(crate) packages: Vec<PackageLabel>,
    /// The packages that were named, whatever came of it, sorted.
    pub(crate) named: Vec<PackageLabel>,
    /// Files and folders, sorted.
    pub(crate) places: Vec<Read>,
    /// The files it imported, over any number of steps, about which compiling says something,
    /// sorted.
    pub(crate) faulty_files: Vec<SourcePath>,
}

/// Answers by queries for the evaluation of one file, and remembers whose values were read.
pub(crate) struct QueryHost<'db> {
    db: &'db dyn Db,
    label: PackageLabel,
    path: SourcePath,
    reads: RefCell<BTreeSet<PackageLabel>>,
    named: RefCell<BTreeSet<PackageLabel>>,
    places: RefCell<BTreeSet<Read>>,
    faulty: RefCell<BTreeSet<SourcePath>>,
}

impl<'db> QueryHost<'db> {
    pub(crate) fn new(db: &'db dyn Db, label: PackageLabel, path: SourcePath) -> Self {
        Self {
            db,
            label,
            path,
            reads: RefCell::default(),
            named: RefCell::default(),
            places: RefCell::default(),
            faulty: RefCell::default(),
        }
    }

    fn note(&self, read: Read) {
        self.places.borrow_mut().insert(read);
    }

    /// What was read on the way.
    pub(crate) fn into_reads(self) -> Reads {
        Reads {
            packages: self.reads.into_inner().into_iter().collect(),
            named: self.named.into_inner().into_iter().collect(),
            places: self.places.into_inner().into_iter().collect(),
            faulty_files: self.faulty.into_inner().into_iter().collect(),
        }
    }
}

fn host_error(db: &dyn Db, package: &PackageLabel, failure: Failure) -> HostError {
    match failure {
        Failure::Missing => HostError::Unknown {
            suggestions: db.shared().nearest_packages(db, package),
        },
        // A cycle is reported by the driver, which sees all of it.
        Failure::Reported | Failure::Cycle => HostError::Failed,
    }
}

/// Finds a package, whose stage may not be later than that of the one which asks.
pub(crate) fn check_label(
    db: &dyn Db,
    from: &PackageLabel,
    package: &PackageLabel,
) -> Result<Package, HostError> {
    let found = db.package(package);
    if found.layers(db).is_empty() {
        return Err(HostError::Unknown {
            suggestions: db.shared().nearest_packages(db, package),
        });
    }
    let stages = db.configuration().stages(db);
    let group = |stage: &str| {
        stages
            .iter()
            .position(|group| group.iter().any(|s| s == stage))
    };
    match (group(from.stage()), group(package.stage())) {
        (Some(own), Some(other)) if other > own => Err(HostError::LaterStage {
            from: from.stage().to_owned(),
            stage: package.stage().to_owned(),
        }),
        _ => Ok(found),
    }
}

/// The text of a file.
pub(crate) fn read_text(db: &dyn Db, path: &SourcePath) -> Result<Arc<str>, HostError> {
    let unreadable = |reason: String| HostError::Unreadable { reason };
    match db.file(path).state(db) {
        FileState::File(bytes) => std::str::from_utf8(&bytes)
            .map(Arc::from)
            .map_err(|_| unreadable(format!("`{path}` is not text in UTF-8"))),
        FileState::Directory => Err(unreadable(format!("`{path}` is a directory"))),
        FileState::Missing => Err(HostError::Unknown {
            suggestions: Vec::new(),
        }),
        FileState::Unreadable(reason) => Err(unreadable(reason)),
    }
}

/// Whether a file or directory is there.
pub(crate) fn has_file(db: &dyn Db, path: &SourcePath) -> bool {
    db.entry(path).found(db) != EntryState::Missing
}

/// A compiled file.
pub(crate) fn module(db: &dyn Db, path: &SourcePath) -> Result<Arc<Module>, HostError> {
    let file = db.file(path);
    match file.state(db) {
        FileState::Missing => Err(HostError::Unknown {
            suggestions: Vec::new(),
        }),
        FileState::File(_) | FileState::Directory | FileState::Unreadable(_) => {
            queries::compiled(db, file)
                .module
                .clone()
                .ok_or(HostError::Failed)
        }
    }
}

impl Host for QueryHost<'_> {
    fn definition(
        &self,
        package: &PackageLabel,
        _site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        let asked = check_label(self.db, &self.label, package)?;
        self.reads.borrow_mut().insert(package.clone());
        let found = queries::values(self.db, asked);
        self.db.shared().evaluating(Some(&self.path));
        found.map_err(|failure| host_error(self.db, package, failure))
    }

    fn prior(
        &self,
        package: &PackageLabel,
        layer: Layer,
        _site: &Site,
    ) -> Result<Arc<Definition>, HostError> {
        let Some(below) = layer.0.checked_sub(1) else {
            return Err(HostError::Unknown {
                suggestions: Vec::new(),
            });
        };
        let result = queries::definition(self.db, self.db.package(package), below);
        self.db.shared().evaluating(Some(&self.path));
        result.outcome.clone().map_err(|failure| match failure {
            Failure::Missing => HostError::Unknown {
                suggestions: Vec::new(),
            },
            Failure::Reported | Failure::Cycle => HostError::Failed,
        })
    }

    fn module(&self, path: &SourcePath) -> Result<Arc<Module>, HostError> {
        self.note(Read::File(path.clone()));
        let found = module(self.db, path);
        let file = self.db.file(path);
        if file.state(self.db) != FileState::Missing
            && !queries::compiled(self.db, file).diagnostics.is_empty()
        {
            self.faulty.borrow_mut().insert(path.clone());
        }
        self.db.shared().evaluating(Some(&self.path));
        found
    }

    fn has_file(&self, path: &SourcePath) -> bool {
        self.note(Read::Presence(path.clone()));
        has_file(self.db, path)
    }

    fn list(&self, folder: &SourcePath) -> Vec<String> {
        self.note(Read::Folder(folder.clone()));
        self.db.folder(folder).names(self.db).to_vec()
    }

    fn read_text(&self, path: &SourcePath) -> Result<Arc<str>, HostError> {
        self.note(Read::File(path.clone()));
        read_text(self.db, path)
    }

    fn check_label(&self, from: &PackageLabel, package: &PackageLabel) -> Result<(), HostError> {
        self.named.borrow_mut().insert(package.clone());
        check_label(self.db, from, package).map(|_| ())
    }
}
