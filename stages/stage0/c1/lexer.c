// lexer.c: from characters to tokens.  next_token reads one; the globals say what it is.

char *text_start;               // the beginning of the input
int token;                      // the token: a character, TOKEN_... or KEY_...
struct Name *token_name;        // of TOKEN_NAME
struct Long token_number;       // of TOKEN_NUMBER
int token_unsigned;             // whether the number is unsigned
int token_long_long;            // whether it has 64 bits
struct Real token_real;         // of TOKEN_REAL
int token_bits;                 // its type, as bits of the mantissa
char *token_text;               // of TOKEN_STRING: the bytes and a zero
int token_length;               // their number, without the zero

enum { STRING_SIZE = 1000000, FILE_NAME_SIZE = 4096, DIGITS_SIZE = 5000 };

char string_bytes[STRING_SIZE];
char digits_bytes[DIGITS_SIZE];

int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

int is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// The value of a digit in any base up to 16; 99 if it is none.
int digit_value(int c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return 99;
}

// ---- blanks, comments and marks ----

// # 123 "file.c" ... says where the next line comes from.
void read_mark(void)
{
    int number = 0;
    char *start;
    text_at++;
    while (*text_at == ' ') {
        text_at++;
    }
    if (!is_digit(*text_at)) {
        fail(BAD_SYNTAX, "c1 reads text that is preprocessed; a # stands only before a number");
    }
    while (is_digit(*text_at)) {
        number = number * 10 + *text_at - '0';
        text_at++;
    }
    while (*text_at == ' ') {
        text_at++;
    }
    if (*text_at == '"') {
        text_at++;
        start = text_at;
        while (*text_at && *text_at != '"' && *text_at != '\n') {
            text_at++;
        }
        file_name = allocate(text_at - start + 1);
        copy_bytes(file_name, start, text_at - start);
    }
    while (*text_at && *text_at != '\n') {
        text_at++;
    }
    line_number = number - 1;               // the end of this line adds one
}

void skip_comment(void)
{
    text_at = text_at + 2;
    while (*text_at && !(text_at[0] == '*' && text_at[1] == '/')) {
        if (*text_at == '\n') {
            line_number++;
        }
        text_at++;
    }
    if (!*text_at) {
        fail(NOT_CLOSED, "a comment is not closed");
    }
    text_at = text_at + 2;
}

void skip_blanks(void)
{
    while (1) {
        if (*text_at == '\n') {
            line_number++;
            text_at++;
        } else if (*text_at == ' ' || (*text_at >= 9 && *text_at <= 13)) {
            text_at++;
        } else if (*text_at == '#' && (text_at == text_start || text_at[-1] == '\n')) {
            read_mark();
        } else if (text_at[0] == '/' && text_at[1] == '*') {
            skip_comment();
        } else if (text_at[0] == '/' && text_at[1] == '/') {
            while (*text_at && *text_at != '\n') {
                text_at++;
            }
        } else {
            return;
        }
    }
}

// ---- numbers ----

// The suffixes of an integer; how many l's it has.
int read_integer_suffix(void)
{
    int longs = 0;
    while (1) {
        if (*text_at == 'u' || *text_at == 'U') {
            token_unsigned = 1;
        } else if (*text_at == 'l' || *text_at == 'L') {
            longs++;
        } else {
            return longs;
        }
        text_at++;
    }
}

// The type of an integer is the first that holds it; only a number that is not decimal
// may become unsigned by its value.  long is as int.
void choose_integer_type(int longs, int is_decimal)
{
    token_long_long = longs > 1 || token_number.high != 0;
    if (!token_long_long && (token_number.low >> 31) && !token_unsigned) {
        if (is_decimal) {
            token_long_long = 1;
        } else {
            token_unsigned = 1;
        }
    }
    if (token_number.high >> 31) {
        token_unsigned = 1;
    }
}

// token_number * base + digit.  Only a number near the limit is checked, by going back.
void append_digit(struct Long *base, struct Long *digit)
{
    struct Long longer;
    struct Long back;
    struct Long rest;
    long_multiply(&longer, &token_number, base);
    long_add(&longer, &longer, digit);
    if (token_number.high >> 28) {
        divide_unsigned(&back, &rest, &longer, base);
        if (!long_equal(&back, &token_number) || !long_equal(&rest, digit)) {
            fail(DOES_NOT_FIT, "an integer is too large");
        }
    }
    long_copy(&token_number, &longer);
}

void read_integer(void)
{
    struct Long base;
    struct Long digit;
    int is_decimal = *text_at != '0';
    long_set(&base, is_decimal ? 10 : 8, 0);
    if (text_at[0] == '0' && (text_at[1] == 'x' || text_at[1] == 'X')) {
        text_at = text_at + 2;
        base.low = 16;
        if (digit_value(*text_at) > 15) {
            fail(BAD_CHARACTER, "a number without digits");
        }
    }
    long_set(&token_number, 0, 0);
    token_unsigned = 0;
    while (digit_value(*text_at) < (int)base.low) {
        long_set(&digit, digit_value(*text_at), 0);
        append_digit(&base, &digit);
        text_at++;
    }
    choose_integer_type(read_integer_suffix(), is_decimal);
    if (is_name_start(*text_at) || is_digit(*text_at) || *text_at == '.') {
        fail(BAD_CHARACTER, "a character that does not belong into a number");
    }
    token = TOKEN_NUMBER;
}

// The number behind an e, with its sign.
int read_exponent(void)
{
    int exponent = 0;
    int negative = 0;
    text_at++;
    if (*text_at == '-' || *text_at == '+') {
        negative = *text_at == '-';
        text_at++;
    }
    if (!is_digit(*text_at)) {
        fail(BAD_CHARACTER, "an exponent without digits");
    }
    while (is_digit(*text_at)) {
        if (exponent < 100000) {
            exponent = exponent * 10 + *text_at - '0';
        }
        text_at++;
    }
    return negative ? -exponent : exponent;
}

void read_real(void)
{
    int count = 0;
    int exponent = 0;
    int behind_point = 0;
    while (is_digit(*text_at) || (*text_at == '.' && !behind_point)) {
        if (*text_at == '.') {
            behind_point = 1;
        } else {
            if (count == DIGITS_SIZE) {
                fail(TOO_LARGE, "a number has too many digits");
            }
            digits_bytes[count] = *text_at;
            count++;
            exponent = exponent - behind_point;
        }
        text_at++;
    }
    if (*text_at == 'e' || *text_at == 'E') {
        exponent = exponent + read_exponent();
    }
    token_bits = DOUBLE_BITS;
    if (*text_at == 'f' || *text_at == 'F') {
        token_bits = FLOAT_BITS;
        text_at++;
    } else if (*text_at == 'l' || *text_at == 'L') {
        token_bits = LONG_DOUBLE_BITS;
        text_at++;
    }
    if (is_name_start(*text_at) || *text_at == '.') {
        fail(BAD_CHARACTER, "a character that does not belong into a number");
    }
    real_from_decimal(&token_real, digits_bytes, count, exponent, token_bits);
    token = TOKEN_REAL;
}

// A number is a real one if a point or an exponent follows its decimal digits.
void read_number(void)
{
    char *ahead = text_at;
    if (!(text_at[0] == '0' && (text_at[1] == 'x' || text_at[1] == 'X'))) {
        while (is_digit(*ahead)) {
            ahead++;
        }
        if (*ahead == '.' || *ahead == 'e' || *ahead == 'E') {
            read_real();
            return;
        }
    }
    read_integer();
}

// ---- characters and strings ----

int read_octal_escape(void)
{
    int value = 0;
    int i;
    for (i = 0; i < 3 && *text_at >= '0' && *text_at <= '7'; i++) {
        value = value * 8 + *text_at - '0';
        text_at++;
    }
    return value;
}

int read_hex_escape(void)
{
    int value = 0;
    text_at++;
    if (digit_value(*text_at) > 15) {
        fail(BAD_CHARACTER, "\\x without digits");
    }
    while (digit_value(*text_at) < 16) {
        value = (value * 16 + digit_value(*text_at)) & 255;
        text_at++;
    }
    return value;
}

// The character behind a backslash.
int read_escape(void)
{
    int c = *text_at;
    if (c >= '0' && c <= '7') {
        return read_octal_escape();
    }
    if (c == 'x') {
        return read_hex_escape();
    }
    text_at++;
    switch (c) {
    case 'n': return 10;
    case 't': return 9;
    case 'r': return 13;
    case 'a': return 7;
    case 'b': return 8;
    case 'f': return 12;
    case 'v': return 11;
    case 'e': return 27;
    case '\\': return c;
    case '\'': return c;
    case '"': return c;
    case '?': return c;
    }
    fail(BAD_CHARACTER, "an unknown character behind a backslash");
    return 0;
}

// One character of a string or a character constant.
int read_character(void)
{
    int c = *text_at;
    if (c == 0 || c == '\n') {
        fail(NOT_CLOSED, "quotes are not closed");
    }
    text_at++;
    if (c == '\\') {
        return read_escape();
    }
    return c;
}

void read_character_constant(void)
{
    char value;
    text_at++;
    value = read_character();
    if (*text_at != '\'') {
        fail(NOT_CLOSED, "a character constant has more than one character");
    }
    text_at++;
    long_from_int(&token_number, value);
    token_unsigned = 0;
    token_long_long = 0;
    token = TOKEN_NUMBER;
}

// Strings next to each other are one.
void read_string(void)
{
    int length = 0;
    while (*text_at == '"') {
        text_at++;
        while (*text_at != '"') {
            if (length == STRING_SIZE) {
                fail(TOO_LARGE, "a string is too long");
            }
            string_bytes[length] = read_character();
            length++;
        }
        text_at++;
        token_end = text_at;
        skip_blanks();
    }
    token_text = allocate(length + 1);
    copy_bytes(token_text, string_bytes, length);
    token_length = length;
    token = TOKEN_STRING;
}

// ---- names and signs ----

void read_name(void)
{
    char *start = text_at;
    while (is_name_start(*text_at) || is_digit(*text_at)) {
        text_at++;
    }
    token_name = name_of(start, text_at - start);
    token = token_name->keyword ? token_name->keyword : TOKEN_NAME;
}

// Takes `length` characters as the token `which`.
void take_sign(int which, int length)
{
    token = which;
    text_at = text_at + length;
}

// A sign that may be doubled or followed by =; 0 where there is no such token.
void read_sign_of(int c, int doubled, int with_equal, int doubled_with_equal)
{
    if (doubled && text_at[1] == c) {
        if (doubled_with_equal && text_at[2] == '=') {
            take_sign(doubled_with_equal, 3);
        } else {
            take_sign(doubled, 2);
        }
    } else if (with_equal && text_at[1] == '=') {
        take_sign(with_equal, 2);
    } else {
        take_sign(c, 1);
    }
}

void read_sign(int c)
{
    switch (c) {
    case '+': read_sign_of(c, TOKEN_INCREMENT, TOKEN_ASSIGN_ADD, 0); return;
    case '*': read_sign_of(c, 0, TOKEN_ASSIGN_MULTIPLY, 0); return;
    case '/': read_sign_of(c, 0, TOKEN_ASSIGN_DIVIDE, 0); return;
    case '%': read_sign_of(c, 0, TOKEN_ASSIGN_REMAINDER, 0); return;
    case '&': read_sign_of(c, TOKEN_AND_AND, TOKEN_ASSIGN_AND, 0); return;
    case '|': read_sign_of(c, TOKEN_OR_OR, TOKEN_ASSIGN_OR, 0); return;
    case '^': read_sign_of(c, 0, TOKEN_ASSIGN_XOR, 0); return;
    case '=': read_sign_of(c, 0, TOKEN_EQUAL, 0); return;
    case '!': read_sign_of(c, 0, TOKEN_NOT_EQUAL, 0); return;
    case '<':
        read_sign_of(c, TOKEN_SHIFT_LEFT, TOKEN_LESS_EQUAL, TOKEN_ASSIGN_SHIFT_LEFT);
        return;
    case '>':
        read_sign_of(c, TOKEN_SHIFT_RIGHT, TOKEN_GREATER_EQUAL, TOKEN_ASSIGN_SHIFT_RIGHT);
        return;
    case '-':
        if (text_at[1] == '>') {
            take_sign(TOKEN_ARROW, 2);
        } else {
            read_sign_of(c, TOKEN_DECREMENT, TOKEN_ASSIGN_SUBTRACT, 0);
        }
        return;
    case '.':
        if (text_at[1] == '.' && text_at[2] == '.') {
            take_sign(TOKEN_ELLIPSIS, 3);
        } else {
            take_sign(c, 1);
        }
        return;
    case '(': case ')': case '[': case ']': case '{': case '}':
    case ',': case ';': case ':': case '?': case '~':
        take_sign(c, 1);
        return;
    }
    token_end = text_at + 1;
    fail(BAD_CHARACTER, "a character that does not belong there");
}

void next_token(void)
{
    int c;
    skip_blanks();
    token_start = text_at;
    token_end = text_at;
    c = *text_at;
    if (c == 0) {
        token = TOKEN_END;
        return;
    }
    if (c == '"') {
        read_string();                      // it sets token_end itself
        return;
    }
    if (is_name_start(c)) {
        read_name();
    } else if (is_digit(c) || (c == '.' && is_digit(text_at[1]))) {
        read_number();
    } else if (c == '\'') {
        read_character_constant();
    } else {
        read_sign(c);
    }
    token_end = text_at;
}

// Whether a colon follows the token: a name is a label then.
int colon_follows(void)
{
    skip_blanks();
    return *text_at == ':';
}

int accept(int which)
{
    if (token == which) {
        next_token();
        return 1;
    }
    return 0;
}

// Takes a sign that must be here.
void expect(int which)
{
    char what[16];
    if (token != which) {
        copy_bytes(what, "expected  ", 11);
        what[9] = which;
        fail(BAD_SYNTAX, what);
    }
    next_token();
}

// The name that must be here.
struct Name *expect_name(void)
{
    struct Name *name = token_name;
    if (token != TOKEN_NAME) {
        fail(BAD_SYNTAX, "expected a name");
    }
    next_token();
    return name;
}
