// records.c: struct and union: members, nesting, copies, arguments, results.
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

struct Point {
    int x;
    int y;
};

struct Line {
    struct Point from, to;
    char name[7];
    struct Line *next;
};

union Value {
    int whole;
    unsigned char bytes[8];
    double real;
};

struct Tagged {
    char kind;
    union {
        int number;
        char *text;
        struct {
            short low, high;
        };
    };
    long long big;
};

struct Point point(int x, int y)
{
    struct Point result;
    result.x = x;
    result.y = y;
    return result;
}

struct Point add(struct Point a, struct Point b)
{
    a.x += b.x;
    a.y += b.y;
    return a;
}

struct Line line(int unused, struct Point from, struct Point to, char *name)
{
    struct Line made;
    int i = 0;
    made.from = from;
    made.to = to;
    made.next = &made + unused;
    do {
        made.name[i] = name[i];
    } while (name[i++]);
    return made;
}

int area(struct Line one)
{
    one.from.x = one.to.x - one.from.x;
    return one.from.x * (one.to.y - one.from.y);
}

void members(void)
{
    struct Line a;
    struct Line b;
    struct Line *p = &a;
    a.from.x = 1;
    p->from.y = 2;
    (*p).to = a.from;
    p->next = &b;
    p->next->to.y = 9;
    check(a.to.x == 1 && p->to.y == 2 && b.to.y == 9);
    b = *p;
    b.name[6] = 'z';
    check(b.from.y == 2 && b.next == &b && (&b)->name[6] == 'z');
    check(sizeof(struct Line) == 28 && sizeof a.name == 7 && sizeof(struct Point) == 8);
    check((int)&((struct Line *)0)->next == 24 && (char *)&p->to - (char *)p == 8);
}

void unions(void)
{
    union Value v;
    struct Tagged t;
    v.real = 1.0;
    check(v.bytes[7] == 0x3f && v.bytes[6] == 0xf0 && v.whole == 0 && sizeof v == 8);
    t.low = 0x1234;
    t.high = 0x5678;
    check(t.number == 0x56781234 && sizeof t == 16);
    t.big = -1;
    check(t.number == 0x56781234 && (char *)&t.big - (char *)&t == 8);
}

void values(void)
{
    struct Point p = add(point(1, 2), point(30, 40));
    struct Point q;
    struct Point (*function)(struct Point, struct Point) = add;
    check(p.x == 31 && p.y == 42);
    check(add(p, p).y == 84 && point(5, 6).x == 5);
    q = p.x ? p : point(0, 0);
    check(q.x == 31);
    q = p = point(7, 8);
    check(q.y == 8 && (q = point(3, 3), q).x == 3);
    check(function(p, function(q, q)).x == 13);
    check(area(line(0, point(1, 1), point(4, 6), "area")) == 15);
    check(line(1, p, q, "names").name[3] == 'e');
}

struct Empty;
struct Empty *nothing;

int main(void)
{
    members();
    unions();
    values();
    check(nothing == 0);
    return failed;
}
