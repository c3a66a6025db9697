// memory.c: memory in blocks whose sizes are powers of two.
//
// What is freed goes into the list of its size and is taken from there again; nothing is given back
// to the system.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// In front of each block; `size_bits` says that header and block have 2^size_bits bytes.
struct block {
    int size_bits;
    struct block *next;
};

enum { SIZE_BITS_MIN = 4, SIZE_BITS_MAX = 30, HEAP_STEP = 1048576 };

static struct block *free_blocks[SIZE_BITS_MAX + 1];
static char *heap_start;
static char *heap_end;

// Fresh zeroed memory from the system, NULL if there is none.
static void *grow_heap(unsigned size)
{
    char *start;
    char *wanted;
    if (!heap_start) {
        heap_start = (char *)((system_call(CALL_BRK, 0, 0, 0) + 15) & ~15);
        heap_end = heap_start;
    }
    if (size > (unsigned)(heap_end - heap_start)) {
        wanted = heap_start + size + HEAP_STEP;
        if (wanted < heap_start || (char *)system_call(CALL_BRK, (int)wanted, 0, 0) != wanted) {
            errno = ENOMEM;
            return NULL;
        }
        heap_end = wanted;
    }
    start = heap_start;
    heap_start = heap_start + size;
    return start;
}

void *malloc(size_t size)
{
    int bits = SIZE_BITS_MIN;
    struct block *block;
    if (size > (1U << SIZE_BITS_MAX) - sizeof(struct block)) {
        errno = ENOMEM;
        return NULL;
    }
    while ((1U << bits) < size + sizeof(struct block)) {
        bits++;
    }
    block = free_blocks[bits];
    if (block) {
        free_blocks[bits] = block->next;
    } else {
        block = grow_heap(1U << bits);
        if (!block) {
            return NULL;
        }
        block->size_bits = bits;
    }
    return block + 1;
}

void free(void *memory)
{
    struct block *block = (struct block *)memory - 1;
    if (!memory) {
        return;
    }
    block->next = free_blocks[block->size_bits];
    free_blocks[block->size_bits] = block;
}

void *realloc(void *old, size_t size)
{
    size_t room;
    void *fresh;
    if (!old) {
        return malloc(size);
    }
    room = (1U << ((struct block *)old - 1)->size_bits) - sizeof(struct block);
    if (size <= room) {
        return old;
    }
    fresh = malloc(size);
    if (!fresh) {
        return NULL;
    }
    memcpy(fresh, old, room);
    free(old);
    return fresh;
}

void *calloc(size_t count, size_t size)
{
    void *memory;
    if (size && count > (1U << SIZE_BITS_MAX) / size) {
        errno = ENOMEM;
        return NULL;
    }
    memory = malloc(count * size);
    if (memory) {
        memset(memory, 0, count * size);
    }
    return memory;
}
