//! What one evaluation works with: its surroundings, and what it leaves beside its value.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::NativeCallContext;
use scoped_tls_hkt::scoped_thread_local;
use stxl_model::{PackageLabel, Platform};

use crate::diagnostic::{Diagnostic, Position, in_order};
use crate::dialect::complaint::Complaint;
use crate::dialect::limits;
use crate::dialect::unused::Made;
use crate::dialect::watch::Watch;
use crate::expression::Site;
use crate::host::{Host, Layer};
use crate::language::{Language, Module};
use crate::source::SourcePath;

/// A module of Rhai's, shared.
pub(crate) type ImportedModule = rhai::Shared<rhai::Module>;

scoped_thread_local!(static FRAME: for<'a> &'a Frame<'a>);

/// One evaluation on one thread. Evaluations nest when a host's answer needs another file.
pub(crate) struct Frame<'a> {
    /// The language.
    pub(crate) language: &'a Language,
    /// The surroundings.
    pub(crate) host: &'a dyn Host,
    /// The file that is evaluated.
    pub(crate) module: &'a Arc<Module>,
    /// The package it is evaluated for.
    pub(crate) package: &'a PackageLabel,
    /// What is evaluated.
    pub(crate) task: Task<'a>,
    /// Mistakes found so far that do not stop the evaluation.
    pub(crate) problems: RefCell<Vec<Diagnostic>>,
    /// Whether another file is wrong, which is reported there.
    pub(crate) failed_elsewhere: Cell<bool>,
    /// Whether the platform was read.
    pub(crate) used_target: Cell<bool>,
    /// What earlier rounds said.
    pub(crate) round: Round,
    /// What ended the evaluation, when a further round can go past it.
    stop: RefCell<Option<Stop>>,
    /// Fields that are wrong or missing: of each nothing is known.
    pub(crate) wrong_fields: RefCell<BTreeSet<String>>,
    /// The roots and outputs made so far.
    pub(crate) made: RefCell<Made>,
    /// Root operations so far.
    pub(crate) root_steps: Cell<usize>,
    /// Files imported so far.
    pub(crate) imports: RefCell<BTreeMap<SourcePath, ImportedModule>>,
    /// Files whose import is under way.
    pub(crate) importing: RefCell<Vec<SourcePath>>,
    /// Who watches it.
    pub(crate) watch: Option<&'a Watch<'a>>,
}

/// One evaluation of several: each goes past the mistake that ended the one before.
#[derive(Clone, Default)]
pub(crate) struct Round {
    /// The complaints that are said: their calls give a value that stands for what they would give.
    said: BTreeSet<CallWithComplaint>,
    /// A call of a builder that does not exist, which is said too.
    pub(crate) unknown_builder: Option<rhai::Position>,
}

/// A complaint by its call and its kind: of a call in a loop it is said once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallWithComplaint {
    /// The file of the call.
    pub(crate) source: String,
    /// Where it is.
    pub(crate) at: Position,
    /// The kind of the complaint.
    pub(crate) id: &'static str,
}

/// A mistake that a further round can go past.
enum Stop {
    /// A complaint of a function of ours, after that many operations.
    Complaint {
        call: CallWithComplaint,
        operations: u64,
    },
    /// A call of a builder that does not exist.
    UnknownBuilder { call: rhai::Position },
}

/// What is evaluated.
#[derive(Clone, Copy)]
pub(crate) enum Task<'a> {
    /// A file's value.
    Define {
        /// The layer of the file.
        layer: Layer,
    },
    /// A package's build.
    Expand {
        /// What every script is told.
        standard: &'a StandardVariables,
        /// Where steps stand that the stdlib makes: at the builder call.
        call: &'a Site,
    },
}

/// The variables every script finds.
pub(crate) struct StandardVariables {
    /// `VERSION`.
    pub(crate) version: String,
    /// `NAME`.
    pub(crate) name: String,
    /// `ARCH` and `TRIPLE`.
    pub(crate) target: Platform,
}

impl<'a> Frame<'a> {
    /// A frame at the beginning of an evaluation.
    pub(crate) fn new(
        language: &'a Language,
        host: &'a dyn Host,
        module: &'a Arc<Module>,
        package: &'a PackageLabel,
        task: Task<'a>,
    ) -> Self {
        Self {
            language,
            host,
            module,
            package,
            task,
            problems: RefCell::default(),
            failed_elsewhere: Cell::new(false),
            used_target: Cell::new(false),
            round: Round::default(),
            stop: RefCell::default(),
            wrong_fields: RefCell::default(),
            made: RefCell::default(),
            root_steps: Cell::new(0),
            imports: RefCell::default(),
            importing: RefCell::default(),
            watch: None,
        }
    }

    /// A frame that somebody watches, or nobody.
    pub(crate) const fn watched_by(mut self, watch: Option<&'a Watch<'a>>) -> Self {
        self.watch = watch;
        self
    }

    /// Evaluates, and after a mistake again past it, so that all that do not follow from another
    /// one are found. All are in the answer, in order.
    pub(crate) fn evaluate<T>(
        self,
        evaluate: impl Fn(&Self) -> Result<T, Vec<Diagnostic>>,
    ) -> Result<T, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let mut frame = self;
        let mut operations_left = limits::OPERATIONS_AGAIN_MAX;
        loop {
            let evaluated = FRAME.set(&frame, || evaluate(&frame));
            found.extend(frame.problems.take());
            match evaluated {
                Ok(value) if found.is_empty() && !frame.failed_elsewhere.get() => {
                    return Ok(value);
                }
                Ok(_) => {}
                Err(wrong) => found.extend(wrong),
            }
            found = in_order(found);
            let mut round = frame.round.clone();
            match frame.stop.take() {
                Some(Stop::Complaint { call, operations })
                    if operations <= operations_left && round.said.len() < limits::ROUNDS_MAX =>
                {
                    operations_left -= operations;
                    round.said.insert(call);
                }
                Some(Stop::UnknownBuilder { call }) if round.unknown_builder.is_none() => {
                    round.unknown_builder = Some(call);
                }
                Some(Stop::Complaint { .. } | Stop::UnknownBuilder { .. }) | None => {
                    found.retain(|said| !frame.is_echo_of_a_lint(said));
                    return Err(found);
                }
            }
            frame = Frame {
                round,
                ..Frame::new(
                    frame.language,
                    frame.host,
                    frame.module,
                    frame.package,
                    frame.task,
                )
            };
        }
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_first_round(&self) -> bool {
        self.round.said.is_empty()
    }

    /// Whether a lint of the file says already what is wrong at the place.
    fn is_echo_of_a_lint(&self, said: &Diagnostic) -> bool {
        said.primary.as_ref().is_some_and(|(span, _)| {
            let module = self.module_at(&span.path);
            module.is_some_and(|module| module.has_fault_at(span))
        })
    }

    /// Whether a complaint was said by an earlier round, or is said elsewhere. If not, it is what
    /// ends this round.
    pub(crate) fn is_settled(
        &self,
        complaint: &Complaint,
        call: CallWithComplaint,
        operations: u64,
    ) -> bool {
        if complaint.is_silent() {
            self.failed_elsewhere.set(true);
            return true;
        }
        if self.watch.is_some() {
            return false;
        }
        if self.round.said.contains(&call) {
            return true;
        }
        self.stop
            .replace(Some(Stop::Complaint { call, operations }));
        false
    }

    /// Remembers the call of a builder that does not exist as what ends this round.
    pub(crate) fn stop_at_unknown_builder(&self, call: rhai::Position) {
        self.stop.replace(Some(Stop::UnknownBuilder { call }));
    }

    /// Adds a mistake that does not stop the evaluation.
    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        self.problems.borrow_mut().push(diagnostic);
    }

    /// The file whose code calls a function.
    pub(crate) fn caller(&self, ctx: &NativeCallContext<'_>) -> SourcePath {
        match ctx.call_source() {
            Some(source) if source != self.module.path().as_str() => SourcePath::new(source),
            _ => self.module.path().clone(),
        }
    }

    /// The place of a call, as it is kept in what the call makes. The stdlib's calls stand at the
    /// builder call that they belong to.
    pub(crate) fn site(&self, ctx: &NativeCallContext<'_>) -> Site {
        if let (Task::Expand { call, .. }, Some(source)) = (self.task, ctx.call_source())
            && is_stdlib(source)
        {
            return call.clone();
        }
        let path = self.caller(ctx);
        let reported = position(ctx.call_position());
        let at = self
            .module_at(&path)
            .map_or(reported, |module| module.resolve(reported));
        Site {
            path,
            line: at.line,
            column: at.column,
        }
    }

    /// A compiled file, of the stdlib or of the workspace.
    pub(crate) fn module_at(&self, path: &SourcePath) -> Option<Arc<Module>> {
        if path == self.module.path() {
            return Some(Arc::clone(self.module));
        }
        self.language
            .stdlib(path)
            .cloned()
            .or_else(|| self.host.module(path).ok())
    }
}

/// Whether a path is one of the embedded files.
pub(crate) fn is_stdlib(path: &str) -> bool {
    path.starts_with("stdlib/")
}

/// Runs `read` with the frame of the evaluation under way on this thread.
pub(crate) fn with_frame<R>(read: impl FnOnce(&Frame<'_>) -> R) -> R {
    FRAME.with(read)
}

/// A position as Rhai gives it; the first character of the file when it gives none.
pub(crate) fn position(position: rhai::Position) -> Position {
    let number = |value: Option<usize>| value.and_then(|value| u32::try_from(value).ok());
    Position {
        line: number(position.line()).unwrap_or(1),
        column: number(position.position()).unwrap_or(1).max(1),
    }
}
