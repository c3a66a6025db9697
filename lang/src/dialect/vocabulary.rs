//! The names that are in scope, how they are called, and which of them are near to another name.

/// A function of ours: how it is called, and what it gives. What builders do is in their schemas.
pub(crate) struct Usage {
    pub(crate) name: &'static str,
    /// One call or several, ready to stand in back-ticks.
    pub(crate) call: &'static str,
    /// A sentence; empty for builders.
    pub(crate) doc: &'static str,
}

const fn usage(name: &'static str, call: &'static str, doc: &'static str) -> Usage {
    Usage { name, call, doc }
}

/// Functions and operations, sorted by name.
const USAGES: &[Usage] = &[
    usage("add", ".add([\"core/gcc\"])", "Merges more over a root."),
    usage(
        "argvs",
        ".argvs(#\"…\"#)",
        "Runs a program on every line, split at blanks, without quoting; each is a step of its own.",
    ),
    usage(
        "assert_equal",
        ".assert_equal(\"/a\", \"/b\")",
        "An output that is empty, and fails unless two paths are equal.",
    ),
    usage("autotools", "autotools(#{ … })", ""),
    usage("cargo", "cargo(#{ … })", ""),
    usage(
        "cd",
        ".cd(\"/src\")",
        "The directory of the commands after it.",
    ),
    usage(
        "change",
        ".change(#{ … })",
        "A definition or source with other fields.",
    ),
    usage("cmake", "cmake(#{ … })", ""),
    usage(
        "copy",
        ".copy(\"/from\", \"/to\")",
        "Copies a file or directory in a root.",
    ),
    usage("custom", "custom(#{ … })", ""),
    usage(
        "dir",
        "dir(\"../zlib\", #{ ignore: [\"*.o\"] })",
        "A directory beside the definition; `../x` is counted from the workspace's folder.",
    ),
    usage(
        "drop",
        ".drop([\"usr/share/**\"])",
        "An output without what globs match; each has to match.",
    ),
    usage(
        "env",
        ".env(#{ CC: \"clang\" })",
        "Variables for the commands after it.",
    ),
    usage("file", "file(\"name\")", "A file beside the definition."),
    usage("golang", "golang(#{ … })", ""),
    usage(
        "git",
        "git(\"https://…\", \"<40 digits>\", \"tree:…\")",
        "The files of a commit, as a directory, locked by the digest of their tree.",
    ),
    usage(
        "keep",
        ".keep([\"usr/bin/*\"])",
        "An output of only what globs match; each has to match.",
    ),
    usage(
        "lock",
        "lock(\"Cargo.lock\")",
        "A lock file beside the definition, and a source for every crate in it.",
    ),
    usage("make", "make(#{ … })", ""),
    usage(
        "member",
        ".member(\"pack-1.0/inner.tar.xz\")",
        "A file of an archive from outside, such as another archive.",
    ),
    usage("meson", "meson(#{ … })", ""),
    usage(
        "mkdir",
        ".mkdir(\"/out/bin\")",
        "Makes a directory, with those above it.",
    ),
    usage(
        "move",
        ".move(\"/from\", \"/to\")",
        "Moves a file or directory in a root.",
    ),
    usage("on", ".on(\"i686\")", "A reference for another platform."),
    usage(
        "out",
        ".out(\"/out\")",
        "An output: `/out`, or another directory of a root.",
    ),
    usage("output", ".output(\"name\")", "A reference to an output."),
    usage("pallet", "pallet(#{ … })", ""),
    usage(
        "patch",
        ".patch([file(\"x.patch\")])",
        "Applies patches below the working directory.",
    ),
    usage(
        "pkg",
        "pkg(\"core/zlib\")",
        "A reference to a package; its fields can be read.",
    ),
    usage("prior", "prior()", "What an overlay replaces."),
    usage(
        "put",
        ".put(file(\"x\"), \"/path\")` or `.put(file(\"x\"), \"/path\", \"exec\")",
        "Puts a file at a path, or a tree below it.",
    ),
    usage("python", "python(#{ … })", ""),
    usage(
        "remove",
        ".remove(\"/path\")",
        "Removes a file or directory from a root.",
    ),
    usage(
        "root",
        "root([\"core/busybox\"])",
        "An empty root, or the merge of what is listed.",
    ),
    usage(
        "run",
        ".run([\"/bin/tool\", \"argument\"])` or `.run(#\"…\"#)",
        "Runs a program without a shell, or a script in the root's shell.",
    ),
    usage(
        "run_all",
        ".run_all([[\"/bin/tool\"], [\"/bin/other\"]])",
        "Runs several commands in one sandbox: one cached step.",
    ),
    usage("script", "script(#{ … })", ""),
    usage(
        "seed",
        "seed(\"x.hex\", \"sha256:…\")",
        "The bytes that an annotated hexadecimal text stands for.",
    ),
    usage(
        "set_executable",
        ".set_executable(\"/path\", true)",
        "Sets or clears the executable bit.",
    ),
    usage(
        "substitute",
        ".substitute(\"/path\", \"old\", \"new\")",
        "Replaces text in a file, at least once.",
    ),
    usage(
        "symlink",
        ".symlink(\"/path\", \"target\")",
        "Makes a symlink.",
    ),
    usage(
        "timeout",
        ".timeout(600)",
        "Time limits of the commands after it, in seconds: in all, and without output.",
    ),
    usage(
        "unpack",
        ".unpack(p.source, \"/src\")",
        "Takes an archive apart below a path.",
    ),
    usage(
        "url",
        "url(\"https://…\", \"sha256:…\")",
        "A source from outside, locked by its hash; several addresses are mirrors.",
    ),
    usage(
        "user",
        ".user(\"tester\")",
        "The user of the commands after it: `root` or `tester`.",
    ),
    usage(
        "with",
        ".with(#{ option: \"value\" })",
        "A reference with options set.",
    ),
    usage(
        "write",
        ".write(\"/path\", \"text\")` or `.write(\"/path\", \"text\", \"exec\")",
        "Writes a file.",
    ),
];

/// Functions of Rhai that the dialect does not have.
const ABSENT: &[(&str, &str)] = &[
    ("curry", "write a function of the file's own"),
    ("exit", "a file ends with its value"),
    (
        "parse_json",
        "definitions are written in the language itself",
    ),
    ("rand", "a definition is the same every time"),
    ("sleep", "a definition does not wait"),
    ("timestamp", "a definition knows no time"),
];

/// Why a function is not there.
pub(crate) fn absent(name: &str) -> Option<&'static str> {
    ABSENT
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, reason)| *reason)
}

/// How a function of ours is called.
pub(crate) fn usage_of(name: &str) -> Option<&'static str> {
    let known = USAGES.iter().find(|known| known.name == name);
    known.map(|known| known.call)
}

/// All functions of ours but the builders.
pub(crate) fn functions() -> impl Iterator<Item = &'static Usage> {
    USAGES.iter().filter(|usage| !usage.doc.is_empty())
}

/// The names of our functions.
pub(crate) fn names<'a>() -> impl Iterator<Item = &'a str> {
    USAGES.iter().map(|usage| usage.name)
}

/// The names of our methods.
pub(crate) fn methods<'a>() -> impl Iterator<Item = &'a str> {
    let methods = USAGES.iter().filter(|it| it.call.starts_with('.'));
    methods.map(|it| it.name)
}

/// The names of the builders.
pub(crate) fn builders<'a>() -> impl Iterator<Item = &'a str> {
    crate::schema::BUILDERS.iter().map(|builder| builder.name)
}

/// The names that are near to a name, nearest first, at most three.
pub(crate) fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    within(name, names, |length| 1 + length / 4)
}

/// The names that are so near to a name that it can hardly be meant to differ.
pub(crate) fn mistyped<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    within(name, names, |length| 1 + length / 6)
}

fn within<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str>,
    distance_max: impl Fn(usize) -> usize,
) -> Vec<String> {
    let mut near: Vec<(usize, &str)> = names
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= distance_max(name.len().min(known.len())))
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter()
        .take(3)
        .map(|(_, known)| known.to_owned())
        .collect()
}

/// The hint that suggests names.
pub(crate) fn did_you_mean(names: &[String]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [first @ .., last] => Some(format!("did you mean {} or {last}?", first.join(", "))),
    }
}
