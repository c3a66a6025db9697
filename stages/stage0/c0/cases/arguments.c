// Calls: many arguments, narrow ones, calls in arguments, results of every type.
struct point {
    int x;
    int y;
};

struct point points[2];

void line(int number)
{
    out_number(number);
    out_char('\n');
}

int digits(int a, int b, int c, int d, int e, int f)
{
    return ((((a * 10 + b) * 10 + c) * 10 + d) * 10 + e) * 10 + f;
}

int none(void)
{
    return 7;
}

int narrow(char a, int b, char c)
{
    a++;
    return a * 10000 + b * 100 + c;
}

struct point *pick(int i)
{
    return &points[i];
}

char *choose(int which, char *a, char *b)
{
    return which ? a : b;
}

char letter(char *text, int i)
{
    return text[i];
}

void swap(struct point *p)
{
    int x = p->x;
    p->x = p->y;
    p->y = x;
}

int change(int a)
{
    a += 5;
    return a;
}

int add(int a, int b)
{
    return a + b;
}

int main(int argc, char **argv)
{
    int a = 3;
    int many[200];
    line(argc);
    line(text_length(argv[1]) > 0);
    line(argv[2] == (char *)0);
    line(digits(1, 2, 3, 4, 5, 6));
    line(none());
    line(none() + none() * none());
    line(narrow(127, 2, 300));
    line(narrow('a', -1, -1));
    pick(0)->x = 1;
    pick(1)->x = 2;
    pick(1)->y = 3;
    swap(pick(1));
    line(points[0].x + points[1].x * 10 + points[1].y * 100);
    line(letter(choose(1, "first", "second"), 0));
    line(letter(choose(0, "first", "second"), 2));
    line(choose(0, "first", "second")[3]);
    line(change(a) + a);
    line(add(add(1, 2), add(add(3, 4), 5)));
    line(add(a++, 1));
    line(a);
    line(1 + add(2, 3) * 4 - (add(1, 1) << add(1, 2)));
    many[199] = add(many[0] = 4, 5);
    line(many[199] + many[0]);
    write_output(argv[1]);
    return 0;
}
