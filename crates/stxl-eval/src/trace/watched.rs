//! Evaluating one workspace again and again while somebody watches it.
//!
//! The trace stays in memory, and only what is suspected to be another is looked at again. Who
//! watches has to suspect enough: everything at first and whenever events were lost, and all that
//! lies in a folder that was not watched when it was read.

use std::sync::Arc;

use stxl_lang::{Diagnostic, Severity, SourcePath};
use stxl_model::{LeftOut, Plan};

use super::Trace;
use super::evaluate::{Account, Recalled, Session, Told, Useless};
use super::file::{self, Identity, TraceFolder, UnsavedTrace};
use super::listing::reads_of_listing;
use super::suspects::Suspects;
use crate::child::{ChildError, ChildRequest, EvaluatorProgram, WaitingChild};
use crate::evaluator::{Evaluation, LinkedRecords, Scope};
use crate::link::{Links, Previous};
use crate::read::Read;
use crate::record::Records;
use crate::settings::Settings;
use crate::source_tree::{DiskSourceTree, is_overriding};

/// A workspace that is evaluated whenever something in it changes.
pub struct WatchedWorkspace {
    program: EvaluatorProgram,
    request: ChildRequest,
    /// For what is to be evaluated soon.
    waiting: Option<WaitingChild>,
    /// Where the trace is kept from one process to the next, if anywhere.
    folder: Option<TraceFolder>,
    trace: Option<Trace>,
    is_loaded: bool,
    /// Whether the trace is another than the one that is saved.
    has_news: bool,
    /// What may be another than the trace says.
    suspects: Suspects,
    state: State,
    /// The last plan, and how it was made of the trace.
    last: Option<(Arc<Plan>, Links)>,
    /// How much of what the trace has read is in [`Self::take_dependencies`]' answers.
    placed: usize,
}

/// How the last evaluation ended.
enum State {
    /// Not with a plan of the trace: there was none, or it was made of all text, maybe of other
    /// packages than were listed after it.
    Fresh,
    /// With a plan of the trace.
    Planned,
    /// With errors of packages that the trace has as stale, which looked at these.
    Faulty(Vec<Read>),
    /// With an error, or while the workspace changed, after it had looked at these.
    Untraced(Vec<Read>),
}

impl State {
    /// Whether an evaluation would end as the last one, if nothing is another in the trace.
    fn is_settled(&self, suspects: &Suspects) -> bool {
        match self {
            Self::Planned => true,
            Self::Faulty(looked_at) => !looked_at.iter().any(|read| suspects.include(read)),
            Self::Fresh | Self::Untraced(_) => false,
        }
    }

    /// What an evaluation looked at that the trace may not have.
    fn looked_at(&self) -> &[Read] {
        match self {
            Self::Faulty(looked_at) | Self::Untraced(looked_at) => looked_at,
            Self::Fresh | Self::Planned => &[],
        }
    }
}

/// What comes of an evaluation.
pub struct Round {
    /// The plan, the same as of a first evaluation; none when a diagnostic is an error.
    pub plan: Option<Arc<Plan>>,
    /// Errors and warnings, the same as of a first evaluation.
    pub diagnostics: Vec<Diagnostic>,
    /// What was recalled, and what was evaluated and why.
    pub account: Account,
}

/// Something that the last evaluation depends on.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The path that was looked at, which may be missing.
    pub path: SourcePath,
    /// How much of it was.
    pub reach: Reach,
}

/// How much of a path was looked at.
#[derive(Clone, Debug)]
pub enum Reach {
    /// The file, or whether something is there.
    Entry,
    /// The names in the folder.
    Names,
    /// All below the folder, but for what is left out.
    Below(LeftOut),
}

impl WatchedWorkspace {
    /// Begins; nothing is read yet.
    pub fn new(
        program: EvaluatorProgram,
        request: ChildRequest,
        folder: Option<TraceFolder>,
    ) -> Self {
        Self {
            program,
            request,
            waiting: None,
            folder,
            trace: None,
            is_loaded: false,
            has_news: false,
            suspects: Suspects::All,
            state: State::Fresh,
            last: None,
            placed: 0,
        }
    }

    /// Prepares for an evaluation: something happened, and it is not over yet.
    pub fn expect_changes(&mut self) {
        if self.waiting.is_none() {
            // Who cannot have it now may have it when it is needed, or is told why not.
            self.waiting = WaitingChild::start(&self.program).ok();
        }
    }

    /// Evaluates again after changes, unless nothing that the last evaluation looked at is another:
    /// then there is nothing to tell.
    pub fn evaluate(&mut self, changes: &Suspects) -> Result<Option<Round>, ChildError> {
        self.suspects.add_all(changes);
        if let State::Untraced(looked_at) = &self.state
            && !looked_at.iter().any(|read| changes.include(read))
        {
            return Ok(None);
        }
        if !std::mem::replace(&mut self.is_loaded, true)
            && let Some((folder, identity)) = self.place()
        {
            // A trace that cannot be used is as good as none.
            let loaded = file::load_for(folder, &identity, &self.request);
            self.trace = loaded.ok().map(|it| it.trace);
        }
        let (program, request) = (self.program.clone(), self.request.clone());
        let session = Session::new(&program, &request, self.waiting.take());
        let outcome = self.evaluate_with(&session);
        self.waiting = session.take_waiting();
        if !session.beginning.is_steady()
            && let Some(trace) = &mut self.trace
        {
            // Whoever set the clock meanwhile made every stamp doubtful.
            trace.base = None;
            let looks = trace.records.reads.values_mut();
            looks.for_each(|look| look.stamp = None);
        }
        outcome
    }

    fn evaluate_with(&mut self, session: &Session<'_>) -> Result<Option<Round>, ChildError> {
        let last = self.last.take();
        let previous = last.as_ref();
        let previous = previous.map(|(plan, links)| Previous { plan, links });
        let reason = match self.trace.take() {
            None => "nothing is remembered of this workspace".to_owned(),
            Some(trace) => match session.look(trace, &self.suspects) {
                Err(unseen) => {
                    self.trace = unseen.trace;
                    unseen.reason.to_owned()
                }
                Ok(looked) if !looked.is_other() && self.state.is_settled(&self.suspects) => {
                    self.has_news |= looked.has_new_stamp;
                    self.trace = Some(looked.trace);
                    self.last = last;
                    self.suspects = Suspects::none();
                    return Ok(None);
                }
                Ok(looked) => match session.recall(looked, previous)? {
                    Ok(Recalled::Whole(whole)) => {
                        let Evaluation { plan, diagnostics } = whole.evaluation;
                        let plan = plan.map(Arc::new);
                        self.last = plan.clone().zip(Some(whole.links));
                        self.trace = Some(whole.trace);
                        self.has_news |= whole.has_news;
                        self.suspects = Suspects::none();
                        self.state = State::Planned;
                        return Ok(Some(Round {
                            plan,
                            diagnostics,
                            account: whole.account,
                        }));
                    }
                    Ok(Recalled::Faulty(told)) => {
                        let Told {
                            diagnostics,
                            looked_at,
                            account,
                            is_plan_kept,
                            rest,
                        } = *told;
                        self.last = last.filter(|_| is_plan_kept);
                        self.trace = Some(Session::put_together_with_errors(*rest));
                        self.has_news = true;
                        self.suspects = Suspects::none();
                        self.state = State::Faulty(looked_at);
                        return Ok(Some(Round {
                            plan: None,
                            diagnostics,
                            account,
                        }));
                    }
                    Err(Useless { reason, rest }) => {
                        // What is known of other packages holds when the error is gone.
                        self.trace = Some(Session::put_together_with_errors(*rest));
                        self.has_news = true;
                        reason
                    }
                },
            },
        };
        self.evaluate_text(session, &reason).map(Some)
    }

    /// Evaluates everything.
    fn evaluate_text(&mut self, session: &Session<'_>, reason: &str) -> Result<Round, ChildError> {
        let mut recorded = session.record(&self.request, &Scope::Everything)?;
        self.placed = 0;
        let looked_at = std::mem::take(&mut recorded.looked_at);
        let LinkedRecords {
            evaluation,
            outcome,
            links: _,
        } = recorded.into_parts();
        let traced = outcome.map(|outcome| session.trace_of(outcome));
        match traced.transpose() {
            Ok(Some(trace)) => {
                self.trace = Some(trace);
                self.has_news = true;
                self.suspects = Suspects::none();
                self.state = State::Fresh;
            }
            Ok(None) if !looked_at.is_empty() => self.state = State::Untraced(looked_at),
            // One that died says nothing.
            untraced => {
                let records = untraced.err();
                let looked_at = self.looked_at(session, &evaluation, records.as_deref());
                self.state = State::Untraced(looked_at);
            }
        }
        Ok(Round {
            plan: evaluation.plan.map(Arc::new),
            diagnostics: evaluation.diagnostics,
            account: Account {
                everything: Some(reason.to_owned()),
                ..Account::default()
            },
        })
    }

    /// What an evaluation without a trace has looked at, if it does not tell: what others looked
    /// at, what it is about, and the packages there are.
    fn looked_at(
        &self,
        session: &Session<'_>,
        evaluation: &Evaluation,
        records: Option<&Records>,
    ) -> Vec<Read> {
        // Settings that are others by now have it evaluated again.
        let opened = records.and_then(|records| session.open(records));
        let errors = evaluation.diagnostics.iter();
        let errors = errors.filter(|it| it.severity == Severity::Error);
        let places = errors.filter_map(|it| it.primary.as_ref());
        let mut reads: Vec<Read> = places
            .map(|(span, _)| Read::File(span.path.clone()))
            .collect();
        reads.extend(self.state.looked_at().iter().cloned());
        if let Some(trace) = &self.trace {
            reads.extend(trace.records.reads.keys().cloned());
        }
        reads.extend(records.into_iter().flat_map(|it| it.reads.keys().cloned()));
        if let Some((tree, read)) = opened {
            reads.extend(reads_of_listing(&tree, &read.settings));
        } else if let Ok(tree) = DiskSourceTree::open(&self.request.folder) {
            let tree = tree.with_overrides(&self.request.overrides);
            reads.extend(reads_of_listing(&tree, &Settings::empty()));
        }
        reads.sort();
        reads.dedup();
        reads
    }

    /// What is to be watched: what was looked at for the first time since this was asked last, and
    /// what may stand elsewhere since something happened at these paths.
    pub fn take_dependencies(&mut self, changes: &Suspects) -> Vec<Dependency> {
        // Here, since nobody waits for it.
        if let (State::Planned, Some(trace)) = (&self.state, &mut self.trace)
            && trace.compact()
        {
            // Everything has another position.
            self.placed = 0;
            self.last = None;
        }
        let is_first = self.placed == 0;
        let mut reads: Vec<&Read> = Vec::new();
        if let Some(trace) = &self.trace {
            for (position, read) in trace.records.reads.keys().enumerate() {
                if position >= self.placed || changes.include(read) {
                    reads.push(read);
                }
            }
            self.placed = trace.records.reads.len();
        }
        match &self.state {
            State::Untraced(looked_at) => {
                let new = looked_at
                    .iter()
                    .filter(|it| is_first || changes.include(it));
                reads.extend(new);
                self.placed = self.placed.max(1);
            }
            // Few; which of them are new is not known.
            State::Faulty(looked_at) => reads.extend(looked_at),
            State::Fresh | State::Planned => {}
        }
        let is_on_disk = |read: &&Read| !is_overriding(read.path());
        let reads = reads.into_iter().filter(is_on_disk);
        reads.map(Dependency::of).collect()
    }

    /// What is to be remembered for the next process, if that is anything new.
    pub fn into_unsaved(self) -> Option<UnsavedTrace> {
        let (folder, identity) = self.place()?;
        let folder = folder.path.clone();
        let trace = self.trace.filter(|_| self.has_news)?;
        Some(UnsavedTrace::new(folder, identity, trace))
    }

    fn place(&self) -> Option<(&TraceFolder, Identity)> {
        let folder = self.folder.as_ref()?;
        Some((folder, Identity::new(folder, &self.request)))
    }
}

impl Dependency {
    fn of(read: &Read) -> Self {
        let reach = match read {
            Read::File(_)
            | Read::Import(_)
            | Read::Presence(_)
            | Read::PackageFile(_)
            | Read::Layer(_) => Reach::Entry,
            Read::Folder(_) => Reach::Names,
            // What is no pattern is an error before anything is read.
            Read::Directory((_, ignore)) => LeftOut::new(ignore).map_or(Reach::Names, Reach::Below),
        };
        Self {
            path: read.path().clone(),
            reach,
        }
    }
}
