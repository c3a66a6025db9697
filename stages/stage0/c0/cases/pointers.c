// Pointers: arithmetic, comparison, arrays, casts, pointers to pointers.
struct pair {
    int a;
    char b;
};

char letters[10];
int numbers[10];
struct pair pairs[4];
char *names[3];

void line(int number)
{
    out_number(number);
    out_char('\n');
}

void set(int *place, int value)
{
    *place = value;
}

void next(char **place)
{
    *place += 1;
    (*place)++;
}

char *find(char *text, char c)
{
    while (*text != c) {
        if (!*text) {
            return (char *)0;
        }
        text++;
    }
    return text;
}

int main(int argc, char **argv)
{
    int i;
    int value;
    int *p;
    int **pp;
    char *text;
    char **list;
    struct pair *pair;
    struct pair *other;
    void *any;
    int local[6];
    char bytes[4];
    unsigned *natural;
    for (i = 0; i < 10; i++) {
        letters[i] = 'a' + i;
        numbers[i] = i * 100;
    }
    letters[9] = 0;
    p = numbers;
    line(*p);
    line(*(p + 3));
    line(p[3]);
    line(3[p]);
    line(*(3 + p));
    p = &numbers[5];
    line(p - numbers);
    line(*(p - 2));
    line(p[-1]);
    line(numbers - p);
    line(p > numbers);
    line(p < numbers);
    line(p == numbers + 5);
    line(p != &numbers[5]);
    line(p >= numbers + 5 && p <= numbers + 5);
    line(!p);
    line(p ? 1 : 2);
    p = (int *)0;
    line(!p);
    line(p == 0);
    line(p ? 1 : 2);
    line((char *)0xF0000000 > (char *)0x10000000);
    pp = &p;
    *pp = numbers + 1;
    line(*p);
    line(**pp);
    (*pp)++;
    line(*p);
    set(&value, 42);
    line(value);
    set(&local[2], 43);
    set(local + 3, 44);
    line(local[2]);
    line(*&local[3]);
    line(&local[5] - &local[1]);
    text = letters;
    next(&text);
    line(*text);
    text = find(letters, 'f');
    line(text - letters);
    line(find(letters, 'z') == 0);
    names[0] = "zero";
    names[1] = "one";
    names[2] = (char *)0;
    list = names;
    while (*list) {
        out_text(*list);
        out_char(list[0][1]);
        list++;
    }
    line(list - names);
    line(sizeof(struct pair));
    pair = pairs;
    pair->a = 1;
    pair++;
    pair->a = 2;
    (pair + 1)->a = 3;
    pair[2].a = 4;
    line(pairs[0].a + pairs[1].a * 10 + pairs[2].a * 100 + pairs[3].a * 1000);
    other = &pairs[3];
    line(other - pair);
    line((char *)other - (char *)pair);
    line((int)other - (int)pair);
    pair += 2;
    line(pair == other);
    line(pair-- == other);
    line((--pair)->a);
    any = numbers;
    line(((int *)any)[4]);
    line(*(int *)((char *)any + 8));
    bytes[0] = 1;
    bytes[1] = 2;
    bytes[2] = 0xFF;
    bytes[3] = 0x80;
    line(*(int *)bytes);
    natural = (unsigned *)bytes;
    line(*natural >> 24);
    line(bytes[2]);
    line(bytes[2] & 255);
    value = 0x12345678;
    text = (char *)&value;
    line(text[0]);
    text[1] = 'x';
    line(value);
    *(char *)&value = -1;
    line(value);
    line(letters + 3 == &letters[3]);
    write_output(argv[1]);
    return 0;
}
