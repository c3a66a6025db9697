//! The operations that run processes: `run`, `run_all`, `argvs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{Dynamic, Engine, NativeCallContext};
use stxl_model::{RootPath, TreeOp};

use crate::definition::Value;
use crate::dialect::complaint::Complaint;
use crate::dialect::constructors::wrong_type;
use crate::dialect::dedent::{self, Dedented, MixedIndentation};
use crate::dialect::frame::{Frame, Task, with_frame};
use crate::dialect::operations::{Checked, arguments, script_of, step, steps_back};
use crate::dialect::values::{Fallible, ScriptValue, unanswered};
use crate::expression::{Command, RootExpression, RootOperation, Site};

type Context<'a> = NativeCallContext<'a>;
type Root = RootExpression;

/// `$OUT`.
pub(crate) const OUT: &str = "/out";
/// 1980-01-01, the time of every file in a root.
const SOURCE_DATE_EPOCH: &str = "315532800";

/// Registers the operations.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn("run", |ctx: Context<'_>, root: &mut Root, what: Dynamic| {
        run(&ctx, root, std::slice::from_ref(&what), false)
    });
    engine.register_fn(
        "run_all",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic| match what.as_array_ref() {
            Ok(list) if !list.is_empty() => run(&ctx, root, &list, true),
            Ok(_) => Complaint::new("empty-command", "There is no command to run")
                .settle(&ctx, || root.clone()),
            Err(_) => wrong_type("a list of commands", &what)
                .argument(0)
                .settle(&ctx, || root.clone()),
        },
    );
    engine.register_fn(
        "argvs",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic| argvs(&ctx, root, &what),
    );
}

fn run(ctx: &Context<'_>, root: &Root, what: &[Dynamic], listed: bool) -> Fallible<Root> {
    with_frame(|frame| {
        let site = frame.site(ctx);
        let mut commands = Vec::with_capacity(what.len());
        for (index, value) in what.iter().enumerate() {
            match command(frame, ctx, value, &site) {
                Ok(command) => commands.push(command),
                Err(complaint) if listed => {
                    complaint.in_item(index).argument(0).settle(ctx, || ())?;
                }
                Err(complaint) => complaint.argument(0).settle(ctx, || ())?,
            }
        }
        if commands.is_empty() {
            return Ok(root.clone());
        }
        run_commands(frame, root, commands, site).map_err(|complaint| complaint.raise(ctx))
    })
}

fn run_commands(
    frame: &Frame<'_>,
    root: &Root,
    commands: Vec<Command>,
    site: Site,
) -> Checked<Root> {
    let has_script = commands
        .iter()
        .any(|command| matches!(command, Command::Script { .. }));
    let ready = if has_script {
        prepared(frame, root, &site)?
    } else {
        root.clone()
    };
    step(frame, Some(ready), RootOperation::Run(commands), site)
}

/// Before the first script: the variables every script finds, and an empty `$OUT`. Commands without
/// a shell see nothing but what they are given.
fn prepared(frame: &Frame<'_>, root: &Root, site: &Site) -> Checked<Root> {
    let Task::Expand { standard, .. } = frame.task else {
        return Ok(root.clone());
    };
    let mut set = BTreeSet::new();
    for before in steps_back(root) {
        if let RootOperation::Env(variables) = &before.operation {
            set.extend(variables.keys().map(String::as_str));
        }
    }
    if set.contains("OUT") {
        return Ok(root.clone());
    }
    let target = standard.target;
    let variables = [
        ("ARCH", target.name()),
        ("NAME", standard.name.as_str()),
        ("OUT", OUT),
        ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH),
        ("TRIPLE", target.triple()),
        ("VERSION", standard.version.as_str()),
    ];
    if !set.contains("ARCH") || !set.contains("TRIPLE") {
        frame.used_target.set(true);
    }
    let missing: BTreeMap<String, String> = variables
        .into_iter()
        .filter(|(name, _)| !set.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let out = RootPath::parse(OUT.as_bytes())
        .map_err(|error| Complaint::new("bad-path", error.to_string()))?;
    let root = step(
        frame,
        Some(root.clone()),
        RootOperation::Env(missing),
        site.clone(),
    )?;
    let mkdir = RootOperation::Tree(TreeOp::Mkdir { path: out });
    step(frame, Some(root), mkdir, site.clone())
}

fn command(frame: &Frame<'_>, ctx: &Context<'_>, value: &Dynamic, site: &Site) -> Checked<Command> {
    if let Ok(list) = value.as_array_ref() {
        return arguments(&list).map(Command::Argv);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        let module = frame.module_at(&frame.caller(ctx));
        let at = module.and_then(|module| module.argument_line(ctx.call_position(), 0));
        let site = if site.path == frame.caller(ctx) {
            Site {
                line: at.unwrap_or(site.line),
                ..site.clone()
            }
        } else {
            site.clone()
        };
        return script_text(&text, &site);
    }
    match script_of(value) {
        Some(script) => script_command(frame, &script),
        None => Err(wrong_type(
            "a list of arguments, or a script as text or `file(…)`",
            value,
        )),
    }
}

fn script_command(frame: &Frame<'_>, script: &ScriptValue) -> Checked<Command> {
    match &script.script {
        Value::File(file) => {
            let text = frame
                .host
                .read_text(&file.path)
                .map_err(|error| unanswered("file", file.path.as_str(), error))?;
            script_text(
                &text,
                &Site {
                    path: file.path.clone(),
                    line: 1,
                    column: 1,
                },
            )
        }
        Value::Text(text) => {
            script_text(text, &script.site).map_err(|complaint| complaint.written_at(&script.site))
        }
        _ => Err(Complaint::new("wrong-type", "A script is text or a file")),
    }
}

fn script_text(text: &str, site: &Site) -> Checked<Command> {
    let Dedented {
        text,
        dropped_lines,
    } = dedent::dedent(text).map_err(|error| mixed(&error))?;
    if text.trim().is_empty() {
        return Err(Complaint::new("empty-command", "The script is empty"));
    }
    if text.contains('\0') {
        return Err(Complaint::new("bad-text", "The text holds a NUL character"));
    }
    let site = Site {
        line: site.line + dropped_lines,
        ..site.clone()
    };
    Ok(Command::Script {
        text: Arc::from(text),
        site,
    })
}

/// The complaint about tabs beside spaces.
pub(crate) fn mixed(error: &MixedIndentation) -> Complaint {
    Complaint::new("mixed-indentation", "The indentation mixes tabs and spaces")
        .note(format!(
            "line {} of the text is indented unlike the lines before",
            error.line + 1
        ))
        .hint("indent all lines of the text by the same characters")
}

/// One command a line, split at blanks; each is a step of its own.
fn argvs(ctx: &Context<'_>, root: &Root, what: &Dynamic) -> Fallible<Root> {
    with_frame(|frame| {
        let site = frame.site(ctx);
        let refuse = |complaint: Complaint| complaint.argument(0).settle(ctx, || root.clone());
        let (text, first) = match (what.as_immutable_string_ref(), script_of(what)) {
            (Ok(text), _) => {
                let module = frame.module_at(&frame.caller(ctx));
                let line = module.and_then(|module| module.argument_line(ctx.call_position(), 0));
                (
                    Arc::from(text.as_str()),
                    Site {
                        line: line.unwrap_or(site.line),
                        ..site
                    },
                )
            }
            (
                Err(_),
                Some(ScriptValue {
                    script: Value::File(file),
                    ..
                }),
            ) => {
                let text = match frame.host.read_text(&file.path) {
                    Ok(text) => text,
                    Err(error) => return refuse(unanswered("file", file.path.as_str(), error)),
                };
                (
                    text,
                    Site {
                        path: file.path,
                        line: 1,
                        column: 1,
                    },
                )
            }
            (
                Err(_),
                Some(ScriptValue {
                    script: Value::Text(text),
                    site,
                }),
            ) => (text, site),
            (Err(_), _) => {
                return refuse(wrong_type("text with a command on each line", what));
            }
        };
        let mut longer = root.clone();
        let mut count = 0;
        for (index, line) in (0_u32..).zip(text.lines()) {
            let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
            if words.is_empty() {
                continue;
            }
            count += 1;
            let site = Site {
                line: first.line + index,
                column: 0,
                ..first.clone()
            };
            let run = RootOperation::Run(vec![Command::Argv(words)]);
            longer = step(frame, Some(longer), run, site)
                .map_err(|complaint| complaint.argument(0).raise(ctx))?;
        }
        if count == 0 {
            return refuse(Complaint::new(
                "empty-command",
                "There is no command to run",
            ));
        }
        Ok(longer)
    })
}
