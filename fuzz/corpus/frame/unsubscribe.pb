2
room:1