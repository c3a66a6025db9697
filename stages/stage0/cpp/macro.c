// macro.c: what #define and #undef do.

enum {
    MACRO_OBJECT = 1,
    MACRO_FUNCTION,
    MACRO_FILE,                 // __FILE__
    MACRO_LINE                  // __LINE__
};

struct Macro {
    int kind;
    int parameter_count;
    int is_variadic;            // the last parameter takes all that is left
    struct Token *parameters;
    struct Token *body;
};

// The number of a parameter, or -1.
int parameter_number(struct Macro *macro, struct Name *name)
{
    struct Token *parameter;
    int number = 0;
    for (parameter = macro->parameters; parameter; parameter = parameter->next) {
        if (parameter->name == name) {
            return number;
        }
        number++;
    }
    return -1;
}

void add_parameter(struct Macro *macro, struct List *list, struct Name *name)
{
    append(list, new_token(TOKEN_NAME, name));
    macro->parameters = list->first;
    macro->parameter_count++;
}

// Reads parameters behind the opening parenthesis: names, `...` or `name...`; gives what follows.
struct Token *read_parameters(struct Macro *macro, struct Token *at)
{
    struct List list;
    empty_list(&list);
    if (is_sign(at, name_close)) {
        return at->next;
    }
    for (;;) {
        if (at && at->kind == TOKEN_NAME) {
            if (parameter_number(macro, at->name) >= 0) {
                fail(TWICE, "two parameters have one name: ", at->name->text);
            }
            add_parameter(macro, &list, at->name);
            at = at->next;
            if (is_sign(at, name_dots)) {
                macro->is_variadic = 1;
                at = at->next;
            }
        } else if (is_sign(at, name_dots)) {
            add_parameter(macro, &list, name_variable_arguments);
            macro->is_variadic = 1;
            at = at->next;
        } else {
            fail(BAD_SYNTAX, "the name of a parameter is missing", "");
        }
        if (is_sign(at, name_close)) {
            return at->next;
        }
        if (!is_sign(at, name_comma) || macro->is_variadic) {
            fail(BAD_SYNTAX, "the parameters are not closed", "");
        }
        at = at->next;
    }
}

// Finds parameters and the signs # and ## in the body.
void prepare_body(struct Macro *macro)
{
    struct Token *token;
    struct Token *before = (struct Token *)0;
    for (token = macro->body; token; token = token->next) {
        if (token->kind == TOKEN_NAME) {
            token->parameter = parameter_number(macro, token->name);
        }
        if (is_sign(token, name_hash) && macro->kind == MACRO_FUNCTION) {
            token->kind = TOKEN_STRINGIZE;
            if (!token->next || parameter_number(macro, token->next->name) < 0) {
                fail(BAD_SYNTAX, "no parameter follows #", "");
            }
        }
        if (is_sign(token, name_double_hash)) {
            token->kind = TOKEN_PASTE;
            if (!before || !token->next) {
                fail(BAD_SYNTAX, "## is at the border", "");
            }
        }
        before = token;
    }
    if (macro->body) {
        macro->body->has_blank = 0;
    }
}

int same_tokens(struct Token *a, struct Token *b)
{
    while (a && b && a->name == b->name && a->has_blank == b->has_blank) {
        a = a->next;
        b = b->next;
    }
    return !a && !b;
}

int same_macros(struct Macro *a, struct Macro *b)
{
    return a->kind == b->kind && a->is_variadic == b->is_variadic
        && same_tokens(a->parameters, b->parameters) && same_tokens(a->body, b->body);
}

// The name that stands first in a directive.
struct Name *macro_name(struct Token *line)
{
    if (!line || line->kind != TOKEN_NAME || line->name == name_defined) {
        fail(BAD_NAME, "the name of a macro is missing", "");
    }
    return line->name;
}

// Defines what the tokens behind #define say.
void define(struct Token *line)
{
    struct Name *name = macro_name(line);
    struct Macro *macro = (struct Macro *)allocate(sizeof(struct Macro));
    macro->kind = MACRO_OBJECT;
    macro->body = line->next;
    if (is_sign(line->next, name_open) && !line->next->has_blank) {
        macro->kind = MACRO_FUNCTION;
        macro->body = read_parameters(macro, line->next->next);
    }
    prepare_body(macro);
    if (name->macro && !same_macros(name->macro, macro)) {
        // Not allowed, but done by many, and all compilers go on with the last definition.
        say_place();
        say("defined twice, and differently: ");
        say(name->text);
        say("\n");
    }
    name->macro = macro;
}

// Defines from a text as #define has it.
void define_text(char *text)
{
    struct Source inner;
    enter_text(&inner, text);
    define(read_line());
    leave_text();
}

void define_special(char *name, int kind)
{
    struct Macro *macro = (struct Macro *)allocate(sizeof(struct Macro));
    macro->kind = kind;
    name_of(name)->macro = macro;
}

// The macros that are there without a definition.
void define_standard(void)
{
    define_special("__FILE__", MACRO_FILE);
    define_special("__LINE__", MACRO_LINE);
    define_text("__DATE__ \"Jan  1 1970\"");
    define_text("__TIME__ \"00:00:00\"");
    define_text("__STDC__ 1");
    define_text("__STDC_HOSTED__ 1");
    define_text("__STDC_VERSION__ 199901L");
}
