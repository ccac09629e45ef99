/* How fast schemas are compiled and instances validated: nanoseconds each, and what a compiled schema weighs. */
#include "json/schema.h"
#include <malloc.h>
#include <stdio.h>
#include <time.h>

enum { RUN_NS = 300000000, MANY = 500, BATCH = 100 };

static const char small[] =
    "{\"type\":\"object\",\"properties\":{\"owner\":{\"type\":\"string\",\"minLength\":1},\"repo\":{\"type\":\"string\"},"
    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}},\"required\":[\"owner\",\"repo\"],"
    "\"additionalProperties\":false}";
static const char small_good[] = "{\"owner\":\"octo\",\"repo\":\"hello-world\",\"limit\":30}";
static const char small_bad[] = "{\"owner\":\"octo\",\"repo\":\"hello-world\",\"limt\":30}";

static const char tool[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"description\":\"Create an order\","
    "\"required\":[\"customer\",\"lines\"],\"additionalProperties\":false,\"properties\":{"
    "\"customer\":{\"type\":\"object\",\"required\":[\"email\"],\"properties\":{\"email\":{\"type\":\"string\","
    "\"pattern\":\"^[^@ ]+@[^@ ]+$\"},\"name\":{\"type\":\"string\",\"maxLength\":200}}},"
    "\"currency\":{\"enum\":[\"EUR\",\"USD\",\"GBP\",\"CHF\"]},\"note\":{\"type\":[\"string\",\"null\"]},"
    "\"lines\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":100,\"items\":{\"$ref\":\"#/$defs/line\"}},"
    "\"pay\":{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"card\"},\"token\":{\"type\":\"string\"}},"
    "\"required\":[\"kind\",\"token\"]},{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"invoice\"},\"days\":"
    "{\"type\":\"integer\"}},\"required\":[\"kind\"]}]}},\"$defs\":{\"line\":{\"type\":\"object\",\"required\":[\"sku\",\"n\"],"
    "\"properties\":{\"sku\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\",\"exclusiveMinimum\":0},"
    "\"price\":{\"type\":\"number\",\"multipleOf\":0.01}}}}}";
static const char tool_good[] =
    "{\"customer\":{\"email\":\"ada@example.com\",\"name\":\"Ada\"},\"currency\":\"EUR\",\"note\":null,\"lines\":["
    "{\"sku\":\"A-1\",\"n\":2,\"price\":4.35},{\"sku\":\"B-2\",\"n\":1,\"price\":10}],"
    "\"pay\":{\"kind\":\"invoice\",\"days\":30}}";

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct px_schema *compile(const char *text) {
    struct px_schema *schema = NULL;
    struct px_err err;
    if (px_schema_compile(px_str_of(text), NULL, &schema, &err)) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    return schema;
}

/* The best of many batches: what it takes when nobody else is on the machine. */
struct best {
    uint64_t started, batch, ns;
};

static bool again(struct best *best, unsigned batch) {
    uint64_t now = now_ns();
    if (best->started) {
        uint64_t took = (now - best->batch) / batch;
        best->ns = best->ns && best->ns < took ? best->ns : took;
    } else {
        best->started = now;
    }
    best->batch = now_ns();
    return now - best->started < RUN_NS;
}

static void print(const char *name, const struct best *best) {
    printf("  %-40s %9llu ns\n", name, (unsigned long long)best->ns);
}

static void measure(const char *name, const char *schema_text, const char *text, bool report) {
    static struct px_schema_report words;
    struct px_schema *schema = compile(schema_text);
    struct px_arena arena;
    const struct px_json *instance;
    px_arena_init(&arena, SIZE_MAX);
    if (px_json_parse(&arena, px_str_of(text), NULL, &instance, NULL, NULL))
        abort();
    struct best best = {0};
    int sum = 0;
    while (again(&best, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            sum += px_schema_validate(schema, instance, report ? &words : NULL);
    }
    print(name, &best);
    if ((sum == 0) != (text != small_bad))
        abort();
    px_arena_finish(&arena);
    px_schema_destroy(schema);
}

static void measure_compile(const char *name, const char *text) {
    struct best best = {0};
    while (again(&best, BATCH)) {
        for (int i = 0; i < BATCH; i++)
            px_schema_destroy(compile(text));
    }
    print(name, &best);
}

static void weigh(const char *name, const char *text) {
    static struct px_schema *schemas[MANY];
    schemas[0] = compile(text); /* what is only allocated once */
    size_t before = mallinfo2().uordblks;
    for (int i = 1; i < MANY; i++)
        schemas[i] = compile(text);
    printf("  %-40s %9zu bytes (%zu of text)\n", name, (mallinfo2().uordblks - before) / (MANY - 1),
           strlen(text));
    for (int i = 0; i < MANY; i++)
        px_schema_destroy(schemas[i]);
}

int main(void) {
    puts("validating");
    measure("3 properties, valid", small, small_good, true);
    measure("3 properties, invalid", small, small_bad, false);
    measure("3 properties, invalid, with a report", small, small_bad, true);
    measure("a tool's arguments (19 values), valid", tool, tool_good, true);
    measure("a schema against its metaschema, valid",
            "{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", tool, true);
    puts("compiling");
    measure_compile("3 properties", small);
    measure_compile("a tool's arguments", tool);
    puts("a compiled schema");
    weigh("3 properties", small);
    weigh("a tool's arguments", tool);
    return 0;
}
