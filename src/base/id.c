#include "base/id.h"
#include "base/clock.h"
#include <errno.h>
#include <sys/random.h>

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const uint64_t ms_mask = (1ull << 48) - 1;

/* 80 fresh bits. The top one stays clear, so that no run within a millisecond can wrap. */
static void draw(struct px_id_seq *seq) {
    unsigned char bytes[10];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        /* Only a kernel without the call; the sequence still increases, which is all that must hold. */
        uint64_t now = px_clock_mono_ns();
        memcpy(bytes, &now, sizeof now);
        memcpy(bytes + 8, &now, 2);
    }
    memcpy(&seq->high, bytes, 2);
    memcpy(&seq->low, bytes + 2, 8);
    seq->high &= 0x7fff;
}

void px_id_next(struct px_id_seq *seq, int64_t unix_ms, char ret[PX_ID_SIZE]) {
    uint64_t ms = unix_ms > 0 ? (uint64_t)unix_ms & ms_mask : 0;
    if (ms > seq->unix_ms || (!seq->high && !seq->low)) {
        seq->unix_ms = ms;
        draw(seq);
    } else if (++seq->low == 0) {
        seq->high++;
    }
    /* 130 bits in 26 digits: the 128 of the identifier, from the right. */
    uint64_t top = seq->unix_ms << 16 | seq->high, bottom = seq->low;
    for (int i = PX_ID_LEN - 1; i >= 0; i--) {
        ret[i] = digits[bottom & 31];
        bottom = bottom >> 5 | top << 59;
        top >>= 5;
    }
    ret[PX_ID_LEN] = 0;
}

void px_id_make(char ret[PX_ID_SIZE]) {
    static struct px_id_seq seq;
    px_id_next(&seq, px_clock_unix_ms(), ret);
}

int px_id_parse(px_str id, int64_t *ret_unix_ms) {
    if (id.n != PX_ID_LEN)
        return -EINVAL;
    uint64_t ms = 0;
    for (size_t i = 0; i < PX_ID_LEN; i++) {
        const char *digit = memchr(digits, id.p[i], sizeof digits - 1);
        if (!digit || (i == 0 && digit - digits > 7)) /* 26 digits hold two bits more than there are */
            return -EINVAL;
        if (i < 10)
            ms = ms << 5 | (uint64_t)(digit - digits);
    }
    if (ret_unix_ms)
        *ret_unix_ms = (int64_t)ms;
    return 0;
}
