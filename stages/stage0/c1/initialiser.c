// initialiser.c: what variables begin with.
//
// The text is first read into a list of values and their places in the variable, so that the
// size of an array is known before it gets its room.  Then the list becomes the bytes of a
// static variable, or assignments to a local one.

struct Initial {
    struct Initial *next;
    int offset;                     // in the variable
    struct Type *type;
    struct Member *field;           // the bit-field, or 0
    struct Node *value;             // 0 for the bytes of a string
    char *bytes;
    int length;
};

struct Initial *initials;
struct Initial *last_initial;

// An expression that was read before it was known what it begins; see read_element.
struct Node *pending;

struct Initial *add_initial(struct Type *type, int offset)
{
    struct Initial *initial = (struct Initial *)allocate(sizeof(struct Initial));
    initial->type = type;
    initial->offset = offset;
    if (last_initial) {
        last_initial->next = initial;
    } else {
        initials = initial;
    }
    last_initial = initial;
    return initial;
}

void add_value(struct Type *type, int offset, struct Member *field, struct Node *value)
{
    struct Initial *initial = add_initial(type, offset);
    initial->value = convert(value, type);
    initial->field = field;
}

// A string as the bytes of an array of char; the zero at its end needs no room.
// Returns the number of elements, with the zero.
int add_string(struct Type *type, int offset)
{
    struct Initial *initial = add_initial(type, offset);
    initial->bytes = token_text;
    initial->length = token_length;
    if (type->count != UNKNOWN && token_length > type->count) {
        fail(DOES_NOT_FIT, "a string is longer than its array");
    }
    next_token();
    return initial->length + 1;
}

struct Node *take_value(void)
{
    struct Node *value = pending;
    pending = (struct Node *)0;
    return value ? value : assignment();
}

int read_element(struct Type *type, int offset, struct Member *field);

// Whether another element follows.  Without braces of their own the elements end with the
// array or struct, and the comma belongs to what is around it.
int more_elements(int braced, int is_full)
{
    if (is_full && !braced) {
        return 0;
    }
    if (!accept(',')) {
        return 0;
    }
    if (token == '}') {
        return 0;
    }
    if (is_full) {
        fail(DOES_NOT_FIT, "there are more values than elements");
    }
    return 1;
}

// Returns the number of elements.
int read_array(struct Type *type, int offset, int braced)
{
    int size = size_of(type->base);
    int index = 0;
    do {
        if (type->count == 0) {
            fail(DOES_NOT_FIT, "there are more values than elements");
        }
        read_element(type->base, offset + index * size, (struct Member *)0);
        index++;
    } while (more_elements(braced, index == type->count));
    return index;
}

// The next member that takes a value; bit-fields without a name take none.
struct Member *valued_member(struct Member *member)
{
    while (member && member->width && !member->name) {
        member = member->next;
    }
    return member;
}

// Of a union only the first member has a value.
void read_record(struct Type *type, int offset, int braced)
{
    struct Member *member;
    size_of(type);                          // is it complete?
    member = valued_member(type->record->members);
    do {
        if (!member) {
            fail(DOES_NOT_FIT, "there are more values than members");
        }
        read_element(member->type, offset + member->offset,
                     member->width ? member : (struct Member *)0);
        member = type->record->is_union ? (struct Member *)0 : valued_member(member->next);
    } while (more_elements(braced, !member));
}

// The elements of an array or struct; returns the number of elements of an array.
int read_elements(struct Type *type, int offset, int braced)
{
    if (type->kind == ARRAY) {
        return read_array(type, offset, braced);
    }
    read_record(type, offset, braced);
    return 0;
}

// { ... } around anything.
int read_braces(struct Type *type, int offset)
{
    int count = 0;
    enter_nesting();
    expect('{');
    if (token == '}') {
        // Nothing: all of it is zero.
        count = 0;
    } else if (token == TOKEN_STRING && is_char_array(type)) {
        count = add_string(type, offset);
        accept(',');
    } else if (is_aggregate(type)) {
        count = read_elements(type, offset, 1);
    } else {
        read_element(type, offset, (struct Member *)0);
        accept(',');
    }
    expect('}');
    leave_nesting();
    return count;
}

// The value of a variable, an element or a member; returns the number of elements of an array.
// Braces around inner arrays and structs may be left out.  A struct without braces may be set
// by one expression, so that is read first; if it is no such struct it is the value of the
// first scalar inside.
int read_element(struct Type *type, int offset, struct Member *field)
{
    if (!pending) {
        if (token == '{') {
            return read_braces(type, offset);
        }
        if (token == TOKEN_STRING && is_char_array(type)) {
            return add_string(type, offset);
        }
    }
    if (!is_aggregate(type)) {
        add_value(type, offset, field, take_value());
        return 0;
    }
    if (!pending && token != TOKEN_STRING) {
        pending = assignment();
    }
    if (pending && pending->type->kind == RECORD && type->kind == RECORD
        && pending->type->record == type->record) {
        add_value(type, offset, (struct Member *)0, take_value());
        return 0;
    }
    return read_elements(type, offset, 0);
}

// Reads the value of a variable into the list; returns its type, with the size of the array.
struct Type *read_initialiser(struct Type *type)
{
    int count;
    initials = (struct Initial *)0;
    last_initial = (struct Initial *)0;
    pending = (struct Node *)0;
    if (type->kind == ARRAY && token != '{' && !(token == TOKEN_STRING && is_char_array(type))) {
        fail(BAD_SYNTAX, "the value of an array needs braces");
    }
    count = read_element(type, 0, (struct Member *)0);
    if (type->kind == ARRAY && type->count == UNKNOWN) {
        return array_of(type->base, count);
    }
    return type;
}

// ---- static variables ----

// Adds the bits of a field to the bytes of its unit.
void put_field(char *bytes, struct Member *field, unsigned value)
{
    unsigned bits = (value << field->position) & field_mask(field);
    int i;
    for (i = 0; i < size_of(field->type); i++) {
        bytes[i] = bytes[i] | (bits & 255);
        bits = bits >> 8;
    }
}

void put_number(char *bytes, struct Initial *initial)
{
    int size = size_of(initial->type);
    struct Long *number = &initial->value->number;
    if (initial->field) {
        put_field(bytes, initial->field, number->low);
    } else if (size == 8) {
        put_bytes(bytes, number->low, 4);
        put_bytes(bytes + 4, number->high, 4);
    } else {
        put_bytes(bytes, number->low, size);
    }
}

// Puts one value of the list into the bytes of the object.
void put_initial(struct Object *object, struct Initial *initial)
{
    char *bytes = object->bytes + initial->offset;
    struct Node *value = initial->value;
    if (!value) {
        copy_bytes(bytes, initial->bytes, initial->length);
    } else if (value->op == N_NUMBER) {
        put_number(bytes, initial);
    } else if (value->op == N_REAL) {
        real_encode(bytes, value->real, bits_of(value->type));
    } else if (value->op == N_OBJECT && size_of(value->type) == 4) {
        add_relocation(object, initial->offset, value->object, value->offset);
    } else {
        fail(BAD_TYPE, "the value of a static variable is not constant");
    }
}

void set_static(struct Object *object)
{
    struct Initial *initial = initials;
    object->size = size_of(object->type);
    object->bytes = allocate(object->size + 1);
    object->is_defined = 1;
    while (initial) {
        put_initial(object, initial);
        initial = initial->next;
    }
}

// ---- local variables ----

void clear_frame(int offset, int size)
{
    emit("mov_edx,edi");
    emit_number("lea_edi,[ebp+i32]", offset);
    emit_number("mov_eax,i32", 0);
    emit_number("mov_ecx,i32", size);
    emit("rep_stosb");
    emit("mov_edi,edx");
}

// Copies a string into an array of char of the frame; what is behind it is zero already.
void set_local_string(struct Initial *initial, int offset)
{
    struct Object *text = text_object(initial->bytes, initial->length);
    emit_number("lea_eax,[ebp+i32]", offset);
    emit("push_eax");
    emit_name("mov_eax,i32", '&', text->label);
    copy_record(initial->length);
}

// Sets the variable at this offset of the frame.
void set_local(struct Type *type, int offset)
{
    struct Initial *initial = initials;
    struct Node *place;
    // One value for the whole needs no zeros before.
    if (is_aggregate(type) && !(initial && initial->value && initial->type == type)) {
        clear_frame(offset, size_of(type));
    }
    while (initial) {
        if (initial->value) {
            place = load_node(frame_address(initial->type, offset + initial->offset),
                              initial->type);
            place->field = initial->field;
            generate_effect(assign(place, initial->value));
        } else {
            set_local_string(initial, offset + initial->offset);
        }
        initial = initial->next;
    }
}
