//! A small workspace as data: [`Model`], and the files it stands for.

use std::collections::{BTreeMap, BTreeSet};

use super::random::Random;

/// The bytes of a seed as annotated text, and what they hash to.
const SEED: &str = "# a program\n7F 45 4c 46 ; the mark\n";

/// A folder outside of the workspace, as definitions of `local/` write it.
pub const BESIDE: &str = "../beside";

/// A file: its bytes, and whether it is executable.
pub type Entry = (Vec<u8>, bool);

/// The files of a workspace by path.
pub type Files = BTreeMap<String, Entry>;

/// A workspace.
#[derive(Clone, Debug)]
pub struct Model {
    /// In the order in which they may need each other: each only those before it.
    pub packages: Vec<Package>,
    /// What the functions of each library give.
    pub libs: [u64; 2],
    /// What `stxl.toml` says.
    pub settings: SettingsModel,
    /// Packages that the overlay changes, and by what.
    pub overlay: BTreeMap<String, u64>,
    /// Packages of this machine, new ones or changes, and by what.
    pub local: BTreeMap<String, u64>,
}

/// What `stxl.toml` says.
#[derive(Clone, Debug)]
pub struct SettingsModel {
    /// A comment.
    pub comment: u64,
    /// The lines that are there.
    pub lines: BTreeSet<Line>,
}

/// A line of `stxl.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// A stage has a base.
    Base,
    /// The groups of stages are in the right order.
    Order,
    /// The seed is allowed.
    Seed,
    /// The overlay counts.
    Overlay,
}

/// A field that a package has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extra {
    /// Its version is computed, which is a warning.
    ComputedVersion,
    /// It declares an option.
    Option,
    /// It has a test.
    Test,
}

/// Takes a value out, or puts it in.
pub fn toggle<T: Ord>(set: &mut BTreeSet<T>, value: T) {
    if !set.remove(&value) {
        set.insert(value);
    }
}

/// How a package is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// By a script.
    Script,
    /// By a function that sees what it needs.
    Custom,
    /// By a function that does not look at what it needs.
    CustomAlone,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It cannot be parsed.
    Syntax,
    /// A field has another type.
    Type,
    /// Its function fails on one platform.
    Build,
}

/// A package.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its stage.
    pub stage: &'static str,
    /// Its name.
    pub name: String,
    /// How it is built.
    pub builder: Builder,
    /// Its version.
    pub version: u64,
    /// Fields that others have not.
    pub extras: BTreeSet<Extra>,
    /// Something in its script.
    pub salt: u64,
    /// Comments above and below.
    pub comments: (u64, u64),
    /// References as they are written.
    pub needs: Vec<String>,
    /// References as they are written.
    pub brings: Vec<String>,
    /// The second output, and what it brings.
    pub output: Option<(&'static str, Option<String>)>,
    /// The platforms it is for.
    pub platforms: Option<&'static str>,
    /// A package whose version it reads.
    pub version_of: Option<String>,
    /// A library it uses.
    pub lib: Option<usize>,
    /// Files of an imported directory: name, salt, executable.
    pub data: Vec<(u64, u64, bool)>,
    /// What is in its patch.
    pub patch: Option<u64>,
    /// What is in the file of its script, if that has one.
    pub script_file: Option<u64>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl Package {
    /// Its label.
    pub fn label(&self) -> String {
        format!("{}/{}", self.stage, self.name)
    }

    /// The folder of its definition.
    pub fn folder(&self) -> String {
        format!("stages/{}", self.label())
    }

    /// A package of its own, that needs nothing.
    pub fn plain(stage: &'static str, name: &str) -> Self {
        Self {
            stage,
            name: name.to_owned(),
            builder: Builder::Script,
            version: 1,
            extras: BTreeSet::new(),
            salt: 0,
            comments: (0, 0),
            needs: Vec::new(),
            brings: Vec::new(),
            output: None,
            platforms: None,
            version_of: None,
            lib: None,
            data: Vec::new(),
            patch: None,
            script_file: None,
            fault: Fault::None,
        }
    }

    /// The text of its definition.
    pub fn text(&self) -> String {
        let mut text = "// above\n".repeat(usize::try_from(self.comments.0).unwrap_or(0));
        if let Some(lib) = self.lib {
            text += &format!("import \"lib/l{lib}\" as given;\n");
        }
        text += match self.builder {
            Builder::Script => "script(#{\n",
            Builder::Custom | Builder::CustomAlone => "custom(#{\n",
        };
        text += &self.fields();
        text += "})";
        text += &self.function();
        text += &"// below\n".repeat(usize::try_from(self.comments.1).unwrap_or(0));
        match self.fault {
            Fault::Syntax => text += "script(#{ ]\n",
            Fault::Type => text = text.replace("license: \"MIT\"", "license: 7"),
            Fault::None | Fault::Build => {}
        }
        text
    }

    fn fields(&self) -> String {
        let list = |of: &[String]| format!("[{}]", of.join(", "));
        let version = if self.extras.contains(&Extra::ComputedVersion) {
            format!("\"1.\" + \"{}\"", self.version)
        } else {
            format!("\"1.{}\"", self.version)
        };
        let mut fields = format!("    version: {version},\n    license: \"MIT\",\n");
        if self.stage == "stage0" {
            fields += "    base: [],\n";
        }
        fields += &format!("    needs: {},\n", list(&self.needs));
        fields += &format!("    brings: {},\n", list(&self.brings));
        if let Some(platforms) = self.platforms {
            fields += &format!("    platforms: {platforms},\n");
        }
        if self.extras.contains(&Extra::Option) {
            fields += "    options: #{ fast: \"no\" },\n";
        }
        if self.extras.contains(&Extra::Test) {
            fields += "    tests: #{ smoke: #\" true \"# },\n";
        }
        if !self.data.is_empty() {
            fields += "    source: dir(\"data\", #{ ignore: [\"*.o\"] }),\n";
            if self.patch.is_some() {
                fields += "    patches: [\"fix.patch\"],\n";
            }
        }
        let mut env = String::new();
        if let Some(other) = &self.version_of {
            env += &format!(" OTHER: pkg(\"{other}\").version,");
        }
        if self.lib.is_some() {
            env += " GIVEN: given::text(),";
        }
        fields += &format!("    env: #{{{env} }},\n");
        match (self.builder, &self.output) {
            (Builder::Script, Some((name, brings))) => {
                let brings = brings.clone().unwrap_or_default();
                fields += &format!(
                    "    outputs: #{{ main: \"rest\", {name}: #{{ files: [\"{name}/**\"], brings: [{brings}] }} }},\n"
                );
            }
            (Builder::Custom | Builder::CustomAlone, Some((name, Some(brings)))) => {
                fields += &format!("    outputs: #{{ {name}: #{{ brings: [{brings}] }} }},\n");
            }
            (_, _) => {}
        }
        match (self.builder, self.script_file) {
            (Builder::Script, Some(_)) => fields += "    script: file(\"build.sh\"),\n",
            (Builder::Script, None) => {
                fields += &format!("    script: #\"\n        echo {}\n    \"#,\n", self.salt);
            }
            (Builder::Custom | Builder::CustomAlone, _) => {}
        }
        fields
    }

    fn function(&self) -> String {
        let operands = match self.builder {
            Builder::Script => return "\n".to_owned(),
            Builder::Custom => "[p.base] + p.needs",
            Builder::CustomAlone => "",
        };
        let fault = match self.fault {
            Fault::Build => "    if p.target == \"i686\" { throw \"not for this one\" }\n",
            Fault::None | Fault::Syntax | Fault::Type => "",
        };
        let mut outputs = "main: built.out()".to_owned();
        if let Some((name, _)) = &self.output {
            outputs += &format!(", {name}: built.out().keep([\"x\"])");
        }
        let option = if self.extras.contains(&Extra::Option) {
            "p.options.fast"
        } else {
            "\"none\""
        };
        let run = if self.salt.is_multiple_of(2) {
            ".run([\"/bin/x\", p.version])"
        } else {
            ""
        };
        format!(
            ";\n\nfn build(p) {{\n{fault}    let built = root({operands}).mkdir(\"/out/bin\")\n        \
             .write(\"/out/x\", \"{} \" + {option}){run};\n    #{{ {outputs} }}\n}}\n",
            self.salt
        )
    }
}

impl Model {
    /// A workspace of eight to twenty packages.
    pub fn random(random: &mut Random) -> Self {
        let mut model = Self {
            packages: Vec::new(),
            libs: [1, 1],
            settings: SettingsModel {
                comment: 0,
                lines: BTreeSet::from([Line::Order, Line::Seed, Line::Overlay]),
            },
            overlay: BTreeMap::new(),
            local: BTreeMap::new(),
        };
        if random.one_in(2) {
            model.settings.lines.insert(Line::Base);
        }
        for number in 0..8 + random.below(13) {
            model.add_package(random, number);
        }
        if random.one_in(2)
            && let Some(package) = random.pick(&model.packages)
        {
            model.overlay.insert(package.label(), 1);
        }
        model
    }

    /// Adds a package that may need those that are there.
    pub fn add_package(&mut self, random: &mut Random, number: usize) {
        let stage = match number {
            0..3 => "stage0",
            _ if random.one_in(2) => "core",
            _ => "user",
        };
        let mut package = Package::plain(stage, &format!("p{number}"));
        package.builder = *random
            .pick(&[Builder::Script, Builder::Custom, Builder::CustomAlone])
            .unwrap_or(&Builder::Script);
        package.salt = random.number() % 8;
        for (extra, cases) in [
            (Extra::Option, 4),
            (Extra::Test, 3),
            (Extra::ComputedVersion, 8),
        ] {
            if random.one_in(cases) {
                package.extras.insert(extra);
            }
        }
        package.lib = random.one_in(4).then(|| random.below(2));
        package.script_file = random.one_in(4).then_some(1);
        if random.one_in(3) {
            package.data = vec![(1, 1, false), (2, 1, true)];
            package.patch = random.one_in(2).then_some(1);
        }
        if random.one_in(3) {
            package.output = Some(("dev", None));
        }
        let end = self.packages.len();
        for _ in 0..random.below(4) {
            package.needs.extend(self.reference(random, end, stage));
        }
        if random.one_in(3) {
            package.brings.extend(self.reference(random, end, stage));
        }
        if random.one_in(4) {
            package.version_of = self.earlier(random, end, stage).map(Package::label);
        }
        self.packages.push(package);
    }

    /// A package before one, that this may need.
    fn earlier(&self, random: &mut Random, end: usize, stage: &str) -> Option<&Package> {
        let before = self.packages.get(..end)?;
        let may = |it: &&Package| stage != "stage0" || it.stage == "stage0";
        let before: Vec<&Package> = before.iter().filter(may).collect();
        random.pick(&before).copied()
    }

    /// A reference to a package before one.
    pub fn reference(&self, random: &mut Random, end: usize, stage: &str) -> Option<String> {
        let package = self.earlier(random, end, stage)?;
        let label = package.label();
        Some(match (random.below(5), &package.output) {
            (0 | 1, Some((output, _))) => format!("\"{label}:{output}\""),
            (2, _) if package.extras.contains(&Extra::Option) => {
                format!("pkg(\"{label}\").with(#{{ fast: \"yes\" }})")
            }
            (3, _) => format!("pkg(\"{label}\").on(\"i686\")"),
            (_, _) => format!("\"{label}\""),
        })
    }

    /// All files.
    pub fn files(&self) -> Files {
        let mut files = Files::new();
        let mut add = |path: String, text: String, executable: bool| {
            files.insert(path, (text.into_bytes(), executable));
        };
        add("stxl.toml".to_owned(), self.settings_text(), false);
        for (number, salt) in self.libs.iter().enumerate() {
            let text = format!("fn text() {{ \"given {salt}\" }}\n");
            add(format!("lib/l{number}.rhai"), text, false);
        }
        add(
            "stages/stage0/seed/seed.hex".to_owned(),
            SEED.to_owned(),
            false,
        );
        add(
            "stages/stage0/seed/package.rhai".to_owned(),
            seed_text(),
            false,
        );
        for package in &self.packages {
            let folder = package.folder();
            add(format!("{folder}/package.rhai"), package.text(), false);
            for (name, salt, executable) in &package.data {
                let name = if *name == 9 {
                    "ignored.o".to_owned()
                } else {
                    format!("f{name}")
                };
                add(
                    format!("{folder}/data/{name}"),
                    format!("{salt}\n"),
                    *executable,
                );
            }
            if let Some(salt) = package.patch {
                let text = format!("--- a/f1\n+++ b/f1\n@@ {salt}\n");
                add(format!("{folder}/fix.patch"), text, false);
            }
            if let Some(salt) = package.script_file {
                add(
                    format!("{folder}/build.sh"),
                    format!("echo {salt}\n"),
                    false,
                );
            }
        }
        // An overlay that is not there is a mistake, which has to be found too.
        if self.settings.comment % 8 != 7 {
            add("overlay/README".to_owned(), String::new(), false);
        }
        for (folder, changes) in [("overlay", &self.overlay), ("local", &self.local)] {
            for (label, salt) in changes {
                let is_there = self.packages.iter().any(|it| it.label() == *label);
                let text = if is_there {
                    format!("prior().change(#{{ license: \"L{salt}\" }})\n")
                } else {
                    let mut package = Package::plain("user", "new");
                    package.salt = *salt;
                    let source = format!("    source: dir(\"{BESIDE}\"),\n    env:");
                    let text = package.text();
                    if salt.is_multiple_of(2) {
                        text
                    } else {
                        text.replace("    env:", &source)
                    }
                };
                add(format!("{folder}/{label}/package.rhai"), text, false);
            }
        }
        files
    }

    fn settings_text(&self) -> String {
        let SettingsModel { comment, lines } = &self.settings;
        let mut text = format!("# {comment}\n");
        text += if lines.contains(&Line::Order) {
            "stages = [\"stage0\", [\"core\", \"user\"]]\n"
        } else {
            "stages = [[\"core\", \"user\"], \"stage0\"]\n"
        };
        text += "platform = \"x86_64\"\n";
        if lines.contains(&Line::Overlay) {
            text += "overlays = [\"overlay\"]\n";
        }
        if lines.contains(&Line::Base) {
            text += "[base]\nuser = [\"stage0/p0\"]\n";
        }
        if lines.contains(&Line::Seed) {
            text += &format!("[seeds]\n\"stage0/seed\" = [\"{}\"]\n", seed_hash());
        }
        text
    }
}

fn seed_hash() -> String {
    stxl_model::Sha256::of(b"\x7fELF").to_string()
}

fn seed_text() -> String {
    format!(
        "custom(#{{\n    version: \"1\",\n    license: \"MIT\",\n    base: [],\n    \
         seeds: #{{ seed: seed(\"seed.hex\", \"{}\") }},\n}});\n\nfn build(p) {{\n    \
         let done = root().put(p.seeds.seed, \"/seed\", \"exec\").put(file(\"seed.hex\"), \"/hex\")\n        \
         .mkdir(\"/out/bin\").run([\"/seed\", \"/hex\"]);\n    #{{ main: done.out() }}\n}}\n",
        seed_hash()
    )
}
