-- The ground: tenants, their people, communities, rooms and the streams of events that rooms are.
--
-- Every tenant table's primary key, unique key and foreign key begins with tenant_id (prepared for Citus), and has row-level
-- security enabled AND forced (migrations/replaceable/policies.sql; a test walks the catalogue). States are text, money would be
-- bigint, because under RLS only leakproof operators may use an index.

CREATE TABLE tenants (
    id                uuid PRIMARY KEY,
    slug              text NOT NULL CONSTRAINT tenants_slug_key UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name              text NOT NULL,
    plan              text NOT NULL,
    state             text NOT NULL CHECK (state IN ('provisioning', 'active', 'suspended', 'terminated')),
    placement         text NOT NULL DEFAULT 'shared_schema' CHECK (placement IN ('shared_schema')),
    admin_email       text NOT NULL,
    settings          jsonb NOT NULL DEFAULT '{}',
    -- The last finished step of provisioning; a crashed provisioning resumes behind it.
    provisioned_step  text NOT NULL DEFAULT 'created',
    state_reason      text,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);
-- Nodes poll for changed tenants (suspension must reach sockets within a second).
CREATE INDEX tenants_updated_at_idx ON tenants (updated_at);

CREATE TABLE tenant_hosts (
    host       text PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenants (id)
);

-- Keys that sign access tokens: one set for the whole deployment, private halves sealed under the master key.
CREATE TABLE signing_keys (
    kid          text PRIMARY KEY,
    public_key   bytea NOT NULL,
    sealed_key   bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    retired_at   timestamptz
);

CREATE TABLE users (
    tenant_id          uuid NOT NULL REFERENCES tenants (id),
    id                 uuid NOT NULL,
    email              text NOT NULL,               -- lower case
    handle             text NOT NULL,               -- lower case, what @mentions name
    display_name       text NOT NULL,
    bio                text NOT NULL DEFAULT '',
    password_hash      text,
    role               text NOT NULL CHECK (role IN ('guest', 'member', 'vendor', 'support', 'moderator', 'tenant_admin', 'platform_admin')),
    state              text NOT NULL CHECK (state IN ('active', 'suspended', 'deleted')),
    state_reason       text,
    email_verified_at  timestamptz,
    -- Access tokens issued before this instant are void (logout everywhere, password change, suspension).
    tokens_valid_from  timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT users_email_key UNIQUE (tenant_id, email),
    CONSTRAINT users_handle_key UNIQUE (tenant_id, handle)
);

CREATE TABLE refresh_tokens (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    user_id      uuid NOT NULL,
    family_id    uuid NOT NULL,     -- all tokens that descend from one login; reuse of a spent one revokes them all
    token_hash   bytea NOT NULL,
    user_agent   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT refresh_tokens_hash_key UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX refresh_tokens_family_idx ON refresh_tokens (tenant_id, family_id);
CREATE INDEX refresh_tokens_user_idx ON refresh_tokens (tenant_id, user_id);

-- One-time links sent by mail: e-mail verification and password reset.
CREATE TABLE mail_tokens (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    user_id     uuid NOT NULL,
    purpose     text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    token_hash  bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT mail_tokens_hash_key UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX mail_tokens_user_idx ON mail_tokens (tenant_id, user_id);

-- Mail is written in the transaction of its cause and sent afterwards.
CREATE TABLE mails (
    tenant_id   uuid NOT NULL REFERENCES tenants (id),
    id          uuid NOT NULL,
    recipient   text NOT NULL,
    subject     text NOT NULL,
    body        text NOT NULL,
    created_at  timestamptz NOT NULL,
    sent_at     timestamptz,
    attempts    integer NOT NULL DEFAULT 0,
    last_error  text,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE audit (
    tenant_id  uuid NOT NULL REFERENCES tenants (id),
    id         uuid NOT NULL,
    at         timestamptz NOT NULL,
    actor_id   uuid,
    action     text NOT NULL,      -- 'tenant.suspended', 'access.cross_tenant', 'user.role_changed', …
    target     text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id)
);

-- Answers of writes that carried an Idempotency-Key, kept in the transaction of their effect.
CREATE TABLE idempotency_keys (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    key         text NOT NULL,
    body_hash   bytea NOT NULL,
    status      integer NOT NULL,
    answer      jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, user_id, key),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE communities (
    tenant_id     uuid NOT NULL REFERENCES tenants (id),
    id            uuid NOT NULL,
    name          text NOT NULL,
    description   text NOT NULL DEFAULT '',
    guidelines    text NOT NULL DEFAULT '',    -- non-empty: joining requires accepting them
    join_policy   text NOT NULL CHECK (join_policy IN ('open', 'request', 'invite')),
    member_count  bigint NOT NULL DEFAULT 0,
    created_by    uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT communities_name_key UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, id)
);

CREATE TABLE community_members (
    tenant_id               uuid NOT NULL,
    community_id            uuid NOT NULL,
    user_id                 uuid NOT NULL,
    role                    text NOT NULL CHECK (role IN ('member', 'moderator', 'admin', 'owner')),
    state                   text NOT NULL CHECK (state IN ('active', 'banned')),
    muted_until             timestamptz,
    guidelines_accepted_at  timestamptz,
    joined_at               timestamptz NOT NULL,
    CONSTRAINT community_members_pkey PRIMARY KEY (tenant_id, community_id, user_id),
    FOREIGN KEY (tenant_id, community_id) REFERENCES communities (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX community_members_user_idx ON community_members (tenant_id, user_id);

CREATE TABLE join_requests (
    tenant_id     uuid NOT NULL,
    community_id  uuid NOT NULL,
    user_id       uuid NOT NULL,
    note          text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, community_id, user_id),
    FOREIGN KEY (tenant_id, community_id) REFERENCES communities (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE invites (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    community_id  uuid NOT NULL,
    code          text NOT NULL,
    created_by    uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    max_uses      integer CHECK (max_uses > 0),
    uses          integer NOT NULL DEFAULT 0,
    revoked_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invites_code_key UNIQUE (tenant_id, code),
    FOREIGN KEY (tenant_id, community_id) REFERENCES communities (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, id)
);
CREATE INDEX invites_community_idx ON invites (tenant_id, community_id);

CREATE TABLE rooms (
    tenant_id      uuid NOT NULL REFERENCES tenants (id),
    id             uuid NOT NULL,
    community_id   uuid,                      -- null for direct and group rooms
    kind           text NOT NULL CHECK (kind IN ('public', 'private', 'announcement', 'direct', 'group')),
    name           text NOT NULL,
    topic          text NOT NULL DEFAULT '',
    slow_mode_s    integer NOT NULL DEFAULT 0 CHECK (slow_mode_s BETWEEN 0 AND 21600),
    -- The sorted people of a direct or group room, so that the same people find the same room.
    people_key     text,
    archived_at    timestamptz,
    created_by     uuid NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT rooms_name_key UNIQUE (tenant_id, community_id, name),
    CONSTRAINT rooms_people_key UNIQUE (tenant_id, people_key),
    CHECK ((community_id IS NULL) = (kind IN ('direct', 'group'))),
    FOREIGN KEY (tenant_id, community_id) REFERENCES communities (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, id)
);

-- Who is in a private, direct or group room. Public and announcement rooms are read by every member of their community.
CREATE TABLE room_members (
    tenant_id  uuid NOT NULL,
    room_id    uuid NOT NULL,
    user_id    uuid NOT NULL,
    joined_at  timestamptz NOT NULL,
    CONSTRAINT room_members_pkey PRIMARY KEY (tenant_id, room_id, user_id),
    FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX room_members_user_idx ON room_members (tenant_id, user_id);

-- Position of every stream: a room's events, or what is addressed to one person. Locking this row orders a stream across nodes.
-- It is apart from rooms so that the hot update touches a narrow row (kept HOT by the fill factor).
CREATE TABLE streams (
    tenant_id    uuid NOT NULL REFERENCES tenants (id),
    id           uuid NOT NULL,               -- the room's or the user's id
    kind         text NOT NULL CHECK (kind IN ('room', 'user')),
    epoch        text NOT NULL,
    last_offset  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 50);

CREATE TABLE events (
    tenant_id     uuid NOT NULL,
    stream_id     uuid NOT NULL,
    event_offset  bigint NOT NULL,
    kind          text NOT NULL,
    actor_id      uuid,
    message_id    uuid,                       -- the message that the event is about: a removal blanks by it
    at            timestamptz NOT NULL,
    body          text NOT NULL,              -- payload v1 as sent, compact JSON without newlines
    PRIMARY KEY (tenant_id, stream_id, event_offset)
    -- No foreign keys on events, messages and mentions: every row is written under the stream's lock by a function that has read its
    -- parents, and the checks' row locks would cost the hottest path a third of its throughput.
);
CREATE INDEX events_message_idx ON events (tenant_id, message_id) WHERE message_id IS NOT NULL;

-- The projection of a room's stream that people page through.
CREATE TABLE messages (
    tenant_id       uuid NOT NULL,
    room_id         uuid NOT NULL,
    event_offset    bigint NOT NULL,
    id              uuid NOT NULL,
    author_id       uuid NOT NULL,
    client_id       uuid NOT NULL,
    text            text NOT NULL,
    reply_to        uuid,
    mentioned       uuid[] NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL,
    edited_at       timestamptz,
    deleted_at      timestamptz,
    deleted_by      uuid,
    deletion_reason text,
    pinned_at       timestamptz,
    pinned_by       uuid,
    PRIMARY KEY (tenant_id, room_id, event_offset),
    CONSTRAINT messages_id_key UNIQUE (tenant_id, id),
    CONSTRAINT messages_client_id_key UNIQUE (tenant_id, room_id, author_id, client_id)
);
CREATE INDEX messages_pinned_idx ON messages (tenant_id, room_id, pinned_at) WHERE pinned_at IS NOT NULL;

CREATE TABLE message_edits (
    tenant_id   uuid NOT NULL,
    message_id  uuid NOT NULL,
    version     integer NOT NULL,             -- 1 is the text as first sent
    text        text NOT NULL,
    written_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, message_id, version),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id)
);

CREATE TABLE reactions (
    tenant_id   uuid NOT NULL,
    message_id  uuid NOT NULL,
    emoji       text NOT NULL,
    user_id     uuid NOT NULL,
    at          timestamptz NOT NULL,
    CONSTRAINT reactions_pkey PRIMARY KEY (tenant_id, message_id, emoji, user_id),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

-- Whom a message calls. 'user:<uuid>', 'here' or 'role:<role>': a group is one row, counted past each reader's watermark.
CREATE TABLE mentions (
    tenant_id     uuid NOT NULL,
    room_id       uuid NOT NULL,
    target        text NOT NULL,
    event_offset  bigint NOT NULL,
    PRIMARY KEY (tenant_id, room_id, target, event_offset)
);

-- The watermark: unread are the messages of others past read_offset, mentions those that call the reader.
CREATE TABLE read_states (
    tenant_id    uuid NOT NULL,
    user_id      uuid NOT NULL,
    room_id      uuid NOT NULL,
    read_offset  bigint NOT NULL DEFAULT 0,
    muted        boolean NOT NULL DEFAULT false,
    posted_at    timestamptz,                 -- last post of this person while the room was in slow mode
    updated_at   timestamptz NOT NULL,
    CONSTRAINT read_states_pkey PRIMARY KEY (tenant_id, user_id, room_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, room_id) REFERENCES rooms (tenant_id, id)
);

-- News for consumers outside (Kafka relay, projectors), written with its effect. A stream's event is named, not copied, so that a
-- removal that blanks the event leaves nothing here. A reader stays below the snapshot's xmin: the cursor is (xid, seq), never seq alone.
CREATE TABLE outbox (
    tenant_id     uuid NOT NULL,
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq           bigint GENERATED ALWAYS AS IDENTITY,
    topic         text NOT NULL,
    subject_id    uuid NOT NULL,
    event_offset  bigint,
    payload       jsonb,
    PRIMARY KEY (tenant_id, xid, seq)
);
