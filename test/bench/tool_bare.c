/* tool_bare: a program that initialises the libraries that plexusd uses, reads the system's certificate authorities, which a
 * program that speaks https needs in its memory too, says so, and waits for the end of its stdin. What plexusd needs above this
 * is its own. */
#include <ares.h>
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <openssl/x509_vfy.h>
#include <pcre2.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    sqlite3 *db = NULL;
    int code;
    PCRE2_SIZE at;
    char byte;
    ares_channel names;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) || ares_library_init(ARES_LIB_INIT_ALL) || ares_init(&names))
        return 1;
    CURLM *multi = curl_multi_init();
    X509_STORE *store = X509_STORE_new();
    if (!store || X509_STORE_load_file(store, "/etc/ssl/certs/ca-certificates.crt") != 1)
        return 1;
    if (sodium_init() < 0 || sqlite3_initialize() || sqlite3_open(":memory:", &db))
        return 1;
    sqlite3_exec(db, "create table t(a); insert into t values(1)", NULL, NULL, NULL);
    cJSON *tree = cJSON_Parse("{\"a\":[1,2,3]}");
    pcre2_code *re = pcre2_compile((PCRE2_SPTR) "^a+$", PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    X509_STORE_free(store);
    curl_multi_cleanup(multi);
    ares_destroy(names);
    pcre2_code_free(re);
    cJSON_Delete(tree);
    sqlite3_close(db);
    return 0;
}
