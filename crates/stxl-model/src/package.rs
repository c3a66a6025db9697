//! Package URLs (purl): one file of an ecosystem, by name and version, without the host of any
//! registry. Where such a file is, stands not here.

use std::collections::BTreeMap;
use std::fmt;

/// One file that an ecosystem distributes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackageAddress {
    /// A file of a Debian package.
    Debian(DebianFile),
    /// A crate.
    Cargo(NameAndVersion),
    /// The source distribution of a Python project.
    Pypi(NameAndVersion),
    /// A tarball of npm; the name has its scope in front, as in `@scope/name`.
    Npm(NameAndVersion),
}

/// A name and a version, as the ecosystem writes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameAndVersion {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// A file of a package of Debian or of a distribution made like it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DebianFile {
    /// The distribution: `debian`, or another that the machine's mirrors have.
    pub distribution: String,
    /// The name of the package.
    pub name: String,
    /// The version, with its epoch.
    pub version: String,
    /// Which file.
    pub kind: DebianKind,
}

/// Which file of a Debian package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DebianKind {
    /// The binary package.
    Binary {
        /// For which architecture.
        architecture: String,
        /// The name of its source package, if the address tells it.
        source: Option<String>,
    },
    /// One file of the source package.
    Source {
        /// Its name.
        file: String,
    },
}

type Parsed<T> = Result<T, &'static str>;

impl PackageAddress {
    /// Takes a text apart that begins with `pkg:`, or says what is wrong with it.
    pub fn parse(text: &str) -> Parsed<Self> {
        let text = text
            .strip_prefix("pkg:")
            .ok_or("a package URL begins with `pkg:`")?;
        if text.contains('#') {
            return Err("a package URL has no part behind `#` here");
        }
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let (path, version) = path
            .rsplit_once('@')
            .filter(|(path, version)| !path.ends_with('/') && !version.contains('/'))
            .ok_or("a package URL names a version: `pkg:TYPE/NAME@VERSION`")?;
        let version = decode(version)?;
        let mut parts: Vec<String> = path.split('/').map(decode).collect::<Parsed<_>>()?;
        let mut qualifiers = qualifiers_of(query)?;
        let ecosystem = parts.remove(0).to_ascii_lowercase();
        let package = match (ecosystem.as_str(), parts.as_slice()) {
            ("deb", [distribution, name]) => {
                Self::Debian(debian(distribution, name, version, &mut qualifiers)?)
            }
            ("deb", _) => return Err("written as `pkg:deb/debian/NAME@VERSION?arch=…`"),
            ("cargo", [name]) => Self::Cargo(plain(name, version)?),
            ("cargo", _) => return Err("written as `pkg:cargo/NAME@VERSION`"),
            ("pypi", [name]) => Self::Pypi(plain(name, version)?),
            ("pypi", _) => return Err("written as `pkg:pypi/NAME@VERSION`"),
            ("npm", [name]) => Self::Npm(plain(name, version)?),
            ("npm", [scope, name]) => Self::Npm(scoped(scope, name, version)?),
            ("npm", _) => {
                return Err("written as `pkg:npm/NAME@VERSION`, or with a scope in front");
            }
            _ => return Err("packages are of `deb`, `cargo`, `pypi` or `npm`"),
        };
        if qualifiers.is_empty() {
            Ok(package)
        } else {
            Err("it has a qualifier behind `?` that means nothing here")
        }
    }

    /// The version.
    pub fn version(&self) -> &str {
        match self {
            Self::Debian(file) => &file.version,
            Self::Cargo(it) | Self::Pypi(it) | Self::Npm(it) => &it.version,
        }
    }

    /// The name, without what tells packages of several ecosystems apart.
    pub fn name(&self) -> &str {
        match self {
            Self::Debian(file) => &file.name,
            Self::Cargo(it) | Self::Pypi(it) | Self::Npm(it) => &it.name,
        }
    }

    /// The name of the ecosystem, as a package URL begins with it.
    pub fn ecosystem(&self) -> &'static str {
        match self {
            Self::Debian(_) => "deb",
            Self::Cargo(_) => "cargo",
            Self::Pypi(_) => "pypi",
            Self::Npm(_) => "npm",
        }
    }

    /// The same file in another version. The name of a file of a source package follows where it
    /// holds the version.
    pub fn with_version(&self, version: &str) -> Result<Self, &'static str> {
        let mut other = self.clone();
        match &mut other {
            Self::Debian(file) => {
                if let DebianKind::Source { file: name } = &mut file.kind {
                    let before = without_revision(without_epoch(&file.version));
                    let after = without_revision(without_epoch(version));
                    *name = name.replace(without_epoch(&file.version), without_epoch(version));
                    *name = name.replace(before, after);
                }
                version.clone_into(&mut file.version);
            }
            Self::Cargo(it) | Self::Pypi(it) | Self::Npm(it) => {
                version.clone_into(&mut it.version);
            }
        }
        Self::parse(&other.to_string())
    }

    /// The name that the ecosystem gives to the file; of a source distribution, whose archive may
    /// be another, the usual one.
    pub fn file_name(&self) -> String {
        match self {
            Self::Debian(file) => file.file_name(),
            Self::Cargo(it) => format!("{}-{}.crate", it.name, it.version),
            Self::Pypi(it) => format!("{}-{}.tar.gz", it.name, it.version),
            Self::Npm(it) => {
                let name = it.name.rsplit('/').next().unwrap_or_default();
                format!("{name}-{}.tgz", it.version)
            }
        }
    }
}

impl DebianFile {
    /// The name as pools have it: without the epoch.
    pub fn file_name(&self) -> String {
        let version = without_epoch(&self.version);
        match &self.kind {
            DebianKind::Binary {
                architecture,
                source: _,
            } => format!("{}_{version}_{architecture}.deb", self.name),
            DebianKind::Source { file } => file.clone(),
        }
    }

    /// Whether a text may be the name of a package.
    pub fn is_name(text: &str) -> bool {
        let is_letter =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        text.len() >= 2
            && text.bytes().all(is_letter)
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
    }
}

impl fmt::Display for PackageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian(DebianFile {
                distribution,
                name,
                version,
                kind,
            }) => {
                write!(f, "pkg:deb/{distribution}/{name}@{version}")?;
                match kind {
                    DebianKind::Binary {
                        architecture,
                        source,
                    } => {
                        write!(f, "?arch={architecture}")?;
                        match source {
                            Some(source) => write!(f, "&source={source}"),
                            None => Ok(()),
                        }
                    }
                    DebianKind::Source { file } => write!(f, "?arch=source&file={file}"),
                }
            }
            Self::Npm(NameAndVersion { name, version }) => {
                write!(f, "pkg:npm/{}@{version}", name.replace('@', "%40"))
            }
            Self::Cargo(it) | Self::Pypi(it) => {
                write!(f, "pkg:{}/{}@{}", self.ecosystem(), it.name, it.version)
            }
        }
    }
}

/// A Debian version without its epoch, as names of files have it.
fn without_epoch(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

fn without_revision(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(rest, _)| rest)
}

fn debian(
    distribution: &str,
    name: &str,
    version: String,
    qualifiers: &mut BTreeMap<String, String>,
) -> Parsed<DebianFile> {
    let architecture = qualifiers
        .remove("arch")
        .ok_or("it names an architecture: `?arch=amd64`, `?arch=all` or `?arch=source`")?;
    let file = qualifiers.remove("file");
    let source = qualifiers.remove("source");
    let is_word = |text: &str| consists_of(text, "-") && !text.starts_with('-');
    let is_package = |text: &str| DebianFile::is_name(text);
    if !is_word(distribution) || !is_word(&architecture) {
        return Err("a distribution or architecture is letters, digits and `-`");
    }
    if !is_package(name) || source.as_deref().is_some_and(|name| !is_package(name)) {
        return Err("the name of a Debian package is small letters, digits, `+`, `-` and `.`");
    }
    if !consists_of(&version, ".+~:-") || !version.starts_with(|first: char| first.is_ascii_digit())
    {
        return Err("a Debian version begins with a digit and has letters, digits and `.+~:-`");
    }
    let kind = match (architecture.as_str(), file, source) {
        ("source", Some(file), None) => {
            if !consists_of(&file, ".+~_-") || file.starts_with('.') {
                return Err("the name of a file is letters, digits and `.+~_-`");
            }
            DebianKind::Source { file }
        }
        ("source", None, _) => {
            return Err("one file of a source package is named: `?arch=source&file=NAME`");
        }
        ("source", Some(_), Some(_)) => {
            return Err("`source` is for binary packages: the name is that of the source package");
        }
        (_, Some(_), _) => return Err("`file` is for `arch=source`"),
        (_, None, source) => DebianKind::Binary {
            architecture,
            source,
        },
    };
    Ok(DebianFile {
        distribution: distribution.to_ascii_lowercase(),
        name: name.to_owned(),
        version,
        kind,
    })
}

fn plain(name: &str, version: String) -> Parsed<NameAndVersion> {
    let is_name = consists_of(name, "._-~") && !name.starts_with(['.', '-']);
    if !is_name {
        return Err("a name is letters, digits and `._-`");
    }
    if !consists_of(&version, ".+!_-") || version.starts_with(['.', '-']) {
        return Err("a version is letters, digits and `.+!_-`");
    }
    Ok(NameAndVersion {
        name: name.to_owned(),
        version,
    })
}

fn scoped(scope: &str, name: &str, version: String) -> Parsed<NameAndVersion> {
    let scope = scope
        .strip_prefix('@')
        .filter(|scope| consists_of(scope, "._-~") && !scope.starts_with('.'))
        .ok_or("a scope begins with `@`, written `%40`")?;
    let it = plain(name, version)?;
    Ok(NameAndVersion {
        name: format!("@{scope}/{}", it.name),
        ..it
    })
}

/// Whether a text is letters, digits and some signs, and not empty.
fn consists_of(text: &str, signs: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || signs.as_bytes().contains(&byte))
}

fn qualifiers_of(query: &str) -> Parsed<BTreeMap<String, String>> {
    let mut qualifiers = BTreeMap::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part
            .split_once('=')
            .ok_or("a qualifier behind `?` is written `key=value`")?;
        if qualifiers.insert(key.to_owned(), decode(value)?).is_some() {
            return Err("a qualifier is there twice");
        }
    }
    Ok(qualifiers)
}

/// A part with its escapes resolved; `+` stands for itself.
fn decode(text: &str) -> Parsed<String> {
    let wrong = "`%` is followed by two hexadecimal digits, and escapes stand for text";
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(wrong)?;
        let digits = digits.to_ascii_lowercase();
        let byte = data_encoding::HEXLOWER.decode(digits.as_bytes());
        bytes.extend(byte.map_err(|_| wrong)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use super::PackageAddress;

    fn parse(text: &str) -> Result<PackageAddress, &'static str> {
        PackageAddress::parse(text)
    }

    #[test]
    fn files_have_the_names_of_their_ecosystem() {
        for (text, name) in [
            ("pkg:deb/debian/a0@1:2-3?arch=amd64", "a0_2-3_amd64.deb"),
            (
                "pkg:deb/debian/a0@1:2-3?arch=source&file=a0_2.orig.tar.xz",
                "a0_2.orig.tar.xz",
            ),
            ("pkg:cargo/a@1.0.0", "a-1.0.0.crate"),
            ("pkg:pypi/a.b@1.0", "a.b-1.0.tar.gz"),
            ("pkg:npm/%40a/b@1.0.0", "b-1.0.0.tgz"),
        ] {
            assert_eq!(parse(text).map(|it| it.file_name()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn what_is_read_is_written_the_same() {
        for text in [
            "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64",
            "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&source=zlib",
            "pkg:deb/debian/libstdc++6@12.2.0-14+deb12u1?arch=amd64&source=gcc-12",
            "pkg:deb/debian/zlib@1:1.2.13.dfsg-1?arch=source&file=zlib_1.2.13.dfsg.orig.tar.bz2",
            "pkg:cargo/serde_json@1.0.1",
            "pkg:pypi/Flit.core@1!3.9.0+local",
            "pkg:npm/is-odd@3.0.1",
            "pkg:npm/%40scope/name@1.0.0-rc.1",
        ] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
        let escaped = "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2bdeb12u1?arch=amd64";
        let plain = "pkg:deb/debian/libstdc++6@12.2.0-14+deb12u1?arch=amd64";
        assert_eq!(parse(escaped).expect("an address").to_string(), plain);
        assert_eq!(
            parse("pkg:npm/@scope/name@1.0.0").map(|it| it.to_string()),
            Ok("pkg:npm/%40scope/name@1.0.0".to_owned())
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "pkg:",
            "pkg:deb/debian/zlib1g?arch=amd64",
            "pkg:deb/debian/zlib1g@1",
            "pkg:deb/zlib1g@1?arch=amd64",
            "pkg:deb/debian/zlib1g@1?arch=amd64&arch=i386",
            "pkg:deb/debian/zlib1g@1?arch=amd64&distro=x",
            "pkg:deb/debian/../x@1?arch=amd64",
            "pkg:deb/debian/%2e%2e@1?arch=amd64",
            "pkg:deb/debian/zlib%2fx@1?arch=amd64",
            "pkg:deb/debian/zlib@1/2?arch=amd64",
            "pkg:deb/debian/zlib@1%2f2?arch=amd64",
            "pkg:deb/debian/zlib@1?arch=source",
            "pkg:deb/debian/zlib@1?arch=source&file=../x",
            "pkg:deb/debian/zlib@1?arch=source&file=x%2fy",
            "pkg:deb/debian/zlib@1?arch=amd64&file=x",
            "pkg:deb/debian/zlib@1?arch=amd64&source=-x",
            "pkg:deb/debian/zlib@-1?arch=amd64",
            "pkg:cargo/a/b@1",
            "pkg:cargo/a@",
            "pkg:cargo/a@1%zz",
            "pkg:cargo/a@1%ff",
            "pkg:cargo/-a@1",
            "pkg:npm/scope/name@1",
            "pkg:npm/@scope/name",
            "pkg:npm/%40../name@1",
            "pkg:gem/a@1",
            "pkg:pypi/a@1#x",
            "pkg:pypi/a@1?x",
        ] {
            parse(text).expect_err(text);
        }
    }

    #[test]
    fn another_version_is_in_the_names_of_files_too() {
        let cases = [
            (
                "pkg:deb/debian/zlib@1:1.2.13.dfsg-1?arch=source&file=zlib_1.2.13.dfsg.orig.tar.bz2",
                "1:1.3.1.dfsg-2",
                "pkg:deb/debian/zlib@1:1.3.1.dfsg-2?arch=source&file=zlib_1.3.1.dfsg.orig.tar.bz2",
            ),
            (
                "pkg:deb/debian/zlib@1:1.2-1?arch=source&file=zlib_1.2-1.debian.tar.xz",
                "1:1.3-2",
                "pkg:deb/debian/zlib@1:1.3-2?arch=source&file=zlib_1.3-2.debian.tar.xz",
            ),
            ("pkg:cargo/a@1.0.0", "1.0.1", "pkg:cargo/a@1.0.1"),
        ];
        for (before, version, after) in cases {
            let other = parse(before).expect("an address").with_version(version);
            assert_eq!(other.map(|it| it.to_string()), Ok(after.to_owned()));
        }
    }
}
