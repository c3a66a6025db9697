//! One edit: of the workspace's data, or of its files behind the data's back.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::model::{BESIDE, Extra, Fault, Files, Line, Model, Package, toggle};
use super::random::Random;

/// A folder of the workspace in which nothing is looked for.
const SPARE: &str = "spare";

/// A workspace on disk and the data it was written from.
pub struct Edited {
    folder: PathBuf,
    /// What the files were written from, but for what was done behind its back.
    pub model: Model,
    former: Vec<Model>,
    count: usize,
}

/// What was done, for the report.
pub type Done = String;

impl Edited {
    /// Writes a random workspace.
    pub fn new(folder: &Path, random: &mut Random) -> Self {
        let edited = Self {
            folder: folder.to_owned(),
            model: Model::random(random),
            former: Vec::new(),
            count: 100,
        };
        edited.write_all();
        edited
    }

    /// Makes the files what the data says.
    pub fn repair(&mut self) -> Done {
        for package in &mut self.model.packages {
            package.fault = Fault::None;
        }
        self.model.settings.lines.extend([Line::Order, Line::Seed]);
        let labels: Vec<String> = self.model.packages.iter().map(Package::label).collect();
        let overlay = &mut self.model.overlay;
        overlay.retain(|label, _| labels.contains(label));
        for package in &mut self.model.packages {
            let is_there = |it: &String| {
                let is_plain = it.starts_with('"') && !it.contains(':');
                is_plain
                    && labels
                        .iter()
                        .any(|label| it.contains(&format!("{label}\"")))
            };
            package.needs.retain(is_there);
            package.brings.retain(is_there);
            package.version_of.take_if(|it| !labels.contains(it));
            package.platforms = None;
            package.output = package.output.take().map(|(name, _)| (name, None));
        }
        self.write_all();
        "everything is repaired".to_owned()
    }

    fn write_all(&self) {
        for name in ["stages", "overlay", "local", "lib", SPARE] {
            let path = self.folder.join(name);
            if path.is_symlink() {
                fs::remove_file(&path).ok();
            }
            fs::remove_dir_all(&path).ok();
        }
        for (path, entry) in self.model.files() {
            self.put(&path, &entry);
        }
    }

    /// Does something. What the disk refuses after other edits is left undone.
    pub fn edit(&mut self, random: &mut Random) -> Done {
        if random.one_in(3) {
            return self.edit_files(random);
        }
        let before = self.model.files();
        let former = self.model.clone();
        let done = match self.former.last() {
            Some(_) if random.one_in(10) => {
                self.model = random.pick(&self.former).expect("some").clone();
                "back to an earlier text".to_owned()
            }
            _ => self.edit_model(random),
        };
        self.former.push(former);
        self.apply(&before, random);
        done
    }

    fn apply(&self, before: &Files, random: &mut Random) {
        let after = self.model.files();
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            fs::remove_file(self.folder.join(path)).ok();
            // The folder stays sometimes, without a package in it.
            if random.one_in(2)
                && let Some(parent) = Path::new(path).parent()
            {
                fs::remove_dir(self.folder.join(parent)).ok();
            }
        }
        for (path, entry) in &after {
            if before.get(path) == Some(entry) {
                continue;
            }
            let file = self.folder.join(path);
            let times = fs::metadata(&file).and_then(|it| it.modified());
            if random.one_in(3) {
                let other = self.folder.join("spare.new");
                fs::write(&other, &entry.0).ok();
                set_executable(&other, entry.1);
                if let Some(parent) = file.parent() {
                    fs::create_dir_all(parent).ok();
                }
                fs::rename(&other, &file).ok();
            } else {
                self.put(path, entry);
            }
            if let (Ok(times), true) = (times, random.one_in(4)) {
                set_modified(&file, times);
            }
        }
    }

    fn put(&self, path: &str, (bytes, executable): &(Vec<u8>, bool)) {
        let file = self.folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).ok();
        }
        fs::write(&file, bytes).ok();
        set_executable(&file, *executable);
    }

    fn edit_model(&mut self, random: &mut Random) -> Done {
        let salt = random.number() % 1000;
        let end = random.below(self.model.packages.len());
        if random.one_in(3) {
            return self.edit_workspace(random, salt, end);
        }
        let stage = self.model.packages[end].stage;
        let reference = self.model.reference(random, end, stage);
        let earlier = random.below(end.max(1));
        let earlier = self.model.packages[earlier].label();
        let later = self.model.packages.last().map(Package::label);
        let package = &mut self.model.packages[end];
        let kind = random.below(26);
        match kind {
            0 | 1 => package.salt = salt,
            2 => package.comments.1 += 1,
            3 => package.comments.0 += 1,
            4 | 5 => package.version = salt,
            6 => package.needs.extend(reference),
            7 => drop(package.needs.pop()),
            8 | 9 => package.brings.extend(reference),
            10 => drop(package.brings.pop()),
            11 => {
                package.output = match package.output {
                    Some(_) => None,
                    None => Some(("dev", None)),
                }
            }
            12 => package.output = Some(("lib", None)),
            13 => {
                package.platforms = *random
                    .pick(&[
                        None,
                        Some("[\"x86_64\"]"),
                        Some("[\"x86_64\", \"i686\"]"),
                        Some("[\"i686\"]"),
                    ])
                    .unwrap_or(&None);
            }
            14 => toggle(&mut package.extras, Extra::Option),
            15 => toggle(&mut package.extras, Extra::Test),
            16 => package.version_of = (end > 0 && package.version_of.is_none()).then_some(earlier),
            17 => package.lib = random.one_in(2).then(|| random.below(2)),
            18 => edit_data(package, random, salt),
            19 => package.patch = random.one_in(2).then_some(salt),
            20 => package.script_file = random.one_in(2).then_some(salt),
            21 => toggle(&mut package.extras, Extra::ComputedVersion),
            22 => package.output = Some(("dev", reference)),
            23 => {
                package.fault = *random
                    .pick(&[Fault::Syntax, Fault::Type, Fault::Build])
                    .unwrap_or(&Fault::Syntax);
            }
            24 => {
                package.needs.push(match later {
                    Some(later) if random.one_in(2) => format!("\"{later}\""),
                    _ => "\"core/gone\"".to_owned(),
                });
            }
            _ => package.builder = super::model::Builder::Custom,
        }
        format!("`{}`: edit {kind}", package.label())
    }

    fn edit_workspace(&mut self, random: &mut Random, salt: u64, position: usize) -> Done {
        let label = self.model.packages[position].label();
        let kind = random.below(12);
        match kind {
            0 if self.model.packages.len() > 4 => drop(self.model.packages.remove(position)),
            0 | 1 => {
                self.count += 1;
                self.model.add_package(random, self.count);
            }
            2 => self.model.packages[position].name = format!("r{salt}"),
            3 | 4 => self.model.libs[random.below(2)] = salt,
            5 => self.model.settings.comment = salt,
            6 => toggle(&mut self.model.settings.lines, Line::Base),
            7 => {
                let line = random.pick(&[Line::Order, Line::Seed, Line::Overlay]);
                toggle(
                    &mut self.model.settings.lines,
                    *line.unwrap_or(&Line::Order),
                );
            }
            8 => drop(self.model.overlay.insert(label.clone(), salt)),
            9 => drop(self.model.overlay.pop_first()),
            10 => {
                let label = if random.one_in(2) { "user/new" } else { &label };
                self.model.local.insert(label.to_owned(), salt);
            }
            _ => drop(self.model.local.pop_first()),
        }
        format!("workspace: edit {kind}, `{label}`")
    }

    fn edit_files(&mut self, random: &mut Random) -> Done {
        self.count += 1;
        let mut two = || {
            let package = random.pick(&self.model.packages).expect("a package");
            self.folder.join(package.folder())
        };
        let (one, other) = (two(), two());
        let (file, other_file) = (one.join("package.rhai"), other.join("package.rhai"));
        let spare = self.folder.join(SPARE).join(self.count.to_string());
        fs::create_dir_all(&spare).ok();
        let kind = random.below(22);
        match kind {
            0 => swap(&file, &other_file, &spare.join("x")),
            1 => swap(&one, &other, &spare.join("x")),
            2 => swap_contents(&file, &other_file),
            3 => set_modified(&file, SystemTime::now()),
            4 => same_size_and_time(&file),
            5 => set_modified(&file, SystemTime::now() + Duration::from_hours(24)),
            6 => set_modified(&file, SystemTime::UNIX_EPOCH + Duration::from_hours(24)),
            7 => replace_by_link(&one, &spare.join("moved"), &one),
            8 => replace_by_link(&one, &spare.join("moved"), &other),
            9 => replace_by_link(&file, &spare.join("moved"), &file),
            10 => replace_by_link(&file, &spare.join("moved"), &other_file),
            11 => replace_by_link(&one.join("data"), &spare.join("moved"), &one.join("data")),
            12 => drop(fs::create_dir_all(self.folder.join("stages/core/stray"))),
            13 => drop(fs::create_dir_all(
                self.folder.join("stages/unlisted/stray"),
            )),
            14 => {
                fs::remove_file(&file).ok();
                symlink("nowhere", &file).ok();
            }
            15 => {
                fs::remove_file(&file).ok();
                fs::create_dir(&file).ok();
            }
            16 => drop(fs::write(&file, vec![b'/'; (1 << 20) + 1])),
            18 => {
                let beside = self.folder.join(BESIDE);
                fs::create_dir_all(&beside).ok();
                fs::write(beside.join("x"), random.below(9).to_string()).ok();
            }
            19 => drop(fs::rename(self.folder.join(BESIDE), spare.join("beside"))),
            20 => drop(fs::remove_file(self.folder.join("lib/l0.rhai"))),
            17 => set_executable(&file, random.one_in(2)),
            _ => {
                let local = self.folder.join("local");
                fs::rename(&local, spare.join("local")).ok();
                symlink("/", &local).ok();
            }
        }
        let short = |path: &Path| path.strip_prefix(&self.folder).map(Path::to_owned);
        format!("files: edit {kind}, {:?}, {:?}", short(&one), short(&other))
    }
}

fn edit_data(package: &mut Package, random: &mut Random, salt: u64) {
    match random.below(5) {
        0 => package.data.push((salt, salt, false)),
        1 => drop(package.data.pop()),
        2 => package.data.push((9, salt, false)),
        kind => {
            if let Some((_, known, executable)) = package.data.first_mut() {
                match kind {
                    3 => *known = salt,
                    _ => *executable ^= true,
                }
            }
        }
    }
}

fn set_executable(file: &Path, executable: bool) {
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).ok();
}

fn set_modified(file: &Path, time: SystemTime) {
    if let Ok(file) = fs::OpenOptions::new().write(true).open(file) {
        file.set_modified(time).ok();
    }
}

fn swap(one: &Path, other: &Path, spare: &Path) {
    if one != other && fs::rename(one, spare).is_ok() {
        fs::rename(other, one).ok();
        fs::rename(spare, other).ok();
    }
}

fn swap_contents(one: &Path, other: &Path) {
    let times = |file: &Path| fs::metadata(file).and_then(|it| it.modified());
    let (Ok(first), Ok(second)) = (fs::read(one), fs::read(other)) else {
        return;
    };
    let (first_time, second_time) = (times(one), times(other));
    fs::write(one, second).ok();
    fs::write(other, first).ok();
    if let (Ok(first), Ok(second)) = (first_time, second_time) {
        set_modified(one, first);
        set_modified(other, second);
    }
}

/// Another version of as many bytes, written at the same time as far as can be seen.
fn same_size_and_time(file: &Path) {
    let (Ok(text), Ok(metadata)) = (fs::read_to_string(file), fs::metadata(file)) else {
        return;
    };
    let other = text.replacen("MIT", "BSD", 1).replacen("1.1", "1.7", 1);
    fs::write(file, other).ok();
    if let Ok(time) = metadata.modified() {
        set_modified(file, time);
    }
}

/// Moves something away, and puts a link in its place: to where it is, or to another.
fn replace_by_link(place: &Path, away: &Path, target: &Path) {
    if fs::rename(place, away).is_err() {
        return;
    }
    let target = if target == place { away } else { target };
    if let Some(target) = relative(place, target) {
        symlink(target, place).ok();
    }
}

/// The way from where a link stands to its target: links may not be absolute.
fn relative(link: &Path, target: &Path) -> Option<PathBuf> {
    let common = link.ancestors().find(|it| target.starts_with(it))?;
    let up = link.strip_prefix(common).ok()?.components().count() - 1;
    let down = target.strip_prefix(common).ok()?;
    Some(
        std::iter::repeat_n("..", up)
            .collect::<PathBuf>()
            .join(down),
    )
}
