//! The rebuild check: steps run again in another world, and what differs of what they give.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use stxl_model::{PlanNode, TreeId};
use stxl_store::{Difference, Store, StoreError};

use crate::compose::difference_parts;
use crate::conduct::Conductor;
use crate::event::{BuildEvent, CheckMismatch, CheckReport, PathDifference, Provoked};
use crate::failure::FailureCause;
use crate::incremental;
use crate::perturbation::Perturbation;
use crate::records;
use crate::report::JobLog;

/// How many paths that differ are told.
const DIFFERENCES_MAX: usize = 20;

/// The steps that run again: when, in which world, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// What is to be another around each step that runs again, by position.
    wanted: BTreeMap<usize, BTreeSet<Perturbation>>,
    /// Those whose first execution ended too short a time ago, and until when they wait.
    waiting: BTreeMap<usize, Instant>,
    has_told_wait: bool,
    /// Those that differ in another world than the ABI's, until they ran in one that is.
    unexplained: BTreeMap<usize, CheckMismatch>,
    pub(crate) report: CheckReport,
}

impl Checks {
    /// What is to be another around a step, if it runs to be compared.
    pub(crate) fn of_step(&self, node: usize) -> Option<&BTreeSet<Perturbation>> {
        self.wanted.get(&node)
    }

    /// Whether a step will run to be compared, later.
    pub(crate) fn is_waiting(&self, node: usize) -> bool {
        self.waiting.contains_key(&node)
    }

    /// Whether any will.
    pub(crate) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Wants nothing to be another around a step that the ABI fixes; whether something was to be.
    fn come_nearer(&mut self, node: usize) -> bool {
        let Some(wanted) = self.wanted.get_mut(&node) else {
            return false;
        };
        let before = wanted.len();
        wanted.retain(|perturbation| !perturbation.is_fixed_by_abi());
        wanted.len() < before
    }

    /// Gives up those that wait.
    pub(crate) fn stop_waiting(&mut self) {
        self.waiting.clear();
    }
}

impl Conductor<'_, '_> {
    /// Runs steps again whose trees are known, in the world they had, to compare what they give.
    pub(crate) fn check_again(&mut self, nodes: &[usize]) {
        for node in nodes {
            self.checks.wanted.insert(*node, BTreeSet::new());
            self.schedule.force(*node);
        }
    }

    /// Runs steps again in another world, those that ran lately after the others.
    pub(crate) fn check_elsewhere(&mut self, nodes: &[usize]) -> Result<(), StoreError> {
        let world = &self.options.check_world;
        for node in nodes {
            self.checks.wanted.insert(*node, world.perturbed.clone());
            let until = self.end_of_first(*node)?.checked_add(world.gap);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => {
                    self.checks.waiting.insert(*node, until);
                }
                None => self.schedule.force(*node),
            }
        }
        Ok(())
    }

    /// When the execution ended, at the latest, whose tree counts.
    fn end_of_first(&self, node: usize) -> Result<Instant, StoreError> {
        let now = Instant::now();
        if let Some(ended) = self.ended.get(&node) {
            return Ok(*ended);
        }
        let action = self.schedule.current_action(node);
        let age = match action {
            Some((_, id)) => self.store.age_of_choice(&id)?,
            None => None,
        };
        Ok(now.checked_sub(age.unwrap_or_default()).unwrap_or(now))
    }

    /// Starts to check the steps whose time has come.
    pub(crate) fn release_due(&mut self) {
        let now = Instant::now();
        let due: Vec<usize> = self
            .checks
            .waiting
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(node, _)| *node)
            .collect();
        for node in due {
            self.checks.waiting.remove(&node);
            self.schedule.force(node);
        }
    }

    /// Tells, once, that there is nothing to do until some time is over.
    pub(crate) fn tell_wait(&mut self) {
        let Some(first) = self.checks.waiting.values().min() else {
            return;
        };
        if !std::mem::replace(&mut self.checks.has_told_wait, true) {
            let wait = first.saturating_duration_since(Instant::now());
            (self.events)(BuildEvent::CheckWaiting {
                steps: self.checks.waiting.len(),
                wait: Duration::from_secs(wait.as_secs() + 1),
            });
        }
    }

    /// Compares what a step gave when it ran again with the tree that counts.
    pub(crate) fn take_checked(
        &mut self,
        node: usize,
        second: TreeId,
        perturbed: &BTreeSet<Perturbation>,
    ) {
        self.schedule.compared(node, second);
        self.compared.insert(self.plan.nodes()[node].id);
        let step = self.node(node);
        let first = self.schedule.tree(node).unwrap_or(second);
        let is_same = first == second;
        if let Some(mut mismatch) = self.checks.unexplained.remove(&node) {
            mismatch.provoked = Some(if is_same {
                Provoked::Elsewhere
            } else {
                Provoked::Anywhere
            });
            return self.take_mismatch(mismatch);
        }
        if is_same {
            self.checks.report.add(perturbed);
            self.checks.report.identical += 1;
            (self.events)(BuildEvent::CheckPassed {
                node: step,
                perturbed,
            });
            return;
        }
        match mismatch(self.store, step, (first, second), perturbed) {
            // Whether it differs in a world of the ABI, too, takes one more execution.
            Ok(mismatch) if mismatch.provoked.is_none() => {
                self.checks.unexplained.insert(node, mismatch);
                self.checks.come_nearer(node);
                self.schedule.force_again(node);
            }
            Ok(mismatch) => self.take_mismatch(mismatch),
            Err(error) => self.break_off(error.into()),
        }
    }

    /// Tells the mismatches of steps that were to run once more and did not, since the build ended
    /// before.
    pub(crate) fn take_unexplained(&mut self) {
        for mismatch in std::mem::take(&mut self.checks.unexplained).into_values() {
            self.take_mismatch(mismatch);
        }
    }

    fn take_mismatch(&mut self, mismatch: CheckMismatch) {
        // Elsewhere a clean build gave another one, and here the same.
        if mismatch.provoked != Some(Provoked::Elsewhere)
            && let Err(error) = self.give_up_incremental(&mismatch.node)
        {
            return self.break_off(error.into());
        }
        self.checks.report.add(&mismatch.perturbed);
        (self.events)(BuildEvent::CheckFailed {
            mismatch: &mismatch,
        });
        self.mismatches.push(mismatch);
    }

    /// Has the next build begin anew with an incremental step that gave something else than a clean
    /// build.
    fn give_up_incremental(&mut self, node: &PlanNode) -> Result<(), StoreError> {
        if !incremental::forget(self.store, node, self.options)? {
            return Ok(());
        }
        let position = self.plan.position(&node.id);
        let action = position.and_then(|position| self.schedule.current_action(position));
        action.map_or(Ok(()), |(_, id)| self.store.release_choice(&id))
    }

    /// Has a step that failed in another world than the ABI's run again in the ABI's; gives the
    /// failure back if it did not.
    pub(crate) fn take_failure_elsewhere(
        &mut self,
        node: usize,
        failed: (FailureCause, Option<JobLog>),
    ) -> Option<(FailureCause, Option<JobLog>)> {
        if !self.checks.come_nearer(node) {
            if let Some(mismatch) = self.checks.unexplained.remove(&node) {
                self.take_mismatch(mismatch);
            }
            return Some(failed);
        }
        self.schedule.force_again(node);
        let (cause, log) = failed;
        let failure = records::failure_elsewhere(self.store, self.node(node), cause, log);
        (self.events)(BuildEvent::FailedElsewhere { failure: &failure });
        self.checks.report.failed_elsewhere.push(failure);
        None
    }
}

impl CheckReport {
    fn add(&mut self, perturbed: &BTreeSet<Perturbation>) {
        self.steps += 1;
        for perturbation in perturbed {
            *self.perturbed.entry(*perturbation).or_default() += 1;
        }
    }
}

/// Puts together what is told about a step that gave another tree.
pub(crate) fn mismatch(
    store: &Store,
    node: &PlanNode,
    (first, second): (TreeId, TreeId),
    perturbed: &BTreeSet<Perturbation>,
) -> Result<CheckMismatch, StoreError> {
    let differences = match store.diff(&first, &second, DIFFERENCES_MAX) {
        Ok(differences) => differences.iter().map(path_difference).collect(),
        // The first tree is gone, in part at least: that it differs is all that can be told.
        Err(StoreError::MissingTree { .. } | StoreError::MissingBlob { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(CheckMismatch {
        node: node.clone(),
        first,
        second,
        differences,
        perturbed: perturbed.clone(),
        provoked: (!perturbed.iter().any(|it| it.is_fixed_by_abi())).then_some(Provoked::Anywhere),
    })
}

fn path_difference(difference: &Difference) -> PathDifference {
    let (what, offset) = difference_parts(&difference.kind);
    PathDifference {
        path: difference.path.clone(),
        what: what.to_owned(),
        offset,
    }
}
