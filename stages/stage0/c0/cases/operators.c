// Every binary operator on every pair of edge values, as int, unsigned, char and mixed.
int ints[9];
unsigned naturals[9];
char chars[9];

void row(int number)
{
    out_number(number);
    out_char(' ');
}

void fill()
{
    int i;
    ints[0] = 0;
    ints[1] = 1;
    ints[2] = -1;
    ints[3] = 127;
    ints[4] = -128;
    ints[5] = 255;
    ints[6] = 2147483647;
    ints[7] = -2147483647 - 1;
    ints[8] = 12345;
    for (i = 0; i < 9; i++) {
        naturals[i] = ints[i];
        chars[i] = ints[i];
    }
}

void of_ints(int a, int b)
{
    row(a + b);
    row(a - b);
    row(a * b);
    row(a & b);
    row(a | b);
    row(a ^ b);
    row(a << (b & 31));
    row(a >> (b & 31));
    row(a < b);
    row(a <= b);
    row(a > b);
    row(a >= b);
    row(a == b);
    row(a != b);
    row(a && b);
    row(a || b);
    if (b != 0 && !(b == -1 && a < -2147483647)) {
        row(a / b);
        row(a % b);
    }
    out_char('\n');
}

void of_naturals(unsigned a, unsigned b)
{
    row(a + b);
    row(a - b);
    row(a * b);
    row(a & b);
    row(a | b);
    row(a ^ b);
    row(a << (b & 31));
    row(a >> (b & 31));
    row(a < b);
    row(a <= b);
    row(a > b);
    row(a >= b);
    row(a == b);
    row(a != b);
    row(a && b);
    row(a || b);
    if (b) {
        row(a / b);
        row(a % b);
    }
    out_char('\n');
}

void of_chars(char a, char b)
{
    row(a + b);
    row(a - b);
    row(a * b);
    row(a & b);
    row(a | b);
    row(a ^ b);
    row(a << (b & 15));
    row(a >> (b & 15));
    row(a < b);
    row(a <= b);
    row(a > b);
    row(a >= b);
    row(a == b);
    row(a != b);
    row(a && b);
    row(a || b);
    if (b) {
        row(a / b);
        row(a % b);
    }
    out_char('\n');
}

void of_mixed(int a, unsigned b, char c)
{
    row(a + b);
    row(a - b);
    row(a < b);
    row(b < a);
    row(a >= b);
    row(a == b);
    row(c < b);
    row(b > c);
    row(c + a);
    row(c - b);
    row(a >> (b & 7));
    row(b >> (a & 7));
    row((c * b) >> 3);
    row((c * a) >> 3);
    if (b) {
        row(a / b);
        row(a % b);
        row(c / b);
        row(c % b);
    }
    if (c) {
        row(b / c);
        row(b % c);
    }
    out_char('\n');
}

void of_one(int a, unsigned b, char c)
{
    row(-a);
    row(+a);
    row(~a);
    row(!a);
    row(-b);
    row(~b);
    row(!b);
    row(-b < 5);
    row(~b > 5);
    row(-c);
    row(+c);
    row(~c);
    row(!c);
    row(- -a);
    row(!!a);
    row(~~c);
    row((char)a);
    row((char)b);
    row((int)b < 0);
    row((unsigned)a < 5);
    row((unsigned)c < 5);
    row((char)(a + 1) == a + 1);
    out_char('\n');
}

int main(int argc, char **argv)
{
    int i;
    int j;
    fill();
    for (i = 0; i < 9; i++) {
        of_one(ints[i], naturals[i], chars[i]);
        for (j = 0; j < 9; j++) {
            of_ints(ints[i], ints[j]);
            of_naturals(naturals[i], naturals[j]);
            of_chars(chars[i], chars[j]);
            of_mixed(ints[i], naturals[j], chars[j]);
        }
    }
    write_output(argv[1]);
    return 0;
}
