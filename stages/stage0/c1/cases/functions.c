// functions.c: calls, pointers to functions, varargs, recursion, prototypes, static variables.
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

int add(int a, int b);
static int subtract(int, int);
int (*operation)(int, int);
int (*table[2])(int, int) = { add, subtract };
typedef int (*Operation)(int, int);

struct Entry {
    char *name;
    Operation call;
    int (*other)(struct Entry *, int);
};

int other(struct Entry *entry, int n)
{
    return entry->call(n, 1);
}

struct Entry entries[] = { { "add", add, other }, { "subtract", subtract, other } };

int add(int a, int b)
{
    return a + b;
}

static int subtract(int a, int b)
{
    return a - b;
}

Operation pick(int which)
{
    return which ? subtract : add;
}

int (*pick_again(int which))(int, int)
{
    return table[which];
}

int apply(int f(int, int), int a, int b)
{
    return (*f)(a, b) + f(a, b);
}

// The next argument of those that no parameter names, as stdarg.h finds it.
char *arguments;

char *next(int size)
{
    char *place = arguments;
    arguments += (size + 3) & ~3;
    return place;
}

double total(int count, ...)
{
    double sum = 0;
    int i;
    arguments = (char *)&count + sizeof count;
    for (i = 0; i < count; i++) {
        switch (*(int *)next(sizeof(int))) {
        case 'i': sum += *(int *)next(sizeof(int)); break;
        case 'd': sum += *(double *)next(sizeof(double)); break;
        case 'l': sum += *(long long *)next(sizeof(long long)); break;
        case 's': sum += **(char **)next(sizeof(char *)); break;
        case 'L': sum += *(long double *)next(sizeof(long double)); break;
        }
    }
    return sum;
}

int fibonacci(int n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int counter(void)
{
    static int count;
    static int step = 2;
    {
        static int count = 100;
        count++;
        check(count > 100);
    }
    return count += step;
}

char narrow(int x)
{
    return x;
}

unsigned short narrower(int x)
{
    return x;
}

void nothing()
{
    return;
}

int many(char a, short b, unsigned char c, long long d, int e, float f, double g)
{
    return a + b + c + d + e + f + g;
}

int main(int argc, char **argv)
{
    char c = 'c';
    float half = 0.5f;
    short s = -3;
    operation = add;
    check(operation(3, 4) == 7 && (*operation)(3, 4) == 7 && (**table[1])(3, 4) == -1);
    operation = &subtract;
    check(operation(1, 2) == -1 && pick(0)(5, 6) == 11 && pick_again(1)(5, 6) == -1);
    check(apply(add, 2, 3) == 10 && operation == subtract && operation != add);
    check(entries[1].other(&entries[1], 9) == 8 && entries->call(1, 1) == 2);
    check(total(5, 'i', 3, 'd', half, 'l', 10000000000LL, 's', "A", 'i', s) == 10000000065.5);
    check(total(2, 'L', 0.25L, 'i', c) == 99.25);
    check(fibonacci(15) == 610 && counter() == 2 && counter() == 4 && counter() == 6);
    check(narrow(300) == 44 && narrower(-1) == 65535 && narrow(200) < 0);
    check(many(-1, -2, 255, 1000LL, -5, 0.5, 0.25) == 1247);
    check(argc == 1 && argv[0] != 0 && argv[1] == 0);
    nothing();
    (void)add(1, 2);
    return failed;
}
