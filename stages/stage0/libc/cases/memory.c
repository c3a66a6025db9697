// memory.c: blocks that grow, shrink and move, and none that overlaps another.

#include "all.c"

enum { BLOCKS = 300 };

static char *blocks[BLOCKS];
static unsigned sizes[BLOCKS];

static unsigned number = 1;

static unsigned next_number(void)
{
    number = number * 1103515245 + 12345;
    return number >> 8;
}

// Every block is full of its own number.
static int is_intact(int i)
{
    unsigned at;
    for (at = 0; at < sizes[i]; at++) {
        if (blocks[i][at] != (char)i) {
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    int round;
    int i;
    char *zeros;
    for (round = 0; round < 20000; round++) {
        i = next_number() % BLOCKS;
        if (!is_intact(i)) {
            return 1;
        }
        if (next_number() % 3 == 0) {
            free(blocks[i]);
            blocks[i] = NULL;
            sizes[i] = 0;
        } else {
            if (next_number() % 50 == 0) {
                sizes[i] = next_number() % 100000;
            } else {
                sizes[i] = next_number() % 300;
            }
            blocks[i] = realloc(blocks[i], sizes[i]);
            if (!blocks[i] || ((unsigned)blocks[i] & 7)) {
                return 2;
            }
            memset(blocks[i], i, sizes[i]);
        }
    }
    for (i = 0; i < BLOCKS; i++) {
        if (!is_intact(i)) {
            return 3;
        }
        free(blocks[i]);
    }
    zeros = calloc(100, 100);
    for (i = 0; i < 10000; i++) {
        if (zeros[i]) {
            return 4;
        }
    }
    if (malloc(0xffffff00) || errno != ENOMEM || calloc(0x10000, 0x10001)) {
        return 5;
    }
    return 0;
}
