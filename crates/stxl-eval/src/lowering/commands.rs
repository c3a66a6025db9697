//! Commands and the environment they see.

use std::collections::BTreeMap;

use stxl_lang::{Command, Site};
use stxl_model::{Argv, RootPath, SCRIPT_PREAMBLE, SCRIPT_SHELL};

use super::{Lowering, Reported, RootState};

/// Longest script or other word of a command line. The kernel's limit is 128 KiB for one string;
/// what is left is for the preamble and for shells that copy.
const WORD_BYTES_MAX: usize = 120 << 10;

/// Where builds put what they make.
const OUT_PATH: &str = "/out";

/// The default of `SOURCE_DATE_EPOCH` and the time of every file in a root: 1980-01-01, the
/// earliest that zip can hold.
const SOURCE_DATE_EPOCH: &str = "315532800";

/// Variables that have one meaning everywhere, and those that are outside of every key.
const RESERVED_VARIABLES: [&str; 3] = ["JOBS", "MAKEFLAGS", "OUT"];

/// Commands as an exec holds them, and where the first script of them stands.
pub(super) struct LoweredCommands {
    pub(super) argvs: Vec<Argv>,
    pub(super) script: Option<Site>,
}

/// The variables that every run finds, unless the package sets them.
const STANDARD_VARIABLES: [&str; 8] = [
    "ARCH",
    "HOME",
    "NAME",
    "OUT",
    "PATH",
    "SOURCE_DATE_EPOCH",
    "TRIPLE",
    "VERSION",
];

/// Whether every run finds a variable, unless the package sets it.
pub(crate) fn is_standard_variable(name: &str) -> bool {
    STANDARD_VARIABLES.contains(&name)
}

pub(super) fn out_path() -> RootPath {
    RootPath::parse(OUT_PATH.as_bytes()).unwrap_or_else(|_| RootPath::root())
}

impl Lowering<'_> {
    pub(super) fn commands(
        &mut self,
        commands: &[Command],
        site: &Site,
    ) -> Result<LoweredCommands, Reported> {
        let mut lowered = LoweredCommands {
            argvs: Vec::new(),
            script: None,
        };
        for command in commands {
            let argv = match command {
                Command::Argv(words) if words.is_empty() => {
                    let message = "A command without a program".to_owned();
                    return Err(self.report("empty-command", message, site));
                }
                Command::Argv(words) => {
                    for word in words {
                        self.check_word(word, "An argument", site)?;
                    }
                    words.iter().map(|word| word.clone().into_bytes()).collect()
                }
                Command::Script { text, site: script } => {
                    self.check_word(text, "A script", script)?;
                    if lowered.script.is_none()
                        && script.line != 0
                        && !script.path.as_str().starts_with("stdlib/")
                    {
                        lowered.script = Some(script.clone());
                    }
                    let text = format!("{SCRIPT_PREAMBLE}{text}");
                    let words = SCRIPT_SHELL.into_iter().chain([text.as_str()]);
                    words.map(|word| word.as_bytes().to_vec()).collect()
                }
            };
            lowered.argvs.push(argv);
        }
        if lowered.argvs.is_empty() {
            let message = "A run without a command".to_owned();
            return Err(self.report("empty-command", message, site));
        }
        Ok(lowered)
    }

    fn check_word(&mut self, word: &str, what: &str, site: &Site) -> Result<(), Reported> {
        if word.len() > WORD_BYTES_MAX {
            let kib = WORD_BYTES_MAX / 1024;
            let message = format!("{what} of more than {kib} KiB cannot be handed to a program");
            let hint = "put the text into a file of the root: `.put(file(…), …)`".to_owned();
            return Err(self.report_with_hints("script-too-long", message, site, vec![hint]));
        }
        if word.contains('\0') {
            let message = format!("{what} with a zero byte cannot be handed to a program");
            return Err(self.report("nul-in-command", message, site));
        }
        Ok(())
    }

    pub(super) fn set_env(
        &mut self,
        state: &mut RootState,
        variables: &BTreeMap<String, String>,
        site: &Site,
    ) -> Result<(), Reported> {
        for (name, value) in variables {
            if RESERVED_VARIABLES.contains(&name.as_str()) && value != OUT_PATH {
                let message = format!("The variable `{name}` is set by stxl");
                return Err(self.report("reserved-variable", message, site));
            }
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("`{}` cannot be the name of a variable", name.escape_debug());
                return Err(self.report("bad-variable", message, site));
            }
            self.check_word(value, &format!("The variable `{name}`"), site)?;
        }
        let all = std::sync::Arc::make_mut(&mut state.env);
        all.extend(
            variables
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        Ok(())
    }

    /// The whole environment of a run: defaults, then what the package sets.
    pub(super) fn environment(&self, set: &BTreeMap<String, String>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let platform = self.node.configured.platform;
        let defaults = [
            ("ARCH", platform.name()),
            ("HOME", "/tmp"),
            ("NAME", self.node.label.package()),
            ("OUT", OUT_PATH),
            ("PATH", "/usr/bin:/bin"),
            ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH),
            ("TRIPLE", platform.triple()),
            ("VERSION", &self.facts.version),
        ];
        let set = set
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let all = defaults.into_iter().chain(set);
        all.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect()
    }
}
