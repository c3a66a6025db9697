//! A workspace of a few packages that need each other in several ways, each built in no time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::place::{Place, Ran};

/// The sha256 of [`SOURCE`].
pub(crate) const SOURCE_HASH: &str =
    "sha256:4939f2f9ffe14e16351ba6817058ea8acf1cae19c22cd74b20ca35856b9d9b9c";

/// The bytes of the only source.
const SOURCE: &str = "a source\n";

/// Packages by name. What needs what:
///
/// ```text
/// top: tool, mid, lib, and low, which lib brings
/// mid: tool, low, and a value of low
/// lib, low: tool
/// alone: nothing; its output `copy` needs `main`
/// ```
const PACKAGES: [(&str, &str); 6] = [
    (
        "tool",
        r#"custom(#{
    version: "1",
    description: "A program that writes a file",
    license: "MIT",
    platforms: ["i686"],
    seeds: #{ hello: seed("hello.hex", "HASH") },
});

fn build(p) {
    #{ main: root().put(p.seeds.hello, "/hello", "exec").out("/") }
}
"#,
    ),
    (
        "low",
        r#"custom(#{
    version: "3",
    description: "Needs a program",
    license: "MIT",
    platforms: ["i686"],
});

fn build(p) {
    let done = root("first/tool")
        .mkdir("/out")
        .run(["/hello", "/out/low"]);
    #{ main: done.out("/out") }
}
"#,
    ),
    (
        "lib",
        r#"import "lib/words" as words;

custom(#{
    version: "1",
    description: "Brings another one along",
    license: "MIT",
    platforms: ["i686"],
    brings: ["first/low"],
});

fn build(p) {
    let done = root("first/tool")
        .mkdir("/out")
        .run(["/hello", "/out/" + words::name()]);
    #{ main: done.out("/out"), notes: root().put(file("notes.txt"), "/notes").out("/") }
}
"#,
    ),
    (
        "mid",
        r#"custom(#{
    version: pkg("first/low").version + ".1",
    description: "Reads a value, and has a directory",
    license: "MIT",
    platforms: ["i686"],
    needs: ["first/low"],
    source: dir("files", #{ ignore: ["*.o"] }),
});

fn build(p) {
    let done = root(["first/tool"] + p.needs)
        .unpack(p.source, "/src")
        .mkdir("/out")
        .env(#{ MID: p.version })
        .run(["/hello", "/out/mid"]);
    #{ main: done.out("/out") }
}
"#,
    ),
    (
        "top",
        r#"custom(#{
    version: "1",
    description: "Needs what needs others",
    license: "MIT",
    platforms: ["i686"],
    needs: [
        "first/mid",
        "first/lib",
    ],
});

fn build(p) {
    let done = root(["first/tool"] + p.needs)
        .mkdir("/out")
        .run(["/hello", "/out/top"]);
    #{ main: done.out("/out") }
}
"#,
    ),
    (
        "alone",
        r#"custom(#{
    version: "1",
    description: "A source as it is",
    license: "MIT",
    platforms: ["i686"],
});

fn build(p) {
    let source = url("https://example.invalid/source", "SOURCE");
    #{ main: root().put(source, "/text").out("/"), copy: root().put(":main", "/copy").out("/") }
}
"#,
    ),
];

impl Place {
    /// The workspace of [`PACKAGES`].
    pub(crate) fn layered() -> Self {
        let place = Self::with_first_package();
        let seed = fs::read_to_string(place.workspace().join("stxl.toml")).expect("a text");
        let hash = seed.split('"').find(|word| word.starts_with("sha256:"));
        let hash = hash.expect("the hash of the seed").to_owned();
        fs::create_dir(place.sources()).expect("a folder");
        fs::write(place.sources().join("source"), SOURCE).expect("a file");
        for (name, text) in PACKAGES {
            let text = text.replace("HASH", &hash);
            let text = text.replace("SOURCE", SOURCE_HASH);
            place.write(&format!("stages/first/{name}/package.rhai"), &text);
        }
        let hello = place.workspace().join("stages/first/hello/hello.hex");
        let hello = fs::read_to_string(hello).expect("a text");
        place.write("stages/first/tool/hello.hex", &hello);
        place.write("stages/first/lib/notes.txt", "notes\n");
        place.write("stages/first/mid/files/a", "a\n");
        place.write("lib/words.rhai", "fn name() { \"lib\" }\n");
        place.edit("stxl.toml", |toml| {
            format!("{toml}\"first/tool\" = [\"{hash}\"]\n")
        });
        place
    }

    /// Builds with the source at hand.
    pub(crate) fn build(&self, words: &[&str]) -> Ran {
        let sources = self.sources();
        let sources = ["--source-dir", sources.to_str().expect("text")];
        self.run(&[&["build"], words, &sources].concat())
    }

    /// Runs git in the workspace, and gives what it prints.
    pub(crate) fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.workspace())
            .args(["-c", "user.name=x", "-c", "user.email=x@example.invalid"])
            .args(words)
            .output()
            .expect("this test needs git");
        assert!(output.status.success(), "{words:?}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("git prints text");
        text.trim().to_owned()
    }

    /// Commits everything, and gives the first digits of the commit.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "--short=12", "HEAD"])
    }

    /// The folder that has the source, for `--source-dir`.
    pub(crate) fn sources(&self) -> PathBuf {
        self.path().join("sources")
    }
}
