//! The form of `cases.toml`, which `stages/stage0/README.md` describes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stxl_model::{RootPath, Sha256, decode_hex_text};

/// Commands, the files before them and the files after them.
#[derive(Debug)]
pub(crate) struct Case {
    /// The rung and its own name: `hex2/unknown-label`.
    pub(crate) name: String,
    /// The rungs in the root, the one that is tested first.
    pub(crate) rungs: Vec<String>,
    /// The files of the root besides those of the rungs.
    pub(crate) before: Vec<(RootPath, Vec<u8>)>,
    /// What runs, in this order.
    pub(crate) commands: Vec<CaseCommand>,
    /// What is looked at when all has run.
    pub(crate) after: Vec<(RootPath, Expected)>,
}

/// One command and how it has to end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseCommand {
    /// The program and its arguments.
    pub(crate) argv: Vec<String>,
    /// The exit status.
    pub(crate) status: u8,
}

/// What has to be at a path.
#[derive(Debug)]
pub(crate) enum Expected {
    /// Nothing.
    Nothing,
    /// A file with this digest.
    Digest(Sha256),
    /// A file with these bytes.
    Bytes(Vec<u8>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    #[serde(default)]
    case: Vec<CaseText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    name: String,
    #[serde(default)]
    roots: Vec<String>,
    #[serde(default, rename = "in")]
    before: BTreeMap<String, Content>,
    run: Vec<CaseCommand>,
    #[serde(default, rename = "out")]
    after: BTreeMap<String, ExpectedText>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Content {
    Text {
        text: String,
    },
    Hex {
        hex: String,
    },
    File {
        file: PathBuf,
    },
    Repeat {
        repeat: String,
        times: usize,
        #[serde(default)]
        before: String,
        #[serde(default)]
        then: String,
    },
    RepeatHex {
        repeat_hex: String,
        times: usize,
        #[serde(default)]
        before_hex: String,
        #[serde(default)]
        then_hex: String,
    },
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum ExpectedText {
    Absent { absent: bool },
    Digest { sha256: String },
    Content(Content),
}

/// Reads the cases of one rung, in the order of the file.
pub(crate) fn read(folder: &Path, rung: &str) -> Result<Vec<Case>, String> {
    let file = folder.join("cases.toml");
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let parsed: CaseFile =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let convert = |case: CaseText| {
        let name = format!("{rung}/{}", case.name);
        convert(case, folder, rung).map_err(|message| format!("{name}: {message}"))
    };
    parsed.case.into_iter().map(convert).collect()
}

fn convert(case: CaseText, folder: &Path, rung: &str) -> Result<Case, String> {
    if case.run.is_empty() || case.run.iter().any(|command| command.argv.is_empty()) {
        return Err("a command is missing or empty".to_owned());
    }
    let before = case.before.into_iter().map(|(path, content)| {
        let bytes = content
            .bytes(folder)
            .map_err(|message| format!("`{path}`: {message}"))?;
        Ok((root_path(&path)?, bytes))
    });
    let after = case.after.into_iter().map(|(path, expected)| {
        let expected = expected
            .convert(folder)
            .map_err(|message| format!("`{path}`: {message}"))?;
        Ok((root_path(&path)?, expected))
    });
    Ok(Case {
        name: format!("{rung}/{}", case.name),
        rungs: std::iter::once(rung.to_owned()).chain(case.roots).collect(),
        before: before.collect::<Result<_, String>>()?,
        commands: case.run,
        after: after.collect::<Result<_, String>>()?,
    })
}

fn root_path(path: &str) -> Result<RootPath, String> {
    if !path.starts_with('/') {
        return Err(format!("`{path}` is not absolute"));
    }
    RootPath::parse(path.as_bytes()).map_err(|error| error.to_string())
}

impl Content {
    fn bytes(&self, folder: &Path) -> Result<Vec<u8>, String> {
        match self {
            Self::Text { text } => Ok(text.clone().into_bytes()),
            Self::Hex { hex } => decode(hex),
            Self::File { file } => std::fs::read(folder.join(file))
                .map_err(|error| format!("{} cannot be read: {error}", file.display())),
            Self::Repeat {
                repeat,
                times,
                before,
                then,
            } => Ok([
                before.as_bytes(),
                &repeat.as_bytes().repeat(*times),
                then.as_bytes(),
            ]
            .concat()),
            Self::RepeatHex {
                repeat_hex,
                times,
                before_hex,
                then_hex,
            } => {
                let middle = decode(repeat_hex)?.repeat(*times);
                Ok([decode(before_hex)?, middle, decode(then_hex)?].concat())
            }
        }
    }
}

impl ExpectedText {
    fn convert(self, folder: &Path) -> Result<Expected, String> {
        match self {
            Self::Absent { absent: true } => Ok(Expected::Nothing),
            Self::Absent { absent: false } => Err("`absent` can only be true".to_owned()),
            Self::Digest { sha256 } => Sha256::parse(&format!("sha256:{sha256}"))
                .map(Expected::Digest)
                .map_err(|error| error.to_string()),
            Self::Content(content) => content.bytes(folder).map(Expected::Bytes),
        }
    }
}

fn decode(hex: &str) -> Result<Vec<u8>, String> {
    decode_hex_text(hex.as_bytes()).map_err(|error| error.to_string())
}
