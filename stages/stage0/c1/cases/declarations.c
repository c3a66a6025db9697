// declarations.c: typedef, enum, scopes, declarators, sizeof, qualifiers, storage classes.
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

typedef unsigned char Byte;
typedef struct Node Node;
typedef int Vector[3];
typedef enum { RED, GREEN = 5, BLUE } Color;
enum Signs { MINUS = -1, ZERO, PLUS };
struct Node {
    Node *next;
    Vector v;
    const Byte b;
};

extern int later;
const volatile int fixed = 3;
static const char *const message = "m";
int *p, **pp, array[2], function(void);
char (*(*complicated[3])(int a))[5];
unsigned long int many_words;
long unsigned other_words;
long long int wide;
int tentative;
int tentative;
int tentative = 4;
inline static int small(void) { return 1; }

int function(void)
{
    extern int later;
    register int result = later;
    auto int more = 1;
    return result + more;
}

int later = 41;

char five[5];

char (*give(int a))[5]
{
    five[0] = a;
    return &five;
}

int scopes(int x)
{
    int result = x;
    {
        int x = 2;
        result = result * 10 + x;
        {
            char x[7];
            enum { RED = 9 };
            typedef int Byte;
            struct Node { double d; } n;
            Byte large = 300;
            result = result * 10 + sizeof x;
            check(RED == 9 && sizeof n == 8 && large == 300);
        }
        check(RED == 0 && sizeof(Node) == 20);
        {
            struct Node;
            struct Node *inner = 0;
            struct Node { char c; };
            check(sizeof *inner == 1);
        }
        for (int i = 0; i < 2; i++) {
            int x = i;
            result += x;
        }
    }
    return result * 10 + x;
}

int labels(void)
{
    int Byte = 3;                   // hides the type
    Byte++;
    goto Byte;
Byte:
    return Byte;
}

int main(void)
{
    Color color = BLUE;
    enum Signs sign = MINUS;
    Vector vector = { 1, 2, 3 };
    Node node = { 0, { 4, 5, 6 }, 255 };
    p = vector;
    pp = &p;
    check(function() == 42 && **pp == 1 && *(*pp + 2) == 3 && color == 6 && GREEN == 5);
    check(sign < ZERO && PLUS == 1 && sizeof(Color) == 4 && sizeof(enum Signs) == 4);
    check(sizeof(Vector) == 12 && node.v[2] == 6 && node.b == 255 && !node.next);
    check(scopes(1) == 1281 && labels() == 4 && tentative == 4 && small() == 1);
    check(fixed == 3 && *message == 'm' && sizeof complicated == 12);
    complicated[1] = give;
    check((*complicated[1]('q'))[0] == 'q' && sizeof *complicated[1](0) == 5);
    check(sizeof many_words == 4 && sizeof other_words == 4 && sizeof wide == 8);
    check(sizeof(char *) == 4 && sizeof(char[3][5]) == 15 && sizeof(int (*)[9]) == 4);
    check(sizeof(long double) == 12 && sizeof(short) == 2 && sizeof(_Bool) == 1);
    check(sizeof(struct { char c; double d; }) == 12 && sizeof(struct { char c; short s; }) == 4);
    check('\n' == 10 && '\x41' == 'A' && '\101' == 65 && '\0' == 0 && '\377' == -1 && 'a' == 97);
    check(010 == 8 && 0xFfu == 255 && 1L == 1 && sizeof 1LL == 8 && sizeof 4294967295 == 8);
    check(sizeof 0xffffffff == 4 && 0xffffffff > 0 && sizeof("four") == 5 && sizeof 'a' == 4);
    return failed;
}
