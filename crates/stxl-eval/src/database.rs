//! The inputs of the queries and the database that remembers them.
//!
//! An input is made when it is first asked for, also for what does not exist: when it appears
//! later, that one input changes, and an added file re-runs nothing that never asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use stxl_lang::profile::{Activity, Profiler, Underway};
use stxl_lang::{Language, SourceError, SourcePath};
use stxl_model::{LeftOut, PackageLabel, Platform, TreeId};

use crate::directory_import::DirectoryImportError;
use crate::layout::{Layers, Layout, layer_folders, layers_of, list_packages};
use crate::read::Read;
use crate::settings::{SeedAllowList, Settings, SharedRoots};
use crate::source_tree::{EntryKind, FileDigest, Stamp, WorkspaceTree};
use crate::suggestion::nearest_packages;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    /// A file and its bytes.
    File(Arc<[u8]>),
    /// A directory.
    Directory,
    /// Nothing.
    Missing,
    /// Something that cannot be read.
    Unreadable(String),
}

/// What a path is, without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryState {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// Nothing.
    Missing,
    /// Something that cannot be read.
    Unreadable,
}

/// What is imported from a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileContent {
    /// A file of any size.
    File(FileDigest),
    /// Nothing is there.
    Missing,
    /// Something that cannot be imported as a file.
    Unreadable(String),
}

/// One path of the workspace.
#[salsa::input]
pub(crate) struct SourceEntry {
    #[returns(clone)]
    pub(crate) path: SourcePath,
    #[returns(copy)]
    pub(crate) found: EntryState,
}

/// One file of the workspace that is imported.
#[salsa::input]
pub(crate) struct ImportedFile {
    #[returns(clone)]
    pub(crate) path: SourcePath,
    #[returns(clone)]
    pub(crate) content: FileContent,
    /// Read by no query: it may be another while the content is the same.
    #[returns(copy)]
    pub(crate) stamp: Option<Stamp>,
}

/// One text of the workspace that the language reads.
#[salsa::input]
pub(crate) struct SourceFile {
    #[returns(clone)]
    pub(crate) path: SourcePath,
    #[returns(clone)]
    pub(crate) state: FileState,
    /// Read by no query: it may be another while the state is the same.
    #[returns(copy)]
    pub(crate) stamp: Option<Stamp>,
}

/// The names in one folder.
#[salsa::input]
pub(crate) struct SourceFolder {
    #[returns(clone)]
    pub(crate) path: SourcePath,
    #[returns(clone)]
    pub(crate) names: Arc<[String]>,
}

/// The content of a directory that is imported as a whole.
#[salsa::input]
pub(crate) struct ImportedDirectory {
    #[returns(clone)]
    pub(crate) key: DirectoryKey,
    #[returns(clone)]
    pub(crate) tree: Result<TreeId, String>,
}

/// A directory and what is left out of it.
pub(crate) type DirectoryKey = (SourcePath, Vec<String>);

/// One package, or the lack of one: without layers.
#[salsa::input]
pub(crate) struct Package {
    #[returns(clone)]
    pub(crate) label: PackageLabel,
    #[returns(clone)]
    pub(crate) layers: Layers,
}

/// The settings, field by field, so that a change of one re-runs only what reads it.
#[salsa::input]
pub(crate) struct Configuration {
    #[returns(clone)]
    pub(crate) stages: Arc<Vec<Vec<String>>>,
    #[returns(clone)]
    pub(crate) roots: SharedRoots,
    #[returns(clone)]
    pub(crate) seeds: Arc<SeedAllowList>,
    #[returns(copy)]
    pub(crate) sandbox_abi: u32,
    /// The names of all packages, for suggestions only: reading it ties a query to every package.
    #[returns(clone)]
    pub(crate) labels: Arc<Vec<PackageLabel>>,
}

/// The database as queries see it.
#[salsa::db]
pub(crate) trait Db: salsa::Database {
    /// What is the same for every thread and every revision.
    fn shared(&self) -> &Shared;
    /// The settings.
    fn configuration(&self) -> Configuration;
    /// What stands at a path.
    fn entry(&self, path: &SourcePath) -> SourceEntry;
    /// The file at a path, as an import.
    fn imported_file(&self, path: &SourcePath) -> ImportedFile;
    /// The text at a path.
    fn file(&self, path: &SourcePath) -> SourceFile;
    /// The folder at a path.
    fn folder(&self, path: &SourcePath) -> SourceFolder;
    /// The directory at a path, as an import.
    fn directory(&self, key: &DirectoryKey) -> ImportedDirectory;
    /// A package by its label.
    fn package(&self, label: &PackageLabel) -> Package;
}

/// What a thread turns to.
#[derive(Clone, Copy, Debug)]
pub enum Turn<'a> {
    /// To a file of the language: it is compiled, evaluated or lowered.
    File(&'a SourcePath),
    /// To bytes that are hashed for an import, which takes time that is not that of a text.
    Import,
    /// Away from both.
    Away,
}

/// Told, on the evaluating thread, what that thread turns to.
pub(crate) type Progress = Box<dyn Fn(Turn<'_>) + Send + Sync>;

/// What is the same for every thread and every revision.
pub(crate) struct Shared {
    pub(crate) language: Language,
    pub(crate) tree: Arc<dyn WorkspaceTree>,
    pub(crate) progress: Option<Progress>,
    profiler: Option<Arc<Profiler>>,
    is_logging: AtomicBool,
    log: Mutex<Vec<String>>,
    /// When packages are found as they are asked for.
    on_demand: OnceLock<OnDemand>,
    inputs: Inputs,
}

/// By what packages are found as they are asked for.
struct OnDemand {
    settings: Settings,
    /// The folders of layers.
    folders: Vec<String>,
    /// All packages, once somebody wants to know.
    labels: OnceLock<Vec<PackageLabel>>,
}

/// A table in the order of insertion. Its hashes are quick and can be made to collide by names that
/// are chosen for it; what that costs ends at the limits of time.
type Table<K, I> = IndexMap<K, I, FxBuildHasher>;

#[derive(Default)]
struct Inputs {
    configuration: Mutex<Option<Configuration>>,
    entries: Mutex<Table<SourcePath, SourceEntry>>,
    imported_files: Mutex<Table<SourcePath, ImportedFile>>,
    files: Mutex<Table<SourcePath, SourceFile>>,
    folders: Mutex<Table<SourcePath, SourceFolder>>,
    directories: Mutex<Table<DirectoryKey, ImportedDirectory>>,
    packages: Mutex<Table<PackageLabel, Package>>,
}

/// The database; a clone is a handle of another thread to the same one.
#[salsa::db]
#[derive(Clone)]
pub(crate) struct Database {
    storage: salsa::Storage<Self>,
    shared: Arc<Shared>,
}

#[salsa::db]
impl salsa::Database for Database {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds or makes an input. What it is made of is read without the lock.
fn input<K: Hash + Eq + Clone, I: Copy>(
    table: &Mutex<Table<K, I>>,
    key: &K,
    make: impl FnOnce() -> I,
) -> I {
    if let Some(input) = lock(table).get(key) {
        return *input;
    }
    let made = make();
    // Another thread may have been faster: all have to use the same one.
    *lock(table).entry(key.clone()).or_insert(made)
}

#[salsa::db]
impl Db for Database {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn configuration(&self) -> Configuration {
        *lock(&self.shared.inputs.configuration).get_or_insert_with(|| {
            let empty = Settings::empty();
            Configuration::new(
                self,
                Arc::new(empty.stages),
                Arc::new(empty.roots),
                Arc::new(empty.seeds),
                0,
                Arc::default(),
            )
        })
    }

    fn entry(&self, path: &SourcePath) -> SourceEntry {
        let make = || SourceEntry::new(self, path.clone(), self.shared.find(path));
        input(&self.shared.inputs.entries, path, make)
    }

    fn imported_file(&self, path: &SourcePath) -> ImportedFile {
        let make = || {
            let (content, stamp) = self.shared.read_content(path);
            ImportedFile::new(self, path.clone(), content, stamp)
        };
        input(&self.shared.inputs.imported_files, path, make)
    }

    fn file(&self, path: &SourcePath) -> SourceFile {
        let make = || {
            let (state, stamp) = self.shared.read_state(path);
            SourceFile::new(self, path.clone(), state, stamp)
        };
        input(&self.shared.inputs.files, path, make)
    }

    fn folder(&self, path: &SourcePath) -> SourceFolder {
        let make = || SourceFolder::new(self, path.clone(), self.shared.read_names(path));
        input(&self.shared.inputs.folders, path, make)
    }

    fn directory(&self, key: &DirectoryKey) -> ImportedDirectory {
        let make = || ImportedDirectory::new(self, key.clone(), self.shared.read_directory(key));
        input(&self.shared.inputs.directories, key, make)
    }

    fn package(&self, label: &PackageLabel) -> Package {
        let make = || {
            let on_demand = self.shared.on_demand.get();
            let tree = self.shared.tree.as_ref();
            let layers = on_demand.map(|it| layers_of(tree, &it.folders, label));
            Package::new(self, label.clone(), layers.unwrap_or_default())
        };
        input(&self.shared.inputs.packages, label, make)
    }
}

impl Shared {
    /// The names of packages that are near to one that does not exist.
    pub(crate) fn nearest_packages(&self, db: &dyn Db, package: &PackageLabel) -> Vec<String> {
        let nearest = |labels: &[PackageLabel]| {
            let labels = labels.iter().map(PackageLabel::as_str);
            nearest_packages(package.as_str(), labels)
        };
        match self.on_demand.get() {
            None => nearest(&db.configuration().labels(db)),
            Some(on_demand) => nearest(on_demand.labels.get_or_init(|| {
                let listing = list_packages(self.tree.as_ref(), &on_demand.settings);
                listing.layout.packages.into_keys().collect()
            })),
        }
    }

    fn read_state(&self, path: &SourcePath) -> (FileState, Option<Stamp>) {
        FileState::read(self.tree.as_ref(), path)
    }

    fn find(&self, path: &SourcePath) -> EntryState {
        EntryState::find(self.tree.as_ref(), path)
    }

    fn read_content(&self, path: &SourcePath) -> (FileContent, Option<Stamp>) {
        FileContent::read(self.tree.as_ref(), path)
    }

    fn read_names(&self, path: &SourcePath) -> Arc<[String]> {
        self.tree.list(path).unwrap_or_default().into()
    }

    fn read_directory(&self, (path, ignore): &DirectoryKey) -> Result<TreeId, String> {
        LeftOut::new(ignore)
            .map_err(DirectoryImportError::from)
            .and_then(|left_out| self.tree.directory(path, &left_out))
            .map_err(|error| error.to_string())
    }

    /// Remembers that a query runs, when somebody listens.
    pub(crate) fn log(&self, query: impl FnOnce() -> String) {
        if self.is_logging.load(Ordering::Relaxed) {
            lock(&self.log).push(query());
        }
    }

    /// Tells the profiler, if there is one, what goes on until the answer is dropped.
    pub(crate) fn spending(&self, activity: impl FnOnce() -> Activity) -> Option<Underway> {
        let profiler = self.profiler.as_ref()?;
        Some(profiler.begin(activity()))
    }

    /// Tells which file the language turns to on the calling thread.
    pub(crate) fn evaluating(&self, path: Option<&SourcePath>) {
        self.turn(path.map_or(Turn::Away, Turn::File));
    }

    /// Tells that the calling thread, which lowers a file, hashes for an import meanwhile.
    pub(crate) fn importing<T>(&self, lowered: &SourcePath, import: impl FnOnce() -> T) -> T {
        self.turn(Turn::Import);
        let imported = import();
        self.turn(Turn::File(lowered));
        imported
    }

    fn turn(&self, turn: Turn<'_>) {
        if let Some(progress) = &self.progress {
            progress(turn);
        }
    }
}

impl EntryState {
    /// Looks at what a path is.
    pub(crate) fn find(tree: &dyn WorkspaceTree, path: &SourcePath) -> Self {
        match tree.kind_behind_links(path) {
            Ok(EntryKind::File { .. } | EntryKind::Symlink { .. }) => Self::File,
            Ok(EntryKind::Directory) => Self::Directory,
            Err(SourceError::NotFound { .. }) => Self::Missing,
            Err(SourceError::Unreadable { .. }) => Self::Unreadable,
        }
    }
}

impl FileContent {
    /// Hashes what is imported from a path; with the stamp of a file that is there.
    pub(crate) fn read(tree: &dyn WorkspaceTree, path: &SourcePath) -> (Self, Option<Stamp>) {
        let content = match (EntryState::find(tree, path), tree.digest_stamped(path)) {
            (EntryState::Directory, _) => Self::Unreadable("it is a directory".to_owned()),
            (_, Ok((digest, stamp))) => return (Self::File(digest), stamp),
            (_, Err(SourceError::NotFound { .. })) => Self::Missing,
            (_, Err(SourceError::Unreadable { reason, .. })) => Self::Unreadable(reason),
        };
        (content, None)
    }
}

impl FileState {
    /// Reads what stands at a path; with the stamp of a file that is there.
    pub(crate) fn read(tree: &dyn WorkspaceTree, path: &SourcePath) -> (Self, Option<Stamp>) {
        let is_directory = || matches!(tree.kind(path), Ok(EntryKind::Directory));
        let state = match tree.read_stamped(path) {
            Ok((bytes, stamp)) => return (Self::File(bytes), stamp),
            // A tree without directories of its own (memory) says "not found" of a folder.
            Err(_) if is_directory() => Self::Directory,
            Err(SourceError::NotFound { .. }) => Self::Missing,
            Err(SourceError::Unreadable { reason, .. }) => Self::Unreadable(reason),
        };
        (state, None)
    }
}

impl Database {
    pub(crate) fn new(
        tree: Arc<dyn WorkspaceTree>,
        progress: Option<Progress>,
        profiler: Option<Arc<Profiler>>,
    ) -> Self {
        let language = match profiler {
            Some(_) => Language::profiled(),
            None => Language::new(),
        };
        let shared = Shared {
            language,
            tree,
            progress,
            profiler,
            is_logging: AtomicBool::new(false),
            log: Mutex::default(),
            on_demand: OnceLock::new(),
            inputs: Inputs::default(),
        };
        Self {
            storage: salsa::Storage::new(None),
            shared: Arc::new(shared),
        }
    }

    /// Looks for packages as they are asked for, from now on: there is no list of all of them.
    pub(crate) fn find_packages_on_demand(&self, settings: &Settings) {
        self.shared.on_demand.get_or_init(|| OnDemand {
            settings: settings.clone(),
            folders: layer_folders(settings),
            labels: OnceLock::new(),
        });
    }

    /// Begins or ends remembering which queries run.
    pub(crate) fn set_logging(&self, is_logging: bool) {
        self.shared.is_logging.store(is_logging, Ordering::Relaxed);
    }

    /// The queries that ran since this was asked last, sorted.
    pub(crate) fn take_log(&self) -> Vec<String> {
        let mut log = std::mem::take(&mut *lock(&self.shared.log));
        log.sort();
        log
    }

    /// Everything that was ever asked for.
    pub(crate) fn looked_at(&self) -> BTreeSet<Read> {
        let inputs = &self.shared.inputs;
        let mut reads = BTreeSet::new();
        reads.extend(lock(&inputs.entries).keys().cloned().map(Read::Presence));
        let imported_files = lock(&inputs.imported_files);
        reads.extend(imported_files.keys().cloned().map(Read::Import));
        reads.extend(lock(&inputs.files).keys().cloned().map(Read::File));
        reads.extend(lock(&inputs.folders).keys().cloned().map(Read::Folder));
        let directories = lock(&inputs.directories);
        reads.extend(directories.keys().cloned().map(Read::Directory));
        reads
    }

    /// Brings the settings and the list of packages up to date.
    pub(crate) fn set_configuration(
        &mut self,
        settings: &Settings,
        layout: &Layout,
        sandbox_abi: u32,
    ) {
        use salsa::Setter as _;
        let configuration = self.configuration();
        if *configuration.stages(self) != settings.stages {
            configuration
                .set_stages(self)
                .to(Arc::new(settings.stages.clone()));
        }
        if *configuration.roots(self) != settings.roots {
            configuration
                .set_roots(self)
                .to(Arc::new(settings.roots.clone()));
        }
        if *configuration.seeds(self) != settings.seeds {
            configuration
                .set_seeds(self)
                .to(Arc::new(settings.seeds.clone()));
        }
        if configuration.sandbox_abi(self) != sandbox_abi {
            configuration.set_sandbox_abi(self).to(sandbox_abi);
        }
        let labels: Vec<PackageLabel> = layout.packages.keys().cloned().collect();
        if *configuration.labels(self) != labels {
            configuration.set_labels(self).to(Arc::new(labels));
        }
        self.set_packages(layout);
    }

    fn set_packages(&mut self, layout: &Layout) {
        use salsa::Setter as _;
        let known = lock(&self.shared.inputs.packages).clone();
        for (label, package) in &known {
            let layers = layout.packages.get(label).cloned().unwrap_or_default();
            if package.layers(self) != layers {
                package.set_layers(self).to(layers);
            }
        }
        let mut made = Vec::new();
        for (label, layers) in &layout.packages {
            if !known.contains_key(label) {
                made.push((
                    label.clone(),
                    Package::new(self, label.clone(), layers.clone()),
                ));
            }
        }
        lock(&self.shared.inputs.packages).extend(made);
    }

    /// Reads every file, folder and directory that was ever asked for again, and changes the inputs
    /// that are not what they were.
    pub(crate) fn refresh(&mut self) {
        use salsa::Setter as _;
        let shared = Arc::clone(&self.shared);
        let entries = lock(&shared.inputs.entries).clone();
        for (path, entry) in &entries {
            let found = shared.find(path);
            if entry.found(self) != found {
                entry.set_found(self).to(found);
            }
        }
        let imported_files = lock(&shared.inputs.imported_files).clone();
        for (path, file) in &imported_files {
            let (content, stamp) = shared.read_content(path);
            if file.content(self) != content {
                file.set_content(self).to(content);
            }
            if file.stamp(self) != stamp {
                file.set_stamp(self).to(stamp);
            }
        }
        let files = lock(&shared.inputs.files).clone();
        for (path, file) in &files {
            let (state, stamp) = shared.read_state(path);
            if file.state(self) != state {
                file.set_state(self).to(state);
            }
            if file.stamp(self) != stamp {
                file.set_stamp(self).to(stamp);
            }
        }
        let folders = lock(&shared.inputs.folders).clone();
        for (path, folder) in &folders {
            let names = shared.read_names(path);
            if folder.names(self) != names {
                folder.set_names(self).to(names);
            }
        }
        let directories = lock(&shared.inputs.directories).clone();
        for (key, directory) in &directories {
            let tree = shared.read_directory(key);
            if directory.tree(self) != tree {
                drop(directory.set_tree(self).to(tree));
            }
        }
    }
}

/// What a package is built for, apart from itself. Edges inherit it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Configured {
    pub(crate) platform: Platform,
    pub(crate) options: Arc<BTreeMap<String, String>>,
}
