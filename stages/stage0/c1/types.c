// types.c: the types of C and what they take in memory.

// The order matters: integers from BOOL to LONG_LONG, numbers from BOOL to LONG_DOUBLE.
enum {
    VOID, BOOL, CHAR, SHORT, INT, LONG_LONG, FLOAT, DOUBLE, LONG_DOUBLE,
    POINTER, ARRAY, FUNCTION, RECORD
};

struct Type {
    int kind;
    int is_unsigned;
    struct Type *base;              // what is pointed to, the elements, or the result
    int count;                      // of the elements; UNKNOWN if not said
    struct Record *record;
    struct Parameter *parameters;
    int any_arguments;              // of a function: (), or ... behind the parameters
};

enum { UNKNOWN = -1 };

struct Parameter {
    struct Parameter *next;
    struct Type *type;
    struct Name *name;              // 0 if it has none
};

// A struct or a union.
struct Record {
    struct Name *tag;               // 0 if it has none
    struct Member *members;
    int is_union;
    int is_complete;
    int size;
    int alignment;
};

struct Member {
    struct Member *next;
    struct Name *name;              // 0 if it has none
    struct Type *type;
    int offset;
    int width;                      // of a bit-field, else 0
    int position;                   // its lowest bit in the unit of its type
};

struct Type *void_type;
struct Type *bool_type;
struct Type *char_type;
struct Type *int_type;
struct Type *unsigned_type;
struct Type *float_type;
struct Type *double_type;
struct Type *long_double_type;
struct Type *char_pointer_type;

struct Type *new_type(int kind)
{
    struct Type *type = (struct Type *)allocate(sizeof(struct Type));
    type->kind = kind;
    return type;
}

struct Type *integer_type(int kind, int is_unsigned)
{
    struct Type *type = new_type(kind);
    type->is_unsigned = is_unsigned;
    return type;
}

struct Type *pointer_to(struct Type *base)
{
    struct Type *type = new_type(POINTER);
    type->is_unsigned = 1;
    type->base = base;
    return type;
}

struct Type *array_of(struct Type *base, int count)
{
    struct Type *type = new_type(ARRAY);
    type->base = base;
    type->count = count;
    return type;
}

void make_types(void)
{
    void_type = new_type(VOID);
    bool_type = integer_type(BOOL, 1);
    char_type = new_type(CHAR);
    int_type = new_type(INT);
    unsigned_type = integer_type(INT, 1);
    float_type = new_type(FLOAT);
    double_type = new_type(DOUBLE);
    long_double_type = new_type(LONG_DOUBLE);
    char_pointer_type = pointer_to(char_type);
}

int is_integer(struct Type *type)
{
    return type->kind >= BOOL && type->kind <= LONG_LONG;
}

int is_real(struct Type *type)
{
    return type->kind >= FLOAT && type->kind <= LONG_DOUBLE;
}

int is_arithmetic(struct Type *type)
{
    return type->kind >= BOOL && type->kind <= LONG_DOUBLE;
}

int is_pointer(struct Type *type)
{
    return type->kind == POINTER;
}

int is_scalar(struct Type *type)
{
    return is_arithmetic(type) || is_pointer(type);
}

int is_aggregate(struct Type *type)
{
    return type->kind == ARRAY || type->kind == RECORD;
}

// An array of char, signed or not: what a string can begin.
int is_char_array(struct Type *type)
{
    return type->kind == ARRAY && type->base->kind == CHAR;
}

// The bits of the mantissa of a real type.
int bits_of(struct Type *type)
{
    if (type->kind == FLOAT) {
        return FLOAT_BITS;
    }
    return type->kind == DOUBLE ? DOUBLE_BITS : LONG_DOUBLE_BITS;
}

enum { SIZE_MAX = 0x4000000 };

int size_of_array(struct Type *type);

int size_of(struct Type *type)
{
    switch (type->kind) {
    case BOOL: case CHAR:
        return 1;
    case SHORT:
        return 2;
    case INT: case FLOAT: case POINTER:
        return 4;
    case LONG_LONG: case DOUBLE:
        return 8;
    case LONG_DOUBLE:
        return 12;
    case ARRAY:
        return size_of_array(type);
    case RECORD:
        if (!type->record->is_complete) {
            fail(BAD_TYPE, "a struct or union is not complete here");
        }
        return type->record->size;
    }
    fail(BAD_TYPE, type->kind == VOID ? "void has no size" : "a function has no size");
    return 0;
}

int size_of_array(struct Type *type)
{
    int size = size_of(type->base);
    if (type->count == UNKNOWN) {
        fail(BAD_TYPE, "the size of an array is not known here");
    }
    if (size && type->count > SIZE_MAX / size) {
        fail(TOO_LARGE, "an array is too large");
    }
    return size * type->count;
}

// As i386 wants it: nothing needs more than 4.
int alignment_of(struct Type *type)
{
    int size;
    if (type->kind == ARRAY) {
        return alignment_of(type->base);
    }
    if (type->kind == RECORD) {
        size_of(type);                      // is it complete?
        return type->record->alignment;
    }
    size = size_of(type);
    return size < 4 ? size : 4;
}

int round_up(int number, int unit)
{
    return (number + unit - 1) / unit * unit;
}

// The number of bytes on the stack as an argument.
int stack_size(struct Type *type)
{
    return round_up(size_of(type), 4);
}

// ---- the same type ----

int same_type(struct Type *a, struct Type *b);

// A function without parameters in its declaration may be declared again with them.
int same_parameters(struct Type *a, struct Type *b)
{
    struct Parameter *p = a->parameters;
    struct Parameter *q = b->parameters;
    if ((a->any_arguments && !p) || (b->any_arguments && !q)) {
        return 1;
    }
    while (p && q) {
        if (!same_type(p->type, q->type)) {
            return 0;
        }
        p = p->next;
        q = q->next;
    }
    return !p && !q && a->any_arguments == b->any_arguments;
}

// Whether two declarations of a name mean the same; the size of an array may be left out.
int same_type(struct Type *a, struct Type *b)
{
    if (a->kind != b->kind || a->is_unsigned != b->is_unsigned || a->record != b->record) {
        return 0;
    }
    if (a->kind == ARRAY && a->count != b->count && a->count != UNKNOWN && b->count != UNKNOWN) {
        return 0;
    }
    if (a->kind == FUNCTION && !same_parameters(a, b)) {
        return 0;
    }
    return !a->base || same_type(a->base, b->base);
}

// ---- members ----

struct Member *find_member(struct Record *record, struct Name *name, int *offset);

// Looks into a member without a name that is a struct or a union itself.
struct Member *find_inside(struct Member *member, struct Name *name, int *offset)
{
    struct Member *found;
    if (member->name || member->type->kind != RECORD) {
        return (struct Member *)0;
    }
    found = find_member(member->type->record, name, offset);
    if (found) {
        *offset = *offset + member->offset;
    }
    return found;
}

// The member with this name, and its offset from the beginning; 0 if there is none.
struct Member *find_member(struct Record *record, struct Name *name, int *offset)
{
    struct Member *member = record->members;
    struct Member *found;
    while (member) {
        if (member->name == name) {
            *offset = member->offset;
            return member;
        }
        found = find_inside(member, name, offset);
        if (found) {
            return found;
        }
        member = member->next;
    }
    return (struct Member *)0;
}

// Gives a bit-field its place: it never crosses the border of a unit of its type.
// `at` is the first free bit; returns the first free bit behind.
int place_bit_field(struct Member *member, int at)
{
    int unit = size_of(member->type) * 8;
    if (at / unit != (at + member->width - 1) / unit) {
        at = round_up(at, unit);
    }
    member->offset = at / unit * (unit / 8);
    member->position = at % unit;
    return at + member->width;
}

// Gives the members of a struct or union their places; its size is known then.
void lay_out(struct Record *record)
{
    struct Member *member = record->members;
    int at = 0;                             // in bits
    int end = 0;
    record->alignment = 1;
    while (member) {
        int alignment = alignment_of(member->type);
        if (record->is_union) {
            at = 0;
        }
        if (member->width) {
            at = place_bit_field(member, at);
        } else {
            at = round_up(at, alignment * 8);
            member->offset = at / 8;
            at = at + size_of(member->type) * 8;
        }
        // A bit-field without a name does not align the whole.
        if (alignment > record->alignment && (member->name || !member->width)) {
            record->alignment = alignment;
        }
        if (at > end) {
            end = at;
        }
        if (end > SIZE_MAX) {
            fail(TOO_LARGE, "a struct is too large");
        }
        member = member->next;
    }
    record->size = round_up((end + 7) / 8, record->alignment);
    record->is_complete = 1;
}
