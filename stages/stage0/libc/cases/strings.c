// strings.c: bytes, texts, characters and sorting.

#include "all.c"

static FILE *out;

static int sign(int number)
{
    return number < 0 ? -1 : number > 0;
}

static int compare_numbers(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void sort(int count)
{
    int numbers[100];
    int i;
    for (i = 0; i < count; i++) {
        numbers[i] = i * 7919 % 101;
    }
    qsort(numbers, count, sizeof(int), compare_numbers);
    for (i = 0; i < count; i++) {
        fprintf(out, "%d ", numbers[i]);
    }
    fprintf(out, "\n");
}

static void compare(const char *a, const char *b)
{
    fprintf(out, "%d %d %d\n", sign(strcmp(a, b)), sign(strncmp(a, b, 2)), sign(memcmp(a, b, 1)));
}

int main(void)
{
    char text[32];
    int c;
    out = fopen("/out", "w");
    compare("", "");
    compare("ab", "abc");
    compare("abd", "abc");
    compare("\xff", "a");
    memcpy(text, "0123456789", 11);
    memmove(text + 2, text, 8);
    fprintf(out, "%s\n", text);
    memmove(text, text + 3, 6);
    fprintf(out, "%s\n", text);
    memset(text, 'x', 3);
    fprintf(out, "%s %d\n", text, (int)strlen(text));
    strcpy(text, "ab");
    strcat(text, "cd");
    strncpy(text + 4, "efghij", 3);
    text[7] = 0;
    fprintf(out, "%s\n", text);
    fprintf(out, "%s %s %d %d\n", strchr(text, 'c'), strrchr("abab", 'b'),
            strchr(text, 'z') == NULL, strrchr(text, 0) == text + 7);
    fprintf(out, "%s %d %s\n", strstr(text, "de"), strstr(text, "dd") == NULL, strstr(text, ""));
    fprintf(out, "%s %d\n", (char *)memchr(text, 'd', 7), memchr(text, 'd', 3) == NULL);
    for (c = 0; c < 128; c++) {
        fprintf(out, "%d%d%d%d%d%d%d%d%c", !!isalnum(c), !!isalpha(c), !!isdigit(c), !!islower(c),
                !!isprint(c), !!isspace(c), !!isupper(c), !!isxdigit(c), c % 8 == 7 ? '\n' : ' ');
        if (tolower(c) != c || toupper(c) != c) {
            fprintf(out, "%c%c ", tolower(c), toupper(c));
        }
    }
    sort(0);
    sort(1);
    sort(2);
    sort(100);
    fprintf(out, "%d %d\n", abs(-3), abs(3));
    return fclose(out);
}
