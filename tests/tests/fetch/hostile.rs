//! Servers that lie, stall, cut off, lead astray and never end, each as a case.

use std::time::{Duration, Instant};

use stxl_model::Sha256;
use stxl_tests::server::{Server, content};

use super::place::{Place, WHOLE};

/// What a case comes to.
enum Comes {
    /// To the file, after so many requests.
    Whole(usize),
    /// To nothing, after so many requests, and this is said.
    Nothing(usize, &'static str),
}

use Comes::{Nothing, Whole};

/// Name, replies in turn, what comes of it.
const CASES: &[(&str, &[&str], Comes)] = &[
    ("honest", &[WHOLE], Whole(1)),
    (
        "chunked",
        &["HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n30d40\r\n{whole}\r\n0\r\n\r\n"],
        Whole(1),
    ),
    (
        "to the end of the connection",
        &["HTTP/1.0 200 OK\n\n{whole}"],
        Whole(1),
    ),
    (
        "cut off once",
        &["HTTP/1.1 200 OK\nContent-Length: {length}\n\n{half}", WHOLE],
        Whole(2),
    ),
    (
        "cut off always",
        &["HTTP/1.1 200 OK\nContent-Length: {length}\n\n{half}"],
        Nothing(3, "ended after 100000 bytes of 200000"),
    ),
    (
        "cut off in a chunk",
        &["HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n30d40\r\n{half}"],
        Nothing(3, "ended after"),
    ),
    (
        "more than it says",
        &["HTTP/1.1 200 OK\nContent-Length: 10\n\n{whole}"],
        Nothing(1, "10 bytes came, and they have sha256:"),
    ),
    (
        "less than it says in the end",
        &["HTTP/1.1 200 OK\nContent-Length: 900000\n\n{whole}"],
        Nothing(3, "ended after 200000 bytes of 900000"),
    ),
    (
        "a length that is none",
        &["HTTP/1.1 200 OK\nContent-Length: many\n\n{whole}"],
        Nothing(1, "does not speak as it should"),
    ),
    (
        "two lengths",
        &["HTTP/1.1 200 OK\nContent-Length: 10\nContent-Length: {length}\n\n{whole}"],
        Nothing(1, ""),
    ),
    (
        "other bytes",
        &["HTTP/1.1 200 OK\nContent-Length: {length}\n\n{other}"],
        Nothing(1, "200000 bytes came, and they have sha256:"),
    ),
    (
        "another encoding, unasked",
        &["HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: {length}\n\n{other}"],
        Nothing(1, "sent with Content-Encoding gzip, unasked"),
    ),
    (
        "an encoding that is only said",
        &["HTTP/1.1 200 OK\nContent-Encoding: x-gzip\nContent-Length: {length}\n\n{whole}"],
        Whole(1),
    ),
    (
        "a coding of the transfer, unasked",
        &["HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n30d40\r\n{whole}\r\n0\r\n\r\n"],
        Nothing(1, "does not speak as it should"),
    ),
    (
        "stalls before the answer",
        &["{stall}HTTP/1.1 200 OK\nContent-Length: {length}\n\n{whole}"],
        Nothing(3, "does not answer in time"),
    ),
    (
        "stalls in the head",
        &["HTTP/1.1 200 OK\nContent-Length: {length}\nX: {stall}\n\n{whole}"],
        Nothing(3, "in time"),
    ),
    (
        "stalls in the file",
        &["HTTP/1.1 200 OK\nContent-Length: {length}\n\n{half}{stall}"],
        Nothing(3, "nothing came for 0.4 s"),
    ),
    (
        "trickles",
        &["HTTP/1.1 200 OK\nContent-Length: {length}\n\n{trickle}"],
        Nothing(3, "next to nothing came for 0.4 s"),
    ),
    (
        "never ends",
        &["HTTP/1.1 200 OK\n\n{endless}"],
        Nothing(1, "larger than 4194304 bytes"),
    ),
    (
        "says that it never ends",
        &["HTTP/1.1 200 OK\nContent-Length: 99999999999\n\n{stall}"],
        Nothing(1, "larger than 4194304 bytes"),
    ),
    (
        "a head that never ends",
        &["HTTP/1.1 200 OK\nX: {endless}\n\n{whole}"],
        Nothing(1, "does not speak as it should"),
    ),
    (
        "no HTTP",
        &["{whole}"],
        Nothing(1, "does not speak as it should"),
    ),
    ("nothing at all", &[""], Nothing(1, "")),
    (
        "401",
        &["HTTP/1.1 401 No\nContent-Length: 0"],
        Nothing(1, "refuses (status 401)"),
    ),
    (
        "403",
        &["HTTP/1.1 403 No\nContent-Length: 0"],
        Nothing(1, "refuses (status 403)"),
    ),
    (
        "404",
        &["HTTP/1.1 404 No\nContent-Length: 0"],
        Nothing(1, "not there (status 404)"),
    ),
    (
        "407",
        &["HTTP/1.1 407 No\nContent-Length: 0"],
        Nothing(1, "refuses (status 407)"),
    ),
    (
        "410",
        &["HTTP/1.1 410 No\nContent-Length: 0"],
        Nothing(1, "not there (status 410)"),
    ),
    (
        "418",
        &["HTTP/1.1 418 No\nContent-Length: 0"],
        Nothing(1, "status 418"),
    ),
    (
        "204",
        &["HTTP/1.1 204 No Content"],
        Nothing(1, "status 204"),
    ),
    (
        "429, then the file",
        &[
            "HTTP/1.1 429 Wait\nRetry-After: 9999\nContent-Length: 0",
            WHOLE,
        ],
        Whole(2),
    ),
    (
        "500",
        &["HTTP/1.1 500 No\nContent-Length: 0"],
        Nothing(3, "status 500"),
    ),
    (
        "503 twice, then the file",
        &[
            "HTTP/1.1 503 No\nContent-Length: 0",
            "HTTP/1.1 503 No\nRetry-After: never\nContent-Length: 0",
            WHOLE,
        ],
        Whole(3),
    ),
    (
        "a part that nobody asked for",
        &[
            "HTTP/1.1 206 Part\nContent-Range: bytes 0-199999/200000\nContent-Length: {length}\n\n{whole}",
        ],
        Nothing(1, "status 206, unasked"),
    ),
    (
        "416 that nobody asked for",
        &["HTTP/1.1 416 No\nContent-Length: 0"],
        Nothing(1, "status 416"),
    ),
    (
        "leads on",
        &[
            "HTTP/1.1 302 Found\nLocation: /elsewhere\nContent-Length: 0",
            WHOLE,
        ],
        Whole(2),
    ),
    (
        "leads in a circle",
        &["HTTP/1.1 302 Found\nLocation: {path}\nContent-Length: 0"],
        Nothing(6, "led on too often"),
    ),
    (
        "leads nowhere",
        &["HTTP/1.1 302 Found\nContent-Length: 0"],
        Nothing(1, "status 302 without a place"),
    ),
    (
        "leads to a file",
        &["HTTP/1.1 302 Found\nLocation: file:///etc/passwd\nContent-Length: 0"],
        Nothing(1, "it leads to something other than"),
    ),
    (
        "leads to a protocol that nobody speaks",
        &["HTTP/1.1 302 Found\nLocation: gopher://x/\nContent-Length: 0"],
        Nothing(1, "it leads to something other than"),
    ),
    (
        "leads to where machines in a cloud find their passwords",
        &["HTTP/1.1 302 Found\nLocation: http://169.254.169.254/latest\nContent-Length: 0"],
        Nothing(1, "nobody outside leads to this machine or its link"),
    ),
    (
        "leads to what is no address",
        &["HTTP/1.1 302 Found\nLocation: http://[::1\nContent-Length: 0"],
        Nothing(1, "it cannot be read"),
    ),
    (
        "leads on with a user that is an option",
        &["HTTP/1.1 302 Found\nLocation: http://-oProxyCommand=x@{here}/\nContent-Length: 0"],
        Nothing(1, "begins with `-`"),
    ),
    (
        "names a file of its own",
        &[
            "HTTP/1.1 200 OK\nContent-Disposition: attachment; filename=../../x\nContent-Length: {length}\n\n{whole}",
        ],
        Whole(1),
    ),
];

#[test]
fn every_server_comes_to_what_is_said_of_it() {
    let content = content(200_000);
    let lock = Sha256::of(&content);
    let mut wrong = Vec::new();
    for (name, replies, comes) in CASES {
        let server = Server::start(&content, replies);
        let place = Place::new();
        let begin = Instant::now();
        let came = place.fetch(&format!("http://{}/f", server.authority()), Some(lock));
        let requests = server.requests().len();
        let is_right = match comes {
            Whole(expected) => {
                came.result.is_ok() && came.bytes == content && requests == *expected
            }
            Nothing(expected, said) => {
                came.result.is_err() && requests == *expected && came.complaint().contains(said)
            }
        };
        let took = begin.elapsed();
        if !is_right || took > Duration::from_secs(5) {
            let result = &came.result;
            wrong.push(format!("{name}: {requests} requests, {took:?}: {result:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(CASES.len() >= 25);
}

#[test]
fn a_mirror_that_lies_is_told_of_although_the_file_came() {
    let content = content(200_000);
    let lying = Server::start(
        &content,
        &["HTTP/1.1 200 OK\nContent-Length: {length}\n\n{other}"],
    );
    let place = Place::new();
    let came = place.fetch(
        &format!("http://{}/f", lying.authority()),
        Some(Sha256::of(&content)),
    );
    assert!(came.complaint().contains(&lying.authority()));
    assert!(
        came.bytes.is_empty(),
        "the next mirror begins at the beginning"
    );
}
