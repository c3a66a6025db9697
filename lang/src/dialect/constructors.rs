//! The functions that make references and sources: `url file dir seed pkg prior`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};
use stxl_model::{Label, OutputName, Platform, Sha256};

use crate::dialect::complaint::Complaint;
use crate::dialect::frame::{Frame, Task, with_frame};
use crate::dialect::globs;
use crate::dialect::poison::{self, Poison};
use crate::dialect::sources::{changed_source, git, member, url};
use crate::dialect::values::{DefinitionValue, Fallible, kind_of, kind_of_operand, unanswered};
use crate::dialect::vocabulary;
use crate::dialect::wrong_calls;
use crate::expression::{DirectoryImport, FileImport, Operand, Reference, SeedImport, Site};
use crate::source::SourcePath;

type Context<'a> = NativeCallContext<'a>;

/// Registers the constructors and the methods of what they make.
pub(crate) fn register(engine: &mut Engine) {
    // First, since a later form takes the place of an equal one.
    for name in ["url", "git", "file", "dir", "seed", "pkg"] {
        wrong_calls::register_constructor(engine, name);
    }
    engine.register_fn(
        "url",
        |ctx: Context<'_>, address: Dynamic, hash: Dynamic| {
            poison::made(url(&ctx, &address, &hash), &ctx)
        },
    );
    engine.register_fn("url", |ctx: Context<'_>, _: Dynamic| {
        Complaint::new("missing-hash", "A source needs the hash of its bytes")
            .hint("write `url(\"…\", \"sha256:…\")` with what `sha256sum` says of the file")
            .hint("written as `url(\"https://…\", \"sha256:<64 hexadecimal digits>\")`")
            .settle(&ctx, Poison::value)
    });
    engine.register_fn(
        "git",
        |ctx: Context<'_>, address: Dynamic, commit: Dynamic, tree: Dynamic| {
            poison::made(git(&ctx, &address, &commit, &tree), &ctx)
        },
    );
    engine.register_fn("file", |ctx: Context<'_>, name: &str| {
        let made = with_frame(|frame| file(frame, name, frame.site(&ctx)))
            .map(Operand::File)
            .map_err(|complaint| complaint.argument(0));
        poison::made(made, &ctx)
    });
    engine.register_fn("dir", |ctx: Context<'_>, path: &str| {
        dir(&ctx, path, &Map::new())
    });
    engine.register_fn("dir", |ctx: Context<'_>, path: &str, options: Map| {
        dir(&ctx, path, &options)
    });
    engine.register_fn("seed", |ctx: Context<'_>, name: &str, hash: &str| {
        seed(&ctx, name, hash)
    });
    engine.register_fn("seed", |ctx: Context<'_>, _: &str| {
        Complaint::new("missing-hash", "A seed needs the hash of its decoded bytes")
            .hint("written as `seed(\"x.hex\", \"sha256:<64 hexadecimal digits>\")`")
            .settle(&ctx, Poison::value)
    });
    engine.register_fn("pkg", |ctx: Context<'_>, label: &str| {
        let made = with_frame(|frame| reference(frame, label, frame.site(&ctx)))
            .map(Operand::from)
            .map_err(|complaint| complaint.argument(0));
        poison::made(made, &ctx)
    });
    engine.register_fn("prior", |ctx: Context<'_>| prior(&ctx));
    engine.register_fn(
        "on",
        |ctx: Context<'_>, operand: &mut Operand, name: &str| on(&ctx, operand, name),
    );
    engine.register_fn(
        "with",
        |ctx: Context<'_>, operand: &mut Operand, options: Map| with(&ctx, operand, &options),
    );
    engine.register_fn(
        "output",
        |ctx: Context<'_>, operand: &mut Operand, name: &str| output(&ctx, operand, name),
    );
    engine.register_fn(
        "member",
        |ctx: Context<'_>, operand: &mut Operand, path: &str| member_of(&ctx, operand, path),
    );
    engine.register_fn(
        "change",
        |ctx: Context<'_>, operand: &mut Operand, changes: Map| {
            change_source(&ctx, operand, &changes)
        },
    );
}

/// Reads a hash as definitions write it.
pub(crate) fn parse_hash(hash: &Dynamic) -> Result<Sha256, Complaint> {
    const FORM: &str = "written as `sha256:` and 64 hexadecimal digits in lower case";
    let Ok(text) = hash.as_immutable_string_ref() else {
        return Err(wrong_type("a hash", hash).hint(FORM));
    };
    match Sha256::parse(&text) {
        Ok(sha256) if *sha256.as_bytes() == [0; 32] => Err(Complaint::new(
            "zero-hash",
            "The hash is all zeros, which no bytes have",
        )
        .hint("write the hash of the bytes, as `sha256sum` prints it")),
        Ok(sha256) => Ok(sha256),
        Err(_) => {
            let complaint =
                Complaint::new("bad-hash", format!("`{}` is not a hash", &*text)).hint(FORM);
            let digits = text
                .strip_prefix("sha256:")
                .map(|digits| digits.chars().count());
            Err(match digits {
                Some(digits) if digits != 64 => {
                    complaint.label(format!("not 64 digits after `sha256:` but {digits}"))
                }
                Some(_) => complaint.label("not all of them are hexadecimal digits in lower case"),
                None if text.starts_with("sha512:") => {
                    complaint.note("`sha512:` is not part of this version")
                }
                None => complaint.label("does not begin with `sha256:`"),
            })
        }
    }
}

/// A file beside the definition.
pub(crate) fn file(frame: &Frame<'_>, name: &str, site: Site) -> Result<FileImport, Complaint> {
    let path = beside(frame, name)?;
    if frame.host.has_file(&path) {
        return Ok(FileImport { path, site });
    }
    let folder = SourcePath::new(path.folder());
    let there = frame.host.list(&folder);
    let wanted = path.as_str().rsplit('/').next().unwrap_or_default();
    let near = vocabulary::near(wanted, there.iter().map(String::as_str));
    Err(
        Complaint::new("missing-file", format!("There is no file `{path}`"))
            .label("files are named as they lie beside the definition")
            .suggest(&near),
    )
}

/// The path of a name beside the file that is evaluated.
fn beside(frame: &Frame<'_>, name: &str) -> Result<SourcePath, Complaint> {
    let bad = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains('\0');
    let name = name.strip_prefix("./").unwrap_or(name);
    if name.split('/').any(bad) {
        return Err(Complaint::new(
            "bad-file",
            format!("`{name}` does not lie beside the definition"),
        )
        .hint("files are named by a path downwards from the folder of the definition"));
    }
    let folder = frame.module.path().folder();
    let path = if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    };
    Ok(SourcePath::new(&path))
}

fn dir(ctx: &Context<'_>, path: &str, options: &Map) -> Fallible<Dynamic> {
    let import = with_frame(|frame| directory(frame, path, options, frame.site(ctx)));
    poison::made(import.map(Operand::Directory), ctx)
}

fn directory(
    frame: &Frame<'_>,
    path: &str,
    options: &Map,
    site: Site,
) -> Result<DirectoryImport, Complaint> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let outside = trimmed.starts_with("../") || trimmed.starts_with('/');
    let resolved = if outside {
        SourcePath::new(trimmed)
    } else {
        beside(frame, trimmed).map_err(|complaint| complaint.argument(0))?
    };
    if !frame.host.has_file(&resolved) {
        let message = format!("There is no directory `{resolved}`");
        let complaint = Complaint::new("missing-file", message).argument(0);
        return Err(if outside {
            complaint
                .hint("`../name` is counted from the workspace's folder; make it, or write its path as it is")
                .hint("one that is not beside the workspace is read once it was named by hand: `stxl dev LABEL DIR`")
        } else {
            complaint
        });
    }
    let mut import = DirectoryImport {
        path: resolved,
        ignore: Vec::new(),
        follows_gitignore: false,
        site,
    };
    let _read: Vec<()> = Complaint::all(options.iter().map(|(key, value)| {
        let read = match key.as_str() {
            "ignore" => globs::read_patterns(value).map(|ignore| import.ignore = ignore),
            "gitignore" => match value.as_bool() {
                Ok(follows) => {
                    import.follows_gitignore = follows;
                    Ok(())
                }
                Err(_) => Err(wrong_type("`true` or `false`", value)),
            },
            _ => {
                let message = format!("`dir` has no option `{key}`");
                return Err(Complaint::new("unknown-field", message)
                    .argument(1)
                    .wrong_key(key)
                    .hint("its options are `ignore`, a list of patterns, and `gitignore: true`"));
            }
        };
        read.map_err(|complaint| complaint.under(1, key))
    }))?;
    Ok(import)
}

fn seed(ctx: &Context<'_>, name: &str, hash: &str) -> Fallible<Dynamic> {
    let made: Result<_, Complaint> = with_frame(|frame| {
        let site = frame.site(ctx);
        let file = file(frame, name, site.clone()).map_err(|complaint| complaint.argument(0));
        let sha256 =
            parse_hash(&Dynamic::from(hash.to_owned())).map_err(|complaint| complaint.argument(1));
        let (file, sha256) = Complaint::both(file, sha256)?;
        Ok(SeedImport {
            path: file.path,
            sha256,
            site,
        })
    });
    poison::made(made.map(Operand::Seed), ctx)
}

/// Reads a label and checks it against the list of packages.
pub(crate) fn reference(frame: &Frame<'_>, text: &str, site: Site) -> Result<Reference, Complaint> {
    let (package, output) = if let Some(output) = text.strip_prefix(':') {
        let output = OutputName::parse(output).map_err(|error| bad_label(&error.to_string()))?;
        (None, output)
    } else {
        let label = Label::parse(text).map_err(|error| bad_label(&error.to_string()))?;
        frame
            .host
            .check_label(frame.package, &label.package)
            .map_err(|error| unanswered("package", label.package.as_str(), error))?;
        (Some(label.package), label.output)
    };
    Ok(Reference {
        package,
        output,
        platform: None,
        options: BTreeMap::new(),
        site,
    })
}

fn bad_label(reason: &str) -> Complaint {
    let mut letters = reason.chars();
    let message = letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    });
    Complaint::new("bad-label", message)
        .hint("labels are written as `\"core/zlib\"`, `\"core/llvm:libunwind\"` or `\":output\"`")
}

fn prior(ctx: &Context<'_>) -> Fallible<Dynamic> {
    let found = with_frame(|frame| {
        let Task::Define { layer } = frame.task else {
            return Err(Complaint::new(
                "prior-in-build",
                "`prior()` is read outside of `build` only",
            )
            .hint("`p` has the fields as they are after all overlays"));
        };
        match frame.host.prior(frame.package, layer, &frame.site(ctx)) {
            Ok(definition) => Ok(DefinitionValue(definition)),
            Err(crate::host::HostError::Unknown { .. }) => Err(Complaint::new(
                "no-prior",
                format!("There is no `{}` below this file", frame.package),
            )
            .hint("`prior()` is what an overlay replaces; this package has only this file")),
            Err(error) => Err(unanswered("package", frame.package.as_str(), error)),
        }
    });
    poison::made(found, ctx)
}

/// A platform by name.
pub(crate) fn platform(name: &str) -> Result<Platform, Complaint> {
    Platform::parse(name).ok_or_else(|| {
        let names = Platform::ALL.map(Platform::name);
        Complaint::new("unknown-platform", format!("There is no platform `{name}`"))
            .hint(format!("platforms are `{}`", names.join("`, `")))
    })
}

fn package_of(operand: &Operand, method: &str) -> Result<Reference, Complaint> {
    match operand {
        Operand::Package(reference) => Ok((**reference).clone()),
        other => Err(Complaint::new(
            "wrong-type",
            format!(
                "`.{method}` is for references, not for {}",
                kind_of_operand(other)
            ),
        )),
    }
}

fn on(ctx: &Context<'_>, operand: &Operand, name: &str) -> Fallible<Dynamic> {
    let changed = package_of(operand, "on").and_then(|reference| {
        let platform = platform(name).map_err(|complaint| complaint.argument(0))?;
        Ok(Reference {
            platform: Some(platform),
            ..reference
        })
    });
    poison::made(changed.map(Operand::from), ctx)
}

fn with(ctx: &Context<'_>, operand: &Operand, options: &Map) -> Fallible<Dynamic> {
    let changed = package_of(operand, "with").and_then(|mut reference| {
        let options: Vec<_> =
            Complaint::all(options.iter().map(
                |(name, value)| match value.as_immutable_string_ref() {
                    Ok(text) => Ok((name.to_string(), text.to_string())),
                    Err(_) => Err(wrong_type("text", value).argument(0).key(name)),
                },
            ))?;
        reference.options.extend(options);
        Ok(reference)
    });
    poison::made(changed.map(Operand::from), ctx)
}

fn output(ctx: &Context<'_>, operand: &Operand, name: &str) -> Fallible<Dynamic> {
    let changed = package_of(operand, "output").and_then(|reference| {
        let output =
            OutputName::parse(name).map_err(|error| bad_label(&error.to_string()).argument(0))?;
        Ok(Reference {
            output,
            ..reference
        })
    });
    poison::made(changed.map(Operand::from), ctx)
}

/// `.change(#{ hash, url })` of a source.
fn change_source(ctx: &Context<'_>, operand: &Operand, changes: &Map) -> Fallible<Dynamic> {
    let changed = match operand {
        Operand::Fetch(source) => changed_source((**source).clone(), changes),
        other => Err(Complaint::new(
            "wrong-type",
            format!(
                "`.change` is for sources and definitions, not for {}",
                kind_of_operand(other)
            ),
        )
        .hint("an overlay changes what it replaces: `prior().change(#{ … })`")),
    };
    let changed = changed.map(|mut source| {
        source.site = with_frame(|frame| frame.site(ctx));
        Operand::Fetch(Arc::new(source))
    });
    poison::made(changed, ctx)
}

/// `.member(path)` of a source.
fn member_of(ctx: &Context<'_>, operand: &Operand, path: &str) -> Fallible<Dynamic> {
    let made = match operand {
        Operand::Fetch(source) => member(source, path),
        other => Err(Complaint::new(
            "wrong-type",
            format!(
                "`.member` is for sources from outside, not for {}",
                kind_of_operand(other)
            ),
        )),
    };
    poison::made(made.map(|source| Operand::Fetch(Arc::new(source))), ctx)
}

/// A complaint about a value of the wrong kind.
pub(crate) fn wrong_type(expected: &str, found: &Dynamic) -> Complaint {
    if Poison::is(found) {
        return Complaint::elsewhere();
    }
    let complaint = Complaint::new(
        "wrong-type",
        format!("Expected {expected}, found {}", kind_of(found)),
    );
    if found.is_unit() {
        return complaint.hint("an `if` without `else` gives nothing when it does not hold");
    }
    match how_written(expected, found) {
        Some(hint) => complaint.hint(hint),
        None => complaint,
    }
}

/// How a value is written that is expected where another one was found.
pub(crate) fn how_written(expected: &str, found: &Dynamic) -> Option<&'static str> {
    Some(match expected {
        "text" => "text is written `\"…\"`",
        "`true` or `false`" => "write `true` or `false`, without quotes",
        "a map of fields" | "a map of outputs from `build`" => return None,
        _ if expected.starts_with("a map") => "a map is written `#{ name: … }`",
        _ if expected.starts_with("a list") && found.is_string() => {
            "a list of one is written `[\"…\"]`"
        }
        _ if expected.starts_with("a list of arguments") => {
            "write `[\"/bin/tool\", \"argument\"]`, or `#\"…\"#` for the shell"
        }
        _ if expected.starts_with("a list") => "a list is written `[\"…\", \"…\"]`",
        "text or `file(…)`" => "a script is text for the shell: `#\"…\"#`",
        "a label" => "labels are written as `\"core/zlib\"` or `\"core/llvm:libunwind\"`",
        "`seed(…)`" => "written as `seed(\"x.hex\", \"sha256:…\")`",
        _ => return None,
    })
}

/// A list of texts.
pub(crate) fn texts(list: &Array) -> Result<Vec<String>, Complaint> {
    let text = |(item, value): (usize, &Dynamic)| match value.as_immutable_string_ref() {
        Ok(text) => Ok(text.to_string()),
        Err(_) => Err(wrong_type("text", value).item(item)),
    };
    Complaint::all(list.iter().enumerate().map(text))
}
