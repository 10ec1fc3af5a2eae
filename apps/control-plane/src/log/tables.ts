/**
 * The tables of log.db. The entry is the only truth: what is searched is generated from it, so no column can say anything else.
 * Triggers refuse gaps, changes and deletions (L1, L3), REPLACE included; they stop mistakes. Who drops them is found by the tree (L4).
 */

/** Raised when the tables change. */
export const TABLES_VERSION = 1;

export const TABLES = `
CREATE TABLE events(
  seq       INTEGER PRIMARY KEY,
  entry     TEXT NOT NULL CHECK(json_valid(entry) AND length(CAST(entry AS BLOB)) <= 65535 AND json_extract(entry, '$.seq') IS seq),
  leaf      BLOB NOT NULL CHECK(length(leaf) = 32),
  id        TEXT NOT NULL GENERATED ALWAYS AS (json_extract(entry, '$.id')) VIRTUAL,
  type      TEXT NOT NULL GENERATED ALWAYS AS (json_extract(entry, '$.type')) VIRTUAL,
  actor_id  TEXT NOT NULL GENERATED ALWAYS AS (json_extract(entry, '$.actor.id')) VIRTUAL,
  idem_key  TEXT          GENERATED ALWAYS AS (json_extract(entry, '$.idem.key')) VIRTUAL,
  idem_n    INTEGER       GENERATED ALWAYS AS (json_extract(entry, '$.idem.n')) VIRTUAL,
  payload   TEXT NOT NULL GENERATED ALWAYS AS (json_extract(entry, '$.payload_sha256')) VIRTUAL,
  reason    TEXT          GENERATED ALWAYS AS (json_extract(entry, '$.reason_sha256')) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX events_id ON events(id);
CREATE UNIQUE INDEX events_idem ON events(actor_id, idem_key, idem_n) WHERE idem_key IS NOT NULL;

CREATE TABLE payloads(
  sha256 TEXT PRIMARY KEY CHECK(length(sha256) = 64),
  salt   BLOB,
  body   BLOB,
  CHECK(body IS NOT NULL OR salt IS NULL)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints(size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE tiles(level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL CHECK(length(hashes) = 8192), PRIMARY KEY(level, n)) STRICT, WITHOUT ROWID;

CREATE TRIGGER events_gapless BEFORE INSERT ON events WHEN NEW.seq IS NOT (SELECT ifnull(max(seq), -1) + 1 FROM events)
  BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END;
-- REPLACE deletes what a unique index says is the same, and by default without asking the delete trigger.
CREATE TRIGGER events_once BEFORE INSERT ON events
  WHEN EXISTS (SELECT 1 FROM events WHERE id = json_extract(NEW.entry, '$.id'))
    OR EXISTS (SELECT 1 FROM events WHERE actor_id = json_extract(NEW.entry, '$.actor.id') AND idem_key = json_extract(NEW.entry, '$.idem.key') AND idem_n = json_extract(NEW.entry, '$.idem.n'))
  BEGIN SELECT RAISE(ABORT, 'an event is recorded once'); END;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TRIGGER checkpoints_once BEFORE INSERT ON checkpoints WHEN EXISTS (SELECT 1 FROM checkpoints WHERE size = NEW.size)
  BEGIN SELECT RAISE(ABORT, 'a size is signed once'); END;
CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TRIGGER tiles_once BEFORE INSERT ON tiles WHEN EXISTS (SELECT 1 FROM tiles WHERE level = NEW.level AND n = NEW.n)
  BEGIN SELECT RAISE(ABORT, 'a tile is written once'); END;
CREATE TRIGGER tiles_no_update BEFORE UPDATE ON tiles BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER tiles_no_delete BEFORE DELETE ON tiles BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TRIGGER payloads_once BEFORE INSERT ON payloads WHEN EXISTS (SELECT 1 FROM payloads WHERE sha256 = NEW.sha256)
  BEGIN SELECT RAISE(ABORT, 'a payload is written once'); END;
CREATE TRIGGER payloads_erase_only BEFORE UPDATE ON payloads
  WHEN OLD.salt IS NULL OR NEW.sha256 IS NOT OLD.sha256 OR NEW.salt IS NOT NULL OR NEW.body IS NOT NULL
  BEGIN SELECT RAISE(ABORT, 'only a salted payload can be erased, and nothing else be done to it'); END;
CREATE TRIGGER payloads_no_delete BEFORE DELETE ON payloads BEGIN SELECT RAISE(ABORT, 'payloads are erased, never deleted'); END;
`;
