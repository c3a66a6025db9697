// lib.c: what a program for c0 begins with: memory, text, files, and how to stop.
//
// Join it in front of the program with catm.  `sys` is in runtime.M0.  c0 takes a subset of C,
// so any other C compiler reads this too.

// A system call of 32-bit x86 Linux; negative is an error.
int sys(int number, int a, int b, int c);

enum { SYS_EXIT = 1, SYS_READ = 3, SYS_WRITE = 4, SYS_OPEN = 5, SYS_CLOSE = 6, SYS_CREAT = 8 };

// The exit statuses that the rungs share; README.md of stage0 has the table.
enum {
    BAD_ARGUMENTS = 1,
    NO_INPUT = 2,
    NO_OUTPUT = 3,
    BAD_CHARACTER = 4,
    TWICE = 6,
    NOT_DEFINED = 7,
    DOES_NOT_FIT = 8,
    TOO_LARGE = 9,
    BAD_NAME = 10,
    NOT_CLOSED = 11,
    BAD_SYNTAX = 12,
    BAD_TYPE = 13
};

enum { STANDARD_ERROR = 2, POOL_SIZE = 150000000, OUTPUT_SIZE = 40000000 };

char pool[POOL_SIZE];
int pool_used;
char output[OUTPUT_SIZE];
int output_length;

// ---- texts ----

int text_length(char *text)
{
    int length = 0;
    while (text[length]) {
        length++;
    }
    return length;
}

// Whether two texts are equal.
int text_equal(char *a, char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void copy_bytes(char *to, char *from, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        to[i] = from[i];
    }
}

// ---- messages, and the end ----

void say(char *text)
{
    sys(SYS_WRITE, STANDARD_ERROR, (int)text, text_length(text));
}

// Says a number that is not negative.
void say_number(int number)
{
    char digits[12];
    int at = 11;
    digits[at] = 0;
    do {
        at--;
        digits[at] = '0' + number % 10;
        number = number / 10;
    } while (number);
    say(&digits[at]);
}

void stop(int status)
{
    sys(SYS_EXIT, status, 0, 0);
}

// ---- memory ----

// Zeroed memory for good; there is no way to give it back.
char *allocate(int size)
{
    char *place = &pool[pool_used];
    if (size < 0 || size > POOL_SIZE - 16 - pool_used) {
        say("too large for the memory\n");
        stop(TOO_LARGE);
    }
    pool_used = (pool_used + size + 7) & ~7;
    return place;
}

// ---- files ----

// The length of the file read last.
int file_length;

// The bytes of a file and a zero behind them; 0 if it cannot be opened.
char *read_file(char *name)
{
    int file = sys(SYS_OPEN, (int)name, 0, 0);
    char *start = &pool[pool_used];
    int got;
    if (file < 0) {
        return (char *)0;
    }
    file_length = 0;
    do {
        if (pool_used + file_length > POOL_SIZE - 70000) {
            say("too large: ");
            say(name);
            say("\n");
            stop(TOO_LARGE);
        }
        got = sys(SYS_READ, file, (int)(start + file_length), 65536);
        if (got < 0) {
            sys(SYS_CLOSE, file, 0, 0);
            return (char *)0;
        }
        file_length = file_length + got;
    } while (got > 0);
    sys(SYS_CLOSE, file, 0, 0);
    start[file_length] = 0;
    return allocate(file_length + 1);
}

// ---- the output: kept until all is well, then written at once ----

void out_char(int c)
{
    if (output_length == OUTPUT_SIZE) {
        say("the output is too large\n");
        stop(TOO_LARGE);
    }
    output[output_length] = c;
    output_length++;
}

void out_text(char *text)
{
    while (*text) {
        out_char(*text);
        text++;
    }
}

// Writes a number in decimal, with its sign.
void out_number(int number)
{
    char digits[12];
    int at = 11;
    unsigned rest = number;
    digits[at] = 0;
    if (number < 0) {
        out_char('-');
        rest = -number;
    }
    do {
        at--;
        digits[at] = '0' + rest % 10;
        rest = rest / 10;
    } while (rest);
    out_text(&digits[at]);
}

// Creates the file with mode 0700 and writes the output there.
void write_output(char *name)
{
    int file = sys(SYS_CREAT, (int)name, 448, 0);
    int done = 0;
    int put = 1;
    while (file >= 0 && put > 0 && done < output_length) {
        put = sys(SYS_WRITE, file, (int)&output[done], output_length - done);
        done = done + put;
    }
    if (file < 0 || put <= 0 || sys(SYS_CLOSE, file, 0, 0) < 0) {
        say("cannot write ");
        say(name);
        say("\n");
        stop(NO_OUTPUT);
    }
}
