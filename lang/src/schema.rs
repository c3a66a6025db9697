//! The fields of every builder, as data: what is checked, documented and offered by editors.

/// What a field has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A version: text.
    Version,
    /// Text.
    Text,
    /// Yes or no.
    Bool,
    /// A list of texts, one argument each; templates.
    Arguments,
    /// A script: text, or a file.
    Script,
    /// A list of references.
    References,
    /// A reference, or a list of them.
    Base,
    /// A list of patches: names of files beside the definition, files, or sources.
    Patches,
    /// A source, a file or a directory.
    Source,
    /// Sources by name.
    Sources,
    /// Variables by name: text; templates.
    Env,
    /// Seeds by name.
    Seeds,
    /// Scripts by name.
    Scripts,
    /// Outputs by name: a list of globs, `"rest"`, or `#{ files, brings, about }`.
    Outputs,
    /// A list of platforms.
    Platforms,
    /// Texts by name.
    Texts,
    /// Paths by path; templates on both sides.
    Paths,
    /// A lock file and the crates it names, as `lock` gives them.
    Lock,
    /// Any data.
    Data,
}

/// One field of a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSchema {
    /// Its name.
    pub name: &'static str,
    /// What it has to be.
    pub kind: FieldKind,
    /// Whether it has to be there.
    pub required: bool,
    /// What holds when it is left out, as written.
    pub default: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

/// Whether a builder takes fields that its schema does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherFields {
    /// It refuses them.
    Refused,
    /// It takes them as data, which `build` reads.
    Data,
    /// Nobody knows: the builder does not exist.
    Unknown,
}

/// A builder: a function in scope of every package file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuilderSchema {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Its fields in the order in which they are written.
    pub groups: &'static [&'static [FieldSchema]],
    /// What becomes of other fields.
    pub other_fields: OtherFields,
}

const fn field(
    name: &'static str,
    kind: FieldKind,
    default: &'static str,
    doc: &'static str,
) -> FieldSchema {
    FieldSchema {
        name,
        kind,
        required: false,
        default,
        doc,
    }
}

const fn required(name: &'static str, kind: FieldKind, doc: &'static str) -> FieldSchema {
    FieldSchema {
        name,
        kind,
        required: true,
        default: "",
        doc,
    }
}

const ABOUT: &[FieldSchema] = &[
    required(
        "version",
        FieldKind::Version,
        "The version, as upstream writes it.",
    ),
    field(
        "description",
        FieldKind::Text,
        "",
        "What it is, in a sentence.",
    ),
    field(
        "license",
        FieldKind::Text,
        "",
        "Its license, as an SPDX expression.",
    ),
    field("website", FieldKind::Text, "", "Where to read about it."),
    field(
        "platforms",
        FieldKind::Platforms,
        "all",
        "The platforms it can be built for.",
    ),
];

const SOURCES: &[FieldSchema] = &[
    field(
        "source",
        FieldKind::Source,
        "",
        "Its source, taken apart in `/src`.",
    ),
    field(
        "sources",
        FieldKind::Sources,
        "#{}",
        "More sources, each taken apart in `/src/<name>`.",
    ),
    field(
        "commit",
        FieldKind::Text,
        "",
        "The commit of the source, for `{commit}`.",
    ),
    field(
        "patches",
        FieldKind::Patches,
        "[]",
        "Patches for the source, applied in order in `/src`.",
    ),
    field(
        "base",
        FieldKind::Base,
        "of the stage",
        "The root the build starts from.",
    ),
    field("needs", FieldKind::References, "[]", "What the build sees."),
];

const BRINGS: &[FieldSchema] = &[field(
    "brings",
    FieldKind::References,
    "[]",
    "What whoever gets this package gets too.",
)];

const ENV: &[FieldSchema] = &[field(
    "env",
    FieldKind::Env,
    "#{}",
    "Variables for the commands of the build.",
)];

const AFTER: &[FieldSchema] = &[
    field(
        "outputs",
        FieldKind::Outputs,
        "#{ main: everything }",
        "What goes into which output.",
    ),
    field(
        "test_base",
        FieldKind::Base,
        "of the stage",
        "The root the tests start from.",
    ),
    field(
        "test_needs",
        FieldKind::References,
        "[]",
        "What the tests see besides the package and what it brings.",
    ),
    field(
        "tests",
        FieldKind::Scripts,
        "#{}",
        "Scripts that have to succeed with the package in place.",
    ),
];

const LAST: &[FieldSchema] = &[
    field(
        "options",
        FieldKind::Texts,
        "#{}",
        "Options that `.with(#{…})` can set, with their defaults.",
    ),
    field(
        "update",
        FieldKind::Data,
        "",
        "How new versions are found; read by tools, never by a build.",
    ),
];

const BUILDING: &[FieldSchema] = &[
    field(
        "opaque",
        FieldKind::Text,
        "",
        "Why its sources are machine code that nothing of the plan made.",
    ),
    field(
        "seeds",
        FieldKind::Seeds,
        "#{}",
        "Machine code that is not built, by name.",
    ),
    field(
        "incremental",
        FieldKind::Bool,
        "false",
        "Whether a build of a local checkout finds what the last one left in the folder of its sources.",
    ),
];

const FOLDER: &[FieldSchema] = &[
    field(
        "folder",
        FieldKind::Text,
        "",
        "The folder of the source in which the commands run.",
    ),
    field(
        "regenerate",
        FieldKind::Arguments,
        "[]",
        "Files below `/src` that a generator made, taken out after the patches, so that the build makes them again.",
    ),
];

const CHECK: &[FieldSchema] = &[field(
    "check",
    FieldKind::Script,
    "",
    "Upstream's own tests, run after another build as the output `test.check`.",
)];

const INSTALL: FieldSchema = field(
    "install",
    FieldKind::Script,
    "of the builder",
    "Installs into `$OUT`.",
);

const SCRIPT: &[FieldSchema] = &[required(
    "script",
    FieldKind::Script,
    "Builds in `/src` and installs into `$OUT`.",
)];

const CMAKE: &[FieldSchema] = &[
    field(
        "cmake",
        FieldKind::Arguments,
        "[]",
        "Arguments of `cmake`, after those for a release in `/usr`.",
    ),
    field("make", FieldKind::Arguments, "[]", "Arguments of `make`."),
    INSTALL,
];

const MESON: &[FieldSchema] = &[
    field(
        "meson",
        FieldKind::Arguments,
        "[]",
        "Arguments of `meson setup`, after those for a release in `/usr`.",
    ),
    INSTALL,
];

const PYTHON: &[FieldSchema] = &[INSTALL];

const CARGO: &[FieldSchema] = &[
    required(
        "crates",
        FieldKind::Lock,
        "The lock file and the crates it names: `lock(\"Cargo.lock\")`.",
    ),
    required(
        "bins",
        FieldKind::Arguments,
        "The programs that are built and installed.",
    ),
    field(
        "cargo",
        FieldKind::Arguments,
        "[]",
        "Arguments of `cargo build`.",
    ),
    INSTALL,
];

const GOLANG: &[FieldSchema] = &[
    required(
        "packages",
        FieldKind::Arguments,
        "The packages whose programs are built, such as `./cmd/tool`.",
    ),
    field(
        "ldflags",
        FieldKind::Arguments,
        "[]",
        "Flags for the linker, after those that leave out what differs.",
    ),
];

const AUTOTOOLS: &[FieldSchema] = &[
    field(
        "configure",
        FieldKind::Arguments,
        "[]",
        "Arguments of `./configure` after `--prefix=/usr`.",
    ),
    field("make", FieldKind::Arguments, "[]", "Arguments of `make`."),
    field(
        "install",
        FieldKind::Script,
        "make DESTDIR=\"$OUT\" install",
        "Installs into `$OUT`.",
    ),
];

const MAKE: &[FieldSchema] = &[
    field("make", FieldKind::Arguments, "[]", "Arguments of `make`."),
    field(
        "install",
        FieldKind::Script,
        "make DESTDIR=\"$OUT\" PREFIX=/usr install",
        "Installs into `$OUT`.",
    ),
];

const PALLET: &[FieldSchema] = &[
    required(
        "holds",
        FieldKind::References,
        "The packages whose files it holds.",
    ),
    field(
        "copies",
        FieldKind::Paths,
        "#{}",
        "Files to copy: new path to the path copied.",
    ),
    field(
        "directories",
        FieldKind::Arguments,
        "[]",
        "Directories to make.",
    ),
    field(
        "links",
        FieldKind::Paths,
        "#{}",
        "Symlinks to make: path to target.",
    ),
    field(
        "files",
        FieldKind::Texts,
        "#{}",
        "Files to write: path to text.",
    ),
    field(
        "entrypoint",
        FieldKind::Arguments,
        "[]",
        "The program an image of it runs.",
    ),
];

/// The builders, sorted by name.
pub const BUILDERS: &[BuilderSchema] = &[
    BuilderSchema {
        name: "autotools",
        doc: "Runs `./configure`, `make` and an installation.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, AUTOTOOLS, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "cargo",
        doc: "Builds Rust programs with the crates of a lock file.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, CARGO, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "cmake",
        doc: "Configures with CMake, builds and installs with make.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, CMAKE, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "custom",
        doc: "Calls the file's own `fn build(p)`.",
        groups: &[ABOUT, SOURCES, BRINGS, ENV, AFTER, BUILDING, LAST],
        other_fields: OtherFields::Data,
    },
    BuilderSchema {
        name: "golang",
        doc: "Builds Go programs.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, GOLANG, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "make",
        doc: "Runs `make` and an installation.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, MAKE, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "meson",
        doc: "Configures with Meson, builds and installs with ninja.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, MESON, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "pallet",
        doc: "Joins packages into one root that runs as it is.",
        groups: &[ABOUT, PALLET, BRINGS, ENV, LAST],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "python",
        doc: "Builds and installs a wheel.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, PYTHON, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
    BuilderSchema {
        name: "script",
        doc: "Runs one script.",
        groups: &[
            ABOUT, SOURCES, FOLDER, BRINGS, ENV, SCRIPT, AFTER, CHECK, BUILDING, LAST,
        ],
        other_fields: OtherFields::Refused,
    },
];

/// What stands for a builder that does not exist: the fields of all, so that what is wrong with one
/// whatever the builder is can be said. Its name cannot be written in a file.
pub(crate) static UNKNOWN_BUILDER: BuilderSchema = BuilderSchema {
    name: "(unknown builder)",
    doc: "",
    groups: &[
        ABOUT, SOURCES, FOLDER, BRINGS, ENV, SCRIPT, AUTOTOOLS, CMAKE, MESON, CARGO, GOLANG,
        PALLET, AFTER, CHECK, BUILDING, LAST,
    ],
    other_fields: OtherFields::Unknown,
};

/// Names of builders that are reserved and not part of this version.
pub const RESERVED_BUILDERS: &[&str] = &["image"];

impl BuilderSchema {
    /// Finds a builder.
    pub fn find(name: &str) -> Option<&'static Self> {
        BUILDERS.iter().find(|builder| builder.name == name)
    }

    /// The fields in the order in which they are written.
    pub fn fields(&self) -> impl Iterator<Item = &'static FieldSchema> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// Finds a field.
    pub fn field(&self, name: &str) -> Option<&'static FieldSchema> {
        self.fields().find(|field| field.name == name)
    }
}

impl FieldKind {
    /// What it has to be, in words that follow "expected".
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Version | Self::Text => "text",
            Self::Bool => "`true` or `false`",
            Self::Arguments => "a list of texts",
            Self::Script => "text or `file(…)`",
            Self::References => "a list of labels",
            Self::Base => "a label or a list of labels",
            Self::Patches => "a list of names of files",
            Self::Source => "`url(…)`, `git(…)`, `file(…)` or `dir(…)`",
            Self::Sources => "a map of sources",
            Self::Env | Self::Texts => "a map of texts",
            Self::Seeds => "a map of seeds",
            Self::Scripts => "a map of scripts",
            Self::Outputs => "a map of outputs",
            Self::Platforms => "a list of platforms",
            Self::Paths => "a map of paths",
            Self::Lock => "`lock(…)`",
            Self::Data => "data",
        }
    }

    /// Whether templates such as `{version}` are expanded in it.
    pub const fn has_templates(self) -> bool {
        matches!(
            self,
            Self::Arguments | Self::Env | Self::Lock | Self::Paths | Self::Source | Self::Sources
        )
    }
}
