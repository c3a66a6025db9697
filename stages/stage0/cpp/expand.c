// expand.c: macros are replaced by what they stand for.
//
// This is the algorithm of Dave Prosser, from which the words of the C standard were made: each
// token has a set of macros that are not expanded in it, because it came out of them.

// The tokens of one argument of a macro.
struct Argument {
    struct List raw;
    struct Token *expanded;
    int is_expanded;
    int is_given;               // not if nothing, not even a comma, is there for `...`
};

// Tokens that are read before the source: what macros left.
struct Token *pending;

// Whether only `pending` is read, not the source.
int isolated;

// Whether the arguments of a macro are read.
int collecting;

// Whether a condition is expanded, in which `defined` has a meaning.
int in_condition;

struct Token *source_token(void);
struct Token *expand_tokens(struct Token *tokens);

// ---- taking tokens ----

struct Token *take_token(void)
{
    struct Token *token = pending;
    if (token) {
        pending = token->next;
        return token;
    }
    if (isolated) {
        return new_token(TOKEN_END, name_nothing);
    }
    return source_token();
}

int is_call(void)
{
    if (pending) {
        return is_sign(pending, name_open);
    }
    return !isolated && parenthesis_follows();
}

// ---- arguments ----

// The argument a comma leads to.
int next_argument(struct Macro *macro, int number, struct Name *name)
{
    if (number + 1 >= macro->parameter_count) {
        fail(BAD_TYPE, "too many arguments: ", name->text);
    }
    return number + 1;
}

// Reads the arguments, the parentheses included; gives the one that closes.
struct Token *collect_arguments(struct Macro *macro, struct Name *name, struct Argument *arguments)
{
    struct Token *token = take_token();
    int depth = 0;
    int number = 0;
    int last_takes_all;
    collecting++;
    for (;;) {
        token = take_token();
        last_takes_all = macro->is_variadic && number == macro->parameter_count - 1;
        if (token->kind == TOKEN_END) {
            fail(NOT_CLOSED, "the arguments are not closed: ", name->text);
        }
        if (is_sign(token, name_close) && depth == 0) {
            break;
        }
        if (is_sign(token, name_comma) && depth == 0 && !last_takes_all) {
            number = next_argument(macro, number, name);
            arguments[number].is_given = 1;
        } else if (macro->parameter_count == 0) {
            fail(BAD_TYPE, "too many arguments: ", name->text);
        } else {
            append(&arguments[number].raw, token);
            arguments[number].is_given = 1;
        }
        if (is_sign(token, name_open)) {
            depth++;
        }
        if (is_sign(token, name_close)) {
            depth--;
        }
    }
    collecting--;
    // What is variadic may be left out altogether.
    if (number + 1 + macro->is_variadic < macro->parameter_count) {
        fail(BAD_TYPE, "too few arguments: ", name->text);
    }
    return token;
}

struct Token *expanded_argument(struct Argument *argument)
{
    if (!argument->is_expanded) {
        argument->expanded = expand_tokens(copy_tokens(argument->raw.first));
        argument->is_expanded = 1;
    }
    return argument->expanded;
}

// ---- # and ## ----

// Puts a text in quotes into `scratch`.
void scratch_quoted(char *text)
{
    while (*text) {
        if (*text == '"' || *text == '\\') {
            scratch_char('\\');
        }
        scratch_char(*text);
        text++;
    }
}

struct Token *scratch_string(void)
{
    scratch_char('"');
    return new_token(TOKEN_TEXT, find_name(scratch, scratch_length));
}

struct Token *stringize(struct Token *tokens)
{
    struct Token *token;
    scratch_length = 0;
    scratch_char('"');
    for (token = tokens; token; token = token->next) {
        if (token->has_blank && token != tokens) {
            scratch_char(' ');
        }
        if (token->kind == TOKEN_TEXT) {
            scratch_quoted(token->name->text);
        } else {
            scratch_text(token->name->text);
        }
    }
    return scratch_string();
}

// Makes one token of two; it replaces the left one.
void paste(struct Token *left, struct Token *right)
{
    struct Source inner;
    struct Token *token = right;
    if (right->kind == TOKEN_EMPTY) {
        return;
    }
    if (left->kind != TOKEN_EMPTY) {
        scratch_length = 0;
        scratch_text(left->name->text);
        scratch_text(right->name->text);
        enter_text(&inner, scratch);
        token = read_token();
        if (token->kind == TOKEN_LINE_END || read_token()->kind != TOKEN_LINE_END) {
            fail(BAD_SYNTAX, "## makes no token: ", scratch);
        }
        leave_text();
        left->hide = hide_both(left->hide, right->hide);
    } else {
        left->hide = right->hide;
    }
    left->kind = token->kind;
    left->name = token->name;
}

// ---- substitution ----

struct Token *behind_element(struct Token *at)
{
    return at->kind == TOKEN_STRINGIZE ? at->next->next : at->next;
}

// What an element of the body stands for: a token, a parameter, or # with a parameter.  At ## an
// argument is taken as it is, and is TOKEN_EMPTY if there is nothing.
void substitute_element(struct List *list, struct Token *at, struct Argument *arguments, int is_raw)
{
    struct Token *token;
    empty_list(list);
    if (at->kind == TOKEN_STRINGIZE) {
        append(list, stringize(arguments[at->next->parameter].raw.first));
    } else if (at->parameter < 0) {
        append(list, copy_token(at));
    } else {
        token = arguments[at->parameter].raw.first;
        if (!is_raw) {
            token = expanded_argument(&arguments[at->parameter]);
        }
        list->first = copy_tokens(token);
        for (token = list->first; token; token = token->next) {
            token->parameter = -1;
            list->last = token;
        }
        if (!list->first) {
            append(list, new_token(TOKEN_EMPTY, name_nothing));
        }
    }
    list->first->has_blank = at->has_blank;
}

void append_tokens(struct List *list, struct Token *tokens)
{
    struct Token *next;
    for (; tokens; tokens = next) {
        next = tokens->next;
        append(list, tokens);
    }
}

// Whether this is `, ## __VA_ARGS__`, whose comma goes if the arguments are left out.
int is_optional_comma(struct Macro *macro, struct Token *left, struct Token *at)
{
    return is_sign(left, name_comma) && macro->is_variadic
        && at->parameter == macro->parameter_count - 1;
}

// Appends the operand of a ## to what is in front of it.
void substitute_pasted(struct List *result, struct Macro *macro, struct Token *at,
                       struct Argument *arguments)
{
    struct List part;
    struct Token *left = result->last;
    if (is_optional_comma(macro, left, at)) {
        if (arguments[at->parameter].is_given) {
            substitute_element(&part, at, arguments, 0);
            append_tokens(result, part.first);
        } else {
            left->kind = TOKEN_EMPTY;
        }
        return;
    }
    substitute_element(&part, at, arguments, 1);
    paste(left, part.first);
    append_tokens(result, part.first->next);
}

void substitute(struct List *result, struct Macro *macro, struct Argument *arguments)
{
    struct List part;
    struct Token *behind;
    struct Token *at = macro->body;
    empty_list(result);
    while (at) {
        behind = behind_element(at);
        substitute_element(&part, at, arguments, behind && behind->kind == TOKEN_PASTE);
        append_tokens(result, part.first);
        while (behind && behind->kind == TOKEN_PASTE) {
            substitute_pasted(result, macro, behind->next, arguments);
            behind = behind_element(behind->next);
        }
        at = behind;
    }
}

// Puts the tokens of an expansion in front of what is read next.
void give_back(struct List *list, struct Hide *hide, int has_blank)
{
    struct List kept;
    struct Token *token;
    struct Token *next;
    empty_list(&kept);
    if (list->first) {
        list->first->has_blank = has_blank;
    }
    for (token = list->first; token; token = next) {
        next = token->next;
        if (token->kind != TOKEN_EMPTY) {
            token->hide = hide_either(token->hide, hide);
            append(&kept, token);
        } else if (next) {
            next->has_blank = next->has_blank || token->has_blank;
        }
    }
    if (!kept.last && pending) {
        pending->has_blank = pending->has_blank || has_blank;
    }
    if (kept.last) {
        kept.last->next = pending;
        pending = kept.first;
    }
}

// The string or number that __FILE__ or __LINE__ is.
struct Token *special_token(int kind)
{
    scratch_length = 0;
    if (kind == MACRO_FILE) {
        scratch_char('"');
        scratch_quoted(source->name);
        return scratch_string();
    }
    scratch_number(place_line);
    return new_token(TOKEN_NUMBER, find_name(scratch, scratch_length));
}

// Replaces the macro by its expansion; whether that is done, which it is not for the name of a
// function-like macro without arguments.
int expand_macro(struct Token *token, struct Macro *macro)
{
    struct List result;
    struct Argument *arguments = (struct Argument *)0;
    struct Hide *hide = token->hide;
    struct Token *closing;
    if (macro->kind == MACRO_FUNCTION) {
        if (!is_call()) {
            return 0;
        }
        arguments = (struct Argument *)allocate((macro->parameter_count + 1)
                                                * sizeof(struct Argument));
        closing = collect_arguments(macro, token->name, arguments);
        hide = hide_both(hide, closing->hide);
    }
    if (macro->kind == MACRO_FILE || macro->kind == MACRO_LINE) {
        empty_list(&result);
        append(&result, special_token(macro->kind));
    } else {
        substitute(&result, macro, arguments);
    }
    give_back(&result, hide_also(hide, token->name), token->has_blank);
    return 1;
}

// The 1 or 0 that `defined NAME` or `defined (NAME)` is.
struct Token *defined_token(void)
{
    struct Token *token = take_token();
    int has_parenthesis = is_sign(token, name_open);
    int is_defined;
    if (has_parenthesis) {
        token = take_token();
    }
    is_defined = token->name->macro != (struct Macro *)0;
    if (token->kind != TOKEN_NAME || (has_parenthesis && !is_sign(take_token(), name_close))) {
        fail(BAD_SYNTAX, "no name follows `defined`", "");
    }
    return new_token(TOKEN_NUMBER, name_of(is_defined ? "1" : "0"));
}

// The next token in which nothing is left to expand.
struct Token *next_token(void)
{
    struct Token *token;
    struct Macro *macro;
    for (;;) {
        token = take_token();
        macro = token->name->macro;
        if (in_condition && token->name == name_defined) {
            return defined_token();
        }
        if (token->kind != TOKEN_NAME || !macro || is_hidden(token->hide, token->name)
            || !expand_macro(token, macro)) {
            return token;
        }
    }
}

// Expands tokens on their own: nothing behind them takes part.
struct Token *expand_tokens(struct Token *tokens)
{
    struct List list;
    struct Token *token;
    struct Token *pending_before = pending;
    int isolated_before = isolated;
    empty_list(&list);
    pending = tokens;
    isolated = 1;
    for (token = next_token(); token->kind != TOKEN_END; token = next_token()) {
        append(&list, token);
    }
    pending = pending_before;
    isolated = isolated_before;
    return list.first;
}
