// long.c: integers of 64 bits out of two words, as constants need them.
//
// The result may be one of the operands: every function reads before it writes.

struct Long {
    unsigned low;
    unsigned high;
};

void long_set(struct Long *to, unsigned low, unsigned high)
{
    to->low = low;
    to->high = high;
}

void long_copy(struct Long *to, struct Long *from)
{
    to->low = from->low;
    to->high = from->high;
}

// The value of an int, with its sign.
void long_from_int(struct Long *to, int value)
{
    to->low = value;
    to->high = value < 0 ? -1 : 0;
}

int long_is_zero(struct Long *a)
{
    return a->low == 0 && a->high == 0;
}

int long_equal(struct Long *a, struct Long *b)
{
    return a->low == b->low && a->high == b->high;
}

int long_less(struct Long *a, struct Long *b, int is_unsigned)
{
    unsigned a_high = a->high;
    unsigned b_high = b->high;
    if (!is_unsigned) {
        // The order of signed numbers is that of unsigned ones with the sign bit turned round.
        a_high = a_high ^ 0x80000000u;
        b_high = b_high ^ 0x80000000u;
    }
    return a_high < b_high || (a_high == b_high && a->low < b->low);
}

void long_add(struct Long *to, struct Long *a, struct Long *b)
{
    unsigned low = a->low + b->low;
    unsigned carry = low < b->low;
    to->high = a->high + b->high + carry;
    to->low = low;
}

void long_subtract(struct Long *to, struct Long *a, struct Long *b)
{
    unsigned low = a->low - b->low;
    unsigned borrow = a->low < b->low;
    to->high = a->high - b->high - borrow;
    to->low = low;
}

void long_negate(struct Long *to, struct Long *a)
{
    struct Long zero;
    long_set(&zero, 0, 0);
    long_subtract(to, &zero, a);
}

// All 64 bits of the product of two words, by halves of 16 bits.
void multiply_words(struct Long *to, unsigned a, unsigned b)
{
    unsigned a_low = a & 0xffffu;
    unsigned a_high = a >> 16;
    unsigned b_low = b & 0xffffu;
    unsigned b_high = b >> 16;
    unsigned low = a_low * b_low;
    unsigned middle = a_high * b_low + (low >> 16);
    unsigned other = a_low * b_high + (middle & 0xffffu);
    to->low = (other << 16) | (low & 0xffffu);
    to->high = a_high * b_high + (middle >> 16) + (other >> 16);
}

void long_multiply(struct Long *to, struct Long *a, struct Long *b)
{
    struct Long product;
    multiply_words(&product, a->low, b->low);
    to->high = product.high + a->low * b->high + a->high * b->low;
    to->low = product.low;
}

void long_shift_left(struct Long *to, struct Long *a, int count)
{
    unsigned low = a->low;
    unsigned high = a->high;
    if (count >= 32) {
        high = low << (count - 32);
        low = 0;
    } else if (count) {
        high = (high << count) | (low >> (32 - count));
        low = low << count;
    }
    long_set(to, low, high);
}

// Shifts right; signed numbers keep their sign.
void long_shift_right(struct Long *to, struct Long *a, int count, int is_unsigned)
{
    unsigned low = a->low;
    unsigned high = a->high;
    unsigned fill = 0;
    if (!is_unsigned && (high >> 31)) {
        fill = ~fill;
    }
    if (count >= 32) {
        low = high;
        high = fill;
        count = count - 32;
    }
    if (count) {
        low = (low >> count) | (high << (32 - count));
        high = (high >> count) | (fill << (32 - count));
    }
    long_set(to, low, high);
}

// Quotient and remainder of unsigned numbers, bit by bit; the divisor is not zero.
void divide_unsigned(struct Long *quotient, struct Long *rest, struct Long *a, struct Long *b)
{
    struct Long left;
    struct Long divisor;
    int i;
    long_copy(&left, a);
    long_copy(&divisor, b);
    long_set(quotient, 0, 0);
    long_set(rest, 0, 0);
    for (i = 0; i < 64; i++) {
        unsigned carried = rest->high >> 31;
        long_shift_left(rest, rest, 1);
        rest->low = rest->low | (left.high >> 31);
        long_shift_left(&left, &left, 1);
        long_shift_left(quotient, quotient, 1);
        if (carried || !long_less(rest, &divisor, 1)) {
            long_subtract(rest, rest, &divisor);
            quotient->low = quotient->low | 1;
        }
    }
}

// Quotient and remainder; the remainder has the sign of the dividend.
void long_divide(struct Long *quotient, struct Long *rest, struct Long *a, struct Long *b,
                 int is_unsigned)
{
    struct Long dividend;
    struct Long divisor;
    int negative_a = !is_unsigned && (a->high >> 31);
    int negative_b = !is_unsigned && (b->high >> 31);
    long_copy(&dividend, a);
    long_copy(&divisor, b);
    if (negative_a) {
        long_negate(&dividend, &dividend);
    }
    if (negative_b) {
        long_negate(&divisor, &divisor);
    }
    divide_unsigned(quotient, rest, &dividend, &divisor);
    if (negative_a != negative_b) {
        long_negate(quotient, quotient);
    }
    if (negative_a) {
        long_negate(rest, rest);
    }
}
