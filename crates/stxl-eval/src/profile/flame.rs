//! Flame graphs: stacks as lines of text, and as a picture that any browser shows.

use stxl_lang::profile::{Activity, Spent};

/// Width of the picture and height of a row, in pixels.
const WIDTH: u64 = 1200;
const ROW: u64 = 17;
/// What is narrower, in thousandths of a pixel, is left out.
const NARROWEST: u64 = 200;
/// Width of a letter, in thousandths of a pixel.
const LETTER: u64 = 6700;

/// What an activity is called in a stack. A phase of a package is two names: all phases of a
/// package stand on it.
fn names(activity: &Activity) -> Vec<String> {
    match activity {
        Activity::List => vec!["list".to_owned()],
        Activity::Link => vec!["link".to_owned()],
        Activity::Profiling => Vec::new(),
        Activity::Builder(name) => vec![format!("{name} (builder)")],
        Activity::Function { path, name } => {
            let file = path.as_str().trim_end_matches(".rhai");
            vec![format!("{file} {name}")]
        }
        Activity::Compile(_) | Activity::Define(_) | Activity::Expand(_) | Activity::Lower(_) => {
            let phase = super::phase_name(activity).unwrap_or_default();
            let subject = super::subject(activity).unwrap_or_default();
            vec![subject, phase.to_owned()]
        }
    }
}

/// Stacks that took time, by what they are.
#[derive(Default)]
struct Stack {
    self_ns: u64,
    above: std::collections::BTreeMap<String, Self>,
}

impl Stack {
    fn of(spent: &Spent) -> Self {
        let mut stack = Self::default();
        stack.add(spent);
        stack
    }

    fn add(&mut self, spent: &Spent) {
        for (activity, spent) in &spent.inside {
            let names = names(activity);
            if names.is_empty() {
                continue;
            }
            let mut stack = &mut *self;
            for name in names {
                stack = stack.above.entry(name).or_default();
            }
            stack.self_ns += spent.self_ns;
            stack.add(spent);
        }
    }

    fn total_ns(&self) -> u64 {
        self.self_ns + self.above.values().map(Self::total_ns).sum::<u64>()
    }

    fn depth(&self) -> u64 {
        self.above
            .values()
            .map(|stack| 1 + stack.depth())
            .max()
            .unwrap_or(0)
    }
}

pub(super) fn folded(spent: &Spent) -> String {
    let mut text = String::new();
    fold(&Stack::of(spent), "", &mut text);
    text
}

fn fold(stack: &Stack, path: &str, text: &mut String) {
    if stack.self_ns >= 1000 {
        *text += &format!("{path} {}\n", stack.self_ns / 1000);
    }
    for (name, above) in &stack.above {
        let name = name.replace(';', ",");
        let path = if path.is_empty() {
            name
        } else {
            format!("{path};{name}")
        };
        fold(above, &path, text);
    }
}

pub(super) fn svg(spent: &Spent) -> String {
    let stack = Stack::of(spent);
    let height = (stack.depth() + 1) * ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"11\">\n"
    );
    let picture = Picture {
        whole_ns: stack.total_ns().max(1),
        height,
    };
    picture.draw(&stack, "all", (0, 0), &mut text);
    text += "</svg>\n";
    text
}

struct Picture {
    whole_ns: u64,
    height: u64,
}

impl Picture {
    /// A time as a width, in thousandths of a pixel.
    fn width(&self, ns: u64) -> u64 {
        let width = u128::from(ns) * u128::from(WIDTH * 1000) / u128::from(self.whole_ns);
        u64::try_from(width).unwrap_or(u64::MAX)
    }

    /// Draws what begins at a time, and on it what is inside.
    fn draw(&self, stack: &Stack, name: &str, (begin_ns, row): (u64, u64), text: &mut String) {
        let total_ns = stack.total_ns();
        let width = self.width(total_ns);
        if width < NARROWEST {
            return;
        }
        let (x, y) = (self.width(begin_ns), self.height - (row + 1) * ROW);
        let hue = name
            .bytes()
            .fold(7u64, |hue, byte| (hue * 31 + u64::from(byte)) % 60);
        let share = u128::from(total_ns) * 1000 / u128::from(self.whole_ns);
        let (name, shown) = (escaped(name), shortened(name, width));
        *text += &format!(
            "<g><title>{name}: {} us, {}.{}%</title><rect x=\"{}\" y=\"{y}\" width=\"{}\" \
             height=\"{}\" fill=\"hsl({hue},80%,65%)\"/><text x=\"{}\" y=\"{}\">{shown}</text></g>\n",
            total_ns / 1000,
            share / 10,
            share % 10,
            pixels(x),
            pixels(width),
            ROW - 1,
            pixels(x + 3000),
            y + 12,
        );
        let mut begin_ns = begin_ns;
        for (name, above) in &stack.above {
            self.draw(above, name, (begin_ns, row + 1), text);
            begin_ns += above.total_ns();
        }
    }
}

fn pixels(thousandths: u64) -> String {
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// As much of a name as there is room for.
fn shortened(name: &str, width: u64) -> String {
    let letters = usize::try_from(width.saturating_sub(6000) / LETTER).unwrap_or(0);
    if name.chars().count() <= letters {
        return escaped(name);
    }
    let kept: String = name.chars().take(letters.saturating_sub(2)).collect();
    if kept.is_empty() {
        kept
    } else {
        escaped(&format!("{kept}.."))
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
