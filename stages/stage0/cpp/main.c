// main.c: the tokens that are left go out, with marks that tell their lines.

// Where the output is: the file and line of its last mark and the line feeds behind it.
char *out_name;
int out_line;
int out_line_start;

// The spelling of the token put last.
struct Name *out_last;

enum { LINE_FEEDS_MAX = 8 };

// Whether two tokens would be read as something else if no blank was between them.
int must_be_apart(struct Name *left, struct Name *right)
{
    int last = left->text[left->length - 1];
    int first = *right->text;
    char *signs = "+-*/%&|^<>=!#.:";
    if (is_name_char(last) || last == '.') {
        return is_name_char(first) || first == '.' || first == '"' || first == '\''
            || ((first == '+' || first == '-') && is_one_of(last, "eEpP"));
    }
    return is_one_of(last, signs) && is_one_of(first, signs);
}

void put_mark(void)
{
    if (!out_line_start) {
        out_char('\n');
    }
    out_text("# ");
    out_number(place_line);
    out_text(" \"");
    out_text(place_name);
    out_text("\"\n");
    out_name = place_name;
    out_line = place_line;
    out_line_start = 1;
}

void put_token(struct Token *token)
{
    if (out_name != place_name || place_line < out_line
        || place_line > out_line + LINE_FEEDS_MAX) {
        put_mark();
    }
    for (; out_line < place_line; out_line++) {
        out_char('\n');
        out_line_start = 1;
    }
    if (!out_line_start && (token->has_blank || must_be_apart(out_last, token->name))) {
        out_char(' ');
    }
    out_text(token->name->text);
    out_last = token->name;
    out_line_start = 0;
}

// -D NAME or -D NAME=VALUE
void define_option(char *option)
{
    scratch_length = 0;
    for (; *option && *option != '='; option++) {
        scratch_char(*option);
    }
    scratch_text(*option ? " " : " 1");
    if (*option) {
        scratch_text(option + 1);
    }
    define_text(scratch);
}

void read_options(int argc, char **argv)
{
    int i;
    for (i = 3; i < argc; i = i + 2) {
        if (i + 1 == argc) {
            fail(BAD_ARGUMENTS, "something is missing behind ", argv[i]);
        }
        if (text_equal(argv[i], "-D")) {
            define_option(argv[i + 1]);
        } else if (text_equal(argv[i], "-I")) {
            if (folder_count == FOLDERS_MAX) {
                fail(TOO_LARGE, "too many folders: ", argv[i + 1]);
            }
            folders[folder_count] = argv[i + 1];
            folder_count++;
        } else {
            fail(BAD_ARGUMENTS, "no such option: ", argv[i]);
        }
    }
}

int main(int argc, char **argv)
{
    struct Token *token;
    if (argc < 3) {
        say("cpp OUTPUT INPUT [-I FOLDER]... [-D NAME[=VALUE]]...\n");
        return BAD_ARGUMENTS;
    }
    find_names();
    name_directives();
    define_standard();
    read_options(argc, argv);
    if (!enter_file(argv[2])) {
        fail(NO_INPUT, "no such file: ", argv[2]);
    }
    out_line_start = 1;
    for (token = next_token(); token->kind != TOKEN_END; token = next_token()) {
        put_token(token);
    }
    if (!out_line_start) {
        out_char('\n');
    }
    write_output(argv[1]);
    return 0;
}
