//! What an evaluation cost: by package, by function and by phase.

mod encoding;
mod flame;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use stxl_lang::profile::{Activity, Profiler, Spent};

pub use record::{PROFILE_RECORD_VERSION, ProfileRecord};

use crate::child::{ChildError, ChildRequest, EvaluatorProgram, Inquiry, ask_child};
use crate::evaluator::{Evaluation, Scope};
use crate::layout::PACKAGE_FILE;
use crate::queries::error;

/// What an evaluation cost. Times of activities are processor time of the threads they ran on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How many threads evaluated.
    pub threads: usize,
    /// From the request to the plan, by the clock on the wall, in nanoseconds.
    pub wall_ns: u64,
    /// Activities inside one another.
    pub spent: Spent,
}

/// What a package cost itself: not what it made others cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageCost {
    /// The label; of a file that is no package, its path.
    pub name: String,
    /// Each phase, in nanoseconds.
    pub compile_ns: u64,
    /// Making definitions of its files.
    pub define_ns: u64,
    /// Evaluating its build.
    pub expand_ns: u64,
    /// Making derivations of its outputs.
    pub lower_ns: u64,
}

impl PackageCost {
    /// All phases.
    pub fn total_ns(&self) -> u64 {
        self.compile_ns + self.define_ns + self.expand_ns + self.lower_ns
    }
}

/// What a function cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionCost {
    /// The file it is in; `builder` for a builder's reading of its fields.
    pub file: String,
    /// Its name.
    pub name: String,
    /// How often it was called.
    pub calls: u64,
    /// What it cost without functions it calls, in nanoseconds.
    pub self_ns: u64,
    /// What it cost with them; of one that calls itself, the outermost call.
    pub total_ns: u64,
}

/// What a phase cost all packages together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseCost {
    /// `list`, `compile`, `define`, `expand`, `lower` or `link`.
    pub name: &'static str,
    /// How often.
    pub count: u64,
    /// In nanoseconds.
    pub ns: u64,
}

/// An evaluation, and what it cost unless something ended it.
#[derive(Debug)]
pub struct Profiled {
    /// What it gave: what it gives without a profile.
    pub evaluation: Evaluation,
    /// What it cost; none when the text is wrong.
    pub profile: Option<Profile>,
}

/// A profiler that counts processor time.
pub fn new_profiler() -> Arc<Profiler> {
    Profiler::new(|| now_ns(ClockId::ThreadCPUTime))
}

fn now_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Evaluates everything from its text in a child process, and measures that.
///
/// Text that is wrong is evaluated again without measuring, and what is said is said of that.
pub fn profile_in_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
) -> Result<Profiled, ChildError> {
    let begun_ns = now_ns(ClockId::Monotonic);
    let answer = ask_child(program, request, &Scope::Everything, &Inquiry::Costs)?;
    if answer.recorded.outcome.is_none() {
        let answer = ask_child(program, request, &Scope::Everything, &Inquiry::Nothing)?;
        return Ok(Profiled {
            evaluation: answer.recorded.into_evaluation(),
            profile: None,
        });
    }
    let mut profile = encoding::decode(&answer.findings).map_err(|error| ChildError::Answer {
        reason: error.to_string(),
    })?;
    let profiler = new_profiler();
    let linking = profiler.begin(Activity::Link);
    let mut evaluation = answer.recorded.into_evaluation();
    drop(linking);
    profile.spent.add(profiler.take());
    profile.wall_ns = now_ns(ClockId::Monotonic).saturating_sub(begun_ns);
    if evaluation.plan.is_none() && evaluation.diagnostics.is_empty() {
        let message = "There is no plan and no reason, which is a mistake of stxl's".to_owned();
        evaluation
            .diagnostics
            .push(error("evaluator-stopped", message, None));
    }
    Ok(Profiled {
        evaluation,
        profile: Some(profile),
    })
}

impl Profile {
    /// Writes it down for another process.
    pub(crate) fn encode(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// What all activities took together.
    pub fn cpu_ns(&self) -> u64 {
        self.walk(0, |sum, seen| *sum += seen.spent.self_ns)
    }

    /// The packages and shared files, what cost most first.
    pub fn packages(&self) -> Vec<PackageCost> {
        let costs: BTreeMap<String, PackageCost> = self.walk(BTreeMap::new(), |costs, seen| {
            let Some(phase) = seen.phase else { return };
            let Some(name) = subject(phase) else { return };
            let cost: &mut PackageCost = costs.entry(name).or_default();
            let part = match phase {
                Activity::Compile(_) => &mut cost.compile_ns,
                Activity::Define(_) => &mut cost.define_ns,
                Activity::Expand(_) => &mut cost.expand_ns,
                _ => &mut cost.lower_ns,
            };
            *part += seen.spent.self_ns;
        });
        let named = costs
            .into_iter()
            .map(|(name, cost)| PackageCost { name, ..cost });
        let mut packages: Vec<PackageCost> = named.collect();
        packages.sort_by_key(|cost| std::cmp::Reverse(cost.total_ns()));
        packages
    }

    /// The functions, what cost most itself first.
    pub fn functions(&self) -> Vec<FunctionCost> {
        let costs: BTreeMap<(String, String), FunctionCost> =
            self.walk(BTreeMap::new(), |costs, seen| {
                let (file, name) = match seen.activity {
                    Activity::Function { path, name } => (path.to_string(), name.to_string()),
                    Activity::Builder(name) => ("builder".to_owned(), name.to_string()),
                    _ => return,
                };
                let cost: &mut FunctionCost = costs.entry((file, name)).or_default();
                cost.calls += seen.spent.calls;
                cost.self_ns += seen.spent.self_ns;
                if !seen.above.contains(&seen.activity) {
                    cost.total_ns += seen.spent.total_ns();
                }
            });
        let named =
            costs
                .into_iter()
                .map(|((file, name), cost)| FunctionCost { file, name, ..cost });
        let mut functions: Vec<FunctionCost> = named.collect();
        functions.sort_by_key(|cost| std::cmp::Reverse(cost.self_ns));
        functions
    }

    /// The phases, in their order.
    pub fn phases(&self) -> Vec<PhaseCost> {
        let names = ["list", "compile", "define", "expand", "lower", "link"];
        let costs: BTreeMap<&str, (u64, u64)> = self.walk(BTreeMap::new(), |costs, seen| {
            let Some(name) = seen.phase.and_then(phase_name) else {
                return;
            };
            let (count, ns): &mut (u64, u64) = costs.entry(name).or_default();
            if seen.phase == Some(seen.activity) {
                *count += seen.spent.calls;
            }
            *ns += seen.spent.self_ns;
        });
        let cost = |name| costs.get(name).copied().unwrap_or_default();
        names
            .map(|name| PhaseCost {
                name,
                count: cost(name).0,
                ns: cost(name).1,
            })
            .to_vec()
    }

    /// One line for every stack that took time, for programs that draw flame graphs: the stack,
    /// from the package inwards, and microseconds.
    pub fn folded(&self) -> String {
        flame::folded(&self.spent)
    }

    /// A flame graph as a picture.
    pub fn flame_graph(&self) -> String {
        flame::svg(&self.spent)
    }

    /// Looks at every activity but the profiler's own.
    fn walk<T>(&self, mut sum: T, mut look: impl FnMut(&mut T, &Seen<'_>)) -> T {
        let mut above = Vec::new();
        walk(&self.spent, None, &mut above, &mut |seen| {
            look(&mut sum, seen);
        });
        sum
    }
}

/// An activity, where it was met.
struct Seen<'p> {
    activity: &'p Activity,
    spent: &'p Spent,
    /// The phase it is part of, itself if it is one.
    phase: Option<&'p Activity>,
    /// What it is inside of, outermost first.
    above: &'p [&'p Activity],
}

fn walk<'p>(
    spent: &'p Spent,
    phase: Option<&'p Activity>,
    above: &mut Vec<&'p Activity>,
    look: &mut dyn FnMut(&Seen<'_>),
) {
    for (activity, spent) in &spent.inside {
        if *activity == Activity::Profiling {
            continue;
        }
        let phase = phase_name(activity).map_or(phase, |_| Some(activity));
        look(&Seen {
            activity,
            spent,
            phase,
            above,
        });
        above.push(activity);
        walk(spent, phase, above, look);
        above.pop();
    }
}

fn phase_name(activity: &Activity) -> Option<&'static str> {
    match activity {
        Activity::List => Some("list"),
        Activity::Compile(_) => Some("compile"),
        Activity::Define(_) => Some("define"),
        Activity::Expand(_) => Some("expand"),
        Activity::Lower(_) => Some("lower"),
        Activity::Link => Some("link"),
        Activity::Function { .. } | Activity::Builder(_) | Activity::Profiling => None,
    }
}

/// Whom a phase is done for; nobody for what is done for all.
fn subject(phase: &Activity) -> Option<String> {
    match phase {
        Activity::Compile(path) => {
            let path = path.as_str();
            let folder = path.strip_suffix(PACKAGE_FILE);
            let folder = folder.and_then(|folder| folder.strip_suffix('/'));
            let mut parts = folder.into_iter().flat_map(|folder| folder.rsplit('/'));
            Some(match (parts.next(), parts.next()) {
                (Some(package), Some(stage)) => format!("{stage}/{package}"),
                _ => path.to_owned(),
            })
        }
        Activity::Define(label) | Activity::Expand(label) | Activity::Lower(label) => {
            Some(label.to_string())
        }
        Activity::List
        | Activity::Link
        | Activity::Function { .. }
        | Activity::Builder(_)
        | Activity::Profiling => None,
    }
}
