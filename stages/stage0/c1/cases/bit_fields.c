// bit_fields.c: bit-fields: layout, sign, assignment, initialisers.
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

struct Flags {
    unsigned a : 1;
    unsigned b : 3;
    int c : 4;
    unsigned d : 24;
    unsigned e : 9;
    unsigned char f : 5;
    unsigned char g : 4;
    unsigned short h : 11;
    signed char i;
    int j : 32;
};

struct Named {
    unsigned short one : 5;
    unsigned short : 3;
    unsigned short two : 4;
    enum { NONE, SOME, ALL } kind : 2;
    _Bool yes : 1;
};

struct Flags set = { 1, 5, -3, 0xabcdef, 0x1ff, 21, 9, 1234, -1, -100 };
struct Named named = { 17, 9, ALL, 1 };

int main(void)
{
    struct Flags x = { 0 };
    struct Flags *p = &x;
    check(sizeof(struct Flags) == 16 && sizeof(struct Named) == 4);
    check(set.a == 1 && set.b == 5 && set.c == -3 && set.d == 0xabcdef && set.e == 0x1ff);
    check(set.f == 21 && set.g == 9 && set.h == 1234 && set.i == -1 && set.j == -100);
    check(named.one == 17 && named.two == 9 && named.kind == ALL && named.yes);
    check(*(unsigned *)&set == 0xabcdefdb);
    p->b = 13;
    check(x.b == 5 && x.a == 0 && x.c == 0);
    check((p->c = 9) == -7 && x.c == -7);
    x.d = -1;
    check(x.d == 0xffffff && x.e == 0);
    x.d++;
    check(x.d == 0 && x.b == 5);
    check(x.b++ == 5 && x.b == 6 && ++x.b == 7 && ++x.b == 0 && x.b-- == 0 && x.b == 7);
    p->c += 3;
    check(x.c == -4);
    p->e |= 0x155;
    p->e ^= 0xff;
    check(x.e == 0x1aa);
    x.b = 7;
    check(x.b - 8 < 0);                     // it fits an int, so it becomes one
    check((x.b = 7) - 8 < 0 && (x.b += 0) - 8 < 0 && x.b++ - 8 < 0 && (0, x.b) - 8 < 0);
    x.b = 7;
    check(x.j == 0 && (x.j = -1) < 0);
    p[0].f = p->g = 31;
    check(x.g == 15 && x.f == 15);
    named.yes = 2;
    check(named.yes == 1);
    x = set;
    check(x.h == 1234);
    return failed;
}
