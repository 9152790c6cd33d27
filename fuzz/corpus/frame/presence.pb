B
room:1