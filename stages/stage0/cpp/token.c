// token.c: the tokens of a text, their spellings, and the sets of names that hide macros.

// A spelling; equal spellings are one Name, so comparing two tokens is comparing two pointers.
struct Name {
    struct Name *next;          // in the chain of the table
    char *text;
    int length;
    struct Macro *macro;        // what it stands for, or 0
    int directive;              // which directive it is behind a #, or 0
};

enum {
    TOKEN_NAME = 1,
    TOKEN_NUMBER,
    TOKEN_TEXT,                 // a string or a character constant
    TOKEN_SIGN,
    TOKEN_OTHER,                // any other character
    TOKEN_EMPTY,                // an argument without tokens, as operand of ##
    TOKEN_STRINGIZE,            // # in the body of a macro
    TOKEN_PASTE,                // ## in the body of a macro
    TOKEN_LINE_END,
    TOKEN_END                   // of the file or of a list
};

// A set of names.
struct Hide {
    struct Hide *next;
    struct Name *name;
};

struct Token {
    struct Token *next;
    int kind;
    struct Name *name;
    int has_blank;              // whether white space stands in front of it
    int is_first;               // whether it is the first of its line
    int parameter;              // in the body of a macro: which parameter it is, or -1
    struct Hide *hide;          // the macros that it came out of: they are not expanded again
};

struct List {
    struct Token *first;
    struct Token *last;
};

enum { NAME_CHAINS = 65536, SCRATCH_SIZE = 1000000 };

struct Name *name_chains[NAME_CHAINS];

// Where texts are built before they become names.
char scratch[SCRATCH_SIZE];
int scratch_length;

// Names that are looked for.
struct Name *name_hash;
struct Name *name_double_hash;
struct Name *name_open;
struct Name *name_close;
struct Name *name_comma;
struct Name *name_dots;
struct Name *name_less;
struct Name *name_defined;
struct Name *name_variable_arguments;
struct Name *name_nothing;

// ---- messages ----

// The file and line of the token or directive that is worked on.
char *place_name;
int place_line;

void place(char *name, int line)
{
    place_name = name;
    place_line = line;
}

void say_place(void)
{
    if (place_name) {
        say(place_name);
        say(":");
        say_number(place_line);
        say(": ");
    }
}

// Ends with FILE:LINE: what, and what it is about.
void fail(int status, char *what, char *about)
{
    say_place();
    say(what);
    say(about);
    say("\n");
    stop(status);
}

// ---- names ----

struct Name *find_name(char *text, int length)
{
    unsigned hash = 0;
    int i;
    struct Name *name;
    for (i = 0; i < length; i++) {
        hash = hash * 31 + text[i];
    }
    hash = hash % NAME_CHAINS;
    for (name = name_chains[hash]; name; name = name->next) {
        for (i = 0; i < length && i < name->length && text[i] == name->text[i]; i++) {
        }
        if (i == length && i == name->length) {
            return name;
        }
    }
    name = (struct Name *)allocate(sizeof(struct Name));
    name->text = allocate(length + 1);
    copy_bytes(name->text, text, length);
    name->length = length;
    name->next = name_chains[hash];
    name_chains[hash] = name;
    return name;
}

struct Name *name_of(char *text)
{
    return find_name(text, text_length(text));
}

void find_names(void)
{
    name_hash = name_of("#");
    name_double_hash = name_of("##");
    name_open = name_of("(");
    name_close = name_of(")");
    name_comma = name_of(",");
    name_dots = name_of("...");
    name_less = name_of("<");
    name_defined = name_of("defined");
    name_variable_arguments = name_of("__VA_ARGS__");
    name_nothing = name_of("");
}

// ---- building a text ----

void scratch_char(int c)
{
    if (scratch_length >= SCRATCH_SIZE - 1) {
        fail(TOO_LARGE, "too long: a text", "");
    }
    scratch[scratch_length] = c;
    scratch_length++;
    scratch[scratch_length] = 0;
}

void scratch_text(char *text)
{
    while (*text) {
        scratch_char(*text);
        text++;
    }
}

// Adds a number that is not negative.
void scratch_number(int number)
{
    if (number >= 10) {
        scratch_number(number / 10);
    }
    scratch_char('0' + number % 10);
}

// ---- tokens ----

struct Token *new_token(int kind, struct Name *name)
{
    struct Token *token = (struct Token *)allocate(sizeof(struct Token));
    token->kind = kind;
    token->name = name;
    token->parameter = -1;
    return token;
}

// A copy that is in no list.
struct Token *copy_token(struct Token *token)
{
    struct Token *copy = new_token(token->kind, token->name);
    copy->has_blank = token->has_blank;
    copy->parameter = token->parameter;
    copy->hide = token->hide;
    return copy;
}

int is_sign(struct Token *token, struct Name *name)
{
    return token && token->kind == TOKEN_SIGN && token->name == name;
}

void append(struct List *list, struct Token *token)
{
    token->next = (struct Token *)0;
    if (list->last) {
        list->last->next = token;
    } else {
        list->first = token;
    }
    list->last = token;
}

void empty_list(struct List *list)
{
    list->first = (struct Token *)0;
    list->last = (struct Token *)0;
}

struct Token *copy_tokens(struct Token *token)
{
    struct List copies;
    empty_list(&copies);
    for (; token; token = token->next) {
        append(&copies, copy_token(token));
    }
    return copies.first;
}

// ---- sets of names ----

int is_hidden(struct Hide *hide, struct Name *name)
{
    for (; hide; hide = hide->next) {
        if (hide->name == name) {
            return 1;
        }
    }
    return 0;
}

struct Hide *hide_also(struct Hide *hide, struct Name *name)
{
    struct Hide *wider;
    if (is_hidden(hide, name)) {
        return hide;
    }
    wider = (struct Hide *)allocate(sizeof(struct Hide));
    wider->name = name;
    wider->next = hide;
    return wider;
}

struct Hide *hide_either(struct Hide *a, struct Hide *b)
{
    if (!b || a == b) {
        return a;
    }
    if (!a) {
        return b;
    }
    for (; b; b = b->next) {
        a = hide_also(a, b->name);
    }
    return a;
}

struct Hide *hide_both(struct Hide *a, struct Hide *b)
{
    struct Hide *common = (struct Hide *)0;
    if (a == b) {
        return a;
    }
    for (; a; a = a->next) {
        if (is_hidden(b, a->name)) {
            common = hide_also(common, a->name);
        }
    }
    return common;
}
