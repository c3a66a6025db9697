// main.c: declarations and functions, and the program itself.

// ---- variables and functions with a label ----

// The object of a name that is known in the whole text: one for all its declarations.
struct Object *shared_object(struct Name *name, struct Type *type)
{
    struct Symbol *symbol = file_symbol(name);
    struct Object *object;
    if (!symbol) {
        return new_object(name->text, type);
    }
    if (symbol->kind != SYMBOL_OBJECT || !same_type(symbol->type, type)) {
        fail_name(TWICE, "this name is declared twice, as different things", name->text);
    }
    object = symbol->object;
    if ((type->kind == ARRAY && type->count == UNKNOWN)
        || (type->kind == FUNCTION && type->any_arguments && !type->parameters)) {
        return object;                          // the other declaration knows more
    }
    object->type = type;
    symbol->type = type;
    return object;
}

// Declares a function or a variable that is known in the whole text.
struct Symbol *declare_shared(struct Name *name, struct Type *type)
{
    struct Object *object = shared_object(name, type);
    struct Symbol *symbol = name->symbol;
    if (!symbol || symbol->level != scope_level) {
        symbol = new_symbol(name, SYMBOL_OBJECT, object->type);
    } else if (symbol->kind != SYMBOL_OBJECT) {
        fail_name(TWICE, "this name is declared twice, as different things", name->text);
    }
    symbol->object = object;
    return symbol;
}

void need_undefined(struct Object *object)
{
    if (object->is_defined) {
        fail_name(TWICE, "this name is defined twice", object->label);
    }
}

// Sets a variable with a label to the value in the text.
void static_initialiser(struct Symbol *symbol)
{
    struct Object *object = symbol->object;
    need_undefined(object);
    object->type = read_initialiser(symbol->type);
    symbol->type = object->type;
    set_static(object);
}

void static_variable(struct Symbol *symbol, int storage)
{
    if (accept('=')) {
        static_initialiser(symbol);
    } else if (storage != STORAGE_EXTERN) {
        symbol->object->is_tentative = 1;
    }
}

// ---- declarations in a function ----

void static_local(struct Name *name, struct Type *type)
{
    struct Symbol *symbol = declare_new(name, SYMBOL_OBJECT, type);
    symbol->object = new_object(local_label(name->text), type);
    static_variable(symbol, STORAGE_STATIC);
}

// A variable in the frame.  Its value is read before it gets its room, as an array may get
// its size from there, but the name is known already.
void local_variable(struct Name *name, struct Type *type)
{
    struct Symbol *symbol = declare_new(name, SYMBOL_FRAME, type);
    if (type->kind == ARRAY && type->count == UNKNOWN) {
        expect('=');
        symbol->type = read_initialiser(type);
        symbol->offset = frame_room(symbol->type);
        set_local(symbol->type, symbol->offset);
        return;
    }
    symbol->offset = frame_room(type);
    if (accept('=')) {
        read_initialiser(type);
        set_local(type, symbol->offset);
    }
}

// One name of a declaration in a function.
void local_declarator(int storage, struct Name *name, struct Type *type)
{
    if (storage == STORAGE_TYPEDEF) {
        declare_new(name, SYMBOL_TYPE, type);
    } else if (type->kind == FUNCTION || storage == STORAGE_EXTERN) {
        declare_shared(name, type);
    } else if (storage == STORAGE_STATIC) {
        static_local(name, type);
    } else {
        local_variable(name, type);
    }
}

struct Name *declared_name(struct Name *name)
{
    if (!name) {
        fail(BAD_SYNTAX, "a declaration needs a name");
    }
    return name;
}

void declaration(void)
{
    int storage;
    struct Type *base = specifiers(&storage);
    struct Type *type;
    struct Name *name;
    if (accept(';')) {
        return;
    }
    do {
        type = declarator(base, &name);
        local_declarator(storage, declared_name(name), type);
    } while (accept(','));
    expect(';');
}

// ---- functions ----

// The parameters as variables: the caller pushed them in front of the return address.
void declare_parameters(struct Type *function)
{
    struct Parameter *parameter = function->parameters;
    struct Symbol *symbol;
    int offset = 8;
    if (function->base->kind == RECORD) {
        offset = 12;                            // the place of the result is the first
    }
    while (parameter) {
        if (!parameter->name) {
            fail(BAD_SYNTAX, "a parameter needs a name");
        }
        symbol = declare_new(parameter->name, SYMBOL_FRAME, parameter->type);
        symbol->offset = offset;
        offset = offset + stack_size(parameter->type);
        parameter = parameter->next;
    }
}

void function_body(struct Symbol *symbol)
{
    int place;
    function_name = symbol->object->label;
    result_type = symbol->type->base;
    frame_size = 0;
    break_label = 0;
    continue_label = 0;
    innermost_switch = (struct Switch *)0;
    out_text("\n:");
    out_text(function_name);
    out_char('\n');
    emit("push_ebp");
    emit("mov_ebp,esp");
    place = emit_number_later("sub_esp,i32");
    enter_scope();
    declare_parameters(symbol->type);
    block();
    leave_scope();
    if (text_equal(function_name, "main")) {
        emit_number("mov_eax,i32", 0);          // the end of main means success
    }
    emit_return();
    fill_in_number(place, frame_size);
    forget_labels();
    function_name = (char *)0;
}

void function_definition(struct Symbol *symbol, struct Type *type)
{
    need_undefined(symbol->object);
    symbol->object->is_defined = 1;
    symbol->type = type;                        // this declaration names the parameters
    function_body(symbol);
}

// ---- declarations outside of functions ----

// The same typedef may stand there again.
void declare_type(struct Name *name, struct Type *type)
{
    struct Symbol *symbol = name->symbol;
    if (!symbol || symbol->kind != SYMBOL_TYPE || !same_type(symbol->type, type)) {
        declare_new(name, SYMBOL_TYPE, type);
    }
}

// One name; returns whether it was a function with its body, which ends the declaration.
int file_declarator(int storage, struct Name *name, struct Type *type)
{
    struct Symbol *symbol;
    if (storage == STORAGE_TYPEDEF) {
        declare_type(name, type);
        return 0;
    }
    symbol = declare_shared(name, type);
    if (type->kind != FUNCTION) {
        static_variable(symbol, storage);
        return 0;
    }
    if (token == '{') {
        function_definition(symbol, type);
        return 1;
    }
    return 0;
}

void file_declaration(void)
{
    int storage;
    struct Type *base;
    struct Type *type;
    struct Name *name;
    if (accept(';')) {
        return;
    }
    base = specifiers(&storage);
    if (accept(';')) {
        return;
    }
    do {
        type = declarator(base, &name);
        if (file_declarator(storage, declared_name(name), type)) {
            return;
        }
    } while (accept(','));
    expect(';');
}

// ---- the program ----

int main(int argc, char **argv)
{
    if (argc != 3) {
        say("usage: c1 INPUT OUTPUT\n");
        return BAD_ARGUMENTS;
    }
    text_at = read_file(argv[1]);
    if (!text_at) {
        say("cannot read ");
        say(argv[1]);
        say("\n");
        return NO_INPUT;
    }
    text_start = text_at;
    file_name = argv[1];
    line_number = 1;
    define_keywords();
    make_types();
    next_token();
    while (token != TOKEN_END) {
        file_declaration();
    }
    put_data();
    out_text(":ELF_end\n");
    write_output(argv[2]);
    return 0;
}
