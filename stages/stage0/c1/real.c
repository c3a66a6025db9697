// real.c: floating-point constants: from decimal digits to the bytes in memory.
//
// A Real is mantissa * 2^exponent.  The top bit of the mantissa is set, unless it is zero.
// Decimal digits are turned into bits by integer arithmetic on numbers of any length, so every
// constant is rounded once, to the nearest, and halves to even.

struct Real {
    struct Long mantissa;
    int exponent;
    int negative;
};

// What lies behind the last bit of a mantissa, compared with half of that bit.
enum { REST_NONE = 0, REST_BELOW_HALF = 1, REST_HALF = 2, REST_ABOVE_HALF = 3 };

// Bits of the mantissa of the three types.
enum { FLOAT_BITS = 24, DOUBLE_BITS = 53, LONG_DOUBLE_BITS = 64 };

// ---- natural numbers of any length, in words of 16 bits, the lowest first ----

enum { BIG_WORDS = 1200 };

struct Big {
    int length;
    unsigned words[BIG_WORDS];
};

void big_push(struct Big *big, unsigned word)
{
    if (big->length == BIG_WORDS) {
        fail(TOO_LARGE, "a number has too many digits");
    }
    big->words[big->length] = word;
    big->length++;
}

// big = big * factor + more; both are at most 16 bits.
void big_multiply_add(struct Big *big, unsigned factor, unsigned more)
{
    int i;
    for (i = 0; i < big->length; i++) {
        more = more + big->words[i] * factor;
        big->words[i] = more & 0xffffu;
        more = more >> 16;
    }
    if (more) {
        big_push(big, more);
    }
}

int big_less(struct Big *a, struct Big *b)
{
    int i;
    if (a->length != b->length) {
        return a->length < b->length;
    }
    for (i = a->length - 1; i >= 0; i--) {
        if (a->words[i] != b->words[i]) {
            return a->words[i] < b->words[i];
        }
    }
    return 0;
}

// a = a - b; a is not less than b.
void big_subtract(struct Big *a, struct Big *b)
{
    unsigned borrow = 0;
    int i;
    for (i = 0; i < a->length; i++) {
        unsigned word = a->words[i] - borrow;
        if (i < b->length) {
            word = word - b->words[i];
        }
        a->words[i] = word & 0xffffu;
        borrow = (word >> 16) & 1;
    }
    while (a->length > 0 && a->words[a->length - 1] == 0) {
        a->length--;
    }
}

struct Big numerator;
struct Big denominator;

// Doubles the smaller one until denominator <= numerator < 2 * denominator.
// Returns the power of two that the quotient lost.
int big_normalise(void)
{
    int exponent = 0;
    while (big_less(&numerator, &denominator)) {
        big_multiply_add(&numerator, 2, 0);
        exponent--;
    }
    while (!big_less(&numerator, &denominator)) {
        big_multiply_add(&denominator, 2, 0);
        exponent++;
    }
    // Now the quotient is from 1/2 up to 1: one doubling more.
    big_multiply_add(&numerator, 2, 0);
    return exponent - 1;
}

// The first 64 bits of numerator / denominator; returns what lies behind them.
int big_quotient(struct Real *real)
{
    int i;
    real->exponent = big_normalise() - 63;
    for (i = 0; i < 64; i++) {
        long_shift_left(&real->mantissa, &real->mantissa, 1);
        if (!big_less(&numerator, &denominator)) {
            big_subtract(&numerator, &denominator);
            real->mantissa.low = real->mantissa.low | 1;
        }
        big_multiply_add(&numerator, 2, 0);
    }
    if (numerator.length == 0) {
        return REST_NONE;
    }
    if (big_less(&numerator, &denominator)) {
        return REST_BELOW_HALF;
    }
    return big_less(&denominator, &numerator) ? REST_ABOVE_HALF : REST_HALF;
}

// ---- rounding ----

// The lowest exponent (of a mantissa of 64 bits) at which a type still has all its bits.
int lowest_exponent(int bits)
{
    if (bits == FLOAT_BITS) {
        return -126 - 63;
    }
    return bits == DOUBLE_BITS ? -1022 - 63 : -16382 - 63;
}

// Splits off the low bits of the mantissa (0 to 64) and says what the new rest is.
int split_rest(struct Long *mantissa, int bits, int rest)
{
    struct Long low;
    struct Long half;
    if (bits == 0) {
        return rest;
    }
    long_shift_left(&low, mantissa, 64 - bits);
    long_set(&half, 0, 0x80000000u);
    // In two steps, as a shift by 64 is none.
    long_shift_right(mantissa, mantissa, bits - 1, 1);
    long_shift_right(mantissa, mantissa, 1, 1);
    if (long_equal(&low, &half)) {
        return rest == REST_NONE ? REST_HALF : REST_ABOVE_HALF;
    }
    if (long_less(&half, &low, 1)) {
        return REST_ABOVE_HALF;
    }
    return long_is_zero(&low) && rest == REST_NONE ? REST_NONE : REST_BELOW_HALF;
}

// Moves the top bit of the mantissa to its place.
void real_normalise(struct Real *real)
{
    if (long_is_zero(&real->mantissa)) {
        real->exponent = 0;
        return;
    }
    while (!(real->mantissa.high >> 31)) {
        long_shift_left(&real->mantissa, &real->mantissa, 1);
        real->exponent--;
    }
}

// Rounds to the bits of a type; fewer where the number is too small for all of them.
void real_round(struct Real *real, int bits, int rest)
{
    struct Long one;
    int dropped = 64 - bits;
    if (real->exponent < lowest_exponent(bits)) {
        dropped = dropped + lowest_exponent(bits) - real->exponent;
    }
    if (dropped > 64) {
        long_set(&real->mantissa, 0, 0);
        real->exponent = 0;
        return;
    }
    rest = split_rest(&real->mantissa, dropped, rest);
    real->exponent = real->exponent + dropped;
    if (rest == REST_ABOVE_HALF || (rest == REST_HALF && (real->mantissa.low & 1))) {
        long_set(&one, 1, 0);
        long_add(&real->mantissa, &real->mantissa, &one);
        if (long_is_zero(&real->mantissa)) {
            // It was all ones: the carry is the new top bit.
            real->mantissa.high = 0x80000000u;
            real->exponent++;
        }
    }
    real_normalise(real);
}

// ---- making ----

// digits (without the point) * 10^exponent, rounded to the bits of a type.
void real_from_decimal(struct Real *real, char *digits, int count, int exponent, int bits)
{
    int i;
    numerator.length = 0;
    denominator.length = 0;
    big_push(&denominator, 1);
    long_set(&real->mantissa, 0, 0);
    real->exponent = 0;
    real->negative = 0;
    for (i = 0; i < count; i++) {
        big_multiply_add(&numerator, 10, digits[i] - '0');
    }
    if (numerator.length == 0) {
        return;
    }
    for (i = 0; i < exponent; i++) {
        big_multiply_add(&numerator, 10, 0);
    }
    for (i = 0; i > exponent; i--) {
        big_multiply_add(&denominator, 10, 0);
    }
    i = big_quotient(real);
    real_round(real, bits, i);
}

void real_from_long(struct Real *real, struct Long *value, int is_unsigned, int bits)
{
    long_copy(&real->mantissa, value);
    real->exponent = 0;
    real->negative = !is_unsigned && (value->high >> 31);
    if (real->negative) {
        long_negate(&real->mantissa, &real->mantissa);
    }
    real_normalise(real);
    real_round(real, bits, REST_NONE);
}

// The whole part, cut towards zero.
void real_to_long(struct Long *to, struct Real *real)
{
    if (real->exponent > 0) {
        fail(DOES_NOT_FIT, "a constant is too large for an integer");
    }
    if (real->exponent <= -64) {
        long_set(to, 0, 0);
    } else {
        long_shift_right(to, &real->mantissa, -real->exponent, 1);
    }
    if (real->negative) {
        long_negate(to, to);
    }
}

void real_copy(struct Real *to, struct Real *from)
{
    long_copy(&to->mantissa, &from->mantissa);
    to->exponent = from->exponent;
    to->negative = from->negative;
}

// ---- the bytes in memory ----

void put_bytes(char *to, unsigned word, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        to[i] = word;
        word = word >> 8;
    }
}

// A mantissa of some bits, its first one not kept, behind an exponent and a sign:
// float has 8 bits of exponent, double 11.
void encode_short(struct Long *to, struct Real *real, int bits, int exponent_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = real->exponent + 63 + bias;
    struct Long part;
    long_set(to, 0, 0);
    if (exponent >= 2 * bias + 1) {
        exponent = 2 * bias + 1;            // infinite
    } else if (exponent > 0) {
        long_shift_left(to, &real->mantissa, 1);
        long_shift_right(to, to, 65 - bits, 1);
    } else {
        long_shift_right(to, &real->mantissa, 64 - bits + 1 - exponent, 1);
        exponent = 0;
    }
    if (long_is_zero(&real->mantissa)) {
        exponent = 0;
    }
    long_set(&part, exponent | (real->negative << exponent_bits), 0);
    long_shift_left(&part, &part, bits - 1);
    to->low = to->low | part.low;
    to->high = to->high | part.high;
}

// The extended format keeps its first one.
void encode_extended(char *to, struct Real *real)
{
    struct Long mantissa;
    int exponent = real->exponent + 63 + 16383;
    long_copy(&mantissa, &real->mantissa);
    if (exponent >= 32767) {
        exponent = 32767;                   // infinite
        long_set(&mantissa, 0, 0x80000000u);
    } else if (exponent <= 0) {
        long_shift_right(&mantissa, &mantissa, 1 - exponent, 1);
        exponent = 0;
    }
    if (long_is_zero(&real->mantissa)) {
        exponent = 0;
        long_set(&mantissa, 0, 0);
    }
    put_bytes(to, mantissa.low, 4);
    put_bytes(to + 4, mantissa.high, 4);
    put_bytes(to + 8, exponent | (real->negative << 15), 2);
}

// Writes 4, 8 or 10 bytes.
void real_encode(char *to, struct Real *real, int bits)
{
    struct Long code;
    if (bits == LONG_DOUBLE_BITS) {
        encode_extended(to, real);
    } else if (bits == DOUBLE_BITS) {
        encode_short(&code, real, DOUBLE_BITS, 11);
        put_bytes(to, code.low, 4);
        put_bytes(to + 4, code.high, 4);
    } else {
        encode_short(&code, real, FLOAT_BITS, 8);
        put_bytes(to, code.low, 4);
    }
}
