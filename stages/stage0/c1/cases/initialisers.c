// initialisers.c: values of variables: nested, with and without braces, strings, sizes, locals.
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

struct Pair {
    int a;
    char b[4];
};

struct Deep {
    struct Pair pairs[2];
    union {
        char *name;
        int number;
    } u;
    double real;
};

int several[] = { 1, 2, 3, };
int partial[5] = { 1, -2 };
int matrix[2][3] = { { 1, 2, 3 }, { 4 } };
int flat[2][3] = { 1, 2, 3, 4, 5 };
char text[] = "abc";
char exact[3] = "abc";
char padded[6] = { "ab" };
char joined[] = "one" " " "two\0three";
char letters[] = { 'x', 'y', 0 };
char *names[] = { "alpha", "beta", 0 };
struct Pair pair = { 7, "xyz" };
struct Deep deep = { { { 1, "p" }, { 2, { 'q', 'r' } } }, { "deep" }, 2.5 };
struct Deep loose = { 1, "ab", 2, "cd", "loose", 1 };
struct Pair list[] = { { 1 }, { 2, "b" }, { 3, { 0, 1 } } };
struct Pair *second = &list[1];
char *within = &list[2].b[1];
int (*function)(int) = 0;
unsigned char wrap = 257;
long long big = -1;
float real = 1;
int calculated = (3 + 4) * 2 - (1 << 3) + sizeof(struct Pair) + (5 > 3 ? 10 : 20);
int address_difference = (int)&((struct Deep *)0)->u;
int zero;
static int twice(int x);
int (*table[])(int) = { twice, &twice, 0 };
int one = { 1 };

static int twice(int x)
{
    return 2 * x;
}

void globals(void)
{
    check(sizeof several == 12 && several[2] == 3);
    check(partial[0] == 1 && partial[1] == -2 && partial[4] == 0);
    check(matrix[1][0] == 4 && matrix[1][1] == 0 && flat[1][1] == 5 && flat[1][2] == 0);
    check(sizeof text == 4 && text[3] == 0 && exact[2] == 'c' && padded[1] == 'b' && !padded[5]);
    check(sizeof joined == 14 && joined[4] == 't' && joined[8] == 't' && letters[1] == 'y');
    check(sizeof names == 12 && names[1][2] == 't' && !names[2]);
    check(pair.b[2] == 'z' && deep.pairs[1].b[1] == 'r' && deep.u.name[3] == 'p');
    check(deep.real == 2.5 && loose.pairs[1].b[1] == 'd' && loose.u.name[0] == 'l');
    check(loose.real == 1 && sizeof list == 24 && list[2].b[1] == 1);
    check(second->b[0] == 'b' && *within == 1 && !function && wrap == 1 && big == -1LL);
    check(real == 1.0f && calculated == 24 && address_difference == 16 && zero == 0);
    check(table[0](4) == 8 && table[1](5) == 10 && sizeof table == 12 && one == 1);
}

void locals(int n)
{
    int array[4] = { n, n + 1 };
    char local[8] = "text";
    char sized[] = "12345";
    struct Pair made = { n * 2, { 'm' } };
    struct Pair copy = made;
    struct Deep whole = { { made, { n } }, { 0 }, n };
    int rows[][2] = { { 1, n }, { 3 } };
    double reals[2] = { 0.5 };
    int scalar = { n };
    static int kept = 5;
    static char *saved[] = { "s", "t" };
    check(array[1] == n + 1 && array[3] == 0 && local[3] == 't' && !local[7]);
    check(sizeof sized == 6 && sized[4] == '5' && made.a == 2 * n && made.b[1] == 0);
    check(copy.b[0] == 'm' && whole.pairs[0].a == 2 * n && whole.pairs[1].a == n);
    check(whole.real == n && sizeof rows == 16 && rows[0][1] == n && rows[1][1] == 0);
    check(reals[0] == 0.5 && reals[1] == 0 && scalar == n && *saved[1] == 't');
    check(kept++ == 5 + (n == 4));
}

int main(void)
{
    globals();
    locals(3);
    locals(4);
    return failed;
}
