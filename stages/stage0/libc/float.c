// float.c: floating-point numbers out of decimal text, rounded correctly.
//
// A decimal number is a fraction of two whole numbers: 12.5e-3 is 125 / 10000.  Both are kept with
// all their digits, and the bits of the result come out of a long division, so no bit is a guess.
// Only decimal numbers are read: no hex, no infinity, no NaN.

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- whole numbers of any size ----

// Enough for 10^6210, which is what 5000 places behind the point and 1210 digits need.
enum { BIG_WORDS = 660 };

// Low words first; the words from `count` on do not matter, the highest is not zero.
struct big {
    int count;
    unsigned words[BIG_WORDS];
};

static void big_multiply_add(struct big *big, unsigned factor, unsigned summand)
{
    unsigned long long carry = summand;
    int i;
    for (i = 0; i < big->count; i++) {
        carry = carry + (unsigned long long)big->words[i] * factor;
        big->words[i] = (unsigned)carry;
        carry = carry >> 32;
    }
    if (carry) {
        big->words[big->count] = (unsigned)carry;
        big->count++;
    }
}

static void big_multiply_power_of_ten(struct big *big, int exponent)
{
    for (; exponent >= 9; exponent = exponent - 9) {
        big_multiply_add(big, 1000000000, 0);
    }
    for (; exponent > 0; exponent--) {
        big_multiply_add(big, 10, 0);
    }
}

static int big_bits(struct big *big)
{
    int bits = 32 * big->count;
    unsigned highest;
    if (!bits) {
        return 0;
    }
    for (highest = big->words[big->count - 1]; !(highest & 0x80000000); highest = highest << 1) {
        bits--;
    }
    return bits;
}

static void big_shift_left(struct big *big, int bits)
{
    int words = bits / 32;
    int i;
    memmove(big->words + words, big->words, big->count * 4);
    for (i = 0; i < words; i++) {
        big->words[i] = 0;
    }
    if (big->count) {
        big->count = big->count + words;
    }
    big_multiply_add(big, 1U << bits % 32, 0);
}

// Negative, zero or positive, as a - b.
static int big_compare(struct big *a, struct big *b)
{
    int i;
    if (a->count != b->count) {
        return a->count - b->count;
    }
    for (i = a->count - 1; i >= 0; i--) {
        if (a->words[i] != b->words[i]) {
            return a->words[i] < b->words[i] ? -1 : 1;
        }
    }
    return 0;
}

// Subtracts b, which is not larger, from a.
static void big_subtract(struct big *a, struct big *b)
{
    unsigned borrow = 0;
    unsigned subtrahend;
    unsigned before;
    int i;
    for (i = 0; i < a->count; i++) {
        before = a->words[i];
        subtrahend = i < b->count ? b->words[i] : 0;
        a->words[i] = before - subtrahend - borrow;
        borrow = before < subtrahend || (borrow && before == subtrahend);
    }
    while (a->count && !a->words[a->count - 1]) {
        a->count--;
    }
}

// ---- reading ----

// Digits behind these are only known to be zeros or not.
enum { DIGITS_MAX = 1200, EXPONENT_MAX = 100000 };

// A number as it is written: digits * 10^exponent.
struct decimal {
    struct big digits;
    int digit_count;
    int exponent;
    int negative;
};

// Reads a digit in front of the point or behind it.
static void add_digit(struct decimal *decimal, int digit, int behind_point)
{
    if (decimal->digit_count < DIGITS_MAX) {
        big_multiply_add(&decimal->digits, 10, digit);
        if (decimal->digits.count) {
            decimal->digit_count++;
        }
        decimal->exponent = decimal->exponent - behind_point;
        return;
    }
    decimal->exponent = decimal->exponent + 1 - behind_point;
    // One more digit for all that follow: it decides what would be exactly in the middle.
    if (digit && decimal->digit_count == DIGITS_MAX) {
        big_multiply_add(&decimal->digits, 10, 1);
        decimal->digit_count++;
        decimal->exponent--;
    }
}

// Reads e and digits at `at`, if they are there; gives what follows.
static const char *read_exponent(struct decimal *decimal, const char *at)
{
    const char *start = at;
    int negative = 0;
    int exponent = 0;
    if (*at != 'e' && *at != 'E') {
        return start;
    }
    at++;
    if (*at == '-' || *at == '+') {
        negative = *at == '-';
        at++;
    }
    if (!isdigit(*at)) {
        return start;
    }
    for (; isdigit(*at); at++) {
        if (exponent < EXPONENT_MAX) {
            exponent = exponent * 10 + *at - '0';
        }
    }
    decimal->exponent = decimal->exponent + (negative ? -exponent : exponent);
    return at;
}

// Gives what follows the number, or `text` if there is none.
static const char *read_decimal(struct decimal *decimal, const char *text)
{
    const char *at = text;
    int behind_point = 0;
    int has_digits = 0;
    decimal->digits.count = 0;
    decimal->digit_count = 0;
    decimal->exponent = 0;
    while (isspace(*at)) {
        at++;
    }
    decimal->negative = *at == '-';
    if (*at == '-' || *at == '+') {
        at++;
    }
    for (; isdigit(*at) || (*at == '.' && !behind_point); at++) {
        if (*at == '.') {
            behind_point = 1;
        } else {
            has_digits = 1;
            add_digit(decimal, *at - '0', behind_point);
        }
    }
    return has_digits ? read_exponent(decimal, at) : text;
}

// ---- converting ----

// A kind of floating-point number: how many bits the mantissa has, and the exponents of 2 between
// which the highest bit of a number lies that has all of them.
struct format {
    int mantissa_bits;
    int exponent_min;
    int exponent_max;
};

// `exponent` is that of the mantissa's highest place, which is empty if the number is denormal.
struct binary {
    unsigned long long mantissa;
    int exponent;
    int infinite;
};

// Divides: the next `bits` bits of numerator / denominator, which is below 2, and rounds to even.
static unsigned long long divide_bits(struct big *numerator, struct big *denominator, int bits)
{
    unsigned long long mantissa = 0;
    int order;
    for (; bits > 0; bits--) {
        mantissa = mantissa << 1;
        if (big_compare(numerator, denominator) >= 0) {
            big_subtract(numerator, denominator);
            mantissa = mantissa | 1;
        }
        big_multiply_add(numerator, 2, 0);
    }
    order = big_compare(numerator, denominator);
    // 64 ones become 0; has_carried knows that.
    if (order > 0 || (order == 0 && (mantissa & 1))) {
        mantissa++;
    }
    return mantissa;
}

// Makes 1 <= numerator / denominator < 2 by shifting one of them; gives the exponent of 2 that the
// quotient is to be multiplied with.
static int align(struct big *numerator, struct big *denominator)
{
    int exponent = big_bits(numerator) - big_bits(denominator);
    if (exponent > 0) {
        big_shift_left(denominator, exponent);
    } else {
        big_shift_left(numerator, -exponent);
    }
    if (big_compare(numerator, denominator) < 0) {
        big_multiply_add(numerator, 2, 0);
        exponent--;
    }
    return exponent;
}

// Whether rounding up gave a mantissa of all ones one more bit.
static int has_carried(unsigned long long mantissa, int bits)
{
    return bits == 64 ? mantissa == 0 : mantissa >> bits != 0;
}

// Sets mantissa and exponent for a number that is neither zero nor far out of the range.
static void divide(struct binary *binary, struct decimal *decimal, struct format *format)
{
    static struct big denominator;
    int bits = format->mantissa_bits;
    denominator.count = 1;
    denominator.words[0] = 1;
    if (decimal->exponent >= 0) {
        big_multiply_power_of_ten(&decimal->digits, decimal->exponent);
    } else {
        big_multiply_power_of_ten(&denominator, -decimal->exponent);
    }
    binary->exponent = align(&decimal->digits, &denominator);
    if (binary->exponent < format->exponent_min) {
        bits = bits - (format->exponent_min - binary->exponent);
        binary->exponent = format->exponent_min;
    }
    if (bits >= 0) {
        binary->mantissa = divide_bits(&decimal->digits, &denominator, bits);
    }
    if (bits == format->mantissa_bits && has_carried(binary->mantissa, bits)) {
        binary->mantissa = 1ULL << (bits - 1);
        binary->exponent++;
    }
}

static void to_binary(struct binary *binary, struct decimal *decimal, struct format *format)
{
    int highest_exponent = decimal->digit_count + decimal->exponent;
    binary->mantissa = 0;
    binary->exponent = format->exponent_min;
    binary->infinite = highest_exponent > 5000;
    if (!decimal->digits.count || highest_exponent < -5000) {
        binary->infinite = 0;
    } else if (!binary->infinite) {
        divide(binary, decimal, format);
    }
    if (binary->infinite || binary->exponent > format->exponent_max) {
        binary->mantissa = 1ULL << (format->mantissa_bits - 1);
        binary->exponent = format->exponent_max + 1;
        errno = ERANGE;
    }
}

// The exponent as the processor keeps it.
static unsigned exponent_field(struct binary *binary, struct format *format)
{
    if (!(binary->mantissa >> (format->mantissa_bits - 1))) {
        return 0;
    }
    return binary->exponent - format->exponent_min + 1;
}

// Reads the number of a text for the three functions below; gives its sign.
static unsigned read_binary(struct binary *binary, const char *text, char **end,
                            struct format *format)
{
    struct decimal decimal;
    const char *behind = read_decimal(&decimal, text);
    if (end) {
        *end = (char *)behind;
    }
    to_binary(binary, &decimal, format);
    return decimal.negative;
}

float strtof(const char *text, char **end)
{
    static struct format format = { 24, -126, 127 };
    union {
        float value;
        unsigned word;
    } result;
    struct binary binary;
    unsigned sign = read_binary(&binary, text, end, &format);
    result.word = sign << 31 | exponent_field(&binary, &format) << 23
        | ((unsigned)binary.mantissa & 0x7fffff);
    return result.value;
}

double strtod(const char *text, char **end)
{
    static struct format format = { 53, -1022, 1023 };
    union {
        double value;
        unsigned words[2];
    } result;
    struct binary binary;
    unsigned sign = read_binary(&binary, text, end, &format);
    result.words[0] = (unsigned)binary.mantissa;
    result.words[1] = sign << 31 | exponent_field(&binary, &format) << 20
        | ((unsigned)(binary.mantissa >> 32) & 0xfffff);
    return result.value;
}

// The only one whose highest bit is written.
long double strtold(const char *text, char **end)
{
    static struct format format = { 64, -16382, 16383 };
    union {
        long double value;
        unsigned words[3];
    } result;
    struct binary binary;
    unsigned sign = read_binary(&binary, text, end, &format);
    result.words[0] = (unsigned)binary.mantissa;
    result.words[1] = (unsigned)(binary.mantissa >> 32);
    result.words[2] = sign << 15 | exponent_field(&binary, &format);
    return result.value;
}

// ---- calculating ----

// A long double has room for every product on the way, so only the result is rounded.
double ldexp(double x, int exponent)
{
    long double value = x;
    if (exponent > 3000) {
        exponent = 3000;
    }
    if (exponent < -3000) {
        exponent = -3000;
    }
    for (; exponent > 0; exponent--) {
        value = value * 2;
    }
    for (; exponent < 0; exponent++) {
        value = value / 2;
    }
    return (double)value;
}
