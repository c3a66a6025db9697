//! Running cases: a root is composed, commands run in it, and what they left is looked at.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::num::NonZero;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use stxl_model::{Keep, Node, RootPath, Sha256, TreeId};
use stxl_sandbox::{ExitStatus, Limits, Outcome, Personality, SandboxSpec};
use stxl_store::{FileMode, LayerRef, SealBounds, TreeEditor};

use super::case::{Case, CaseCommand, Expected};
use super::place::Session;

/// A rung that hangs fails its case after this time.
const WALL_MS: u64 = 60_000;

/// How many bytes of a file a report shows.
const SHOWN_BYTES_MAX: usize = 48;

/// Runs all cases, a few at once, and returns what is wrong, sorted by the names of the cases.
pub(crate) fn run_all(
    session: &Session,
    trees: &BTreeMap<String, TreeId>,
    cases: &[Case],
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut failures = BTreeMap::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let wrong = run(session, trees, case)
                .unwrap_or_else(|error| vec![format!("could not be run: {error}")]);
            if !wrong.is_empty() {
                failures.insert(&case.name, format!("{}: {}", case.name, wrong.join("; ")));
            }
        }
        failures
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut failures = BTreeMap::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            failures.extend(worker.join().expect("a worker does not panic"));
        }
    });
    failures.into_values().collect()
}

/// Runs one case and returns what differs from what it expects.
fn run(
    session: &Session,
    trees: &BTreeMap<String, TreeId>,
    case: &Case,
) -> Result<Vec<String>, Box<dyn Error>> {
    let rungs = merge(session, trees, &case.rungs)?;
    let mut editor = TreeEditor::from_tree(&session.store, &rungs)?;
    for (path, content) in &case.before {
        editor.write(path, content, FileMode::Plain)?;
    }
    let mut root = editor.finish()?;
    let mut hint = rungs;
    for commands in groups(&case.commands) {
        let (outcome, log) = execute(session, (&root, &hint), commands)?;
        if let Some(wrong) = judge(&outcome, commands) {
            let log = match printed(&log)? {
                text if text.is_empty() => String::new(),
                text => format!(", having printed: {text}"),
            };
            return Ok(vec![format!("{wrong}{log}")]);
        }
        hint = root;
        root = session
            .store
            .seal(
                outcome.upper.as_fd(),
                &root,
                &Keep::Root,
                SealBounds::default(),
            )?
            .tree;
    }
    let mut wrong = Vec::new();
    for (path, expected) in &case.after {
        wrong.extend(difference(session, &root, path, expected)?);
    }
    Ok(wrong)
}

/// The main outputs of rungs as one tree.
pub(crate) fn merge(
    session: &Session,
    trees: &BTreeMap<String, TreeId>,
    rungs: &[String],
) -> Result<TreeId, Box<dyn Error>> {
    let tree_of = |rung: &String| {
        trees
            .get(rung)
            .copied()
            .ok_or(format!("there is no rung {rung}"))
    };
    let inputs: Vec<TreeId> = rungs.iter().map(tree_of).collect::<Result<_, String>>()?;
    let merged = session.store.merge(&inputs)?;
    match merged.hidden.first() {
        None => Ok(merged.tree),
        Some(hidden) => Err(format!("two rungs have different files `{}`", hidden.path).into()),
    }
}

/// Splits commands behind each one that has to fail: a sandbox ends with the first failure.
fn groups(commands: &[CaseCommand]) -> impl Iterator<Item = &[CaseCommand]> {
    commands.split_inclusive(|command| command.status != 0)
}

/// Runs commands, one after the other until one fails, in a root.
pub(crate) fn execute(
    session: &Session,
    (root, hint): (&TreeId, &TreeId),
    commands: &[CaseCommand],
) -> Result<(Outcome, File), Box<dyn Error>> {
    let store = &session.store;
    let layers = store.layers_for(root, &[*hint], &stxl_sandbox::BELOW_LAYERS)?;
    let log = tempfile::tempfile_in(store.path())?;
    let below_store = |layer: &LayerRef| layer.path().strip_prefix(store.path()).map(PathBuf::from);
    let layers = layers.iter().map(below_store).collect::<Result<_, _>>()?;
    let commands = commands
        .iter()
        .map(|command| command.argv.iter().map(OsString::from).collect())
        .collect();
    let spec = SandboxSpec {
        platform: Personality::I686,
        limits: Limits {
            wall_ms: WALL_MS,
            silent_ms: WALL_MS,
            ..Limits::default()
        },
        ..SandboxSpec::plain(layers, commands, log.try_clone()?.into())
    };
    Ok((session.launcher.spawn(&spec)?.wait()?, log))
}

/// Says which command of a group ended otherwise than expected.
fn judge(outcome: &Outcome, commands: &[CaseCommand]) -> Option<String> {
    let last = commands.last().map_or(0, |command| command.status);
    let ended = commands
        .iter()
        .filter(|command| command.status == 0)
        .count();
    if outcome.status == ExitStatus::Exited(last) && outcome.commands_ended == ended {
        return None;
    }
    let position = outcome.commands_ended.min(commands.len() - 1);
    let CaseCommand { argv, status } = &commands[position];
    Some(format!(
        "`{}` has to exit with {status}, was {:?}",
        argv.join(" "),
        outcome.status
    ))
}

/// All that was printed.
pub(crate) fn whole(log: &File) -> Result<String, std::io::Error> {
    let length = usize::try_from(log.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    log.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn printed(log: &File) -> Result<String, std::io::Error> {
    let mut bytes = vec![0; SHOWN_BYTES_MAX];
    let count = log.read_at(&mut bytes, 0)?;
    Ok(bytes[..count].escape_ascii().to_string())
}

/// Says how what is at a path differs from what is expected there.
fn difference(
    session: &Session,
    root: &TreeId,
    path: &RootPath,
    expected: &Expected,
) -> Result<Option<String>, Box<dyn Error>> {
    let found = match session.store.find(root, path)? {
        None => None,
        Some(Node::File { blob, .. }) => Some(session.store.read_blob(&blob)?),
        Some(other) => return Ok(Some(format!("`{path}` is no file but {other:?}"))),
    };
    Ok(match (expected, found) {
        (Expected::Nothing, None) => None,
        (Expected::Nothing, Some(found)) => {
            Some(format!("`{path}` must not exist, has {}", shown(&found)))
        }
        (Expected::Digest(digest), Some(found)) if *digest == Sha256::of(&found) => None,
        (Expected::Digest(digest), found) => {
            let found = found.map_or("missing".to_owned(), |found| Sha256::of(&found).to_string());
            Some(format!("`{path}` has to be {digest}, is {found}"))
        }
        (Expected::Bytes(bytes), None) => {
            Some(format!("`{path}` has to have {}, is missing", shown(bytes)))
        }
        (Expected::Bytes(bytes), Some(found)) if *bytes == found => None,
        (Expected::Bytes(bytes), Some(found)) => {
            let same = bytes
                .iter()
                .zip(&found)
                .take_while(|(left, right)| left == right)
                .count();
            Some(format!(
                "`{path}` has to have {}, has {}, different from byte {same} on",
                shown(bytes),
                shown(&found)
            ))
        }
    })
}

fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes).escape_ascii();
    let rest = if bytes.len() > SHOWN_BYTES_MAX {
        "…"
    } else {
        ""
    };
    format!("{} bytes \"{start}{rest}\"", bytes.len())
}
