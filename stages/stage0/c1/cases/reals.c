// reals.c: float, double, long double: constants, arithmetic, conversions, comparisons.
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

float f = 1.5f;
double d = -2.25;
long double l = 0.1L;
double table[] = { 1, 2.5, -3e2, .5, 1e-3 };

union Bits {
    float f;
    double d;
    long double l;
    unsigned words[3];
};

void constants(void)
{
    union Bits bits;
    bits.f = 0.1f;
    check(bits.words[0] == 0x3dcccccd);
    bits.d = 0.1;
    check(bits.words[0] == 0x9999999a && bits.words[1] == 0x3fb99999);
    bits.l = l;
    check(bits.words[0] == 0xcccccccd && bits.words[1] == 0xcccccccc);
    check((bits.words[2] & 0xffff) == 0x3ffb);
    bits.d = 1.7976931348623157e308;
    check(bits.words[0] == 0xffffffff && bits.words[1] == 0x7fefffff);
    bits.d = 4.9406564584124654e-324;
    check(bits.words[0] == 1 && bits.words[1] == 0);
    bits.d = 123456789012345678901234567890.0;
    check(bits.words[0] == 0xb0c42ed7 || bits.words[1] == 0x45f8ee90);
    bits.d = 9007199254740993.0;            // half way: to the even one
    check(bits.words[0] == 0 && bits.words[1] == 0x43400000);
    bits.f = 16777217.0f;
    check(bits.words[0] == 0x4b800000);
    bits.d = -0.0;
    check(bits.words[0] == 0 && bits.words[1] == 0x80000000);
    check(sizeof 1.0 == 8 && sizeof 1.0f == 4 && sizeof 1.0L == 12);
}

void arithmetic(void)
{
    check(f + d == -0.75 && f - d == 3.75 && f * d == -3.375 && d / f == -1.5);
    check(-d == 2.25 && d * d * d == -11.390625);
    check(f + 1 == 2.5 && 3 - f == 1.5 && 10 / 4.0 == 2.5);
    check(table[0] + table[1] + table[2] + table[3] == -296);
    d += 0.25;
    check(d == -2);
    d *= f;
    check(d == -3);
    f /= 3;
    check(f == 0.5 && f++ == 0.5 && f == 1.5 && --f == 0.5);
    l = 1;
    l /= 3;
    check(l != (double)l && (float)l != (double)l);
}

void conversions(void)
{
    unsigned u = 4000000000u;
    long long big = -5000000000LL;
    unsigned long long huge = 0xc000000000000000ULL;
    d = u;
    check(d == 4e9 && (unsigned)d == u);
    d = big;
    check(d == -5e9 && (long long)d == big);
    l = huge;
    check(l == 13835058055282163712.0L && (unsigned long long)l == huge);
    check((int)2.9 == 2 && (int)-2.9 == -2 && (char)65.5 == 65);
    d = 2.9;
    check((int)d == 2 && (int)-d == -2 && (short)(d * 1000 + 1) == 2900);
    f = 16777216;
    check((int)(float)16777217 == 16777216 && f + 1 == 16777217.0);
    d = (float)0.1;
    check(d != 0.1 && d == 0.1f);
    check(1 / 2 * 4.0 == 0 && 1 / 2.0 * 4 == 2);
}

void comparisons(void)
{
    double zero = 0;
    double nan = zero / zero;
    d = 1.5;
    check(d > 1 && d >= 1.5 && d < 2 && d <= 1.5 && d == 1.5 && d != 1);
    check(!(nan == nan) && nan != nan && !(nan < 1) && !(nan > 1) && !(nan <= 1) && !(nan >= 1));
    check(d && !zero && (zero ? 0 : 1) && (nan ? 1 : 0) && -zero == zero);
    if (nan < 1) {
        check(0);
    } else if (!(nan >= 1)) {
        check(1);
    }
    check(1 / zero > 1e300 && -1 / zero < -1e300);
}

double mixed(float a, int b, double c, long double e)
{
    return a + b * c - e;
}

int main(void)
{
    double (*pointer)(float, int, double, long double) = mixed;
    constants();
    arithmetic();
    conversions();
    comparisons();
    check(mixed(0.5, 2, 3, 0.25L) == 6.25 && pointer(1, 1, 1, 1) == 1);
    check((1 ? 1 : 2.5) / 2 == 0.5);
    return failed;
}
