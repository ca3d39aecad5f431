PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY, created_at INTEGER NOT NULL, lang TEXT NOT NULL, amount INTEGER NOT NULL,
    request TEXT NOT NULL, session_id TEXT UNIQUE, session_url TEXT, trouble TEXT,
    status TEXT NOT NULL DEFAULT 'new', review INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0, told_by TEXT);
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY, number TEXT, type TEXT, version INTEGER, used INTEGER NOT NULL,
    received_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS returns (
    number TEXT NOT NULL, claim TEXT NOT NULL, proof TEXT NOT NULL, signature TEXT NOT NULL,
    received_at INTEGER NOT NULL, UNIQUE (number, claim, proof, signature));
