//! From a package's chains of root operations to derivations. The rules are in README.md.

mod commands;
mod compose;
mod operands;
mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use stxl_lang::profile::Activity;
use stxl_lang::{
    Diagnostic, Expanded, Operand, OutputExpression, OutputFilter, RootExpression, RootOperation,
    RootStep, Site,
};
use stxl_model::{
    BuildUid, Derivation, Exec, Fragment, FragmentInput, FragmentWriter, Keep, NodeOrigin, PutMode,
    RootPath, TreeOp,
};

use self::compose::Composition;
use self::operands::Unpacked;
pub(crate) use self::runs::LazyRunTable;
use self::runs::RunTable;
use crate::database::Db;
use crate::node::{Needed, Node, NodeKey, needed, output_of};
use crate::queries::{self, BuildFacts, error, span_of_site};
use crate::read::Read;

/// The derivations of one output: its own, not those of what it needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lowered {
    /// The derivations over the list of [`Needed`]; none when something is wrong.
    pub(crate) fragment: Option<Fragment>,
    /// What was looked at of the workspace.
    pub(crate) reads: Vec<Read>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Lowers an output, without the ids of what it needs.
#[salsa::tracked(returns(clone))]
pub(crate) fn lowered<'db>(db: &'db dyn Db, node: Node<'db>) -> Arc<Lowered> {
    let needed = needed(db, node);
    let node = node.key(db);
    db.shared().log(|| format!("lowered({node})"));
    let package = db.package(&node.label);
    let result = queries::expanded(db, package, &node.configured);
    let Some(expanded) = &result.expanded else {
        return Arc::default();
    };
    let Some(expression) = output_of(expanded, &node.output) else {
        return Arc::default();
    };
    let Some(facts) = queries::build_facts(db, package) else {
        return Arc::default();
    };
    db.shared().evaluating(Some(&facts.path));
    let runs = result.runs.of(expanded);
    let mut lowering = Lowering {
        db,
        node: &node,
        facts: &facts,
        needed: &needed,
        needs: needed.nodes.iter().collect(),
        runs,
        derivations: FragmentWriter::default(),
        states: BTreeMap::new(),
        roots: BTreeMap::new(),
        outputs: BTreeMap::new(),
        reads: BTreeSet::new(),
        diagnostics: Vec::new(),
    };
    let name = node.to_label().to_string();
    let spending = db.shared().spending(|| Activity::Lower(node.label.clone()));
    let result = lowering.output(expression, name).ok();
    drop(spending);
    db.shared().evaluating(None);
    let Lowering {
        derivations,
        reads,
        diagnostics,
        ..
    } = lowering;
    let result = result.filter(|_| diagnostics.is_empty());
    Arc::new(Lowered {
        fragment: result.map(|result| derivations.finish(result)),
        reads: reads.into_iter().collect(),
        diagnostics,
    })
}

/// The runs of a package by the addresses of their steps, in the order in which they are numbered.
pub(crate) fn runs_in_order(expanded: &Expanded) -> Vec<usize> {
    RunTable::of(expanded).into_order()
}

pub(crate) use commands::is_standard_variable;

/// A mistake that is among the diagnostics, here or elsewhere.
struct Reported;

struct Lowering<'l> {
    db: &'l dyn Db,
    node: &'l NodeKey,
    facts: &'l BuildFacts,
    needed: &'l Needed,
    /// The nodes of `needed`, to be found by what they are.
    needs: IndexSet<&'l NodeKey, FxBuildHasher>,
    runs: &'l RunTable,
    derivations: FragmentWriter,
    /// The states after runs, and of roots used as operands or for outputs used as operands, by the
    /// address of the step.
    states: BTreeMap<usize, RootState>,
    /// Roots used as operands, by the address of the step.
    roots: BTreeMap<usize, FragmentInput>,
    /// Outputs used as operands, by address.
    outputs: BTreeMap<usize, FragmentInput>,
    reads: BTreeSet<Read>,
    diagnostics: Vec<Diagnostic>,
}

/// A root as far as it is known while its chain is followed.
#[derive(Clone)]
struct RootState {
    tree: Composition,
    /// The path whose subtree is all that the last run kept.
    kept: Option<RootPath>,
    /// What was merged into the root, so that nothing is brought twice.
    merged: BTreeSet<FragmentInput>,
    /// What packages brought along so far, in the order of merging.
    brought: Vec<FragmentInput>,
    has_out: bool,
    cwd: RootPath,
    env: Arc<BTreeMap<String, String>>,
    uid: BuildUid,
    wall_ms: u64,
    silent_ms: u64,
}

impl Default for RootState {
    fn default() -> Self {
        Self {
            tree: Composition::default(),
            kept: None,
            merged: BTreeSet::new(),
            brought: Vec::new(),
            has_out: false,
            cwd: RootPath::root(),
            env: Arc::default(),
            uid: BuildUid::Root,
            wall_ms: 0,
            silent_ms: 0,
        }
    }
}

fn address(step: &Arc<RootStep>) -> usize {
    Arc::as_ptr(step).addr()
}

impl Lowering<'_> {
    fn report(&mut self, id: &'static str, message: String, site: &Site) -> Reported {
        self.report_with_hints(id, message, site, Vec::new())
    }

    fn report_with_hints(
        &mut self,
        id: &'static str,
        message: String,
        site: &Site,
        hints: Vec<String>,
    ) -> Reported {
        let site = self.shown_site(site);
        let mut diagnostic = error(id, message, Some(span_of_site(self.db, &site)));
        diagnostic.hints = hints;
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
        Reported
    }

    /// The place to show for a call: the builder call when the call is the stdlib's or unknown.
    fn shown_site(&self, site: &Site) -> Site {
        if site.line == 0 || site.path.as_str().starts_with("stdlib/") {
            Site {
                path: self.facts.path.clone(),
                line: self.facts.line,
                column: 1,
            }
        } else {
            site.clone()
        }
    }

    fn origin(&self, name: String, site: &Site) -> NodeOrigin {
        let site = self.shown_site(site);
        NodeOrigin {
            name,
            label: self.node.label.clone(),
            file: site.path.as_str().to_owned(),
            line: site.line,
            script_line: 0,
            wall_ms_max: 0,
            silent_ms_max: 0,
            import: None,
            urls: Vec::new(),
            is_opaque: false,
        }
    }

    fn add(
        &mut self,
        derivation: &Derivation<FragmentInput>,
        origin: &NodeOrigin,
    ) -> FragmentInput {
        self.derivations.add(derivation, origin)
    }

    /// Turns what is pending into one derivation, or none when it is just another one's tree.
    fn materialise(&mut self, tree: Composition, name: String, site: &Site) -> FragmentInput {
        match tree.into_derivation() {
            Ok(input) => input,
            Err(compose) => {
                let origin = self.origin(name, site);
                self.add(&Derivation::Compose(compose), &origin)
            }
        }
    }

    fn output(
        &mut self,
        output: &OutputExpression,
        name: String,
    ) -> Result<FragmentInput, Reported> {
        let RootState { mut tree, kept, .. } = self.root(&output.root)?;
        let asserts = output.filters.iter().filter_map(|filter| match filter {
            OutputFilter::AssertEqual(left, right) => Some((left, right)),
            OutputFilter::Keep(_) | OutputFilter::Drop(_) => None,
        });
        let mut is_assertion = false;
        for (left, right) in asserts {
            is_assertion = true;
            tree.push(TreeOp::AssertEqual {
                left: left.clone(),
                right: right.clone(),
            });
        }
        if is_assertion {
            tree.push_emptying();
        } else if kept.is_none() && !output.path.is_root() {
            tree.push(TreeOp::Select {
                path: output.path.clone(),
            });
        }
        for filter in &output.filters {
            match filter {
                OutputFilter::Keep(globs) => tree.push(TreeOp::KeepGlobs {
                    globs: globs.clone(),
                }),
                OutputFilter::Drop(globs) => tree.push(TreeOp::DropGlobs {
                    globs: globs.clone(),
                }),
                OutputFilter::AssertEqual(..) => {}
            }
        }
        Ok(self.materialise(tree, name, &output.site))
    }

    /// Follows the chain of an operand once, however often it is used: roots made of roots, each
    /// used twice, would take exponential time.
    fn remember(&mut self, root: &RootExpression) -> Result<(), Reported> {
        let address = address(&root.0);
        if !self.states.contains_key(&address) {
            let state = self.root(root)?;
            self.states.insert(address, state);
        }
        Ok(())
    }

    /// Follows a chain from its beginning, or from the last step that is known.
    fn root(&mut self, root: &RootExpression) -> Result<RootState, Reported> {
        let mut steps = Vec::new();
        let mut next = Some(root);
        let mut state = RootState::default();
        while let Some(RootExpression(step)) = next {
            if let Some(known) = self.states.get(&address(step)) {
                state = known.clone();
                break;
            }
            steps.push(step);
            next = step.before.as_ref();
        }
        for step in steps.into_iter().rev() {
            self.step(&mut state, step)?;
        }
        Ok(state)
    }

    fn step(&mut self, state: &mut RootState, step: &Arc<RootStep>) -> Result<(), Reported> {
        match &step.operation {
            RootOperation::Start(operands) | RootOperation::Add(operands) => {
                self.merge(state, operands, &step.site)?;
            }
            RootOperation::Put { what, at, mode } => {
                let given = self.operand(what, &step.site)?;
                let input = state.tree.input(given);
                state.tree.push(match what {
                    Operand::Fetch(source) if source.is_directory() => TreeOp::PutTree {
                        input,
                        at: at.clone(),
                    },
                    Operand::File(_) | Operand::Seed(_) | Operand::Fetch(_) => TreeOp::PutFile {
                        input,
                        at: at.clone(),
                        mode: *mode,
                    },
                    Operand::Package(_)
                    | Operand::Directory(_)
                    | Operand::Root(_)
                    | Operand::Output(_) => TreeOp::PutTree {
                        input,
                        at: at.clone(),
                    },
                });
            }
            RootOperation::Unpack {
                archive,
                at,
                strip_components,
            } => {
                let given = self.unpacked(archive, (at, *strip_components), &step.site)?;
                let operation = match given {
                    Unpacked::Tree(given) => TreeOp::PutTree {
                        input: state.tree.input(given),
                        at: at.clone(),
                    },
                    Unpacked::File(given, at) => TreeOp::PutFile {
                        input: state.tree.input(given),
                        at,
                        mode: PutMode::Unchanged,
                    },
                };
                state.tree.push(operation);
            }
            RootOperation::Patch {
                patches,
                strip_components,
            } => {
                for patch in patches {
                    let given = self.patch(patch, &step.site)?;
                    let (input, at) = (state.tree.input(given), state.cwd.clone());
                    let strip_components = *strip_components;
                    state.tree.push(TreeOp::Patch {
                        input,
                        at,
                        strip_components,
                    });
                }
            }
            RootOperation::Tree(operation) => state.tree.push(operation.clone()),
            RootOperation::Cd(path) => state.cwd = path.clone(),
            RootOperation::Env(variables) => self.set_env(state, variables, &step.site)?,
            RootOperation::User(uid) => state.uid = *uid,
            RootOperation::Timeout { wall_ms, silent_ms } => {
                let set = |limit: &mut u64, to: u64| {
                    if to != 0 {
                        *limit = to;
                    }
                };
                set(&mut state.wall_ms, *wall_ms);
                set(&mut state.silent_ms, *silent_ms);
            }
            RootOperation::Run(_) => {
                self.run(state, step)?;
                self.states.insert(address(step), state.clone());
            }
        }
        Ok(())
    }

    fn run(&mut self, state: &mut RootState, step: &Arc<RootStep>) -> Result<(), Reported> {
        let RootOperation::Run(commands) = &step.operation else {
            return Ok(());
        };
        let run = self.runs.run(address(step));
        if !state.has_out {
            let path = commands::out_path();
            state.tree.push(TreeOp::Mkdir { path });
            state.has_out = true;
        }
        let tree = std::mem::take(&mut state.tree);
        let label = &self.node.label;
        let name = format!("{label}: root of {}", run.name());
        let root = self.materialise(tree, name, &step.site);
        let lowered = self.commands(commands, &step.site)?;
        let platform = self.node.configured.platform;
        let exec = Exec {
            root,
            commands: lowered.argvs,
            env: self.environment(&state.env),
            cwd: state.cwd.clone(),
            uid: state.uid,
            keep: run.keep.clone(),
            runs_on: platform,
            target: platform,
            sandbox_abi: self.db.configuration().sandbox_abi(self.db),
        };
        let exec = if self.facts.is_incremental {
            exec.incremental().unwrap_or_else(|exec| exec)
        } else {
            exec
        };
        let mut origin = self.origin(format!("{}: {}", self.node.label, run.name()), &step.site);
        origin.wall_ms_max = state.wall_ms;
        origin.silent_ms_max = state.silent_ms;
        if let Some(script) = lowered.script {
            if origin.file != script.path.as_str() {
                origin.line = script.line;
            }
            script.path.as_str().clone_into(&mut origin.file);
            origin.script_line = script.line;
        }
        let result = self.add(&Derivation::Exec(exec), &origin);
        state.tree = Composition::of(result);
        state.kept = match run.keep {
            Keep::Root => None,
            Keep::Subtree(path) => Some(path),
        };
        Ok(())
    }
}
