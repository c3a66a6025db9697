// tree.c: expressions as trees: making them, their types, and what is constant in them.
//
// There is one kind of lvalue: N_LOAD of an address.  The address of a variable is N_FRAME or
// N_OBJECT with an offset, so members and elements with a constant index become one of these,
// and so do addresses in static data.

enum {
    N_NUMBER,                       // an integer or pointer constant: number
    N_REAL,                         // a real constant: real
    N_FRAME,                        // the address EBP + offset
    N_OBJECT,                       // the address object + offset
    N_LOAD,                         // what lies at the address left
    N_STORE,                        // right stored at the address left
    N_CALL,                         // the function at left with the arguments from right on
    N_CONVERT,                      // left as another type
    N_RECORD_ADDRESS,               // the address of a struct that is no lvalue
    N_NEGATE, N_COMPLEMENT, N_NOT,
    N_ADD, N_SUBTRACT, N_MULTIPLY, N_DIVIDE, N_REMAINDER,
    N_AND, N_OR, N_XOR, N_SHIFT_LEFT, N_SHIFT_RIGHT,
    N_EQUAL, N_NOT_EQUAL, N_LESS, N_GREATER_EQUAL, N_GREATER, N_LESS_EQUAL,
    N_AND_AND, N_OR_OR, N_COMMA,
    N_CONDITIONAL                   // left ? right : third
};

struct Node {
    int op;
    struct Type *type;
    struct Node *left;
    struct Node *right;
    struct Node *third;
    struct Node *next;              // of an argument: the argument to the right of it
    struct Member *field;           // the bit-field that is loaded or stored, or 0
    struct Object *object;
    struct Real *real;
    struct Long number;
    int offset;
    int depth;                      // of the tree
};

int depth_of(struct Node *node)
{
    return node ? node->depth : 0;
}

struct Node *new_node(int op, struct Type *type, struct Node *left, struct Node *right)
{
    struct Node *node = (struct Node *)allocate(sizeof(struct Node));
    node->op = op;
    node->type = type;
    node->left = left;
    node->right = right;
    node->depth = depth_of(depth_of(left) > depth_of(right) ? left : right) + 1;
    if (node->depth > NESTING_MAX) {
        fail(TOO_LARGE, "an expression is too long");
    }
    return node;
}

// ---- constants ----

// Cuts a number to the size of its type and extends it again.
void wrap_number(struct Long *number, struct Type *type)
{
    int bits = size_of(type) * 8;
    if (type->kind == BOOL) {
        long_set(number, !long_is_zero(number), 0);
    } else if (bits < 64) {
        long_shift_left(number, number, 64 - bits);
        long_shift_right(number, number, 64 - bits, type->is_unsigned);
    }
}

struct Node *number_node(struct Type *type, struct Long *number)
{
    struct Node *node = new_node(N_NUMBER, type, (struct Node *)0, (struct Node *)0);
    long_copy(&node->number, number);
    wrap_number(&node->number, type);
    return node;
}

struct Node *int_node(int value)
{
    struct Long number;
    long_from_int(&number, value);
    return number_node(int_type, &number);
}

struct Node *real_node(struct Type *type, struct Real *real)
{
    struct Node *node = new_node(N_REAL, type, (struct Node *)0, (struct Node *)0);
    node->real = (struct Real *)allocate(sizeof(struct Real));
    real_copy(node->real, real);
    return node;
}

int is_zero(struct Node *node)
{
    return node->op == N_NUMBER && long_is_zero(&node->number);
}

// ---- addresses and lvalues ----

struct Node *frame_address(struct Type *type, int offset)
{
    struct Node *node = new_node(N_FRAME, pointer_to(type), (struct Node *)0, (struct Node *)0);
    node->offset = offset;
    return node;
}

struct Node *object_address(struct Object *object)
{
    struct Node *node = new_node(N_OBJECT, pointer_to(object->type), (struct Node *)0,
                                 (struct Node *)0);
    node->object = object;
    return node;
}

struct Node *load_node(struct Node *address, struct Type *type)
{
    return new_node(N_LOAD, type, address, (struct Node *)0);
}

// The same value or address with another type.
struct Node *retype(struct Node *node, struct Type *type)
{
    struct Node *copy = (struct Node *)allocate(sizeof(struct Node));
    copy_bytes((char *)copy, (char *)node, sizeof(struct Node));
    copy->type = type;
    return copy;
}

// An address some bytes further, as a pointer to `type`.
struct Node *move_address(struct Node *address, int distance, struct Type *type)
{
    struct Node *moved = retype(address, pointer_to(type));
    struct Long number;
    struct Node *inner = address->right;
    if (address->op == N_FRAME || address->op == N_OBJECT) {
        moved->offset = address->offset + distance;
        return moved;
    }
    long_from_int(&number, distance);
    if (address->op == N_NUMBER) {
        long_add(&number, &number, &address->number);
        return number_node(moved->type, &number);
    }
    if (address->op == N_ADD && inner->op == N_NUMBER) {
        long_add(&number, &number, &inner->number);
        moved->right = number_node(int_type, &number);
        return moved;
    }
    if (distance == 0) {
        return moved;
    }
    return new_node(N_ADD, moved->type, address, int_node(distance));
}

// Whether reading the address has no effect and cannot give something else the second time.
int is_fixed_address(struct Node *node)
{
    return node->op == N_FRAME || node->op == N_OBJECT || node->op == N_NUMBER;
}

void need_lvalue(struct Node *node)
{
    if (node->op != N_LOAD) {
        fail(BAD_TYPE, "something that can be stored to is needed");
    }
}

// The address of an lvalue, or of a struct that a call returned.
struct Node *address_of(struct Node *node)
{
    if (node->op != N_LOAD && node->type->kind == RECORD) {
        return new_node(N_RECORD_ADDRESS, pointer_to(node->type), node, (struct Node *)0);
    }
    need_lvalue(node);
    if (node->field) {
        fail(BAD_TYPE, "a bit-field has no address");
    }
    return retype(node->left, pointer_to(node->type));
}

// Arrays become the address of their first element, functions their address.
struct Node *value_of(struct Node *node)
{
    if (node->type->kind == ARRAY) {
        return retype(address_of(node), pointer_to(node->type->base));
    }
    if (node->type->kind == FUNCTION) {
        return address_of(node);
    }
    return node;
}

// ---- conversions ----

int same_form(struct Type *from, struct Type *to)
{
    if (from->kind == INT || from->kind == POINTER) {
        return to->kind == INT || to->kind == POINTER;
    }
    return from->kind == to->kind && from->is_unsigned == to->is_unsigned;
}

// A constant as another arithmetic type or a pointer.
struct Node *convert_constant(struct Node *node, struct Type *type)
{
    struct Long number;
    struct Real real;
    if (node->op == N_NUMBER && is_real(type)) {
        real_from_long(&real, &node->number, node->type->is_unsigned, bits_of(type));
        return real_node(type, &real);
    }
    if (node->op == N_NUMBER) {
        return number_node(type, &node->number);
    }
    if (is_real(type)) {
        real_copy(&real, node->real);
        real_round(&real, bits_of(type), REST_NONE);
        return real_node(type, &real);
    }
    if (type->kind == BOOL) {
        long_set(&number, !long_is_zero(&node->real->mantissa), 0);
    } else {
        real_to_long(&number, node->real);
    }
    return number_node(type, &number);
}

struct Node *convert(struct Node *node, struct Type *type)
{
    node = value_of(node);
    if (type->kind == VOID) {
        return new_node(N_CONVERT, type, node, (struct Node *)0);
    }
    if (type->kind == RECORD || node->type->kind == RECORD) {
        if (type->kind != node->type->kind || type->record != node->type->record) {
            fail(BAD_TYPE, "a struct or union does not fit here");
        }
        return node;
    }
    if (!is_scalar(type) || !is_scalar(node->type)) {
        fail(BAD_TYPE, "a value of this type does not fit here");
    }
    if ((is_real(type) && is_pointer(node->type)) || (is_real(node->type) && is_pointer(type))) {
        fail(BAD_TYPE, "pointers and real numbers do not fit");
    }
    if (node->op == N_NUMBER || node->op == N_REAL) {
        return convert_constant(node, type);
    }
    if (same_form(node->type, type) && !node->field) {
        return retype(node, type);
    }
    return new_node(N_CONVERT, type, node, (struct Node *)0);
}

// The integer promotions: what is smaller than int becomes int.
struct Node *promote(struct Node *node)
{
    node = value_of(node);
    if (is_integer(node->type) && node->type->kind < INT) {
        return convert(node, int_type);
    }
    if (node->field && node->type->kind == INT && node->field->width < 32) {
        return convert(node, int_type);
    }
    return node;
}

// The type that both operands get; they are promoted.
struct Type *common_type(struct Type *a, struct Type *b)
{
    if (is_real(a) || is_real(b)) {
        return a->kind > b->kind ? a : b;
    }
    if (a->kind != b->kind) {
        return a->kind > b->kind ? a : b;
    }
    return a->is_unsigned ? a : b;
}

// A condition: any scalar.
struct Node *test_of(struct Node *node)
{
    node = value_of(node);
    if (!is_scalar(node->type)) {
        fail(BAD_TYPE, "a condition must be a number or a pointer");
    }
    return node;
}

// ---- operators on constants ----

int fold_shift(int op, struct Node *to, struct Node *left, struct Node *right)
{
    int count = right->number.low & 63;
    if (op == N_SHIFT_LEFT) {
        long_shift_left(&to->number, &left->number, count);
        return 1;
    }
    if (op == N_SHIFT_RIGHT) {
        long_shift_right(&to->number, &left->number, count, left->type->is_unsigned);
        return 1;
    }
    return 0;
}

int fold_divide(int op, struct Node *to, struct Node *left, struct Node *right)
{
    struct Long quotient;
    struct Long rest;
    if ((op != N_DIVIDE && op != N_REMAINDER) || long_is_zero(&right->number)) {
        return 0;
    }
    long_divide(&quotient, &rest, &left->number, &right->number, left->type->is_unsigned);
    long_copy(&to->number, op == N_DIVIDE ? &quotient : &rest);
    return 1;
}

int fold_bits(int op, struct Long *to, struct Long *a, struct Long *b)
{
    switch (op) {
    case N_AND: long_set(to, a->low & b->low, a->high & b->high); return 1;
    case N_OR: long_set(to, a->low | b->low, a->high | b->high); return 1;
    case N_XOR: long_set(to, a->low ^ b->low, a->high ^ b->high); return 1;
    case N_ADD: long_add(to, a, b); return 1;
    case N_SUBTRACT: long_subtract(to, a, b); return 1;
    case N_MULTIPLY: long_multiply(to, a, b); return 1;
    }
    return 0;
}

int compare_numbers(int op, struct Long *a, struct Long *b, int is_unsigned)
{
    switch (op) {
    case N_EQUAL: return long_equal(a, b);
    case N_NOT_EQUAL: return !long_equal(a, b);
    case N_LESS: return long_less(a, b, is_unsigned);
    case N_GREATER: return long_less(b, a, is_unsigned);
    case N_LESS_EQUAL: return !long_less(b, a, is_unsigned);
    }
    return !long_less(a, b, is_unsigned);
}

int is_comparison(int op)
{
    return op >= N_EQUAL && op <= N_LESS_EQUAL;
}

// The result as a constant, if both operands are constant integers; else the node as it is.
struct Node *fold(struct Node *node)
{
    struct Node *left = node->left;
    struct Node *right = node->right;
    int op = node->op;
    if (left->op != N_NUMBER || right->op != N_NUMBER) {
        return node;
    }
    if (is_comparison(op)) {
        return int_node(compare_numbers(op, &left->number, &right->number,
                                        left->type->is_unsigned));
    }
    if (fold_bits(op, &node->number, &left->number, &right->number)
        || fold_shift(op, node, left, right) || fold_divide(op, node, left, right)) {
        return number_node(node->type, &node->number);
    }
    return node;
}

// ---- operators ----

void need_integer(struct Node *node)
{
    if (!is_integer(node->type)) {
        fail(BAD_TYPE, "an integer is needed");
    }
}

void need_arithmetic(struct Node *node)
{
    if (!is_arithmetic(node->type)) {
        fail(BAD_TYPE, "a number is needed");
    }
}

// + - * / % & | ^ of numbers, and comparisons of them.
struct Node *arithmetic(int op, struct Node *left, struct Node *right)
{
    struct Type *type;
    left = promote(left);
    right = promote(right);
    need_arithmetic(left);
    need_arithmetic(right);
    if (op == N_REMAINDER || op == N_AND || op == N_OR || op == N_XOR) {
        need_integer(left);
        need_integer(right);
    }
    type = common_type(left->type, right->type);
    left = convert(left, type);
    right = convert(right, type);
    return fold(new_node(op, is_comparison(op) ? int_type : type, left, right));
}

struct Node *shift(int op, struct Node *left, struct Node *right)
{
    left = promote(left);
    right = promote(right);
    need_integer(left);
    need_integer(right);
    right = convert(right, int_type);
    return fold(new_node(op, left->type, left, right));
}

// The size that pointer arithmetic counts in; void counts as char does, as GNU C has it.
int step_of(struct Type *pointer)
{
    int kind = pointer->base->kind;
    return kind == VOID || kind == FUNCTION ? 1 : size_of(pointer->base);
}

// A pointer some elements further; `op` is N_ADD or N_SUBTRACT.
struct Node *move_pointer(int op, struct Node *pointer, struct Node *count)
{
    struct Node *distance;
    count = promote(count);
    need_integer(count);
    distance = arithmetic(N_MULTIPLY, convert(count, int_type), int_node(step_of(pointer->type)));
    if (op == N_SUBTRACT && distance->op == N_NUMBER) {
        long_negate(&distance->number, &distance->number);
        op = N_ADD;
    }
    if (op == N_ADD && distance->op == N_NUMBER) {
        return move_address(pointer, distance->number.low, pointer->type->base);
    }
    return new_node(op, pointer->type, pointer, distance);
}

struct Node *add(struct Node *left, struct Node *right)
{
    left = value_of(left);
    right = value_of(right);
    if (is_pointer(left->type)) {
        return move_pointer(N_ADD, left, right);
    }
    if (is_pointer(right->type)) {
        return move_pointer(N_ADD, right, left);
    }
    return arithmetic(N_ADD, left, right);
}

struct Node *subtract(struct Node *left, struct Node *right)
{
    struct Node *distance;
    left = value_of(left);
    right = value_of(right);
    if (!is_pointer(left->type)) {
        return arithmetic(N_SUBTRACT, left, right);
    }
    if (!is_pointer(right->type)) {
        return move_pointer(N_SUBTRACT, left, right);
    }
    distance = fold(new_node(N_SUBTRACT, int_type, convert(left, int_type),
                             convert(right, int_type)));
    return arithmetic(N_DIVIDE, distance, int_node(step_of(left->type)));
}

// Pointers are compared as unsigned numbers.
struct Node *compare(int op, struct Node *left, struct Node *right)
{
    left = value_of(left);
    right = value_of(right);
    if (is_pointer(left->type) || is_pointer(right->type)) {
        return fold(new_node(op, int_type, convert(left, unsigned_type),
                             convert(right, unsigned_type)));
    }
    return arithmetic(op, left, right);
}

struct Node *binary(int op, struct Node *left, struct Node *right)
{
    if (op == N_ADD) {
        return add(left, right);
    }
    if (op == N_SUBTRACT) {
        return subtract(left, right);
    }
    if (op == N_SHIFT_LEFT || op == N_SHIFT_RIGHT) {
        return shift(op, left, right);
    }
    if (is_comparison(op)) {
        return compare(op, left, right);
    }
    return arithmetic(op, left, right);
}

// 1 or 0 for a constant condition, -1 if it is not constant.
int constant_truth(struct Node *node)
{
    if (node->op == N_NUMBER) {
        return !long_is_zero(&node->number);
    }
    if (node->op == N_REAL) {
        return !long_is_zero(&node->real->mantissa);
    }
    return -1;
}

struct Node *logical_not(struct Node *node)
{
    node = test_of(node);
    if (constant_truth(node) >= 0) {
        return int_node(!constant_truth(node));
    }
    return new_node(N_NOT, int_type, node, (struct Node *)0);
}

// && and ||; `decided` is the value of the left side that decides.
struct Node *logical(int op, struct Node *left, struct Node *right)
{
    int decided = op == N_OR_OR;
    left = test_of(left);
    right = test_of(right);
    if (constant_truth(left) == decided) {
        return int_node(decided);
    }
    if (constant_truth(left) >= 0 && constant_truth(right) >= 0) {
        return int_node(constant_truth(right));
    }
    return new_node(op, int_type, left, right);
}

struct Node *negate(struct Node *node)
{
    struct Node *result;
    node = promote(node);
    need_arithmetic(node);
    if (node->op == N_NUMBER) {
        result = number_node(node->type, &node->number);
        long_negate(&result->number, &result->number);
        wrap_number(&result->number, node->type);
        return result;
    }
    if (node->op == N_REAL) {
        result = real_node(node->type, node->real);
        result->real->negative = !node->real->negative;
        return result;
    }
    return new_node(N_NEGATE, node->type, node, (struct Node *)0);
}

struct Node *complement(struct Node *node)
{
    struct Node *result;
    node = promote(node);
    need_integer(node);
    if (node->op == N_NUMBER) {
        result = number_node(node->type, &node->number);
        long_set(&result->number, ~result->number.low, ~result->number.high);
        wrap_number(&result->number, node->type);
        return result;
    }
    return new_node(N_COMPLEMENT, node->type, node, (struct Node *)0);
}

// The type of both branches of ?: together.
struct Type *conditional_type(struct Node *left, struct Node *right)
{
    struct Type *a = left->type;
    struct Type *b = right->type;
    if (is_arithmetic(a) && is_arithmetic(b)) {
        return common_type(promote(left)->type, promote(right)->type);
    }
    if (a->kind == VOID || b->kind == VOID) {
        return void_type;
    }
    if (is_pointer(a) && is_pointer(b)) {
        // A null pointer constant or a pointer to void gives way to the other one.
        return is_zero(left) || (a->base->kind == VOID && !is_zero(right)) ? b : a;
    }
    return is_pointer(b) ? b : a;
}

struct Node *conditional(struct Node *test, struct Node *left, struct Node *right)
{
    struct Type *type;
    struct Node *node;
    test = test_of(test);
    left = value_of(left);
    right = value_of(right);
    type = conditional_type(left, right);
    left = convert(left, type);
    right = convert(right, type);
    if (constant_truth(test) >= 0 && type->kind != VOID) {
        return constant_truth(test) ? left : right;
    }
    node = new_node(N_CONDITIONAL, type, test, left);
    node->third = right;
    return node;
}

// The value of a bit-field stays one, for the sake of promote.
struct Node *comma(struct Node *left, struct Node *right)
{
    struct Node *node;
    right = value_of(right);
    node = new_node(N_COMMA, right->type, left, right);
    node->field = right->field;
    return node;
}

// ---- storing ----

struct Node *assign(struct Node *left, struct Node *right)
{
    struct Node *node;
    need_lvalue(left);
    if (left->type->kind == ARRAY || left->type->kind == FUNCTION || left->type->kind == VOID) {
        fail(BAD_TYPE, "something that can be stored to is needed");
    }
    node = new_node(N_STORE, left->type, left->left, convert(right, left->type));
    node->field = left->field;
    return node;
}

// A variable of the frame that the program does not name.
struct Node *hidden_variable(struct Type *type)
{
    return load_node(frame_address(type, frame_room(type)), type);
}

// left op= right.  An address that is not fixed is kept, as it must be computed once only.
struct Node *assign_operator(int op, struct Node *left, struct Node *right)
{
    struct Node *kept;
    struct Node *again;
    struct Node *keep;
    need_lvalue(left);
    if (is_fixed_address(left->left)) {
        return assign(left, binary(op, left, right));
    }
    kept = hidden_variable(left->left->type);
    again = load_node(kept, left->type);
    again->field = left->field;
    keep = assign(kept, left->left);
    return comma(keep, assign(again, binary(op, again, right)));
}

// left++ or left--, with op N_ADD or N_SUBTRACT; the value is the old one.
struct Node *postfix_step(int op, struct Node *left)
{
    struct Node *one = int_node(1);
    struct Node *old;
    struct Node *address;
    struct Node *again;
    struct Node *node;
    need_lvalue(left);
    if (!left->field && left->type->kind != BOOL && !is_real(left->type)) {
        // Going back undoes the step, in any size.
        return convert(binary(op == N_ADD ? N_SUBTRACT : N_ADD,
                              assign_operator(op, left, one), one), left->type);
    }
    address = hidden_variable(left->left->type);
    old = hidden_variable(left->type);
    again = load_node(address, left->type);
    again->field = left->field;
    node = comma(assign(address, left->left),
                 comma(assign(old, again),
                       comma(assign(again, binary(op, old, one)), old)));
    node->field = left->field;
    return node;
}
