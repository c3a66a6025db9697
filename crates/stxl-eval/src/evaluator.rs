//! A session of evaluations over one workspace.

mod diagnose;
mod inquire;
mod select;

pub(crate) use diagnose::{order, sort};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::ThreadPool;
use stxl_lang::profile::{Activity, Profiler};
use stxl_lang::{Diagnostic, Severity, SourceError, SourcePath, Span, VALUE_CYCLE};
use stxl_model::{BlobId, PackageLabel, Plan, Platform, Selector};

use crate::database::{Configured, Database, Db as _, Progress};
use crate::graph::{Follow, Graph};
use crate::layout::{Layout, Listing, find_packages, list_packages};
use crate::link::{Links, link};
use crate::lowering::lowered;
use crate::node::{Node, NodeKey, is_output};
use crate::parallel;
use crate::queries::{self, PackageFacts, error};
use crate::read::{Found, Look, Read};
use crate::record::{Evaluated, Records};
use crate::settings::{SETTINGS_FILE, Settings};
use crate::source_tree::{Stamp, WorkspaceTree};
use crate::trace::{Listed, reads_of_listing};

/// What is asked of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationRequest {
    /// What to plan; empty for everything.
    pub selectors: Vec<Selector>,
    /// The platform to build for, unless it is the workspace's own.
    pub platform: Option<Platform>,
    /// Options set for all packages that declare them.
    pub options: BTreeMap<String, String>,
    /// Whether the tests of selected packages are planned too, as outputs `test.<name>`. One that
    /// is selected by this name is planned either way.
    pub tests: Tests,
    /// The version of what a process sees of its sandbox.
    pub sandbox_abi: u32,
}

/// Whether tests are planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tests {
    /// No tests.
    #[default]
    Left,
    /// The tests of every selected package.
    Planned,
}

/// What comes of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The plan; none when a diagnostic is an error.
    pub plan: Option<Plan>,
    /// Errors and warnings, sorted by place, without duplicates.
    pub diagnostics: Vec<Diagnostic>,
}

/// What comes of an evaluation before it is linked: records, unless there is an error.
pub(crate) struct Recorded {
    pub(crate) outcome: Option<Outcome>,
    /// Sorted by place, without duplicates; those of records are among them.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What an evaluation with an error has looked at, as far as it is known.
    pub(crate) looked_at: Vec<Read>,
    /// Of parts with an error, the packages that were asked for, if all of these are faulty: then
    /// nothing besides them was followed.
    pub(crate) faulty: Option<Vec<FaultyPackage>>,
}

/// A package without any output, since its definition or its build is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultyPackage {
    pub(crate) label: PackageLabel,
    /// What references to it are checked against, if its definition is right and its build is not.
    pub(crate) facts: Option<PackageFacts>,
}

/// What is known after an evaluation without errors.
pub(crate) struct Outcome {
    pub(crate) records: Records,
    /// What was asked for; taken by who links.
    pub(crate) targets: Vec<Target>,
    /// The list of packages; none of an evaluation of parts, or if the workspace changed meanwhile.
    pub(crate) listed: Option<Listed>,
}

impl Recorded {
    /// Links what was recorded.
    pub(crate) fn into_evaluation(self) -> Evaluation {
        self.into_parts().evaluation
    }

    /// Links what was recorded, which stays.
    pub(crate) fn into_parts(self) -> LinkedRecords {
        let Self {
            mut outcome,
            mut diagnostics,
            looked_at: _,
            faulty: _,
        } = self;
        let linked = outcome.as_mut().map(|outcome| {
            let targets = std::mem::take(&mut outcome.targets);
            link(&outcome.records, targets, None)
        });
        let (plan, links) = match linked.transpose() {
            Ok(linked) => linked.map(|linked| (linked.plan, linked.links)).unzip(),
            Err(wrong) => {
                diagnostics.push(error("evaluator-stopped", wrong.to_string(), None));
                (None, None)
            }
        };
        LinkedRecords {
            evaluation: Evaluation { plan, diagnostics },
            links,
            outcome,
        }
    }
}

/// What was recorded, and what came of linking it.
pub(crate) struct LinkedRecords {
    pub(crate) evaluation: Evaluation,
    /// None when there is no plan.
    pub(crate) links: Option<Links>,
    pub(crate) outcome: Option<Outcome>,
}

impl LinkedRecords {
    /// Has records looked at that a plan was made of; nothing comes of it when there is no plan.
    pub(crate) fn look<T: Default>(&self, look: impl FnOnce(&Records, &Links) -> T) -> T {
        match (&self.outcome, &self.links) {
            (Some(outcome), Some(links)) => look(&outcome.records, links),
            (Some(_) | None, Some(_) | None) => T::default(),
        }
    }
}

/// How much of a workspace is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What the request needs.
    Everything,
    /// Parts of that, since the rest is on record.
    Only(Parts),
}

/// What is to be evaluated besides what the selectors of the request name; none name everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Outputs that something on record needs, as far as they exist.
    pub(crate) nodes: Vec<NodeKey>,
    /// The packages without a record: references into others are not followed.
    pub(crate) packages: BTreeSet<PackageLabel>,
}

/// How an evaluator uses the machine. None of it changes a result.
#[derive(Default)]
pub struct EvaluatorOptions {
    /// How many threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Stack of each thread, in bytes; 0 for [`STACK_BYTES`].
    pub stack_bytes: usize,
    /// Told, on the evaluating thread, what that thread turns to.
    pub progress: Option<Progress>,
    /// Told how many packages the workspace has, before any is evaluated.
    pub listed: Option<Box<dyn Fn(usize) + Send + Sync>>,
    /// Sums up what everything costs, on threads that evaluate for this evaluator alone.
    pub profiler: Option<Arc<Profiler>>,
}

/// The stack of an evaluating thread: deeper than any text that stays inside the language's limits.
pub const STACK_BYTES: usize = 64 << 20;

/// Evaluates one workspace again and again; what did not change is not evaluated again.
///
/// Start here. A program for one request wants [`crate::evaluate_in_child`] instead, which survives
/// hostile text.
pub struct Evaluator {
    tree: Arc<dyn WorkspaceTree>,
    db: Database,
    pool: ThreadPool,
    listed: Option<Box<dyn Fn(usize) + Send + Sync>>,
    is_fresh: bool,
}

/// Why an evaluator cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the evaluator's threads cannot be started: {reason}")]
pub struct StartError {
    /// What the system said.
    pub reason: String,
}

impl Evaluator {
    /// Makes an evaluator of a workspace; nothing is read yet.
    pub fn new(
        tree: Arc<dyn WorkspaceTree>,
        options: EvaluatorOptions,
    ) -> Result<Self, StartError> {
        let stack_bytes = match options.stack_bytes {
            0 => STACK_BYTES,
            stack_bytes => stack_bytes,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .stack_size(stack_bytes)
            .thread_name(|index| format!("evaluate-{index}"))
            .build()
            .map_err(|error| StartError {
                reason: error.to_string(),
            })?;
        let db = Database::new(Arc::clone(&tree), options.progress, options.profiler);
        Ok(Self {
            tree,
            db,
            pool,
            listed: options.listed,
            is_fresh: true,
        })
    }

    /// Reads what changed, and plans what is asked for. Independent errors are all reported.
    pub fn evaluate(&mut self, request: &EvaluationRequest) -> Evaluation {
        self.record(request, &Scope::Everything).into_evaluation()
    }

    /// Like [`Self::evaluate`], without linking.
    pub(crate) fn record(&mut self, request: &EvaluationRequest, scope: &Scope) -> Recorded {
        if !std::mem::take(&mut self.is_fresh) {
            self.db.refresh();
        }
        let ReadSettings {
            settings,
            diagnostics: settings_diagnostics,
            look: settings_look,
        } = read_settings(self.tree.as_ref());
        for overlay in &settings.overlays {
            self.tree.allow_folder(overlay);
        }
        let mut listing = self.list(&settings, &settings_diagnostics, request, scope);
        listing.diagnostics.extend(settings_diagnostics);
        let mut diagnostics = listing.diagnostics.clone();
        if let Some(listed) = &self.listed {
            // Of parts, how many will be looked at is not known: the most there can be.
            let unknown = match scope {
                Scope::Everything => 0,
                Scope::Only(parts) => parts.packages.len(),
            };
            listed(listing.layout.packages.len() + unknown);
        }
        self.db
            .set_configuration(&settings, &listing.layout, request.sandbox_abi);
        let db = self.db.clone();
        let configured = Configured {
            platform: request.platform.unwrap_or(settings.platform),
            options: Arc::new(request.options.clone()),
        };
        let run = Run {
            settings: &settings,
            layout: &listing.layout,
            request,
            scope,
            configured,
        };
        // On a thread of the pool, for its stack.
        let Ran {
            made,
            faulty,
            diagnostics: found,
        } = self.pool.install(move || run.run(&db));
        diagnostics.extend(found);
        let is_error = |it: &Diagnostic| it.severity == Severity::Error;
        if made.is_none() && !diagnostics.iter().any(is_error) {
            let message = "There is no plan and no reason, which is a mistake of stxl's".to_owned();
            diagnostics.push(error("evaluator-stopped", message, None));
        }
        sort(&mut diagnostics);
        let is_good = !diagnostics.iter().any(is_error);
        let outcome = made.filter(|_| is_good).map(|(mut records, targets)| {
            let read = Read::File(SourcePath::new(SETTINGS_FILE));
            records.reads.insert(read, settings_look);
            let listed = match scope {
                Scope::Everything => listing.note_in(&mut records),
                Scope::Only(_) => None,
            };
            Outcome {
                records,
                targets,
                listed,
            }
        });
        let looked_at = match scope {
            Scope::Only(_) if faulty.is_some() => self.db.looked_at().into_iter().collect(),
            Scope::Only(_) | Scope::Everything => Vec::new(),
        };
        Recorded {
            outcome,
            diagnostics,
            looked_at,
            faulty,
        }
    }

    /// Lists the packages; of parts, finds those that are named.
    fn list(
        &self,
        settings: &Settings,
        said: &[Diagnostic],
        request: &EvaluationRequest,
        scope: &Scope,
    ) -> Listing {
        let spending = self.db.shared().spending(|| Activity::List);
        let listing = match scope {
            Scope::Everything => {
                let mut listing = list_packages(self.tree.as_ref(), settings);
                if !settings.are_stages_sure(said) {
                    listing.diagnostics.retain(|it| it.id != "unlisted-stage");
                }
                listing
            }
            Scope::Only(_) => {
                self.db.find_packages_on_demand(settings);
                let named = request.selectors.iter().filter_map(Selector::package);
                Listing {
                    layout: find_packages(self.tree.as_ref(), settings, named),
                    ..Listing::default()
                }
            }
        };
        drop(spending);
        listing
    }

    /// What was looked at by all evaluations: what another outcome has to come from.
    pub(crate) fn looked_at(&self) -> Vec<Read> {
        let mut reads = self.db.looked_at();
        let ReadSettings { settings, .. } = read_settings(self.tree.as_ref());
        reads.extend(reads_of_listing(self.tree.as_ref(), &settings));
        reads.into_iter().collect()
    }

    /// Begins to remember which queries run, for tests of what is evaluated again.
    pub fn log_queries(&self) {
        self.db.set_logging(true);
    }

    /// The queries that ran since this was called last, sorted, each as `query(key)`.
    pub fn take_query_log(&self) -> Vec<String> {
        self.db.take_log()
    }
}

/// What reading `stxl.toml` gives.
pub(crate) struct ReadSettings {
    pub(crate) settings: Settings,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The bytes that were read.
    pub(crate) look: Look,
}

/// Reads `stxl.toml`.
pub(crate) fn read_settings(tree: &dyn WorkspaceTree) -> ReadSettings {
    settings_of(tree.read_stamped(&SourcePath::new(SETTINGS_FILE)))
}

/// Makes settings of the bytes of `stxl.toml`.
pub(crate) fn settings_of(file: Result<(Arc<[u8]>, Option<Stamp>), SourceError>) -> ReadSettings {
    let path = SourcePath::new(SETTINGS_FILE);
    let at = |offset: usize| {
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        Some(Span {
            path: path.clone(),
            start: offset,
            end: offset,
        })
    };
    let without = |diagnostic| ReadSettings {
        settings: Settings::empty(),
        diagnostics: vec![diagnostic],
        look: Look::without_stamp(Found::Nothing),
    };
    let (bytes, stamp) = match file {
        Ok(file) => file,
        Err(SourceError::NotFound { .. }) => {
            let message = format!("There is no `{SETTINGS_FILE}` here");
            let mut diagnostic = error("no-workspace", message, None);
            diagnostic.hints = vec!["`stxl init` makes a workspace".to_owned()];
            return without(diagnostic);
        }
        Err(SourceError::Unreadable { reason, .. }) => {
            let message = format!("`{SETTINGS_FILE}` cannot be read: {reason}");
            return without(error("unreadable-file", message, at(0)));
        }
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => {
            let (settings, diagnostics) = Settings::parse(&path, text);
            ReadSettings {
                settings,
                diagnostics,
                look: Look {
                    found: Found::Bytes(BlobId::of(&bytes)),
                    stamp,
                },
            }
        }
        Err(wrong) => {
            let message = format!("`{SETTINGS_FILE}` is not text in UTF-8");
            without(error("not-utf8", message, at(wrong.valid_up_to())))
        }
    }
}

/// One evaluation, on a thread of the pool.
struct Run<'r> {
    settings: &'r Settings,
    layout: &'r Layout,
    request: &'r EvaluationRequest,
    scope: &'r Scope,
    configured: Configured,
}

/// A package that was asked for: the outputs wanted of it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) label: PackageLabel,
    pub(crate) nodes: Vec<NodeKey>,
}

/// What came of a run.
struct Ran {
    /// None when a diagnostic is an error.
    made: Option<(Records, Vec<Target>)>,
    /// See [`Recorded::faulty`].
    faulty: Option<Vec<FaultyPackage>>,
    diagnostics: Vec<Diagnostic>,
}

impl Run<'_> {
    fn run(&self, db: &Database) -> Ran {
        let (targets, mut diagnostics) = match self.scope {
            Scope::Only(_) if self.request.selectors.is_empty() => (Vec::new(), Vec::new()),
            Scope::Everything | Scope::Only(_) => self.select(db),
        };
        let is_selected_well = diagnostics.is_empty();
        let mut roots: Vec<NodeKey> = targets.iter().flat_map(|it| it.nodes.clone()).collect();
        let follow = match self.scope {
            Scope::Everything => Follow::Everywhere,
            Scope::Only(parts) => {
                // Those that are gone are missed by whoever asked.
                let is_there = |key: &&NodeKey| is_output(db, key);
                roots.extend(parts.nodes.iter().filter(is_there).cloned());
                Follow::Into(&parts.packages)
            }
        };
        let graph = Graph::reach(db, &roots, follow);
        let lowered = parallel::map(db, &graph.nodes, |db, node| {
            if node.is_followed {
                lowered(db, Node::new(db, node.key.clone()))
            } else {
                Arc::default()
            }
        });
        diagnostics.extend(graph.cycles(db));
        for node in &graph.nodes {
            diagnostics.extend(node.diagnostics.iter().cloned());
        }
        for result in &lowered {
            diagnostics.extend(result.diagnostics.iter().cloned());
        }
        let seen = self.diagnose_packages(db, &graph, &targets);
        for package in seen.values() {
            diagnostics.extend(package.all_diagnostics().cloned());
        }
        // A package that is wrong may be the one that declares it; of parts, it is somebody else's
        // to know.
        if *self.scope == Scope::Everything
            && diagnostics.iter().all(|it| it.severity != Severity::Error)
        {
            diagnostics.extend(self.check_options(db, &graph));
        }
        if diagnostics.iter().any(|it| it.severity == Severity::Error) {
            // Each in a circle of values would tell of the circle.
            let is_fruitless = *self.scope != Scope::Everything
                && graph.nodes.is_empty()
                && is_selected_well
                && diagnostics.iter().all(|it| it.id != VALUE_CYCLE);
            let faulty = is_fruitless.then(|| self.faulty_packages(db, &targets));
            return Ran {
                made: None,
                faulty: faulty.flatten(),
                diagnostics,
            };
        }
        // Whatever is wrong with a package is among the diagnostics; should one ever be missing, no
        // plan without the package may pass for a good one.
        let without_output = targets.iter().filter(|it| it.nodes.is_empty());
        let unexplained: Vec<Diagnostic> = without_output.map(without_reason).collect();
        if !unexplained.is_empty() {
            diagnostics.extend(unexplained);
            return Ran {
                made: None,
                faulty: None,
                diagnostics,
            };
        }
        let evaluated = Evaluated {
            graph: &graph,
            lowered: &lowered,
            seen: &seen,
        };
        let records = Records::of(db, &evaluated);
        Ran {
            made: records.map(|records| (records, targets)),
            faulty: None,
            diagnostics,
        }
    }

    /// The packages that were asked for, if there are any and all are faulty.
    fn faulty_packages(&self, db: &Database, targets: &[Target]) -> Option<Vec<FaultyPackage>> {
        let packages = targets.iter().map(|Target { label, .. }| {
            let package = db.package(label);
            let configured = self.configured_for(db, label);
            let is_faulty = queries::expanded(db, package, &configured)
                .expanded
                .is_none();
            is_faulty.then(|| FaultyPackage {
                label: label.clone(),
                facts: queries::facts(db, package).map(|facts| facts.as_ref().clone()),
            })
        });
        packages
            .collect::<Option<Vec<_>>>()
            .filter(|it| !it.is_empty())
    }
}

fn without_reason(target: &Target) -> Diagnostic {
    let message = format!(
        "`{}` has no output and no reason, which is a mistake of stxl's",
        target.label
    );
    error("evaluator-stopped", message, None)
}
