//! Local development: a folder beside the workspace in the place of a package's source.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::place::{DIRECTORY_PACKAGE, Place};

#[test]
fn a_folder_beside_the_workspace_is_built() {
    let place = Place::with_first_package();
    place.write("stages/first/data/package.rhai", DIRECTORY_PACKAGE);
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

/// What evaluation hashes and what the build takes in are read by different code: if they disagreed
/// about what lies in a directory, it would change while building for ever.
#[test]
fn a_directory_is_to_a_build_what_it_is_to_a_plan() {
    for (ignore, left) in [
        ("*.o", ["sub/text", "sub/deep/text"].as_slice()),
        ("sub/*", &["top.o"]),
        ("sub/*.o", &["top.o", "sub/text", "sub/deep/text"]),
        ("sub/deep", &["top.o", "sub/text", "sub/text.o"]),
        ("deep", &["top.o", "sub/text", "sub/text.o"]),
    ] {
        let place = Place::with_first_package();
        let source = format!("dir(\"files\", #{{ ignore: [\"{ignore}\"] }})");
        let package = DIRECTORY_PACKAGE.replace("dir(\"files\")", &source);
        place.write("stages/first/data/package.rhai", &package);
        for file in [
            "top.o",
            "sub/text",
            "sub/text.o",
            "sub/deep/text",
            "sub/deep/x.o",
        ] {
            place.write(&format!("stages/first/data/files/{file}"), file);
        }
        let files = place.workspace().join("stages/first/data/files");
        fs::write(files.join(OsStr::from_bytes(b"not \xff text")), "as it is").unwrap();
        let out = place.path().join("out");
        let ran = place.run(&["build", "first/data", "--out", out.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{ignore}: {ran:?}");
        for file in left {
            assert_eq!(
                fs::read_to_string(out.join(file)).unwrap(),
                *file,
                "{ignore}"
            );
        }
        let odd = fs::read(out.join(OsStr::from_bytes(b"not \xff text")));
        assert_eq!(odd.unwrap(), b"as it is");
    }
}
