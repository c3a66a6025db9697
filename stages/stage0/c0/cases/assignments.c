// Assignments, compound ones, ++ and --, on every kind of place.
struct box {
    char small;
    int number;
    unsigned natural;
    char *text;
    int list[3];
};

int global;
unsigned global_natural;
char global_char;
char *global_pointer;
int array[5];
struct box boxes[2];
int calls;

void line(int number)
{
    out_number(number);
    out_char('\n');
}

// Counts how often it is called: an address with a side effect is taken once.
int *element(int i)
{
    calls++;
    return &array[i];
}

void of_int()
{
    int a = 100;
    line(a += 7);
    line(a -= 9);
    line(a *= 3);
    line(a /= 4);
    line(a %= 17);
    line(a <<= 5);
    line(a >>= 2);
    line(a |= 3);
    line(a &= 6);
    line(a ^= 15);
    line(a = -100);
    line(a >>= 1);
    line(a /= 3);
    line(a %= 7);
    line(a++);
    line(a--);
    line(++a);
    line(--a);
    line(a);
}

void of_unsigned()
{
    unsigned a = 5;
    line(a -= 10);
    line(a > 5);
    line(a /= 2);
    line(a = -7);
    line(a >>= 1);
    line(a %= 1000);
    line(a *= a);
    a = 0;
    line(a--);
    line(a);
    line(++a);
    line(a++);
    line(--a);
}

void of_char()
{
    char a = 100;
    line(a += 100);
    line(a);
    line(a -= 200);
    line(a *= 3);
    line(a /= 5);
    line(a <<= 3);
    line(a >>= 1);
    line(a = 300);
    line(a = 255);
    a = 127;
    line(a++);
    line(a);
    line(a--);
    line(a);
    line(++a);
    line(--a);
    line(a |= 0x80);
    line(a ^= 0xFF);
    line(a %= 5);
}

void of_globals()
{
    global = 5;
    line(global += 3);
    line(global++);
    line(--global);
    global_natural = 0;
    line(--global_natural > 0);
    line(global_natural >>= 28);
    global_char = 127;
    line(++global_char);
    line(global_char--);
    line(global_char);
    global_char = 200;
    line(global_char);
    global_pointer = "pointer";
    line(*global_pointer++);
    line(*++global_pointer);
    global_pointer += 2;
    line(*global_pointer);
    global_pointer -= 1;
    line(*global_pointer--);
    line(*global_pointer);
}

void of_elements()
{
    int i;
    int *p = array;
    char text[6];
    char *t = text;
    for (i = 0; i < 5; i++) {
        array[i] = i * i;
    }
    line(array[2] += 10);
    line(array[2]++);
    line(array[2]);
    line(*element(3) *= 2);
    line((*element(1))--);
    line(calls);
    line(*p++);
    line(*p++);
    line(*p);
    line((*p)++);
    line(++*p);
    line(*--p);
    line(p - array);
    p[1] = p[2] = p[3] = 77;
    line(array[2] + array[3] + array[4]);
    i = 0;
    array[i++] = 5;
    line(i);
    line(array[0]);
    *t++ = 'a';
    *t++ = 'b' + 1;
    *t = 0;
    line(text[1]);
    line(text[0]++);
    line(text[0] += 200);
    line(text[0]);
    line(t - text);
}

void of_members()
{
    struct box *b = &boxes[1];
    struct box local;
    b->small = 127;
    line(b->small++);
    line(b->small);
    b->number = 7;
    line(b->number *= 6);
    line(boxes[1].number--);
    line(b->number);
    b->natural = 0;
    line(--b->natural > 100);
    b->text = "abc";
    line(*b->text++);
    line(*(*b).text);
    b->list[0] = 1;
    b->list[1] = 2;
    b->list[2] = 3;
    line(b->list[1] <<= 4);
    line(++boxes[1].list[2]);
    local.small = 'x';
    local.number = local.natural = 9;
    line(local.number += local.small);
    line(local.natural++);
    line(local.natural);
    local.list[2] = 5;
    line(local.list[2]--);
    line(local.list[2]);
    line(sizeof(struct box));
}

int main(int argc, char **argv)
{
    int a;
    int b;
    char c;
    of_int();
    of_unsigned();
    of_char();
    of_globals();
    of_elements();
    of_members();
    a = b = 5;
    line(a + b);
    a = b += 2;
    line(a);
    a += b -= 3;
    line(a);
    line(a = c = 511);
    line(a);
    write_output(argv[1]);
    return 0;
}
