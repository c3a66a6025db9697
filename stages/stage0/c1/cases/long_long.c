// long_long.c: integers of 64 bits.
// The status of the program is the number of the first check that fails, or 0.

int checks;
int failed;

void check(int holds)
{
    checks++;
    if (!holds && !failed) {
        failed = checks;
    }
}

long long a = 0x123456789abcdefLL;
long long b = -1000000007LL;
unsigned long long u = 0xfedcba9876543210ULL;

void operators(void)
{
    check(a + b == 0x12345674e1103e8LL && a - b == 0x1234567c54697f6LL);
    check(a * 16 == 0x123456789abcdef0LL && u * u == 0xdeec6cd7a44a4100ULL);
    check(a / b == -81985528 && a % b == 642588199);
    check(-a / b == 81985528 && -a % b == -642588199);
    check(u / 10 == 1836475854449306472ULL && u % 10 == 0);
    check(u / a == 224 && u % a == 240ULL);
    check((a & u) == 0x0LL && (a | u) == 0xffffffffffffffffULL && (a ^ u) == 0xffffffffffffffffULL);
    check((a | 1) == a && (a ^ a) == 0 && ~a == -a - 1);
}

void shifts(void)
{
    int count;
    long long ones = -1;
    for (count = 0; count < 64; count++) {
        check((1ULL << count) >> count == 1);
        check(ones << count >> count == -1 && (1LL << count) != 0);
    }
    check(a << 4 == 0x123456789abcdef0LL && a << 36 == (long long)0x9abcdef000000000ULL);
    check(a >> 4 == 0x123456789abcdeLL && a >> 36 == 0x123456);
    check(b >> 1 == -500000004 && b >> 40 == -1 && u >> 60 == 15 && u >> 32 == 0xfedcba98);
}

void comparisons(void)
{
    check(a > b && b < a && a >= b && b <= a && a != b && !(a == b));
    check(u > (unsigned long long)a && (long long)u < a);
    check(0x100000000LL > 1 && 0x100000001LL != 1 && 0x7fffffffLL < 0x80000000LL);
    check(-1LL < 0 && -1LL < 1u && b < 0x80000000u);
    check(a && !(a - a) && (0x100000000LL ? 1 : 0) && !!0x8000000000000000ULL);
}

void conversions(void)
{
    int i = -5;
    unsigned n = 4000000000u;
    long long wide = i;
    check(wide == -5 && (long long)n == 4000000000LL && (unsigned long long)i > n);
    check((int)a == (int)0x89abcdef && (char)a == (char)0xef && (short)u == 0x3210);
    wide = n;
    wide += n;
    check(wide == 8000000000LL && wide++ == 8000000000LL && wide-- == 8000000001LL);
    wide <<= 3;
    wide -= 1;
    check(wide == 63999999999LL);
    wide /= 7;
    check(wide == 9142857142LL && sizeof wide == 8);
    wide = -wide;
    check(wide == -9142857142LL);
    check(18446744073709551615ULL == -1 && 2147483648 == 0x80000000LL);
    i += 0x100000001LL;
    check(i == -4);
}

long long take(char c, long long x, int i, unsigned long long y)
{
    return c + x + i + y;
}

void choose(long long value, int expected)
{
    int got = 0;
    switch (value) {
    case 1: got = 1; break;
    case 0x100000001LL: got = 2; break;
    case -1: got = 3; break;
    }
    check(got == expected);
}

int main(void)
{
    operators();
    shifts();
    comparisons();
    conversions();
    check(take(1, 0x100000000LL, -2, 5) == 0x100000004LL);
    choose(1, 1);
    choose(0x100000001LL, 2);
    choose(-1, 3);
    choose(0xffffffffLL, 0);
    return failed;
}
