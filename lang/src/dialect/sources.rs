//! Sources from outside: `url(…)`, `git(…)`, what `.change(…)` makes of them, and their addresses.

use std::sync::Arc;

use rhai::{Dynamic, Map, NativeCallContext};
use stxl_model::{FetchLock, PackageAddress, RootPath, names_user};

use crate::dialect::complaint::Complaint;
use crate::dialect::constructors::{parse_hash, wrong_type};
use crate::dialect::frame::with_frame;
use crate::dialect::template::{self, Template};
use crate::expression::{FetchSource, Operand};

type Context<'a> = NativeCallContext<'a>;

/// What an address of a repository begins with where it travels beside the lock; its commit stands
/// behind `#`.
const GIT: &str = "git+";

pub(crate) fn url(
    ctx: &Context<'_>,
    address: &Dynamic,
    hash: &Dynamic,
) -> Result<Operand, Complaint> {
    let is_hash = |text: &Dynamic| {
        let text = text.as_immutable_string_ref();
        text.is_ok_and(|text| text.starts_with("sha256:"))
    };
    if is_hash(address) && !is_hash(hash) {
        return Err(
            Complaint::new("bad-url", "The hash stands before the address")
                .argument(0)
                .hint("written as `url(\"https://…\", \"sha256:…\")`"),
        );
    }
    let sha256 = parse_hash(hash).map_err(|complaint| complaint.argument(1));
    let (urls, sha256) = Complaint::both(addresses(address, check_url), sha256)?;
    let lock = FetchLock::File(sha256);
    let site = with_frame(|frame| frame.site(ctx));
    Ok(Operand::Fetch(Arc::new(FetchSource {
        urls,
        lock,
        member: None,
        site,
    })))
}

/// One address, or a list of mirrors.
fn addresses(
    address: &Dynamic,
    check_one: fn(&str) -> Result<(), Complaint>,
) -> Result<Vec<String>, Complaint> {
    let blame = |item: Option<usize>, complaint: Complaint| match item {
        Some(item) => complaint.argument(0).item(item),
        None => complaint.argument(0),
    };
    let check = |item: Option<usize>, value: &Dynamic| match value.as_immutable_string_ref() {
        Ok(text) => check_one(&text)
            .map(|()| text.to_string())
            .map_err(|complaint| blame(item, complaint)),
        Err(_) => Err(blame(item, wrong_type("text", value))),
    };
    let Ok(mirrors) = address.as_array_ref() else {
        return check(None, address).map(|url| vec![url]);
    };
    if mirrors.is_empty() {
        return Err(blame(
            None,
            Complaint::new("bad-url", "A source needs at least one address"),
        ));
    }
    let mirrors = mirrors.iter().enumerate();
    Complaint::all(mirrors.map(|(item, value)| check(Some(item), value)))
}

/// Refuses an address of a server that says who asks.
fn check_user(url: &str) -> Result<(), Complaint> {
    if !names_user(url) {
        return Ok(());
    }
    Err(
        Complaint::new("bad-url", "An address in a definition names no user")
            .hint("who asks belongs in your `.netrc`, where nobody else reads it"),
    )
}

fn check_url(url: &str) -> Result<(), Complaint> {
    let rest = ["https://", "http://", "file:/", "pkg:"]
        .into_iter()
        .find_map(|beginning| url.strip_prefix(beginning));
    if rest.is_none_or(str::is_empty) || url.contains(char::is_whitespace) {
        return Err(
            Complaint::new("bad-url", format!("`{url}` is not an address")).hint(
                "an address begins with `https://`, `http://`, `file:///` or `pkg:`, and has no blanks",
            ),
        );
    }
    check_user(url)?;
    check_names(url)
}

/// Looks at the templates of an address, and at what it says if there are none.
fn check_names(url: &str) -> Result<(), Complaint> {
    if url.contains("${") {
        return Err(
            Complaint::new("bad-url", "A `$` stands before a template, and stays there")
                .hint("a template is written without it: `{version}`"),
        );
    }
    match template::unknown_names(url).first() {
        // Which version it names may be known later only.
        None if url.contains('{') => Ok(()),
        None => check_expanded(url),
        Some(name) => Err(template::unknown_in_url(name)),
    }
}

/// `git(address, commit, tree)`.
pub(crate) fn git(
    ctx: &Context<'_>,
    address: &Dynamic,
    commit: &Dynamic,
    tree: &Dynamic,
) -> Result<Operand, Complaint> {
    let commit = parse_commit(commit).map_err(|complaint| complaint.argument(1));
    let lock = parse_tree(tree).map_err(|complaint| complaint.argument(2));
    let (commit, lock) = Complaint::both(commit, lock)?;
    let addresses = addresses(address, check_repository)?.into_iter();
    let urls = addresses.map(|address| of_commit(&address, &commit));
    Ok(Operand::Fetch(Arc::new(FetchSource {
        urls: urls.collect(),
        lock,
        member: None,
        site: with_frame(|frame| frame.site(ctx)),
    })))
}

/// `.member(path)`: a file of the archive.
pub(crate) fn member(source: &FetchSource, path: &str) -> Result<FetchSource, Complaint> {
    if source.is_directory() {
        let message = "A source from git is a directory, and no archive";
        return Err(Complaint::new("wrong-type", message)
            .hint("a file of a directory is put with `.copy`, once the directory is"));
    }
    if let Some(outer) = &source.member {
        let message = format!("`{outer}` is a file of an archive already");
        return Err(Complaint::new("wrong-type", message)
            .hint("archives inside of archives inside of archives are unpacked by steps"));
    }
    if let Some(name) = template::unknown_names(path).first() {
        return Err(template::unknown_in_url(name).argument(0));
    }
    // As `tar` lists what was packed from `.`.
    let path = path.strip_prefix("./").unwrap_or(path);
    check_member(path).map_err(|complaint| complaint.argument(0))?;
    Ok(FetchSource {
        member: Some(path.to_owned()),
        ..source.clone()
    })
}

fn check_member(path: &str) -> Result<(), Complaint> {
    let parsed = RootPath::parse(format!("/{path}").as_bytes());
    match parsed {
        Ok(parsed) if !parsed.is_root() && !path.ends_with('/') => Ok(()),
        Ok(_) | Err(_) => Err(Complaint::new(
            "bad-path",
            format!("`{path}` is no path of a file in an archive"),
        )
        .hint("written as the archive has it, with all its parts: `pack-1.0/inner.tar.xz`")),
    }
}

fn of_commit(address: &str, commit: &str) -> String {
    format!("{GIT}{address}#{commit}")
}

fn check_repository(url: &str) -> Result<(), Complaint> {
    let rest = ["https://", "http://", "file:///"]
        .into_iter()
        .find_map(|beginning| url.strip_prefix(beginning));
    let is_address = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('-'));
    if !is_address || url.contains(char::is_whitespace) || url.contains('#') {
        let message = format!("`{url}` is not an address of a repository");
        return Err(Complaint::new("bad-url", message)
            .hint("it begins with `https://`, `http://` or `file:///` and has no blanks"));
    }
    check_user(url)?;
    check_names(url)
}

/// A commit, or the template for it.
fn parse_commit(commit: &Dynamic) -> Result<String, Complaint> {
    let Ok(text) = commit.as_immutable_string_ref() else {
        return Err(wrong_type("a commit", commit).hint("written as 40 hexadecimal digits"));
    };
    if is_commit(&text) || &*text == "{commit}" {
        Ok(text.to_string())
    } else {
        Err(no_commit(&text))
    }
}

fn is_commit(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 40 && text.bytes().all(is_digit)
}

fn no_commit(text: &str) -> Complaint {
    Complaint::new("bad-commit", format!("`{text}` is not a commit"))
        .hint("a commit is 40 hexadecimal digits in lower case; branches and tags move")
}

/// The digest of the files of a commit.
fn parse_tree(tree: &Dynamic) -> Result<FetchLock, Complaint> {
    const FORM: &str = "written as `tree:` and 64 hexadecimal digits in lower case";
    let Ok(text) = tree.as_immutable_string_ref() else {
        return Err(wrong_type("the digest of a tree", tree).hint(FORM));
    };
    if text
        .strip_prefix("tree:")
        .is_some_and(|digits| digits == "0".repeat(64))
    {
        return Err(
            Complaint::new("zero-hash", "The digest is all zeros, which no tree has")
                .hint("write the digest of the files; a build that fails tells it"),
        );
    }
    FetchLock::parse_tree(&text).ok_or_else(|| {
        Complaint::new(
            "bad-hash",
            format!("`{}` is not the digest of a tree", &*text),
        )
        .hint(FORM)
    })
}

/// Looks at an address once its templates are expanded.
fn check_expanded(url: &str) -> Result<(), Complaint> {
    if let Some(repository) = url.strip_prefix(GIT) {
        let commit = repository.rsplit('#').next().unwrap_or_default();
        return if is_commit(commit) {
            Ok(())
        } else {
            Err(no_commit(commit))
        };
    }
    if !url.starts_with("pkg:") {
        return Ok(());
    }
    PackageAddress::parse(url).map(drop).map_err(|reason| {
        Complaint::new("bad-url", format!("`{url}` is not a package URL")).hint(reason)
    })
}

/// A source with the templates of its addresses expanded.
pub(crate) fn expand_source(
    template: &Template<'_>,
    source: &FetchSource,
) -> Result<FetchSource, Complaint> {
    let urls = source.urls.iter().map(|url| {
        let url = template.expand(url)?.into_owned();
        check_expanded(&url).map(|()| url)
    });
    let member = source.member.as_ref().map(|path| {
        let path = template.expand(path)?.into_owned();
        check_member(&path).map(|()| path)
    });
    Ok(FetchSource {
        urls: urls.collect::<Result<_, _>>()?,
        member: member.transpose()?,
        ..source.clone()
    })
}

/// A source with other parts.
pub(crate) fn changed_source(source: FetchSource, changes: &Map) -> Result<FetchSource, Complaint> {
    match source.lock {
        FetchLock::File(_) => changed_file(source, changes),
        FetchLock::Tree(_) => changed_repository(source, changes),
    }
}

fn changed_file(mut source: FetchSource, changes: &Map) -> Result<FetchSource, Complaint> {
    Complaint::all::<(), ()>(changes.iter().map(|(name, value)| {
        match name.as_str() {
            "hash" => {
                let hash = parse_hash(value).map_err(|complaint| complaint.argument(0).key(name));
                source.lock = FetchLock::File(hash?);
            }
            "url" => {
                source.urls =
                    addresses(value, check_url).map_err(|complaint| complaint.under(0, name))?;
            }
            other => return Err(unknown_part(other, "a source has `url` and `hash`")),
        }
        Ok(())
    }))?;
    Ok(source)
}

fn changed_repository(mut source: FetchSource, changes: &Map) -> Result<FetchSource, Complaint> {
    let first = source.urls.first().and_then(|url| url.rsplit_once('#'));
    let mut commit = first.map_or_else(String::new, |(_, commit)| commit.to_owned());
    let bare = |url: &String| {
        let url = url.strip_prefix(GIT).unwrap_or(url);
        url.rsplit_once('#').map_or(url, |(url, _)| url).to_owned()
    };
    let mut repositories: Vec<String> = source.urls.iter().map(bare).collect();
    Complaint::all::<(), ()>(changes.iter().map(|(name, value)| {
        let at = |complaint: Complaint| complaint.argument(0).key(name);
        match name.as_str() {
            "hash" => source.lock = parse_tree(value).map_err(at)?,
            "commit" => commit = parse_commit(value).map_err(at)?,
            "url" => {
                repositories = addresses(value, check_repository)
                    .map_err(|complaint| complaint.under(0, name))?;
            }
            other => {
                let parts = "a source from git has `url`, `commit` and `hash`";
                return Err(unknown_part(other, parts));
            }
        }
        Ok(())
    }))?;
    let urls = repositories.iter().map(|url| of_commit(url, &commit));
    source.urls = urls.collect();
    Ok(source)
}

fn unknown_part(name: &str, parts: &'static str) -> Complaint {
    Complaint::new("unknown-field", format!("A source has no `{name}`"))
        .argument(0)
        .wrong_key(name)
        .hint(parts)
}
