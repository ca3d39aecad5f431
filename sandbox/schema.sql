-- The pretend gateway's own truth. Moments are Unix seconds; amounts are minor units.
CREATE TABLE IF NOT EXISTS number (  -- one namespace for payments and refunds
    app_code TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    PRIMARY KEY (app_code, out_trade_no)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS trade (  -- what a payment call ordered
    token TEXT PRIMARY KEY,
    app_code TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    syssn TEXT NOT NULL UNIQUE,
    pay_type TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    txdtm TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    closed_at REAL,
    goods_name TEXT NOT NULL,
    udid TEXT NOT NULL,
    mchid TEXT NOT NULL,
    openid TEXT NOT NULL,
    return_url TEXT NOT NULL,
    notify_url TEXT NOT NULL,
    scenario TEXT,
    UNIQUE (app_code, out_trade_no)
);

CREATE TABLE IF NOT EXISTS record (  -- what an enquiry finds: scans of codes, and refunds
    syssn TEXT PRIMARY KEY,
    app_code TEXT NOT NULL,
    out_trade_no TEXT NOT NULL,
    order_type TEXT NOT NULL,
    origssn TEXT NOT NULL,
    token TEXT NOT NULL REFERENCES trade (token),
    pay_type TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    txdtm TEXT NOT NULL,
    sysdtm REAL NOT NULL,
    paid_at REAL,
    expires_at REAL NOT NULL,
    respcd TEXT NOT NULL,
    lag_respcd TEXT NOT NULL DEFAULT '',
    lag_until REAL NOT NULL DEFAULT 0,
    cancel TEXT NOT NULL DEFAULT '0',
    chnlsn TEXT NOT NULL DEFAULT '',
    cardcd TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS record_number ON record (app_code, out_trade_no);
CREATE INDEX IF NOT EXISTS record_time ON record (app_code, sysdtm);
CREATE INDEX IF NOT EXISTS record_origin ON record (origssn);

CREATE TABLE IF NOT EXISTS notice (  -- notifications to send; a due row is the queue
    id INTEGER PRIMARY KEY,
    syssn TEXT NOT NULL REFERENCES record (syssn),
    url TEXT NOT NULL,
    due_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    over INTEGER NOT NULL DEFAULT 0,
    status INTEGER
);
CREATE INDEX IF NOT EXISTS notice_due ON notice (due_at) WHERE over = 0;

CREATE TABLE IF NOT EXISTS call (  -- every API call, in the order of arrival
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    app_code TEXT NOT NULL,
    path TEXT NOT NULL,
    params TEXT NOT NULL,
    counted INTEGER NOT NULL,
    answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS call_rate ON call (app_code, at) WHERE counted = 1;

CREATE TABLE IF NOT EXISTS script (  -- scenarios asked for by number; '' is the next call
    id INTEGER PRIMARY KEY,
    out_trade_no TEXT NOT NULL,
    scenario TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS alipay_code (  -- what Alipay's authorise page gave out; each works once
    code TEXT PRIMARY KEY,
    app_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    made_at REAL NOT NULL,
    oddity TEXT,
    used INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS alipay_script (  -- oddities waiting for the next visits of that page
    id INTEGER PRIMARY KEY,
    oddity TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS fault (  -- troubles waiting for the next calls of a path
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    trouble TEXT NOT NULL,
    remaining INTEGER NOT NULL
);
