/* sql.h: every statement of the room, in one place. Statements are prepared when their file is opened and kept; values are
 * bound, never written into the text. X(name, file, text). */
#ifndef PX_STATE_SQL_H
#define PX_STATE_SQL_H

enum px_db_file { PX_STATE_DB, PX_LOG_DB };

/* Of an effect; its arguments follow, cut or not. */
#define PX_EFFECT_COLUMNS                                                                                    \
    "seq, outcome, id, call_id, principal, service, tool, digest, idempotency_key, sent_key, began_unix_ms," \
    " ended_unix_ms, settled_by, words, args_whole"

#define PX_SQL_LIST(X)                                                                                       \
    X(STATE_BEGIN, PX_STATE_DB, "BEGIN IMMEDIATE")                                                           \
    X(STATE_COMMIT, PX_STATE_DB, "COMMIT")                                                                   \
    X(STATE_ROLLBACK, PX_STATE_DB, "ROLLBACK")                                                               \
    X(STATE_PROBE, PX_STATE_DB, "INSERT OR REPLACE INTO meta(name, value) VALUES('probe', randomblob(16))")  \
                                                                                                             \
    X(KEY_GET, PX_STATE_DB, "SELECT value FROM meta WHERE name = 'key:' || ?1")                              \
    X(KEY_PUT, PX_STATE_DB, "INSERT OR IGNORE INTO meta(name, value) VALUES('key:' || ?1, ?2)")              \
                                                                                                             \
    X(STORE_GET, PX_STATE_DB, "SELECT value FROM kv WHERE service = ?1 AND key = ?2")                        \
    X(STORE_SIZE, PX_STATE_DB, "SELECT length(key) + length(value) FROM kv WHERE service = ?1 AND key = ?2") \
    X(STORE_PUT, PX_STATE_DB,                                                                                \
      "INSERT INTO kv(service, key, value) VALUES(?1, ?2, ?3)"                                               \
      " ON CONFLICT(service, key) DO UPDATE SET value = excluded.value")                                     \
    X(STORE_REMOVE, PX_STATE_DB, "DELETE FROM kv WHERE service = ?1 AND key = ?2")                           \
    X(STORE_USED, PX_STATE_DB, "SELECT bytes FROM kv_used WHERE service = ?1")                               \
    X(STORE_USE, PX_STATE_DB,                                                                                \
      "INSERT INTO kv_used(service, bytes) VALUES(?1, ?2)"                                                   \
      " ON CONFLICT(service) DO UPDATE SET bytes = excluded.bytes")                                          \
    X(STORE_LIST, PX_STATE_DB,                                                                               \
      "SELECT key FROM kv WHERE service = ?1 AND key >= ?2 AND key > ?3 AND key < ?4 ORDER BY key LIMIT ?5") \
                                                                                                             \
    X(EFFECT_FIND, PX_STATE_DB,                                                                              \
      "SELECT " PX_EFFECT_COLUMNS ", args FROM effects WHERE principal = ?1 AND service = ?2"                \
      " AND tool = ?3 AND idempotency_key = ?4 AND outcome <> 3 ORDER BY seq DESC LIMIT 1")                  \
    X(EFFECT_RESULT, PX_STATE_DB, "SELECT result FROM effect_results WHERE effect = ?1")                     \
    X(EFFECT_BEGIN, PX_STATE_DB,                                                                             \
      "INSERT INTO effects(id, call_id, principal, service, tool, digest, idempotency_key,"                  \
      " began_unix_ms, sent_key, args_whole, args)"                                                          \
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                                               \
    X(EFFECT_END, PX_STATE_DB,                                                                               \
      "UPDATE effects SET outcome = ?2, ended_unix_ms = ?3, settled_by = ?4, words = ?5 WHERE id = ?1")      \
    X(EFFECT_KEEP, PX_STATE_DB,                                                                              \
      "INSERT OR REPLACE INTO effect_results(effect, ended_unix_ms, result)"                                 \
      " SELECT id, ?2, ?3 FROM effects WHERE id = ?1 AND idempotency_key IS NOT NULL")                       \
    X(EFFECT_SETTLE, PX_STATE_DB,                                                                            \
      "UPDATE effects SET outcome = ?2, ended_unix_ms = ?3, settled_by = ?4, words = ?5"                     \
      " WHERE id = ?1 AND outcome = 1")                                                                      \
    X(EFFECT_RESUME, PX_STATE_DB,                                                                            \
      "UPDATE effects SET outcome = 0, ended_unix_ms = NULL, settled_by = NULL, words = NULL,"               \
      " call_id = ?2 WHERE id = ?1 AND outcome = ?3")                                                        \
    X(EFFECT_LOSE, PX_STATE_DB,                                                                              \
      "UPDATE effects SET outcome = 1, ended_unix_ms = ?1, settled_by = 4"                                   \
      " WHERE outcome < 2 AND outcome = 0")                                                                  \
    X(EFFECT_LIST, PX_STATE_DB,                                                                              \
      "SELECT " PX_EFFECT_COLUMNS ", substr(args, 1, 256) FROM effects"                                      \
      " WHERE outcome < 2 AND outcome >= ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")                             \
    X(EFFECT_ALL, PX_STATE_DB,                                                                               \
      "SELECT " PX_EFFECT_COLUMNS ", substr(args, 1, 256) FROM effects"                                      \
      " WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2")                                                          \
    X(EFFECT_GET, PX_STATE_DB, "SELECT " PX_EFFECT_COLUMNS ", args FROM effects WHERE id = ?1")              \
    X(EFFECT_COUNT, PX_STATE_DB,                                                                             \
      "SELECT count(*) FROM (SELECT 1 FROM effects WHERE outcome < 2 AND outcome = 1 LIMIT 100000)")         \
    X(EFFECT_COUNTS, PX_STATE_DB,                                                                            \
      "SELECT coalesce(sum(outcome = 0), 0), coalesce(sum(outcome = 1), 0) FROM (SELECT outcome"             \
      " FROM effects INDEXED BY effects_unsettled WHERE outcome < 2 ORDER BY seq LIMIT ?1)")                 \
    X(EFFECT_ENDS, PX_STATE_DB, "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM effects")          \
    X(EFFECT_PRUNE, PX_STATE_DB,                                                                             \
      "DELETE FROM effects WHERE seq IN (SELECT seq FROM effects WHERE outcome <> 0 ORDER BY seq LIMIT ?3)"  \
      " AND (seq <= ?1 OR began_unix_ms < ?2)")                                                              \
    X(RESULT_NEWEST, PX_STATE_DB, "SELECT coalesce(max(n), 0) FROM effect_results")                          \
    X(RESULT_PRUNE, PX_STATE_DB,                                                                             \
      "DELETE FROM effect_results WHERE n IN (SELECT n FROM effect_results ORDER BY n LIMIT ?3)"             \
      " AND (n <= ?1 OR ended_unix_ms < ?2)")                                                                \
                                                                                                             \
    X(SEALED_LOAD, PX_STATE_DB, "SELECT name, bytes FROM sealed ORDER BY name")                              \
    X(SEALED_HAS, PX_STATE_DB, "SELECT 1 FROM sealed WHERE name = ?1")                                       \
    X(SEALED_COUNT, PX_STATE_DB, "SELECT count(*) FROM sealed")                                              \
    X(SEALED_PUT, PX_STATE_DB,                                                                               \
      "INSERT INTO sealed(name, bytes) VALUES(?1, ?2)"                                                       \
      " ON CONFLICT(name) DO UPDATE SET bytes = excluded.bytes")                                             \
    X(SEALED_REMOVE, PX_STATE_DB, "DELETE FROM sealed WHERE name = ?1")                                      \
                                                                                                             \
    X(LOG_BEGIN, PX_LOG_DB, "BEGIN IMMEDIATE")                                                               \
    X(LOG_COMMIT, PX_LOG_DB, "COMMIT")                                                                       \
    X(LOG_ROLLBACK, PX_LOG_DB, "ROLLBACK")                                                                   \
    X(LOG_PROBE, PX_LOG_DB, "INSERT OR REPLACE INTO meta(name, value) VALUES('probe', randomblob(16))")      \
    X(AGE_GET, PX_LOG_DB, "SELECT value FROM meta WHERE name = 'age'")                                       \
    X(AGE_PUT, PX_LOG_DB, "INSERT OR REPLACE INTO meta(name, value) VALUES('age', ?1)")                      \
    X(CALL_ADD, PX_LOG_DB,                                                                                   \
      "INSERT INTO calls(began_unix_ms, duration_us, principal, service, tool, id, parent, profile, code,"   \
      " bytes, digest, detail, args) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")        \
    X(CALL_LIST, PX_LOG_DB,                                                                                  \
      "SELECT seq, began_unix_ms, duration_us, principal, service, tool, id, parent, profile, code,"         \
      " bytes, digest, detail, args FROM calls WHERE seq < ?1 ORDER BY seq DESC")                            \
    X(CALL_SEQ, PX_LOG_DB, "SELECT seq FROM calls WHERE id = ?1 ORDER BY seq DESC LIMIT 1")                  \
    X(CALL_ENDS, PX_LOG_DB, "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM calls")                \
    X(CALL_SIZE, PX_LOG_DB,                                                                                  \
      "SELECT (page_count - freelist_count) * page_size"                                                     \
      " FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()")                              \
    X(CALL_PRUNE, PX_LOG_DB,                                                                                 \
      "DELETE FROM calls WHERE seq IN (SELECT seq FROM calls ORDER BY seq LIMIT ?3)"                         \
      " AND (seq <= ?1 OR began_unix_ms < ?2)")

#define PX_SQL_NAME_(name, file, text) PX_SQL_##name,
enum px_sql { PX_SQL_LIST(PX_SQL_NAME_) PX_SQL_COUNT };

#endif
