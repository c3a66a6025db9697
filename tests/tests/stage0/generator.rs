//! Random programs in C, the same for the same seed, that tell what was assigned to variables and
//! what these came to.
//!
//! What C leaves open is left out: expressions only read, so the order of their parts is nothing to
//! see; divisors are never 0 or -1, shifts are shorter than what they shift, a real number is in
//! range before it becomes an integer, everything has a value before it is read, and loops end.
//! Signed overflow wraps around, as c0 and c1 promise and `gcc -fwrapv` does.

mod declaration;
mod expression;
mod scope;
mod statement;

use stxl_tests::edits::random::Random;

use scope::{Function, Integer, Record, Scope};

/// Which language a program is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Language {
    /// The subset of C that c0 takes, joined behind its `lib.c`.
    C0,
    /// What c1 takes.
    C1,
}

/// A program that is being written.
struct Generator {
    random: Random,
    language: Language,
    text: String,
    indent: usize,
    /// How many names of variables in blocks and of labels there are.
    names: usize,
    /// How many loops are around.
    loops: usize,
    scope: Scope,
    records: Vec<Record>,
    /// Functions from two integers to one that change nothing, by name.
    pure_functions: Vec<String>,
    functions: Vec<Function>,
}

/// The beginning of programs for c1: how they tell a value, or keep a sum of what there was.
const TELL_C1: &str = r#"int sys(int number, int a, int b, int c);

union Bits { float f; double d; long double l; unsigned words[3]; };

void tell(unsigned long long value)
{
    char line[17];
    int at;
    for (at = 15; at >= 0; at--) {
        line[at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    line[16] = '\n';
    sys(4, 1, (int)line, 17);
}

unsigned long long mixed;

/* Keeps that there was a value, and when. */
void mix(unsigned long long value)
{
    mixed = mixed * 33 + value;
}

void mix_real(long double value)
{
    union Bits bits;
    bits.l = value;
    mix(bits.words[0]);
    mix(bits.words[1]);
    mix(bits.words[2] & 0xffff);
}

void tell_real(long double value)
{
    union Bits bits;
    bits.l = value;
    tell(bits.words[2] & 0xffff);
    tell((unsigned long long)bits.words[1] << 32 | bits.words[0]);
}

/* Arguments as the letters of `kinds` say: integer, long long, double. */
unsigned long long various(char *kinds, ...)
{
    unsigned long long sum = 0;
    char *place = (char *)(&kinds + 1);
    for (; *kinds; kinds++) {
        union Bits bits;
        sum = sum * 31 + *kinds;
        switch (*kinds) {
        case 'i':
            sum += *(int *)place;
            place += 4;
            break;
        case 'l':
            sum ^= *(long long *)place;
            place += 8;
            break;
        default:
            bits.d = *(double *)place;
            sum += bits.words[0];
            sum ^= bits.words[1];
            place += 8;
        }
    }
    return sum;
}

enum Some { NOTHING, FEW = 3, MORE, LESS = -7, MANY = 1000000 };
"#;

/// The same for c0, behind `lib.c`.
const TELL_C0: &str = r#"
void tell(unsigned value)
{
    char line[9];
    int at;
    char *digits = "0123456789abcdef";
    for (at = 7; at >= 0; at--) {
        line[at] = digits[value & 15];
        value >>= 4;
    }
    line[8] = '\n';
    sys(SYS_WRITE, 1, (int)line, 9);
}

unsigned mixed;

void mix(unsigned value)
{
    mixed = mixed * 33 + value;
}

enum { NOTHING, FEW = 3, MORE, LESS = -7, MANY = 1000000 };
"#;

/// Writes the program of a seed. `name` is in the first line that it prints; the last is `end`.
pub(crate) fn program(language: Language, name: &str, seed: u64) -> String {
    let mut generator = Generator {
        random: Random::new(seed),
        language,
        text: String::new(),
        indent: 0,
        names: 0,
        loops: 0,
        scope: Scope::default(),
        records: Vec::new(),
        pure_functions: Vec::new(),
        functions: Vec::new(),
    };
    generator.text.push_str(match language {
        Language::C0 => TELL_C0,
        Language::C1 => TELL_C1,
    });
    generator.records();
    generator.variables();
    generator.pure_functions();
    generator.functions();
    generator.main(name);
    generator.text
}

impl Generator {
    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.text.push_str("    ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A line and a brace, and what follows is within.
    fn open(&mut self, text: &str) {
        self.line(text);
        self.indent += 1;
    }

    fn close(&mut self, text: &str) {
        self.indent -= 1;
        self.line(text);
    }

    /// A name that no other variable or label has.
    fn name(&mut self, start: &str) -> String {
        self.names += 1;
        format!("{start}{}", self.names)
    }

    fn is_c1(&self) -> bool {
        self.language == Language::C1
    }

    /// A number from `start` to `end`, both included.
    fn between(&mut self, start: usize, end: usize) -> usize {
        start + self.random.below(end - start + 1)
    }

    fn choose(&mut self, words: &[&'static str]) -> &'static str {
        self.random.pick(words).copied().unwrap_or_default()
    }

    fn integer_type(&mut self) -> Integer {
        let types = match self.language {
            Language::C0 => scope::INTEGERS_C0,
            Language::C1 => scope::INTEGERS_C1,
        };
        types[self.random.below(types.len())]
    }

    /// The function in which all begins, and at whose end every variable is told.
    fn main(&mut self, name: &str) {
        self.open("int main(int argc, char **argv)\n{");
        self.line(&format!(
            "sys(4, 1, (int)\"program {name}\\n\", {});",
            "program \n".len() + name.len()
        ));
        if !self.is_c1() {
            self.set_variables();
        }
        for _ in 0..self.between(6, 12) {
            self.statement(2);
        }
        self.tell_all();
        self.line("sys(4, 1, (int)\"end\\n\", 4);");
        self.line("return 0;");
        self.close("}");
    }

    fn tell_all(&mut self) {
        self.line("tell(mixed);");
        for place in self.scope.integers.clone() {
            for text in scope::every_index(&place.text) {
                self.line(&format!("tell({text});"));
            }
        }
        for text in self.scope.reals.clone() {
            for text in scope::every_index(&text) {
                self.line(&format!("tell_real({text});"));
            }
        }
        for record in self.records.clone() {
            self.line(&format!("tell(sizeof({}));", record.words));
        }
    }
}
