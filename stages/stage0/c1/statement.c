// statement.c: statements and local declarations become code as they are read.

void declaration(void);
void statement(void);

// ---- what surrounds a statement ----

int break_label;                    // where break goes, 0 if nowhere
int continue_label;
struct Switch *innermost_switch;
struct Type *result_type;           // of the function

struct Case {
    struct Case *next;
    struct Long value;
    int label;
};

struct Switch {
    struct Type *type;              // of the value
    struct Case *cases;
    struct Case *last_case;
    int default_label;              // 0 if there is none
};

// ---- labels of goto ----

struct Label {
    struct Label *next;
    struct Name *name;
    int is_defined;
};

struct Label *labels;               // of this function

struct Label *label_of(struct Name *name)
{
    struct Label *label = name->label;
    if (!label) {
        label = (struct Label *)allocate(sizeof(struct Label));
        label->name = name;
        label->next = labels;
        labels = label;
        name->label = label;
    }
    return label;
}

// At the end of a function: every label must be there; the next function has others.
void forget_labels(void)
{
    while (labels) {
        if (!labels->is_defined) {
            fail_name(NOT_DEFINED, "this label is not defined", labels->name->text);
        }
        labels->name->label = (struct Label *)0;
        labels = labels->next;
    }
}

void label_statement(void)
{
    struct Label *label = label_of(token_name);
    if (label->is_defined) {
        fail_name(TWICE, "this label is defined twice", token_name->text);
    }
    label->is_defined = 1;
    put_named_label(token_name->text);
    next_token();
    expect(':');
}

void goto_statement(void)
{
    struct Label *label;
    next_token();
    label = label_of(expect_name());
    emit_named_jump("jmp", label->name->text);
    expect(';');
}

// ---- conditions ----

struct Node *condition(void)
{
    struct Node *node;
    expect('(');
    node = test_of(expression());
    expect(')');
    return node;
}

void if_statement(void)
{
    int otherwise = new_label();
    int end;
    next_token();
    generate_jump(condition(), 0, otherwise);
    statement();
    if (token == KEY_ELSE) {
        next_token();
        end = new_label();
        emit_jump("jmp", end);
        put_label(otherwise);
        statement();
        put_label(end);
    } else {
        put_label(otherwise);
    }
}

// ---- loops ----

// The body of a loop, with its own places for break and continue.
void loop_body(int end, int next)
{
    int outer_break = break_label;
    int outer_continue = continue_label;
    break_label = end;
    continue_label = next;
    statement();
    break_label = outer_break;
    continue_label = outer_continue;
}

void while_statement(void)
{
    int start = new_label();
    int end = new_label();
    next_token();
    put_label(start);
    generate_jump(condition(), 0, end);
    loop_body(end, start);
    emit_jump("jmp", start);
    put_label(end);
}

void do_statement(void)
{
    int start = new_label();
    int next = new_label();
    int end = new_label();
    next_token();
    put_label(start);
    loop_body(end, next);
    put_label(next);
    if (!accept(KEY_WHILE)) {
        fail(BAD_SYNTAX, "expected while behind the body of do");
    }
    generate_jump(condition(), 1, start);
    put_label(end);
    expect(';');
}

// An expression up to `end`, or none.
struct Node *optional_expression(int end)
{
    struct Node *node = (struct Node *)0;
    if (token != end) {
        node = expression();
    }
    expect(end);
    return node;
}

void for_head(void)
{
    struct Node *first;
    expect('(');
    if (starts_type()) {
        declaration();
        return;
    }
    first = optional_expression(';');
    if (first) {
        generate_effect(first);
    }
}

// The step is read before the body, but its code stands behind it.
void for_statement(void)
{
    int start = new_label();
    int next = new_label();
    int end = new_label();
    struct Node *test;
    struct Node *step;
    next_token();
    enter_scope();
    for_head();
    put_label(start);
    test = optional_expression(';');
    if (test) {
        generate_jump(test_of(test), 0, end);
    }
    step = optional_expression(')');
    loop_body(end, next);
    put_label(next);
    if (step) {
        generate_effect(step);
    }
    emit_jump("jmp", start);
    put_label(end);
    leave_scope();
}

// ---- switch ----

// Compares the value in EAX, or EDX:EAX, with all cases.
void dispatch(struct Switch *choices, int end)
{
    struct Case *choice = choices->cases;
    int over;
    while (choice) {
        emit_number("cmp_eax,i32", choice->value.low);
        if (is_long_long(choices->type)) {
            over = new_label();
            emit_jump("jne", over);
            emit_number("cmp_edx,i32", choice->value.high);
            emit_jump("je", choice->label);
            put_label(over);
        } else {
            emit_jump("je", choice->label);
        }
        choice = choice->next;
    }
    emit_jump("jmp", choices->default_label ? choices->default_label : end);
}

// The comparisons stand behind the body, when all cases are known.
void switch_statement(void)
{
    struct Switch *outer = innermost_switch;
    struct Switch *choices = (struct Switch *)allocate(sizeof(struct Switch));
    struct Node *value;
    int choose = new_label();
    int end = new_label();
    next_token();
    expect('(');
    value = promote(expression());
    need_integer(value);
    expect(')');
    choices->type = value->type;
    innermost_switch = choices;
    generate(value);
    emit_jump("jmp", choose);
    loop_body(end, continue_label);
    emit_jump("jmp", end);
    put_label(choose);
    dispatch(choices, end);
    put_label(end);
    innermost_switch = outer;
}

void check_in_switch(void)
{
    if (!innermost_switch) {
        fail(BAD_SYNTAX, "this belongs into a switch");
    }
}

void add_case(struct Switch *choices, struct Case *made)
{
    struct Case *choice = choices->cases;
    while (choice) {
        if (long_equal(&choice->value, &made->value)) {
            fail(TWICE, "a case is there twice");
        }
        choice = choice->next;
    }
    if (choices->last_case) {
        choices->last_case->next = made;
    } else {
        choices->cases = made;
    }
    choices->last_case = made;
}

void case_label(void)
{
    struct Case *choice = (struct Case *)allocate(sizeof(struct Case));
    struct Node *value;
    check_in_switch();
    next_token();
    value = convert(constant_expression(), innermost_switch->type);
    expect(':');
    long_copy(&choice->value, &value->number);
    choice->label = new_label();
    add_case(innermost_switch, choice);
    put_label(choice->label);
}

void default_label(void)
{
    check_in_switch();
    next_token();
    expect(':');
    if (innermost_switch->default_label) {
        fail(TWICE, "default is there twice");
    }
    innermost_switch->default_label = new_label();
    put_label(innermost_switch->default_label);
}

// ---- jumps ----

void jump_statement(int label)
{
    if (!label) {
        fail(BAD_SYNTAX, "there is nothing to leave or to continue");
    }
    next_token();
    expect(';');
    emit_jump("jmp", label);
}

// Leaves the function; a struct went to where the caller wants it, which the caller pushed
// and the function removes.
void emit_return(void)
{
    emit("leave");
    if (result_type->kind == RECORD) {
        emit("ret_i16 @4");
    } else {
        emit("ret");
    }
}

void return_value(void)
{
    struct Node *value = convert(expression(), result_type);
    if (result_type->kind == RECORD) {
        emit_byte("push_[ebp+i8]", 8);           // the place of the result
        generate(value);
        copy_record(size_of(result_type));
    } else {
        generate(value);
    }
}

void return_statement(void)
{
    next_token();
    if (token != ';') {
        if (result_type->kind == VOID) {
            generate_effect(expression());
        } else {
            return_value();
        }
    }
    expect(';');
    emit_return();
}

// ---- all of them ----

void block(void)
{
    expect('{');
    enter_scope();
    while (token != '}') {
        if (token == TOKEN_END) {
            fail(BAD_SYNTAX, "a block is not closed");
        }
        statement();
    }
    leave_scope();
    next_token();
}

void expression_statement(void)
{
    struct Node *node = optional_expression(';');
    if (node) {
        generate_effect(node);
    }
}

// Takes a label in front of a statement; 0 if there is none.
int take_label(void)
{
    if (token == TOKEN_NAME && colon_follows()) {
        label_statement();
        return 1;
    }
    if (token == KEY_CASE) {
        case_label();
        return 1;
    }
    if (token == KEY_DEFAULT) {
        default_label();
        return 1;
    }
    return 0;
}

void unlabeled_statement(void)
{
    if (starts_type()) {
        declaration();
        return;
    }
    switch (token) {
    case '{': block(); return;
    case KEY_IF: if_statement(); return;
    case KEY_WHILE: while_statement(); return;
    case KEY_DO: do_statement(); return;
    case KEY_FOR: for_statement(); return;
    case KEY_SWITCH: switch_statement(); return;
    case KEY_BREAK: jump_statement(break_label); return;
    case KEY_CONTINUE: jump_statement(continue_label); return;
    case KEY_RETURN: return_statement(); return;
    case KEY_GOTO: goto_statement(); return;
    }
    expression_statement();
}

void statement(void)
{
    emit_source_line();
    while (take_label()) {
        emit_source_line();
    }
    enter_nesting();
    unlabeled_statement();
    leave_nesting();
}
