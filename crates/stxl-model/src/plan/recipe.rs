//! What a derivation does, part by part, as text: for people who compare two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Plan, PlanNode};
use crate::codec::DecodeError;
use crate::derivation::{
    Argv, BuildUid, Compose, Derivation, Exec, Image, ImportKind, Keep, ModeTable, PutMode, TreeOp,
};
use crate::digest::{BlobId, DerivationId};

/// What stands before the text of every script, on its first line so that the shell's line numbers
/// stay those of the text: `pipefail` where the shell has it, and every command into the log.
pub const SCRIPT_PREAMBLE: &str = "(set -o pipefail) 2>/dev/null && set -o pipefail; set -x; ";

/// The shell with its switches, before a script.
pub const SCRIPT_SHELL: [&str; 3] = ["/bin/sh", "-eu", "-c"];

/// Longest text of a file that is written out.
const WRITTEN_BYTES_MAX: usize = 16 << 10;

/// A part of what a derivation does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecipePart {
    /// What it is at all.
    Kind,
    /// The hash of what is fetched.
    Hash,
    /// The files of the workspace that are imported.
    Content,
    /// A command, from 1.
    Command(usize),
    /// A variable of the environment.
    Variable(String),
    /// The operations that a tree is made by.
    Operations,
    /// Any other setting, by its name.
    Setting(&'static str),
}

/// A part in which two derivations differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartDifference {
    /// Which.
    pub part: RecipePart,
    /// What it was, as text; none when there was none.
    pub before: Option<String>,
    /// What it is, as text; none when there is none.
    pub after: Option<String>,
}

impl fmt::Display for RecipePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("kind"),
            Self::Hash => f.write_str("hash"),
            Self::Content => f.write_str("content"),
            Self::Command(number) => write!(f, "command {number}"),
            Self::Variable(name) => write!(f, "env {name}"),
            Self::Operations => f.write_str("operations"),
            Self::Setting(name) => f.write_str(name),
        }
    }
}

impl PartDifference {
    /// The parts in which a derivation differs from another one of an older plan, sorted. Inputs
    /// that became others under the name they had make no difference.
    pub fn between(
        (before, old): (&Plan, &PlanNode),
        (after, new): (&Plan, &PlanNode),
    ) -> Result<Vec<Self>, DecodeError> {
        let (mut old, mut new) = (before.recipe(old)?, after.recipe(new)?);
        let parts: BTreeSet<RecipePart> = old.keys().chain(new.keys()).cloned().collect();
        let differences = parts.into_iter().map(|part| Self {
            before: old.remove(&part),
            after: new.remove(&part),
            part,
        });
        Ok(differences.filter(|it| it.before != it.after).collect())
    }
}

impl Plan {
    /// What a derivation of the plan does, as text by its parts.
    pub fn recipe(&self, node: &PlanNode) -> Result<BTreeMap<RecipePart, String>, DecodeError> {
        let derivation = node.derivation.decode()?;
        let kind = derivation.kind().name().to_owned();
        let mut parts = BTreeMap::from([(RecipePart::Kind, kind)]);
        let setting = |name, value: String| (RecipePart::Setting(name), value);
        match &derivation {
            Derivation::Fetch(fetch) => {
                parts.insert(RecipePart::Hash, fetch.lock.to_string());
            }
            Derivation::Import(import) => {
                let kind = match import.kind {
                    ImportKind::File => "file",
                    ImportKind::Directory => "directory",
                    ImportKind::Seed => "seed",
                };
                parts.extend([setting("import", kind.to_owned())]);
                parts.insert(RecipePart::Content, import.tree.to_string());
            }
            Derivation::Unpack(unpack) => parts.extend([
                setting("archive", self.name_of(&unpack.archive)),
                setting("format", format!("{:?}", unpack.format).to_lowercase()),
                setting("strip", unpack.strip_components.to_string()),
            ]),
            Derivation::Exec(exec) => add_exec(exec, &mut parts),
            Derivation::Compose(compose) => {
                parts.insert(RecipePart::Operations, self.operations(compose));
            }
            Derivation::Archive(archive) => parts.extend([
                setting("tree", self.name_of(&archive.tree)),
                setting("format", format!("{:?}", archive.format).to_lowercase()),
                setting("modes", modes_text(&archive.modes)),
            ]),
            Derivation::Image(image) => {
                parts.extend([setting("tree", self.name_of(&image.tree))]);
                add_image(image, &mut parts);
            }
        }
        Ok(parts)
    }

    /// What a person calls an input.
    fn name_of(&self, input: &DerivationId) -> String {
        let node = self.node(input);
        node.map_or_else(|| input.to_string(), |node| node.origin.name.clone())
    }

    /// The operations of a composition, a line each; text that is written stands below.
    fn operations(&self, compose: &Compose<DerivationId>) -> String {
        let name = |input: &u32| {
            let id = compose.inputs.get(*input as usize);
            id.map_or_else(|| input.to_string(), |id| self.name_of(id))
        };
        let lines = compose.ops.iter().map(|operation| match operation {
            TreeOp::Merge { input } => format!("merge {}", name(input)),
            TreeOp::MergeStrict { input } => format!("merge strictly {}", name(input)),
            TreeOp::PutTree { input, at } => format!("put {} at {at}", name(input)),
            TreeOp::PutFile { input, at, mode } => {
                let mode = match mode {
                    PutMode::Unchanged => "",
                    PutMode::Executable => ", executable",
                    PutMode::Plain => ", plain",
                };
                format!("put {} at {at}{mode}", name(input))
            }
            TreeOp::Patch {
                input,
                at,
                strip_components,
            } => format!("patch {at} by {}, strip {strip_components}", name(input)),
            TreeOp::Select { path } => format!("select {path}"),
            TreeOp::KeepGlobs { globs } => format!("keep {}", globs.join(" ")),
            TreeOp::DropGlobs { globs } => format!("drop {}", globs.join(" ")),
            TreeOp::Move { from, to } => format!("move {from} to {to}"),
            TreeOp::Copy { from, to } => format!("copy {from} to {to}"),
            TreeOp::Remove { path } => format!("remove {path}"),
            TreeOp::Mkdir { path } => format!("make directory {path}"),
            TreeOp::Symlink { path, target } => {
                format!("link {path} to {}", String::from_utf8_lossy(target))
            }
            TreeOp::Write {
                path,
                content,
                executable,
            } => {
                let mode = if *executable { ", executable" } else { "" };
                format!("write {path}{mode}{}", content_text(content))
            }
            TreeOp::SetExecutable { path, executable } => {
                let mode = if *executable { "executable" } else { "plain" };
                format!("make {path} {mode}")
            }
            TreeOp::Substitute { path, from, to } => {
                let text = String::from_utf8_lossy;
                format!("in {path} replace {:?} by {:?}", text(from), text(to))
            }
            TreeOp::AssertEqual { left, right } => format!("assert {left} equals {right}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn add_exec(exec: &Exec<DerivationId>, parts: &mut BTreeMap<RecipePart, String>) {
    let Exec {
        root: _,
        commands,
        env,
        cwd,
        uid,
        keep,
        runs_on,
        target,
        sandbox_abi: _,
    } = exec;
    for (number, command) in (1..).zip(commands) {
        parts.insert(RecipePart::Command(number), command_text(command));
    }
    for (name, value) in env {
        let name = String::from_utf8_lossy(name).into_owned();
        let value = String::from_utf8_lossy(value).into_owned();
        parts.insert(RecipePart::Variable(name), value);
    }
    let user = match uid {
        BuildUid::Root => "root",
        BuildUid::Tester => "tester",
    };
    let kept = match keep {
        Keep::Root => "everything".to_owned(),
        Keep::Subtree(path) => path.to_string(),
    };
    let settings = [
        ("cwd", cwd.to_string()),
        ("user", user.to_owned()),
        ("kept", kept),
        ("runs on", runs_on.to_string()),
        ("target", target.to_string()),
        ("sandbox ABI", exec.sandbox_abi_version().to_string()),
        ("incremental", exec.is_incremental().to_string()),
    ];
    parts.extend(settings.map(|(name, value)| (RecipePart::Setting(name), value)));
}

fn add_image(image: &Image<DerivationId>, parts: &mut BTreeMap<RecipePart, String>) {
    let config = &image.config;
    let env = config.env.iter();
    let env: Vec<String> = env.map(|(name, value)| format!("{name}={value}")).collect();
    let settings = [
        ("modes", modes_text(&image.modes)),
        ("name", config.name.clone()),
        ("version", config.version.clone()),
        ("platform", config.platform.to_string()),
        ("env", env.join("\n")),
        ("user", config.user.clone()),
        ("entrypoint", format!("{:?}", config.entrypoint)),
        ("cmd", format!("{:?}", config.cmd)),
        ("cwd", config.cwd.to_string()),
    ];
    parts.extend(settings.map(|(name, value)| (RecipePart::Setting(name), value)));
}

/// A script as it was written, or the words of a command.
fn command_text(command: &Argv) -> String {
    let words = command.iter().map(|word| String::from_utf8_lossy(word));
    let words: Vec<_> = words.collect();
    if let [shell @ .., script] = words.as_slice()
        && shell.iter().eq(SCRIPT_SHELL.iter())
    {
        return script
            .strip_prefix(SCRIPT_PREAMBLE)
            .unwrap_or(script)
            .to_owned();
    }
    format!("{words:?}")
}

fn content_text(content: &[u8]) -> String {
    match std::str::from_utf8(content) {
        Ok(text) if content.len() <= WRITTEN_BYTES_MAX => {
            let lines = text.lines().map(|line| format!("\n  {line}"));
            lines.collect()
        }
        Ok(_) | Err(_) => format!(", {} bytes, {}", content.len(), BlobId::of(content)),
    }
}

fn modes_text(modes: &ModeTable) -> String {
    let lines = modes.iter().map(|(path, mode)| {
        format!(
            "{path} {:o} {}:{} {:x}",
            mode.bits, mode.uid, mode.gid, mode.capabilities
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}
