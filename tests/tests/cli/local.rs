//! Local development: a folder beside the workspace in the place of a package's source.

use std::fs;

use crate::place::Place;

const PACKAGE: &str = r#"custom(#{
    version: "1",
    description: "A directory as it is",
    license: "MIT",
    platforms: ["i686"],
    source: dir("files"),
});

fn build(p) {
    #{ main: root().unpack(p.source, "/out").out("/out") }
}
"#;

#[test]
fn a_folder_beside_the_workspace_is_built() {
    let place = Place::with_first_package();
    place.write("stages/first/data/package.rhai", PACKAGE);
    place.write("stages/first/data/files/text", "theirs");
    let built = |expected: &str, out: &str| {
        let out = place.path().join(out);
        let ran = place.run(&["build", "first/data", "--out", out.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(fs::read_to_string(out.join("text")).unwrap(), expected);
    };
    built("theirs", "first");
    fs::create_dir(place.path().join("data")).unwrap();
    fs::write(place.path().join("data/text"), "ours").unwrap();
    place.write(
        "local/first/data/package.rhai",
        "prior().change(#{ source: dir(\"../data\", #{ ignore: [\"*.o\"] }) })\n",
    );
    fs::write(place.path().join("data/text.o"), "left out").unwrap();
    built("ours", "second");
    fs::write(place.path().join("data/text"), "edited").unwrap();
    built("edited", "third");
    assert!(!place.path().join("third/text.o").exists());
}
