// condition.c: the value of the expression behind #if, with 64 bits.

struct Value {
    struct Long number;
    int is_unsigned;
};

// Operators between two operands.  Those of one precedence stand together, the weakest first.
enum {
    OPERATOR_NONE,
    OPERATOR_OR_ELSE,
    OPERATOR_AND_THEN,
    OPERATOR_OR,
    OPERATOR_XOR,
    OPERATOR_AND,
    OPERATOR_EQUAL,
    OPERATOR_NOT_EQUAL,
    OPERATOR_LESS,
    OPERATOR_GREATER,
    OPERATOR_LESS_EQUAL,
    OPERATOR_GREATER_EQUAL,
    OPERATOR_SHIFT_LEFT,
    OPERATOR_SHIFT_RIGHT,
    OPERATOR_ADD,
    OPERATOR_SUBTRACT,
    OPERATOR_MULTIPLY,
    OPERATOR_DIVIDE,
    OPERATOR_REST
};

// What is left of the expression.
struct Token *expression;

// Above 0 in an operand whose value does not count, as in `0 && 1 / 0`.
int unevaluated;

void conditional_expression(struct Value *value);

// ---- operands ----

void set_truth(struct Value *value, int truth)
{
    long_from_int(&value->number, truth != 0);
    value->is_unsigned = 0;
}

int is_true(struct Value *value)
{
    return !long_is_zero(&value->number);
}

// The value of a digit, or 99.
int digit_value(int c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

// Multiplies the number by the base and adds a digit.
void add_digit(struct Long *number, int base, int digit, char *text)
{
    struct Long factor;
    struct Long summand;
    struct Long highest;
    struct Long limit;
    struct Long rest;
    long_set(&factor, base, 0);
    long_set(&summand, digit, 0);
    long_set(&highest, 0xffffffffu, 0xffffffffu);
    long_subtract(&highest, &highest, &summand);
    divide_unsigned(&limit, &rest, &highest, &factor);
    if (long_less(&limit, number, 1)) {
        fail(DOES_NOT_FIT, "the number does not fit into 64 bits: ", text);
    }
    long_multiply(number, number, &factor);
    long_add(number, number, &summand);
}

void number_value(struct Value *value, char *text)
{
    char *at = text;
    int base = 10;
    long_set(&value->number, 0, 0);
    value->is_unsigned = 0;
    if (at[0] == '0') {
        base = 8;
        if (at[1] == 'x' || at[1] == 'X') {
            base = 16;
            at = at + 2;
        }
    }
    for (; digit_value(*at) < base; at++) {
        add_digit(&value->number, base, digit_value(*at), text);
    }
    if (value->number.high >> 31) {
        value->is_unsigned = 1;
    }
    for (; is_one_of(*at, "uUlL"); at++) {
        if (*at == 'u' || *at == 'U') {
            value->is_unsigned = 1;
        }
    }
    if (*at) {
        fail(BAD_CHARACTER, "not a whole number: ", text);
    }
}

// The character behind a backslash at `at`; gives what follows.
char *escape_value(char *at, int *value)
{
    int count = 0;
    char *names = "abfnrtv";
    char *values = "\a\b\f\n\r\t\v";
    *value = 0;
    if (*at == 'x') {
        for (at++; digit_value(*at) < 16; at++) {
            *value = *value * 16 + digit_value(*at);
        }
        return at;
    }
    for (; count < 3 && digit_value(*at) < 8; count++) {
        *value = *value * 8 + digit_value(*at);
        at++;
    }
    if (count) {
        return at;
    }
    *value = *at;
    for (; *names; names++) {
        if (*names == *at) {
            *value = *values;
        }
        values++;
    }
    return at + 1;
}

// The value of a character constant: of several characters, the last one is the low byte.
void character_value(struct Value *value, char *text)
{
    int is_wide = *text == 'L';
    char *at = text + is_wide + 1;
    char narrow;
    int number = 0;
    int count = 0;
    int c;
    if (at[-1] == '"') {
        fail(BAD_SYNTAX, "a string in #if: ", text);
    }
    for (; *at != '\''; count++) {
        c = *at;
        at++;
        if (c == '\\') {
            at = escape_value(at, &c);
        }
        number = is_wide ? c : number * 256 + (c & 255);
    }
    if (count == 1 && !is_wide) {
        // A char has a sign.
        narrow = number;
        number = narrow;
    }
    long_from_int(&value->number, number);
    value->is_unsigned = 0;
}

struct Token *take_part(void)
{
    struct Token *token = expression;
    if (!token) {
        fail(BAD_SYNTAX, "the expression ends too early", "");
    }
    expression = token->next;
    return token;
}

void expect_sign(char *sign)
{
    struct Token *token = take_part();
    if (!is_sign(token, name_of(sign))) {
        fail(BAD_SYNTAX, "something else is here: ", token->name->text);
    }
}

// An operand with the signs in front of it.
void unary_expression(struct Value *value)
{
    struct Token *token = take_part();
    int sign = *token->name->text;
    if (token->kind == TOKEN_NUMBER) {
        number_value(value, token->name->text);
    } else if (token->kind == TOKEN_TEXT) {
        character_value(value, token->name->text);
    } else if (token->kind == TOKEN_NAME) {
        set_truth(value, 0);
    } else if (is_sign(token, name_open)) {
        conditional_expression(value);
        expect_sign(")");
    } else if (token->name->length == 1 && is_one_of(sign, "-+~!")) {
        unary_expression(value);
        if (sign == '!') {
            set_truth(value, !is_true(value));
        }
        if (sign == '-' || sign == '~') {
            long_negate(&value->number, &value->number);
        }
        if (sign == '~') {
            // -x - 1
            struct Long one;
            long_set(&one, 1, 0);
            long_subtract(&value->number, &value->number, &one);
        }
    } else {
        fail(BAD_SYNTAX, "this cannot be in #if: ", token->name->text);
    }
}

// ---- operators ----

int operator_of(struct Token *token)
{
    char *text;
    if (!token || token->kind != TOKEN_SIGN) {
        return OPERATOR_NONE;
    }
    text = token->name->text;
    if (token->name->length == 1) {
        switch (*text) {
        case '|': return OPERATOR_OR;
        case '^': return OPERATOR_XOR;
        case '&': return OPERATOR_AND;
        case '<': return OPERATOR_LESS;
        case '>': return OPERATOR_GREATER;
        case '+': return OPERATOR_ADD;
        case '-': return OPERATOR_SUBTRACT;
        case '*': return OPERATOR_MULTIPLY;
        case '/': return OPERATOR_DIVIDE;
        case '%': return OPERATOR_REST;
        default: return OPERATOR_NONE;
        }
    }
    if (text_equal(text, "||")) {
        return OPERATOR_OR_ELSE;
    }
    if (text_equal(text, "&&")) {
        return OPERATOR_AND_THEN;
    }
    if (text_equal(text, "==")) {
        return OPERATOR_EQUAL;
    }
    if (text_equal(text, "!=")) {
        return OPERATOR_NOT_EQUAL;
    }
    if (text_equal(text, "<=")) {
        return OPERATOR_LESS_EQUAL;
    }
    if (text_equal(text, ">=")) {
        return OPERATOR_GREATER_EQUAL;
    }
    if (text_equal(text, "<<")) {
        return OPERATOR_SHIFT_LEFT;
    }
    return text_equal(text, ">>") ? OPERATOR_SHIFT_RIGHT : OPERATOR_NONE;
}

int precedence_of(int operator)
{
    if (operator <= OPERATOR_AND) {
        return operator;
    }
    if (operator <= OPERATOR_NOT_EQUAL) {
        return OPERATOR_EQUAL;
    }
    if (operator <= OPERATOR_GREATER_EQUAL) {
        return OPERATOR_LESS;
    }
    if (operator <= OPERATOR_SHIFT_RIGHT) {
        return OPERATOR_SHIFT_LEFT;
    }
    return operator <= OPERATOR_SUBTRACT ? OPERATOR_ADD : OPERATOR_MULTIPLY;
}

void compare(struct Value *left, int operator, struct Value *right)
{
    struct Long *a = &left->number;
    struct Long *b = &right->number;
    int is_unsigned = left->is_unsigned || right->is_unsigned;
    int truth = 0;
    switch (operator) {
    case OPERATOR_EQUAL:
        truth = long_equal(a, b);
        break;
    case OPERATOR_NOT_EQUAL:
        truth = !long_equal(a, b);
        break;
    case OPERATOR_LESS:
        truth = long_less(a, b, is_unsigned);
        break;
    case OPERATOR_GREATER:
        truth = long_less(b, a, is_unsigned);
        break;
    case OPERATOR_LESS_EQUAL:
        truth = !long_less(b, a, is_unsigned);
        break;
    default:
        truth = !long_less(a, b, is_unsigned);
        break;
    }
    set_truth(left, truth);
}

void divide(struct Value *left, int operator, struct Value *right)
{
    struct Long quotient;
    struct Long rest;
    if (!is_true(right)) {
        if (!unevaluated) {
            fail(BAD_SYNTAX, "division by zero in #if", "");
        }
        return;
    }
    long_divide(&quotient, &rest, &left->number, &right->number, left->is_unsigned);
    long_copy(&left->number, operator == OPERATOR_DIVIDE ? &quotient : &rest);
}

// Shifts; a negative number of places goes the other way, 64 or more leave nothing but the sign.
void shift(struct Value *value, int operator, struct Long *places)
{
    struct Long count;
    int to_left = operator == OPERATOR_SHIFT_LEFT;
    long_copy(&count, places);
    if (count.high >> 31) {
        to_left = !to_left;
        long_negate(&count, &count);
    }
    if (count.high || count.low > 63) {
        if (to_left) {
            long_set(&value->number, 0, 0);
            return;
        }
        long_set(&count, 63, 0);
        long_shift_right(&value->number, &value->number, 1, value->is_unsigned);
    }
    if (to_left) {
        long_shift_left(&value->number, &value->number, count.low);
    } else {
        long_shift_right(&value->number, &value->number, count.low, value->is_unsigned);
    }
}

// Calculates left OPERATOR right into `left`.
void calculate(struct Value *left, int operator, struct Value *right)
{
    struct Long *a = &left->number;
    struct Long *b = &right->number;
    if (operator >= OPERATOR_EQUAL && operator <= OPERATOR_GREATER_EQUAL) {
        compare(left, operator, right);
        return;
    }
    if (operator == OPERATOR_SHIFT_LEFT || operator == OPERATOR_SHIFT_RIGHT) {
        shift(left, operator, b);
        return;
    }
    left->is_unsigned = left->is_unsigned || right->is_unsigned;
    switch (operator) {
    case OPERATOR_OR:
        long_set(a, a->low | b->low, a->high | b->high);
        break;
    case OPERATOR_XOR:
        long_set(a, a->low ^ b->low, a->high ^ b->high);
        break;
    case OPERATOR_AND:
        long_set(a, a->low & b->low, a->high & b->high);
        break;
    case OPERATOR_ADD:
        long_add(a, a, b);
        break;
    case OPERATOR_SUBTRACT:
        long_subtract(a, a, b);
        break;
    case OPERATOR_MULTIPLY:
        long_multiply(a, a, b);
        break;
    default:
        divide(left, operator, right);
        break;
    }
}

// Operators of at least this precedence, and their operands.
void binary_expression(struct Value *left, int precedence)
{
    struct Value right;
    int operator;
    int decided;
    unary_expression(left);
    for (;;) {
        operator = operator_of(expression);
        if (operator == OPERATOR_NONE || precedence_of(operator) < precedence) {
            return;
        }
        take_part();
        decided = (operator == OPERATOR_OR_ELSE && is_true(left))
            || (operator == OPERATOR_AND_THEN && !is_true(left));
        unevaluated = unevaluated + decided;
        binary_expression(&right, precedence_of(operator) + 1);
        unevaluated = unevaluated - decided;
        if (operator == OPERATOR_OR_ELSE) {
            set_truth(left, is_true(left) || is_true(&right));
        } else if (operator == OPERATOR_AND_THEN) {
            set_truth(left, is_true(left) && is_true(&right));
        } else {
            calculate(left, operator, &right);
        }
    }
}

void conditional_expression(struct Value *value)
{
    struct Value second;
    struct Value third;
    int truth;
    binary_expression(value, OPERATOR_OR_ELSE);
    if (!is_sign(expression, name_of("?"))) {
        return;
    }
    take_part();
    truth = is_true(value);
    unevaluated = unevaluated + !truth;
    conditional_expression(&second);
    unevaluated = unevaluated - !truth;
    expect_sign(":");
    unevaluated = unevaluated + truth;
    conditional_expression(&third);
    unevaluated = unevaluated - truth;
    long_copy(&value->number, truth ? &second.number : &third.number);
    value->is_unsigned = second.is_unsigned || third.is_unsigned;
}

// ---- the whole condition ----

// Whether the condition of a line is true.
int condition(struct Token *line)
{
    struct Value value;
    if (!line) {
        fail(BAD_SYNTAX, "a condition is missing", "");
    }
    in_condition = 1;
    expression = expand_tokens(line);
    in_condition = 0;
    conditional_expression(&value);
    if (expression) {
        fail(BAD_SYNTAX, "something is left in the condition: ", expression->name->text);
    }
    return is_true(&value);
}
