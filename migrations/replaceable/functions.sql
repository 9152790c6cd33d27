-- The append functions: the only places that give an event its offset. Rebuilt after every migration.
--
-- R1/R2: the offset is taken, and event, message and outbox row are written, under the lock of the stream's row in one transaction.
-- R4: idempotency is looked up after that lock is held; before it, two concurrent sends of one client id would both find nothing.

-- Appends one event to one stream inside the caller's transaction. Returns its offset; null when the stream is not this tenant's.
CREATE OR REPLACE FUNCTION append_event(
    p_tenant uuid, p_stream uuid, p_kind text, p_actor uuid, p_message uuid, p_at timestamptz, p_body text
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_offset bigint;
    v_topic text;
BEGIN
    UPDATE streams s SET last_offset = s.last_offset + 1
     WHERE s.tenant_id = p_tenant AND s.id = p_stream
    RETURNING s.last_offset, s.kind INTO v_offset, v_topic;
    IF v_offset IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO events (tenant_id, stream_id, event_offset, kind, actor_id, message_id, at, body)
    VALUES (p_tenant, p_stream, v_offset, p_kind, p_actor, p_message, p_at, p_body);
    INSERT INTO outbox (tenant_id, topic, subject_ids, event_offsets) VALUES (p_tenant, v_topic, ARRAY[p_stream], ARRAY[v_offset]);
    RETURN v_offset;
END $$;

-- Stores a batch of posts of one tenant, in its own transaction (it names the tenant itself). One bad post never fails a batch.
--
-- `p_heads` are bodies up to the message's text; the tail (mentions, reply) is resolved here. `p_look_up` looks for earlier sends of the
-- same client ids first; without it such a send fails the whole call with `messages_client_id_key`, and the caller calls again with it.
-- That is rare, and the unique index is asked anyway. A post that might be refused is always looked up: a repeat is answered with what
-- was stored, also where the author may not write any more.
--
-- Answers with arrays, a position per post. An array that would be empty of anything is null.
--   offsets        where the post stands; null: refused
--   refusals       why not
--   retry_after_s  when a post that came too early may come again
--   stored_ids     the id under which the same send had been stored before
--   tails          what was appended to the head, where that is not the tail of a post without mentions and reply
--   calls          whether the author may call groups (@here, @moderators), where anybody calls
-- and the events put into the streams of people who were called or written to, in the order of their offsets:
--   recipients, personal_offsets, personal_kinds, personal_bodies
CREATE OR REPLACE FUNCTION post_messages(
    p_tenant uuid, p_at timestamptz, p_look_up boolean, p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_client_ids uuid[],
    p_texts text[], p_heads text[], p_reply_tos uuid[], p_handles text[], p_groups text[],
    OUT offsets bigint[], OUT refusals text[], OUT retry_after_s integer[], OUT stored_ids uuid[], OUT tails text[], OUT calls boolean[],
    OUT recipients uuid[], OUT personal_offsets bigint[], OUT personal_kinds text[], OUT personal_bodies text[]
)
LANGUAGE plpgsql
-- Planned once, while tables may be empty, and kept: only index look-ups per row are right at every later size.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
DECLARE
    v_tenant_state text;
    v_fresh bigint[];               -- offsets of the posts that are stored now
    v_first_ords bigint[];          -- the first accepted send of the same client id in this batch
    v_moderates boolean[];
    v_slow_modes integer[];
    v_replies text[];               -- what the tail says of the message that is answered
    v_mentioned text[];             -- literals of uuid[]: arrays of arrays can not be ragged
    v_tops jsonb;                   -- the last offset of each room that got something
    v_all_fresh boolean;
    v_any_slow boolean;
    v_any_direct boolean;
    v_any_reply boolean;
    v_any_call boolean := EXISTS (SELECT 1 FROM unnest(p_handles, p_groups) AS i (handles, groups) WHERE i.handles <> '' OR i.groups <> '');
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true);

    -- A statement of its own: what follows must see what was committed before the locks were had.
    PERFORM 1 FROM streams s
      WHERE s.tenant_id = p_tenant AND s.id = ANY (p_rooms)
      ORDER BY s.id FOR UPDATE;
    SELECT t.state INTO v_tenant_state FROM tenants t WHERE t.id = p_tenant;

    WITH known AS (
        SELECT i.*, s.last_offset, r.kind, r.archived_at, r.slow_mode_s, u.state AS user_state, u.role AS user_role,
               c.muted_until, m.id AS stored_id, m.event_offset AS stored_offset, w.posted_at,
               CASE WHEN q.room_id = i.room_id AND q.deleted_at IS NULL THEN q.event_offset END AS reply_offset,
               CASE WHEN r.kind IN ('public', 'announcement') THEN c.user_id IS NOT NULL
                    WHEN r.kind = 'private' THEN c.user_id IS NOT NULL AND p.listed
                    ELSE p.listed END AS may_read,
               (c.role IN ('moderator', 'admin', 'owner') OR u.role IN ('moderator', 'tenant_admin')) AS moderates
          FROM unnest(p_rooms, p_authors, p_client_ids, p_reply_tos)
               WITH ORDINALITY AS i (room_id, author_id, client_id, reply_to, ord)
          LEFT JOIN rooms r ON r.tenant_id = p_tenant AND r.id = i.room_id
          LEFT JOIN streams s ON s.tenant_id = p_tenant AND s.id = i.room_id
          LEFT JOIN users u ON u.tenant_id = p_tenant AND u.id = i.author_id
          LEFT JOIN community_members c
            ON c.tenant_id = p_tenant AND c.community_id = r.community_id AND c.user_id = i.author_id AND c.state = 'active'
          -- Limits keep these apart from the joins, so that their conditions on the post spare the look-up.
          LEFT JOIN LATERAL (
                SELECT true AS listed FROM room_members x
                 WHERE r.kind NOT IN ('public', 'announcement')
                   AND x.tenant_id = p_tenant AND x.room_id = i.room_id AND x.user_id = i.author_id
                 LIMIT 1) p ON true
          LEFT JOIN LATERAL (
                SELECT x.id, x.event_offset FROM messages x
                 WHERE (p_look_up OR r.archived_at IS NOT NULL OR c.muted_until > p_at OR u.role = 'guest' OR r.kind = 'announcement'
                        OR r.slow_mode_s > 0 OR i.reply_to IS NOT NULL)
                   AND x.tenant_id = p_tenant AND x.room_id = i.room_id AND x.author_id = i.author_id AND x.client_id = i.client_id
                 LIMIT 1) m ON true
          LEFT JOIN LATERAL (
                SELECT x.room_id, x.event_offset, x.deleted_at FROM messages x
                 WHERE i.reply_to IS NOT NULL AND x.tenant_id = p_tenant AND x.id = i.reply_to
                 LIMIT 1) q ON true
          LEFT JOIN LATERAL (
                SELECT x.posted_at FROM read_states x
                 WHERE r.slow_mode_s > 0 AND x.tenant_id = p_tenant AND x.user_id = i.author_id AND x.room_id = i.room_id
                 LIMIT 1) w ON true
    ), judged AS (
        SELECT k.*,
               CASE
                   WHEN v_tenant_state IS DISTINCT FROM 'active' THEN 'tenant_suspended'
                   WHEN k.user_state IS DISTINCT FROM 'active' THEN 'banned'
                   WHEN k.last_offset IS NULL OR k.may_read IS NOT TRUE THEN 'not_found'
                   WHEN k.stored_id IS NOT NULL THEN NULL
                   WHEN k.archived_at IS NOT NULL THEN 'archived'
                   WHEN k.muted_until > p_at THEN 'muted'
                   WHEN k.user_role = 'guest' THEN 'read_only'
                   WHEN k.kind = 'announcement' AND k.moderates IS NOT TRUE THEN 'read_only'
                   WHEN k.reply_to IS NOT NULL AND k.reply_offset IS NULL THEN 'reply_not_found'
               END AS refusal
          FROM known k
    ), grouped AS (
        SELECT j.*, min(j.ord) FILTER (WHERE j.refusal IS NULL) OVER (PARTITION BY j.room_id, j.author_id, j.client_id) AS first_ord,
               CASE WHEN j.slow_mode_s > 0 AND j.moderates IS NOT TRUE AND j.stored_id IS NULL
                    THEN coalesce(j.posted_at, '-infinity') + make_interval(secs => j.slow_mode_s) END AS not_before
          FROM judged j
    ), paced AS (
        SELECT g.*,
               coalesce(g.refusal, CASE WHEN g.not_before > p_at
                        OR g.not_before IS NOT NULL
                           AND dense_rank() OVER (PARTITION BY g.room_id, g.author_id, g.stored_id IS NULL ORDER BY g.first_ord) > 1 THEN 'slow_mode' END) AS verdict
          FROM grouped g
    ), placed AS (
        SELECT p.*, p.verdict IS NULL AND p.stored_id IS NULL AND p.ord = p.first_ord AS fresh,
               count(*) FILTER (WHERE p.verdict IS NULL AND p.stored_id IS NULL AND p.ord = p.first_ord)
                   OVER (PARTITION BY p.room_id ORDER BY p.ord) AS place
          FROM paced p
         ORDER BY p.ord
    )
    SELECT array_agg(CASE WHEN l.fresh THEN l.last_offset + l.place END), array_agg(l.first_ord), array_agg(l.moderates), array_agg(l.slow_mode_s),
           array_agg(CASE WHEN l.reply_to IS NOT NULL THEN '{"id":"' || l.reply_to || '","offset":' || l.reply_offset || '}' END),
           array_agg(l.verdict), array_agg(l.stored_offset), array_agg(l.stored_id),
           array_agg(CASE WHEN l.verdict = 'slow_mode' THEN
               CASE WHEN l.not_before > p_at THEN ceil(extract(epoch FROM l.not_before - p_at))::integer ELSE l.slow_mode_s END END),
           bool_and(l.fresh), bool_or(l.slow_mode_s > 0), bool_or(l.kind IN ('direct', 'group')), bool_or(l.reply_to IS NOT NULL)
      INTO v_fresh, v_first_ords, v_moderates, v_slow_modes, v_replies, refusals, offsets, stored_ids, retry_after_s,
           v_all_fresh, v_any_slow, v_any_direct, v_any_reply
      FROM placed l;

    IF v_all_fresh THEN
        offsets := v_fresh;
        refusals := NULL;
        stored_ids := NULL;
        retry_after_s := NULL;
    ELSE
        SELECT array_agg(CASE WHEN i.refusal IS NULL THEN coalesce(i.fresh, i.stored_offset, v_fresh[i.first_ord]) END ORDER BY i.ord),
               array_agg(CASE WHEN i.refusal IS NULL AND i.fresh IS NULL THEN coalesce(i.stored_id, p_ids[i.first_ord]) END ORDER BY i.ord)
          INTO offsets, stored_ids
          FROM unnest(v_fresh, refusals, offsets, stored_ids, v_first_ords)
               WITH ORDINALITY AS i (fresh, refusal, stored_offset, stored_id, first_ord, ord);
    END IF;

    IF v_any_call OR v_any_reply THEN
        SELECT array_agg(c.user_ids::text ORDER BY i.ord),
               array_agg(CASE WHEN c.user_ids IS NOT NULL OR i.reply IS NOT NULL
                              THEN ',"mentions":' || coalesce(array_to_json(c.user_ids)::text, '[]')
                                   || ',"reply_to":' || coalesce(i.reply, 'null') || '}}' END ORDER BY i.ord)
          INTO v_mentioned, tails
          FROM unnest(p_rooms, p_handles, v_replies, v_fresh) WITH ORDINALITY AS i (room_id, handles, reply, fresh, ord)
          LEFT JOIN LATERAL (
                SELECT array_agg(u.id ORDER BY u.id) AS user_ids
                  FROM unnest(string_to_array(i.handles, ',')) AS h (handle)
                  JOIN users u ON u.tenant_id = p_tenant AND u.handle = h.handle AND u.state = 'active'
                  JOIN rooms r ON r.tenant_id = p_tenant AND r.id = i.room_id
                 WHERE i.handles <> '' AND i.fresh IS NOT NULL
                   AND CASE WHEN r.kind IN ('public', 'announcement')
                            THEN EXISTS (SELECT 1 FROM community_members c
                                          WHERE c.tenant_id = p_tenant AND c.community_id = r.community_id AND c.user_id = u.id
                                            AND c.state = 'active')
                            ELSE EXISTS (SELECT 1 FROM room_members rm
                                          WHERE rm.tenant_id = p_tenant AND rm.room_id = r.id AND rm.user_id = u.id) END) c ON true;
    END IF;

    INSERT INTO events (tenant_id, stream_id, event_offset, kind, actor_id, message_id, at, body)
    SELECT p_tenant, i.room_id, i.fresh, 'message.created', i.author_id, i.id, p_at,
           i.head || coalesce(i.tail, ',"mentions":[],"reply_to":null}}')
      FROM unnest(p_ids, p_rooms, p_authors, p_heads, tails, v_fresh) AS i (id, room_id, author_id, head, tail, fresh)
     WHERE i.fresh IS NOT NULL;

    INSERT INTO messages (tenant_id, room_id, event_offset, id, author_id, client_id, text, reply_to, mentioned, created_at)
    SELECT p_tenant, i.room_id, i.fresh, i.id, i.author_id, i.client_id, i.text, i.reply_to, coalesce(i.mentioned::uuid[], '{}'), p_at
      FROM unnest(p_ids, p_rooms, p_authors, p_client_ids, p_texts, p_reply_tos, v_mentioned, v_fresh)
           AS i (id, room_id, author_id, client_id, text, reply_to, mentioned, fresh)
     WHERE i.fresh IS NOT NULL;

    INSERT INTO outbox (tenant_id, topic, subject_ids, event_offsets)
    SELECT p_tenant, 'room', array_agg(i.room_id), array_agg(i.fresh)
      FROM unnest(p_rooms, v_fresh) AS i (room_id, fresh) WHERE i.fresh IS NOT NULL
    HAVING count(*) > 0;

    -- By a map and not a join: a join planned while streams were few would go through all streams of the tenant for each room.
    SELECT jsonb_object_agg(n.room_id, n.top) INTO v_tops
      FROM (SELECT i.room_id, max(i.fresh) AS top FROM unnest(p_rooms, v_fresh) AS i (room_id, fresh)
             WHERE i.fresh IS NOT NULL GROUP BY i.room_id) n;
    UPDATE streams s SET last_offset = (v_tops ->> s.id::text)::bigint
     WHERE s.tenant_id = p_tenant AND s.id = ANY (p_rooms) AND v_tops ? s.id::text;

    IF v_any_slow THEN
        INSERT INTO read_states (tenant_id, user_id, room_id, posted_at, updated_at)
        SELECT DISTINCT p_tenant, i.author_id, i.room_id, p_at, p_at
          FROM unnest(p_authors, p_rooms, v_slow_modes, v_fresh) AS i (author_id, room_id, slow_mode_s, fresh)
         WHERE i.slow_mode_s > 0 AND i.fresh IS NOT NULL
            ON CONFLICT ON CONSTRAINT read_states_pkey DO UPDATE SET posted_at = excluded.posted_at;
    END IF;

    IF v_any_call THEN
        calls := v_moderates;
        INSERT INTO mentions (tenant_id, room_id, target, event_offset)
        SELECT p_tenant, i.room_id, 'user:' || x.user_id, i.fresh
          FROM unnest(p_rooms, v_mentioned, v_fresh) AS i (room_id, mentioned, fresh)
         CROSS JOIN LATERAL unnest(i.mentioned::uuid[]) AS x (user_id)
         WHERE i.fresh IS NOT NULL
         UNION
        SELECT p_tenant, i.room_id, g.target, i.fresh
          FROM unnest(p_rooms, p_groups, v_moderates, v_fresh) AS i (room_id, groups, moderates, fresh)
         CROSS JOIN LATERAL unnest(string_to_array(i.groups, ',')) AS g (target)
         WHERE i.groups <> '' AND i.moderates AND i.fresh IS NOT NULL;
    END IF;

    IF v_any_call OR v_any_direct THEN
        -- Personal streams are locked after all rooms, in id order too, so that batches can not wait for each other in a circle.
        PERFORM 1 FROM streams s
          WHERE s.tenant_id = p_tenant
            AND s.id IN (SELECT a.recipient FROM addressed_by(p_tenant, p_ids) a)
          ORDER BY s.id FOR UPDATE;

        WITH numbered AS (
            SELECT a.*, s.last_offset + row_number() OVER (PARTITION BY a.recipient ORDER BY a.room_id, a.room_offset) AS new_offset
              FROM addressed_by(p_tenant, p_ids) a
              JOIN streams s ON s.tenant_id = p_tenant AND s.id = a.recipient
        ), described AS (
            SELECT n.*, '{"v":1,"type":"' || n.kind || '","room_id":"' || n.room_id || '","message_id":"' || n.message_id
                        || '","offset":' || n.room_offset || ',"actor_id":"' || n.author_id || '"}' AS body
              FROM numbered n ORDER BY n.recipient, n.new_offset
        ), write_events AS (
            INSERT INTO events (tenant_id, stream_id, event_offset, kind, actor_id, message_id, at, body)
            SELECT p_tenant, d.recipient, d.new_offset, d.kind, d.author_id, d.message_id, p_at, d.body FROM described d
        ), write_outbox AS (
            INSERT INTO outbox (tenant_id, topic, subject_ids, event_offsets)
            SELECT p_tenant, 'user', array_agg(d.recipient), array_agg(d.new_offset) FROM described d HAVING count(*) > 0
        ), write_streams AS (
            UPDATE streams s SET last_offset = n.top
              FROM (SELECT d.recipient, max(d.new_offset) AS top FROM described d GROUP BY d.recipient) n
             WHERE s.tenant_id = p_tenant AND s.id = n.recipient
        )
        SELECT array_agg(d.recipient), array_agg(d.new_offset), array_agg(d.kind), array_agg(d.body)
          INTO recipients, personal_offsets, personal_kinds, personal_bodies
          FROM described d;
    END IF;
END $$;

-- Who is personally addressed by these freshly stored messages: people mentioned, and the others in a direct or group room.
CREATE OR REPLACE FUNCTION addressed_by(p_tenant uuid, p_ids uuid[])
RETURNS TABLE (message_id uuid, room_id uuid, room_offset bigint, author_id uuid, recipient uuid, kind text)
LANGUAGE sql STABLE AS $$
    SELECT m.id, m.room_id, m.event_offset, m.author_id, x.user_id, 'mention'
      FROM messages m
      JOIN rooms r ON r.tenant_id = p_tenant AND r.id = m.room_id AND r.kind NOT IN ('direct', 'group')
     CROSS JOIN LATERAL unnest(m.mentioned) AS x (user_id)
     WHERE m.tenant_id = p_tenant AND m.id = ANY (p_ids) AND x.user_id <> m.author_id
     UNION ALL
    SELECT m.id, m.room_id, m.event_offset, m.author_id, rm.user_id, 'direct.message'
      FROM messages m
      JOIN rooms r ON r.tenant_id = p_tenant AND r.id = m.room_id AND r.kind IN ('direct', 'group')
      JOIN room_members rm ON rm.tenant_id = p_tenant AND rm.room_id = m.room_id AND rm.user_id <> m.author_id
     WHERE m.tenant_id = p_tenant AND m.id = ANY (p_ids)
$$;
