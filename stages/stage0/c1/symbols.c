// symbols.c: what names mean: scopes, and the objects that have a label.

// ---- objects: functions, and variables that live as long as the program ----

// A place in an object that gets a label of its own, LABEL+OFFSET, as hex2 cannot add.
struct Mark {
    struct Mark *next;
    int offset;
};

// Four bytes of an object that are the address of another one.
struct Relocation {
    struct Relocation *next;
    int offset;
    struct Object *target;
    int target_offset;
};

struct Object {
    struct Object *next;
    char *label;
    struct Type *type;
    int is_defined;                 // whether its code or its bytes are here
    int is_tentative;               // a variable without a value, and perhaps never with one
    int is_text;                    // a string
    char *bytes;                    // 0 if all are zero
    int size;
    struct Relocation *relocations; // in the order of their offsets
    struct Relocation *last_relocation;
    struct Mark *marks;             // in the order of their offsets
};

struct Object *objects;
struct Object *last_object;

struct Object *new_object(char *label, struct Type *type)
{
    struct Object *object = (struct Object *)allocate(sizeof(struct Object));
    object->label = label;
    object->type = type;
    if (last_object) {
        last_object->next = object;
    } else {
        objects = object;
    }
    last_object = object;
    return object;
}

// Makes sure that there is a label at this offset.
void mark_object(struct Object *object, int offset)
{
    struct Mark *before = (struct Mark *)0;
    struct Mark *mark = object->marks;
    struct Mark *made;
    while (mark && mark->offset < offset) {
        before = mark;
        mark = mark->next;
    }
    if (mark && mark->offset == offset) {
        return;
    }
    made = (struct Mark *)allocate(sizeof(struct Mark));
    made->offset = offset;
    made->next = mark;
    if (before) {
        before->next = made;
    } else {
        object->marks = made;
    }
}

void add_relocation(struct Object *object, int offset, struct Object *target, int target_offset)
{
    struct Relocation *relocation = (struct Relocation *)allocate(sizeof(struct Relocation));
    relocation->offset = offset;
    relocation->target = target;
    relocation->target_offset = target_offset;
    if (object->last_relocation) {
        object->last_relocation->next = relocation;
    } else {
        object->relocations = relocation;
    }
    object->last_relocation = relocation;
    if (target_offset) {
        mark_object(target, target_offset);
    }
}

// ---- labels ----

// One number for everything that has no name of its own, so that no two labels are the same.
int last_label;
char *function_name;                // of the function being translated; 0 outside

int new_label(void)
{
    last_label++;
    return last_label;
}

// Writes a number in decimal; returns the place behind it.
char *write_decimal(char *to, int number)
{
    if (number >= 10) {
        to = write_decimal(to, number / 10);
    }
    *to = '0' + number % 10;
    return to + 1;
}

char *write_text(char *to, char *text)
{
    copy_bytes(to, text, text_length(text));
    return to + text_length(text);
}

// FUNCTION.NAME.NUMBER: the label of a static variable in a function.
char *local_label(char *name)
{
    char *label = allocate(text_length(function_name) + text_length(name) + 14);
    char *end = write_text(label, function_name);
    end = write_text(end, ".");
    end = write_text(end, name);
    end = write_text(end, ".");
    write_decimal(end, new_label());
    return label;
}

char *text_label(void)
{
    char *label = allocate(20);
    char *end = write_text(label, "text.");
    write_decimal(end, new_label());
    return label;
}

// A string of the program, as an object that is an array of char.
struct Object *text_object(char *bytes, int length)
{
    struct Object *object = new_object(text_label(), array_of(char_type, length + 1));
    object->is_defined = 1;
    object->is_text = 1;
    object->bytes = bytes;
    object->size = length + 1;
    return object;
}

// ---- symbols ----

enum { SYMBOL_FRAME, SYMBOL_OBJECT, SYMBOL_TYPE, SYMBOL_CONSTANT, SYMBOL_TAG };

struct Symbol {
    struct Symbol *outer;           // what the name means outside of this scope
    struct Symbol *before;          // the symbol made before this one
    struct Name *name;
    int kind;
    int level;                      // of the scope; 0 outside of functions
    struct Type *type;
    int offset;                     // of SYMBOL_FRAME: from EBP; the value of SYMBOL_CONSTANT
    struct Object *object;
};

struct Symbol *last_symbol;
int scope_level;

struct Symbol *new_symbol(struct Name *name, int kind, struct Type *type)
{
    struct Symbol *symbol = (struct Symbol *)allocate(sizeof(struct Symbol));
    symbol->name = name;
    symbol->kind = kind;
    symbol->type = type;
    symbol->level = scope_level;
    symbol->before = last_symbol;
    last_symbol = symbol;
    if (kind == SYMBOL_TAG) {
        symbol->outer = name->tag;
        name->tag = symbol;
    } else {
        symbol->outer = name->symbol;
        name->symbol = symbol;
    }
    return symbol;
}

// A new ordinary identifier, which this scope must not have yet.
struct Symbol *declare_new(struct Name *name, int kind, struct Type *type)
{
    if (name->symbol && name->symbol->level == scope_level) {
        fail_name(TWICE, "this name is declared twice", name->text);
    }
    return new_symbol(name, kind, type);
}

void enter_scope(void)
{
    scope_level++;
}

// Forgets the names of the scope.
void leave_scope(void)
{
    while (last_symbol && last_symbol->level == scope_level) {
        if (last_symbol->kind == SYMBOL_TAG) {
            last_symbol->name->tag = last_symbol->outer;
        } else {
            last_symbol->name->symbol = last_symbol->outer;
        }
        last_symbol = last_symbol->before;
    }
    scope_level--;
}

// What the name means outside of all functions; 0 if nothing.
struct Symbol *file_symbol(struct Name *name)
{
    struct Symbol *symbol = name->symbol;
    while (symbol && symbol->level > 0) {
        symbol = symbol->outer;
    }
    return symbol;
}

// ---- the frame of the function ----

int frame_size;

// Room for a local variable; its offset from EBP.
int frame_room(struct Type *type)
{
    frame_size = frame_size + stack_size(type);
    if (frame_size > SIZE_MAX) {
        fail(TOO_LARGE, "a function has too many variables");
    }
    return -frame_size;
}
