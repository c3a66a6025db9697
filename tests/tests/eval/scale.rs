//! Many packages.

use crate::world::{World, script_package};

/// Packages in layers, each needing five of the layer below.
fn files(count: usize) -> Vec<(String, String)> {
    (0..count)
        .map(|index| {
            let needs: Vec<String> = (1..=5)
                .filter_map(|step| index.checked_sub(step * 7))
                .map(|need| format!("\"core/p{need}\""))
                .collect();
            let path = format!("stages/core/p{index}/package.rhai");
            (path, script_package(&needs.join(", "), ""))
        })
        .collect()
}

#[test]
fn a_thousand_packages_with_five_needs_each() {
    let files = files(1000);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let mut world = World::new(&files);
    let plan = world.plan(&[]);
    assert_eq!(plan.roots().len(), 1000);
    // One exec each, and one root for all but the first ones, which share the empty one.
    assert!(plan.nodes().len() <= 2000);
    drop(world.queries());
    world.plan(&[]);
    assert_eq!(world.queries(), Vec::<String>::new());
}

#[test]
fn a_chain_of_two_thousand_packages() {
    let mut files = vec![(
        "stages/core/p0/package.rhai".to_owned(),
        script_package("", ""),
    )];
    for index in 1..2000 {
        let need = format!("\"core/p{}\"", index - 1);
        files.push((
            format!("stages/core/p{index}/package.rhai"),
            script_package(&need, ""),
        ));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let mut world = World::new(&files);
    assert_eq!(world.plan(&["core/p1999"]).nodes().len(), 4000);
}

/// Packages that make one file each without running anything.
fn independent(count: usize) -> Vec<(String, String)> {
    (0..count)
        .map(|index| {
            let text = format!(
                "custom(#{{ version: \"1\", license: \"MIT\", base: [] }});\n\n\
                 fn build(p) {{ #{{ main: root().write(\"/{index}\", \"\").out(\"/\") }} }}\n"
            );
            (format!("stages/core/p{index}/package.rhai"), text)
        })
        .collect()
}

#[test]
fn one_package_with_ten_thousand_inputs() {
    const COUNT: usize = 10_000;
    let labels: Vec<String> = (0..COUNT).map(|it| format!("\"core/p{it}\"")).collect();
    let labels = labels.join(", ");
    let mut files = independent(COUNT);
    let needs = format!(
        "custom(#{{ version: \"1\", license: \"MIT\", base: [\"core/p0\"], needs: [{labels}] }});\n\n\
         fn build(p) {{ #{{ main: root([p.base] + p.needs).run([\"/x\"]).out() }} }}\n"
    );
    let operands = format!(
        "custom(#{{ version: \"1\", license: \"MIT\", base: [] }});\n\n\
         fn build(p) {{ #{{ main: root([{labels}]).out(\"/\") }} }}\n"
    );
    files.push(("stages/user/needs/package.rhai".to_owned(), needs));
    files.push(("stages/user/operands/package.rhai".to_owned(), operands));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let mut world = World::new(&files);
    let plan = world.plan(&["user"]);
    // One compose each, the root that both merge, and a run with what is kept of it.
    assert!(
        (COUNT + 2..=COUNT + 4).contains(&plan.nodes().len()),
        "{}",
        plan.nodes().len()
    );
    assert_eq!(plan.roots().len(), 2);
}
