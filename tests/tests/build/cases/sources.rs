//! Cases of sources from servers: what the build makes of them, and what stays in the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use stxl_build::{BuildOptions, BuildOutcome, CancelHandle};
use stxl_fetch::{FetchOptions, TransferLimits};
use stxl_store::GcPolicy;
use stxl_tests::server::{Server, content};

use super::{Case, expect};
use crate::build::site::{Site, Told};

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    (
        "source_is_fetched_once_and_found_without_network",
        fetched_once,
    ),
    ("source_of_a_lying_mirror_comes_from_the_next", lying_mirror),
    ("source_is_gone_on_with_by_the_next_build", resumed),
    ("source_that_stalls_is_called_off_at_once", called_off),
    (
        "source_wanted_by_two_processes_is_fetched_once",
        two_processes,
    ),
    ("sources_take_no_place_of_a_step", beside_steps),
    ("source_that_nobody_has_is_told_of_by_every_place", nowhere),
    ("password_of_a_source_is_in_no_file", canary),
    (
        "source_whose_version_changed_without_its_hash_is_doubted",
        version_without_hash,
    ),
    (
        "source_whose_bytes_changed_is_doubted",
        bytes_behind_an_address,
    ),
    ("source_ledger_with_damage_is_repaired", ledger_with_damage),
];

const WHOLE: &str = "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{whole}";
const HALF: &str = "HTTP/1.1 200 OK\nETag: \"a\"\nContent-Length: {length}\n\n{half}";
const REST: &str = "HTTP/1.1 206 Part\nETag: \"a\"\nContent-Range: {rest-range}\nContent-Length: {rest-length}\n\n{rest}";
const OTHER: &str = "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{other}";
const NONE: &str = "HTTP/1.1 404 No\nContent-Length: 0";

fn impatient(site: &Site) -> BuildOptions {
    let limits = TransferLimits {
        attempts: 1,
        stall: Duration::from_secs(2),
        ..TransferLimits::default()
    };
    BuildOptions {
        network: FetchOptions {
            limits,
            ..FetchOptions::default()
        },
        ..site.options()
    }
}

fn url(server: &Server) -> String {
    format!("http://{}/thing.tar", server.authority())
}

/// Builds a plan whose one output is a source with these addresses.
fn build(site: &Site, content: &[u8], urls: &[String]) -> Told {
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(content, urls.to_vec());
    recipe.want("test/source", fetch);
    site.build_with(&recipe.plan, &impatient(site))
}

/// Files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

fn downloads(site: &Site) -> Vec<PathBuf> {
    files(&site.store_path().join("downloads"))
}

fn fetched_once() {
    let site = Site::new();
    let content = content(300_000);
    let server = Server::start(&content, &[WHOLE, NONE]);
    let told = build(&site, &content, &[url(&server)]);
    assert_eq!(site.output(&told, "test/source", "/file"), content);
    let last = told
        .events_of("fetching")
        .pop()
        .expect("it is told how far it is");
    assert_eq!(
        (&last["bytes"], &last["total"]),
        (&300_000.into(), &300_000.into())
    );
    // From here on nobody is asked: not for the same source at another place, nor after the server
    // is gone.
    for urls in [
        vec![url(&server)],
        vec!["https://localhost:1/x".to_owned()],
        vec![],
    ] {
        let told = build(&site, &content, &urls);
        assert_eq!(site.output(&told, "test/source", "/file"), content);
    }
    assert_eq!(server.requests().len(), 1);
    assert!(downloads(&site).is_empty());
}

fn lying_mirror() {
    let site = Site::new();
    let content = content(300_000);
    let (lying, honest) = (
        Server::start(&content, &[OTHER]),
        Server::start(&content, &[WHOLE]),
    );
    let told = build(&site, &content, &[url(&lying), url(&honest)]);
    assert_eq!(site.output(&told, "test/source", "/file"), content);
    let warnings = told.events_of("warning");
    let text = warnings[0]["text"].as_str().expect("a text");
    assert!(
        text.contains(&url(&lying)) && text.contains("sha256:"),
        "{text}"
    );
    assert_eq!(warnings.len(), 1);
}

fn resumed() {
    let site = Site::new();
    let content = content(300_000);
    let server = Server::start(&content, &[HALF, REST]);
    let told = build(&site, &content, &[url(&server)]);
    assert_eq!(told.summary.outcome, BuildOutcome::Failed);
    let left = downloads(&site);
    assert_eq!(left.len(), 1);
    assert_eq!(
        fs::read(&left[0]).expect("it is readable"),
        content[..150_000]
    );
    // Another process would find the store like this.
    let site = site.reopen();
    let told = build(&site, &content, &[url(&server)]);
    assert_eq!(site.output(&told, "test/source", "/file"), content);
    let requests = server.requests();
    assert!(
        requests[1]
            .to_ascii_lowercase()
            .contains("range: bytes=150000-")
    );
    assert!(downloads(&site).is_empty());
    // What nobody goes on with is collected.
    let broken = Server::start(&content, &[HALF]);
    build(&site, b"something else", &[url(&broken)]);
    assert_eq!(downloads(&site).len(), 1);
    site.store.gc(&GcPolicy::default()).expect("a collection");
    assert!(downloads(&site).is_empty());
    let report = site.store.fsck().expect("the store can be checked");
    assert!(report.breaches.is_empty(), "{report:?}");
}

fn called_off() {
    let site = Site::new();
    let content = content(300_000);
    let stalling = "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{half}{stall}";
    let server = Server::start(&content, &[stalling]);
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(&content, vec![url(&server)]);
    recipe.want("test/source", fetch);
    let handle = CancelHandle::default();
    let options = BuildOptions {
        cancel: handle.clone(),
        ..impatient(&site)
    };
    let mut called = None;
    let context = site.context(&recipe.plan, &options);
    let summary = stxl_build::build(context, &mut |event| {
        if let stxl_build::BuildEvent::Fetching { bytes: 1.., .. } = event {
            called.get_or_insert_with(Instant::now);
            handle.cancel();
        }
    });
    let summary = summary.expect("what is called off is no error");
    assert_eq!(summary.outcome, BuildOutcome::Interrupted);
    let took = called.expect("it began").elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    // What came stays for the next time.
    assert_eq!(downloads(&site).len(), 1);
}

fn two_processes() {
    let site = Site::new();
    let content = content(300_000);
    let slow = "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{half}{pause}{other-half}";
    let server = Server::start(&content, &[slow]);
    let mut recipe = site.recipe();
    let fetch = recipe.fetch(&content, vec![url(&server)]);
    recipe.want("test/source", fetch);
    let mut client = site.client(&recipe.plan);
    let told = site.build(&recipe.plan);
    assert_eq!(site.output(&told, "test/source", "/file"), content);
    assert!(client.wait().expect("the client ends").success());
    assert_eq!(server.requests().len(), 1);
}

fn beside_steps() {
    let site = Site::new();
    let content = content(300_000);
    let slow = "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{half}{pause}{other-half}";
    let server = Server::start(&content, &[slow]);
    let mut recipe = site.recipe();
    let step = recipe.step("test/step", &[], &["sleep 300", "write /out/file x"]);
    recipe.want("test/step", step);
    let fetch = recipe.fetch(&content, vec![url(&server)]);
    recipe.want("test/source", fetch);
    let options = BuildOptions {
        jobs: 1,
        ..impatient(&site)
    };
    let told = site.build_with(&recipe.plan, &options);
    expect(&told, [1, 0, 0, 0, 0, 1]);
    let place = |kind: &str, of: &str| {
        let is_it = |line: &String| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            event["event"] == kind && event["step"]["label"] == of
        };
        told.events.iter().position(is_it).expect("it is told")
    };
    let begun = place("step_started", "test/step").max(place("step_started", "test/source"));
    let ended = place("step_finished", "test/step").min(place("step_finished", "test/source"));
    assert!(begun < ended, "{:#?}", told.events);
}

fn nowhere() {
    let site = Site::new();
    let content = content(1000);
    let (gone, lying) = (
        Server::start(&content, &[NONE]),
        Server::start(&content, &[OTHER]),
    );
    let missing = format!("file://{}", site.workspace().join("missing").display());
    let urls = [url(&gone), url(&lying), missing, "gopher://x/y".to_owned()];
    let told = build(&site, &content, &urls);
    let cause = told.summary.failed[0].cause.to_string();
    let lines: Vec<&str> = cause.lines().skip(1).collect();
    let said = [
        "it is not there (status 404)",
        "1000 bytes came, and they have sha256:",
        "No such file or directory",
        "an address begins with",
    ];
    assert_eq!(lines.len(), said.len(), "{cause}");
    for ((line, url), said) in lines.iter().zip(urls).zip(said) {
        let place = url.trim_start_matches("file://");
        assert!(line.contains(place) && line.contains(said), "{line}");
    }
    assert!(
        downloads(&site)
            .iter()
            .all(|file| fs::metadata(file).is_ok_and(|it| it.len() == 0))
    );
}

fn canary() {
    let site = Site::new();
    let content = content(300_000);
    let server = Server::start(
        &content,
        &[HALF, "HTTP/1.1 401 No\nContent-Length: 0", REST],
    );
    let address = format!("http://user:canary@{}/thing.tar", server.authority());
    // A build that fails halfway, one that is refused, and one that ends well.
    for _ in 0..3 {
        let told = build(&site, &content, std::slice::from_ref(&address));
        let failed = &told.summary.failed;
        let text = format!(
            "{:?} {:?}",
            told.events,
            failed
                .iter()
                .map(|it| it.cause.to_string())
                .collect::<Vec<_>>()
        );
        assert!(!text.contains("canary"), "{text}");
    }
    assert_eq!(server.requests().len(), 3);
    site.store.commit().expect("a commit");
    let holds = |file: &PathBuf| {
        let bytes = fs::read(file).unwrap_or_default();
        bytes.windows(6).any(|window| window == b"canary")
    };
    let found: Vec<PathBuf> = files(&site.store_path())
        .into_iter()
        .filter(holds)
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

fn doubts(told: &Told) -> Vec<String> {
    let warnings = told.events_of("warning");
    let text = |event: &serde_json::Value| event["text"].as_str().expect("a text").to_owned();
    warnings.iter().map(text).collect()
}

fn version_without_hash() {
    let site = Site::new();
    let content = content(1000);
    let server = Server::start(&content, &[WHOLE]);
    let place = |name: &str| vec![format!("http://{}/{name}", server.authority())];
    assert!(doubts(&build(&site, &content, &place("thing-1.2.tar.gz"))).is_empty());
    // The old bytes are found by their hash; nobody is asked.
    let told = build(&site, &content, &place("thing-1.3.tar.gz"));
    assert_eq!(told.summary.outcome, BuildOutcome::Ok);
    let [doubt] = doubts(&told).try_into().expect("one doubt");
    assert!(
        doubt.contains("thing-1.3.tar.gz has the hash of"),
        "{doubt}"
    );
    assert!(
        doubt.contains("thing-1.2.tar.gz: the version changed"),
        "{doubt}"
    );
    // Another name or another server is no other version.
    for name in ["thing.tar.gz", "other-1.3.tar.gz", "thing-1.3.tar.gz?x=a"] {
        assert_eq!(
            doubts(&build(&site, &content, &place(name))),
            [""; 0],
            "{name}"
        );
    }
    assert_eq!(server.requests().len(), 1);
}

fn bytes_behind_an_address() {
    let site = Site::new();
    let new = content(2000);
    let old = new[..1000].to_vec();
    let server = Server::start(
        &new,
        &["HTTP/1.1 200 OK\nContent-Length: 1000\n\n{half}", WHOLE],
    );
    let urls = [url(&server)];
    assert!(doubts(&build(&site, &old, &urls)).is_empty());
    let site = site.reopen();
    let [doubt] = doubts(&build(&site, &new, &urls))
        .try_into()
        .expect("one doubt");
    let before = stxl_model::Sha256::of(&old).to_string();
    assert!(
        doubt.contains(&format!("{} gave {before} on 2", url(&server))),
        "{doubt}"
    );
    assert!(
        doubt.contains("its bytes changed although its name did not"),
        "{doubt}"
    );
    // Once the new bytes came from there, they are no surprise; nor are the old ones.
    assert!(doubts(&build(&site, &new, &urls)).is_empty());
    let ledger = site.store.ledger().expect("the ledger is readable");
    assert_eq!(ledger.len(), 2);
}

fn ledger_with_damage() {
    let site = Site::new();
    let content = content(1000);
    for number in 0..3 {
        let path = site.workspace().join(format!("thing-{number}"));
        fs::write(&path, &content[number..]).expect("a file");
        let address = format!("file://{}", path.display());
        assert!(doubts(&build(&site, &content[number..], &[address])).is_empty());
    }
    let file = site.store_path().join("ledger");
    let whole = fs::read(&file).expect("a ledger");
    for place in [
        0,
        40,
        whole
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line"),
        whole.len() - 1,
    ] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&file, &bytes).expect("it is written");
        assert!(site.store.ledger().expect("what is whole is read").len() < 3);
        let report = site.store.verify().expect("the store is read");
        let is_named = report.damages.iter().any(|damage| damage.path == "ledger");
        assert!(is_named, "a bit of byte {place}: {:?}", report.damages);
        assert_eq!(site.store.quarantine(&report).expect("a repair"), [""; 0]);
        let report = site.store.verify().expect("the store is read");
        assert!(report.damages.is_empty(), "{:?}", report.damages);
        fs::write(&file, &whole).expect("it is written");
    }
    assert_eq!(site.store.ledger().expect("it is whole").len(), 3);
}
