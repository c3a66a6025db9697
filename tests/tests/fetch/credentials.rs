//! Passwords: told to the host they are for, and to nobody else, in no answer and in no text.

use std::fs;

use stxl_fetch::{Address, Proxies, Secret};
use stxl_model::Sha256;
use stxl_tests::server::{Server, content};

use super::place::{Place, WHOLE};

/// What `user:canary` looks like in a header.
const HEADER: &str = "authorization: basic dxnlcjpjyw5hcnk=";

fn tells(request: &str) -> bool {
    request.to_ascii_lowercase().contains(HEADER)
}

/// Which of the requests to a server told the password.
fn told(server: &Server) -> Vec<bool> {
    server.requests().iter().map(|it| tells(it)).collect()
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\nLocation: {to}\nContent-Length: 0")
}

#[test]
fn a_password_stays_at_its_host_wherever_a_server_leads() {
    let content = content(1000);
    let lock = Some(Sha256::of(&content));
    // The same machine by another name, and by another port, is another host.
    let other = Server::start(&content, &[WHOLE]);
    let by_name = format!("http://localhost:{}/there", other.port());
    let by_port = format!("http://{}/there", other.authority());
    let with_own_user = format!("http://user:canary@{}/there", other.authority());
    for to in [by_name, by_port, with_own_user] {
        let before = other.requests().len();
        let server = Server::start(&content, &[&redirect("/on"), &redirect(&to)]);
        let place = Place::new();
        let address = format!("http://user:canary@{}/f", server.authority());
        let came = place.fetch(&address, lock);
        let obtained = came.result.expect("the file comes");
        assert!(!format!("{obtained:?}").contains("canary"));
        assert_eq!(told(&server), [true, true]);
        assert_eq!(told(&other).split_off(before), [false], "led to {to}");
    }
}

#[test]
fn a_password_is_not_told_again_after_another_host() {
    let content = content(1000);
    let back = Server::start(&content, &[&redirect("/on"), WHOLE]);
    let away = Server::start(
        &content,
        &[&redirect(&format!("http://{}/back", back.authority()))],
    );
    let begin = Server::start(
        &content,
        &[&redirect(&format!("http://{}/x", away.authority()))],
    );
    let place = Place::new();
    let address = format!("http://user:canary@{}/f", begin.authority());
    let came = place.fetch(&address, Some(Sha256::of(&content)));
    assert!(came.result.is_ok());
    assert_eq!((told(&begin), told(&away)), (vec![true], vec![false]));
    assert_eq!(told(&back), [false, false]);
}

#[test]
fn a_netrc_is_for_the_hosts_it_names() {
    let content = content(1000);
    let lock = Some(Sha256::of(&content));
    let server = Server::start(&content, &[WHOLE]);
    let mut place = Place::new();
    let netrc = place.path("netrc");
    fs::write(&netrc, "machine localhost login user password canary\n").expect("a netrc");
    place.options.netrc = Some(netrc);
    for (host, is_told) in [("localhost", true), ("127.0.0.1", false)] {
        let before = server.requests().len();
        fs::remove_file(place.path("file")).ok();
        let came = place.fetch(&format!("http://{host}:{}/f", server.port()), lock);
        assert!(came.result.is_ok());
        assert_eq!(told(&server).split_off(before), [is_told]);
    }
    // To a host that has an entry too, but only because a server led there: not told.
    let leading = Server::start(
        &content,
        &[&redirect(&format!("http://localhost:{}/f", server.port()))],
    );
    let before = server.requests().len();
    fs::remove_file(place.path("file")).ok();
    let came = place.fetch(&format!("http://{}/f", leading.authority()), lock);
    assert!(came.result.is_ok());
    assert_eq!(told(&server).split_off(before), [false]);
}

#[test]
fn no_complaint_holds_a_password() {
    let content = content(1000);
    for reply in [
        "HTTP/1.1 401 No\nWWW-Authenticate: Basic realm=canary\nContent-Length: 0",
        "HTTP/1.1 302 Found\nLocation: http://x:canary@[::1/\nContent-Length: 0",
        "HTTP/1.1 302 Found\nLocation: ftp://x:canary@h/?token=canary#canary\nContent-Length: 0",
        "HTTP/1.1 302 Found\nLocation: http://x:canary@169.254.1.1/?token=canary\nContent-Length: 0",
        "HTTP/1.1 200 OK\nContent-Length: 4\n\n{half}",
        "",
    ] {
        let server = Server::start(&content, &[reply]);
        let place = Place::new();
        let address = format!("http://user:canary@{}/f", server.authority());
        let came = place.fetch(&address, Some(Sha256::of(&content)));
        let told = format!("{} {:?} {:?}", came.complaint(), came.result, place.options);
        assert!(!told.contains("canary"), "{told}");
        assert!(told.contains(&server.authority()), "{told}");
    }
    let parsed = Address::parse("http://user:canary@h/");
    assert!(!format!("{parsed:?}").contains("canary"));
}

#[test]
fn a_proxy_is_asked_to_connect_and_told_its_own_password_only() {
    let content = content(1000);
    let refusing = Server::start(&content, &["HTTP/1.1 407 No\nContent-Length: 0"]);
    let server = Server::start(&content, &[WHOLE]);
    let mut place = Place::new();
    let proxy = format!("http://proxy:canary@{}", refusing.authority());
    place.options.proxies = Proxies {
        http: Some(Secret::new(proxy)),
        https: None,
        none_for: vec!["localhost".to_owned()],
    };
    assert!(!format!("{:?}", place.options).contains("canary"));
    let lock = Some(Sha256::of(&content));
    let came = place.fetch(
        &format!("http://user:secret@{}/f", server.authority()),
        lock,
    );
    let complaint = came.complaint();
    assert!(
        !complaint.contains("canary") && complaint.contains("407"),
        "{complaint}"
    );
    let asked = refusing.requests().remove(0);
    assert!(
        asked.starts_with(&format!("CONNECT {} ", server.authority())),
        "{asked}"
    );
    assert!(
        !asked.to_ascii_lowercase().contains("\r\nauthorization"),
        "{asked}"
    );
    assert!(server.requests().is_empty());
    // Hosts without a proxy are reached without it.
    let came = place.fetch(&format!("http://localhost:{}/f", server.port()), lock);
    assert!(came.result.is_ok(), "{:?}", came.result);
}
