//! Debian and distributions made like it: single files from the pools of the machine's mirrors.
//!
//! Old packages vanish from the lists of a mirror long before their files vanish from its pool, and
//! a machine may have no lists at all. So addresses are made of what never changes: the layout of a
//! pool.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stxl_model::{DebianFile, DebianKind};

use crate::address::WebAddress;
use crate::client::{self, ClientError, Inquiry, Reach, Surroundings, words};

/// What an archive is asked about; the rest of a line is free text.
const TARGET_FORMAT: &str = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)";

/// Letters of a file's name that stay as they are in an address.
const KEPT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The order in which components are looked through.
const COMPONENTS: [&str; 4] = ["main", "contrib", "non-free", "non-free-firmware"];

/// An archive that the machine installs from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    base: WebAddress,
    components: BTreeSet<String>,
    /// Whether it holds the fixes between releases, whose pool has one folder more.
    is_security: bool,
    /// Who made it, if the machine has its lists.
    origin: Option<String>,
}

/// Asks apt which archives the machine has, with lists or without.
pub(crate) fn archives(surroundings: Surroundings<'_>) -> Result<Vec<Archive>, ClientError> {
    let from_lists = ask(
        surroundings,
        "apt-get",
        &[
            "indextargets",
            "--format",
            TARGET_FORMAT,
            "Created-By: Packages",
        ],
    )?;
    let known = archives_of_targets(&from_lists);
    if !known.is_empty() {
        return Ok(known);
    }
    // Without lists apt knows of no targets, but still where it would have the lists from.
    let addresses = ask(surroundings, "apt-get", &["update", "--print-uris"])?;
    Ok(archives_of_addresses(&addresses))
}

fn ask(
    surroundings: Surroundings<'_>,
    program: &str,
    arguments: &[&str],
) -> Result<String, ClientError> {
    // apt would keep its own summary of the lists, and cannot write where it does.
    let mut all = words([
        "-o",
        "Dir::Cache::pkgcache=",
        "-o",
        "Dir::Cache::srcpkgcache=",
    ])
    .to_vec();
    all.extend(arguments.iter().map(OsStr::new));
    let inquiry = Inquiry {
        program,
        arguments: &all,
        variables: &[],
        reach: Reach::Machine,
    };
    client::ask(surroundings, &inquiry)
}

/// Reads lines of [`TARGET_FORMAT`].
fn archives_of_targets(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(4, ' ');
        if let (Some(base), Some(suite), Some(component)) =
            (fields.next(), fields.next(), fields.next())
        {
            let origin = fields.next().filter(|origin| !origin.starts_with("$("));
            add(&mut archives, base, suite, component, origin);
        }
    }
    archives
}

/// Reads lines that begin with an address in quotes.
fn archives_of_addresses(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    for line in text.lines() {
        let address = line.strip_prefix('\'').and_then(|it| it.split('\'').next());
        let Some((base, below)) = address.and_then(|it| it.split_once("/dists/")) else {
            continue;
        };
        // SUITE/COMPONENT/binary-ARCHITECTURE/Packages…; a suite may have several parts.
        let parts: Vec<&str> = below.split('/').collect();
        if let [suite @ .., component, architecture, file] = parts.as_slice()
            && architecture.starts_with("binary-")
            && file.starts_with("Packages")
            && !suite.is_empty()
        {
            add(&mut archives, base, &suite.join("/"), component, None);
        }
    }
    archives
}

fn add(
    archives: &mut Vec<Archive>,
    base: &str,
    suite: &str,
    component: &str,
    origin: Option<&str>,
) {
    let is_component = !component.is_empty()
        && component
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with(['.', '$']));
    // Files, disks and lists of mirrors are apt's own ways.
    let Ok(base) = WebAddress::parse(&format!("{}/", base.trim_end_matches('/'))) else {
        return;
    };
    if !is_component {
        return;
    }
    // Where suites have a folder for it, components have it too.
    let component = component.rsplit('/').next().unwrap_or(component);
    let is_security = suite.ends_with("-security") || suite.ends_with("/updates");
    let known = archives
        .iter_mut()
        .find(|known| known.base == base && known.is_security == is_security);
    match known {
        Some(known) => {
            known.components.insert(component.to_owned());
            known.origin = known.origin.take().or_else(|| origin.map(str::to_owned));
        }
        None => archives.push(Archive {
            base,
            components: BTreeSet::from([component.to_owned()]),
            is_security,
            origin: origin.map(str::to_owned),
        }),
    }
}

/// Where a file lies if its source package has a name.
pub(crate) fn candidates(archives: &[Archive], file: &DebianFile, source: &str) -> Vec<WebAddress> {
    let name = file.file_name();
    let mut found: Vec<WebAddress> = Vec::new();
    for archive in of_distribution(archives, &file.distribution) {
        for component in archive.sorted_components() {
            let below = format!("{component}/{}/{source}/{name}", prefix_of(source));
            let folders: &[&str] = if archive.is_security {
                &["pool/updates", "pool"]
            } else {
                &["pool"]
            };
            for folder in folders {
                let path = escaped(&format!("{folder}/{below}"));
                if let Some(address) = archive.base.join(&path)
                    && !found.contains(&address)
                {
                    found.push(address);
                }
            }
        }
    }
    found
}

/// The archives of a distribution: where the machine's lists tell who made them, others are not
/// asked.
fn of_distribution<'a>(
    archives: &'a [Archive],
    distribution: &'a str,
) -> impl Iterator<Item = &'a Archive> {
    let is_its = |archive: &Archive| {
        let origin = archive.origin.as_deref();
        origin.is_some_and(|origin| origin.eq_ignore_ascii_case(distribution))
    };
    let is_any = archives.iter().any(is_its);
    let is_asked = move |archive: &&Archive| {
        if is_any {
            is_its(archive)
        } else {
            archive.origin.is_none()
        }
    };
    archives.iter().filter(is_asked)
}

impl Archive {
    fn sorted_components(&self) -> Vec<&str> {
        let rank = |component: &&str| {
            let known = COMPONENTS.iter().position(|it| it == component);
            known.unwrap_or(COMPONENTS.len())
        };
        let mut components: Vec<&str> = self.components.iter().map(String::as_str).collect();
        components.sort_by_key(rank);
        components
    }
}

/// The name of the source package that an address tells or suggests.
pub(crate) fn likely_source(file: &DebianFile) -> &str {
    match &file.kind {
        DebianKind::Binary {
            source: Some(source),
            ..
        } => source,
        DebianKind::Binary { source: None, .. } | DebianKind::Source { .. } => &file.name,
    }
}

/// The folder of a pool that a source package's folder is in.
fn prefix_of(source: &str) -> &str {
    let length = if source.starts_with("lib") && source.len() > 3 {
        4
    } else {
        1
    };
    source.get(..length).unwrap_or(source)
}

fn escaped(path: &str) -> String {
    let parts: Vec<String> = path
        .split('/')
        .map(|part| utf8_percent_encode(part, &KEPT).to_string())
        .collect();
    parts.join("/")
}

/// What the lists of the machine say about a binary package: all versions, the best first.
pub(crate) fn known_versions(
    surroundings: Surroundings<'_>,
    file: &DebianFile,
) -> Result<Vec<KnownVersion>, ClientError> {
    let DebianKind::Binary { architecture, .. } = &file.kind else {
        let text = ask(surroundings, "apt-cache", &["dumpavail"])?;
        return Ok(versions_of_source(&text, &file.name));
    };
    let name = match architecture.as_str() {
        "all" => file.name.clone(),
        architecture => format!("{}:{architecture}", file.name),
    };
    match ask(surroundings, "apt-cache", &["show", &name]) {
        Ok(text) => Ok(paragraphs(&text).filter_map(known_version).collect()),
        // It says so in this way when no list has the package.
        Err(ClientError::Failed { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A version that the lists of the machine have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownVersion {
    pub(crate) version: String,
    pub(crate) source: String,
}

fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").filter(|paragraph| !paragraph.is_empty())
}

fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = paragraph.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

fn known_version(paragraph: &str) -> Option<KnownVersion> {
    let version = field(paragraph, "Version")?.to_owned();
    let source = field(paragraph, "Source").or_else(|| field(paragraph, "Package"))?;
    let source = source
        .split(' ')
        .next()
        .filter(|name| DebianFile::is_name(name))?;
    let source = source.to_owned();
    Some(KnownVersion { version, source })
}

/// The versions of a source package, told by the binary packages made of it.
fn versions_of_source(text: &str, name: &str) -> Vec<KnownVersion> {
    let mut versions: Vec<KnownVersion> = Vec::new();
    for paragraph in paragraphs(text) {
        let Some(known) = known_version(paragraph).filter(|known| known.source == name) else {
            continue;
        };
        // A binary package may have a version of its own: `Source: zlib (1:1.2.13-1)`.
        let own = field(paragraph, "Source").and_then(|it| it.split_once(" ("));
        let version = own.map_or(known.version, |(_, rest)| {
            rest.trim_end_matches(')').to_owned()
        });
        let known = KnownVersion { version, ..known };
        if !versions.contains(&known) {
            versions.push(known);
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::{archives_of_addresses, archives_of_targets, candidates, likely_source};
    use crate::address::Address;
    use stxl_model::PackageAddress;

    const TARGETS: &str = "\
http://u:canary@mirror.example/d/ stable main Debian
http://u:canary@mirror.example/d/ stable contrib Debian
http://mirror.example/s/ stable-security main Debian
https://other.example/x/ any main Somebody else
cdrom:[x]/ stable main $(ORIGIN)
";

    const ADDRESSES: &str = "\
'http://mirror.example/d/dists/stable/InRelease' x 0
'http://mirror.example/d/dists/stable/main/binary-amd64/Packages.xz' x 0
'http://mirror.example/d/dists/stable/main/dep11/Components-amd64.yml.xz' x 0
'http://mirror.example/s/dists/old/updates/main/binary-all/Packages.xz' x 0
";

    fn addresses(archives: &[super::Archive], text: &str) -> Vec<String> {
        let Ok(Address::Package(PackageAddress::Debian(file))) = Address::parse(text) else {
            panic!("{text} is a file of Debian");
        };
        let found = candidates(archives, &file, likely_source(&file));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_is_where_pools_have_it() {
        let archives = archives_of_targets(TARGETS);
        assert_eq!(
            addresses(
                &archives,
                "pkg:deb/debian/libc6@2.36-9+deb12u1?arch=amd64&source=glibc"
            ),
            [
                "http://mirror.example/d/pool/main/g/glibc/libc6_2.36-9%2Bdeb12u1_amd64.deb",
                "http://mirror.example/d/pool/contrib/g/glibc/libc6_2.36-9%2Bdeb12u1_amd64.deb",
                "http://mirror.example/s/pool/updates/main/g/glibc/libc6_2.36-9%2Bdeb12u1_amd64.deb",
                "http://mirror.example/s/pool/main/g/glibc/libc6_2.36-9%2Bdeb12u1_amd64.deb",
            ]
        );
        let archives = archives_of_addresses(ADDRESSES);
        let orig =
            "pkg:deb/debian/libpng1.6@1:1.6.39-2?arch=source&file=libpng1.6_1.6.39.orig.tar.xz";
        assert_eq!(
            addresses(&archives, orig),
            [
                "http://mirror.example/d/pool/main/libp/libpng1.6/libpng1.6_1.6.39.orig.tar.xz",
                "http://mirror.example/s/pool/updates/main/libp/libpng1.6/libpng1.6_1.6.39.orig.tar.xz",
                "http://mirror.example/s/pool/main/libp/libpng1.6/libpng1.6_1.6.39.orig.tar.xz",
            ]
        );
    }

    #[test]
    fn versions_are_read_from_lists() {
        let text = "Package: zlib1g\nSource: zlib\nVersion: 1:1.2-1+b1\n\n\
                    Package: zlib1g-dev\nSource: zlib (1:1.2-1)\nVersion: 1:1.2-1+b1\n\n\
                    Package: zlib\nVersion: 3\n\nPackage: other\nVersion: 4\n";
        let versions: Vec<String> = super::versions_of_source(text, "zlib")
            .into_iter()
            .map(|known| known.version)
            .collect();
        assert_eq!(versions, ["1:1.2-1+b1", "1:1.2-1", "3"]);
    }
}
