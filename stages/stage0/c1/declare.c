// declare.c: types as the text writes them: specifiers, struct, union, enum, declarators.

int constant_int(void);

// Where a declaration puts its names.
enum { STORAGE_NONE, STORAGE_EXTERN, STORAGE_STATIC, STORAGE_TYPEDEF };

// Whether the token begins a type.
int starts_type(void)
{
    if (token == TOKEN_NAME) {
        return token_name->symbol && token_name->symbol->kind == SYMBOL_TYPE;
    }
    return token >= KEY_AUTO && token <= KEY_ENUM;
}

struct Type *specifiers(int *storage);
struct Type *declarator(struct Type *base, struct Name **name);

// ---- words that do not matter here ----

// Up to the parenthesis that closes the one read last.
void skip_parentheses(void)
{
    int depth = 1;
    while (depth > 0) {
        if (token == TOKEN_END) {
            fail(BAD_SYNTAX, "a parenthesis is not closed");
        }
        if (token == '(') {
            depth++;
        }
        if (token == ')') {
            depth--;
        }
        next_token();
    }
}

// Whether an attribute is only a hint, so that it may be left out.
int is_hint(char *text)
{
    return text_equal(text, "format") || text_equal(text, "noreturn")
        || text_equal(text, "unused");
}

// __attribute__((format(printf, 1, 2)))
void skip_attribute(void)
{
    struct Name *name;
    next_token();
    expect('(');
    expect('(');
    do {
        name = expect_name();
        if (!is_hint(name->text)) {
            fail_name(BAD_SYNTAX, "this attribute is not supported", name->text);
        }
        if (accept('(')) {
            skip_parentheses();
        }
    } while (accept(','));
    expect(')');
    expect(')');
}

void skip_qualifiers(void)
{
    while (token >= KEY_CONST && token <= KEY_ATTRIBUTE) {
        if (token == KEY_ATTRIBUTE) {
            skip_attribute();
        } else {
            next_token();
        }
    }
}

// ---- struct and union ----

// One member; behind it stands a comma or a semicolon.
struct Member *read_member(struct Type *base)
{
    struct Member *member = (struct Member *)allocate(sizeof(struct Member));
    member->type = base;
    if (token != ':') {
        member->type = declarator(base, &member->name);
    }
    if (accept(':')) {
        if (!is_integer(member->type) || member->type->kind == LONG_LONG) {
            fail(BAD_TYPE, "a bit-field must be an integer of at most 32 bits");
        }
        member->width = constant_int();
        if (member->width < 1 || member->width > size_of(member->type) * 8) {
            fail(DOES_NOT_FIT, "the width of a bit-field is not supported");
        }
    }
    return member;
}

// The names of a member, and of the members of one without a name, must be new.
void check_member_names(struct Record *record, struct Member *member)
{
    struct Member *inner;
    int offset;
    if (member->name) {
        if (find_member(record, member->name, &offset)) {
            fail_name(TWICE, "a member is declared twice", member->name->text);
        }
    } else if (member->type->kind == RECORD) {
        inner = member->type->record->members;
        while (inner) {
            check_member_names(record, inner);
            inner = inner->next;
        }
    }
}

// Adds a member behind the last one.
struct Member *add_member(struct Record *record, struct Member *last, struct Member *member)
{
    check_member_names(record, member);
    if (last) {
        last->next = member;
    } else {
        record->members = member;
    }
    return member;
}

// An array without a size at the end takes no room.
void check_member_type(struct Member *member)
{
    if (member->type->kind == ARRAY && member->type->count == UNKNOWN) {
        member->type = array_of(member->type->base, 0);
    }
    size_of(member->type);
}

void read_members(struct Record *record)
{
    struct Member *last = (struct Member *)0;
    struct Member *member;
    struct Type *base;
    int storage;
    while (token != '}') {
        base = specifiers(&storage);
        if (storage != STORAGE_NONE) {
            fail(BAD_SYNTAX, "a member has no storage class");
        }
        if (token == ';' && base->kind == RECORD) {
            // A struct without a name: its members are members of this one.
            member = (struct Member *)allocate(sizeof(struct Member));
            member->type = base;
            last = add_member(record, last, member);
        } else {
            do {
                member = read_member(base);
                check_member_type(member);
                last = add_member(record, last, member);
            } while (accept(','));
        }
        expect(';');
    }
    expect('}');
}

// The type that the tag means; a new one if it means none here.
// `defines` says that it is made here, so a type of an outer scope is another one.
struct Type *tagged_type(struct Name *tag, int kind, int defines)
{
    struct Symbol *symbol = tag->tag;
    struct Type *type;
    if (symbol && (!defines || symbol->level == scope_level)) {
        if (symbol->type->kind != kind) {
            fail_name(BAD_TYPE, "this tag is of another kind", tag->text);
        }
        return symbol->type;
    }
    type = new_type(kind);
    if (kind == RECORD) {
        type->record = (struct Record *)allocate(sizeof(struct Record));
        type->record->tag = tag;
    }
    new_symbol(tag, SYMBOL_TAG, type);
    return type;
}

struct Type *record_specifier(int is_union)
{
    struct Name *tag = (struct Name *)0;
    struct Type *type;
    next_token();
    if (token == TOKEN_NAME) {
        tag = expect_name();
        // struct X; alone makes a new X as well.
        type = tagged_type(tag, RECORD, token == '{' || token == ';');
    } else {
        type = new_type(RECORD);
        type->record = (struct Record *)allocate(sizeof(struct Record));
    }
    if (token == '{') {
        if (type->record->is_complete) {
            fail(TWICE, "a struct or union is defined twice");
        }
        next_token();
        type->record->is_union = is_union;
        enter_nesting();
        read_members(type->record);
        leave_nesting();
        lay_out(type->record);
    } else if (!tag) {
        fail(BAD_SYNTAX, "a struct or union needs a tag or members");
    }
    return type;
}

// ---- enum ----

// Reads NAME or NAME = VALUE; returns the value that the next one has.
int read_enumerator(int value)
{
    struct Name *name = expect_name();
    struct Symbol *symbol;
    if (accept('=')) {
        value = constant_int();
    }
    symbol = declare_new(name, SYMBOL_CONSTANT, int_type);
    symbol->offset = value;
    return value + 1;
}

// Reads { A, B = 3, ... }; returns whether a value is negative.
int read_enumerators(void)
{
    int value = 0;
    int negative = 0;
    expect('{');
    do {
        if (token != '}') {
            value = read_enumerator(value);
            negative = negative || value - 1 < 0;
        }
    } while (accept(','));
    expect('}');
    return negative;
}

// As in GNU C an enum is unsigned, unless one of its values is negative.
struct Type *enum_specifier(void)
{
    struct Type *type = integer_type(INT, 1);
    struct Name *tag;
    next_token();
    if (token == TOKEN_NAME) {
        tag = expect_name();
        type = tagged_type(tag, INT, token == '{');
        if (token != '{') {
            return type;
        }
    }
    type->is_unsigned = !read_enumerators();
    return type;
}

// ---- specifiers ----

// How often each word stood in the specifiers.
struct Words {
    int longs;
    int shorts;
    int signeds;
    int unsigneds;
    int kind;                       // the word that says the type itself, or 0
};

// The type that words like `unsigned long` mean.
struct Type *type_of_words(struct Words *words)
{
    int kind = words->kind;
    int sized = words->longs + words->shorts;
    int signs = words->signeds + words->unsigneds;
    if (kind == KEY_DOUBLE && words->longs == 1 && !words->shorts && !signs) {
        return long_double_type;
    }
    if (signs > 1 || words->longs > 2 || words->shorts > 1 || (words->longs && words->shorts)
        || (sized && kind && kind != KEY_INT)
        || (signs && kind && kind != KEY_INT && kind != KEY_CHAR)) {
        fail(BAD_TYPE, "these words do not make a type");
    }
    switch (kind) {
    case KEY_VOID: return void_type;
    case KEY_BOOL: return bool_type;
    case KEY_FLOAT: return float_type;
    case KEY_DOUBLE: return double_type;
    case KEY_CHAR: return integer_type(CHAR, words->unsigneds);
    }
    if (words->shorts) {
        return integer_type(SHORT, words->unsigneds);
    }
    return integer_type(words->longs == 2 ? LONG_LONG : INT, words->unsigneds);
}

// Counts the word; 0 if it is none of those that make up a type.
int count_word(struct Words *words)
{
    switch (token) {
    case KEY_LONG: words->longs++; return 1;
    case KEY_SHORT: words->shorts++; return 1;
    case KEY_SIGNED: words->signeds++; return 1;
    case KEY_UNSIGNED: words->unsigneds++; return 1;
    case KEY_VOID: case KEY_CHAR: case KEY_INT: case KEY_FLOAT: case KEY_DOUBLE: case KEY_BOOL:
        if (words->kind) {
            fail(BAD_TYPE, "these words do not make a type");
        }
        words->kind = token;
        return 1;
    }
    return 0;
}

// Notes a storage class; 0 if the token is none.
int take_storage(int *storage)
{
    switch (token) {
    case KEY_EXTERN: *storage = STORAGE_EXTERN; return 1;
    case KEY_STATIC: *storage = STORAGE_STATIC; return 1;
    case KEY_TYPEDEF: *storage = STORAGE_TYPEDEF; return 1;
    case KEY_AUTO: case KEY_REGISTER: case KEY_INLINE:
        return 1;
    }
    return 0;
}

// struct, union, enum or the name of a type; 0 if the token is none.
struct Type *named_type(void)
{
    struct Type *type = (struct Type *)0;
    if (token == KEY_STRUCT || token == KEY_UNION) {
        return record_specifier(token == KEY_UNION);
    }
    if (token == KEY_ENUM) {
        return enum_specifier();
    }
    if (token == TOKEN_NAME && starts_type()) {
        type = token_name->symbol->type;
        next_token();
    }
    return type;
}

// Reads what stands in front of declarators; the storage class goes to *storage.
struct Type *specifiers(int *storage)
{
    struct Words words;
    struct Type *type = (struct Type *)0;
    int counted = 0;
    words.longs = 0;
    words.shorts = 0;
    words.signeds = 0;
    words.unsigneds = 0;
    words.kind = 0;
    *storage = STORAGE_NONE;
    while (1) {
        skip_qualifiers();
        if (take_storage(storage)) {
            next_token();
        } else if (!type && count_word(&words)) {
            counted = 1;
            next_token();
        } else {
            if (type || counted) {
                break;
            }
            type = named_type();
            if (!type) {
                fail(BAD_SYNTAX, "expected a type");
            }
        }
    }
    return type ? type : type_of_words(&words);
}

// ---- declarators ----

// Arrays and functions as parameters are pointers.
struct Type *parameter_type(struct Type *type)
{
    if (type->kind == ARRAY) {
        return pointer_to(type->base);
    }
    if (type->kind == FUNCTION) {
        return pointer_to(type);
    }
    return type;
}

struct Parameter *read_parameter(void)
{
    struct Parameter *parameter = (struct Parameter *)allocate(sizeof(struct Parameter));
    int storage;
    struct Type *type = specifiers(&storage);
    enter_nesting();
    type = declarator(type, &parameter->name);
    leave_nesting();
    parameter->type = parameter_type(type);
    return parameter;
}

// The parameters up to the closing parenthesis.
void read_parameters(struct Type *function)
{
    struct Parameter *last = (struct Parameter *)0;
    struct Parameter *parameter;
    if (accept(')')) {
        function->any_arguments = 1;
        return;
    }
    do {
        if (accept(TOKEN_ELLIPSIS)) {
            function->any_arguments = 1;
            break;
        }
        parameter = read_parameter();
        if (last) {
            last->next = parameter;
        } else if (parameter->type->kind == VOID && !parameter->name && token == ')') {
            break;
        } else {
            function->parameters = parameter;
        }
        last = parameter;
    } while (accept(','));
    expect(')');
}

struct Type *declarator_suffix(struct Type *base);

struct Type *array_suffix(struct Type *base)
{
    int count = UNKNOWN;
    if (token != ']') {
        count = constant_int();
        if (count < 0) {
            fail(DOES_NOT_FIT, "an array has a negative size");
        }
    }
    expect(']');
    enter_nesting();
    base = declarator_suffix(base);
    leave_nesting();
    return array_of(base, count);
}

// [ ] and ( ) behind a name; the last one is the nearest to the base.
struct Type *declarator_suffix(struct Type *base)
{
    struct Type *type;
    skip_qualifiers();
    if (accept('[')) {
        return array_suffix(base);
    }
    if (accept('(')) {
        type = new_type(FUNCTION);
        read_parameters(type);
        type->base = declarator_suffix(base);
        if (type->base->kind == ARRAY || type->base->kind == FUNCTION) {
            fail(BAD_TYPE, "a function cannot return this");
        }
        return type;
    }
    return base;
}

// A declarator in parentheses: what stands behind them belongs nearer to the base, so the
// inside is read with a type that is filled in afterwards.
struct Type *nested_declarator(struct Type *base, struct Name **name)
{
    struct Type *hole = new_type(VOID);
    struct Type *type;
    struct Type *outer;
    enter_nesting();
    type = declarator(hole, name);
    expect(')');
    outer = declarator_suffix(base);
    leave_nesting();
    copy_bytes((char *)hole, (char *)outer, sizeof(struct Type));
    return type;
}

// Reads pointers, a name (which may be missing) and what stands behind it.
struct Type *declarator(struct Type *base, struct Name **name)
{
    struct Type *type;
    while (accept('*')) {
        base = pointer_to(base);
        skip_qualifiers();
    }
    *name = (struct Name *)0;
    if (token == TOKEN_NAME) {
        *name = expect_name();
    } else if (accept('(')) {
        if (token != ')' && !starts_type()) {
            return nested_declarator(base, name);
        }
        // No name: these are the parameters of a function.
        type = new_type(FUNCTION);
        read_parameters(type);
        type->base = declarator_suffix(base);
        return type;
    }
    return declarator_suffix(base);
}

// The name of a type, as in casts and sizeof.
struct Type *type_name(void)
{
    struct Name *name;
    int storage;
    struct Type *type = specifiers(&storage);
    type = declarator(type, &name);
    if (name || storage != STORAGE_NONE) {
        fail(BAD_SYNTAX, "expected a type without a name");
    }
    return type;
}
