//! The operations on roots. Each gives a new root and leaves the one before as it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};
use stxl_model::{ArchiveFormat, BuildUid, PutMode, RootPath, TreeOp};

use crate::definition::Value;
use crate::dialect::commands;
use crate::dialect::complaint::Complaint;
use crate::dialect::constructors::{self, wrong_type};
use crate::dialect::dedent;
use crate::dialect::fields::check_variable;
use crate::dialect::frame::{Frame, Task, with_frame};
use crate::dialect::limits;
use crate::dialect::poison::Poison;
use crate::dialect::values::{Fallible, OutputValue, ScriptValue};
use crate::dialect::wrong_calls;
use crate::expression::{Operand, RootExpression, RootOperation, RootStep, Site};

type Context<'a> = NativeCallContext<'a>;
type Root = RootExpression;
/// The result of a check before it is known where the call stands.
pub(crate) type Checked<T> = Result<T, Complaint>;

/// Registers `root(…)` and its methods.
pub(crate) fn register(engine: &mut Engine) {
    // First, since a later form takes the place of an equal one.
    wrong_calls::register_operations(engine);
    engine.register_fn("root", |ctx: Context<'_>| start(&ctx, None));
    engine.register_fn("root", |ctx: Context<'_>, what: Dynamic| {
        start(&ctx, Some(&what))
    });
    engine.register_fn("add", |ctx: Context<'_>, root: &mut Root, what: Dynamic| {
        extend(&ctx, root, |frame, site| {
            Ok(RootOperation::Add(operands(frame, &what, site)?))
        })
    });
    register_files(engine);
    register_changes(engine);
    engine.register_fn("cd", |ctx: Context<'_>, root: &mut Root, path: &str| {
        extend(&ctx, root, |_, _| {
            Ok(RootOperation::Cd(path_in(root, path, 0)?))
        })
    });
    engine.register_fn(
        "env",
        |ctx: Context<'_>, root: &mut Root, variables: Map| {
            if variables.is_empty() {
                return Ok(root.clone());
            }
            extend(&ctx, root, |_, _| {
                Ok(RootOperation::Env(environment(&variables)?))
            })
        },
    );
    engine.register_fn("user", |ctx: Context<'_>, root: &mut Root, name: &str| {
        extend(&ctx, root, |_, _| Ok(RootOperation::User(user(name)?)))
    });
    engine.register_fn(
        "timeout",
        |ctx: Context<'_>, root: &mut Root, wall_s: i64| {
            extend(&ctx, root, |_, _| timeout(wall_s, None))
        },
    );
    engine.register_fn(
        "timeout",
        |ctx: Context<'_>, root: &mut Root, wall_s: i64, silent_s: i64| {
            extend(&ctx, root, |_, _| timeout(wall_s, Some(silent_s)))
        },
    );
    commands::register(engine);
}

/// Operations that bring files in.
fn register_files(engine: &mut Engine) {
    engine.register_fn(
        "put",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic, at: &str| {
            extend(&ctx, root, |frame, site| {
                put(frame, root, (&what, at), PutMode::Unchanged, site)
            })
        },
    );
    engine.register_fn(
        "put",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic, at: &str, mode: &str| {
            extend(&ctx, root, |frame, site| {
                put(frame, root, (&what, at), put_mode(mode)?, site)
            })
        },
    );
    engine.register_fn(
        "unpack",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic, at: &str| {
            extend(&ctx, root, |frame, site| {
                unpack(frame, root, (&what, at), None, site)
            })
        },
    );
    engine.register_fn(
        "unpack",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic, at: &str, strip: i64| {
            extend(&ctx, root, |frame, site| {
                unpack(frame, root, (&what, at), Some(strip), site)
            })
        },
    );
    engine.register_fn(
        "patch",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic| patch(&ctx, root, &what, 1),
    );
    engine.register_fn(
        "patch",
        |ctx: Context<'_>, root: &mut Root, what: Dynamic, strip: i64| {
            patch(&ctx, root, &what, strip)
        },
    );
    engine.register_fn(
        "write",
        |ctx: Context<'_>, root: &mut Root, path: &str, text: &str| {
            extend(&ctx, root, |_, _| write(root, path, text, PutMode::Plain))
        },
    );
    engine.register_fn(
        "write",
        |ctx: Context<'_>, root: &mut Root, path: &str, text: &str, mode: &str| {
            extend(&ctx, root, |_, _| write(root, path, text, put_mode(mode)?))
        },
    );
}

/// Operations that change what is there.
fn register_changes(engine: &mut Engine) {
    engine.register_fn("mkdir", |ctx: Context<'_>, root: &mut Root, path: &str| {
        tree(&ctx, root, || {
            Ok(TreeOp::Mkdir {
                path: path_in(root, path, 0)?,
            })
        })
    });
    engine.register_fn("remove", |ctx: Context<'_>, root: &mut Root, path: &str| {
        tree(&ctx, root, || {
            Ok(TreeOp::Remove {
                path: path_in(root, path, 0)?,
            })
        })
    });
    engine.register_fn(
        "move",
        |ctx: Context<'_>, root: &mut Root, from: &str, to: &str| {
            tree(&ctx, root, || {
                Ok(TreeOp::Move {
                    from: path_in(root, from, 0)?,
                    to: path_in(root, to, 1)?,
                })
            })
        },
    );
    engine.register_fn(
        "copy",
        |ctx: Context<'_>, root: &mut Root, from: &str, to: &str| {
            tree(&ctx, root, || {
                Ok(TreeOp::Copy {
                    from: path_in(root, from, 0)?,
                    to: path_in(root, to, 1)?,
                })
            })
        },
    );
    engine.register_fn(
        "symlink",
        |ctx: Context<'_>, root: &mut Root, path: &str, target: &str| {
            tree(&ctx, root, || symlink(root, path, target))
        },
    );
    engine.register_fn(
        "substitute",
        |ctx: Context<'_>, root: &mut Root, path: &str, from: &str, to: &str| {
            tree(&ctx, root, || substitute(root, path, from, to))
        },
    );
    engine.register_fn(
        "set_executable",
        |ctx: Context<'_>, root: &mut Root, path: &str| {
            tree(&ctx, root, || {
                Ok(TreeOp::SetExecutable {
                    path: path_in(root, path, 0)?,
                    executable: true,
                })
            })
        },
    );
    engine.register_fn(
        "set_executable",
        |ctx: Context<'_>, root: &mut Root, path: &str, executable: bool| {
            tree(&ctx, root, || {
                Ok(TreeOp::SetExecutable {
                    path: path_in(root, path, 0)?,
                    executable,
                })
            })
        },
    );
}

fn start(ctx: &Context<'_>, what: Option<&Dynamic>) -> Fallible<Dynamic> {
    with_frame(|frame| {
        if matches!(frame.task, Task::Define { .. }) {
            return Complaint::new("root-outside-build", "`root` is called outside of `build`")
                .hint("roots belong into `fn build(p)` of a `custom` package")
                .settle(ctx, Poison::value);
        }
        let site = frame.site(ctx);
        let begun = match what.map(|what| operands(frame, what, &site)) {
            Some(Ok(operands)) => operands,
            Some(Err(complaint)) => complaint.settle(ctx, Vec::new)?,
            None => Vec::new(),
        };
        step(frame, None, RootOperation::Start(begun), site)
            .map(Dynamic::from)
            .map_err(|complaint| complaint.raise(ctx))
    })
}

/// Adds the operation that `make` gives to a root. One that is wrong is left out once it is said.
pub(crate) fn extend(
    ctx: &Context<'_>,
    root: &Root,
    make: impl FnOnce(&Frame<'_>, &Site) -> Checked<RootOperation>,
) -> Fallible<Root> {
    with_frame(|frame| {
        let site = frame.site(ctx);
        match make(frame, &site) {
            Ok(operation) => step(frame, Some(root.clone()), operation, site)
                .map_err(|complaint| complaint.raise(ctx)),
            Err(complaint) => complaint.settle(ctx, || root.clone()),
        }
    })
}

/// A root with one step more; their number is limited.
pub(crate) fn step(
    frame: &Frame<'_>,
    before: Option<Root>,
    operation: RootOperation,
    site: Site,
) -> Checked<Root> {
    let steps = frame.root_steps.get() + 1;
    frame.root_steps.set(steps);
    if steps > limits::ROOT_STEPS_MAX {
        return Err(Complaint::limit(
            "root operations in one build",
            limits::ROOT_STEPS_MAX,
        ));
    }
    let root = RootExpression(Arc::new(RootStep {
        before,
        operation,
        site,
    }));
    if let Some(watch) = frame.watch {
        watch.root_operation(&root)?;
    }
    frame.made.borrow_mut().steps.push(root.clone());
    Ok(root)
}

fn tree(ctx: &Context<'_>, root: &Root, make: impl FnOnce() -> Checked<TreeOp>) -> Fallible<Root> {
    extend(ctx, root, |_, _| make().map(RootOperation::Tree))
}

/// The steps of a root, last one first.
pub(crate) fn steps_back(root: &Root) -> impl Iterator<Item = &RootStep> {
    std::iter::successors(Some(&*root.0), |step| {
        step.before.as_ref().map(|before| &*before.0)
    })
}

/// A path in a root: absolute, or from its working directory.
pub(crate) fn path_in(root: &Root, path: &str, argument: usize) -> Checked<RootPath> {
    let absolute = if path.starts_with('/') {
        path.to_owned()
    } else {
        let cwd = steps_back(root).find_map(|step| match &step.operation {
            RootOperation::Cd(cwd) => Some(cwd.to_absolute_bytes()),
            _ => None,
        });
        let cwd = String::from_utf8_lossy(&cwd.unwrap_or_else(|| b"/".to_vec())).into_owned();
        let path = path.strip_prefix("./").unwrap_or(path);
        if path.is_empty() {
            return Err(Complaint::new("bad-path", "A path is empty").argument(argument));
        }
        if path == "." {
            cwd
        } else {
            format!("{}/{path}", cwd.trim_end_matches('/'))
        }
    };
    RootPath::parse(absolute.as_bytes()).map_err(|_| {
        Complaint::new("bad-path", format!("`{path}` is not a path in a root"))
            .argument(argument)
            .hint("paths are absolute or relative to `.cd(…)`, without `..` and empty parts")
    })
}

/// What a root can be made with: one thing, or a list of them, lists inside it included.
pub(crate) fn operands(frame: &Frame<'_>, what: &Dynamic, site: &Site) -> Checked<Vec<Operand>> {
    let mut operands = Vec::new();
    collect(frame, what, site, &mut operands).map_err(|complaint| complaint.argument(0))?;
    Ok(operands)
}

fn collect(frame: &Frame<'_>, what: &Dynamic, site: &Site, into: &mut Vec<Operand>) -> Checked<()> {
    if let Ok(list) = what.as_array_ref() {
        return Complaint::all(list.iter().enumerate().map(|(index, item)| {
            collect(frame, item, site, into).map_err(|complaint| complaint.in_item(index))
        }));
    }
    into.push(operand(frame, what, site)?);
    Ok(())
}

fn operand(frame: &Frame<'_>, what: &Dynamic, site: &Site) -> Checked<Operand> {
    if let Ok(label) = what.as_immutable_string_ref() {
        return constructors::reference(frame, &label, site.clone()).map(Operand::from);
    }
    if let Some(operand) = what.read_lock::<Operand>() {
        return Ok(operand.clone());
    }
    if let Some(root) = what.read_lock::<Root>() {
        return Ok(Operand::Root(root.clone()));
    }
    if let Some(output) = what.read_lock::<OutputValue>() {
        return Ok(Operand::Output(Arc::clone(&output.0)));
    }
    Err(wrong_type(
        "a label, a source, a file, a root or an output",
        what,
    ))
}

fn put_mode(mode: &str) -> Checked<PutMode> {
    match mode {
        "exec" => Ok(PutMode::Executable),
        "plain" => Ok(PutMode::Plain),
        other => Err(
            Complaint::new("unknown-mode", format!("There is no mode `{other}`"))
                .argument(2)
                .hint("the modes are `\"exec\"` and `\"plain\"`"),
        ),
    }
}

fn put(
    frame: &Frame<'_>,
    root: &Root,
    (what, at): (&Dynamic, &str),
    mode: PutMode,
    site: &Site,
) -> Checked<RootOperation> {
    let what = operand(frame, what, site).map_err(|complaint| {
        let complaint = complaint.argument(0);
        if what.is_string() {
            complaint
                .hint("text names a package here; a file beside the definition is `file(\"…\")`")
        } else {
            complaint
        }
    });
    let (what, at) = Complaint::both(what, path_in(root, at, 1))?;
    Ok(RootOperation::Put { what, at, mode })
}

fn strip_components(strip: i64, argument: usize) -> Checked<u32> {
    u32::try_from(strip).map_err(|_| {
        Complaint::new(
            "bad-number",
            format!("{strip} parts of a path cannot be dropped"),
        )
        .argument(argument)
    })
}

fn unpack(
    frame: &Frame<'_>,
    root: &Root,
    (what, at): (&Dynamic, &str),
    strip: Option<i64>,
    site: &Site,
) -> Checked<RootOperation> {
    if what.is_unit() {
        return Err(Complaint::new(
            "missing-field",
            "There is nothing to unpack: `source` is not set",
        )
        .argument(0));
    }
    let archive = operand(frame, what, site).map_err(|complaint| complaint.argument(0));
    let (archive, at) = Complaint::both(archive, path_in(root, at, 1))?;
    Ok(match archive {
        Operand::Fetch(source) if source.is_directory() => RootOperation::Put {
            what: Operand::Fetch(source),
            at,
            mode: PutMode::Unchanged,
        },
        Operand::Directory(_) | Operand::Root(_) => RootOperation::Put {
            what: archive,
            at,
            mode: PutMode::Unchanged,
        },
        Operand::Package(_)
        | Operand::File(_)
        | Operand::Seed(_)
        | Operand::Fetch(_)
        | Operand::Output(_) => {
            let name = archive.file_name();
            let format = name.as_deref().and_then(ArchiveFormat::of_file_name);
            let default = format.map_or(1, ArchiveFormat::strip_components_default);
            let strip_components = strip.map_or(Ok(default), |strip| strip_components(strip, 2))?;
            RootOperation::Unpack {
                archive,
                at,
                strip_components,
            }
        }
    })
}

fn patch(ctx: &Context<'_>, root: &Root, what: &Dynamic, strip: i64) -> Fallible<Root> {
    let one = [what.clone()];
    let list = what.as_array_ref();
    let (listed, items): (bool, &[Dynamic]) = match &list {
        Ok(list) => (true, list.as_slice()),
        Err(_) => (false, one.as_slice()),
    };
    if items.is_empty() {
        return Ok(root.clone());
    }
    extend(ctx, root, |frame, site| {
        let patches = Complaint::all(items.iter().enumerate().map(|(index, item)| {
            let read = match item.as_immutable_string_ref() {
                Ok(name) => constructors::file(frame, &name, site.clone()).map(Operand::File),
                Err(_) => operand(frame, item, site),
            };
            read.map_err(|complaint| {
                let complaint = complaint.argument(0);
                if listed {
                    complaint.in_item(index)
                } else {
                    complaint
                }
            })
        }));
        let (patches, strip_components) = Complaint::both(patches, strip_components(strip, 1))?;
        Ok(RootOperation::Patch {
            patches,
            strip_components,
        })
    })
}

fn write(root: &Root, path: &str, text: &str, mode: PutMode) -> Checked<RootOperation> {
    let content = if dedent::is_one_line(text) {
        text.to_owned()
    } else {
        dedent::dedent(text)
            .map_err(|mixed| commands::mixed(&mixed).argument(1))?
            .text
    };
    Ok(RootOperation::Tree(TreeOp::Write {
        path: path_in(root, path, 0)?,
        content: content.into_bytes(),
        executable: mode == PutMode::Executable,
    }))
}

fn symlink(root: &Root, path: &str, target: &str) -> Checked<TreeOp> {
    if target.is_empty() || target.len() > 4095 || target.contains('\0') {
        return Err(Complaint::new(
            "bad-path",
            "A symlink points to 1 to 4095 bytes without NUL",
        )
        .argument(1));
    }
    Ok(TreeOp::Symlink {
        path: path_in(root, path, 0)?,
        target: target.as_bytes().to_vec(),
    })
}

fn substitute(root: &Root, path: &str, from: &str, to: &str) -> Checked<TreeOp> {
    if from.is_empty() {
        return Err(Complaint::new("bad-text", "The text to replace is empty").argument(1));
    }
    Ok(TreeOp::Substitute {
        path: path_in(root, path, 0)?,
        from: from.as_bytes().to_vec(),
        to: to.as_bytes().to_vec(),
    })
}

fn environment(variables: &Map) -> Checked<BTreeMap<String, String>> {
    Complaint::all(variables.iter().map(|(name, value)| {
        check_variable(name).map_err(|complaint| complaint.argument(0).wrong_key(name))?;
        match value.as_immutable_string_ref() {
            Ok(text) if !text.contains('\0') => Ok((name.to_string(), text.to_string())),
            Ok(_) => Err(Complaint::new("bad-text", "The text holds a NUL character")
                .argument(0)
                .key(name)),
            Err(_) => Err(wrong_type("text", value).argument(0).key(name)),
        }
    }))
}

fn user(name: &str) -> Checked<BuildUid> {
    match name {
        "root" => Ok(BuildUid::Root),
        "tester" => Ok(BuildUid::Tester),
        other => Err(
            Complaint::new("unknown-user", format!("There is no user `{other}`"))
                .argument(0)
                .hint("the users are `\"root\"` and `\"tester\"`"),
        ),
    }
}

fn timeout(wall_s: i64, silent_s: Option<i64>) -> Checked<RootOperation> {
    const SECONDS_MAX: i64 = 7 * 24 * 3600;
    let milliseconds = |seconds: i64, argument: usize| {
        let seconds = u64::try_from(seconds)
            .ok()
            .filter(|_| (1..=SECONDS_MAX).contains(&seconds));
        seconds.map(|seconds| seconds * 1000).ok_or_else(|| {
            Complaint::new("bad-number", "A timeout is 1 second to 7 days, in seconds")
                .argument(argument)
        })
    };
    Ok(RootOperation::Timeout {
        wall_ms: milliseconds(wall_s, 0)?,
        silent_ms: silent_s.map_or(Ok(0), |silent_s| milliseconds(silent_s, 1))?,
    })
}

/// The script that a value stands for, if it is one.
pub(crate) fn script_of(value: &Dynamic) -> Option<ScriptValue> {
    if let Some(script) = value.read_lock::<ScriptValue>() {
        return Some(script.clone());
    }
    match value.read_lock::<Operand>().as_deref() {
        Some(Operand::File(file)) => Some(ScriptValue {
            script: Value::File(file.clone()),
            site: file.site.clone(),
        }),
        _ => None,
    }
}

/// A list of texts, as arguments.
pub(crate) fn arguments(list: &Array) -> Checked<Vec<String>> {
    let words = constructors::texts(list)?;
    if words.first().is_none_or(String::is_empty) {
        return Err(Complaint::new(
            "empty-command",
            "A command names no program",
        ));
    }
    if let Some(index) = words.iter().position(|word| word.contains('\0')) {
        return Err(Complaint::new("bad-text", "The text holds a NUL character").item(index));
    }
    Ok(words)
}
