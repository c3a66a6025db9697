// integers.c: small integers, promotions, the usual conversions, all operators.
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

signed char small = -1;
unsigned char byte = 255;
short half = -2;
unsigned short word = 65535;
unsigned big = 4000000000u;
int negative = -7;
_Bool truth;

void operators(void)
{
    int a = 17;
    int b = 5;
    check(a + b == 22 && a - b == 12 && a * b == 85);
    check(a / b == 3 && a % b == 2);
    check(negative / 2 == -3 && negative % 2 == -1);
    check((a & b) == 1 && (a | b) == 21 && (a ^ b) == 20 && ~a == -18);
    check(a << 3 == 136 && negative >> 1 == -4);
    check(big >> 1 == 2000000000u && big / 3 == 1333333333u && big % 7 == 4000000000u % 7);
    check(!a == 0 && !0 == 1 && -a == -17 && +a == 17);
    check((a > b) + (a >= 17) + (b < a) + (b <= 5) + (a == 17) + (a != b) == 6);
}

void promotions(void)
{
    check(small == -1 && byte == 255 && small != byte);
    check(small < 0 && byte > 0 && half < word);
    check(sizeof(small + small) == 4 && sizeof(byte) == 1 && sizeof +half == 4);
    check(small >> 1 == -1 && byte >> 1 == 127);
    check(byte + 1 == 256 && (unsigned char)(byte + 1) == 0);
    check(negative < 1 && (unsigned)negative > 1u);
    check(-1 > 1u);                         // the int becomes unsigned
    check(-1 < (short)1 && small < 1);
    check(~byte == -256);
}

void conversions(void)
{
    int wide = 0x12345678;
    check((char)wide == 0x78 && (short)wide == 0x5678);
    check((signed char)0xf0 == -16 && (unsigned char)-1 == 255);
    check((unsigned short)-1 == 65535 && (short)0x8000 == -32768);
    small = 200;
    check(small == -56);
    half = word;
    check(half == -1);
    truth = 256;
    check(truth == 1);
    truth = 0.5;
    check(truth == 1 && (_Bool)0 == 0);
    check((word = 65537) == 1);
    check((unsigned)(negative / 2) == -3u && (negative >> 1) + 0u == -4u);
    check((int)(big / 2) == 2000000000 && (int)(big >> 31) == 1);
}

void assignments(void)
{
    int a = 10;
    unsigned char c = 250;
    a += 5; check(a == 15);
    a -= 3; check(a == 12);
    a *= 4; check(a == 48);
    a /= 5; check(a == 9);
    a %= 4; check(a == 1);
    a <<= 6; check(a == 64);
    a >>= 2; check(a == 16);
    a |= 3; check(a == 19);
    a &= 6; check(a == 2);
    a ^= 7; check(a == 5);
    c += 10; check(c == 4);
    c -= 5; check(c == 255);
    check(c++ == 255 && c == 0 && c-- == 0 && c == 255 && ++c == 0 && --c == 255);
    check(a++ == 5 && a-- == 6 && ++a == 6 && --a == 5);
}

int main(void)
{
    operators();
    promotions();
    conversions();
    assignments();
    return failed;
}
