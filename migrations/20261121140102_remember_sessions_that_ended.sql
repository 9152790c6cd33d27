-- Sessions that were signed out of while access tokens of theirs may still be about: the tokens count no more.
CREATE TABLE ended_sessions (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    session_id  uuid NOT NULL,
    expires_at  timestamptz NOT NULL,      -- the last token that it can have got
    PRIMARY KEY (tenant_id, user_id, session_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX ended_sessions_expires_at_idx ON ended_sessions (expires_at);
