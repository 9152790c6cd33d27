-- Every room that one person reads, with what waits there. $1 tenant, $2 person, $3 names that call the person (user:<id>, here,
-- role:<tenant role>), $4 the most that is counted, $5 the most rooms. Begins with the columns of rooms_by_id.sql.
WITH mine AS (
    SELECT r.*, m.role AS member_role, m.muted_until, r.kind = 'private' AS in_room
      FROM community_members m
      JOIN rooms r ON r.tenant_id = $1 AND r.community_id = m.community_id
     WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.state = 'active'
       AND (r.kind <> 'private' OR EXISTS (SELECT 1 FROM room_members x
                                            WHERE x.tenant_id = $1 AND x.room_id = r.id AND x.user_id = $2))
     UNION ALL
    SELECT r.*, NULL, NULL, true
      FROM room_members x
      JOIN rooms r ON r.tenant_id = $1 AND r.id = x.room_id AND r.community_id IS NULL
     WHERE x.tenant_id = $1 AND x.user_id = $2
)
SELECT r.id AS "id!: RoomId", r.community_id AS "community_id: CommunityId", r.kind AS "kind!", r.name AS "name!", r.topic AS "topic!",
       r.slow_mode_s AS "slow_mode_s!", r.archived_at IS NOT NULL AS "archived!", r.created_by AS "created_by!: UserId",
       r.created_at AS "created_at!", s.epoch, s.last_offset,
       r.member_role AS "member_role?", r.muted_until AS "muted_until?", r.in_room AS "in_room!",
       p.ids AS "people_ids: Vec<UserId>", p.handles AS people_handles, p.names AS people_names,
       coalesce(w.read_offset, 0) AS "read_offset!", coalesce(w.muted, false) AS "muted!",
       n.unread AS "unread!", c.mentions AS "mentions!"
  FROM mine r
  JOIN streams s ON s.tenant_id = $1 AND s.id = r.id
  LEFT JOIN read_states w ON w.tenant_id = $1 AND w.user_id = $2 AND w.room_id = r.id
  LEFT JOIN LATERAL (
       SELECT array_agg(u.id ORDER BY u.handle) AS ids, array_agg(u.handle ORDER BY u.handle) AS handles,
              array_agg(u.display_name ORDER BY u.handle) AS names
         FROM room_members y JOIN users u ON u.tenant_id = $1 AND u.id = y.user_id
        WHERE r.kind IN ('direct', 'group') AND y.tenant_id = $1 AND y.room_id = r.id) p ON true
 CROSS JOIN LATERAL (
       SELECT count(*) AS unread
         FROM (SELECT 1 FROM messages t
                WHERE t.tenant_id = $1 AND t.room_id = r.id AND t.event_offset > coalesce(w.read_offset, 0)
                  AND t.author_id <> $2 AND t.deleted_at IS NULL
                LIMIT $4) counted) n
 CROSS JOIN LATERAL (
       SELECT count(*) AS mentions
         FROM (SELECT DISTINCT k.event_offset
                 FROM mentions k
                 JOIN messages t ON t.tenant_id = $1 AND t.room_id = r.id AND t.event_offset = k.event_offset
                WHERE k.tenant_id = $1 AND k.room_id = r.id AND k.event_offset > coalesce(w.read_offset, 0)
                  AND (k.target = ANY ($3::text[]) OR k.target = 'role:' || r.member_role)
                  AND t.author_id <> $2 AND t.deleted_at IS NULL
                LIMIT $4) counted) c
 ORDER BY r.id
 LIMIT $5
