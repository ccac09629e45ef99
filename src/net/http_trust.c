#include "base/log.h"
#include "net/http_private.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>

/* An intermediate authority may be an anchor when it is in the bundle; what a server sends is looked at last. */
static void set_flags(X509_STORE *store) {
    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
}

int px_http_store_load(const char *file, bool may_be_missing, X509_STORE **ret, struct px_err *err) {
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return px_err_set(err, -ENOMEM, "no memory for the certificates of %s", file);
    errno = 0;
    if (X509_STORE_load_file(store, file) != 1) {
        int code = errno ? -errno : -EINVAL;
        if (code == -ENOENT && may_be_missing) {
            px_log(PX_LOG_WARNING, "net",
                   "no certificate authorities: https reaches nobody until there are some",
                   PX_KV("file", file),
                   PX_KV("advice", "install ca-certificates, or name a file in network.ca_file"));
            ERR_clear_error();
            set_flags(store);
            *ret = store;
            return 0;
        }
        X509_STORE_free(store);
        ERR_clear_error();
        return px_err_set(
            err, code, "%s: no certificates could be read from it: name a file of certificates in PEM", file);
    }
    set_flags(store);
    *ret = store;
    return 0;
}

void px_http_store_free(X509_STORE *store) {
    X509_STORE_free(store);
}

static int add_pem(X509_STORE *store, px_str pem) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)PX_MIN(pem.n, (uint64_t)INT32_MAX));
    STACK_OF(X509_INFO) *infos = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
    int n = 0;
    for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
        X509_INFO *info = sk_X509_INFO_value(infos, i);
        n += info->x509 && X509_STORE_add_cert(store, info->x509) == 1;
    }
    sk_X509_INFO_pop_free(infos, X509_INFO_free);
    BIO_free(bio);
    ERR_clear_error();
    return n ? 0 : -EINVAL;
}

/* The system's certificates (shared, not parsed again) and those of this egress. */
static X509_STORE *store_with(X509_STORE *system, px_str pem) {
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(system);
    bool ok = store != NULL;
    for (int i = 0; ok && i < sk_X509_OBJECT_num(objects); i++) {
        X509 *cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (cert)
            ok = X509_STORE_add_cert(store, cert) == 1;
    }
    if (!ok || add_pem(store, pem)) {
        X509_STORE_free(store);
        return NULL;
    }
    set_flags(store);
    return store;
}

static int fill(struct px_http *http, struct px_http_trust *trust, struct px_err *err) {
    px_str pem = px_egress_ca_pem(trust->egress);
    if (pem.n)
        trust->store = store_with(http->store, pem);
    else if (X509_STORE_up_ref(http->store) == 1)
        trust->store = http->store;
    if (!trust->store)
        return px_err_set(err, pem.n ? -EINVAL : -ENOMEM, "the further authorities (ca_file) cannot be used");
    trust->proxy = px_egress_proxy_url(trust->egress);
    return 0;
}

static void trust_free(struct px_http_trust *trust) {
    px_list_remove(&trust->node);
    X509_STORE_free(trust->store);
    px_egress_unkeep(trust->egress, &trust->keeper);
    free(trust);
}

int px_http_trust_get(struct px_http *http, struct px_egress *egress, struct px_http_trust **ret,
                      struct px_err *err) {
    PX_LIST_EACH (node, &http->trusts) {
        struct px_http_trust *trust = px_list_entry(node, struct px_http_trust, node);
        if (trust->egress == egress && !trust->stale) {
            trust->refs++;
            *ret = trust;
            return 0;
        }
    }
    struct px_http_trust *trust = calloc(1, sizeof *trust);
    if (!trust)
        return px_err_set(err, -ENOMEM, "no memory for a request");
    trust->http = http;
    trust->egress = egress;
    trust->keeper.alone = px_http_idle_alone;
    px_egress_keep(egress, &trust->keeper);
    trust->serial = ++http->serial;
    trust->refs = 1;
    snprintf(trust->tag, sizeof trust->tag, "/nonexistent/%llu", (unsigned long long)trust->serial);
    px_list_add(&http->trusts, &trust->node);
    int r = fill(http, trust, err);
    if (r) {
        trust_free(trust);
        return r;
    }
    *ret = trust;
    return 0;
}

void px_http_trust_unref(struct px_http_trust *trust) {
    if (trust && --trust->refs == 0)
        trust_free(trust);
}

int px_http_trust_use(const struct px_http_trust *trust, void *ssl_ctx) {
    return SSL_CTX_set1_cert_store(ssl_ctx, trust->store), 0;
}

const char *px_http_verify_words(long verify_result) {
    switch (verify_result) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: return NULL; /* what curl says before the certificate was looked at */
    case X509_V_ERR_CERT_HAS_EXPIRED: return "the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "the certificate is not valid yet";
    case X509_V_ERR_CERT_REVOKED: return "the certificate was revoked";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "the certificate is signed by itself, and not trusted here";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "the certificate is from an authority that is not trusted here";
    default: return "the certificate cannot be verified";
    }
}

const char *px_http_verify_detail(long verify_result) {
    return X509_verify_cert_error_string(verify_result);
}
