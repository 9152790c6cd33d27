-- Rooms by id as one person meets them. $1 tenant, $2 person, $3 rooms. Same columns as my_rooms.sql begins with.
SELECT r.id AS "id: RoomId", r.community_id AS "community_id: CommunityId", r.kind, r.name, r.topic, r.slow_mode_s,
       r.archived_at IS NOT NULL AS "archived!", r.created_by AS "created_by: UserId", r.created_at, s.epoch, s.last_offset,
       m.role AS "member_role?", m.muted_until AS "muted_until?", x.user_id IS NOT NULL AS "in_room!",
       p.ids AS "people_ids: Vec<UserId>", p.handles AS people_handles, p.names AS people_names
  FROM rooms r
  JOIN streams s ON s.tenant_id = $1 AND s.id = r.id
  LEFT JOIN community_members m ON m.tenant_id = $1 AND m.community_id = r.community_id AND m.user_id = $2 AND m.state = 'active'
  LEFT JOIN room_members x ON x.tenant_id = $1 AND x.room_id = r.id AND x.user_id = $2
  LEFT JOIN LATERAL (
       SELECT array_agg(u.id ORDER BY u.handle) AS ids, array_agg(u.handle ORDER BY u.handle) AS handles,
              array_agg(u.display_name ORDER BY u.handle) AS names
         FROM room_members y JOIN users u ON u.tenant_id = $1 AND u.id = y.user_id
        WHERE r.kind IN ('direct', 'group') AND y.tenant_id = $1 AND y.room_id = r.id) p ON true
 WHERE r.tenant_id = $1 AND r.id = ANY ($3::uuid[])
 ORDER BY r.id
