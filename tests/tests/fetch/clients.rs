//! Files of ecosystems, by clients that a test wrote: what they are asked, what is made of their
//! answers, and what they cannot do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use stxl_fetch::{Address, ClientEnvironment, Fetcher};
use stxl_model::Sha256;
use stxl_tests::server::{Server, content};

use super::place::{Came, Place, WHOLE};

const GONE: &str = "HTTP/1.1 404 No\nContent-Length: 0";

/// A place with clients, and a server with a file.
struct Machine {
    place: Place,
    server: Server,
    content: Vec<u8>,
}

impl Machine {
    fn new(replies: &[&str]) -> Self {
        let content = content(1000);
        let server = Server::start(&content, replies);
        let mut place = Place::new();
        let programs = place.path("programs");
        fs::create_dir(&programs).expect("a folder for programs");
        place.options.clients = ClientEnvironment {
            path: vec![programs, "/usr/bin".into(), "/bin".into()],
            variables: vec![("HOME".into(), place.path("").into())],
        };
        Self {
            place,
            server,
            content,
        }
    }

    /// Writes a client: a script in which `{server}` is the server's address. What it is asked is
    /// noted, since it may be asked once only.
    fn client(&self, name: &str, script: &str) {
        let path = self.place.path("programs").join(name);
        let script = script.replace("{server}", &format!("http://{}", self.server.authority()));
        let text = format!("#!/bin/sh\necho \"{name} $*\" >> \"$TMPDIR/asked\"\n{script}\n");
        fs::write(&path, text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.place.path("clients/asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn paths(&self) -> Vec<String> {
        let requests = self.server.requests();
        let path = |request: &String| request.split(' ').nth(1).unwrap_or_default().to_owned();
        requests.iter().map(path).collect()
    }

    fn fetch(&self, fetcher: &Fetcher, address: &str) -> Came {
        fs::remove_file(self.place.path("file")).ok();
        self.place
            .fetch_with(fetcher, address, Some(Sha256::of(&self.content)))
    }

    fn newest(came: &Came) -> Option<&str> {
        came.result
            .as_ref()
            .expect_err("it is gone")
            .newest
            .as_deref()
    }
}

const APT: &str = "case \"$*\" in *indextargets*) echo '{server}/d/ stable main Debian';; esac";

#[test]
fn a_file_of_debian_comes_from_the_pool() {
    let machine = Machine::new(&[WHOLE]);
    machine.client("apt-get", APT);
    let fetcher = machine.place.fetcher();
    for address in [
        "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&source=zlib",
        "pkg:deb/debian/zlib@1:1.2.13.dfsg-1?arch=source&file=zlib_1.2.13.dfsg.orig.tar.bz2",
    ] {
        let came = machine.fetch(&fetcher, address);
        assert!(came.result.is_ok(), "{:?}", came.result);
    }
    assert_eq!(
        machine.paths(),
        [
            "/d/pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb",
            "/d/pool/main/z/zlib/zlib_1.2.13.dfsg.orig.tar.bz2",
        ]
    );
    assert_eq!(machine.asked().len(), 1, "{:?}", machine.asked());
}

#[test]
fn mirrors_are_known_without_lists_and_security_has_a_pool_of_its_own() {
    let machine = Machine::new(&[GONE, WHOLE]);
    machine.client(
        "apt-get",
        "case \"$*\" in *print-uris*)
            echo \"'{server}/d/dists/stable/InRelease' x 0\"
            echo \"'{server}/d/dists/stable/main/binary-amd64/Packages.xz' x 0\"
            echo \"'{server}/s/dists/stable-security/main/binary-amd64/Packages.xz' x 0\";; esac",
    );
    let came = machine.fetch(
        &machine.place.fetcher(),
        "pkg:deb/debian/libc6@2.36-9+deb12u9?arch=amd64&source=glibc",
    );
    assert!(came.result.is_ok(), "{:?}", came.result);
    assert_eq!(
        machine.paths(),
        [
            "/d/pool/main/g/glibc/libc6_2.36-9%2Bdeb12u9_amd64.deb",
            "/s/pool/updates/main/g/glibc/libc6_2.36-9%2Bdeb12u9_amd64.deb",
        ]
    );
}

#[test]
fn lists_tell_the_source_package_and_the_newest_version() {
    let lists = "case \"$*\" in *'show zlib1g:amd64') printf 'Package: zlib1g\\nSource: zlib (1:9)\\nVersion: 1:9-1\\n\\n';; *) exit 100;; esac";
    let machine = Machine::new(&[GONE, WHOLE]);
    machine.client("apt-get", APT);
    machine.client("apt-cache", lists);
    let came = machine.fetch(
        &machine.place.fetcher(),
        "pkg:deb/debian/zlib1g@1:1-1?arch=amd64",
    );
    assert!(came.result.is_ok(), "{:?}", came.result);
    assert_eq!(
        machine.paths(),
        [
            "/d/pool/main/z/zlib1g/zlib1g_1-1_amd64.deb",
            "/d/pool/main/z/zlib/zlib1g_1-1_amd64.deb"
        ]
    );
    // Only when it is gone everywhere is there a newer one.
    for (reply, newest) in [
        (GONE, Some("1:9-1")),
        ("HTTP/1.1 403 No\nContent-Length: 0", None),
    ] {
        let machine = Machine::new(&[reply]);
        machine.client("apt-get", APT);
        machine.client("apt-cache", lists);
        let address = "pkg:deb/debian/zlib1g@1:1-1?arch=amd64";
        let came = machine.fetch(&machine.place.fetcher(), address);
        assert_eq!(Machine::newest(&came), newest);
    }
}

#[test]
fn a_tarball_of_npm_comes_from_the_registry_of_its_scope() {
    let document = "HTTP/1.1 200 OK\n\n{\"dist-tags\":{\"latest\":\"2.0.0\"},\"versions\":{\"1.0.0\":{\"dist\":{\"tarball\":\"http:\\/\\/HERE/t/1.tgz\"}},\"2.0.0\":{\"dist\":{\"tarball\":\"/t/2.tgz\"}},\"3.0.0-rc.1\":{\"dist\":{\"tarball\":\"/t/3.tgz\"}}}}";
    // Words in braces are the server's.
    let document = document.replace('{', "\u{1}").replace('}', "{)}");
    let document = document.replace('\u{1}', "{(}").replace("HERE", "{here}");
    let machine = Machine::new(&[&document, WHOLE, &document, &document]);
    machine.client(
        "npm",
        "echo '{\"registry\":\"{server}/all/\",\"@scope:registry\":\"{server}/own\"}'",
    );
    let fetcher = machine.place.fetcher();
    let came = machine.fetch(&fetcher, "pkg:npm/%40scope/name@1.0.0");
    assert!(came.result.is_ok(), "{:?}", came.result);
    assert_eq!(machine.paths(), ["/own/@scope%2fname", "/t/1.tgz"]);
    let came = machine.fetch(&fetcher, "pkg:npm/name@1.5.0");
    assert_eq!(machine.paths()[2..], ["/all/name", "/all/name"]);
    assert_eq!(Machine::newest(&came), Some("2.0.0"));
    assert_eq!(machine.asked(), ["npm config list -l --json"]);
}

#[test]
fn a_source_distribution_comes_from_the_index() {
    let page = "HTTP/1.1 200 OK\n\n<!DOCTYPE html><html><a href=\"../../f/a_b-1.0.tar.gz#sha256=0\">a_b-1.0.tar.gz</a>\
                <a href=\"/f/a_b-1.0-py3-none-any.whl\">a_b-1.0-py3-none-any.whl</a><a href=\"/f/a_b-2.0.tar.gz\">a_b-2.0.tar.gz</a>";
    let machine = Machine::new(&[page, WHOLE, page, page]);
    machine.client(
        "pip",
        "case \"$*\" in 'config list') ;; *) echo '  -i, --index-url <url>  Base (default {server}/simple). This';; esac",
    );
    let fetcher = machine.place.fetcher();
    let came = machine.fetch(&fetcher, "pkg:pypi/A.b@1.0");
    assert!(came.result.is_ok(), "{:?}", came.result);
    assert_eq!(machine.paths(), ["/simple/a-b/", "/f/a_b-1.0.tar.gz"]);
    let came = machine.fetch(&fetcher, "pkg:pypi/a-b@0.9");
    assert_eq!(Machine::newest(&came), Some("2.0"));
    assert_eq!(machine.asked(), ["pip config list", "pip download --help"]);
}

const CARGO: &str = "mkdir -p $CARGO_HOME/registry/index/x/.cache/ab/cd $CARGO_HOME/registry/cache/x
printf '{\"dl\":\"{server}/dl\"}' > $CARGO_HOME/registry/index/x/config.json
printf 'x\\0001.0.0\\000{\"vers\":\"1.0.0\",\"yanked\":false}\\0001.1.0\\000{\"vers\":\"1.1.0\",\"yanked\":false}\\0001.2.0\\000{\"vers\":\"1.2.0\",\"yanked\":true}\\000' > $CARGO_HOME/registry/index/x/.cache/ab/cd/abcd";

#[test]
fn a_crate_comes_from_where_the_registry_says() {
    let machine = Machine::new(&[WHOLE, WHOLE, GONE]);
    machine.client("cargo", CARGO);
    let fetcher = machine.place.fetcher();
    for version in ["1.0.0", "1.1.0"] {
        let came = machine.fetch(&fetcher, &format!("pkg:cargo/abcd@{version}"));
        assert!(came.result.is_ok(), "{:?}", came.result);
    }
    assert_eq!(
        machine.paths(),
        ["/dl/abcd/1.0.0/download", "/dl/abcd/1.1.0/download"]
    );
    assert_eq!(machine.asked(), ["cargo info --color never abcd@1.0.0"]);
    let came = machine.fetch(&fetcher, "pkg:cargo/abcd@0.9.0");
    assert_eq!(Machine::newest(&came), Some("1.1.0"));
}

#[test]
fn a_crate_that_only_cargo_may_have_is_fetched_by_cargo() {
    let machine = Machine::new(&["HTTP/1.1 403 No\nContent-Length: 0"]);
    fs::write(machine.place.path("crate"), &machine.content).expect("a crate");
    let script = format!("{CARGO}\ncp $HOME/crate $CARGO_HOME/registry/cache/x/abcd-1.0.0.crate");
    machine.client("cargo", &script);
    let came = machine.fetch(&machine.place.fetcher(), "pkg:cargo/abcd@1.0.0");
    let obtained = came.result.expect("the crate comes");
    assert!(obtained.downloaded.place.ends_with("abcd-1.0.0.crate"));
}

#[test]
fn a_client_writes_nowhere_and_reaches_nobody() {
    let machine = Machine::new(&[WHOLE]);
    let port = machine.server.port();
    machine.client(
        "apt-get",
        &format!(
            "for place in \"$HOME/changed\" \"$0\" /var/tmp/stxl-changed /dev/shm/stxl-changed; do
                 (echo x >> \"$place\") 2> /dev/null && echo \"{{server}}/wrote$place/ s main Debian\"
             done
             mv \"$HOME/kept\" \"$HOME/moved\" 2> /dev/null && echo '{{server}}/moved/ s main Debian'
             bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}' 2> /dev/null && echo '{{server}}/reached/ s main Debian'
             [ -n \"$SECRET\" ] && echo '{{server}}/secret/ s main Debian'
             read -r line && echo '{{server}}/input/ s main Debian'
             grep -q 'NoNewPrivs:.1' /proc/self/status && cat \"$HOME/kept\" > /dev/null && echo '{{server}}/right/ s main Debian'
             exit 0"
        ),
    );
    fs::write(machine.place.path("kept"), "x").expect("a file");
    let came = machine.fetch(
        &machine.place.fetcher(),
        "pkg:deb/debian/a0@1?arch=amd64&source=a0",
    );
    assert!(came.result.is_ok(), "{:?}", came.result);
    assert_eq!(machine.paths(), ["/right/pool/main/a/a0/a0_1_amd64.deb"]);
    assert!(!machine.place.path("changed").exists());
}

#[test]
fn a_client_that_is_not_there_fails_or_takes_too_long_is_named() {
    let address = "pkg:deb/debian/a0@1?arch=amd64";
    let told = |script: Option<&str>| {
        let mut machine = Machine::new(&[WHOLE]);
        machine.place.options.clients.path = vec![machine.place.path("programs")];
        machine.place.options.limits.client = Duration::from_millis(500);
        if let Some(script) = script {
            machine.client("apt-get", script);
        }
        machine.fetch(&machine.place.fetcher(), address).complaint()
    };
    assert!(told(None).contains("`apt-get` is not installed"));
    let failed = told(Some(
        "echo 'E: http://user:canary@host/ is broken' >&2; exit 7",
    ));
    assert!(
        failed.contains("exit status: 7: E: http://host/ is broken"),
        "{failed}"
    );
    let late = told(Some("while :; do :; done"));
    assert!(
        late.contains("`apt-get` gave no answer within 0.5 s"),
        "{late}"
    );
    let empty = told(Some("exit 0"));
    assert!(empty.contains("it knows no mirror of debian"), "{empty}");
}

#[test]
fn what_nobody_can_tell_is_said() {
    let machine = Machine::new(&["HTTP/1.1 200 OK\n\nno document"]);
    machine.client("npm", "echo '{\"registry\":\"{server}\"}'");
    machine.client("pip", "echo \"global.index-url='{server}'\"");
    machine.client("cargo", "exit 101");
    for address in ["pkg:npm/a@1", "pkg:pypi/a@1"] {
        let came = machine.fetch(&machine.place.fetcher(), address);
        assert!(
            came.complaint().contains("cannot be read"),
            "{}",
            came.complaint()
        );
        assert_eq!(Machine::newest(&came), None);
    }
    let came = machine.fetch(&machine.place.fetcher(), "pkg:cargo/a@1");
    assert!(
        came.complaint().contains("`cargo` ended with"),
        "{}",
        came.complaint()
    );
    assert!(Address::parse("pkg:cargo/a@1/../x").is_err());
}
