// data.c: the variables and strings behind the code, as bytes with labels inside.

enum { BYTES_IN_LINE = 32 };

void put_hex_byte(int byte)
{
    int high = (byte >> 4) & 15;
    int low = byte & 15;
    out_char(high < 10 ? '0' + high : 'A' + high - 10);
    out_char(low < 10 ? '0' + low : 'A' + low - 10);
}

// Bytes `from` up to `end` as hex digits in quotes, some in each line.
void put_hex(struct Object *object, int from, int end)
{
    int i;
    for (i = from; i < end; i++) {
        if ((i - from) % BYTES_IN_LINE == 0) {
            out_char('\'');
        }
        put_hex_byte(object->bytes ? object->bytes[i] : 0);
        if ((i - from) % BYTES_IN_LINE == BYTES_IN_LINE - 1 || i == end - 1) {
            out_text("'\n");
        }
    }
}

void put_object_label(struct Object *object, int offset)
{
    out_text(object->label);
    if (offset) {
        out_char('+');
        out_number(offset);
    }
}

// Where the bytes from `at` on are interrupted: at a mark, a relocation, or the end.
int run_end(struct Object *object, struct Mark *mark, struct Relocation *relocation, int at)
{
    int end = object->size;
    if (mark && mark->offset < end) {
        end = mark->offset;
    }
    if (relocation && relocation->offset < end) {
        end = relocation->offset;
    }
    if (end < at) {
        fail_name(BAD_TYPE, "an address inside of a pointer has no label", object->label);
    }
    return end;
}

// The bytes of a variable, with labels inside where addresses of these places are used.
void put_bytes_of(struct Object *object)
{
    struct Mark *mark = object->marks;
    struct Relocation *relocation = object->relocations;
    int at = 0;
    int end;
    while (at < object->size || mark) {
        if (mark && mark->offset == at) {
            out_char(':');
            put_object_label(object, at);
            out_char('\n');
            mark = mark->next;
        }
        if (relocation && relocation->offset == at) {
            out_char('&');
            put_object_label(relocation->target, relocation->target_offset);
            out_char('\n');
            relocation = relocation->next;
            at = at + 4;
        }
        end = run_end(object, mark, relocation, at);
        put_hex(object, at, end);
        at = end;
    }
}

// Whether m0 can write the string as text: it has no escapes.
int is_plain_text(struct Object *object)
{
    int i;
    if (!object->is_text || object->marks) {
        return 0;
    }
    for (i = 0; i < object->size - 1; i++) {
        if (object->bytes[i] < ' ' || object->bytes[i] > '~' || object->bytes[i] == '"') {
            return 0;
        }
    }
    return 1;
}

void check_marks(struct Object *object)
{
    struct Mark *mark = object->marks;
    while (mark) {
        if (object->type->kind == FUNCTION || mark->offset < 0 || mark->offset > object->size
            || !object->is_defined) {
            fail_name(DOES_NOT_FIT, "an address outside of a variable", object->label);
        }
        mark = mark->next;
    }
}

void put_object(struct Object *object)
{
    check_marks(object);
    if (object->type->kind == FUNCTION || !object->is_defined) {
        return;
    }
    out_char(':');
    out_text(object->label);
    out_char('\n');
    if (is_plain_text(object)) {
        out_char('"');
        out_text(object->bytes);
        out_text("\"\n");
    } else {
        put_bytes_of(object);
    }
}

// A variable without a value begins with zeros.
void define_tentative(struct Object *object)
{
    if (object->is_tentative && !object->is_defined) {
        if (object->type->kind == ARRAY && object->type->count == UNKNOWN) {
            object->type = array_of(object->type->base, 1);
        }
        object->size = size_of(object->type);
        object->is_defined = 1;
    }
}

void put_data(void)
{
    struct Object *object = objects;
    out_text("\n# ---- data ----\n");
    token_start = (char *)0;                    // messages are not about the text any more
    while (object) {
        define_tentative(object);
        object = object->next;
    }
    object = objects;
    while (object) {
        put_object(object);
        object = object->next;
    }
}
