// lexer.c: tokens out of the text of a file.

// A file that is being read.
struct Source {
    struct Source *outer;           // the file that includes it
    char *at;                       // what is read next; the text ends with a zero
    int line;
    int line_start;                 // whether nothing of the line was read yet
    char *name;                     // as __FILE__ tells it
    int folder_length;              // how much of the path is its folder, with the slash
    char *path;
    struct Condition *conditions;   // those that were open when it began
};

struct Source *source;

// Whether lines are passed over by #if: quotes need not be closed there.
int skipping;

// Ends because of what is in a line of the source.
void fail_in_line(int line, int status, char *what)
{
    place(source->name, line);
    fail(status, what, "");
}

int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

int is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int is_name_char(int c)
{
    return is_name_start(c) || is_digit(c);
}

int is_one_of(int c, char *characters)
{
    while (*characters && *characters != c) {
        characters++;
    }
    return *characters != 0;
}

// Takes the ends of continued lines out of a text: as many line feeds follow the whole line, so
// that the numbers of the lines behind are right.  Carriage returns in front of line feeds go too.
void join_lines(char *text)
{
    char *from = text;
    char *to = text;
    int joined = 0;
    while (*from) {
        if (*from == '\\' && (from[1] == '\n' || (from[1] == '\r' && from[2] == '\n'))) {
            from = from + (from[1] == '\r' ? 3 : 2);
            joined++;
        } else if (*from == '\r' && from[1] == '\n') {
            from++;
        } else {
            *to = *from;
            to++;
            if (*from == '\n') {
                for (; joined; joined--) {
                    *to = '\n';
                    to++;
                }
            }
            from++;
        }
    }
    *to = 0;
}

void skip_comment(void)
{
    int start = source->line;
    char *at = source->at + 2;
    while (*at && (*at != '*' || at[1] != '/')) {
        if (*at == '\n') {
            source->line++;
        }
        at++;
    }
    if (!*at) {
        fail_in_line(start, NOT_CLOSED, "a comment is not closed");
    }
    source->at = at + 2;
}

// Skips white space and comments within the line; gives whether there were any.
int skip_blanks(void)
{
    char *start = source->at;
    for (;;) {
        char *at = source->at;
        if (*at == ' ' || *at == '\t' || *at == '\f' || *at == '\v' || *at == '\r') {
            source->at = at + 1;
        } else if (*at == '/' && at[1] == '*') {
            skip_comment();
        } else if (*at == '/' && at[1] == '/') {
            while (*at && *at != '\n') {
                at++;
            }
            source->at = at;
        } else {
            return at != start;
        }
    }
}

char *number_end(char *at)
{
    for (;;) {
        if (is_one_of(*at, "eEpP") && (at[1] == '+' || at[1] == '-')) {
            at = at + 2;
        } else if (is_name_char(*at) || *at == '.') {
            at++;
        } else {
            return at;
        }
    }
}

// Behind the quote that closes the one at `at`, or 0 if the line has none.
char *quote_end(char *at)
{
    int quote = *at;
    at++;
    while (*at != quote) {
        if (*at == '\\' && at[1] && at[1] != '\n') {
            at++;
        }
        if (!*at || *at == '\n') {
            return (char *)0;
        }
        at++;
    }
    return at + 1;
}

// How many characters the sign at `at` has; 0 if it is none.
int sign_length(char *at)
{
    int c = at[0];
    int next = at[1];
    if (c == '.') {
        return next == '.' && at[2] == '.' ? 3 : 1;
    }
    if ((c == '<' || c == '>') && next == c) {
        return at[2] == '=' ? 3 : 2;
    }
    if ((next == '=' && is_one_of(c, "=!<>+-*/%&|^")) || (next == c && is_one_of(c, "+-&|#"))
        || (c == '-' && next == '>')) {
        return 2;
    }
    return is_one_of(c, "[](){}&*+-~!/%<>^|?:;=,#");
}

// The kind of the token at `at`, which is not the end of anything; sets where it ends.
int token_kind(char *at, char **end)
{
    char *text = *at == 'L' ? at + 1 : at;
    if (*text == '"' || *text == '\'') {
        *end = quote_end(text);
        if (*end) {
            return TOKEN_TEXT;
        }
        if (!skipping) {
            fail_in_line(source->line, NOT_CLOSED, "quotes are not closed");
        }
    }
    *end = at + 1;
    if (is_digit(*at) || (*at == '.' && is_digit(at[1]))) {
        *end = number_end(at);
        return TOKEN_NUMBER;
    }
    if (is_name_start(*at)) {
        while (is_name_char(**end)) {
            *end = *end + 1;
        }
        return TOKEN_NAME;
    }
    if (sign_length(at)) {
        *end = at + sign_length(at);
        return TOKEN_SIGN;
    }
    return TOKEN_OTHER;
}

// The next token of the source, TOKEN_LINE_END and TOKEN_END included.
struct Token *read_token(void)
{
    int has_blank = skip_blanks();
    char *at = source->at;
    char *end;
    int kind;
    struct Token *token;
    if (*at == '\n') {
        source->at = at + 1;
        source->line++;
        source->line_start = 1;
        return new_token(TOKEN_LINE_END, name_nothing);
    }
    if (!*at) {
        // A last line without a line feed ends all the same.
        kind = source->line_start ? TOKEN_END : TOKEN_LINE_END;
        source->line_start = 1;
        return new_token(kind, name_nothing);
    }
    kind = token_kind(at, &end);
    token = new_token(kind, find_name(at, end - at));
    token->has_blank = has_blank;
    token->is_first = source->line_start;
    source->line_start = 0;
    source->at = end;
    return token;
}

// The tokens up to the end of the line, which is passed.
struct Token *read_line(void)
{
    struct List list;
    struct Token *token;
    empty_list(&list);
    for (token = read_token(); token->kind != TOKEN_LINE_END; token = read_token()) {
        append(&list, token);
    }
    return list.first;
}

// Passes over the rest of the line, up to where its end is read next.
void skip_line(void)
{
    struct Token *token;
    char *at = source->at;
    int line = source->line;
    skipping++;
    for (token = read_token(); token->kind != TOKEN_LINE_END; token = read_token()) {
        at = source->at;
        line = source->line;
    }
    skipping--;
    source->at = at;
    source->line = line;
    source->line_start = 0;
}

// Whether the next token of the source, in this line or a later one, is an opening parenthesis.
int parenthesis_follows(void)
{
    char *at = source->at;
    int line = source->line;
    int line_start = source->line_start;
    struct Token *token;
    do {
        token = read_token();
    } while (token->kind == TOKEN_LINE_END);
    source->at = at;
    source->line = line;
    source->line_start = line_start;
    return is_sign(token, name_open);
}

// Makes a text the source; read_token then ends with TOKEN_LINE_END and TOKEN_END.
void enter_text(struct Source *inner, char *text)
{
    inner->outer = source;
    inner->at = text;
    inner->line_start = 0;
    inner->line = source ? source->line : 0;
    inner->name = source ? source->name : (char *)0;
    source = inner;
}

void leave_text(void)
{
    source = source->outer;
}
