//! The names that are in scope, how they are called, and which of them are near to another name.

/// Functions and operations with the way they are called.
const USAGES: &[(&str, &str)] = &[
    ("add", ".add([\"core/gcc\"])"),
    ("argvs", ".argvs(#\"…\"#)"),
    ("assert_equal", ".assert_equal(\"/a\", \"/b\")"),
    ("autotools", "autotools(#{ … })"),
    ("cd", ".cd(\"/src\")"),
    ("change", ".change(#{ … })"),
    ("copy", ".copy(\"/from\", \"/to\")"),
    ("custom", "custom(#{ … })"),
    ("dir", "dir(\"../zlib\", #{ ignore: [\"*.o\"] })"),
    ("drop", ".drop([\"usr/share/**\"])"),
    ("env", ".env(#{ CC: \"clang\" })"),
    ("file", "file(\"name\")"),
    ("keep", ".keep([\"usr/bin/*\"])"),
    ("make", "make(#{ … })"),
    ("mkdir", ".mkdir(\"/out/bin\")"),
    ("move", ".move(\"/from\", \"/to\")"),
    ("on", ".on(\"i686\")"),
    ("out", ".out(\"/out\")"),
    ("output", ".output(\"name\")"),
    ("pallet", "pallet(#{ … })"),
    ("patch", ".patch([file(\"x.patch\")])"),
    ("pkg", "pkg(\"core/zlib\")"),
    ("prior", "prior()"),
    (
        "put",
        ".put(file(\"x\"), \"/path\")` or `.put(file(\"x\"), \"/path\", \"exec\")",
    ),
    ("remove", ".remove(\"/path\")"),
    ("root", "root([\"core/busybox\"])"),
    (
        "run",
        ".run([\"/bin/tool\", \"argument\"])` or `.run(#\"…\"#)",
    ),
    ("run_all", ".run_all([[\"/bin/tool\"], [\"/bin/other\"]])"),
    ("script", "script(#{ … })"),
    ("seed", "seed(\"x.hex\", \"sha256:…\")"),
    ("set_executable", ".set_executable(\"/path\", true)"),
    ("substitute", ".substitute(\"/path\", \"old\", \"new\")"),
    ("symlink", ".symlink(\"/path\", \"target\")"),
    ("timeout", ".timeout(600)"),
    ("unpack", ".unpack(p.source, \"/src\")"),
    ("url", "url(\"https://…\", \"sha256:…\")"),
    ("user", ".user(\"tester\")"),
    ("with", ".with(#{ option: \"value\" })"),
    (
        "write",
        ".write(\"/path\", \"text\")` or `.write(\"/path\", \"text\", \"exec\")",
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
pub(crate) fn usage(name: &str) -> Option<&'static str> {
    USAGES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, usage)| *usage)
}

/// The names of our functions.
pub(crate) fn names<'a>() -> impl Iterator<Item = &'a str> {
    USAGES.iter().map(|(name, _)| *name)
}

/// The names of our methods.
pub(crate) fn methods<'a>() -> impl Iterator<Item = &'a str> {
    let methods = USAGES.iter().filter(|(_, usage)| usage.starts_with('.'));
    methods.map(|(name, _)| *name)
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
