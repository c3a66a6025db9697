//! Compositions: the operations of a recipe, one after the other, through the store's algebra.
//!
//! The store knows trees; what it cannot know is added here: which package an input is of, diffs,
//! and comparisons.

mod hunks;

use stxl_model::{Compose, FILE_ENTRY, Node, Plan, PlanNode, RootPath, TreeId, TreeOp};
use stxl_store::{Difference, DifferenceKind, EditError, FileMode, Store, StoreError, TreeEditor};

use hunks::{Operation, parse_changes};

pub use hunks::PatchError;

/// An operation that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {index}, {operation}: {source}")]
pub struct ComposeError {
    /// Which operation, from 1.
    pub index: usize,
    /// What it does, in a few words.
    pub operation: String,
    /// Why it could not be done.
    pub source: OpError,
}

/// Why an operation could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// The tree is not as the operation needs it.
    #[error("{message}")]
    Tree {
        /// What is missing or in the way.
        message: String,
    },
    /// Two inputs have things of different kinds at one path.
    #[error(
        "`{path}` is {lower_kind} in {lower} and {upper_kind} in {upper}: move or remove one of them first"
    )]
    Clash {
        /// The path.
        path: RootPath,
        /// Whose it is below.
        lower: String,
        /// What it is there.
        lower_kind: &'static str,
        /// Whose it is above.
        upper: String,
        /// What it is there.
        upper_kind: &'static str,
    },
    /// Two inputs that no consumer put into an order have different files at one path.
    #[error("`{path}` is of {lower} and, different, of {upper}: move or remove one of them first")]
    Different {
        /// The path.
        path: RootPath,
        /// Whose it is below.
        lower: String,
        /// Whose it is above.
        upper: String,
    },
    /// An operation names an input that the recipe does not have.
    #[error("there is no input {input}")]
    NoSuchInput {
        /// The position.
        input: u32,
    },
    /// An input has no entry `file`.
    #[error("{label} gives a directory where a single file is needed")]
    NotASingleFile {
        /// Whose it is.
        label: String,
    },
    /// A diff does not apply.
    #[error("the diff of {label}: {source}")]
    Patch {
        /// Whose it is.
        label: String,
        /// Why not.
        source: PatchError,
    },
    /// Two files that have to be equal differ.
    #[error("`{left}` and `{right}` differ at byte {offset}")]
    FilesDiffer {
        /// One of them.
        left: RootPath,
        /// The other.
        right: RootPath,
        /// The first byte that differs, from 0, or the length of the shorter one.
        offset: u64,
    },
    /// Two things that have to be equal differ.
    #[error("`{left}` and `{right}` differ: {what}")]
    Differ {
        /// One of them.
        left: RootPath,
        /// The other.
        right: RootPath,
        /// In what.
        what: String,
    },
}

/// What ends a composition.
#[derive(Debug)]
pub(crate) enum ComposeStop {
    /// An operation could not be done.
    Failed(Box<ComposeError>),
    /// The store failed.
    Store(StoreError),
}

/// What ends an operation.
enum Stop {
    Op(OpError),
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<EditError> for Stop {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Store(error) => Self::Store(error),
            other => Self::Op(OpError::Tree {
                message: other.to_string(),
            }),
        }
    }
}

/// What a person calls each input of a composition.
pub(crate) fn input_names(plan: &Plan, node: &PlanNode) -> Vec<String> {
    let name = |input| match plan.node(input) {
        Some(node) => format!("`{}`", node.origin.name),
        None => format!("{input}"),
    };
    node.derivation.inputs().iter().map(name).collect()
}

/// Applies the operations of a recipe to an empty tree.
pub(crate) fn compose(
    store: &Store,
    recipe: &Compose<TreeId>,
    names: &[String],
) -> Result<TreeId, ComposeStop> {
    let failed = |index: usize, op: &TreeOp, stop: Stop| match stop {
        Stop::Store(error) => ComposeStop::Store(error),
        Stop::Op(source) => {
            let operation = operation_name(op, names);
            ComposeStop::Failed(Box::new(ComposeError {
                index: index + 1,
                operation,
                source,
            }))
        }
    };
    let begin = |error| match Stop::from(error) {
        Stop::Store(error) => ComposeStop::Store(error),
        Stop::Op(source) => ComposeStop::Failed(Box::new(ComposeError {
            index: 0,
            operation: "an empty tree".to_owned(),
            source,
        })),
    };
    let editor = TreeEditor::new(store).map_err(begin)?;
    let mut composition = Composition {
        store,
        inputs: &recipe.inputs,
        names,
        editor,
        merged: Vec::new(),
    };
    for (index, op) in recipe.ops.iter().enumerate() {
        composition
            .apply(op)
            .map_err(|stop| failed(index, op, stop))?;
    }
    composition.editor.finish().map_err(begin)
}

struct Composition<'a> {
    store: &'a Store,
    inputs: &'a [TreeId],
    names: &'a [String],
    editor: TreeEditor<'a>,
    /// The inputs merged so far and where, to tell whose a path is.
    merged: Vec<(u32, RootPath)>,
}

impl Composition<'_> {
    fn apply(&mut self, op: &TreeOp) -> Result<(), Stop> {
        match op {
            TreeOp::Merge { input } => self.merge(*input, &RootPath::root())?,
            TreeOp::MergeStrict { input } => self.merge_strict(*input)?,
            TreeOp::PutTree { input, at } => self.merge(*input, at)?,
            TreeOp::PutFile { input, at, mode } => {
                let tree = self.input(*input)?;
                self.editor.put_file(&tree, at, *mode)?;
            }
            TreeOp::Select { path } => self.editor.select(path)?,
            TreeOp::KeepGlobs { globs } => self.editor.keep_globs(globs)?,
            TreeOp::DropGlobs { globs } => self.editor.drop_globs(globs)?,
            TreeOp::Move { from, to } => self.editor.move_to(from, to)?,
            TreeOp::Copy { from, to } => self.editor.copy(from, to)?,
            TreeOp::Remove { path } => self.editor.remove(path)?,
            TreeOp::Mkdir { path } => self.editor.mkdir(path)?,
            TreeOp::Symlink { path, target } => self.editor.symlink(path, target)?,
            TreeOp::Write {
                path,
                content,
                executable,
            } => {
                self.editor.write(path, content, (*executable).into())?;
            }
            TreeOp::SetExecutable { path, executable } => {
                self.editor.set_mode(path, (*executable).into())?;
            }
            TreeOp::Substitute { path, from, to } => {
                self.editor.substitute(path, from, to)?;
            }
            TreeOp::Patch {
                input,
                at,
                strip_components,
            } => {
                self.patch(*input, at, *strip_components)?;
            }
            TreeOp::AssertEqual { left, right } => self.assert_equal(left, right)?,
        }
        Ok(())
    }

    fn input(&self, input: u32) -> Result<TreeId, Stop> {
        let position = usize::try_from(input).ok();
        let tree = position.and_then(|position| self.inputs.get(position));
        tree.copied()
            .ok_or(Stop::Op(OpError::NoSuchInput { input }))
    }

    fn name(&self, input: u32) -> String {
        let position = usize::try_from(input).ok();
        let name = position.and_then(|position| self.names.get(position));
        name.cloned().unwrap_or_else(|| format!("input {input}"))
    }

    fn merge(&mut self, input: u32, at: &RootPath) -> Result<(), Stop> {
        let tree = self.input(input)?;
        let merged = if at.is_root() {
            self.editor.merge(&tree)
        } else {
            self.editor.put_tree(&tree, at)
        };
        self.note_merged(merged, input, at)
    }

    fn merge_strict(&mut self, input: u32) -> Result<(), Stop> {
        let tree = self.input(input)?;
        let merged = self.editor.merge_strict(&tree);
        self.note_merged(merged, input, &RootPath::root())
    }

    /// Remembers what was merged; says whose the things are that do not merge.
    fn note_merged(
        &mut self,
        merged: Result<(), EditError>,
        input: u32,
        at: &RootPath,
    ) -> Result<(), Stop> {
        match merged {
            Ok(()) => {
                self.merged.push((input, at.clone()));
                Ok(())
            }
            Err(EditError::Replaced { path }) => Err(Stop::Op(OpError::Different {
                lower: self.owner_of(&path)?,
                upper: self.name(input),
                path,
            })),
            Err(EditError::Clash { path, lower, upper }) => Err(Stop::Op(OpError::Clash {
                lower: self.owner_of(&path)?,
                lower_kind: lower,
                upper: self.name(input),
                upper_kind: upper,
                path,
            })),
            Err(error) => Err(error.into()),
        }
    }

    /// Whose a path is: the last input that has it, or the composition itself.
    fn owner_of(&self, path: &RootPath) -> Result<String, Stop> {
        for (input, at) in self.merged.iter().rev() {
            let Some(rest) = path_below(path, at) else {
                continue;
            };
            if self.store.find(&self.input(*input)?, &rest)?.is_some() {
                return Ok(self.name(*input));
            }
        }
        Ok("this composition".to_owned())
    }

    fn patch(&mut self, input: u32, at: &RootPath, strip_components: u32) -> Result<(), Stop> {
        let label = self.name(input);
        let text = self.single_file(input)?;
        let stop = |source| {
            Stop::Op(OpError::Patch {
                label: label.clone(),
                source,
            })
        };
        for change in parse_changes(&text, strip_components).map_err(stop)? {
            let operation = change.operation.below(at).map_err(stop)?;
            self.apply_change(&change, &operation, &stop)?;
        }
        Ok(())
    }

    fn apply_change(
        &mut self,
        change: &hunks::Change<'_>,
        operation: &Operation,
        stop: &dyn Fn(PatchError) -> Stop,
    ) -> Result<(), Stop> {
        let path = operation.path();
        let source = match operation {
            Operation::Create(_) => None,
            Operation::Modify(path) if change.adds_all() && self.editor.find(path)?.is_none() => {
                None
            }
            Operation::Modify(path) | Operation::Delete(path) => Some(path),
            Operation::Rename(from, _) | Operation::Copy(from, _) => Some(from),
        };
        let (before, mode_before) = match source {
            None if self.editor.find(path)?.is_some() => {
                return Err(stop(PatchError::Exists { path: path.clone() }));
            }
            None => (Vec::new(), FileMode::Plain),
            Some(source) => match self.editor.find(source)? {
                Some(Node::File { .. }) => self.editor.read(source)?,
                Some(Node::Symlink { .. } | Node::Directory { .. }) | None => {
                    return Err(stop(PatchError::MissingFile {
                        path: source.clone(),
                    }));
                }
            },
        };
        let after = change.apply(path, &before).map_err(stop)?;
        match operation {
            Operation::Delete(path) => {
                if !after.is_empty() {
                    return Err(stop(PatchError::LeftOver { path: path.clone() }));
                }
                self.editor.remove(path)?;
                return Ok(());
            }
            Operation::Rename(from, _) => self.editor.remove(from)?,
            Operation::Create(_) | Operation::Modify(_) | Operation::Copy(..) => {}
        }
        if matches!(operation, Operation::Rename(..) | Operation::Copy(..))
            && self.editor.find(path)?.is_some()
        {
            return Err(stop(PatchError::Exists { path: path.clone() }));
        }
        self.editor
            .write(path, &after, change.mode.unwrap_or(mode_before))?;
        Ok(())
    }

    /// The bytes of an input that is a single file.
    fn single_file(&self, input: u32) -> Result<Vec<u8>, Stop> {
        let directory = self.store.directory(&self.input(input)?)?;
        match directory.find(FILE_ENTRY) {
            Some(Node::File { blob, .. }) => Ok(self.store.read_blob(blob)?),
            Some(Node::Symlink { .. } | Node::Directory { .. }) | None => {
                Err(Stop::Op(OpError::NotASingleFile {
                    label: self.name(input),
                }))
            }
        }
    }

    fn assert_equal(&mut self, left: &RootPath, right: &RootPath) -> Result<(), Stop> {
        let differ = |what: &str| {
            let (left, right) = (left.clone(), right.clone());
            Stop::Op(OpError::Differ {
                left,
                right,
                what: what.to_owned(),
            })
        };
        let missing = |path: &RootPath| {
            let message = format!("there is no `{path}`");
            Stop::Op(OpError::Tree { message })
        };
        let left_node = self.editor.find(left)?.ok_or_else(|| missing(left))?;
        let right_node = self.editor.find(right)?.ok_or_else(|| missing(right))?;
        match (&left_node, &right_node) {
            (Node::File { blob: one, .. }, Node::File { blob: other, .. }) => {
                // The executable bit is no part of a file's content.
                if one == other {
                    return Ok(());
                }
                let (one, other) = (self.store.read_blob(one)?, self.store.read_blob(other)?);
                let same = one
                    .iter()
                    .zip(&other)
                    .take_while(|(one, other)| one == other)
                    .count();
                let (left, right, offset) = (left.clone(), right.clone(), same as u64);
                Err(Stop::Op(OpError::FilesDiffer {
                    left,
                    right,
                    offset,
                }))
            }
            (Node::Directory { tree: one }, Node::Directory { tree: other }) => {
                match self.store.diff(one, other, 1)?.first() {
                    None => Ok(()),
                    Some(difference) => Err(differ(&difference_text(difference))),
                }
            }
            (Node::Symlink { target: one }, Node::Symlink { target: other }) => {
                if one == other {
                    Ok(())
                } else {
                    Err(differ("they point to different places"))
                }
            }
            (Node::File { .. } | Node::Directory { .. } | Node::Symlink { .. }, _) => {
                Err(differ("they are of different kinds"))
            }
        }
    }
}

/// A difference as a phrase that begins with its path.
pub(crate) fn difference_text(difference: &Difference) -> String {
    let (what, offset) = difference_parts(&difference.kind);
    match offset {
        Some(offset) => format!("`{}` {what} at byte {offset}", difference.path),
        None => format!("`{}` {what}", difference.path),
    }
}

/// What differs, as a phrase, and the first byte that does.
pub(crate) fn difference_parts(kind: &DifferenceKind) -> (&'static str, Option<u64>) {
    match kind {
        DifferenceKind::OnlyLeft => ("is in the first only", None),
        DifferenceKind::OnlyRight => ("is in the second only", None),
        DifferenceKind::Kind => ("is of another kind", None),
        DifferenceKind::Target => ("points to another place", None),
        DifferenceKind::Executable => ("has another executable bit", None),
        DifferenceKind::Content { offset } => ("differs", *offset),
    }
}

/// What is left of a path below another one; nothing if it is not below.
pub(crate) fn path_below(path: &RootPath, above: &RootPath) -> Option<RootPath> {
    let mut parts = path.parts();
    for part in above.parts() {
        if parts.next() != Some(part) {
            return None;
        }
    }
    parts.try_fold(RootPath::root(), |rest, part| rest.child(part).ok())
}

/// What an operation does, in a few words.
fn operation_name(op: &TreeOp, names: &[String]) -> String {
    let name = |input: &u32| {
        let position = usize::try_from(*input).ok();
        let name = position.and_then(|position| names.get(position));
        name.cloned().unwrap_or_else(|| format!("input {input}"))
    };
    match op {
        TreeOp::Merge { input } | TreeOp::MergeStrict { input } => format!("merge {}", name(input)),
        TreeOp::PutTree { input, at } | TreeOp::PutFile { input, at, mode: _ } => {
            format!("put {} at `{at}`", name(input))
        }
        TreeOp::Select { path } => format!("select `{path}`"),
        TreeOp::KeepGlobs { globs } => format!("keep `{}`", globs.join("`, `")),
        TreeOp::DropGlobs { globs } => format!("drop `{}`", globs.join("`, `")),
        TreeOp::Move { from, to } => format!("move `{from}` to `{to}`"),
        TreeOp::Copy { from, to } => format!("copy `{from}` to `{to}`"),
        TreeOp::Remove { path } => format!("remove `{path}`"),
        TreeOp::Mkdir { path } => format!("make the directory `{path}`"),
        TreeOp::Symlink { path, target: _ } => format!("make the symlink `{path}`"),
        TreeOp::Write {
            path,
            content: _,
            executable: _,
        } => format!("write `{path}`"),
        TreeOp::SetExecutable {
            path,
            executable: _,
        } => {
            format!("set the executable bit of `{path}`")
        }
        TreeOp::Substitute {
            path,
            from: _,
            to: _,
        } => format!("substitute in `{path}`"),
        TreeOp::Patch {
            input,
            at,
            strip_components: _,
        } => {
            format!("patch `{at}` with {}", name(input))
        }
        TreeOp::AssertEqual { left, right } => format!("assert `{left}` equal to `{right}`"),
    }
}
