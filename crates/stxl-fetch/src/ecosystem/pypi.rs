//! Python projects: source distributions, from the index that the user's pip is configured with.

use std::ffi::OsStr;

use serde_json::Value;

use super::{Document, Release, Told, untold};
use crate::address::WebAddress;
use crate::client::{self, ClientError, Inquiry, Reach, Surroundings};

/// The document of an index, as JSON where it can be had.
pub(super) const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
     application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// Endings of source distributions.
const ENDINGS: [&str; 3] = [".tar.gz", ".zip", ".tar.bz2"];

/// Asks pip for the addresses of its indexes.
pub(crate) fn indexes(surroundings: Surroundings<'_>) -> Result<Vec<String>, ClientError> {
    let configured = ask(surroundings, &["config", "list"])?;
    let mut indexes = configured_values(&configured, "index-url");
    indexes.truncate(1);
    if indexes.is_empty() {
        // Its own default stands in what it says about its options.
        let help = ask(surroundings, &["download", "--help"])?;
        indexes.extend(default_index(&help));
    }
    indexes.extend(configured_values(&configured, "extra-index-url"));
    Ok(indexes)
}

fn ask(surroundings: Surroundings<'_>, arguments: &[&str]) -> Result<String, ClientError> {
    let inquire = |program: &str, before: &[&str]| {
        let all: Vec<&OsStr> = before.iter().chain(arguments).map(OsStr::new).collect();
        client::ask(
            surroundings,
            &Inquiry {
                program,
                arguments: &all,
                variables: &[
                    ("COLUMNS", OsStr::new("4000")),
                    ("PIP_CACHE_DIR", surroundings.folder.as_os_str()),
                    ("PIP_DISABLE_PIP_VERSION_CHECK", OsStr::new("1")),
                    ("PYTHONDONTWRITEBYTECODE", OsStr::new("1")),
                ],
                reach: Reach::Machine,
            },
        )
    };
    let mut asked = inquire("pip", &[]);
    for (program, before) in [("pip3", [].as_slice()), ("python3", &["-m", "pip"])] {
        if let Err(ClientError::Missing { .. }) = asked {
            asked = inquire(program, before);
        }
    }
    asked
}

/// Values of a key in `SECTION.KEY='VALUE'` lines, what is nearest to the user first.
fn configured_values(text: &str, key: &str) -> Vec<String> {
    for section in [":env:", "download", "install", "global"] {
        let beginning = format!("{section}.{key}=");
        let mut lines = text.lines();
        let Some(value) = lines.find_map(|line| line.strip_prefix(&beginning)) else {
            continue;
        };
        let value = value.trim_matches(['\'', '"']).replace("\\n", " ");
        return value.split_whitespace().map(str::to_owned).collect();
    }
    Vec::new()
}

fn default_index(help: &str) -> Option<String> {
    let (_, after) = help.split_once("--index-url <url>")?;
    let (_, after) = after.split_once("(default")?;
    let (value, _) = after.split_once(')')?;
    Some(value.trim_start_matches(':').trim().to_owned())
}

/// The place of the document about a project.
pub(crate) fn document(index: &str, name: &str) -> Told<WebAddress> {
    let text = format!("{}/{}/", index.trim_end_matches('/'), normalized(name));
    WebAddress::parse(&text).map_err(|reason| untold("pip", reason))
}

/// The name of a project as indexes have it.
fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    parts.join("-")
}

/// Reads what an index says about a project.
pub(super) fn releases(document: &Document, name: &str) -> Told<Vec<Release>> {
    let text = std::str::from_utf8(&document.bytes);
    let text = text.map_err(|_| untold("pip", "the index's document about it is no text"))?;
    let files = match serde_json::from_str::<Value>(text) {
        Ok(value) => files_of_json(&value),
        Err(_) => files_of_html(text),
    };
    let files =
        files.ok_or_else(|| untold("pip", "the index's document about it cannot be read"))?;
    let mut releases: Vec<Release> = Vec::new();
    for (file, place) in files {
        if let Some(version) = version_of(&file, name)
            && let Some(place) = document.address.join(&place)
        {
            releases.push(Release { version, place });
        }
    }
    Ok(releases)
}

fn files_of_json(value: &Value) -> Option<Vec<(String, String)>> {
    let files = value.get("files")?.as_array()?;
    let text = |file: &Value, key: &str| Some(file.get(key)?.as_str()?.to_owned());
    let files = files.iter();
    Some(
        files
            .filter_map(|file| Some((text(file, "filename")?, text(file, "url")?)))
            .collect(),
    )
}

/// Links with the name of a file in them, the older form of the document.
fn files_of_html(text: &str) -> Option<Vec<(String, String)>> {
    if !text.to_ascii_lowercase().contains("<html") {
        return None;
    }
    let mut files = Vec::new();
    for link in text.split("<a ").skip(1) {
        let Some((inside, after)) = link.split_once('>') else {
            continue;
        };
        let Some((name, _)) = after.split_once("</a>") else {
            continue;
        };
        let Some((_, place)) = inside.split_once("href=\"") else {
            continue;
        };
        let place = place.split('"').next().unwrap_or_default();
        files.push((name.trim().to_owned(), place.replace("&amp;", "&")));
    }
    Some(files)
}

/// The version in the name of a source distribution of a project.
fn version_of(file: &str, name: &str) -> Option<String> {
    let stem = ENDINGS
        .iter()
        .find_map(|ending| file.strip_suffix(ending))?;
    // A name may have been written in several ways, and a version has no `-` in it.
    let (project, version) = stem.rsplit_once('-')?;
    (normalized(project) == normalized(name)).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{configured_values, default_index, files_of_html, version_of};

    #[test]
    fn what_pip_says_is_read() {
        let list = ":env:.cert='x'\nglobal.index-url='https://u:p@a.example/simple'\n\
                    install.index-url='https://b.example/simple'\n\
                    global.extra-index-url='https://c.example/s\\nhttps://d.example/s'\n";
        assert_eq!(
            configured_values(list, "index-url"),
            ["https://b.example/simple"]
        );
        assert_eq!(
            configured_values(list, "extra-index-url"),
            ["https://c.example/s", "https://d.example/s"]
        );
        let help = "  -i, --index-url <url>   Base (default https://e.example/simple). This\n";
        assert_eq!(
            default_index(help).as_deref(),
            Some("https://e.example/simple")
        );
    }

    #[test]
    fn names_of_source_distributions_are_read() {
        let version = |file| version_of(file, "Flit.core");
        assert_eq!(version("flit_core-3.9.0.tar.gz").as_deref(), Some("3.9.0"));
        assert_eq!(version("Flit-Core-3.9.zip").as_deref(), Some("3.9"));
        assert_eq!(version("flit_core-3.9.0-py3-none-any.whl"), None);
        assert_eq!(version("flit-3.9.0.tar.gz"), None);
        let html =
            "<!DOCTYPE html><html><a href=\"../x/a-1.tar.gz#sha256=0\" k=\"v\">a-1.tar.gz</a>";
        let files = files_of_html(html).expect("a page");
        assert_eq!(
            files,
            [(
                "a-1.tar.gz".to_owned(),
                "../x/a-1.tar.gz#sha256=0".to_owned()
            )]
        );
        assert_eq!(files_of_html("nothing"), None);
    }
}
