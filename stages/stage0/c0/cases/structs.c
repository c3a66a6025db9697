// Structs: layout, nesting, arrays of them and in them, lists, pointers before a definition.
struct later;
struct node {
    struct node *next;
    struct later *other;
    int value;
};
struct later {
    char tag;
    struct node node;
    char end;
};
struct text {
    char a;
    char b[5];
    char c;
};
struct mixed {
    char a;
    int b;
    char c[3];
    int *d, e, *f[2];
    struct text g;
    struct text h[3];
    unsigned i;
    struct never *j;
};

struct node *first;
struct later table[4];
struct mixed mixed;
struct text text;

void line(int number)
{
    out_number(number);
    out_char('\n');
}

int offset(void *a)
{
    return (char *)a - (char *)&mixed;
}

void add(int value)
{
    struct node *n = (struct node *)allocate(sizeof(struct node));
    n->value = value;
    n->next = first;
    first = n;
}

int sum(struct node *n)
{
    if (!n) {
        return 0;
    }
    return n->value + sum(n->next);
}

int main(int argc, char **argv)
{
    struct mixed local;
    struct mixed *m = &local;
    struct node *n;
    int i;
    line(sizeof(struct node));
    line(sizeof(struct later));
    line(sizeof(struct text));
    line(sizeof(struct mixed));
    line(offset(&mixed.b));
    line(offset(mixed.c));
    line(offset(&mixed.d));
    line(offset(&mixed.e));
    line(offset(&mixed.f));
    line(offset(&mixed.f[1]));
    line(offset(&mixed.g));
    line(offset(&mixed.g.c));
    line(offset(&mixed.h[2]));
    line(offset(&mixed.h[2].b[3]));
    line(offset(&mixed.i));
    line(offset(&mixed.j));
    line((char *)&table[1].node.value - (char *)table);
    for (i = 1; i <= 10; i++) {
        add(i);
    }
    line(sum(first));
    for (n = first; n; n = n->next) {
        out_number(n->value);
        out_char(' ');
    }
    line(first->next->next->value);
    first->next->other = &table[2];
    table[2].tag = 'T';
    table[2].node.next = first;
    table[2].node.value = 99;
    line(first->next->other->tag);
    line(first->next->other->node.next->next->other->node.value);
    for (i = 0; i < 3; i++) {
        m->h[i].a = 'a' + i;
        m->h[i].b[i] = 'x' + i;
        m->f[i & 1] = &m->e;
    }
    m->g.c = 7;
    m->e = 1234;
    line(local.h[1].a);
    line(local.h[2].b[2]);
    line(*local.f[0]);
    line((*m).g.c);
    local.d = &local.b;
    *local.d = 5;
    line(m->b);
    *m->f[1] += 1;
    line(local.e);
    text.b[4] = 'q';
    line(text.b[4]);
    line(text.c);
    write_output(argv[1]);
    return 0;
}
