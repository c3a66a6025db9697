//! Packages that are built from directories: `--override` for one command, `stxl dev` for all.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::Value;

use crate::place::{DIRECTORY_PACKAGE, Place, Ran};

/// A workspace whose package `first/data` is its folder `files`, and `first/more` what it gives.
fn place() -> Place {
    let place = Place::with_first_package();
    place.write("stages/first/data/package.rhai", DIRECTORY_PACKAGE);
    place.write("stages/first/data/files/text", "theirs");
    place.write("stages/first/more/package.rhai", MORE);
    place
}

const MORE: &str = r#"custom(#{
    version: "1",
    description: "What first/data gives, in a folder",
    license: "MIT",
    platforms: ["i686"],
});

fn build(p) {
    #{ main: root("first/data").copy("/text", "/out/inner/text").out("/out") }
}
"#;

/// Files below a folder beside the workspace, or anywhere.
fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

fn fine(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// What an output's file holds.
fn text_of(place: &Place, words: &[&str], file: &str) -> String {
    let path = fine(place.run(&[&["store", "path"], words].concat())).stdout;
    fs::read_to_string(Path::new(path.trim()).join(file)).unwrap()
}

/// The ids of all derivations, which say everything about a plan but where it was written.
fn ids(ran: &Ran) -> Vec<Value> {
    let record = fine_ref(ran).json();
    let derivations = record["derivations"].as_array().unwrap();
    derivations.iter().map(|it| it["id"].clone()).collect()
}

fn fine_ref(ran: &Ran) -> &Ran {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn an_override_is_what_the_overlay_would_be() {
    let place = place();
    write(&place.path().join("data"), &[("text", "ours")]);
    let over = ["first/more", "--override", "first/data=../data"];
    let built = fine(place.run(&[&["build"], over.as_slice()].concat()));
    assert!(
        built.stderr.contains("first/data is built from ../data"),
        "{built:?}"
    );
    assert_eq!(text_of(&place, &over, "inner/text"), "ours");
    // One command only.
    let built = fine(place.run(&["build", "first/more"]));
    assert!(!built.stderr.contains("is built from"), "{built:?}");
    assert_eq!(text_of(&place, &["first/more"], "inner/text"), "theirs");
    let once = place.run(&[&["eval", "--json"], over.as_slice()].concat());
    fine(place.run(&["dev", "first/data", "../data"]));
    let always = place.run(&["eval", "--json", "first/more"]);
    assert_eq!(ids(&once), ids(&always));
    // An override lies over the overlay.
    write(&place.path().join("other"), &[("text", "another")]);
    let over = ["first/more", "--override", "first/data=../other"];
    fine(place.run(&[&["build"], over.as_slice()].concat()));
    assert_eq!(text_of(&place, &over, "inner/text"), "another");
}

#[test]
fn an_override_is_evaluated_with_what_is_remembered_without_it() {
    let place = place();
    write(&place.path().join("data"), &[("text", "ours")]);
    fine(place.run(&["eval"]));
    let over = [
        "eval",
        "--explain-cache",
        "--override",
        "first/data=../data",
    ];
    let said = fine(place.run(&over)).stderr;
    assert!(said.contains("recalled 2 packages, evaluated 1"), "{said}");
    assert!(said.contains("first/data: "), "{said}");
    let said = fine(place.run(&over)).stderr;
    assert!(said.contains("recalled 3 packages, evaluated 0"), "{said}");
    // Neither takes the memory of the other away.
    let said = fine(place.run(&["eval", "--explain-cache"])).stderr;
    assert!(said.contains("recalled 3 packages, evaluated 0"), "{said}");
    write(&place.path().join("data"), &[("text", "edited")]);
    let said = fine(place.run(&over)).stderr;
    assert!(said.contains("recalled 2 packages, evaluated 1"), "{said}");
}

/// What is typed after `first/data=`, the code and what is said.
const WRONG: &[(&str, i32, &str)] = &[
    ("nowhere", 2, "there is no directory `nowhere`"),
    ("~/data", 2, "`~` stands for nothing here: write `$HOME`"),
    ("../data/text", 2, "`../data/text` is no directory"),
    ("../store", 2, "`../store` lies in a store"),
    ("../store/packs", 2, "`../store/packs` lies in a store"),
    ("..", 2, "`..` holds the store"),
    (
        "../socket",
        2,
        "`../socket/s` cannot be read: a tree holds files, symlinks and directories",
    ),
    (
        "../pattern",
        2,
        "`../pattern/.gitignore`, line 2: `a[` is not a pattern",
    ),
];

#[test]
fn a_directory_that_cannot_be_a_source_is_refused_with_its_name() {
    let place = place();
    let beside = |name: &str| place.path().join(name);
    write(&beside("data"), &[("text", "ours")]);
    write(
        &beside("pattern"),
        &[("text", ""), (".gitignore", "*.o\na[\n")],
    );
    fs::create_dir(beside("socket")).unwrap();
    let _socket = UnixListener::bind(beside("socket/s")).unwrap();
    fine(place.run(&["build", "first/hello"]));
    for (typed, code, expected) in WRONG {
        let over = format!("first/data={typed}");
        let ran = place.run(&["build", "first/data", "--override", &over]);
        assert_eq!(ran.code, *code, "{typed}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{typed}: {}", ran.stderr);
        // It is not written either.
        if !typed.starts_with('~') {
            let ran = place.run(&["dev", "first/data", typed]);
            assert_eq!(ran.code, *code, "{typed}: {ran:?}");
            assert!(ran.stderr.contains(expected), "{typed}: {}", ran.stderr);
            assert!(!place.workspace().join("local").exists(), "{typed}");
        }
    }
    let cases: &[(&[&str], &str)] = &[
        (&["--override", "first/data"], "`LABEL=DIR` is expected"),
        (&["--override", "first/data="], "`LABEL=DIR` is expected"),
        (&["--override", "data=../data"], "`data`"),
        (
            &[
                "--override",
                "first/data=../data",
                "--override-patched",
                "first/data=../data",
            ],
            "`first/data` is overridden twice",
        ),
        (
            &["--override", "first/dat=../data"],
            "did you mean `first/data`?",
        ),
        (&["--override", "first/more=../data"], "`source` is not set"),
    ];
    for (words, expected) in cases {
        let ran = place.run(&[&["eval"], *words].concat());
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{words:?}: {}", ran.stderr);
    }
    let ran = fine(place.run(&["build", "first/hello", "--override", "first/data=../data"]));
    assert!(
        ran.stderr
            .contains("nothing that is asked for needs first/data"),
        "{ran:?}"
    );
}

#[test]
fn what_compilers_leave_and_gitignore_names_is_left_out() {
    let place = place();
    let data = place.path().join("data");
    let files = [
        "text",
        "x.c",
        "x.o",
        "sub/x.lo",
        "lib.so",
        "lib.so.1",
        ".git/config",
        ".x.c.swp",
        "x.c~",
        "out/made",
        "sub/out/made",
        "log.txt",
        "configure",
        "kept.log",
        "sub/.deps/x",
    ];
    for file in files {
        write(&data, &[(file, file)]);
    }
    write(
        &data,
        &[(
            ".gitignore",
            "# made\r\n/out/\n*.log\n!kept.log\nlog.txt\nconfigure\n",
        )],
    );
    let seen = |words: &[&str]| {
        fine(place.run(&[&["build", "first/data"], words].concat()));
        let path = [&["store", "path", "first/data"], words].concat();
        let path = fine(place.run(&path)).stdout;
        let mut seen = Vec::new();
        list(Path::new(path.trim()), "", &mut seen);
        seen
    };
    let expected = [".gitignore", "kept.log", "sub/out/made", "text", "x.c"];
    assert_eq!(seen(&["--override", "first/data=../data"]), expected);
    // What is wanted all the same is taken back in the overlay, which is the user's to change.
    fine(place.run(&["dev", "first/data", "../data"]));
    assert_eq!(seen(&[]), expected);
    let overlay = "local/first/data/package.rhai";
    place.edit(overlay, |text| {
        text.replace("\".git\",", "\".git\", \"!configure\",")
    });
    let expected = [
        ".gitignore",
        "configure",
        "kept.log",
        "sub/out/made",
        "text",
        "x.c",
    ];
    assert_eq!(seen(&[]), expected);
    // The file counts as it is at each build.
    write(&data, &[(".gitignore", "sub/\n*.log\n")]);
    let expected = [
        ".gitignore",
        "configure",
        "log.txt",
        "out/made",
        "text",
        "x.c",
    ];
    assert_eq!(seen(&[]), expected);
}

fn list(folder: &Path, below: &str, seen: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &format!("{name}/"), seen);
        } else {
            seen.push(name);
        }
    }
}

#[test]
fn dev_writes_tells_how_to_undo_and_touches_nothing_of_others() {
    let place = place();
    let overlay = place.workspace().join("local/first/data/package.rhai");
    write(&place.path().join("data"), &[("text", "ours")]);
    write(&place.path().join("other"), &[("text", "another")]);
    let ran = fine(place.run(&["dev", "first/data", "../data"]));
    assert!(
        ran.stderr.contains("undo this: stxl dev first/data --off"),
        "{ran:?}"
    );
    fine(place.run(&["build", "first/data"]));
    assert_eq!(text_of(&place, &["first/data"], "text"), "ours");
    let record = fine(place.run(&["dev", "--json"])).json();
    assert_eq!(record["packages"][0]["label"], "first/data");
    assert_eq!(record["packages"][0]["directory"], "../data");
    assert_eq!(record["packages"][0]["written_by_dev"], true);
    let listed = fine(place.run(&["dev"])).stdout;
    assert_eq!(
        listed,
        "first/data\t../data\tlocal/first/data/package.rhai\n"
    );
    // Its own file may be replaced, a changed one not.
    fine(place.run(&["dev", "first/data", "../other"]));
    fine(place.run(&["build", "first/data"]));
    assert_eq!(text_of(&place, &["first/data"], "text"), "another");
    let own = fs::read_to_string(&overlay).unwrap();
    for (text, expected) in [
        (
            own.replace("true,", "false,"),
            "was changed since `stxl dev` wrote it",
        ),
        ("prior()\n".to_owned(), "was not written by `stxl dev`"),
    ] {
        fs::write(&overlay, &text).unwrap();
        for words in [
            ["dev", "first/data", "../data"],
            ["dev", "first/data", "--off"],
        ] {
            let ran = place.run(&words);
            assert_eq!(ran.code, 2, "{ran:?}");
            assert!(ran.stderr.contains(expected), "{ran:?}");
            assert_eq!(fs::read_to_string(&overlay).unwrap(), text);
        }
    }
    fs::write(&overlay, own).unwrap();
    fine(place.run(&["dev", "first/data", "--off"]));
    assert!(!place.workspace().join("local").exists());
    assert_eq!(fine(place.run(&["dev"])).stdout, "");
    fine(place.run(&["build", "first/data"]));
    assert_eq!(text_of(&place, &["first/data"], "text"), "theirs");
    let ran = place.run(&["dev", "first/data", "--off"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let ran = place.run(&["dev", "first/dat", "../data"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("There is no package `first/dat`"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("did you mean `first/data`?"), "{ran:?}");
    assert_eq!(
        ran.stderr.matches("error").count(),
        2,
        "one, and its count: {ran:?}"
    );
    assert!(!place.workspace().join("local").exists());
}

#[test]
fn a_directory_beside_is_read_whatever_is_in_its_name() {
    let place = place();
    for name in ["with \"quotes\"", "with\\backslash", "with\"../data", "é ü"] {
        let folder = place.path().join(name);
        write(&folder, &[("text", name)]);
        let given = format!("../{name}");
        fine(place.run(&["dev", "first/data", &given]));
        fine(place.run(&["build", "first/data"]));
        assert_eq!(text_of(&place, &["first/data"], "text"), name);
        let record = fine(place.run(&["dev", "--json"])).json();
        assert_eq!(record["packages"][0]["directory"], given);
        fine(place.run(&["dev", "first/data", "--off"]));
    }
}

/// A workspace that comes with a `local/` of its own reads nothing elsewhere by it.
#[test]
fn a_directory_far_away_is_read_once_it_was_named() {
    let place = place();
    let far = tempfile::tempdir().unwrap();
    let far = far.path();
    write(far, &[("text", "far")]);
    let name = far.to_str().unwrap();
    let overlay = format!("prior().change(#{{ source: dir(\"{name}\") }})\n");
    place.write("local/first/data/package.rhai", &overlay);
    let refused = |place: &Place| {
        let ran = place.run(&["build", "first/data"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        let expected = format!("There is no directory `{name}`");
        assert!(ran.stderr.contains(&expected), "{ran:?}");
        assert!(ran.stderr.contains("`stxl dev LABEL DIR`"), "{ran:?}");
    };
    refused(&place);
    fs::remove_dir_all(place.workspace().join("local")).unwrap();
    fine(place.run(&["dev", "first/data", name]));
    fine(place.run(&["build", "first/data"]));
    assert_eq!(text_of(&place, &["first/data"], "text"), "far");
    fine(place.run(&["dev", "first/data", "--off"]));
    place.write("local/first/data/package.rhai", &overlay);
    refused(&place);
    fs::remove_dir_all(place.workspace().join("local")).unwrap();
    // Named on the command line it needs no note.
    let over = format!("first/data={name}");
    let words = ["first/data", "--override", &over];
    fine(place.run(&[&["build"], words.as_slice()].concat()));
    assert_eq!(text_of(&place, &words, "text"), "far");
    refuse_foreign_list(&place, name);
}

/// A list that others can write to is not read.
fn refuse_foreign_list(place: &Place, name: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fine(place.run(&["dev", "first/data", name]));
    let folder = place.path().join("state/stxl/folders");
    let list = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).unwrap();
    let ran = place.run(&["build", "first/data"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("not the user's own alone"), "{ran:?}");
}

const PATCHED: &str = r#"custom(#{
    version: "1",
    description: "A directory with a patch",
    license: "MIT",
    platforms: ["i686"],
    source: dir("files"),
    patches: ["change.patch"],
});

fn build(p) {
    #{ main: root().unpack(p.source, "/src").cd("/src").patch(p.patches).out("/src") }
}
"#;

#[test]
fn patches_apply_unless_they_are_said_to_be_there() {
    let place = place();
    place.write("stages/first/data/package.rhai", PATCHED);
    let patch = "--- a/text\n+++ b/text\n@@ -1 +1 @@\n-before\n+after\n";
    place.write("stages/first/data/change.patch", patch);
    place.write("stages/first/data/files/text", "before\n");
    write(
        &place.path().join("clean"),
        &[("text", "before\n"), ("own", "")],
    );
    write(
        &place.path().join("patched"),
        &[("text", "after\n"), ("own", "")],
    );
    let clean = ["first/data", "--override", "first/data=../clean"];
    let patched = ["first/data", "--override", "first/data=../patched"];
    let said = ["first/data", "--override-patched", "first/data=../patched"];
    fine(place.run(&[&["build"], clean.as_slice()].concat()));
    assert_eq!(text_of(&place, &clean, "text"), "after\n");
    fine(place.run(&[&["build"], said.as_slice()].concat()));
    assert_eq!(text_of(&place, &said, "text"), "after\n");
    let hint = "if it is applied in `../patched` already: `--override-patched first/data=DIR`, or `patches: []` in `local/first/data/package.rhai`";
    let ran = place.run(&[&["build"], patched.as_slice()].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains(hint), "{ran:?}");
    let ran = place.run(&[&["build", "--json"], patched.as_slice()].concat());
    assert_eq!(ran.summary()["failed"][0]["hint"], hint);
    fine(place.run(&["dev", "first/data", "../patched", "--patched"]));
    fine(place.run(&["build", "first/data"]));
    assert_eq!(text_of(&place, &["first/data"], "text"), "after\n");
}

/// A checkout has not what a release ships; what is missing is told, also for a release.
#[test]
fn what_is_to_be_regenerated_has_to_be_there() {
    let place = place();
    let text = r#"script(#{
    version: "1",
    description: "A parser is made again",
    license: "MIT",
    platforms: ["i686"],
    base: [],
    source: dir("files"),
    regenerate: ["made/parse.c"],
    script: "true",
})
"#;
    place.write("stages/first/data/package.rhai", text);
    place.write("stages/first/data/files/parse.y", "");
    write(&place.path().join("checkout"), &[("parse.y", "")]);
    let ran = place.run(&["build", "first/data"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let operation = "remove `/src/made/parse.c`";
    assert!(ran.stderr.contains(operation), "{ran:?}");
    assert!(!ran.stderr.contains("regenerate: []"), "{ran:?}");
    let ran = place.run(&[
        "build",
        "first/data",
        "--override",
        "first/data=../checkout",
    ]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let hint = "if `../checkout` has no generated files: `regenerate: []` in `local/first/data/package.rhai`";
    assert!(ran.stderr.contains(hint), "{ran:?}");
}

/// What is incremental is so on this machine only, and by other keys.
#[test]
fn a_package_is_incremental_where_it_is_local_and_asks_for_it() {
    let place = place();
    let step = STEPS.replace(
        ".unpack(p.source, \"/src\")",
        ".unpack(p.source, \"/src\").cd(\"/src\")",
    );
    place.write("stages/first/hello/package.rhai", &step);
    place.write("stages/first/hello/files/text", "theirs");
    write(&place.path().join("data"), &[("text", "ours")]);
    let asking = step.replace("platforms:", "incremental: true,\n    platforms:");
    let eval = || ids(&place.run(&["eval", "--json", "first/hello"]));
    let own = eval();
    place.write("stages/first/hello/package.rhai", &asking);
    assert_eq!(eval(), own, "it is not local");
    let over = [
        "eval",
        "--json",
        "first/hello",
        "--override",
        "first/hello=../data",
    ];
    let overridden = ids(&place.run(&over));
    place.write("stages/first/hello/package.rhai", &step);
    assert_ne!(ids(&place.run(&over)), overridden);
    fine(place.run(&["dev", "first/hello", "../data"]));
    let clean = eval();
    fine(place.run(&["dev", "first/hello", "../data", "--incremental"]));
    assert_ne!(eval(), clean);
    assert_eq!(eval(), overridden);
    let ran = fine(place.run(&["build", "first/hello"]));
    let said = "first/hello goes on from what its last build left";
    assert!(ran.stderr.contains(said), "{ran:?}");
    let why = fine(place.run(&["dev", "first/hello", "--off"]));
    assert!(why.stderr.contains("its own source again"), "{why:?}");
    assert_eq!(eval(), own);
}

/// Two steps: the first does not see the source.
const STEPS: &str = r#"custom(#{
    version: "1",
    description: "Greetings before and after the source is there",
    license: "MIT",
    platforms: ["i686"],
    source: dir("files"),
    seeds: #{ hello: seed("hello.hex", "sha256:ec2c9317d919152b416baa494d1c5822175689f0bb36cd23f79c39c86666d93e") },
});

fn build(p) {
    let first = root().put(p.seeds.hello, "/hello", "exec").mkdir("/out").run(["/hello", "/out/first"]);
    #{ main: first.unpack(p.source, "/src").run(["/hello", "/out/second"]).out("/out") }
}
"#;

#[test]
fn an_edit_runs_again_from_the_step_that_sees_it() {
    let place = place();
    place.write("stages/first/hello/package.rhai", STEPS);
    place.write("stages/first/hello/files/text", "theirs");
    let data = place.path().join("data");
    write(&data, &[("text", "ours"), ("text.o", "made")]);
    let build = || {
        let words = [
            "build",
            "first/hello",
            "--json",
            "--override",
            "first/hello=../data",
        ];
        let summary = fine(place.run(&words)).summary();
        let count = |name: &str| summary[name].as_u64().unwrap();
        (count("ran"), count("cached") + count("cut_off"))
    };
    assert_eq!(build(), (2, 0));
    assert_eq!(build(), (0, 2));
    write(&data, &[("text", "edited")]);
    assert_eq!(build(), (1, 1));
    write(&data, &[("text.o", "made again")]);
    assert_eq!(build(), (0, 2));
    write(&data, &[("text", "ours")]);
    assert_eq!(build(), (0, 2));
}
