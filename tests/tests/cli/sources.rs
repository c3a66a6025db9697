//! `stxl source`: through files of this machine, which are sources like others.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use stxl_model::Sha256;
use stxl_tests::server::Server;

use crate::place::Place;

fn package(place: &Place, text: &str) {
    place.write("stages/first/sourced/package.rhai", text);
}

fn hash_of(path: &Path) -> String {
    Sha256::of(&std::fs::read(path).unwrap()).to_string()
}

/// An archive with one file in a folder.
fn archive(place: &Place, name: &str, text: &str) -> std::path::PathBuf {
    let folder = place.path().join("archive/thing");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
    let path = place.path().join("thing.tar.gz");
    let made = Command::new("tar")
        .args(["czf".as_ref(), path.as_os_str(), "-C".as_ref()])
        .args([place.path().join("archive").as_os_str(), "thing".as_ref()])
        .status()
        .unwrap();
    assert!(made.success());
    path
}

/// What Debian repacks is often an archive in an archive.
#[test]
fn an_archive_in_an_archive_is_unpacked() {
    let place = Place::with_first_package();
    let inner = archive(&place, "text", "inside\n");
    let outer = place.path().join("archive/thing/inner-1.tar.gz");
    std::fs::rename(&inner, &outer).unwrap();
    let path = archive(&place, "beside", "beside\n");
    let text = format!(
        r#"custom(#{{
    version: "1", description: "Sourced", license: "MIT", platforms: ["i686"],
    source: url("file://{}", "{}").member("thing/inner-{{version}}.tar.gz"),
}});

fn build(p) {{
    #{{ main: root().unpack(p.source, "/src").put(p.source, "/kept.tar.gz").out("/") }}
}}
"#,
        path.display(),
        hash_of(&path)
    );
    package(&place, &text);
    let ran = place.run(&["build", "first/sourced"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let tree = place.run(&["store", "path", "first/sourced"]);
    let tree = Path::new(tree.stdout.trim());
    assert_eq!(
        std::fs::read_to_string(tree.join("src/text")).unwrap(),
        "inside\n"
    );
    assert_eq!(hash_of(&tree.join("kept.tar.gz")), hash_of(&outer));
    // One that is not there is told with where it should be.
    package(&place, &text.replace("thing/inner", "thing/other"));
    let ran = place.run(&["build", "first/sourced"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("thing/other-1.tar.gz"),
        "{}",
        ran.stderr
    );
    let plain = text.replace("thing.tar.gz", "thing.txt");
    std::fs::copy(&path, place.path().join("thing.txt")).unwrap();
    package(&place, &plain);
    let ran = place.run(&["eval", "first/sourced"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("`thing.txt` is no archive"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_line_for_a_definition_is_printed() {
    let place = Place::with_first_package();
    let file = place.path().join("a.txt");
    std::fs::write(&file, "some bytes").unwrap();
    let address = format!("file://{}", file.display());
    let ran = place.run(&["source", "add", &address]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let line = format!("source: url(\"{address}\",\n    \"{}\"),\n", hash_of(&file));
    assert_eq!(ran.stdout, line);
    let record = place.run(&["source", "add", &address, "--json"]).json();
    assert_eq!(record["bytes"], 10);
    assert_eq!(record["sha256"], hash_of(&file));
    // Mirrors have the same bytes.
    let other = place.path().join("b.txt");
    std::fs::write(&other, "other bytes").unwrap();
    let mirror = format!("file://{}", other.display());
    let ran = place.run(&["source", "add", &address, &mirror]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let gone = place.run(&["source", "add", "file:///nowhere/x"]);
    assert_eq!(gone.code, 3, "{gone:?}");
    assert_eq!(place.run(&["source", "add", "nothing"]).code, 2);
}

#[test]
fn an_address_with_a_password_is_refused_and_the_password_not_told() {
    let place = Place::with_first_package();
    let commit = "0".repeat(40);
    for address in [
        "http://ann:secret@127.0.0.1:9/thing",
        "https://secret@127.0.0.1:9/thing",
        &format!("git+https://ann:secret@127.0.0.1:9/thing#{commit}"),
    ] {
        for words in [&[][..], &["--json"]] {
            let ran =
                place.run(&[&["source", "add", "file:///nowhere/x", address], words].concat());
            assert_eq!(ran.code, 2, "{ran:?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(said.contains("names no user"), "{ran:?}");
            assert!(said.contains(".netrc"), "{ran:?}");
            assert!(!said.contains("secret"), "{ran:?}");
        }
    }
}

#[test]
fn sources_go_to_a_machine_without_them() {
    let place = Place::with_first_package();
    let path = archive(&place, "greeting", "hello");
    let hash = hash_of(&path);
    package(
        &place,
        &format!(
            "custom(#{{ version: \"1\", license: \"MIT\", source: url(\"file://{}\", \"{hash}\") }});\n\
             fn build(p) {{ #{{ main: root().unpack(p.source, \"/\").out(\"/\") }} }}\n",
            path.display()
        ),
    );
    let exported = place.path().join("sources");
    let to = exported.to_str().unwrap();
    let export = ["source", "export", "first/sourced", "--to", to];
    let ran = place.run(&export);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("wrote 1 of 1 source"), "{ran:?}");
    let hex = hash.strip_prefix("sha256:").unwrap();
    assert_eq!(hash_of(&exported.join(hex)), hash);
    let list = std::fs::read_to_string(exported.join("SHA256SUMS")).unwrap();
    assert_eq!(list, format!("{hex}  {hex}\n"));
    assert!(place.run(&export).stderr.contains("wrote 0 of 1 source"));
    // What is there is not believed.
    std::fs::write(exported.join(hex), "other").unwrap();
    let ran = place.run(&export);
    assert!(ran.stderr.contains("wrote 1 of 1 source"), "{ran:?}");
    assert_eq!(hash_of(&exported.join(hex)), hash);
    // Another store, and the file is gone.
    std::fs::remove_file(&path).unwrap();
    let store = place.path().join("elsewhere");
    let store = store.to_str().unwrap();
    let build = ["build", "first/sourced", "--store", store];
    assert_eq!(place.run(&build).code, 1);
    let further = place.path().join("further");
    let again = ["--to", further.to_str().unwrap(), "--store", store];
    let again = [&export[..3], &again].concat();
    assert_eq!(place.run(&again).code, 1);
    let ran = place.run(&[&again[..], &["--source-dir", to]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(hash_of(&further.join(hex)), hash);
    let ran = place.run(&[&build[..], &["--source-dir", to]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_lock_file_is_that_of_the_source() {
    let place = Place::with_first_package();
    let lock = "version = 3\n\n[[package]]\nname = \"thing\"\nversion = \"1.0.0\"\n";
    let path = archive(&place, "Cargo.lock", lock);
    let definition = |hash: &str| {
        format!(
            "cargo(#{{\n    version: \"1\",\n    license: \"MIT\",\n    base: [],\n    \
             source: url(\"file://{}\", \"{hash}\"),\n    crates: lock(\"Cargo.lock\"),\n    bins: [\"thing\"],\n}})\n",
            path.display()
        )
    };
    package(&place, &definition(&hash_of(&path)));
    let beside = place.workspace().join("stages/first/sourced/Cargo.lock");
    let ran = place.run(&["source", "lock", "first/sourced"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(std::fs::read_to_string(&beside).unwrap(), lock);
    let check = ["source", "lock", "first/sourced", "--check"];
    assert_eq!(place.run(&check).code, 0);
    std::fs::write(&beside, "version = 4\n").unwrap();
    assert_eq!(place.run(&check).code, 4);
    assert_eq!(std::fs::read_to_string(&beside).unwrap(), "version = 4\n");
    // What could not be had leaves nothing behind.
    std::fs::remove_file(&beside).unwrap();
    package(&place, &definition(&Sha256::of(b"other").to_string()));
    assert_ne!(place.run(&["source", "lock", "first/sourced"]).code, 0);
    assert!(!beside.exists());
}

#[test]
fn only_an_ecosystem_tells_of_newer_versions() {
    let place = Place::with_first_package();
    let path = archive(&place, "greeting", "hello");
    let text = format!(
        "custom(#{{ version: \"1\", license: \"MIT\", source: url(\"file://{}\", \"{}\") }});\n\
         fn build(p) {{ #{{ main: root().unpack(p.source, \"/\").out(\"/\") }} }}\n",
        path.display(),
        hash_of(&path)
    );
    package(&place, &text);
    let update = ["source", "update", "first/sourced", "--json"];
    let record = place.run(&update).json();
    let problem = record["updates"][0]["problem"].as_str().unwrap();
    assert_eq!(problem, "no ecosystem tells of newer versions of it");
    assert_eq!(record["rebuilds"].as_array().unwrap().len(), 0);
    assert_eq!(place.run(&["source", "update", "first/hello"]).code, 2);
}

/// What a version that is asked for comes to: the code, and what is said.
const VERSIONS_ASKED_FOR: [(&[&str], i32, &str); 6] = [
    (&["--to", "a b"], 2, "`a b` is no version here"),
    (&["--to", "a b", "--dry-run"], 2, "`a b` is no version here"),
    (&["--to", "3.0.0"], 3, "there is 4.0.0 now"),
    (&["--to", "4.0.0"], 3, "404"),
    (&["--to", "4.0.0", "--json"], 3, ""),
    (&["--to", "2.0.0"], 0, ""),
];

/// A registry that has version 2.0.0 of `thing`, and tells of 4.0.0 too, with a client that knows
/// where it is.
fn registry(place: &Place) -> Server {
    let folder = place.path().join("registry");
    std::fs::create_dir(&folder).unwrap();
    let server = Server::of_folder(&folder);
    let at = format!("http://{}", server.authority());
    let version =
        |version: &str| format!(r#""{version}":{{"dist":{{"tarball":"{at}/{version}"}}}}"#);
    let versions = format!("{},{}", version("2.0.0"), version("4.0.0"));
    std::fs::write(
        folder.join("thing"),
        format!(r#"{{"versions":{{{versions}}}}}"#),
    )
    .unwrap();
    std::fs::write(folder.join("2.0.0"), "some bytes").unwrap();
    let client = place.path().join("npm");
    std::fs::write(
        &client,
        format!("#!/bin/sh\necho '{{\"registry\":\"{at}\"}}'\n"),
    )
    .unwrap();
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
    server
}

#[test]
fn a_version_that_is_asked_for_is_had_or_the_command_fails() {
    let place = Place::with_first_package();
    let _server = registry(&place);
    let hash = Sha256::of(b"other").to_string();
    let text = format!(
        "custom(#{{ version: \"1.0.0\", license: \"MIT\", source: url(\"pkg:npm/thing@{{version}}\", \"{hash}\") }});\n\
         fn build(p) {{ #{{ main: root().unpack(p.source, \"/\").out(\"/\") }} }}\n",
    );
    package(&place, &text);
    let definition = || {
        let file = place.workspace().join("stages/first/sourced/package.rhai");
        std::fs::read_to_string(file).unwrap()
    };
    let path = format!("{}:/usr/bin:/bin", place.path().display());
    for (words, code, said) in VERSIONS_ASKED_FOR {
        assert_eq!(definition(), text);
        let words = [&["source", "update", "first/sourced"], words].concat();
        let ran = place.run_with("PATH", &path, &words);
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(said), "{words:?}: {ran:?}");
        if words.contains(&"--json") {
            assert_eq!(ran.json()["event"], "error");
        } else {
            assert_eq!(ran.stdout.is_empty(), code != 0, "{words:?}: {ran:?}");
        }
    }
    let new = text.replace("1.0.0", "2.0.0");
    let new = new.replace(&hash, &Sha256::of(b"some bytes").to_string());
    assert_eq!(definition(), new);
    // What has no versions has none that could be asked for.
    let file = place.path().join("npm");
    let text = format!(
        "custom(#{{ version: \"1\", license: \"MIT\", source: url(\"file://{}\", \"{hash}\") }});\n\
         fn build(p) {{ #{{ main: root().unpack(p.source, \"/\").out(\"/\") }} }}\n",
        file.display()
    );
    package(&place, &text);
    let ran = place.run(&["source", "update", "first/sourced", "--to", "2"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains("no ecosystem tells"), "{ran:?}");
}

/// A bare repository with one commit, and the commit.
fn repository(place: &Place) -> (std::path::PathBuf, String) {
    let folder = place.path().join("repository");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("greeting"), "hello").unwrap();
    let git = |words: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a", "-C"])
            .arg(&folder)
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "greeting"]);
    git(&["commit", "--quiet", "--message", "x"]);
    let commit = git(&["rev-parse", "HEAD"]);
    (folder, commit)
}

#[test]
fn a_commit_is_a_source_by_the_digest_of_its_files() {
    let place = Place::with_first_package();
    let (folder, commit) = repository(&place);
    let address = format!("file://{}", folder.display());
    let added = place.run(&["source", "add", &format!("git+{address}#{commit}")]);
    assert_eq!(added.code, 0, "{added:?}");
    let line = added.stdout.trim_end();
    let beginning = format!("source: git(\"{address}\", \"{commit}\",\n    \"tree:");
    assert!(line.starts_with(&beginning), "{line}");
    package(
        &place,
        &format!(
            "custom(#{{ version: \"1\", license: \"MIT\", {line} }});\n\
             fn build(p) {{ #{{ main: root().unpack(p.source, \"/out\").out() }} }}\n"
        ),
    );
    let built = place.run(&["build", "first/sourced", "--out", "result"]);
    assert_eq!(built.code, 0, "{built:?}");
    let text = std::fs::read_to_string(place.workspace().join("result/greeting"));
    assert_eq!(text.unwrap(), "hello");
    // It goes to a machine without the repository as a directory.
    let exported = place.path().join("sources");
    let to = exported.to_str().unwrap();
    let export = ["source", "export", "first/sourced", "--to", to];
    let ran = place.run(&export);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(place.run(&export).stderr.contains("wrote 0 of 1 source"));
    let directory = std::fs::read_dir(&exported).unwrap();
    let directory = directory.map(|entry| entry.unwrap().path());
    let directory = directory.filter(|path| path.is_dir()).last().unwrap();
    std::fs::write(directory.join("greeting"), "another").unwrap();
    let ran = place.run(&export);
    assert!(ran.stderr.contains("wrote 1 of 1 source"), "{ran:?}");
    std::fs::remove_dir_all(&folder).unwrap();
    let other = place.path().join("other-store");
    let other = other.to_str().unwrap();
    let elsewhere = [
        "build",
        "first/sourced",
        "--store",
        other,
        "--source-dir",
        to,
    ];
    let ran = place.run(&elsewhere);
    assert_eq!(ran.code, 0, "{ran:?}");
}
