%j!
{"room_id":"r"}message.create