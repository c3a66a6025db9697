//! What is different between plans that are made by hand.
//!
//! A plan is a text. `core/a.x = make <- core/b.y` is the derivation `x` of `core/a`: a step that
//! runs `make` in what `y` of `core/b` gives, or, without `<-`, a fetch of `make`.
//! `core/a:main -> core/a.x` is an output that is asked for.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stxl_model::{
    BuildUid, Compose, Derivation, DerivationId, Exec, Fetch, FetchLock, Keep, NodeOrigin,
    OutputName, PackageLabel, PartDifference, Plan, PlanDifference, PlanNode, PlanRoot, Platform,
    RootPath, Sha256, Standing, Succession, TreeOp,
};

fn origin(label: &str, name: &str) -> NodeOrigin {
    NodeOrigin {
        name: format!("{label}: {name}"),
        label: PackageLabel::parse(label).unwrap(),
        file: String::new(),
        line: 1,
        script_line: 0,
        wall_ms_max: 0,
        silent_ms_max: 0,
        import: None,
        urls: Vec::new(),
        is_opaque: false,
    }
}

fn derivation(command: &str, inputs: &[DerivationId]) -> Derivation<DerivationId> {
    match *inputs {
        [] => Derivation::Fetch(Fetch {
            lock: FetchLock::File(Sha256::of(command.as_bytes())),
        }),
        [root] => Derivation::Exec(Exec {
            root,
            commands: vec![vec![command.as_bytes().to_vec()]],
            env: BTreeMap::new(),
            cwd: RootPath::parse(b"/").unwrap(),
            uid: BuildUid::Root,
            keep: Keep::Root,
            runs_on: Platform::X86_64,
            target: Platform::X86_64,
            sandbox_abi: 1,
        }),
        _ => Derivation::Compose(Compose {
            inputs: inputs.to_vec(),
            ops: (0..)
                .zip(inputs)
                .map(|(input, _)| TreeOp::Merge { input })
                .collect(),
        }),
    }
}

fn plan(text: &str) -> Plan {
    let mut plan = Plan::default();
    let mut ids: BTreeMap<String, DerivationId> = BTreeMap::new();
    let mut roots: Vec<(PackageLabel, Vec<(OutputName, DerivationId)>)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((output, node)) = line.split_once(" -> ") {
            let (label, output) = output.split_once(':').unwrap();
            let label = PackageLabel::parse(label).unwrap();
            if roots.last().is_none_or(|(last, _)| *last != label) {
                roots.push((label, Vec::new()));
            }
            let (_, outputs) = roots.last_mut().unwrap();
            outputs.push((OutputName::parse(output).unwrap(), ids[node]));
            continue;
        }
        let (node, recipe) = line.split_once(" = ").unwrap();
        let (command, inputs) = recipe.split_once(" <- ").unwrap_or((recipe, ""));
        let inputs: Vec<DerivationId> = inputs.split_whitespace().map(|it| ids[it]).collect();
        let (label, name) = node.split_once('.').unwrap();
        let id = plan.add(derivation(command, &inputs), || origin(label, name));
        ids.insert(node.to_owned(), id.unwrap());
    }
    for (label, outputs) in roots {
        let outputs = outputs.into_iter().collect();
        plan.add_root(PlanRoot { label, outputs }).unwrap();
    }
    plan
}

/// A difference as text: one line for each package and each output.
fn shown(difference: &PlanDifference) -> String {
    let mut text = String::new();
    for (label, package) in &difference.packages {
        text += &format!(
            "{label} {} +{} -{} {:?}\n",
            package.change.name(),
            package.steps_added,
            package.steps_removed,
            package.recipes,
        );
    }
    for output in &difference.outputs {
        let is_there = |id: Option<DerivationId>| if id.is_some() { "some" } else { "none" };
        text += &format!(
            "{}:{} {} -> {}\n",
            output.label,
            output.output,
            is_there(output.before),
            is_there(output.after)
        );
    }
    text
}

/// Two packages on a third, one of them with two outputs, and one on these.
const BEFORE: &str = "
    core/a.source = sources
    core/a.run = make <- core/a.source
    core/a.dev = headers <- core/a.run
    core/b.run = build <- core/a.run
    core/b.install = install <- core/b.run
    core/c.run = compile <- core/a.dev
    core/d.root = merge <- core/b.install core/c.run
    core/d.run = link <- core/d.root
    core/a:dev -> core/a.dev
    core/a:main -> core/a.run
    core/b:main -> core/b.install
    core/c:main -> core/c.run
    core/d:main -> core/d.run
";

/// A name, what is replaced by what in the plan above, and what comes of it.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const CASES: &[Case] = &[
    ("nothing", &[], ""),
    (
        "a source at the bottom",
        &[("= sources", "= others")],
        "core/a changed +2 -2 [\"core/a: source\"]
core/b cascade +2 -2 []
core/c cascade +1 -1 []
core/d cascade +1 -1 []
core/a:dev some -> some
core/a:main some -> some
core/b:main some -> some
core/c:main some -> some
core/d:main some -> some
",
    ),
    (
        "the recipe of an output that one of them uses",
        &[("headers", "more-headers")],
        "core/a changed +1 -1 [\"core/a: dev\"]
core/c cascade +1 -1 []
core/d cascade +1 -1 []
core/a:dev some -> some
core/c:main some -> some
core/d:main some -> some
",
    ),
    (
        "two packages of which one is above the other",
        &[("make", "make-all"), ("link", "link-all")],
        "core/a changed +2 -2 [\"core/a: run\"]
core/b cascade +2 -2 []
core/c cascade +1 -1 []
core/d changed +1 -1 [\"core/d: run\"]
core/a:dev some -> some
core/a:main some -> some
core/b:main some -> some
core/c:main some -> some
core/d:main some -> some
",
    ),
    (
        "another output of the same package is used",
        &[("compile <- core/a.dev", "compile <- core/a.run")],
        "core/c changed +1 -1 [\"core/c: run\"]
core/d cascade +1 -1 []
core/c:main some -> some
core/d:main some -> some
",
    ),
    (
        "another output of a package that changed is used",
        &[
            ("= sources", "= others"),
            ("compile <- core/a.dev", "compile <- core/a.run"),
        ],
        "core/a changed +2 -2 [\"core/a: source\"]
core/b cascade +2 -2 []
core/c changed +1 -1 [\"core/c: run\"]
core/d cascade +1 -1 []
core/a:dev some -> some
core/a:main some -> some
core/b:main some -> some
core/c:main some -> some
core/d:main some -> some
",
    ),
    (
        "a step more",
        &[
            (
                "core/b.install =",
                "core/b.test = test <- core/b.run\ncore/b.install =",
            ),
            ("install <- core/b.run", "install <- core/b.test"),
        ],
        "core/b changed +2 -1 [\"core/b: test\", \"core/b: install\"]
core/d cascade +1 -1 []
core/b:main some -> some
core/d:main some -> some
",
    ),
    (
        "a package more",
        &[(
            "core/a:dev ->",
            "core/e.run = extra <- core/a.run\ncore/e:main -> core/e.run\ncore/a:dev ->",
        )],
        "core/e added +1 -0 [\"core/e: run\"]
core/e:main none -> some
",
    ),
    (
        "a package fewer",
        &[
            ("core/d.root = merge <- core/b.install core/c.run\n", ""),
            ("core/d.run = link <- core/d.root\n", ""),
            ("core/d:main -> core/d.run\n", ""),
        ],
        "core/d removed +0 -1 []
core/d:main some -> none
",
    ),
    (
        "an output fewer of the same derivations",
        &[("core/a:dev -> core/a.dev\n", "")],
        "core/a changed +0 -0 []
core/a:dev some -> none
",
    ),
    (
        "another name",
        &[("core/c.", "core/c2."), ("core/c:", "core/c2:")],
        "core/c removed +0 -0 []
core/c2 added +0 -0 []
core/c:main some -> none
core/c2:main none -> some
",
    ),
];

#[test]
fn a_difference_tells_changes_from_what_follows() {
    let before = plan(BEFORE);
    for (name, edits, expected) in CASES {
        let mut text = BEFORE.to_owned();
        for (from, to) in *edits {
            assert!(text.contains(from), "{name}: {from}");
            text = text.replace(from, to);
        }
        let after = plan(&text);
        let difference = PlanDifference::between(&before, &after);
        assert_eq!(shown(&difference), *expected, "{name}");
        assert_eq!(difference.is_empty(), expected.is_empty(), "{name}");
        let back = PlanDifference::between(&after, &before);
        assert_eq!(back.packages.len(), difference.packages.len(), "{name}");
    }
}

#[test]
fn a_derivation_that_two_packages_share_is_no_news_of_either() {
    let two = "
        core/a.source = sources
        core/b.source = sources
        core/b.run = make <- core/b.source
        core/a:main -> core/a.source
        core/b:main -> core/b.run
    ";
    let one = "
        core/b.source = sources
        core/b.run = make <- core/b.source
        core/b:main -> core/b.run
    ";
    let difference = PlanDifference::between(&plan(two), &plan(one));
    let expected = "core/a removed +0 -0 []\ncore/a:main some -> none\n";
    assert_eq!(shown(&difference), expected);
}

/// What stands in the place of what after the edits, and in which parts they differ; one line for
/// each derivation that is another.
const STANDINGS: &[Case] = &[
    (
        "a recipe",
        &[("headers", "more-headers")],
        "core/a: dev replaces core/a: dev: command 1
core/c: run follows core/c: run
core/d: root follows core/d: root
core/d: run follows core/d: run
",
    ),
    (
        "a name",
        &[
            ("core/b.install = install", "core/b.put = put"),
            ("core/b.install", "core/b.put"),
        ],
        "core/b: put replaces core/b: install: command 1
core/d: root follows core/d: root
core/d: run follows core/d: run
",
    ),
    (
        "a step more, and one need less",
        &[
            (
                "core/c.run = compile <- core/a.dev",
                "core/c.tidy = tidy <- core/a.dev\n    core/c.run = compile <- core/c.tidy",
            ),
            (
                "core/d.root = merge <- core/b.install core/c.run",
                "core/d.root = merge <- core/b.install core/a.run",
            ),
        ],
        "core/c: tidy new
core/c: run replaces core/c: run:
core/d: root replaces core/d: root: operations
core/d: run follows core/d: run
",
    ),
];

#[test]
fn what_stands_in_the_place_of_what_is_told() {
    let before = plan(BEFORE);
    for (name, edits, expected) in STANDINGS {
        let mut text = BEFORE.to_owned();
        for (from, to) in *edits {
            text = text.replace(from, to);
        }
        let after = plan(&text);
        let succession = Succession::between(&before, &after);
        let mut shown = String::new();
        for node in after.nodes() {
            let former = |id| before.node(id).unwrap();
            let name = &node.origin.name;
            match succession.standing(&before, &node.id) {
                Standing::Same => {}
                Standing::New => shown += &format!("{name} new\n"),
                Standing::Follows(id) => {
                    shown += &format!("{name} follows {}\n", former(&id).origin.name);
                }
                Standing::Replaces(id) => {
                    let former = former(&id);
                    let parts = PartDifference::between((&before, former), (&after, node)).unwrap();
                    let parts = parts.iter().map(|it| format!(" {}", it.part));
                    let parts: String = parts.collect();
                    shown += &format!("{name} replaces {}:{parts}\n", former.origin.name);
                }
            }
        }
        assert_eq!(shown, *expected, "{name}");
    }
}

/// Nodes of another plan by position, for [`Plan::with_replaced`].
fn of_plan(plan: &Plan, positions: &[usize]) -> Vec<(usize, PlanNode)> {
    let nodes = positions.iter();
    nodes
        .map(|position| (*position, plan.nodes()[*position].clone()))
        .collect()
}

#[test]
fn nodes_are_replaced_in_their_places_or_not_at_all() {
    let before = plan(
        "s/a.one = a
         s/b.one = b <- s/a.one
         s/c.one = c <- s/b.one s/a.one
         s/a:main -> s/a.one
         s/c:main -> s/c.one",
    );
    let after = plan(
        "s/a.one = a
         s/b.one = other <- s/a.one
         s/c.one = c <- s/b.one s/a.one
         s/a:main -> s/a.one
         s/c:main -> s/c.one",
    );
    for positions in [vec![1], vec![1, 2]] {
        let replaced = before.with_replaced(&of_plan(&after, &positions));
        assert_eq!(replaced.as_ref(), Some(&after), "{positions:?}");
    }
    assert_eq!(before.with_replaced(&[]).as_ref(), Some(&before));
    let same = before.with_replaced(&of_plan(&before, &[0, 2]));
    assert_eq!(same.as_ref(), Some(&before));
    let shorter = plan("s/a.one = a");
    for (why, replaced) in [
        ("its input is not there", of_plan(&after, &[2])),
        ("not in order", of_plan(&after, &[2, 1])),
        ("twice", of_plan(&after, &[1, 1, 2])),
        ("outside", vec![(3, shorter.nodes()[0].clone())]),
        ("it stands elsewhere", vec![(1, before.nodes()[0].clone())]),
        ("before its input", vec![(0, before.nodes()[1].clone())]),
    ] {
        assert_eq!(before.with_replaced(&replaced), None, "{why}");
    }
}

/// A node of a plan of numbers: its package, its command, and nodes before it that it needs.
type NumberedNode = (u8, u8, Vec<usize>);

fn numbered_node() -> impl Strategy<Value = NumberedNode> {
    let inputs = prop::collection::vec(any::<usize>(), 0..4);
    (0..6_u8, 0..40_u8, inputs)
}

fn numbered_label(package: u8) -> String {
    format!("s/p{package}")
}

/// The node at a position, over nodes that have these ids.
fn numbered_derivation(
    (_, command, inputs): &NumberedNode,
    before: &[DerivationId],
) -> Derivation<DerivationId> {
    let inputs = inputs.iter().filter(|_| !before.is_empty());
    let inputs: Vec<DerivationId> = inputs.map(|it| before[it % before.len()]).collect();
    derivation(&command.to_string(), &inputs)
}

/// A plan of which every package is asked for by its first and its last node, and the ids of all
/// nodes.
fn numbered_plan(nodes: &[NumberedNode]) -> (Plan, Vec<DerivationId>) {
    let mut plan = Plan::default();
    let mut ids: Vec<DerivationId> = Vec::new();
    let mut outputs: BTreeMap<u8, BTreeMap<OutputName, DerivationId>> = BTreeMap::new();
    for (position, node) in nodes.iter().enumerate() {
        let name = || origin(&numbered_label(node.0), &position.to_string());
        let id = plan.add(numbered_derivation(node, &ids), name).unwrap();
        ids.push(id);
        let outputs = outputs.entry(node.0).or_default();
        outputs
            .entry(OutputName::parse("first").unwrap())
            .or_insert(id);
        outputs.insert(OutputName::main(), id);
    }
    for (package, outputs) in outputs {
        let label = PackageLabel::parse(&numbered_label(package)).unwrap();
        let outputs = outputs.into_iter().collect();
        plan.add_root(PlanRoot { label, outputs }).unwrap();
    }
    (plan, ids)
}

/// Replaces nodes, and compares what comes of it with the plan that is made anew.
fn check_replaced(nodes: &[NumberedNode], edits: &BTreeMap<usize, (u8, Vec<usize>)>) {
    let (before, ids) = numbered_plan(nodes);
    if before.nodes().len() < nodes.len() {
        // Some stand for two.
        return;
    }
    let mut edited = nodes.to_vec();
    let (mut replaced, mut is_elsewhere) = (Vec::new(), false);
    for (position, (command, inputs)) in edits {
        let package = nodes[*position].0;
        edited[*position] = (package, *command, inputs.clone());
        let derivation = numbered_derivation(&edited[*position], &ids[..*position]);
        let derivation = stxl_model::EncodedDerivation::from(derivation);
        let id = derivation.id();
        is_elsewhere |= before.position(&id).is_some_and(|it| it != *position);
        let origin = before.nodes()[*position].origin.clone();
        let node = PlanNode {
            id,
            derivation,
            origin,
        };
        replaced.push((*position, node));
    }
    let (after, _) = numbered_plan(&edited);
    let replaced = before.with_replaced(&replaced);
    let is_plan = !is_elsewhere && after.nodes().len() == nodes.len();
    assert_eq!(replaced.is_some(), is_plan);
    let Some(replaced) = replaced else { return };
    assert!(replaced == after);
    // Plans that were made of each other are compared by another way.
    let difference = PlanDifference::between(&before, &after);
    assert_eq!(PlanDifference::between(&before, &replaced), difference);
    let back = PlanDifference::between(&after, &before);
    assert_eq!(PlanDifference::between(&replaced, &before), back);
    let succession = Succession::between(&before, &after);
    assert_eq!(Succession::between(&before, &replaced), succession);
    let again = replaced.with_replaced(&of_plan(&after, &[0]));
    assert_eq!(again.as_ref(), Some(&after));
}

proptest! {
    #[test]
    fn a_plan_with_replaced_nodes_is_the_one_made_anew(
        nodes in prop::collection::vec(numbered_node(), 1..30),
        edits in prop::collection::vec((any::<usize>(), numbered_node()), 0..4),
    ) {
        let edits = edits.into_iter().map(|(position, (_, command, inputs))| {
            (position % nodes.len(), (command, inputs))
        });
        let edits: BTreeMap<_, _> = edits.collect();
        check_replaced(&nodes, &edits);
        // Mostly the graph is what it was.
        let of_node = |position: &usize| nodes[*position].2.clone();
        let edits = edits.iter().map(|(position, (command, _))| {
            (*position, (*command, of_node(position)))
        });
        check_replaced(&nodes, &edits.collect());
    }
}

/// Enough nodes for several threads: each but the first needs one that half as many stand before.
#[test]
fn many_nodes_follow_one() {
    let node = |position: usize| {
        let inputs = match position {
            0 => Vec::new(),
            _ => vec![position / 2; 2 + position % 2],
        };
        (u8::try_from(position % 250).unwrap(), 1, inputs)
    };
    let nodes: Vec<NumberedNode> = (0..4000).map(node).collect();
    assert_eq!(numbered_plan(&nodes).0.nodes().len(), nodes.len());
    check_replaced(&nodes, &BTreeMap::from([(0, (2, Vec::new()))]));
    check_replaced(&nodes, &BTreeMap::from([(7, (2, vec![6]))]));
}
