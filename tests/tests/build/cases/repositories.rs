//! Cases of sources from git: the files of a commit as they are in it, whatever the repository says.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use stxl_build::{BuildOptions, BuildOutcome};
use stxl_fetch::{ClientEnvironment, FetchOptions, TransferLimits};
use stxl_model::{Derivation, Fetch, FetchLock, Node, TreeId};
use stxl_tests::server::Server;

use super::Case;
use crate::build::site::{Site, Told};

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("commit_is_taken_in_as_it_is", as_it_is),
    ("commit_with_another_tree_is_told_of", another_tree),
    ("commit_of_a_hostile_repository_is_refused", hostile),
    ("commit_comes_over_http_with_its_password_only", over_http),
];

/// Mode, object and name of an entry of a tree.
type RawEntry<'a> = (&'a str, &'a str, &'a [u8]);

/// A repository, and the commit that a test is about.
struct Repository {
    folder: PathBuf,
}

impl Repository {
    fn new(site: &Site) -> Self {
        let folder = site.workspace().join("repository");
        let repository = Self { folder };
        let folder = repository.folder.to_str().expect("a path");
        repository.git(&["init", "--quiet", "--bare", folder], b"");
        repository
    }

    /// What git says, with nothing of the machine's configuration.
    fn git(&self, words: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .args(words)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GIT_DIR", &self.folder)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "a")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "a")))
            .envs(
                ["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_DATE"), "@1000000000 +0000")),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git is installed");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(input).expect("git reads");
        drop(pipe);
        let output = child.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git {words:?}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .to_owned()
    }

    fn blob(&self, bytes: &[u8]) -> String {
        self.git(&["hash-object", "-w", "--stdin"], bytes)
    }

    /// A tree of entries as `mktree` reads them, which checks no names.
    fn tree(&self, entries: &[(&str, &str, &str)]) -> String {
        let line = |(mode, object, name): &(&str, &str, &str)| {
            let kind = match *mode {
                "040000" => "tree",
                "160000" => "commit",
                _ => "blob",
            };
            format!("{mode} {kind} {object}\t{name}\n")
        };
        let lines: String = entries.iter().map(line).collect();
        self.git(&["mktree", "--missing"], lines.as_bytes())
    }

    /// A tree whose bytes are written by hand: entries with names that `mktree` refuses.
    fn raw_tree(&self, entries: &[RawEntry<'_>]) -> String {
        let mut bytes = Vec::new();
        for (mode, object, name) in entries {
            bytes.extend_from_slice(mode.trim_start_matches('0').as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            let digits = (0..40).step_by(2).map(|at| &object[at..at + 2]);
            bytes.extend(digits.map(|digits| u8::from_str_radix(digits, 16).expect("digits")));
        }
        self.git(
            &["hash-object", "-w", "--stdin", "-t", "tree", "--literally"],
            &bytes,
        )
    }

    fn commit(&self, tree: &str) -> String {
        let commit = self.git(&["commit-tree", tree, "-m", "x"], b"");
        self.git(&["update-ref", "refs/heads/main", &commit], b"");
        commit
    }

    fn address(&self, commit: &str) -> String {
        format!("git+file://{}#{commit}", self.folder.display())
    }
}

fn options(site: &Site) -> BuildOptions {
    let limits = TransferLimits {
        repository: Duration::from_mins(1),
        ..TransferLimits::default()
    };
    let clients = ClientEnvironment {
        path: vec!["/usr/local/bin".into(), "/usr/bin".into(), "/bin".into()],
        variables: Vec::new(),
    };
    BuildOptions {
        network: FetchOptions {
            limits,
            clients,
            ..FetchOptions::default()
        },
        ..site.options()
    }
}

/// Builds a plan whose one output is a commit with this tree.
fn build(site: &Site, tree: TreeId, address: String) -> Told {
    build_with(site, tree, address, &options(site))
}

fn build_with(site: &Site, tree: TreeId, address: String, options: &BuildOptions) -> Told {
    let mut recipe = site.recipe();
    let lock = FetchLock::Tree(tree);
    let fetch = recipe.locked(Derivation::Fetch(Fetch { lock }), vec![address]);
    recipe.want("test/source", fetch);
    site.build_with(&recipe.plan, options)
}

/// A tree that no commit has.
fn no_tree() -> TreeId {
    TreeId::parse(&"1".repeat(64)).expect("digits")
}

/// The tree that a commit has, as a build with another lock tells it.
fn told_tree(told: &Told) -> TreeId {
    let cause = told.summary.failed[0].cause.to_string();
    let (_, digits) = cause
        .rsplit_once("it has tree:")
        .unwrap_or_else(|| panic!("{cause}"));
    TreeId::parse(digits.trim()).expect("digits")
}

fn as_it_is() {
    let site = Site::new();
    let repository = Repository::new(&site);
    let attributes = b"* text eol=crlf export-subst ident filter=lfs\nhidden export-ignore\n";
    let plain = repository.blob(b"a\nb $Format:%H$ $Id$\n");
    let program = repository.blob(b"#!/bin/sh\n");
    let link = repository.blob(b"../../outside");
    let below = repository.tree(&[("100644", &plain, "hidden"), ("120000", &link, "link")]);
    let commit = repository.commit(&repository.tree(&[
        ("100644", &repository.blob(attributes), ".gitattributes"),
        (
            "100644",
            &repository.blob(b"[submodule \"m\"]\n\tpath = m\n\turl = file:///etc\n"),
            ".gitmodules",
        ),
        ("040000", &below, "d"),
        ("160000", &"1".repeat(40), "m"),
        ("100755", &program, "program"),
    ]));
    let canary = booby_trap(&site, &repository);
    let address = repository.address(&commit);
    let tree = told_tree(&build(&site, no_tree(), address.clone()));
    let told = build(&site, tree, address);
    assert_eq!(
        site.output(&told, "test/source", "/d/hidden"),
        b"a\nb $Format:%H$ $Id$\n"
    );
    assert_eq!(
        site.output(&told, "test/source", "/.gitattributes"),
        attributes
    );
    let mut found = Vec::new();
    site.store
        .walk(&tree, |path, node| {
            let kind = match node {
                Node::File { executable, .. } if *executable => "executable".to_owned(),
                Node::File { .. } => "file".to_owned(),
                Node::Symlink { target } => String::from_utf8_lossy(target).into_owned(),
                Node::Directory { .. } => "directory".to_owned(),
            };
            found.push(format!("{path} {kind}"));
        })
        .expect("the tree is whole");
    found.sort();
    assert_eq!(
        found,
        [
            "/.gitattributes file",
            "/.gitmodules file",
            "/d directory",
            "/d/hidden file",
            "/d/link ../../outside",
            "/m directory",
            "/program executable",
        ]
    );
    assert!(!canary.exists(), "nothing of the repository was executed");
    // From here on it is found without a repository.
    fs::remove_dir_all(&repository.folder).expect("it was there");
    let told = build(
        &site,
        tree,
        "git+https://localhost:1/x#".to_owned() + &commit,
    );
    assert_eq!(told.summary.outcome, BuildOutcome::Ok);
    in_a_directory_of_sources(tree, &commit, attributes);
}

/// The same files are found in another store that is given a directory of sources.
fn in_a_directory_of_sources(tree: TreeId, commit: &str, attributes: &[u8]) {
    let other = Site::new();
    let sources = other.workspace().join("sources");
    let at = sources.join(tree.to_string());
    fs::create_dir_all(at.join("d")).expect("folders");
    fs::create_dir(at.join("m")).expect("a folder");
    for (name, bytes) in [
        (".gitattributes", attributes),
        (
            ".gitmodules",
            b"[submodule \"m\"]\n\tpath = m\n\turl = file:///etc\n",
        ),
        ("d/hidden", b"a\nb $Format:%H$ $Id$\n"),
        ("program", b"#!/bin/sh\n"),
    ] {
        fs::write(at.join(name), bytes).expect("a file");
    }
    fs::set_permissions(at.join("program"), fs::Permissions::from_mode(0o755)).expect("a mode");
    std::os::unix::fs::symlink("../../outside", at.join("d/link")).expect("a link");
    let options = BuildOptions {
        source_dir: Some(sources),
        ..options(&other)
    };
    let told = build_with(
        &other,
        tree,
        format!("git+https://localhost:1/x#{commit}"),
        &options,
    );
    assert_eq!(told.summary.outcome, BuildOutcome::Ok);
}

/// Has a repository execute something whenever it is looked at, if anybody lets it; returns what
/// there would be then.
fn booby_trap(site: &Site, repository: &Repository) -> PathBuf {
    let canary = site.workspace().join("canary");
    let script = site.workspace().join("script");
    fs::write(
        &script,
        format!("#!/bin/sh\ntouch {}\nexec \"$@\"\n", canary.display()),
    )
    .expect("it is written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o777)).expect("a mode");
    for key in [
        "core.fsmonitor",
        "uploadpack.packObjectsHook",
        "core.sshCommand",
        "filter.lfs.smudge",
    ] {
        repository.git(&["config", key, script.to_str().expect("a path")], b"");
    }
    for hook in ["post-checkout", "reference-transaction", "pre-auto-gc"] {
        fs::create_dir_all(repository.folder.join("hooks")).expect("a folder");
        fs::copy(&script, repository.folder.join("hooks").join(hook)).expect("a hook");
    }
    canary
}

fn another_tree() {
    let site = Site::new();
    let repository = Repository::new(&site);
    let commit = repository.commit(&repository.tree(&[("100644", &repository.blob(b"x"), "x")]));
    let lock = no_tree();
    for (address, said) in [
        (repository.address(&commit), "it has tree:"),
        (
            repository.address(&"2".repeat(40)),
            "`git` ended with exit status",
        ),
        (
            format!("git+file:///nowhere/at/all#{commit}"),
            "`git` ended with exit status",
        ),
        (
            format!("file://{}", site.workspace().display()),
            "the address of a file",
        ),
        (
            "git+https://localhost/x#main".to_owned(),
            "a commit is 40 hexadecimal digits",
        ),
        (
            format!("git+ssh://localhost/x#{commit}"),
            "an address begins with",
        ),
        (
            format!("git+https://-oProxyCommand=x/x#{commit}"),
            "begins with `-`",
        ),
        (
            format!("git+ext::sh -c x#{commit}"),
            "an address begins with",
        ),
    ] {
        let cause = build(&site, lock, address).summary.failed[0]
            .cause
            .to_string();
        assert!(
            cause.contains(&lock.to_string()) && cause.contains(said),
            "{cause}"
        );
    }
    // A file's address never gives a tree, and a repository's no file.
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(b"x", vec![repository.address(&commit)]);
    recipe.want("test/source", fetch);
    let cause = site
        .build_with(&recipe.plan, &options(&site))
        .summary
        .failed[0]
        .cause
        .to_string();
    assert!(cause.contains("a commit is no file"), "{cause}");
}

fn hostile() {
    let site = Site::new();
    let repository = Repository::new(&site);
    let blob = repository.blob(b"x");
    let empty = repository.blob(b"");
    let long = repository.blob(&[b'a'; 5000]);
    let nul = repository.blob(b"a\0b");
    let inner = repository.raw_tree(&[("100644", &blob, b"config")]);
    let cases: &[(&str, Vec<RawEntry<'_>>)] = &[
        ("parent", vec![("040000", &inner, b"..")]),
        ("here", vec![("040000", &inner, b".")]),
        ("git's own", vec![("040000", &inner, b".git")]),
        ("git's own in capitals", vec![("040000", &inner, b".GIT")]),
        ("a file of git's own name", vec![("100644", &blob, b".git")]),
        ("a slash", vec![("100644", &blob, b"a/../../b")]),
        ("absolute", vec![("100644", &blob, b"/etc/passwd")]),
        (
            "the same twice",
            vec![("100644", &blob, b"a"), ("100644", &empty, b"a")],
        ),
        (
            "a link and a folder",
            vec![("120000", &blob, b"a"), ("040000", &inner, b"a")],
        ),
        (
            "a folder and a file",
            vec![("040000", &inner, b"a"), ("100644", &blob, b"a")],
        ),
        ("a target without letters", vec![("120000", &empty, b"a")]),
        ("a long target", vec![("120000", &long, b"a")]),
        ("a target with a NUL", vec![("120000", &nul, b"a")]),
        (
            "an object that is none",
            vec![("100644", "1111111111111111111111111111111111111111", b"a")],
        ),
        ("a folder as a file", vec![("100644", &inner, b"a")]),
    ];
    for (name, entries) in cases {
        let commit = repository.commit(&repository.raw_tree(entries));
        let told = build(&site, no_tree(), repository.address(&commit));
        let cause = told.summary.failed[0].cause.to_string();
        assert!(!cause.contains("it has tree:"), "{name}: {cause}");
    }
    // Git takes a device for a submodule, and so it becomes an empty directory.
    let commit = repository.commit(&repository.raw_tree(&[("060000", &blob, b"a")]));
    let tree = told_tree(&build(&site, no_tree(), repository.address(&commit)));
    let mut kinds = Vec::new();
    let walk = |_: &stxl_model::RootPath, node: &Node| {
        kinds.push(matches!(node, Node::Directory { .. }));
    };
    site.store.walk(&tree, walk).expect("the tree is whole");
    assert_eq!(kinds, [true]);
    let very_long = [b'a'; 300];
    let commit = repository.commit(&repository.raw_tree(&[("100644", &blob, &very_long)]));
    let told = build(&site, no_tree(), repository.address(&commit));
    assert!(
        !told.summary.failed[0]
            .cause
            .to_string()
            .contains("it has tree:")
    );
    let left = fs::read_dir(site.store_path().join("tmp"))
        .expect("a folder")
        .flatten();
    let left: Vec<PathBuf> = left
        .flat_map(|it| fs::read_dir(it.path()).into_iter().flatten().flatten())
        .map(|it| it.path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn over_http() {
    let site = Site::new();
    let repository = Repository::new(&site);
    let commit = repository.commit(&repository.tree(&[("100644", &repository.blob(b"x"), "x")]));
    repository.git(&["update-server-info"], b"");
    let server = Server::of_folder(&repository.folder);
    let address = format!("git+http://user:canary@{}/#{commit}", server.authority());
    let told = build(&site, no_tree(), address.clone());
    let tree = told_tree(&told);
    let tells = |request: &String| {
        request
            .to_ascii_lowercase()
            .contains("basic dxnlcjpjyw5hcnk=")
    };
    assert!(!server.requests().is_empty() && server.requests().iter().all(tells));
    let again = build(&site, tree, address);
    assert_eq!(site.output(&again, "test/source", "/x"), b"x");
    for told in [told, again] {
        assert!(!format!("{:?}", told.events).contains("canary"));
    }
    holds_no_canary(&site.store_path());
    // Nobody leads elsewhere, since a password would go along.
    let leading = format!(
        "HTTP/1.1 302 Found\nLocation: http://{}/{{path}}\nContent-Length: 0",
        server.authority()
    );
    let leading = Server::start(b"", &[&leading]);
    let before = server.requests().len();
    let told = build(
        &site,
        no_tree(),
        format!("git+http://{}/#{commit}", leading.authority()),
    );
    assert_eq!(told.summary.outcome, BuildOutcome::Failed);
    assert_eq!(server.requests().len(), before);
}

fn holds_no_canary(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            holds_no_canary(&path);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            let is_there = bytes.windows(6).any(|window| window == b"canary");
            assert!(!is_there, "{}", path.display());
        }
    }
}
