//! `stxl graph`: who needs whom, in every form.

use std::fs;

use serde_json::{Value, json};

use crate::place::{Place, Ran};

fn graph(place: &Place, words: &[&str]) -> Ran {
    let ran = place.run(&[&["graph"], words].concat());
    assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
    ran
}

/// Who needs whom, and whether that is implied.
fn edges(record: &Value) -> Vec<(String, String, bool)> {
    let id = |at: &Value| {
        let node = &record["nodes"][usize::try_from(at.as_u64().unwrap()).unwrap()];
        node["text"].as_str().unwrap().to_owned()
    };
    let edges = record["edges"].as_array().unwrap().iter();
    let edges = edges.map(|edge| {
        let is_implied = edge["implied"].as_bool().unwrap();
        (id(&edge["from"]), id(&edge["to"]), is_implied)
    });
    edges.collect()
}

fn owned(edges: &[(&str, &str, bool)]) -> Vec<(String, String, bool)> {
    let owned = edges
        .iter()
        .map(|(from, to, is_implied)| ((*from).to_owned(), (*to).to_owned(), *is_implied));
    owned.collect()
}

#[test]
fn packages_are_told_with_what_they_need() {
    let place = Place::layered();
    let record = graph(&place, &["first/top", "--format", "json"]).json();
    let expected = [
        ("lib", "tool", false),
        ("low", "tool", false),
        ("mid", "low", false),
        ("mid", "tool", true),
        ("top", "lib", false),
        ("top", "low", true),
        ("top", "mid", false),
        ("top", "tool", true),
    ];
    assert_eq!(edges(&record), owned(&expected));
    assert_eq!(
        (&record["event"], &record["kind"], &record["title"]),
        (&json!("graph"), &json!("packages"), &json!("first/top"))
    );
    let node = json!({
        "id": "first/mid", "text": "mid", "label": "first/mid", "stage": "first",
        "version": "3.1", "description": "Reads a value, and has a directory",
        "kind": null, "status": null, "steps": ["run"],
        "file": "stages/first/mid/package.rhai", "line": 1, "opaque": false,
    });
    assert_eq!(record["nodes"][2], node);
    let reduced = graph(&place, &["first/top", "--format", "json", "--reduce"]).json();
    let left: Vec<_> = expected.into_iter().filter(|it| !it.2).collect();
    assert_eq!(edges(&reduced), owned(&left));
}

#[test]
fn derivations_are_told_with_their_kinds() {
    let place = Place::layered();
    let record = graph(&place, &["first/low", "--steps", "--format", "json"]).json();
    let nodes = record["nodes"].as_array().unwrap().iter();
    let told: Vec<_> = nodes
        .map(|it| (it["text"].as_str().unwrap(), it["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        ("tool: seed hello.hex", "import"),
        ("tool: main", "compose"),
        ("low: root of run", "compose"),
        ("low: run", "exec"),
    ];
    assert_eq!(told, expected);
    assert_eq!(record["kind"], "derivations");
    assert_eq!(edges(&record).len(), 3);
}

#[test]
fn graphviz_gets_a_graph() {
    let place = Place::layered();
    let ran = graph(&place, &["first/mid", "--reduce"]);
    let expected = "\
digraph plan {
  rankdir=RL;
  node [shape=box, style=\"rounded,filled\", fontname=\"monospace\"];
  \"first/low\" [label=\"first/low\", fillcolor=\"#cfe3ff\"];
  \"first/mid\" [label=\"first/mid\", fillcolor=\"#cfe3ff\"];
  \"first/tool\" [label=\"first/tool\", fillcolor=\"#cfe3ff\"];
  \"first/low\" -> \"first/tool\";
  \"first/mid\" -> \"first/low\";
}
";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn the_status_is_told_when_it_is_asked_for() {
    let place = Place::layered();
    assert_eq!(place.build(&["first/low"]).code, 0);
    let record = graph(&place, &["first/top", "--status", "--format", "json"]).json();
    let nodes = record["nodes"].as_array().unwrap().iter();
    let told: Vec<_> = nodes
        .map(|it| (it["text"].as_str().unwrap(), it["status"].as_str().unwrap()))
        .collect();
    let expected = [
        ("lib", "run"),
        ("low", "cached"),
        ("mid", "run"),
        ("tool", "cached"),
        ("top", "pending"),
    ];
    // Trees of packages that are not built yet are put together first.
    let is_to_come = |status: &str| status != "cached";
    for ((text, status), (expected_text, expected)) in told.iter().zip(expected) {
        assert_eq!(
            (*text, is_to_come(status)),
            (expected_text, is_to_come(expected)),
            "{told:?}"
        );
    }
    assert_eq!(place.build(&[]).code, 0);
    let record = graph(&place, &["--status", "--format", "json"]).json();
    let nodes = record["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|it| it["status"] == "cached"), "{record}");
}

#[test]
fn a_page_needs_nothing_else_and_is_the_same_again() {
    let place = Place::layered();
    let strange = "</script><b onmouseover=x>&amp;<!-- {{data}} {{program}}";
    place.edit("stages/first/low/package.rhai", |text| {
        text.replace("Needs a program", strange)
    });
    let ran = graph(&place, &["-o", "graph.html"]);
    assert!(
        ran.stderr.contains("graph.html: 7 packages, 8 needs"),
        "{ran:?}"
    );
    let page = fs::read_to_string(place.workspace().join("graph.html")).unwrap();
    assert_eq!(
        graph(&place, &["--format", "html"]).stdout,
        page,
        "it is the same"
    );
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    for wanted in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!outside.contains(wanted), "{wanted}");
    }
    assert!(page.contains("default-src 'none'"));
    assert_eq!(
        page.matches("</script>").count(),
        2,
        "no text ends a script"
    );
    let begin = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let data: Value =
        serde_json::from_str(page[begin..].split("</script>").next().unwrap()).unwrap();
    let nodes = data["graph"]["nodes"].as_array().unwrap();
    let low = nodes.iter().position(|it| it["id"] == "first/low").unwrap();
    assert_eq!(nodes[low]["description"], strange);
    assert_eq!(data["boxes"].as_array().unwrap().len(), nodes.len());
    let paths = data["paths"].as_array().unwrap();
    assert_eq!(
        paths.len(),
        data["graph"]["edges"].as_array().unwrap().len()
    );
    assert!(
        paths
            .iter()
            .all(|path| path.as_str().unwrap().starts_with('M'))
    );
}

#[test]
fn a_picture_shows_every_package() {
    let place = Place::layered();
    graph(&place, &["--out", "graph.svg", "--status"]);
    let picture = fs::read_to_string(place.workspace().join("graph.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    for label in ["alone", "hello", "lib", "low", "mid", "tool", "top"] {
        assert!(
            picture.contains(&format!("<title>first/{label}</title>")),
            "{label}"
        );
        assert!(picture.contains(&format!(">{label}</text>")), "{label}");
    }
    assert!(picture.contains(">pending</text>"), "colors are explained");
}

#[test]
fn what_cannot_be_written_is_said() {
    let place = Place::layered();
    for (words, code, expected) in [
        (&["-o", "graph.pdf"][..], 2, "does not tell what to write"),
        (&["-o", "no/such/folder.svg"], 3, "cannot be written"),
        (&["first/tpo"], 2, "did you mean `first/top`?"),
        (&["first/tpo", "--format", "json"], 2, ""),
    ] {
        let ran = place.run(&[&["graph"], words].concat());
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{words:?}: {ran:?}");
    }
    let ran = place.run(&["graph", "first/tpo", "--format", "json"]);
    assert_eq!(ran.json()["event"], "diagnostics");
}
