// directive.c: what the lines that begin with # do.

enum {
    DIRECTIVE_DEFINE = 1,
    DIRECTIVE_ELIF,
    DIRECTIVE_ELSE,
    DIRECTIVE_ENDIF,
    DIRECTIVE_ERROR,
    DIRECTIVE_IF,
    DIRECTIVE_IFDEF,
    DIRECTIVE_IFNDEF,
    DIRECTIVE_INCLUDE,
    DIRECTIVE_LINE,
    DIRECTIVE_PRAGMA,
    DIRECTIVE_UNDEF,
    DIRECTIVE_WARNING
};

// Of a group of lines between #if and #endif, or the like: whether they are read.
enum {
    GROUP_READ = 1,
    GROUP_AWAITED,              // this one is not, but one that follows may be
    GROUP_WAS_READ              // an earlier one was
};

struct Condition {
    struct Condition *outer;
    int state;
    int had_else;
    int line;                   // of #if
};

enum { FOLDERS_MAX = 100, SOURCES_MAX = 200 };

// The innermost condition.
struct Condition *conditions;

// Where files are looked for.
char *folders[FOLDERS_MAX];
int folder_count;

// How many files are being read.
int source_count;

void name_directives(void)
{
    name_of("define")->directive = DIRECTIVE_DEFINE;
    name_of("elif")->directive = DIRECTIVE_ELIF;
    name_of("else")->directive = DIRECTIVE_ELSE;
    name_of("endif")->directive = DIRECTIVE_ENDIF;
    name_of("error")->directive = DIRECTIVE_ERROR;
    name_of("if")->directive = DIRECTIVE_IF;
    name_of("ifdef")->directive = DIRECTIVE_IFDEF;
    name_of("ifndef")->directive = DIRECTIVE_IFNDEF;
    name_of("include")->directive = DIRECTIVE_INCLUDE;
    name_of("line")->directive = DIRECTIVE_LINE;
    name_of("pragma")->directive = DIRECTIVE_PRAGMA;
    name_of("undef")->directive = DIRECTIVE_UNDEF;
    name_of("warning")->directive = DIRECTIVE_WARNING;
}

void skip_group(void);

// ---- files ----

// Begins to read a file; whether it can be opened.
int enter_file(char *path)
{
    char *text = read_file(path);
    struct Source *inner;
    int i;
    if (!text) {
        return 0;
    }
    if (text_length(text) != file_length) {
        fail(BAD_CHARACTER, "a zero byte in ", path);
    }
    if (source_count == SOURCES_MAX) {
        fail(TOO_LARGE, "files include each other too deeply: ", path);
    }
    source_count++;
    join_lines(text);
    inner = (struct Source *)allocate(sizeof(struct Source));
    inner->outer = source;
    inner->at = text;
    inner->line = 1;
    inner->line_start = 1;
    inner->name = path;
    inner->path = path;
    for (i = 0; path[i]; i++) {
        if (path[i] == '/') {
            inner->folder_length = i + 1;
        }
    }
    inner->conditions = conditions;
    source = inner;
    return 1;
}

// At the end of a file: goes on in the one that included it; 0 if there is none.
int leave_file(void)
{
    if (conditions != source->conditions) {
        fail_in_line(conditions->line, NOT_CLOSED, "#endif is missing");
    }
    if (!source->outer || collecting) {
        return 0;
    }
    source_count--;
    source = source->outer;
    return 1;
}

// Begins to read the file of this name in a folder, of which `length` characters count.
int enter_file_in(char *folder, int length, char *name)
{
    char *path = allocate(length + text_length(name) + 2);
    copy_bytes(path, folder, length);
    if (length && path[length - 1] != '/') {
        path[length] = '/';
        length++;
    }
    copy_bytes(path + length, name, text_length(name));
    return enter_file(path);
}

void include_file(char *name, int is_quoted)
{
    int i;
    if (*name == '/' && enter_file_in("", 0, name)) {
        return;
    }
    if (is_quoted && enter_file_in(source->path, source->folder_length, name)) {
        return;
    }
    for (i = 0; i < folder_count; i++) {
        if (enter_file_in(folders[i], text_length(folders[i]), name)) {
            return;
        }
    }
    fail(NO_INPUT, "no such file: ", name);
}

// The characters between the one at `at` and the closing one, as a text of its own.
char *text_between(char *at, int closing)
{
    char *end = at + 1;
    while (*end && *end != '\n' && *end != closing) {
        end++;
    }
    if (*end != closing) {
        fail(NOT_CLOSED, "the name of a file is not closed", "");
    }
    return find_name(at + 1, end - at - 1)->text;
}

// #include "name", #include <name>, or a macro that stands for one of these.
void include(void)
{
    char *at;
    struct Token *token;
    skip_blanks();
    at = source->at;
    if (*at != '"' && *at != '<') {
        scratch_length = 0;
        for (token = expand_tokens(read_line()); token; token = token->next) {
            if (token->has_blank && scratch_length) {
                scratch_char(' ');
            }
            scratch_text(token->name->text);
        }
        scratch_char(0);
        at = scratch;
    } else {
        skip_line();
    }
    if (*at != '"' && *at != '<') {
        fail(BAD_SYNTAX, "#include without the name of a file", "");
    }
    include_file(text_between(at, *at == '"' ? '"' : '>'), *at == '"');
}

// ---- conditions ----

// Begins a condition; the lines that follow are read or passed over.
void begin_condition(int truth)
{
    struct Condition *inner = (struct Condition *)allocate(sizeof(struct Condition));
    inner->outer = conditions;
    inner->state = truth ? GROUP_READ : GROUP_AWAITED;
    inner->line = place_line;
    conditions = inner;
    if (!truth) {
        skip_group();
    }
}

// #else, #elif or #endif needs a condition of its own file.
void check_condition(struct Name *name)
{
    if (conditions == source->conditions) {
        fail(BAD_SYNTAX, "without #if: #", name->text);
    }
    if (name->directive != DIRECTIVE_ENDIF) {
        if (conditions->had_else) {
            fail(BAD_SYNTAX, "behind #else: #", name->text);
        }
        conditions->had_else = name->directive == DIRECTIVE_ELSE;
    }
}

void end_condition(struct Name *name)
{
    check_condition(name);
    skip_line();
    conditions = conditions->outer;
}

// #else or #elif behind a group that was read.
void end_group(struct Name *name)
{
    check_condition(name);
    skip_line();
    conditions->state = GROUP_WAS_READ;
    skip_group();
}

// Whether #else or #elif begins a group that is read.
int begins_group(struct Name *name)
{
    int truth;
    place(source->name, source->line);
    check_condition(name);
    if (conditions->state == GROUP_WAS_READ || name->directive == DIRECTIVE_ELSE) {
        skip_line();
        return conditions->state != GROUP_WAS_READ;
    }
    skipping = 0;
    truth = condition(read_line());
    skipping = 1;
    return truth;
}

// Passes over lines up to a directive; gives its name, behind which reading goes on.
struct Name *next_directive(void)
{
    struct Token *token;
    for (;;) {
        token = read_token();
        if (token->kind == TOKEN_END) {
            fail_in_line(conditions->line, NOT_CLOSED, "#endif is missing");
        }
        if (token->is_first && is_sign(token, name_hash)) {
            token = read_token();
            if (token->kind == TOKEN_NAME && token->name->directive) {
                return token->name;
            }
        }
    }
}

// Passes over lines, up to a group of the condition that is read, or to its #endif.
void skip_group(void)
{
    struct Name *name;
    int depth = 0;
    int found = 0;
    skipping = 1;
    while (!found) {
        name = next_directive();
        switch (name->directive) {
        case DIRECTIVE_IF:
        case DIRECTIVE_IFDEF:
        case DIRECTIVE_IFNDEF:
            depth++;
            break;
        case DIRECTIVE_ELIF:
        case DIRECTIVE_ELSE:
            if (depth == 0 && begins_group(name)) {
                conditions->state = GROUP_READ;
                found = 1;
            }
            break;
        case DIRECTIVE_ENDIF:
            if (depth == 0) {
                end_condition(name);
                found = 1;
            }
            depth--;
            break;
        default:
            break;
        }
    }
    skipping = 0;
}

// ---- the others ----

// Says the rest of the line, for #error and #warning.
void say_rest(char *what)
{
    char *start;
    skip_blanks();
    start = source->at;
    skip_line();
    say_place();
    say(what);
    say(find_name(start, source->at - start)->text);
    say("\n");
}

// #line NUMBER "FILE", and the same without the word.
void set_line(struct Token *line)
{
    struct Value value;
    char *text;
    if (!line || line->kind != TOKEN_NUMBER) {
        fail(BAD_SYNTAX, "#line without a number", "");
    }
    number_value(&value, line->name->text);
    source->line = value.number.low;
    if (line->next) {
        text = line->next->name->text;
        if (*text != '"') {
            fail(BAD_SYNTAX, "#line with something else than a file: ", text);
        }
        source->name = text_between(text, '"');
    }
}

// Does what the directive in this line says; # has been read.
void directive(void)
{
    struct Token *token = read_token();
    if (token->kind == TOKEN_LINE_END) {
        return;
    }
    if (token->kind == TOKEN_NUMBER) {
        token->next = read_line();
        set_line(token);
        return;
    }
    switch (token->name->directive) {
    case DIRECTIVE_DEFINE:
        define(read_line());
        break;
    case DIRECTIVE_UNDEF:
        macro_name(read_line())->macro = (struct Macro *)0;
        break;
    case DIRECTIVE_INCLUDE:
        include();
        break;
    case DIRECTIVE_IF:
        begin_condition(condition(read_line()));
        break;
    case DIRECTIVE_IFDEF:
        begin_condition(macro_name(read_line())->macro != (struct Macro *)0);
        break;
    case DIRECTIVE_IFNDEF:
        begin_condition(macro_name(read_line())->macro == (struct Macro *)0);
        break;
    case DIRECTIVE_ELIF:
    case DIRECTIVE_ELSE:
        end_group(token->name);
        break;
    case DIRECTIVE_ENDIF:
        end_condition(token->name);
        break;
    case DIRECTIVE_LINE:
        set_line(expand_tokens(read_line()));
        break;
    case DIRECTIVE_PRAGMA:
        skip_line();
        break;
    case DIRECTIVE_WARNING:
        say_rest("#warning ");
        break;
    case DIRECTIVE_ERROR:
        say_rest("#error ");
        stop(BAD_SYNTAX);
        break;
    default:
        fail(BAD_SYNTAX, "no such directive: #", token->name->text);
        break;
    }
}

// ---- reading with directives ----

// The next token of the files; directives are carried out on the way.
struct Token *source_token(void)
{
    struct Token *token;
    int has_blank = 0;
    for (;;) {
        token = read_token();
        if (token->is_first && is_sign(token, name_hash)) {
            place(source->name, source->line);
            directive();
            has_blank = 1;
        } else if (token->kind == TOKEN_LINE_END) {
            has_blank = 1;
        } else if (token->kind != TOKEN_END || !leave_file()) {
            token->has_blank = token->has_blank || has_blank;
            if (!collecting) {
                place(source->name, source->line);
            }
            return token;
        }
    }
}
