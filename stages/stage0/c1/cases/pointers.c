// pointers.c: pointers, arrays, arrays of arrays, pointer arithmetic, addresses.
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

int numbers[10];
int grid[3][4];
char text[] = "hello";
char *words[] = { "one", "two", "three", 0 };
int *middle = &numbers[5];
char *inside = text + 2;
char *literal = "abc" + 1;
int (*row)[4] = grid + 1;
void *anything = &grid[2][1];

int sum(int *from, int count)
{
    int total = 0;
    while (count-- > 0) {
        total += *from++;
    }
    return total;
}

int sum_rows(int rows[][4], int count)
{
    int total = 0;
    int i;
    for (i = 0; i < count; i++) {
        total += sum(rows[i], 4);
    }
    return total;
}

void arithmetic(void)
{
    int *p = numbers;
    int *q = &numbers[7];
    int i;
    for (i = 0; i < 10; i++) {
        numbers[i] = i * i;
    }
    check(*p == 0 && *(p + 3) == 9 && p[4] == 16 && 5[numbers] == 25);
    check(q - p == 7 && p - q == -7 && q > p && p <= q && q != p && p + 7 == q);
    check(*middle == 25 && middle[-1] == 16 && *--middle == 16 && *middle++ == 16);
    p += 2;
    check(*p == 4 && *p++ == 4 && *p == 9 && *--p == 4 && (*p)++ == 4 && *p == 5);
    p -= 1;
    check(*p == 1 && -1[p] == -5);
    check(sum(numbers, 4) == 15 && sum(&numbers[8], 2) == 145);
    check((char *)q - (char *)numbers == 28 && (int)(q - 0) == (int)q);
    check(p && !!p && !(p == 0) && p != (void *)0);
}

void arrays(void)
{
    int i;
    int local[2][3];
    int *flat = &grid[0][0];
    for (i = 0; i < 12; i++) {
        flat[i] = i;
    }
    check(grid[1][2] == 6 && (*row)[3] == 7 && row[1][0] == 8 && *(int *)anything == 9);
    check(sizeof grid == 48 && sizeof grid[0] == 16 && sizeof *grid[0] == 4);
    check(sizeof(int[5]) == 20);
    check(&grid[1] - &grid[0] == 1 && (char *)&grid[1] - (char *)&grid[0] == 16);
    check((char *)(&grid + 1) - (char *)grid == 48);
    check(sum_rows(grid, 3) == 66 && sum(grid[2], 4) == 38);
    local[1][2] = 5;
    local[0][1] = grid[2][3];
    check(local[1][2] == 5 && *(*local + 1) == 11 && *(local[1] + 2) == 5);
}

void texts(void)
{
    char **p = words;
    int letters = 0;
    while (*p) {
        char *c = *p++;
        while (*c) {
            c++;
            letters++;
        }
    }
    check(letters == 11 && sizeof text == 6 && sizeof words == 16);
    check(*inside == 'l' && inside[2] == 'o' && *literal == 'b' && "xyz"[1] == 'y');
    text[0] = 'j';
    check(text[0] == 'j' && *&text[1] == 'e' && &*text == text);
    check(words[2][3] == 'e' && **words == 'o' && *words[1] == 't' && p - words == 3);
}

int main(void)
{
    arithmetic();
    arrays();
    texts();
    return failed;
}
