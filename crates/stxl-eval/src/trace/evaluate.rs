//! An evaluation with a memory: what holds is recalled, the rest evaluated in the child.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use stxl_lang::Diagnostic;
use stxl_model::PackageLabel;

use super::Trace;
use super::faulty::Faulty;
use super::file::{self, Identity, TraceError, TraceFolder, UnsavedTrace};
use super::look::{Guessing, Looked};
use super::recall::{Missing, Reason, Recall, Seen, Standing, Wish, are_named_there};
use super::suspects::Suspects;
use super::verify::Beginning;
use crate::child::{ChildError, ChildRequest, EvaluatorProgram, WaitingChild, record_in_child};
use crate::evaluator::{Evaluation, EvaluationRequest, Outcome, Recorded, Scope, order, sort};
use crate::layout::Layout;
use crate::link::{Linked, Links, Previous, link, relink};
use crate::read::Read;
use crate::record::Records;

/// How often the child is asked for what is missing before everything is evaluated.
const ROUNDS_MAX: usize = 6;

/// More packages than this are not evaluated one by one.
const APART_MAX: usize = 8;

/// More missing parts than this are a reason to evaluate everything, if they are the greater part.
const PARTS_MAX: usize = 64;

const WRONG_REQUEST: &str = "the request is wrong";
const SOMETHING_WRONG: &str = "something is wrong";
const CHANGED_MEANWHILE: &str = "the workspace changed meanwhile";

/// What is remembered from one evaluation to the next.
#[derive(Clone, Copy, Debug)]
pub enum Memory<'m> {
    /// Nothing: there is no place for it.
    None,
    /// What earlier evaluations left.
    Used(&'m TraceFolder),
    /// What this one leaves: it recalls nothing.
    Renewed(&'m TraceFolder),
}

/// What comes of an evaluation with a memory.
pub struct Remembered {
    /// The plan and the diagnostics: the same as without a memory.
    pub evaluation: Evaluation,
    /// What is to be remembered, if that is anything new.
    pub unsaved: Option<UnsavedTrace>,
    /// What was recalled, and what was evaluated and why.
    pub account: Account,
}

/// What was recalled, and what was evaluated and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How many packages were recalled.
    pub recalled: usize,
    /// The packages that were evaluated, unless all were.
    pub evaluated: BTreeMap<PackageLabel, Reason>,
    /// Why everything was evaluated, if it was.
    pub everything: Option<String>,
    /// Whether something that was remembered was damaged and left out.
    pub has_lost_changes: bool,
}

/// Evaluates with the help of what is remembered of the workspace; the result is what
/// [`crate::evaluate_in_child`] gives. A trace that cannot be used is as good as none.
pub fn evaluate_remembering(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    memory: Memory<'_>,
) -> Result<Remembered, ChildError> {
    let (remembered, ()) = evaluate_and_look(program, request, memory, |_, _| ())?;
    Ok(remembered)
}

/// As [`evaluate_remembering`], and has what the plan was made of looked at, if there is a plan.
pub(crate) fn evaluate_and_look<T: Default>(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    memory: Memory<'_>,
    look: impl FnOnce(&Records, &Links) -> T,
) -> Result<(Remembered, T), ChildError> {
    let session = Session::new(program, request, None);
    let (Memory::Used(folder) | Memory::Renewed(folder)) = memory else {
        let recorded = session.record(request, &Scope::Everything)?;
        let parts = recorded.into_parts();
        let looked = parts.look(look);
        let remembered = Remembered {
            evaluation: parts.evaluation,
            unsaved: None,
            account: Account {
                everything: Some("there is no place to remember it".to_owned()),
                ..Account::default()
            },
        };
        return Ok((remembered, looked));
    };
    let identity = Identity::new(folder, request);
    let (recalled, has_lost_changes) = match memory {
        Memory::Used(_) => session.recall_saved(folder, &identity)?,
        Memory::Renewed(_) | Memory::None => {
            (Err("what is remembered is made again".to_owned()), false)
        }
    };
    let (evaluation, mut account, trace, looked) = match recalled {
        Ok(Recalled::Whole(whole)) => {
            let Whole {
                evaluation,
                account,
                mut trace,
                has_news,
                links,
            } = *whole;
            let looked = look(&trace.records, &links);
            let news = has_news.then(|| {
                trace.compact();
                trace
            });
            (evaluation, account, news, looked)
        }
        Ok(Recalled::Faulty(told)) => {
            let evaluation = Evaluation {
                plan: None,
                diagnostics: told.diagnostics,
            };
            (evaluation, told.account, None, T::default())
        }
        Err(reason) => {
            let recorded = session.record(request, &Scope::Everything)?;
            let parts = recorded.into_parts();
            let looked = parts.look(look);
            let trace = parts
                .outcome
                .and_then(|outcome| session.trace_of(outcome).ok());
            let account = Account {
                everything: Some(reason),
                ..Account::default()
            };
            (parts.evaluation, account, trace, looked)
        }
    };
    account.has_lost_changes = has_lost_changes;
    // Whoever sets the clock meanwhile makes every stamp doubtful.
    let trace = trace.filter(|_| session.beginning.is_steady());
    let remembered = Remembered {
        evaluation,
        unsaved: trace.map(|trace| UnsavedTrace::new(folder.path.clone(), identity, trace)),
        account,
    };
    Ok((remembered, looked))
}

pub(super) struct Session<'s> {
    program: &'s EvaluatorProgram,
    pub(super) request: &'s ChildRequest,
    pub(super) beginning: Beginning,
    /// Threads that look at the workspace share the session.
    waiting: Mutex<Option<WaitingChild>>,
}

/// What a trace was good for.
pub(super) enum Recalled {
    Whole(Box<Whole>),
    Faulty(Box<Told>),
}

/// A trace that was good for nothing.
pub(super) struct Useless {
    pub(super) reason: String,
    pub(super) rest: Box<Rest>,
}

/// The errors of packages, by the help of a trace.
pub(super) struct Told {
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What the faulty packages have looked at.
    pub(super) looked_at: Vec<Read>,
    pub(super) account: Account,
    /// Whether a plan that was made of the trace is still made of it, but for what does not hold.
    pub(super) is_plan_kept: bool,
    pub(super) rest: Box<Rest>,
}

/// A plan by the help of a trace.
pub(super) struct Whole {
    pub(super) evaluation: Evaluation,
    pub(super) links: Links,
    pub(super) account: Account,
    pub(super) trace: Trace,
    /// Whether the trace is another one.
    pub(super) has_news: bool,
}

impl Whole {
    pub(super) fn new(linked: Linked, account: Account, trace: Trace, has_news: bool) -> Self {
        let Linked {
            plan,
            links,
            mut diagnostics,
            options: _,
        } = linked;
        diagnostics.extend(trace.listed.diagnostics.iter().cloned());
        sort(&mut diagnostics);
        Self {
            evaluation: Evaluation {
                plan: Some(plan),
                diagnostics,
            },
            links,
            account,
            trace,
            has_news,
        }
    }
}

/// A trace that was taken apart.
pub(super) struct Rest {
    looked: Looked,
    layout: Layout,
    recall: Recall,
}

impl<'s> Session<'s> {
    /// Begins now, with a child that may have been started before.
    pub(super) fn new(
        program: &'s EvaluatorProgram,
        request: &'s ChildRequest,
        waiting: Option<WaitingChild>,
    ) -> Self {
        Self {
            program,
            request,
            beginning: Beginning::now(),
            waiting: Mutex::new(waiting),
        }
    }

    /// Evaluates in a child process, without linking.
    pub(super) fn record(
        &self,
        request: &ChildRequest,
        scope: &Scope,
    ) -> Result<Recorded, ChildError> {
        record_in_child(self.program, self.take_waiting(), request, scope)
    }

    /// The child that was started before, unless it has been asked.
    pub(super) fn take_waiting(&self) -> Option<WaitingChild> {
        self.waiting.lock().ok()?.take()
    }

    /// As [`Self::recall_all`], of the trace in a folder, and whether that had lost anything.
    fn recall_saved(
        &self,
        folder: &TraceFolder,
        identity: &Identity,
    ) -> Result<(Result<Recalled, String>, bool), ChildError> {
        if !self.request.buffers.is_empty() {
            // Buffers are texts that no file has.
            let reason = "texts of an editor are not remembered".to_owned();
            return Ok((Err(reason), false));
        }
        match file::load_for(folder, identity, self.request) {
            Ok(loaded) => Ok((self.recall_all(loaded.trace)?, loaded.has_lost_changes)),
            Err(
                reason @ (TraceError::Missing
                | TraceError::Unreadable { .. }
                | TraceError::Damaged
                | TraceError::OtherProgram),
            ) => Ok((Err(reason.to_string()), false)),
        }
    }

    /// Looks at everything, and makes a plan if the trace is good for one; else says why it is not.
    fn recall_all(&self, trace: Trace) -> Result<Result<Recalled, String>, ChildError> {
        let (looked, guess) = match self.look_and_guess(trace, &Suspects::All, Guessing::Yes) {
            Ok(looked) => looked,
            Err(unseen) => return Ok(Err(unseen.reason.to_owned())),
        };
        let previous = match guess {
            Some(linked) if !looked.is_other() => {
                let whole = Box::new(looked.into_whole(linked));
                return Ok(Ok(Recalled::Whole(whole)));
            }
            guess => guess.map(|linked| (linked.plan, linked.links)),
        };
        let previous = previous
            .as_ref()
            .map(|(plan, links)| Previous { plan, links });
        let recalled = self.recall(looked, previous)?;
        Ok(recalled.map_err(|useless| useless.reason))
    }

    /// What to remember of an evaluation of everything; the records are given back if there is
    /// nothing, since the workspace changed meanwhile.
    pub(super) fn trace_of(&self, outcome: Outcome) -> Result<Trace, Box<Records>> {
        let Outcome {
            mut records,
            listed,
            ..
        } = outcome;
        let listed = listed.filter(|listed| are_named_there(&records, &listed.layout));
        let Some(listed) = listed.filter(|_| self.request.buffers.is_empty()) else {
            return Err(Box::new(records));
        };
        self.rely_on_rested(&mut records);
        Ok(Trace {
            records,
            listed,
            ..Trace::default()
        })
    }

    /// Forgets the stamps that cannot be relied on.
    fn rely_on_rested(&self, records: &mut Records) {
        for look in records.reads.values_mut() {
            *look = self.beginning.rely_on(*look);
        }
    }

    /// Makes a plan of what holds of a trace and of what is evaluated besides.
    pub(super) fn recall(
        &self,
        mut looked: Looked,
        previous: Option<Previous<'_>>,
    ) -> Result<Result<Recalled, Useless>, ChildError> {
        let is_other = looked.is_other();
        let trace = &mut looked.trace;
        let layout = std::mem::take(&mut trace.listed.layout);
        let records = std::mem::take(&mut trace.records);
        let seen = Seen {
            is_changed: &looked.is_changed,
            layout: &layout,
            is_listed_anew: looked.is_listed_anew,
        };
        let mut recall = Recall::new(records, &trace.stale, &seen);
        // Mostly a recipe is another, and what needs what is not.
        let as_before = previous.filter(|_| !looked.is_listed_anew);
        let in_place = match as_before {
            Some(previous) => self.recall_in_place(&mut recall, &layout, previous)?,
            None => Ok(None),
        };
        let completed = match in_place {
            Ok(Some(linked)) => Completed::Linked(Box::new(linked)),
            Ok(None) => {
                let wish = Wish::of(&self.request.evaluation, &looked.settings, &layout);
                self.complete(&mut recall, wish, &layout, previous)?
            }
            Err(reason) => Completed::Useless(reason.to_owned()),
        };
        let is_plan_kept = as_before.is_some() && recall.evaluated().is_empty();
        let account = recall.account();
        let faulty = std::mem::take(&mut recall.faulty);
        let rest = Box::new(Rest {
            looked,
            layout,
            recall,
        });
        Ok(match completed {
            Completed::Linked(linked) if self.are_options_declared(&linked) => {
                let has_news =
                    is_other || rest.looked.has_new_stamp || !account.evaluated.is_empty();
                let trace = Self::put_together(*rest);
                let whole = Whole::new(*linked, account, trace, has_news);
                Ok(Recalled::Whole(Box::new(whole)))
            }
            Completed::Linked(_) => Err(Useless {
                reason: WRONG_REQUEST.to_owned(),
                rest,
            }),
            Completed::Faulty { mut beside } => {
                let Faulty {
                    packages: _,
                    mut diagnostics,
                    looked_at,
                } = faulty;
                let listed = &rest.looked.trace.listed;
                beside.extend(listed.diagnostics.iter().cloned());
                sort(&mut beside);
                diagnostics.extend(beside);
                order(&mut diagnostics);
                Ok(Recalled::Faulty(Box::new(Told {
                    diagnostics,
                    looked_at,
                    account,
                    is_plan_kept,
                    rest,
                })))
            }
            Completed::Useless(reason) => Err(Useless { reason, rest }),
        })
    }

    /// Makes a plan out of the previous one, if that is of the same graph when what does not hold
    /// is evaluated again; else that is done, and no more. A reason if something is wrong besides
    /// faulty packages.
    fn recall_in_place(
        &self,
        recall: &mut Recall,
        layout: &Layout,
        previous: Previous<'_>,
    ) -> Result<Result<Option<Linked>, &'static str>, ChildError> {
        let missing = recall.missing_again(previous.links, layout, &self.request.evaluation);
        if missing.parts.nodes.len() > PARTS_MAX {
            return Ok(Ok(None));
        }
        if !missing.is_nothing()
            && let Err(reason) = self.learn(recall, layout, missing)?
        {
            return Ok(Err(reason));
        }
        let changed = recall.changed_in_place(previous.links);
        let linked = changed.and_then(|changed| relink(&recall.records, previous, &changed));
        Ok(Ok(linked))
    }

    /// Whether the options of the request are declared by anything in the plan.
    pub(super) fn are_options_declared(&self, linked: &Linked) -> bool {
        let mut asked = self.request.evaluation.options.keys();
        asked.all(|option| linked.options.contains(option))
    }

    /// The trace of what is known, with what was evaluated since.
    pub(super) fn put_together(rest: Rest) -> Trace {
        let Rest {
            looked,
            layout,
            recall,
        } = rest;
        let mut trace = looked.trace;
        if let Some(base) = &mut trace.base {
            base.packages.extend(recall.touched().cloned());
        }
        (trace.records, trace.stale) = recall.into_records(&layout);
        trace.listed.layout = layout;
        trace
    }

    /// The trace of what is known when something is wrong. What was evaluated beside that is stale:
    /// it may lack what a faulty package brings.
    pub(super) fn put_together_with_errors(rest: Rest) -> Trace {
        let evaluated = rest.recall.evaluated().clone();
        let mut trace = Self::put_together(rest);
        trace.stale.extend(evaluated);
        trace
    }

    /// Has evaluated what is missing until nothing is besides packages that are faulty.
    fn complete(
        &self,
        recall: &mut Recall,
        wish: Option<Wish>,
        layout: &Layout,
        previous: Option<Previous<'_>>,
    ) -> Result<Completed, ChildError> {
        let useless = |reason: &str| Ok(Completed::Useless(reason.to_owned()));
        let Some(wish) = wish else {
            return useless(WRONG_REQUEST);
        };
        for _ in 0..ROUNDS_MAX {
            let missing = match recall.standing(&wish, layout) {
                Standing::Complete(targets) => {
                    let linked = link(&recall.records, targets, previous);
                    return Ok(match linked {
                        Ok(linked) => Completed::Linked(Box::new(linked)),
                        Err(wrong) => Completed::Useless(wrong.to_string()),
                    });
                }
                Standing::Wrong => return useless(WRONG_REQUEST),
                Standing::Incomplete(missing) => missing,
            };
            if missing.is_nothing() {
                let told = recall.told_beside(&wish);
                return told.map_or_else(
                    || useless(SOMETHING_WRONG),
                    |beside| Ok(Completed::Faulty { beside }),
                );
            }
            let count = missing.selectors.len() + missing.parts.nodes.len();
            if count > PARTS_MAX && count > recall.records.packages.len() / 2 {
                return useless("most packages have to be evaluated");
            }
            if let Err(reason) = self.learn(recall, layout, missing)? {
                return useless(reason);
            }
        }
        useless("references lead ever further")
    }

    /// Has evaluated what is missing, and takes over what comes of it. A reason if something is
    /// wrong besides faulty packages.
    fn learn(
        &self,
        recall: &mut Recall,
        layout: &Layout,
        missing: Missing,
    ) -> Result<Result<(), &'static str>, ChildError> {
        let asked: BTreeSet<PackageLabel> = missing.labels().cloned().collect();
        for answered in self.ask_for(missing)? {
            match answered {
                Answered::Records(records) if recall.learn(&records, layout) => {}
                Answered::Records(_) => return Ok(Err(CHANGED_MEANWHILE)),
                Answered::Faulty(other) => recall.faulty.add(other),
                Answered::Wrong => return Ok(Err(SOMETHING_WRONG)),
            }
        }
        let is_answered = recall.note_unanswered(asked);
        Ok(is_answered.then_some(()).ok_or(SOMETHING_WRONG))
    }

    /// Asks for parts; for a few packages of which some are faulty and some are not, one by one.
    fn ask_for(&self, missing: Missing) -> Result<Vec<Answered>, ChildError> {
        let answered = self.ask(missing.clone())?;
        let is_wrong = matches!(answered, Answered::Wrong);
        if !is_wrong || !(2..=APART_MAX).contains(&missing.selectors.len()) {
            return Ok(vec![answered]);
        }
        let mut apart = Vec::new();
        for one in missing.one_by_one() {
            apart.push(self.ask(one)?);
            if let Some(Answered::Wrong) = apart.last() {
                break;
            }
        }
        Ok(apart)
    }

    /// Has parts evaluated.
    fn ask(&self, missing: Missing) -> Result<Answered, ChildError> {
        let request = ChildRequest {
            evaluation: EvaluationRequest {
                selectors: missing.selectors,
                ..self.request.evaluation.clone()
            },
            ..self.request.clone()
        };
        let scope = Scope::Only(missing.parts);
        let Recorded {
            outcome,
            diagnostics,
            looked_at,
            faulty,
        } = self.record(&request, &scope)?;
        Ok(match outcome {
            Some(outcome) => {
                let mut records = outcome.records;
                self.rely_on_rested(&mut records);
                Answered::Records(records)
            }
            None => faulty.map_or(Answered::Wrong, |packages| {
                Answered::Faulty(Faulty {
                    packages,
                    diagnostics,
                    looked_at,
                })
            }),
        })
    }
}

/// What comes of parts.
enum Answered {
    Records(Records),
    /// All packages that were asked for are faulty.
    Faulty(Faulty),
    /// There is an error that is explained best by an evaluation of everything.
    Wrong,
}

enum Completed {
    Linked(Box<Linked>),
    /// Packages are faulty, and the others say this beside them.
    Faulty {
        beside: Vec<Diagnostic>,
    },
    Useless(String),
}
