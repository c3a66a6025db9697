// expression.c: reads expressions, from the loosest operator to the tightest.

struct Node *expression(void);
struct Node *assignment(void);
struct Node *unary(void);

// ---- names, constants, strings ----

struct Node *named_value(void)
{
    struct Name *name = expect_name();
    struct Symbol *symbol = name->symbol;
    if (!symbol) {
        fail_name(NOT_DEFINED, "this name is not declared", name->text);
    }
    if (symbol->kind == SYMBOL_CONSTANT) {
        return int_node(symbol->offset);
    }
    if (symbol->kind == SYMBOL_FRAME) {
        return load_node(frame_address(symbol->type, symbol->offset), symbol->type);
    }
    if (symbol->kind == SYMBOL_OBJECT) {
        return load_node(object_address(symbol->object), symbol->type);
    }
    fail_name(BAD_SYNTAX, "the name of a type does not belong there", name->text);
    return (struct Node *)0;
}

struct Node *number_token(void)
{
    struct Type *type = int_type;
    struct Node *node;
    if (token_long_long) {
        type = integer_type(LONG_LONG, token_unsigned);
    } else if (token_unsigned) {
        type = unsigned_type;
    }
    node = number_node(type, &token_number);
    next_token();
    return node;
}

struct Node *real_token(void)
{
    struct Type *type = double_type;
    struct Node *node;
    if (token_bits == FLOAT_BITS) {
        type = float_type;
    } else if (token_bits == LONG_DOUBLE_BITS) {
        type = long_double_type;
    }
    node = real_node(type, &token_real);
    next_token();
    return node;
}

struct Node *string_token(void)
{
    struct Object *object = text_object(token_text, token_length);
    next_token();
    return load_node(object_address(object), object->type);
}

struct Node *primary(void)
{
    switch (token) {
    case TOKEN_NAME: return named_value();
    case TOKEN_NUMBER: return number_token();
    case TOKEN_REAL: return real_token();
    case TOKEN_STRING: return string_token();
    }
    fail(BAD_SYNTAX, "expected an expression");
    return (struct Node *)0;
}

// ---- calls ----

// Small types travel as int, float as double, where no parameter says otherwise.
struct Node *default_argument(struct Node *node)
{
    node = promote(node);
    if (node->type->kind == FLOAT) {
        return convert(node, double_type);
    }
    return node;
}

// Reads one argument for the parameter, which is 0 behind the last one.
struct Node *read_argument(struct Type *function, struct Parameter *parameter)
{
    struct Node *node = assignment();
    if (parameter) {
        return convert(node, parameter->type);
    }
    if (!function->any_arguments) {
        fail(BAD_TYPE, "too many arguments");
    }
    return default_argument(node);
}

// Reads the arguments up to the closing parenthesis, in the order of the text.
struct Node *read_arguments(struct Type *function)
{
    struct Parameter *parameter = function->parameters;
    struct Node *first = (struct Node *)0;
    struct Node *last = (struct Node *)0;
    struct Node *node;
    int count = 0;
    if (token != ')') {
        do {
            count++;
            if (count > NESTING_MAX) {
                fail(TOO_LARGE, "a call has too many arguments");
            }
            node = read_argument(function, parameter);
            // The list may hold a node once only.
            node = retype(node, node->type);
            if (last) {
                last->next = node;
            } else {
                first = node;
            }
            last = node;
            if (parameter) {
                parameter = parameter->next;
            }
        } while (accept(','));
    }
    if (parameter) {
        fail(BAD_TYPE, "an argument is missing");
    }
    expect(')');
    return first;
}

struct Node *call(struct Node *function)
{
    struct Type *type;
    struct Node *node;
    function = value_of(function);
    if (!is_pointer(function->type) || function->type->base->kind != FUNCTION) {
        fail(BAD_TYPE, "only a function can be called");
    }
    type = function->type->base;
    node = new_node(N_CALL, type->base, function, (struct Node *)0);
    node->right = read_arguments(type);
    if (type->base->kind == RECORD) {
        node->offset = frame_room(type->base);      // the result lies there
    }
    return node;
}

// ---- behind an operand ----

struct Node *dereference(struct Node *pointer)
{
    pointer = value_of(pointer);
    if (!is_pointer(pointer->type)) {
        fail(BAD_TYPE, "only a pointer can be followed");
    }
    return load_node(pointer, pointer->type->base);
}

// The member whose name is the token, of a struct or union.
struct Node *member_of(struct Node *record)
{
    struct Name *name;
    struct Member *member;
    struct Node *node;
    int offset = 0;
    if (record->type->kind != RECORD) {
        fail(BAD_TYPE, "only a struct or union has members");
    }
    name = expect_name();
    size_of(record->type);                          // is it complete?
    member = find_member(record->type->record, name, &offset);
    if (!member) {
        fail_name(BAD_TYPE, "there is no such member", name->text);
    }
    node = load_node(move_address(address_of(record), offset, member->type), member->type);
    if (member->width) {
        node->field = member;
    }
    return node;
}

struct Node *postfix(struct Node *node)
{
    struct Node *index;
    while (1) {
        if (accept('[')) {
            index = expression();
            expect(']');
            node = dereference(add(node, index));
        } else if (accept('(')) {
            node = call(node);
        } else if (accept('.')) {
            node = member_of(node);
        } else if (accept(TOKEN_ARROW)) {
            node = member_of(dereference(node));
        } else if (accept(TOKEN_INCREMENT)) {
            node = postfix_step(N_ADD, node);
        } else if (accept(TOKEN_DECREMENT)) {
            node = postfix_step(N_SUBTRACT, node);
        } else {
            return node;
        }
    }
}

// ---- in front of an operand ----

struct Node *size_node(int size)
{
    struct Node *node = int_node(size);
    node->type = unsigned_type;
    return node;
}

// sizeof (type) or sizeof operand; the operand is not evaluated.
struct Node *size_operator(void)
{
    struct Type *type;
    struct Node *node;
    next_token();
    if (token != '(') {
        return size_node(size_of(unary()->type));
    }
    next_token();
    if (starts_type()) {
        type = type_name();
        expect(')');
        return size_node(size_of(type));
    }
    node = expression();
    expect(')');
    return size_node(size_of(postfix(node)->type));
}

// A cast, or an expression in parentheses.
struct Node *parenthesis(void)
{
    struct Type *type;
    struct Node *node;
    next_token();
    if (!starts_type()) {
        node = expression();
        expect(')');
        return postfix(node);
    }
    type = type_name();
    expect(')');
    if (token == '{') {
        fail(BAD_SYNTAX, "compound literals are not supported");
    }
    node = convert(unary(), type);
    if (node->op == N_LOAD && type->kind != RECORD) {
        // A cast is no lvalue, even if it changes nothing.
        return new_node(N_CONVERT, type, node, (struct Node *)0);
    }
    return node;
}

struct Node *prefix(void)
{
    switch (token) {
    case '(':
        return parenthesis();
    case KEY_SIZEOF:
        return size_operator();
    case TOKEN_INCREMENT:
        next_token();
        return assign_operator(N_ADD, unary(), int_node(1));
    case TOKEN_DECREMENT:
        next_token();
        return assign_operator(N_SUBTRACT, unary(), int_node(1));
    case '&':
        next_token();
        return address_of(unary());
    case '*':
        next_token();
        return dereference(unary());
    case '+':
        next_token();
        return promote(unary());
    case '-':
        next_token();
        return negate(unary());
    case '~':
        next_token();
        return complement(unary());
    case '!':
        next_token();
        return logical_not(unary());
    }
    return postfix(primary());
}

struct Node *unary(void)
{
    struct Node *node;
    enter_nesting();
    node = prefix();
    leave_nesting();
    return node;
}

// ---- between operands ----

// The operator of a token between two operands; 0 if there is none.
int binary_operator(int which)
{
    switch (which) {
    case '*': return N_MULTIPLY;
    case '/': return N_DIVIDE;
    case '%': return N_REMAINDER;
    case '+': return N_ADD;
    case '-': return N_SUBTRACT;
    case TOKEN_SHIFT_LEFT: return N_SHIFT_LEFT;
    case TOKEN_SHIFT_RIGHT: return N_SHIFT_RIGHT;
    case '<': return N_LESS;
    case '>': return N_GREATER;
    case TOKEN_LESS_EQUAL: return N_LESS_EQUAL;
    case TOKEN_GREATER_EQUAL: return N_GREATER_EQUAL;
    case TOKEN_EQUAL: return N_EQUAL;
    case TOKEN_NOT_EQUAL: return N_NOT_EQUAL;
    case '&': return N_AND;
    case '^': return N_XOR;
    case '|': return N_OR;
    case TOKEN_AND_AND: return N_AND_AND;
    case TOKEN_OR_OR: return N_OR_OR;
    }
    return 0;
}

// How tightly an operator binds; 1 is the loosest.
int binding(int op)
{
    switch (op) {
    case N_OR_OR: return 1;
    case N_AND_AND: return 2;
    case N_OR: return 3;
    case N_XOR: return 4;
    case N_AND: return 5;
    case N_EQUAL: case N_NOT_EQUAL: return 6;
    case N_LESS: case N_GREATER: case N_LESS_EQUAL: case N_GREATER_EQUAL: return 7;
    case N_SHIFT_LEFT: case N_SHIFT_RIGHT: return 8;
    case N_ADD: case N_SUBTRACT: return 9;
    }
    return 10;
}

// Operators that bind at least as tightly as `least`, from left to right.
struct Node *operators(int least)
{
    struct Node *left = unary();
    struct Node *right;
    int op = binary_operator(token);
    while (op && binding(op) >= least) {
        next_token();
        right = operators(binding(op) + 1);
        if (op == N_AND_AND || op == N_OR_OR) {
            left = logical(op, left, right);
        } else {
            left = binary(op, left, right);
        }
        op = binary_operator(token);
    }
    return left;
}

struct Node *conditional_expression(void)
{
    struct Node *test = operators(1);
    struct Node *left;
    struct Node *right;
    if (!accept('?')) {
        return test;
    }
    left = expression();
    expect(':');
    enter_nesting();
    right = conditional_expression();
    leave_nesting();
    return conditional(test, left, right);
}

// The operator inside of an assignment like +=; 0 if the token is none.
int assignment_operator(int which)
{
    switch (which) {
    case TOKEN_ASSIGN_ADD: return N_ADD;
    case TOKEN_ASSIGN_SUBTRACT: return N_SUBTRACT;
    case TOKEN_ASSIGN_MULTIPLY: return N_MULTIPLY;
    case TOKEN_ASSIGN_DIVIDE: return N_DIVIDE;
    case TOKEN_ASSIGN_REMAINDER: return N_REMAINDER;
    case TOKEN_ASSIGN_SHIFT_LEFT: return N_SHIFT_LEFT;
    case TOKEN_ASSIGN_SHIFT_RIGHT: return N_SHIFT_RIGHT;
    case TOKEN_ASSIGN_AND: return N_AND;
    case TOKEN_ASSIGN_XOR: return N_XOR;
    case TOKEN_ASSIGN_OR: return N_OR;
    }
    return 0;
}

struct Node *assignment(void)
{
    struct Node *left = conditional_expression();
    struct Node *right;
    int which = token;
    if (which != '=' && !assignment_operator(which)) {
        return left;
    }
    next_token();
    enter_nesting();
    right = assignment();
    leave_nesting();
    if (which == '=') {
        return assign(left, right);
    }
    return assign_operator(assignment_operator(which), left, right);
}

struct Node *expression(void)
{
    struct Node *node = assignment();
    struct Node *right;
    while (accept(',')) {
        right = assignment();
        node = comma(node, right);
    }
    return node;
}

// ---- constants ----

// An integer that is known now: the size of an array, the value of a case.
struct Node *constant_expression(void)
{
    struct Node *node = value_of(conditional_expression());
    if (node->op != N_NUMBER || !is_integer(node->type)) {
        fail(BAD_TYPE, "an integer constant is needed");
    }
    return node;
}

int constant_int(void)
{
    struct Node *node = constant_expression();
    struct Node *cut = convert(node, int_type);
    if (!long_equal(&node->number, &cut->number)) {
        fail(DOES_NOT_FIT, "a constant does not fit an int");
    }
    return cut->number.low;
}
