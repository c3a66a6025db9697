//! Going on where a download ended: what is spliced together is the file, or nothing is.

use std::fs;

use stxl_model::Sha256;
use stxl_tests::server::{Server, content};

use super::place::{Place, WHOLE};

const HALF: &str = "HTTP/1.1 200 OK\nETag: \"a\"\nContent-Length: {length}\n\n{half}";
const REST: &str = "HTTP/1.1 206 Part\nETag: \"a\"\nContent-Range: {rest-range}\nContent-Length: {rest-length}\n\n{rest}";

/// Name, replies in turn, the requests there are, and how many of them ask for a rest.
const CASES: &[(&str, &[&str], usize, usize)] = &[
    ("the rest", &[HALF, REST], 2, 1),
    ("the file again", &[HALF, WHOLE], 2, 1),
    (
        "another file by its mark",
        &[
            HALF,
            "HTTP/1.1 206 Part\nETag: \"b\"\nContent-Range: {rest-range}\n\n{rest}",
            WHOLE,
        ],
        3,
        1,
    ),
    (
        "other bytes under the same mark",
        &[
            HALF,
            "HTTP/1.1 206 Part\nETag: \"a\"\nContent-Range: {rest-range}\n\n{other-rest}",
            WHOLE,
        ],
        3,
        1,
    ),
    (
        "another part",
        &[
            HALF,
            "HTTP/1.1 206 Part\nETag: \"a\"\nContent-Range: bytes 0-199999/200000\n\n{whole}",
            WHOLE,
        ],
        3,
        1,
    ),
    (
        "a part that does not say which",
        &[HALF, "HTTP/1.1 206 Part\nETag: \"a\"\n\n{rest}"],
        2,
        1,
    ),
    (
        "no such part",
        &[
            HALF,
            "HTTP/1.1 416 No\nContent-Range: bytes */5\nContent-Length: 0",
            WHOLE,
        ],
        3,
        1,
    ),
];

#[test]
fn a_rest_counts_only_with_the_right_beginning() {
    let content = content(200_000);
    for (name, replies, requests, rests) in CASES {
        let server = Server::start(&content, replies);
        let place = Place::new();
        let address = format!("http://{}/f", server.authority());
        let came = place.fetch(&address, Some(Sha256::of(&content)));
        let asked = server.requests();
        assert_eq!(asked.len(), *requests, "{name}: {:?}", came.result);
        let asks_for_rest = |request: &&String| {
            request
                .to_ascii_lowercase()
                .contains("range: bytes=100000-")
        };
        assert_eq!(asked.iter().filter(asks_for_rest).count(), *rests, "{name}");
        let had = came.result.is_ok();
        assert_eq!(had, came.bytes == content, "{name}");
        assert_eq!(
            had,
            *name != "a part that does not say which",
            "{name}: {:?}",
            came.result
        );
    }
}

#[test]
fn a_beginning_of_earlier_is_gone_on_with_at_another_mirror() {
    let content = content(200_000);
    let lock = Some(Sha256::of(&content));
    let first = Server::start(&content, &[HALF, "HTTP/1.1 500 No\nContent-Length: 0"]);
    let second = Server::start(&content, &[REST]);
    let place = Place::new();
    let came = place.fetch(&format!("http://{}/f", first.authority()), lock);
    assert!(came.result.is_err() && came.bytes == content[..100_000]);
    // A new process would find the same.
    let came = place.fetch(&format!("http://{}/f", second.authority()), lock);
    assert!(came.result.is_ok() && came.bytes == content);
    let asked = second.requests().remove(0).to_ascii_lowercase();
    assert!(asked.contains("range: bytes=100000-"), "{asked}");
    assert!(
        !asked.contains("if-range"),
        "the mark was another server's: {asked}"
    );
}

#[test]
fn a_wrong_beginning_of_earlier_is_no_servers_fault() {
    let content = content(200_000);
    let server = Server::start(&content, &[REST, WHOLE]);
    let place = Place::new();
    fs::write(place.path("file"), vec![b'x'; 100_000]).expect("a beginning");
    let address = format!("http://{}/f", server.authority());
    let came = place.fetch(&address, Some(Sha256::of(&content)));
    let obtained = came.result.expect("the file comes");
    assert!(obtained.attempts.is_empty() && came.bytes == content);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_file_that_is_all_there_is_not_asked_for() {
    let content = content(200_000);
    let server = Server::start(&content, &["HTTP/1.1 500 No\nContent-Length: 0"]);
    let place = Place::new();
    fs::write(place.path("file"), &content).expect("the file");
    let address = format!("http://{}/f", server.authority());
    let came = place.fetch(&address, Some(Sha256::of(&content)));
    assert!(came.result.is_ok() && server.requests().is_empty());
}

#[test]
fn without_a_hash_only_what_a_server_vouches_for_is_gone_on_with() {
    let content = content(200_000);
    let unmarked = "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{half}";
    for (replies, rests) in [([HALF, REST], 1), ([unmarked, WHOLE], 0)] {
        let server = Server::start(&content, &replies);
        let place = Place::new();
        fs::write(place.path("file"), b"of something else").expect("a file");
        let came = place.fetch(&format!("http://{}/f", server.authority()), None);
        let obtained = came.result.expect("the file comes");
        assert_eq!(obtained.downloaded.sha256, Sha256::of(&content));
        let requests = server.requests();
        let asks = requests
            .iter()
            .filter(|it| it.to_ascii_lowercase().contains("if-range: \"a\""));
        assert_eq!(asks.count(), rests);
    }
}
