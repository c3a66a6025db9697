//! `lock("Cargo.lock")`: the sources that a lock file names.

use std::sync::Arc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};
use serde::Deserialize;
use stxl_model::{FetchLock, Sha256};

use crate::dialect::complaint::Complaint;
use crate::dialect::constructors;
use crate::dialect::frame::{Frame, with_frame};
use crate::dialect::poison;
use crate::dialect::values::unanswered;
use crate::dialect::wrong_calls;
use crate::expression::{FetchSource, Operand, Site};

type Context<'a> = NativeCallContext<'a>;

/// What is read of a `Cargo.lock`, in the form of cargo's own resolver (versions 1 to 4 of it).
#[derive(Deserialize)]
struct CargoLock {
    #[serde(default)]
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
    /// Where it comes from; none for a package of the source itself.
    source: Option<String>,
    /// The sha256 of the crate, 64 digits.
    checksum: Option<String>,
}

/// Registers `lock`.
pub(crate) fn register(engine: &mut Engine) {
    wrong_calls::register_constructor(engine, "lock");
    engine.register_fn("lock", |ctx: Context<'_>, name: &str| {
        let made = with_frame(|frame| lock(frame, name, &frame.site(&ctx)));
        poison::made(made.map_err(|complaint| complaint.argument(0)), &ctx)
    });
}

/// The lock file, and the crates in it by name and version.
fn lock(frame: &Frame<'_>, name: &str, site: &Site) -> Result<Map, Complaint> {
    let file = constructors::file(frame, name, site.clone())?;
    let text = frame.host.read_text(&file.path);
    let text = text.map_err(|error| unanswered("file", file.path.as_str(), error))?;
    let locked: CargoLock = toml::from_str(&text).map_err(|error| {
        let reason = error.message().trim().replace('\n', ", ");
        Complaint::new("bad-lock-file", format!("`{}` is no lock file", file.path)).note(reason)
    })?;
    let mut crates = Map::new();
    for package in &locked.package {
        if package.source.is_some() {
            let source = locked_source(package, site)?;
            let name = format!("{}-{}", package.name, package.version);
            crates.insert(name.into(), Dynamic::from(Operand::Fetch(Arc::new(source))));
        }
    }
    Ok(Map::from([
        ("file".into(), Dynamic::from(Operand::File(file))),
        ("crates".into(), Dynamic::from_map(crates)),
    ]))
}

fn locked_source(package: &LockedPackage, site: &Site) -> Result<FetchSource, Complaint> {
    let LockedPackage { name, version, .. } = package;
    let plain = |text: &str| {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.+".contains(letter);
        !text.is_empty() && text.chars().all(is_plain)
    };
    if !plain(name) || !plain(version) {
        let message = format!("`{name} {version}` in the lock file is no crate's name and version");
        return Err(Complaint::new("bad-lock-file", message));
    }
    let hash = package.checksum.as_deref();
    let hash = hash.and_then(|digits| Sha256::parse(&format!("sha256:{digits}")).ok());
    let Some(sha256) = hash else {
        let message = format!("`{name} {version}` has no checksum in the lock file");
        return Err(Complaint::new("bad-lock-file", message)
            .hint("only crates of a registry have one; those from git cannot be locked by this"));
    };
    Ok(FetchSource {
        urls: vec![format!("pkg:cargo/{name}@{version}")],
        lock: FetchLock::File(sha256),
        member: None,
        site: site.clone(),
    })
}
