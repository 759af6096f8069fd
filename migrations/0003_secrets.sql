-- When each of a source's secrets was last used, to within ten minutes. A secret is known by 32 bits
-- of an HMAC under itself, by which it can be recognised and not found. RFC 3339 in UTC.
CREATE TABLE secrets_used (
  source TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  last_used_at TEXT NOT NULL,
  PRIMARY KEY (source, fingerprint)
) WITHOUT ROWID;
